package conformance

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/claims"
	"signet/clients"
	"signet/keys"
	"signet/provider/admin"
	"signet/provider/providertest"
	"signet/resources"
	"signet/storage"
)

// setting is what an operator may set, and the members of the discovery document that it changes.
type setting struct {
	name    string // as in the configuration
	options []option
	changes []string
	acts    []string // members to act on though they do not change
}

const everything = "everything"

// settings are held against the first, with which clients can register and all else is as it comes.
func settings() []setting {
	all := []setting{
		{name: "registration: open"},
		{name: "registration: token", options: []option{registrationBy("token")}, acts: []string{"registration_endpoint"}},
		{name: "registration: off", options: []option{registrationBy("off")}, changes: []string{"registration_endpoint"}},
		{name: "registration_pkce: required", options: []option{pkceRequired}, acts: []string{"code_challenge_methods_supported"}},
		{name: "unsigned_request_objects: on", options: []option{unsignedRequestObjects}, changes: []string{"request_object_signing_alg_values_supported"}},
		{name: "scopes and claims declared", options: []option{declared}, changes: []string{"scopes_supported", "claims_supported"}},
		{name: "keys.algorithms: HS256 beside the others", options: []option{bySecret}, changes: []string{
			"id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported",
		}},
		{name: "access_tokens.status_list: off", options: []option{statusListOff}, changes: []string{"status_list_aggregation_endpoint"}},
		{name: everything, options: []option{unsignedRequestObjects, declared, signingBy(keys.SupportedAlgs()...), bySecret, encryptedBy(keys.EncryptionAlgs()...)}, changes: []string{
			"request_object_encryption_alg_values_supported", "request_object_encryption_enc_values_supported",
			"request_object_signing_alg_values_supported", "scopes_supported", "claims_supported",
			"id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported", "introspection_signing_alg_values_supported",
		}},
	}
	for _, alg := range keys.SupportedAlgs() {
		all = append(all, setting{
			name: "keys.algorithms: " + alg, options: []option{signingBy(alg)},
			changes: []string{"id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported", "introspection_signing_alg_values_supported"},
		})
	}
	for _, alg := range keys.EncryptionAlgs() {
		all = append(all, setting{
			name: "request_object_encryption: " + alg, options: []option{encryptedBy(alg)},
			changes: []string{"request_object_encryption_alg_values_supported", "request_object_encryption_enc_values_supported"},
		})
	}
	return all
}

func signingBy(algs ...string) option {
	return func(c *providertest.Config) {
		c.Keys.Algs = algs
		c.Resource = resources.Default(algs[0], "at+jwt", 10*time.Minute, nil)
	}
}

// encryptedBy lets request objects be encrypted to the provider.
func encryptedBy(algs ...string) option {
	return func(c *providertest.Config) { c.Keys.Encryption = algs }
}

// pkceRequired is seen by no document: RFC 9700 section 2.1.1 has clients use PKCE wherever a method is offered.
func pkceRequired(c *providertest.Config) { c.Registration.PKCE = storage.PKCERequired }

// bySecret lets what is for a client be signed with its secret.
func bySecret(c *providertest.Config) { c.HS256 = true }

// behindProxy lets each member have an address of its own: so many registrations are not taken from one.
func behindProxy(c *providertest.Config) { c.TrustedProxies = []string{"127.0.0.0/8"} }

func declared(c *providertest.Config) {
	catalogue, err := claims.Declarations{
		Scopes: []claims.Scope{{Name: "badge", Text: "See your badge", Claims: []string{"is_editor"}}},
		Claims: []claims.Mapping{{Name: "is_editor", Text: "Whether you are an editor", From: "role:editor"}},
	}.Catalogue()
	if err != nil {
		panic(err)
	}
	c.Claims = catalogue
}

// TestDiscovery: the discovery document says what is on, and nothing else. For each setting, what a member offers is done and works, and what
// others offer there and we do not is done and refused. A member that [offers] does not know fails: nobody adds one without what it says.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	v := variant{responseType: "code", registered: true}
	all := settings()
	base := discovered(t, v, all[0])
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := discovered(t, v, s)
			for name := range p.metadata {
				if _, known := offers[name]; !known {
					t.Errorf("nobody acts on %s", name)
				}
			}
			for i, name := range slices.Sorted(maps.Keys(offers)) {
				o := offers[name]
				changed := !reflect.DeepEqual(comparable(base, name), comparable(p, name))
				if changed != slices.Contains(s.changes, name) {
					t.Errorf("%s is %v, without the setting %v", name, p.metadata[name], base.metadata[name])
				}
				if !changed && s.name != all[0].name && s.name != everything && !slices.Contains(s.acts, name) {
					continue
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					own := *p.provider
					o.hold(&run{T: t, variant: v, provider: &own, initial: p.initial, address: fmt.Sprintf("192.0.2.%d", i)}, name)
				})
			}
		})
	}
}

// discovered starts a provider with a setting, and reads its document.
func discovered(t *testing.T, v variant, s setting) *run {
	t.Helper()
	r := &run{T: t, variant: v, provider: start(t, v, append(s.options, behindProxy)...)}
	r.discover()
	if a, b := r.get(r.issuer+"/.well-known/openid-configuration"), r.get(r.issuer+"/.well-known/oauth-authorization-server"); a.body != b.body {
		t.Errorf("RFC 8414 3: there are two documents: %s and %s", a.body, b.body)
	}
	var made admin.InitialTokenSecret
	r.must(r.operator.Do(t.Context(), http.MethodPost, admin.NewInitialToken{}, &made, "registration", "tokens"))
	r.initial = made.Secret
	return r
}

// comparable is a member as it would be for another issuer.
func comparable(r *run, name string) any {
	if s, ok := r.metadata[name].(string); ok {
		return strings.TrimPrefix(s, r.issuer)
	}
	return r.metadata[name]
}

// offer is what a member of the document offers.
type offer struct {
	// act does what a client does that takes value to be offered: "" if it works, else the error's code. Of a flag or a URL there is no value.
	act func(r *run, value string) string
	// refusals are the codes that are right where it is not offered.
	refusals []string
	// values are those that servers offer there, we or others.
	values []string
}

// hold compares a member with what is done.
func (o offer) hold(r *run, name string) {
	r.Helper()
	values, isList := r.list(name)
	if !isList && o.values == nil {
		flag, isFlag := r.metadata[name].(bool)
		_, isThere := r.metadata[name]
		o.compare(r, "", isFlag && flag || !isFlag && isThere)
		return
	}
	for _, value := range values {
		o.compare(r, value, true)
	}
	for _, value := range o.values {
		if !slices.Contains(values, value) {
			o.compare(r, value, false)
		}
	}
}

func (o offer) compare(r *run, value string, offered bool) {
	r.Helper()
	switch got := o.act(r, value); {
	case offered && got != "":
		r.Errorf("%q is offered, and refused: %s", value, got)
	case !offered && got == "":
		r.Errorf("%q is not offered, and works", value)
	case !offered && !slices.Contains(o.refusals, got):
		r.Errorf("%q is refused with %s, want one of %v", value, got, o.refusals)
	}
}

// What acts return for what is no error of a protocol.
const (
	noEndpoint = "no endpoint"
	ignored    = "ignored" // what is asked for is left out, as the specification wants of what is not known
)

// Codes of refusals.
var (
	badMetadata = []string{"invalid_client_metadata"}
	badRequest  = []string{"invalid_request"}
	badClient   = []string{"invalid_client"}
	badObject   = []string{"invalid_request_object"}
	leftOut     = []string{ignored}
)

// Algorithms of RFC 7518 and RFC 8037, and some that are no good.
var (
	jwsAlgs = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512", "ES256K", "none"}
	jweAlgs = []string{"RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW", "A128KW", "A256KW", "A256GCMKW", "dir", "PBES2-HS256+A128KW"}
	jweEncs = []string{"A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM", "XC20P"}
	methods = []string{"client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none", "tls_client_auth", "self_signed_tls_client_auth"}
)

// offers are the members that we know.
var offers = map[string]offer{
	"issuer":                 {act: flowWorks},
	"authorization_endpoint": {act: flowWorks},
	"token_endpoint":         {act: flowWorks},
	"userinfo_endpoint":      {act: flowWorks},
	"jwks_uri":               {act: flowWorks},
	"introspection_endpoint": {act: introspects},
	"revocation_endpoint":    {act: revokes},

	"device_authorization_endpoint":                 {act: connects},
	"introspection_signing_alg_values_supported":    {act: introspectionSigned, refusals: []string{notTaken}, values: jwsAlgs},
	"introspection_encryption_alg_values_supported": {act: introspectionEncrypted(""), refusals: []string{notTaken}, values: jweAlgs},
	"introspection_encryption_enc_values_supported": {act: introspectionEncrypted("ECDH-ES"), refusals: []string{notTaken}, values: jweEncs},

	"end_session_endpoint": {act: endsSession},
	"check_session_iframe": {act: checksSession},

	"frontchannel_logout_supported":         {act: toldBy(frontchannel)},
	"frontchannel_logout_session_supported": {act: toldBy(frontchannel)},
	"backchannel_logout_supported":          {act: toldBy(backchannel)},
	"backchannel_logout_session_supported":  {act: toldBy(backchannel)},

	"registration_endpoint": {act: registers, refusals: []string{noEndpoint}},

	"status_list_aggregation_endpoint": {act: findsStatus, refusals: leftOut},

	"scopes_supported": {act: scopeGranted, refusals: leftOut, values: []string{
		"openid", "profile", "email", "address", "phone", "groups", "roles", "offline_access", "badge", "weather", "uma_protection",
	}},
	"response_types_supported": {act: responseTypeWorks, refusals: []string{"unsupported_response_type"}, values: []string{
		"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token", "token", "none", "code device",
	}},
	"response_modes_supported": {act: responseModeWorks, refusals: badRequest, values: []string{
		"query", "fragment", "form_post", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt", "web_message",
	}},
	"grant_types_supported": {act: grantWorks, refusals: []string{"unsupported_grant_type"}, values: []string{
		"authorization_code", "implicit", "refresh_token", "client_credentials", "password", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:jwt-bearer",
		"urn:ietf:params:oauth:grant-type:token-exchange", "urn:openid:params:grant-type:ciba",
	}},

	"subject_types_supported":                  {act: subjectType, refusals: badMetadata, values: []string{"public", "pairwise", "ephemeral"}},
	"id_token_signing_alg_values_supported":    {act: idTokenSigned, refusals: badMetadata, values: jwsAlgs},
	"id_token_encryption_alg_values_supported": {act: encrypted("id_token", ""), refusals: badMetadata, values: jweAlgs},
	"id_token_encryption_enc_values_supported": {act: encrypted("id_token", "ECDH-ES"), refusals: badMetadata, values: jweEncs},
	"userinfo_signing_alg_values_supported":    {act: userinfoSigned, refusals: badMetadata, values: jwsAlgs},
	"userinfo_encryption_alg_values_supported": {act: encrypted("userinfo", ""), refusals: badMetadata, values: jweAlgs},
	"userinfo_encryption_enc_values_supported": {act: encrypted("userinfo", "ECDH-ES"), refusals: badMetadata, values: jweEncs},

	"token_endpoint_auth_methods_supported":                    {act: authenticates(redeems), refusals: badMetadata, values: methods},
	"introspection_endpoint_auth_methods_supported":            {act: authenticates(introspecting), refusals: append(badClient, badMetadata...), values: methods},
	"revocation_endpoint_auth_methods_supported":               {act: authenticates(revoking), refusals: badMetadata, values: methods},
	"token_endpoint_auth_signing_alg_values_supported":         {act: asserts(redeems), refusals: badClient, values: jwsAlgs},
	"introspection_endpoint_auth_signing_alg_values_supported": {act: asserts(introspecting), refusals: badClient, values: jwsAlgs},
	"revocation_endpoint_auth_signing_alg_values_supported":    {act: asserts(revoking), refusals: badClient, values: jwsAlgs},

	"claims_supported":      {act: claimSaid, refusals: leftOut, values: slices.Concat(protocolClaims, claimsOf("profile email address phone"), []string{"groups", "roles", "is_editor", "favourite_colour", "s_hash", "cnf"})},
	"claim_types_supported": {act: claimType, refusals: leftOut, values: []string{"normal", "aggregated", "distributed"}},
	"acr_values_supported":  {act: acrReached, refusals: []string{"unmet_authentication_requirements"}, values: []string{"pwd", "phr", "phrh", "mfa", "urn:mace:incommon:iap:silver"}},
	"ui_locales_supported":  {act: pageSpeaks, refusals: leftOut, values: []string{"en", "de", "fr", "tlh"}},

	"code_challenge_methods_supported":               {act: challenges, refusals: badRequest, values: []string{"S256", "plain", "S512"}},
	"prompt_values_supported":                        {act: prompts, refusals: badRequest, values: []string{"none", "login", "consent", "select_account", "create", "register"}},
	"authorization_response_iss_parameter_supported": {act: issuerSaid, refusals: leftOut},
	"claims_parameter_supported":                     {act: claimsParameter, refusals: leftOut},

	"request_parameter_supported":                    {act: requestTaken, refusals: []string{"request_not_supported"}},
	"request_uri_parameter_supported":                {act: requestURITaken, refusals: []string{"request_uri_not_supported"}},
	"require_request_uri_registration":               {act: requestURIMustBeRegistered, refusals: []string{"an unregistered one works"}},
	"request_object_signing_alg_values_supported":    {act: objectSigned, refusals: badObject, values: jwsAlgs},
	"request_object_encryption_alg_values_supported": {act: objectEncrypted(true), refusals: badObject, values: jweAlgs},
	"request_object_encryption_enc_values_supported": {act: objectEncrypted(false), refusals: badObject, values: jweEncs},
}

// apply registers a client with the pairs in change, and returns it, or the error's code. It can sign and decrypt with whatever there is, and
// its ID tokens are signed with what is offered first.
func (r *run) apply(change ...any) (client, string) {
	r.Helper()
	want := r.wants(append([]any{
		"id_token_signed_response_alg", r.first("id_token_signing_alg_values_supported"), "jwks", public(slices.Collect(maps.Values(allKeys()))...),
		"response_types", []string{"code", "id_token", "code id_token token"}, "grant_types", []string{"authorization_code", "implicit", "refresh_token"},
	}, change...)...)
	a := r.registration(want)
	if a.status != http.StatusCreated {
		code, _ := a.json["error"].(string)
		return client{}, code
	}
	c := client{method: want["token_endpoint_auth_method"].(string), redirectURI: redirectURI}
	c.id, _ = a.json["client_id"].(string)
	c.secret, _ = a.json["client_secret"].(string)
	if c.key = keyFor(c, "RS256"); c.method == "client_secret_jwt" {
		c.key = secretKey(c, "HS256")
	}
	return c, ""
}

// good is apply for what must succeed.
func (r *run) good(change ...any) client {
	r.Helper()
	c, code := r.apply(change...)
	if code != "" {
		r.Fatalf("registration of %v: %s", change, code)
	}
	return c
}

// unregistrable is a client without what it asked for, which must have been refused.
func (r *run) unregistrable(code string) client {
	r.Helper()
	if code != "invalid_client_metadata" {
		r.Errorf("registration is refused with %s", code)
	}
	return r.good()
}

func (r *run) first(name string) string {
	values, _ := r.list(name)
	return values[0]
}

// got is what came of an authorization.
type got struct {
	visit
	tokens answer // of the token endpoint
}

func (g got) token(name string) string {
	if s, _ := g.tokens.json[name].(string); s != "" {
		return s
	}
	return g.params.Get(name)
}

// attempt signs in at the client with the pairs in change, redeems the code, and returns the error's code, if there is one.
func (b *browser) attempt(c client, change ...string) (g got, code string) {
	r := b.r
	r.Helper()
	request := r.params(c, append([]string{"code_challenge", s256(verifier), "code_challenge_method", "S256"}, change...)...)
	g.visit = b.open(r.request(http.MethodGet, r.text("authorization_endpoint")+"?"+request.Encode(), nil))
	switch {
	case g.params == nil:
		return g, "a page: " + g.page
	case g.params.Has("error"):
		return g, g.params.Get("error")
	case !g.params.Has("code"):
		return g, ""
	}
	g.tokens = r.redeem(c, g.params.Get("code"), verifier)
	return g, errorOf(g.tokens)
}

func (r *run) attempt(c client, change ...string) (got, string) {
	r.Helper()
	return r.browser().attempt(c, change...)
}

// errorOf is the error's code of an answer in JSON; "" if it is none.
func errorOf(a answer) string {
	if a.status < 400 {
		return ""
	}
	code, _ := a.json["error"].(string)
	return code
}

func flowWorks(r *run, _ string) string {
	g, code := r.attempt(r.good())
	if code == "" {
		sub, _ := r.open(g.token("id_token"))["sub"].(string)
		if got := r.userinfo(g.token("access_token"))["sub"]; got != sub {
			r.Errorf("sub is %q and %v", sub, got)
		}
	}
	return code
}

// open returns the claims of a JWT that the provider signed, whichever algorithm is on.
func (r *run) open(token string) map[string]any {
	r.Helper()
	return r.verify(token, header(r, token)["alg"].(string))
}

// A way is an endpoint at which a client authenticates.
type way func(r *run, c client) string

func redeems(r *run, c client) string {
	_, code := r.attempt(c)
	return code
}

// introspecting asks about a token of another client, since what is asked is who the client is.
func introspecting(r *run, c client) string {
	return errorOf(r.post("introspection_endpoint", c, url.Values{"token": {"unknown"}}))
}

func revoking(r *run, c client) string {
	return errorOf(r.post("revocation_endpoint", c, url.Values{"token": {"unknown"}}))
}

func introspects(r *run, _ string) string {
	c := r.good()
	g, code := r.attempt(c)
	if code == "" {
		if a := r.post("introspection_endpoint", c, url.Values{"token": {g.token("access_token")}}); a.json["active"] != true {
			return "RFC 7662 2.2: " + a.body
		}
	}
	return code
}

func revokes(r *run, _ string) string {
	c := r.good()
	g, code := r.attempt(c, "scope", "openid offline_access", "prompt", "consent")
	if code != "" {
		return code
	}
	token := g.token("refresh_token")
	if a := r.post("revocation_endpoint", c, url.Values{"token": {token}}); a.status != http.StatusOK {
		return errorOf(a)
	}
	if code := errorOf(r.refresh(c, token)); code != "invalid_grant" {
		r.Errorf("RFC 7009 2: the token works on: %q", code)
	}
	return ""
}

func endsSession(r *run, _ string) string {
	c, b := r.good("post_logout_redirect_uris", []string{redirectURI}), r.browser()
	g, code := b.attempt(c)
	if code != "" {
		return code
	}
	sent := url.Values{"id_token_hint": {g.token("id_token")}, "post_logout_redirect_uri": {redirectURI}, "state": {"of the logout"}}
	if v := b.open(r.request(http.MethodGet, r.text("end_session_endpoint")+"?"+sent.Encode(), nil)); v.params.Get("state") != "of the logout" {
		return "a page: " + v.page
	}
	if _, code := b.attempt(c, "prompt", "none"); code != "login_required" {
		r.Errorf("RP-Initiated Logout 2: the session goes on: %q", code)
	}
	return ""
}

func registers(r *run, _ string) string {
	if r.text("registration_endpoint") == "" {
		r.metadata = maps.Clone(r.metadata)
		r.metadata["registration_endpoint"] = r.issuer + "/register" // where it would be
	}
	if a := r.registration(r.wants()); a.status == http.StatusNotFound {
		return noEndpoint
	} else if a.status != http.StatusCreated {
		return errorOf(a)
	}
	return ""
}

func scopeGranted(r *run, scope string) string {
	g, code := r.attempt(r.good("scope", "openid "+scope), "scope", "openid "+scope, "prompt", "consent")
	if code != "" {
		return code
	}
	granted, _ := g.tokens.json["scope"].(string)
	if !slices.Contains(strings.Fields(granted), scope) {
		return ignored
	}
	if scope == "offline_access" && g.token("refresh_token") == "" {
		r.Error("Core 11: there is no refresh token")
	}
	said := r.userinfo(g.token("access_token"))
	for _, name := range slices.Concat(ofScope[scope], map[string][]string{"badge": {"is_editor"}, "groups": {"groups"}, "roles": {"roles"}}[scope]) {
		if _, has := said[name]; !has {
			r.Errorf("Core 5.4: scope %s, and UserInfo lacks %s", scope, name)
		}
	}
	return ""
}

func responseTypeWorks(r *run, responseType string) string {
	c, code := r.apply("response_types", []string{responseType})
	if code != "" {
		c = r.unregistrable(code)
	}
	g, code := r.attempt(c, "response_type", responseType)
	if code == "" {
		v := variant{responseType: responseType}
		for name, want := range map[string]bool{"code": v.carries("code"), "access_token": v.carries("token"), "id_token": v.carries("id_token")} {
			if g.params.Has(name) != want {
				r.Errorf("%s: %s is there: %t", responseType, name, g.params.Has(name))
			}
		}
	}
	return code
}

func responseModeWorks(r *run, mode string) string {
	g, code := r.attempt(r.good(), "response_mode", mode)
	if code == "" && g.how != mode {
		return ignored
	}
	return code
}

func grantWorks(r *run, grant string) string {
	c := r.good()
	switch grant {
	case "authorization_code":
		_, code := r.attempt(c)
		return code
	case "implicit":
		g, code := r.attempt(c, "response_type", "id_token")
		if g.params.Get("id_token") == "" {
			return "no ID token: " + code
		}
		return code
	case "refresh_token":
		g, code := r.attempt(c, "scope", "openid offline_access", "prompt", "consent")
		if code != "" {
			return code
		}
		return errorOf(r.refresh(c, g.token("refresh_token")))
	case clients.GrantService: // nobody is asked, so not for whoever registers
		job, code := r.operated("service", nil)
		if code != "" {
			return code
		}
		return errorOf(r.post("token_endpoint", job, url.Values{"grant_type": {grant}}))
	case clients.GrantDevice:
		return connects(r, "")
	case clients.GrantExchange:
		return exchanges(r, "")
	}
	if _, code := r.apply("grant_types", []string{"authorization_code", grant}); code != "invalid_client_metadata" {
		r.Errorf("registered for %s: %q", grant, code)
	}
	return errorOf(r.post("token_endpoint", c, url.Values{"grant_type": {grant}, "scope": {"openid"}}))
}

func subjectType(r *run, subject string) string {
	c, code := r.apply("subject_type", subject)
	if code != "" {
		return code
	}
	g, code := r.attempt(c)
	plain, _ := r.attempt(r.good())
	if code == "" {
		same := r.open(g.token("id_token"))["sub"] == r.open(plain.token("id_token"))["sub"]
		if same != (subject == "public") {
			r.Errorf("Core 8: as %s the user has the public sub: %t", subject, same)
		}
	}
	return code
}

func idTokenSigned(r *run, alg string) string {
	c, code := r.apply("id_token_signed_response_alg", alg)
	if code != "" {
		return code
	}
	g, code := r.attempt(c)
	if code == "" {
		r.signedFor(c, g.token("id_token"), alg)
	}
	return code
}

func userinfoSigned(r *run, alg string) string {
	c, code := r.apply("userinfo_signed_response_alg", alg)
	if code != "" {
		return code
	}
	g, code := r.attempt(c)
	if code == "" {
		r.signedFor(c, r.rawUserinfo(g.token("access_token")), alg)
	}
	return code
}

// signedFor verifies what was signed for a client: by its secret where the algorithm is an HMAC.
func (r *run) signedFor(c client, token, alg string) map[string]any {
	r.Helper()
	if strings.HasPrefix(alg, "HS") {
		return r.verifyWith(token, alg, []byte(c.secret))
	}
	return r.verify(token, alg)
}

func (r *run) rawUserinfo(token string) string {
	r.Helper()
	req := r.request(http.MethodGet, r.text("userinfo_endpoint"), nil)
	req.Header.Set("Authorization", "Bearer "+token)
	return r.send(req).body
}

// encrypted asks for an encrypted ID token or UserInfo: by an alg, or by an enc behind alg.
func encrypted(what, alg string) func(*run, string) string {
	return func(r *run, value string) string {
		names := what + "_encrypted_response_"
		change, enc := []any{names + "alg", value}, "A128CBC-HS256" // Registration 2: the default
		if alg != "" {
			change, enc = []any{names + "alg", alg, names + "enc", value}, value
		}
		c, code := r.apply(change...)
		if code != "" {
			return code
		}
		g, code := r.attempt(c)
		if code != "" {
			return code
		}
		sent := g.token("id_token")
		if what == "userinfo" {
			sent = r.rawUserinfo(g.token("access_token"))
		}
		inside := r.decrypt(sent, change[1].(string), enc)
		var said map[string]any
		if json.Unmarshal([]byte(inside), &said) != nil { // not UserInfo in plain JSON: signed first, then encrypted (Core 10.2)
			said = r.open(inside)
		}
		if said["sub"] == nil {
			r.Errorf("nothing of the user in %v", said)
		}
		return ""
	}
}

func authenticates(by way) func(*run, string) string {
	return func(r *run, method string) string {
		c, code := r.apply("token_endpoint_auth_method", method)
		if code != "" {
			return code
		}
		return by(r, c)
	}
}

// asserts authenticates with an assertion that is signed with alg.
func asserts(by way) func(*run, string) string {
	return func(r *run, alg string) string {
		method := "private_key_jwt"
		if strings.HasPrefix(alg, "HS") {
			method = "client_secret_jwt"
		}
		c, code := r.apply("token_endpoint_auth_method", method, "token_endpoint_auth_signing_alg", alg)
		if code != "" {
			r.unregistrable(code)
			c = r.good("token_endpoint_auth_method", method)
		}
		c.key = keyFor(c, alg)
		return by(r, c)
	}
}

func claimSaid(r *run, name string) string {
	c := r.good("scope", "openid profile email address phone groups roles badge", "response_types", []string{"code id_token token"})
	asked := fmt.Sprintf(`{"id_token":{%q:null},"userinfo":{%q:null}}`, name, name)
	g, code := r.attempt(c, "response_type", "code id_token token", "claims", asked)
	if code != "" {
		return code
	}
	for _, said := range []map[string]any{r.open(g.params.Get("id_token")), r.open(g.token("id_token")), r.userinfo(g.token("access_token"))} {
		if _, has := said[name]; has {
			return ""
		}
	}
	return ignored
}

// claimType: Core 5.6. Of the other two, UserInfo would say where they are.
func claimType(r *run, typ string) string {
	g, code := r.attempt(r.good(), "scope", "openid profile")
	if code != "" {
		return code
	}
	said := r.userinfo(g.token("access_token"))
	for name, is := range map[string]bool{"name": typ == "normal", "_claim_names": typ != "normal", "_claim_sources": typ != "normal"} {
		if _, has := said[name]; has == is {
			continue
		}
		return ignored
	}
	return ""
}

func acrReached(r *run, acr string) string {
	g, code := r.attempt(r.good(), "claims", fmt.Sprintf(`{"id_token":{"acr":{"essential":true,"value":%q}}}`, acr))
	if code == "" && r.open(g.token("id_token"))["acr"] != acr {
		return ignored
	}
	return code
}

func pageSpeaks(r *run, locale string) string {
	g, code := r.attempt(r.good(), "ui_locales", locale)
	if code != "" {
		return code
	}
	for n := range g.pages[0].Descendants() {
		if n.Data == "html" && attr(n, "lang") == locale {
			return ""
		}
	}
	return ignored
}

func challenges(r *run, method string) string {
	challenge := s256(verifier)
	if method == "plain" {
		challenge = verifier
	}
	_, code := r.attempt(r.good(), "code_challenge", challenge, "code_challenge_method", method)
	return code
}

// prompts asks for something of somebody who is signed in and has agreed before.
func prompts(r *run, prompt string) string {
	c, b := r.good(), r.browser()
	if _, code := b.attempt(c); code != "" {
		r.Fatal(code)
	}
	g, code := b.attempt(c, "prompt", prompt)
	if code != "" {
		return code
	}
	if (g.signIns > 0) != (prompt == "login") || (g.chosen > 0) != (prompt == "select_account") || (g.asked > 0) != (prompt == "consent") {
		r.Errorf("Core 3.1.2.1: prompt=%s: asked %d times who it is, %d times which account, %d times for consent", prompt, g.signIns, g.chosen, g.asked)
	}
	return ""
}

func issuerSaid(r *run, _ string) string {
	g, code := r.attempt(r.good())
	if code == "" && g.params.Get("iss") != r.issuer {
		return ignored
	}
	return code
}

func claimsParameter(r *run, _ string) string {
	g, code := r.attempt(r.good(), "claims", `{"id_token":{"`+essential+`":null}}`)
	if code == "" && r.open(g.token("id_token"))[essential] == nil {
		return ignored
	}
	return code
}

// object is a request object of the client, and what is in it.
func (r *run) object(c client, alg string) (token, state string) {
	state = rand.Text()
	claims := map[string]any{"iss": c.id, "aud": r.issuer, "client_id": c.id, "response_type": "code", "redirect_uri": c.redirectURI, "scope": "openid", "state": state}
	return r.signAny(keyFor(c, alg), claims), state
}

// obeyed sends a request with an object, by one of the two parameters, and looks whether it is what was answered.
func (r *run) obeyed(c client, state, parameter, value string) string {
	r.Helper()
	g, code := r.attempt(c, parameter, value)
	if code == "" && g.params.Get("state") != state {
		return ignored
	}
	return code
}

func requestTaken(r *run, _ string) string {
	c := r.good()
	object, state := r.object(c, "RS256")
	return r.obeyed(c, state, "request", object)
}

func requestURITaken(r *run, _ string) string {
	site := r.site()
	c := r.good("request_uris", []string{site.url("/object")})
	object, state := r.object(c, "RS256")
	site.put("/object", "application/oauth-authz-req+jwt", []byte(object))
	return r.obeyed(c, state, "request_uri", site.url("/object"))
}

// requestURIMustBeRegistered works where an unregistered one is refused: Core 6.2.
func requestURIMustBeRegistered(r *run, _ string) string {
	site := r.site()
	c := r.good()
	object, state := r.object(c, "RS256")
	site.put("/object", "application/oauth-authz-req+jwt", []byte(object))
	if code := r.obeyed(c, state, "request_uri", site.url("/object")); code != "invalid_request_uri" {
		return "an unregistered one works"
	}
	return ""
}

func objectSigned(r *run, alg string) string {
	change := []any{"request_object_signing_alg", alg}
	if strings.HasPrefix(alg, "HS") {
		change = append(change, "token_endpoint_auth_method", "client_secret_jwt")
	}
	c, code := r.apply(change...)
	if code != "" {
		c = r.unregistrable(code)
	}
	object, state := r.object(c, alg)
	return r.obeyed(c, state, "request", object)
}

// objectEncrypted asks with an object that is signed, and then encrypted to the server: Core 6.1. Its value is an alg, or an enc.
func objectEncrypted(byAlg bool) func(*run, string) string {
	return func(r *run, value string) string {
		alg, enc := value, "A128CBC-HS256" // Registration 2: the default
		if !byAlg {
			alg, enc = "RSA-OAEP-256", value
			if offered, _ := r.list("request_object_encryption_alg_values_supported"); len(offered) > 0 {
				alg = offered[0]
			}
		}
		c, code := r.apply("request_object_signing_alg", "ES256", "request_object_encryption_alg", alg, "request_object_encryption_enc", enc)
		if code != "" {
			c = r.unregistrable(code)
		}
		object, state := r.object(c, "ES256")
		return r.obeyed(c, state, "request", r.encrypt(object, alg, enc))
	}
}
