package register_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/provider/providertest"
)

// assert signs a client assertion, as openid-client does, and asks something that only an authenticated client may ask.
func assert(t *testing.T, s *providertest.Server, id string, alg jose.SignatureAlgorithm, key any) providertest.Answer {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := s.Clock.Now()
	payload, err := json.Marshal(metadata{
		"iss": id, "sub": id, "aud": []string{s.Issuer}, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
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
	return s.With(t).Do(s.Request(http.MethodPost, "/introspect", url.Values{
		"token": {"x"}, "client_assertion": {token}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}))
}

// Core 9, by clients that registered themselves.
func TestClientsThatSign(t *testing.T) {
	t.Parallel()
	s := server(t, "open")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1"}}}
	good := func(a providertest.Answer) {
		t.Helper()
		if a.Status != http.StatusOK {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	refused := func(a providertest.Answer) {
		t.Helper()
		if a.Error() != "invalid_client" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	a := register(t, s, "", metadata{"redirect_uris": []string{"https://app.example/cb"}, "token_endpoint_auth_method": "client_secret_jwt"})
	if a.Status != http.StatusCreated {
		t.Fatal(a.Status, a.Body)
	}
	r := &registered{t, s, a.JSON}
	id, secret := r.text("client_id"), r.text("client_secret")
	if len(secret) < 64 {
		t.Errorf("RFC 7518 3.2: a secret of %d characters is too short for HS512", len(secret))
	}
	for _, alg := range []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512} {
		good(assert(t, s, id, alg, []byte(secret)))
	}

	// An update that leaves the method leaves the secret; one to another kind makes a new one.
	a = r.update(metadata{"client_name": "Renamed"})
	r.metadata = a.JSON
	good(assert(t, s, id, jose.HS256, []byte(secret)))
	a = r.update(metadata{"token_endpoint_auth_method": "client_secret_basic"})
	r.metadata = a.JSON
	if now := r.text("client_secret"); a.Status != http.StatusOK || now == "" || now == secret {
		t.Errorf("%d, the secret was kept: %t", a.Status, now == secret)
	}
	refused(assert(t, s, id, jose.HS256, []byte(secret)))

	a = r.update(metadata{"token_endpoint_auth_method": "private_key_jwt", "jwks": keys})
	r.metadata = a.JSON
	if a.Status != http.StatusOK || r.text("client_secret") != "" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	good(assert(t, s, id, jose.ES256, jose.JSONWebKey{Key: key, KeyID: "1"}))
	refused(assert(t, s, id, jose.ES256, jose.JSONWebKey{Key: key, KeyID: "2"}))
	refused(assert(t, s, id, jose.HS256, []byte(secret)))

	for name, bad := range map[string]metadata{
		"private_key_jwt without keys":   {"token_endpoint_auth_method": "private_key_jwt"},
		"Registration 2: both":           {"jwks": keys, "jwks_uri": "https://app.example/keys"},
		"a private key":                  {"jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key}}}},
		"HS256 for private_key_jwt":      {"token_endpoint_auth_method": "private_key_jwt", "jwks": keys, "token_endpoint_auth_signing_alg": "HS256"},
		"ES256 for client_secret_jwt":    {"token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "ES256"},
		"an inner jwks_uri":              {"jwks_uri": "http://169.254.169.254/keys"},
		"a jwks_uri of another scheme":   {"jwks_uri": "file:///etc/passwd"},
		"a method that is not there":     {"token_endpoint_auth_method": "tls_client_auth"},
		"a method in another case":       {"token_endpoint_auth_method": "PRIVATE_KEY_JWT", "jwks": keys},
		"none as the assertions' alg":    {"token_endpoint_auth_method": "private_key_jwt", "jwks": keys, "token_endpoint_auth_signing_alg": "none"},
		"an alg where nothing is signed": {"token_endpoint_auth_signing_alg": "RS256"},
	} {
		bad["redirect_uris"] = []string{"https://app.example/cb"}
		if a := register(t, s, "", bad); a.Status != http.StatusBadRequest || a.Error() != "invalid_client_metadata" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}
