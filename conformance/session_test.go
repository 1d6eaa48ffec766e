package conformance

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// checkSessionIframe opens the page that an app holds in a frame, and returns the cookie that its script reads: Session Management 3.2.
func (b *browser) checkSessionIframe() (cookie string, v visit) {
	b.r.Helper()
	u := b.r.text("check_session_iframe")
	if u == "" {
		return "", visit{}
	}
	a := b.r.get(u)
	doc, err := html.Parse(strings.NewReader(a.body))
	b.r.must(err)
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "script" && attr(n, "data-cookie") != "" {
			cookie = attr(n, "data-cookie")
			at, err := url.Parse(u)
			b.r.must(err)
			src, err := at.Parse(attr(n, "src"))
			b.r.must(err)
			if js := b.r.get(src.String()); js.status != http.StatusOK {
				b.r.Errorf("its script: %d", js.status)
			}
		}
	}
	if a.header.Get("X-Frame-Options") != "" || strings.Contains(a.header.Get("Content-Security-Policy"), "frame-ancestors") {
		b.r.Error("Session Management 3.2: it cannot be framed")
	}
	return cookie, visit{status: a.status}
}

// check is what the script answers to "client_id session_state" from an origin, by the computation of Session Management 4.2. That the script
// itself does so is held by the tests of provider/checksession, and in a real browser by those of e2e.
func (b *browser) check(cookie, client, origin, sessionState string) string {
	b.r.Helper()
	at, err := url.Parse(b.r.issuer)
	b.r.must(err)
	hash, salt, _ := strings.Cut(sessionState, ".")
	for _, c := range b.client.Jar.Cookies(at) {
		if c.Name != cookie || salt == "" {
			continue
		}
		sum := sha256.Sum256([]byte(client + " " + origin + " " + c.Value + " " + salt))
		if hex.EncodeToString(sum[:]) == hash {
			return "unchanged"
		}
		return "changed"
	}
	return "error"
}

const origin = "https://suite.example"

// sessionDiscovery: Session Management 3.3, RP-Initiated Logout 2.1.
func sessionDiscovery(r *run) {
	for _, name := range []string{"check_session_iframe", "end_session_endpoint"} {
		if !strings.HasPrefix(r.text(name), "https://") {
			r.Errorf("%s is %q, want https", name, r.text(name))
		}
	}
}

// sessionManagement signs in, asks, signs out, and asks again.
func sessionManagement(r *run) {
	c, b := r.client("post_logout_redirect_uris", []string{redirectURI}), r.browser()
	f := b.flow(c)
	state := f.params.Get("session_state")
	if state == "" || strings.Contains(state, " ") {
		r.Errorf("Session Management 2: session_state is %q", state)
	}
	cookie, v := b.checkSessionIframe()
	if v.status != http.StatusOK {
		r.Errorf("check_session_iframe: %d", v.status)
	}
	if got := b.check(cookie, c.id, origin, state); got != "unchanged" {
		r.Errorf("Session Management 3.1: before the logout it is %q", got)
	}
	sent := url.Values{"id_token_hint": {f.idToken}, "post_logout_redirect_uri": {redirectURI}, "state": {"of the logout"}}
	if v := b.open(r.request(http.MethodGet, r.text("end_session_endpoint")+"?"+sent.Encode(), nil)); v.params.Get("state") != "of the logout" {
		r.Errorf("the logout led to %v, %s", v.params, v.page)
	}
	if got := b.check(cookie, c.id, origin, state); got != "changed" {
		r.Errorf("Session Management 3.1: after the logout it is %q", got)
	}
	request := r.params(c, "prompt", "none", "id_token_hint", f.idToken)
	r.refused(request, b.visit(request), "login_required")
}

// checksSession is what a client does that takes check_session_iframe to be offered.
func checksSession(r *run, _ string) string {
	c, b := r.good(), r.browser()
	g, code := b.attempt(c)
	if code != "" {
		return code
	}
	cookie, v := b.checkSessionIframe()
	if cookie == "" {
		return noEndpoint
	}
	if got := b.check(cookie, c.id, origin, g.params.Get("session_state")); got != "unchanged" || v.status != http.StatusOK {
		return got
	}
	return ""
}
