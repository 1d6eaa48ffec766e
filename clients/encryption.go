package clients

import (
	"slices"

	"signet/fields"
	"signet/keys"
	"signet/storage"
)

// EncryptionAlgs are the algorithms by which a key is agreed on with a client, and EncryptionEncs those by which content is encrypted
// then: in both directions the same.
var (
	EncryptionAlgs = keys.EncryptionAlgs()
	EncryptionEncs = keys.EncryptionEncs
)

// ContentEncryption is how content is encrypted for a client that registered enc: OpenID Connect Registration 2 has a default.
func ContentEncryption(enc string) string {
	if enc == "" {
		return "A128CBC-HS256"
	}
	return enc
}

func validateUserinfo(f *fields.Faults, c storage.Client) {
	const alg = "userinfo_signed_response_alg"
	switch c.UserinfoAlg {
	case "":
	case AlgNone:
		f.Add(alg, "none says nothing that plain JSON over TLS does not; leave it out")
	default:
		validateSigning(f, c, alg, c.UserinfoAlg)
	}
}

func validateEncryption(f *fields.Faults, c storage.Client) {
	for _, e := range []struct {
		field, alg, enc string
		ours            bool // it is encrypted to a key of ours
	}{
		{"id_token_encrypted_response", c.IDTokenEncryptionAlg, c.IDTokenEncryptionEnc, false},
		{"userinfo_encrypted_response", c.UserinfoEncryptionAlg, c.UserinfoEncryptionEnc, false},
		{"introspection_encrypted_response", c.IntrospectionEncryptionAlg, c.IntrospectionEncryptionEnc, false},
		{"request_object_encryption", c.RequestEncryptionAlg, c.RequestEncryptionEnc, true},
	} {
		if e.alg == "" && e.enc == "" {
			continue
		}
		if e.alg == "" { // Registration 2: "when [enc] is included, [alg] MUST also be provided"
			f.Add(e.field+"_enc", "is set without %s_alg; set that as well", e.field)
			continue
		}
		f.OneOf(e.field+"_alg", e.alg, EncryptionAlgs...)
		f.OneOf(e.field+"_enc", ContentEncryption(e.enc), EncryptionEncs...)
		if !e.ours && len(c.JWKS) == 0 && c.JWKSURI == "" {
			f.Add(e.field+"_alg", "needs a public key of the client; set jwks or jwks_uri")
		}
	}
}

// Decryptable is nil if algs, those by which clients may encrypt to us, has what c registered for its request objects.
func Decryptable(c storage.Client, algs []string) error {
	const field = "request_object_encryption_alg"
	var f fields.Faults
	switch alg := c.RequestEncryptionAlg; {
	case alg == "" || slices.Contains(algs, alg):
	case len(algs) == 0:
		f.Add(field, "is not possible here: encrypted_request_objects is off")
	default:
		f.OneOf(field, alg, algs...)
	}
	return f.Err()
}
