package conformance

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The modules, by their names in the suite. Each comment of the suite's own description is in the Foundation's documentation; here stands
// what decides.

func server(r *run) {
	r.browser().flow(r.client())
}

func responseTypeMissing(r *run) {
	c := r.client()
	request := r.params(c, "response_type", "")
	if v := r.browser().visit(request); v.params != nil {
		r.refused(request, v, "unsupported_response_type", "invalid_request")
	} else {
		r.errorPage(v, "invalid")
	}
}

// idTokenSignature: every flow checks that RS256 is what a client without a wish gets, and that the kid leads to the key.
func idTokenSignature(r *run) {
	f := r.browser().flow(r.client())
	if f.idToken == "" {
		r.Error("there is no ID token")
	}
}

func idTokenUnsigned(r *run) {
	if !r.lists("id_token_signing_alg_values_supported", "none") {
		r.skip("id_token_signing_alg_values_supported lacks none")
	}
	r.Fatal("none is advertised, and nothing here tests it")
}

func userinfoGet(r *run) {
	if f := r.browser().flow(r.client()); f.userinfo == nil {
		r.Error("there is no access token for UserInfo")
	}
}

func userinfoPostHeader(r *run) {
	f := r.browser().flow(r.client())
	req := r.request(http.MethodPost, r.text("userinfo_endpoint"), nil)
	req.Header.Set("Authorization", "Bearer "+f.accessToken)
	if got := r.userinfoAnswer(r.send(req)); got["sub"] != f.claims["sub"] && f.claims != nil {
		r.Errorf("sub is %v", got["sub"])
	}
}

func userinfoPostBody(r *run) {
	f := r.browser().flow(r.client())
	req := r.request(http.MethodPost, r.text("userinfo_endpoint"), url.Values{"access_token": {f.accessToken}})
	if got := r.userinfoAnswer(r.send(req)); got["sub"] != f.claims["sub"] && f.claims != nil {
		r.Errorf("sub is %v", got["sub"])
	}
}

func withoutNonceSucceeds(r *run) {
	r.browser().flow(r.client(), "nonce", "")
}

func withoutNonceFails(r *run) {
	c := r.client()
	request := r.params(c, "nonce", "")
	if v := r.browser().visit(request); v.params != nil {
		r.refused(request, v, "invalid_request")
	} else {
		r.errorPage(v, "invalid", "nonce")
	}
}

// scope asks for the claims of scopes, which come from UserInfo, or in the ID token where there is no access token.
func scope(scopes ...string) func(*run) {
	return func(r *run) {
		if !r.lists("scopes_supported", scopes...) {
			r.skip("scopes_supported lacks one of %s", strings.Join(scopes, ", "))
		}
		asked := "openid " + strings.Join(scopes, " ")
		f := r.browser().flow(r.client(), "scope", asked)
		if f.userinfo != nil {
			r.person("UserInfo", f.userinfo, asked)
		} else {
			r.person("the ID token", f.claims, asked)
		}
	}
}

// alternateHappyFlow sends parameters and scopes in another order.
func alternateHappyFlow(r *run) {
	c, b := r.client(), r.browser()
	request := r.params(c, "scope", "email openid")
	words := strings.Fields(r.responseType)
	slices.Reverse(words)
	request.Set("response_type", strings.Join(words, " "))
	pairs := strings.Split(request.Encode(), "&")
	slices.Reverse(pairs)
	u := r.text("authorization_endpoint") + "?" + strings.Join(pairs, "&")
	b.complete(c, request, b.came(b.open(r.request(http.MethodGet, u, nil)), request), "")
}

// accepted sends parameters that change nothing which could be seen.
func accepted(change ...string) func(*run) {
	return func(r *run) { r.browser().flow(r.client(), change...) }
}

// twice signs in, lets time pass, and asks again.
func (r *run) twice(pause time.Duration, change func(first flow) []string) (first, second flow, b *browser) {
	r.Helper()
	c, b := r.client(), r.browser()
	first = b.flow(c)
	if first.signIns != 1 {
		r.Errorf("a new browser was asked %d times who it is", first.signIns)
	}
	r.pass(pause)
	return first, b.flow(c, change(first)...), b
}

// always is a change that does not depend on the first flow.
func always(change ...string) func(flow) []string { return func(flow) []string { return change } }

// authTimes holds auth_time of both flows to what is wanted of it; code token without an access to the ID token has none to look at.
func (r *run) authTimes(first, second flow, moved bool) {
	r.Helper()
	before, after := r.instant(first.claims, "auth_time"), r.instant(second.claims, "auth_time")
	if after.After(before) != moved || after.Before(before) {
		r.Errorf("auth_time was %v and is %v", before, after)
	}
	if first.claims["sub"] != second.claims["sub"] {
		r.Errorf("sub was %v and is %v", first.claims["sub"], second.claims["sub"])
	}
}

func promptLogin(r *run) {
	first, second, _ := r.twice(time.Second, always("prompt", "login"))
	r.looked = true
	if second.signIns != 1 {
		r.Errorf("with prompt=login the user was asked %d times", second.signIns)
	}
	r.authTimes(first, second, true)
}

func promptNoneNotLoggedIn(r *run) {
	request := r.params(r.client(), "prompt", "none")
	v := r.browser().visit(request)
	r.refused(request, v, "login_required", "interaction_required", "account_selection_required", "consent_required")
}

func promptNoneLoggedIn(r *run) {
	first, second, _ := r.twice(time.Second, always("prompt", "none"))
	r.silent(second)
	r.authTimes(first, second, false)
}

func (r *run) silent(f flow) {
	r.Helper()
	if f.signIns+f.asked != 0 {
		r.Errorf("the user was asked: %d times who they are, %d times for consent", f.signIns, f.asked)
	}
}

func maxAge1(r *run) {
	first, second, _ := r.twice(2*time.Second, always("max_age", "1"))
	r.looked = true
	if second.signIns != 1 {
		r.Errorf("with max_age=1 after 2 s the user was asked %d times", second.signIns)
	}
	r.authTimes(first, second, true)
	if age := r.now().Sub(r.instant(second.claims, "auth_time")); age > time.Second {
		r.Errorf("auth_time is %v ago", age)
	}
}

func maxAge10000(r *run) {
	first, second, _ := r.twice(2*time.Second, always("max_age", "10000"))
	r.silent(second)
	r.authTimes(first, second, false)
}

func idTokenHint(r *run) {
	first, second, _ := r.twice(time.Second, func(f flow) []string { return []string{"prompt", "none", "id_token_hint", f.idToken} })
	r.silent(second)
	r.authTimes(first, second, false)
}

func acrValues(r *run) {
	values, ok := r.list("acr_values_supported")
	if !ok {
		values = []string{"1", "2"}
	}
	f := r.browser().flow(r.client(), "acr_values", strings.Join(values, " "))
	if acr, _ := f.claims["acr"].(string); ok && !slices.Contains(values, acr) {
		r.Errorf("acr is %q, want one of %v", acr, values)
	}
}

func codeReuse(r *run) {
	c, b := r.client(), r.browser()
	f := b.flow(c)
	if a := r.redeem(c, f.params.Get("code"), ""); a.status != http.StatusBadRequest || a.json["error"] != "invalid_grant" {
		r.Errorf("the second use of the code: %d %s", a.status, a.body)
	}
}

func codeReuse30Seconds(r *run) {
	c, b := r.client(), r.browser()
	f := b.flow(c)
	r.pass(30 * time.Second)
	if a := r.redeem(c, f.params.Get("code"), ""); a.status != http.StatusBadRequest || a.json["error"] != "invalid_grant" {
		r.Errorf("the second use of the code: %d %s", a.status, a.body)
	}
	for _, token := range []string{f.accessToken, f.params.Get("access_token")} {
		if token == "" {
			continue
		}
		req := r.request(http.MethodGet, r.text("userinfo_endpoint"), nil)
		req.Header.Set("Authorization", "Bearer "+token)
		if a := r.send(req); a.status < 400 || a.status > 499 {
			r.Errorf("RFC 6749 4.1.2: UserInfo for a token that was issued on that code: %d %s", a.status, a.body)
		}
	}
}

func unregisteredRedirectURI(r *run) {
	v := r.browser().visit(r.params(r.client(), "redirect_uri", redirectURI+"/unregistered"))
	r.errorPage(v, "not registered", "invalid")
}

// postRequest sends the request as a form, as the suite does: neither Origin nor Referer.
func postRequest(r *run) {
	c, b := r.client(), r.browser()
	request := r.params(c)
	v := b.open(r.request(http.MethodPost, r.text("authorization_endpoint"), request))
	b.complete(c, request, b.came(v, request), "")
}

func clientSecretPost(r *run) {
	r.browser().flow(r.client("token_endpoint_auth_method", "client_secret_post"))
}

// requestURIUnsigned: the object is at the client's server, unsigned.
func requestURIUnsigned(r *run) {
	r.needsUnsigned()
	r.byReference("none", func(object map[string]any) string { return unsigned(r, object) })
}

// byReference sends a request whose object is found at a registered request_uri: Core 6.2. Beside it stands what OAuth 2.0 asks for. The
// URI is registered before there is an object, so its fragment is a hash, but of something else.
func (r *run) byReference(alg string, make func(object map[string]any) string) {
	r.Helper()
	site := r.site()
	other := sha256.Sum256([]byte("something else"))
	uri := site.url("/request.jwt") + "#" + base64.RawURLEncoding.EncodeToString(other[:])
	c, b := r.client("request_uris", []string{uri}, "request_object_signing_alg", alg), r.browser()
	request := r.params(c)
	object := map[string]any{"iss": c.id, "aud": r.issuer}
	for name := range request {
		object[name] = request.Get(name)
	}
	site.put("/request.jwt", "application/oauth-authz-req+jwt", []byte(make(object)))
	sent := url.Values{
		"client_id": {c.id}, "response_type": {r.responseType}, "scope": {"openid"}, "request_uri": {uri},
		"state": {"of the query, which the object overrides"},
	}
	b.complete(c, request, b.came(b.open(r.request(http.MethodGet, r.text("authorization_endpoint")+"?"+sent.Encode(), nil)), request), "")
}

// needsUnsigned skips where objects are taken, but not unsigned ones. Where none are taken, it is worth seeing that none is ignored.
func (r *run) needsUnsigned() {
	r.Helper()
	if algs, ok := r.list("request_object_signing_alg_values_supported"); ok && !slices.Contains(algs, "none") {
		r.skip("request_object_signing_alg_values_supported lacks none")
	}
}

// unsigned is an unsigned request object: Core 6.1.
func unsigned(r *run, claims map[string]any) string {
	r.Helper()
	return r.signAny(jose.JSONWebKey{Algorithm: "none"}, claims)
}

func unsignedRequestObject(r *run) {
	r.needsUnsigned()
	c, b := r.client("request_object_signing_alg", "none"), r.browser()
	object := map[string]any{"client_id": c.id, "redirect_uri": c.redirectURI, "response_type": r.responseType, "scope": "openid", "state": "of the object", "nonce": "of the object"}
	request := r.params(c, "request", unsigned(r, object))
	v := b.visit(request)
	switch {
	case v.params == nil:
		r.errorPage(v, "request")
	case v.params.Has("error"):
		if r.says("request_parameter_supported", false) {
			r.Errorf("request objects are advertised and refused: %v", v.params)
		}
		r.refused(request, v, "request_not_supported")
	default: // never ignored
		request.Set("state", "of the object")
		request.Set("nonce", "of the object")
		b.complete(c, request, v, "")
	}
}

func requestObjectWithRedirectURI(r *run) {
	r.needsUnsigned()
	c, b := r.client("request_object_signing_alg", "none"), r.browser()
	request := r.params(c)
	object := map[string]any{"client_id": c.id, "response_type": r.responseType, "scope": "openid"}
	for _, name := range []string{"redirect_uri", "state", "nonce"} {
		object[name] = request.Get(name)
	}
	sent := r.params(c, "request", unsigned(r, object), "redirect_uri", redirectURI+"/unregistered", "state", request.Get("state"), "nonce", request.Get("nonce"))
	if v := b.visit(sent); v.params == nil {
		r.errorPage(v, "not registered", "invalid", "request")
	} else {
		b.complete(c, request, v, "")
	}
}

// essential is the claim that is asked for as an essential one.
const essential = "name"

func claimsEssential(r *run) {
	if !r.says("claims_parameter_supported", false) {
		r.skip("claims_parameter_supported is false")
	}
	place := "userinfo"
	if r.responseType == "id_token" {
		place = "id_token"
	}
	f := r.browser().flow(r.client(), "claims", `{"`+place+`":{"`+essential+`":{"essential":true}}}`)
	claims := f.userinfo
	if place == "id_token" {
		claims = f.claims
	}
	if value, _ := claims[essential].(string); value == "" {
		r.Errorf("%s lacks %s", place, essential)
	}
}

func refreshToken(r *run) {
	c, other, b := r.client(), r.client(), r.browser()
	f := b.flow(c, "scope", "openid offline_access", "prompt", "consent")
	if f.refreshToken == "" {
		r.skip("no refresh token was issued")
	}
	if a := r.refresh(other, f.refreshToken); a.status != http.StatusBadRequest || a.json["error"] != "invalid_grant" {
		r.Errorf("another client with the refresh token: %d %s", a.status, a.body)
	}
	r.pass(time.Second)
	before := f
	r.exchange(&f, r.refresh(c, f.refreshToken), "") // Core 12.2: "it SHOULD NOT have a nonce Claim"
	for _, name := range []string{"iss", "sub", "aud", "auth_time", "azp"} {
		if f.claims[name] != before.claims[name] {
			r.Errorf("Core 12.2: %s was %v and is %v", name, before.claims[name], f.claims[name])
		}
	}
	if f.accessToken == before.accessToken || f.refreshToken == "" {
		r.Errorf("no new tokens: access token %q, refresh token %q", f.accessToken, f.refreshToken)
	}
}

// verifier is a PKCE verifier, s256 its challenge: RFC 7636 appendix B.
const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

func s256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func validPKCE(r *run) {
	c, b := r.client(), r.browser()
	request := r.params(c, "code_challenge", s256(verifier), "code_challenge_method", "S256")
	b.complete(c, request, b.visit(request), verifier)
}

// discoveryVerification: the discovery document by itself. run.discover has read it, and the keys.
func discoveryVerification(r *run) {
	for _, name := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint", "registration_endpoint"} {
		value, there := r.metadata[name]
		if !there && (name == "end_session_endpoint" || name == "registration_endpoint") {
			continue
		}
		if s, _ := value.(string); !strings.HasPrefix(s, "https://") {
			r.Errorf("%s is %v, want https", name, value)
		}
	}
	if strings.ContainsAny(r.issuer, "?#") {
		r.Errorf("issuer %q has a query or a fragment", r.issuer)
	}
	for name, least := range map[string][]string{
		"response_types_supported":              {"code", "id_token", "id_token token"},
		"subject_types_supported":               {"public"},
		"id_token_signing_alg_values_supported": {"RS256"},
		"scopes_supported":                      {"openid"},
		"grant_types_supported":                 {"authorization_code", "implicit"},
		"claims_supported":                      {"sub"},
	} {
		if !r.lists(name, least...) {
			r.Errorf("%s is %v, want %v in it", name, r.metadata[name], least)
		}
	}
	for name, value := range r.metadata {
		r.member(name, value)
	}
}

// known are the members of OpenID Connect Discovery 3, RFC 8414 section 2 and the registry that RFC 8414 section 7.1 opened; the suite warns
// of others.
var known = map[string]string{
	"issuer": "url", "authorization_endpoint": "url", "token_endpoint": "url", "userinfo_endpoint": "url", "jwks_uri": "url", "registration_endpoint": "url",
	"introspection_endpoint": "url", "revocation_endpoint": "url", "end_session_endpoint": "url", "check_session_iframe": "url",
	"status_list_aggregation_endpoint":      "url",
	"pushed_authorization_request_endpoint": "url", "device_authorization_endpoint": "url", "service_documentation": "url", "op_policy_uri": "url", "op_tos_uri": "url",
	"scopes_supported": "list", "response_types_supported": "list", "response_modes_supported": "list", "grant_types_supported": "list",
	"acr_values_supported": "list", "subject_types_supported": "list", "id_token_signing_alg_values_supported": "list",
	"id_token_encryption_alg_values_supported": "list", "id_token_encryption_enc_values_supported": "list", "userinfo_signing_alg_values_supported": "list",
	"userinfo_encryption_alg_values_supported": "list", "userinfo_encryption_enc_values_supported": "list", "request_object_signing_alg_values_supported": "list",
	"request_object_encryption_alg_values_supported": "list", "request_object_encryption_enc_values_supported": "list",
	"token_endpoint_auth_methods_supported": "list", "token_endpoint_auth_signing_alg_values_supported": "list", "introspection_endpoint_auth_methods_supported": "list",
	"introspection_endpoint_auth_signing_alg_values_supported": "list", "revocation_endpoint_auth_methods_supported": "list",
	"introspection_signing_alg_values_supported": "list", "introspection_encryption_alg_values_supported": "list", "introspection_encryption_enc_values_supported": "list",
	"revocation_endpoint_auth_signing_alg_values_supported": "list", "display_values_supported": "list", "claim_types_supported": "list", "claims_supported": "list",
	"claims_locales_supported": "list", "ui_locales_supported": "list", "code_challenge_methods_supported": "list", "prompt_values_supported": "list",
	"dpop_signing_alg_values_supported": "list", "claims_parameter_supported": "bool", "request_parameter_supported": "bool",
	"request_uri_parameter_supported": "bool", "require_request_uri_registration": "bool", "authorization_response_iss_parameter_supported": "bool",
	"require_pushed_authorization_requests": "bool", "frontchannel_logout_supported": "bool", "frontchannel_logout_session_supported": "bool",
	"backchannel_logout_supported": "bool", "backchannel_logout_session_supported": "bool", "require_signed_request_object": "bool",
	"tls_client_certificate_bound_access_tokens": "bool",
}

// member holds a member of the discovery document to its type.
func (r *run) member(name string, value any) {
	r.Helper()
	ok := false
	switch known[name] {
	case "url":
		s, _ := value.(string)
		u, err := url.Parse(s)
		ok = err == nil && u.IsAbs() && u.Host != ""
	case "bool":
		_, ok = value.(bool)
	case "list":
		all, isList := value.([]any)
		ok = isList && len(all) > 0
		for _, v := range all {
			s, isText := v.(string)
			ok = ok && isText && s != ""
		}
	default:
		r.Errorf("%s is a member that no registry knows", name)
		return
	}
	if !ok {
		r.Errorf("%s is %v, want a %s", name, value, known[name])
	}
}
