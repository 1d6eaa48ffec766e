package conformance

import (
	"slices"
	"strings"
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

// keyed are variants with clients that register themselves and authenticate with private_key_jwt.
func keyed(variants ...variant) (all []variant) {
	for _, v := range variants {
		v.registered, v.keyed = true, true
		all = append(all, v)
	}
	return all
}

// Which variants some modules are for.
var (
	selfRegistered = func(v variant) bool { return v.registered && v.responseType == "code" }
	withCode       = func(v variant) bool { return v.carries("code") }
	withToken      = func(v variant) bool { return v.carries("code") || v.carries("token") }
	nonceOptional  = func(v variant) bool { return !v.carries("id_token") }
	nonceRequired  = func(v variant) bool { return v.carries("id_token") }
)

// flows are the modules of the plans basic, implicit and hybrid, in the order of the suite.
var flows = []module{
	{name: "oidcc-server", test: server},
	{name: "oidcc-response-type-missing", test: responseTypeMissing, only: withToken},
	{name: "oidcc-idtoken-signature", test: idTokenSignature},
	{name: "oidcc-idtoken-unsigned", test: idTokenUnsigned, only: selfRegistered},
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
	{name: "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported", test: requestURIUnsigned, unsigned: true},
	{name: "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported", test: unsignedRequestObject, unsigned: true},
	{name: "oidcc-claims-essential", test: claimsEssential},
	{name: "oidcc-ensure-request-object-with-redirect-uri", test: requestObjectWithRedirectURI, unsigned: true},
	{name: "oidcc-refresh-token", test: refreshToken, only: withCode, alone: true},
	{name: "oidcc-ensure-request-with-valid-pkce-succeeds", test: validPKCE, only: withCode},
}

// byThemselves are the modules of the plan dynamic.
var byThemselves = []module{
	{name: "oidcc-idtoken-rs256", test: idTokenRS256},
	{name: "oidcc-idtoken-unsigned", test: idTokenUnsigned, only: nonceOptional},
	{name: "oidcc-userinfo-rs256", test: userinfoRS256, only: withToken},
	{name: "oidcc-ensure-redirect-uri-in-authorization-request", test: withoutRedirectURI},
	{name: "oidcc-redirect-uri-query-OK", test: redirectURIQuery},
	{name: "oidcc-redirect-uri-query-mismatch", test: redirectURIRefused(redirectURI+"?dummy1=lorem", redirectURI+"?dummy2=ipsum")},
	{name: "oidcc-redirect-uri-query-added", test: redirectURIRefused(redirectURI, redirectURI+"?dummy1=lorem")},
	{name: "oidcc-redirect-uri-regfrag", test: registrationRefused("invalid_redirect_uri", "redirect_uris", []string{redirectURI + "#foobar"})},
	{name: "oidcc-discovery-endpoint-verification", test: discoveryVerification},
	{name: "oidcc-server", test: server},
	{name: "oidcc-registration-logo-uri", test: logoURI},
	{name: "oidcc-registration-policy-uri", test: linkedBeforeConsent("policy_uri", "https://suite.example/login.html")},
	{name: "oidcc-registration-tos-uri", test: linkedBeforeConsent("tos_uri", "https://openid.net")},
	{name: "oidcc-registration-jwks-uri", test: jwksURI, only: withCode},
	{name: "oidcc-registration-sector-uri", test: sectorURI},
	{name: "oidcc-registration-sector-bad", test: sectorBad},
	{name: "oidcc-server-rotate-keys", test: rotateKeys, alone: true},
	{name: "oidcc-refresh-token-rp-key-rotation", test: clientKeyRotation, only: withCode, alone: true},
	{name: "oidcc-request-uri-unsigned", test: requestURIUnsigned, unsigned: true},
	{name: "oidcc-request-uri-signed-rs256", test: requestURISigned},
	{name: "oidcc-ensure-request-object-with-redirect-uri", test: requestObjectWithRedirectURI, unsigned: true},
	{name: "oidcc-refresh-token", test: refreshToken, only: withCode, alone: true},
	{name: "oidcc-ensure-client-assertion-with-iss-aud-succeeds", test: assertionForIssuer},
}

var initiated = []module{
	{name: "oidcc-3rd_party-init-login", test: initiateLogin},
	{name: "oidcc-3rd_party-init-login-nohttps", test: registrationRefused("invalid_client_metadata", "initiate_login_uri", "http://suite.example/initiate")},
}

var sessions = []module{
	{name: "oidcc-session-management-discovery-endpoint-verification", test: sessionDiscovery},
	{name: "oidcc-session-management-rp-initiated-logout", test: sessionManagement, alone: true},
}

var loggingOut = []module{
	{name: "oidcc-rp-initiated-logout-discovery-endpoint-verification", test: logoutDiscovery()},
	{name: "oidcc-rp-initiated-logout", test: rpLogout(strings.Repeat("0123456789abcdef", 8))},
	{name: "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri", test: rpLogoutStays(wayBackTo(redirectURI + "/foo"))},
	{name: "oidcc-rp-initiated-logout-modified-id-token-hint", test: rpLogoutStays(unsignedHint)},
	{name: "oidcc-rp-initiated-logout-no-id-token-hint", test: rpLogoutStays(noHint)},
	{name: "oidcc-rp-initiated-logout-no-params", test: rpLogoutAnyway(false)},
	{name: "oidcc-rp-initiated-logout-no-post-logout-redirect-uri", test: rpLogoutAnyway(true, "state", "of the logout")},
	{name: "oidcc-rp-initiated-logout-no-state", test: rpLogout("")},
	{name: "oidcc-rp-initiated-logout-only-state", test: rpLogoutAnyway(false, "state", "of the logout")},
	{name: "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri", test: rpLogoutStays(wayBackTo(redirectURI + "?foo=bar"))},
	{name: "oidcc-rp-initiated-logout-bad-id-token-hint", test: rpLogoutStays(ownHint)},
}

var toldByBack = []module{
	{name: "oidcc-backchannel-rp-initiated-logout-discovery-endpoint-verification", test: logoutDiscovery("backchannel_logout_supported", "backchannel_logout_session_supported")},
	{name: "oidcc-backchannel-rp-initiated-logout", test: backchannel},
}

var toldByFront = []module{
	{name: "oidcc-frontchannel-rp-initiated-logout-discovery-endpoint-verification", test: logoutDiscovery("frontchannel_logout_supported", "frontchannel_logout_session_supported")},
	{name: "oidcc-frontchannel-rp-initiated-logout", test: frontchannel},
}

// plans are all plans, in the order of the table.
var plans = []plan{
	{"oidcc-basic-certification-test-plan", "TestOIDCCBasic", registered(codeFlow), flows},
	{"oidcc-formpost-basic-certification-test-plan", "TestOIDCCFormPostBasic", byFormPost(codeFlow), flows},
	{"oidcc-config-certification-test-plan", "TestOIDCCConfig", []variant{{}}, []module{{name: "oidcc-discovery-endpoint-verification", test: discoveryVerification}}},
	{"oidcc-dynamic-certification-test-plan", "TestOIDCCDynamic", keyed(slices.Concat(codeFlow, implicit, hybrid)...), byThemselves},
	{"oidcc-implicit-certification-test-plan", "TestOIDCCImplicit", registered(implicit), flows},
	{"oidcc-formpost-implicit-certification-test-plan", "TestOIDCCFormPostImplicit", byFormPost(implicit), flows},
	{"oidcc-hybrid-certification-test-plan", "TestOIDCCHybrid", registered(hybrid), flows},
	{"oidcc-formpost-hybrid-certification-test-plan", "TestOIDCCFormPostHybrid", byFormPost(hybrid), flows},
	{"oidcc-3rdparty-init-login-certification-test-plan", "TestOIDCC3rdPartyInitLogin", []variant{{responseType: "code", registered: true}}, initiated},
	{"oidcc-rp-initiated-logout-certification-test-plan", "TestOIDCCRPInitiatedLogout", registered(codeFlow), loggingOut},
	{"oidcc-frontchannel-rp-initiated-logout-certification-test-plan", "TestOIDCCFrontChannelLogout", registered(codeFlow), toldByFront},
	{"oidcc-backchannel-rp-initiated-logout-certification-test-plan", "TestOIDCCBackChannelLogout", registered(codeFlow), toldByBack},
	{"oidcc-session-management-certification-test-plan", "TestOIDCCSessionManagement", codeFlow, sessions},
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

func TestOIDCCBasic(t *testing.T)              { runPlan(t) }
func TestOIDCCFormPostBasic(t *testing.T)      { runPlan(t) }
func TestOIDCCConfig(t *testing.T)             { runPlan(t) }
func TestOIDCCDynamic(t *testing.T)            { runPlan(t) }
func TestOIDCCImplicit(t *testing.T)           { runPlan(t) }
func TestOIDCCFormPostImplicit(t *testing.T)   { runPlan(t) }
func TestOIDCCHybrid(t *testing.T)             { runPlan(t) }
func TestOIDCCFormPostHybrid(t *testing.T)     { runPlan(t) }
func TestOIDCC3rdPartyInitLogin(t *testing.T)  { runPlan(t) }
func TestOIDCCRPInitiatedLogout(t *testing.T)  { runPlan(t) }
func TestOIDCCFrontChannelLogout(t *testing.T) { runPlan(t) }
func TestOIDCCBackChannelLogout(t *testing.T)  { runPlan(t) }
func TestOIDCCSessionManagement(t *testing.T)  { runPlan(t) }
