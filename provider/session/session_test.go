package session_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/providertest"
	"signet/provider/session"
	"signet/storage"
	"signet/users"
)

// browserCookie is the cookie that says who is signed in; nil if b has none.
func browserCookie(b *providertest.Browser) *http.Cookie {
	all := b.Cookies()
	if at := slices.IndexFunc(all, func(c *http.Cookie) bool { return strings.HasSuffix(c.Name, "-browser") }); at >= 0 {
		return all[at]
	}
	return nil
}

// in reports whether somebody is signed in at b.
func in(t *testing.T, b *providertest.Browser, c storage.Client) bool {
	t.Helper()
	o := b.Authorize(c, "prompt", "none")
	if !o.Params.Has("code") && o.Params.Get("error") != "login_required" {
		t.Fatalf("response %v, page %s", o.Params, providertest.Text(o.Page.Body))
	}
	return o.Params.Has("code")
}

func trusted(s *providertest.Server) storage.Client {
	c, _ := s.Client("web", "Trusted", func(c *storage.Client) { c.Trusted = true })
	return c
}

func TestSingleSignOn(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	one, oneSecret := s.Client("web", "One")
	two, twoSecret := s.Client("web", "Two")
	b := s.Browser("alice")
	first := s.Verify(s.Redeem(one, oneSecret, b.Code(one)).Text("id_token")).Claims
	s.Clock.Advance(time.Minute)
	o := b.Authorize(two)
	if got := strings.Join(o.Asked, " "); got != "consent" {
		t.Errorf("asked %q", got)
	}
	second := s.Verify(s.Redeem(two, twoSecret, o.Params.Get("code")).Text("id_token")).Claims
	if first["sub"] != second["sub"] || first["auth_time"] != second["auth_time"] || first["sid"] == second["sid"] {
		t.Errorf("%v and %v", first, second)
	}
}

// The browser's id changes at each sign-in: what was known before is worth nothing.
func TestFixation(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	alice := s.User("alice")
	s.User("mallory")
	c, secret := s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })

	t.Run("a cookie made up", func(t *testing.T) {
		b := s.Browser("alice")
		b.Code(c)
		name := browserCookie(b).Name
		planted := storage.NewHandle(s.Clock.Now()).String()
		victim := s.Browser("alice")
		victim.SetCookies([]*http.Cookie{{Name: name, Value: planted, Path: "/"}})
		if in(t, victim, c) {
			t.Fatal("a made-up cookie is somebody")
		}
		victim.Code(c)
		if browserCookie(victim).Value == planted {
			t.Error("the planted cookie is kept")
		}
		attacker := s.Browser("")
		attacker.SetCookies([]*http.Cookie{{Name: name, Value: planted, Path: "/"}})
		if in(t, attacker, c) {
			t.Error("the planted cookie is signed in")
		}
	})
	t.Run("the attacker's own cookie", func(t *testing.T) {
		attacker, victim := s.Browser("mallory"), s.Browser("alice")
		attacker.Code(c)
		planted := *browserCookie(attacker)
		planted.Path = "/"
		victim.SetCookies([]*http.Cookie{&planted})
		victim.Code(c, "prompt", "login")
		if browserCookie(victim).Value == planted.Value {
			t.Error("the planted cookie is kept")
		}
		if in(t, attacker, c) {
			t.Error("the attacker's cookie still works")
		}
		if sub := s.Verify(s.Redeem(c, secret, victim.Code(c, "prompt", "none")).Text("id_token")).Claims["sub"]; sub != alice.Sub {
			t.Errorf("sub %v, want alice's", sub)
		}
	})
	t.Run("one's own cookie from before", func(t *testing.T) {
		b := s.Browser("alice")
		b.Code(c)
		old := *browserCookie(b)
		old.Path = "/"
		b.Code(c, "prompt", "login")
		if browserCookie(b).Value == old.Value {
			t.Error("the cookie is the same after another sign-in")
		}
		stale := s.Browser("")
		stale.SetCookies([]*http.Cookie{&old})
		if in(t, stale, c) {
			t.Error("the cookie from before still works")
		}
		if !in(t, b, c) {
			t.Error("the new one does not")
		}
	})
	t.Run("each character counts", func(t *testing.T) {
		b := s.Browser("alice")
		b.Code(c)
		good := *browserCookie(b)
		for _, at := range []int{0, 5, 21, 22, 30, 42} {
			other := []byte(good.Value)
			if other[at] = 'A'; good.Value[at] == 'A' {
				other[at] = 'Q'
			}
			forger := s.Browser("")
			forger.SetCookies([]*http.Cookie{{Name: good.Name, Value: string(other), Path: "/"}})
			if string(other) != good.Value && in(t, forger, c) {
				t.Errorf("character %d may be changed", at)
			}
		}
	})
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	short := func(c *providertest.Config) {
		c.Lifetimes = provider.Lifetimes{SessionIdle: time.Hour, SessionAbsolute: 3 * time.Hour}
	}
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		s := providertest.New(t, short)
		s.User("alice")
		c := trusted(s)
		b := s.Browser("alice")
		b.Code(c)
		s.Clock.Advance(time.Hour - time.Second)
		if !in(t, b, c) {
			t.Error("ended before its time")
		}
		s.Clock.Advance(time.Hour - time.Second)
		if !in(t, b, c) {
			t.Error("ended although it was used")
		}
		s.Clock.Advance(time.Hour)
		if in(t, b, c) {
			t.Error("lives although it was not used")
		}
	})
	t.Run("absolute", func(t *testing.T) {
		t.Parallel()
		s := providertest.New(t, short)
		s.User("alice")
		c := trusted(s)
		b := s.Browser("alice")
		b.Code(c)
		for range 5 {
			s.Clock.Advance(30 * time.Minute)
			if !in(t, b, c) {
				t.Fatal("ended before its time")
			}
		}
		s.Clock.Advance(30 * time.Minute)
		if in(t, b, c) {
			t.Error("lives although it is too old")
		}
	})
	t.Run("the defaults: a day unused, two weeks in any case", func(t *testing.T) {
		t.Parallel()
		s := providertest.New(t)
		s.User("alice")
		c := trusted(s)
		b := s.Browser("alice")
		b.Code(c)
		for range 27 {
			s.Clock.Advance(12 * time.Hour)
			if !in(t, b, c) {
				t.Fatal("ended before its time")
			}
		}
		if s.Clock.Advance(12 * time.Hour); in(t, b, c) {
			t.Error("lives after two weeks")
		}
		if b.Code(c); !in(t, b, c) {
			t.Error("a new sign-in does not count")
		}
		if s.Clock.Advance(24 * time.Hour); in(t, b, c) {
			t.Error("lives after a day unused")
		}
	})
}

// What ends all of a user's sessions at once.
func TestEpoch(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*testing.T, *storage.User) (end bool){
		"another password": func(t *testing.T, u *storage.User) bool {
			var err error
			if u.PasswordHash, err = users.HashPassword("quite another password"); err != nil {
				t.Fatal(err)
			}
			return false
		},
		"disabled":         func(_ *testing.T, u *storage.User) bool { u.Disabled = true; return false },
		"everything ended": func(*testing.T, *storage.User) bool { return true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := providertest.New(t)
			u := s.User("alice")
			s.User("bob")
			c := trusted(s)
			one, two, bob := s.Browser("alice"), s.Browser("alice"), s.Browser("bob")
			for _, b := range []*providertest.Browser{one, two, bob} {
				b.Code(c)
			}
			end := change(t, &u)
			if _, err := s.Store.SaveUser(t.Context(), u, end, storage.Change{Now: s.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
			if in(t, one, c) || in(t, two, c) {
				t.Error("still signed in")
			}
			if !in(t, bob, c) {
				t.Error("another user is signed out")
			}
		})
	}
}

// Between the password and the code.
func TestUserDisabledOnTheWay(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	u := s.User("alice")
	c, _ := s.Client("web", "My app")
	b := s.Browser("alice")
	b.Undecided = true
	page := b.Authorize(c)
	u.Disabled = true
	if _, err := s.Store.SaveUser(t.Context(), u, false, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	b.User = ""
	o := b.Submit(page, "decision", "allow")
	form, _ := providertest.Form(o.Page.Body)
	if o.Callback != "" || !form.Has("password") {
		t.Errorf("callback %q, page %s", o.Callback, providertest.Text(o.Page.Body))
	}
}

// One browser holds one session per account; the last used one is meant where nothing else is said.
func TestTwoAccounts(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	alice, bob := s.User("alice"), s.User("bob")
	c, secret := s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })
	b := s.Browser("alice")
	sub := func(change ...string) any {
		return s.Verify(s.Redeem(c, secret, b.Code(c, change...)).Text("id_token")).Claims["sub"]
	}
	if got := sub(); got != alice.Sub {
		t.Errorf("sub %v", got)
	}
	b.User = "bob"
	if got := sub("prompt", "login"); got != bob.Sub {
		t.Errorf("sub %v, want bob's, who signed in", got)
	}
	if got := sub("prompt", "none"); got != bob.Sub {
		t.Errorf("sub %v, want bob's, who signed in last", got)
	}
	b.User = "alice"
	if got := sub("prompt", "login"); got != alice.Sub {
		t.Errorf("sub %v, want alice's", got)
	}
	// Who has signed out must not find the next app signed in as their other account.
	hint := s.Redeem(c, secret, b.Code(c)).Text("id_token")
	b.Open("/logout?" + url.Values{"id_token_hint": {hint}}.Encode())
	if o := b.Authorize(c, "prompt", "none"); o.Params.Get("error") != "login_required" {
		t.Errorf("after signing out: %v", o.Params)
	}
}

func TestSID(t *testing.T) {
	t.Parallel()
	one, two := storage.NewID(time.Unix(1, 0)), storage.NewID(time.Unix(2, 0))
	a := session.SID(one, "a")
	if a != session.SID(one, "a") || a == session.SID(one, "b") || a == session.SID(two, "a") || a == session.SID(one, "") || strings.Contains(a, one.String()) {
		t.Error("sid is not the session's name towards one client")
	}
}

// A header may hold any bytes, cut anywhere; what is kept of it must be read again.
func TestUserAgents(t *testing.T) {
	t.Parallel()
	for name, agent := range map[string]string{"not UTF-8": "agent \xff", "cut inside a rune": strings.Repeat("a", 199) + "é"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := providertest.New(t)
			c := trusted(s)
			s.User("alice")
			b := s.Browser("")
			page := b.Authorize(c)
			b.UserAgent = agent
			if o := b.Submit(page, "username", "alice", "password", providertest.Password); o.Params.Get("code") == "" {
				t.Errorf("no code: page %d %s", o.Page.Status, providertest.Text(o.Page.Body))
			}
		})
	}
}
