package account_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"signet/provider/limit"
	"signet/provider/providertest"
	"signet/storage"
	"signet/users"
)

// quick compares passwords as they are: hashing them as slowly as the real one does would be most of the time of these tests.
type quick struct{ store storage.Store }

func (q *quick) Password(ctx context.Context, login, password string, _ users.From) (storage.User, error) {
	if password != providertest.Password {
		return storage.User{}, users.ErrCredentials
	}
	return q.store.UserByLogin(ctx, login)
}

func (*quick) Hash(_ context.Context, password string) (string, error) {
	return users.HashPassword(password)
}

// newServer is a provider whose passwords take no time.
func newServer(t *testing.T, change ...func(*providertest.Config)) *providertest.Server {
	t.Helper()
	q := &quick{}
	s := providertest.New(t, append(change, func(c *providertest.Config) { c.Passwords = q })...)
	q.store = s.Store
	return s
}

// pages are all that one can open.
var pages = []string{"/account", "/account/sessions", "/account/apps", "/account/history", "/account/password"}

// button is the value of the button of a page that says this.
func button(t *testing.T, o providertest.Outcome, says string) (name, value string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(o.Page.Body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || n.Data != "button" {
			continue
		}
		var text strings.Builder
		for d := range n.Descendants() {
			if d.Type == html.TextNode {
				text.WriteString(d.Data)
			}
		}
		if strings.Contains(text.String(), says) {
			for _, a := range n.Attr {
				switch a.Key {
				case "name":
					name = a.Val
				case "value":
					value = a.Val
				}
			}
			return name, value
		}
	}
	t.Fatalf("no button %q on %s: %s", says, o.URL, providertest.Text(o.Page.Body))
	return "", ""
}

// press presses a button of a page.
func press(t *testing.T, b *providertest.Browser, o providertest.Outcome, says string) providertest.Outcome {
	t.Helper()
	name, value := button(t, o, says)
	return b.Submit(o, name, value)
}

func says(t *testing.T, o providertest.Outcome, want ...string) {
	t.Helper()
	for _, w := range want {
		if text := providertest.Text(o.Page.Body); !strings.Contains(text, w) {
			t.Errorf("%s does not say %q, but %d: %s", o.URL, w, o.Page.Status, text)
		}
	}
}

func saysNot(t *testing.T, o providertest.Outcome, not ...string) {
	t.Helper()
	for _, w := range not {
		if text := providertest.Text(o.Page.Body); strings.Contains(text, w) {
			t.Errorf("%s says %q: %s", o.URL, w, text)
		}
	}
}

// sessions are those of a user that are live.
func sessions(t *testing.T, s *providertest.Server, u storage.User) []storage.Session {
	t.Helper()
	all, err := s.Store.Sessions(t.Context(), u.Sub, s.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func ids(all []storage.Session) (ids []storage.ID) {
	for _, s := range all {
		ids = append(ids, s.ID)
	}
	return ids
}

func active(s *providertest.Server, c storage.Client, secret, token string) bool {
	return s.Post("/introspect", c, secret, url.Values{"token": {token}}).JSON["active"] == true
}

func TestComingWithoutSession(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/tenant"} {
		s := newServer(t, func(c *providertest.Config) { c.Path = path })
		s.User("alice")
		for _, page := range pages {
			t.Run("sign-in and back to "+path+page, func(t *testing.T) {
				t.Parallel()
				s := s.With(t)
				b := s.Browser("alice")
				o := b.Open(page)
				if o.URL != s.Issuer+page || o.Page.Status != http.StatusOK || !slices.Equal(o.Asked, []string{"signin"}) {
					t.Fatalf("asked %v, ended at %s with %d", o.Asked, o.URL, o.Page.Status)
				}
				says(t, o, "You are signed in as Full Name of alice (alice)")
				for _, c := range b.Cookies() {
					if strings.Contains(c.Name, "interaction") {
						t.Errorf("the cookie %s of a finished sign-in is kept", c.Name)
					}
				}
				if o := b.Open(page); len(o.Asked) != 0 || o.URL != s.Issuer+page {
					t.Errorf("who is signed in is asked %v", o.Asked)
				}
			})
		}
	}
}

func TestWayBackIsOurs(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.User("alice")
	for _, query := range []string{
		"return=https://evil.example/", "return=//evil.example", "redirect_uri=https://evil.example/", "post_logout_redirect_uri=https://evil.example",
		"interaction=AAAAAAAAAAAAAAAAAAAAAA", "account=//evil.example", "page=99999999999999999999", "page=-1", "next=%2f%2fevil.example",
	} {
		o := s.Browser("alice").Open("/account/sessions?" + query)
		if o.Callback != "" || o.URL != s.Issuer+"/account/sessions" || o.Page.Status != http.StatusOK {
			t.Errorf("%s: ended at %q %q with %d", query, o.Callback, o.URL, o.Page.Status)
		}
	}
	for _, path := range []string{"/account/", "/account//evil.example", "/account/%2e%2e/x", "/account/unknown", "/accounts"} {
		if o := s.Browser("alice").Open(path); o.Page.Status != http.StatusNotFound {
			t.Errorf("%s: %d at %s%s", path, o.Page.Status, o.URL, o.Callback)
		}
	}
	t.Run("the interaction is spent by the sign-in", func(t *testing.T) {
		b := s.Browser("")
		o := b.Open("/account")
		in := b.Submit(o, "username", "alice", "password", providertest.Password)
		if in.URL != s.Issuer+"/account" {
			t.Fatalf("at %s", in.URL)
		}
		if again := b.Submit(o, "username", "alice", "password", providertest.Password); again.Page.Status != http.StatusBadRequest {
			t.Errorf("a second time: %d at %s", again.Page.Status, again.URL)
		}
	})
	t.Run("such an interaction reaches no client", func(t *testing.T) {
		b := s.Browser("")
		o := b.Open("/account")
		query := o.URL[strings.IndexByte(o.URL, '?'):]
		if got := b.Open("/authorize/continue" + query); got.Callback != "" || got.Page.Status != http.StatusBadRequest {
			t.Errorf("continue: %q %d", got.Callback, got.Page.Status)
		}
		if got := b.Open("/consent" + query); got.Callback != "" || !strings.HasPrefix(got.URL, s.Issuer+"/signin") {
			t.Errorf("consent: %q %s", got.Callback, got.URL)
		}
	})
}

func TestRequestsThatOpenNoPage(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.User("alice")
	b := s.Browser("")
	for _, dest := range []string{"image", "iframe", "script", "empty", "embed"} {
		r := s.Request(http.MethodGet, "/account", nil)
		r.Header.Set("Sec-Fetch-Dest", dest)
		if a := b.Once(r); a.Status != http.StatusForbidden || len(b.Cookies()) != 0 {
			t.Errorf("%s begins a sign-in: %d", dest, a.Status)
		}
	}
	for _, page := range pages {
		if a := b.Once(s.Request(http.MethodHead, page, nil)); a.Status != http.StatusMethodNotAllowed {
			t.Errorf("HEAD %s: %d", page, a.Status)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.User("alice")
	b := s.Browser("alice")
	b.Open("/account")
	for _, page := range pages {
		h := b.Open(page).Page.Header
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %v", page, h)
		}
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "form-action 'self'") || !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "script") {
			t.Errorf("%s: %s", page, csp)
		}
	}
}

func TestOverview(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.User("alice", func(u *storage.User) {
		u.Profile.PhoneNumber, u.Profile.Address = "+49 30 901820", &storage.Address{StreetAddress: "Rathausstraße 15", PostalCode: "10178", Locality: "Berlin"}
		u.Profile.Zoneinfo, u.Groups, u.Roles = "Europe/Berlin", []string{"staff", "<b>editors</b>"}, []string{"writer"}
	})
	b := s.Browser("alice")
	o := b.Open("/account")
	says(t, o, "Full Name of alice", "alice@example.com", "confirmed", "+49 30 901820", "not confirmed", "Rathausstraße 15 10178 Berlin", "staff, <b>editors</b>", "writer",
		"Whoever runs this server keeps these details", "You are signed in at one browser", "No app has access")
	o = b.Open("/account/sessions")
	if text := providertest.Text(o.Page.Body); !strings.Contains(text, " CET") && !strings.Contains(text, " CEST") {
		t.Errorf("times are not the user's: %s", text)
	}
	german := s.Request(http.MethodGet, "/account", nil)
	german.Header.Set("Accept-Language", "de")
	if a := b.Once(german); !strings.Contains(a.Body, "Wer Sie hier sind") || a.Header.Get("Content-Language") != "de" {
		t.Errorf("in German: %s", providertest.Text(a.Body))
	}
}

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

func TestSessions(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c, secret := s.Client("web", "My app")
	alice, mallory := s.User("alice"), s.User("mallory")

	here, there := s.Browser("alice"), s.Browser("alice")
	there.UserAgent = firefox
	tokens := s.Redeem(c, secret, there.Code(c))
	offline := s.Redeem(c, secret, there.Code(c, "scope", "openid offline_access"))
	s.Clock.Advance(time.Minute)
	mine := s.Redeem(c, secret, here.Code(c))
	thief := s.Browser("mallory")
	thief.Open("/account")

	o := here.Open("/account/sessions")
	says(t, o, "At 2 browsers", "Firefox on Linux", "This browser", "My app", "127.0.0.1", "with the password")
	saysNot(t, o, "mallory")
	before := sessions(t, s, alice)

	t.Run("the id of somebody else's session ends nothing", func(t *testing.T) {
		theirs := sessions(t, s, mallory)[0].ID.String()
		for _, id := range []string{theirs, "", "x", storage.NewID(s.Clock.Now()).String(), "../../etc"} {
			if got := here.Submit(o, "session", id); got.URL != s.Issuer+"/account/sessions" {
				t.Errorf("%q: at %s", id, got.URL)
			}
		}
		if len(sessions(t, s, mallory)) != 1 || len(sessions(t, s, alice)) != 2 {
			t.Error("something has ended")
		}
		// nor does mallory, with a form of her own and an id of alice's
		form := thief.Open("/account/sessions")
		thief.Submit(form, "session", before[0].ID.String())
		if len(sessions(t, s, alice)) != 2 {
			t.Error("alice's session was ended by mallory")
		}
	})
	t.Run("a form from elsewhere is refused", func(t *testing.T) {
		form, _ := providertest.Form(o.Page.Body)
		for header, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
			r := s.Request(http.MethodPost, form.Action, url.Values{"session": {"everywhere"}})
			r.Header.Set(header, value)
			if a := here.Once(r); a.Status != http.StatusForbidden {
				t.Errorf("%s: %d", header, a.Status)
			}
		}
		if len(sessions(t, s, alice)) != 2 {
			t.Error("something has ended")
		}
	})
	t.Run("GET changes nothing", func(t *testing.T) {
		here.Open("/account/sessions?session=everywhere")
		if a := here.Once(s.Request(http.MethodGet, "/account/switch", nil)); a.Status != http.StatusMethodNotAllowed || len(sessions(t, s, alice)) != 2 {
			t.Errorf("%d", a.Status)
		}
	})
	ended := press(t, here, o, "Sign out there")
	if ended.URL != s.Issuer+"/account/ended" || ended.Hops[0].Status != http.StatusSeeOther {
		t.Fatalf("at %s after %d", ended.URL, ended.Hops[0].Status)
	}
	says(t, ended, "It has ended", "No app had to be told")
	if left := sessions(t, s, alice); len(left) != 1 || active(s, c, secret, tokens.Text("access_token")) {
		t.Errorf("%d sessions are left", len(left))
	}
	if !active(s, c, secret, mine.Text("access_token")) {
		t.Error("this browser's tokens died as well")
	}
	if r := s.Refresh(c, secret, offline.Text("refresh_token")); r.Status != http.StatusOK {
		t.Errorf("offline access ended with a session (Back-Channel Logout 2.7): %s", r.Body)
	}
	there.User = ""
	if o := there.Authorize(c); o.Callback != "" {
		t.Errorf("the other browser still gets %v", o.Params)
	}
	if o := here.Open("/account"); len(o.Asked) != 0 {
		t.Error("this browser is signed out")
	}
}

func TestOthers(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	alice := s.User("alice")
	for range 3 {
		s.Browser("alice").Open("/account")
		s.Clock.Advance(time.Second)
	}
	b := s.Browser("alice")
	b.Open("/account")
	own := sessions(t, s, alice)[3].ID
	o := press(t, b, b.Open("/account/sessions"), "Sign out at all others")
	if left := sessions(t, s, alice); len(left) != 1 || left[0].ID != own || o.URL != s.Issuer+"/account/ended" {
		t.Errorf("%v are left, not %s", ids(left), own)
	}
	if o := b.Open("/account/sessions"); strings.Contains(o.Page.Body, "all others") {
		t.Error("there are no others")
	}
}

func TestEverywhere(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c, secret := s.Client("web", "My app", func(c *storage.Client) { c.BackchannelLogoutURI = "https://app.example/backchannel" })
	alice, bob := s.User("alice"), s.User("bob")
	there := s.Browser("alice")
	offline := s.Redeem(c, secret, there.Code(c, "scope", "openid offline_access"))
	s.Browser("bob").Open("/account")
	b := s.Browser("alice")
	b.Open("/account")
	o := press(t, b, b.Open("/account/sessions"), "Sign out everywhere")
	if o.URL != s.Issuer+"/account/ended" || len(o.Asked) != 0 {
		t.Fatalf("at %s, asked %v", o.URL, o.Asked)
	}
	says(t, o, "It has ended", "My app", "is being told", "Sign in again")
	saysNot(t, o, "You are signed in as")
	if !strings.Contains(o.Page.Body, `http-equiv="refresh"`) {
		t.Error("the page does not look again")
	}
	if len(sessions(t, s, alice)) != 0 || len(sessions(t, s, bob)) != 1 {
		t.Error("not everything of alice has ended, or something of bob")
	}
	if s.Refresh(c, secret, offline.Text("refresh_token")).Status == http.StatusOK || active(s, c, secret, offline.Text("access_token")) {
		t.Error("offline access is left")
	}
	b.User = ""
	if o := b.Open("/account"); !strings.HasPrefix(o.URL, s.Issuer+"/signin") {
		t.Errorf("at %s", o.URL)
	}
	t.Run("receipts as they come in", func(t *testing.T) {
		now := s.Clock.Now().Add(time.Second)
		due, err := s.Store.ClaimNotices(t.Context(), now, now.Add(time.Minute), 10)
		if err != nil || len(due) != 1 {
			t.Fatalf("%d notices, %v", len(due), err)
		}
		n := due[0]
		n.State, n.Settled = storage.NoticeDelivered, now
		if err := s.Store.SettleNotice(t.Context(), n, storage.Change{Now: now}); err != nil {
			t.Fatal(err)
		}
		o := b.Open("/account/ended")
		says(t, o, "was told")
		if strings.Contains(o.Page.Body, `http-equiv="refresh"`) {
			t.Error("the page still looks again")
		}
	})
	t.Run("the page looks again for a minute at the most", func(t *testing.T) {
		s.Browser("alice").Code(c)
		b := s.Browser("alice")
		b.Open("/account")
		press(t, b, b.Open("/account/sessions"), "Sign out everywhere")
		s.Clock.Advance(2 * time.Minute)
		if o := b.Open("/account/ended"); strings.Contains(o.Page.Body, `http-equiv="refresh"`) || !strings.Contains(o.Page.Body, "is being told") {
			t.Errorf("%s", providertest.Text(o.Page.Body))
		}
		s.Clock.Advance(9 * time.Minute)
		b.User = "bob"
		if o := b.Open("/account/ended"); o.URL != s.Issuer+"/account" {
			t.Errorf("whoever comes later is shown %s: %s", o.URL, providertest.Text(o.Page.Body))
		}
	})
	t.Run("who has ended nothing finds the overview", func(t *testing.T) {
		b := s.Browser("bob")
		if o := b.Open("/account/ended"); o.URL != s.Issuer+"/account" {
			t.Errorf("at %s", o.URL)
		}
	})
}

func TestFreshness(t *testing.T) {
	t.Parallel()
	for page, does := range map[string]string{"/account/sessions": "Sign out at all others", "/account/apps": "Take access away"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			c, _ := s.Client("web", "My app")
			alice := s.User("alice")
			s.Browser("alice").Code(c)
			s.Clock.Advance(time.Second)
			b := s.Browser("alice")
			b.Open(page)
			before := ids(sessions(t, s, alice))
			b.User = ""
			o := b.Open(page)
			s.Clock.Advance(15*time.Minute + time.Second)
			asked := press(t, b, o, does)
			if !strings.HasPrefix(asked.URL, s.Issuer+"/signin") || !strings.Contains(asked.Page.Body, "Prove once more that it is you") || !strings.Contains(asked.Page.Body, `value="alice"`) {
				t.Fatalf("a sign-in older than 15 minutes is enough: at %s, %s", asked.URL, providertest.Text(asked.Page.Body))
			}
			if got := ids(sessions(t, s, alice)); !slices.Equal(got, before) {
				t.Fatalf("something has ended: %v", got)
			}
			if got := b.Open(page); got.URL != s.Issuer+page {
				t.Errorf("to look needs no fresh sign-in; at %s", got.URL)
			}
			back := b.Submit(asked, "username", "alice", "password", providertest.Password)
			if back.URL != s.Issuer+page {
				t.Fatalf("back at %s", back.URL)
			}
			if got := ids(sessions(t, s, alice)); len(got) != 2 || got[1] != before[1] {
				t.Errorf("the session did not go on: %v, was %v", got, before)
			}
			if o := press(t, b, back, does); o.URL != s.Issuer+"/account/ended" {
				t.Errorf("at %s", o.URL)
			}
		})
	}
	t.Run("a clock that was set back makes nothing fresh", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		alice := s.User("alice")
		b := s.Browser("alice")
		o := b.Open("/account/sessions")
		b.User = ""
		s.Clock.Advance(-24 * time.Hour)
		if got := press(t, b, o, "Sign out everywhere"); !strings.HasPrefix(got.URL, s.Issuer+"/signin") {
			t.Errorf("at %s", got.URL)
		}
		s.Clock.Advance(24 * time.Hour)
		if len(sessions(t, s, alice)) == 0 {
			t.Error("everything has ended")
		}
	})
}

func TestPassword(t *testing.T) {
	t.Parallel()
	const next = "another horse, another battery"
	s := providertest.New(t)
	c, secret := s.Client("web", "My app")
	alice := s.User("alice")
	there := s.Browser("alice")
	offline := s.Redeem(c, secret, there.Code(c, "scope", "openid offline_access"))
	s.Clock.Advance(time.Minute)
	b := s.Browser("alice")
	o := b.Open("/account/password")
	copied := b.Cookies()
	own := sessions(t, s, alice)[1].ID // the last used one
	for name, row := range map[string]struct {
		current, next, repeat, says string
	}{
		"the current one is wrong": {"wrong horse", next, next, "The current password is not right."},
		"not the same twice":       {providertest.Password, next, next + "x", "not entered the same way twice"},
		"nothing new":              {providertest.Password, providertest.Password, providertest.Password, "is the current one"},
		"too short":                {providertest.Password, "short", "short", "at least 8 characters"},
		"too long":                 {providertest.Password, strings.Repeat("long", 257), strings.Repeat("long", 257), "at most 1024 bytes"},
		"empty":                    {providertest.Password, "", "", "cannot be a password"},
	} {
		got := b.Submit(o, "current", row.current, "new", row.next, "repeat", row.repeat)
		if got.Page.Status != http.StatusUnprocessableEntity || !strings.Contains(providertest.Text(got.Page.Body), row.says) || strings.Contains(got.Page.Body, row.current) {
			t.Errorf("%s: %d %s", name, got.Page.Status, providertest.Text(got.Page.Body))
		}
	}
	if u, err := s.Store.User(t.Context(), alice.Sub); err != nil || u.PasswordHash != alice.PasswordHash || len(sessions(t, s, alice)) != 2 {
		t.Fatal("something has changed")
	}
	done := b.Submit(o, "current", providertest.Password, "new", next, "repeat", next)
	says(t, done, "Your password is changed")
	if left := ids(sessions(t, s, alice)); !slices.Equal(left, []storage.ID{own}) {
		t.Errorf("%v are left, not %s alone", left, own)
	}
	if s.Refresh(c, secret, offline.Text("refresh_token")).Status == http.StatusOK || active(s, c, secret, offline.Text("access_token")) {
		t.Error("what was given under the old password is alive")
	}
	if o := b.Open("/account"); len(o.Asked) != 0 {
		t.Error("this browser is signed out")
	}
	t.Run("a copy of the cookie is worth nothing", func(t *testing.T) {
		thief := s.Browser("")
		thief.SetCookies(copied)
		if o := thief.Open("/account"); !strings.HasPrefix(o.URL, s.Issuer+"/signin") {
			t.Errorf("at %s", o.URL)
		}
	})
	t.Run("the old password signs nobody in", func(t *testing.T) {
		b := s.Browser("")
		o := b.Open("/account")
		if got := b.Submit(o, "username", "alice", "password", providertest.Password); got.Page.Status != http.StatusUnprocessableEntity {
			t.Errorf("%d", got.Page.Status)
		}
		if got := b.Submit(o, "username", "alice", "password", next); got.URL != s.Issuer+"/account" {
			t.Errorf("at %s", got.URL)
		}
	})
	t.Run("of two forms the later one loses", func(t *testing.T) {
		if got := b.Submit(o, "current", providertest.Password, "new", next+"!", "repeat", next+"!"); got.Page.Status != http.StatusUnprocessableEntity {
			t.Errorf("%d %s", got.Page.Status, providertest.Text(got.Page.Body))
		}
	})
}

func TestPasswordIsThrottled(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	b := s.Browser("alice")
	o := b.Open("/account/password")
	for range 6 {
		if got := b.Submit(o, "current", "wrong horse", "new", "another horse", "repeat", "another horse"); got.Page.Status != http.StatusUnprocessableEntity {
			t.Fatalf("%d", got.Page.Status)
		}
	}
	got := b.Submit(o, "current", providertest.Password, "new", "another horse", "repeat", "another horse")
	if got.Page.Status != http.StatusTooManyRequests || got.Page.Header.Get("Retry-After") == "" {
		t.Errorf("the seventh: %d", got.Page.Status)
	}
	says(t, got, "Too many attempts")
	// and the sign-in page is slowed down with it
	other := s.Browser("")
	if in := other.Submit(other.Open("/account"), "username", "alice", "password", providertest.Password); in.Page.Status != http.StatusTooManyRequests {
		t.Errorf("sign-in: %d", in.Page.Status)
	}
}

func TestPasswordWantsFreshSignIn(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.User("alice")
	b := s.Browser("alice")
	o := b.Open("/account/password")
	b.User = ""
	s.Clock.Advance(16 * time.Minute)
	for name, got := range map[string]providertest.Outcome{
		"form": b.Submit(o, "current", providertest.Password, "new", "another horse", "repeat", "another horse"), "page": b.Open("/account/password"),
	} {
		if !strings.HasPrefix(got.URL, s.Issuer+"/signin") {
			t.Errorf("%s: at %s", name, got.URL)
		}
	}
}

func TestDeclaredUsersKeepTheirPassword(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	alice := s.User("alice", func(u *storage.User) { u.Origin = storage.OriginFile })
	b := s.Browser("alice")
	o := b.Open("/account/password")
	says(t, o, "stands in the configuration of the server")
	if _, ok := providertest.Form(o.Page.Body); ok {
		t.Error("there is a form")
	}
	form, _ := providertest.Form(b.Open("/account/sessions").Page.Body)
	query := form.Action[strings.IndexByte(form.Action, '?'):]
	r := s.Request(http.MethodPost, "/account/password"+query, url.Values{"current": {providertest.Password}, "new": {"another horse"}, "repeat": {"another horse"}})
	b.Send(r)
	if u, _ := s.Store.User(t.Context(), alice.Sub); u.PasswordHash != alice.PasswordHash {
		t.Error("the password was changed")
	}
}

func TestApps(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c, secret := s.Client("web", "My <b>app</b>")
	trusted, trustedSecret := s.Client("web", "Our app", func(c *storage.Client) { c.Trusted = true })
	idle, _ := s.Client("web", "Idle app", func(c *storage.Client) { c.Trusted = true })
	alice, bob := s.User("alice"), s.User("bob")
	theirs := s.Browser("bob")
	bobs := s.Redeem(c, secret, theirs.Code(c))
	b := s.Browser("alice")
	tokens := s.Redeem(c, secret, b.Code(c, "scope", "openid email offline_access"))
	ours := s.Redeem(trusted, trustedSecret, b.Code(trusted, "scope", "openid groups"))

	o := b.Open("/account/apps")
	says(t, o, "My <b>app</b>", "See your email address", "Keep this access while you are away", "Our app", "See which groups you are in", "Trusted by the operator", "app.example")
	saysNot(t, o, "Idle app")
	t.Run("what is not theirs to withdraw is left alone", func(t *testing.T) {
		for _, id := range []string{idle.ID, "", "x", bob.Sub} {
			if got := b.Submit(o, "client", id); got.URL != s.Issuer+"/account/apps" {
				t.Errorf("%q: at %s", id, got.URL)
			}
		}
		if !active(s, c, secret, bobs.Text("access_token")) || !active(s, trusted, trustedSecret, ours.Text("access_token")) {
			t.Error("something has ended")
		}
	})
	if got := b.Submit(o, "client", c.ID); got.URL != s.Issuer+"/account/ended" {
		t.Fatalf("at %s", got.URL)
	}
	if active(s, c, secret, tokens.Text("access_token")) || s.Refresh(c, secret, tokens.Text("refresh_token")).Status == http.StatusOK {
		t.Error("the app still has access")
	}
	if !active(s, c, secret, bobs.Text("access_token")) || !active(s, trusted, trustedSecret, ours.Text("access_token")) {
		t.Error("something else has ended")
	}
	o = b.Open("/account/apps")
	saysNot(t, o, "My <b>app</b>")
	if again := b.Authorize(c, "scope", "openid email"); !slices.Equal(again.Asked, []string{"consent"}) {
		t.Errorf("the app asked %v", again.Asked)
	}
	if got := b.Submit(o, "client", trusted.ID); got.URL != s.Issuer+"/account/ended" || active(s, trusted, trustedSecret, ours.Text("access_token")) {
		t.Errorf("a trusted app keeps its access; at %s", got.URL)
	}
	if err := s.Store.RemoveClient(t.Context(), c.ID, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	says(t, b.Open("/account/apps"), "No app has access")
	if len(sessions(t, s, alice)) != 1 {
		t.Error("the session ended with an app's access")
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, _ := s.Client("web", "My app")
	s.User("alice")
	s.User("bob")
	b := s.Browser("alice")
	b.Code(c)
	guesser := s.Browser("")
	guesser.UserAgent = firefox
	page := guesser.Open("/account")
	for range 3 {
		s.Clock.Advance(time.Minute)
		guesser.Submit(page, "username", "alice", "password", "wrong horse")
	}
	guesser.Submit(page, "username", "alice@example.com", "password", providertest.Password)
	o := b.Open("/account/history")
	says(t, o, "My app", "your account", "Failed", "Firefox on Linux", "Unusual", "It came from a browser at which you had not been signed in before.",
		"Several failed attempts came right before it.", "127.0.0.1")
	text := providertest.Text(o.Page.Body)
	if strings.Count(text, "Failed") != 3 || strings.Index(text, "Unusual") > strings.Index(text, "Failed") {
		t.Errorf("not the newest first, or not three failures: %s", text)
	}
	says(t, b.Open("/account"), "One of the last sign-ins was unusual")
	other := s.Browser("bob")
	saysNot(t, other.Open("/account/history"), "Failed", "My app", "Unusual")
}

func TestSeveralAccounts(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	alice, bob := s.User("alice"), s.User("bob")
	b := s.Browser("alice")
	o := b.Open("/account")
	saysNot(t, o, "Go on as")
	stale := b.Open("/account/sessions")
	b.User = "bob"
	o = press(t, b, o, "Use another account")
	if o.URL != s.Issuer+"/account" || !slices.Equal(o.Asked, []string{"signin"}) {
		t.Fatalf("at %s, asked %v", o.URL, o.Asked)
	}
	says(t, o, "You are signed in as Full Name of bob", "Go on as Full Name of alice")
	o = press(t, b, o, "Go on as")
	says(t, o, "You are signed in as Full Name of alice", "Go on as Full Name of bob")
	says(t, b.Open("/account/sessions"), "You are signed in as Full Name of alice")

	press(t, b, o, "Go on as Full Name of bob")
	t.Run("a form is of the account for which its page was made", func(t *testing.T) {
		press(t, b, stale, "Sign out here")
		if len(sessions(t, s, alice)) != 0 || len(sessions(t, s, bob)) != 1 {
			t.Error("another account's session has ended")
		}
		says(t, b.Open("/account"), "You are signed in as Full Name of bob")
	})
	t.Run("and does nothing once that is signed out", func(t *testing.T) {
		b.User = ""
		if got := b.Submit(stale, "session", "everywhere"); !strings.HasPrefix(got.URL, s.Issuer+"/signin") || len(sessions(t, s, bob)) != 1 {
			t.Errorf("at %s", got.URL)
		}
	})
	t.Run("a choice that is tampered with means the last used one", func(t *testing.T) {
		for _, c := range b.Cookies() {
			if strings.HasSuffix(c.Name, "-account") {
				c.Value = "x"
				b.SetCookies([]*http.Cookie{c})
			}
		}
		says(t, b.Open("/account"), "You are signed in as Full Name of bob")
	})
}

func TestThousandSessions(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	alice := s.User("alice")
	now := s.Clock.Now()
	var all sync.WaitGroup
	const n = 1000
	failed, turns := make(chan error, n), make(chan struct{}, 4)
	for i := range n {
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			open := storage.NewHandle(now.Add(time.Minute))
			err := s.Store.BeginInteraction(t.Context(), storage.Interaction{ID: open.ID, SecretHash: open.Hash(), Return: "/account", Created: now, Expires: now.Add(time.Minute)}, 2*n)
			if err != nil {
				failed <- err
				return
			}
			h, used := storage.NewHandle(now), now.Add(time.Duration(i-n)*time.Second)
			_, err = s.Store.SignIn(t.Context(), storage.SignIn{Interaction: open,
				Browser: storage.Browser{ID: h.ID, SecretHash: h.Hash(), Created: used, Expires: now.Add(time.Hour)},
				Session: storage.Session{ID: storage.NewID(used), Browser: h.ID, User: alice.Sub, Epoch: alice.Epoch, AuthTime: used, AMR: []string{"pwd"}, Created: used, LastUsed: used,
					IdleExpires: now.Add(time.Hour), Expires: now.Add(time.Hour), Address: fmt.Sprintf("192.0.2.%d", i%250), UserAgent: fmt.Sprintf("number %d", i)},
			})
			if err != nil {
				failed <- err
			}
		})
	}
	all.Wait()
	close(failed)
	for err := range failed {
		t.Fatal(err)
	}
	b := s.Browser("alice")
	o := b.Open("/account/sessions")
	says(t, o, "At 1001 browsers", "This browser", "Page 1 of 41", "Older")
	if strings.Count(o.Page.Body, "Sign out there") != 24 || strings.Count(o.Page.Body, "Sign out here") != 1 {
		t.Error("a page does not hold 25")
	}
	last := b.Open("/account/sessions?page=41")
	says(t, last, "Page 41 of 41", "Newer")
	if strings.Count(last.Page.Body, "Sign out there") != 1 {
		t.Errorf("the last page: %s", providertest.Text(last.Page.Body))
	}
	for _, page := range []string{"42", "-1", "x", "9223372036854775808", ""} {
		if o := b.Open("/account/sessions?page=" + page); o.Page.Status != http.StatusOK || !strings.Contains(o.Page.Body, "Sign out") {
			t.Errorf("page %q: %d", page, o.Page.Status)
		}
	}
	began := time.Now()
	press(t, b, o, "Sign out at all others")
	if left := sessions(t, s, alice); len(left) != 1 {
		t.Errorf("%d are left", len(left))
	}
	t.Logf("ending 1000 sessions took %v", time.Since(began))
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	rates := limit.Default
	rates.Address = limit.Rate{PerSecond: 1, Burst: 5}
	s := newServer(t, func(c *providertest.Config) { c.Rates = &rates })
	b := s.Browser("")
	var last int
	for range 8 {
		last = b.Once(s.Request(http.MethodGet, "/account", nil)).Status
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the eighth request at once: %d", last)
	}
}
