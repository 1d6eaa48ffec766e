package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"signet/provider/providertest"
)

// TestKeyboard signs in without a mouse, once with a wrong password first.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := newProvider(t)
	alice := s.User("alice")
	a := newApp(t, s, otherSite, "My app", newCoreos)
	c := newChromium(t)
	focused := func(want string) {
		t.Helper()
		if got := c.focus(); got != want {
			t.Fatalf("the focus is on %q, want %q", got, want)
		}
	}

	c.open(a.url + "/signin")
	c.see("#username")
	focused("username")
	c.keys("alice" + kb.Tab)
	focused("password")
	c.keys("wrong")
	c.keys(kb.Enter)

	// WCAG 2.2: 3.3.1 the error is told in words, 4.1.3 it is announced. The focus is where one goes on.
	c.see("#problem")
	focused("password")
	if got := script[string](c, `document.querySelector("#username").value`); got != "alice" {
		t.Errorf("the user name has to be typed again: the field holds %q", got)
	}
	if got := script[string](c, `document.querySelector("#password").value`); got != "" {
		t.Error("the wrong password was sent back")
	}
	if title := script[string](c, `document.title`); !strings.HasPrefix(title, "Error: ") {
		t.Errorf("the title is %q", title)
	}
	problem := c.text("#problem")
	nodes := c.accessibles()
	if !slices.ContainsFunc(nodes, func(n accessible) bool { return n.role == "alert" }) {
		t.Errorf("nothing is announced: %+v", nodes)
	}
	if !slices.Contains(nodes, accessible{"textbox", "Password", problem}) {
		t.Errorf("the password field is not described by %q: %+v", problem, nodes)
	}

	c.keys(providertest.Password + kb.Tab)
	focused("remember")
	c.keys(" ")
	if !script[bool](c, `document.activeElement.checked`) {
		t.Error("the space key does not tick the box")
	}
	c.keys(kb.Tab)
	focused("button")
	c.keys(kb.Enter)

	c.see("button[value=allow]")
	var stops []string
	for range 2 {
		c.keys(kb.Tab)
		stops = append(stops, c.focus())
	}
	if want := []string{"button decision allow", "button decision deny"}; !slices.Equal(stops, want) {
		t.Errorf("Tab goes to %q, want %q", stops, want)
	}
	if outline := script[string](c, `getComputedStyle(document.activeElement).outlineStyle`); outline == "none" {
		t.Error("the focus cannot be seen") // WCAG 2.2: 2.4.7
	}
	c.do(chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
	focused(stops[0])
	c.keys(kb.Enter)
	if here := a.signedIn(); here.tokens.subject != alice.Sub {
		t.Errorf("signed in as %s", here.tokens.subject)
	}
	c.see("#done")

	// The accounts to choose from come first, then the way to another.
	c.open(a.url + "/signin?prompt=select_account")
	c.see(".accounts")
	c.keys(kb.Tab)
	if got := c.focus(); !strings.HasPrefix(got, "button session ") {
		t.Errorf("Tab goes to %q", got)
	}
	c.keys(kb.Tab)
	focused("a")
	c.do(chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
	c.keys(kb.Enter)
	if here := a.signedIn(); here.tokens.subject != alice.Sub {
		t.Errorf("chosen was %s", here.tokens.subject)
	}
	c.see("#done")
}

// TestWithoutScript: every page works where JavaScript is off, the answer by form_post with the button that is there for it.
func TestWithoutScript(t *testing.T) {
	t.Parallel()
	s := newProvider(t)
	alice := s.User("alice")
	a := newApp(t, s, otherSite, "My app", newCoreos)
	c := newChromium(t)
	c.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))

	c.open(a.url + "/signin?response_mode=form_post")
	c.signIn("alice", providertest.Password)
	c.press("button[value=allow]")
	c.see(`form[action$="/callback"]`)
	if heading := c.text("h1"); heading != "Back to My app" {
		t.Errorf("the page with the answer says %q", heading)
	}
	if button := c.text("button[type=submit]"); button != "Continue" {
		t.Errorf("its button says %q", button)
	}
	select {
	case here := <-a.arrived:
		t.Fatalf("something went to the app before the button was pressed: %v", here.params)
	default:
	}
	c.press("button[type=submit]")
	if here := a.signedIn(); here.method != http.MethodPost || here.tokens.subject != alice.Sub {
		t.Errorf("by %s as %s", here.method, here.tokens.subject)
	}
	c.see("#done")

	c.open(a.url + "/signin?prompt=select_account")
	c.press("button[name=session]")
	if here := a.signedIn(); here.tokens.subject != alice.Sub {
		t.Errorf("chosen was %s", here.tokens.subject)
	}
	c.see("#done")
}
