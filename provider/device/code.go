package device

import (
	"crypto/rand"
	"strings"
	"unicode"
)

// letters are those of user codes: RFC 8628 section 6.1. Without vowels they spell no words. Eight make 34 bits.
const letters = "BCDFGHJKLMNPQRSTVWXZ"

const codeLength = 8

// maxTyped is of how much that was typed we make a code, in bytes.
const maxTyped = 100

// newCode returns a fresh user code, as it is stored and compared: RFC 8628 section 5.1.
func newCode() string {
	const even = 256 - 256%len(letters) // bytes from there on would favour some letters
	code := make([]byte, 0, codeLength)
	for random := make([]byte, 2*codeLength); len(code) < codeLength; {
		rand.Read(random)
		for _, b := range random {
			if int(b) < even && len(code) < codeLength {
				code = append(code, letters[int(b)%len(letters)])
			}
		}
	}
	return string(code)
}

// show is a user code as people read it; "" is none.
func show(code string) string {
	if code == "" {
		return ""
	}
	return code[:codeLength/2] + "-" + code[codeLength/2:]
}

// readCode returns the user code that somebody typed: RFC 8628 section 6.1, in capital or small letters, whatever stands between them. ok is
// false for what is none.
func readCode(typed string) (code string, ok bool) {
	if len(typed) > maxTyped {
		return "", false
	}
	code = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			return r
		}
		return -1
	}, typed)
	if len(code) != codeLength || strings.Trim(code, letters) != "" {
		return "", false
	}
	return code, true
}
