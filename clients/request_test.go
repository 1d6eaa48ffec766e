package clients

import (
	"slices"
	"testing"

	"signet/storage"
)

// OpenID Connect Registration 2: request_object_signing_alg.
func TestRequestObjectAlg(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		alg     string
		jwksURI string
		method  string
		want    []string
	}{
		"nothing agreed on":                                  {"", "", AuthBasic, nil},
		"by a key at a jwks_uri":                             {"ES256", "https://app.example/keys", AuthBasic, nil},
		"by a key that is not there":                         {"ES256", "", AuthBasic, []string{"jwks"}},
		"by the secret of client_secret_jwt":                 {"HS256", "", AuthSecretJWT, nil},
		"by a secret that is only hashed":                    {"HS256", "", AuthBasic, []string{"request_object_signing_alg"}},
		"by a secret beside private_key_jwt":                 {"HS512", "https://app.example/keys", AuthKeyJWT, []string{"request_object_signing_alg"}},
		"unsigned: whether that is good is said by Readable": {"none", "", AuthBasic, nil},
		"an unknown algorithm":                               {"RS257", "https://app.example/keys", AuthBasic, []string{"request_object_signing_alg"}},
		"another case":                                       {"None", "", AuthBasic, []string{"request_object_signing_alg"}},
	} {
		c := valid(t, Web)
		c.RequestObjectAlg, c.JWKSURI, c.TokenEndpointAuthMethod = row.alg, row.jwksURI, row.method
		c.SecretHash, c.SealedSecret = storage.Hash{}, nil
		switch {
		case SealsSecret(c):
			c.SecretHash, c.SealedSecret = storage.HashOf([]byte("s")), []byte("sealed")
		case NeedsSecret(c):
			c.SecretHash = storage.HashOf([]byte("s"))
		}
		if got := faulty(t, Validate(c)); !slices.Equal(got, row.want) {
			t.Errorf("%s: faults of %v, want %v", name, got, row.want)
		}
	}
	c := valid(t, Web)
	for alg, good := range map[string]bool{"": true, "RS256": true, "none": false} {
		if c.RequestObjectAlg = alg; (Readable(c, KeyAlgs) == nil) != good {
			t.Errorf("%q is readable: %v", alg, Readable(c, KeyAlgs))
		}
	}
}
