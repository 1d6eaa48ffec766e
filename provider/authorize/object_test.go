package authorize_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/clients"
	"signet/fetch"
	"signet/provider/providertest"
	"signet/storage"
)

// signer makes request objects with one key.
type signer struct {
	t   *testing.T
	key *ecdsa.PrivateKey
}

func newSigner(t *testing.T) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{t, key}
}

// keyed gives a client the signer's public key, and what modules of the suite need.
func (s signer) keyed(c *storage.Client) {
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.key.Public(), KeyID: "1"}}})
	if err != nil {
		s.t.Fatal(err)
	}
	c.JWKS = set
	c.ResponseTypes, c.GrantTypes = clients.ResponseTypes, append(c.GrantTypes, clients.GrantImplicit)
}

func (s signer) sign(o map[string]any) string {
	s.t.Helper()
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.key}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	payload, err := json.Marshal(o)
	if err != nil {
		s.t.Fatal(err)
	}
	jws, err := made.Sign(payload)
	if err != nil {
		s.t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// plus is o with other members.
func plus(o map[string]any, more ...any) map[string]any {
	o = maps.Clone(o)
	for i := 0; i < len(more); i += 2 {
		o[more[i].(string)] = more[i+1]
	}
	return o
}

func TestRequestObject(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	signs := newSigner(t)
	c, secret := s.Client("web", "My app", signs.keyed)
	object := map[string]any{"client_id": c.ID, "iss": c.ID, "aud": s.Issuer, "response_type": "code", "redirect_uri": redirectURI, "state": "inside", "nonce": "inside"}

	t.Run("Core 6.3.3: what is in the object wins, down to the ID token", func(t *testing.T) {
		s := s.With(t)
		o := s.Browser("alice").Authorize(c, "request", signs.sign(object), "redirect_uri", "https://evil.example/cb")
		if o.Params.Get("state") != "inside" || o.Params.Get("code") == "" {
			t.Fatalf("callback %q, page %s", o.Callback, providertest.Text(o.Page.Body))
		}
		if id := s.Verify(s.Redeem(c, secret, o.Params.Get("code")).Text("id_token")); id.Claims["nonce"] != "inside" {
			t.Errorf("nonce %v", id.Claims["nonce"])
		}
	})
	t.Run("Core 6.1: redirect_uri inside alone", func(t *testing.T) {
		s := s.With(t)
		if o := s.Browser("alice").Authorize(c, "request", signs.sign(object), "redirect_uri", ""); !strings.HasPrefix(o.Callback, redirectURI+"?") || !o.Params.Has("code") {
			t.Errorf("callback %q, page %s", o.Callback, providertest.Text(o.Page.Body))
		}
	})
	t.Run("Core 3.1.2.1: by POST as well", func(t *testing.T) {
		s := s.With(t)
		form := providertest.AuthorizeParams(c, "request", signs.sign(object), "redirect_uri", "")
		if o := s.Browser("alice").Send(s.Request(http.MethodPost, "/authorize", form)); o.Params.Get("state") != "inside" || !o.Params.Has("code") {
			t.Errorf("callback %q, page %s", o.Callback, providertest.Text(o.Page.Body))
		}
	})
	t.Run("Core 6.1: max_age as a number, prompt and response_mode", func(t *testing.T) {
		s := s.With(t)
		b := signedIn(s, c)
		o := b.Authorize(c, "request", signs.sign(plus(object, "max_age", 10000, "prompt", "none", "response_mode", "fragment")))
		if !strings.HasPrefix(o.Callback, redirectURI+"#") || !o.Params.Has("code") {
			t.Errorf("callback %q", o.Callback)
		}
		if o := b.Authorize(c, "request", signs.sign(plus(object, "prompt", "none")), "prompt", "login"); !o.Params.Has("code") {
			t.Errorf("prompt outside counts: %v", o.Params)
		}
	})
	t.Run("Core 6.1: claims as an object", func(t *testing.T) {
		s := s.With(t)
		o := s.Browser("alice").Authorize(c, "request", signs.sign(plus(object, "claims", map[string]any{"id_token": map[string]any{"sub": map[string]any{"value": "nobody"}}}, "prompt", "none")))
		wantError(t, s, o, "login_required", "inside")
	})
	t.Run("what is wrong with the members is told where the object says", func(t *testing.T) {
		s := s.With(t)
		o := s.Browser("").Authorize(c, "request", signs.sign(plus(object, "prompt", "dance")), "redirect_uri", "https://evil.example/cb")
		wantError(t, s, o, "invalid_request", "inside")
	})
	t.Run("redirect_uri inside that is not registered", func(t *testing.T) {
		s := s.With(t)
		wantPage(t, s.Browser("").Authorize(c, "request", signs.sign(plus(object, "redirect_uri", "https://evil.example/cb"))), http.StatusBadRequest, "evil.example")
	})
	t.Run("RFC 9101 6.3: what is wrong with the object goes to the registered redirect_uri beside it", func(t *testing.T) {
		s := s.With(t)
		bad := signs.sign(plus(object, "iss", "another"))
		wantError(t, s, s.Browser("").Authorize(c, "request", bad), "invalid_request_object", "the state")
		form := providertest.AuthorizeParams(c, "request", bad)
		wantError(t, s, s.Browser("").Send(s.Request(http.MethodPost, "/authorize", form)), "invalid_request_object", "the state")
	})
	t.Run("nothing of a bad object is believed: no redirect_uri, no response_mode, no state", func(t *testing.T) {
		s := s.With(t)
		bad := newSigner(t).sign(plus(object, "redirect_uri", redirectURI, "response_mode", "fragment"))
		wantPage(t, s.Browser("").Authorize(c, "request", bad, "redirect_uri", ""), http.StatusBadRequest)
		wantPage(t, s.Browser("").Authorize(c, "request", bad, "redirect_uri", "https://evil.example/cb"), http.StatusBadRequest, "evil.example")
		o := s.Browser("").Authorize(c, "request", bad)
		wantError(t, s, o, "invalid_request_object", "the state")
		if !strings.HasPrefix(o.Callback, redirectURI+"?") {
			t.Errorf("callback %q", o.Callback)
		}
	})
	t.Run("Core 6.1: client_id must stand outside", func(t *testing.T) {
		s := s.With(t)
		wantPage(t, s.Browser("").Authorize(c, "request", signs.sign(object), "client_id", ""), http.StatusBadRequest)
	})
	t.Run("RFC 7519 4.1.7: with a jti it is good for one answer", func(t *testing.T) {
		s := s.With(t)
		once := signs.sign(plus(object, "jti", "1", "exp", s.Clock.Now().Add(5*time.Minute).Unix()))
		if o := s.Browser("").Authorize(c, "request", once); o.Callback != "" {
			t.Fatalf("callback %q", o.Callback)
		}
		b := s.Browser("alice")
		if o := b.Authorize(c, "request", once); !o.Params.Has("code") {
			t.Fatalf("the page that was only opened used it up: %v", o.Params)
		}
		wantError(t, s, b.Authorize(c, "request", once), "invalid_request_object", "inside")
		wantError(t, s, b.Authorize(c, "request", signs.sign(plus(object, "jti", "1", "state", "inside"))), "invalid_request_object", "inside")
		if o := b.Authorize(c, "request", signs.sign(plus(object, "jti", "2"))); !o.Params.Has("code") {
			t.Errorf("another jti: %v", o.Params)
		}
		other, _ := s.Client("web", "Another app", signs.keyed)
		theirs := plus(object, "client_id", other.ID, "iss", other.ID, "jti", "1")
		if o := b.Authorize(other, "request", signs.sign(theirs)); !o.Params.Has("code") {
			t.Errorf("another client's jti: %v", o.Params)
		}
		wantError(t, s, b.Authorize(c, "request", signs.sign(plus(object, "jti", 3))), "invalid_request_object", "the state")
	})
	t.Run("a session that is there, and one object in twenty requests at once: one answer", func(t *testing.T) {
		s := s.With(t)
		b := signedIn(s, c)
		once := signs.sign(plus(object, "jti", "race", "prompt", "none"))
		var all sync.WaitGroup
		var codes atomic.Int32
		for range 20 {
			all.Go(func() {
				if o := b.Authorize(c, "request", once); o.Params.Has("code") {
					codes.Add(1)
				}
			})
		}
		all.Wait()
		if n := codes.Load(); n != 1 {
			t.Errorf("%d codes", n)
		}
	})
	t.Run("Core 7.2.1: registration inside is refused as it is outside", func(t *testing.T) {
		s := s.With(t)
		wantError(t, s, s.Browser("").Authorize(c, "request", signs.sign(plus(object, "registration", map[string]any{}))), "registration_not_supported", "inside")
	})
}

// Core 6.1: unsigned objects are the operator's to let in, and discovery says whether they are.
func TestUnsignedRequestObject(t *testing.T) {
	t.Parallel()
	part := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	for name, allowed := range map[string]bool{"off": false, "on": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := providertest.New(t, func(c *providertest.Config) { c.UnsignedRequests = allowed })
			s.User("alice")
			c, _ := s.Client("web", "My app")
			object := part(map[string]any{"alg": "none"}) + "." + part(map[string]any{"state": "inside", "redirect_uri": redirectURI}) + "."
			o := s.Browser("alice").Authorize(c, "request", object)
			if !allowed {
				wantError(t, s, o, "invalid_request_object", "the state")
			} else if o.Params.Get("state") != "inside" || !o.Params.Has("code") {
				t.Errorf("callback %q, page %s", o.Callback, providertest.Text(o.Page.Body))
			}
			algs, _ := s.Get("/.well-known/openid-configuration", "").JSON["request_object_signing_alg_values_supported"].([]any)
			said := false
			for _, alg := range algs {
				said = said || alg == "none"
			}
			if len(algs) == 0 || said != allowed {
				t.Errorf("discovery says %v", algs)
			}
		})
	}
}

// Core 6.2: objects by reference, over a network where not everybody is friendly.
func TestRequestURI(t *testing.T) {
	t.Parallel()
	signs := newSigner(t)
	var object string
	var asked atomic.Int32
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch r.URL.Path {
		case "/good":
			w.Header().Set("Content-Type", "application/oauth-authz-req+jwt")
			_, _ = w.Write([]byte(object))
		case "/elsewhere":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/endless":
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(site.Close)
	roots := x509.NewCertPool()
	roots.AddCert(site.Certificate())
	s := providertest.New(t, func(c *providertest.Config) {
		c.Fetch = fetch.New(fetch.Options{Timeout: time.Minute, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, CA: roots})
	})
	closed := providertest.New(t) // public addresses alone
	s.User("alice")
	with := func(c *storage.Client) {
		signs.keyed(c)
		for _, path := range []string{"/good", "/elsewhere", "/endless", "/missing"} {
			c.RequestURIs = append(c.RequestURIs, site.URL+path)
		}
	}
	c, _ := s.Client("web", "My app", with)
	object = signs.sign(map[string]any{"client_id": c.ID, "aud": s.Issuer, "redirect_uri": redirectURI, "state": "inside"})

	if o := s.Browser("alice").Authorize(c, "request_uri", site.URL+"/good", "redirect_uri", ""); o.Params.Get("state") != "inside" || !o.Params.Has("code") {
		t.Errorf("callback %q, page %s", o.Callback, providertest.Text(o.Page.Body))
	}
	before := asked.Load()
	form := providertest.AuthorizeParams(c, "request_uri", site.URL+"/good")
	if o := s.Browser("alice").Send(s.Request(http.MethodPost, "/authorize", form)); o.Params.Get("state") != "inside" || !o.Params.Has("code") {
		t.Errorf("by POST: callback %q, page %s", o.Callback, providertest.Text(o.Page.Body))
	}
	if got := asked.Load() - before; got != 1 {
		t.Errorf("by POST it was fetched %d times", got)
	}
	for _, path := range []string{"/elsewhere", "/endless", "/missing", "/unregistered"} {
		wantError(t, s, s.Browser("").Authorize(c, "request_uri", site.URL+path), "invalid_request_uri", "the state")
	}
	wantPage(t, s.Browser("").Authorize(c, "request_uri", site.URL+"/missing", "redirect_uri", ""), http.StatusBadRequest, site.URL)

	c, _ = closed.Client("web", "My app", with)
	before = asked.Load()
	wantError(t, closed, closed.Browser("").Authorize(c, "request_uri", site.URL+"/good"), "invalid_request_uri", "the state")
	if asked.Load() != before {
		t.Error("RFC 9101 10.4.1: an inner address was asked")
	}
}
