package users

import (
	"errors"
	"strings"
	"testing"
)

// light are parameters that cost nothing, for tests of what surrounds the hash.
const light = "$argon2id$v=19$m=8,t=1,p=1$"

// lightHash is hashed as [HashPassword] does it.
func lightHash(t testing.TB, password string) string {
	t.Helper()
	normalized, ok := normalize(password)
	if !ok {
		t.Fatalf("%q cannot be a password", password)
	}
	h := fresh()
	h.memory, h.passes = 8, 1
	h.key = derive(normalized, h)
	return h.String()
}

func TestHashPassword(t *testing.T) {
	t.Parallel()
	hash, err := HashPassword("correct horse")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%s, %v", hash, err)
	}
	h, err := parsePHC(hash)
	if err != nil || !h.matches(derive("correct horse", h)) || h.matches(derive("correct horse ", h)) {
		t.Errorf("%v", err)
	}
	if NeedsRehash(hash) {
		t.Error("a new hash is out of date")
	}
	if again, _ := HashPassword("correct horse"); again == hash {
		t.Error("two hashes share a salt")
	}
}

// A hash that the reference implementation made: argon2 -id -t 2 -k 65536 -p 1 -l 32, salt "somesalt", password "password".
func TestKnownHash(t *testing.T) {
	t.Parallel()
	const reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	h, err := parsePHC(reference)
	if err != nil || !h.matches(derive("password", h)) {
		t.Errorf("%v", err)
	}
	if !NeedsRehash(reference) {
		t.Error("other parameters need no rehash")
	}
}

func TestNewPassword(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		password string
		word     string // of the problem
	}{
		"NIST SP 800-63B: 8 characters": {"ä123456ö", ""},
		"7 characters of 14 bytes":      {"äääääää", "shorter"},
		"none":                          {"", "shorter"},
		"spaces count":                  {"        ", ""},
		"1024 bytes":                    {strings.Repeat("a", 1024), ""},
		"1025 bytes":                    {strings.Repeat("a", 1025), "longer"},
		"not UTF-8":                     {"1234567\xff8", "UTF-8"},
		"8 before, 4 after they become one letter": {strings.Repeat("e\u0301", 4), "shorter"},
	} {
		_, err := newPassword(c.password)
		var fault *FieldError
		if c.word == "" && err != nil || c.word != "" && (!errors.As(err, &fault) || fault.Field != "password" || !strings.Contains(fault.Problem, c.word)) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && c.password != "" && strings.Contains(err.Error(), c.password) {
			t.Errorf("%s: the message holds the password", name)
		}
	}
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	composed, _ := normalize("pässwörd ")
	apart, _ := normalize("pa\u0308sswo\u0308rd ")
	if composed != apart {
		t.Error("NIST SP 800-63B: two keyboards enter two passwords")
	}
	if !strings.HasSuffix(composed, " ") {
		t.Error("the password was trimmed")
	}
}

func TestParsePHC(t *testing.T) {
	t.Parallel()
	const salt, key = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if _, err := parsePHC(light + salt + "$" + key); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]string{
		"empty":                 "",
		"argon2i":               "$argon2i$v=19$m=8,t=1,p=1$" + salt + "$" + key,
		"another version":       "$argon2id$v=16$m=8,t=1,p=1$" + salt + "$" + key,
		"no version":            "$argon2id$m=8,t=1,p=1$" + salt + "$" + key,
		"too much memory":       "$argon2id$v=19$m=131073,t=1,p=1$" + salt + "$" + key,
		"memory of 32 bits":     "$argon2id$v=19$m=4294967295,t=1,p=1$" + salt + "$" + key,
		"memory of 33 bits":     "$argon2id$v=19$m=8589934592,t=1,p=1$" + salt + "$" + key,
		"RFC 9106 3.1: m < 8p":  "$argon2id$v=19$m=15,t=1,p=2$" + salt + "$" + key,
		"too many passes":       "$argon2id$v=19$m=8,t=11,p=1$" + salt + "$" + key,
		"no pass":               "$argon2id$v=19$m=8,t=0,p=1$" + salt + "$" + key,
		"no lane":               "$argon2id$v=19$m=8,t=1,p=0$" + salt + "$" + key,
		"256 lanes":             "$argon2id$v=19$m=4096,t=1,p=256$" + salt + "$" + key,
		"a negative number":     "$argon2id$v=19$m=8,t=-1,p=1$" + salt + "$" + key,
		"a leading zero":        "$argon2id$v=19$m=08,t=1,p=1$" + salt + "$" + key,
		"another order":         "$argon2id$v=19$t=1,m=8,p=1$" + salt + "$" + key,
		"a parameter too many":  "$argon2id$v=19$m=8,t=1,p=1,data=x$" + salt + "$" + key,
		"a short salt":          light + "c29tZXNh" + "$" + key,
		"a short key":           light + salt + "$" + "CTFhFdXPJO1aFaMaO6Mm",
		"no key":                light + salt + "$",
		"no salt":               light + "$" + key,
		"a part too many":       light + salt + "$" + key + "$",
		"padding":               light + "c29tZXNhbHQ=" + "$" + key,
		"base64url":             light + salt + "$" + strings.ReplaceAll(key, "P", "_"),
		"trailing bits":         light + "c29tZXNhbHR" + "$" + key,
		"a line break":          light + salt + "$" + key[:10] + "\n" + key[10:],
		"a newline behind":      light + salt + "$" + key + "\n",
		"a key beyond reason":   light + salt + "$" + strings.Repeat("A", 200),
		"megabytes of dollars":  strings.Repeat("$", 1<<20),
		"a bcrypt hash":         "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"the password in clear": "correct horse",
	} {
		if _, err := parsePHC(s); err == nil {
			t.Errorf("%s passes", name)
		} else if s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("%s: the message holds the hash", name)
		}
		if !NeedsRehash(s) {
			t.Errorf("%s needs no rehash", name)
		}
	}
}

// What is read prints back the same and is within the bounds.
func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add(light + "$$")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parsePHC(s)
		if err != nil {
			return
		}
		if h.String() != s {
			t.Errorf("%q prints as %q", s, h)
		}
		if h.memory > maxMemory || h.passes < 1 || h.passes > maxPasses || h.lanes < 1 || h.lanes > maxLanes ||
			uint32(h.lanes)*8 > h.memory || len(h.salt) < minSalt || len(h.key) < minKey {
			t.Errorf("%q is out of bounds", s)
		}
	})
}
