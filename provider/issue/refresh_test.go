package issue_test

import (
	"encoding/base64"
	"testing"
	"time"

	"signet/keys"
	"signet/keys/keystest"
	"signet/provider/issue"
	"signet/storage"
)

var instant = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func issuer(tb testing.TB, name string) *issue.Issuer {
	tb.Helper()
	now := func() time.Time { return instant }
	return issue.New(issue.Options{Issuer: name, Keys: keystest.New(tb, keys.Options{Now: now, Algs: []string{"ES256"}}), Now: now})
}

func family(i *issue.Issuer, generation uint32) storage.Family {
	return storage.Family{ID: storage.NewID(instant), Generation: generation, MACKey: i.Keys.MACKey()}
}

func token(tb testing.TB, i *issue.Issuer, f storage.Family) string {
	tb.Helper()
	s, err := i.RefreshTokenOf(f)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestRefreshToken(t *testing.T) {
	t.Parallel()
	i := issuer(t, "https://id.example")
	f := family(i, 7)
	s := token(t, i, f)
	if s != token(t, i, f) {
		t.Error("one row gives two tokens")
	}
	got, ok := i.ParseRefreshToken(s)
	if !ok || got != (issue.RefreshToken{MACKey: f.MACKey, Family: f.ID, Generation: 7}) {
		t.Errorf("read as %+v, %t", got, ok)
	}
	next := f
	next.Generation++
	if token(t, i, next) == s {
		t.Error("two generations give one token")
	}
	sameKeys := i.Options
	sameKeys.Issuer = "https://other.example"
	if _, ok := issue.New(sameKeys).ParseRefreshToken(s); ok {
		t.Error("another issuer takes it")
	}
	f.MACKey++
	if _, err := i.RefreshTokenOf(f); err == nil {
		t.Error("a token is made with a key that is not there")
	}
}

// Each byte counts: version, key, family, generation and MAC.
func TestTamperedRefreshToken(t *testing.T) {
	t.Parallel()
	i := issuer(t, "https://id.example")
	raw, err := base64.RawURLEncoding.DecodeString(token(t, i, family(i, 1)))
	if err != nil {
		t.Fatal(err)
	}
	for at := range raw {
		for _, flip := range []byte{1, 0x80, 0xff} {
			raw[at] ^= flip
			if _, ok := i.ParseRefreshToken(base64.RawURLEncoding.EncodeToString(raw)); ok {
				t.Errorf("byte %d may be changed", at)
			}
			raw[at] ^= flip
		}
	}
	for _, s := range []string{"", "x", base64.RawURLEncoding.EncodeToString(raw[:len(raw)-1]), base64.RawURLEncoding.EncodeToString(append(raw, 0)), base64.URLEncoding.EncodeToString(raw[:len(raw)-1])} {
		if _, ok := i.ParseRefreshToken(s); ok {
			t.Errorf("%q is taken", s)
		}
	}
}

// FuzzParseRefreshToken: nothing is taken but what RefreshTokenOf made, and no token has a second spelling.
func FuzzParseRefreshToken(f *testing.F) {
	i := issuer(f, "https://id.example")
	for _, generation := range []uint32{0, 1, 1<<32 - 1} {
		s := token(f, i, family(i, generation))
		f.Add(s, uint8(0), uint8(0))
		f.Add(s, uint8(len(s)-1), uint8(1))
		f.Add(s+"=", uint8(3), uint8(2))
		f.Add(s[:40]+"\n"+s[40:], uint8(40), uint8(0))
	}
	f.Add("", uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, s string, at, flip uint8) {
		got, ok := i.ParseRefreshToken(s)
		if !ok {
			return
		}
		if made := token(t, i, storage.Family{ID: got.Family, Generation: got.Generation, MACKey: got.MACKey}); made != s {
			t.Fatalf("%q is taken, %q was made", s, made)
		}
		other := []byte(s)
		other[int(at)%len(other)] ^= flip
		if _, ok := i.ParseRefreshToken(string(other)); ok && string(other) != s {
			t.Fatalf("%q is taken as well", other)
		}
	})
}
