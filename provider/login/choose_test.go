package login_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// chooser is a browser at which alice, and then bob, signed in, and the sessions that its page offers, by account.
func chooser(t *testing.T, s *providertest.Server, c storage.Client, change ...string) (*providertest.Browser, providertest.Outcome, map[string]string) {
	t.Helper()
	b := s.Browser("alice")
	b.Code(c)
	s.Clock.Advance(3 * time.Hour)
	b.User = "bob"
	b.Code(c, "prompt", "login")
	b.User = ""
	o := b.Authorize(c, append([]string{"prompt", "select_account"}, change...)...)
	offered := map[string]string{}
	for _, m := range regexp.MustCompile(`(?s)name="session" value="([^"]+)">.*?<bdi>([^<]+)</bdi>`).FindAllStringSubmatch(o.Page.Body, -1) {
		offered[m[2]] = m[1]
	}
	return b, o, offered
}

func query(t *testing.T, o providertest.Outcome) string {
	t.Helper()
	u, err := url.Parse(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.RawQuery
}

// OpenID Connect Core 3.1.2.1, prompt=select_account.
func TestChoose(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	alice, bob := s.User("alice"), s.User("bob")
	c, secret := s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })
	sub := func(t *testing.T, o providertest.Outcome) any {
		t.Helper()
		if o.Params.Get("code") == "" {
			t.Fatalf("callback %q, page %d %s", o.Callback, o.Page.Status, providertest.Text(o.Page.Body))
		}
		return s.Verify(s.Redeem(c, secret, o.Params.Get("code")).Text("id_token")).Claims["sub"]
	}
	isSignIn := func(o providertest.Outcome) (login string, ok bool) {
		form, _ := providertest.Form(o.Page.Body)
		return form.Values.Get("username"), o.Page.Status == http.StatusOK && form.Has("password")
	}

	t.Run("the accounts, the last used one first, and since when", func(t *testing.T) {
		_, o, offered := chooser(t, s, c)
		said := providertest.Text(o.Page.Body)
		if len(offered) != 2 || !strings.Contains(said, "Full Name of bob bob · Signed in just now Full Name of alice alice · Signed in 3 hours ago Use another account") {
			t.Errorf("%v: %s", offered, said)
		}
		if csp := o.Page.Header.Get("Content-Security-Policy"); strings.Contains(csp, "form-action") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "script-src") {
			t.Errorf("CSP %q", csp)
		}
	})
	t.Run("the choice is whom the code is for, and the next prompt=none means", func(t *testing.T) {
		b, o, offered := chooser(t, s, c)
		if got := sub(t, b.Submit(o, "session", offered["alice"])); got != alice.Sub {
			t.Errorf("sub %v, want alice's", got)
		}
	})
	t.Run("another account: the sign-in page, with the login_hint, and no reproach", func(t *testing.T) {
		b, o, _ := chooser(t, s, c, "login_hint", "carol")
		page := b.Open("/signin?" + query(t, o))
		if login, ok := isSignIn(page); !ok || login != "carol" || strings.Contains(providertest.Text(page.Page.Body), "once more") {
			t.Errorf("login %q: %s", login, providertest.Text(page.Page.Body))
		}
		if got := sub(t, b.Submit(page, "username", "alice", "password", providertest.Password)); got != alice.Sub {
			t.Errorf("sub %v", got)
		}
	})
	t.Run("a choice proves nothing: prompt=login, max_age", func(t *testing.T) {
		for _, change := range [][]string{{"prompt", "login select_account"}, {"max_age", "3600"}, {"max_age", "0"}} {
			b, o, offered := chooser(t, s, c, change...)
			page := b.Submit(o, "session", offered["alice"])
			login, ok := isSignIn(page)
			if !ok || login != "alice" || !strings.Contains(providertest.Text(page.Page.Body), "once more") {
				t.Errorf("%v: login %q, callback %q: %s", change, login, page.Callback, providertest.Text(page.Page.Body))
				continue
			}
			if got := sub(t, b.Submit(page, "username", "alice", "password", providertest.Password)); got != alice.Sub {
				t.Errorf("%v: sub %v", change, got)
			}
		}
		b, o, offered := chooser(t, s, c, "max_age", "3600")
		if got := sub(t, b.Submit(o, "session", offered["bob"])); got != bob.Sub {
			t.Errorf("bob has just signed in: %v", got)
		}
	})
	t.Run("consent is asked of whom was chosen", func(t *testing.T) {
		asking, _ := s.Client("web", "Asking")
		b, _, _ := chooser(t, s, c)
		b.Undecided = true
		o := b.Authorize(asking, "prompt", "select_account")
		ids := regexp.MustCompile(`name="session" value="([^"]+)"`).FindAllStringSubmatch(o.Page.Body, -1)
		page := b.Submit(o, "session", ids[1][1])
		if !strings.Contains(page.Page.Body, "Full Name of alice") {
			t.Errorf("page %s", providertest.Text(page.Page.Body))
		}
	})
	t.Run("nothing to choose: nobody is signed in, or a hint names somebody", func(t *testing.T) {
		if _, ok := isSignIn(s.Browser("").Authorize(c, "prompt", "select_account")); !ok {
			t.Error("nobody is signed in, and there is no sign-in page")
		}
		b := s.Browser("alice")
		hint := s.Redeem(c, secret, b.Code(c)).Text("id_token")
		b.User = "bob"
		b.Code(c, "prompt", "login")
		if got := sub(t, b.Authorize(c, "prompt", "select_account", "id_token_hint", hint)); got != alice.Sub {
			t.Errorf("sub %v, want alice's, whom the hint names", got)
		}
	})
	t.Run("only sessions of this browser that live", func(t *testing.T) {
		_, _, others := chooser(t, s, c)
		b, o, offered := chooser(t, s, c)
		for name, id := range map[string]string{"of another browser": others["alice"], "made up": storage.NewID(s.Clock.Now()).String()} {
			if again := b.Submit(o, "session", id); again.Callback != "" || !strings.Contains(again.Page.Body, `name="session"`) {
				t.Errorf("%s: callback %q, page %s", name, again.Callback, providertest.Text(again.Page.Body))
			}
		}
		for _, id := range []string{"", "x", strings.Repeat("A", 5000), "../" + offered["alice"]} {
			if again := b.Submit(o, "session", id); again.Callback != "" || again.Page.Status != http.StatusBadRequest {
				t.Errorf("%q: callback %q, page %d", id, again.Callback, again.Page.Status)
			}
		}
		id, err := storage.ParseID(offered["alice"])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Store.EndSessions(t.Context(), []storage.ID{id}, storage.Change{Now: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		if again := b.Submit(o, "session", offered["alice"]); again.Callback != "" || strings.Contains(again.Page.Body, offered["alice"]) || !strings.Contains(again.Page.Body, offered["bob"]) {
			t.Errorf("ended: callback %q, page %s", again.Callback, providertest.Text(again.Page.Body))
		}
	})
	t.Run("by our own form alone; GET chooses nothing, and another browser neither", func(t *testing.T) {
		b, o, offered := chooser(t, s, c)
		to := "/choose?" + query(t, o)
		if again := b.Open(to + "&session=" + offered["alice"]); !strings.Contains(again.Page.Body, `name="session"`) {
			t.Errorf("GET: callback %q", again.Callback)
		}
		r := s.Request(http.MethodPost, to, url.Values{"session": {offered["alice"]}})
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if a := b.Once(r); a.Status != http.StatusForbidden {
			t.Errorf("another site's form: %d", a.Status)
		}
		other := s.Browser("alice")
		other.Code(c)
		if a := other.Send(s.Request(http.MethodPost, to, url.Values{"session": {offered["alice"]}})); a.Callback != "" || a.Page.Status != http.StatusBadRequest {
			t.Errorf("another browser: %d, callback %q", a.Page.Status, a.Callback)
		}
	})
}

// Staying signed in.
func TestRemember(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	s := providertest.New(t)
	s.User("alice")
	s.User("bob")
	c, _ := s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })
	signIn := func(t *testing.T, b *providertest.Browser, user string, change ...string) providertest.Outcome {
		t.Helper()
		b.User = ""
		o := b.Submit(b.Authorize(c, "prompt", "login"), append([]string{"username", user, "password", providertest.Password}, change...)...)
		if o.Params.Get("code") == "" {
			t.Fatalf("page %s", providertest.Text(o.Page.Body))
		}
		return o
	}
	// lives are the lifetimes, in seconds, of the cookies that were set on the way; 0 is the browser's session.
	lives := func(o providertest.Outcome, kind string) (all []int) {
		for _, hop := range o.Hops {
			for _, set := range (&http.Response{Header: hop.Header}).Cookies() {
				if strings.HasSuffix(set.Name, "-"+kind) {
					all = append(all, set.MaxAge)
				}
			}
		}
		return all
	}
	in := func(b *providertest.Browser) bool { return b.Authorize(c, "prompt", "none").Params.Has("code") }
	month := int((30 * day).Seconds())

	t.Run("unticked by default, and what was ticked stays so", func(t *testing.T) {
		b := s.Browser("")
		o := b.Authorize(c)
		if form, _ := providertest.Form(o.Page.Body); !form.Has("remember") || form.Values.Has("remember") {
			t.Errorf("form %v", form)
		}
		o = b.Submit(o, "username", "alice", "password", "wrong", "remember", "yes")
		if form, _ := providertest.Form(o.Page.Body); !form.Values.Has("remember") {
			t.Error("a wrong password unticks it")
		}
		signIn(t, b, "alice", "remember", "yes")
		if got := lives(signIn(t, b, "bob"), "browser"); !slices.Equal(got, []int{month}) {
			t.Errorf("somebody else: %v", got)
		}
		if got := lives(signIn(t, b, "alice"), "browser"); !slices.Equal(got, []int{month}) {
			t.Errorf("proving it once more ends it: %v", got)
		}
	})
	t.Run("the cookies go with the browser, or stay for 30 days", func(t *testing.T) {
		for _, kind := range []string{"browser", "state"} {
			if got := lives(signIn(t, s.Browser(""), "alice"), kind); !slices.Equal(got, []int{0}) {
				t.Errorf("%s, not kept: %v", kind, got)
			}
			if got := lives(signIn(t, s.Browser(""), "alice", "remember", "yes"), kind); !slices.Equal(got, []int{month}) {
				t.Errorf("%s, kept: %v", kind, got)
			}
		}
	})
	t.Run("with two accounts the cookie stays for what is left of the kept one", func(t *testing.T) {
		s := providertest.New(t)
		s.User("alice")
		s.User("bob")
		c, _ = s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })
		b := s.Browser("")
		b.Submit(b.Authorize(c), "username", "alice", "password", providertest.Password, "remember", "yes")
		s.Clock.Advance(10 * day)
		o := b.Submit(b.Authorize(c, "prompt", "login"), "username", "bob", "password", providertest.Password)
		if got := lives(o, "browser"); !slices.Equal(got, []int{int((20 * day).Seconds())}) {
			t.Errorf("it stays for %v", got)
		}
		s.Clock.Advance(2 * day) // bob's own lifetime decides
		if o := b.Authorize(c, "prompt", "select_account"); strings.Contains(o.Page.Body, "Full Name of bob") || !strings.Contains(o.Page.Body, "Full Name of alice") {
			t.Errorf("page %s", providertest.Text(o.Page.Body))
		}
	})
	t.Run("a kept session lives for 30 days unused, and no longer", func(t *testing.T) {
		s := providertest.New(t)
		s.User("alice")
		c, _ = s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })
		b := s.Browser("")
		b.Submit(b.Authorize(c), "username", "alice", "password", providertest.Password, "remember", "yes")
		if s.Clock.Advance(30*day - time.Second); !in(b) {
			t.Error("it ended before its time")
		}
		if s.Clock.Advance(time.Second); in(b) {
			t.Error("it lives on, for it was used")
		}
	})
}

// The clock of the machine is set.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	s := providertest.New(t)
	s.User("alice")
	c, _ := s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })
	begin := func(change ...string) *providertest.Browser {
		b := s.Browser("")
		b.Submit(b.Authorize(c), append([]string{"username", "alice", "password", providertest.Password}, change...)...)
		return b
	}
	in := func(b *providertest.Browser) bool { return b.Authorize(c, "prompt", "none").Params.Has("code") }
	plain, kept := begin(), begin("remember", "yes")
	s.Clock.Advance(-day)
	if !in(plain) || !in(kept) {
		t.Error("a clock set back signs people out")
	}
	if o := plain.Authorize(c, "max_age", "60"); o.Params.Get("code") == "" {
		t.Errorf("a clock set back asks again: %s", providertest.Text(o.Page.Body))
	}
	open := s.Browser("")
	page := open.Authorize(c)
	s.Clock.Advance(-day)
	if o := open.Submit(page, "username", "alice", "password", providertest.Password); o.Params.Get("code") == "" {
		t.Errorf("a sign-in under way: %s", providertest.Text(o.Page.Body))
	}
	page = open.Authorize(c, "prompt", "login")
	s.Clock.Advance(-time.Hour)
	if o := open.Submit(page, "username", "alice", "password", providertest.Password); o.Params.Get("code") == "" {
		t.Errorf("prompt=login goes round in circles: %s", providertest.Text(o.Page.Body))
	}
	s.Clock.Advance(2*day + time.Hour)
	plain, kept = begin(), begin("remember", "yes")
	s.Clock.Advance(day)
	if in(plain) || !in(kept) {
		t.Error("a day ahead: the one that was not used for a day ends, and the kept one does not")
	}
}

// RFC 9470: a resource server's challenge, carried into an authorization request.
func TestStepUp(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, secret := s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })
	b := s.Browser("alice")
	first := s.Verify(s.Redeem(c, secret, b.Code(c)).Text("id_token")).Claims
	s.Clock.Advance(time.Minute)

	if o := b.Authorize(c, "prompt", "none", "max_age", "5"); o.Params.Get("error") != "login_required" {
		t.Errorf("Core 3.1.2.1: silently: %v", o.Params)
	}
	if o := b.Authorize(c, "max_age", "3600", "acr_values", "pwd"); len(o.Asked) > 0 {
		t.Errorf("what is met is asked for: %v", o.Asked)
	}
	o := b.Authorize(c, "max_age", "5", "acr_values", "pwd")
	if !slices.Equal(o.Asked, []string{"signin"}) || o.Params.Get("code") == "" {
		t.Fatalf("asked %v, %v", o.Asked, o.Params)
	}
	a := s.Redeem(c, secret, o.Params.Get("code"))
	again := s.Verify(a.Text("id_token")).Claims
	if again["auth_time"].(float64) != first["auth_time"].(float64)+60 || again["acr"] != "pwd" {
		t.Errorf("RFC 9470 5: auth_time was %v, is %v, acr %v", first["auth_time"], again["auth_time"], again["acr"])
	}
	if again["sid"] != first["sid"] || first["sid"] == nil {
		t.Errorf("the session is another one: sid was %v, is %v", first["sid"], again["sid"])
	}
	if access := s.Verify(a.Text("access_token")).Claims; access["auth_time"] != again["auth_time"] || access["acr"] != "pwd" {
		t.Errorf("RFC 9470 6.1, RFC 9068 2.2.1: the access token says %v", access)
	}
	if o := b.Authorize(c, "acr_values", "mfa phr"); len(o.Asked) > 0 || o.Params.Get("code") == "" {
		t.Errorf("Core 3.1.2.1: acr_values that no sign-in here has are voluntary: asked %v, %v", o.Asked, o.Params)
	}
}
