package clients

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"signet/fields"
	"signet/storage"
)

// AlgNone stands for no signature: RFC 7518 section 3.6. Request objects alone can do without, where the operator lets them.
const AlgNone = "none"

// maxRequestURI: OpenID Connect Core 6.2, "SHOULD NOT exceed 512 ASCII characters".
const maxRequestURI = 512

// RequestURI reports whether a request object may be fetched from the URI that the client sent: it is registered byte for byte, or up to
// the hash behind it, which changes with the object (OpenID Connect Core 6.2).
func RequestURI(c storage.Client, sent string) bool {
	if len(sent) > maxRequestURI {
		return false
	}
	place, _, hashed := strings.Cut(sent, "#")
	return slices.Contains(c.RequestURIs, sent) || hashed && slices.Contains(c.RequestURIs, place)
}

// requestURIProblem: OpenID Connect Core 6.2. The fragment, if there is one, is a SHA-256 hash in base64url.
func requestURIProblem(uri string) string {
	place, hash, hashed := strings.Cut(uri, "#")
	digest, err := base64.RawURLEncoding.Strict().DecodeString(hash)
	switch {
	case len(uri) > maxRequestURI:
		return fields.Quote(uri) + " is longer than 512 characters"
	case hashed && (err != nil || len(digest) != sha256.Size):
		return fields.Quote(uri) + " has a fragment that is not a SHA-256 hash in base64url without padding"
	case strings.Contains(place, "*"):
		return fields.Quote(uri) + " has a *; there are no wildcards, register each URI"
	}
	return httpsProblem(place)
}

// validateRequests: OpenID Connect Registration 2, request_uris and request_object_signing_alg.
func validateRequests(f *fields.Faults, c storage.Client) {
	if len(c.RequestURIs) > maxURIs {
		f.Add("request_uris", "are more than %d", maxURIs)
	}
	f.Check("request_uris", repeated(c.RequestURIs))
	for _, uri := range c.RequestURIs {
		f.Check("request_uris", requestURIProblem(uri))
	}
	const field = "request_object_signing_alg"
	switch alg := c.RequestObjectAlg; {
	case alg == "" || alg == AlgNone:
	case slices.Contains(SecretAlgs, alg):
		if !SealsSecret(c) {
			f.Add(field, "%s needs a secret that is made to sign with; set token_endpoint_auth_method to %s", alg, AuthSecretJWT)
		}
	case !slices.Contains(KeyAlgs, alg):
		f.OneOf(field, alg, append(slices.Concat(KeyAlgs, SecretAlgs), AlgNone)...)
	case len(c.JWKS) == 0 && c.JWKSURI == "":
		f.Add("jwks", "or jwks_uri is missing: %s %s needs the public keys", field, alg)
	}
}

// Readable is nil if algs, those that request objects can come with here, has the one that c registered.
func Readable(c storage.Client, algs []string) error {
	var f fields.Faults
	if c.RequestObjectAlg != "" {
		f.OneOf("request_object_signing_alg", c.RequestObjectAlg, algs...)
	}
	return f.Err()
}
