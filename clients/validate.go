package clients

import (
	"slices"
	"strings"

	"signet/fields"
	"signet/storage"
)

const (
	maxName     = 200 // characters
	maxURIs     = 50
	maxScopes   = 100
	maxContacts = 20
)

// idTokenAlgs are the algorithms that can be registered for ID tokens. Whether there is a key for one is for the keys to say: see
// [Signable].
var idTokenAlgs = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// responseTypes are the response types that there are, each with the grant types that it needs: OpenID Connect Registration 2.
var responseTypes = map[string][]string{ResponseCode: {GrantCode}}

// Validate returns all faults of c, joined, each a [*FieldError]; nil if there is none.
func Validate(c storage.Client) error {
	var f fields.Faults
	validateNames(&f, c)
	validateAuthentication(&f, c)
	validateFlows(&f, c)
	validateURIs(&f, c)
	validateTokens(&f, c)
	return f.Err()
}

// Signable is nil if algs, those with a key, has the algorithm of c's ID tokens.
func Signable(c storage.Client, algs []string) error {
	var f fields.Faults
	f.OneOf("id_token_signed_response_alg", c.IDTokenAlg, algs...)
	return f.Err()
}

func validateNames(f *fields.Faults, c storage.Client) {
	f.Check("client_id", idProblem(c.ID))
	f.Check("client_name", fields.Text(c.Name, maxName))
	f.Check("type", typeProblem(c.Type))
	f.OneOf("origin", c.Origin, storage.OriginOperator, storage.OriginFile)
	if len(c.Contacts) > maxContacts {
		f.Add("contacts", "are more than %d", maxContacts)
	}
	for _, contact := range c.Contacts {
		f.CheckValue("contacts", contact, fields.Text(contact, maxName))
	}
}

// idProblem: ids that we make are letters and digits. Those that an operator declares may also hold . _ and -, which mean
// themselves whether or not a client escapes them in HTTP Basic.
func idProblem(id string) string {
	switch {
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
	case Web:
		f.OneOf(method, c.TokenEndpointAuthMethod, AuthBasic, AuthPost)
	case SPA, Native: // RFC 6749 section 2.1, RFC 8252 section 8.4: what is shipped to everybody is no secret
		f.OneOf(method, c.TokenEndpointAuthMethod, AuthNone)
	}
	switch {
	case NeedsSecret(c) && c.SecretHash.IsZero():
		f.Add("client_secret", "is missing: %s needs one; let one be made", c.TokenEndpointAuthMethod)
	case Public(c) && !c.SecretHash.IsZero():
		f.Add("client_secret", "is set for a client that has none; remove it")
	}
	f.OneOf("pkce", c.PKCE, storage.PKCERequired, storage.PKCEOptional)
	f.OneOf("refresh_rotation", c.RefreshRotation, storage.RotationRotate, storage.RotationKeep)
	if Public(c) && c.PKCE == storage.PKCEOptional { // RFC 9700 section 2.1.1
		f.Add("pkce", "is required of clients without a secret; set it to %s", storage.PKCERequired)
	}
	if Public(c) && c.RefreshRotation == storage.RotationKeep { // RFC 9700 section 2.2.2
		f.Add("refresh_rotation", "is %s only for clients with a secret; set it to %s", storage.RotationKeep, storage.RotationRotate)
	}
}

func validateFlows(f *fields.Faults, c storage.Client) {
	if typeProblem(c.Type) == "" {
		f.OneOf("application_type", c.ApplicationType, applicationType(c.Type))
	}
	f.Check("grant_types", repeated(c.GrantTypes))
	for _, g := range c.GrantTypes {
		f.OneOf("grant_types", g, GrantCode, GrantRefresh)
	}
	if !Allows(c, GrantCode) {
		f.Add("grant_types", "lack %s, which the others live by", GrantCode)
	}
	f.Check("response_types", repeated(c.ResponseTypes))
	if len(c.ResponseTypes) == 0 {
		f.Add("response_types", "is empty; %s needs %s", GrantCode, ResponseCode)
	}
	for _, r := range c.ResponseTypes {
		grants, known := responseTypes[r]
		if !known {
			f.OneOf("response_types", r, ResponseCode)
		}
		for _, g := range grants {
			if !Allows(c, g) {
				f.Add("response_types", "has %s, which needs the grant type %s", r, g)
			}
		}
	}
	if len(c.Scopes) > maxScopes {
		f.Add("scopes", "are more than %d", maxScopes)
	}
	f.Check("scopes", repeated(c.Scopes))
	for _, s := range c.Scopes {
		f.OneOf("scopes", s, Scopes...) // any other would be left out of each request without a word
	}
}

func validateURIs(f *fields.Faults, c storage.Client) {
	if Allows(c, GrantCode) && len(c.RedirectURIs) == 0 {
		f.Add("redirect_uris", "is missing; name at least one URI")
	}
	validateRedirects(f, c.Type, "redirect_uris", c.RedirectURIs)
	validateRedirects(f, c.Type, "post_logout_redirect_uris", c.PostLogoutRedirectURIs)
	for _, l := range []struct{ field, uri string }{
		{"client_uri", c.ClientURI}, {"logo_uri", c.LogoURI}, {"policy_uri", c.PolicyURI}, {"tos_uri", c.TosURI},
	} {
		if l.uri != "" {
			f.Check(l.field, webRedirectProblem(l.uri)) // shown as a link: the same two schemes, http on loopback alone
		}
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
	switch c.IDTokenAlg {
	case "HS256", "HS384", "HS512":
		f.Add(alg, "%s is not there yet; use RS256", c.IDTokenAlg)
	case "none":
		f.Add(alg, "none would be a token that anybody can write; use RS256")
	default:
		f.OneOf(alg, c.IDTokenAlg, idTokenAlgs...)
	}
	f.OneOf("id_token_claims", c.IDTokenClaims, storage.ClaimsByScope, storage.ClaimsRequested)
	if c.DefaultMaxAge != nil && *c.DefaultMaxAge < 0 {
		f.Add("default_max_age", "is seconds, 0 or more")
	}
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
