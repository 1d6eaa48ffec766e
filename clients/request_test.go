package clients

import (
	"slices"
	"strings"
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

// OpenID Connect Core 6.2, Registration 2: request_uris.
func TestRequestURIs(t *testing.T) {
	t.Parallel()
	const hash = "#47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
	for uri, good := range map[string]bool{
		"https://app.example/r": true, "https://app.example/r?x=1": true, "https://app.example:8443/r" + hash: true,
		"http://app.example/r": false, "http://127.0.0.1/r": false, "ftp://app.example/r": false, "urn:x:y": false, "/r": false, "": false,
		"https://app.example/r#": false, "https://app.example/r#part": false, "https://app.example/r" + hash + "=": false, "https://app.example/r" + hash + "x": false,
		"https://user@app.example/r": false, "https://app.example/../r": false, "https://app.example/*": false, "https://app.example/ r": false,
		"https://app.example/" + strings.Repeat("r", 492): true, "https://app.example/" + strings.Repeat("r", 493): false,
	} {
		c := valid(t, Web)
		c.RequestURIs = []string{uri}
		if err := Validate(c); (err == nil) != good {
			t.Errorf("%.60q: %v", uri, err)
		}
	}
	c := valid(t, Web)
	c.RequestURIs = []string{"https://app.example/r", "https://app.example/r"}
	if got := faulty(t, Validate(c)); !slices.Equal(got, []string{"request_uris"}) {
		t.Errorf("there twice: %v", got)
	}
	c.RequestURIs = nil
	for i := range maxURIs + 1 {
		c.RequestURIs = append(c.RequestURIs, "https://app.example/"+strings.Repeat("r", i))
	}
	if got := faulty(t, Validate(c)); !slices.Equal(got, []string{"request_uris"}) {
		t.Errorf("too many: %v", got)
	}
}
