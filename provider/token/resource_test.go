package token_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signet/clients"
	"signet/provider/providertest"
	"signet/storage"
)

const (
	orders  = "https://orders.example"
	billing = "https://billing.example/v1"
)

func scopes(names ...string) func(*storage.Resource) {
	return func(r *storage.Resource) {
		for _, name := range names {
			r.Scopes = append(r.Scopes, storage.Scope{Name: name})
		}
	}
}

func openToAll(r *storage.Resource) { r.Open = true }

// to is a client that may ask for everything at these resources.
func to(resources ...string) func(*storage.Client) {
	return func(c *storage.Client) {
		for _, r := range resources {
			c.Access = append(c.Access, storage.Access{Resource: r})
		}
	}
}

// with is a request's form with these resources.
func with(form url.Values, resources ...string) url.Values {
	form["resource"] = resources
	return form
}

// codeFor is the answer to an authorization request's for these resources.
func codeFor(b *providertest.Browser, c storage.Client, scope string, resources ...string) providertest.Outcome {
	p := providertest.AuthorizeParams(c, "scope", scope)
	p["resource"] = resources
	return b.Open("/authorize?" + p.Encode())
}

// tokensFor are the tokens of a sign-in for these resources.
func tokensFor(t *testing.T, s *providertest.Server, b *providertest.Browser, c storage.Client, secret, scope string, resources ...string) providertest.Answer {
	t.Helper()
	o := codeFor(b, c, scope, resources...)
	a := s.Redeem(c, secret, o.Params.Get("code"))
	if a.Status != 200 {
		t.Fatalf("%v, %d %s", o.Params, a.Status, a.Body)
	}
	return a
}

// wantToken holds an answer to an audience and scopes.
func wantToken(t *testing.T, s *providertest.Server, a providertest.Answer, aud any, scope string) map[string]any {
	t.Helper()
	if a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
		return nil
	}
	claims := s.Verify(a.Text("access_token")).Claims
	has, _ := claims["scope"].(string)
	if diff := cmp.Diff(aud, claims["aud"]); diff != "" || has != scope || a.Text("scope") != scope {
		t.Errorf("aud %v, scope %q (said: %q), want %v, %q", claims["aud"], has, a.Text("scope"), aud, scope)
	}
	return claims
}

func TestResourceOfUsers(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	s.Resource(orders, scopes("orders:read", "orders:write"))
	s.Resource(billing, scopes("bills:read"))
	s.Resource("https://unheard.example", scopes("unheard"))
	c, secret := s.Client("web", "My app", to(orders, billing))
	b := s.Browser("alice")
	const everything = "openid orders:read orders:write bills:read offline_access"

	t.Run("RFC 8707 2.1: aud is exactly the resource", func(t *testing.T) {
		a := tokensFor(t, s, b, c, secret, "openid orders:read", orders)
		claims := wantToken(t, s, a, orders, "openid orders:read")
		if id := s.Verify(a.Text("id_token")).Claims; id["aud"] != c.ID || claims["client_id"] != c.ID {
			t.Errorf("the ID token is for %v", id["aud"])
		}
	})
	t.Run("RFC 8707 2: without a resource it is for the issuer, and has none of another's scopes", func(t *testing.T) {
		wantToken(t, s, tokensFor(t, s, b, c, secret, "openid email"), s.Issuer, "openid email")
	})
	t.Run("RFC 8707 2: the issuer can be named", func(t *testing.T) {
		wantToken(t, s, tokensFor(t, s, b, c, secret, "openid", s.Issuer), s.Issuer, "openid")
	})
	t.Run("RFC 6749 3.1: without a value it is as if it were left out", func(t *testing.T) {
		wantToken(t, s, tokensFor(t, s, b, c, secret, "openid", ""), s.Issuer, "openid")
	})
	t.Run("RFC 6749 3.3: who names no scope gets those of the resource", func(t *testing.T) {
		wantToken(t, s, tokensFor(t, s, b, c, secret, "", orders), orders, "orders:read orders:write")
	})
	t.Run("RFC 8707 2.1: the same one twice is one", func(t *testing.T) {
		wantToken(t, s, tokensFor(t, s, b, c, secret, "orders:read", orders, orders), orders, "orders:read")
	})
	t.Run("RFC 8707 2.2: one of those that were authorized, by code and by refresh", func(t *testing.T) {
		o := codeFor(b, c, everything, orders, billing)
		a := s.Post("/token", c, secret, with(codeForm(o.Params.Get("code")), billing))
		wantToken(t, s, a, billing, "openid bills:read offline_access")
		next := s.Post("/token", c, secret, with(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.Text("refresh_token")}}, orders))
		wantToken(t, s, next, orders, "openid orders:read orders:write offline_access")
		third := s.Post("/token", c, secret, with(url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {next.Text("refresh_token")}, "scope": {"orders:read bills:read"},
		}, orders))
		wantToken(t, s, third, orders, "orders:read") // what is good elsewhere is left out: RFC 8707 section 2.2, "downscoping"
		wantToken(t, s, s.Refresh(c, secret, third.Text("refresh_token")), []any{orders, billing}, everything)
	})
	t.Run("RFC 8707 2.2: several, RFC 7519 4.1.3: then aud is a list", func(t *testing.T) {
		o := codeFor(b, c, everything, orders, billing)
		wantToken(t, s, s.Post("/token", c, secret, with(codeForm(o.Params.Get("code")), billing, orders)), []any{billing, orders}, everything)
		wantToken(t, s, tokensFor(t, s, b, c, secret, everything, orders, billing), []any{orders, billing}, everything)
	})
	t.Run("RFC 8707 2.2: what was not authorized is refused, and nothing is spent", func(t *testing.T) {
		code := codeFor(b, c, "openid orders:read offline_access", orders).Params.Get("code")
		for _, refused := range [][]string{{billing}, {orders, billing}, {s.Issuer}, {"https://unheard.example"}} {
			wantError(t, s.Post("/token", c, secret, with(codeForm(code), refused...)), 400, "invalid_target")
		}
		a := s.Post("/token", c, secret, with(codeForm(code), orders))
		wantToken(t, s, a, orders, "openid orders:read offline_access")
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.Text("refresh_token")}}
		for _, refused := range [][]string{{billing}, {orders, billing}, {s.Issuer}, {"https://unheard.example"}} {
			wantError(t, s.Post("/token", c, secret, with(form, refused...)), 400, "invalid_target")
		}
		s.Clock.Advance(time.Minute) // longer than a token that was used may come again
		wantToken(t, s, s.Refresh(c, secret, a.Text("refresh_token")), orders, "openid orders:read offline_access")
	})
	t.Run("RFC 8707 2.2: who authorized none cannot get one", func(t *testing.T) {
		code := codeFor(b, c, "openid").Params.Get("code")
		wantError(t, s.Post("/token", c, secret, with(codeForm(code), orders)), 400, "invalid_target")
		wantToken(t, s, s.Redeem(c, secret, code), s.Issuer, "openid")
	})
	t.Run("RFC 8707 2: what is no resource, at each endpoint", func(t *testing.T) {
		code := codeFor(b, c, "openid orders:read offline_access", orders).Params.Get("code")
		for name, resource := range map[string]string{
			"unknown": "https://nobody.example", "relative": "/orders", "no URI": "orders", "with a fragment": orders + "#x", "an empty fragment": orders + "#",
			"a trailing slash": orders + "/", "a query": orders + "?x", "another case": "https://ORDERS.example", "another scheme": "http://orders.example",
			"a port": orders + ":443", "percent-encoded": "https://orders%2Eexample", "a prefix": "https://orders.exampl", "a space": " " + orders,
			"no access, and it is not open": "https://unheard.example", "very long": "https://" + strings.Repeat("a", 4000) + ".example",
		} {
			if o := codeFor(b, c, "openid", resource); o.Params.Get("error") != "invalid_target" || o.Params.Get("state") != "the state" {
				t.Errorf("%s, authorize: %v", name, o.Params)
			}
			for form, values := range map[string]url.Values{
				"code": codeForm(code), "refresh": {"grant_type": {"refresh_token"}, "refresh_token": {"x"}},
			} {
				if a := s.Post("/token", c, secret, with(values, resource)); a.Status != 400 || a.Error() != "invalid_target" {
					t.Errorf("%s, %s: %d %s", name, form, a.Status, a.Body)
				}
			}
		}
		wantToken(t, s, s.Redeem(c, secret, code), orders, "openid orders:read offline_access")
	})
	t.Run("RFC 8707 2.1: unknown and not allowed are told alike", func(t *testing.T) {
		one, other := codeFor(b, c, "openid", "https://nobody.example"), codeFor(b, c, "openid", "https://unheard.example")
		if one.Params.Get("error_description") != other.Params.Get("error_description") {
			t.Errorf("%v\n%v", one.Params, other.Params)
		}
	})
	t.Run("RFC 6749 3.3: scopes of another resource", func(t *testing.T) {
		for scope, resource := range map[string]string{"bills:read": orders, "orders:read": billing, "orders:write openid": s.Issuer, "openid unheard": orders, "bills:read openid": ""} {
			if o := codeFor(b, c, scope, resource); o.Params.Get("error") != "invalid_scope" {
				t.Errorf("%s at %q: %v", scope, resource, o.Params)
			}
		}
		a := tokensFor(t, s, b, c, secret, "openid orders:read offline_access", orders)
		wantError(t, s.Post("/token", c, secret, url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {a.Text("refresh_token")}, "scope": {"orders:write"}, "resource": {orders},
		}), 400, "invalid_scope")
	})
	t.Run("a scope that nobody has is left out", func(t *testing.T) { // OpenID Connect Core 3.1.2.1
		wantToken(t, s, tokensFor(t, s, b, c, secret, "openid orders:read nonsense", orders), orders, "openid orders:read")
	})
}

// Who may ask for what: an entry, an open resource, or neither; for users, and for the client itself.
func TestWhoMayAskAtAResource(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	s.Resource(orders, scopes("read", "write"))
	s.Resource(billing, scopes("read", "write"), openToAll)
	b := s.Browser("alice")
	for name, row := range map[string]struct {
		resource string
		access   []storage.Access
		user     string // scopes that a user's token has where all are asked for; "": invalid_target
		itself   string
	}{
		"an entry":                             {orders, []storage.Access{{Resource: orders}}, "read write", "read write"},
		"an entry with scopes":                 {orders, []storage.Access{{Resource: orders, Scopes: []string{"read"}}}, "read", "read"},
		"an entry with a scope that is gone":   {orders, []storage.Access{{Resource: orders, Scopes: []string{"read", "gone"}}}, "read", "read"},
		"an entry for another":                 {orders, []storage.Access{{Resource: "https://other.example"}}, "", ""},
		"none":                                 {orders, nil, "", ""},
		"open":                                 {billing, nil, "read write", ""},
		"open, and an entry":                   {billing, []storage.Access{{Resource: billing}}, "read write", "read write"},
		"open: the entry narrows it for users": {billing, []storage.Access{{Resource: billing, Scopes: []string{"write"}}}, "write", "write"},
	} {
		c, secret := s.Client("web", "My app", access(row.access...), func(c *storage.Client) {
			c.GrantTypes, c.Trusted = append(c.GrantTypes, "client_credentials"), true
		})
		o := codeFor(b, c, "", row.resource)
		service := s.Post("/token", c, secret, url.Values{"grant_type": {"client_credentials"}, "resource": {row.resource}})
		if row.user == "" {
			if o.Params.Get("error") != "invalid_target" {
				t.Errorf("%s: a user: %v", name, o.Params)
			}
		} else {
			wantToken(t, s, s.Redeem(c, secret, o.Params.Get("code")), row.resource, row.user)
		}
		if row.itself == "" {
			wantError(t, service, 400, "invalid_target")
		} else if claims := wantToken(t, s, service, row.resource, row.itself); claims["sub"] != c.ID {
			t.Errorf("%s: sub %v", name, claims["sub"])
		}
		for _, scope := range []string{"read", "write"} { // and what is asked for by name
			want := slices.Contains(strings.Fields(row.itself), scope)
			a := s.Post("/token", c, secret, url.Values{"grant_type": {"client_credentials"}, "resource": {row.resource}, "scope": {scope}})
			if (a.Status == 200) != want {
				t.Errorf("%s: %s for itself: %d %s", name, scope, a.Status, a.Body)
			}
			if o := codeFor(b, c, "openid "+scope, row.resource); (o.Params.Get("code") != "") != slices.Contains(strings.Fields(row.user), scope) {
				t.Errorf("%s: %s for a user: %v", name, scope, o.Params)
			}
		}
	}
}

func TestResourceOfServices(t *testing.T) {
	t.Parallel()
	s := services(t)
	s.Resource(orders, scopes("orders:read", "orders:write"), func(r *storage.Resource) { r.Claims = []string{"groups"} })
	s.Resource(billing, scopes("bills:read"))
	c, secret := s.Client("service", "Nightly", to(orders, billing), may("orders.read"))

	t.Run("RFC 6749 3.3: all that it may have there", func(t *testing.T) {
		claims := wantToken(t, s, ask(s, c, secret, "resource", orders), orders, "orders.read orders:read orders:write")
		for _, name := range []string{"groups", "employee", "auth_time", "acr", "permissions"} {
			if _, has := claims[name]; has {
				t.Errorf("RFC 9068 2.2: it has %s, and is about nobody", name)
			}
		}
	})
	t.Run("RFC 6749 3.3: what it asks for", func(t *testing.T) {
		wantToken(t, s, ask(s, c, secret, "resource", orders, "scope", "orders:read"), orders, "orders:read")
		wantError(t, ask(s, c, secret, "resource", orders, "scope", "bills:read"), 400, "invalid_scope")
		wantError(t, ask(s, c, secret, "resource", orders, "scope", "openid"), 400, "invalid_scope")
		wantError(t, ask(s, c, secret, "scope", "orders:read"), 400, "invalid_scope")
	})
	t.Run("RFC 8707 2: without a resource it is for the issuer", func(t *testing.T) {
		wantToken(t, s, ask(s, c, secret), s.Issuer, "orders.read")
	})
	t.Run("RFC 8707 2: several", func(t *testing.T) {
		a := s.Post("/token", c, secret, with(url.Values{"grant_type": {"client_credentials"}}, orders, billing))
		wantToken(t, s, a, []any{orders, billing}, "orders.read orders:read orders:write bills:read")
		wantError(t, s.Post("/token", c, secret, with(url.Values{"grant_type": {"client_credentials"}}, orders, "https://nobody.example")), 400, "invalid_target")
	})
	t.Run("the client's default resource", func(t *testing.T) {
		c, secret := s.Client("service", "Orders alone", to(orders), func(c *storage.Client) { c.DefaultResource = orders })
		wantToken(t, s, ask(s, c, secret), orders, "orders:read orders:write")
		wantToken(t, s, ask(s, c, secret, "resource", s.Issuer), s.Issuer, "")
	})
	t.Run("RFC 8707 2: the default resource was removed", func(t *testing.T) {
		c, secret := s.Client("service", "Late", to("https://late.example"), func(c *storage.Client) { c.DefaultResource = "https://late.example" })
		wantError(t, ask(s, c, secret), 400, "invalid_target")
	})
	t.Run("what is taken away is missing from the next token", func(t *testing.T) {
		r, err := s.Store.Resource(t.Context(), billing)
		if err != nil {
			t.Fatal(err)
		}
		r.Scopes = nil
		if _, err := s.Store.SaveResource(t.Context(), r, storage.Change{Now: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		wantToken(t, s, ask(s, c, secret, "resource", billing), billing, "orders.read")
	})
}

// The default resource of a client is that of requests which name none, from the authorization on.
func TestDefaultResourceOfAClient(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	s.Resource(orders, scopes("orders:read"))
	c, secret := s.Client("web", "My app", to(orders), func(c *storage.Client) { c.DefaultResource = orders })
	b := s.Browser("alice")
	a := tokensFor(t, s, b, c, secret, "openid orders:read offline_access")
	wantToken(t, s, a, orders, "openid orders:read offline_access")
	wantToken(t, s, s.Refresh(c, secret, a.Text("refresh_token")), orders, "openid orders:read offline_access")
	wantToken(t, s, tokensFor(t, s, b, c, secret, "openid", s.Issuer), s.Issuer, "openid")
	if o := codeFor(b, c, "openid orders:read", s.Issuer); o.Params.Get("error") != "invalid_scope" {
		t.Errorf("%v", o.Params)
	}
}

// RFC 9068 sections 3 and 5: what one token cannot say of two resources is asked for one at a time.
func TestSeveralResourcesInOneToken(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice", func(u *storage.User) { u.Roles = []string{"admin"} })
	permit := func(r *storage.Resource) {
		r.Permissions, r.Claims = []storage.Permission{{Name: "delete", Roles: []string{"admin"}}}, []string{"permissions"}
	}
	s.Resource(orders, scopes("orders:read", "read"), permit, func(r *storage.Resource) { r.Lifetime = 5 * time.Minute })
	b := s.Browser("alice")
	for id, change := range map[string]func(*storage.Resource){
		"https://alike.example":   func(r *storage.Resource) { scopes("alike:read")(r); r.Lifetime = 2 * time.Minute },
		"https://alg.example":     func(r *storage.Resource) { scopes("alg:read")(r); r.Alg = "RS256" },
		"https://typ.example":     func(r *storage.Resource) { scopes("typ:read")(r); r.Typ = "JWT" },
		"https://opaque.example":  func(r *storage.Resource) { scopes("opaque:read")(r); r.Format = storage.FormatOpaque },
		"https://common.example":  func(r *storage.Resource) { scopes("read", "common:read")(r) },
		"https://permits.example": func(r *storage.Resource) { scopes("permits:read")(r); permit(r) },
	} {
		s.Resource(id, change)
	}
	all := []string{orders, "https://alike.example", "https://alg.example", "https://typ.example", "https://opaque.example", "https://common.example", "https://permits.example"}
	c, secret := s.Client("web", "My app", to(all...), func(c *storage.Client) {
		c.Trusted, c.GrantTypes, c.ResponseTypes = true, append(c.GrantTypes, "client_credentials", "implicit"), append(c.ResponseTypes, "id_token token", "code token")
	})
	for name, row := range map[string]struct {
		with, scope string
		user        bool // one token can be for both
		itself      bool
	}{
		"alike":                         {"https://alike.example", "orders:read alike:read", true, true},
		"RFC 8707 2: another algorithm": {"https://alg.example", "orders:read alg:read", false, false},
		"RFC 8707 2: another type":      {"https://typ.example", "orders:read typ:read", false, false},
		"RFC 8707 2: another format":    {"https://opaque.example", "orders:read opaque:read", false, false},
		"RFC 9068 5: a scope in common": {"https://common.example", "orders:read read common:read", false, false},
		"RFC 9068 5: a scope in common that nobody has granted": {"https://common.example", "orders:read common:read", true, true},
		"RFC 9068 5: whose permissions they are":                {"https://permits.example", "orders:read permits:read", false, false},
	} {
		code := func() string { return codeFor(b, c, row.scope+" offline_access", orders, row.with).Params.Get("code") }
		a := s.Post("/token", c, secret, with(codeForm(code()), orders, row.with))
		service := s.Post("/token", c, secret, with(url.Values{"grant_type": {"client_credentials"}, "scope": {row.scope}}, orders, row.with))
		p := providertest.AuthorizeParams(c, "scope", "openid "+row.scope, "response_type", "id_token token")
		p["resource"] = []string{orders, row.with}
		front := b.Open("/authorize?" + p.Encode())
		if row.user {
			wantToken(t, s, a, []any{orders, row.with}, row.scope+" offline_access")
			if got := s.Verify(front.Params.Get("access_token")).Claims["aud"]; cmp.Diff([]any{orders, row.with}, got) != "" {
				t.Errorf("%s: Core 3.2.2.5: aud %v", name, got)
			}
		} else {
			wantError(t, a, 400, "invalid_target")
			if front.Params.Get("error") != "invalid_target" || front.Params.Get("access_token") != "" {
				t.Errorf("%s: Core 3.2.2.6: %v", name, front.Params)
			}
		}
		if (service.Status == 200) != row.itself || !row.itself && service.Error() != "invalid_target" {
			t.Errorf("%s: for itself: %d %s", name, service.Status, service.Body)
		}
		if row.user {
			continue
		}
		// Asked for one at a time, and without a name it is for as much as goes with the first.
		a = s.Redeem(c, secret, code())
		if a.Status != 200 || s.Verify(a.Text("access_token")).Claims["aud"] != orders {
			t.Errorf("%s: without a name: %d %s", name, a.Status, a.Body)
			continue
		}
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.Text("refresh_token")}}
		wantError(t, s.Post("/token", c, secret, with(form, orders, row.with)), 400, "invalid_target")
		s.Clock.Advance(time.Minute)
		if next := s.Post("/token", c, secret, with(form, row.with)); next.Status != 200 {
			t.Errorf("%s: RFC 6749 6: the refusal has used up the refresh token: %d %s", name, next.Status, next.Body)
		}
	}
	t.Run("the most careful lifetime", func(t *testing.T) {
		a := tokensFor(t, s, b, c, secret, "orders:read alike:read", orders, "https://alike.example")
		claims := s.Verify(a.Text("access_token")).Claims
		if a.JSON["expires_in"] != float64(120) || claims["exp"].(float64)-claims["iat"].(float64) != 120 {
			t.Errorf("%s", a.Body)
		}
	})
	t.Run("RFC 9068 5: permissions at one alone are there", func(t *testing.T) {
		claims := s.Verify(tokensFor(t, s, b, c, secret, "orders:read", "https://alike.example", orders).Text("access_token")).Claims
		if diff := cmp.Diff([]any{"delete"}, claims["permissions"]); diff != "" {
			t.Error(diff)
		}
	})
}

// What the operator takes away is missing from the next token on.
func TestTakenSinceTheGrant(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		take  func(*testing.T, *providertest.Server, *storage.Client)
		aud   any
		scope string // of the token after a refresh; "-": none can be had
	}{
		"nothing": {func(*testing.T, *providertest.Server, *storage.Client) {}, []any{orders, billing}, "openid orders:read orders:write bills:read offline_access"},
		"a scope of the client's": {func(_ *testing.T, _ *providertest.Server, c *storage.Client) {
			c.Access[0].Scopes = []string{"orders:read"}
		}, []any{orders, billing}, "openid orders:read bills:read offline_access"},
		"access of the client's": {func(_ *testing.T, _ *providertest.Server, c *storage.Client) { c.Access = c.Access[1:] }, billing, "openid bills:read offline_access"},
		"all access":             {func(_ *testing.T, _ *providertest.Server, c *storage.Client) { c.Access = nil }, nil, "-"},
		"openid":                 {func(_ *testing.T, _ *providertest.Server, c *storage.Client) { c.Scopes = []string{"offline_access"} }, []any{orders, billing}, "orders:read orders:write bills:read offline_access"},
		"a scope of the resource": {func(t *testing.T, s *providertest.Server, _ *storage.Client) {
			changeResource(t, s, orders, func(r *storage.Resource) { r.Scopes = r.Scopes[:1] })
		}, []any{orders, billing}, "openid orders:read bills:read offline_access"},
		"the resource": {func(t *testing.T, s *providertest.Server, _ *storage.Client) { removeResource(t, s, orders) }, billing, "openid bills:read offline_access"},
		"what it has is like that": {func(t *testing.T, s *providertest.Server, _ *storage.Client) {
			changeResource(t, s, billing, func(r *storage.Resource) { r.Alg = "RS256" })
		}, orders, "openid orders:read orders:write offline_access"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := providertest.New(t)
			s.User("alice")
			s.Resource(orders, scopes("orders:read", "orders:write"))
			s.Resource(billing, scopes("bills:read"))
			c, secret := s.Client("web", "My app", to(orders, billing))
			a := tokensFor(t, s, s.Browser("alice"), c, secret, "openid orders:read orders:write bills:read offline_access", orders, billing)
			row.take(t, s, &c)
			if _, err := s.Store.SaveClient(t.Context(), c, storage.Change{Now: s.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
			next := s.Refresh(c, secret, a.Text("refresh_token"))
			if row.scope == "-" { // RFC 6749 section 5.2: what tells an app to ask its user again
				wantError(t, next, 400, "invalid_grant")
				return
			}
			wantToken(t, s, next, row.aud, row.scope)
		})
	}
}

func changeResource(t *testing.T, s *providertest.Server, id string, change func(*storage.Resource)) {
	t.Helper()
	r, err := s.Store.Resource(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	change(&r)
	if _, err := s.Store.SaveResource(t.Context(), r, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
}

func removeResource(t *testing.T, s *providertest.Server, id string) {
	t.Helper()
	if err := s.Store.RemoveResource(t.Context(), id, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
}

// A user's roles and groups turn into the permissions of the resource that the token is for, and of no other.
func TestPermissions(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	u := s.User("alice", func(u *storage.User) { u.Roles, u.Groups = []string{"admin"}, []string{"support", "staff"} })
	permit := func(claims ...string) func(*storage.Resource) {
		return func(r *storage.Resource) {
			r.Claims, r.Permissions = claims, []storage.Permission{
				{Name: "delete", Roles: []string{"admin", "owner"}}, {Name: "refund", Groups: []string{"support"}},
				{Name: "both", Roles: []string{"admin"}, Groups: []string{"support"}}, {Name: "audit", Roles: []string{"auditor"}, Groups: []string{"auditors"}},
				{Name: "confused", Roles: []string{"support"}, Groups: []string{"admin"}}, // a group is no role
			}
		}
	}
	s.Resource(orders, scopes("orders:read"), permit("permissions"))
	s.Resource(billing, scopes("bills:read"), permit("roles", "groups"))
	c, secret := s.Client("web", "My app", to(orders, billing), func(c *storage.Client) { c.Trusted = true })
	b := s.Browser("alice")
	a := tokensFor(t, s, b, c, secret, "openid orders:read bills:read offline_access", orders, billing)
	at := func(token, resource string) (providertest.Answer, map[string]any) {
		a := s.Post("/token", c, secret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "resource": {resource}})
		return a, s.Verify(a.Text("access_token")).Claims
	}
	both := s.Verify(a.Text("access_token")).Claims
	if cmp.Diff([]any{orders, billing}, both["aud"]) != "" || both["roles"] != nil || both["groups"] != nil || both["permissions"] == nil {
		t.Errorf("at both, of which one does not want roles and groups: %v", both)
	}
	first, claims := at(a.Text("refresh_token"), orders)
	if diff := cmp.Diff([]any{"delete", "refund", "both"}, claims["permissions"]); diff != "" || claims["roles"] != nil || claims["groups"] != nil {
		t.Errorf("at the resource whose they are: %s\n%v", diff, claims)
	}
	second, claims := at(first.Text("refresh_token"), billing)
	if claims["permissions"] != nil || cmp.Diff([]any{"admin"}, claims["roles"]) != "" || cmp.Diff([]any{"support", "staff"}, claims["groups"]) != "" {
		t.Errorf("RFC 9068 2.2.3.1: at one that wants roles and groups: %v", claims)
	}
	if claims := s.Verify(tokensFor(t, s, b, c, secret, "openid", s.Issuer).Text("access_token")).Claims; claims["permissions"] != nil || claims["roles"] != nil {
		t.Errorf("at the issuer: %v", claims)
	}
	u.Roles, u.Groups = nil, []string{"auditors"}
	save(t, s, u, false)
	third, claims := at(second.Text("refresh_token"), orders)
	if diff := cmp.Diff([]any{"audit"}, claims["permissions"]); diff != "" {
		t.Errorf("new at each refresh: %s", diff)
	}
	u, err := s.Store.User(t.Context(), u.Sub)
	if err != nil {
		t.Fatal(err)
	}
	u.Groups = nil
	save(t, s, u, false)
	if _, claims := at(third.Text("refresh_token"), orders); claims["permissions"] != nil {
		t.Errorf("none is not there at all: %v", claims)
	}
}

// RFC 6749 section 4.1: a device, a page and an app on a phone ask for resources as a website does.
func TestResourceOfPublicClients(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	s.Resource(orders, scopes("orders:read"), openToAll)
	for _, typ := range []string{clients.SPA, clients.Native} {
		c, _ := s.Client(typ, "My app")
		a := tokensFor(t, s, s.Browser("alice"), c, "", "openid orders:read offline_access", orders)
		wantToken(t, s, a, orders, "openid orders:read offline_access")
		wantToken(t, s, s.Refresh(c, "", a.Text("refresh_token")), orders, "openid orders:read offline_access")
	}
}
