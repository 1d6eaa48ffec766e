package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"signet/provider/providertest"
	"signet/storage"
)

const onPhone = "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1"

// TestAccount is a person who looks after what is done in their name: at one browser they end what goes on at another.
func TestAccount(t *testing.T) {
	t.Parallel()
	s := newProvider(t)
	s.User("alice", func(u *storage.User) {
		u.Profile.Name, u.Profile.Zoneinfo = "Alice Liddell", "Europe/London"
	})
	mail, photos := newApp(t, s, otherSite, "Mail", newCoreos), newApp(t, s, otherSite, "Photos", newCoreos, func(c *storage.Client) { c.Trusted = true })
	laptop := newChromium(t)
	phone := startChromium(t) // a second process; it has no turn of its own, which two such tests could wait for in vain
	phone.do(call(emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: onPhone}))

	laptop.open(mail.url + "/signin")
	laptop.signIn("alice", providertest.Password)
	laptop.press("button[value=allow]")
	mail.signedIn()
	laptop.see("#done")
	laptop.open(photos.url + "/signin")
	photos.signedIn()
	laptop.see("#done")

	guesser := s.Browser("")
	guesser.UserAgent = onPhone
	asked := guesser.Open("/account")
	for range 3 {
		guesser.Submit(asked, "username", "alice", "password", "wrong horse")
	}
	phone.open(photos.url + "/signin")
	phone.signIn("alice", providertest.Password)
	photos.signedIn()
	phone.see("#done")

	step(t, "the pages lead to each other, by the keyboard too", func(t *testing.T) {
		laptop.open(s.Issuer + "/account")
		if h := laptop.text("h1"); h != "Your account" {
			t.Fatalf("instead of the account there is %q", h)
		}
		laptop.paint("account", 1000, 900)
		for _, page := range []struct{ path, heading string }{
			{"/sessions", "Where you are signed in"}, {"/apps", "Apps with access"}, {"/history", "The last sign-ins"}, {"/password", "Change your password"},
		} {
			laptop.do(chromedp.Focus(chromedp.CSS(`nav a[href$="/account` + page.path + `"]`)))
			laptop.keys("\r")
			laptop.see(`nav a[href$="/account` + page.path + `"][aria-current]`)
			if h := laptop.text("h1"); h != page.heading {
				t.Errorf("%s is headed %q", page.path, h)
			}
			laptop.paint("account"+strings.ReplaceAll(page.path, "/", "-"), 1000, 900)
			if wide := script[bool](laptop, `document.documentElement.scrollWidth > document.documentElement.clientWidth`); wide {
				t.Errorf("%s is wider than the window", page.path)
			}
		}
	}, &laptop.t)
	step(t, "what was unusual is marked and explained", func(t *testing.T) {
		laptop.open(s.Issuer + "/account/history")
		said := laptop.text("main")
		for _, want := range []string{"Safari on iPhone", "Unusual", "It came from a browser at which you had not been signed in before.", "Several failed attempts came right before it.", "Failed"} {
			if !strings.Contains(said, want) {
				t.Errorf("the history lacks %q: %s", want, said)
			}
		}
	}, &laptop.t)
	step(t, "WCAG 4.1.2: a screen reader hears what each button is about", func(t *testing.T) {
		laptop.open(s.Issuer + "/account/sessions")
		for name, about := range map[string]string{"Sign out here": "Chrome on Linux", "Sign out there": "Safari on iPhone"} {
			i := slices.IndexFunc(laptop.accessibles(), func(a accessible) bool {
				return a.role == "button" && a.name == name && strings.Contains(a.description, about)
			})
			if i < 0 {
				t.Errorf("no button %q that is described as %q: %v", name, about, laptop.accessibles())
			}
		}
	}, &laptop.t)
	step(t, "a session at another browser ends", func(t *testing.T) {
		laptop.press(`button[aria-describedby="device-1"]`)
		laptop.see("p.onward a")
		if h := laptop.text("h1"); h != "It has ended" {
			t.Fatalf("there is %q", h)
		}
		phone.open(photos.url + "/signin")
		phone.see("#password")
		laptop.open(photos.url + "/signin")
		photos.signedIn()
		laptop.see("#done")
	}, &laptop.t, &phone.t, &photos.t)
	step(t, "an app's access is taken away, and it asks again", func(t *testing.T) {
		laptop.open(s.Issuer + "/account/apps")
		laptop.press(`button[name=client][value="` + mail.client.ID + `"]`)
		laptop.see("p.onward a")
		laptop.open(mail.url + "/signin")
		laptop.see("button[value=allow]")
	}, &laptop.t)
	step(t, "everything ends, here too", func(t *testing.T) {
		phone.signIn("alice", providertest.Password)
		photos.signedIn()
		phone.see("#done")
		laptop.open(s.Issuer + "/account/sessions")
		laptop.press(`button[value=everywhere]`)
		laptop.see("p.onward a")
		laptop.open(s.Issuer + "/account")
		laptop.see("#password")
		phone.open(s.Issuer + "/account")
		phone.see("#password")
	}, &laptop.t, &phone.t, &photos.t)
	laptop.quiet()
}
