package demo

import "strings"

// source says where a claim comes from and where it is specified.
type source struct {
	Claim string
	Text  string
	Spec  string // "Core 2", "RFC 9068 2.2"; "" where no specification has it
}

// sections are the anchors of the OpenID Connect documents' sections that the tables below cite.
var sections = map[string]string{
	"Core 2":                 "openid-connect-core-1_0.html#IDToken",
	"Core 3.1.2.1":           "openid-connect-core-1_0.html#AuthRequest",
	"Core 3.1.3.6":           "openid-connect-core-1_0.html#CodeIDToken",
	"Core 3.3.2.11":          "openid-connect-core-1_0.html#HybridIDToken",
	"Core 5.1":               "openid-connect-core-1_0.html#StandardClaims",
	"Core 5.1.1":             "openid-connect-core-1_0.html#AddressClaim",
	"Core 5.3.2":             "openid-connect-core-1_0.html#UserInfoResponse",
	"Core 5.4":               "openid-connect-core-1_0.html#ScopeClaims",
	"Front-Channel Logout 3": "openid-connect-frontchannel-1_0.html#OPLogout",
}

// URL is where Spec can be read.
func (s source) URL() string {
	if rfc, ok := strings.CutPrefix(s.Spec, "RFC "); ok {
		number, section, _ := strings.Cut(rfc, " ")
		return "https://www.rfc-editor.org/rfc/rfc" + number + "#section-" + section
	}
	if page, ok := sections[s.Spec]; ok {
		return "https://openid.net/specs/" + page
	}
	return ""
}

// headerSources: the JOSE header of either token.
var headerSources = []source{
	{"alg", "the algorithm that the token is signed with", "RFC 7515 4.1.1"},
	{"typ", "what kind of token this is; at+jwt is an access token", "RFC 7515 4.1.9"},
	{"kid", "which of the provider’s published keys verifies the signature", "RFC 7515 4.1.4"},
}

// idTokenSources: the ID token's own claims, then those of the user.
var idTokenSources = append([]source{
	{"iss", "the provider’s address; it must equal the one that this app asked", "Core 2"},
	{"sub", "the account’s random id: the one claim to recognise a user by", "Core 2"},
	{"aud", "this app’s client id: the token is for nobody else", "Core 2"},
	{"azp", "the client that asked for the token", "Core 2"},
	{"exp", "from then on the token is refused", "Core 2"},
	{"iat", "when the token was issued", "Core 2"},
	{"nbf", "before then the token is refused", "RFC 7519 4.1.5"},
	{"auth_time", "when the user last proved who they are", "Core 2"},
	{"nonce", "sent by this app in the authorization request; it ties the token to this sign-in", "Core 2"},
	{"acr", "how strong the sign-in was, in the provider’s words", "Core 2"},
	{"amr", "what the user proved it with", "RFC 8176 2"},
	{"at_hash", "half a hash of the access token: the two belong together", "Core 3.1.3.6"},
	{"c_hash", "half a hash of the code", "Core 3.3.2.11"},
	{"sid", "this sign-in at the provider, as this app knows it; logout names it", "Front-Channel Logout 3"},
	{"jti", "the token’s own id", "RFC 7519 4.1.7"},
}, userSources...)

// accessTokenSources: RFC 9068.
var accessTokenSources = []source{
	{"iss", "the provider’s address", "RFC 9068 2.2"},
	{"sub", "the account’s random id", "RFC 9068 2.2"},
	{"aud", "the API that the token is for", "RFC 9068 2.2"},
	{"client_id", "the app that it was issued to: this one", "RFC 9068 2.2"},
	{"scope", "what it allows, as asked for and agreed to", "RFC 9068 2.2.3"},
	{"exp", "from then on the token is refused", "RFC 9068 2.2"},
	{"iat", "when the token was issued", "RFC 9068 2.2"},
	{"nbf", "before then the token is refused", "RFC 7519 4.1.5"},
	{"jti", "the token’s own id", "RFC 9068 2.2"},
	{"auth_time", "when the user last proved who they are", "RFC 9068 2.2.1"},
	{"acr", "how strong the sign-in was, in the provider’s words", "RFC 9068 2.2.1"},
	{"amr", "what the user proved it with", "RFC 9068 2.2.1"},
	{"groups", "the account’s groups, because the API asks for them", "RFC 9068 2.2.3.1"},
	{"roles", "the account’s roles, because the API asks for them", "RFC 9068 2.2.3.1"},
	{"entitlements", "the account’s entitlements, because the API asks for them", "RFC 9068 2.2.3.1"},
	{"cnf", "the key that the token is bound to", "RFC 7800 3.1"},
}

// userinfoSources: sub, then what the scopes give.
var userinfoSources = append([]source{
	{"sub", "the account’s random id; the same as in the ID token, or the answer is not used", "Core 5.3.2"},
}, userSources...)

// userSources: claims about the user, by scope (Core 5.4).
var userSources = []source{
	{"name", "scope profile: the full name, for display", "Core 5.1"},
	{"given_name", "scope profile", "Core 5.1"},
	{"family_name", "scope profile", "Core 5.1"},
	{"middle_name", "scope profile", "Core 5.1"},
	{"nickname", "scope profile", "Core 5.1"},
	{"preferred_username", "scope profile: the name to sign in with; it may change and is no key", "Core 5.1"},
	{"profile", "scope profile", "Core 5.1"},
	{"picture", "scope profile", "Core 5.1"},
	{"website", "scope profile", "Core 5.1"},
	{"gender", "scope profile", "Core 5.1"},
	{"birthdate", "scope profile", "Core 5.1"},
	{"zoneinfo", "scope profile: the time zone", "Core 5.1"},
	{"locale", "scope profile: the language", "Core 5.1"},
	{"updated_at", "scope profile: when the account last changed", "Core 5.1"},
	{"email", "scope email", "Core 5.4"},
	{"email_verified", "scope email: whether the address was shown to be the user’s", "Core 5.1"},
	{"phone_number", "scope phone", "Core 5.4"},
	{"phone_number_verified", "scope phone", "Core 5.1"},
	{"address", "scope address", "Core 5.1.1"},
	{"groups", "scope groups: the account’s groups; the claim is widespread, no specification has it", ""},
	{"roles", "scope roles: the account’s roles; no specification has it", ""},
}
