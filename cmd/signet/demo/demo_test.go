package demo

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/net/html"
)

var quiet = slog.New(slog.DiscardHandler)

// page is an answer as a person sees it.
type page struct {
	status int
	url    *url.URL
	header http.Header
	source string
	doc    *html.Node
}

func visit(t *testing.T, browser *http.Client, method, target string) page {
	t.Helper()
	req, err := http.NewRequest(method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	return page{res.StatusCode, res.Request.URL, res.Header, string(body), doc}
}

func (p page) all(name string) (found []*html.Node) {
	for n := range p.doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			found = append(found, n)
		}
	}
	return found
}

func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func (p page) text() string { return words(p.all("body")[0]) }

func (p page) wants(t *testing.T, parts ...string) {
	t.Helper()
	for _, s := range parts {
		if !strings.Contains(p.text(), s) {
			t.Errorf("%s (%d) does not say %q:\n%s", p.url.Path, p.status, s, p.text())
		}
	}
}

// safe holds what every page must be, whatever it shows.
func (p page) safe(t *testing.T) {
	t.Helper()
	if got := p.header.Get("Content-Security-Policy"); got != csp || strings.Contains(csp, "unsafe") {
		t.Errorf("CSP %q", got)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin"} {
		if got := p.header.Get(name); got != want {
			t.Errorf("%s %q", name, got)
		}
	}
	if n := len(p.all("h1")); n != 1 {
		t.Errorf("%d <h1>", n)
	}
	if s := p.all("script"); len(s) != 1 || s[0].FirstChild != nil {
		t.Errorf("%d scripts, or an inline one", len(s))
	}
	for n := range p.doc.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
		if n.Type == html.ElementNode && (n.Data == "style" || n.Data == "img" || n.Data == "iframe" || n.Data == "b" && words(n) == "hostile") {
			t.Errorf("<%s>", n.Data)
		}
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	base, browser := startDemo(t, p.URL)

	home := visit(t, browser, "GET", base+"/")
	home.safe(t)
	home.wants(t, "An app that knows nobody", p.URL, "Sign in")

	tokens := visit(t, browser, "GET", base+"/signin")
	if tokens.url.Path != "/tokens" || tokens.status != http.StatusOK {
		t.Fatalf("ended at %s, %d: %s", tokens.url, tokens.status, tokens.text())
	}
	tokens.safe(t)
	tokens.wants(t, "Hello, Anna Example", "ID token", "Access token", "Userinfo", "sub-1", "anna@example.com", "at+jwt", `["staff", "admins"]`,
		"sent by this app in the authorization request", "21 September 2026, 14:13:20 UTC", "Core 3.1.3.6", "RFC 9068 2.2", "s left until")
	if strings.Contains(tokens.source, "refresh-secret") {
		t.Error("the refresh token is on the page")
	}
	if strings.Contains(tokens.source, "Refreshed on") || strings.Contains(tokens.source, `class="changed"`) {
		t.Error("something is marked as new before any refresh")
	}

	t.Run("Core 3.1.2.1, RFC 7636 4.3: the request", func(t *testing.T) {
		q := p.requests[0]
		for name, want := range map[string]string{
			"response_type": "code", "client_id": clientID, "redirect_uri": base + "/callback", "scope": "openid profile email groups offline_access",
			"code_challenge_method": "S256", "prompt": "",
		} {
			if q.Get(name) != want {
				t.Errorf("%s = %q, want %q", name, q.Get(name), want)
			}
		}
		if len(q.Get("state")) < 22 || len(q.Get("nonce")) < 22 || len(q.Get("code_challenge")) != 43 {
			t.Errorf("state, nonce or challenge too short: %v", q)
		}
	})
	t.Run("RFC 9700 2.1.1: state, nonce and challenge are new each time", func(t *testing.T) {
		visit(t, browser, "GET", base+"/signin")
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			if p.requests[0].Get(name) == p.requests[1].Get(name) {
				t.Errorf("%s is the same twice", name)
			}
		}
	})
	t.Run("Core 3.1.2.1: prompt", func(t *testing.T) {
		for prompt, want := range map[string]string{"login": "login", "consent": "consent", "none": "", "x": ""} {
			visit(t, browser, "GET", base+"/signin?prompt="+prompt)
			if got := p.requests[len(p.requests)-1].Get("prompt"); got != want {
				t.Errorf("prompt %q became %q", prompt, got)
			}
		}
	})
	t.Run("the start page knows who is signed in", func(t *testing.T) {
		visit(t, browser, "GET", base+"/").wants(t, "Hello, Anna Example", "See the tokens")
	})
	t.Run("another browser is nobody", func(t *testing.T) {
		if got := visit(t, &http.Client{}, "GET", base+"/tokens"); got.url.Path != "/" {
			t.Errorf("ended at %s", got.url)
		}
	})
}

// still is a browser that does not follow redirects.
func still(browser *http.Client) *http.Client {
	c := *browser
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

func TestCookie(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	base, browser := startDemo(t, p.URL)
	before := visit(t, still(browser), "GET", base+"/signin").header.Get("Set-Cookie")
	if !strings.HasPrefix(before, "signet-demo=") || !strings.HasSuffix(before, "; Path=/; HttpOnly; SameSite=Lax") {
		t.Errorf("cookie %q", before)
	}
	visit(t, browser, "GET", base+"/signin")
	u, _ := url.Parse(base)
	if after := browser.Jar.Cookies(u)[0]; strings.Contains(before, after.Value) {
		t.Error("the session id stayed the same over the sign-in")
	}
}

func TestCallback(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		bend   func(*provider)
		status int
		says   []string
	}{
		{"RFC 6749 4.1.2.1: error and its description", func(p *provider) {
			p.answer = url.Values{"error": {"access_denied"}, "error_description": {"<b>hostile</b><script>alert(1)</script>"}}
		}, http.StatusOK, []string{"The provider said no", "access_denied", "You, or the provider, declined.", "<b>hostile</b><script>alert(1)</script>"}},
		{"an error that no specification has", func(p *provider) {
			p.answer = url.Values{"error": {`"><script>`}}
		}, http.StatusOK, []string{"The provider said no", `"><script>`}},
		{"RFC 6749 10.12: another state", func(p *provider) {
			p.answer = url.Values{"code": {"x"}, "state": {"another"}}
		}, http.StatusBadRequest, []string{"No such sign-in"}},
		{"RFC 6749 10.12: an error with another state is not shown as ours", func(p *provider) {
			p.answer = url.Values{"error": {"access_denied"}, "state": {""}}
		}, http.StatusBadRequest, []string{"No such sign-in"}},
		{"RFC 9207 2.4: another issuer", func(p *provider) {
			p.answer = url.Values{"code": {"x"}, "iss": {"https://evil.example"}}
		}, http.StatusBadRequest, []string{"Answer from another provider", "https://evil.example"}},
		{"neither code nor error", func(p *provider) {
			p.answer = url.Values{}
		}, http.StatusBadRequest, []string{"Neither code nor error"}},
		{"RFC 6749 5.2: the code is refused", func(p *provider) {
			p.answer = url.Values{"code": {"unknown"}}
		}, http.StatusBadGateway, []string{"The code could not be exchanged", "invalid_grant", "code, verifier or redirect_uri"}},
		{"Core 3.1.3.7 (11): another nonce", func(p *provider) {
			p.idToken = map[string]any{"nonce": "another"}
		}, http.StatusBadGateway, []string{"could not be exchanged", "nonce"}},
		{"Core 3.1.3.7 (11): no nonce", func(p *provider) {
			p.idToken = map[string]any{"nonce": nil}
		}, http.StatusBadGateway, []string{"could not be exchanged", "nonce"}},
		{"Core 3.1.3.7 (2): another issuer", func(p *provider) {
			p.idToken = map[string]any{"iss": "https://evil.example"}
		}, http.StatusBadGateway, []string{"could not be exchanged"}},
		{"Core 3.1.3.7 (3): another audience", func(p *provider) {
			p.idToken = map[string]any{"aud": "another"}
		}, http.StatusBadGateway, []string{"could not be exchanged"}},
		{"Core 3.1.3.7 (9): expired", func(p *provider) {
			p.idToken = map[string]any{"exp": 1}
		}, http.StatusBadGateway, []string{"could not be exchanged"}},
		{"Core 3.1.3.8: at_hash of another access token", func(p *provider) {
			p.idToken = map[string]any{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}
		}, http.StatusBadGateway, []string{"could not be exchanged"}},
		{"Core 3.1.3.3: no ID token", func(p *provider) {
			p.onToken = func(url.Values) (int, map[string]any) {
				return http.StatusOK, map[string]any{"access_token": "x", "token_type": "Bearer"}
			}
		}, http.StatusBadGateway, []string{"could not be exchanged"}},
		{"Core 5.3.2: userinfo about somebody else is not used", func(p *provider) {
			p.userinfo = map[string]any{"sub": "another", "name": "Mallory"}
		}, http.StatusOK, []string{"Hello, sub-1", "It did not answer"}},
		{"an opaque access token", func(p *provider) {
			p.access, p.idToken = "opaque", map[string]any{"at_hash": nil}
		}, http.StatusOK, []string{"Hello, Anna Example", "This one is opaque"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			tt.bend(p)
			base, browser := startDemo(t, p.URL)
			got := visit(t, browser, "GET", base+"/signin")
			got.safe(t)
			got.wants(t, tt.says...)
			if got.status != tt.status {
				t.Errorf("status %d, want %d", got.status, tt.status)
			}
			if signedIn := visit(t, browser, "GET", base+"/tokens").url.Path == "/tokens"; signedIn != (got.url.Path == "/tokens") {
				t.Errorf("after %s somebody is signed in: %v", got.url.Path, signedIn)
			}
		})
	}
}

func TestCallbackOnce(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	base, browser := startDemo(t, p.URL)
	visit(t, browser, "GET", base+"/signin")
	q := p.requests[0]
	visit(t, browser, "GET", base+"/callback?code=x&state="+q.Get("state")).wants(t, "No such sign-in")
}

func TestHostileClaims(t *testing.T) {
	t.Parallel()
	const bad = `"><script>alert(1)</script><b onclick=x>hostile</b>` + "\u202e"
	p := newProvider(t)
	p.idToken = map[string]any{bad: bad, "nested": map[string]any{bad: []any{bad, 1e300, nil}}, "auth_time": 1e18, "acr": "javascript:alert(1)"}
	p.userinfo = map[string]any{"sub": "sub-1", "name": bad, "email": strings.Repeat("long", 5000), "picture": "javascript:alert(1)", "updated_at": "not a date", "address": nil}
	base, browser := startDemo(t, p.URL)
	got := visit(t, browser, "GET", base+"/signin")
	if got.url.Path != "/tokens" {
		t.Fatalf("ended at %s: %s", got.url, got.text())
	}
	got.safe(t)
	got.wants(t, `"><script>alert(1)</script><b onclick=x>hostile</b>`, "1000000000000000000", "not one that this app knows", "not a date")
	for _, a := range got.all("a") {
		for _, at := range a.Attr {
			if at.Key == "href" && !strings.HasPrefix(at.Val, "/") && !strings.HasPrefix(at.Val, "https://www.rfc-editor.org/rfc/rfc") && !strings.HasPrefix(at.Val, "https://openid.net/specs/") {
				t.Errorf("a claim became a link: %q", at.Val)
			}
		}
	}
	visit(t, browser, "GET", base+"/").safe(t)
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	base, browser := startDemo(t, p.URL)
	first := visit(t, browser, "GET", base+"/signin")

	t.Run("Core 12: what is new is marked", func(t *testing.T) {
		got := visit(t, browser, "POST", base+"/refresh")
		if got.url.Path != "/tokens" || got.status != http.StatusOK {
			t.Fatalf("ended at %s, %d: %s", got.url, got.status, got.text())
		}
		got.safe(t)
		got.wants(t, "Refreshed on", "no longer there: nonce", "jti new", "Userinfo : nothing new")
		if strings.Contains(got.text(), "sub new") {
			t.Error("sub is marked as new")
		}
		if got.source == first.source {
			t.Error("the page is the same")
		}
	})
	t.Run("RFC 9700 4.14.2: the new refresh token is used next", func(t *testing.T) {
		visit(t, browser, "POST", base+"/refresh").wants(t, "Refreshed on")
		if p.refreshes != 2 {
			t.Errorf("%d refreshes", p.refreshes)
		}
	})
	t.Run("Core 12.2: another sub is refused, the session stays as it was", func(t *testing.T) {
		p.idToken = map[string]any{"sub": "sub-2"}
		got := visit(t, browser, "POST", base+"/refresh")
		got.safe(t)
		got.wants(t, "could not be refreshed", "another subject")
		visit(t, browser, "GET", base+"/tokens").wants(t, "sub-1")
		p.idToken = nil
	})
	t.Run("RFC 6749 5.2: a refused refresh token is given up", func(t *testing.T) {
		p.onToken = func(url.Values) (int, map[string]any) {
			return http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "the family has ended"}
		}
		visit(t, browser, "POST", base+"/refresh").wants(t, "invalid_grant", "the family has ended", "Try again")
		visit(t, browser, "GET", base+"/tokens").wants(t, "refused the last one")
		got := visit(t, browser, "POST", base+"/refresh")
		got.wants(t, "No refresh token")
		if got.status != http.StatusConflict {
			t.Errorf("status %d", got.status)
		}
	})
	t.Run("nobody is signed in", func(t *testing.T) {
		if got := visit(t, &http.Client{}, "POST", base+"/refresh"); got.url.Path != "/" {
			t.Errorf("ended at %s", got.url)
		}
	})
}

func TestRefreshAnswersThatLeaveThingsOut(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	base, browser := startDemo(t, p.URL)
	visit(t, browser, "GET", base+"/signin")
	var used []string
	p.onToken = func(form url.Values) (int, map[string]any) {
		used = append(used, form.Get("refresh_token"))
		return http.StatusOK, map[string]any{"access_token": "fresh", "token_type": "Bearer", "expires_in": 600}
	}
	for range 2 {
		visit(t, browser, "POST", base+"/refresh").wants(t, "Refreshed on", "sub-1", "This one is opaque")
	}
	if len(used) != 2 || used[0] != used[1] {
		t.Errorf("RFC 6749 6: without a new refresh token the old one stays; used %q", used)
	}
}

func TestRefreshWithTheNonce(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	base, browser := startDemo(t, p.URL)
	visit(t, browser, "GET", base+"/signin")
	p.idToken = map[string]any{"nonce": p.requests[0].Get("nonce")}
	visit(t, browser, "POST", base+"/refresh").wants(t, "Refreshed on")
	p.idToken = map[string]any{"nonce": "another"}
	visit(t, browser, "POST", base+"/refresh").wants(t, "could not be refreshed", "another nonce")
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	base, browser := startDemo(t, p.URL)
	visit(t, browser, "GET", base+"/signin")

	leaving := visit(t, still(browser), "POST", base+"/signout")
	to, err := url.Parse(leaving.header.Get("Location"))
	if err != nil || leaving.status != http.StatusSeeOther {
		t.Fatalf("%d, %v", leaving.status, err)
	}
	q := to.Query()
	if to.Path != "/logout" || q.Get("post_logout_redirect_uri") != base+"/" || q.Get("client_id") != clientID || q.Get("state") == "" {
		t.Errorf("RP-Initiated Logout 2: %s", to)
	}
	if hint, err := parseJWT(q.Get("id_token_hint")); err != nil || hint.payload.text("sub") != "sub-1" {
		t.Errorf("id_token_hint: %v", err)
	}
	if got := visit(t, browser, "GET", base+"/tokens"); got.url.Path != "/" {
		t.Error("the app's session goes on")
	}
	if got := visit(t, browser, "GET", base+"/?state=another"); strings.Contains(got.text(), "You are signed out") {
		t.Error("RP-Initiated Logout 3: another state is believed")
	}
	back := visit(t, browser, "GET", to.String())
	back.safe(t)
	back.wants(t, "You are signed out, here and at the provider.")
	if again := visit(t, browser, "POST", base+"/signout"); again.url.Path != "/" {
		t.Errorf("signing out twice ends at %s", again.url)
	}
}

func TestFormsFromOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	base, browser := startDemo(t, p.URL)
	visit(t, browser, "GET", base+"/signin")
	for _, path := range []string{"/refresh", "/signout"} {
		req, _ := http.NewRequest("POST", base+path, nil)
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		res, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
		if got := visit(t, browser, "GET", base+path); got.status != http.StatusMethodNotAllowed && got.status != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, got.status)
		}
	}
	if p.refreshes != 0 {
		t.Error("it was refreshed all the same")
	}
	visit(t, browser, "GET", base+"/tokens").wants(t, "Hello, Anna Example")
}

func TestProviderStartsLater(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	up := false
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
			return
		}
		reply(w, http.StatusOK, map[string]any{"issuer": "http://" + r.Host, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys"})
	}))
	defer front.Close()
	base, browser := startDemo(t, front.URL)
	got := visit(t, browser, "GET", base+"/signin")
	got.safe(t)
	got.wants(t, "The provider does not answer", front.URL+"/.well-known/openid-configuration")
	if got.status != http.StatusBadGateway {
		t.Errorf("status %d", got.status)
	}
	up = true
	if got := visit(t, still(browser), "GET", base+"/signin"); !strings.HasPrefix(got.header.Get("Location"), p.URL+"/authorize?") {
		t.Errorf("the first failure was kept: %d %s", got.status, got.text())
	}
}

func TestUnknownPage(t *testing.T) {
	t.Parallel()
	base, browser := startDemo(t, "http://127.0.0.1:1")
	got := visit(t, browser, "GET", base+"/<script>alert(1)</script>")
	got.safe(t)
	if got.status != http.StatusNotFound {
		t.Errorf("status %d", got.status)
	}
	for _, name := range []string{"demo.css", "demo.js", "favicon.svg"} {
		if got := visit(t, browser, "GET", base+"/assets/"+name); got.status != http.StatusOK {
			t.Errorf("%s: %d", name, got.status)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	good := Options{Issuer: "http://localhost:8080", ClientID: "demo", BaseURL: "http://localhost:8081"}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Options){
		"no issuer": func(o *Options) { o.Issuer = "" }, "no client id": func(o *Options) { o.ClientID = "" },
		"no base": func(o *Options) { o.BaseURL = "" }, "base with a slash": func(o *Options) { o.BaseURL += "/" },
		"base with a path": func(o *Options) { o.BaseURL += "/app" }, "base that is no URL": func(o *Options) { o.BaseURL = "http://[" },
	} {
		o := good
		spoil(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	store, err := lru.New[string, *session](2)
	if err != nil {
		t.Fatal(err)
	}
	a := &app{Options: Options{Now: func() time.Time { return now }}, sessions: store}
	with := func(s *session) *http.Request {
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: cookieName, Value: s.id})
		return r
	}
	one := a.begin(httptest.NewRecorder(), nil)
	if a.session(with(one)) != one || a.session(httptest.NewRequest("GET", "/", nil)) != nil {
		t.Error("the cookie does not find its session")
	}
	a.begin(httptest.NewRecorder(), nil)
	a.begin(httptest.NewRecorder(), nil)
	if a.session(with(one)) != nil {
		t.Error("sessions are not bounded")
	}
	two := a.begin(httptest.NewRecorder(), nil)
	now = now.Add(sessionLife)
	if a.session(with(two)) != nil {
		t.Error("a session does not end")
	}
	for i := range maxLogins + 1 {
		two.add(login{state: fmt.Sprint(i)})
	}
	if _, ok := two.take("0"); ok || len(two.logins) != maxLogins {
		t.Error("sign-ins are not bounded")
	}
	if _, ok := two.take("5"); !ok {
		t.Error("a sign-in was lost")
	}
	if _, ok := two.take("5"); ok {
		t.Error("a state is good twice")
	}
}

func TestBackChannelLogout(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	base, browser := startDemo(t, p.URL)
	now := time.Now().Unix()
	const event = "http://schemas.openid.net/event/backchannel-logout"
	token := func(typ string, change map[string]any) string {
		claims := map[string]any{
			"iss": p.URL, "aud": clientID, "iat": now, "exp": now + 60, "jti": "j", "sub": "sub-1", "sid": "sid-1", "events": map[string]any{event: map[string]any{}},
		}
		maps.Copy(claims, change)
		maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
		return p.sign(typ, claims)
	}
	tell := func(t *testing.T, token string) int {
		t.Helper()
		res, err := http.PostForm(base+LogoutPath, url.Values{"logout_token": {token}})
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("Cache-Control"); got != "no-store" { // section 2.8
			t.Errorf("Cache-Control %q", got)
		}
		return res.StatusCode
	}
	const good = "logout+jwt"
	visit(t, browser, "GET", base+"/signin")
	for name, bad := range map[string]string{
		"2.6: none":                     "",
		"2.6: no JWT":                   "token",
		"2.6: another type":             token("JWT", nil),
		"2.6: another issuer":           token(good, map[string]any{"iss": "https://elsewhere.example"}),
		"2.6: another audience":         token(good, map[string]any{"aud": "another"}),
		"2.6: expired":                  token(good, map[string]any{"iat": now - 600, "exp": now - 300}),
		"2.6: no event":                 token(good, map[string]any{"events": nil}),
		"2.6: another event":            token(good, map[string]any{"events": map[string]any{"https://a.example": map[string]any{}}}),
		"2.6: an event that is null":    token(good, map[string]any{"events": map[string]any{event: nil}}),
		"2.6: a nonce":                  token(good, map[string]any{"nonce": "n"}),
		"2.4: no jti":                   token(good, map[string]any{"jti": nil}),
		"2.6: the signature of another": newProvider(t).sign(good, map[string]any{"iss": p.URL, "aud": clientID, "iat": now, "exp": now + 60, "jti": "j", "sub": "sub-1", "sid": "sid-1", "events": map[string]any{event: map[string]any{}}}),
	} {
		if status := tell(t, bad); status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, status)
		}
	}
	for name, foreign := range map[string]map[string]any{"another session": {"sid": "sid-2"}, "another subject": {"sub": "sub-2"}} {
		if status := tell(t, token(good, foreign)); status != http.StatusOK {
			t.Errorf("2.8: %s: %d", name, status)
		}
	}
	visit(t, browser, "GET", base+"/tokens").wants(t, "Hello, Anna Example")

	for name, change := range map[string]map[string]any{"2.7: its session": nil, "2.7: all of its subject": {"sid": nil}} {
		if status := tell(t, token(good, change)); status != http.StatusOK {
			t.Errorf("%s: %d", name, status)
		}
		out := visit(t, browser, "GET", base+"/tokens")
		out.safe(t)
		out.wants(t, "You are signed out: the provider told this app that your session there is over.", "Sign in")
		visit(t, browser, "GET", base+"/signin").wants(t, "Hello, Anna Example")
		if home := visit(t, browser, "GET", base+"/"); strings.Contains(home.text(), "is over") {
			t.Errorf("%s: signed in again, it says %s", name, home.text())
		}
	}
}
