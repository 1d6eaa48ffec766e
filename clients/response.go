package clients

import (
	"slices"
	"strings"
)

// The words of response types: what a response of the authorization endpoint carries.
const (
	ResponseCode    = "code"
	ResponseToken   = "token"
	ResponseIDToken = "id_token"
)

// ResponseTypes are the response types that there are, as they are registered and published: OpenID Connect Core 3, OAuth 2.0 Multiple
// Response Types 3 and 5. An access token alone (RFC 6749 section 4.2) is not among them: RFC 9700 section 2.1.2.
var ResponseTypes = []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}

// ResponseType returns a response type in the spelling of [ResponseTypes]; ok is false if it is none of them. The order of the words
// does not matter: OAuth 2.0 Multiple Response Types 3.
func ResponseType(sent string) (responseType string, ok bool) {
	words := inOrder(sent)
	i := slices.IndexFunc(ResponseTypes, func(t string) bool { return slices.Equal(inOrder(t), words) })
	if i < 0 {
		return "", false
	}
	return ResponseTypes[i], true
}

func inOrder(responseType string) []string {
	words := strings.Split(responseType, " ")
	slices.Sort(words)
	return words
}

// Carries reports whether a response of the type carries one of these.
func Carries(responseType string, what ...string) bool {
	return slices.ContainsFunc(strings.Split(responseType, " "), func(word string) bool { return slices.Contains(what, word) })
}

// ResponseGrants are the grant types that a client needs for a response type: the table of OpenID Connect Registration 2.
func ResponseGrants(responseType string) (grantTypes []string) {
	if Carries(responseType, ResponseCode) {
		grantTypes = append(grantTypes, GrantCode)
	}
	if Carries(responseType, ResponseToken, ResponseIDToken) {
		grantTypes = append(grantTypes, GrantImplicit)
	}
	return grantTypes
}
