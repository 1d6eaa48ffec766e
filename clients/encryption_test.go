package clients

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"signet/fields"
	"signet/storage"
)

func TestValidateEncryption(t *testing.T) {
	t.Parallel()
	jwks := json.RawMessage(`{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`)
	for name, row := range map[string]struct {
		change func(*storage.Client)
		faults string // fields, in order
	}{
		"nothing":                                {func(c *storage.Client) { c.JWKS = nil }, ""},
		"both":                                   {func(c *storage.Client) { c.IDTokenEncryptionAlg, c.UserinfoEncryptionAlg = "ECDH-ES", "ECDH-ES+A128KW" }, ""},
		"Registration 2: no key for one of them": {func(c *storage.Client) { c.IDTokenEncryptionAlg, c.UserinfoEncryptionAlg = "ECDH-ES", "RSA-OAEP-256" }, "jwks"},
		"RFC 7517 4.2: the only key is one that signs": {func(c *storage.Client) {
			c.JWKS, c.IDTokenEncryptionAlg = json.RawMessage(strings.Replace(string(jwks), `"kty"`, `"use":"sig","kty"`, 1)), "ECDH-ES"
		}, "jwks"},
		"Registration 2: enc alone":                {func(c *storage.Client) { c.IDTokenEncryptionEnc = "A128GCM" }, "id_token_encrypted_response_enc"},
		"RFC 8725 3.2: RSA1_5":                     {func(c *storage.Client) { c.IDTokenEncryptionAlg = "RSA1_5" }, "id_token_encrypted_response_alg"},
		"a shared key":                             {func(c *storage.Client) { c.UserinfoEncryptionAlg = "dir" }, "userinfo_encrypted_response_alg"},
		"an enc that is none":                      {func(c *storage.Client) { c.UserinfoEncryptionAlg, c.UserinfoEncryptionEnc = "ECDH-ES", "A128KW" }, "userinfo_encrypted_response_enc"},
		"RFC 8725 3.2: RSA-OAEP with SHA-1, to us": {func(c *storage.Client) { c.RequestEncryptionAlg = "RSA-OAEP" }, "request_object_encryption_alg"},
		"Registration 2: enc alone, to us":         {func(c *storage.Client) { c.RequestEncryptionEnc = "A128GCM" }, "request_object_encryption_enc"},
		"an enc that is none, to us": {func(c *storage.Client) {
			c.RequestEncryptionAlg, c.RequestEncryptionEnc = "ECDH-ES", "dir"
		}, "request_object_encryption_enc"},
		"to us, which needs no key of the client's": {func(c *storage.Client) { c.JWKS, c.RequestEncryptionAlg = nil, "ECDH-ES" }, ""},
		"no key": {func(c *storage.Client) { c.JWKS, c.IDTokenEncryptionAlg = nil, "ECDH-ES" }, "id_token_encrypted_response_alg"},
		"jwks_uri": {func(c *storage.Client) {
			c.JWKS, c.JWKSURI, c.IDTokenEncryptionAlg = nil, "https://app.example/jwks", "ECDH-ES"
		}, ""},
		"signed userinfo":              {func(c *storage.Client) { c.UserinfoAlg = "PS256" }, ""},
		"signed userinfo with none":    {func(c *storage.Client) { c.UserinfoAlg = "none" }, "userinfo_signed_response_alg"},
		"signed userinfo with HS256":   {func(c *storage.Client) { c.UserinfoAlg = "HS256" }, "userinfo_signed_response_alg"},
		"default_acr_values":           {func(c *storage.Client) { c.DefaultACRValues = []string{"pwd", "urn:mace:incommon:iap:silver"} }, ""},
		"default_acr_values twice":     {func(c *storage.Client) { c.DefaultACRValues = []string{"pwd", "pwd"} }, "default_acr_values"},
		"default_acr_values invisible": {func(c *storage.Client) { c.DefaultACRValues = []string{"\u202e"} }, "default_acr_values"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := New(SPA, "My app", time.Unix(1, 0))
			if err != nil {
				t.Fatal(err)
			}
			c.RedirectURIs, c.JWKS = []string{"https://app.example/cb"}, jwks
			row.change(&c)
			var found []string
			if err := Validate(c); err != nil {
				for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
					found = append(found, e.(*fields.Error).Field)
				}
			}
			if strings.Join(found, " ") != row.faults {
				t.Errorf("faults of %q, want %q: %v", found, row.faults, Validate(c))
			}
		})
	}
}

func TestDecryptable(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		alg  string
		on   []string
		good bool
	}{
		"none registered, none on":                     {"", nil, true},
		"none registered":                              {"", []string{"ECDH-ES"}, true},
		"Discovery 3: one that is on":                  {"ECDH-ES", []string{"RSA-OAEP-256", "ECDH-ES"}, true},
		"Registration 2: one that is not on":           {"RSA-OAEP-256", []string{"ECDH-ES"}, false},
		"Registration 2: one, and there is none of it": {"ECDH-ES", nil, false},
	} {
		err := Decryptable(storage.Client{RequestEncryptionAlg: row.alg}, row.on)
		if (err == nil) != row.good || err != nil && !strings.Contains(err.Error(), "request_object_encryption_alg") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
