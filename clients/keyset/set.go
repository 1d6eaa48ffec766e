package keyset

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// What a set may be at the most.
const (
	MaxSet  = 64 << 10 // bytes
	maxKeys = 100
	minRSA  = 2048 // bits: RFC 7518 sections 3.3 and 4.3
	maxRSA  = 8192 // beyond, verifying is work that others make us do
)

// What a key is for: RFC 7517 section 4.2.
const (
	UseSig = "sig"
	UseEnc = "enc"
)

// Set is a client's public keys, those that we can use. It is not changed once made.
type Set struct{ keys []jose.JSONWebKey }

// Parse reads a JWK set. Keys of a kind that we do not know, and RSA keys of less than 2048 bits or of more than 8192, are left out
// (RFC 7517 section 5). A set with a private or a symmetric key is refused: whoever published it has lost it. Errors complete a sentence
// that begins with the name of the field.
func Parse(raw []byte) (Set, error) {
	if len(raw) > MaxSet {
		return Set{}, fmt.Errorf("is longer than %d bytes", MaxSet)
	}
	var outer map[string]json.RawMessage // exact names: a struct would take KEYS as well
	var members []json.RawMessage
	if err := json.Unmarshal(raw, &outer); err != nil || json.Unmarshal(outer["keys"], &members) != nil || members == nil {
		return Set{}, errors.New("is not a JWK set: a JSON object whose member keys is a list (RFC 7517 section 5)")
	}
	if len(members) > maxKeys {
		return Set{}, fmt.Errorf("has more than %d keys", maxKeys)
	}
	var s Set
	for i, member := range members {
		if problem := secret(member); problem != "" {
			return Set{}, fmt.Errorf("has %s as key %d; publish public keys alone, and stop using this one", problem, i+1)
		}
		var key jose.JSONWebKey
		if key.UnmarshalJSON(member) == nil && usable(key) {
			s.keys = append(s.keys, key)
		}
	}
	if len(s.keys) == 0 {
		return Set{}, errors.New("has no key that can be used here: RSA of 2048 bits or more, EC on P-256, P-384 or P-521, or Ed25519")
	}
	return s, nil
}

// secret says what of a key is not public: RFC 7518 sections 6.2.2, 6.3.2 and 6.4, RFC 8037 section 2.
func secret(member json.RawMessage) string {
	var key map[string]json.RawMessage
	if json.Unmarshal(member, &key) != nil {
		return ""
	}
	if bytes.Equal(key["kty"], []byte(`"oct"`)) || key["k"] != nil {
		return "a symmetric key"
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth"} {
		if key[name] != nil {
			return "a private key"
		}
	}
	return ""
}

func usable(key jose.JSONWebKey) bool {
	if !key.Valid() || !key.IsPublic() {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		return public.N.BitLen() >= minRSA && public.N.BitLen() <= maxRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// Verification returns the key for a signature of alg that the kid names; without kid, the only one there is.
func (s Set) Verification(alg, kid string) (jose.JSONWebKey, error) { return s.find(UseSig, alg, kid) }

// find returns the one key for the purpose that the kid names; without kid, the only one there is (OpenID Connect Core 10.1).
func (s Set) find(use, alg, kid string) (jose.JSONWebKey, error) {
	var found []jose.JSONWebKey
	for _, key := range s.keys {
		if (kid == "" || key.KeyID == kid) && suits(key, use, alg) {
			found = append(found, key)
		}
	}
	switch {
	case len(found) == 0:
		return jose.JSONWebKey{}, fmt.Errorf("%w for %s and this kid", ErrNoKey, alg)
	case len(found) > 1:
		return jose.JSONWebKey{}, fmt.Errorf("%w: several fit %s, and none is named by kid", ErrNoKey, alg)
	}
	return found[0], nil
}

// Fits reports whether there is a key for the use and any of the algorithms.
func (s Set) Fits(use string, algs ...string) bool {
	return slices.ContainsFunc(algs, func(alg string) bool { _, err := s.first(use, alg); return err == nil })
}

// first returns the first key for the purpose.
func (s Set) first(use, alg string) (jose.JSONWebKey, error) {
	for _, key := range s.keys {
		if suits(key, use, alg) {
			return key, nil
		}
	}
	return jose.JSONWebKey{}, fmt.Errorf("%w for %s", ErrNoKey, alg)
}

// suits reports whether a key is for the use and the algorithm, as far as it says, and of the kind that the algorithm needs.
func suits(key jose.JSONWebKey, use, alg string) bool {
	if key.Use != "" && key.Use != use || key.Algorithm != "" && key.Algorithm != alg {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		return use == UseSig && slices.Contains(rsaAlgs, alg) || use == UseEnc && strings.HasPrefix(alg, "RSA-OAEP")
	case *ecdsa.PublicKey:
		return use == UseSig && curves[alg] != nil && curves[alg] == public.Curve || use == UseEnc && strings.HasPrefix(alg, "ECDH-ES")
	case ed25519.PublicKey:
		return use == UseSig && alg == "EdDSA"
	}
	return false
}

var rsaAlgs = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"} // RFC 7518 sections 3.3 and 3.5

// curves of the signing algorithms: RFC 7518 section 3.4.
var curves = map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}
