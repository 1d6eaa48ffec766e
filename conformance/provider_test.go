package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/fetch"
	"signet/keys"
	"signet/provider/admin"
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
	operator *admin.Caller       // what its operator does by the commands
	register registrar
}

// metadata is what a client says of itself, under the names of OpenID Connect Registration 2.
type metadata map[string]any

// client is what the registration gave.
type client struct {
	id, secret, method string
	redirectURI        string
	uri, token         string // for looking after the registration: RFC 7592; "": the operator registered it
	key                jose.JSONWebKey
	audience           string // of its assertions; "": the token endpoint
}

// A registrar registers a client: static as the operator does, dynamic as the client itself does.
type registrar func(r *run, want metadata) client

// option is what an operator may turn on.
type option func(*providertest.Config)

// unsignedRequestObjects is what is off by default, and what some modules need.
func unsignedRequestObjects(c *providertest.Config) { c.UnsignedRequests = true }

// registrationBy lets clients register themselves.
func registrationBy(policy string) option {
	return func(c *providertest.Config) { c.Registration.Policy = policy }
}

// start starts a provider for a variant, with one user of many claims.
func start(t *testing.T, v variant, options ...option) *provider {
	t.Helper()
	in := &signIn{}
	var scopes []string // that the operator added
	s := providertest.New(t, func(c *providertest.Config) {
		c.TLS, c.Passwords, c.Notices = true, in, true
		c.Fetch = fetch.New(fetch.Options{Timeout: time.Minute, CA: trusted(), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
		if v.registered {
			registrationBy("open")(c)
		}
		for _, o := range options {
			o(c)
		}
		if c.Claims != nil {
			scopes = c.Claims.Added()
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
	p := &provider{issuer: s.Issuer, http: s.HTTP, now: s.Clock.Now, pass: s.Clock.Advance, register: static}
	p.operator = admin.InProcess(admin.New(admin.Options{
		Store: s.Store, Keys: func() (*keys.Keys, error) { return s.Keys, nil }, Algs: s.Keys.Algs(), Scopes: scopes, Now: s.Clock.Now,
	}))
	if v.registered {
		p.register = dynamic
	}
	return p
}

// signIn compares the password as it is. Hashing it as slowly as the real one does would be most of the time of these tests, and is
// tested where it is.
type signIn struct{ users storage.Users }

func (s *signIn) Password(ctx context.Context, login, sent string, _ users.From) (storage.User, error) {
	if sent != password {
		return storage.User{}, users.ErrCredentials
	}
	return s.users.UserByLogin(ctx, storage.LoginKey(login))
}

func (s *signIn) Hash(_ context.Context, password string) (string, error) {
	return users.HashPassword(password)
}

// static registers clients as the operator does for the suite: without PKCE, and with the suite's rule for ID tokens.
func static(r *run, want metadata) client {
	r.Helper()
	set := admin.Fields{"pkce": {"optional"}, "id_token_claims": {"requested"}}
	for name, value := range want {
		set[name] = texts(value)
	}
	var made admin.ClientSecret
	r.must(r.operator.Do(r.Context(), http.MethodPost, admin.NewClient{Type: "web", Name: "The suite's client", Fields: set}, &made, "clients"))
	return client{id: made.Client.ID, secret: made.Secret, method: made.Client.TokenEndpointAuthMethod, redirectURI: made.Client.RedirectURIs[0]}
}

func texts(value any) []string {
	if list, ok := value.([]string); ok {
		return list
	}
	return []string{value.(string)}
}

// registration sends what the client says of itself: OpenID Connect Registration 3.1, RFC 7591 section 3.
func (r *run) registration(want metadata) answer {
	r.Helper()
	sent := metadata{"client_name": "The suite's client", "contacts": []string{"certification@suite.example"}}
	maps.Copy(sent, want)
	body, err := json.Marshal(sent)
	r.must(err)
	req := r.request(http.MethodPost, r.text("registration_endpoint"), nil)
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	req.Header.Set("Content-Type", "application/json")
	if r.initial != "" {
		req.Header.Set("Authorization", "Bearer "+r.initial)
	}
	if r.address != "" {
		req.Header.Set("X-Forwarded-For", r.address)
	}
	return r.send(req)
}

// dynamic registers a client as the suite does: OpenID Connect Registration 3.1, RFC 7591, RFC 7592. It is removed at the end.
func dynamic(r *run, want metadata) client {
	r.Helper()
	a := r.registration(want)
	member := func(name string) string { s, _ := a.json[name].(string); return s }
	c := client{
		id: member("client_id"), secret: member("client_secret"), method: member("token_endpoint_auth_method"), redirectURI: texts(want["redirect_uris"])[0],
		uri: member("registration_client_uri"), token: member("registration_access_token"),
	}
	if a.status != http.StatusCreated || c.id == "" {
		r.Fatalf("registration: %d %s", a.status, a.body)
	}
	if want["token_endpoint_auth_method"] != c.method || strings.HasPrefix(c.method, "client_secret") != (c.secret != "") {
		r.Errorf("Registration 3.2: token_endpoint_auth_method %q, client_secret %q", c.method, c.secret)
	}
	if expires, ok := a.json["client_secret_expires_at"].(float64); ok != (c.secret != "") || expires != 0 && int64(expires) <= r.now().Unix() {
		r.Errorf("Registration 3.2: client_secret_expires_at is %v", a.json["client_secret_expires_at"])
	}
	if c.uri == "" || c.token == "" {
		r.Errorf("Registration 3.2: registration_client_uri %q, registration_access_token %q", c.uri, c.token)
	}
	r.Cleanup(func() {
		if a := r.manage(http.MethodDelete, c); a.status != http.StatusNoContent {
			r.Errorf("RFC 7592 2.3: DELETE: %d %s", a.status, a.body)
		}
	})
	return c
}

// manage asks something of the client's registration: RFC 7592 section 2.
func (r *run) manage(method string, c client) answer {
	r.Helper()
	req := r.request(method, c.uri, nil)
	req.Header.Set("Authorization", "Bearer "+c.token)
	return r.send(req)
}

const redirectURI = "https://suite.example/test/a/signet/callback"

// wants is what a client of the variant says of itself; the pairs in change are set, or left out where the value is nil.
func (r *run) wants(change ...any) metadata {
	want := metadata{"response_types": []string{r.responseType}, "redirect_uris": []string{redirectURI}, "token_endpoint_auth_method": "client_secret_basic"}
	var grants []string
	if r.carries("code") {
		grants = append(grants, "authorization_code", "refresh_token")
	}
	if r.carries("token") || r.carries("id_token") {
		grants = append(grants, "implicit")
	}
	want["grant_types"] = grants
	if r.keyed {
		want["token_endpoint_auth_method"], want["jwks"] = "private_key_jwt", public(signingKey(0))
	}
	for i := 0; i+1 < len(change); i += 2 {
		want[change[i].(string)] = change[i+1]
		if change[i+1] == nil {
			delete(want, change[i].(string))
		}
	}
	return want
}

// client registers a client for the variant; see wants.
func (r *run) client(change ...any) client {
	r.Helper()
	c := r.register(r, r.wants(change...))
	c.key = signingKey(0)
	return c
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
