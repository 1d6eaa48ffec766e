package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2/jwt"

	"signet/audit"
	"signet/clients"
	"signet/clients/keyset"
	"signet/provider/assertion"
	"signet/provider/providertest"
	"signet/storage"
)

var issuerKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

var issuerRSA = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

const (
	cluster  = "https://kubernetes.default.svc.cluster.local"
	forge    = "https://forge.example"
	employer = "https://login.example"
	prod     = "system:serviceaccount:prod:"
)

// workloads is a server that trusts a cluster, a forge and an employer.
func workloads(t *testing.T, change ...func(*providertest.Config)) *street {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: issuerKey().Public(), KeyID: "k"}, {Key: issuerRSA().Public(), KeyID: "r"}}})
	if err != nil {
		t.Fatal(err)
	}
	set, err := keyset.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	trust := func(issuer string, single bool, rules ...assertion.Rule) assertion.Issuer {
		d := assertion.NewDeclaration(issuer)
		d.SingleUse, d.Subjects = single, rules
		return assertion.Issuer{Declaration: d, Keys: assertion.Known{Set: set}}
	}
	return newStreet(t, append(change, func(c *providertest.Config) {
		c.TrustedIssuers = []assertion.Issuer{
			trust(cluster, false,
				assertion.Rule{Subject: prod + "orders", Client: "orders"}, assertion.Rule{Subject: prod + "*", Client: "others"},
				assertion.Rule{Subject: "system:serviceaccount:nobody:x", Client: "nobody"}, assertion.Rule{Subject: "system:serviceaccount:bare:x", Client: "bare"}),
			trust(forge, true, assertion.Rule{Subject: "repo:acme/app:environment:*", Client: "orders"}),
			trust(employer, false, assertion.Rule{Subject: "named", User: assertion.UserName}, assertion.Rule{Subject: "*", User: assertion.UserEmail}),
		}
	})...)
}

func bearing(c *storage.Client) { c.GrantTypes = append(c.GrantTypes, clients.GrantBearer) }

// workload is a client without a secret, whose id is chosen.
func (s *street) workload(id string, change ...func(*storage.Client)) caller {
	c, secret := s.Client("service", id, append([]func(*storage.Client){func(c *storage.Client) {
		c.ID, c.GrantTypes, c.TokenEndpointAuthMethod = id, []string{clients.GrantBearer}, clients.AuthNone
		c.Access = []storage.Access{{Resource: apiB, Scopes: []string{"b:read"}}}
	}}, change...)...)
	return caller{c, secret}
}

// says is what an issuer says, with the pairs in change; nil takes one away.
func (s *street) says(issuer, sub string, change ...any) map[string]any {
	now := s.Clock.Now()
	claims := map[string]any{"iss": issuer, "sub": sub, "aud": []string{s.Issuer}, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	for i := 0; i < len(change); i += 2 {
		if claims[change[i].(string)] = change[i+1]; change[i+1] == nil {
			delete(claims, change[i].(string))
		}
	}
	return claims
}

// asserted is an assertion without a typ, as clusters make them.
func asserted(t *testing.T, claims map[string]any, header ...string) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithHeader("kid", "k")
	for i := 0; i < len(header); i += 2 {
		options.WithHeader(jose.HeaderKey(header[i]), header[i+1])
	}
	return signed(t, jose.SigningKey{Algorithm: jose.ES256, Key: issuerKey()}, options, claims)
}

func signed(t *testing.T, key jose.SigningKey, options *jose.SignerOptions, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(key, options)
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

// bearer presents an assertion, as a client or, with the zero one, as nobody.
func (s *street) bearer(c caller, token string, more ...string) providertest.Answer {
	form := edit(url.Values{"grant_type": {clients.GrantBearer}, "assertion": {token}}, more...)
	if c.ID == "" {
		return s.Do(s.Request("POST", "/token", form))
	}
	return s.Post("/token", c.Client, c.secret, form)
}

func TestBearerOfAWorkload(t *testing.T) {
	t.Parallel()
	s := workloads(t)
	orders := s.workload("orders")
	var nobody caller
	token := asserted(t, s.says(cluster, prod+"orders"))
	a := s.bearer(nobody, token, "resource", apiB)
	got := a.Text("access_token")
	if a.Status != 200 || a.Text("scope") != "b:read" || a.JSON["expires_in"] != 600.0 || a.JSON["refresh_token"] != nil || a.JSON["id_token"] != nil {
		t.Fatalf("RFC 7521 4.1: %d %s", a.Status, a.Body)
	}
	claims := s.Verify(got).Claims
	if claims["sub"] != "orders" || claims["client_id"] != "orders" || claims["aud"] != apiB || claims["scope"] != "b:read" || claims["act"] != nil {
		t.Errorf("RFC 9068 2.2: %v", claims)
	}
	if !s.live(t, got) {
		t.Error("RFC 7662 2.2: it is not active")
	}
	t.Run("RFC 7521 4.1: with its client_id", func(t *testing.T) {
		if a := s.with(t).bearer(orders, token, "resource", apiB, "scope", "b:read"); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("again, where it is not to be used once", func(t *testing.T) {
		if a := s.with(t).bearer(nobody, token, "resource", apiB); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("the first rule that fits", func(t *testing.T) {
		s.with(t).workload("others")
		if a := s.with(t).bearer(nobody, asserted(t, s.says(cluster, prod+"never")), "resource", apiB); s.with(t).Verify(a.Text("access_token")).Claims["sub"] != "others" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("RFC 8693: it can be exchanged on", func(t *testing.T) {
		if a := s.with(t).exchange(s.b, got, "resource", apiC); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("RFC 8414 2: it is published", func(t *testing.T) {
		if grants := s.with(t).Get("/.well-known/openid-configuration", "").JSON["grant_types_supported"].([]any); !slices.Contains(grants, any(clients.GrantBearer)) {
			t.Errorf("%v", grants)
		}
	})
	t.Run("it ends with the grant type", func(t *testing.T) {
		change(t, s.Server, orders.Client, func(c *storage.Client) { c.GrantTypes = []string{clients.GrantExchange} })
		if s.with(t).live(t, got) {
			t.Error("it is active")
		}
		wantError(t, s.with(t).bearer(nobody, token, "resource", apiB), 400, "unauthorized_client")
	})
}

func TestBearerRefusals(t *testing.T) {
	t.Parallel()
	s := workloads(t)
	orders := s.workload("orders")
	s.Client("service", "Bare", func(c *storage.Client) { c.ID = "bare" })
	web, webSecret := s.Client("web", "App", bearing)
	without, withoutSecret := s.Client("web", "Without")
	var nobody caller
	good := asserted(t, s.says(cluster, prod+"orders"))
	der, err := x509.MarshalPKIXPublicKey(issuerRSA().Public())
	if err != nil {
		t.Fatal(err)
	}
	hmac := signed(t, jose.SigningKey{Algorithm: jose.HS256, Key: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}, nil, s.says(cluster, prod+"orders"))
	is := func(change ...any) string { return asserted(t, s.says(cluster, prod+"orders", change...)) }
	ours := s.own(s.a, "resource", apiB)
	for name, row := range map[string]struct {
		by     caller
		token  string
		more   []string
		status int
		code   string
	}{
		"RFC 7523 2.1: no assertion":              {nobody, "", []string{"assertion", ""}, 400, "invalid_request"},
		"RFC 7523 2.1: no assertion, of a client": {orders, "", []string{"assertion", ""}, 400, "invalid_request"},
		"no JWT":                                          {nobody, "x", nil, 400, "invalid_grant"},
		"RFC 8725 3.2: none":                              {nobody, "eyJhbGciOiJub25lIn0." + half("ES256", good) + ".", nil, 400, "invalid_grant"},
		"CVE-2015-9235: HMAC by the public key":           {nobody, hmac, nil, 400, "invalid_grant"},
		"RFC 8725 3.10: jku":                              {nobody, asserted(t, s.says(cluster, prod+"orders"), "jku", "https://evil.example"), nil, 400, "invalid_grant"},
		"RFC 8725 3.11: typ":                              {nobody, asserted(t, s.says(cluster, prod+"orders"), "typ", "at+jwt"), nil, 400, "invalid_grant"},
		"an access token of ours":                         {nobody, ours, nil, 400, "invalid_grant"},
		"tampered":                                        {nobody, providertest.Tampered(good), nil, 400, "invalid_grant"},
		"RFC 7523 3 item 1: another issuer":               {nobody, is("iss", "https://evil.example"), nil, 400, "invalid_grant"},
		"RFC 7523 3 item 3: another audience":             {nobody, is("aud", "https://api.example"), nil, 400, "invalid_grant"},
		"CVE-2025-27370: several audiences":               {nobody, is("aud", []string{s.Issuer, "https://api.example"}), nil, 400, "invalid_grant"},
		"RFC 7523 3 item 4: expired":                      {nobody, is("exp", s.Clock.Now().Add(-time.Minute).Unix()), nil, 400, "invalid_grant"},
		"RFC 7523 3 item 4: no exp":                       {nobody, is("exp", nil), nil, 400, "invalid_grant"},
		"RFC 7523 3 item 5: not yet":                      {nobody, is("nbf", s.Clock.Now().Add(time.Minute).Unix()), nil, 400, "invalid_grant"},
		"RFC 7523 3 item 6: for too long":                 {nobody, is("exp", s.Clock.Now().Add(25*time.Hour).Unix()), nil, 400, "invalid_grant"},
		"RFC 7523 3 item 2: no rule":                      {nobody, is("sub", "system:serviceaccount:test:orders"), nil, 400, "invalid_grant"},
		"a * goes over no colon":                          {nobody, is("sub", "system:serviceaccount:prod:a:b"), nil, 400, "invalid_grant"},
		"another namespace that begins alike":             {nobody, is("sub", "system:serviceaccount:prod-evil:orders"), nil, 400, "invalid_grant"},
		"a rule for a client that is not there":           {nobody, is("sub", "system:serviceaccount:nobody:x"), nil, 400, "invalid_grant"},
		"RFC 6749 5.2: a client that lacks the grant":     {nobody, is("sub", "system:serviceaccount:bare:x"), nil, 400, "unauthorized_client"},
		"RFC 7521 4.1: another client's credentials":      {caller{web, webSecret}, good, nil, 400, "invalid_grant"},
		"RFC 7521 4.1: bad credentials beside it":         {caller{web, "wrong"}, good, nil, 401, "invalid_client"},
		"RFC 7521 4.1: a client without the grant":        {caller{without, withoutSecret}, good, nil, 400, "unauthorized_client"},
		"RFC 7521 4.2: a user, and no client":             {nobody, asserted(t, s.says(employer, "7391", "email", "ada@example.com", "email_verified", true)), nil, 401, "invalid_client"},
		"RFC 8707 2: a resource that it has no access to": {nobody, good, []string{"resource", apiA}, 400, "invalid_target"},
		"RFC 8707 2: open to users alone":                 {nobody, good, []string{"resource", open}, 400, "invalid_target"},
		"RFC 6749 5.2: more scopes than its access has":   {nobody, good, []string{"resource", apiB, "scope", "b:write"}, 400, "invalid_scope"},
		"RFC 6749 5.2: openid":                            {nobody, good, []string{"resource", apiB, "scope", "openid"}, 400, "invalid_scope"},
		"RFC 6749 2.3: no client, and another grant":      {nobody, good, []string{"grant_type", "client_credentials"}, 401, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantError(t, s.with(t).bearer(row.by, row.token, row.more...), row.status, row.code)
		})
	}
	t.Run("RFC 8414 2: nobody is trusted, and it is not published", func(t *testing.T) {
		t.Parallel()
		s := newStreet(t)
		wantError(t, s.bearer(s.a, good), 400, "unsupported_grant_type")
		wantError(t, s.bearer(nobody, good), 401, "invalid_client")
		if grants := s.Get("/.well-known/openid-configuration", "").JSON["grant_types_supported"].([]any); slices.Contains(grants, any(clients.GrantBearer)) {
			t.Errorf("%v", grants)
		}
	})
}

func TestBearerOnce(t *testing.T) {
	t.Parallel()
	s := workloads(t)
	s.workload("orders")
	var nobody caller
	job := func(jti any) string { return asserted(t, s.says(forge, "repo:acme/app:environment:prod", "jti", jti)) }
	token := job("1")
	wantError(t, s.bearer(nobody, token, "resource", apiA), 400, "invalid_target") // which does not use it up
	var group sync.WaitGroup
	answers := make([]providertest.Answer, 6)
	for n := range answers {
		group.Go(func() { answers[n] = s.bearer(nobody, token, "resource", apiB) })
	}
	group.Wait()
	good := 0
	for _, a := range answers {
		if a.Status == 200 {
			good++
		} else {
			wantError(t, a, 400, "invalid_grant")
		}
	}
	if good != 1 {
		t.Errorf("RFC 7523 3 item 7: good %d times", good)
	}
	s.Clock.Advance(59 * time.Minute)
	wantError(t, s.bearer(nobody, token, "resource", apiB), 400, "invalid_grant")
	wantError(t, s.bearer(nobody, job(nil), "resource", apiB), 400, "invalid_grant")
	if a := s.bearer(nobody, job("2"), "resource", apiB); a.Status != 200 {
		t.Errorf("another: %d %s", a.Status, a.Body)
	}
}

func TestBearerOfAUser(t *testing.T) {
	t.Parallel()
	ada := func(s *street, change ...any) map[string]any {
		return s.says(employer, "7391", append([]any{"email", "ada@example.com", "email_verified", true}, change...)...)
	}
	portal := func(t *testing.T, s *street) caller {
		c, secret := s.With(t).Client("web", "Portal", bearing, access(storage.Access{Resource: apiB, Scopes: []string{"b:read"}}), func(c *storage.Client) { c.Scopes = append(c.Scopes, "orders.read") })
		return caller{c, secret}
	}
	t.Run("RFC 7523 2.1: a token in the user's name", func(t *testing.T) {
		t.Parallel()
		s := workloads(t)
		by := portal(t, s)
		a := s.bearer(by, asserted(t, ada(s)), "resource", apiB, "scope", "b:read orders.read")
		token := a.Text("access_token")
		if a.Status != 200 || a.Text("scope") != "b:read orders.read" || a.JSON["refresh_token"] != nil || a.JSON["id_token"] != nil {
			t.Fatalf("RFC 7521 4.1: %d %s", a.Status, a.Body)
		}
		claims := s.Verify(token).Claims
		if claims["sub"] != s.user.Sub || claims["client_id"] != by.ID || claims["aud"] != apiB || claims["auth_time"] != nil || claims["acr"] != nil {
			t.Errorf("RFC 9068 2.2.1: nobody signed in: %v", claims)
		}
		if !s.active(by, token) {
			t.Error("RFC 7662 2.2: it is not active")
		}
		if !slices.Contains(events(t, s.Server), audit.AssertionGranted) {
			t.Error("it is not recorded")
		}
		if _, err := s.Store.EndUser(t.Context(), s.user.Sub, storage.Change{Now: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		if s.active(by, token) {
			t.Error("it outlives the user's sign-out everywhere")
		}
	})
	for name, row := range map[string]struct {
		before func(*testing.T, *street)
		claims []any
		sub    string
		more   []string
		code   string // "": it is good
	}{
		"by address":              {nil, nil, "", nil, ""},
		"by address, in capitals": {nil, []any{"email", "Ada@Example.com"}, "", nil, ""},
		"by name":                 {nil, []any{"preferred_username", "ada"}, "named", nil, ""},
		"by name, which is the address of another":    {nil, []any{"preferred_username", "ada@example.com"}, "named", nil, "invalid_grant"},
		"by address, which is the name of a user":     {nil, []any{"email", "ada"}, "", nil, "invalid_grant"},
		"by address, which the issuer did not verify": {nil, []any{"email_verified", false}, "", nil, "invalid_grant"},
		"by address, of nobody":                       {nil, []any{"email", "eve@example.com"}, "", nil, "invalid_grant"},
		"by address, which we did not verify": {func(t *testing.T, s *street) {
			u := s.user
			u.EmailVerified = false
			save(t, s.Server, u, false)
		}, nil, "", nil, "invalid_grant"},
		"CVE-2025-64521: a user who is disabled": {func(t *testing.T, s *street) {
			u := s.user
			u.Disabled = true
			save(t, s.Server, u, true)
		}, nil, "", nil, "invalid_grant"},
		"a user who was removed":                {func(t *testing.T, s *street) { remove(t, s.Server, s.user) }, nil, "", nil, "invalid_grant"},
		"RFC 7521 4.1: offline_access":          {nil, nil, "", []string{"scope", "offline_access"}, "invalid_scope"},
		"openid, for nobody signs in":           {nil, nil, "", []string{"scope", "openid"}, "invalid_scope"},
		"RFC 6749 5.2: more than its access":    {nil, nil, "", []string{"scope", "b:write"}, "invalid_scope"},
		"RFC 8707 2: open to who asks users":    {nil, nil, "", []string{"resource", open}, "invalid_target"},
		"RFC 8707 2: where it has no access to": {nil, nil, "", []string{"resource", apiA}, "invalid_target"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := workloads(t)
			by := portal(t, s)
			if row.before != nil {
				row.before(t, s)
			}
			claims := ada(s, row.claims...)
			if row.sub != "" {
				claims = maps.Clone(claims)
				claims["sub"] = row.sub
			}
			a := s.bearer(by, asserted(t, claims), append([]string{"resource", apiB}, row.more...)...)
			if row.code != "" {
				wantError(t, a, 400, row.code)
			} else if a.Status != 200 || s.Verify(a.Text("access_token")).Claims["sub"] != s.user.Sub {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
}

// The library with which services of a well-known cloud do it. It signs with RS256, is its own issuer, and says which token is wanted by scope.
func TestBearerByALibrary(t *testing.T) {
	t.Parallel()
	s := workloads(t, func(c *providertest.Config) { c.Real = true })
	s.workload("orders", func(c *storage.Client) { c.DefaultResource = apiB })
	config := jwt.Config{
		Email: forge, Subject: "repo:acme/app:environment:prod", PrivateKeyID: "r", Scopes: []string{"b:read"}, TokenURL: s.Issuer + "/token", Expires: time.Minute,
		PrivateKey:    pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(issuerRSA())}),
		PrivateClaims: map[string]any{"jti": "1"},
	}
	token, err := config.TokenSource(t.Context()).Token()
	if err != nil {
		t.Fatal(err)
	}
	if claims := s.Verify(token.AccessToken).Claims; claims["sub"] != "orders" || claims["aud"] != apiB {
		t.Errorf("%v", claims)
	}
	if _, err := config.TokenSource(t.Context()).Token(); err == nil {
		t.Error("RFC 7523 3 item 7: its jti came twice")
	}
}
