package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/audit"
	"signet/provider/providertest"
	"signet/storage"
	"signet/users"
)

// provider is what the modules talk to. All that they know of it is what discovery says.
type provider struct {
	issuer   string
	metadata map[string]any
	keys     jose.JSONWebKeySet
	http     *http.Client // follows no redirect
	now      func() time.Time
	pass     func(time.Duration) // lets time pass there
	register registrar
}

// registration is what a module wants of its client, under the names of OpenID Connect Registration 2.
type registration struct {
	ResponseTypes           []string
	GrantTypes              []string
	RedirectURIs            []string
	TokenEndpointAuthMethod string
}

// client is what the registration gave.
type client struct {
	id, secret, method string
	redirectURI        string
}

// A registrar registers a client: static as the operator does, dynamic as the client itself does.
type registrar func(r *run, want registration) client

// start starts a provider for a variant, with one user of many claims.
func start(t *testing.T, v variant) *provider {
	t.Helper()
	in := &signIn{}
	s := providertest.New(t, func(c *providertest.Config) {
		c.TLS, c.Passwords = true, in
		if v.registered {
			c.Registration.Policy = "open"
		}
	})
	in.users = s.Store
	s.User(userName, func(u *storage.User) {
		u.Roles = []string{"editor"}
		u.Profile = storage.Profile{
			Name: "Ann Example Lee", GivenName: "Ann", FamilyName: "Lee", MiddleName: "Example", Nickname: "annie", Profile: "https://people.example/ann",
			Picture: "https://people.example/ann.png", Website: "https://ann.example/", Gender: "female", Birthdate: "1990-02-28",
			Zoneinfo: "Europe/Berlin", Locale: "en-GB", PhoneNumber: "+1 425 555 1212", PhoneNumberVerified: true,
			Address: &storage.Address{StreetAddress: "1 Any Road", Locality: "Anytown", PostalCode: "12345", Country: "DE"},
		}
	})
	p := &provider{issuer: s.Issuer, http: s.HTTP, now: s.Clock.Now, pass: s.Clock.Advance, register: static(s)}
	if v.registered {
		p.register = dynamic
	}
	return p
}

// signIn compares the password as it is. Hashing it as slowly as the real one does would be most of the time of these tests, and is
// tested where it is.
type signIn struct{ users storage.Users }

func (s *signIn) Password(ctx context.Context, login, sent string, _ audit.Origin) (storage.User, error) {
	if sent != password {
		return storage.User{}, users.ErrCredentials
	}
	return s.users.UserByLogin(ctx, storage.LoginKey(login))
}

// static registers clients as the operator does for the suite: without PKCE, and with the suite's rule for ID tokens.
func static(s *providertest.Server) registrar {
	return func(r *run, want registration) client {
		c, secret := s.With(r.T).Client("web", "The suite's client", func(c *storage.Client) {
			c.RedirectURIs, c.ResponseTypes, c.GrantTypes = want.RedirectURIs, want.ResponseTypes, want.GrantTypes
			c.TokenEndpointAuthMethod = want.TokenEndpointAuthMethod
			c.PKCE, c.IDTokenClaims = storage.PKCEOptional, storage.ClaimsRequested
		})
		return client{id: c.ID, secret: secret, method: c.TokenEndpointAuthMethod, redirectURI: want.RedirectURIs[0]}
	}
}

// dynamic registers a client as the suite does: OpenID Connect Registration 3.1, RFC 7591, RFC 7592. It is removed at the end.
func dynamic(r *run, want registration) client {
	r.Helper()
	body, err := json.Marshal(map[string]any{
		"client_name": "The suite's client", "redirect_uris": want.RedirectURIs, "response_types": want.ResponseTypes, "grant_types": want.GrantTypes,
		"token_endpoint_auth_method": want.TokenEndpointAuthMethod, "contacts": []string{"certification@suite.example"},
	})
	r.must(err)
	req := r.request(http.MethodPost, r.text("registration_endpoint"), nil)
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	req.Header.Set("Content-Type", "application/json")
	a := r.send(req)
	member := func(name string) string { s, _ := a.json[name].(string); return s }
	c := client{id: member("client_id"), secret: member("client_secret"), method: want.TokenEndpointAuthMethod, redirectURI: want.RedirectURIs[0]}
	if a.status != http.StatusCreated || c.id == "" || c.secret == "" {
		r.Fatalf("registration: %d %s", a.status, a.body)
	}
	if expires, ok := a.json["client_secret_expires_at"].(float64); !ok || expires != 0 && int64(expires) <= r.now().Unix() {
		r.Errorf("Registration 3.2: client_secret_expires_at is %v", a.json["client_secret_expires_at"])
	}
	uri, token := member("registration_client_uri"), member("registration_access_token")
	if uri == "" || token == "" {
		r.Errorf("Registration 3.2: registration_client_uri %q, registration_access_token %q", uri, token)
	}
	r.Cleanup(func() {
		req := r.request(http.MethodDelete, uri, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		if a := r.send(req); a.status != http.StatusNoContent {
			r.Errorf("RFC 7592 2.3: DELETE: %d %s", a.status, a.body)
		}
	})
	return c
}

const redirectURI = "https://suite.example/test/a/signet/callback"

// client registers a client for the variant; change alters what is asked for.
func (r *run) client(change ...func(*registration)) client {
	r.Helper()
	want := registration{
		ResponseTypes: []string{r.responseType}, RedirectURIs: []string{redirectURI}, TokenEndpointAuthMethod: "client_secret_basic",
	}
	if r.carries("code") {
		want.GrantTypes = append(want.GrantTypes, "authorization_code", "refresh_token")
	}
	if r.carries("token") || r.carries("id_token") {
		want.GrantTypes = append(want.GrantTypes, "implicit")
	}
	for _, f := range change {
		f(&want)
	}
	return r.register(r, want)
}

// discover reads discovery and keys, as each module does first.
func (r *run) discover() {
	r.Helper()
	a := r.get(r.issuer + "/.well-known/openid-configuration")
	if a.status != http.StatusOK || a.json == nil {
		r.Fatalf("discovery: %d %s", a.status, a.body)
	}
	r.metadata = a.json
	if r.text("issuer") != r.issuer {
		r.Errorf("Discovery 4.3: issuer %q was asked at %q", r.text("issuer"), r.issuer)
	}
	a = r.get(r.text("jwks_uri"))
	if a.status != http.StatusOK {
		r.Fatalf("the keys: %d %s", a.status, a.body)
	}
	r.checkKeys([]byte(a.body))
}

// text is a member of the discovery document.
func (p *provider) text(name string) string {
	s, _ := p.metadata[name].(string)
	return s
}

// list is a member of the discovery document, and whether it is there.
func (p *provider) list(name string) (values []string, ok bool) {
	all, ok := p.metadata[name].([]any)
	for _, v := range all {
		s, _ := v.(string)
		values = append(values, s)
	}
	return values, ok
}

// lists reports whether the list of that name has all values.
func (p *provider) lists(name string, values ...string) bool {
	all, _ := p.list(name)
	return !slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(all, v) })
}

// says reports whether a flag of the discovery document is true; absent is what the specification says it means then.
func (p *provider) says(name string, absent bool) bool {
	flag, ok := p.metadata[name].(bool)
	return ok && flag || !ok && absent
}

// answer is what an endpoint said.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any // nil if the body is none
}

func (r *run) get(u string) answer {
	r.Helper()
	return r.send(r.request(http.MethodGet, u, nil))
}

// request makes a request; form is posted unless it is nil.
func (r *run) request(method, u string, form url.Values) *http.Request {
	r.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, u, body)
	r.must(err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req
}

func (r *run) send(req *http.Request) answer {
	r.Helper()
	return r.sendBy(r.http, req)
}

func (r *run) sendBy(by *http.Client, req *http.Request) answer {
	r.Helper()
	resp, err := by.Do(req)
	r.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	r.must(err)
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		_ = json.Unmarshal(body, &a.json)
	}
	return a
}
