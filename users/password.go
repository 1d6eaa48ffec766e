package users

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// The parameters of argon2id for new hashes, after OWASP's Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
const (
	memory  = 19 * 1024 // KiB
	passes  = 2
	lanes   = 1
	saltLen = 16
	keyLen  = 32
)

// Bounds of what is read back: a hash may come from elsewhere, and its parameters are memory and time to be spent.
const (
	maxMemory = 128 * 1024 // KiB
	maxPasses = 10
	maxLanes  = 8
	minSalt   = 8
	minKey    = 16
	maxBytes  = 64 // of salt and key
)

// Lengths of a new password: NIST SP 800-63B asks for at least 8 characters, and 1024 bytes bound the work.
const (
	minPassword = 8    // characters
	maxPassword = 1024 // bytes
)

// phc is an argon2id hash as a PHC string holds it.
type phc struct {
	memory    uint32 // KiB
	passes    uint32
	lanes     uint8
	salt, key []byte
}

// HashPassword returns the PHC string of argon2id for a new password, or a [*FieldError] of the field password. It takes
// 19 MiB and tens of milliseconds; a server calls [Authenticator.Hash] instead, which bounds how many run at once.
func HashPassword(password string) (string, error) {
	normalized, err := newPassword(password)
	if err != nil {
		return "", err
	}
	h := fresh()
	h.key = derive(normalized, h)
	return h.String(), nil
}

// newPassword holds a new password to NIST SP 800-63B section 3.1.1.2: length counts, not composition.
func newPassword(password string) (string, error) {
	normalized, _ := normalize(password)
	switch {
	case len(password) > maxPassword:
		return "", &FieldError{Field: "password", Problem: fmt.Sprintf("is longer than %d bytes", maxPassword)}
	case !utf8.ValidString(password):
		return "", &FieldError{Field: "password", Problem: "is not UTF-8"}
	case utf8.RuneCountInString(normalized) < minPassword:
		return "", &FieldError{Field: "password", Problem: fmt.Sprintf("is shorter than %d characters", minPassword)}
	}
	return normalized, nil
}

// normalize makes one spelling of what keyboards enter in several: NIST SP 800-63B section 3.1.1.2. Nothing is trimmed or cut. It
// reports whether this can be a password at all.
func normalize(password string) (string, bool) {
	if password == "" || len(password) > maxPassword || !utf8.ValidString(password) {
		return "", false
	}
	return norm.NFKC.String(password), true
}

// fresh returns today's parameters with a new salt and a key that no password has.
func fresh() phc {
	h := phc{memory: memory, passes: passes, lanes: lanes, salt: make([]byte, saltLen), key: make([]byte, keyLen)}
	rand.Read(h.salt)
	rand.Read(h.key)
	return h
}

// derive computes the key of a password with the parameters and the salt of h.
func derive(normalized string, h phc) []byte {
	return argon2.IDKey([]byte(normalized), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.key)))
}

func (h phc) matches(key []byte) bool { return subtle.ConstantTimeCompare(h.key, key) == 1 }

// Matches reports whether hash was made of password. It takes what [HashPassword] takes; who signs in goes through an [Authenticator].
func Matches(hash, password string) bool {
	h, err := parsePHC(hash)
	normalized, ok := normalize(password)
	return err == nil && ok && h.matches(derive(normalized, h))
}

// NeedsRehash reports whether hash was made with other parameters than new ones are. What cannot be read needs it too.
func NeedsRehash(hash string) bool {
	h, err := parsePHC(hash)
	return err != nil || h.memory != memory || h.passes != passes || h.lanes != lanes || len(h.salt) < saltLen || len(h.key) < keyLen
}

const phcPrefix = "$argon2id$v=19$"

var (
	errPHC   = errors.New("is not a PHC string of argon2id ($argon2id$v=19$m=…,t=…,p=…$salt$hash)")
	errCosts = fmt.Errorf("has parameters of argon2id that are out of bounds (at most m=%d, t=%d, p=%d)", maxMemory, maxPasses, maxLanes)
	base     = base64.RawStdEncoding.Strict()
)

// String is the PHC string format: https://github.com/P-H-C/phc-string-format.
func (h phc) String() string {
	return fmt.Sprintf("%sm=%d,t=%d,p=%d$%s$%s", phcPrefix, h.memory, h.passes, h.lanes,
		base.EncodeToString(h.salt), base.EncodeToString(h.key))
}

// parsePHC reads what [phc.String] wrote, and nothing else. Its errors do not hold the hash.
func parsePHC(s string) (phc, error) {
	var h phc
	rest, ok := strings.CutPrefix(s, phcPrefix)
	parts := strings.Split(rest, "$")
	if !ok || len(s) > 300 || len(parts) != 3 {
		return h, errPHC
	}
	costs := strings.Split(parts[0], ",")
	if len(costs) != 3 {
		return h, errPHC
	}
	var n [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(costs[i], name)
		var err error
		if n[i], err = strconv.ParseUint(digits, 10, 32); err != nil || !ok {
			return h, errPHC
		}
	}
	if n[0] > maxMemory || n[1] < 1 || n[1] > maxPasses || n[2] < 1 || n[2] > maxLanes || n[0] < 8*n[2] { // RFC 9106 section 3.1
		return h, errCosts
	}
	salt, err1 := base.DecodeString(parts[1])
	key, err2 := base.DecodeString(parts[2])
	if err1 != nil || err2 != nil || len(salt) < minSalt || len(salt) > maxBytes || len(key) < minKey || len(key) > maxBytes {
		return h, errPHC
	}
	h = phc{memory: uint32(n[0]), passes: uint32(n[1]), lanes: uint8(n[2]), salt: salt, key: key}
	if h.String() != s { // leading zeros, line breaks inside the base64
		return phc{}, errPHC
	}
	return h, nil
}
