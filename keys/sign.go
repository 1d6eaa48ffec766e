package keys

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// Signs reports whether Sign has a key for alg.
func (k *Keys) Signs(alg string) bool {
	_, ok := k.current.Load().signers[alg]
	return ok
}

// Sign returns claims, which must be JSON, as a JWS in compact form (RFC 7515 section 7.1), signed with the active key of alg.
// The header is alg, kid and, unless it is empty, typ. An algorithm that is not on is ErrAlg.
func (k *Keys) Sign(alg, typ string, claims []byte) (string, error) {
	w, ok := k.current.Load().signers[alg]
	if !ok {
		return "", fmt.Errorf("%w: %q", ErrAlg, alg)
	}
	return w.sign(typ, claims)
}

// longest is the length of the longest signature that is made often, RSA's, in base64url.
const longest = 342

func (w *signer) sign(typ string, claims []byte) (string, error) {
	header, ok := w.headers[typ]
	if !ok {
		header = encodeHeader(w.alg.name, w.kid, typ)
	}
	enc := base64.RawURLEncoding
	token := make([]byte, 0, len(header)+enc.EncodedLen(len(claims))+1+longest)
	token = enc.AppendEncode(append(token, header...), claims)
	signature, err := w.alg.sign(w.private, token)
	if err != nil {
		return "", fmt.Errorf("keys: signing with %s: %w", w.alg.name, err)
	}
	return string(enc.AppendEncode(append(token, '.'), signature)), nil
}

// encodeHeader returns the JOSE header in base64url, with the dot that follows it.
func encodeHeader(alg, kid, typ string) string {
	header, err := json.Marshal(struct {
		Alg string `json:"alg"`
		KID string `json:"kid"`
		Typ string `json:"typ,omitempty"`
	}{alg, kid, typ})
	if err != nil {
		panic(err) // strings always encode
	}
	return base64.RawURLEncoding.EncodeToString(header) + "."
}
