package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Checkpoint is the signed word of a store that its chain has come to a record, and with it that all records before are as they are.
type Checkpoint struct {
	Sequence uint64    `json:"sequence"`
	Hash     Hash      `json:"hash"`
	Time     time.Time `json:"time"` // to the second
	Signed   string    `json:"signed"`
}

// Link is the record that it is about.
func (c Checkpoint) Link() Link { return Link{c.Sequence, c.Hash} }

// CheckpointType is the typ of a checkpoint's JWS header.
const CheckpointType = "signet-checkpoint+jwt"

// Claims are what the JWS of a checkpoint says.
type Claims struct {
	Issuer   string `json:"iss"`
	IssuedAt int64  `json:"iat"`
	Sequence uint64 `json:"sequence"`
	Hash     Hash   `json:"hash"`
	First    uint64 `json:"first"` // the sequence of the first record that was kept then
}

// Key is the public half of the key that signs checkpoints.
type Key struct{ public ed25519.PublicKey }

var errKey = errors.New("not an Ed25519 public key")

// NewKey takes a public key of 32 bytes.
func NewKey(public ed25519.PublicKey) (Key, error) {
	if len(public) != ed25519.PublicKeySize {
		return Key{}, errKey
	}
	return Key{public}, nil
}

// IsZero says whether there is no key.
func (k Key) IsZero() bool { return k.public == nil }

// Equal says whether two keys are one.
func (k Key) Equal(other Key) bool { return k.public.Equal(other.public) }

// jwk is a key as RFC 8037 section 2 has it.
type jwk struct {
	Type  string `json:"kty"`
	Curve string `json:"crv"`
	X     string `json:"x"`
}

func (k Key) jwk() jwk { return jwk{"OKP", "Ed25519", base64.RawURLEncoding.EncodeToString(k.public)} }

// MarshalJSON is the key as a JWK: RFC 8037 section 2.
func (k Key) MarshalJSON() ([]byte, error) { return json.Marshal(k.jwk()) }

// UnmarshalJSON reads a JWK. Members that it does not know it ignores.
func (k *Key) UnmarshalJSON(text []byte) error {
	var j jwk
	if err := json.Unmarshal(text, &j); err != nil || j.Type != "OKP" || j.Curve != "Ed25519" {
		return errKey
	}
	x, err := base64.RawURLEncoding.Strict().DecodeString(j.X)
	if err != nil {
		return errKey
	}
	*k, err = NewKey(x)
	return err
}

// Fingerprint is the key's JWK thumbprint (RFC 7638), 43 characters of base64url. It is the kid of what the key signs.
func (k Key) Fingerprint() string {
	digest := sha256.Sum256(fmt.Appendf(nil, `{"crv":"Ed25519","kty":"OKP","x":"%s"}`, k.jwk().X))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// PEM is the key as openssl reads it.
func (k Key) PEM() (string, error) {
	der, err := x509.MarshalPKIXPublicKey(k.public)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), err
}

// ParseKey reads what PEM or MarshalJSON wrote.
func ParseKey(text []byte) (k Key, err error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return k, k.UnmarshalJSON(text)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return k, errKey
	}
	ed, _ := public.(ed25519.PublicKey)
	return NewKey(ed)
}

// Why a checkpoint is not one.
var (
	errForm      = errors.New("it is no JWS of the form that Signet writes")
	errOther     = errors.New("another key signed it")
	errSignature = errors.New("its signature is wrong")
)

// Open checks the signature of a checkpoint and returns what it says.
func (k Key) Open(signed string) (c Claims, err error) {
	parts := strings.Split(signed, ".")
	for _, part := range parts { // one spelling: no line breaks, no bits left over
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil || strings.ContainsAny(part, "\r\n") {
			return c, errForm
		}
	}
	jws, err := jose.ParseSignedCompact(signed, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return c, errForm
	}
	header := jws.Signatures[0].Protected
	if typ := header.ExtraHeaders[jose.HeaderType]; typ != CheckpointType || len(header.ExtraHeaders) != 1 {
		return c, errForm
	}
	if header.KeyID != k.Fingerprint() {
		return c, errOther
	}
	payload, err := jws.Verify(k.public)
	if err != nil {
		return c, errSignature
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return c, errForm
	}
	return c, nil
}
