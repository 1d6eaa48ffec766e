package device_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"signet/audit"
	"signet/clients"
	"signet/provider/providertest"
	"signet/storage"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// shown is what a device knows.
type shown struct{ code, user, complete string }

// begin begins a device authorization that has to succeed.
func begin(t *testing.T, s *providertest.Server, c storage.Client, secret string, form url.Values) shown {
	t.Helper()
	if form == nil {
		form = url.Values{"scope": {"openid profile offline_access"}}
	}
	a := s.Post("/device_authorization", c, secret, form)
	if a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return shown{a.Text("device_code"), a.Text("user_code"), a.Text("verification_uri_complete")}
}

// poll asks for the tokens.
func poll(s *providertest.Server, c storage.Client, secret, code string) providertest.Answer {
	return s.Post("/token", c, secret, url.Values{"grant_type": {deviceGrant}, "device_code": {code}})
}

// wait is what a device does between two polls.
func wait(s *providertest.Server) { s.Clock.Advance(5 * time.Second) }

// decide types a code at a browser and answers as that does.
func decide(t *testing.T, b *providertest.Browser, userCode string) providertest.Outcome {
	t.Helper()
	return b.Submit(b.Open("/device"), "user_code", userCode)
}

// says holds the page against what it must say.
func says(t *testing.T, o providertest.Outcome, status int, words ...string) {
	t.Helper()
	text := providertest.Text(o.Page.Body)
	if o.Page.Status != status {
		t.Errorf("status %d, want %d: %s", o.Page.Status, status, text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("the page does not say %q: %s", w, text)
		}
	}
}

// want holds an error of the token endpoint or the device authorization endpoint.
func want(t *testing.T, a providertest.Answer, status int, code string) {
	t.Helper()
	if a.Status != status || a.Error() != code || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s, want %d %s", a.Status, a.Body, status, code)
	}
}

func device(s *providertest.Server, change ...func(*storage.Client)) storage.Client {
	c, _ := s.Client("device", "Television", append([]func(*storage.Client){func(c *storage.Client) {
		c.RedirectURIs, c.PostLogoutRedirectURIs, c.ClientURI = nil, nil, "https://tv.example/"
	}}, change...)...)
	return c
}

// The way through, by a library that is not ours, and a browser elsewhere.
func TestDevice(t *testing.T) {
	t.Parallel()
	s := providertest.New(t, func(c *providertest.Config) { c.Path = "/tenant" })
	alice := s.User("alice")
	c := device(s)
	config := oauth2.Config{ClientID: c.ID, Scopes: []string{"openid", "profile", "offline_access"}, Endpoint: oauth2.Endpoint{
		DeviceAuthURL: s.Issuer + "/device_authorization", TokenURL: s.Issuer + "/token", AuthStyle: oauth2.AuthStyleInParams,
	}}
	asked, err := config.DeviceAuth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	life := time.Until(asked.Expiry)
	if asked.Interval != 5 || life < 9*time.Minute || life > 10*time.Minute || asked.VerificationURI != s.Issuer+"/device" ||
		asked.VerificationURIComplete != asked.VerificationURI+"?user_code="+asked.UserCode || !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(asked.UserCode) {
		t.Errorf("RFC 8628 3.2: %+v", asked)
	}
	want(t, poll(s, c, "", asked.DeviceCode), http.StatusBadRequest, "authorization_pending")

	b := s.Browser("alice")
	o := decide(t, b, asked.UserCode)
	says(t, o, http.StatusOK, "The device is connected", "Television")
	if got := strings.Join(o.Asked, " "); got != "consent" {
		t.Errorf("asked %q", got)
	}
	wait(s)
	asked.Interval = 1 // the library waits by the machine's clock
	token, err := config.DeviceAccessToken(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	id := s.Verify(token.Extra("id_token").(string)).Claims
	if id["sub"] != alice.Sub || id["aud"] != c.ID || id["auth_time"] == nil || id["nonce"] != nil || id["sid"] == nil || id["at_hash"] == nil {
		t.Errorf("ID token %v", id)
	}
	if a := s.Get("/userinfo", token.AccessToken); a.Status != http.StatusOK || a.Text("name") == "" {
		t.Errorf("userinfo: %d %s", a.Status, a.Body)
	}
	first := s.Refresh(c, "", token.RefreshToken)
	if first.Status != http.StatusOK || first.Text("refresh_token") == token.RefreshToken {
		t.Errorf("RFC 9700 2.2.2: a public client's refresh token is rotated: %d %s", first.Status, first.Body)
	}
	t.Run("the account's pages know the device", func(t *testing.T) {
		says(t, b.Open("/account/apps"), http.StatusOK, "Television")
	})
	t.Run("a second poll after the success ends it all", func(t *testing.T) {
		wait(s)
		want(t, poll(s, c, "", asked.DeviceCode), http.StatusBadRequest, "invalid_grant")
		want(t, s.Refresh(c, "", first.Text("refresh_token")), http.StatusBadRequest, "invalid_grant")
		if a := s.Get("/userinfo", first.Text("access_token")); a.Status != http.StatusUnauthorized {
			t.Errorf("userinfo: %d", a.Status)
		}
	})
}

// What the device authorization endpoint refuses.
func TestAuthorizationRequest(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	tv := device(s)
	web, webSecret := s.Client("web", "Web")
	both, bothSecret := s.Client("web", "Both", func(c *storage.Client) { c.GrantTypes = append(c.GrantTypes, deviceGrant) })
	brief := device(s, func(c *storage.Client) { c.GrantTypes = []string{deviceGrant} })
	for name, row := range map[string]struct {
		client storage.Client
		secret string
		form   url.Values
		status int
		code   string
	}{
		"RFC 8628 3.1: a public client":                           {tv, "", url.Values{"scope": {"openid"}}, 200, ""},
		"3.1: a confidential client authenticates":                {both, bothSecret, url.Values{"scope": {"openid"}}, 200, ""},
		"3.1: and not with another secret":                        {both, bothSecret + "x", url.Values{"scope": {"openid"}}, 401, "invalid_client"},
		"3.1: an unknown client":                                  {storage.Client{ID: "nobody"}, "", url.Values{"scope": {"openid"}}, 401, "invalid_client"},
		"RFC 6749 5.2: not registered for it":                     {web, webSecret, url.Values{"scope": {"openid"}}, 400, "unauthorized_client"},
		"3.3: no scope":                                           {tv, "", url.Values{}, 400, "invalid_scope"},
		"3.3: nothing that is known":                              {tv, "", url.Values{"scope": {"flying"}}, 400, "invalid_scope"},
		"Core 11: offline_access without the grant refresh_token": {brief, "", url.Values{"scope": {"openid offline_access"}}, 400, "invalid_scope"},
		"RFC 8707 2: an unknown resource":                         {tv, "", url.Values{"scope": {"openid"}, "resource": {"https://api.example"}}, 400, "invalid_target"},
		"RFC 8707 2: a resource with a fragment":                  {tv, "", url.Values{"scope": {"openid"}, "resource": {s.Issuer + "#x"}}, 400, "invalid_target"},
		"RFC 8707 2: the issuer itself":                           {tv, "", url.Values{"scope": {"openid"}, "resource": {s.Issuer}}, 200, ""},
		"RFC 6749 3.1: a parameter twice":                         {tv, "", url.Values{"scope": {"openid", "email"}}, 400, "invalid_request"},
	} {
		a := s.Post("/device_authorization", row.client, row.secret, row.form)
		if a.Status != row.status || a.Error() != row.code || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if a := s.Get("/device_authorization", ""); a.Status != http.StatusMethodNotAllowed {
		t.Errorf("3.1: POST alone: %d", a.Status)
	}
}

// One address can have so many devices wait and no more.
func TestPendingDevicesOfOneAddress(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c := device(s)
	for range 20 {
		begin(t, s, c, "", nil)
	}
	a := s.Post("/device_authorization", c, "", url.Values{"scope": {"openid"}})
	if a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
	}
	s.Clock.Advance(10 * time.Minute)
	begin(t, s, c, "", nil)
}

// RFC 8628 3.5: what a poll hears.
func TestPolls(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, other := device(s), device(s)
	web, webSecret := s.Client("web", "Web")
	b := s.Browser("alice")
	t.Run("authorization_pending, and slow_down for who does not wait", func(t *testing.T) {
		d := begin(t, s, c, "", nil)
		want(t, poll(s, c, "", d.code), 400, "authorization_pending")
		s.Clock.Advance(time.Second)
		want(t, poll(s, c, "", d.code), 400, "slow_down")
		s.Clock.Advance(5 * time.Second)
		want(t, poll(s, c, "", d.code), 400, "slow_down") // the interval is 10 seconds by now, and then 15
		s.Clock.Advance(15 * time.Second)
		want(t, poll(s, c, "", d.code), 400, "authorization_pending")
	})
	t.Run("access_denied", func(t *testing.T) {
		d := begin(t, s, c, "", nil)
		deny := s.Browser("alice")
		deny.Deny = true
		says(t, decide(t, deny, d.user), http.StatusOK, "The device is not connected")
		want(t, poll(s, c, "", d.code), 400, "access_denied")
		wait(s)
		want(t, poll(s, c, "", d.code), 400, "access_denied")
		says(t, decide(t, b, d.user), http.StatusUnprocessableEntity, "used already")
	})
	t.Run("expired_token", func(t *testing.T) {
		d := begin(t, s, c, "", nil)
		s.Clock.Advance(10 * time.Minute)
		want(t, poll(s, c, "", d.code), 400, "expired_token")
		says(t, decide(t, b, d.user), http.StatusUnprocessableEntity, "expired")
	})
	t.Run("expired_token, though the user agreed", func(t *testing.T) {
		d := begin(t, s, c, "", nil)
		says(t, decide(t, b, d.user), http.StatusOK, "is connected")
		s.Clock.Advance(10 * time.Minute)
		want(t, poll(s, c, "", d.code), 400, "expired_token")
	})
	t.Run("RFC 8628 3.4: the code of another client spends nothing", func(t *testing.T) {
		d := begin(t, s, c, "", nil)
		says(t, decide(t, b, d.user), http.StatusOK, "is connected")
		want(t, poll(s, other, "", d.code), 400, "invalid_grant")
		want(t, poll(s, web, webSecret, d.code), 400, "unauthorized_client")
		if a := poll(s, c, "", d.code); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("RFC 8707 2.2: a resource that was not asked for spends nothing", func(t *testing.T) {
		d := begin(t, s, c, "", nil)
		says(t, decide(t, b, d.user), http.StatusOK, "is connected")
		want(t, s.Post("/token", c, "", url.Values{"grant_type": {deviceGrant}, "device_code": {d.code}, "resource": {"https://api.example"}}), 400, "invalid_target")
		if a := poll(s, c, "", d.code); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("a user code is no device code", func(t *testing.T) {
		d := begin(t, s, c, "", nil)
		says(t, decide(t, b, d.user), http.StatusOK, "is connected")
		forged := d.code[:len(d.code)-1] + "A"
		if forged == d.code {
			forged = d.code[:len(d.code)-1] + "Q"
		}
		for _, code := range []string{d.user, "x", forged, strings.Repeat("A", 5000)} {
			want(t, poll(s, c, "", code), 400, "invalid_grant")
		}
		want(t, poll(s, c, "", ""), 400, "invalid_request")
	})
	t.Run("of polls at the same time one gets tokens", func(t *testing.T) {
		d := begin(t, s, c, "", nil)
		says(t, decide(t, b, d.user), http.StatusOK, "is connected")
		answers := make([]providertest.Answer, 8)
		var all sync.WaitGroup
		for n := range answers {
			all.Go(func() { answers[n] = poll(s, c, "", d.code) })
		}
		all.Wait()
		good := 0
		for _, a := range answers {
			if a.Status == 200 {
				good++
			} else if a.Error() != "invalid_grant" {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		}
		if good != 1 {
			t.Errorf("%d got tokens", good)
		}
	})
}

// What ends between the user's yes and the poll is gone.
func TestEndedBeforeThePoll(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *providertest.Server, *providertest.Browser, storage.User, storage.Client){
		"the user is disabled": func(t *testing.T, s *providertest.Server, _ *providertest.Browser, u storage.User, _ storage.Client) {
			u.Disabled = true
			if _, err := s.Store.SaveUser(t.Context(), u, false, storage.Change{Now: s.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
		},
		"the user is removed": func(t *testing.T, s *providertest.Server, _ *providertest.Browser, u storage.User, _ storage.Client) {
			if err := s.Store.RemoveUser(t.Context(), u.Sub, storage.Change{Now: s.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
		},
		"sign-out everywhere": func(t *testing.T, _ *providertest.Server, b *providertest.Browser, _ storage.User, _ storage.Client) {
			says(t, b.Submit(b.Open("/account/sessions"), "session", "everywhere"), http.StatusOK)
		},
		"the app's access is taken away": func(t *testing.T, s *providertest.Server, _ *providertest.Browser, u storage.User, c storage.Client) {
			if _, err := s.Store.Withdraw(t.Context(), u.Sub, c.ID, storage.Change{Now: s.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := providertest.New(t)
			u, c, b := s.User("alice"), device(s), s.Browser("alice")
			d := begin(t, s, c, "", nil)
			says(t, decide(t, b, d.user), http.StatusOK, "is connected")
			u, err := s.Store.User(t.Context(), u.Sub)
			if err != nil {
				t.Fatal(err)
			}
			s.Clock.Advance(time.Second)
			end(t, s, b, u, c)
			want(t, poll(s, c, "", d.code), 400, "invalid_grant")
			wait(s)
			want(t, poll(s, c, "", d.code), 400, "invalid_grant")
		})
	}
	t.Run("the client is removed", func(t *testing.T) {
		t.Parallel()
		s := providertest.New(t)
		s.User("alice")
		c, b := device(s), s.Browser("alice")
		d := begin(t, s, c, "", nil)
		if err := s.Store.RemoveClient(t.Context(), c.ID, storage.Change{Now: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		says(t, decide(t, b, d.user), http.StatusUnprocessableEntity, "not known")
		want(t, poll(s, c, "", d.code), 401, "invalid_client")
	})
	t.Run("a session's end, with offline_access and without", func(t *testing.T) {
		t.Parallel()
		s := providertest.New(t)
		s.User("alice")
		c, b := device(s), s.Browser("alice")
		with, without := begin(t, s, c, "", nil), begin(t, s, c, "", url.Values{"scope": {"openid"}})
		says(t, decide(t, b, with.user), http.StatusOK, "is connected")
		says(t, decide(t, b, without.user), http.StatusOK, "is connected")
		says(t, b.Submit(b.Open("/logout"), "confirm", "yes"), http.StatusOK, "signed out")
		want(t, poll(s, c, "", without.code), 400, "invalid_grant")
		if a := poll(s, c, "", with.code); a.Status != 200 || a.Text("refresh_token") == "" {
			t.Errorf("Back-Channel Logout 2.7: %d %s", a.Status, a.Body)
		}
	})
}

// RFC 8628 5.1: guesses are counted, by account and by address.
func TestGuesses(t *testing.T) {
	t.Parallel()
	s := providertest.New(t, func(c *providertest.Config) { c.TrustedProxies = []string{"127.0.0.1/32"} })
	s.User("alice")
	s.User("bob")
	s.User("carol")
	c := device(s)
	d := begin(t, s, c, "", nil)
	from := func(user, address string) *providertest.Browser {
		b := s.Browser(user)
		b.Address = address
		return b
	}
	guess := func(b *providertest.Browser, code string) providertest.Outcome { return decide(t, b, code) }
	alice := from("alice", "192.0.2.1")
	for n := range 10 {
		says(t, guess(alice, "BCDF-GHJ"+string("BCDFGHJKLM"[n])), http.StatusUnprocessableEntity, "not known")
	}
	limited := func(o providertest.Outcome) {
		t.Helper()
		says(t, o, http.StatusTooManyRequests, "Too many wrong codes. Wait 10 minutes")
		if seconds, _ := strconv.Atoi(o.Page.Header.Get("Retry-After")); seconds < 590 || seconds > 600 {
			t.Errorf("Retry-After %q", o.Page.Header.Get("Retry-After"))
		}
	}
	t.Run("the eleventh is not looked up, though it is right", func(t *testing.T) { limited(guess(alice, d.user)) })
	t.Run("nor from elsewhere", func(t *testing.T) { limited(guess(from("alice", "198.51.100.1"), d.user)) })
	t.Run("nor by another account from there", func(t *testing.T) { limited(guess(from("bob", "192.0.2.1"), d.user)) })
	t.Run("nor by the answer itself", func(t *testing.T) {
		b := from("alice", "192.0.2.1")
		form, _ := providertest.Form(b.Open("/device").Page.Body)
		r := s.Request(http.MethodPost, strings.Replace(form.Action, "/device", "/device/decide", 1), url.Values{"user_code": {d.user}, "decision": {"allow"}})
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		limited(b.Send(r))
	})
	t.Run("another account elsewhere goes on", func(t *testing.T) {
		says(t, guess(from("carol", "203.0.113.1"), d.user), http.StatusOK, "is connected")
	})
	t.Run("what is no code is no guess, and what is right is not counted", func(t *testing.T) {
		b := from("bob", "203.0.113.9")
		for range 15 {
			says(t, guess(b, "AEIO-UAEI"), http.StatusUnprocessableEntity, "eight letters")
		}
		for range 12 {
			again := begin(t, s, c, "", nil)
			says(t, guess(b, again.user), http.StatusOK, "is connected")
		}
	})
	t.Run("the log has it once", func(t *testing.T) {
		if got := audits(t, s, audit.LimitReached); len(got) != 1 || got[0] != "of user codes" {
			t.Errorf("%q", got)
		}
	})
	t.Run("after ten minutes it is over", func(t *testing.T) {
		s.Clock.Advance(10 * time.Minute)
		again := begin(t, s, c, "", nil)
		says(t, guess(alice, again.user), http.StatusOK, "is connected")
	})
}

// RFC 8628 5.4: an address does nothing but fill in the code; somebody else's browser approves nothing by it.
func TestLinkAloneApprovesNothing(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c := device(s, func(c *storage.Client) { c.Trusted = true })
	d := begin(t, s, c, "", nil)
	b := s.Browser("alice")
	path := strings.TrimPrefix(d.complete, s.Issuer)
	o := b.Open(path)
	form, _ := providertest.Form(o.Page.Body)
	if o.Page.Status != 200 || form.Values.Get("user_code") != d.user || form.Has("decision") || !strings.HasSuffix(o.URL, path) {
		t.Errorf("signed in on the way, the code is filled in: %s %v", o.URL, form)
	}
	says(t, b.Open(path), http.StatusOK, "Connect a device")
	want(t, poll(s, c, "", d.code), 400, "authorization_pending")
	t.Run("RFC 8628 5.4: everybody is asked, of trusted clients too", func(t *testing.T) {
		b.Undecided = true
		o := b.Submit(o)
		says(t, o, http.StatusOK, "Connect Television?", d.user, "tv.example", "Full Name of alice (alice)", "127.0.0.1", "Only go on if you started this yourself",
			"See your name and profile", "Keep this access while you are away")
		if text := providertest.Text(o.Page.Body); strings.Contains(text, "registered itself") || strings.Contains(text, "not in the network") {
			t.Errorf("what is not so: %s", text)
		}
		wait(s)
		want(t, poll(s, c, "", d.code), 400, "authorization_pending")
	})
	t.Run("and each time", func(t *testing.T) {
		b.Undecided = false
		for range 2 {
			again := begin(t, s, c, "", nil)
			if o := decide(t, b, again.user); len(o.Asked) != 1 {
				t.Errorf("asked %v", o.Asked)
			}
		}
	})
}

// What makes a person look twice.
func TestWarnings(t *testing.T) {
	t.Parallel()
	s := providertest.New(t, func(c *providertest.Config) { c.TrustedProxies = []string{"127.0.0.1/32"} })
	s.User("alice", func(u *storage.User) { u.Profile.Zoneinfo = "Asia/Tokyo" })
	c := device(s, func(c *storage.Client) { c.Origin = storage.OriginRegistered })
	d := begin(t, s, c, "", nil) // from no address that the proxy names
	b := s.Browser("alice")
	b.Address, b.Undecided = "192.0.2.1", true
	says(t, decide(t, b, d.user), http.StatusOK, "is not in the network of this browser", "The app registered itself", " JST")
}

// A person types as they like.
func TestTyped(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, b := device(s), s.Browser("alice")
	b.Undecided = true
	d := begin(t, s, c, "", nil)
	plain := strings.ReplaceAll(d.user, "-", "")
	for _, typed := range []string{d.user, plain, strings.ToLower(d.user), " " + plain[:3] + " " + plain[3:] + "\t", strings.Join(strings.Split(plain, ""), " "), plain[:4] + "\u2013" + plain[4:], d.user + "."} {
		says(t, decide(t, b, typed), http.StatusOK, "Connect Television?")
	}
	for _, typed := range []string{"", plain[:7], plain + "B", plain[:7] + "A", plain[:7] + "1", plain[:6] + "é", strings.Repeat("-", 200) + plain, "<script>"} {
		o := decide(t, b, typed)
		says(t, o, http.StatusUnprocessableEntity, "eight letters")
		if strings.Contains(o.Page.Body, "<script>") {
			t.Error("what was typed is markup")
		}
	}
}

// Forms of ours are taken from our own pages, for the account that they were made for, and shown nowhere else.
func TestForms(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	s.User("bob")
	c, b := device(s), s.Browser("alice")
	d := begin(t, s, c, "", nil)
	b.Undecided = true
	o := decide(t, b, d.user)
	form, _ := providertest.Form(o.Page.Body)
	send := func(b *providertest.Browser, path, site string, v url.Values) providertest.Outcome {
		r := s.Request(http.MethodPost, path, v)
		r.Header.Set("Sec-Fetch-Site", site)
		return b.Send(r)
	}
	yes := url.Values{"user_code": {d.user}, "decision": {"allow"}}
	t.Run("clickjacking", func(t *testing.T) {
		h := o.Page.Header
		if h.Get("X-Frame-Options") != "DENY" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || !strings.Contains(h.Get("Content-Security-Policy"), "form-action 'self'") ||
			h.Get("Cache-Control") != "no-store" {
			t.Errorf("%v", h)
		}
	})
	t.Run("another site's form", func(t *testing.T) {
		for _, path := range []string{form.Action, "/device", "/device/switch"} {
			says(t, send(b, path, "cross-site", yes), http.StatusForbidden, "This form came from elsewhere")
		}
	})
	t.Run("without an account in its address", func(t *testing.T) {
		b := s.Browser("")
		says(t, send(b, "/device/decide", "same-origin", yes), http.StatusOK, "Sign in", "to connect a device")
	})
	t.Run("another account's page", func(t *testing.T) {
		bob := s.Browser("bob")
		bob.Open("/device")
		bob.User = ""
		says(t, send(bob, form.Action, "same-origin", yes), http.StatusOK, "Sign in", "to connect a device")
	})
	t.Run("no answer", func(t *testing.T) {
		says(t, send(b, form.Action, "same-origin", url.Values{"user_code": {d.user}}), http.StatusBadRequest, "No answer")
		says(t, send(b, form.Action, "same-origin", url.Values{"user_code": {d.user}, "decision": {"maybe"}}), http.StatusBadRequest, "No answer")
	})
	want(t, poll(s, c, "", d.code), 400, "authorization_pending")
	t.Run("by GET", func(t *testing.T) {
		if a := s.Get("/device/decide?user_code="+d.user+"&decision=allow", ""); a.Status != http.StatusMethodNotAllowed {
			t.Errorf("%d", a.Status)
		}
	})
	t.Run("an image of another site begins no sign-in", func(t *testing.T) {
		r := s.Request(http.MethodGet, "/device", nil)
		r.Header.Set("Sec-Fetch-Dest", "image")
		if a := s.Do(r); a.Status != http.StatusForbidden || a.Header.Get("Set-Cookie") != "" {
			t.Errorf("%d %v", a.Status, a.Header)
		}
	})
	t.Run("the answer counts once", func(t *testing.T) {
		says(t, send(b, form.Action, "same-origin", yes), http.StatusOK, "is connected")
		says(t, send(b, form.Action, "same-origin", url.Values{"user_code": {d.user}, "decision": {"deny"}}), http.StatusUnprocessableEntity, "used already")
		wait(s)
		if a := poll(s, c, "", d.code); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}

// A person with two accounts says which.
func TestSwitch(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	bob := s.User("bob")
	c, b := device(s), s.Browser("alice")
	d := begin(t, s, c, "", nil)
	path := "/device?user_code=" + d.user
	b.Open(path)
	b.User = "bob"
	change := func(to string) providertest.Outcome {
		r := s.Request(http.MethodPost, "/device/switch", url.Values{"user_code": {d.user}, "to": {to}})
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		return b.Send(r)
	}
	o := change("")
	says(t, o, http.StatusOK, "You are signed in as Full Name of bob", "Go on as Full Name of alice")
	if !strings.HasSuffix(o.URL, path) {
		t.Errorf("back at %s", o.URL)
	}
	keys := regexp.MustCompile(`name="to" value="([^"]+)"`).FindStringSubmatch(o.Page.Body)
	if keys == nil {
		t.Fatal(o.Page.Body)
	}
	o = change(keys[1])
	says(t, o, http.StatusOK, "You are signed in as Full Name of alice", "Go on as Full Name of bob")
	says(t, change("nonsense"), http.StatusOK, "You are signed in as Full Name of bob")
	o = b.Submit(b.Open(path))
	says(t, o, http.StatusOK, "is connected")
	if id := s.Verify(poll(s, c, "", d.code).Text("id_token")).Claims; id["sub"] != bob.Sub {
		t.Errorf("sub %v", id["sub"])
	}
}

// The picture is for readers of QR codes, and asks nobody.
func TestQR(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	a := s.Get("/device/qr?user_code=wdjbmjht", "")
	h := a.Header
	if a.Status != 200 || h.Get("Content-Type") != "image/svg+xml" || h.Get("Cache-Control") != "no-store" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") ||
		!strings.HasPrefix(a.Body, "<svg ") || h.Get("Set-Cookie") != "" {
		t.Errorf("%d %v", a.Status, h)
	}
	if same := s.Get("/device/qr?user_code=WDJB-MJHT", ""); same.Body != a.Body {
		t.Error("one code has two pictures")
	}
	for _, code := range []string{"", "WDJB-MJH", "https://evil.example/", "AEIO-UAEI"} {
		if a := s.Get("/device/qr?user_code="+url.QueryEscape(code), ""); a.Status != 400 {
			t.Errorf("%q: %d", code, a.Status)
		}
	}
}

// Who may be a device.
func TestClients(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(*storage.Client)
		good   bool
	}{
		"as it comes":                         {func(*storage.Client) {}, true},
		"without refresh tokens":              {func(c *storage.Client) { c.GrantTypes = []string{clients.GrantDevice} }, true},
		"with a redirect URI":                 {func(c *storage.Client) { c.RedirectURIs = []string{"https://tv.example/cb"} }, false},
		"without its grant":                   {func(c *storage.Client) { c.GrantTypes = []string{clients.GrantRefresh} }, false},
		"with the code flow":                  {func(c *storage.Client) { c.GrantTypes = append(c.GrantTypes, clients.GrantCode) }, false},
		"RFC 9700 2.2.2: refresh tokens kept": {func(c *storage.Client) { c.RefreshRotation = storage.RotationKeep }, false},
		"a secret that is shipped":            {func(c *storage.Client) { c.TokenEndpointAuthMethod = clients.AuthBasic; c.SecretHash[0] = 1 }, false},
	} {
		c, err := clients.New(clients.Device, "TV", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		row.change(&c)
		if err := clients.Validate(c); (err == nil) != row.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, _ := clients.New(clients.Native, "CLI", time.Now())
	c.RedirectURIs, c.GrantTypes = []string{"http://127.0.0.1/cb"}, append(c.GrantTypes, clients.GrantDevice)
	if err := clients.Validate(c); err != nil {
		t.Errorf("a native app may do both: %v", err)
	}
}

// audits are the details of one event in the audit log.
func audits(t *testing.T, s *providertest.Server, event audit.Event) (details []string) {
	t.Helper()
	err := s.Store.Entries(t.Context(), func(e audit.Entry) error {
		if e.Event == event {
			details = append(details, e.Detail)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return details
}
