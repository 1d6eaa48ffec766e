package keys

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// No token of ours is longer. What is, is refused before anything is decoded.
const (
	maxToken  = 64 << 10
	maxHeader = 1 << 10
)

// Verify checks that token is a JWS of ours in compact form and of one of the kinds asked for, and returns its payload and
// algorithm. Its times, issuer and audience are the caller's to check. typs are exact; "" stands for a header without typ.
// Whatever is not ours is ErrToken.
//
// The key is found by kid and says itself which algorithm it is for, so the header has no choice (RFC 8725 section 3.1). Keys and
// key locations in the header (jwk, jku, x5u, x5c), crit and b64 are things that we never write; a token with one of them is refused.
func (k *Keys) Verify(token string, typs ...string) (payload []byte, alg string, err error) {
	if !wellFormed(token) {
		return nil, "", fmt.Errorf("%w: malformed", ErrToken)
	}
	jws, err := jose.ParseSignedCompact(token, allowed)
	if err != nil {
		return nil, "", fmt.Errorf("%w: malformed, or of an algorithm that we do not use", ErrToken)
	}
	header := jws.Signatures[0].Protected
	typ, ok := typOf(header)
	if !ok {
		return nil, "", fmt.Errorf("%w: a header that we do not write", ErrToken)
	}
	v, ok := k.current.Load().verifiers[header.KeyID]
	switch {
	case !ok:
		return nil, "", fmt.Errorf("%w: unknown or missing kid", ErrToken)
	case header.Algorithm != v.alg.name:
		return nil, "", fmt.Errorf("%w: another algorithm than its key's", ErrToken)
	case !slices.Contains(typs, typ):
		return nil, "", fmt.Errorf("%w: another typ than expected", ErrToken)
	}
	if payload, err = jws.Verify(v.public); err != nil {
		return nil, "", fmt.Errorf("%w: wrong signature", ErrToken)
	}
	return payload, v.alg.name, nil
}

// allowed is every algorithm that a key of ours can be for: no none, no HMAC.
var allowed = func() (algs []jose.SignatureAlgorithm) {
	for _, name := range SupportedAlgs() {
		algs = append(algs, jose.SignatureAlgorithm(name))
	}
	return algs
}()

// typOf returns the header's typ. ok is false if the header holds anything but alg, kid and typ.
func typOf(h jose.Header) (typ string, ok bool) {
	if h.JSONWebKey != nil || h.Nonce != "" {
		return "", false
	}
	for name, value := range h.ExtraHeaders {
		if name != jose.HeaderType {
			return "", false
		}
		if typ, ok = value.(string); !ok || typ == "" {
			return "", false
		}
	}
	return typ, true
}

// wellFormed reports whether token is three parts of base64url in their one canonical form. The library is lenient about line
// breaks and unused bits, and a token must not have two spellings: some are remembered by their hash.
func wellFormed(token string) bool {
	if len(token) > maxToken || strings.Count(token, ".") != 2 || strings.ContainsAny(token, "\r\n") {
		return false
	}
	header, rest, _ := strings.Cut(token, ".")
	if len(header) > maxHeader {
		return false
	}
	payload, signature, _ := strings.Cut(rest, ".")
	return canonical(header) && canonical(payload) && canonical(signature)
}

// canonical reports whether no bits are left over at the end of a part; that its characters are of base64url the library checks.
func canonical(part string) bool {
	tail := part[len(part)/4*4:]
	_, err := base64.RawURLEncoding.Strict().DecodeString(tail)
	return part != "" && err == nil
}
