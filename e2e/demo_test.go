package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// welcome is what signet dev prints for the person who started it: one URL, whom to sign in as, and where the account is.
var welcome = regexp.MustCompile(`(?s)\n +(http://\S+)\n.*sign in as (\S+) with the password (\S+)\.\n.* at (\S+)\n`)

// TestDemo is the first minute with Signet: start it, open the one URL, sign in, look, refresh, sign out, Ctrl-C.
func TestDemo(t *testing.T) {
	t.Parallel()
	chromiumPath(t)
	folder, temp := t.TempDir(), t.TempDir()
	args := []string{"dev", "--listen", "127.0.0.1:" + freePort(t), "--demo-listen", "localhost:" + freePort(t)}
	if *update { // the pictures show what people will see
		args = args[:1]
	}
	signet := start(t, folder, temp, args...)
	said := signet.await(welcome)
	address, user, password, own := said[1], said[2], said[3], said[4]

	c := newChromium(t)
	c.open(address)
	c.press("a.button.primary")
	c.see("#password")
	c.paint("sign-in", 1280, 640)
	c.signIn(user, password)

	c.see("#id-token")
	tokens := c.text("main")
	for _, want := range []string{"Hello, Alice", "ID token", "Access token", "at+jwt", "alice@example.com", "RFC 9068", "held"} {
		if !strings.Contains(tokens, want) {
			t.Errorf("the token page lacks %q", want)
		}
	}
	c.paint("tokens", 1280, 900)

	c.press(`form[action="/refresh"] button`)
	c.see(".notice")
	if notice := c.text(".notice"); !strings.Contains(notice, "Access token: new") || !strings.Contains(notice, "jti") {
		t.Errorf("after a refresh it says %q", notice)
	}
	c.paint("refreshed", 1280, 900)

	c.press(`form[action="/signout"] button`)
	c.see(`a[href="/signin"]`)
	if notice := c.text(".notice"); notice != "You are signed out, here and at the provider." {
		t.Errorf("after the sign-out it says %q", notice)
	}
	c.open(address + "/signin")
	c.see("#password") // the provider asks again

	// What is ended at the provider ends in the app, which the server tells.
	c.signIn(user, password)
	c.see("#id-token")
	c.open(own + "/sessions")
	c.press("button[value=everywhere]")
	c.see("p.onward a")
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		c.open(address)
		if said := c.text("main"); strings.Contains(said, "the provider told this app that your session there is over") {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the app says %s\n%s", said, signet.printed())
		}
	}
	c.quiet()

	if state := signet.end(os.Interrupt); state.ExitCode() != 0 {
		t.Errorf("Ctrl-C: %v\n%s", state, signet.printed())
	}
	for _, dir := range []string{folder, temp} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if path != dir {
				t.Errorf("%s is left behind", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// paint takes the page's pictures with -update: one for the README or the docs, light and at twice the resolution, and three for whoever
// works on the pages.
func (c *chromium) paint(name string, width, height int64) {
	c.t.Helper()
	if !*update {
		return
	}
	readme := map[string]bool{"sign-in": true, "tokens": true, "account-sessions": true, "account-history": true, "signing-out": true, "signed-out": true}
	for _, p := range []struct {
		suffix        string
		scheme        string
		width, height int64
		phone         bool
	}{
		{"", "light", width, height, false},
		{"-dark", "dark", width, height, false},
		{"-phone", "light", 390, 844, true},
		{"-phone-dark", "dark", 390, 844, true},
	} {
		path := filepath.Join("..", "docs", "images", name+".png")
		if p.suffix != "" || !readme[name] {
			if *pictures == "" {
				continue
			}
			path = filepath.Join(*pictures, name+p.suffix+".png")
		}
		c.do(
			call(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
				Width: p.width, Height: p.height, DeviceScaleFactor: 2, Mobile: p.phone,
			}),
			call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{
					{Name: "prefers-color-scheme", Value: p.scheme},
					{Name: "prefers-reduced-motion", Value: "reduce"}, // no colour is caught on its way to another
				},
			}),
		)
		picture := run(c, chromedp.CaptureScreenshot())
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			c.t.Fatal(err)
		}
		if err := os.WriteFile(path, picture, 0o644); err != nil {
			c.t.Fatal(err)
		}
		c.t.Logf("%s: %d KB", path, len(picture)>>10)
	}
	c.do(
		call(emulation.ClearDeviceMetricsOverride, struct{}{}),
		call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{}),
	)
}
