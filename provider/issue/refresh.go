package issue

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"

	"signet/storage"
)

// A refresh token needs no stored secret. It says which family and which generation it is, and a MAC says that we made it:
//
//	version ‖ MAC key id ‖ family id ‖ generation ‖ HMAC-SHA-256(domain ‖ issuer ‖ all before)
//	1         4            16          4            32                                          bytes, as base64url
const (
	refreshVersion = 1
	refreshBody    = 1 + 4 + 16 + 4
	refreshSize    = refreshBody + 32
	refreshDomain  = "signet refresh token\x00"
)

// refreshEncoding is strict, so that no two strings are one token.
var refreshEncoding = base64.RawURLEncoding.Strict()

// RefreshToken is what a refresh token says.
type RefreshToken struct {
	MACKey     uint32
	Family     storage.ID
	Generation uint32
}

// RefreshTokenOf returns the refresh token of the family's current generation. The same row gives the same token.
func (i *Issuer) RefreshTokenOf(f storage.Family) (string, error) {
	var b [refreshSize]byte
	b[0] = refreshVersion
	binary.BigEndian.PutUint32(b[1:], f.MACKey)
	copy(b[5:], f.ID[:])
	binary.BigEndian.PutUint32(b[21:], f.Generation)
	mac, err := i.refreshMAC(f.MACKey, b[:refreshBody])
	if err != nil {
		return "", err
	}
	copy(b[refreshBody:], mac[:])
	return refreshEncoding.EncodeToString(b[:]), nil
}

// ParseRefreshToken reads a refresh token and checks its MAC, before the store is asked anything. ok is false for whatever we
// did not make.
func (i *Issuer) ParseRefreshToken(s string) (t RefreshToken, ok bool) {
	var b [refreshSize]byte
	if len(s) != refreshEncoding.EncodedLen(refreshSize) {
		return t, false
	}
	if n, err := refreshEncoding.Decode(b[:], []byte(s)); err != nil || n != refreshSize || b[0] != refreshVersion {
		return t, false
	}
	t.MACKey = binary.BigEndian.Uint32(b[1:])
	copy(t.Family[:], b[5:])
	t.Generation = binary.BigEndian.Uint32(b[21:])
	mac, err := i.refreshMAC(t.MACKey, b[:refreshBody])
	return t, err == nil && subtle.ConstantTimeCompare(mac[:], b[refreshBody:]) == 1
}

func (i *Issuer) refreshMAC(key uint32, body []byte) ([32]byte, error) {
	return i.mac(key, refreshDomain, body)
}

// mac is the MAC of a body for one purpose at this issuer: HMAC-SHA-256(domain ‖ issuer ‖ 0 ‖ body).
func (i *Issuer) mac(key uint32, domain string, body []byte) ([32]byte, error) {
	data := make([]byte, 0, 256)
	data = append(data, domain...)
	data = append(data, i.Issuer...)
	data = append(data, 0)
	return i.Keys.MAC(key, append(data, body...))
}
