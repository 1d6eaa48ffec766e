package storage

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// ID is a time-ordered identifier: 48 bits of Unix milliseconds, then 80 random bits. Its bytes sort by time, which keeps rows
// that are written together on the same pages. An ID finds a row; it is never authority over it.
type ID [16]byte

// NewID returns an ID for the instant t. For rows that are dropped by the bucket (see [Handle]) t is when they expire.
func NewID(t time.Time) ID {
	var id ID
	binary.BigEndian.PutUint64(id[:8], uint64(t.UnixMilli())<<16)
	rand.Read(id[6:]) // never fails: crypto/rand ends the process instead
	return id
}

// Time is the instant that id was made for, to the millisecond.
func (id ID) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)).UTC()
}

// IsZero reports whether id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// String is the 22 characters of base64url that stand for id in URLs, logs and on the command line; "" for the zero ID.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// ParseID reads what [ID.String] wrote.
func ParseID(s string) (ID, error) {
	var id ID
	if s == "" {
		return id, nil
	}
	return id, decodeExactly(id[:], s)
}

// MarshalText lets IDs stand in JSON as they stand in URLs.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}

// Hash is the SHA-256 of a random secret. Secrets of full entropy need no slow hash.
type Hash [sha256.Size]byte

// HashOf hashes a secret.
func HashOf(secret []byte) Hash { return sha256.Sum256(secret) }

// Matches reports in constant time whether h is the hash of secret.
func (h Hash) Matches(secret []byte) bool {
	other := HashOf(secret)
	return subtle.ConstantTimeCompare(h[:], other[:]) == 1
}

// IsZero reports whether there is no hash. No secret has this hash.
func (h Hash) IsZero() bool { return h == Hash{} }

// secretSize is 128 bits: with 80 random bits of the ID beside it, out of reach of guessing.
const secretSize = 16

// Handle is a bearer handle: an ID, which finds the row, and a secret, which proves the right to it. The store keeps the
// secret's hash alone. Codes, interactions, kept requests and browsers are handed out as handles.
//
// Short-lived rows (codes, interactions, kept requests) live in ten-minute buckets. The ID of their handle is made for the
// instant at which the row expires, so the handle names the bucket, and a whole bucket can be dropped at once.
type Handle struct {
	ID     ID
	Secret [secretSize]byte
}

// NewHandle returns a fresh handle whose ID is made for the instant t.
func NewHandle(t time.Time) Handle {
	h := Handle{ID: NewID(t)}
	rand.Read(h.Secret[:])
	return h
}

// Hash is what the store keeps of h.
func (h Handle) Hash() Hash { return HashOf(h.Secret[:]) }

// String is the 43 characters of base64url that travel.
func (h Handle) String() string {
	var b [len(h.ID) + secretSize]byte
	copy(b[copy(b[:], h.ID[:]):], h.Secret[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ParseHandle reads what [Handle.String] wrote. Whatever else was sent cannot be a handle of ours: the answer is ErrNotFound.
func ParseHandle(s string) (Handle, error) {
	var b [len(ID{}) + secretSize]byte
	var h Handle
	if err := decodeExactly(b[:], s); err != nil {
		return h, ErrNotFound
	}
	copy(h.Secret[:], b[copy(h.ID[:], b[:]):])
	return h, nil
}

// strict refuses trailing bits, so that no two strings stand for one id.
var strict = base64.RawURLEncoding.Strict()

var errEncoding = errors.New("storage: not an id")

func decodeExactly(dst []byte, s string) error {
	if len(s) != strict.EncodedLen(len(dst)) {
		return errEncoding
	}
	if n, err := strict.Decode(dst, []byte(s)); err != nil || n != len(dst) {
		return errEncoding
	}
	return nil
}
