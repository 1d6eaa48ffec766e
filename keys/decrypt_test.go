package keys_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/keys"
	"signet/keys/keystest"
	"signet/storage"
)

const inner = "a.signed.jwt"

// encryption returns the published keys that clients encrypt to, by alg.
func encryption(tb testing.TB, k *keys.Keys) map[string]jose.JSONWebKey {
	tb.Helper()
	body, _ := k.JWKS()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		tb.Fatal(err)
	}
	found := map[string]jose.JSONWebKey{}
	for _, key := range set.Keys {
		if key.Use != "enc" {
			continue
		}
		if _, twice := found[key.Algorithm]; twice || !key.IsPublic() {
			tb.Errorf("of %s more is published than one public key", key.Algorithm)
		}
		found[key.Algorithm] = key
	}
	return found
}

// encrypt does what a client does that knows the published key. It can change how.
func encrypt(tb testing.TB, key jose.JSONWebKey, enc string, how ...func(*jose.Recipient, *jose.EncrypterOptions)) string {
	tb.Helper()
	o := (&jose.EncrypterOptions{}).WithContentType("JWT")
	to := jose.Recipient{Algorithm: jose.KeyAlgorithm(key.Algorithm), Key: key.Key, KeyID: key.KeyID}
	for _, change := range how {
		change(&to, o)
	}
	e, err := jose.NewEncrypter(jose.ContentEncryption(enc), to, o)
	if err != nil {
		tb.Fatal(err)
	}
	jwe, err := e.Encrypt([]byte(inner))
	if err != nil {
		tb.Fatal(err)
	}
	token, err := jwe.CompactSerialize()
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

func header(name string, value any) func(*jose.Recipient, *jose.EncrypterOptions) {
	return func(_ *jose.Recipient, o *jose.EncrypterOptions) { o.WithHeader(jose.HeaderKey(name), value) }
}

func sentTo(kid string) func(*jose.Recipient, *jose.EncrypterOptions) {
	return func(to *jose.Recipient, _ *jose.EncrypterOptions) { to.KeyID = kid }
}

// flipped is a token with another bit in one of its parts.
func flipped(tb testing.TB, token string, i int) string {
	tb.Helper()
	parts := strings.Split(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[i])
	if err != nil || len(raw) == 0 {
		tb.Fatalf("part %d: %v", i, err)
	}
	raw[len(raw)/2] ^= 4
	parts[i] = base64.RawURLEncoding.EncodeToString(raw)
	return strings.Join(parts, ".")
}

func TestDecrypt(t *testing.T) {
	t.Parallel()
	k := keystest.New(t, keys.Options{Algs: []string{"ES256"}, Encryption: keys.EncryptionAlgs()})
	published := encryption(t, k)
	if err := k.Ready(); err != nil || len(published) != len(keys.EncryptionAlgs()) {
		t.Fatalf("%v, published %v", err, published)
	}
	for _, alg := range keys.EncryptionAlgs() {
		for _, enc := range keys.EncryptionEncs {
			if got, err := k.Decrypt(encrypt(t, published[alg], enc)); got != inner || err != nil {
				t.Errorf("RFC 7518 4.1, 5.1: %s with %s: %q, %v", alg, enc, got, err)
			}
		}
		if got, err := k.Decrypt(encrypt(t, published[alg], "A128GCM", sentTo("")), alg); got != inner || err != nil {
			t.Errorf("RFC 7516 4.1.6: %s without kid: %q, %v", alg, got, err)
		}
		if _, err := k.Decrypt(encrypt(t, published[alg], "A128GCM"), "another"); !errors.Is(err, keys.ErrJWE) {
			t.Errorf("%s where another is expected: %v", alg, err)
		}
	}
	for name, change := range map[string]func(*jose.Recipient, *jose.EncrypterOptions){
		"RFC 7519 5.2: cty":                        header("cty", "application/jwt"),
		"RFC 7519 5.3: claims beside":              header("iss", "app"),
		"RFC 7516 4: what is unknown is ignored":   header("colour", "red"),
		"RFC 7516 4.1.11: typ, which says nothing": header("typ", "JOSE"),
	} {
		if got, err := k.Decrypt(encrypt(t, published["ECDH-ES"], "A256GCM", change)); got != inner || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestDecryptRefuses(t *testing.T) {
	t.Parallel()
	k := keystest.New(t, keys.Options{Algs: []string{"ES256"}, Encryption: []string{"RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW"}})
	to := encryption(t, k)
	rs, es, kw := to["RSA-OAEP-256"], to["ECDH-ES"], to["ECDH-ES+A128KW"]
	off := kw
	off.Algorithm = "ECDH-ES+A256KW"
	old := rs
	old.Algorithm = "RSA-OAEP"
	for name, token := range map[string]string{
		"nothing":                                       "",
		"no JWE":                                        "a.b.c",
		"an empty header":                               base64.RawURLEncoding.EncodeToString([]byte("{}")) + "....",
		"RFC 7516 7.2: JSON serialization":              `{"protected":"e30","ciphertext":"AAAA"}`,
		"RFC 8725 3.1: an algorithm that is off":        encrypt(t, off, "A128GCM"),
		"RFC 8725 3.2: RSA-OAEP with SHA-1":             encrypt(t, old, "A128GCM"),
		"RFC 7518 5.1: an enc that is not offered":      encrypt(t, es, "A192GCM"),
		"RFC 8725 3.6: compressed":                      encrypt(t, es, "A128GCM", func(_ *jose.Recipient, o *jose.EncrypterOptions) { o.Compression = jose.DEFLATE }),
		"RFC 7516 4.1.13: crit":                         encrypt(t, es, "A128GCM", header("crit", []string{"x"}), header("x", 1)),
		"RFC 8725 3.10: jku":                            encrypt(t, es, "A128GCM", header("jku", "https://evil.example/keys")),
		"RFC 8725 3.10: x5u":                            encrypt(t, es, "A128GCM", header("x5u", "https://evil.example/cert")),
		"RFC 7516 4.1.5: jwk":                           encrypt(t, es, "A128GCM", header("jwk", jose.JSONWebKey{Key: es.Key})),
		"RFC 7518 4.8.1.2: p2c":                         encrypt(t, rs, "A128GCM", header("p2c", 1<<30)),
		"RFC 7519 5.2: cty of something else":           encrypt(t, es, "A128GCM", header("cty", "image/png")),
		"cty that is no text":                           encrypt(t, es, "A128GCM", header("cty", 5)),
		"RFC 7516 5.2: an encrypted key with ECDH-ES":   strings.Replace(encrypt(t, es, "A128GCM"), "..", ".AAAA.", 1),
		"a sixth part":                                  encrypt(t, es, "A128GCM") + ".AAAA",
		"longer than what we read":                      encrypt(t, es, "A128GCM") + strings.Repeat("A", 64<<10),
		"base64 with padding":                           encrypt(t, es, "A128GCM") + "==",
		"a header cut short":                            encrypt(t, kw, "A128GCM")[1:],
		"RFC 7516 4.1.1: alg none, and dir with no key": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"dir","enc":"A128GCM"}`)) + "..AAAA.AAAA.AAAA",
	} {
		if got, err := k.Decrypt(token); !errors.Is(err, keys.ErrJWE) || got != "" || strings.Contains(err.Error(), "evil") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}

	// One error and one wording for whatever is wrong once a key is looked for: RFC 7516 section 11.5.
	stranger := encryption(t, keystest.New(t, keys.Options{Algs: []string{"ES256"}, Encryption: []string{"RSA-OAEP-256", "ECDH-ES"}, Generate: keys.Generate}))
	offCurve := `{"alg":"ECDH-ES","enc":"A128GCM","kid":"` + es.KeyID + `","epk":{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"}}`
	noEPK := `{"alg":"ECDH-ES","enc":"A128GCM","kid":"` + es.KeyID + `"}`
	otherCurve := `{"alg":"ECDH-ES","enc":"A128GCM","kid":"` + es.KeyID + `","epk":{"kty":"OKP","crv":"X25519","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"}}`
	body := "..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA"
	b64 := base64.RawURLEncoding.EncodeToString
	for name, token := range map[string]string{
		"an unknown kid": encrypt(t, rs, "A128GCM", sentTo("nobody")),
		"RFC 8725 3.1: a kid of another algorithm": encrypt(t, es, "A128GCM", sentTo(kw.KeyID)),
		"a kid of a signing key":                   encrypt(t, es, "A128GCM", sentTo(kid(k, "ES256", keys.Active))),
		"a stranger's RSA key":                     encrypt(t, stranger["RSA-OAEP-256"], "A128GCM", sentTo(rs.KeyID)),
		"a stranger's EC key":                      encrypt(t, stranger["ECDH-ES"], "A128GCM", sentTo(es.KeyID)),
		"RSA: another encrypted key":               flipped(t, encrypt(t, rs, "A128CBC-HS256"), 1),
		"RSA: no encrypted key":                    flippedOut(encrypt(t, rs, "A128CBC-HS256"), 1),
		"wrapped: another encrypted key":           flipped(t, encrypt(t, kw, "A128GCM"), 1),
		"GCM: another nonce":                       flipped(t, encrypt(t, es, "A256GCM"), 2),
		"GCM: no nonce":                            flippedOut(encrypt(t, es, "A256GCM"), 2),
		"GCM: another text":                        flipped(t, encrypt(t, es, "A256GCM"), 3),
		"GCM: another tag":                         flipped(t, encrypt(t, es, "A256GCM"), 4),
		"GCM: no tag":                              flippedOut(encrypt(t, es, "A256GCM"), 4),
		"CBC: another nonce":                       flipped(t, encrypt(t, rs, "A128CBC-HS256"), 2),
		"CBC: another text":                        flipped(t, encrypt(t, rs, "A256CBC-HS512"), 3),
		"CBC: another tag":                         flipped(t, encrypt(t, rs, "A256CBC-HS512"), 4),
		"CBC: no text":                             flippedOut(encrypt(t, rs, "A128CBC-HS256"), 3),
		"RFC 8725 3.4: a point off the curve":      b64([]byte(offCurve)) + body,
		"RFC 7518 4.6.1.1: no epk":                 b64([]byte(noEPK)) + body,
		"RFC 7518 4.6.1.1: epk of another curve":   b64([]byte(otherCurve)) + body,
	} {
		if got, err := k.Decrypt(token); err != keys.ErrDecrypt || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// flippedOut is a token with one part empty.
func flippedOut(token string, i int) string {
	parts := strings.Split(token, ".")
	parts[i] = ""
	return strings.Join(parts, ".")
}

func TestLifeOfEncryptionKeys(t *testing.T) {
	t.Parallel()
	c := newClock()
	store := new(keystest.Rings)
	o := options(store, c)
	o.Generate = keystest.Generator()
	before := open(t, o) // a store from before there were such keys
	if ring, err := store.Ring(t.Context()); err != nil || ring.Encryption != nil || len(encryption(t, before)) > 0 {
		t.Fatalf("off, and there are %v, %v", ring.Encryption, err)
	}
	if _, err := before.Decrypt("a.b.c.d.e"); !errors.Is(err, keys.ErrJWE) {
		t.Errorf("off: %v", err)
	}

	o.Encryption = []string{"RSA-OAEP-256"}
	k, other := open(t, o), open(t, o)
	first := encryption(t, k)["RSA-OAEP-256"]
	if got := states(k, "RSA-OAEP-256"); !slices.Equal(got, []keys.State{keys.Active, keys.Next}) || first.KeyID != kid(k, "RSA-OAEP-256", keys.Active) {
		t.Fatalf("turned on: %v, published %s", got, first.KeyID)
	}
	waiting := kid(k, "RSA-OAEP-256", keys.Next)
	if slices.Contains(published(t, k), waiting) {
		t.Error("the next key is published")
	}
	under := encrypt(t, first, "A128CBC-HS256")

	c.pass(30*day - time.Second)
	tick(t, k)
	if got := encryption(t, k)["RSA-OAEP-256"]; got.KeyID != first.KeyID {
		t.Error("rotated too early")
	}
	c.pass(time.Second)
	tick(t, k)
	second := encryption(t, k)["RSA-OAEP-256"]
	if second.KeyID != waiting {
		t.Fatalf("published %s, and not the next key %s", second.KeyID, waiting)
	}
	if got, err := other.Decrypt(encrypt(t, second, "A128GCM")); got != inner || err != nil {
		t.Errorf("a server that has not reloaded the ring does not know what is published: %v", err)
	}
	if pair := pairOf(t, store, first.KeyID); pair.Sealed == nil {
		t.Error("the private part is gone, and a JWKS may be cached")
	}
	for _, s := range []*keys.Keys{k, reopened(t, o)} {
		if got, err := s.Decrypt(under); got != inner || err != nil {
			t.Errorf("Core 10.2.1: encrypted to the retired key: %v", err)
		}
		if _, err := s.Decrypt(encrypt(t, first, "A128GCM", sentTo(""))); err != keys.ErrDecrypt {
			t.Errorf("without kid it is the published key: %v", err)
		}
	}
	c.pass(day + keys.Lag - time.Second)
	tick(t, k)
	if got, err := k.Decrypt(under); got != inner || err != nil {
		t.Errorf("a day later: %v", err)
	}
	c.pass(time.Second)
	tick(t, k)
	if _, err := k.Decrypt(under); err != keys.ErrDecrypt {
		t.Errorf("rotated out: %v", err)
	}
	if got := states(k, "RSA-OAEP-256"); !slices.Equal(got, []keys.State{keys.Active, keys.Next}) {
		t.Errorf("%v; the old one is not gone", got)
	}

	o.Encryption = nil
	o.Algs = []string{"ES256"}
	off := open(t, o)
	if _, err := off.Decrypt(encrypt(t, second, "A128GCM")); !errors.Is(err, keys.ErrJWE) || len(encryption(t, off)) > 0 {
		t.Errorf("turned off again: %v, published %v", err, encryption(t, off))
	}
	c.pass(32 * day)
	tick(t, off)
	c.pass(2 * day)
	tick(t, off)
	if got := states(off, "RSA-OAEP-256"); got != nil {
		t.Errorf("long after it was turned off: %v", got)
	}
}

func reopened(tb testing.TB, o keys.Options) *keys.Keys {
	tb.Helper()
	return open(tb, o)
}

func pairOf(tb testing.TB, r storage.Rings, kid string) storage.KeyPair {
	tb.Helper()
	ring, err := r.Ring(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	i := slices.IndexFunc(ring.Encryption, func(k storage.KeyPair) bool { return k.KID == kid })
	if i < 0 {
		tb.Fatalf("no key %s", kid)
	}
	return ring.Encryption[i]
}

func TestRotateEncryptionKeys(t *testing.T) {
	t.Parallel()
	c := newClock()
	store := new(keystest.Rings)
	o := options(store, c)
	o.Encryption = []string{"ECDH-ES"}
	k := open(t, o)
	first := encryption(t, k)["ECDH-ES"]
	var young *keys.YoungError
	if _, err := k.Rotate(t.Context(), keys.RotateOptions{Alg: "ECDH-ES", Now: true}, storage.Change{}); !errors.As(err, &young) || !young.Possible.Equal(start.Add(keys.Lag)) || strings.Contains(err.Error(), "published") {
		t.Errorf("rotated at once to a key that others may not know: %v", err)
	}
	if _, err := k.Rotate(t.Context(), keys.RotateOptions{Alg: "ECDH-ES"}, storage.Change{Detail: "asked"}); err != nil {
		t.Fatal(err)
	}
	c.pass(keys.Lag)
	tick(t, k)
	second := encryption(t, k)["ECDH-ES"]
	if second.KeyID == first.KeyID || len(states(k, "ES256")) != 2 {
		t.Errorf("asked for, by the name of the algorithm, and not rotated: %v", k.List())
	}
	c.pass(keys.Lag)
	if _, err := k.Rotate(t.Context(), keys.RotateOptions{Alg: "ECDH-ES", Now: true}, storage.Change{}); err != nil {
		t.Fatal(err)
	}
	third := encryption(t, k)["ECDH-ES"]
	if third.KeyID == second.KeyID {
		t.Error("not rotated at once")
	}
	if err := k.Revoke(t.Context(), third.KeyID, storage.Change{}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Decrypt(encrypt(t, third, "A128GCM")); err != keys.ErrDecrypt || pairOf(t, store, third.KeyID).Sealed != nil {
		t.Errorf("RFC 7516 11: a key that leaked still decrypts: %v", err)
	}
	if fourth := encryption(t, k)["ECDH-ES"]; fourth.KeyID == "" || fourth.KeyID == third.KeyID {
		t.Error("nothing took the place of the revoked key")
	}
	if got, err := k.Decrypt(encrypt(t, second, "A128GCM")); got != inner || err != nil {
		t.Errorf("the retired key: %v", err)
	}
	for _, i := range k.List() {
		if i.Alg == "ECDH-ES" && (i.Use != "enc" || i.Published() != i.Active || i.State == keys.Retired && !i.Until.Equal(i.Retired.Add(day+keys.Lag))) {
			t.Errorf("the operator is told %+v", i)
		}
	}
	var told []string
	for _, change := range store.Changes() {
		told = append(told, change.Detail)
	}
	for _, what := range []string{"ECDH-ES key " + first.KeyID + " made, active", "asked: ECDH-ES key " + first.KeyID + " asked to retire", "ECDH-ES key " + first.KeyID + " retired", "ECDH-ES key " + third.KeyID + " revoked"} {
		if !strings.Contains(strings.Join(told, "\n"), what) {
			t.Errorf("the audit log lacks %q:\n%s", what, strings.Join(told, "\n"))
		}
	}
}

func TestEncryptionKeysInTheRing(t *testing.T) {
	t.Parallel()
	c := newClock()
	store := new(keystest.Rings)
	o := options(store, c)
	o.Encryption, o.Generate = []string{"ECDH-ES", "ECDH-ES+A128KW"}, keystest.Generator()
	k := open(t, o)
	ring, err := store.Ring(t.Context())
	if err != nil || len(ring.Encryption) != 4 || len(ring.Signing) != 2 {
		t.Fatalf("%d and %d, %v", len(ring.Encryption), len(ring.Signing), err)
	}
	body, _ := k.JWKS()
	for i, pair := range ring.Encryption {
		if bytes.Contains(body, pair.Sealed) || pair.KID == ring.Signing[0].KID || bytes.Equal(pair.Public, ring.Signing[0].Public) {
			t.Errorf("%d: %+v", i, pair)
		}
	}
	if err := k.Ready(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*storage.Ring){
		"a sealed part of another row": func(r *storage.Ring) {
			r.Encryption[0].Sealed, r.Encryption[2].Sealed = r.Encryption[2].Sealed, r.Encryption[0].Sealed
		},
		"a key of another algorithm":    func(r *storage.Ring) { r.Encryption[0].Alg = "ECDH-ES+A128KW" },
		"another public part":           func(r *storage.Ring) { r.Encryption[0].Public = r.Encryption[2].Public },
		"a signing key among them":      func(r *storage.Ring) { r.Encryption[0] = r.Signing[0]; r.Encryption[0].Alg = "ECDH-ES" },
		"sealed by a key that is lacks": func(r *storage.Ring) { r.Encryption[0].Seal = 9 },
	} {
		changed := ring
		changed.Encryption, changed.Revision = slices.Clone(ring.Encryption), 0
		change(&changed)
		o := o
		o.Store = new(keystest.Rings)
		if _, err := o.Store.SaveRing(t.Context(), changed, storage.Change{}); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Open(t.Context(), o); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	for _, wrong := range [][]string{{"RSA1_5"}, {"dir"}, {"ES256"}, {"ECDH-ES", "ECDH-ES"}} {
		o := o
		o.Encryption = wrong
		if _, err := keys.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), wrong[0]) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}

// FuzzDecrypt reads anything: it never says more than one of two things, and what opens is what was encrypted.
func FuzzDecrypt(f *testing.F) {
	k := keystest.New(f, keys.Options{Algs: []string{"ES256"}, Encryption: []string{"RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW"}})
	for alg, key := range encryption(f, k) {
		good := encrypt(f, key, "A128CBC-HS256")
		f.Add(good)
		f.Add(flipped(f, good, 0))
		f.Add(flipped(f, good, 4))
		f.Add(encrypt(f, key, "A256GCM", sentTo("")))
		head := fmt.Sprintf(`{"alg":%q,"enc":"A128GCM","kid":%q,"epk":{"kty":"EC","crv":"P-384","x":"","y":""},"apu":5,"crit":[],"zip":"DEF"}`, alg, key.KeyID)
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(head)) + "....")
	}
	f.Add("....")
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		got, err := k.Decrypt(token)
		switch {
		case err == nil && got != inner:
			t.Fatalf("%q opens as %q", token, got)
		case err != nil && (got != "" || err != keys.ErrDecrypt && !errors.Is(err, keys.ErrJWE)):
			t.Fatalf("%q: %q, %v", token, got, err)
		}
	})
}
