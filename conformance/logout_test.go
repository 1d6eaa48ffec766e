package conformance

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/net/html"

	"signet/provider/providertest"
)

// The modules of the logout plans: RP-initiated, back-channel, front-channel.

// logout sends the browser to the end session endpoint.
func (b *browser) logout(params ...string) visit {
	b.r.Helper()
	q := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	return b.open(b.r.request(http.MethodGet, b.r.text("end_session_endpoint")+"?"+q.Encode(), nil))
}

// signedIn is a browser with a session, at a client that may have it sent back after a logout.
func (r *run) signedIn(change ...any) (client, *browser, flow) {
	r.Helper()
	c, b := r.client(append([]any{"post_logout_redirect_uris", []string{redirectURI}}, change...)...), r.browser()
	return c, b, b.flow(c)
}

// back holds a logout to the way back, with the state and nothing else.
func (r *run) back(v visit, state string) {
	r.Helper()
	want := url.Values{}
	if state != "" {
		want.Set("state", state)
	}
	if v.params == nil || v.params.Encode() != want.Encode() {
		r.Errorf("RP-Initiated Logout 3: back with %v, want %v; page %s", v.params, want, v.page)
	}
}

// over holds the browser to being signed out.
func (r *run) over(c client, b *browser, f flow) {
	r.Helper()
	request := r.params(c, "prompt", "none", "id_token_hint", f.idToken)
	r.refused(request, b.visit(request), "login_required", "interaction_required")
}

// stays holds a logout to a page of ours without a way to the client, that asks or says what is wrong.
func (r *run) stays(v visit) {
	r.Helper()
	r.looked = true
	if v.params != nil || v.page == "" || !v.question && v.status < 400 {
		r.Errorf("sent on with %v, or on a page that says nothing of it: %d %q", v.params, v.status, v.page)
	}
}

func logoutDiscovery(names ...string) func(*run) {
	return func(r *run) {
		if !strings.HasPrefix(r.text("end_session_endpoint"), "https://") {
			r.Errorf("RP-Initiated Logout 2.1: end_session_endpoint is %q", r.text("end_session_endpoint"))
		}
		for _, name := range names {
			if !r.says(name, false) {
				r.Errorf("%s is not true", name)
			}
		}
	}
}

// rpLogout: with a state of 128 characters, or without.
func rpLogout(state string) func(*run) {
	return func(r *run) {
		c, b, f := r.signedIn()
		params := []string{"id_token_hint", f.idToken, "post_logout_redirect_uri", redirectURI}
		if state != "" {
			params = append(params, "state", state)
		}
		r.back(b.logout(params...), state)
		r.over(c, b, f)
	}
}

// rpLogoutStays: something is wrong with the request.
func rpLogoutStays(wrong func(r *run, c client, f flow) []string) func(*run) {
	return func(r *run) {
		c, b, f := r.signedIn()
		r.stays(b.logout(append(wrong(r, c, f), "state", "of the logout")...))
	}
}

func wayBackTo(uri string) func(*run, client, flow) []string {
	return func(_ *run, _ client, f flow) []string {
		return []string{"id_token_hint", f.idToken, "post_logout_redirect_uri", uri}
	}
}

// unsignedHint is the ID token with alg none.
func unsignedHint(_ *run, _ client, f flow) []string {
	return []string{"id_token_hint", providertest.Unsigned(f.idToken, "JWT"), "post_logout_redirect_uri", redirectURI}
}

// ownHint is an ID token that the client signed itself, with its secret.
func ownHint(r *run, c client, f flow) []string {
	made := r.sign(jose.JSONWebKey{Key: []byte(c.secret), Algorithm: "HS256"}, f.claims)
	return []string{"id_token_hint", made, "post_logout_redirect_uri", redirectURI}
}

func noHint(*run, client, flow) []string { return []string{"post_logout_redirect_uri", redirectURI} }

// rpLogoutAnyway: the request names no way back. The person says yes where they are asked, and ends signed out on a page.
func rpLogoutAnyway(hinted bool, params ...string) func(*run) {
	return func(r *run) {
		c, b, f := r.signedIn()
		if hinted {
			params = append(slices.Clone(params), "id_token_hint", f.idToken)
		}
		b.confirms = true
		v := b.logout(params...)
		r.looked = true
		if v.params != nil || v.status != http.StatusOK || !strings.Contains(strings.ToLower(v.page), "signed out") {
			r.Errorf("sent on with %v, or on another page: %d %q", v.params, v.status, v.page)
		}
		r.over(c, b, f)
	}
}

// backchannel is the flow of the plan: a logout token comes, and then the browser is back.
func backchannel(r *run) {
	tokens := make(chan *http.Request, 10)
	app := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		_ = req.ParseForm()
		tokens <- req
	}))
	r.Cleanup(app.Close)
	c, b, f := r.signedIn("backchannel_logout_uri", app.URL+"/backchannel_logout")
	r.back(b.logout("id_token_hint", f.idToken, "post_logout_redirect_uri", redirectURI, "state", "of the logout"), "of the logout")
	select {
	case req := <-tokens:
		if req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || len(req.PostForm) != 1 {
			r.Errorf("Back-Channel Logout 2.5: %s with %v", req.Method, req.PostForm)
		}
		if req.TLS.Version < 0x0304 {
			r.Errorf("it came by TLS %x", req.TLS.Version)
		}
		r.logoutToken(req.PostForm.Get("logout_token"), c, f)
	case <-time.After(time.Minute):
		r.Error("no logout token came")
	}
	r.over(c, b, f)
}

// logoutToken checks a logout token as Back-Channel Logout 2.6 tells relying parties to.
func (r *run) logoutToken(token string, c client, f flow) {
	r.Helper()
	claims := r.verify(token, "RS256")
	if typ := header(r, token)["typ"]; typ != "logout+jwt" {
		r.Errorf("Back-Channel Logout 2.4: typ is %v", typ)
	}
	for name, want := range map[string]any{"iss": r.issuer, "aud": c.id, "sid": f.claims["sid"], "sub": f.claims["sub"]} {
		if claims[name] != want || want == nil {
			r.Errorf("2.6: %s is %v, want %v", name, claims[name], want)
		}
	}
	if iat, exp := r.instant(claims, "iat"), r.instant(claims, "exp"); iat.After(r.now()) || !exp.After(r.now()) || exp.Sub(iat) > 2*time.Minute {
		r.Errorf("2.4: iat is %v, exp is %v", iat, exp)
	}
	if jti, _ := claims["jti"].(string); len(jti) < 22 {
		r.Errorf("2.4: jti is %v", claims["jti"])
	}
	events, _ := claims["events"].(map[string]any)
	if _, ok := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any); !ok {
		r.Errorf("2.4: events is %v", claims["events"])
	}
	if _, there := claims["nonce"]; there {
		r.Error("2.4: a nonce MUST NOT be present")
	}
}

// frontchannel is the flow of the plan: the client's page is loaded in a frame, and then the browser is back.
func frontchannel(r *run) {
	uri := origin + "/test/a/signet/frontchannel_logout"
	c, b, f := r.signedIn("frontchannel_logout_uri", uri, "frontchannel_logout_session_required", r.flag(true))
	v := b.logout("id_token_hint", f.idToken, "post_logout_redirect_uri", redirectURI, "state", "of the logout")
	if v.params != nil || v.status != http.StatusOK || len(v.pages) == 0 {
		r.Fatalf("no page, but %v, %d", v.params, v.status)
	}
	var frames []string
	next := ""
	for n := range v.pages[len(v.pages)-1].Descendants() {
		switch {
		case n.Type != html.ElementNode:
		case n.Data == "iframe":
			frames = append(frames, attr(n, "src"))
		case n.Data == "a" && attr(n, "id") == "next": // where the page's script goes
			next = attr(n, "href")
		}
	}
	sid, _ := f.claims["sid"].(string)
	if want := uri + "?" + (url.Values{"iss": {r.issuer}, "sid": {sid}}).Encode(); !slices.Equal(frames, []string{want}) || sid == "" {
		r.Errorf("Front-Channel Logout 3: frames %q, want %q", frames, want)
	}
	if next != redirectURI+"?state=of+the+logout" {
		r.Errorf("the browser goes on to %q", next)
	}
	r.over(c, b, f)
}

// toldBy is what a client does that takes a way of being told to be offered: it registers for it, and is told of the end of its session.
func toldBy(flow func(*run)) func(*run, string) string {
	return func(r *run, _ string) string {
		flow(r)
		return ""
	}
}

// flag is a flag as whoever registers the client says it: the operator by a word, the client in JSON.
func (r *run) flag(on bool) any {
	if r.registered {
		return on
	}
	return map[bool]string{true: "true", false: "false"}[on]
}
