package authorize_test

import (
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/clients"
	"signet/fetch"
	"signet/keys"
	"signet/provider/providertest"
	"signet/storage"
)

// publishedTo is the key that the provider publishes for alg, as a client finds it: by jwks_uri, use and alg. ok is false if there is none.
func publishedTo(s *providertest.Server, alg string) (key jose.JSONWebKey, ok bool) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(s.Get("/jwks", "").Body), &set); err != nil {
		return key, false
	}
	i := slices.IndexFunc(set.Keys, func(k jose.JSONWebKey) bool { return k.Use == "enc" && k.Algorithm == alg && k.IsPublic() })
	if i < 0 {
		return key, false
	}
	return set.Keys[i], true
}

func encryptTo(t *testing.T, key jose.JSONWebKey, enc, object string) string {
	t.Helper()
	to := jose.Recipient{Algorithm: jose.KeyAlgorithm(key.Algorithm), Key: key.Key, KeyID: key.KeyID}
	e, err := jose.NewEncrypter(jose.ContentEncryption(enc), to, (&jose.EncrypterOptions{}).WithContentType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	jwe, err := e.Encrypt([]byte(object))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwe.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestEncryptedRequestObject(t *testing.T) {
	t.Parallel()
	var atURI string
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(atURI)) }))
	t.Cleanup(site.Close)
	roots := x509.NewCertPool()
	roots.AddCert(site.Certificate())
	s := providertest.New(t, func(c *providertest.Config) {
		c.Keys.Encryption = []string{"RSA-OAEP-256", "ECDH-ES"}
		c.Fetch = fetch.New(fetch.Options{Timeout: time.Minute, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, CA: roots})
	})
	s.User("alice")
	signs := newSigner(t)
	c, secret := s.Client("web", "My app", signs.keyed, func(c *storage.Client) {
		c.RequestURIs, c.Trusted = []string{site.URL + "/object"}, true
	})
	metadata := s.Get("/.well-known/openid-configuration", "").JSON
	if algs, encs := texts(metadata["request_object_encryption_alg_values_supported"]), texts(metadata["request_object_encryption_enc_values_supported"]); !slices.Equal(algs, []string{"RSA-OAEP-256", "ECDH-ES"}) || !slices.Equal(encs, clients.EncryptionEncs) {
		t.Errorf("Discovery 3: %v, %v", algs, encs)
	}
	object := map[string]any{"client_id": c.ID, "iss": c.ID, "aud": s.Issuer, "response_type": "code", "redirect_uri": redirectURI, "state": "inside", "nonce": "inside"}
	signed := signs.sign(object)
	for _, alg := range []string{"RSA-OAEP-256", "ECDH-ES"} {
		key, ok := publishedTo(s, alg)
		if !ok {
			t.Fatalf("RFC 7517 4.2: no key for %s is published", alg)
		}
		for _, enc := range clients.EncryptionEncs {
			o := s.Browser("alice").Authorize(c, "request", encryptTo(t, key, enc, signed), "redirect_uri", "")
			if o.Params.Get("state") != "inside" || !o.Params.Has("code") {
				t.Fatalf("Core 6.1: %s, %s: callback %q, page %s", alg, enc, o.Callback, providertest.Text(o.Page.Body))
			}
			if id := s.Verify(s.Redeem(c, secret, o.Params.Get("code")).Text("id_token")); id.Claims["nonce"] != "inside" {
				t.Errorf("Core 6.1: %s, %s: nonce %v", alg, enc, id.Claims["nonce"])
			}
		}
	}
	es, _ := publishedTo(s, "ECDH-ES")
	form := providertest.AuthorizeParams(c, "request", encryptTo(t, es, "A128GCM", signed))
	if o := s.Browser("alice").Send(s.Request(http.MethodPost, "/authorize", form)); o.Params.Get("state") != "inside" || !o.Params.Has("code") {
		t.Errorf("Core 3.1.2.1: by POST: %q", o.Callback)
	}
	atURI = encryptTo(t, es, "A256CBC-HS512", signed)
	if o := s.Browser("alice").Authorize(c, "request_uri", site.URL+"/object", "redirect_uri", ""); o.Params.Get("state") != "inside" || !o.Params.Has("code") {
		t.Errorf("Core 6.2: callback %q, page %s", o.Callback, providertest.Text(o.Page.Body))
	}

	refused := func(what, token string) (description string) {
		t.Helper()
		o := s.Browser("").Authorize(c, "request", token)
		if o.Params.Get("error") != "invalid_request_object" || o.Params.Get("state") != "the state" || o.Params.Has("code") {
			t.Errorf("%s: %v", what, o.Params)
		}
		return o.Params.Get("error_description")
	}
	under := encryptTo(t, es, "A128GCM", signed)
	want := refused("RFC 7516 5.2: another tag", under[:strings.LastIndex(under, ".")]+".AAAAAAAAAAAAAAAAAAAAAA")
	refused("RFC 9101 6.2: a stranger's signature inside", encryptTo(t, es, "A128GCM", newSigner(t).sign(object)))
	refused("RFC 7519 A.2: encrypted twice", encryptTo(t, es, "A128GCM", under))

	// Core 10.2.1: keys are rotated without a word to clients; what they encrypted before still opens, for a while.
	s.Clock.Advance(keys.MaxAge)
	if _, err := s.Keys.Rotate(t.Context(), keys.RotateOptions{Alg: "ECDH-ES", Now: true}, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	if now, ok := publishedTo(s, "ECDH-ES"); !ok || now.KeyID == es.KeyID {
		t.Errorf("rotated, and %v is published", now.KeyID)
	}
	if o := s.Browser("alice").Authorize(c, "request", under); !o.Params.Has("code") {
		t.Errorf("Core 10.2.1: encrypted to the key before: %v", o.Params)
	}
	s.Clock.Advance(25 * time.Hour)
	if err := s.Keys.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := refused("rotated out", under); got != want {
		t.Errorf("RFC 7516 11.5: it says %q, and of another tag %q", got, want)
	}
}

// Discovery 3: where nobody turned it on, nothing says that request objects can be encrypted, and none is read.
func TestEncryptedRequestObjectsAreOff(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	signs := newSigner(t)
	c, _ := s.Client("web", "My app", signs.keyed)
	metadata := s.Get("/.well-known/openid-configuration", "").Body
	if _, ok := publishedTo(s, "ECDH-ES"); ok || strings.Contains(metadata, "request_object_encryption") {
		t.Errorf("it is published: %s", metadata)
	}
	on := providertest.New(t, func(c *providertest.Config) { c.Keys.Encryption = []string{"ECDH-ES"} })
	key, _ := publishedTo(on, "ECDH-ES")
	o := s.Browser("").Authorize(c, "request", encryptTo(t, key, "A128GCM", signs.sign(map[string]any{"client_id": c.ID})))
	wantError(t, s, o, "invalid_request_object", "the state")
	if said := o.Params.Get("error_description"); !strings.Contains(said, "not offered") {
		t.Errorf("it says %q", said)
	}
}

func texts(v any) (all []string) {
	list, _ := v.([]any)
	for _, e := range list {
		text, _ := e.(string)
		all = append(all, text)
	}
	return all
}
