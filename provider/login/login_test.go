package login_test

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// signInPage is a browser at the sign-in page.
func signInPage(s *providertest.Server, c storage.Client) (*providertest.Browser, providertest.Outcome) {
	b := s.Browser("")
	return b, b.Authorize(c)
}

// notice is what the page says is wrong.
func notice(a providertest.Answer) string {
	found := regexp.MustCompile(`(?s)role="alert">(.*?)</p>`).FindStringSubmatch(a.Body)
	if found == nil {
		return ""
	}
	return found[1]
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, _ := s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })
	for name, login := range map[string]string{
		"user name": "alice", "user name in another case": "ALICE", "address": "alice@example.com", "address in another case": "Alice@Example.COM", "with spaces around": " alice ",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, o := signInPage(s.With(t), c)
			if o = b.Submit(o, "username", login, "password", providertest.Password); o.Params.Get("code") == "" {
				t.Errorf("page %d %s", o.Page.Status, providertest.Text(o.Page.Body))
			}
		})
	}
}

// Who fails is not told whether the account exists: Zitadel GHSA-pvm5-9frx-264r.
func TestFailuresLookAlike(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	s.User("carol", func(u *storage.User) { u.Disabled = true })
	s.User("grace", func(u *storage.User) { u.PasswordHash = "" })
	c, _ := s.Client("web", "My app")
	var first providertest.Answer
	for _, row := range []struct{ name, login, password string }{
		{"wrong password", "alice", "wrong"}, {"unknown user", "nobod", "wrong"}, {"unknown address", "x@b.c", "wrong"}, {"disabled, right password", "carol", providertest.Password},
		{"no password", "grace", ""}, {"empty", "", ""}, {"no password sent", "alice", ""}, {"password in another case", "alice", strings.ToUpper(providertest.Password)},
		{"password with a space", "alice", providertest.Password + " "}, {"a name beyond measure", strings.Repeat("a", 5000), "wrong"}, {"a password beyond measure", "alice", strings.Repeat("a", 5000)},
	} {
		b, o := signInPage(s, c)
		before := len(b.Cookies())
		o = b.Submit(o, "username", row.login, "password", row.password)
		form, _ := providertest.Form(o.Page.Body)
		if o.Page.Status != http.StatusUnprocessableEntity || notice(o.Page) != "The user name or the password is not right." {
			t.Errorf("%s: %d %q", row.name, o.Page.Status, notice(o.Page))
		}
		if form.Values.Get("username") != row.login || form.Values.Get("password") != "" || len(b.Cookies()) != before {
			t.Errorf("%s: form %v, %d cookies", row.name, form.Values, len(b.Cookies()))
		}
		o.Page.Header.Del("Date")
		o.Page.Header.Del("Trace-Id")
		o.Page.Header.Del("Content-Length")
		if first.Body == "" {
			first = o.Page
		}
		for name := range o.Page.Header {
			if first.Header.Get(name) != o.Page.Header.Get(name) {
				t.Errorf("%s: %s is %q, was %q", row.name, name, o.Page.Header.Get(name), first.Header.Get(name))
			}
		}
		if providertest.Text(o.Page.Body) != providertest.Text(first.Body) {
			t.Errorf("%s: %s\nfirst: %s", row.name, providertest.Text(o.Page.Body), providertest.Text(first.Body))
		}
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	for _, login := range []string{"alice", "nobody"} {
		t.Run(login, func(t *testing.T) {
			t.Parallel()
			s := providertest.New(t)
			s.User("alice")
			c, _ := s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })
			b, page := signInPage(s, c)
			o := page
			for n := 0; o.Page.Status != http.StatusTooManyRequests; n++ {
				if n > 10 {
					t.Fatal("never slowed down")
				}
				o = b.Submit(page, "username", login, "password", "wrong")
			}
			after, err := strconv.Atoi(o.Page.Header.Get("Retry-After"))
			if err != nil || after < 1 || !strings.Contains(notice(o.Page), "Too many attempts") {
				t.Errorf("Retry-After %q, %q", o.Page.Header.Get("Retry-After"), notice(o.Page))
			}
			if o = b.Submit(page, "username", login, "password", providertest.Password); o.Page.Status != http.StatusTooManyRequests {
				t.Errorf("the right password is let in: %d", o.Page.Status)
			}
			s.Clock.Advance(time.Duration(after) * time.Second)
			o = b.Submit(page, "username", login, "password", providertest.Password)
			if login == "alice" && o.Params.Get("code") == "" || login == "nobody" && o.Page.Status != http.StatusUnprocessableEntity {
				t.Errorf("after the wait: %d %s", o.Page.Status, notice(o.Page))
			}
		})
	}
}

// RFC 9700 section 4.7 and the threat of login CSRF: a form of ours is taken from our own pages alone.
func TestFormsOfOtherSites(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, _ := s.Client("web", "My app")
	b, o := signInPage(s, c)
	form, _ := providertest.Form(o.Page.Body)
	good := url.Values{"username": {"alice"}, "password": {providertest.Password}}
	for name, row := range map[string]struct {
		headers [][2]string
		status  int
	}{
		"from another site":                     {[][2]string{{"Sec-Fetch-Site", "cross-site"}}, 403},
		"from a sibling":                        {[][2]string{{"Sec-Fetch-Site", "same-site"}}, 403},
		"from another origin, older browsers":   {[][2]string{{"Origin", "https://evil.example"}}, 403},
		"from a sandbox":                        {[][2]string{{"Origin", "null"}}, 403},
		"from another port of the same host":    {[][2]string{{"Origin", "http://127.0.0.1:1"}}, 403},
		"our origin, Host rewritten by a proxy": {[][2]string{{"Origin", s.Issuer}, {"Host", "internal.example"}}, 303},
		"our own page":                          {[][2]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", s.Issuer}}, 303},
		"no browser":                            {nil, 303},
	} {
		r := s.Request(http.MethodPost, form.Action, good)
		for _, h := range row.headers {
			if r.Header.Set(h[0], h[1]); h[0] == "Host" {
				r.Host = h[1]
			}
		}
		for _, c := range b.Cookies() { // the jar has none for another Host
			r.AddCookie(c)
		}
		a := s.Do(r)
		if a.Status != row.status || (a.Header.Get("Set-Cookie") != "") != (row.status == 303) {
			t.Errorf("%s: %d, sets %q", name, a.Status, a.Header.Get("Set-Cookie"))
		}
	}
	b.User, b.Undecided = "alice", true
	o = b.Authorize(c)
	form, _ = providertest.Form(o.Page.Body)
	for _, h := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		r := s.Request(http.MethodPost, form.Action, url.Values{"decision": {"allow"}})
		r.Header.Set(h[0], h[1])
		if a := b.Once(r); a.Status != http.StatusForbidden || a.Header.Get("Location") != "" {
			t.Errorf("consent, %v: %d %q", h, a.Status, a.Header.Get("Location"))
		}
	}
}

// RFC 9700 sections 4.12 and 4.16: no redirect repeats the password, no page is framed, none runs or loads what is not ours.
func TestRedirectsAndHeaders(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, _ := s.Client("web", `<script>alert(1)</script>`, func(c *storage.Client) { c.ClientURI = "https://app.example/" })
	b := s.Browser("alice")
	hops := b.Authorize(c, "login_hint", `"><script>alert(2)</script>`).Hops
	hops = append(hops, b.Authorize(c, "redirect_uri", "https://evil.example/").Page, b.Open("/").Page, b.Open("/logout").Page, b.Open("/nothing").Page)
	b, o := signInPage(s, c)
	hops = append(hops, b.Submit(o, "username", `"><script>alert(3)</script>`, "password", "x").Page)
	pages := 0
	for _, a := range hops {
		h := a.Header
		if a.Status >= 300 && a.Status < 400 {
			if a.Status != http.StatusSeeOther {
				t.Errorf("a redirect is %d", a.Status)
			}
			continue
		}
		pages++
		csp := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "script-src") {
			t.Errorf("CSP %q", csp)
		}
		if h.Get("X-Frame-Options") != "DENY" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v", h)
		}
		if strings.Contains(a.Body, "<script") {
			t.Errorf("markup of others on the page: %s", a.Body)
		}
	}
	if pages != 7 {
		t.Errorf("%d pages were looked at", pages)
	}
}

func TestBadForms(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, _ := s.Client("web", "My app")
	b, o := signInPage(s, c)
	form, _ := providertest.Form(o.Page.Body)
	for name, row := range map[string]struct {
		body, kind string
		status     int
	}{
		"JSON":      {`{"username":"alice"}`, "application/json", 415},
		"multipart": {"--x--", "multipart/form-data; boundary=x", 415},
		"10 MB":     {"username=" + strings.Repeat("a", 10<<20), "application/x-www-form-urlencoded", 413},
		"malformed": {"username=%zz", "application/x-www-form-urlencoded", 400},
		"NUL":       {"username=a%00", "application/x-www-form-urlencoded", 400},
	} {
		r, err := http.NewRequest(http.MethodPost, s.Issuer+form.Action, strings.NewReader(row.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", row.kind)
		if a := b.Once(r); a.Status != row.status || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", name, a.Status, providertest.Text(a.Body))
		}
	}
	if a := b.Once(s.Request(http.MethodDelete, form.Action, nil)); a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("DELETE: %d", a.Status)
	}
}

func TestStoreTrouble(t *testing.T) {
	t.Parallel()
	faulty := &providertest.Faulty{}
	s := providertest.New(t, func(c *providertest.Config) { c.Wrap = faulty.Wrap })
	s.User("alice")
	c, _ := s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })
	b, page := signInPage(s, c)
	for err, want := range map[error]int{errors.New("secret detail"): 500, storage.ErrBusy: 503, storage.ErrNoSpace: 503} {
		faulty.Fail(err)
		o := b.Submit(page, "username", "alice", "password", providertest.Password)
		a := o.Page
		if o.Callback != "" || a.Status != want || strings.Contains(a.Body, "secret detail") || !strings.Contains(a.Body, a.Header.Get("Trace-Id")) {
			t.Errorf("sign-in, %v: callback %q, page %d %s", err, o.Callback, a.Status, providertest.Text(a.Body))
		}
		if (want == 503) != (a.Header.Get("Retry-After") != "") {
			t.Errorf("sign-in, %v: Retry-After %q", err, a.Header.Get("Retry-After"))
		}
		// RFC 6749 section 4.1.2.1: the redirect URI is certain, so the client hears of it.
		code := map[int]string{500: "server_error", 503: "temporarily_unavailable"}[want]
		if o := s.Browser("").Authorize(c); o.Params.Get("error") != code || strings.Contains(o.Callback, "secret") || o.Params.Get("state") != "the state" {
			t.Errorf("authorization, %v: callback %q, page %d", err, o.Callback, o.Page.Status)
		}
	}
	faulty.Fail(nil)
	if o := b.Submit(page, "username", "alice", "password", providertest.Password); o.Params.Get("code") == "" {
		t.Errorf("once the store works again: page %d %s", o.Page.Status, providertest.Text(o.Page.Body))
	}
}
