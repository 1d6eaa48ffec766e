package issue

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"signet/keys"
	"signet/keys/keystest"
	"signet/storage"
)

// sealer is an issuer that seals and opens, and nothing else.
func sealer(tb testing.TB, issuer string, k *keys.Keys) *Issuer {
	tb.Helper()
	return New(Options{Issuer: issuer, Keys: k, Now: time.Now})
}

func TestOpaqueTokens(t *testing.T) {
	t.Parallel()
	ring := keystest.New(t, keys.Options{Algs: []string{"ES256"}})
	i := sealer(t, "https://id.example", ring)
	payload := []byte(`{"iss":"https://id.example","sub":"alice"}`)
	token, err := i.sealAccess(payload)
	if err != nil {
		t.Fatal(err)
	}
	if got, ours, err := i.openAccess(token); err != nil || !ours || !bytes.Equal(got, payload) {
		t.Fatalf("%s %t %v", got, ours, err)
	}
	if strings.ContainsFunc(token, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", r)
	}) {
		t.Errorf("RFC 6750 2.1: %s", token)
	}
	refused := func(name, token string) {
		t.Helper()
		if got, ours, err := i.openAccess(token); err == nil || !ours || got != nil {
			t.Errorf("%s: %q is opened: %s", name, token, got)
		}
	}
	t.Run("the same twice is not the same token", func(t *testing.T) {
		if again, err := i.sealAccess(payload); err != nil || again == token {
			t.Errorf("%v", err)
		}
	})
	t.Run("each bit counts", func(t *testing.T) {
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, opaquePrefix))
		if err != nil {
			t.Fatal(err)
		}
		for at := range raw {
			for bit := range 8 {
				raw[at] ^= 1 << bit
				refused("changed", opaquePrefix+base64.RawURLEncoding.EncodeToString(raw))
				raw[at] ^= 1 << bit
			}
		}
	})
	t.Run("each length but one", func(t *testing.T) {
		for n := len(opaquePrefix); n < len(token); n++ {
			refused("cut", token[:n])
		}
		refused("longer", token+"A")
		refused("longer", token+"AAAA")
		refused("much longer", opaquePrefix+strings.Repeat("A", maxOpaque+1))
	})
	t.Run("one spelling", func(t *testing.T) {
		refused("padded", token+"=")
		refused("with a line break", token[:20]+"\n"+token[20:])
		refused("in the alphabet of plain base64", opaquePrefix+"+"+token[len(opaquePrefix)+1:])
		for _, other := range []string{"", "x", strings.ToUpper(opaquePrefix) + token[len(opaquePrefix):], " " + token, strings.TrimPrefix(token, opaquePrefix), "eyJhbGciOiJub25lIn0.e30."} {
			if _, ours, _ := i.openAccess(other); ours {
				t.Errorf("%q is taken for one of ours", other)
			}
		}
	})
	t.Run("another issuer on the same ring", func(t *testing.T) {
		if _, _, err := sealer(t, "https://id.example/other", ring).openAccess(token); err == nil {
			t.Error("opened")
		}
	})
	t.Run("another ring", func(t *testing.T) {
		if _, _, err := sealer(t, "https://id.example", keystest.New(t, keys.Options{Algs: []string{"ES256"}})).openAccess(token); err == nil {
			t.Error("opened")
		}
	})
	t.Run("RFC 8725 2.8: the parts of two", func(t *testing.T) {
		other, err := i.sealAccess([]byte(`{"iss":"https://id.example","sub":"mallo"}`))
		if err != nil {
			t.Fatal(err)
		}
		head := base64.RawURLEncoding.EncodedLen(opaqueHead) + len(opaquePrefix) // 21 bytes end with a character
		refused("the head of one and the body of the other", token[:head]+other[head:])
	})
	t.Run("a MAC of another purpose is no key", func(t *testing.T) { // refresh tokens are made with the same ring
		refresh, err := i.RefreshTokenOf(storage.Family{ID: storage.NewID(time.Now()), MACKey: ring.MACKey()})
		if err != nil {
			t.Fatal(err)
		}
		refused("a refresh token", opaquePrefix+refresh)
		if _, ok := i.ParseRefreshToken(token); ok {
			t.Error("an opaque token is taken for a refresh token")
		}
	})
}

// FuzzOpenAccess: nothing is opened but what was sealed here.
func FuzzOpenAccess(f *testing.F) {
	i := sealer(f, "https://id.example", keystest.New(f, keys.Options{Algs: []string{"ES256"}}))
	const payload = `{"iss":"https://id.example"}`
	good, err := i.sealAccess([]byte(payload))
	if err != nil {
		f.Fatal(err)
	}
	for _, token := range []string{good, good[:len(good)-1], good + "A", "", opaquePrefix, opaquePrefix + "AQ", opaquePrefix + "====", "a.b.c", opaquePrefix + strings.Repeat("A", 64)} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		got, ours, err := i.openAccess(token)
		switch {
		case ours != strings.HasPrefix(token, opaquePrefix):
			t.Fatalf("ours: %t", ours)
		case err == nil && ours && (token != good || string(got) != payload):
			t.Fatalf("%q is opened: %s", token, got)
		}
		_, _ = i.ParseAccessToken(token)
	})
}
