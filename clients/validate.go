package clients

import (
	"slices"
	"strings"

	"signet/clients/keyset"
	"signet/fields"
	"signet/storage"
)

const (
	maxName     = 200 // characters
	maxURIs     = 50
	maxScopes   = 100
	maxContacts = 20

	maxACRValues = 20
)

// idTokenAlgs are the algorithms that can be registered for ID tokens and userinfo. Whether one is on is for the operator to say: see
// [Signable].
var idTokenAlgs = append(slices.Clone(KeyAlgs), AlgHS256)

// Validate returns all faults of c, joined, each a [*FieldError]; nil if there is none. scopes are those that the operator added to
// [Scopes].
func Validate(c storage.Client, scopes ...string) error {
	var f fields.Faults
	validateNames(&f, c)
	validateAuthentication(&f, c)
	validateFlows(&f, c)
	validateScopes(&f, c, slices.Concat(Scopes, scopes))
	validateAPIs(&f, c)
	validateURIs(&f, c)
	validateLogout(&f, c)
	validateTokens(&f, c)
	validateSubject(&f, c)
	validateRequests(&f, c)
	return f.Err()
}

// Signable is nil if algs, those that are on, has the algorithms of c's ID tokens, userinfo and introspection answers.
func Signable(c storage.Client, algs []string) error {
	var f fields.Faults
	if c.IntrospectionAlg != "" {
		f.OneOf("introspection_signed_response_alg", c.IntrospectionAlg, algs...)
	}
	if !SignsIn(c) { // no others are ever made for it
		return f.Err()
	}
	f.OneOf("id_token_signed_response_alg", c.IDTokenAlg, algs...)
	if c.UserinfoAlg != "" {
		f.OneOf("userinfo_signed_response_alg", c.UserinfoAlg, algs...)
	}
	return f.Err()
}

func validateNames(f *fields.Faults, c storage.Client) {
	f.Check("client_id", idProblem(c))
	f.Check("client_name", fields.Text(c.Name, maxName))
	f.Check("type", typeProblem(c.Type))
	f.OneOf("origin", c.Origin, storage.OriginOperator, storage.OriginFile, storage.OriginRegistered, storage.OriginDocument)
	if len(c.Contacts) > maxContacts {
		f.Add("contacts", "are more than %d", maxContacts)
	}
	for _, software := range []struct{ field, text string }{{"software_id", c.SoftwareID}, {"software_version", c.SoftwareVersion}} {
		if software.text != "" {
			f.Check(software.field, fields.Text(software.text, maxName))
		}
	}
	for _, contact := range c.Contacts {
		f.CheckValue("contacts", contact, fields.Text(contact, maxName))
	}
}

// idProblem: ids that we make are letters and digits. Those that an operator declares may also hold . _ and -, which mean
// themselves whether or not a client escapes them in HTTP Basic. A URL is the id of who has a document there, and of nobody else.
func idProblem(c storage.Client) string {
	id := c.ID
	switch {
	case Documented(c):
		_, problem := DocumentURL(id)
		return problem
	case id == "":
		return "is missing"
	case len(id) > 100:
		return "is longer than 100 characters"
	case strings.ContainsFunc(id, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-", r))
	}):
		return fields.Quote(id) + " has other characters than letters, digits, . _ and -"
	}
	return ""
}

func validateAuthentication(f *fields.Faults, c storage.Client) {
	const method = "token_endpoint_auth_method"
	switch c.Type {
	case Service:
		if slices.Equal(c.GrantTypes, []string{GrantBearer}) { // its assertions say who it is: RFC 7521 section 4.1
			f.OneOf(method, c.TokenEndpointAuthMethod, AuthNone, AuthBasic, AuthPost, AuthSecretJWT, AuthKeyJWT)
			break
		}
		fallthrough
	case Web:
		f.OneOf(method, c.TokenEndpointAuthMethod, AuthBasic, AuthPost, AuthSecretJWT, AuthKeyJWT)
	case SPA, Native, Device: // RFC 6749 section 2.1, RFC 8252 section 8.4: what is shipped to everybody is no secret
		if c.Type != SPA && c.Origin == storage.OriginRegistered { // section 8.4: each copy of the app has a secret of its own
			f.OneOf(method, c.TokenEndpointAuthMethod, AuthNone, AuthBasic, AuthPost, AuthSecretJWT, AuthKeyJWT)
			break
		}
		if c.Type == Native && Documented(c) { // the key is with whoever is at the document's host
			f.OneOf(method, c.TokenEndpointAuthMethod, AuthNone, AuthKeyJWT)
			break
		}
		f.OneOf(method, c.TokenEndpointAuthMethod, AuthNone)
	}
	switch {
	case NeedsSecret(c) && c.SecretHash.IsZero():
		f.Add("client_secret", "is missing: %s needs one; let one be made", c.TokenEndpointAuthMethod)
	case !NeedsSecret(c) && !c.SecretHash.IsZero():
		f.Add("client_secret", "is set for a client that has none; remove it")
	case !SecretFits(c):
		f.Add("client_secret", "was not made for this token_endpoint_auth_method and these algorithms; let one be made")
	}
	validateKeys(f, c)
	f.OneOf("pkce", c.PKCE, storage.PKCERequired, storage.PKCEOptional)
	f.OneOf("refresh_rotation", c.RefreshRotation, storage.RotationRotate, storage.RotationKeep)
	if Public(c) && c.PKCE == storage.PKCEOptional { // RFC 9700 section 2.1.1
		f.Add("pkce", "is required of clients without a secret; set it to %s", storage.PKCERequired)
	}
	if Public(c) && c.RefreshRotation == storage.RotationKeep { // RFC 9700 section 2.2.2
		f.Add("refresh_rotation", "is %s only for clients with a secret; set it to %s", storage.RotationKeep, storage.RotationRotate)
	}
}

// validateKeys: OpenID Connect Registration 2, jwks, jwks_uri and token_endpoint_auth_signing_alg.
func validateKeys(f *fields.Faults, c storage.Client) {
	const alg = "token_endpoint_auth_signing_alg"
	switch {
	case c.TokenEndpointAuthSigningAlg == "":
	case c.TokenEndpointAuthMethod == AuthKeyJWT:
		f.OneOf(alg, c.TokenEndpointAuthSigningAlg, KeyAlgs...)
	case c.TokenEndpointAuthMethod == AuthSecretJWT:
		f.OneOf(alg, c.TokenEndpointAuthSigningAlg, SecretAlgs...)
	default:
		f.Add(alg, "is for %s and %s; leave it out otherwise", AuthKeyJWT, AuthSecretJWT)
	}
	if len(c.JWKS) > 0 {
		if set, err := keyset.Parse(c.JWKS); err != nil {
			f.Add("jwks", "%s", err)
		} else {
			validateUses(f, c, set)
		}
	}
	if c.JWKSURI != "" {
		f.Check("jwks_uri", fetchedProblem(c.JWKSURI))
	}
	switch {
	case len(c.JWKS) > 0 && c.JWKSURI != "":
		f.Add("jwks", "stands beside jwks_uri; keep one of the two")
	case len(c.JWKS) == 0 && c.JWKSURI == "" && c.TokenEndpointAuthMethod == AuthKeyJWT:
		f.Add("jwks", "or jwks_uri is missing: %s needs the public keys", AuthKeyJWT)
	}
}

// validateUses holds the keys that c named itself against what it registered them for. Those at a jwks_uri may come later.
func validateUses(f *fields.Faults, c storage.Client, set keyset.Set) {
	if c.TokenEndpointAuthMethod == AuthKeyJWT && c.TokenEndpointAuthSigningAlg == "" && !set.Fits(keyset.UseSig, KeyAlgs...) {
		f.Add("jwks", "has no key to sign with, and %s needs one; add it", AuthKeyJWT)
	}
	for _, u := range []struct {
		field, use, alg string
		known           []string // others are a fault of their own
	}{
		{"token_endpoint_auth_signing_alg", keyset.UseSig, c.TokenEndpointAuthSigningAlg, KeyAlgs},
		{"request_object_signing_alg", keyset.UseSig, c.RequestObjectAlg, KeyAlgs},
		{"id_token_encrypted_response_alg", keyset.UseEnc, c.IDTokenEncryptionAlg, EncryptionAlgs},
		{"userinfo_encrypted_response_alg", keyset.UseEnc, c.UserinfoEncryptionAlg, EncryptionAlgs},
		{"introspection_encrypted_response_alg", keyset.UseEnc, c.IntrospectionEncryptionAlg, EncryptionAlgs},
	} {
		if slices.Contains(u.known, u.alg) && !set.Fits(u.use, u.alg) {
			f.Add("jwks", "has no key for %s %s; add one", u.field, u.alg)
		}
	}
}

// serviceGrants are those that need nobody to sign in to the client.
var serviceGrants = []string{GrantService, GrantBearer, GrantExchange}

// only reports whether all of some values, and there are some, are among those allowed.
func only(values, allowed []string) bool {
	return len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(allowed, v) })
}

func validateFlows(f *fields.Faults, c storage.Client) {
	if typeProblem(c.Type) == "" {
		f.OneOf("application_type", c.ApplicationType, applicationType(c.Type))
	}
	f.Check("grant_types", repeated(c.GrantTypes))
	for _, g := range c.GrantTypes {
		f.OneOf("grant_types", g, GrantTypes...)
	}
	switch {
	case c.Type == Service && (len(c.GrantTypes) == 0 || !only(c.GrantTypes, serviceGrants)):
		f.Add("grant_types", "are %s for clients that act for themselves; people sign in to one of another type", strings.Join(serviceGrants, ", "))
	case Allows(c, GrantService) && Public(c): // RFC 6749 section 4.4: "MUST only be used by confidential clients"
		f.Add("grant_types", "has %s, which is for clients that authenticate themselves", GrantService)
	case Allows(c, GrantExchange) && Public(c): // or whoever finds a token could have it exchanged
		f.Add("grant_types", "has %s, which is for clients that authenticate themselves", GrantExchange)
	case c.Type == Device && (!Allows(c, GrantDevice) || Redirects(c)):
		f.Add("grant_types", "are %s and %s for devices, which no browser can be sent to", GrantDevice, GrantRefresh)
	case Allows(c, GrantRefresh) && !Allows(c, GrantCode) && !Allows(c, GrantDevice), !SignsIn(c) && !only(c.GrantTypes, serviceGrants):
		f.Add("grant_types", "lack %s, which the others live by", GrantCode)
	}
	f.Check("response_types", repeated(c.ResponseTypes))
	if len(c.ResponseTypes) == 0 && (Redirects(c) || !SignsIn(c) && !only(c.GrantTypes, serviceGrants)) {
		f.Add("response_types", "is empty; %s needs %s", GrantCode, ResponseCode)
	}
	for _, r := range c.ResponseTypes {
		f.OneOf("response_types", r, ResponseTypes...)
		for _, g := range ResponseGrants(r) {
			if !Allows(c, g) {
				f.Add("response_types", "has %s, which needs the grant type %s", r, g)
			}
		}
	}
}

func validateScopes(f *fields.Faults, c storage.Client, known []string) {
	if len(c.Scopes) > maxScopes {
		f.Add("scopes", "are more than %d", maxScopes)
	}
	f.Check("scopes", repeated(c.Scopes))
	for _, s := range c.Scopes {
		f.OneOf("scopes", s, known...) // any other would be left out of each request without a word
		if c.Type == Service && slices.Contains(Scopes, s) {
			f.Add("scopes", "has %s, which is about a person; a service has scopes that are declared in the configuration file", s)
		}
	}
}

func validateURIs(f *fields.Faults, c storage.Client) {
	if Redirects(c) && len(c.RedirectURIs) == 0 {
		f.Add("redirect_uris", "is missing; name at least one URI")
	}
	if returns := len(c.RedirectURIs)+len(c.PostLogoutRedirectURIs) > 0; returns && c.Type == Service {
		f.Add("redirect_uris", "are for clients that people sign in to; leave them out")
	} else if returns && c.Type == Device {
		f.Add("redirect_uris", "are for clients that a browser can be sent back to; leave them out, or use another type that has the grant type %s as well", GrantDevice)
	}
	validateRedirects(f, c.Type, "redirect_uris", c.RedirectURIs)
	if Allows(c, GrantImplicit) { // native apps too: what can be claimed by another app must not be sent tokens (RFC 8252 section 8.2)
		for _, uri := range c.RedirectURIs {
			f.Check("redirect_uris", implicitProblem(uri))
		}
	}
	validateRedirects(f, c.Type, "post_logout_redirect_uris", c.PostLogoutRedirectURIs)
	for _, l := range []struct{ field, uri string }{
		{"client_uri", c.ClientURI}, {"policy_uri", c.PolicyURI}, {"tos_uri", c.TosURI},
	} {
		if l.uri != "" {
			f.Check(l.field, webRedirectProblem(l.uri)) // shown as a link: the same two schemes, http on loopback alone
		}
	}
	if c.LogoURI != "" {
		f.Check("logo_uri", fetchedProblem(c.LogoURI))
	}
}

func validateRedirects(f *fields.Faults, typ, field string, uris []string) {
	if len(uris) > maxURIs {
		f.Add(field, "are more than %d", maxURIs)
		return
	}
	f.Check(field, repeated(uris))
	for _, uri := range uris {
		f.CheckValue(field, uri, redirectProblem(typ == Native, uri))
	}
}

func validateTokens(f *fields.Faults, c storage.Client) {
	const alg = "id_token_signed_response_alg"
	if c.IDTokenAlg == AlgNone {
		f.Add(alg, "none would be a token that anybody can write; use RS256")
	} else {
		validateSigning(f, c, alg, c.IDTokenAlg)
	}
	validateUserinfo(f, c)
	validateEncryption(f, c)
	f.OneOf("id_token_claims", c.IDTokenClaims, storage.ClaimsByScope, storage.ClaimsRequested)
	if c.DefaultMaxAge != nil && *c.DefaultMaxAge < 0 {
		f.Add("default_max_age", "is seconds, 0 or more")
	}
	if len(c.DefaultACRValues) > maxACRValues {
		f.Add("default_acr_values", "are more than %d", maxACRValues)
	}
	f.Check("default_acr_values", repeated(c.DefaultACRValues))
	for _, v := range c.DefaultACRValues {
		f.Check("default_acr_values", fields.Text(v, maxName))
	}
}

// validateSigning: who has no secret has nothing that HS256 could be verified with, and whoever holds it can write what it signs
// (OpenID Connect Core 10.1, 16.19).
func validateSigning(f *fields.Faults, c storage.Client, field, alg string) {
	if alg == AlgHS256 && !NeedsSecret(c) {
		f.Add(field, "%s needs a client that authenticates with a secret; use RS256, or set token_endpoint_auth_method to %s", alg, AuthBasic)
		return
	}
	f.OneOf(field, alg, idTokenAlgs...)
}

// repeated finds a value that is in the list twice.
func repeated(values []string) string {
	for i, v := range values {
		if slices.Contains(values[:i], v) {
			return fields.Quote(v) + " is there twice"
		}
	}
	return ""
}
