package gate

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	resource  = "https://api.example"
	theSecret = "the secret of the client"
)

// stand is an issuer that does as the test says, and a clock.
type stand struct {
	t       testing.TB
	server  *httptest.Server
	url     string
	key     *ecdsa.PrivateKey
	asked   [4]atomic.Int64 // discovery, jwks, introspection, lists
	down    atomic.Bool
	offset  atomic.Int64 // of the clock, in nanoseconds
	mu      sync.Mutex
	kid     string
	more    map[string]crypto.PublicKey // by their kid, for RS256
	opaque  map[string]map[string]any   // introspection answers
	bits    []byte                      // of the status list
	list    map[string]any              // members of the status list that are others
	code    url.Values                  // of the last exchange
	idToken map[string]any              // claims that are others
	access  string                      // the access token of the next exchange
}

const (
	discovery = iota
	jwks
	introspection
	statusList
)

func newStand(t testing.TB) *stand {
	t.Helper()
	s := &stand{t: t, kid: "1", opaque: map[string]map[string]any{}, bits: make([]byte, 8), list: map[string]any{}, idToken: map[string]any{}}
	s.key = newKey(t)
	mux := http.NewServeMux()
	answer := func(what int, pattern, mediaType string, body func(r *http.Request) (any, int)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.asked[what].Add(1)
			if s.down.Load() {
				http.Error(w, "down", http.StatusServiceUnavailable)
				return
			}
			value, status := body(r)
			w.Header().Set("Content-Type", mediaType)
			w.WriteHeader(status)
			if text, ok := value.(string); ok {
				_, _ = w.Write([]byte(text))
				return
			}
			_ = json.NewEncoder(w).Encode(value)
		})
	}
	answer(discovery, "GET /.well-known/openid-configuration", "application/json", func(*http.Request) (any, int) {
		return map[string]any{
			"issuer": s.url, "jwks_uri": s.url + "/jwks", "introspection_endpoint": s.url + "/introspect", "token_endpoint": s.url + "/token",
			"authorization_endpoint": s.url + "/authorize", "end_session_endpoint": s.url + "/logout",
			"authorization_response_iss_parameter_supported": true,
		}, 200
	})
	answer(jwks, "GET /jwks", "application/json", func(*http.Request) (any, int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		keys := []jose.JSONWebKey{{Key: s.key.Public(), KeyID: s.kid, Algorithm: "ES256", Use: "sig"}}
		for kid, key := range s.more {
			keys = append(keys, jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: "RS256", Use: "sig"})
		}
		return jose.JSONWebKeySet{Keys: keys}, 200
	})
	answer(introspection, "POST /introspect", "application/json", func(r *http.Request) (any, int) {
		if id, secret, ok := r.BasicAuth(); !ok || id != "gate" || secret != url.QueryEscape(theSecret) {
			return map[string]any{"error": "invalid_client"}, 401
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if claims, ok := s.opaque[r.FormValue("token")]; ok {
			return claims, 200
		}
		return map[string]any{"active": false}, 200
	})
	answer(statusList, "GET /statuslists/0", "application/statuslist+jwt", func(*http.Request) (any, int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		var packed bytes.Buffer
		z := zlib.NewWriter(&packed)
		_, _ = z.Write(s.bits)
		_ = z.Close()
		claims := map[string]any{
			"sub": s.url + "/statuslists/0", "iat": s.now().Unix(), "exp": s.now().Add(10 * time.Minute).Unix(), "ttl": 45,
			"status_list": map[string]any{"bits": 1, "lst": base64.RawURLEncoding.EncodeToString(packed.Bytes())},
		}
		maps.Copy(claims, s.list)
		return s.sign(claims, "statuslist+jwt"), 200
	})
	answer(discovery, "POST /token", "application/json", func(r *http.Request) (any, int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = r.ParseForm()
		s.code = r.PostForm
		id := map[string]any{
			"iss": s.url, "aud": "gate", "sub": "u1", "iat": s.now().Unix(), "exp": s.now().Add(time.Minute).Unix(), "email": "a@example.com", "email_verified": true,
		}
		maps.Copy(id, s.idToken)
		return map[string]any{"access_token": s.access, "token_type": "Bearer", "expires_in": 600, "id_token": s.sign(id, "JWT")}, 200
	})
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.server.Close)
	s.url = s.server.URL
	return s
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var began = time.Now().Truncate(time.Second)

func (s *stand) now() time.Time                { return began.Add(time.Duration(s.offset.Load())) }
func (s *stand) later(d time.Duration)         { s.offset.Add(int64(d)) }
func (s *stand) change(f func(s *stand))       { s.mu.Lock(); defer s.mu.Unlock(); f(s) }
func (s *stand) count(what int) (n int64)      { return s.asked[what].Load() }
func (s *stand) sign(c any, typ string) string { return s.signBy(s.key, jose.ES256, s.kid, c, typ) }

func (s *stand) signBy(key crypto.PrivateKey, alg jose.SignatureAlgorithm, kid string, claims any, typ string) string {
	s.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	must(s.t, err)
	payload, err := json.Marshal(claims)
	must(s.t, err)
	jws, err := signer.Sign(payload)
	must(s.t, err)
	raw, err := jws.CompactSerialize()
	must(s.t, err)
	return raw
}

// claims are those of a good access token, changed; nil removes one.
func (s *stand) claims(change ...any) map[string]any {
	c := map[string]any{
		"iss": s.url, "aud": resource, "sub": "u1", "client_id": "app", "jti": "j", "iat": s.now().Unix(), "exp": s.now().Add(10 * time.Minute).Unix(),
		"scope": "openid orders:read", "permissions": []string{"orders.list"}, "groups": []string{"staff"},
		"status": map[string]any{"status_list": map[string]any{"idx": 3, "uri": s.url + "/statuslists/0"}},
	}
	for i := 0; i+1 < len(change); i += 2 {
		if c[change[i].(string)] = change[i+1]; change[i+1] == nil {
			delete(c, change[i].(string))
		}
	}
	return c
}

func (s *stand) token(change ...any) string { return s.sign(s.claims(change...), "at+jwt") }

const routes = `
routes:
  - path: /health
    public: true
  - path: /orders
    methods: [GET]
    scopes: [orders:read]
  - path: /orders
    methods: [POST]
    scopes: [orders:read, orders:write]
  - path: /orders/{id}
    permissions: [orders.list]
  - path: /reports/*
    any_permission: [orders.list, reports]
    permissions: [reports.see]
  - path: /admin/*
    any_permission: [admin, root]
  - path: /app/*
    sign_in: true
  - path: /mine
`

const introspectionYAML = `
introspection:
  client_id: gate
  client_secret_file: SECRET
`

const signInYAML = `
sign_in:
  client_id: gate
  client_secret_file: SECRET
`

// config reads a gate's file for the issuer. SECRET stands for a file of the secret.
func (s *stand) config(more string) Config {
	s.t.Helper()
	dir := s.t.TempDir()
	secret, path := filepath.Join(dir, "secret"), filepath.Join(dir, "gate.yaml")
	must(s.t, os.WriteFile(secret, []byte(theSecret+"\n"), 0o600))
	content := "issuer: " + s.url + "\nresource: " + resource + "\ntrusted_proxy: [127.0.0.1, 192.0.2.0/24]\n" + more
	if !bytes.Contains([]byte(more), []byte("routes:")) {
		content += signInYAML + routes
	}
	must(s.t, os.WriteFile(path, bytes.ReplaceAll([]byte(content), []byte("SECRET"), []byte(secret)), 0o600))
	c, err := Load(path)
	must(s.t, err)
	return c
}

func (s *stand) gate(more string) *Gate {
	s.t.Helper()
	g, err := New(Options{Config: s.config(more), Now: s.now})
	must(s.t, err)
	return g
}

// ask asks a gate as Caddy does about GET target; the pairs in header are added.
func ask(g *Gate, target string, header ...string) *http.Response {
	return askAs(g, http.MethodGet, target, header...)
}

func askAs(g *Gate, method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, ForwardedPath, nil)
	r.Header.Set("X-Forwarded-Method", method)
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Set("X-Forwarded-Host", "api.example")
	r.Header["X-Forwarded-Uri"] = []string{target}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header[header[i]] = append(r.Header[header[i]], header[i+1])
	}
	return do(g, r)
}

func do(g *Gate, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w.Result()
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// A kept document is fetched when it is needed, once for all who wait, and not more often than every so often.
func TestKept(t *testing.T) {
	t.Parallel()
	now, fetched, fail := time.Unix(1000, 0), atomic.Int64{}, false
	var mu sync.Mutex
	k := &kept[int64]{grace: time.Hour, every: 10 * time.Second,
		now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
		fetch: func(context.Context) (int64, time.Duration, error) {
			if fail {
				return 0, 0, errors.New("down")
			}
			return fetched.Add(1), time.Minute, nil
		}}
	move := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	get := func(want int64, suits func(int64) bool, wantErr error) {
		t.Helper()
		if v, err := k.get(t.Context(), suits); v != want && err == nil || !errors.Is(err, wantErr) {
			t.Errorf("%d, %v; want %d, %v", v, err, want, wantErr)
		}
	}
	get(1, nil, nil)
	get(1, nil, nil)
	two := func(v int64) bool { return v == 2 }
	get(0, two, errMissing) // too soon
	move(10 * time.Second)
	get(2, two, nil)
	get(0, func(v int64) bool { return v == 9 }, errMissing)
	if n := fetched.Load(); n != 2 {
		t.Errorf("fetched %d times", n)
	}
	move(2 * time.Minute)
	fail = true
	get(2, nil, nil) // it is old, and good while there is no newer one
	move(2 * time.Hour)
	k.refresh(t.Context(), func(int64) bool { return true })
	if _, err := k.get(t.Context(), nil); err == nil || errors.Is(err, errMissing) {
		t.Errorf("after the grace: %v", err)
	}
}

func TestOnlyTheIssuer(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("")
	for _, address := range []string{"http://127.0.0.1:1/", "http://localhost" + s.url[len("http://127.0.0.1"):], "https" + s.url[4:]} {
		if _, err := g.issuer.get(t.Context(), address, "application/json"); err == nil {
			t.Errorf("%s was fetched", address)
		}
	}
}
