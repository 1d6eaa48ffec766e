package logout_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/fetch"
	"signet/provider/providertest"
	"signet/provider/session"
	"signet/storage"
)

// RP-Initiated Logout 3: "the value MUST have been previously registered". In whatever spelling, no other address is a way back, not even
// after the question, and the page does not link to it.
func TestNoOpenRedirect(t *testing.T) {
	t.Parallel()
	i := start(t)
	for _, uri := range []string{
		"https://evil.example/", "//evil.example/bye", "///evil.example/bye", "\\\\evil.example/bye", "/\\evil.example", "/bye", "bye", "https:/app.example/bye", "https:app.example/bye",
		"https:///app.example/bye", "https://app.example\\@evil.example/bye", "https://app.example@evil.example/bye", "https://evil.example@app.example/bye",
		"https://app.example:443/bye", "https://app.example.:443/bye", "https://app.example./bye", "https://app.example:8443/bye", "https://app.example.evil.example/bye",
		"https://APP.example/bye", "HTTPS://app.example/bye", "http://app.example/bye", "https://app.example/BYE", "https://app.example/b%79e", "https://app.example/%62ye",
		"https://app.example%2fbye", "https://app.example/bye/", "https://app.example//bye", "https://app.example/./bye", "https://app.example/x/../bye", "https://app.example/bye/..;/",
		"https://app.example/bye%2f", "https://app.example/bye%00", "https://app.example/bye%0d%0aLocation:%20https://evil.example", "https://app.example/bye\r\nX: y",
		"https://app.example/bye#", "https://app.example/bye#x", "https://app.example/bye?", "https://app.example/bye?x=1", "https://app.example/bye&x=1", "https://app.example/bye;x",
		" https://app.example/bye", "https://app.example/bye ", "\thttps://app.example/bye", "https://app.example/bye\u00a0", "https://app\u3002example/bye", "https://ａpp.example/bye", "https://app.example/by\u0435",
		"https://xn--pp-fka.example/bye", "https://app.example/bye\u202e", "javascript:alert(1)", "JaVaScRiPt:alert(1)//https://app.example/bye", "data:text/html,bye", "vbscript:x", "blob:https://app.example/bye",
		"file:///bye", "view-source:https://app.example/bye", "https://[::1]/bye", "https://app.example/bye,https://evil.example/", "https://app.example/cb",
	} {
		for _, who := range [][]string{{"id_token_hint", i.hint}, {"client_id", i.client.ID}} {
			o := i.logout(append(slices.Clone(who), "post_logout_redirect_uri", uri, "state", "x")...)
			asked(t, o)
			if strings.Contains(o.Page.Body, "evil.example") || o.Page.Header.Get("Location") != "" || o.Page.Header.Get("Refresh") != "" {
				t.Errorf("%q: the page leads there", uri)
			}
			if i.out(i.browser) {
				t.Fatalf("%q: signed out without an answer", uri)
			}
		}
	}
	o := i.browser.Submit(i.logout("id_token_hint", i.hint, "post_logout_redirect_uri", "https://evil.example/"), "confirm", "yes")
	donePage(t, o)
}

// RP-Initiated Logout 2: the question names whom it is about, and who else is signed out by a yes.
func TestLogoutHint(t *testing.T) {
	t.Parallel()
	i := start(t)
	bob := i.User("bob")
	alice, err := i.Store.UserByLogin(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	i.browser.User = "bob"
	i.browser.Code(i.client, "prompt", "login")
	sids := map[string]string{}
	for _, u := range []storage.User{alice, bob} {
		all, err := i.Store.Sessions(t.Context(), u.Sub, i.Clock.Now())
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		sids[u.Name] = session.SID(all[0].ID, i.client.ID)
	}
	for hint, want := range map[string]string{
		"alice": "alice", " ALICE ": "alice", "alice@example.com": "alice", "bob": "bob", "carol": "bob", "": "bob", "@": "bob",
	} {
		about(t, i.logout("logout_hint", hint), want)
	}
	for hint, want := range map[string]string{alice.Sub: "alice", bob.Sub: "bob", sids["alice"]: "alice", sids["bob"]: "bob"} {
		about(t, i.logout("logout_hint", hint, "client_id", i.client.ID), want)
		about(t, i.logout("logout_hint", hint), "bob") // whose it is, is said to its client alone
	}
	i.browser.Submit(i.logout("logout_hint", "alice"), "confirm", "yes")
	for _, u := range []storage.User{alice, bob} {
		if all, err := i.Store.Sessions(t.Context(), u.Sub, i.Clock.Now()); err != nil || len(all) != 0 {
			t.Errorf("%s is still signed in: %v", u.Name, err)
		}
	}
}

// about holds a question to the account that it is about, of two.
func about(t *testing.T, o providertest.Outcome, name string) {
	t.Helper()
	asked(t, o)
	other := map[string]string{"alice": "bob", "bob": "alice"}[name]
	said := providertest.Text(o.Page.Body)
	if !strings.Contains(said, "signed in as "+name) || !strings.Contains(said, other+" is signed in at this browser too") {
		t.Errorf("want it to be about %s: %s", name, said)
	}
}

// Logout CSRF: whatever another site's page makes the browser send without a hint of this session, nothing ends without an answer.
func TestOtherSitesEndNothing(t *testing.T) {
	t.Parallel()
	i := start(t)
	for _, header := range []string{"image", "iframe", "document", "empty"} {
		r := i.Request(http.MethodGet, "/logout?client_id="+i.client.ID, nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Dest", header)
		asked(t, i.browser.Send(r))
	}
	r := i.Request(http.MethodPost, "/logout", values("client_id", i.client.ID, "confirm", "yes"))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Origin", "https://evil.example")
	asked(t, i.browser.Send(r)) // kept, sent round, and asked
	if i.out(i.browser) {
		t.Error("signed out")
	}
	// In a browser without our cookies the same request finds nobody, and ends nobody's session.
	other := i.Browser("")
	donePage(t, other.Open("/logout?client_id="+i.client.ID))
	if o := other.Open("/logout?" + values("id_token_hint", i.hint, "post_logout_redirect_uri", back).Encode()); o.Callback != back || i.out(i.browser) {
		t.Errorf("a hint in another browser: ended at %q", o.Callback)
	}
}

var (
	frames  = regexp.MustCompile(`<iframe src="([^"]*)"[^>]*>`)
	refresh = regexp.MustCompile(`<noscript><meta http-equiv="refresh" content="([^"]*)"></noscript>`)
)

func unescape(s string) string { return strings.ReplaceAll(s, "&amp;", "&") }

// Front-Channel Logout 1.0, sections 2 and 3.
func TestFrontChannel(t *testing.T) {
	t.Parallel()
	i := start(t)
	front := func(name, uri string) storage.Client {
		c, _ := i.Client("web", name, func(c *storage.Client) {
			c.FrontchannelLogoutURI, c.RedirectURIs, c.Trusted = uri, []string{strings.Split(uri, "/out")[0] + "/cb"}, true
		})
		return c
	}
	one, two := front("One <app>", "https://one.example/out?keep=1"), front("Two", "https://two.example:8443/out")
	front("Three took no part", "https://three.example/out")
	i.browser.Code(one)
	i.browser.Code(two)
	all, err := i.Store.UserByLogin(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := i.Store.Sessions(t.Context(), all.Sub, i.Clock.Now())
	if err != nil || len(sessions) != 1 {
		t.Fatal(sessions, err)
	}
	o := i.logout("id_token_hint", i.hint, "post_logout_redirect_uri", back, "state", "a&b")
	if o.Callback != "" || o.Page.Status != 200 {
		t.Fatalf("callback %q, %d", o.Callback, o.Page.Status)
	}
	if !i.out(i.browser) {
		t.Error("the session goes on behind the page")
	}
	var got []string
	for _, f := range frames.FindAllStringSubmatch(o.Page.Body, -1) {
		got = append(got, unescape(f[1]))
		if !strings.Contains(f[0], ` sandbox="allow-scripts allow-same-origin allow-forms"`) || !strings.Contains(f[0], " hidden") {
			t.Errorf("%s", f[0])
		}
	}
	slices.Sort(got)
	want := func(c storage.Client, joint string) string {
		return c.FrontchannelLogoutURI + joint + "iss=" + url.QueryEscape(i.Issuer) + "&sid=" + session.SID(sessions[0].ID, c.ID)
	}
	if w := []string{want(one, "&"), want(two, "?")}; !slices.Equal(got, w) {
		t.Errorf("section 3: frames %q, want %q", got, w)
	}
	csp := o.Page.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "frame-src https://one.example https://two.example:8443;") || !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "script-src 'self'") {
		t.Errorf("CSP %q", csp)
	}
	next := back + "?state=a%26b"
	if m := refresh.FindStringSubmatch(o.Page.Body); m == nil || unescape(m[1]) != "3; url="+next {
		t.Errorf("without script it goes on to %q", m)
	}
	if !strings.Contains(unescape(o.Page.Body), `<a id="next" href="`+next+`"`) {
		t.Error("there is no link to go on")
	}
	said := providertest.Text(o.Page.Body)
	if !strings.Contains(said, "One <app>") || !strings.Contains(said, "Two") || strings.Contains(said, "Three") {
		t.Errorf("the person reads: %s", said)
	}
	if o := i.logout("id_token_hint", i.hint, "post_logout_redirect_uri", back); o.Callback != back {
		t.Errorf("section 3: nobody is left to tell, and the browser is held up: %s", o.Page.Body)
	}
}

// The way back of a native app has a scheme of its own.
func TestFrontChannelLeadsToNativeApps(t *testing.T) {
	t.Parallel()
	i := start(t)
	c, _ := i.Client("web", "One", func(c *storage.Client) { c.FrontchannelLogoutURI, c.Trusted = "https://app.example/out", true })
	native, _ := i.Client("native", "Native", func(c *storage.Client) {
		c.RedirectURIs, c.PostLogoutRedirectURIs = []string{"com.example.app:/cb"}, []string{"com.example.app:/bye"}
	})
	i.browser.Code(c)
	i.browser.Code(native)
	o := i.browser.Submit(i.logout("client_id", native.ID, "post_logout_redirect_uri", "com.example.app:/bye"), "confirm", "yes")
	if m := refresh.FindStringSubmatch(o.Page.Body); m == nil || m[1] != "3; url=com.example.app:/bye" || !strings.Contains(o.Page.Body, `href="com.example.app:/bye"`) {
		t.Errorf("%q in %s", m, o.Page.Body)
	}
}

// The last page says which clients have been told, looks again while some have not, and is for nobody else.
func TestReceipts(t *testing.T) {
	t.Parallel()
	status := make(chan int, 10)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(<-status) }))
	t.Cleanup(app.Close)
	i := start(t, func(c *providertest.Config) {
		c.Notices = true
		c.Fetch = fetch.New(fetch.Options{Timeout: time.Minute, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	})
	c, _ := i.Client("web", "Told by the back", func(c *storage.Client) { c.BackchannelLogoutURI, c.Trusted = app.URL, true })
	i.browser.Code(c)
	o := i.logout("id_token_hint", i.hint)
	donePage(t, o)
	waits := func(o providertest.Outcome) bool {
		return strings.Contains(o.Page.Body, `<meta http-equiv="refresh" content="2">`)
	}
	if !strings.Contains(providertest.Text(o.Page.Body), "Told by the back is being told.") || !waits(o) || o.Page.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s", o.Page.Body)
	}
	page := strings.TrimPrefix(o.URL, i.Issuer)
	later := func(want string) providertest.Outcome {
		t.Helper()
		var o providertest.Outcome
		for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(10 * time.Millisecond) {
			if o = i.browser.Open(page); strings.Contains(providertest.Text(o.Page.Body), want) {
				return o
			}
		}
		t.Fatalf("want %q: %s", want, providertest.Text(o.Page.Body))
		return o
	}
	status <- 500
	if o := later("its server answers 500"); !waits(o) {
		t.Error("it does not look again")
	}
	i.Clock.Advance(time.Minute)
	if o := i.browser.Open(page); waits(o) {
		t.Error("it looks again for ever")
	}
	i.Outbox.Wake()
	status <- 200
	if o := later("Told by the back was told"); waits(o) || strings.Contains(o.Page.Body, "500") {
		t.Errorf("%s", o.Page.Body)
	}
	for name, address := range map[string]string{
		"tampered": page[:len(page)-2] + "AA", "cut": page[:len(page)-8], "empty": "/logout/done", "of nothing": "/logout/done?of=", "not base64": "/logout/done?of=***",
		"of another use of the key": strings.Replace(page, "of=A", "of=B", 1),
	} {
		if o := i.browser.Open(address); o.Page.Status != http.StatusBadRequest || strings.Contains(o.Page.Body, "Told by the back") {
			t.Errorf("%s: %d", name, o.Page.Status)
		}
	}
	i.Clock.Advance(9 * time.Minute)
	if o := i.browser.Open(page); o.Page.Status != http.StatusBadRequest {
		t.Errorf("after ten minutes: %d", o.Page.Status)
	}
}
