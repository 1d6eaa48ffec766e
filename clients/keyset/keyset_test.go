package keyset

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/fetch"
	"signet/storage"
)

var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	smallRSA = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 1024)) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	edKey    = sync.OnceValue(func() ed25519.PrivateKey { return must2(ed25519.GenerateKey(rand.Reader)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func must2[A, T any](_ A, v T, err error) T { return must(v, err) }

// set is a JWK set of public keys.
func set(keys ...jose.JSONWebKey) []byte {
	for i, key := range keys {
		if signer, ok := key.Key.(crypto.Signer); ok {
			keys[i].Key = signer.Public()
		}
	}
	return must(json.Marshal(jose.JSONWebKeySet{Keys: keys}))
}

func TestParse(t *testing.T) {
	t.Parallel()
	private := must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: ecKey()}}}))
	good := string(set(jose.JSONWebKey{Key: ecKey(), KeyID: "1"}))
	one := strings.TrimSuffix(strings.TrimPrefix(good, `{"keys":[`), `]}`)
	for name, c := range map[string]struct {
		raw  string
		keys int
		says string // of the error; "" if there is none
	}{
		"RFC 7517 5: EC":                     {good, 1, ""},
		"RSA and Ed25519":                    {string(set(jose.JSONWebKey{Key: rsaKey()}, jose.JSONWebKey{Key: edKey()})), 2, ""},
		"RFC 7517 5: an unknown kty":         {`{"keys":[{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"},` + one + `]}`, 1, ""},
		"RFC 7517 5: a lacking member":       {`{"keys":[{"kty":"EC","crv":"P-256"},` + one + `]}`, 1, ""},
		"RFC 7517 5: other members":          {`{"keys":[` + one + `],"more":1}`, 1, ""},
		"a small RSA key beside":             {string(set(jose.JSONWebKey{Key: smallRSA()}, jose.JSONWebKey{Key: ecKey()})), 1, ""},
		"a small RSA key alone":              {string(set(jose.JSONWebKey{Key: smallRSA()})), 0, "no key that can be used"},
		"a point that is not on the curve":   {`{"keys":[{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}]}`, 0, "no key that can be used"},
		"no key":                             {`{"keys":[]}`, 0, "no key that can be used"},
		"a private key":                      {string(private), 0, "a private key as key 1"},
		"a private key of an unknown kind":   {`{"keys":[` + one + `,{"kty":"AKP","d":"AA"}]}`, 0, "a private key as key 2"},
		"a symmetric key":                    {`{"keys":[{"kty":"oct","k":"AAAA"}]}`, 0, "a symmetric key"},
		"a symmetric key without its octets": {`{"keys":[{"kty":"oct"}]}`, 0, "a symmetric key"},
		"nothing":                            {``, 0, "not a JWK set"},
		"null":                               {`null`, 0, "not a JWK set"},
		"keys in capitals":                   {`{"KEYS":[` + one + `]}`, 0, "not a JWK set"},
		"keys of another type":               {`{"keys":{}}`, 0, "not a JWK set"},
		"keys null":                          {`{"keys":null}`, 0, "not a JWK set"},
		"a list":                             {`[` + one + `]`, 0, "not a JWK set"},
		"a key alone":                        {one, 0, "not a JWK set"},
		"a PEM":                              {"-----BEGIN PUBLIC KEY-----", 0, "not a JWK set"},
		"too many keys":                      {`{"keys":[` + strings.Repeat("{},", maxKeys) + `{}]}`, 0, "more than 100"},
		"too long":                           {`{"keys":[` + one + `],"more":"` + strings.Repeat("a", MaxSet) + `"}`, 0, "longer than"},
		"deep":                               {`{"keys":[` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `]}`, 0, "not a JWK set"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Parse([]byte(c.raw))
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) || len(s.keys) != c.keys {
				t.Errorf("%d keys, %v; want %d, …%s…", len(s.keys), err, c.keys, c.says)
			}
		})
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	s := must(Parse(set(
		jose.JSONWebKey{Key: rsaKey(), KeyID: "rsa"},
		jose.JSONWebKey{Key: ecKey(), KeyID: "ec", Use: "sig", Algorithm: "ES256"},
		jose.JSONWebKey{Key: edKey(), KeyID: "ed", Use: "sig"},
		jose.JSONWebKey{Key: ecKey(), KeyID: "enc", Use: "enc"},
		jose.JSONWebKey{Key: rsaKey(), KeyID: "oaep", Use: "enc", Algorithm: "RSA-OAEP-256"},
		jose.JSONWebKey{Key: rsaKey(), KeyID: "ps", Use: "sig", Algorithm: "PS256"},
	)))
	for _, c := range []struct {
		alg, kid string
		want     string // kid of the key; "" for none
	}{
		{"RS256", "rsa", "rsa"}, {"RS512", "", "rsa"}, {"PS384", "rsa", "rsa"}, {"ES256", "ec", "ec"}, {"ES256", "", "ec"}, {"EdDSA", "ed", "ed"},
		{"PS256", "ps", "ps"},
		{"PS256", "", ""},      // Core 10.1: several, and no kid
		{"RS256", "ps", ""},    // RFC 7517 4.4: alg
		{"ES256", "enc", ""},   // RFC 7517 4.2: use
		{"RS256", "oaep", ""},  // likewise
		{"RS256", "other", ""}, // an unknown kid
		{"ES256", "rsa", ""}, {"EdDSA", "ec", ""}, {"ES384", "ec", ""}, {"ES512", "", ""}, {"RS256", "ed", ""},
		{"HS256", "", ""}, {"HS256", "rsa", ""}, {"none", "", ""}, {"", "", ""}, {"RSA-OAEP", "rsa", ""}, {"ECDH-ES", "ec", ""},
	} {
		key, err := s.find(UseSig, c.alg, c.kid)
		if c.want == "" && !errors.Is(err, ErrNoKey) || c.want != "" && (err != nil || key.KeyID != c.want) {
			t.Errorf("%s with %q: %q, %v; want %q", c.alg, c.kid, key.KeyID, err, c.want)
		}
	}
	for alg, want := range map[string]string{"RSA-OAEP": "rsa", "ECDH-ES": "enc", "ECDH-ES+A256KW": "enc", "dir": "", "RS256": "", "A128KW": ""} {
		key, err := s.first(UseEnc, alg)
		if want == "" && !errors.Is(err, ErrNoKey) || key.KeyID != want {
			t.Errorf("%s: %q, %v; want %q", alg, key.KeyID, err, want)
		}
	}
}

// site is where a client publishes its keys.
type site struct {
	mu      sync.Mutex
	doc     fetch.Document
	err     error
	calls   int
	entered chan struct{} // if there is one, it is told of each call
	leave   chan struct{} // if there is one, a call waits for it
}

func (s *site) Get(ctx context.Context, _ string, accept ...string) (fetch.Document, error) {
	if err := ctx.Err(); err != nil { // as the real one would
		return fetch.Document{}, err
	}
	s.mu.Lock()
	s.calls++
	doc, err := s.doc, s.err
	s.mu.Unlock()
	if s.entered != nil {
		s.entered <- struct{}{}
		<-s.leave
	}
	return doc, err
}

func (s *site) publish(fresh time.Duration, keys ...jose.JSONWebKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doc, s.err = fetch.Document{Body: set(keys...), Fresh: fresh}, nil
}

func (s *site) fail() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = errors.New("no route to host")
}

// house is Keys over a site, with a clock.
type house struct {
	*Keys
	*site
	t      *testing.T
	time   time.Time
	client storage.Client
}

func newHouse(t *testing.T) *house {
	h := &house{site: &site{}, t: t, time: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), client: storage.Client{ID: "app", JWKSURI: "https://app.example/keys"}}
	h.Keys = New(Options{Fetch: h.site, Now: func() time.Time { return h.time }})
	return h
}

func ec(kid string) jose.JSONWebKey { return jose.JSONWebKey{Key: ecKey(), KeyID: kid} }

// ask fails the test unless a kid is found or not, after so many fetches in all.
func (h *house) ask(kid string, found bool, calls int) {
	h.t.Helper()
	key, err := h.Verification(h.t.Context(), h.client, "ES256", kid)
	if found && (err != nil || key.KeyID != kid) || !found && !errors.Is(err, ErrNoKey) {
		h.t.Errorf("%q: %q, %v", kid, key.KeyID, err)
	}
	if h.calls != calls {
		h.t.Errorf("%q: %d fetches, want %d", kid, h.calls, calls)
	}
}

func (h *house) later(d time.Duration) { h.time = h.time.Add(d) }

func TestJWKS(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.client.JWKSURI, h.client.JWKS = "", set(ec("1"))
	h.ask("1", true, 0)
	h.ask("2", false, 0)
	h.client.JWKS = set(ec("2")) // the client was changed
	h.ask("1", false, 0)
	h.ask("2", true, 0)
	h.client.JWKS = nil
	h.ask("2", false, 0)
}

func TestJWKSURI(t *testing.T) {
	t.Parallel()
	t.Run("Core 10.1.1: an unknown kid is fetched once", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		h.publish(-1, ec("1"))
		h.ask("1", true, 1)
		h.later(30 * time.Second)
		h.ask("1", true, 1)
		h.publish(-1, ec("1"), ec("2"))
		h.ask("2", true, 2)
		h.ask("1", true, 2)
		h.ask("3", false, 2)
		h.later(9 * time.Second)
		h.ask("3", false, 2)
		h.later(time.Second)
		h.ask("3", false, 3)
		h.ask("2", true, 3)
	})
	t.Run("what was taken away is gone when its time is over", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		h.publish(10*time.Minute, ec("1"))
		h.ask("1", true, 1)
		h.publish(10*time.Minute, ec("2"))
		h.later(10*time.Minute - 1)
		h.ask("1", true, 1)
		h.later(1)
		h.ask("1", false, 2)
		h.ask("2", true, 2)
	})
	t.Run("the server's time has bounds", func(t *testing.T) {
		t.Parallel()
		for fresh, want := range map[time.Duration]time.Duration{
			-1: time.Hour, 0: time.Minute, time.Second: time.Minute, 2 * time.Hour: 2 * time.Hour, 9999 * time.Hour: 24 * time.Hour,
		} {
			if got := age(fresh); got != want {
				t.Errorf("%v: %v, want %v", fresh, got, want)
			}
		}
	})
	t.Run("a server that fails is given a day", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		h.publish(-1, ec("1"))
		h.ask("1", true, 1)
		h.fail()
		h.later(time.Hour)
		h.ask("1", true, 2)
		h.ask("1", true, 2) // and is not asked each time
		h.later(24*time.Hour - 1)
		h.ask("1", true, 3)
		h.later(1)
		h.ask("1", false, 3)
		h.later(fetchEvery)
		h.publish(-1, ec("1"))
		h.ask("1", true, 4)
	})
	t.Run("an answer that is no set leaves the old one", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{"", "<html>", `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`} {
			h := newHouse(t)
			h.publish(-1, ec("1"))
			h.ask("1", true, 1)
			h.doc.Body = []byte(body)
			h.later(time.Hour)
			h.ask("1", true, 2)
			h.ask("2", false, 2)
		}
	})
	t.Run("a server that never answered is not asked each time", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		h.fail()
		for range 5 {
			h.ask("1", false, 1)
		}
		h.later(-time.Hour) // the clock was set back
		h.publish(-1, ec("1"))
		h.ask("1", true, 2)
	})
	t.Run("another jwks_uri is another set", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		h.publish(-1, ec("1"))
		h.ask("1", true, 1)
		h.client.JWKSURI = "https://app.example/other"
		h.publish(-1, ec("2"))
		h.ask("1", false, 2)
		h.ask("2", true, 2)
	})
	t.Run("whoever asked may leave: the keys come all the same", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		h.publish(-1, ec("1"))
		gone, leave := context.WithCancel(t.Context())
		leave()
		_, _ = h.Verification(gone, h.client, "ES256", "unknown") // either answer is good: it is nobody's
		h.later(time.Second)
		h.ask("1", true, 1)
	})
	t.Run("clients with jwks push out none with jwks_uri", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		h.publish(-1, ec("1"))
		h.ask("1", true, 1)
		inline := set(jose.JSONWebKey{Key: ecKey(), KeyID: "1"})
		for i := range maxClients {
			if _, err := h.Verification(t.Context(), storage.Client{ID: fmt.Sprint(i), JWKS: inline}, "ES256", "1"); err != nil {
				t.Fatal(err)
			}
		}
		h.ask("1", true, 1)
	})
	t.Run("each client has its own keys", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		h.publish(-1, ec("1"))
		h.ask("1", true, 1)
		h.client.ID = "other"
		h.publish(-1, ec("2"))
		h.ask("1", false, 2)
	})
	t.Run("no more clients are remembered than a bound says", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		h.publish(-1, ec("1"))
		for i := range maxClients + 10 {
			h.client.ID = fmt.Sprint(i)
			h.ask("1", true, i+1)
		}
		if n := h.entries.Len(); n != maxClients {
			t.Errorf("%d are remembered", n)
		}
	})
}

func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.publish(-1, ec("1"))
	h.ask("1", true, 1)
	h.later(time.Minute)
	h.publish(-1, ec("1"), ec("2"))
	h.entered, h.leave = make(chan struct{}), make(chan struct{})
	found := make(chan error)
	const n = 20
	for range n {
		go func() {
			_, err := h.Verification(t.Context(), h.client, "ES256", "2")
			found <- err
		}()
	}
	<-h.entered
	// While the fetch is under way, a key that is there is found, and who does not want to wait leaves.
	h.ask("1", true, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := h.Verification(ctx, h.client, "ES256", "2"); !errors.Is(err, ErrNoKey) {
		t.Errorf("it waited: %v", err)
	}
	close(h.leave)
	for range n {
		if err := <-found; err != nil {
			t.Error(err)
		}
	}
	if h.calls != 2 {
		t.Errorf("%d fetches, want 2", h.calls)
	}
}

// Whatever a set says, each key that is found is public and fits.
func FuzzParse(f *testing.F) {
	f.Add(set(ec("1"), jose.JSONWebKey{Key: rsaKey(), Use: "enc"}, jose.JSONWebKey{Key: edKey(), Algorithm: "EdDSA"}))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQ"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":"","x5c":["AA"]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := Parse(raw)
		if (err == nil) != (len(s.keys) > 0) {
			t.Fatalf("%d keys, %v", len(s.keys), err)
		}
		for _, key := range s.keys {
			if !key.IsPublic() || key.Key == nil {
				t.Errorf("%T", key.Key)
			}
			for _, alg := range []string{"HS256", "none", ""} {
				if suits(key, UseSig, alg) {
					t.Errorf("%T is for %q", key.Key, alg)
				}
			}
		}
	})
}
