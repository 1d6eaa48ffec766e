package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"signet/clients"
	"signet/heap"
	"signet/keys"
	"signet/provider"
	"signet/resources"
	"signet/storage"
	"signet/storage/bolt"
	"signet/users"
)

// seed is what the provider's process has put into its store: the load signs in with it, through the pages.
type seed struct {
	ES256, RS256 credentials // clients, by the algorithm of their ID tokens
	Users        []string
}

type credentials struct{ ID, Secret string }

// What all people and clients of the benchmark share.
const (
	password    = "correct horse battery staple"
	redirectURI = "https://app.example/cb"
	people      = 16
)

// provide is the provider's process: what signet serve does, on a temporary folder.
func provide() (err error) {
	heap.Reserve()
	folder, err := os.MkdirTemp("", "signet-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	log, err := requestLog(folder)
	if err != nil {
		return err
	}
	store, err := bolt.Open(bolt.Options{Path: filepath.Join(folder, "signet.db"), Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	ring, err := keys.Open(context.Background(), keys.Options{Store: store, Master: keys.NewMaster([32]byte{1})})
	if err != nil {
		return err
	}
	var handler http.Handler
	return serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }), func(address string) (g greeting, err error) {
		g.Address = address
		if g.Seed, err = plant(store); err != nil {
			return g, err
		}
		handler, err = provider.New(provider.Options{
			Issuer: "http://" + address, Store: store, Keys: ring, Log: log, Passwords: users.NewAuthenticator(users.Options{Store: store}),
		})
		return g, err
	})
}

// requestLog is the log as signet serve writes it, to a file.
func requestLog(folder string) (*slog.Logger, error) {
	if on, err := strconv.ParseBool(os.Getenv(logVariable)); err != nil || !on {
		return slog.New(slog.DiscardHandler), err
	}
	file, err := os.Create(filepath.Join(folder, "log"))
	return slog.New(slog.NewJSONHandler(file, nil)), err
}

// plant makes the clients and the users.
func plant(store *bolt.Store) (s seed, err error) {
	ctx, now := context.Background(), time.Now()
	if _, err := resources.Ensure(ctx, store, resources.Default("ES256", "at+jwt", 10*time.Minute, nil), storage.Change{Now: now}); err != nil {
		return s, err
	}
	for alg, c := range map[string]*credentials{"ES256": &s.ES256, "RS256": &s.RS256} {
		if *c, err = plantClient(store, alg, now); err != nil {
			return s, err
		}
	}
	hash, err := users.HashPassword(password)
	if err != nil {
		return s, err
	}
	for n := range people {
		u, err := users.New("person"+strconv.Itoa(n), now)
		if err != nil {
			return s, err
		}
		u.Email, u.EmailVerified, u.PasswordHash = u.Name+"@example.com", true, hash
		u.Profile.Name, u.Profile.GivenName, u.Groups = "Person "+strconv.Itoa(n), "Person", []string{"staff"}
		if _, err := store.SaveUser(ctx, u, false, storage.Change{Now: now}); err != nil {
			return s, err
		}
		s.Users = append(s.Users, u.Name)
	}
	return s, nil
}

func plantClient(store *bolt.Store, alg string, now time.Time) (credentials, error) {
	c, err := clients.New("web", "Benchmark "+alg, now)
	if err != nil {
		return credentials{}, err
	}
	c.RedirectURIs, c.IDTokenAlg = []string{redirectURI}, alg
	secret, hash := clients.NewSecret()
	c.SecretHash = hash
	if err := clients.Validate(c); err != nil {
		return credentials{}, err
	}
	c, err = store.SaveClient(context.Background(), c, storage.Change{Now: now})
	return credentials{ID: c.ID, Secret: secret}, err
}
