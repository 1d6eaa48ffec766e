package providertest

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// JWT is a token whose signature was found good.
type JWT struct {
	Alg, Typ, KID string
	Claims        map[string]any
}

// Verify reads a token as a relying party or a resource server does: with the published keys and nothing else. A key is for one
// algorithm.
func (s *Server) Verify(token string) JWT {
	s.tb.Helper()
	var set jose.JSONWebKeySet
	must(s.tb, json.Unmarshal([]byte(s.Get("/jwks", "").Body), &set))
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA})
	must(s.tb, err)
	header := jws.Signatures[0].Protected
	keys := set.Key(header.KeyID)
	if len(keys) != 1 || keys[0].Algorithm != header.Algorithm || keys[0].Use != "sig" {
		s.tb.Fatalf("no published key is %q for %s: %v", header.KeyID, header.Algorithm, keys)
	}
	payload, err := jws.Verify(keys[0])
	must(s.tb, err)
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	t := JWT{Alg: header.Algorithm, Typ: typ, KID: header.KeyID}
	must(s.tb, json.Unmarshal(payload, &t.Claims))
	return t
}

// Tampered is token with another payload under its signature.
func Tampered(token string) string {
	parts := strings.Split(token, ".")
	raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw), `"iat":`, `"iat":1`, 1)))
	return strings.Join(parts, ".")
}

// Unsigned is token with alg none: RFC 8725 section 3.2.
func Unsigned(token, typ string) string {
	parts := strings.Split(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"`+typ+`"}`)) + "." + parts[1] + "."
}
