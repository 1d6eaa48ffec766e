package issue

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// An opaque access token is what would be the payload of a JWT, encrypted: nobody but us can read it, and nothing of it is stored. It begins
// with a prefix, so that scanners for leaked secrets can know it.
//
//	version ‖ MAC key id ‖ salt ‖ AES-256-GCM(payload)
//	1         4            16                           bytes, as base64url
//
// The key is HMAC-SHA-256(MAC key, domain ‖ issuer ‖ all before), so each token has one of its own and the nonce can stay zero: random nonces
// under one key for years would come too close to their limit of 2^32 (NIST SP 800-38D section 8.3).
const (
	opaquePrefix  = "sg_at_"
	opaqueVersion = 1
	opaqueHead    = 1 + 4 + 16
	opaqueDomain  = "signet opaque access token\x00"
	maxOpaque     = 32 << 10 // of one that is sent to us, in characters
)

var errOpaque = errors.New("not an opaque token of ours")

// sealAccess makes an opaque token of a payload.
func (i *Issuer) sealAccess(payload []byte) (string, error) {
	b := make([]byte, opaqueHead, opaqueHead+len(payload)+16)
	b[0] = opaqueVersion
	binary.BigEndian.PutUint32(b[1:], i.Keys.MACKey())
	rand.Read(b[5:])
	aead, err := i.opaqueKey(b)
	if err != nil {
		return "", err
	}
	b = aead.Seal(b, make([]byte, aead.NonceSize()), payload, nil)
	return opaquePrefix + base64.RawURLEncoding.EncodeToString(b), nil
}

// openAccess returns the payload of an opaque token; ours is false for what does not look like one.
func (i *Issuer) openAccess(token string) (payload []byte, ours bool, err error) {
	body, ours := strings.CutPrefix(token, opaquePrefix)
	if !ours {
		return nil, false, nil
	}
	if len(body) > maxOpaque || strings.ContainsAny(body, "\r\n") { // line breaks, which the decoder passes over: a token has one spelling
		return nil, true, errOpaque
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil || len(b) < opaqueHead || b[0] != opaqueVersion {
		return nil, true, errOpaque
	}
	aead, err := i.opaqueKey(b[:opaqueHead])
	if err != nil {
		return nil, true, fmt.Errorf("%w: %w", errOpaque, err)
	}
	if payload, err = aead.Open(nil, make([]byte, aead.NonceSize()), b[opaqueHead:], nil); err != nil {
		return nil, true, errOpaque
	}
	return payload, true, nil
}

func (i *Issuer) opaqueKey(head []byte) (cipher.AEAD, error) {
	key, err := i.mac(binary.BigEndian.Uint32(head[1:]), opaqueDomain, head)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
