package token_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"signet/audit"
	"signet/claims"
	"signet/clients"
	"signet/provider/providertest"
	"signet/resources"
	"signet/storage"
)

// services is a server with scopes of the operator's own, and a claim that says something about users.
func services(t *testing.T, change ...func(*providertest.Config)) *providertest.Server {
	t.Helper()
	catalogue, err := claims.Declarations{
		Scopes: []claims.Scope{{Name: "orders.read", Text: "see your orders"}, {Name: "orders.write", Text: "change your orders"}},
		Claims: []claims.Mapping{{Name: "employee", From: "group:staff", In: []string{"access_token"}}},
	}.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	return providertest.New(t, append(change, func(c *providertest.Config) { c.Claims = catalogue })...)
}

// may gives a client these scopes.
func may(scopes ...string) func(*storage.Client) {
	return func(c *storage.Client) { c.Scopes = scopes }
}

// ask asks for a token in the client's own name, with the pairs in more besides.
func ask(s *providertest.Server, c storage.Client, secret string, more ...string) providertest.Answer {
	return s.Post("/token", c, secret, edit(url.Values{"grant_type": {"client_credentials"}}, more...))
}

// active asks whether a token is, as its client.
func active(s *providertest.Server, c storage.Client, secret, token string) bool {
	return s.Post("/introspect", c, secret, url.Values{"token": {token}}).JSON["active"] == true
}

func TestServiceToken(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"ES256", "RS256", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			s := services(t, func(c *providertest.Config) {
				c.Resource = resources.Default(alg, "at+jwt", 5*time.Minute, []string{"groups"})
			})
			c, secret := s.Client("service", "A job", may("orders.read", "orders.write"))
			a := ask(s, c, secret, "scope", "orders.read")
			if a.Status != http.StatusOK || a.Header.Get("Cache-Control") != "no-store" {
				t.Fatalf("RFC 6749 4.4.3: %d %v %s", a.Status, a.Header, a.Body)
			}
			token := a.Text("access_token")
			want := map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 300.0, "scope": "orders.read"}
			if diff := cmp.Diff(want, a.JSON); diff != "" {
				t.Errorf("RFC 6749 4.4.3: no refresh token, no ID token (-want +got)\n%s", diff)
			}
			jwt := s.Verify(token)
			now := float64(s.Clock.Now().Unix())
			want = map[string]any{
				"iss": s.Issuer, "sub": c.ID, "aud": s.Issuer, "client_id": c.ID, "scope": "orders.read", "iat": now, "exp": now + 300, "jti": jwt.Claims["jti"],
				"status": inList(s, jwt),
			}
			if diff := cmp.Diff(want, jwt.Claims); diff != "" || jwt.Typ != "at+jwt" || jwt.Alg != alg || jwt.Claims["jti"] == "" {
				t.Errorf("RFC 9068 2.2: the claims of the protocol alone: %+v (-want +got)\n%s", jwt, diff)
			}
			if next := s.Verify(ask(s, c, secret).Text("access_token")); next.Claims["jti"] == jwt.Claims["jti"] {
				t.Error("RFC 9068 2.2: a jti came twice")
			}
		})
	}
}

// The libraries that other people's services use.
func TestServiceTokenByLibraries(t *testing.T) {
	t.Parallel()
	s := services(t, func(c *providertest.Config) { c.Real = true })
	for name, row := range map[string]struct {
		method string
		style  oauth2.AuthStyle
	}{
		"RFC 6749 2.3.1: Basic":         {"client_secret_basic", oauth2.AuthStyleInHeader},
		"RFC 6749 2.3.1: in the body":   {"client_secret_post", oauth2.AuthStyleInParams},
		"whichever the library chooses": {"client_secret_basic", oauth2.AuthStyleAutoDetect},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, secret := s.With(t).Client("service", "A job", may("orders.read"), func(c *storage.Client) { c.TokenEndpointAuthMethod = row.method })
			provider, err := oidc.NewProvider(t.Context(), s.Issuer)
			if err != nil {
				t.Fatal(err)
			}
			config := clientcredentials.Config{
				ClientID: c.ID, ClientSecret: secret, TokenURL: provider.Endpoint().TokenURL, AuthStyle: row.style, Scopes: []string{"orders.read"},
			}
			token, err := config.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if token.TokenType != "Bearer" || token.RefreshToken != "" || token.Extra("id_token") != nil || time.Until(token.Expiry) < 9*time.Minute {
				t.Errorf("%+v", token)
			}
			verified, err := provider.Verifier(&oidc.Config{ClientID: s.Issuer, SupportedSigningAlgs: []string{"ES256"}}).Verify(t.Context(), token.AccessToken)
			if err != nil || verified.Subject != c.ID {
				t.Errorf("as an API verifies it: %+v %v", verified, err)
			}
		})
	}
}

func TestServiceScopes(t *testing.T) {
	t.Parallel()
	s := services(t)
	c, secret := s.Client("service", "A job", may("orders.read", "orders.write"))
	plain, plainSecret := s.Client("service", "A second job")
	both, bothSecret := s.Client("web", "An app that has jobs", may("openid", "profile", "orders.read"), func(c *storage.Client) {
		c.GrantTypes = append(c.GrantTypes, clients.GrantService)
	})
	for name, row := range map[string]struct {
		client storage.Client
		secret string
		scope  string
		want   string
		code   string
	}{
		"RFC 6749 3.3: the default is all":               {c, secret, "", "orders.read orders.write", ""},
		"RFC 6749 3.3: fewer":                            {c, secret, "orders.write", "orders.write", ""},
		"RFC 6749 3.3: each once":                        {c, secret, "orders.read orders.read", "orders.read", ""},
		"RFC 6749 3.3: a client without scopes has none": {plain, plainSecret, "", "", ""},
		"an app has for itself what is not of people":    {both, bothSecret, "", "orders.read", ""},
		"RFC 6749 5.2: openid":                           {c, secret, "openid", "", "invalid_scope"},
		"RFC 6749 5.2: openid beside a good one":         {c, secret, "orders.read openid", "", "invalid_scope"},
		"RFC 6749 5.2: openid, though registered":        {both, bothSecret, "openid", "", "invalid_scope"},
		"RFC 6749 4.4.3: offline_access":                 {c, secret, "offline_access", "", "invalid_scope"},
		"RFC 6749 5.2: another's":                        {both, bothSecret, "orders.write", "", "invalid_scope"},
		"RFC 6749 5.2: unknown":                          {c, secret, "orders.delete", "", "invalid_scope"},
		"RFC 6749 5.2: none of its own":                  {plain, plainSecret, "orders.read", "", "invalid_scope"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s.With(t)
			a := ask(s, row.client, row.secret, "scope", row.scope)
			if row.code != "" {
				wantError(t, a, 400, row.code)
				return
			}
			_, said := a.JSON["scope"]
			if a.Status != 200 || a.Text("scope") != row.want || said != (row.want != "") {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			if scope, _ := s.Verify(a.Text("access_token")).Claims["scope"].(string); scope != row.want {
				t.Errorf("RFC 9068 2.2.3: %q", scope)
			}
		})
	}
}

// A scope that is not declared any more means nothing, whoever was given it.
func TestServiceScopeThatIsGone(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, err := clients.New("service", "A job", s.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	secret, hash := clients.NewSecret()
	c.SecretHash, c.Scopes = hash, []string{"orders.read"}
	if c, err = s.Store.SaveClient(t.Context(), c, storage.Change{}); err != nil {
		t.Fatal(err)
	}
	if a := ask(s, c, secret); a.Status != 200 || a.Text("scope") != "" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	wantError(t, ask(s, c, secret, "scope", "orders.read"), 400, "invalid_scope")
}

func TestServiceRefusals(t *testing.T) {
	t.Parallel()
	s := services(t)
	c, secret := s.Client("service", "A job", may("orders.read"))
	web, webSecret := s.Client("web", "My app")
	spa, _ := s.Client("spa", "A page")
	// One that is stored as no rule lets it be.
	public, _ := s.Client("spa", "Another page")
	public.GrantTypes = append(public.GrantTypes, clients.GrantService)
	if _, err := s.Store.SaveClient(t.Context(), public, storage.Change{}); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		client storage.Client
		secret string
		change []string
		status int
		code   string
	}{
		"RFC 6749 5.2: not registered for it":     {web, webSecret, nil, 400, "unauthorized_client"},
		"RFC 6749 5.2: not registered, public":    {spa, "", nil, 400, "unauthorized_client"},
		"RFC 6749 4.4: a public client":           {public, "", nil, 400, "unauthorized_client"},
		"RFC 6749 4.4.2: without its credentials": {c, "", nil, 401, "invalid_client"},
		"RFC 6749 5.2: a wrong secret":            {c, "wrong", nil, 401, "invalid_client"},
		"RFC 8707 2: an unknown resource":         {c, secret, []string{"resource", "https://api.example/"}, 400, "invalid_target"},
		"a service has no codes":                  {c, secret, []string{"grant_type", "authorization_code"}, 400, "unauthorized_client"},
		"RFC 6749 4.4.3: nor refresh tokens":      {c, secret, []string{"grant_type", "refresh_token"}, 400, "unauthorized_client"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantError(t, ask(s.With(t), row.client, row.secret, row.change...), row.status, row.code)
		})
	}
	if a := ask(s, c, secret, "resource", s.Issuer); a.Status != 200 || s.Verify(a.Text("access_token")).Claims["aud"] != s.Issuer {
		t.Errorf("RFC 8707 2: the issuer is a resource: %d %s", a.Status, a.Body)
	}
	if a := s.Get("/authorize?"+url.Values{"client_id": {c.ID}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {"https://app.example/cb"}}.Encode(), ""); a.Status != 400 {
		t.Errorf("RFC 6749 4.1.2.1: a service at the authorization endpoint: %d", a.Status)
	}
}

func TestServiceTokenElsewhere(t *testing.T) {
	t.Parallel()
	s := services(t)
	c, secret := s.Client("service", "A job", may("orders.read"))
	other, otherSecret := s.Client("service", "Another job")
	token := ask(s, c, secret).Text("access_token")

	if a := s.Get("/userinfo", token); a.Status != http.StatusForbidden || a.Error() != "insufficient_scope" {
		t.Errorf("Core 5.3: userinfo: %d %s", a.Status, a.Body)
	}
	a := s.Post("/introspect", c, secret, url.Values{"token": {token}})
	now := float64(s.Clock.Now().Unix())
	want := map[string]any{
		"active": true, "scope": "orders.read", "client_id": c.ID, "token_type": "Bearer", "exp": now + 600, "iat": now, "sub": c.ID,
		"aud": s.Issuer, "iss": s.Issuer, "jti": s.Verify(token).Claims["jti"],
	}
	if diff := cmp.Diff(want, a.JSON); diff != "" {
		t.Errorf("RFC 7662 2.2 (-want +got)\n%s", diff)
	}
	if active(s, other, otherSecret, token) {
		t.Error("RFC 7662 4: another client's token is active")
	}
	s.Clock.Advance(10 * time.Minute)
	if active(s, c, secret, token) {
		t.Error("RFC 7662 2.2: an expired token is active")
	}
}

// What a token for a client itself lives by.
func TestServiceTokenEnds(t *testing.T) {
	t.Parallel()
	revoke := func(s *providertest.Server, c storage.Client, secret, token string) providertest.Answer {
		return s.Post("/revoke", c, secret, url.Values{"token": {token}, "token_type_hint": {"access_token"}})
	}
	save := func(t *testing.T, s *providertest.Server, c storage.Client, change func(*storage.Client)) {
		t.Helper()
		c, err := s.Store.Client(t.Context(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		change(&c)
		if _, err := s.Store.SaveClient(t.Context(), c, storage.Change{Now: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	for name, row := range map[string]struct {
		end  func(t *testing.T, s *providertest.Server, c storage.Client, secret, token string)
		gone bool
	}{
		"RFC 7009 2: it is revoked": {func(t *testing.T, s *providertest.Server, c storage.Client, secret, token string) {
			for range 2 {
				if a := revoke(s, c, secret, token); a.Status != 200 || a.Body != "" {
					t.Errorf("RFC 7009 2.2: %d %s", a.Status, a.Body)
				}
			}
		}, true},
		"RFC 7009 2.1: one before it is revoked": {func(t *testing.T, s *providertest.Server, c storage.Client, secret, token string) {
			revoke(s, c, secret, ask(s, c, secret).Text("access_token"))
		}, true},
		"RFC 7009 2.1: another client cannot revoke it": {func(t *testing.T, s *providertest.Server, c storage.Client, secret, token string) {
			other, otherSecret := s.Client("service", "Another job")
			wantError(t, revoke(s, other, otherSecret, token), 400, "invalid_grant")
			revoke(s, other, otherSecret, ask(s, other, otherSecret).Text("access_token"))
		}, false},
		"the client has a new secret": {func(t *testing.T, s *providertest.Server, c storage.Client, _, _ string) {
			save(t, s, c, func(c *storage.Client) { _, c.SecretHash = clients.NewSecret() })
		}, true},
		"the client has lost the grant type": {func(t *testing.T, s *providertest.Server, c storage.Client, _, _ string) {
			save(t, s, c, func(c *storage.Client) { c.GrantTypes = []string{"authorization_code"} })
		}, true},
		"the client is put out of use": {func(t *testing.T, s *providertest.Server, c storage.Client, _, _ string) {
			save(t, s, c, func(c *storage.Client) { c.GrantTypes = nil })
		}, true},
		"the client is removed": {func(t *testing.T, s *providertest.Server, c storage.Client, _, _ string) {
			if err := s.Store.RemoveClient(t.Context(), c.ID, storage.Change{Now: s.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
		}, true},
		"the client has a new name": {func(t *testing.T, s *providertest.Server, c storage.Client, _, _ string) {
			save(t, s, c, func(c *storage.Client) { c.Name = "Another" })
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := services(t)
			c, secret := s.Client("service", "A job")
			token := ask(s, c, secret).Text("access_token")
			if !active(s, c, secret, token) {
				t.Fatal("it is not active before")
			}
			row.end(t, s, c, secret, token)
			if a := s.Get("/userinfo", token); (a.Error() == "invalid_token") != row.gone {
				t.Errorf("userinfo: %s", a.Body)
			}
			if a := ask(s, c, secret); a.Status == 200 {
				if !active(s, c, secret, a.Text("access_token")) {
					t.Error("a token that came after is not active")
				}
				if active(s, c, secret, token) == row.gone {
					t.Error("introspection says otherwise")
				}
			}
		})
	}
}

// Issuing stores nothing but the entry, and that may come later.
func TestServiceTokenIsRecorded(t *testing.T) {
	t.Parallel()
	later := &recorder{}
	s := services(t, func(c *providertest.Config) { c.Later = later })
	c, secret := s.Client("service", "A job", may("orders.read"))
	if a := ask(s, c, secret); a.Status != 200 {
		t.Fatal(a.Body)
	}
	ask(s, c, secret, "scope", "openid")
	if len(later.entries) != 1 {
		t.Fatalf("%d entries", len(later.entries))
	}
	e := later.entries[0]
	if e.Event != audit.ServiceIssued || e.Client != c.ID || e.Detail != "orders.read" || e.Trace == "" || !e.Time.Equal(s.Clock.Now()) {
		t.Errorf("%+v", e)
	}
	if err := s.Store.Entries(t.Context(), func(e audit.Entry) error {
		if e.Event == audit.ServiceIssued {
			return fmt.Errorf("the store has %+v", e)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	later.err = errors.New("no space left")
	if a := ask(s, c, secret); a.Status != 500 || strings.Contains(a.Body, "access_token") {
		t.Errorf("unrecorded: %d %s", a.Status, a.Body)
	}
}

type recorder struct {
	entries []audit.Entry
	err     error
}

func (r *recorder) Record(_ context.Context, entries ...audit.Entry) error {
	r.entries = append(r.entries, entries...)
	return r.err
}
