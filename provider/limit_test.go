package provider_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"signet/provider/limit"
	"signet/provider/providertest"
	"signet/storage"
)

// few are limits that a test reaches. The clock stands still, so what is spent stays spent.
func few(c *providertest.Config) {
	c.Rates = &limit.Rates{
		Address: limit.Rate{PerSecond: 1, Burst: 30}, Client: limit.Rate{PerSecond: 1000, Burst: 2000},
		Guess: limit.Rate{PerSecond: 1, Burst: 2}, Registration: limit.Rate{PerSecond: 1, Burst: 1},
	}
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	s := providertest.New(t, few)
	backend, secret := s.Client("web", "Backend")
	spa, _ := s.Client("spa", "Page")
	ask := func(path, accept string) providertest.Answer {
		r := s.Request(http.MethodGet, path, nil)
		r.Header.Set("Accept-Language", accept)
		return s.Do(r)
	}
	introspect := func(secret string) providertest.Answer {
		return s.Post("/introspect", backend, secret, url.Values{"token": {"x"}})
	}
	told := func(t *testing.T, a providertest.Answer) {
		t.Helper()
		seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
		if a.Status != http.StatusTooManyRequests || err != nil || seconds < 1 {
			t.Errorf("RFC 6585 4: %d, Retry-After %q: %s", a.Status, a.Header.Get("Retry-After"), a.Body)
		}
	}

	t.Run("a client that authenticated itself is counted by client", func(t *testing.T) {
		for range 100 {
			if a := introspect(secret); a.Status != http.StatusOK {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
		}
	})
	t.Run("wrong secrets are bounded before they are compared", func(t *testing.T) {
		for range 2 {
			if a := introspect("wrong"); a.Status != http.StatusUnauthorized {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
		}
		told(t, introspect("wrong"))
		told(t, introspect(secret)) // or else it would say which one is right
		s.Clock.Advance(time.Second)
		if a := introspect(secret); a.Status != http.StatusOK {
			t.Errorf("a second later: %d", a.Status)
		}
	})
	t.Run("browsers are counted by address, and told on a page", func(t *testing.T) {
		page := ask("/authorize", "en")
		for range 40 {
			if page.Status == http.StatusTooManyRequests {
				break
			}
			page = ask("/authorize", "en")
		}
		told(t, page)
		if !strings.Contains(page.Body, "Too many requests came from your network in a short time.") {
			t.Errorf("%s", page.Body)
		}
		if german := ask("/logout", "de-AT"); german.Status != http.StatusTooManyRequests || !strings.Contains(german.Body, "Von Ihrem Netz aus kamen in kurzer Zeit zu viele Anfragen.") {
			t.Errorf("%d %s", german.Status, german.Body)
		}
	})
	t.Run("from an address that has nothing left", func(t *testing.T) {
		for name, a := range map[string]providertest.Answer{
			"a public client":     s.Post("/token", spa, "", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}),
			"a client nobody has": s.Post("/token", storage.Client{ID: "nobody"}, "", nil),
			"no client":           s.Do(s.Request(http.MethodPost, "/token", url.Values{"grant_type": {"x"}})),
			"userinfo":            s.Get("/userinfo", "x"),
		} {
			told(t, a)
			if a.Error() != "temporarily_unavailable" {
				t.Errorf("%s: %s", name, a.Body)
			}
		}
		for _, path := range []string{"/.well-known/openid-configuration", "/jwks", "/healthz", "/readyz", "/"} {
			if a := ask(path, "en"); a.Status != http.StatusOK {
				t.Errorf("%s costs nothing: %d", path, a.Status)
			}
		}
		if a := introspect(secret); a.Status != http.StatusOK {
			t.Errorf("a client that authenticates itself: %d", a.Status)
		}
	})
}

// The defaults let a certification suite pass: seventy sign-ins and sixty registrations a minute from one address.
func TestDefaultRatesLetASuitePass(t *testing.T) {
	t.Parallel()
	s := providertest.New(t, func(c *providertest.Config) {
		c.Rates = &limit.Default
		c.Registration.Policy = "open"
	})
	s.User("alice")
	c, secret := s.Client("web", "App")
	for range 70 {
		code := s.Browser("alice").Code(c)
		if a := s.Redeem(c, secret, code); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		s.Clock.Advance(time.Minute / 70)
	}
	for n := range 60 {
		r, err := http.NewRequest(http.MethodPost, s.Issuer+"/register", strings.NewReader(`{"redirect_uris":["https://a.example/cb"]}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if a := s.Do(r); a.Status != http.StatusCreated {
			t.Fatalf("registration %d: %d %s", n, a.Status, a.Body)
		}
	}
}
