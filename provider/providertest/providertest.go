// Package providertest starts a whole provider for tests: on a real bbolt file and a real listener on loopback, with a clock that
// the test moves, fixture keys, and a browser that fills in the real pages.
package providertest

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/clients"
	"signet/keys"
	"signet/keys/keystest"
	"signet/provider"
	"signet/provider/ending"
	"signet/provider/limit"
	"signet/resources"
	"signet/storage"
	"signet/storage/bolt"
	"signet/storage/postgres"
	"signet/storage/postgres/postgrestest"
	"signet/users"
)

// Password is every test user's.
const Password = "correct horse battery staple"

// passwordHash is Password's, made once: argon2id is slow on purpose.
var passwordHash = sync.OnceValues(func() (string, error) { return users.HashPassword(Password) })

// Clock is a clock that only the test moves.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Server is a provider under test.
type Server struct {
	Issuer   string
	Provider *provider.Provider // for tests that call it without a listener
	Store    storage.Store
	Keys     *keys.Keys
	Clock    *Clock
	HTTP     *http.Client   // without cookies; follows no redirect
	Outbox   *ending.Worker // which tells clients of logouts; when the clock moved it wants to be woken
	tb       testing.TB
	options  provider.Options

	stopOutbox func(func())
	serving    *atomic.Pointer[provider.Provider]
}

// Config is what a test may change before the provider is made. A Store that is set is used, and closed at the end; otherwise there is one
// in Dir, or, where the variable SIGNET_TEST_POSTGRES is set and Dir is not, in a database: so all tests can be run on either.
type Config struct {
	provider.Options
	Path     string           // of the issuer
	Resource storage.Resource // the default resource
	Keys     keys.Options
	Real     bool         // the clock is the machine's
	Dir      string       // of the store; "": a temporary one
	TLS      bool         // the issuer is https
	Front    string       // the issuer, where a test puts something before the provider; "": the listener
	Rates    *limit.Rates // nil: nothing is limited
	Notices  bool         // clients are told of logouts
	// Wrap, where it is set, stands between the provider and the store, for tests of a store that fails.
	Wrap func(storage.Store) storage.Store
	// WrapRings is the same between the keys and the store.
	WrapRings func(storage.Rings) storage.Rings
}

// New starts a provider. It ends with the test.
func New(tb testing.TB, change ...func(*Config)) *Server {
	tb.Helper()
	clock := &Clock{now: time.Now().Truncate(time.Second)}
	c := Config{Resource: resources.Default("ES256", "at+jwt", 10*time.Minute, nil)}
	for _, f := range change {
		f(&c)
	}
	c.Now = clock.Now
	if c.Real {
		c.Now = time.Now
	}
	store := c.open(tb)
	tb.Cleanup(func() { must(tb, store.Close()) })
	c.Keys.Store, c.Keys.Now = store, c.Now
	if c.WrapRings != nil {
		c.Keys.Store = c.WrapRings(store)
	}
	if c.Keys.Master == nil {
		c.Keys.Master = keystest.Master()
	}
	if c.Keys.Generate == nil {
		c.Keys.Generate = keystest.Generator()
	}
	ring, err := keys.Open(tb.Context(), c.Keys)
	must(tb, err)
	_, err = resources.Ensure(tb.Context(), store, c.Resource, storage.Change{Now: c.Now()})
	must(tb, err)

	listener := httptest.NewUnstartedServer(nil)
	c.Issuer = "http://" + listener.Listener.Addr().String() + c.Path
	if c.TLS {
		c.Issuer = "https://" + listener.Listener.Addr().String() + c.Path
	}
	if c.Front != "" {
		c.Issuer = c.Front
	}
	c.Options.Store, c.Options.Keys = store, ring
	if c.Wrap != nil {
		c.Options.Store = c.Wrap(store)
	}
	if c.Passwords == nil {
		c.Passwords = users.NewAuthenticator(users.Options{Store: store, Now: c.Now})
	}
	if c.Rates != nil {
		c.Limits = limit.New(limit.Options{Rates: *c.Rates, Store: c.Options.Store, Now: c.Now, Log: c.Log})
	}
	serving := &atomic.Pointer[provider.Provider]{}
	outbox := ending.New(ending.Options{Store: store, Courier: func() *ending.Courier { return serving.Load().Courier() }, Now: c.Now, Log: c.Log})
	if c.Ended == nil {
		c.Ended = outbox.Wake
	}
	p, err := provider.New(c.Options)
	must(tb, err)
	serving.Store(p)
	working, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	var worker sync.WaitGroup
	if c.Notices {
		worker.Go(func() { outbox.Run(working) })
	}
	tb.Cleanup(func() {
		stop()
		worker.Wait()
	})
	stopOutbox := func(meanwhile func()) {
		stop()
		meanwhile()
		worker.Wait()
	}
	listener.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serving.Load().ServeHTTP(w, r) })
	if c.TLS {
		listener.StartTLS()
	} else {
		listener.Start()
	}
	tb.Cleanup(listener.Close)
	return &Server{Issuer: c.Issuer, Provider: p, Store: store, Keys: ring, Clock: clock, Outbox: outbox, stopOutbox: stopOutbox, tb: tb, options: c.Options, serving: serving, HTTP: &http.Client{
		Transport:     listener.Client().Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// open opens the store.
func (c *Config) open(tb testing.TB) storage.Store {
	tb.Helper()
	switch {
	case c.Store != nil:
		return c.Store
	case c.Dir == "" && os.Getenv("SIGNET_TEST_POSTGRES") != "":
		return Postgres(tb)
	case c.Dir == "":
		c.Dir = tb.TempDir()
	}
	store, err := bolt.Open(bolt.Options{Path: filepath.Join(c.Dir, "signet.db"), Now: c.Now})
	must(tb, err)
	return store
}

// Postgres is a new store in PostgreSQL.
func Postgres(tb testing.TB) storage.Store {
	tb.Helper()
	store, err := postgres.Open(tb.Context(), postgres.Options{URL: postgrestest.Database(tb), Log: slog.New(slog.DiscardHandler), Timeout: time.Minute})
	must(tb, err)
	return store
}

// Reload puts another provider in the place of the one that serves.
func (s *Server) Reload(change func(*provider.Options)) {
	s.tb.Helper()
	s.options.After = s.serving.Load()
	change(&s.options)
	p, err := provider.New(s.options)
	must(s.tb, err)
	s.Provider = p
	s.serving.Store(p)
}

// StopOutbox has the worker end, does something while it comes to its end, and waits for that.
func (s *Server) StopOutbox(meanwhile func()) { s.stopOutbox(meanwhile) }

// With is s for a subtest that shares it: failures of what it does are the subtest's.
func (s *Server) With(tb testing.TB) *Server {
	shared := *s
	shared.tb = tb
	return &shared
}

// Client registers a client of a type, with a redirect URI at another host if people sign in to it, and returns it with its secret ("" for
// public clients).
func (s *Server) Client(typ, name string, change ...func(*storage.Client)) (storage.Client, string) {
	s.tb.Helper()
	c, err := clients.New(typ, name, s.Clock.Now())
	must(s.tb, err)
	if typ != clients.Service {
		c.RedirectURIs = []string{"https://app.example/cb"}
		c.PostLogoutRedirectURIs = []string{"https://app.example/bye"}
	}
	for _, f := range change {
		f(&c)
	}
	var secret string
	secret, err = clients.GiveSecret(&c, func() (clients.Sealer, error) { return s.Keys, nil })
	must(s.tb, err)
	var scopes []string
	if s.options.Claims != nil {
		scopes = s.options.Claims.Added()
	}
	must(s.tb, clients.Validate(c, scopes...))
	c, err = s.Store.SaveClient(context.Background(), c, storage.Change{Now: s.Clock.Now()})
	must(s.tb, err)
	return c, secret
}

// Resource adds an API, with access tokens like those of the default resource.
func (s *Server) Resource(id string, change ...func(*storage.Resource)) storage.Resource {
	s.tb.Helper()
	like, err := s.Store.Resource(context.Background(), storage.DefaultResource)
	must(s.tb, err)
	r := resources.New(id, like, s.Clock.Now())
	for _, f := range change {
		f(&r)
	}
	must(s.tb, resources.Validate(r))
	r, err = s.Store.SaveResource(context.Background(), r, storage.Change{Now: s.Clock.Now()})
	must(s.tb, err)
	return r
}

// User adds a user who signs in with [Password].
func (s *Server) User(name string, change ...func(*storage.User)) storage.User {
	s.tb.Helper()
	u, err := users.New(name, s.Clock.Now())
	must(s.tb, err)
	u.Email, u.EmailVerified = name+"@example.com", true
	u.Profile.Name, u.Groups = "Full Name of "+name, []string{"staff"}
	u.PasswordHash, err = passwordHash()
	must(s.tb, err)
	for _, f := range change {
		f(&u)
	}
	must(s.tb, users.Validate(u))
	u, err = s.Store.SaveUser(context.Background(), u, false, storage.Change{Now: s.Clock.Now()})
	must(s.tb, err)
	return u
}

// Answer is what an endpoint said.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	JSON   map[string]any // nil if the body is none
}

// Error is the error code of an answer in JSON.
func (a Answer) Error() string { return a.Text("error") }

// Text is a member of an answer in JSON.
func (a Answer) Text(name string) string {
	s, _ := a.JSON[name].(string)
	return s
}

// Do sends a request and reads its answer.
func (s *Server) Do(r *http.Request) Answer {
	s.tb.Helper()
	return do(s.tb, s.HTTP, r)
}

func do(tb testing.TB, client *http.Client, r *http.Request) Answer {
	tb.Helper()
	resp, err := client.Do(r)
	must(tb, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(tb, err)
	a := Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(body)}
	_ = json.Unmarshal(body, &a.JSON)
	return a
}

// Request makes a request to a path below the issuer; form is posted unless it is nil.
func (s *Server) Request(method, path string, form url.Values) *http.Request {
	s.tb.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequest(method, s.Issuer+path, body)
	must(s.tb, err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// Post sends a form to an endpoint as a client: by HTTP Basic with a secret, with client_id in the body without.
func (s *Server) Post(path string, c storage.Client, secret string, form url.Values) Answer {
	s.tb.Helper()
	sent := url.Values{}
	for name, values := range form {
		sent[name] = values
	}
	switch {
	case secret == "":
		sent.Set("client_id", c.ID)
	case c.TokenEndpointAuthMethod == "client_secret_post":
		sent.Set("client_id", c.ID)
		sent.Set("client_secret", secret)
	}
	r := s.Request(http.MethodPost, path, sent)
	if secret != "" && c.TokenEndpointAuthMethod == "client_secret_basic" {
		r.SetBasicAuth(c.ID, secret)
	}
	return s.Do(r)
}

// Get asks for a path with an access token; "" for none.
func (s *Server) Get(path, accessToken string) Answer {
	s.tb.Helper()
	r := s.Request(http.MethodGet, path, nil)
	if accessToken != "" {
		r.Header.Set("Authorization", "Bearer "+accessToken)
	}
	return s.Do(r)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
