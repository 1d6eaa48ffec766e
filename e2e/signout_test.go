package e2e

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"signet/provider/providertest"
	"signet/storage"
)

// TestFrontChannel: OpenID Connect Front-Channel Logout 1.0 in a real browser. The app's page runs its script in its frame, cannot lead the
// browser away, and cannot hold it up.
func TestFrontChannel(t *testing.T) {
	t.Parallel()
	s := newProvider(t)
	s.User("alice")
	framed := make(chan *http.Request, 10)
	ran := make(chan struct{}, 10)
	var hangs atomic.Bool
	mux := http.NewServeMux()
	page := func(id string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { write(w, `<p id="{{.}}">{{.}}</p>`, id) }
	}
	mux.HandleFunc("/cb", page("callback"))
	mux.HandleFunc("/bye", page("bye"))
	mux.HandleFunc("/away", page("away"))
	mux.HandleFunc("/out", func(w http.ResponseWriter, r *http.Request) {
		framed <- r
		if hangs.Load() {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><script src="/ran"></script><script>try { top.location = "/away" } catch (e) {}</script>`))
	})
	mux.HandleFunc("/ran", func(w http.ResponseWriter, _ *http.Request) {
		ran <- struct{}{}
		w.Header().Set("Content-Type", "text/javascript")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	at := strings.Replace(server.URL, "127.0.0.1", string(otherSite), 1)
	app, _ := s.Client("web", "Framed", func(c *storage.Client) {
		c.RedirectURIs, c.PostLogoutRedirectURIs, c.FrontchannelLogoutURI = []string{at + "/cb"}, []string{at + "/bye"}, at+"/out"
		c.Trusted = true
	})
	signOut := func(c *chromium) time.Duration {
		c.open(s.Issuer + "/authorize?" + providertest.AuthorizeParams(app).Encode())
		c.signIn("alice", providertest.Password)
		c.see("#callback")
		c.open(s.Issuer + "/logout?" + url.Values{"client_id": {app.ID}, "post_logout_redirect_uri": {at + "/bye"}}.Encode())
		began := time.Now()
		c.press("button[name=confirm]")
		c.see("#bye")
		return time.Since(began)
	}

	c := newChromium(t)
	tab := c.tab()
	c.unhurried()
	step(t, "Front-Channel Logout 3: the app's page comes in a frame, with iss and sid", func(t *testing.T) {
		signOut(c)
		select {
		case r := <-framed:
			if q := r.URL.Query(); r.Header.Get("Sec-Fetch-Dest") != "iframe" || q.Get("iss") != s.Issuer || len(q.Get("sid")) != 22 || len(q) != 2 || r.Header.Get("Referer") != "" {
				t.Errorf("%s from %q, as %s", r.URL, r.Header.Get("Referer"), r.Header.Get("Sec-Fetch-Dest"))
			}
		default:
			t.Fatal("the app's page was not loaded")
		}
		select {
		case <-ran:
		case <-time.After(patience):
			t.Error("its script did not run")
		}
	}, &c.t)
	step(t, "an app that hangs does not hold the browser up", func(t *testing.T) {
		hangs.Store(true)
		if took := signOut(tab); took < 2500*time.Millisecond || took > time.Minute {
			t.Errorf("the browser went on after %v", took)
		}
	}, &tab.t)
}

// unhurried has a browser wait for frames a minute instead of three seconds, from the next page on: on a busy machine an app's frame may need
// longer than a person would wait.
func (c *chromium) unhurried() {
	c.t.Helper()
	c.do(call(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `{ const inTime = window.setTimeout; window.setTimeout = (f, ms) => inTime(f, 20 * ms) }`,
	}))
}

// TestSignOut: two apps, one password, one way out. One is told of logouts through the browser, the other by its server; each is on a site
// of its own, and so is the provider, which is the real program.
func TestSignOut(t *testing.T) {
	t.Parallel()
	chromiumPath(t)
	w := newTown(t)
	mail, photos := w.newSite("Mail", newZitadel, byFrame), w.newSite("Photos", newCoreos, byToken)
	calendar := w.newSite("Calendar", newCoreos, byToken)
	calendar.refuses = true
	c := newChromium(t, w.browser()...)
	c.unhurried()
	w.start(mail, photos, calendar)
	tab := c.tab() // of the same browser: somebody looks at the other app

	enter := func(c *chromium, first *site, more ...*site) {
		t.Helper()
		c.open(first.URL + "/signin")
		c.signIn("alice", password)
		c.in(first)
		for _, s := range more {
			c.open(s.URL + "/signin")
			c.in(s) // nothing was asked
		}
	}
	for _, round := range []struct {
		from, other *site
		back        bool
	}{{mail, photos, false}, {photos, mail, true}} {
		step(t, "Core 3.1.2.1: one password for both", func(t *testing.T) {
			enter(c, round.from, calendar, round.other)
			if got, want := c.text("#who"), c.who(round.from); got != want {
				t.Errorf("%s knows %q, %s %q", round.other.Name, got, round.from.Name, want)
			}
		}, &c.t)
		step(t, "Session Management 3.1: unchanged", func(t *testing.T) {
			tab.open(round.other.URL)
			if got := tab.answered(1); got != "unchanged" {
				t.Errorf("%q", got)
			}
		}, &tab.t)
		sids := append(round.from.sids(), round.other.sids()...)
		step(t, "RP-Initiated Logout 2: signed out from "+round.from.Name, func(t *testing.T) {
			if round.back {
				c.open(round.from.URL)
				c.press("#signout")
				c.see("#bye")
				if got := c.text("#bye"); got != "went from "+round.from.Name {
					t.Errorf("the way back says %q", got)
				}
				return
			}
			c.open(round.from.URL + "/?back=no")
			c.press("#signout")
			c.receipts("Photos was told, and has ended it.", "Calendar could not be told. (its server answers 400: invalid_request)")
			c.paint("signed-out", 1000, 500)
		}, &c.t)
		step(t, "Front-Channel Logout 2, Back-Channel Logout 2.5: both have heard of their sids", func(t *testing.T) {
			photos.await(t, func() bool { return len(photos.sids()) == 0 })
			heard := append(mail.heard(t), photos.heard(t)...)
			for _, sid := range sids {
				if !slices.Contains(heard, sid) {
					t.Errorf("nobody heard of %s: %v", sid, heard)
				}
			}
		})
		step(t, "Session Management 3.1: changed, in the tab that was open all the time", func(t *testing.T) {
			tab.do(chromedp.Evaluate[chromedp.Void](`ask(message)`))
			if got := tab.answered(2); got != "changed" {
				t.Errorf("%q", got)
			}
		}, &tab.t)
		step(t, "Core 3.1.2.6: login_required at both, and nobody is signed in there", func(t *testing.T) {
			for _, s := range []*site{mail, photos} {
				tab.out(s)
			}
		}, &tab.t)
	}
	c.quiet()
	tab.quiet()

	step(t, "RP-Initiated Logout 2: a form from another site that proves nothing is asked about", func(t *testing.T) {
		enter(c, mail, photos)
		before := len(photos.heard(t))
		foreign := c.idToken(photos)
		for name, params := range map[string]url.Values{
			"nothing":            {},
			"client_id alone":    {"client_id": {"photos"}, "post_logout_redirect_uri": {photos.URL + "/bye"}},
			"no token":           {"id_token_hint": {"a.b.c"}},
			"a changed token":    {"id_token_hint": {foreign[:len(foreign)-8] + "AAAAAAAA"}},
			"a way back of mail": {"id_token_hint": {foreign}, "post_logout_redirect_uri": {mail.URL + "/bye"}},
		} {
			c.open(photos.URL + "/post?" + params.Encode())
			c.press("#send")
			c.see("button[name=confirm]")
			if h := c.text("h1"); h != "Sign out?" {
				t.Errorf("%s: the page is headed %q", name, h)
			}
			if name == "client_id alone" {
				c.paint("sign-out", 1000, 500)
			}
			c.press("button[name=stay]")
			c.see(`a[href$="/account"]`) // our home page
		}
		for _, s := range []*site{mail, photos} {
			c.open(s.URL + "/signin?prompt=none")
			c.in(s)
		}
		if after := len(photos.heard(t)); after != before {
			t.Errorf("%d notices of logouts that were not wanted", after-before)
		}
	}, &c.t)
	step(t, "RP-Initiated Logout 2: a form with the session's own ID token is done", func(t *testing.T) {
		c.open(photos.URL + "/post?" + url.Values{"id_token_hint": {c.idToken(photos)}, "post_logout_redirect_uri": {photos.URL + "/bye"}}.Encode())
		held := make(chan struct{})
		if *update { // the page with the frame stays a while, so that it can be looked at
			mail.hold <- held
			c.do(call(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `window.setTimeout = () => 0`}))
		}
		c.press("#send")
		if *update {
			c.see("#next")
			c.paint("signing-out", 1000, 500)
		}
		close(held)
		c.see("#bye")
		c.out(mail)
		c.out(photos)
	}, &c.t)

	second := startChromium(t, append(w.browser(), preferring(t, keepsAll))...)
	second.unhurried()
	step(t, "Front-Channel Logout 2: where the browser keeps cookies from frames, the sid is all that an app gets", func(t *testing.T) {
		enter(second, photos, mail)
		sids := mail.sids()
		second.open(photos.URL)
		second.press("#signout")
		second.see("#bye")
		if heard := mail.heard(t); !slices.Contains(sids, heard[len(heard)-1]) {
			t.Errorf("%v, not of %v", heard, sids)
		}
		if second.who(mail) == "nobody" {
			t.Error("its cookie was there")
		}
	}, &second.t)
	step(t, "signet session end --user: everywhere", func(t *testing.T) {
		enter(c, mail, photos)
		enter(second, photos, mail)
		if n := len(photos.sids()); n != 2 {
			t.Fatalf("%d sessions at Photos", n)
		}
		hint := second.idToken(photos)
		c.open(photos.URL + "/post?id_token_hint=" + hint) // of another browser's session, so it is asked about
		c.press("#send")
		c.see("button[name=confirm]")

		said := w.command("session", "end", "--user", "alice")
		for _, want := range []string{"Ended 2 sessions and ", "Photos was told"} {
			if !strings.Contains(said, want) {
				t.Errorf("the command does not say %q but: %s", want, said)
			}
		}
		if sids := photos.sids(); len(sids) > 0 {
			t.Errorf("Photos still has %v", sids)
		}
		for _, c := range []*chromium{c, second} {
			c.open(photos.URL)
			if got := c.text("#who"); got != "nobody" {
				t.Errorf("Photos knows %q", got)
			}
			c.open(mail.URL)
			if got := c.text("#who"); got == "nobody" { // no browser is there to load its frame
				t.Error("Mail has heard of it")
			}
			for _, s := range []*site{mail, photos} {
				c.open(s.URL + "/signin?prompt=none")
				c.refused(s)
			}
			c.open(mail.URL + "/signin")
			c.see("#password")
		}
	}, &c.t, &second.t)
	c.quiet()
	second.quiet()
	mail.heard(t)
	photos.heard(t)
}

// tab is another tab of the same browser.
func (c *chromium) tab() *chromium {
	c.t.Helper()
	ctx, closeTab := chromedp.NewContext(c.ctx)
	c.t.Cleanup(closeTab)
	tab := &chromium{t: c.t, ctx: ctx}
	if err := chromedp.Listen(ctx, tab.listen); err != nil {
		c.t.Fatalf("another tab: %v", err)
	}
	return tab
}

// in waits until the app's page says that somebody is signed in there.
func (c *chromium) in(s *site) {
	c.t.Helper()
	c.see("#who")
	if who := c.text("#who"); who == "nobody" || script[string](c, `location.href`) != s.URL+"/" {
		c.t.Fatalf("%s: %s at %s", s.Name, who, script[string](c, `location.href`))
	}
}

// out holds that nobody is signed in at the app, nor at the provider.
func (c *chromium) out(s *site) {
	c.t.Helper()
	if who := c.who(s); who != "nobody" {
		c.t.Errorf("%s knows %s", s.Name, who)
	}
	c.open(s.URL + "/signin?prompt=none")
	c.refused(s)
}

// refused waits for the answer that the provider knows nobody.
func (c *chromium) refused(s *site) {
	c.t.Helper()
	c.see("#who")
	if got := c.text("#error"); !strings.HasPrefix(got, "login_required: ") {
		c.t.Errorf("prompt=none of %s: %q", s.Name, got)
	}
}

// who is signed in at the app.
func (c *chromium) who(s *site) string {
	c.t.Helper()
	c.open(s.URL)
	return c.text("#who")
}

// idToken is the ID token that the app has from this browser's sign-in.
func (c *chromium) idToken(s *site) string {
	c.t.Helper()
	cookies := run(c, func(ctx context.Context, t *chromedp.Target) (network.GetCookiesResult, error) {
		return cdp.Call(ctx, t, network.GetCookies, network.GetCookiesParams{URLs: []string{s.URL}})
	})
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, cookie := range cookies.Cookies {
		if g, ok := s.sessions[cookie.Value]; ok && cookie.Name == siteCookie {
			return g.idToken
		}
	}
	c.t.Fatalf("nobody is signed in at %s", s.Name)
	panic("unreachable")
}

// receipts waits until the page that says that one is signed out says all this too.
func (c *chromium) receipts(want ...string) {
	c.t.Helper()
	said := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(c.ctx, patience)
		now, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("main")?.innerText ?? ""`))
		cancel()
		if err != nil {
			continue // the page is just leaving for the next one, or looks again by itself
		}
		said = now
		if !slices.ContainsFunc(want, func(s string) bool { return !strings.Contains(said, s) }) {
			return
		}
	}
	c.t.Fatalf("the page does not say %q but %s", want, said)
}

// await waits until the app's server has done something.
func (s *site) await(t *testing.T, done func() bool) {
	t.Helper()
	for began := time.Now(); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("%s waits in vain", s.Name)
		}
	}
}
