package keys

import (
	"crypto"
	"crypto/elliptic"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"signet/storage"
)

// encryptions are the JWE algorithms by which a content key is agreed on: RFC 7518 section 4.1. RSA1_5 and RSA-OAEP are left out
// (RFC 8725 section 3.2), and so is whatever needs a shared key.
var encryptions = []kind{
	{"RSA-OAEP-256", generateRSA, fitsRSA},
	{"ECDH-ES", generateEC(elliptic.P256()), fitsEC(elliptic.P256())},
	{"ECDH-ES+A128KW", generateEC(elliptic.P256()), fitsEC(elliptic.P256())},
	{"ECDH-ES+A256KW", generateEC(elliptic.P256()), fitsEC(elliptic.P256())},
}

// EncryptionEncs are the algorithms by which content is encrypted then: RFC 7518 section 5.1.
var EncryptionEncs = []string{"A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM"}

// EncryptionAlgs returns the JWE algorithms that there are, for what is encrypted to us and by us.
func EncryptionAlgs() []string {
	names := make([]string, len(encryptions))
	for i, e := range encryptions {
		names[i] = e.name
	}
	return names
}

// encrypts reports whether keys of alg are encrypted to, and do not sign.
func encrypts(alg string) bool {
	return slices.ContainsFunc(encryptions, func(k kind) bool { return k.name == alg })
}

// decrypter is a key that clients encrypt to.
type decrypter struct {
	alg     string
	private crypto.Signer
}

func newDecrypter(key storage.KeyPair, seals map[uint32]sealer) (*decrypter, error) {
	private, err := openPair(key, seals)
	if err != nil {
		return nil, err
	}
	if k, ok := kindOf(key.Alg); !ok || !k.fits(private.Public()) {
		return nil, fmt.Errorf("keys: key %s is of another kind than %s needs", key.KID, key.Alg)
	}
	return &decrypter{key.Alg, private}, nil
}

// published is the kid of the key that clients encrypt to by alg.
func (s *snapshot) published(alg string) (kid string, ok bool) {
	i := slices.IndexFunc(s.infos, func(i Info) bool { return i.Alg == alg && i.State == Active })
	if i < 0 || s.decrypters[s.infos[i].KID] == nil {
		return "", false
	}
	return s.infos[i].KID, true
}

// Decrypt opens a JWT that was encrypted to a key of ours as a JWE in compact form (RFC 7516 section 7.1), by one of algs, or by any
// that is on if there are none. What it returns is a JWT that nobody has looked at yet.
//
// What the header says openly is ErrJWE and tells what is wrong with it. Everything after that is ErrDecrypt: a key that we do not have
// any more, one of another algorithm, and a wrong encrypted key, nonce, text or tag.
//
// The key is found by kid and says itself which algorithm it is for (RFC 8725 section 3.1); without kid it is the one that is published.
func (k *Keys) Decrypt(token string, algs ...string) (jwt string, err error) {
	jwe, err := k.parseJWE(token, algs)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrJWE, err)
	}
	now, kid := k.current.Load(), jwe.Header.KeyID
	if kid == "" {
		kid, _ = now.published(jwe.Header.Algorithm)
	}
	c, ok := now.decrypters[kid]
	if !ok || c.alg != jwe.Header.Algorithm {
		return "", ErrDecrypt
	}
	plain, err := jwe.Decrypt(c.private)
	if err != nil {
		return "", ErrDecrypt
	}
	return string(plain), nil
}

// parseJWE reads a JWE and holds its header to what we take. Its errors hold nothing of what was sent.
func (k *Keys) parseJWE(token string, algs []string) (*jose.JSONWebEncryption, error) {
	if len(token) > maxToken {
		return nil, fmt.Errorf("it is longer than %d bytes", maxToken)
	}
	var allowed []jose.KeyAlgorithm
	for _, alg := range k.policy.Load().enc {
		if len(algs) == 0 || slices.Contains(algs, alg) {
			allowed = append(allowed, jose.KeyAlgorithm(alg))
		}
	}
	jwe, err := jose.ParseEncryptedCompact(token, allowed, allowedEncs)
	if err != nil {
		return nil, errors.New("it is malformed, or encrypted by another algorithm than it may be")
	}
	if jwe.Header.JSONWebKey != nil {
		return nil, errors.New("its header has jwk")
	}
	for _, name := range refusedHeaders {
		if _, there := jwe.Header.ExtraHeaders[name]; there {
			return nil, fmt.Errorf("its header has %s", name)
		}
	}
	if cty, there := jwe.Header.ExtraHeaders[jose.HeaderContentType]; there && !isJWT(cty) {
		return nil, errors.New("its cty is another than JWT")
	}
	// RFC 7516 section 5.2, step 10: with a key that was agreed on there is none to send. The library does not look.
	_, rest, _ := strings.Cut(token, ".")
	if jwe.Header.Algorithm == string(jose.ECDH_ES) && !strings.HasPrefix(rest, ".") {
		return nil, errors.New("it has an encrypted key, which its algorithm has not")
	}
	return jwe, nil
}

// refusedHeaders: what is compressed may betray its content by its length and grows when it is opened (RFC 8725 section 3.6), keys are
// found by kid alone (sections 3.8 and 3.10), and what is critical we do not know (RFC 7516 section 4.1.13). Others are ignored, as
// section 4 wants.
var refusedHeaders = []jose.HeaderKey{"zip", "crit", "jku", "x5u", "p2s", "p2c", "iv", "tag", "b64"}

var allowedEncs = func() (encs []jose.ContentEncryption) {
	for _, name := range EncryptionEncs {
		encs = append(encs, jose.ContentEncryption(name))
	}
	return encs
}()

// isJWT: RFC 7519 section 5.2. The value is a media type, which knows no case.
func isJWT(cty any) bool {
	text, _ := cty.(string)
	return strings.TrimPrefix(strings.ToLower(text), "application/") == "jwt"
}
