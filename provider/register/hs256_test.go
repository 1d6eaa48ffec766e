package register_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"signet/provider/providertest"
)

// bySecret is a key set that is the client's secret and nothing else.
type bySecret string

func (s bySecret) VerifySignature(_ context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return nil, err
	}
	if jws.Signatures[0].Protected.KeyID != "" {
		return nil, errors.New("a kid")
	}
	return jws.Verify([]byte(s))
}

// Registration 2, id_token_signed_response_alg, and userinfo_signed_response_alg likewise.
func TestRegistrationForHS256(t *testing.T) {
	t.Parallel()
	const idToken, userinfo = "id_token_signed_response_alg", "userinfo_signed_response_alg"
	t.Run("off: refused, and nothing is stored", func(t *testing.T) {
		t.Parallel()
		s := server(t, "open")
		for _, field := range []string{idToken, userinfo} {
			for _, method := range []string{"client_secret_basic", "client_secret_post", "client_secret_jwt"} {
				a := register(t, s, "", app(field, "HS256", "token_endpoint_auth_method", method))
				if a.Status != http.StatusBadRequest || a.Error() != "invalid_client_metadata" || !strings.HasPrefix(a.Text("error_description"), field) {
					t.Errorf("%s: %d %s", method, a.Status, a.Body)
				}
			}
		}
		r := mustRegister(t, s, app())
		if a := r.update(metadata{idToken: "HS256"}); a.Error() != "invalid_client_metadata" || count(t, s) != 1 {
			t.Errorf("%d %s; %d clients", a.Status, a.Body, count(t, s))
		}
		if a := r.call(http.MethodGet, nil); a.Text(idToken) != "RS256" {
			t.Errorf("it was changed: %s", a.Body)
		}
	})
	on := func(t *testing.T) *providertest.Server {
		return server(t, "open", func(c *providertest.Config) { c.HS256 = true })
	}
	t.Run("no secret, no HS256", func(t *testing.T) {
		t.Parallel()
		s := on(t)
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1"}}}
		for _, field := range []string{idToken, userinfo} {
			for name, m := range map[string]metadata{
				"public":             app(field, "HS256", "token_endpoint_auth_method", "none"),
				"private_key_jwt":    app(field, "HS256", "token_endpoint_auth_method", "private_key_jwt", "jwks", keys),
				"HS384":              app(field, "HS384"),
				"HS512":              app(field, "HS512", "token_endpoint_auth_method", "client_secret_jwt"),
				"RFC 8725 3.1: none": app(field, "none"),
			} {
				a := register(t, s, "", m)
				if a.Status != http.StatusBadRequest || a.Error() != "invalid_client_metadata" || !strings.Contains(a.Text("error_description"), field) {
					t.Errorf("%s of %s: %d %s", field, name, a.Status, a.Body)
				}
			}
		}
		if n := count(t, s); n != 0 {
			t.Errorf("%d clients are stored", n)
		}
	})
	t.Run("RFC 7592 2.2: to HS256 and from it the secret is a new one", func(t *testing.T) {
		t.Parallel()
		s := on(t)
		s.User("alice")
		r := mustRegister(t, s, app())
		before := r.text("client_secret")
		stored := func() (sealed bool) {
			t.Helper()
			c, err := s.Store.Client(t.Context(), r.text("client_id"))
			if err != nil {
				t.Fatal(err)
			}
			return c.SealedSecret != nil
		}
		authenticates := func(secret string) bool {
			t.Helper()
			c, err := s.Store.Client(t.Context(), r.text("client_id"))
			if err != nil {
				t.Fatal(err)
			}
			return s.Redeem(c, secret, "no code").Error() == "invalid_grant"
		}
		r.update(metadata{idToken: "HS256"})
		secret := r.text("client_secret")
		if r.text(idToken) != "HS256" || len(secret) < 32 || secret == before || !stored() || !authenticates(secret) || authenticates(before) {
			t.Fatalf("Core 16.19: a secret of %d characters, sealed: %t", len(secret), stored())
		}
		c, err := s.Store.Client(t.Context(), r.text("client_id"))
		if err != nil {
			t.Fatal(err)
		}
		token := s.Redeem(c, secret, s.Browser("alice").Code(c)).Text("id_token")
		v := oidc.NewVerifier(s.Issuer, bySecret(secret), &oidc.Config{ClientID: c.ID, SupportedSigningAlgs: []string{"HS256"}, Now: s.Clock.Now})
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("Core 10.1: %v", err)
		}

		r.update(metadata{"client_name": "Renamed", userinfo: "HS256"})
		if r.text("client_secret") != "" || !authenticates(secret) {
			t.Errorf("an update that needs no other secret made one: %v", r.metadata)
		}
		if a := r.call(http.MethodGet, nil); a.Text(idToken) != "HS256" || a.Text("client_secret") != "" {
			t.Errorf("RFC 7592 2.1: %s", a.Body)
		}
		r.update(metadata{"token_endpoint_auth_method": "client_secret_jwt"}) // sealed already
		if r.text("client_secret") != "" || !stored() {
			t.Errorf("a new secret was made: %v", r.metadata)
		}
		if a := assert(t, s, c.ID, jose.HS256, []byte(secret)); a.Status != http.StatusOK {
			t.Errorf("Core 9: the same secret signs assertions: %d %s", a.Status, a.Body)
		}
		r.update(metadata{"token_endpoint_auth_method": "client_secret_post", idToken: "ES256"}) // userinfo is left
		if r.text("client_secret") != "" || !stored() {
			t.Errorf("a new secret was made: %v", r.metadata)
		}
		r.update(metadata{userinfo: nil})
		if last := r.text("client_secret"); last == "" || last == secret || stored() || !authenticates(last) || authenticates(secret) {
			t.Errorf("the sealed secret goes on: %v", r.metadata)
		}
	})
}

// One secret signs three kinds of JWT with HS256; none of them is good as another.
func TestOneSecretForThreeKindsOfJWT(t *testing.T) {
	t.Parallel()
	s := server(t, "open", func(c *providertest.Config) { c.HS256 = true })
	s.User("alice")
	r := mustRegister(t, s, app("id_token_signed_response_alg", "HS256", "request_object_signing_alg", "HS256"))
	c, err := s.Store.Client(t.Context(), r.text("client_id"))
	if err != nil {
		t.Fatal(err)
	}
	secret := r.text("client_secret")
	token := s.Redeem(c, secret, s.Browser("alice").Code(c)).Text("id_token")
	if _, err := bySecret(secret).VerifySignature(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	object := macOf(t, secret, map[string]any{"iss": c.ID, "aud": s.Issuer, "client_id": c.ID, "nonce": "of the object"})
	if o := s.Browser("alice").Authorize(c, "request", object); o.Params.Get("code") == "" {
		t.Fatalf("Core 6.1: a good request object: %v %s", o.Params, o.Page.Body)
	}
	if o := s.Browser("alice").Authorize(c, "request", token); o.Params.Get("error") != "invalid_request_object" {
		t.Errorf("RFC 9101 10.8: an ID token is taken for a request object: %v", o.Params)
	}
	if o := s.Browser("alice").Authorize(c, "id_token_hint", object); o.Params.Get("error") != "invalid_request" {
		t.Errorf("RFC 8725 3.11: a request object is taken for an ID token: %v", o.Params)
	}

	r.update(metadata{"token_endpoint_auth_method": "client_secret_jwt"}) // the secret stays
	now := s.Clock.Now().Unix()
	assertion := macOf(t, secret, map[string]any{"iss": c.ID, "sub": c.ID, "aud": s.Issuer, "jti": "1", "iat": now, "exp": now + 60})
	if o := s.Browser("alice").Authorize(c, "id_token_hint", assertion); o.Params.Get("error") != "invalid_request" {
		t.Errorf("RFC 8725 3.11: an assertion is taken for an ID token: %v", o.Params)
	}
	if o := s.Browser("alice").Authorize(c, "request", assertion); o.Params.Get("error") != "invalid_request_object" {
		t.Errorf("RFC 9101 10.8: an assertion is taken for a request object: %v", o.Params)
	}
	for name, row := range map[string]struct{ token, want string }{
		"an ID token":      {token, "invalid_client"},
		"a request object": {object, "invalid_client"},
		"an assertion":     {assertion, ""},
	} {
		a := s.Do(s.Request(http.MethodPost, "/introspect", url.Values{
			"token": {"x"}, "client_assertion": {row.token}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		}))
		if a.Error() != row.want {
			t.Errorf("RFC 7523 3: %s as an assertion: %d %s", name, a.Status, a.Body)
		}
	}
}

// macOf signs claims with the secret.
func macOf(t *testing.T, secret string, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(secret)}, (&jose.SignerOptions{}).WithType("JWT"))
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
