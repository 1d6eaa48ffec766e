// Package discovery publishes what clients need to know before they talk to us: the metadata document (OpenID Connect
// Discovery 3 and 4, RFC 8414) and the signing keys (RFC 7517).
//
// One document serves both well-known locations: RFC 8414 section 2 allows members that only OpenID defines, and clients of
// either kind want members of the other. It says what is on, never more. Its bytes are made once, the JWKS's by package keys
// at each change of a key; both leave with a strong ETag and may be cached for [keys.MaxAge], the time for which a key is
// announced, at the least, before it signs.
//
// Routes, for an issuer https://host/path: OpenID's document is below the path, RFC 8414's at the host's root with the path behind
// it ([Locations]), the JWKS at the jwks_uri that the document names.
package discovery
