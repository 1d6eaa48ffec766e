package conformance

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// flow is one authorization that succeeded.
type flow struct {
	visit
	client       client
	request      url.Values
	accessToken  string         // the last one that came
	idToken      string         // the last one that came
	claims       map[string]any // of idToken
	refreshToken string
	userinfo     map[string]any // nil: there is no access token
}

// params is an authorization request of the variant; the pairs in change are set, or deleted where the value is "".
func (r *run) params(c client, change ...string) url.Values {
	p := url.Values{
		"client_id": {c.id}, "redirect_uri": {c.redirectURI}, "response_type": {r.responseType}, "scope": {"openid"},
		"state": {rand.Text()}, "nonce": {rand.Text()},
	}
	if r.formPost {
		p.Set("response_mode", "form_post")
	}
	for i := 0; i+1 < len(change); i += 2 {
		p.Set(change[i], change[i+1])
		if change[i+1] == "" {
			p.Del(change[i])
		}
	}
	return p
}

// visit sends an authorization request by GET, and holds the way of the answer to the variant.
func (b *browser) visit(request url.Values) visit {
	b.r.Helper()
	return b.came(b.open(b.r.request(http.MethodGet, b.r.text("authorization_endpoint")+"?"+request.Encode(), nil)), request)
}

// came holds the way of the answer to OAuth 2.0 Multiple Response Types 5 and Form Post Response Mode, errors included.
func (b *browser) came(v visit, request url.Values) visit {
	b.r.Helper()
	want := "fragment"
	switch {
	case b.r.formPost:
		want = "form_post"
	case b.r.responseType == "code", request.Get("response_type") == "":
		want = "query"
	}
	if v.params != nil && v.how != want {
		b.r.Errorf("the answer comes by %s, want %s: %v", v.how, want, v.params)
	}
	return v
}

// flow sends a request, and checks all of what comes of it.
func (b *browser) flow(c client, change ...string) flow {
	b.r.Helper()
	request := b.r.params(c, change...)
	return b.complete(c, request, b.visit(request), "")
}

// complete checks an authorization response, and what it is worth at the token endpoint and at UserInfo.
func (b *browser) complete(c client, request url.Values, v visit, verifier string) flow {
	b.r.Helper()
	r := b.r
	f := flow{visit: v, client: c, request: request}
	r.response(request, v)
	scope, nonce := request.Get("scope"), request.Get("nonce")
	code, front := v.params.Get("code"), v.params.Get("access_token")
	if code != "" {
		r.secret("the code", code, vschar)
	}
	if front != "" {
		r.accessToken(front, v.params.Get("token_type"), v.params.Get("expires_in"))
		f.accessToken = front
		f.userinfo = r.userinfo(front)
	}
	want := wanted{client: c.id, nonce: nonce, accessToken: front, code: code, front: true}
	if f.idToken = v.params.Get("id_token"); f.idToken != "" {
		if r.responseType == "id_token" { // Core 5.4: there is no other place
			want.claims = claimsOf(scope)
			if request.Has("claims") {
				want.claims = append(want.claims, essential)
			}
		}
		f.claims = r.idToken(f.idToken, want)
	}
	if code != "" {
		r.exchange(&f, r.redeem(c, code, verifier), nonce)
	}
	if f.userinfo != nil && f.claims != nil && f.userinfo["sub"] != f.claims["sub"] {
		r.Errorf("Core 5.3.2: sub is %v at UserInfo and %v in the ID token", f.userinfo["sub"], f.claims["sub"])
	}
	return f
}

// response checks the parameters of an authorization response: RFC 6749 4.1.2, RFC 9207, Core 3.2.2.5 and 3.3.2.5.
func (r *run) response(request url.Values, v visit) {
	r.Helper()
	if v.params == nil {
		r.Fatalf("the browser stands on a page: %d %s", v.status, v.page)
	}
	if v.params.Has("error") {
		r.Fatalf("error %s: %s", v.params.Get("error"), v.params.Get("error_description"))
	}
	r.stateAndIssuer(request, v)
	for name, want := range map[string]bool{"code": r.carries("code"), "access_token": r.carries("token"), "id_token": r.carries("id_token"), "refresh_token": false} {
		if v.params.Has(name) != want {
			r.Errorf("%s comes with response type %s: %t", name, r.responseType, v.params.Has(name))
		}
	}
	for name, values := range v.params {
		if len(values) != 1 {
			r.Errorf("%s comes %d times", name, len(values))
		}
	}
}

func (r *run) stateAndIssuer(request url.Values, v visit) {
	r.Helper()
	if got := v.params["state"]; len(got) != 1 || got[0] != request.Get("state") {
		r.Errorf("RFC 6749 4.1.2: state is %q, want %q", got, request.Get("state"))
	}
	if got := v.params.Get("iss"); r.says("authorization_response_iss_parameter_supported", false) && got != r.issuer || got != "" && got != r.issuer {
		r.Errorf("RFC 9207 2: iss is %q", got)
	}
}

// accessToken checks what is said of an access token: RFC 6749 5.1 and 4.2.2, RFC 6750 2.1.
func (r *run) accessToken(token, typ, expiresIn string) {
	r.Helper()
	r.secret("the access token", token, b64token)
	if seconds, err := strconv.Atoi(expiresIn); !strings.EqualFold(typ, "bearer") || err != nil || seconds <= 0 {
		r.Errorf("token_type %q, expires_in %q", typ, expiresIn)
	}
}

// post sends a form to an endpoint as the client.
func (r *run) post(endpoint string, c client, form url.Values) answer {
	r.Helper()
	switch c.method {
	case "client_secret_post":
		form.Set("client_id", c.id)
		form.Set("client_secret", c.secret)
	case "none":
		form.Set("client_id", c.id)
	case "client_secret_jwt", "private_key_jwt":
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", r.assertion(c))
	}
	req := r.request(http.MethodPost, r.text(endpoint), form)
	if c.method == "client_secret_basic" {
		req.SetBasicAuth(url.QueryEscape(c.id), url.QueryEscape(c.secret)) // RFC 6749 section 2.3.1
	}
	return r.send(req)
}

// assertion is a client assertion: Core 9.
func (r *run) assertion(c client) string {
	r.Helper()
	audience := c.audience
	if audience == "" {
		audience = r.text("token_endpoint")
	}
	now := r.now()
	return r.signAny(c.key, map[string]any{
		"iss": c.id, "sub": c.id, "aud": audience, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
}

func (r *run) redeem(c client, code, verifier string) answer {
	r.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.redirectURI}}
	if verifier != "" {
		form.Set("code_verifier", verifier)
	}
	return r.post("token_endpoint", c, form)
}

func (r *run) refresh(c client, token string) answer {
	r.Helper()
	return r.post("token_endpoint", c, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// exchange checks what the token endpoint said to a code or a refresh token: RFC 6749 5.1, Core 3.1.3.3, 3.3.3.6 and 12.2.
func (r *run) exchange(f *flow, a answer, nonce string) {
	r.Helper()
	if a.status != http.StatusOK || a.json == nil {
		r.Fatalf("the token endpoint: %d %s", a.status, a.body)
	}
	if got := a.header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		r.Errorf("RFC 6749 5.1: Cache-Control is %q", got)
	}
	member := func(name string) string { s, _ := a.json[name].(string); return s }
	seconds, _ := a.json["expires_in"].(float64)
	f.accessToken = member("access_token")
	r.accessToken(f.accessToken, member("token_type"), strconv.Itoa(int(seconds)))
	if f.refreshToken = member("refresh_token"); f.refreshToken != "" {
		r.secret("the refresh token", f.refreshToken, vschar)
	}
	f.idToken = member("id_token")
	claims := r.idToken(f.idToken, wanted{client: f.client.id, nonce: nonce, accessToken: f.accessToken})
	for _, name := range []string{"iss", "sub"} { // Core 3.3.3.6
		if f.claims != nil && f.claims[name] != claims[name] {
			r.Errorf("%s was %v and is %v", name, f.claims[name], claims[name])
		}
	}
	f.claims = claims
	f.userinfo = r.userinfo(f.accessToken)
}

// userinfo asks for UserInfo by GET: Core 5.3.1.
func (r *run) userinfo(token string) map[string]any {
	r.Helper()
	req := r.request(http.MethodGet, r.text("userinfo_endpoint"), nil)
	req.Header.Set("Authorization", "Bearer "+token)
	return r.userinfoAnswer(r.send(req))
}

// userinfoAnswer returns what was said of the user, in JSON or as a JWS: Core 5.3.2.
func (r *run) userinfoAnswer(a answer) map[string]any {
	r.Helper()
	if a.status == http.StatusOK && strings.HasPrefix(a.header.Get("Content-Type"), "application/jwt") {
		a.json = r.verify(a.body, "RS256")
	}
	if sub, _ := a.json["sub"].(string); a.status != http.StatusOK || sub == "" {
		r.Errorf("UserInfo: %d %s", a.status, a.body)
	}
	return a.json
}

// refused checks an error that comes to the redirect URI.
func (r *run) refused(request url.Values, v visit, codes ...string) {
	r.Helper()
	if v.params == nil {
		r.Fatalf("the browser stands on a page: %d %s", v.status, v.page)
	}
	r.stateAndIssuer(request, v)
	if !slices.Contains(codes, v.params.Get("error")) {
		r.Errorf("error is %q, want one of %v", v.params.Get("error"), codes)
	}
	for _, name := range []string{"code", "access_token", "id_token"} {
		if v.params.Has(name) {
			r.Errorf("%s comes with an error", name)
		}
	}
}

// errorPage checks that the browser stands on a page that says in words what is wrong, which a person looks at in the suite.
func (r *run) errorPage(v visit, words ...string) {
	r.Helper()
	r.looked = true
	said := slices.ContainsFunc(words, func(w string) bool { return strings.Contains(strings.ToLower(v.page), w) })
	if v.params != nil || v.status < 400 || !said {
		r.Errorf("%d, sent on with %v: %q", v.status, v.params, v.page)
	}
}
