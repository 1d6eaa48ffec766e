package demo

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	clientID     = "demo"
	clientSecret = "demoSecret"
)

// provider is a small OpenID provider that says yes to everybody, and whose every answer a test can bend.
type provider struct {
	*httptest.Server
	t   *testing.T
	key *ecdsa.PrivateKey

	mu        sync.Mutex
	requests  []url.Values // what arrived at the authorization endpoint
	codes     map[string]url.Values
	refreshes int

	answer   url.Values     // in place of the code, when not nil
	idToken  map[string]any // over the claims of the ID token; nil values take away
	access   string         // in place of the JWT access token
	userinfo map[string]any // the answer, when not nil
	onToken  func(form url.Values) (status int, body map[string]any)
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{t: t, key: key, codes: make(map[string]url.Values)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /userinfo", p.info)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /logout", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		http.Redirect(w, r, q.Get("post_logout_redirect_uri")+"?state="+q.Get("state"), http.StatusSeeOther)
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) discovery(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"userinfo_endpoint": p.URL + "/userinfo", "jwks_uri": p.URL + "/keys", "end_session_endpoint": p.URL + "/logout",
	})
}

func (p *provider) keys(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &p.key.PublicKey, KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
}

func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, q)
	back := maps.Clone(p.answer)
	if back == nil {
		code := rand.Text()
		p.codes[code] = q
		back = url.Values{"code": {code}, "iss": {p.URL}}
	}
	if !back.Has("state") {
		back.Set("state", q.Get("state"))
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusSeeOther)
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.ParseForm()
	id, secret, _ := r.BasicAuth()
	if id != clientID || secret != clientSecret || r.Form.Has("client_secret") {
		reply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	if p.onToken != nil {
		if status, body := p.onToken(r.Form); status != 0 {
			reply(w, status, body)
			return
		}
	}
	var request url.Values
	switch r.Form.Get("grant_type") {
	case "authorization_code":
		request = p.codes[r.Form.Get("code")]
		delete(p.codes, r.Form.Get("code"))
		sum := sha256.Sum256([]byte(r.Form.Get("code_verifier")))
		if request == nil || request.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || request.Get("code_challenge_method") != "S256" ||
			request.Get("redirect_uri") != r.Form.Get("redirect_uri") {
			reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "code, verifier or redirect_uri"})
			return
		}
	case "refresh_token":
		if r.Form.Get("refresh_token") != p.refreshToken() {
			reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "this refresh token was used before"})
			return
		}
		p.refreshes++
	}
	reply(w, http.StatusOK, p.tokens(request.Get("nonce")))
}

func (p *provider) refreshToken() string { return fmt.Sprintf("refresh-secret-%d", p.refreshes) }

// tokens is a whole token response. Without a nonce the ID token has none: Core 12.2.
func (p *provider) tokens(nonce string) map[string]any {
	now := time.Now().Unix()
	access := p.access
	if access == "" {
		access = p.sign("at+jwt", map[string]any{
			"iss": p.URL, "sub": "sub-1", "aud": p.URL, "client_id": clientID, "scope": "openid profile", "iat": now, "exp": now + 600, "jti": rand.Text(),
		})
	}
	sum := sha256.Sum256([]byte(access))
	id := map[string]any{
		"iss": p.URL, "sub": "sub-1", "aud": clientID, "iat": now, "exp": now + 3600, "auth_time": now - 5, "acr": "pwd", "amr": []string{"pwd"},
		"sid": "sid-1", "at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]),
	}
	if nonce != "" {
		id["nonce"] = nonce
	}
	for name, v := range p.idToken {
		if id[name] = v; v == nil {
			delete(id, name)
		}
	}
	return map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": 600, "refresh_token": p.refreshToken(), "id_token": p.sign("JWT", id),
	}
}

func (p *provider) info(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		reply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token"})
		return
	}
	if p.userinfo != nil {
		reply(w, http.StatusOK, p.userinfo)
		return
	}
	reply(w, http.StatusOK, map[string]any{
		"sub": "sub-1", "name": "Anna Example", "preferred_username": "anna", "email": "anna@example.com", "email_verified": true,
		"groups": []string{"staff", "admins"}, "updated_at": 1790000000,
	})
}

func (p *provider) sign(typ string, payload map[string]any) string {
	key := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.key, KeyID: "k1"}}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		p.t.Error(err)
		return ""
	}
	body, _ := json.Marshal(payload)
	jws, err := signer.Sign(body)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	token, _ := jws.CompactSerialize()
	return token
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// startDemo serves the app for the issuer and returns its address and a browser with a cookie jar.
func startDemo(t *testing.T, issuer string) (base string, browser *http.Client) {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	base = "http://" + srv.Listener.Addr().String()
	h, err := New(Options{Issuer: issuer, ClientID: clientID, ClientSecret: clientSecret, BaseURL: base, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	srv.Config.Handler = h
	srv.Start()
	t.Cleanup(srv.Close)
	jar, _ := cookiejar.New(nil)
	return base, &http.Client{Jar: jar}
}
