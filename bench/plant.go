package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"signet/clients"
	"signet/keys"
	"signet/provider/issue"
	"signet/resources"
	"signet/storage"
	"signet/storage/bolt"
	"signet/storage/postgres"
	"signet/storage/rows"
	"signet/users"
)

// seed is what was put into a store: the load signs in with it, through the pages.
type seed struct {
	ES256, RS256 credentials // clients, by the algorithm of their ID tokens
	Service      credentials // one that acts for itself
	API          credentials // what the APIs are, as a client: it looks at tokens, and goes on from one API to the other
	Users        []string
}

type credentials struct{ ID, Secret string }

// What all people and clients of the benchmark share.
const (
	password    = "correct horse battery staple"
	redirectURI = "https://app.example/cb"
	people      = 16
	defaultAlg  = "ES256" // of access tokens
)

// Files beside the store.
const (
	storeFile  = "signet.db"
	masterFile = "master.key"
	tokensFile = "tokens" // refresh tokens, one a line
)

// mostTokens bounds how many refresh tokens the load has. They are of lines all over the store.
const mostTokens = 50_000

// store is a backend.
type store interface {
	storage.Store
	storage.Moving
}

// open opens the task's store.
func (t task) open(log *slog.Logger) (store, error) {
	if t.URL != "" {
		return postgres.Open(context.Background(), postgres.Options{URL: t.URL, Log: log})
	}
	return bolt.Open(bolt.Options{Path: filepath.Join(t.Folder, storeFile), Log: log})
}

// plant is the child that fills a store. It makes a small one by the acts that a server does, and moves that, with as many users and lines of
// refresh tokens as there shall be, into the one that is measured: so a million of them is a matter of a minute.
func plant(t task) (err error) {
	folder, err := os.MkdirTemp(t.Folder, "seed-")
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	small, err := task{Folder: folder}.open(log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, small.Close(), os.RemoveAll(folder)) }()
	master, err := keys.MakeMaster(filepath.Join(t.Folder, masterFile))
	if err != nil {
		return err
	}
	ring, err := keys.Open(context.Background(), keys.Options{Store: small, Master: master})
	if err != nil {
		return err
	}
	g := greeting{}
	if g.Seed, err = plantSeed(small); err != nil {
		return err
	}
	large, err := t.open(log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, large.Close()) }()
	made := crowd{
		n: t.Lines, now: time.Now(), client: g.Seed.ES256.ID,
		tokens: issue.New(issue.Options{Issuer: "http://" + t.Address, Keys: ring, Now: time.Now}),
	}
	if err := large.Import(context.Background(), made.among(small.Export(context.Background()))); err != nil {
		return err
	}
	if err := made.write(filepath.Join(t.Folder, tokensFile)); err != nil {
		return err
	}
	return obey(g, own, deaf)
}

// plantSeed makes the clients and the people who sign in.
func plantSeed(store storage.Store) (s seed, err error) {
	ctx, now := context.Background(), time.Now()
	if _, err := resources.Ensure(ctx, store, resourceOf(defaultAlg), storage.Change{Now: now}); err != nil {
		return s, err
	}
	for _, id := range []string{ordersAPI, opaqueAPI} {
		if _, err := store.SaveResource(ctx, apiOf(id, now), storage.Change{Now: now}); err != nil {
			return s, err
		}
	}
	access := func(c *storage.Client) { c.Access = []storage.Access{{Resource: ordersAPI}, {Resource: opaqueAPI}} }
	for _, c := range []struct {
		typ, alg string
		change   func(*storage.Client)
		into     *credentials
	}{
		{clients.Web, "ES256", func(*storage.Client) {}, &s.ES256}, {clients.Web, "RS256", func(*storage.Client) {}, &s.RS256}, {clients.Service, "RS256", access, &s.Service},
		{clients.Service, "RS256", func(c *storage.Client) {
			access(c)
			c.Resources, c.GrantTypes, c.IntrospectionAlg = []string{ordersAPI, opaqueAPI}, append(c.GrantTypes, clients.GrantExchange), "ES256"
		}, &s.API},
	} {
		if *c.into, err = plantClient(store, c.typ, c.alg, c.change, now); err != nil {
			return s, err
		}
	}
	hash, err := users.HashPassword(password)
	if err != nil {
		return s, err
	}
	for n := range people {
		u, err := person(fmt.Sprintf("person%d", n), hash, now)
		if err != nil {
			return s, err
		}
		if _, err := store.SaveUser(ctx, u, false, storage.Change{Now: now}); err != nil {
			return s, err
		}
		s.Users = append(s.Users, u.Name)
	}
	return s, nil
}

// resourceOf is the issuer as a resource whose access tokens are signed with alg.
func resourceOf(alg string) storage.Resource {
	return resources.Default(alg, "at+jwt", 10*time.Minute, nil)
}

// apiOf is an API with scopes and permissions of its own.
func apiOf(id string, now time.Time) storage.Resource {
	r := resources.New(id, resourceOf(defaultAlg), now)
	r.Open, r.Claims, r.Lifetime = true, []string{"groups", "permissions"}, 2*time.Hour
	r.Scopes = []storage.Scope{{Name: apiScope}, {Name: "orders:write"}}
	r.Permissions = []storage.Permission{{Name: "orders.list", Groups: []string{"staff"}}, {Name: "orders.refund", Roles: []string{"admin"}}}
	if id == opaqueAPI {
		r.Format = storage.FormatOpaque
	}
	return r
}

func plantClient(store storage.Store, typ, alg string, change func(*storage.Client), now time.Time) (credentials, error) {
	c, err := clients.New(typ, "Benchmark "+alg, now)
	if err != nil {
		return credentials{}, err
	}
	if c.IDTokenAlg = alg; typ == clients.Web {
		c.RedirectURIs = []string{redirectURI}
	}
	change(&c)
	secret, hash := clients.NewSecret()
	c.SecretHash = hash
	if err := clients.Validate(c); err != nil {
		return credentials{}, err
	}
	c, err = store.SaveClient(context.Background(), c, storage.Change{Now: now})
	return credentials{ID: c.ID, Secret: secret}, err
}

func person(name, hash string, now time.Time) (storage.User, error) {
	u, err := users.New(name, now)
	u.Email, u.EmailVerified, u.PasswordHash = name+"@example.com", true, hash
	u.Profile.Name, u.Profile.GivenName, u.Groups = "Full Name of "+name, "Person", []string{"staff"}
	return u, err
}

// crowd makes n users, each with one line of refresh tokens that began some time in the last month.
type crowd struct {
	n      int
	now    time.Time
	client string
	tokens *issue.Issuer

	subs  []string
	drawn []string // refresh tokens
}

// among puts the crowd among the rows of a store, each kind where it belongs.
func (c *crowd) among(others storage.Rows) storage.Rows {
	return func(yield func(storage.Row, error) bool) {
		var done storage.Kind
		for row, err := range others {
			switch {
			case err != nil:
			case row.Kind == storage.KindUser && done == "":
				done = row.Kind
				if !c.users(yield) {
					return
				}
			case row.Kind == storage.KindEntry && done == storage.KindUser: // the store has neither families nor what comes between
				done = row.Kind
				if !c.families(yield) {
					return
				}
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// users come in the order of their keys, as an export's do: the store fills its pages.
func (c *crowd) users(yield func(storage.Row, error) bool) bool {
	c.subs = make([]string, c.n)
	for i := range c.subs {
		u, _ := users.New(fmt.Sprint("user", i), c.now)
		c.subs[i] = u.Sub
	}
	slices.Sort(c.subs)
	hash, err := users.HashPassword(password)
	if err != nil {
		return yield(storage.Row{}, err)
	}
	for i, sub := range c.subs {
		u, err := person(fmt.Sprintf("user%07d", i), hash, c.now)
		u.Sub, u.Revision = sub, 1
		row, encodeErr := rows.Encode(storage.KindUser, u)
		if !yield(row, errors.Join(err, encodeErr)) {
			return false
		}
	}
	return true
}

func (c *crowd) families(yield func(storage.Row, error) bool) bool {
	const month, idle = 30 * 24 * time.Hour, 29 * 24 * time.Hour
	rand.Shuffle(len(c.subs), func(a, b int) { c.subs[a], c.subs[b] = c.subs[b], c.subs[a] })
	every := max(1, c.n/mostTokens)
	for i, sub := range c.subs {
		began := c.now.Add(-month + month*time.Duration(i)/time.Duration(c.n)).UTC()
		f := storage.Family{
			ID: storage.NewID(began), Moved: began, MACKey: c.tokens.Keys.MACKey(), Created: began,
			IdleExpires: c.now.Add(idle).UTC(), Expires: began.Add(90 * 24 * time.Hour),
			Authorization: storage.Authorization{
				Client: c.client, User: sub, Session: storage.NewID(began), Scopes: strings.Fields(offlineScope), AuthTime: began, ACR: "pwd", AMR: []string{"pwd"},
				Offline: true,
			},
		}
		if i%every == 0 && len(c.drawn) < mostTokens {
			token, err := c.tokens.RefreshTokenOf(f)
			if err != nil {
				return yield(storage.Row{}, err)
			}
			c.drawn = append(c.drawn, token)
		}
		if !yield(rows.Encode(storage.KindFamily, f)) {
			return false
		}
	}
	return true
}

// write leaves the refresh tokens for the load, in no order: whoever comes next is somewhere else in the store.
func (c *crowd) write(path string) error {
	rand.Shuffle(len(c.drawn), func(a, b int) { c.drawn[a], c.drawn[b] = c.drawn[b], c.drawn[a] })
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	to := bufio.NewWriter(file)
	for _, token := range c.drawn {
		fmt.Fprintln(to, token)
	}
	return errors.Join(to.Flush(), file.Close())
}
