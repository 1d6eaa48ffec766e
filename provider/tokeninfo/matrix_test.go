package tokeninfo_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/clients"
	"signet/provider/providertest"
	"signet/storage"
)

const nextAPI = "https://next.example"

// street is everybody who could come with a token: the apps that get them, the APIs that they reach, and others.
type street struct {
	*providertest.Server
	owner, page       storage.Client // what tokens are issued to: a website, and a page without a secret
	api               storage.Client // what they are for, and who exchanges them for tokens for the next API
	next, other, gone storage.Client // the next API; somebody else; a client that was removed
	secrets           map[string]string
	browser           *providertest.Browser
}

func newStreet(t *testing.T) *street {
	t.Helper()
	s := &street{Server: providertest.New(t), secrets: map[string]string{}}
	s.User("alice")
	for id, format := range map[string]string{jwtAPI: storage.FormatJWT, opaqueAPI: storage.FormatOpaque, nextAPI: storage.FormatJWT} {
		s.Resource(id, func(r *storage.Resource) { r.Format, r.Scopes = format, []storage.Scope{{Name: "read"}} })
	}
	client := func(typ, name string, change func(*storage.Client)) storage.Client {
		c, secret := s.Client(typ, name, change)
		s.secrets[c.ID] = secret
		return c
	}
	calls := func(c *storage.Client) {
		c.Trusted, c.Access = true, []storage.Access{{Resource: jwtAPI}, {Resource: opaqueAPI}}
		if !clients.Public(*c) {
			c.GrantTypes = append(c.GrantTypes, clients.GrantService)
		}
	}
	s.owner, s.page = client("web", "Owner", calls), client("spa", "Page", calls)
	s.api = client("service", "The API", func(c *storage.Client) {
		c.Resources, c.GrantTypes = []string{jwtAPI, opaqueAPI}, append(c.GrantTypes, clients.GrantExchange)
		c.Access = []storage.Access{{Resource: nextAPI}}
	})
	s.next = client("service", "The next API", func(c *storage.Client) { c.Resources = []string{nextAPI} })
	s.other = client("web", "Other", calls)
	s.gone = client("web", "Gone", func(c *storage.Client) { calls(c); c.Resources = []string{jwtAPI, opaqueAPI} })
	s.browser = s.Browser("alice")
	if err := s.Store.RemoveClient(t.Context(), s.gone.ID, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	return s
}

// callers are the columns of the matrix. Nobody sends nothing that says who asks.
func (s *street) callers() map[string]storage.Client {
	return map[string]storage.Client{"owner": s.owner, "page": s.page, "api": s.api, "next": s.next, "other": s.other, "gone": s.gone, "nobody": {}}
}

func (s *street) send(path string, c storage.Client, token string) providertest.Answer {
	form := url.Values{"token": {token}}
	if c.ID == "" {
		return s.Do(s.Request("POST", path, form))
	}
	return s.Post(path, c, s.secrets[c.ID], form)
}

// tokens are those of a sign-in for a resource.
func (s *street) tokens(c storage.Client, resource string) providertest.Answer {
	scope := "openid read offline_access"
	if resource == s.Issuer {
		scope = "openid offline_access"
	}
	return s.Redeem(c, s.secrets[c.ID], s.browser.Code(c, "scope", scope, "resource", resource))
}

// makers make a token of each kind anew.
func (s *street) makers(t *testing.T) map[string]func() string {
	stranger := newStranger(t)
	text := func(a providertest.Answer, name string) string {
		t.Helper()
		if a.Text(name) == "" {
			t.Fatalf("no %s: %d %s", name, a.Status, a.Body)
		}
		return a.Text(name)
	}
	service := func(resource string) func() string {
		return func() string {
			return text(s.Post("/token", s.owner, s.secrets[s.owner.ID], url.Values{"grant_type": {"client_credentials"}, "resource": {resource}}), "access_token")
		}
	}
	return map[string]func() string{
		"JWT":            func() string { return text(s.tokens(s.owner, jwtAPI), "access_token") },
		"opaque":         func() string { return text(s.tokens(s.owner, opaqueAPI), "access_token") },
		"service":        service(jwtAPI),
		"service opaque": service(opaqueAPI),
		"issuer":         func() string { return text(s.tokens(s.owner, s.Issuer), "access_token") },
		"refresh":        func() string { return text(s.tokens(s.owner, jwtAPI), "refresh_token") },
		"old refresh": func() string {
			old := text(s.tokens(s.owner, jwtAPI), "refresh_token")
			text(s.Refresh(s.owner, s.secrets[s.owner.ID], old), "access_token")
			return old
		},
		"ID token": func() string { return text(s.tokens(s.owner, jwtAPI), "id_token") },
		"code":     func() string { return s.browser.Code(s.owner, "scope", "openid read", "resource", jwtAPI) },
		"exchanged": func() string {
			return text(s.Post("/token", s.api, s.secrets[s.api.ID], url.Values{
				"grant_type": {clients.GrantExchange}, "subject_token": {text(s.tokens(s.owner, jwtAPI), "access_token")},
				"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "resource": {nextAPI},
			}), "access_token")
		},
		"page's":         func() string { return text(s.tokens(s.page, jwtAPI), "access_token") },
		"page's refresh": func() string { return text(s.tokens(s.page, jwtAPI), "refresh_token") },
		"foreign":        func() string { return stranger },
		"introspection": func() string {
			return introspectAs(s.Server, s.owner, s.secrets[s.owner.ID], text(s.tokens(s.owner, jwtAPI), "access_token"), introspectionJWT).Body
		},
		"garbage": func() string { return "garbage" },
	}
}

// newStranger is an access token of another provider, for a client and an API of the same names.
func newStranger(t *testing.T) string {
	s := providertest.New(t)
	s.Resource(jwtAPI)
	c, secret := s.Client("service", "Owner", func(c *storage.Client) { c.Access = []storage.Access{{Resource: jwtAPI}} })
	return s.Post("/token", c, secret, url.Values{"grant_type": {"client_credentials"}, "resource": {jwtAPI}}).Text("access_token")
}

// RFC 7662 section 4, RFC 7009 section 2.1: who may look at what, and who may end it. Whoever does not say who it is, or cannot prove it, is
// told nothing; to everybody else a token that is not theirs looks as one that is not there.
func TestWhoMayIntrospectAndRevoke(t *testing.T) {
	t.Parallel()
	s := newStreet(t)
	callers, makers := s.callers(), s.makers(t)
	const (
		refused = "401 invalid_client" // by its credentials, whatever the token is
		foreign = "400 invalid_grant"  // RFC 7009 section 2.1: the client is told that the token is not its own
		nothing = "200"                // and it lives on, if it ever lived
		ended   = "200, ended"
	)
	for kind, row := range map[string]struct {
		active  string            // who sees it as active
		revoke  map[string]string // what is not as in rest
		rest    string
		witness string // who sees whether it lives; "": it never did
	}{
		"JWT":            {"owner api", map[string]string{"owner": ended}, foreign, "api"},
		"opaque":         {"owner api", map[string]string{"owner": ended}, foreign, "api"},
		"service":        {"owner api", map[string]string{"owner": ended}, foreign, "api"},
		"service opaque": {"owner api", map[string]string{"owner": ended}, foreign, "api"},
		"issuer":         {"owner", map[string]string{"owner": ended}, foreign, "owner"},
		"refresh":        {"owner", map[string]string{"owner": ended}, foreign, "owner"},
		"old refresh":    {"", map[string]string{"owner": nothing}, foreign, ""}, // and with it the new one: TestRevocation
		"exchanged":      {"api next", map[string]string{"api": ended}, foreign, "next"},
		"page's":         {"api", map[string]string{"page": ended}, foreign, "api"}, // RFC 7662 section 2.1: the page itself may not ask
		"page's refresh": {"", map[string]string{"page": nothing}, foreign, ""},     // and nobody else
		"ID token":       {"", nil, nothing, ""},                                    // RFC 7009 section 2.2: "invalid tokens do not cause an error response"
		"code":           {"", nil, nothing, ""},
		"foreign":        {"", nil, nothing, ""},
		"introspection":  {"", nil, nothing, ""},
		"garbage":        {"", nil, nothing, ""},
	} {
		token := makers[kind]()
		for name, c := range callers {
			a := s.send("/introspect", c, token)
			switch active := strings.Contains(" "+row.active+" ", " "+name+" "); {
			case name == "page" || name == "gone" || name == "nobody":
				if got := said(a); got != refused || a.JSON["active"] != nil {
					t.Errorf("RFC 7662 2.1: %s, %s introspects: %s", kind, name, a.Body)
				}
			case active && a.JSON["active"] != true, !active && a.Body != `{"active":false}`:
				t.Errorf("RFC 7662 4: %s, %s introspects: %s", kind, name, a.Body)
			}
		}
		alive := func() bool {
			return row.witness == "" || s.send("/introspect", callers[row.witness], token).JSON["active"] == true
		}
		ends := ""
		for name, c := range callers {
			want := row.rest
			if own, has := row.revoke[name]; has {
				want = own
			}
			if name == "gone" || name == "nobody" {
				want = refused
			}
			if want == ended {
				ends = name
				continue
			}
			if got := said(s.send("/revoke", c, token)); got != want || !alive() {
				t.Errorf("RFC 7009 2.1: %s, %s revokes: %s, want %s; alive %t", kind, name, got, want, alive())
			}
		}
		if ends == "" {
			continue
		}
		for range 2 { // section 2.2: again is no error
			if got := said(s.send("/revoke", callers[ends], token)); got != "200" || alive() {
				t.Errorf("RFC 7009 2.1: %s, %s revokes: %s; alive %t", kind, ends, got, alive())
			}
		}
	}
	t.Run("RFC 7662 2.2: expired", func(t *testing.T) {
		kinds := []string{"JWT", "opaque", "service", "exchanged", "page's"}
		tokens := map[string]string{}
		for _, kind := range kinds {
			tokens[kind] = makers[kind]()
		}
		s.Clock.Advance(10 * time.Minute)
		for _, kind := range kinds {
			for _, name := range []string{"owner", "api", "next", "other"} {
				if a := s.send("/introspect", callers[name], tokens[kind]); a.Body != `{"active":false}` {
					t.Errorf("%s, %s introspects: %s", kind, name, a.Body)
				}
				if got := said(s.send("/revoke", callers[name], tokens[kind])); got != nothing {
					t.Errorf("RFC 7009 2.2: %s, %s revokes: %s", kind, name, got)
				}
			}
		}
	})
	t.Run("RFC 7009 2.1: what comes of what was revoked", func(t *testing.T) {
		subject := s.tokens(s.owner, jwtAPI)
		exchanged := s.Post("/token", s.api, s.secrets[s.api.ID], url.Values{
			"grant_type": {clients.GrantExchange}, "subject_token": {subject.Text("access_token")},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "resource": {nextAPI},
		}).Text("access_token")
		if s.send("/introspect", s.next, exchanged).JSON["active"] != true {
			t.Fatal("not active")
		}
		if got := said(s.send("/revoke", s.api, exchanged)); got != "200" || s.send("/introspect", s.owner, subject.Text("access_token")).JSON["active"] != true {
			t.Errorf("the exchanged one takes along what it was exchanged for: %s", got)
		}
		again := makers["exchanged"]()
		if s.send("/introspect", s.next, again).JSON["active"] != true || s.send("/introspect", s.next, exchanged).JSON["active"] != false {
			t.Error("one exchanged token is another")
		}
	})
}

// said is an answer in short.
func said(a providertest.Answer) string {
	switch {
	case a.Status == 200:
		return "200"
	case a.Status == 400:
		return "400 " + a.Error()
	}
	return "401 " + a.Error()
}
