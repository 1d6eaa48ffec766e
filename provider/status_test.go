package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/clients"
	"signet/provider"
	"signet/provider/providertest"
	"signet/resources"
	"signet/storage"
	"signet/storage/bolt"
	"signet/storage/postgres"
	"signet/storage/postgres/postgrestest"
)

// grants are what is out there when something ends: by whom and at which app.
type grants struct {
	*testing.T
	*providertest.Server
	alice        storage.User
	app, other   storage.Client // alice's; the second without offline_access
	robot        storage.Client
	secrets      map[string]string // of clients
	browser      *providertest.Browser
	code         string                         // that tokens["offline"] came from
	tokens       map[string]providertest.Answer // answers of the token endpoint, by what they stand for
	introspected map[string]storage.Client      // by whom
}

// The access tokens of each test.
const (
	offline = "alice at the app, with offline_access"
	online  = "alice at the other app, until she signs out"
	front   = "alice at the app, from the authorization endpoint"
	bob     = "bob at the app"
	service = "a client that acts for itself"
)

var everyGrant = []string{offline, online, front, bob, service}

func newGrants(t *testing.T, s *providertest.Server) *grants {
	t.Helper()
	g := &grants{T: t, Server: s, secrets: map[string]string{}, tokens: map[string]providertest.Answer{}}
	client := func(typ, name string) storage.Client {
		c, secret := s.Client(typ, name, func(c *storage.Client) {
			c.Trusted = true
			if typ == clients.Web {
				c.ResponseTypes = []string{"code", "code id_token token"}
				c.GrantTypes = append(c.GrantTypes, "implicit")
			}
		})
		g.secrets[c.ID] = secret
		return c
	}
	g.app, g.other, g.robot = client(clients.Web, "App"), client(clients.Web, "Other app"), client(clients.Service, "Robot")
	g.alice = s.User("alice")
	s.User("bob")
	g.browser = s.Browser("alice")

	g.code = g.browser.Code(g.app, "scope", "openid offline_access", "prompt", "consent")
	g.tokens[offline] = g.redeem(g.app, g.code)
	g.tokens[online] = g.redeem(g.other, g.browser.Code(g.other, "scope", "openid"))
	g.tokens[bob] = g.redeem(g.app, s.Browser("bob").Code(g.app, "scope", "openid offline_access", "prompt", "consent"))
	g.tokens[service] = s.Post("/token", g.robot, g.secrets[g.robot.ID], url.Values{"grant_type": {"client_credentials"}})
	o := g.browser.Authorize(g.app, "response_type", "code id_token token", "scope", "openid")
	g.tokens[front] = providertest.Answer{Status: 200, Body: o.Callback, JSON: map[string]any{"access_token": o.Params.Get("access_token")}}
	for name, a := range g.tokens {
		if a.Status != 200 || a.Text("access_token") == "" {
			t.Fatalf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	g.introspected = map[string]storage.Client{offline: g.app, online: g.other, front: g.app, bob: g.app, service: g.robot}
	return g
}

func (g *grants) redeem(c storage.Client, code string) providertest.Answer {
	return g.Redeem(c, g.secrets[c.ID], code)
}

func (g *grants) revoke(c storage.Client, token string) {
	g.Helper()
	if a := g.Post("/revoke", c, g.secrets[c.ID], url.Values{"token": {token}}); a.Status != 200 {
		g.Fatalf("%d %s", a.Status, a.Body)
	}
}

func (g *grants) change() storage.Change { return storage.Change{Now: g.Clock.Now()} }

func (g *grants) saveAlice(change func(*storage.User)) {
	g.Helper()
	u, err := g.Store.User(g.Context(), g.alice.Sub)
	if err == nil {
		change(&u)
		_, err = g.Store.SaveUser(g.Context(), u, false, g.change())
	}
	g.ok(err)
}

func (g *grants) ok(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

// Whatever ends before its time is refused by an API that verifies alone as soon as its list is older than its ttl, as introspection refuses
// it at once; and nothing else is.
func TestStatusList(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		act  func(*grants)
		dead []string
	}{
		"nothing": {func(*grants) {}, nil},
		"sign-out ends what lives by the session: Back-Channel Logout 2.7": {func(g *grants) {
			hint := g.tokens[online].Text("id_token")
			if o := g.browser.Open("/logout?" + url.Values{"id_token_hint": {hint}}.Encode()); o.Page.Status >= 400 {
				g.Fatalf("%d %s", o.Page.Status, o.Page.Body)
			}
		}, []string{online, front}},
		"withdrawal ends the app's": {func(g *grants) {
			_, err := g.Store.Withdraw(g.Context(), g.alice.Sub, g.app.ID, g.change())
			g.ok(err)
		}, []string{offline, front}},
		"RFC 9700 4.14.2: a refresh token that comes again": {func(g *grants) {
			token := g.tokens[offline].Text("refresh_token")
			for _, want := range []int{200, 400} {
				if a := g.Refresh(g.app, g.secrets[g.app.ID], token); a.Status != want {
					g.Fatalf("%d %s", a.Status, a.Body)
				}
				g.Clock.Advance(11 * time.Second)
			}
		}, []string{offline}},
		"RFC 6749 4.1.2: a code that comes again": {func(g *grants) {
			if a := g.redeem(g.app, g.code); a.Status != 400 {
				g.Fatalf("%d %s", a.Status, a.Body)
			}
		}, []string{offline}},
		"RFC 7009 2.1: an access token is revoked": {func(g *grants) {
			g.revoke(g.app, g.tokens[offline].Text("access_token"))
		}, []string{offline}},
		"RFC 7009 2.1: a refresh token is revoked": {func(g *grants) {
			g.revoke(g.app, g.tokens[offline].Text("refresh_token"))
		}, []string{offline}},
		"an access token of the front channel is revoked": {func(g *grants) {
			g.revoke(g.app, g.tokens[front].Text("access_token"))
		}, []string{front}},
		"another password": {func(g *grants) {
			g.saveAlice(func(u *storage.User) { u.PasswordHash += "x" })
		}, []string{offline, online, front}},
		"a user is disabled": {func(g *grants) {
			g.saveAlice(func(u *storage.User) { u.Disabled = true })
		}, []string{offline, online, front}},
		"a user is removed": {func(g *grants) {
			g.ok(g.Store.RemoveUser(g.Context(), g.alice.Sub, g.change()))
		}, []string{offline, online, front}},
		"signed out everywhere": {func(g *grants) {
			_, err := g.Store.EndUser(g.Context(), g.alice.Sub, g.change())
			g.ok(err)
		}, []string{offline, online, front}},
		"a client's own access token is revoked": {func(g *grants) {
			g.revoke(g.robot, g.tokens[service].Text("access_token"))
		}, []string{service}},
		"a client has other credentials": {func(g *grants) {
			c, err := g.Store.Client(g.Context(), g.robot.ID)
			g.ok(err)
			g.secrets[c.ID], c.SecretHash = clients.NewSecret()
			_, err = g.Store.SaveClient(g.Context(), c, g.change())
			g.ok(err)
		}, []string{service}},
	} {
		test := func(t *testing.T, s *providertest.Server, api func() *providertest.API) {
			t.Parallel()
			g := newGrants(t, s)
			a := api()
			for _, name := range everyGrant {
				if err := a.Accept(g.tokens[name].Text("access_token")); err != nil {
					t.Fatalf("before, %s: %v", name, err)
				}
			}
			row.act(g)
			a.Wait(45 * time.Second)
			for _, name := range everyGrant {
				dead := false
				for _, d := range row.dead {
					dead = dead || d == name
				}
				token := g.tokens[name].Text("access_token")
				if err := a.Accept(token); errors.Is(err, providertest.ErrRevoked) != dead || err != nil && !dead {
					t.Errorf("%s: %v", name, err)
				}
				by := g.introspected[name]
				if i := s.Post("/introspect", by, g.secrets[by.ID], url.Values{"token": {token}}); i.JSON["active"] == dead {
					t.Errorf("%s, introspected: %s", name, i.Body)
				}
			}
		}
		t.Run("bolt/"+name, func(t *testing.T) {
			s := providertest.New(t, func(c *providertest.Config) { c.Dir = t.TempDir() })
			test(t, s, s.API)
		})
		t.Run("PostgreSQL, by another node/"+name, func(t *testing.T) {
			one, two := twoNodes(t)
			test(t, one, func() *providertest.API { return byAnotherNode(one, two) })
		})
	}
}

// twoNodes are two providers on one database.
func twoNodes(t *testing.T) (one, two *providertest.Server) {
	t.Helper()
	at := postgrestest.Database(t)
	node := func(issuer string) *providertest.Server {
		store, err := postgres.Open(t.Context(), postgres.Options{URL: at, Log: slog.New(slog.DiscardHandler), Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return providertest.New(t, func(c *providertest.Config) { c.Store, c.Front = store, issuer })
	}
	one = node("")
	return one, node(one.Issuer)
}

// byAnotherNode is an API that has key sets and lists from the second of two nodes.
func byAnotherNode(one, two *providertest.Server) *providertest.API {
	api := one.API()
	api.Get = func(url string) ([]byte, error) {
		r := httptest.NewRequest(http.MethodGet, url, nil)
		w := httptest.NewRecorder()
		two.Provider.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			return nil, fmt.Errorf("%s: %d", url, w.Code)
		}
		return w.Body.Bytes(), nil
	}
	wait := api.Wait
	api.Wait = func(d time.Duration) {
		wait(d)
		two.Clock.Advance(d)
	}
	return api
}

// statusOf is the claim of an access token.
func statusOf(t *testing.T, s *providertest.Server, token string) string {
	t.Helper()
	status, err := json.Marshal(s.Verify(token).Claims["status"])
	if err != nil {
		t.Fatal(err)
	}
	return string(status)
}

// The number belongs to the line and not to the token; a revoked token's line goes on with another.
func TestStatusBelongsToTheLine(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"at+jwt", "JWT"} {
		s := providertest.New(t, func(c *providertest.Config) { c.Resource = resources.Default("ES256", typ, 10*time.Minute, nil) })
		g := newGrants(t, s)
		api := s.API()
		first := g.tokens[offline]
		status := statusOf(t, s, first.Text("access_token"))
		if !strings.HasPrefix(status, `{"status_list":{"idx":`) || !strings.HasSuffix(status, `,"uri":"`+s.Issuer+`/statuslists/0"}}`) {
			t.Errorf("%s: Token Status List 6.2: %s", typ, status)
		}
		second := g.Refresh(g.app, g.secrets[g.app.ID], first.Text("refresh_token"))
		if got := statusOf(t, s, second.Text("access_token")); got != status {
			t.Errorf("%s: after a refresh it is %s, and was %s", typ, got, status)
		}
		g.revoke(g.app, second.Text("access_token"))
		third := g.Refresh(g.app, g.secrets[g.app.ID], second.Text("refresh_token"))
		if got := statusOf(t, s, third.Text("access_token")); got == status || got == "null" {
			t.Errorf("%s: after one was revoked it is %s", typ, got)
		}
		for name, want := range map[string]error{first.Text("access_token"): providertest.ErrRevoked, second.Text("access_token"): providertest.ErrRevoked, third.Text("access_token"): nil} {
			if err := api.Accept(name); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", typ, err, want)
			}
		}
		seen := map[string]string{}
		for name, a := range g.tokens {
			status := statusOf(t, s, a.Text("access_token"))
			if other, ok := seen[status]; ok {
				t.Errorf("%s: %s has the status of %s", typ, name, other)
			}
			seen[status] = name
		}
	}
}

// Turned off, tokens and metadata say nothing of it; the lists are there for tokens from before. So it is with a path.
func TestStatusListOff(t *testing.T) {
	t.Parallel()
	s := providertest.New(t, func(c *providertest.Config) { c.Path = "/auth" })
	g := newGrants(t, s)
	metadata := func() string {
		return s.Get("/.well-known/openid-configuration", "").Text("status_list_aggregation_endpoint")
	}
	if got := metadata(); got != s.Issuer+"/statuslists" {
		t.Errorf("Token Status List 9.1: %q", got)
	}
	api := s.API()
	s.Reload(func(o *provider.Options) { o.NoStatusList = true })
	if got := metadata(); got != "" {
		t.Errorf("off: %q", got)
	}
	after := g.Refresh(g.app, g.secrets[g.app.ID], g.tokens[offline].Text("refresh_token"))
	if got := statusOf(t, s, after.Text("access_token")); got != "null" {
		t.Errorf("off: %s", got)
	}
	if err := api.Accept(g.tokens[bob].Text("access_token")); err != nil {
		t.Errorf("one from before: %v", err)
	}
}

// What the route adds to the room: CORS, methods, HEAD.
func TestStatusListRoute(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	for _, path := range []string{"/statuslists", "/statuslists/0"} {
		r := s.Request(http.MethodGet, path, nil)
		r.Header.Set("Origin", "https://elsewhere.example")
		if a := s.Do(r); a.Status != 200 || a.Header.Get("Access-Control-Allow-Origin") != "*" || a.Header.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.Contains(strings.Join(a.Header.Values("Vary"), ","), "Origin") {
			t.Errorf("Token Status List 8.1: CORS at %s: %d %v", path, a.Status, a.Header)
		}
		if a := s.Do(s.Request(http.MethodHead, path, nil)); a.Status != 200 || a.Header.Get("Etag") == "" {
			t.Errorf("HEAD %s: %d %v", path, a.Status, a.Header)
		}
		if a := s.Do(s.Request(http.MethodPost, path, url.Values{})); a.Status != 405 || a.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: %d %v", path, a.Status, a.Header)
		}
	}
	for _, path := range []string{"/statuslists/", "/statuslists/7", "/statuslists/x", "/statuslists/0/", "/statuslists/0/0", "/statuslists/%30%2f", "/statuslists/..", "/statuslists/%00"} {
		if a := s.Get(path, ""); a.Status != 404 {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
}

// What docs/revocation.md shows in Go is what the tests' API does.
func TestRevocationPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/revocation.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("providertest/api.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(source), "// docs/revocation.md: begin\n")
	code, _, found := strings.Cut(code, "\n// docs/revocation.md: end")
	if !found || !strings.Contains(string(page), "```go\n"+code+"```") {
		t.Error("docs/revocation.md shows other code than provider/providertest/api.go; copy it from there")
	}
}

// A store that came from a backup tells what the one before told, by the same bits.
func TestStatusListOfARestoredStore(t *testing.T) {
	t.Parallel()
	before := providertest.New(t, func(c *providertest.Config) { c.Dir = t.TempDir() })
	g := newGrants(t, before)
	g.revoke(g.app, g.tokens[offline].Text("access_token"))
	store, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "signet.db"), Now: before.Clock.Now})
	g.ok(err)
	g.ok(store.Import(t.Context(), before.Store.(storage.Moving).Export(t.Context())))
	after := providertest.New(t, func(c *providertest.Config) { c.Store, c.Front = store, before.Issuer })
	api := byAnotherNode(before, after)
	for _, name := range everyGrant {
		if err := api.Accept(g.tokens[name].Text("access_token")); errors.Is(err, providertest.ErrRevoked) != (name == offline) {
			t.Errorf("%s: %v", name, err)
		}
	}
	marks, err := after.Store.Marked(t.Context(), after.Clock.Now())
	g.ok(err)
	if was, err := before.Store.Marked(t.Context(), before.Clock.Now()); err != nil || marks.Given < was.Given {
		t.Errorf("%v: the next number would be %d, and %d were given", err, marks.Given+1, was.Given)
	}
}

// Who has no number, as what was stored before there were any, gets tokens without a status.
func TestStatusOfWhatHasNoNumber(t *testing.T) {
	t.Parallel()
	s := providertest.New(t, func(c *providertest.Config) {
		c.Wrap = func(s storage.Store) storage.Store { return unnumbered{s} }
	})
	s.User("alice")
	c, secret := s.Client(clients.Web, "App", func(c *storage.Client) { c.Trusted = true })
	a := s.Redeem(c, secret, s.Browser("alice").Code(c, "scope", "openid offline_access", "prompt", "consent"))
	for range 2 {
		if got := statusOf(t, s, a.Text("access_token")); a.Status != 200 || got != "null" {
			t.Fatalf("%d %s", a.Status, got)
		}
		a = s.Refresh(c, secret, a.Text("refresh_token"))
	}
}

// unnumbered is a store of families without a number.
type unnumbered struct{ storage.Store }

func (u unnumbered) RedeemCode(ctx context.Context, r storage.Redemption, f storage.Family) (storage.Redeemed, error) {
	redeemed, err := u.Store.RedeemCode(ctx, r, f)
	redeemed.Family.Status = 0
	return redeemed, err
}

func (u unnumbered) RotateFamily(ctx context.Context, r storage.Rotation) (storage.Family, storage.User, error) {
	f, user, err := u.Store.RotateFamily(ctx, r)
	f.Status = 0
	return f, user, err
}
