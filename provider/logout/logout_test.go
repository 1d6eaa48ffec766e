package logout_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/keys"
	"signet/provider/providertest"
	"signet/storage"
)

const back = "https://app.example/bye"

// signedIn is a browser that signed in at one client, and the ID token that came of it.
type signedIn struct {
	*providertest.Server
	client  storage.Client
	secret  string
	browser *providertest.Browser
	hint    string
}

func start(t *testing.T, change ...func(*providertest.Config)) *signedIn {
	t.Helper()
	i := &signedIn{Server: providertest.New(t, change...)}
	i.User("alice")
	i.client, i.secret = i.Client("web", "My app")
	i.browser, i.hint = i.signIn(t, "alice")
	return i
}

func (i *signedIn) signIn(t *testing.T, user string) (*providertest.Browser, string) {
	t.Helper()
	b := i.Browser(user)
	a := i.Redeem(i.client, i.secret, b.Code(i.client))
	if a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return b, a.Text("id_token")
}

func (i *signedIn) logout(params ...string) providertest.Outcome {
	return i.browser.Open("/logout?" + values(params...).Encode())
}

func values(pairs ...string) url.Values {
	v := url.Values{}
	for n := 0; n+1 < len(pairs); n += 2 {
		v.Add(pairs[n], pairs[n+1])
	}
	return v
}

// out reports whether nobody is signed in at b any more.
func (i *signedIn) out(b *providertest.Browser) bool {
	return b.Authorize(i.client, "prompt", "none").Params.Get("error") == "login_required"
}

// asked holds an answer to the question whether to sign out.
func asked(t *testing.T, o providertest.Outcome) {
	t.Helper()
	form, ok := providertest.Form(o.Page.Body)
	if o.Callback != "" || o.Page.Status != 200 || !ok || !form.Has("confirm") {
		t.Fatalf("no question: callback %q, page %d %s", o.Callback, o.Page.Status, providertest.Text(o.Page.Body))
	}
	if csp := o.Page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("CSP %q", csp)
	}
}

// donePage holds an answer to our own page that says so.
func donePage(t *testing.T, o providertest.Outcome) {
	t.Helper()
	if o.Callback != "" || o.Page.Status != 200 || !strings.Contains(strings.ToLower(providertest.Text(o.Page.Body)), "signed out") {
		t.Errorf("callback %q, page %d %s", o.Callback, o.Page.Status, providertest.Text(o.Page.Body))
	}
}

func TestWithHint(t *testing.T) {
	t.Parallel()
	state := strings.Repeat("0123456789abcde+", 8) // 128 characters
	for name, row := range map[string]struct {
		params []string
		want   string // the way back; "": our page
	}{
		"RP-Initiated Logout 3: way back and state": {[]string{"post_logout_redirect_uri", back, "state", state}, back + "?state=" + url.QueryEscape(state)},
		"3: no state":                                {[]string{"post_logout_redirect_uri", back}, back},
		"2: no way back":                             {nil, ""},
		"2: state without a way back":                {[]string{"state", state}, ""},
		"2: logout_hint and ui_locales are accepted": {[]string{"logout_hint", "alice", "ui_locales", "fr", "extra", "x"}, ""},
		"RFC 6749 3.1: an empty way back is none":    {[]string{"post_logout_redirect_uri", ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := start(t)
			o := i.logout(append(row.params, "id_token_hint", i.hint)...)
			if row.want == "" {
				donePage(t, o)
			} else if o.Callback != row.want {
				t.Errorf("ended at %q, want %q; page %s", o.Callback, row.want, providertest.Text(o.Page.Body))
			} else if last := o.Hops[len(o.Hops)-1]; last.Status != http.StatusSeeOther {
				t.Errorf("status %d", last.Status)
			}
			if !i.out(i.browser) {
				t.Error("still signed in")
			}
		})
	}
	t.Run("2: the right client_id besides", func(t *testing.T) {
		t.Parallel()
		i := start(t)
		if o := i.logout("id_token_hint", i.hint, "client_id", i.client.ID, "post_logout_redirect_uri", back); o.Callback != back {
			t.Errorf("ended at %q", o.Callback)
		}
	})
	t.Run("2: an expired hint is one", func(t *testing.T) {
		t.Parallel()
		i := start(t)
		i.Clock.Advance(12 * time.Hour)
		if o := i.logout("id_token_hint", i.hint, "post_logout_redirect_uri", back); o.Callback != back || !i.out(i.browser) {
			t.Errorf("ended at %q, page %s", o.Callback, providertest.Text(o.Page.Body))
		}
	})
	t.Run("2: nobody is signed in any more", func(t *testing.T) {
		t.Parallel()
		i := start(t)
		for range 2 {
			if o := i.logout("id_token_hint", i.hint, "post_logout_redirect_uri", back, "state", "x"); o.Callback != back+"?state=x" {
				t.Errorf("ended at %q", o.Callback)
			}
		}
	})
	t.Run("the way back has a query of its own", func(t *testing.T) {
		t.Parallel()
		i := start(t)
		c := i.client
		c.PostLogoutRedirectURIs = []string{back + "?x=1"}
		if _, err := i.Store.SaveClient(t.Context(), c, storage.Change{Now: i.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		if o := i.logout("id_token_hint", i.hint, "post_logout_redirect_uri", back+"?x=1", "state", "a&b"); o.Callback != back+"?x=1&state=a%26b" {
			t.Errorf("ended at %q", o.Callback)
		}
	})
}

// wayBack are the parameters of a request whose hint is good, with a way back.
func wayBack(uri string) func(*testing.T, *signedIn) []string {
	return func(_ *testing.T, i *signedIn) []string {
		return []string{"id_token_hint", i.hint, "post_logout_redirect_uri", uri}
	}
}

// RP-Initiated Logout 2: "the OP SHOULD ask the End-User" wherever the request is not surely theirs.
func TestAsks(t *testing.T) {
	t.Parallel()
	for name, params := range map[string]func(*testing.T, *signedIn) []string{
		"no parameters":            func(*testing.T, *signedIn) []string { return nil },
		"only a state":             func(*testing.T, *signedIn) []string { return []string{"state", "x"} },
		"only a way back":          func(*testing.T, *signedIn) []string { return []string{"post_logout_redirect_uri", back} },
		"client_id without a hint": func(_ *testing.T, i *signedIn) []string { return []string{"client_id", i.client.ID} },
		"RFC 8725 3.2: a hint with alg none": func(_ *testing.T, i *signedIn) []string {
			return []string{"id_token_hint", providertest.Unsigned(i.hint, "JWT"), "post_logout_redirect_uri", back}
		},
		"a hint that was changed": func(_ *testing.T, i *signedIn) []string {
			return []string{"id_token_hint", providertest.Tampered(i.hint), "post_logout_redirect_uri", back}
		},
		"a hint signed with the client's secret": func(t *testing.T, i *signedIn) []string {
			return []string{"id_token_hint", signedWith(t, i.secret, i.hint), "post_logout_redirect_uri", back}
		},
		"an access token as hint": func(t *testing.T, i *signedIn) []string {
			return []string{"id_token_hint", i.Redeem(i.client, i.secret, i.browser.Code(i.client)).Text("access_token"), "post_logout_redirect_uri", back}
		},
		"a hint of another session": func(t *testing.T, i *signedIn) []string {
			_, hint := i.signIn(t, "alice")
			return []string{"id_token_hint", hint}
		},
		"a hint of another user": func(t *testing.T, i *signedIn) []string {
			i.User("bob")
			_, hint := i.signIn(t, "bob")
			return []string{"id_token_hint", hint}
		},
		"3: a way back that is not registered": wayBack("https://evil.example/"),
		"3: a query added to it":               wayBack(back + "?x=1"),
		"3: a slash added to it":               wayBack(back + "/"),
		"3: a redirect URI is none":            wayBack("https://app.example/cb"),
		"the client was removed": func(t *testing.T, i *signedIn) []string {
			c, secret := i.Client("web", "Another")
			hint := i.Redeem(c, secret, i.browser.Code(c)).Text("id_token")
			if err := i.Store.RemoveClient(t.Context(), c.ID, storage.Change{Now: i.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
			return []string{"id_token_hint", hint, "post_logout_redirect_uri", back}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := start(t)
			change := params(t, i)
			o := i.logout(change...)
			asked(t, o)
			if strings.Contains(o.Page.Body, "evil.example") {
				t.Error("the page echoes the way back")
			}
			if i.out(i.browser) {
				t.Fatal("signed out without an answer")
			}
			if stay := i.browser.Submit(o); stay.Callback != "" || i.out(i.browser) {
				t.Errorf("who stays is signed out, or sent to %q", stay.Callback)
			}
			donePage(t, i.browser.Submit(i.logout(change...), "confirm", "yes"))
			if !i.out(i.browser) {
				t.Error("still signed in")
			}
		})
	}
	t.Run("client_id and a way back: asked, then back", func(t *testing.T) {
		t.Parallel()
		i := start(t)
		o := i.logout("client_id", i.client.ID, "post_logout_redirect_uri", back, "state", "x")
		asked(t, o)
		if o = i.browser.Submit(o, "confirm", "yes"); o.Callback != back+"?state=x" || !i.out(i.browser) {
			t.Errorf("ended at %q, page %s", o.Callback, providertest.Text(o.Page.Body))
		}
	})
	t.Run("a yes ends every session of the browser", func(t *testing.T) {
		t.Parallel()
		i := start(t)
		i.User("bob")
		i.browser.User = "bob"
		i.browser.Code(i.client, "prompt", "login")
		i.browser.Submit(i.logout(), "confirm", "yes")
		if o := i.browser.Authorize(i.client, "prompt", "none", "id_token_hint", i.hint); o.Params.Get("error") != "login_required" {
			t.Errorf("alice is still signed in: %v", o.Params)
		}
		if !i.out(i.browser) {
			t.Error("bob is still signed in")
		}
	})
	t.Run("other browsers stay signed in", func(t *testing.T) {
		t.Parallel()
		i := start(t)
		other, _ := i.signIn(t, "alice")
		i.logout("id_token_hint", i.hint)
		if !i.out(i.browser) || i.out(other) {
			t.Error("the wrong one is signed out")
		}
	})
}

// signedWith is a hint by the client itself, keyed with its secret.
func signedWith(t *testing.T, secret, hint string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(secret)}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(hint, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	made, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	t.Run("the question is answered once", func(t *testing.T) {
		t.Parallel()
		i := start(t)
		o := i.logout()
		i.browser.Submit(o, "confirm", "yes")
		if again := i.browser.Submit(o, "confirm", "yes"); again.Page.Status != http.StatusBadRequest {
			t.Errorf("%d %s", again.Page.Status, providertest.Text(again.Page.Body))
		}
	})
	t.Run("... and within ten minutes", func(t *testing.T) {
		t.Parallel()
		i := start(t)
		o := i.logout()
		i.Clock.Advance(10 * time.Minute)
		if late := i.browser.Submit(o, "confirm", "yes"); late.Page.Status != http.StatusBadRequest || i.out(i.browser) {
			t.Errorf("%d %s", late.Page.Status, providertest.Text(late.Page.Body))
		}
	})
	t.Run("RFC 9700 4.7: another site does not answer it", func(t *testing.T) {
		t.Parallel()
		i := start(t)
		form, _ := providertest.Form(i.logout().Page.Body)
		for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
			r := i.Request(http.MethodPost, form.Action, values("confirm", "yes"))
			r.Header.Set(header[0], header[1])
			if a := i.browser.Once(r); a.Status != http.StatusForbidden || i.out(i.browser) {
				t.Errorf("%v: %d", header, a.Status)
			}
		}
	})
	t.Run("a question is no link", func(t *testing.T) {
		t.Parallel()
		i := start(t)
		form, _ := providertest.Form(i.logout().Page.Body)
		if o := i.browser.Open(form.Action + "&confirm=yes"); o.Page.Status != http.StatusMethodNotAllowed || i.out(i.browser) {
			t.Errorf("%d", o.Page.Status)
		}
	})
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	i := start(t)
	other, _ := i.Client("web", "Another")
	for name, query := range map[string]string{
		"RP-Initiated Logout 2: client_id is another": values("id_token_hint", i.hint, "client_id", other.ID, "post_logout_redirect_uri", back).Encode(),
		"RFC 6749 3.1: twice":                         values("id_token_hint", i.hint, "state", "a", "state", "b").Encode(),
		"malformed percent-encoding":                  "id_token_hint=" + i.hint + "&state=%zz",
	} {
		o := i.browser.Open("/logout?" + query)
		if o.Callback != "" || o.Page.Status != http.StatusBadRequest || i.out(i.browser) {
			t.Errorf("%s: callback %q, page %d", name, o.Callback, o.Page.Status)
		}
	}
	if a := i.Do(i.Request(http.MethodPut, "/logout", nil)); a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "GET, POST" {
		t.Errorf("PUT: %d", a.Status)
	}
}

// RP-Initiated Logout 2: "OPs MUST support the use of the HTTP GET and POST methods".
func TestPost(t *testing.T) {
	t.Parallel()
	i := start(t)
	r := i.Request(http.MethodPost, "/logout", values("id_token_hint", i.hint, "post_logout_redirect_uri", back, "state", "x"))
	r.Header.Set("Origin", "https://app.example")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	o := i.browser.Send(r)
	if o.Callback != back+"?state=x" || !i.out(i.browser) {
		t.Errorf("ended at %q, page %s", o.Callback, providertest.Text(o.Page.Body))
	}
	posted := o.Hops[0].Header.Get("Location")
	if o.Hops[0].Status != http.StatusSeeOther || !strings.Contains(posted, "/logout/posted?request=") {
		t.Errorf("the POST is answered with %d %q", o.Hops[0].Status, posted)
	}
	if again := i.browser.Open(posted); again.Page.Status != http.StatusBadRequest {
		t.Errorf("a kept request is taken twice: %d", again.Page.Status)
	}
}

// A sign-out that failed must not say that it succeeded.
func TestStoreTrouble(t *testing.T) {
	t.Parallel()
	faulty := &providertest.Faulty{}
	i := start(t, func(c *providertest.Config) { c.Wrap = faulty.Wrap })
	for err, want := range map[error]int{errors.New("secret detail"): 500, storage.ErrBusy: 503} {
		faulty.Fail(err)
		o := i.logout("id_token_hint", i.hint, "post_logout_redirect_uri", back)
		if o.Callback != "" || o.Page.Status != want || strings.Contains(o.Page.Body, "secret detail") {
			t.Errorf("callback %q, page %d", o.Callback, o.Page.Status)
		}
	}
	if faulty.Fail(nil); i.out(i.browser) {
		t.Error("signed out")
	}
}

// RP-Initiated Logout 2: a hint that is long out of date is one, also when its key is not published any more.
func TestHintOfARetiredKey(t *testing.T) {
	t.Parallel()
	i := start(t)
	before := i.Verify(i.hint)
	if _, err := i.Keys.Rotate(t.Context(), keys.RotateOptions{Now: true, Force: true}, storage.Change{Now: i.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	i.Clock.Advance(3 * 24 * time.Hour)
	if err := i.Keys.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	kid := before.KID
	if body, _ := i.Keys.JWKS(); strings.Contains(string(body), kid) {
		t.Fatal("its key is still published: this tests nothing")
	}
	if o := i.logout("id_token_hint", i.hint, "post_logout_redirect_uri", back); o.Callback != back {
		t.Errorf("ended at %q, page %s", o.Callback, providertest.Text(o.Page.Body))
	}
}
