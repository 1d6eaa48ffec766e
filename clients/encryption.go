package clients

import (
	"signet/fields"
	"signet/storage"
)

// EncryptionAlgs are the algorithms by which a key is agreed on with a client, and EncryptionEncs those by which content is encrypted
// then: RFC 7518 sections 4.1 and 5.1. RSA1_5 and RSA-OAEP are left out (RFC 8725 section 3.2), and so is whatever needs a shared key.
var (
	EncryptionAlgs = []string{"RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"}
	EncryptionEncs = []string{"A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM"}
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
	for _, e := range []struct{ field, alg, enc string }{
		{"id_token_encrypted_response", c.IDTokenEncryptionAlg, c.IDTokenEncryptionEnc},
		{"userinfo_encrypted_response", c.UserinfoEncryptionAlg, c.UserinfoEncryptionEnc},
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
		if len(c.JWKS) == 0 && c.JWKSURI == "" {
			f.Add(e.field+"_alg", "needs a public key of the client; set jwks or jwks_uri")
		}
	}
}
