package authorize_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"signet/provider/providertest"
)

// payload is what a token says, once its signature was found good.
func payload(t *testing.T, s *providertest.Server, token string) map[string]any {
	t.Helper()
	raw, _, err := s.Keys.Verify(token, "JWT", "at+jwt")
	if err != nil {
		t.Fatalf("token %q: %v", token, err)
	}
	var claims map[string]any
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// tampered is token with another payload under its signature.
func tampered(token string) string {
	parts := strings.Split(token, ".")
	raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw), `"iat":`, `"iat":1`, 1)))
	return strings.Join(parts, ".")
}

// unsigned is token with alg none.
func unsigned(token string) string {
	parts := strings.Split(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
}
