package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"signet/provider/providertest"
	"signet/storage"
)

// watcher is an app on another site that asks the provider's check-session page about the session_state that it got: OpenID Connect Session
// Management 3.1. Its page keeps what it is answered.
func watcher(t *testing.T, s *providertest.Server) (url string, client storage.Client) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		write(w, `<h1 id="watching">Watching</h1><p id="error">{{.Params.Get "error"}}</p>
<iframe id="op" width="300" height="100" src="{{.Frame}}"></iframe>
<script>
const message = {{.Message}}, op = {{.Origin}}, answers = [];
addEventListener("message", e => { if (e.origin === op) answers.push(e.data); });
const ask = m => document.getElementById("op").contentWindow.postMessage(m, op);
document.getElementById("op").addEventListener("load", () => ask(message));
</script>`, map[string]any{
			"Params": r.URL.Query(), "Frame": s.Issuer + "/check-session", "Origin": s.Issuer,
			"Message": client.ID + " " + r.URL.Query().Get("session_state"),
		})
	}))
	t.Cleanup(server.Close)
	url = strings.Replace(server.URL, "127.0.0.1", string(otherSite), 1)
	client, _ = s.Client("web", "Watcher", func(c *storage.Client) { c.RedirectURIs, c.Trusted = []string{url + "/callback"}, true })
	return url, client
}

// answered is what the page was answered last, after count answers in all.
func (c *chromium) answered(count int) string {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if got := script[[]string](c, `answers`); len(got) >= count {
			return got[count-1]
		} else if time.Now().After(deadline) {
			c.t.Fatalf("the frame answers nothing; the console: %s", c.console())
		}
	}
}

// Whether a browser keeps the cookies of other sites from frames. By default some do, Debian's Chromium among them.
const (
	keepsNone = `{"profile":{"cookie_controls_mode":0}}`
	keepsAll  = `{"profile":{"cookie_controls_mode":1}}`
)

// preferring starts a browser with preferences.
func preferring(t *testing.T, preferences string) chromedp.ExecAllocatorOption {
	t.Helper()
	profile, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(profile) })
	if err := os.Mkdir(filepath.Join(profile, "Default"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(profile, "Default", "Preferences"), []byte(preferences), 0o600); err != nil {
		t.Fatal(err)
	}
	return chromedp.UserDataDir(profile)
}

// selfSigned lets the browser in where the tests' own certificate is: the cookie that the frame reads needs https.
var selfSigned = chromedp.Flag("ignore-certificate-errors", true)

func TestSessionManagement(t *testing.T) {
	t.Parallel()
	s := providertest.New(t, func(c *providertest.Config) { c.Real, c.TLS = true, true })
	s.User("alice")
	_, client := watcher(t, s)
	signIn := s.Issuer + "/authorize?" + providertest.AuthorizeParams(client).Encode()
	there := func(c *chromium) string {
		t.Helper()
		c.open(signIn)
		c.signIn("alice", providertest.Password)
		c.see("#watching")
		return script[string](c, `location.href`)
	}
	t.Run("Session Management 3.1: unchanged, and changed after a logout elsewhere", func(t *testing.T) {
		t.Parallel()
		c := newChromium(t, selfSigned, preferring(t, keepsNone))
		at := there(c)
		if got := c.answered(1); got != "unchanged" {
			t.Fatalf("after the sign-in: %q", got)
		}
		for i, m := range []string{`"nonsense"`, `message.replace(/ ./, " x")`, `message + "x"`, `message`} {
			c.do(chromedp.Evaluate[chromedp.Void](`ask(` + m + `)`))
			if got, want := c.answered(2+i), []string{"error", "error", "changed", "unchanged"}[i]; got != want {
				t.Errorf("%s: %q, want %q", m, got, want)
			}
		}
		c.quiet()

		c.open(s.Issuer + "/logout")
		c.press("button[name=confirm]")
		c.see("main:not(:has(form)) h1")
		c.open(at)
		if got := c.answered(1); got != "changed" {
			t.Errorf("after the logout: %q", got)
		}
		c.open(signIn + "&prompt=none")
		c.see("#watching")
		if got := c.text("#error"); got != "login_required" {
			t.Errorf("prompt=none after the logout: %q", got)
		}
		if got := c.answered(1); got != "unchanged" { // nobody was signed in, and nobody is
			t.Errorf("the session_state of the error: %q", got)
		}
		c.quiet()
	})
	t.Run("section 3.1: error where third-party cookies are kept from the frame", func(t *testing.T) {
		t.Parallel()
		c := newChromium(t, selfSigned, preferring(t, keepsAll))
		there(c)
		if got := c.answered(1); got != "error" {
			t.Errorf("%q", got)
		}
	})
}
