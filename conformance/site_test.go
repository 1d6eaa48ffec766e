package conformance

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// site is a server of a client's, where the provider finds what the client named by its URL.
type site struct {
	server *httptest.Server
	mu     sync.Mutex
	kept   map[string]found
}

type found struct {
	mediaType string
	body      []byte
}

func (r *run) site() *site {
	s := &site{kept: map[string]found{}}
	s.server = httptest.NewTLSServer(s)
	r.Cleanup(s.server.Close)
	return s
}

func (s *site) url(path string) string { return s.server.URL + path }

func (s *site) put(path, mediaType string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[path] = found{mediaType, body}
}

// putJSON is put for what a URL leads to in JSON.
func (s *site) putJSON(r *run, path string, v any) {
	r.Helper()
	body, err := json.Marshal(v)
	r.must(err)
	s.put(path, "application/json", body)
}

func (s *site) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	d, ok := s.kept[req.URL.Path]
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, req)
		return
	}
	w.Header().Set("Content-Type", d.mediaType)
	_, _ = w.Write(d.body)
}

// trusted vouches for sites: all test servers of this process have one certificate.
var trusted = sync.OnceValue(func() *x509.CertPool {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
})

// signingKeys are those of the suite's clients: RSA, as there. They take long to make, and no module asks whether others have them too.
var signingKeys = sync.OnceValues(func() (all [2]jose.JSONWebKey, err error) {
	for i := range all {
		var key *rsa.PrivateKey
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return all, err
		}
		all[i] = jose.JSONWebKey{Key: key, KeyID: fmt.Sprint("key ", i), Use: "sig", Algorithm: "RS256"}
	}
	return all, nil
})

func signingKey(i int) jose.JSONWebKey {
	all, err := signingKeys()
	if err != nil {
		panic(err)
	}
	return all[i]
}

// allKeys are a client's keys: of each kind that it can sign with, by the first algorithm of the kind, and two to be encrypted to.
var allKeys = sync.OnceValue(func() map[string]jose.JSONWebKey {
	key := func(use, kid string, key any, err error) jose.JSONWebKey {
		if err != nil {
			panic(err)
		}
		return jose.JSONWebKey{Key: key, KeyID: kid, Use: use}
	}
	ec := func(use, kid string, curve elliptic.Curve) jose.JSONWebKey {
		made, err := ecdsa.GenerateKey(curve, rand.Reader)
		return key(use, kid, made, err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	return map[string]jose.JSONWebKey{
		"RS256": key("sig", "rsa", signingKey(0).Key, nil), "ES256": ec("sig", "p-256", elliptic.P256()), "ES384": ec("sig", "p-384", elliptic.P384()),
		"ES512": ec("sig", "p-521", elliptic.P521()), "EdDSA": key("sig", "ed", ed, err),
		"RSA-OAEP-256": key("enc", "rsa enc", signingKey(1).Key, nil), "ECDH-ES": ec("enc", "p-256 enc", elliptic.P256()),
	}
})

// keyFor is what a client signs with by alg.
func keyFor(c client, alg string) jose.JSONWebKey {
	if strings.HasPrefix(alg, "HS") {
		return secretKey(c, alg)
	}
	kind := alg
	if strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS") {
		kind = "RS256"
	}
	key := allKeys()[kind] // nothing for what go-jose does not sign with
	key.Algorithm = alg
	return key
}

func secretKey(c client, alg string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: []byte(c.secret), Algorithm: alg}
}

// public is the JWKS of some keys.
func public(all ...jose.JSONWebKey) jose.JSONWebKeySet {
	set := jose.JSONWebKeySet{}
	for _, key := range all {
		set.Keys = append(set.Keys, key.Public())
	}
	return set
}

func publicKey(key jose.JSONWebKey) jose.JSONWebKey { return key.Public() }

// signAny is sign, also for algorithms that nobody should sign with: there, what is in the place of the signature cannot be one.
func (r *run) signAny(key jose.JSONWebKey, claims map[string]any) string {
	r.Helper()
	if key.Key != nil {
		return r.sign(key, claims)
	}
	body, err := json.Marshal(claims)
	r.must(err)
	head := `{"alg":"` + key.Algorithm + `"}`
	signature := ""
	if key.Algorithm != "none" {
		signature = "AA"
	}
	return base64.RawURLEncoding.EncodeToString([]byte(head)) + "." + base64.RawURLEncoding.EncodeToString(body) + "." + signature
}

// decrypt opens a JWE with the client's key.
func (r *run) decrypt(token, alg, enc string) string {
	r.Helper()
	jwe, err := jose.ParseEncryptedCompact(token, []jose.KeyAlgorithm{jose.KeyAlgorithm(alg)}, []jose.ContentEncryption{jose.ContentEncryption(enc)})
	if err != nil {
		r.Fatalf("not a JWE by %s and %s: %v: %q", alg, enc, err, token)
	}
	kind, _, _ := strings.Cut(alg, "+")
	plain, err := jwe.Decrypt(allKeys()[kind].Key)
	if err != nil {
		r.Fatalf("%s, %s: %v", alg, enc, err)
	}
	return string(plain)
}

// encrypt makes a JWE for the provider: to the key that it publishes for alg, or to another where it has none.
func (r *run) encrypt(token, alg, enc string) string {
	r.Helper()
	to := jose.Recipient{Algorithm: jose.KeyAlgorithm(alg)}
	for _, key := range r.keys.Keys {
		if key.Use == "enc" && key.Algorithm == alg {
			to.Key = key
		}
	}
	switch {
	case to.Key != nil:
	case strings.HasPrefix(alg, "RSA"):
		to.Key = publicKey(signingKey(1))
	case strings.HasPrefix(alg, "ECDH"):
		to.Key = publicKey(allKeys()["ECDH-ES"])
	case strings.HasPrefix(alg, "A128"):
		to.Key = make([]byte, 16)
	default:
		to.Key = make([]byte, 32)
	}
	known := slices.Contains([]string{"A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM"}, enc)
	content := jose.ContentEncryption(enc)
	if !known {
		content = jose.A256GCM
	}
	encrypter, err := jose.NewEncrypter(content, to, (&jose.EncrypterOptions{}).WithContentType("JWT"))
	r.must(err)
	jwe, err := encrypter.Encrypt([]byte(token))
	r.must(err)
	text, err := jwe.CompactSerialize()
	r.must(err)
	if !known { // which go-jose cannot do: it says so, and is something else
		members := header(r, text)
		members["enc"] = enc
		head, err := json.Marshal(members)
		r.must(err)
		_, rest, _ := strings.Cut(text, ".")
		text = base64.RawURLEncoding.EncodeToString(head) + "." + rest
	}
	return text
}

// sign is a JWS of claims, by the key's algorithm.
func (r *run) sign(key jose.JSONWebKey, claims map[string]any) string {
	r.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, nil)
	r.must(err)
	payload, err := json.Marshal(claims)
	r.must(err)
	jws, err := signer.Sign(payload)
	r.must(err)
	token, err := jws.CompactSerialize()
	r.must(err)
	return token
}
