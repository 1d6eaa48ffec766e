package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"signet/provider/providertest"
)

// TestCrossSite: what goes from site to site by POST. Browsers send such a request without SameSite=Lax cookies, the session's among
// them.
func TestCrossSite(t *testing.T) {
	t.Parallel()
	s := newProvider(t)
	alice := s.User("alice")
	a := newApp(t, s, otherSite, "Poster", newCoreos)
	c := newChromium(t)

	step(t, "OpenID Connect Core 3.1.2.1: the request is a form, nobody is signed in", func(t *testing.T) {
		c.open(a.url + "/form")
		c.press("#send")
		c.signIn("alice", providertest.Password)
		c.press("button[value=allow]")
		if here := a.signedIn(); here.tokens.subject != alice.Sub {
			t.Errorf("signed in as %s", here.tokens.subject)
		}
		c.see("#done")
	}, &c.t, &a.t)
	step(t, "OpenID Connect Core 3.1.2.1: the request is a form, and the session counts", func(t *testing.T) {
		c.open(a.url + "/form")
		c.press("#send")
		a.signedIn()
		c.see("#done")
	}, &c.t, &a.t)
	step(t, "Form Post Response Mode 2: the answer is a form that a script submits", func(t *testing.T) {
		c.open(a.url + "/signin?response_mode=form_post")
		here := a.signedIn()
		if here.method != http.MethodPost || here.site != "cross-site" || here.params.Get("iss") != s.Issuer {
			t.Errorf("the answer came %s by %s: %v", here.site, here.method, here.params)
		}
		c.see("#done")
	}, &c.t, &a.t)
	step(t, "Form Post Response Mode 2: after the pages", func(t *testing.T) {
		c.open(a.url + "/signin?response_mode=form_post&prompt=login%20consent")
		c.signIn("alice", providertest.Password)
		c.press("button[value=allow]")
		if here := a.signedIn(); here.method != http.MethodPost {
			t.Errorf("the answer came by %s", here.method)
		}
		c.see("#done")
	}, &c.t, &a.t)
	c.quiet()
}

// TestFrames: RFC 9700 section 4.16. Only the answer to prompt=none may be shown in a frame; some apps look that way whether somebody is
// still signed in.
func TestFrames(t *testing.T) {
	t.Parallel()
	s := newProvider(t)
	alice := s.User("alice")
	far, near := newApp(t, s, otherSite, "Far", newCoreos), newApp(t, s, sameSite, "Near", newCoreos)
	c := newChromium(t)
	const silently = "/frame?prompt=none&response_mode=form_post"

	step(t, "what needs an answer is refused in a frame", func(t *testing.T) {
		for _, a := range []*app{near, far} {
			c.open(a.url + "/frame")
			if here := a.arrival(); here.dest != "iframe" || here.params.Get("error") != "interaction_required" {
				t.Errorf("into %s: %v", here.dest, here.params)
			}
		}
	}, &c.t, &near.t, &far.t)
	step(t, "our pages are not framed", func(t *testing.T) {
		for _, a := range []*app{near, far} {
			c.open(a.url + "/frame?client_id=unknown")
			c.see("#framing")
			c.complains("frame-ancestors 'none'")
		}
		if c.inFrame("header.top") {
			t.Error("a page of the provider is shown in a frame")
		}
	}, &c.t)
	step(t, "Core 3.1.2.6: nobody is signed in", func(t *testing.T) {
		c.open(far.url + silently)
		here := far.arrival()
		if here.method != http.MethodPost || here.dest != "iframe" || here.params.Get("error") != "login_required" {
			t.Errorf("%s into %s: %v", here.method, here.dest, here.params)
		}
	}, &c.t, &far.t)

	for _, a := range []*app{far, near} { // both are used once
		c.open(a.url + "/signin")
		if a == far {
			c.signIn("alice", providertest.Password)
		}
		c.press("button[value=allow]")
		a.signedIn()
		c.see("#done")
	}
	step(t, "Core 3.1.2.1: renewed in a frame of the same site", func(t *testing.T) {
		c.open(near.url + silently)
		here := near.signedIn()
		if here.method != http.MethodPost || here.dest != "iframe" || here.tokens.subject != alice.Sub {
			t.Errorf("%s into %s: %+v", here.method, here.dest, here.tokens)
		}
	}, &c.t, &near.t)
	step(t, "in a frame of another site no cookie is sent: SameSite=Lax", func(t *testing.T) {
		c.open(far.url + silently)
		if here := far.arrival(); here.params.Get("error") != "login_required" {
			t.Errorf("%v", here.params)
		}
	}, &c.t, &far.t)
	c.quiet()
}

// inFrame reports whether the frame of another site on the page shows the element.
func (c *chromium) inFrame(selector string) bool {
	c.t.Helper()
	targets := run(c, func(ctx context.Context, _ *chromedp.Target) ([]*target.Info, error) { return chromedp.Targets(ctx) })
	i := slices.IndexFunc(targets, func(i *target.Info) bool { return i.Type == "iframe" })
	if i < 0 {
		c.t.Fatal("the page has no frame of another site")
	}
	ctx, cancel := chromedp.NewContext(c.ctx, chromedp.WithTargetID(targets[i].TargetID), chromedp.WithDetachOnCancel())
	defer cancel()
	shown, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf("document.querySelector(%q) !== null", selector)))
	if err != nil {
		c.t.Fatalf("looking into the frame: %v", err)
	}
	return shown
}
