package keystest_test

import (
	"fmt"
	"testing"

	"signet/keys"
	"signet/keys/keystest"
)

func TestNew(t *testing.T) {
	t.Parallel()
	k := keystest.New(t, keys.Options{})
	for _, alg := range k.Algs() {
		token, err := k.Sign(alg, "at+jwt", []byte(`{"sub":"a"}`))
		if err != nil {
			t.Fatal(err)
		}
		payload, got, err := k.Verify(token, "at+jwt")
		if err != nil || got != alg || string(payload) != `{"sub":"a"}` {
			t.Errorf("%s: %s, %s, %v", alg, payload, got, err)
		}
	}
}

// Every fixture fits its algorithm, and none is handed out twice, neither within an algorithm nor between two.
func TestGeneratorKeysAreDistinct(t *testing.T) {
	t.Parallel()
	generate := keystest.Generator()
	seen := map[string]bool{}
	for _, alg := range []string{"RS256", "PS256", "RS384", "ES256", "ES384", "ES512", "EdDSA", "ECDH-ES", "ECDH-ES+A128KW", "RSA-OAEP-256"} {
		for range 10 { // more than there are of some
			if alg == "RS384" && len(seen) > 22 || alg == "RSA-OAEP-256" {
				break // RSA keys beyond the fixtures are slow to make
			}
			key, err := generate(alg)
			if err != nil {
				t.Fatal(err)
			}
			id := fmt.Sprint(key.Public())
			if seen[id] {
				t.Errorf("%s: a key came twice", alg)
			}
			seen[id] = true
		}
	}
}
