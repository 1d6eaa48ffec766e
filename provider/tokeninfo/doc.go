// Package tokeninfo answers what a token is worth, and ends it: the UserInfo endpoint (OpenID Connect Core 5.3), introspection
// (RFC 7662, as a JWT RFC 9701) and revocation (RFC 7009).
//
//	GET, POST /userinfo      the claims of the access token's scopes
//	POST      /introspect    whether a token is active, for the client that it was issued to and for those that it is for
//	POST      /revoke        ends a token, by that client
package tokeninfo
