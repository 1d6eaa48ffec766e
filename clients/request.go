package clients

import (
	"slices"

	"signet/fields"
	"signet/storage"
)

// AlgNone stands for no signature: RFC 7518 section 3.6. Request objects alone can do without, where the operator lets them.
const AlgNone = "none"

// validateRequests: OpenID Connect Registration 2, request_object_signing_alg.
func validateRequests(f *fields.Faults, c storage.Client) {
	const field = "request_object_signing_alg"
	switch alg := c.RequestObjectAlg; {
	case alg == "" || alg == AlgNone:
	case slices.Contains(SecretAlgs, alg):
		if !SealsSecret(c) {
			f.Add(field, "%s needs a secret that the client signs with; set token_endpoint_auth_method to %s", alg, AuthSecretJWT)
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
