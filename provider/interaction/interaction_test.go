package interaction_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// refused holds an answer to: a page, nothing for the client, no cookie.
func refused(t *testing.T, what string, o providertest.Outcome) {
	t.Helper()
	if o.Callback != "" || o.Page.Status != http.StatusBadRequest || o.Page.Header.Get("Set-Cookie") != "" || len(o.Asked) > 0 {
		t.Errorf("%s: callback %q, asked %v, page %d %s, sets %q", what, o.Callback, o.Asked, o.Page.Status, providertest.Text(o.Page.Body), o.Page.Header.Get("Set-Cookie"))
	}
}

// everywhere tries all that can be done with an interaction.
func everywhere(s *providertest.Server, b *providertest.Browser, id string) map[string]providertest.Outcome {
	query := "?interaction=" + url.QueryEscape(id)
	return map[string]providertest.Outcome{
		"sign-in page": b.Open("/signin" + query),
		"sign-in":      b.Send(s.Request(http.MethodPost, "/signin"+query, url.Values{"username": {"alice"}, "password": {providertest.Password}})),
		"consent page": b.Open("/consent" + query),
		"consent":      b.Send(s.Request(http.MethodPost, "/authorize/continue"+query, url.Values{"decision": {"allow"}})),
		"denial":       b.Send(s.Request(http.MethodPost, "/authorize/continue"+query, url.Values{"decision": {"deny"}})),
		"continuation": b.Open("/authorize/continue" + query),
	}
}

// id is the interaction that the page belongs to.
func id(t *testing.T, o providertest.Outcome) string {
	t.Helper()
	u, err := url.Parse(o.URL)
	if err != nil || u.Query().Get("interaction") == "" {
		t.Fatalf("no interaction in %q", o.URL)
	}
	return u.Query().Get("interaction")
}

// Keycloak CVE-2026-7507: an address alone does nothing in another browser, whoever is signed in there.
func TestAnotherBrowser(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, _ := s.Client("web", "My app")
	attacker, victim := s.Browser(""), s.Browser("alice")
	victim.Code(c)
	page := attacker.Authorize(c)
	for _, b := range []*providertest.Browser{victim, s.Browser("alice")} {
		for what, o := range everywhere(s, b, id(t, page)) {
			refused(t, what, o)
		}
	}
	if o := attacker.Submit(page, "username", "alice", "password", "wrong"); o.Page.Status != http.StatusUnprocessableEntity {
		t.Errorf("it does nothing in its own browser either: %d", o.Page.Status)
	}
}

func TestUnknownInteractions(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	b := s.Browser("alice")
	for _, id := range []string{"", "x", strings.Repeat("A", 22), strings.Repeat("A", 10000), "\x00", "../../etc/passwd"} {
		for what, o := range everywhere(s, b, id) {
			refused(t, what, o)
		}
	}
}

func TestFinishedInteractionIsSpent(t *testing.T) {
	t.Parallel()
	for _, deny := range []bool{false, true} {
		s := providertest.New(t)
		s.User("alice")
		c, _ := s.Client("web", "My app")
		b := s.Browser("alice")
		b.Undecided = true
		page := b.Authorize(c)
		before := b.Cookies()
		decision := map[bool]string{false: "allow", true: "deny"}[deny]
		o := b.Submit(page, "decision", decision)
		if o.Params.Has("code") == deny || o.Params.Has("error") != deny {
			t.Fatalf("response %v", o.Params)
		}
		for _, c := range b.Cookies() {
			if strings.Contains(c.Name, "interaction-") {
				t.Errorf("the browser keeps %s", c.Name)
			}
		}
		refused(t, "the form again", b.Submit(page, "decision", decision))
		b.SetCookies(before) // the back button of a browser that kept its cookies
		for what, o := range everywhere(s, b, id(t, page)) {
			refused(t, what, o)
			if !strings.Contains(providertest.Text(o.Page.Body), "finished already") {
				t.Errorf("%s: %s", what, providertest.Text(o.Page.Body))
			}
		}
	}
}

func TestExpires(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, _ := s.Client("web", "My app")
	late, inTime := s.Browser(""), s.Browser("")
	latePage, inTimePage := late.Authorize(c), inTime.Authorize(c)
	s.Clock.Advance(10*time.Minute - time.Second)
	if o := inTime.Submit(inTimePage, "username", "alice", "password", providertest.Password); o.Params.Get("code") == "" {
		t.Errorf("after nearly ten minutes: page %s", providertest.Text(o.Page.Body))
	}
	s.Clock.Advance(time.Second)
	for what, o := range everywhere(s, late, id(t, latePage)) {
		refused(t, what, o)
		if !strings.Contains(providertest.Text(o.Page.Body), "expired") {
			t.Errorf("%s: %s", what, providertest.Text(o.Page.Body))
		}
	}
}

func TestTwoTabs(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	one, _ := s.Client("web", "One")
	two, _ := s.Client("web", "Two", func(c *storage.Client) { c.RedirectURIs = []string{"https://two.example/cb"} })
	b := s.Browser("")
	first, second := b.Authorize(one, "state", "1"), b.Authorize(two, "state", "2")
	if first = b.Submit(first, "username", "alice", "password", providertest.Password); first.Params.Get("state") != "1" || first.Params.Get("code") == "" {
		t.Errorf("first tab: %v, page %s", first.Params, providertest.Text(first.Page.Body))
	}
	if second = b.Submit(second, "username", "alice", "password", providertest.Password); second.Params.Get("state") != "2" || !strings.HasPrefix(second.Callback, "https://two.example/cb?") {
		t.Errorf("second tab: %q, page %s", second.Callback, providertest.Text(second.Page.Body))
	}
	// A tab that was left at the sign-in page goes on by itself once another tab has signed in.
	b = s.Browser("")
	left := b.Authorize(one)
	b.Submit(b.Authorize(two), "username", "alice", "password", providertest.Password)
	if o := b.Open("/authorize/continue?interaction=" + id(t, left)); o.Params.Get("code") == "" {
		t.Errorf("the tab that was left: page %s", providertest.Text(o.Page.Body))
	}
}

// An answer given as one user does not count for another.
func TestConsentOfAnotherAccount(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	s.User("bob")
	c, secret := s.Client("web", "My app")
	trusted, _ := s.Client("web", "Trusted", func(c *storage.Client) { c.Trusted = true })
	t.Run("another tab signs in as bob", func(t *testing.T) {
		b := s.Browser("alice")
		b.Code(trusted)
		b.Undecided = true
		page := b.Authorize(c)
		if !strings.Contains(page.Page.Body, "Full Name of alice") {
			t.Fatalf("page %s", providertest.Text(page.Page.Body))
		}
		b.User = "bob"
		b.Code(trusted, "prompt", "login")
		again := b.Submit(page, "decision", "allow")
		if again.Callback != "" || !strings.Contains(again.Page.Body, "Full Name of bob") {
			t.Errorf("callback %q, page %s", again.Callback, providertest.Text(again.Page.Body))
		}
	})
	t.Run("back to the sign-in page, as bob", func(t *testing.T) {
		b := s.Browser("alice")
		b.Undecided = true
		page := b.Authorize(c)
		b.User = "bob"
		second := b.Open("/signin?interaction=" + id(t, page))
		if second.Callback != "" || !strings.Contains(second.Page.Body, "Full Name of bob") {
			t.Fatalf("callback %q, page %s", second.Callback, providertest.Text(second.Page.Body))
		}
		again := b.Submit(page, "decision", "allow")
		if again.Callback != "" || !strings.Contains(again.Page.Body, "Full Name of bob") {
			t.Fatalf("callback %q, page %s", again.Callback, providertest.Text(again.Page.Body))
		}
		o := b.Submit(again, "decision", "allow")
		bob, err := s.Store.UserByLogin(t.Context(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		if sub := s.Verify(s.Redeem(c, secret, o.Params.Get("code")).Text("id_token")).Claims["sub"]; sub != bob.Sub {
			t.Errorf("sub %v, want bob's", sub)
		}
	})
	t.Run("an answer without an account", func(t *testing.T) {
		b := s.Browser("alice")
		b.Undecided = true
		page := b.Authorize(c)
		for _, account := range []string{"", "&account=", "&account=x"} {
			r := s.Request(http.MethodPost, "/authorize/continue?interaction="+id(t, page)+account, url.Values{"decision": {"allow"}})
			if o := b.Send(r); o.Callback != "" {
				t.Errorf("%q: callback %q", account, o.Callback)
			}
		}
	})
}

func TestConsentIsRemembered(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	s.User("bob")
	client := func(typ string, change ...func(*storage.Client)) storage.Client {
		c, _ := s.Client(typ, "My app", change...)
		return c
	}
	redirect := func(uri string) func(*storage.Client) {
		return func(c *storage.Client) { c.RedirectURIs = []string{uri} }
	}
	trust := func(c *storage.Client) { c.Trusted = true }
	for name, row := range map[string]struct {
		client storage.Client
		first  bool // asked at the first time
		change []string
		again  bool // asked at the second
	}{
		"the same scope":                            {client("web"), true, nil, false},
		"less scope":                                {client("web"), true, []string{"scope", "openid email"}, false},
		"more scope":                                {client("web"), true, []string{"scope", "openid profile email groups offline_access"}, true},
		"Core 3.1.2.1: prompt=consent":              {client("web"), true, []string{"prompt", "consent"}, true},
		"a page of a browser's own":                 {client("spa"), true, nil, false},
		"trusted":                                   {client("web", trust), false, []string{"scope", "openid offline_access"}, false},
		"trusted, prompt=consent":                   {client("web", trust), false, []string{"prompt", "consent"}, true},
		"RFC 8252 8.6: private-use scheme":          {client("native", redirect("com.example.app:/cb")), true, nil, true},
		"RFC 8252 8.6: loopback":                    {client("native", redirect("http://127.0.0.1/cb")), true, nil, true},
		"RFC 8252 8.6: private-use scheme, trusted": {client("native", redirect("com.example.app:/cb"), trust), false, nil, false},
		"RFC 8252 7.2: a claimed https URI":         {client("native"), true, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s.With(t)
			b := s.Browser("alice")
			consent := func(o providertest.Outcome) bool { return strings.Contains(strings.Join(o.Asked, " "), "consent") }
			if o := b.Authorize(row.client); consent(o) != row.first || o.Params.Get("code") == "" {
				t.Errorf("first: asked %v, page %s", o.Asked, providertest.Text(o.Page.Body))
			}
			if o := b.Authorize(row.client, row.change...); consent(o) != row.again || o.Params.Get("code") == "" {
				t.Errorf("second: asked %v, page %s", o.Asked, providertest.Text(o.Page.Body))
			}
			if o := s.Browser("bob").Authorize(row.client); consent(o) != row.first {
				t.Errorf("another user: asked %v", o.Asked)
			}
		})
	}
	t.Run("what was added later is remembered beside", func(t *testing.T) {
		t.Parallel()
		b, c := s.Browser("alice"), client("web")
		b.Code(c, "scope", "openid email")
		b.Code(c, "scope", "openid groups")
		if o := b.Authorize(c, "scope", "openid email groups"); len(o.Asked) > 0 {
			t.Errorf("asked %v", o.Asked)
		}
	})
	t.Run("a no is not remembered", func(t *testing.T) {
		t.Parallel()
		b, c := s.Browser("alice"), client("web")
		b.Deny = true
		for range 2 {
			o := b.Authorize(c)
			if o.Params.Get("error") != "access_denied" || o.Params.Get("state") != "the state" || o.Params.Get("iss") != s.Issuer {
				t.Errorf("RFC 6749 4.1.2.1: response %v", o.Params)
			}
		}
		b.Deny = false
		if o := b.Authorize(c); o.Params.Get("code") == "" || strings.Join(o.Asked, " ") != "consent" {
			t.Errorf("asked %v", o.Asked)
		}
	})
	t.Run("no answer is none", func(t *testing.T) {
		t.Parallel()
		b, c := s.Browser("alice"), client("web")
		b.Undecided = true
		page := b.Authorize(c)
		for _, decision := range []string{"", "maybe", "ALLOW"} {
			if o := b.Submit(page, "decision", decision); o.Callback != "" || o.Page.Status != http.StatusBadRequest {
				t.Errorf("%q: callback %q", decision, o.Callback)
			}
		}
		if o := b.Submit(page, "decision", "allow"); o.Params.Get("code") == "" {
			t.Error("the interaction is spent by no answer")
		}
	})
}

// What anonymous requests make us keep is bounded.
func TestBounds(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, _ := s.Client("web", "My app")
	b := s.Browser("")
	var last providertest.Outcome
	for range 40 {
		if last = b.Authorize(c); last.Page.Status != http.StatusOK {
			t.Fatalf("%d", last.Page.Status)
		}
	}
	if n := len(b.Cookies()); n > 12+1 { // and the login state
		t.Errorf("a browser keeps %d cookies", n)
	}
	if o := b.Open("/signin?interaction=" + id(t, last)); o.Page.Status != http.StatusOK {
		t.Errorf("the newest interaction: %d", o.Page.Status)
	}
	for range 160 {
		s.Do(s.Request(http.MethodGet, "/authorize?"+providertest.AuthorizeParams(c).Encode(), nil))
	}
	o := s.Browser("").Authorize(c)
	if o.Params.Get("error") != "temporarily_unavailable" { // RFC 6749 section 4.1.2.1
		t.Errorf("one address, 201 open interactions: %q, page %d", o.Callback, o.Page.Status)
	}
	s.Clock.Advance(10 * time.Minute)
	if o := s.Browser("").Authorize(c); o.Page.Status != http.StatusOK {
		t.Errorf("once they have expired: %d", o.Page.Status)
	}
}

// Only a user can decline: until one has signed in, "deny" is no answer, spends nothing and is not recorded.
func TestDenyBeforeSignIn(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, _ := s.Client("web", "My app")
	s.User("alice")
	b := s.Browser("")
	page := b.Authorize(c)
	r := s.Request(http.MethodPost, "/authorize/continue?interaction="+id(t, page), url.Values{"decision": {"deny"}})
	if o := b.Send(r); o.Callback != "" || !strings.Contains(o.URL, "/signin") {
		t.Errorf("the browser ended at %q, %s", o.Callback, o.URL)
	}
	b.User = "alice"
	if o := b.Submit(page, "username", "alice", "password", providertest.Password); o.Params.Get("code") == "" {
		t.Errorf("the sign-in does not go on: %s", providertest.Text(o.Page.Body))
	}
}

// A page of another site could load our address as an image, hundreds of times, in its visitor's name.
func TestOnlyPagesBeginInteractions(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, _ := s.Client("web", "My app")
	for dest, want := range map[string]string{"image": "interaction_required", "iframe": "interaction_required", "empty": "interaction_required", "document": "", "": ""} {
		r := s.Request(http.MethodGet, "/authorize?"+providertest.AuthorizeParams(c).Encode(), nil)
		if dest != "" {
			r.Header.Set("Sec-Fetch-Dest", dest)
		}
		a := s.Do(r)
		to, err := url.Parse(a.Header.Get("Location"))
		if err != nil || to.Query().Get("error") != want {
			t.Errorf("Sec-Fetch-Dest %q: sent to %s, want error %q", dest, to, want)
		}
		if begun := len(a.Header.Values("Set-Cookie")) > 0; begun != (want == "") {
			t.Errorf("Sec-Fetch-Dest %q: begun %v", dest, begun)
		}
	}
}

// Who names a user and was allowed nothing by them learns nothing by prompt=none: not even whether that user is signed in here.
func TestNamedUserWithoutConsent(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	alice, bob := s.User("alice"), s.User("bob")
	known, _ := s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })
	stranger, _ := s.Client("web", "A stranger")
	b := s.Browser("alice")
	b.Code(known)
	for name, sub := range map[string]string{"signed in": alice.Sub, "not signed in": bob.Sub} {
		claims := `{"id_token":{"sub":{"value":"` + sub + `"}}}`
		if o := b.Authorize(stranger, "prompt", "none", "claims", claims); o.Params.Get("error") != "login_required" {
			t.Errorf("%s: %v", name, o.Params)
		}
	}
	if o := b.Authorize(stranger, "prompt", "none"); o.Params.Get("error") != "consent_required" { // Core 3.1.2.6
		t.Errorf("nobody named: %v", o.Params)
	}
}
