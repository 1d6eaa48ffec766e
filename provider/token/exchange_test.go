package token_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/zitadel/oidc/v3/pkg/client/tokenexchange"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"

	"signet/audit"
	"signet/clients"
	"signet/provider/issue"
	"signet/provider/providertest"
	"signet/storage"
)

const (
	apiA   = "https://a.example"
	apiB   = "https://b.example"
	apiC   = "https://c.example/v1"
	open   = "https://open.example"
	opaque = "https://opaque.example"

	accessToken = "urn:ietf:params:oauth:token-type:access_token"
	jwtToken    = "urn:ietf:params:oauth:token-type:jwt"
)

// api makes a resource.
func api(t testing.TB, s *providertest.Server, id string, scopes []string, change ...func(*storage.Resource)) {
	t.Helper()
	r := storage.Resource{
		ID: id, Name: id, Origin: storage.OriginOperator, Format: storage.FormatJWT, Alg: "ES256", Typ: "at+jwt", Lifetime: 10 * time.Minute,
		Created: s.Clock.Now(), Updated: s.Clock.Now(),
	}
	for _, name := range scopes {
		r.Scopes = append(r.Scopes, storage.Scope{Name: name})
	}
	for _, f := range change {
		f(&r)
	}
	if _, err := s.Store.SaveResource(t.Context(), r, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
}

// caller is a client with its secret.
type caller struct {
	storage.Client
	secret string
}

// street is a user's app, the API that it calls, and what that calls on: app → A → B → C.
type street struct {
	*providertest.Server
	user                   storage.User
	app, a, b, c, stranger caller
	pairwise               caller
	browser                *providertest.Browser
}

func exchanging(c *storage.Client) { c.GrantTypes = append(c.GrantTypes, clients.GrantExchange) }

func access(all ...storage.Access) func(*storage.Client) {
	return func(c *storage.Client) { c.Access = all }
}

func newStreet(t *testing.T, change ...func(*providertest.Config)) *street {
	t.Helper()
	s := &street{Server: services(t, change...)}
	api(t, s.Server, apiA, []string{"a:read", "a:write"})
	api(t, s.Server, apiB, []string{"b:read", "b:write"}, func(r *storage.Resource) {
		r.Claims, r.Permissions = []string{"groups", "permissions"}, []storage.Permission{{Name: "ship", Groups: []string{"staff"}}, {Name: "buy", Roles: []string{"buyer"}}}
	})
	api(t, s.Server, apiC, []string{"c:read", "a:read"}, func(r *storage.Resource) { r.Lifetime = time.Hour })
	api(t, s.Server, open, []string{"o:read"}, func(r *storage.Resource) { r.Open = true })
	api(t, s.Server, opaque, []string{"x:read"}, func(r *storage.Resource) { r.Format = storage.FormatOpaque })
	client := func(typ, name string, change ...func(*storage.Client)) caller {
		c, secret := s.Client(typ, name, append(change, exchanging)...)
		return caller{c, secret}
	}
	s.user = s.User("ada")
	s.app = client("web", "App", access(storage.Access{Resource: apiA}, storage.Access{Resource: apiB, Scopes: []string{"b:read"}}), func(c *storage.Client) {
		c.Scopes = append(c.Scopes, "orders.read")
	})
	of := func(resource string, all ...storage.Access) func(*storage.Client) {
		return func(c *storage.Client) { c.Resources, c.Access = []string{resource}, all }
	}
	s.a = client("service", "A", of(apiA, storage.Access{Resource: apiB, Scopes: []string{"b:read"}}, storage.Access{Resource: opaque}, storage.Access{Resource: apiC}))
	s.b = client("service", "B", of(apiB, storage.Access{Resource: apiC, Scopes: []string{"c:read"}}))
	s.c = client("service", "C", of(apiC, storage.Access{Resource: apiA, Scopes: []string{"a:read"}}))
	s.stranger = client("service", "Stranger", access(storage.Access{Resource: apiA}, storage.Access{Resource: apiB}))
	s.pairwise = client("web", "Pairwise", of(apiA, storage.Access{Resource: apiB}), func(c *storage.Client) { c.SubjectType = clients.SubjectPairwise })
	s.browser = s.Browser("ada")
	return s
}

func (s *street) with(t *testing.T) *street {
	shared := *s
	shared.Server = s.With(t)
	return &shared
}

// signIn is a user's token at the app, for these resources.
func (s *street) signIn(scope string, resources ...string) providertest.Answer {
	p := providertest.AuthorizeParams(s.app.Client, "scope", scope)
	p["resource"] = resources
	o := s.browser.Open("/authorize?" + p.Encode())
	return s.Redeem(s.app.Client, s.app.secret, o.Params.Get("code"))
}

// user's access token for A.
func (s *street) atA() string {
	return s.signIn("openid offline_access orders.read a:read a:write", apiA).Text("access_token")
}

// own is a token that a client got in its own name.
func (s *street) own(c caller, more ...string) string {
	return ask(s.Server, c.Client, c.secret, more...).Text("access_token")
}

// exchange has a token exchanged, with the pairs in more besides. A name can come more than once.
func (s *street) exchange(c caller, token string, more ...string) providertest.Answer {
	form := url.Values{"grant_type": {clients.GrantExchange}, "subject_token": {token}, "subject_token_type": {accessToken}}
	for i := 0; i+1 < len(more); i += 2 {
		switch {
		case more[i+1] == "":
			form.Del(more[i])
		case more[i] == "resource" || more[i] == "audience":
			form.Add(more[i], more[i+1])
		default:
			form.Set(more[i], more[i+1])
		}
	}
	return s.Post("/token", c.Client, c.secret, form)
}

// good is a token that had to come of an exchange.
func (s *street) good(t testing.TB, c caller, token string, more ...string) string {
	t.Helper()
	a := s.exchange(c, token, more...)
	if a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return a.Text("access_token")
}

func (s *street) active(c caller, token string) bool {
	return active(s.Server, c.Client, c.secret, token)
}

// said are some claims of a token, as its resource server reads them, or introspection says them.
func (s *street) said(c caller, token string) map[string]any {
	if strings.Count(token, ".") == 2 {
		return s.Verify(token).Claims
	}
	return s.Post("/introspect", c.Client, c.secret, url.Values{"token": {token}}).JSON
}

// TestExchange is the matrix: whose token × who acts × for what × with which scopes.
func TestExchange(t *testing.T) {
	t.Parallel()
	s := newStreet(t)
	atA := s.atA()
	signedIn := s.signIn("openid offline_access a:read b:read", apiA, apiB)
	atBoth := signedIn.Text("access_token")
	atIssuer := s.signIn("openid profile orders.read").Text("access_token")
	ownA := s.own(s.a, "resource", apiB)
	ofA := s.good(t, s.a, atA, "resource", apiB) // ada's, for B, by A
	ofB := s.good(t, s.b, ofA, "resource", apiC)
	ended := s.signIn("openid a:read", apiA).Text("access_token")
	if a := s.Post("/revoke", s.app.Client, s.app.secret, url.Values{"token": {ended}}); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}

	const (
		request, target, scope = "invalid_request", "invalid_target", "invalid_scope"
		all                    = "a:read a:write"
	)
	app, a, b, c, stranger := s.app, s.a, s.b, s.c, s.stranger
	actors := func(chain ...caller) (act any) {
		for _, c := range chain {
			m := map[string]any{"sub": c.ID}
			if act != nil {
				m["act"] = act
			}
			act = m
		}
		return act
	}
	type row struct {
		by      caller
		subject string
		more    []string
		aud     any // nil: it is refused
		scope   string
		act     any
		code    string
	}
	for name, row := range map[string]row{
		// A user's token that reached A, by A itself.
		"user at A, by A: none named, the same":                  {a, atA, nil, apiA, "orders.read " + all, actors(a), ""},
		"user at A, by A: the same, fewer":                       {a, atA, []string{"resource", apiA, "scope", "a:read"}, apiA, "a:read", actors(a), ""},
		"user at A, by A: the same, by audience":                 {a, atA, []string{"audience", apiA, "scope", "a:read"}, apiA, "a:read", actors(a), ""},
		"user at A, by A: the same, more":                        {a, atA, []string{"resource", apiA, "scope", "a:read a:delete"}, nil, "", nil, scope},
		"user at A, by A: the same, OpenID":                      {a, atA, []string{"resource", apiA, "scope", "openid"}, nil, "", nil, scope},
		"user at A, by A: the same, of another":                  {a, atA, []string{"resource", apiA, "scope", "b:read"}, nil, "", nil, scope},
		"user at A, by A: B, none":                               {a, atA, []string{"resource", apiB}, apiB, "b:read", actors(a), ""},
		"user at A, by A: B, by audience":                        {a, atA, []string{"audience", apiB}, apiB, "b:read", actors(a), ""},
		"user at A, by A: B named in both ways":                  {a, atA, []string{"audience", apiB, "resource", apiB}, apiB, "b:read", actors(a), ""},
		"user at A, by A: B, what A has":                         {a, atA, []string{"resource", apiB, "scope", "b:read"}, apiB, "b:read", actors(a), ""},
		"user at A, by A: B, more than A has":                    {a, atA, []string{"resource", apiB, "scope", "b:write"}, nil, "", nil, scope},
		"user at A, by A: B, the subject's at A":                 {a, atA, []string{"resource", apiB, "scope", "a:read"}, nil, "", nil, scope},
		"user at A, by A: B, OpenID":                             {a, atA, []string{"resource", apiB, "scope", "openid"}, nil, "", nil, scope},
		"user at A, by A: B, offline_access":                     {a, atA, []string{"resource", apiB, "scope", "offline_access"}, nil, "", nil, scope},
		"user at A, by A: B, the operator's own":                 {a, atA, []string{"resource", apiB, "scope", "orders.read"}, nil, "", nil, scope},
		"user at A, by A: A and B":                               {a, atA, []string{"resource", apiA, "resource", apiB, "scope", "a:read b:read"}, []any{apiA, apiB}, "a:read b:read", actors(a), ""},
		"RFC 9068 5: a scope that two have":                      {a, atA, []string{"resource", apiA, "resource", apiC, "scope", "a:read"}, nil, "", nil, target},
		"user at A, by A: JWT and opaque in one":                 {a, atA, []string{"resource", apiA, "resource", opaque}, nil, "", nil, target},
		"user at A, by A: opaque":                                {a, atA, []string{"resource", opaque}, opaque, "x:read", actors(a), ""},
		"RFC 8693 2.1: opaque as a JWT":                          {a, atA, []string{"resource", opaque, "requested_token_type", jwtToken}, nil, "", nil, request},
		"user at A, by A: open to all, which is for users alone": {a, atA, []string{"resource", open}, nil, "", nil, target},
		"RFC 8693 2.2.2: an unknown resource":                    {a, atA, []string{"resource", "https://unknown.example"}, nil, "", nil, target},
		"RFC 8707 2: not absolute":                               {a, atA, []string{"resource", "/orders"}, nil, "", nil, target},
		"RFC 8707 2: a fragment":                                 {a, atA, []string{"resource", apiB + "#x"}, nil, "", nil, target},
		"RFC 8693 2.1: a client as audience":                     {a, atA, []string{"audience", b.ID}, nil, "", nil, target},
		"the issuer, which A has no access to":                   {a, atA, []string{"resource", s.Issuer}, nil, "", nil, target},
		"one that is good beside one that is not":                {a, atA, []string{"resource", apiB, "resource", open}, nil, "", nil, target},

		// The same by others.
		"user at A, by the app: the same, fewer":                {app, atA, []string{"scope", "a:read"}, apiA, "a:read", actors(app), ""},
		"user at A, by the app: B, which ada was not asked for": {app, atA, []string{"resource", apiB}, nil, "", nil, target},
		"user at A and B, by the app: B":                        {app, atBoth, []string{"resource", apiB}, apiB, "b:read", actors(app), ""},
		"user at A and B, by A: both, as they are":              {a, atBoth, nil, []any{apiA, apiB}, "a:read b:read", actors(a), ""},
		"user at A and B, by B: C":                              {b, atBoth, []string{"resource", apiC}, apiC, "c:read", actors(b), ""},
		"user at A, by B, whom it never reached":                {b, atA, []string{"resource", apiC}, nil, "", nil, request},
		"GHSA-vrh8-c9cm-wh8v: by a stranger, with rights at A":  {stranger, atA, nil, nil, "", nil, request},
		"GHSA-vrh8-c9cm-wh8v: by a stranger, with rights at B":  {stranger, atA, []string{"resource", apiB}, nil, "", nil, request},
		"user at the issuer, by the app: fewer":                 {app, atIssuer, []string{"scope", "orders.read"}, s.Issuer, "orders.read", actors(app), ""},
		"user at the issuer, by the app: never profile":         {app, atIssuer, []string{"scope", "profile"}, nil, "", nil, scope},
		"user at the issuer, by A":                              {a, atIssuer, []string{"resource", apiB}, nil, "", nil, request},

		// A client's own token, and exchanged ones.
		"A's own at B, by A: fewer":                  {a, ownA, []string{"scope", "b:read"}, apiB, "b:read", actors(a), ""},
		"A's own at B, by B: C":                      {b, ownA, []string{"resource", apiC}, apiC, "c:read", actors(b), ""},
		"A's own at B, by C":                         {c, ownA, []string{"resource", apiA}, nil, "", nil, request},
		"exchanged by A, by B: C":                    {b, ofA, []string{"resource", apiC}, apiC, "c:read", actors(a, b), ""},
		"exchanged by A, by A: another way on":       {a, ofA, []string{"resource", apiC, "scope", "c:read"}, apiC, "c:read", actors(a, a), ""},
		"exchanged by A, by the app, whose ada is":   {app, ofA, []string{"resource", apiB}, nil, "", nil, request},
		"exchanged by A and B, by C: back at A":      {c, ofB, []string{"resource", apiA}, apiA, "a:read", actors(a, b, c), ""},
		"exchanged by A and B, by A, which is not C": {a, ofB, []string{"resource", apiB}, nil, "", nil, request},

		// What is no token that could be.
		"RFC 8693 2.2.2: revoked":         {a, ended, nil, nil, "", nil, request},
		"RFC 8693 2.2.2: an ID token":     {a, signedIn.Text("id_token"), nil, nil, "", nil, request},
		"RFC 8693 2.2.2: a refresh token": {a, signedIn.Text("refresh_token"), nil, nil, "", nil, request},
		"RFC 8693 2.2.2: by its own type": {app, signedIn.Text("refresh_token"), []string{"subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, nil, "", nil, request},
		"RFC 8693 3: an ID token's type":  {app, signedIn.Text("id_token"), []string{"subject_token_type", "urn:ietf:params:oauth:token-type:id_token"}, nil, "", nil, request},
		"a JWT of somebody else":          {a, foreign(t, s, a), nil, nil, "", nil, request},
		"tampered":                        {a, providertest.Tampered(atA), nil, nil, "", nil, request},
		"nothing":                         {a, "", []string{"subject_token", ""}, nil, "", nil, request},

		// Who acts.
		"actor: A's own token":                       {a, atA, []string{"resource", apiB, "actor_token", ownA, "actor_token_type", accessToken}, apiB, "b:read", actors(a), ""},
		"actor: A's own token, as a JWT":             {a, atA, []string{"resource", apiB, "actor_token", ownA, "actor_token_type", jwtToken}, apiB, "b:read", actors(a), ""},
		"actor: another's own token":                 {a, atA, []string{"resource", apiB, "actor_token", s.own(b, "resource", apiC), "actor_token_type", accessToken}, nil, "", nil, request},
		"actor: a user's token":                      {a, atA, []string{"resource", apiB, "actor_token", atA, "actor_token_type", accessToken}, nil, "", nil, request},
		"actor: an exchanged one of A's":             {a, atA, []string{"resource", apiB, "actor_token", ofA, "actor_token_type", accessToken}, nil, "", nil, request},
		"actor: an ID token":                         {a, atA, []string{"actor_token", signedIn.Text("id_token"), "actor_token_type", accessToken}, nil, "", nil, request},
		"RFC 8693 2.1: actor_token without its type": {a, atA, []string{"actor_token", ownA}, nil, "", nil, request},
		"RFC 8693 2.1: its type without the token":   {a, atA, []string{"actor_token_type", accessToken}, nil, "", nil, request},
		"RFC 8693 2.1: an actor of another type":     {a, atA, []string{"actor_token", ownA, "actor_token_type", "urn:ietf:params:oauth:token-type:saml2"}, nil, "", nil, request},

		// Types.
		"RFC 8693 2.1: subject_token_type is missing": {a, atA, []string{"subject_token_type", ""}, nil, "", nil, request},
		"RFC 8693 3: the subject is a JWT":            {a, atA, []string{"subject_token_type", jwtToken, "resource", apiB}, apiB, "b:read", actors(a), ""},
		"RFC 8693 2.1: a refresh token is wanted":     {a, atA, []string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, nil, "", nil, request},
		"RFC 8693 2.1: an ID token is wanted":         {a, atA, []string{"requested_token_type", "urn:ietf:params:oauth:token-type:id_token"}, nil, "", nil, request},
		"RFC 8693 2.1: a JWT is wanted":               {a, atA, []string{"requested_token_type", jwtToken, "resource", apiB}, apiB, "b:read", actors(a), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s.with(t)
			got := s.exchange(row.by, row.subject, row.more...)
			if row.aud == nil {
				wantError(t, got, 400, row.code)
				return
			}
			if got.Status != 200 {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
			token := got.Text("access_token")
			issued := accessToken
			if strings.Contains(strings.Join(row.more, " "), "requested_token_type "+jwtToken) {
				issued = jwtToken
			}
			want := map[string]any{
				"access_token": token, "issued_token_type": issued, "token_type": "Bearer", "scope": row.scope, "expires_in": got.JSON["expires_in"],
			}
			if diff := cmp.Diff(want, got.JSON); diff != "" || got.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("RFC 8693 2.2.1: no refresh token, no ID token (-want +got)\n%s", diff)
			}
			claims := s.said(row.by, token)
			if diff := cmp.Diff([]any{row.aud, row.scope, row.act, row.by.ID}, []any{claims["aud"], claims["scope"], claims["act"], claims["client_id"]}); diff != "" {
				t.Errorf("aud, scope, act, client_id (-want +got)\n%s", diff)
			}
			if !s.active(row.by, token) {
				t.Error("RFC 7662 2.2: it is not active")
			}
		})
	}
}

// foreign is a JWT that says it is ada's for A, and is signed by nobody whom we know.
// RFC 8693 section 4.4: may_act names who may act, and nobody else can by it. No setting writes it yet, so a token gets it from the ring itself.
func TestMayAct(t *testing.T) {
	t.Parallel()
	s := newStreet(t)
	named := func(mayAct any) string {
		claims := s.Verify(s.atA()).Claims
		claims["may_act"] = mayAct
		payload, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		token, err := s.Keys.Sign("ES256", "at+jwt", payload)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for name, c := range map[string]struct {
		mayAct any
		by     caller
		good   bool
	}{
		"who is named":            {map[string]string{"sub": s.stranger.ID}, s.stranger, true},
		"who is not":              {map[string]string{"sub": s.b.ID}, s.stranger, false},
		"nobody is":               {map[string]string{}, s.stranger, false},
		"an API of the token may": {map[string]string{"sub": s.b.ID}, s.a, true},
	} {
		a := s.exchange(c.by, named(c.mayAct), "resource", apiA, "scope", "a:read")
		if good := a.Status == 200; good != c.good || !good && a.Error() != "invalid_request" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if a := s.exchange(s.stranger, named("everybody"), "resource", apiA); a.Status != 400 {
		t.Errorf("may_act that is no object: %d %s", a.Status, a.Body)
	}
}

func foreign(t *testing.T, s *street, c caller) string {
	t.Helper()
	claims := s.Verify(s.atA()).Claims
	return mint(t, claims)
}

func mint(t *testing.T, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: issuerKey()}, (&jose.SignerOptions{}).WithHeader("kid", "k").WithType("at+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestExchangedClaims(t *testing.T) {
	t.Parallel()
	s := newStreet(t)
	atA := s.atA()
	before := s.Verify(atA).Claims
	claims := s.Verify(s.good(t, s.a, atA, "resource", apiB)).Claims
	if claims["sub"] != before["sub"] || claims["auth_time"] != before["auth_time"] || claims["acr"] != before["acr"] {
		t.Errorf("RFC 8693 2.2.1: about another: %v, was %v", claims, before)
	}
	if diff := cmp.Diff([]any{[]any{"ship"}, []any{"staff"}}, []any{claims["permissions"], claims["groups"]}); diff != "" {
		t.Errorf("what B wants to know, and no more (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(before["status"], claims["status"]); diff != "" {
		t.Errorf("it has another place in the status list\n%s", diff)
	}
	u, err := s.Store.User(t.Context(), s.user.Sub)
	if err != nil {
		t.Fatal(err)
	}
	u.Groups, u.Roles = nil, []string{"buyer"}
	save(t, s.Server, u, false)
	claims = s.Verify(s.good(t, s.a, atA, "resource", apiB)).Claims
	if diff := cmp.Diff([]any{[]any{"buy"}, nil}, []any{claims["permissions"], claims["groups"]}); diff != "" {
		t.Errorf("RFC 8693 5: as the user is now (-want +got)\n%s", diff)
	}
	t.Run("Core 8.1: the sub of another sector", func(t *testing.T) {
		claims := s.Verify(s.good(t, s.pairwise, atA, "resource", apiB)).Claims
		if claims["sub"] == before["sub"] || claims["sub"] == "" {
			t.Errorf("%v", claims)
		}
	})
	t.Run("a client's own", func(t *testing.T) {
		claims := s.Verify(s.good(t, s.b, s.own(s.a, "resource", apiB), "resource", apiC)).Claims
		if claims["sub"] != s.a.ID || claims["client_id"] != s.b.ID || claims["permissions"] != nil {
			t.Errorf("%v", claims)
		}
	})
	t.Run("RFC 8693 1.1: impersonation", func(t *testing.T) {
		c := change(t, s.Server, s.a.Client, func(c *storage.Client) { c.Exchange = storage.ExchangeImpersonation })
		a := caller{c, s.a.secret}
		ofA := s.good(t, a, atA, "resource", apiB)
		if claims := s.Verify(ofA).Claims; claims["act"] != nil || claims["sub"] != before["sub"] || claims["client_id"] != a.ID {
			t.Errorf("%v", claims)
		}
		of := s.Verify(s.good(t, s.b, ofA, "resource", apiC)).Claims
		if diff := cmp.Diff(map[string]any{"sub": s.b.ID}, of["act"]); diff != "" {
			t.Error(diff)
		}
		back := s.good(t, s.c, s.good(t, s.b, s.good(t, a, atA, "resource", apiB), "resource", apiC), "resource", apiA)
		if diff := cmp.Diff(s.Verify(back).Claims["act"], s.Verify(s.good(t, a, back, "scope", "a:read")).Claims["act"]); diff != "" {
			t.Errorf("who acted before is forgotten\n%s", diff)
		}
	})
	var exchanged int
	for _, e := range events(t, s.Server) {
		if e == audit.TokenExchanged {
			exchanged++
		}
	}
	if exchanged < 4 {
		t.Errorf("recorded %d times", exchanged)
	}
}

// change stores a client with something changed.
func change(t *testing.T, s *providertest.Server, c storage.Client, f func(*storage.Client)) storage.Client {
	t.Helper()
	c, err := s.Store.Client(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	f(&c)
	if c, err = s.Store.SaveClient(t.Context(), c, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestExchangeGoesNoFurther(t *testing.T) {
	t.Parallel()
	s := newStreet(t)
	token := s.atA()
	for n := range 4 {
		a := s.exchange(s.a, token, "resource", apiA)
		if a.Status != 200 {
			t.Fatalf("exchange %d: %d %s", n+1, a.Status, a.Body)
		}
		token = a.Text("access_token")
	}
	wantError(t, s.exchange(s.a, token, "resource", apiA), 400, "invalid_request")
}

// Who impersonates leaves no trace in act, and is counted all the same.
func TestImpersonationGoesNoFurther(t *testing.T) {
	t.Parallel()
	s := newStreet(t)
	s.a.Client = change(t, s.Server, s.a.Client, func(c *storage.Client) { c.Exchange = storage.ExchangeImpersonation })
	token := s.atA()
	for range issue.MaxExchanges {
		token = s.good(t, s.a, token, "resource", apiA)
	}
	wantError(t, s.exchange(s.a, token, "resource", apiA), 400, "invalid_request")
}

// What a token was exchanged for on its way ends it too; what stands beside it, or before, goes on.
func TestRevokedOnTheWay(t *testing.T) {
	t.Parallel()
	s := newStreet(t)
	revoke := func(c caller, token string) {
		t.Helper()
		if a := s.Post("/revoke", c.Client, c.secret, url.Values{"token": {token}}); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	atA := s.atA()
	first, beside := s.good(t, s.a, atA, "resource", apiB), s.good(t, s.a, atA, "resource", apiB)
	second := s.good(t, s.b, first, "resource", apiC)
	third := s.good(t, s.c, second, "resource", apiA)
	revoke(s.a, first)
	for name, row := range map[string]struct {
		by     caller
		token  string
		active bool
	}{
		"the user's": {s.app, atA, true}, "beside it": {s.a, beside, true}, "itself": {s.a, first, false}, "the next": {s.b, second, false}, "the one after": {s.c, third, false},
	} {
		if s.active(row.by, row.token) != row.active {
			t.Errorf("%s: active is %t", name, !row.active)
		}
	}
	fewer := s.good(t, s.app, atA, "scope", "a:read")
	revoke(s.app, fewer)
	if s.active(s.app, fewer) || !s.active(s.app, atA) {
		t.Error("the app's own token with fewer scopes does not end, or more than it does")
	}
}

func TestExchangedTokensLiveNoLonger(t *testing.T) {
	t.Parallel()
	s := newStreet(t)
	atA := s.atA()
	s.Clock.Advance(9 * time.Minute)
	a := s.exchange(s.a, atA, "resource", apiC) // whose own tokens live an hour
	if a.JSON["expires_in"] != 60.0 || s.Verify(a.Text("access_token")).Claims["exp"] != s.Verify(atA).Claims["exp"] {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	s.Clock.Advance(time.Minute)
	if s.active(s.a, a.Text("access_token")) {
		t.Error("it lives longer")
	}
	wantError(t, s.exchange(s.a, atA, "resource", apiB), 400, "invalid_request")
}

func TestExchangedTokensEnd(t *testing.T) {
	t.Parallel()
	revoke := func(c func(*street) caller, token func(*tokens) string) func(*testing.T, *street, *tokens) {
		return func(t *testing.T, s *street, all *tokens) {
			if a := s.Post("/revoke", c(s).Client, c(s).secret, url.Values{"token": {token(all)}}); a.Status != 200 {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		}
	}
	app := func(s *street) caller { return s.app }
	byA := func(s *street) caller { return s.a }
	for name, row := range map[string]struct {
		end  func(*testing.T, *street, *tokens)
		left [4]bool // the user's at A, the one of A, another of A, A's own that B exchanged
	}{
		"nothing happens":                     {func(*testing.T, *street, *tokens) {}, [4]bool{true, true, true, true}},
		"RFC 7009 2: the subject's by itself": {revoke(app, func(all *tokens) string { return all.atA }), [4]bool{false, false, false, true}},
		"RFC 7009 2: the family":              {revoke(app, func(all *tokens) string { return all.refresh }), [4]bool{false, false, false, true}},
		"RFC 7009 2: the exchanged one":       {revoke(byA, func(all *tokens) string { return all.ofA }), [4]bool{true, false, true, true}},
		"RFC 7009 2: not by another": {func(t *testing.T, s *street, all *tokens) {
			wantError(t, s.Post("/revoke", s.app.Client, s.app.secret, url.Values{"token": {all.ofA}}), 400, "invalid_grant")
			wantError(t, s.Post("/revoke", s.b.Client, s.b.secret, url.Values{"token": {all.ofA}}), 400, "invalid_grant")
			wantError(t, s.Post("/revoke", s.a.Client, s.a.secret, url.Values{"token": {all.ofOwn}}), 400, "invalid_grant")
		}, [4]bool{true, true, true, true}},
		"CVE-2025-64521: the user is disabled": {func(t *testing.T, s *street, _ *tokens) {
			u, err := s.Store.User(t.Context(), s.user.Sub)
			if err != nil {
				t.Fatal(err)
			}
			u.Disabled = true
			save(t, s.Server, u, true)
		}, [4]bool{false, false, false, true}},
		"the user is removed": {func(t *testing.T, s *street, _ *tokens) { remove(t, s.Server, s.user) }, [4]bool{false, false, false, true}},
		"the user signs out everywhere": {func(t *testing.T, s *street, _ *tokens) {
			if _, err := s.Store.EndUser(t.Context(), s.user.Sub, storage.Change{Now: s.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
		}, [4]bool{false, false, false, true}},
		"the app is put out of use": {func(t *testing.T, s *street, _ *tokens) {
			change(t, s.Server, s.app.Client, func(c *storage.Client) { c.GrantTypes = nil })
		}, [4]bool{false, false, false, true}},
		"A may not exchange any more": {func(t *testing.T, s *street, _ *tokens) {
			change(t, s.Server, s.a.Client, func(c *storage.Client) { c.GrantTypes = []string{clients.GrantService} })
		}, [4]bool{true, false, false, true}},
		"A may not act for itself any more": {func(t *testing.T, s *street, _ *tokens) {
			change(t, s.Server, s.a.Client, func(c *storage.Client) { c.GrantTypes = []string{clients.GrantExchange} })
		}, [4]bool{true, true, true, false}},
		"A is removed": {func(t *testing.T, s *street, _ *tokens) {
			if err := s.Store.RemoveClient(t.Context(), s.a.ID, storage.Change{Now: s.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
		}, [4]bool{true, false, false, false}},
		"B may not exchange any more": {func(t *testing.T, s *street, _ *tokens) {
			change(t, s.Server, s.b.Client, func(c *storage.Client) { c.GrantTypes = []string{clients.GrantService} })
		}, [4]bool{true, true, true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStreet(t)
			signedIn := s.signIn("openid offline_access a:read", apiA)
			all := &tokens{atA: signedIn.Text("access_token"), refresh: signedIn.Text("refresh_token")}
			all.ofA, all.ofA2 = s.good(t, s.a, all.atA, "resource", apiB), s.good(t, s.a, all.atA, "resource", apiB)
			all.ofOwn = s.good(t, s.b, s.own(s.a, "resource", apiB), "resource", apiC)
			row.end(t, s, all)
			got := [4]bool{
				s.live(t, all.atA), s.live(t, all.ofA), s.live(t, all.ofA2), s.live(t, all.ofOwn),
			}
			if got != row.left {
				t.Errorf("left %v, want %v", got, row.left)
			}
			for n, token := range []string{all.atA, all.ofA, all.ofA2, all.ofOwn} {
				if by := []caller{s.app, s.b, s.b, s.c}[n]; !row.left[n] && by.ID != s.a.ID {
					if a := s.exchange(by, token); a.Status == 200 {
						t.Errorf("token %d is over and can be exchanged", n)
					}
				}
			}
		})
	}
}

type tokens struct{ atA, refresh, ofA, ofA2, ofOwn string }

// live asks whether a token is, as somebody whom it is for.
func (s *street) live(t *testing.T, token string) bool {
	t.Helper()
	c, secret := s.With(t).Client("service", "Watch", func(c *storage.Client) { c.Resources = []string{apiA, apiB, apiC} })
	return active(s.Server, c, secret, token)
}

func TestExchangeRefusals(t *testing.T) {
	t.Parallel()
	s := newStreet(t)
	atA := s.atA()
	without, secret := s.Client("service", "Without", func(c *storage.Client) { c.Resources = []string{apiA} })
	wantError(t, s.exchange(caller{without, secret}, atA), 400, "unauthorized_client")
	t.Run("a client without credentials, stored as no rule lets it be", func(t *testing.T) {
		spa, _ := s.Client("spa", "Page")
		spa = change(t, s.Server, spa, func(c *storage.Client) { exchanging(c); c.Resources = []string{apiA} })
		wantError(t, s.exchange(caller{spa, ""}, atA), 400, "unauthorized_client")
		if err := clients.Validate(spa); err == nil {
			t.Error("and the rules let it be")
		}
	})
	t.Run("RFC 6749 5.2: a wrong secret", func(t *testing.T) {
		wantError(t, s.exchange(caller{s.a.Client, "wrong"}, atA), 401, "invalid_client")
	})
	t.Run("RFC 6749 3.2: a parameter twice", func(t *testing.T) {
		a := s.Post("/token", s.a.Client, s.a.secret, url.Values{
			"grant_type": {clients.GrantExchange}, "subject_token": {atA, atA}, "subject_token_type": {accessToken},
		})
		wantError(t, a, 400, "invalid_request")
	})
	t.Run("a resource that is gone", func(t *testing.T) {
		if err := s.Store.RemoveResource(t.Context(), apiC, storage.Change{Now: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		wantError(t, s.exchange(s.a, atA, "resource", apiC), 400, "invalid_target")
	})
}

// The library that other people's services use.
func TestExchangeByALibrary(t *testing.T) {
	t.Parallel()
	s := newStreet(t, func(c *providertest.Config) { c.Real = true })
	atA := s.atA()
	exchanger, err := tokenexchange.NewTokenExchangerClientCredentials(t.Context(), s.Issuer, s.a.ID, s.a.secret)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tokenexchange.ExchangeToken(t.Context(), exchanger, atA, zitadel.AccessTokenType, "", "", []string{apiB}, nil, []string{"b:read"}, zitadel.JWTTokenType)
	if err != nil {
		t.Fatal(err)
	}
	if got.IssuedTokenType != zitadel.JWTTokenType || got.TokenType != "Bearer" || s.Verify(got.AccessToken).Claims["aud"] != apiB || got.RefreshToken != "" {
		t.Errorf("%+v", got)
	}
}
