package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"signet/keys"
	"signet/provider/providertest"
	"signet/storage"
)

// The JWKS is cached by everybody, for a while. These tests turn the keys while apps sign people in and refresh, and hold every token
// against verifiers with a cache. None may ever fail.

// TestRotationForced: forced, a key signs that no cache has. Verifiers that ask again for an unknown kid, as most libraries do,
// must not notice; for those that do not, there is no forcing without harm, which is why it has that name.
func TestRotationForced(t *testing.T) {
	t.Parallel()
	l := newLoad(t, keys.Options{})
	l.addVerifier("go-oidc", goOIDC(l.Issuer))
	for range 6 {
		l.meanwhile(4, func() error { return l.rotate(keys.RotateOptions{Now: true, Force: true}) })
	}
	l.sawKeys(6)
}

// TestRotationNow: without force, the key that takes over was announced for as long as a JWKS may be cached.
func TestRotationNow(t *testing.T) {
	t.Parallel()
	l := newLoad(t, keys.Options{})
	l.addVerifier("go-oidc", goOIDC(l.Issuer))
	l.addVerifier("a cache that holds to max-age", (&cache{url: l.Issuer + "/jwks", now: l.Clock.Now}).verify)
	l.meanwhile(1, func() error { return nil }) // the caches fill

	var young *keys.YoungError
	if err := l.rotate(keys.RotateOptions{Now: true}); !errors.As(err, &young) {
		t.Fatalf("a key that was announced a moment ago: %v", err)
	}
	for range 6 {
		l.Clock.Advance(keys.MaxAge)
		l.meanwhile(4, func() error { return l.rotate(keys.RotateOptions{Now: true}) })
	}
	l.sawKeys(6)
}

// TestRotationBySchedule lives through fifteen hours in which each key signs for three.
func TestRotationBySchedule(t *testing.T) {
	if testing.Short() {
		t.Skip("takes several seconds")
	}
	t.Parallel()
	const rotate, step = 3 * time.Hour, 5 * time.Minute
	l := newLoad(t, keys.Options{Rotate: rotate, Announce: time.Hour, MaxToken: 10 * time.Minute})
	l.addVerifier("go-oidc", goOIDC(l.Issuer))
	l.addVerifier("a cache that holds to max-age", (&cache{url: l.Issuer + "/jwks", now: l.Clock.Now}).verify)
	for range 5 * rotate / step {
		l.Clock.Advance(step)
		l.meanwhile(1, func() error { return l.Keys.Tick(t.Context()) })
	}
	l.sawKeys(5)

	// The set does not grow: an active, a next and perhaps a retired key of each algorithm.
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(l.Get("/jwks", "").Body), &set); err != nil || len(set.Keys) > 3*len(algs) {
		t.Errorf("%d keys are published (%v)", len(set.Keys), err)
	}
}

// load is a provider whose keys a test turns, the apps that use it meanwhile, and the verifiers that must not notice.
type load struct {
	*providertest.Server
	t         *testing.T
	visitors  []*visitor
	verifiers map[string]verifier

	mutex sync.Mutex
	kids  map[string]bool // by which tokens were signed
}

// verifier checks a token's signature by what it knows of the keys.
type verifier func(token string) error

// algs sign in these tests: ID tokens both, access tokens the second.
var algs = []jose.SignatureAlgorithm{jose.RS256, jose.ES256}

// newLoad starts a provider and signs four people in at two apps.
func newLoad(t *testing.T, o keys.Options) *load {
	s := providertest.New(t, func(c *providertest.Config) {
		c.Keys = o
		c.Keys.Algs = []string{"RS256", "ES256"}
	})
	l := &load{Server: s, t: t, verifiers: map[string]verifier{}, kids: map[string]bool{}}
	for _, alg := range []string{"RS256", "ES256"} {
		app, secret := s.Client("web", "App with "+alg, func(c *storage.Client) { c.IDTokenAlg = alg })
		config := &oauth2.Config{
			ClientID: app.ID, ClientSecret: secret, Endpoint: endpoint(s.Issuer), RedirectURL: app.RedirectURIs[0],
			Scopes: []string{"openid", "email", "offline_access"},
		}
		for _, name := range []string{"alice", "bob"} {
			name += "-" + alg
			s.User(name)
			l.visitors = append(l.visitors, &visitor{config: config, agent: newAgent(name, providertest.Password)})
		}
	}
	return l
}

func (l *load) addVerifier(name string, v verifier) { l.verifiers[name] = v }

func (l *load) rotate(o keys.RotateOptions) error {
	_, err := l.Keys.Rotate(l.t.Context(), o, storage.Change{Now: l.Clock.Now()})
	return err
}

// meanwhile does act while every visitor takes so many turns, and waits for all of them.
func (l *load) meanwhile(turns int, act func() error) {
	l.t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := act(); err != nil {
			l.t.Errorf("the keys: %v", err)
		}
	})
	for _, v := range l.visitors {
		wg.Go(func() {
			for range turns {
				if err := l.turn(v); err != nil {
					l.t.Errorf("%s: %v", v.agent.user, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if l.t.Failed() {
		l.t.FailNow()
	}
}

// turn gets new tokens and verifies them by every verifier, and those of the turn before by one that has never asked for the keys:
// what was signed with a retired key is good for as long as it lives.
func (l *load) turn(v *visitor) error {
	before := v.token
	if err := v.next(l.t.Context()); err != nil {
		return err
	}
	for name, verify := range l.verifiers {
		if err := l.verify(v.token, verify); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if before == nil {
		return nil
	}
	if err := l.verify(before, goOIDC(l.Issuer)); err != nil {
		return fmt.Errorf("tokens of the turn before: %w", err)
	}
	return nil
}

func (l *load) verify(t *oauth2.Token, verify verifier) error {
	for kind, token := range map[string]string{"id_token": idToken(t), "access_token": t.AccessToken} {
		if err := verify(token); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		jws, err := jose.ParseSignedCompact(token, algs)
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		l.mutex.Lock()
		l.kids[jws.Signatures[0].Header.Algorithm+" "+jws.Signatures[0].Header.KeyID] = true
		l.mutex.Unlock()
	}
	return nil
}

// sawKeys makes sure that the test tested something: of each algorithm at least n keys have signed.
func (l *load) sawKeys(n int) {
	l.t.Helper()
	for _, alg := range algs {
		seen := 0
		for kid := range l.kids {
			if kid[:len(alg)] == string(alg) {
				seen++
			}
		}
		if seen < n {
			l.t.Errorf("%d keys of %s have signed, want %d or more", seen, alg, n)
		}
	}
}

// visitor is one person at one app.
type visitor struct {
	config *oauth2.Config
	agent  *agent
	token  *oauth2.Token
	turns  int
}

// next refreshes, and each fifth time signs in anew.
func (v *visitor) next(ctx context.Context) (err error) {
	if v.turns++; v.turns%5 == 1 {
		v.token, err = v.agent.signIn(ctx, v.config)
	} else {
		v.token, err = refreshed(ctx, v.config, v.token.RefreshToken)
	}
	return err
}

func idToken(t *oauth2.Token) string {
	s, _ := t.Extra("id_token").(string)
	return s
}

// goOIDC is coreos/go-oidc's verifier: it caches without end, and asks again for a kid that it does not know.
func goOIDC(issuer string) verifier {
	set := oidc.NewRemoteKeySet(context.Background(), issuer+"/jwks")
	return func(token string) error {
		_, err := set.VerifySignature(context.Background(), token)
		return err
	}
}

// cache is a verifier behind a shared cache: it asks for the JWKS when max-age is over and never before, not even for a kid that
// it does not know. RFC 9111 section 4.2 allows that; some gateways do it.
type cache struct {
	url string
	now func() time.Time

	mutex sync.Mutex
	keys  jose.JSONWebKeySet
	stale time.Time
}

func (c *cache) verify(token string) error {
	set, err := c.get()
	if err != nil {
		return err
	}
	jws, err := jose.ParseSignedCompact(token, algs)
	if err != nil {
		return err
	}
	kid := jws.Signatures[0].Header.KeyID
	known := set.Key(kid)
	if len(known) != 1 {
		return fmt.Errorf("the cached JWKS has %d keys of kid %q", len(known), kid)
	}
	_, err = jws.Verify(known[0])
	return err
}

var maxAge = regexp.MustCompile(`(?:^|, *)max-age=(\d+)`)

func (c *cache) get() (jose.JSONWebKeySet, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	now := c.now()
	if now.Before(c.stale) {
		return c.keys, nil
	}
	resp, err := http.Get(c.url)
	if err != nil {
		return c.keys, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return c.keys, err
	}
	age := maxAge.FindStringSubmatch(resp.Header.Get("Cache-Control"))
	if age == nil {
		return c.keys, errors.New("the JWKS has no max-age")
	}
	seconds, err := strconv.Atoi(age[1])
	if err != nil {
		return c.keys, err
	}
	c.keys, c.stale = jose.JSONWebKeySet{}, now.Add(time.Duration(seconds)*time.Second)
	return c.keys, json.Unmarshal(body, &c.keys)
}
