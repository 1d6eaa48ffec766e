package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"signet/clients"
	"signet/provider/providertest"
	"signet/storage"
)

// clientKeys are the keys that the tests' clients decrypt with.
var clientKeys = sync.OnceValue(func() (keys [2]jose.JSONWebKey) {
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return [2]jose.JSONWebKey{{Key: r, KeyID: "rsa", Use: "enc"}, {Key: e, KeyID: "ec", Use: "enc"}}
})

func clientJWKS(t *testing.T) json.RawMessage {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, k := range clientKeys() {
		set.Keys = append(set.Keys, k.Public())
	}
	raw, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// decrypt opens what was encrypted to a client, as it does, and checks the header.
func decrypt(t *testing.T, jwe, alg, enc, cty string) string {
	t.Helper()
	object, err := jose.ParseEncryptedCompact(jwe, []jose.KeyAlgorithm{jose.KeyAlgorithm(alg)}, []jose.ContentEncryption{jose.ContentEncryption(enc)})
	if err != nil {
		t.Fatalf("%v: %s", err, jwe)
	}
	key := clientKeys()[0]
	if strings.HasPrefix(alg, "ECDH") {
		key = clientKeys()[1]
	}
	if got, _ := object.Header.ExtraHeaders[jose.HeaderContentType].(string); got != cty || object.Header.KeyID != key.KeyID {
		t.Errorf("RFC 7519 5.2: cty %q, want %q; RFC 7516 4.1.6: kid %q, want %q", got, cty, object.Header.KeyID, key.KeyID)
	}
	plain, err := object.Decrypt(key.Key)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func TestEncryptedAnswers(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	u := s.User("alice")
	jwks := clientJWKS(t)
	for _, alg := range clients.EncryptionAlgs {
		for _, enc := range append([]string{""}, clients.EncryptionEncs...) {
			t.Run(alg+" "+enc, func(t *testing.T) {
				t.Parallel()
				s := s.With(t)
				c, secret := s.Client("web", "My app", func(c *storage.Client) {
					c.JWKS, c.Trusted = jwks, true
					c.IDTokenEncryptionAlg, c.IDTokenEncryptionEnc = alg, enc
					c.UserinfoAlg, c.UserinfoEncryptionAlg, c.UserinfoEncryptionEnc = "ES256", alg, enc
				})
				want := clients.ContentEncryption(enc)
				tokens := s.Redeem(c, secret, s.Browser("alice").Code(c))
				if token := s.Verify(decrypt(t, tokens.Text("id_token"), alg, want, "JWT")); token.Alg != "RS256" || token.Claims["sub"] != u.Sub || token.Claims["nonce"] != "the nonce" {
					t.Errorf("Core 16.14: %v", token)
				}
				info := s.Get("/userinfo", tokens.Text("access_token"))
				if info.Header.Get("Content-Type") != "application/jwt" {
					t.Errorf("Core 5.3.2: Content-Type %q", info.Header.Get("Content-Type"))
				}
				if token := s.Verify(decrypt(t, info.Body, alg, want, "JWT")); token.Claims["sub"] != u.Sub || token.Claims["email"] != "alice@example.com" {
					t.Errorf("Core 5.3.2: %v", token)
				}
			})
		}
	}
}

func TestSignedUserinfo(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	u := s.User("alice")
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		c, secret := s.Client("web", "My app", func(c *storage.Client) { c.UserinfoAlg, c.Trusted = alg, true })
		info := s.Get("/userinfo", s.Redeem(c, secret, s.Browser("alice").Code(c, "scope", "openid email")).Text("access_token"))
		if info.Status != 200 || info.Header.Get("Content-Type") != "application/jwt" || info.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("Core 5.3.2: %d %v", info.Status, info.Header)
		}
		token := s.Verify(info.Body)
		want := map[string]any{"iss": s.Issuer, "aud": c.ID, "sub": u.Sub, "email": "alice@example.com", "email_verified": true}
		if diff := cmp.Diff(want, token.Claims); diff != "" || token.Alg != alg {
			t.Errorf("Core 5.3.2, %s: (-want +got)\n%s", token.Alg, diff)
		}
		// RFC 8725 3.11 and 3.12: one kind of JWT is not taken for another.
		if a := s.Get("/userinfo", info.Body); a.Status != 401 {
			t.Errorf("it is taken for an access token: %d", a.Status)
		}
		if o := s.Browser("alice").Authorize(c, "id_token_hint", info.Body); o.Params.Get("error") != "invalid_request" {
			t.Errorf("it is taken for an ID token: %v", o.Params)
		}
	}
}

func TestEncryptedUserinfoThatIsNotSigned(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	u := s.User("alice")
	c, secret := s.Client("web", "My app", func(c *storage.Client) { c.JWKS, c.UserinfoEncryptionAlg = clientJWKS(t), "ECDH-ES" })
	info := s.Get("/userinfo", s.Redeem(c, secret, s.Browser("alice").Code(c, "scope", "openid")).Text("access_token"))
	if info.Header.Get("Content-Type") != "application/jwt" {
		t.Errorf("Content-Type %q", info.Header.Get("Content-Type"))
	}
	if plain := decrypt(t, info.Body, "ECDH-ES", "A128CBC-HS256", ""); plain != `{"sub":"`+u.Sub+`"}` {
		t.Errorf("Core 5.3.2: %s", plain)
	}
}

// A client without a key that suits gets an error that says so, before its code is spent, and its ID token in clear from nowhere.
func TestNoKeyToEncryptTo(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	key := clientKeys()[1]
	ec, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	c, secret := s.Client("web", "My app", func(c *storage.Client) {
		c.JWKS, c.IDTokenEncryptionAlg, c.UserinfoEncryptionAlg = clientJWKS(t), "RSA-OAEP-256", ""
		c.GrantTypes, c.ResponseTypes = append(c.GrantTypes, "implicit"), []string{"code", "code id_token"}
	})
	c.JWKS = ec // which a registration would be refused for, and a jwks_uri may come to
	if c, err = s.Store.SaveClient(t.Context(), c, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	code := s.Browser("alice").Code(c)
	for range 2 {
		a := s.Redeem(c, secret, code)
		if a.Status != 400 || a.Error() != "invalid_request" || !strings.Contains(a.Text("error_description"), "RSA-OAEP-256") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	c.JWKS = clientJWKS(t)
	if c, err = s.Store.SaveClient(t.Context(), c, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	if a := s.Redeem(c, secret, code); a.Status != 200 {
		t.Errorf("the code was spent: %d %s", a.Status, a.Body)
	}
	c.JWKS = ec
	if _, err = s.Store.SaveClient(t.Context(), c, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	o := s.Browser("alice").Authorize(c, "response_type", "code id_token")
	if o.Params.Get("error") != "invalid_request" || o.Params.Has("code") || o.Params.Has("id_token") {
		t.Errorf("%v", o.Params)
	}
}
