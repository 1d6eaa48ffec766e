package gate

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// person is a browser of a cookie jar at the protected host.
type person struct {
	t   *testing.T
	g   *Gate
	jar map[string]*http.Cookie
}

func (p *person) take(a *http.Response) *http.Response {
	for _, c := range a.Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-gate-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			p.t.Errorf("the cookie %s", c)
		}
		if p.jar[c.Name] = c; c.MaxAge < 0 {
			delete(p.jar, c.Name)
		}
	}
	return a
}

func (p *person) cookies() string {
	var all []string
	for name, c := range p.jar {
		all = append(all, name+"="+c.Value)
	}
	return strings.Join(all, "; ")
}

var navigation = []string{"Accept", "text/html,*/*;q=0.8", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}

func (p *person) open(target string, header ...string) *http.Response {
	return p.openAs(http.MethodGet, target, append(header, navigation...)...)
}

func (p *person) openAs(method, target string, header ...string) *http.Response {
	if len(p.jar) > 0 {
		header = append(header, "Cookie", p.cookies())
	}
	return p.take(askAs(p.g, method, target, header...))
}

// own asks for a path of the gate's own.
func (p *person) own(target string, header ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header.Set("Cookie", p.cookies())
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return p.take(do(p.g, r))
}

func location(a *http.Response) *url.URL {
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.Header.Get("Location") == "" {
		return &url.URL{}
	}
	return u
}

// signIn goes through a sign-in that began with an answer, and returns the last one.
func (p *person) signIn(s *stand, a *http.Response, access ...any) *http.Response {
	p.t.Helper()
	q := location(a).Query()
	s.change(func(s *stand) {
		s.idToken["nonce"] = q.Get("nonce")
		s.access = s.token(append([]any{"client_id", "gate"}, access...)...)
	})
	return p.own(CallbackPath + "?" + url.Values{"state": {q.Get("state")}, "code": {"the code"}, "iss": {s.url}}.Encode())
}

func newPerson(t *testing.T, g *Gate) *person {
	return &person{t: t, g: g, jar: map[string]*http.Cookie{}}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	p := newPerson(t, s.gate(""))
	a := p.open("/app/x?y=z%20")
	q := location(a).Query()
	if a.StatusCode != 302 || !strings.HasPrefix(a.Header.Get("Location"), s.url+"/authorize?") || q.Get("response_type") != "code" || q.Get("client_id") != "gate" ||
		q.Get("redirect_uri") != "https://api.example/.gate/callback" || q.Get("scope") != "openid email" || q.Get("resource") != resource ||
		q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("state")) < 26 || len(q.Get("nonce")) < 26 {
		t.Fatalf("%d %v", a.StatusCode, q)
	}
	done := p.signIn(s, a)
	if done.StatusCode != 303 || done.Header.Get("Location") != "https://api.example/app/x?y=z%20" || done.Header.Get("Cache-Control") != "no-store" {
		body, _ := io.ReadAll(done.Body)
		t.Fatalf("%d %v %s", done.StatusCode, done.Header, body)
	}
	if s.code.Get("code") != "the code" || len(s.code.Get("code_verifier")) < 43 || s.code.Get("resource") != resource || s.code.Get("redirect_uri") != "https://api.example/.gate/callback" {
		t.Errorf("the exchange: %v", s.code)
	}
	in := p.open("/app/x")
	if in.StatusCode != 200 || in.Header.Get("X-Auth-Subject") != "u1" || in.Header.Get("X-Auth-Client") != "gate" || in.Header.Get("X-Auth-Email") != "a@example.com" || in.Header.Get("X-Auth-Groups") != "staff" {
		t.Errorf("%d %v", in.StatusCode, in.Header)
	}
	if names := len(p.jar); names != 2 {
		t.Errorf("%d cookies are left: %s", names, p.cookies())
	}
	if a := p.openAs("POST", "/app/x", "Sec-Fetch-Site", "same-origin"); a.StatusCode != 200 {
		t.Errorf("a form of its own: %d", a.StatusCode)
	}
	for _, site := range []string{"cross-site", "same-site"} {
		if a := p.openAs("POST", "/app/x", "Sec-Fetch-Site", site); a.StatusCode != 403 {
			t.Errorf("a form of another: %d", a.StatusCode)
		}
	}
	if a := p.openAs("POST", "/app/x", "Origin", "https://evil.example"); a.StatusCode != 403 {
		t.Errorf("a form of another origin: %d", a.StatusCode)
	}
	if a := p.open("/mine"); a.StatusCode != 401 {
		t.Errorf("a session on a route that takes none: %d", a.StatusCode)
	}
	if a := p.open("/app/x", bearer("nonsense")...); a.StatusCode != 401 {
		t.Errorf("a token counts before the session: %d", a.StatusCode)
	}
}

// Whoever is no browser that opens a page is told that a token is needed.
func TestNoNavigation(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("")
	for name, c := range map[string]struct {
		method string
		header []string
		want   int
	}{
		"a page":                           {"GET", navigation, 302},
		"a browser without Fetch Metadata": {"GET", []string{"Accept", "text/html"}, 302},
		"a program":                        {"GET", nil, 401},
		"fetch()":                          {"GET", []string{"Accept", "*/*", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, 401},
		"fetch() that asks for HTML":       {"GET", []string{"Accept", "text/html", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, 401},
		"a frame":                          {"GET", []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 401},
		"a form":                           {"POST", navigation, 401},
		"HEAD":                             {"HEAD", navigation, 401},
	} {
		a := askAs(g, c.method, "/app/", c.header...)
		if a.StatusCode != c.want || a.StatusCode == 401 && a.Header.Get("WWW-Authenticate") == "" || a.StatusCode == 401 && len(a.Cookies()) > 0 {
			t.Errorf("%s: %d %v", name, a.StatusCode, a.Header)
		}
	}
}

func TestCallback(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("")
	for name, c := range map[string]struct {
		change func(q url.Values, p *person)
		before func(s *stand)
		want   int
	}{
		"good":                                   {nil, nil, 303},
		"RFC 6749 10.12: another state":          {func(q url.Values, _ *person) { q.Set("state", strings.Repeat("A", 26)) }, nil, 400},
		"no state":                               {func(q url.Values, _ *person) { q.Del("state") }, nil, 400},
		"another browser":                        {func(_ url.Values, p *person) { clear(p.jar) }, nil, 400},
		"the same state by its beginning":        {func(q url.Values, _ *person) { q.Set("state", q.Get("state")[:20]) }, nil, 400},
		"RFC 9207 2.4: no iss":                   {func(q url.Values, _ *person) { q.Del("iss") }, nil, 400},
		"RFC 9207 2.4: another issuer":           {func(q url.Values, _ *person) { q.Set("iss", "https://evil.example") }, nil, 400},
		"RFC 6749 4.1.2.1: declined":             {func(q url.Values, _ *person) { q.Del("code"); q.Set("error", "access_denied") }, nil, 403},
		"neither code nor error":                 {func(q url.Values, _ *person) { q.Del("code") }, nil, 400},
		"RFC 6749 3.1: code twice":               {func(q url.Values, _ *person) { q.Add("code", "x") }, nil, 400},
		"Core 3.1.3.7: another nonce":            {nil, func(s *stand) { s.idToken["nonce"] = "x" }, 502},
		"Core 3.1.3.7: another audience":         {nil, func(s *stand) { s.idToken["aud"] = "other" }, 502},
		"Core 3.1.3.7: another issuer":           {nil, func(s *stand) { s.idToken["iss"] = "https://evil.example" }, 502},
		"Core 3.1.3.7: an ID token that is over": {nil, func(s *stand) { s.idToken["exp"] = 1 }, 502},
		"Core 3.1.3.8: another at_hash":          {nil, func(s *stand) { s.idToken["at_hash"] = "x" }, 502},
		"an access token of somebody else":       {nil, func(s *stand) { s.access = s.token("sub", "u2") }, 502},
		"an access token for elsewhere":          {nil, func(s *stand) { s.access = s.token("aud", "https://other.example") }, 502},
		"a bound access token":                   {nil, func(s *stand) { s.access = s.token("cnf", map[string]any{"jkt": "x"}) }, 502},
		"a revoked access token":                 {nil, func(s *stand) { s.bits[0] = 1 << 3; s.list["ttl"] = 1 }, 502},
		"too much for a cookie": {nil, func(s *stand) {
			s.access = s.token("permissions", strings.Split(strings.Repeat("permission ", 400), " "))
		}, 502},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPerson(t, g)
			q := location(p.open("/app/")).Query()
			answer := url.Values{"state": {q.Get("state")}, "code": {"the code"}, "iss": {s.url}}
			s.change(func(s *stand) {
				clear(s.idToken)
				clear(s.list)
				s.bits[0] = 0
				s.idToken["nonce"] = q.Get("nonce")
				s.access = s.token()
				if c.before != nil {
					c.before(s)
				}
			})
			if c.change != nil {
				c.change(answer, p)
			}
			s.later(time.Minute) // the status list is asked for again
			a := p.own(CallbackPath + "?" + answer.Encode())
			if a.StatusCode != c.want || a.StatusCode != 303 && a.Header.Get("Location") != "" {
				t.Errorf("%d %s", a.StatusCode, a.Header.Get("Location"))
			}
			if signedIn := p.open("/app/").StatusCode == 200; signedIn != (c.want == 303) {
				t.Errorf("signed in: %v", signedIn)
			}
			if again := p.own(CallbackPath + "?" + answer.Encode()); again.StatusCode != 400 && name == "good" {
				t.Errorf("a second time: %d", again.StatusCode)
			}
		})
	}
	t.Run("it took too long", func(t *testing.T) {
		p := newPerson(t, g)
		a := p.open("/app/")
		s.later(loginLife)
		if a := p.signIn(s, a); a.StatusCode != 400 {
			t.Errorf("%d", a.StatusCode)
		}
	})
}

// Open redirects in all spellings: what a sign-in returns to is a path of the protected host, or its root.
func TestReturn(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	p := newPerson(t, s.gate(""))
	for to, want := range map[string]string{
		"/app/x?y=z": "/app/x?y=z", "/app/?next=https://evil.example/": "/app/?next=https://evil.example/", "": "/",
		"https://evil.example/": "/", "//evil.example/": "/", `/\evil.example/`: "/", `\\evil.example`: "/", "///evil.example": "/", "/%2f/evil.example": "/", "/%5cevil.example": "/",
		"/\t/evil.example": "/", "/\n/evil.example": "/", " //evil.example": "/", "javascript:alert(1)": "/", "evil.example": "/", "@evil.example": "/", ".evil.example": "/", ":1@evil.example": "/",
		"/..//evil.example": "/", "/./\\evil.example": "/", "https:evil.example": "/", "/app?\r\nSet-Cookie: a=b": "/", `/app?\evil`: "/", "/a#b": "/", "/.gate/logout": "/", "/;/evil": "/",
		"/%09/evil.example": "/", "/" + strings.Repeat("a", maxReturn): "/", "/ü": "/",
	} {
		a := p.own(SignInPath + "?" + url.Values{"return": {to}}.Encode())
		if a.StatusCode != 302 {
			t.Fatal(a.StatusCode)
		}
		if got := p.signIn(s, a).Header.Get("Location"); got != "https://api.example"+want {
			t.Errorf("%q returns to %q", to, got)
		}
	}
}

// A session ends by its time, by its sign-in, and with its access token where nothing tells that the sign-in is over.
func TestSessionLife(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("")
	listed, bare := newPerson(t, g), newPerson(t, g)
	listed.signIn(s, listed.open("/app/"))
	bare.signIn(s, bare.open("/app/"), "status", nil)
	status := func(p *person) int { t.Helper(); return p.open("/app/").StatusCode }
	s.later(9 * time.Minute)
	if status(listed) != 200 || status(bare) != 200 {
		t.Error("nine minutes")
	}
	s.later(time.Minute)
	if status(listed) != 200 || status(bare) != 302 {
		t.Error("the access token is over")
	}
	s.later(7 * time.Hour)
	if status(listed) != 200 {
		t.Error("seven hours")
	}
	s.change(func(s *stand) { s.bits[0] = 1 << 3 })
	s.later(45 * time.Second)
	if status(listed) != 302 {
		t.Error("signed out elsewhere")
	}
	s.change(func(s *stand) { s.bits[0] = 0 })
	s.later(time.Hour)
	if status(listed) != 302 {
		t.Error("eight hours")
	}
}

// Cookies are good for what they were made for, and nowhere else.
func TestCookies(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("")
	p := newPerson(t, g)
	p.signIn(s, p.open("/app/"))
	session, hint := g.party.prefix+sessionCookie, g.party.prefix+hintCookie
	value := p.jar[session].Value
	in := func(cookie string) bool {
		t.Helper()
		return ask(g, "/app/", "Cookie", cookie).StatusCode == 200
	}
	if !in(session + "=" + value) {
		t.Fatal("the session is none")
	}
	for name, cookie := range map[string]string{
		"tampered": session + "=" + value[:len(value)-2] + "AA", "cut": session + "=" + value[:40], "empty": session + "=", "another purpose": session + "=" + p.jar[hint].Value,
		"without its prefix": strings.TrimPrefix(session, "__Host-") + "=" + value, "twice": session + "=" + value + "; " + session + "=" + value, "not base64": session + "=" + value + "=",
	} {
		if in(cookie) {
			t.Errorf("%s: signed in", name)
		}
	}
	c := s.config("")
	c.Resource = "https://api.example/other" // beside it, with the same secret
	other, err := New(Options{Config: c, Now: s.now})
	must(t, err)
	if a := ask(other, "/app/", "Cookie", other.party.prefix+sessionCookie+"="+value); a.StatusCode == 200 {
		t.Error("another gate takes it")
	}
	for range 20 { // tabs that are opened and left
		delete(p.jar, session)
		p.open("/app/")
	}
	if n := len(p.jar); n > maxLogins+3 {
		t.Errorf("%d cookies", n)
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	p := newPerson(t, s.gate(""))
	p.signIn(s, p.open("/app/"))
	for _, site := range []string{"cross-site", "same-site"} {
		if a := p.own(SignOutPath, "Sec-Fetch-Site", site); a.StatusCode != 403 || p.open("/app/").StatusCode != 200 {
			t.Errorf("another page signs out: %d", a.StatusCode)
		}
	}
	a := p.own(SignOutPath, "Sec-Fetch-Site", "same-origin")
	q := location(a).Query()
	if a.StatusCode != 303 || !strings.HasPrefix(a.Header.Get("Location"), s.url+"/logout?") || strings.Count(q.Get("id_token_hint"), ".") != 2 || q.Get("client_id") != "gate" ||
		q.Get("post_logout_redirect_uri") != "https://api.example/" {
		t.Errorf("%d %v", a.StatusCode, q)
	}
	if len(p.jar) != 0 || p.open("/app/").StatusCode != 302 {
		t.Error("it is still signed in")
	}
	if a := p.own(SignOutPath); a.StatusCode != 303 || location(a).Query().Has("id_token_hint") {
		t.Errorf("nobody is signed in: %d", a.StatusCode)
	}
}

// Without sign_in there are no such pages, and at http the cookies have neither Secure nor its prefix.
func TestParty(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("routes:\n  - path: /*\n")
	for _, path := range []string{SignInPath, CallbackPath, SignOutPath} {
		if a := do(g, httptest.NewRequest("GET", path, nil)); a.StatusCode != 404 {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
	plain := s.gate("origin: http://localhost:8000\n")
	a := do(plain, httptest.NewRequest("GET", SignInPath, nil))
	if c := a.Cookies(); len(c) != 1 || c[0].Secure || !strings.HasPrefix(c[0].Name, "gate-") {
		t.Errorf("%v", c)
	}
	if a := do(plain, httptest.NewRequest("POST", SignInPath, nil)); a.StatusCode != 405 {
		t.Errorf("%d", a.StatusCode)
	}
}

// An address is told only if the issuer verified it: Core 5.7.
func TestUnverifiedEmail(t *testing.T) {
	t.Parallel()
	for _, verified := range []any{false, "true", nil} {
		s := newStand(t)
		s.idToken["email_verified"] = verified
		p := newPerson(t, s.gate(""))
		p.signIn(s, p.open("/app/"))
		if a := p.open("/app/"); a.StatusCode != 200 || a.Header.Get("X-Auth-Email") != "" {
			t.Errorf("%v: %d %q", verified, a.StatusCode, a.Header.Get("X-Auth-Email"))
		}
	}
}

// A page of a sibling's may open a WebSocket, with GET and the browser's cookies, and read it (RFC 6455 section 10.2).
func TestForeignWebSocket(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	p := newPerson(t, s.gate(""))
	p.signIn(s, p.open("/app/"))
	for name, header := range map[string][]string{
		"as it is":               {"Upgrade", "websocket", "Sec-Websocket-Key", "x", "Sec-Websocket-Version", "13"},
		"without hop-by-hop":     {"Sec-Websocket-Version", "13"},
		"Fetch Metadata alone":   {"Sec-Fetch-Mode", "websocket"},
		"Upgrade and no version": {"Upgrade", "WebSocket"},
	} {
		for from, want := range map[string]int{"https://evil.api.example": 403, "null": 403, "https://api.example": 200} {
			if a := askAs(p.g, "GET", "/app/ws", append(header, "Cookie", p.cookies(), "Origin", from)...); a.StatusCode != want {
				t.Errorf("%s from %s: %d, want %d", name, from, a.StatusCode, want)
			}
		}
	}
}

// What a session may do is in its access token: what an ID token calls permissions is for somebody else (Core 2).
func TestPermissionsOfIDToken(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.idToken["permissions"], s.idToken["scope"], s.idToken["client_id"] = []string{"root"}, "root", "root"
	p := newPerson(t, s.gate("headers:\n  X-P: permissions\n  X-S: scope\n"+signInYAML+"routes:\n  - path: /app/\n    sign_in: true\n  - path: /root\n    sign_in: true\n    permissions: [root]\n  - path: /scope\n    sign_in: true\n    scopes: [root]\n"))
	p.signIn(s, p.open("/app/"), "permissions", nil, "scope", nil)
	if a := p.open("/app/"); a.StatusCode != 200 || a.Header.Get("X-P") != "" || a.Header.Get("X-S") != "" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
	for _, path := range []string{"/root", "/scope"} {
		if a := p.open(path); a.StatusCode != 403 {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
}
