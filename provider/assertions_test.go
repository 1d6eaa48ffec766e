package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/clients"
	"signet/fetch"
	"signet/provider/providertest"
	"signet/storage"
)

// TestAssertionsAtEachEndpoint: OpenID Connect Core 9, RFC 7009 section 2.1 and RFC 7662 section 2.1, with keys from a jwks_uri that
// changes them.
func TestAssertionsAtEachEndpoint(t *testing.T) {
	t.Parallel()
	first, second := newKey(t, "1"), newKey(t, "2")
	var published atomic.Pointer[jose.JSONWebKeySet]
	published.Store(&jose.JSONWebKeySet{Keys: []jose.JSONWebKey{first.Public()}})
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		_ = json.NewEncoder(w).Encode(published.Load())
	}))
	t.Cleanup(site.Close)
	closed := providertest.New(t) // nothing but public addresses
	s := providertest.New(t, func(c *providertest.Config) {
		c.Fetch = fetch.New(fetch.Options{Timeout: time.Minute, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	})
	keyed := func(c *storage.Client) { c.TokenEndpointAuthMethod, c.JWKSURI = clients.AuthKeyJWT, site.URL }

	ask := func(s *providertest.Server, id, path, token string, form url.Values) providertest.Answer {
		form.Set("client_id", id)
		form.Set("client_assertion", token)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		return s.Do(s.Request(http.MethodPost, path, form))
	}
	is := func(what string, a providertest.Answer, status int, code string) {
		t.Helper()
		if a.Status != status || a.Error() != code {
			t.Errorf("%s: %d %s, want %d %s", what, a.Status, a.Body, status, code)
		}
	}
	c, secret := s.Client(clients.Web, "keyed", keyed)
	if secret != "" {
		t.Error("it has a secret")
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"none of ours"}}
	for _, aud := range []any{s.Issuer, s.Issuer + "/token", []string{s.Issuer}} {
		is("token", ask(s, c.ID, "/token", first.assertion(t, s, c.ID, aud), refresh), 400, "invalid_grant")
		is("introspection", ask(s, c.ID, "/introspect", first.assertion(t, s, c.ID, aud), url.Values{"token": {"x"}}), 200, "")
		is("revocation", ask(s, c.ID, "/revoke", first.assertion(t, s, c.ID, aud), url.Values{"token": {"x"}}), 200, "")
	}
	job, _ := s.Client(clients.Service, "keyed", keyed)
	service := url.Values{"grant_type": {"client_credentials"}}
	is("RFC 6749 4.4.2: a service", ask(s, job.ID, "/token", first.assertion(t, s, job.ID, s.Issuer), service), 200, "")
	is("RFC 6749 4.4.2: by another client's assertion", ask(s, job.ID, "/token", first.assertion(t, s, c.ID, s.Issuer), service), 401, "invalid_client")

	once := first.assertion(t, s, c.ID, s.Issuer)
	is("the first time", ask(s, c.ID, "/introspect", once, url.Values{"token": {"x"}}), 200, "")
	is("at another endpoint", ask(s, c.ID, "/revoke", once, url.Values{"token": {"x"}}), 401, "invalid_client")

	// The client rotates its keys.
	published.Store(&jose.JSONWebKeySet{Keys: []jose.JSONWebKey{second.Public()}})
	s.Clock.Advance(time.Minute)
	is("a new kid", ask(s, c.ID, "/introspect", second.assertion(t, s, c.ID, s.Issuer), url.Values{"token": {"x"}}), 200, "")
	is("the old one", ask(s, c.ID, "/introspect", first.assertion(t, s, c.ID, s.Issuer), url.Values{"token": {"x"}}), 401, "invalid_client")

	c, _ = closed.Client(clients.Web, "keyed", keyed)
	a := ask(closed, c.ID, "/introspect", second.assertion(t, closed, c.ID, closed.Issuer), url.Values{"token": {"x"}})
	is("RFC 7591 5: a jwks_uri on an inner address", a, 401, "invalid_client")
}

type clientKey struct{ jose.JSONWebKey }

func newKey(t *testing.T, kid string) clientKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return clientKey{jose.JSONWebKey{Key: key, KeyID: kid}}
}

func (k clientKey) assertion(t *testing.T, s *providertest.Server, id string, aud any) string {
	t.Helper()
	now := s.Clock.Now()
	payload, err := json.Marshal(map[string]any{
		"iss": id, "sub": id, "aud": aud, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k.JSONWebKey}, nil)
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
