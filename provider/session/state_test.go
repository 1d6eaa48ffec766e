package session_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/provider/session"
	"signet/storage"
)

// stateOf is the login state of a browser, as the script of the check-session page reads it; "" if it cannot.
func stateOf(b *providertest.Browser) string {
	var found []string
	for _, c := range b.Cookies() {
		if strings.HasSuffix(c.Name, "-state") {
			found = append(found, c.Value)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// holds is what the check-session page answers, by the computation of Session Management 4.2.
func holds(b *providertest.Browser, client, origin, sessionState string) string {
	hash, salt, _ := strings.Cut(sessionState, ".")
	state := stateOf(b)
	sum := sha256.Sum256([]byte(client + " " + origin + " " + state + " " + salt))
	switch {
	case state == "" || len(hash) != 64 || salt == "" || strings.Contains(sessionState, " "):
		return "error"
	case hash == hex.EncodeToString(sum[:]):
		return "unchanged"
	}
	return "changed"
}

const origin = "https://app.example"

func TestSessionState(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, _ := s.Client("web", "My app", func(c *storage.Client) {
		c.Trusted = true
		c.RedirectURIs = append(c.RedirectURIs, "https://APP.example:443/other")
		c.ResponseTypes = []string{"code", "id_token"}
		c.GrantTypes = append(c.GrantTypes, "implicit")
	})
	other, _ := s.Client("web", "Other", func(c *storage.Client) { c.Trusted = true })
	b := s.Browser("alice")
	first := b.Authorize(c).Params.Get("session_state")

	t.Run("Session Management 2: in each response, and it holds", func(t *testing.T) {
		for name, change := range map[string][]string{
			"query": nil, "fragment": {"response_mode", "fragment"}, "form_post": {"response_mode", "form_post"}, "id_token": {"response_type", "id_token"},
			"silently": {"prompt", "none"}, "another redirect URI of the same origin": {"redirect_uri", "https://APP.example:443/other"},
		} {
			o := b.Authorize(c, change...)
			got := o.Params.Get("session_state")
			if form, ok := providertest.Form(o.Page.Body); ok {
				got = form.Values.Get("session_state")
			}
			if holds(b, c.ID, origin, got) != "unchanged" || got == first {
				t.Errorf("%s: session_state %q is %s", name, got, holds(b, c.ID, origin, got))
			}
		}
	})
	t.Run("section 2: it is of one client and one origin", func(t *testing.T) {
		if holds(b, other.ID, origin, first) != "changed" || holds(b, c.ID, "https://evil.example", first) != "changed" || holds(b, c.ID, origin+":444", first) != "changed" {
			t.Error("it is of others too")
		}
	})
	t.Run("section 3.1: a failed authentication has it too", func(t *testing.T) {
		for name, change := range map[string][]string{
			"login_required": {"prompt", "none", "max_age", "0"}, "consent_required": {"prompt", "none", "scope", "openid email"},
		} {
			untrusted, _ := s.Client("web", name)
			o := b.Authorize(untrusted, change...)
			if o.Params.Get("error") != name || holds(b, untrusted.ID, origin, o.Params.Get("session_state")) != "unchanged" {
				t.Errorf("%s: %v", name, o.Params)
			}
		}
		nobody := s.Browser("")
		o := nobody.Authorize(c, "prompt", "none")
		if o.Params.Get("error") != "login_required" || holds(nobody, c.ID, origin, o.Params.Get("session_state")) != "unchanged" {
			t.Errorf("signed out: %v", o.Params)
		}
	})
	t.Run("without openid, and before anything was looked at, there is none", func(t *testing.T) {
		for _, change := range [][]string{{"scope", "profile"}, {"max_age", "x"}, {"prompt", "none login"}} {
			if o := b.Authorize(c, change...); o.Params == nil || o.Params.Has("session_state") {
				t.Errorf("%v: %v", change, o.Params)
			}
		}
	})
}

// What changes the login state, and what does not: Session Management 3.2.
func TestLoginState(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	alice := s.User("alice")
	s.User("bob")
	c, secret := s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })
	two, _ := s.Client("web", "Two", func(c *storage.Client) { c.Trusted = true })
	signedIn := func(t *testing.T) (*providertest.Browser, string, string) {
		t.Helper()
		b := s.With(t).Browser("alice")
		o := b.Authorize(c)
		return b, o.Params.Get("session_state"), s.Redeem(c, secret, o.Params.Get("code")).Text("id_token")
	}
	is := func(t *testing.T, want string, b *providertest.Browser, sessionState string) {
		t.Helper()
		if got := holds(b, c.ID, origin, sessionState); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	t.Run("an account signs in where none was", func(t *testing.T) {
		b := s.Browser("alice")
		o := b.Authorize(c, "prompt", "none")
		b.Code(c)
		is(t, "changed", b, o.Params.Get("session_state"))
	})
	t.Run("a second account signs in", func(t *testing.T) {
		b, state, _ := signedIn(t)
		b.User = "bob"
		b.Code(c, "prompt", "login")
		is(t, "changed", b, state)
	})
	t.Run("another app, time and pages change nothing", func(t *testing.T) {
		b, state, _ := signedIn(t)
		s.Clock.Advance(time.Minute)
		b.Code(two)
		b.Open("/")
		b.Authorize(c, "prompt", "none", "max_age", "0")
		is(t, "unchanged", b, state)
	})
	t.Run("signing out", func(t *testing.T) {
		b, state, hint := signedIn(t)
		b.Open("/logout?" + url.Values{"id_token_hint": {hint}}.Encode())
		is(t, "changed", b, state)
	})
	t.Run("signing out by the question", func(t *testing.T) {
		b, state, _ := signedIn(t)
		b.Submit(b.Open("/logout"), "confirm", "yes")
		is(t, "changed", b, state)
	})
	t.Run("staying", func(t *testing.T) {
		b, state, _ := signedIn(t)
		b.Submit(b.Open("/logout"), "stay", "yes")
		is(t, "unchanged", b, state)
	})
	t.Run("ended by others: the next request finds it gone", func(t *testing.T) {
		b, state, _ := signedIn(t)
		sessions, _ := sessionsOf(t, s, b)
		if _, err := s.Store.EndSessions(t.Context(), []storage.ID{sessions[0].Session.ID}, storage.Change{Now: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		is(t, "unchanged", b, state)
		o := b.Authorize(c, "prompt", "none")
		is(t, "changed", b, state)
		is(t, "unchanged", b, o.Params.Get("session_state"))
	})
	t.Run("expired", func(t *testing.T) {
		s := providertest.New(t)
		s.User("alice")
		c := trusted(s)
		b := s.Browser("alice")
		state := b.Authorize(c).Params.Get("session_state")
		s.Clock.Advance(24 * time.Hour)
		b.Authorize(c, "prompt", "none")
		if got := holds(b, c.ID, origin, state); got != "changed" {
			t.Error(got)
		}
	})
	t.Run("a frame of another site knows nothing, and changes nothing", func(t *testing.T) {
		b, state, _ := signedIn(t)
		framed := func(cookies ...*http.Cookie) providertest.Answer {
			r := s.Request(http.MethodGet, "/authorize?"+providertest.AuthorizeParams(c, "prompt", "none").Encode(), nil)
			r.Header.Set("Sec-Fetch-Dest", "iframe")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			for _, cookie := range cookies {
				r.AddCookie(cookie)
			}
			return s.Do(r)
		}
		for _, cookie := range b.Cookies() {
			if strings.HasSuffix(cookie.Name, "-state") { // SameSite=None; Lax ones are not sent
				a := framed(cookie)
				to, _ := url.Parse(a.Header.Get("Location"))
				if a.Header.Get("Set-Cookie") != "" || to.Query().Get("error") != "login_required" || holds(b, c.ID, origin, to.Query().Get("session_state")) != "unchanged" {
					t.Errorf("to %s, sets %q", to, a.Header.Get("Set-Cookie"))
				}
			}
		}
		a := framed() // or no cookie at all: none is set, since it might go into a jar of the frame's own
		if to, _ := url.Parse(a.Header.Get("Location")); a.Header.Get("Set-Cookie") != "" || to.Query().Has("session_state") {
			t.Errorf("to %s, sets %q", to, a.Header.Get("Set-Cookie"))
		}
		is(t, "unchanged", b, state)
	})
	t.Run("tampered with, planted, of another issuer: another one, no error page, nobody else", func(t *testing.T) {
		b, state, _ := signedIn(t)
		i := slices.IndexFunc(b.Cookies(), func(c *http.Cookie) bool { return strings.HasSuffix(c.Name, "-state") })
		name := b.Cookies()[i].Name
		good := b.Cookies()[i].Value
		for _, value := range []string{"", "x", good + "x", good[1:], "A" + good[1:], strings.Repeat("a", 4000), strings.ToLower(good), good[:26] + "." + strings.Repeat("A", 22)} {
			b.SetCookies([]*http.Cookie{{Name: name, Value: value, Path: "/"}})
			o := b.Authorize(c, "prompt", "none")
			if !o.Params.Has("code") || stateOf(b) == value || holds(b, c.ID, origin, o.Params.Get("session_state")) != "unchanged" {
				t.Errorf("%q: %v", value, o.Params)
			}
		}
		is(t, "changed", b, state)
		b.SetCookies([]*http.Cookie{{Name: "signet-00000000-state", Value: good, Path: "/"}, {Name: "signet-00000000-browser", Value: good, Path: "/"}})
		if !in(t, b, c) {
			t.Error("the cookies of another issuer sign somebody out")
		}
	})
	if _, err := s.Store.User(t.Context(), alice.Sub); err != nil {
		t.Fatal(err)
	}
}

// sessionsOf are the live sessions at b, and its handle.
func sessionsOf(t *testing.T, s *providertest.Server, b *providertest.Browser) ([]storage.SessionUser, storage.Handle) {
	t.Helper()
	h, err := storage.ParseHandle(browserCookie(b).Value)
	if err != nil {
		t.Fatal(err)
	}
	_, sessions, err := s.Store.Browser(t.Context(), h, s.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return sessions, h
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"https://app.example/cb":               "https://app.example",
		"https://app.example":                  "https://app.example",
		"HTTPS://App.Example:443/cb?x#y":       "https://app.example",
		"https://app.example:8443/":            "https://app.example:8443",
		"https://app.example:0443/":            "https://app.example",
		"https://app.example:/":                "https://app.example",
		"http://app.example:443/":              "http://app.example:443",
		"http://localhost:80/cb":               "http://localhost",
		"http://127.0.0.1:1234/cb":             "http://127.0.0.1:1234",
		"http://[::1]:1234/cb":                 "http://[::1]:1234",
		"http://[0:0:0:0:0:0:0:1]/cb":          "http://[::1]",
		"http://[0:0::FFFF]/cb":                "http://[::ffff]",
		"https://user@app.example/cb":          "https://app.example",
		"com.example.app:/cb":                  "null", // RFC 6454 section 4: no authority that names it
		"com.example.app://x/cb":               "null",
		"urn:ietf:wg:oauth:2.0:oob":            "null",
		"":                                     "null",
		"https://":                             "null",
		"https://%":                            "null",
		"https://app.example:99999/cb":         "https://app.example",
		"https://xn--pp-wia.example/cb?a=b&c=": "https://xn--pp-wia.example",
	} {
		if got := session.Origin(uri); got != want {
			t.Errorf("RFC 6454 4, 6.2: %q has origin %q, want %q", uri, got, want)
		}
	}
}

func FuzzOrigin(f *testing.F) {
	f.Add("https://App.example:443/cb")
	f.Add("http://[::1%25eth0]:8080/")
	f.Fuzz(func(t *testing.T, uri string) {
		got := session.Origin(uri)
		if got == "null" {
			return
		}
		if u, err := url.Parse(got); err != nil || u.Scheme+"://"+u.Host != got || session.Origin(got) != got {
			t.Errorf("%q has origin %q, which is none", uri, got)
		}
	})
}
