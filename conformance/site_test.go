package conformance

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
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

// public is the JWKS of a key.
func public(all ...jose.JSONWebKey) jose.JSONWebKeySet {
	set := jose.JSONWebKeySet{}
	for _, key := range all {
		set.Keys = append(set.Keys, key.Public())
	}
	return set
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
