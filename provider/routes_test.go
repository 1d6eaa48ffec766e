package provider_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/keys"
	"signet/keys/keystest"
	"signet/provider"
	"signet/provider/providertest"
	"signet/resources"
	"signet/storage"
)

// with adds headers to a request.
func with(r *http.Request, headers ...string) *http.Request {
	for i := 0; i+1 < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	return r
}

// What browser apps of any origin call, on success, on error and before they call: Fetch standard, section 3.3.
func TestCORS(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, secret := s.Client("web", "My app")
	spa, _ := s.Client("spa", "Another")
	b := s.Browser("alice")
	tokens := s.Redeem(spa, "", b.Code(spa))
	bearer := "Bearer " + tokens.Text("access_token")
	good := url.Values{
		"grant_type": {"authorization_code"}, "code": {b.Code(spa)}, "redirect_uri": {spa.RedirectURIs[0]}, "code_verifier": {providertest.Verifier}, "client_id": {spa.ID},
	}
	requests := func(f func(path string, r *http.Request, status int)) {
		get := func(path string, status int, headers ...string) {
			f(path, with(s.Request(http.MethodGet, path, nil), headers...), status)
		}
		post := func(path string, form url.Values, status int, headers ...string) {
			f(path, with(s.Request(http.MethodPost, path, form), headers...), status)
		}
		get("/.well-known/openid-configuration", 200)
		get("/.well-known/oauth-authorization-server", 200)
		get("/jwks", 200)
		post("/jwks", url.Values{}, 405)
		post("/token", good, 200)
		post("/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {spa.ID}}, 400)
		post("/token", url.Values{"client_id": {"nobody"}}, 401)
		get("/token", 405)
		get("/userinfo", 200, "Authorization", bearer)
		get("/userinfo", 401)
		post("/revoke", url.Values{"client_id": {spa.ID}, "token": {"x"}}, 200)
		post("/revoke", url.Values{"client_id": {spa.ID}}, 400)
	}
	const origin = "https://app.example"
	requests(func(path string, r *http.Request, status int) {
		a := s.Do(with(r, "Origin", origin))
		if a.Status != status || a.Header.Get("Access-Control-Allow-Origin") != "*" || a.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s %s: %d %v", r.Method, path, a.Status, a.Header)
		}
		exposed := strings.ToLower(a.Header.Get("Access-Control-Expose-Headers"))
		if !strings.Contains(exposed, "www-authenticate") || !strings.Contains(exposed, "retry-after") {
			t.Errorf("%s %s: exposes %q", r.Method, path, exposed)
		}
	})
	for _, path := range []string{"/token", "/userinfo", "/revoke", "/jwks", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		a := s.Do(with(s.Request(http.MethodOptions, path, nil), "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type"))
		allowed := strings.ToLower(a.Header.Get("Access-Control-Allow-Headers"))
		if a.Status >= 300 || a.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(a.Header.Get("Access-Control-Allow-Methods"), "POST") ||
			!strings.Contains(allowed, "authorization") || !strings.Contains(allowed, "content-type") || a.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("preflight of %s: %d %v", path, a.Status, a.Header)
		}
	}

	introspection := s.Request(http.MethodPost, "/introspect", url.Values{"token": {"x"}})
	introspection.SetBasicAuth(c.ID, secret)
	none := []*http.Request{
		introspection, s.Request(http.MethodPost, "/introspect", url.Values{"token": {"x"}}), s.Request(http.MethodGet, "/introspect", nil),
		s.Request(http.MethodGet, "/authorize?"+providertest.AuthorizeParams(c).Encode(), nil), s.Request(http.MethodGet, "/authorize", nil),
		s.Request(http.MethodPost, "/authorize", providertest.AuthorizeParams(c)), s.Request(http.MethodGet, "/logout", nil), s.Request(http.MethodGet, "/signin", nil),
		s.Request(http.MethodGet, "/consent", nil), s.Request(http.MethodGet, "/authorize/continue", nil), s.Request(http.MethodGet, "/", nil),
		s.Request(http.MethodGet, "/healthz", nil), s.Request(http.MethodGet, "/nothing", nil),
	}
	for _, path := range []string{"/introspect", "/authorize", "/logout", "/signin", "/"} {
		none = append(none, with(s.Request(http.MethodOptions, path, nil), "Access-Control-Request-Method", "POST"))
	}
	for _, r := range none {
		a := s.Do(with(r, "Origin", origin))
		for name := range a.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s %s: %s", r.Method, r.URL.Path, name)
			}
		}
	}
	// An Origin is no reason to refuse either: some clients send one that is not registered anywhere.
	if a := s.Do(with(s.Request(http.MethodPost, "/token", url.Values{"client_id": {spa.ID}}), "Origin", "http://localhost:9876")); a.Status != 400 || a.Error() != "invalid_request" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// OpenID Connect Discovery 4 appends its path to the issuer's, RFC 8414 section 3.1 puts its own in front.
func TestIssuerWithPath(t *testing.T) {
	t.Parallel()
	s := providertest.New(t, func(c *providertest.Config) { c.Path = "/tenant/a" })
	s.User("alice")
	c, secret := s.Client("web", "My app")
	root := s.With(t)
	root.Issuer = strings.TrimSuffix(s.Issuer, "/tenant/a")

	document := s.Get("/.well-known/openid-configuration", "")
	if document.Text("issuer") != s.Issuer {
		t.Errorf("issuer %q", document.Text("issuer"))
	}
	if other := root.Get("/.well-known/oauth-authorization-server/tenant/a", ""); other.Body != document.Body {
		t.Errorf("RFC 8414: %d %s", other.Status, other.Body)
	}
	for name, v := range document.JSON {
		if u, ok := v.(string); ok && !strings.HasPrefix(u, s.Issuer) {
			t.Errorf("%s is %s", name, u)
		}
	}
	for _, path := range []string{
		"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/authorize", "/token", "/userinfo", "/jwks", "/introspect", "/revoke", "/logout", "/signin", "/",
	} {
		if a := root.Get(path, ""); a.Status != http.StatusNotFound {
			t.Errorf("%s at the root: %d", path, a.Status)
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := root.Get(path, ""); a.Status != http.StatusOK {
			t.Errorf("%s at the root: %d", path, a.Status)
		}
	}
	for _, path := range []string{"", "/"} {
		if a := s.Get(path, ""); a.Status != http.StatusOK || !strings.Contains(a.Body, s.Issuer) {
			t.Errorf("home at %q: %d", path, a.Status)
		}
	}

	b := s.Browser("alice")
	o := b.Authorize(c, "scope", "openid offline_access")
	if o.Params.Get("iss") != s.Issuer || len(o.Asked) != 2 {
		t.Fatalf("asked %v, response %v, page %s", o.Asked, o.Params, providertest.Text(o.Page.Body))
	}
	tokens := s.Redeem(c, secret, o.Params.Get("code"))
	if s.Verify(tokens.Text("id_token")).Claims["iss"] != s.Issuer || s.Verify(tokens.Text("access_token")).Claims["aud"] != s.Issuer {
		t.Errorf("%s", tokens.Body)
	}
	if a := s.Refresh(c, secret, tokens.Text("refresh_token")); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := s.Get("/userinfo", tokens.Text("access_token")); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if o := b.Send(s.Request(http.MethodPost, "/authorize", providertest.AuthorizeParams(c, "prompt", "none"))); o.Params.Get("error") != "consent_required" {
		t.Errorf("POST: %v, page %s", o.Params, providertest.Text(o.Page.Body))
	}
	if o := b.Submit(b.Open("/logout"), "confirm", "yes"); !strings.Contains(strings.ToLower(providertest.Text(o.Page.Body)), "signed out") {
		t.Errorf("logout: page %s", providertest.Text(o.Page.Body))
	}
}

// Clients compare the issuer byte for byte, so a slash at its end is neither added nor dropped.
func TestIssuerWithTrailingSlash(t *testing.T) {
	t.Parallel()
	for issuer, paths := range map[string][2]string{
		"https://id.example/":        {"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"},
		"https://id.example":         {"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"},
		"https://id.example/tenant/": {"/tenant/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/tenant"},
	} {
		p := inProcess(t, issuer)
		for _, path := range paths {
			w := httptest.NewRecorder()
			p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if w.Code != 200 || !strings.Contains(w.Body.String(), `"issuer":"`+issuer+`"`) || strings.Contains(w.Body.String(), "//token") {
				t.Errorf("%s at %s: %d %s", issuer, path, w.Code, w.Body)
			}
		}
	}
}

// inProcess is a provider of any issuer, without a listener.
func inProcess(t *testing.T, issuer string) *provider.Provider {
	t.Helper()
	s := providertest.New(t)
	p, err := provider.New(provider.Options{
		Issuer: issuer, Store: s.Store, Keys: keystest.New(t, keys.Options{Now: s.Clock.Now}), Now: s.Clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	for _, issuer := range []string{"", "id.example", "/path", "https://", "https://id.example:port"} {
		if _, err := provider.New(provider.Options{Issuer: issuer}); err == nil {
			t.Errorf("issuer %q is taken", issuer)
		}
	}
	if _, err := provider.New(provider.Options{Issuer: "https://id.example", Lifetimes: provider.Lifetimes{Code: 3600e9}}); err == nil {
		t.Error("RFC 6749 4.1.2: a code that lives an hour is taken")
	}
}

// The issuer is configuration: Zitadel GHSA-mwmh-7px9-4c23, GHSA-93m4-mfpg-c3xf.
func TestHostHeaderNeverMatters(t *testing.T) {
	t.Parallel()
	for name, trusted := range map[string][]string{"directly": nil, "from a trusted proxy": {"127.0.0.0/8"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := providertest.New(t, func(c *providertest.Config) { c.TrustedProxies = trusted })
			s.User("alice")
			c, secret := s.Client("web", "My app")
			code := s.Browser("alice").Code(c)
			const evil = "evil.example"
			headers := []string{
				"Host", evil, "X-Forwarded-Host", evil, "X-Forwarded-Proto", "https", "Forwarded", "host=" + evil + ";proto=https", "X-Original-URL", "https://" + evil, "X-Forwarded-Prefix", "/" + evil,
			}
			redeem := s.Request(http.MethodPost, "/token", url.Values{
				"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.RedirectURIs[0]}, "code_verifier": {providertest.Verifier},
			})
			redeem.SetBasicAuth(c.ID, secret)
			for _, r := range []*http.Request{
				s.Request(http.MethodGet, "/.well-known/openid-configuration", nil), s.Request(http.MethodGet, "/jwks", nil), s.Request(http.MethodGet, "/", nil),
				s.Request(http.MethodGet, "/nothing", nil), s.Request(http.MethodGet, "/authorize", nil), s.Request(http.MethodGet, "/logout", nil), s.Request(http.MethodGet, "/userinfo", nil),
				s.Request(http.MethodGet, "/authorize?"+providertest.AuthorizeParams(c).Encode(), nil), s.Request(http.MethodGet, "/authorize?"+providertest.AuthorizeParams(c, "prompt", "none").Encode(), nil),
				s.Request(http.MethodPost, "/authorize", providertest.AuthorizeParams(c)), s.Request(http.MethodPost, "/token", url.Values{}), redeem,
			} {
				a := s.Do(with(r, headers...))
				if strings.Contains(a.Body, evil) {
					t.Errorf("%s %s: the body says %s", r.Method, r.URL.Path, a.Body)
				}
				for name, values := range a.Header {
					if strings.Contains(strings.Join(values, " "), evil) {
						t.Errorf("%s %s: %s is %q", r.Method, r.URL.Path, name, values)
					}
				}
				for _, c := range (&http.Response{Header: a.Header}).Cookies() {
					if c.Secure {
						t.Errorf("%s %s: the scheme is taken from a header", r.Method, r.URL.Path)
					}
				}
				if id := a.Text("id_token"); r == redeem && (id == "" || s.Verify(id).Claims["iss"] != s.Issuer) {
					t.Errorf("token: %d %s", a.Status, a.Body)
				}
			}
		})
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	for path, allow := range map[string]string{
		"/.well-known/openid-configuration": "GET, HEAD", "/.well-known/oauth-authorization-server": "GET, HEAD", "/jwks": "GET, HEAD", "/healthz": "GET, HEAD", "/readyz": "GET, HEAD",
		"/token": "POST", "/revoke": "POST", "/introspect": "POST", "/userinfo": "GET, POST", "/authorize": "GET, POST", "/authorize/posted": "GET", "/logout": "GET, POST",
		"/logout/posted": "GET", "/logout/confirm": "POST", "/signin": "GET, HEAD, POST", "/consent": "GET, HEAD", "/authorize/continue": "GET, POST", "/": "GET, HEAD",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"} {
			a := s.Do(s.Request(method, path, nil))
			if allowed := slices.Contains(strings.Split(allow, ", "), method); (a.Status == http.StatusMethodNotAllowed) == allowed {
				t.Errorf("%s %s: %d", method, path, a.Status)
			} else if !allowed && a.Header.Get("Allow") != allow {
				t.Errorf("RFC 9110 10.2.1: %s %s: Allow %q, want %q", method, path, a.Header.Get("Allow"), allow)
			}
		}
		if a := s.Do(s.Request("BREW", path, nil)); a.Status != http.StatusNotImplemented || a.Error() != "invalid_request" {
			t.Errorf("RFC 9110 15.6.2: BREW %s: %d %q", path, a.Status, a.Body)
		}
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks"} {
		get, head := s.Get(path, ""), s.Do(s.Request(http.MethodHead, path, nil))
		if head.Status != 200 || head.Body != "" {
			t.Errorf("RFC 9110 9.3.2: HEAD %s: %d %q", path, head.Status, head.Body)
		}
		for _, name := range []string{"Content-Type", "Content-Length", "Cache-Control", "Etag", "X-Content-Type-Options"} {
			if get.Header.Get(name) == "" || get.Header.Get(name) != head.Header.Get(name) {
				t.Errorf("HEAD %s: %s is %q, by GET %q", path, name, head.Header.Get(name), get.Header.Get(name))
			}
		}
		if a := s.Do(with(s.Request(http.MethodGet, path, nil), "If-None-Match", get.Header.Get("Etag"))); a.Status != http.StatusNotModified || a.Body != "" {
			t.Errorf("RFC 9110 13.1.2: %s: %d", path, a.Status)
		}
	}
}

// RFC 9110 section 9.3.2: HEAD is GET without the content. Where GET begins something, HEAD begins nothing.
func TestHeadOfPages(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, _ := s.Client("web", "My app")
	b := s.Browser("")
	head := func(url string) providertest.Answer {
		t.Helper()
		r, err := http.NewRequest(http.MethodHead, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		return b.Once(r)
	}
	same := func(at providertest.Outcome) {
		t.Helper()
		a := head(at.URL)
		if a.Status != http.StatusOK || a.Body != "" || a.Header.Get("Content-Type") != at.Page.Header.Get("Content-Type") ||
			a.Header.Get("Content-Security-Policy") == "" || a.Header.Get("Cache-Control") != at.Page.Header.Get("Cache-Control") {
			t.Errorf("HEAD %s: %d %v %q", at.URL, a.Status, a.Header, a.Body)
		}
	}
	signIn := b.Authorize(c)
	same(signIn)
	b.User, b.Undecided = "alice", true
	consent := b.Submit(signIn, "username", "alice", "password", providertest.Password)
	same(consent)
	if !strings.Contains(consent.URL, "/consent") {
		t.Errorf("the browser stopped at %s", consent.URL)
	}
	b.Undecided = false
	b.Code(c) // consent is remembered now: GET would answer with a code
	for _, url := range []string{"/authorize?" + providertest.AuthorizeParams(c).Encode(), "/authorize/continue", "/logout"} {
		if a := head(s.Issuer + url); a.Status != http.StatusMethodNotAllowed || a.Header.Get("Location") != "" {
			t.Errorf("HEAD %s: %d %v", url, a.Status, a.Header)
		}
	}
}

// A client that was made for one resource type must be served with the algorithms that are on, and no others.
func TestDiscoveryIsTrueToTheKeys(t *testing.T) {
	t.Parallel()
	s := providertest.New(t, func(c *providertest.Config) {
		c.Keys.Algs = []string{"ES256", "RS256"}
		c.Resource = resources.Default("ES256", "at+jwt", 60e9, nil)
	})
	s.User("alice")
	algs, _ := s.Get("/.well-known/openid-configuration", "").JSON["id_token_signing_alg_values_supported"].([]any)
	if len(algs) != 2 {
		t.Fatalf("algorithms %v", algs)
	}
	for _, alg := range algs {
		c, secret := s.Client("web", "My app", func(c *storage.Client) { c.IDTokenAlg = alg.(string) })
		if got := s.Verify(s.Redeem(c, secret, s.Browser("alice").Code(c)).Text("id_token")).Alg; got != alg {
			t.Errorf("alg %s, want %s", got, alg)
		}
	}
}
