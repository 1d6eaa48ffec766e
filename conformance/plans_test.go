package conformance

import (
	"slices"
	"testing"
)

var (
	codeFlow = []variant{{responseType: "code"}}
	implicit = []variant{{responseType: "id_token"}, {responseType: "id_token token"}}
	hybrid   = []variant{{responseType: "code id_token"}, {responseType: "code token"}, {responseType: "code id_token token"}}
)

// byFormPost are the same variants with response_mode=form_post.
func byFormPost(variants []variant) (posted []variant) {
	for _, v := range variants {
		v.formPost = true
		posted = append(posted, v)
	}
	return posted
}

// registered are the same variants with clients that register themselves, behind them.
func registered(variants []variant) []variant {
	all := slices.Clone(variants)
	for _, v := range variants {
		v.registered = true
		all = append(all, v)
	}
	return all
}

// Which variants some modules are for.
var (
	withCode      = func(v variant) bool { return v.carries("code") }
	withToken     = func(v variant) bool { return v.carries("code") || v.carries("token") }
	nonceOptional = func(v variant) bool { return !v.carries("id_token") }
	nonceRequired = func(v variant) bool { return v.carries("id_token") }
)

// flows are the modules of the plans basic, implicit and hybrid, in the order of the suite.
var flows = []module{
	{name: "oidcc-server", test: server},
	{name: "oidcc-response-type-missing", test: responseTypeMissing, only: withToken},
	{name: "oidcc-idtoken-signature", test: idTokenSignature},
	{name: "oidcc-idtoken-unsigned", test: idTokenUnsigned},
	{name: "oidcc-userinfo-get", test: userinfoGet, only: withToken},
	{name: "oidcc-userinfo-post-header", test: userinfoPostHeader, only: withToken},
	{name: "oidcc-userinfo-post-body", test: userinfoPostBody, only: withToken},
	{name: "oidcc-ensure-request-without-nonce-succeeds-for-code-flow", test: withoutNonceSucceeds, only: nonceOptional},
	{name: "oidcc-ensure-request-without-nonce-fails", test: withoutNonceFails, only: nonceRequired},
	{name: "oidcc-scope-profile", test: scope("profile")},
	{name: "oidcc-scope-email", test: scope("email")},
	{name: "oidcc-scope-address", test: scope("address")},
	{name: "oidcc-scope-phone", test: scope("phone")},
	{name: "oidcc-scope-all", test: scope("profile", "email", "address", "phone")},
	{name: "oidcc-alternate-happy-flow", test: alternateHappyFlow},
	{name: "oidcc-display-page", test: accepted("display", "page")},
	{name: "oidcc-display-popup", test: accepted("display", "popup")},
	{name: "oidcc-prompt-login", test: promptLogin, alone: true},
	{name: "oidcc-prompt-none-not-logged-in", test: promptNoneNotLoggedIn},
	{name: "oidcc-prompt-none-logged-in", test: promptNoneLoggedIn, alone: true},
	{name: "oidcc-max-age-1", test: maxAge1, alone: true},
	{name: "oidcc-max-age-10000", test: maxAge10000, alone: true},
	{name: "oidcc-ensure-request-with-unknown-parameter-succeeds", test: accepted("extra", "foobar")},
	{name: "oidcc-id-token-hint", test: idTokenHint, alone: true},
	{name: "oidcc-login-hint", test: accepted("login_hint", userName)},
	{name: "oidcc-ui-locales", test: accepted("ui_locales", "se")},
	{name: "oidcc-claims-locales", test: accepted("claims_locales", "se")},
	{name: "oidcc-ensure-request-with-acr-values-succeeds", test: acrValues},
	{name: "oidcc-codereuse", test: codeReuse, only: withCode},
	{name: "oidcc-codereuse-30seconds", test: codeReuse30Seconds, only: withCode, alone: true},
	{name: "oidcc-ensure-registered-redirect-uri", test: unregisteredRedirectURI},
	{name: "oidcc-ensure-post-request-succeeds", test: postRequest},
	{name: "oidcc-server-client-secret-post", test: clientSecretPost, only: withCode},
	{name: "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported", test: requestURIUnsigned},
	{name: "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported", test: unsignedRequestObject},
	{name: "oidcc-claims-essential", test: claimsEssential},
	{name: "oidcc-ensure-request-object-with-redirect-uri", test: requestObjectWithRedirectURI},
	{name: "oidcc-refresh-token", test: refreshToken, only: withCode, alone: true},
	{name: "oidcc-ensure-request-with-valid-pkce-succeeds", test: validPKCE, only: withCode},
}

// plans are all plans, in the order of the table.
var plans = []plan{
	{"oidcc-basic-certification-test-plan", "TestOIDCCBasic", registered(codeFlow), flows},
	{"oidcc-formpost-basic-certification-test-plan", "TestOIDCCFormPostBasic", byFormPost(codeFlow), flows},
	{"oidcc-config-certification-test-plan", "TestOIDCCConfig", []variant{{}}, []module{{name: "oidcc-discovery-endpoint-verification", test: discoveryVerification}}},
	{"oidcc-implicit-certification-test-plan", "TestOIDCCImplicit", registered(implicit), flows},
	{"oidcc-formpost-implicit-certification-test-plan", "TestOIDCCFormPostImplicit", byFormPost(implicit), flows},
	{"oidcc-hybrid-certification-test-plan", "TestOIDCCHybrid", registered(hybrid), flows},
	{"oidcc-formpost-hybrid-certification-test-plan", "TestOIDCCFormPostHybrid", byFormPost(hybrid), flows},
}

// runPlan runs the plan of the test.
func runPlan(t *testing.T) {
	for _, p := range plans {
		if p.test == t.Name() {
			p.run(t)
			return
		}
	}
	t.Fatal("no plan has this name")
}

func TestOIDCCBasic(t *testing.T)            { runPlan(t) }
func TestOIDCCFormPostBasic(t *testing.T)    { runPlan(t) }
func TestOIDCCConfig(t *testing.T)           { runPlan(t) }
func TestOIDCCImplicit(t *testing.T)         { runPlan(t) }
func TestOIDCCFormPostImplicit(t *testing.T) { runPlan(t) }
func TestOIDCCHybrid(t *testing.T)           { runPlan(t) }
func TestOIDCCFormPostHybrid(t *testing.T)   { runPlan(t) }
