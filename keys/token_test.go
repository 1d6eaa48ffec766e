package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"signet/keys"
	"signet/keys/keystest"
	"signet/storage"
)

// all has a key for each algorithm that can be turned on. Signing and verifying leave it as it is.
func all(tb testing.TB) *keys.Keys {
	return keystest.New(tb, keys.Options{Algs: keys.SupportedAlgs()})
}

var b64 = base64.RawURLEncoding

// part decodes one part of a token.
func part(tb testing.TB, token string, i int) []byte {
	tb.Helper()
	decoded, err := b64.DecodeString(strings.Split(token, ".")[i])
	if err != nil {
		tb.Fatal(err)
	}
	return decoded
}

// with returns the token with another header.
func with(token, header string) string {
	_, rest, _ := strings.Cut(token, ".")
	return b64.EncodeToString([]byte(header)) + "." + rest
}

func TestSignature(t *testing.T) {
	t.Parallel()
	k := all(t)
	claims := []byte(`{"iss":"https://id.example.com","sub":"ä"}`)
	body, _ := k.JWKS()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	size := map[string]int{"ES256": 64, "ES384": 96, "ES512": 132, "EdDSA": 64}
	for _, alg := range k.Algs() {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			for _, typ := range []string{"", "JWT", "at+jwt", "never prepared"} {
				token, err := k.Sign(alg, typ, claims)
				if err != nil {
					t.Fatal(err)
				}
				want := fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":%q}`, alg, kid(k, alg, keys.Active), typ)
				want = strings.Replace(want, `,"typ":""`, "", 1)
				if got := part(t, token, 0); string(got) != want {
					t.Errorf("header %s, want %s", got, want)
				}
				if n := len(part(t, token, 2)); size[alg] != 0 && n != size[alg] || size[alg] == 0 && n != 256 {
					t.Errorf("RFC 7518 3.4: a signature of %d bytes", n)
				}
				if payload, got, err := k.Verify(token, "x", typ); err != nil || got != alg || !bytes.Equal(payload, claims) {
					t.Errorf("typ %q: %s, %s, %v", typ, payload, got, err)
				}
				jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
				if err != nil {
					t.Fatal(err)
				}
				if payload, err := jws.Verify(set); err != nil || !bytes.Equal(payload, claims) {
					t.Error("by the published keys:", err)
				}
			}
			if _, _, err := k.Verify(sign(t, k, alg), "JWT"); !errors.Is(err, keys.ErrToken) {
				t.Error("RFC 8725 3.11: an access token passes for another kind:", err)
			}
		})
	}
	t.Run("an independent relying party agrees", func(t *testing.T) {
		t.Parallel()
		public := &oidc.StaticKeySet{}
		for _, key := range set.Keys {
			public.PublicKeys = append(public.PublicKeys, key.Key)
		}
		verifier := oidc.NewVerifier("https://id.example.com", public, &oidc.Config{
			SkipClientIDCheck: true, SkipExpiryCheck: true, SupportedSigningAlgs: k.Algs(),
		})
		for _, alg := range k.Algs() {
			token, err := k.Sign(alg, "JWT", claims)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := verifier.Verify(t.Context(), token); err != nil {
				t.Errorf("%s: %v", alg, err)
			}
		}
	})
}

// RFC 7518 3.4: r and s keep their leading zeros. One signature in 128 has one.
func TestFixedLengthKeepsLeadingZeros(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ r, s int64 }{{1, 2}, {0x80, 0xff}, {1 << 40, 1}} {
		der, err := asn1.Marshal(struct{ R, S *big.Int }{big.NewInt(c.r), big.NewInt(c.s)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := keys.FixedLength(der, 32)
		if err != nil || len(got) != 64 ||
			new(big.Int).SetBytes(got[:32]).Int64() != c.r || new(big.Int).SetBytes(got[32:]).Int64() != c.s {
			t.Errorf("%d, %d: %x, %v", c.r, c.s, got, err)
		}
	}
	tooLong, _ := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)})
	for _, der := range [][]byte{nil, {0x30}, tooLong, {0x30, 3, 2, 1, 1}} {
		if _, err := keys.FixedLength(der, 32); err == nil {
			t.Errorf("%x is a signature", der)
		}
	}
}

// RFC 6979 A.2.5, P-256 with SHA-256: the key and the signatures of "sample" and "test".
func TestDeterministicECDSA(t *testing.T) {
	t.Parallel()
	scalar, err := hex.DecodeString("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	if err != nil {
		t.Fatal(err)
	}
	spare := keystest.Generator() // for the next key
	var first atomic.Bool
	k := keystest.New(t, keys.Options{Algs: []string{"ES256"}, Generate: func(alg string) (crypto.Signer, error) {
		if first.CompareAndSwap(false, true) {
			return key, nil
		}
		return spare(alg)
	}})
	if !key.PublicKey.Equal(publicOf(t, k, "ES256")) { // the two are made side by side
		if _, err := k.Rotate(t.Context(), keys.RotateOptions{Now: true, Force: true}, storage.Change{}); err != nil {
			t.Fatal(err)
		}
	}
	for input, want := range map[string]string{
		"sample": "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
		"test":   "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083",
	} {
		got, err := k.SignBare("ES256", []byte(input))
		if err != nil || !strings.EqualFold(hex.EncodeToString(got), want) {
			t.Errorf("%s: %x, %v", input, got, err)
		}
	}
}

// publicOf returns the active public key of alg, as anybody can read it.
func publicOf(tb testing.TB, k *keys.Keys, alg string) crypto.PublicKey {
	tb.Helper()
	body, _ := k.JWKS()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		tb.Fatal(err)
	}
	return set.Key(kid(k, alg, keys.Active))[0].Key
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	generate := keystest.Generator()
	var lock sync.Mutex
	made := map[string]crypto.Signer{} // by public key
	k := keystest.New(t, keys.Options{Algs: keys.SupportedAlgs(), Generate: func(alg string) (crypto.Signer, error) {
		key, err := generate(alg)
		lock.Lock()
		defer lock.Unlock()
		made[fmt.Sprint(key.Public())] = key
		return key, err
	}})
	rsa256 := made[fmt.Sprint(publicOf(t, k, "RS256"))]
	es, rs := sign(t, k, "ES256"), sign(t, k, "RS256")
	esKID, rsKID := kid(k, "ES256", keys.Active), kid(k, "RS256", keys.Active)
	header := func(alg, kid, more string) string {
		return fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"at+jwt"%s}`, alg, kid, more)
	}
	unsigned := func(alg string) string {
		return b64.EncodeToString([]byte(header(alg, esKID, ""))) + "." + b64.EncodeToString([]byte(`{"sub":"a"}`)) + "."
	}
	// foreign signs with a key that is not ours.
	foreign := func(alg, header string) string {
		other := keystest.New(t, keys.Options{Algs: []string{alg}, Generate: keys.Generate})
		input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(`{"sub":"a"}`))
		signature, err := other.SignBare(alg, []byte(input))
		if err != nil {
			t.Fatal(err)
		}
		return input + "." + b64.EncodeToString(signature)
	}
	// own signs a header of the attacker's choice with our key: what would pass if only the signature counted.
	own := func(alg, header string) string {
		input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(`{"sub":"a"}`))
		signature, err := k.SignBare(alg, []byte(input))
		if err != nil {
			t.Fatal(err)
		}
		return input + "." + b64.EncodeToString(signature)
	}
	if _, _, err := k.Verify(own("ES256", header("ES256", esKID, "")), "at+jwt"); err != nil {
		t.Fatal("the helper makes bad tokens:", err)
	}
	// misused signs with the key of RS256 by another algorithm of RSA. The signature is right.
	misused := func(alg string) string {
		signingKey := jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: jose.JSONWebKey{Key: rsa256, KeyID: rsKID}}
		signer, err := jose.NewSigner(signingKey, (&jose.SignerOptions{}).WithType("at+jwt"))
		if err != nil {
			t.Fatal(err)
		}
		jws, err := signer.Sign([]byte(`{"sub":"a"}`))
		if err != nil {
			t.Fatal(err)
		}
		token, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	if _, _, err := k.Verify(misused("RS256"), "at+jwt"); err != nil {
		t.Fatal("the helper makes bad tokens:", err)
	}
	hmacWith := func(key []byte) string {
		input := b64.EncodeToString([]byte(header("HS256", rsKID, ""))) + "." + b64.EncodeToString([]byte(`{"sub":"a"}`))
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		return input + "." + b64.EncodeToString(mac.Sum(nil))
	}
	public := publicOf(t, k, "RS256").(*rsa.PublicKey)
	pkix, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(jose.JSONWebKey{Key: publicOf(t, keystest.New(t, keys.Options{Algs: []string{"ES256"}, Generate: keys.Generate}), "ES256")})
	if err != nil {
		t.Fatal(err)
	}
	long, err := k.Sign("ES256", "at+jwt", bytes.Repeat([]byte(" "), 70000))
	if err != nil {
		t.Fatal(err)
	}
	empty, err := k.Sign("ES256", "at+jwt", nil)
	if err != nil {
		t.Fatal(err)
	}
	cut := func(s string, n int) string { return s[:len(s)-n] }

	for name, token := range map[string]string{
		"empty":                              "",
		"one part":                           "a",
		"two parts":                          "a.b",
		"four parts":                         es + ".a",
		"dots alone":                         "..",
		"CVE-2025-27144: many dots":          strings.Repeat(".", 60000),
		"too long":                           long,
		"a header too long":                  own("ES256", strings.Repeat(" ", 2000)+header("ES256", esKID, "")),
		"a header of deep JSON":              with(es, `{"alg":"ES256","x":`+strings.Repeat("[", 400)+strings.Repeat("]", 400)+`}`),
		"a header that is no object":         with(es, `[]`),
		"a header that is no JSON":           with(es, `{`),
		"a header with text after it":        with(es, header("ES256", esKID, "")+"{}"),
		"JSON serialization":                 `{"payload":"e30","signatures":[]}`,
		"standard base64":                    strings.ReplaceAll(es, "-", "+") + "=",
		"a line break at the end":            es + "\n",
		"a line break within":                es[:10] + "\r\n" + es[10:],
		"a space in front":                   " " + es,
		"RFC 8725 3.1: none":                 unsigned("none"),
		"none, in other spellings":           unsigned("nOnE"),
		"none, with a signature":             with(es, header("none", esKID, "")),
		"no alg":                             own("ES256", fmt.Sprintf(`{"kid":%q,"typ":"at+jwt"}`, esKID)),
		"alg is no string":                   own("ES256", fmt.Sprintf(`{"alg":["ES256"],"kid":%q,"typ":"at+jwt"}`, esKID)),
		"alg in capitals of another kind":    own("ES256", header("es256", esKID, "")),
		"alg named twice":                    own("ES256", `{"alg":"none",`+header("ES256", esKID, "")[1:]),
		"CVE-2015-9235: HMAC by the modulus": hmacWith(public.N.Bytes()),
		"CVE-2015-9235: HMAC by the DER":     hmacWith(pkix),
		"CVE-2015-9235: HMAC by the PEM":     hmacWith(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})),
		"CVE-2015-9235: HMAC by the JWKS":    hmacWith(func() []byte { body, _ := k.JWKS(); return body }()),
		"RFC 8725 3.1: another alg of the same kind of key": misused("PS256"),
		"RFC 8725 3.1: the key's kind with another hash":    misused("RS512"),
		"RFC 8725 3.1: another key's alg":                   own("ES256", header("ES256", rsKID, "")),
		"no kid":                                            own("ES256", `{"alg":"ES256","typ":"at+jwt"}`),
		"an empty kid":                                      own("ES256", header("ES256", "", "")),
		"an unknown kid":                                    own("ES256", header("ES256", "nobody", "")),
		"kid is no string":                                  own("ES256", `{"alg":"ES256","kid":7,"typ":"at+jwt"}`),
		"another's key under our kid":                       foreign("ES256", header("ES256", esKID, "")),
		"CVE-2018-0114: embedded jwk":                       foreign("ES256", header("ES256", esKID, `,"jwk":`+string(jwk))),
		"embedded jwk, our signature":                       own("ES256", header("ES256", esKID, `,"jwk":`+string(jwk))),
		"jku":                                               own("ES256", header("ES256", esKID, `,"jku":"https://evil.example/"`)),
		"x5u":                                               own("ES256", header("ES256", esKID, `,"x5u":"https://evil.example/"`)),
		"x5c":                                               own("ES256", header("ES256", esKID, `,"x5c":["AAAA"]`)),
		"RFC 7515 4.1.11: unknown crit":                     own("ES256", header("ES256", esKID, `,"crit":["exp"],"exp":1`)),
		"RFC 7515 4.1.11: empty crit":                       own("ES256", header("ES256", esKID, `,"crit":[]`)),
		"RFC 7797: b64 false":                               own("ES256", header("ES256", esKID, `,"crit":["b64"],"b64":false`)),
		"RFC 7797: b64 false without crit":                  own("ES256", header("ES256", esKID, `,"b64":false`)),
		"zip":                                               own("ES256", header("ES256", esKID, `,"zip":"DEF"`)),
		"cty, with the value of the typ":                    own("ES256", header("ES256", esKID, `,"cty":"at+jwt"`)),
		"a nonce":                                           own("ES256", header("ES256", esKID, `,"nonce":"x"`)),
		"RFC 8725 3.11: another typ":                        own("ES256", fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"JWT"}`, esKID)),
		"no typ":                                            own("ES256", fmt.Sprintf(`{"alg":"ES256","kid":%q}`, esKID)),
		"typ in other letters":                              own("ES256", fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"AT+JWT"}`, esKID)),
		"an empty typ":                                      own("ES256", fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":""}`, esKID)),
		"typ is no string":                                  own("ES256", fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":["at+jwt"]}`, esKID)),
		"CVE-2022-21449: ECDSA of zeros":                    es[:strings.LastIndex(es, ".")+1] + b64.EncodeToString(make([]byte, 64)),
		"no signature":                                      es[:strings.LastIndex(es, ".")+1],
		"no payload":                                        empty,
		"a signature cut short":                             cut(es, 4),
		"a signature of ASN.1":                              es[:strings.LastIndex(es, ".")+1] + b64.EncodeToString(append([]byte{0x30, 68, 2, 32}, make([]byte, 66)...)),
		"another payload":                                   strings.Replace(es, "."+b64.EncodeToString([]byte(`{"sub":"a"}`)), "."+b64.EncodeToString([]byte(`{"sub":"b"}`)), 1),
		"another token's signature":                         es[:strings.LastIndex(es, ".")] + rs[strings.LastIndex(rs, "."):],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			typ := "at+jwt"
			if name == "an empty typ" || name == "typ is no string" {
				typ = "" // which stands for a header without typ, and for nothing else
			}
			payload, alg, err := k.Verify(token, typ)
			if !errors.Is(err, keys.ErrToken) || payload != nil || alg != "" {
				t.Errorf("%q, %q, %v", payload, alg, err)
			}
		})
	}
	t.Run("no kind at all", func(t *testing.T) {
		t.Parallel()
		if _, _, err := k.Verify(es); !errors.Is(err, keys.ErrToken) {
			t.Error(err)
		}
	})
}

// One token has one spelling: a last character that differs in bits that decode to nothing is refused.
func TestVerifyRefusesOtherSpellings(t *testing.T) {
	t.Parallel()
	k := keystest.New(t, keys.Options{Algs: []string{"ES256"}})
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	token := sign(t, k, "ES256")
	for i, p := range strings.Split(token, ".") {
		for _, char := range alphabet {
			parts := strings.Split(token, ".")
			parts[i] = p[:len(p)-1] + string(char)
			if other := strings.Join(parts, "."); other != token {
				if _, _, err := k.Verify(other, "at+jwt"); !errors.Is(err, keys.ErrToken) {
					t.Errorf("part %d may end in %c", i, char)
				}
			}
		}
	}
}

// What another server made active is accepted before the next tick.
func TestVerifyAcceptsTheNextKey(t *testing.T) {
	t.Parallel()
	c, store := newClock(), new(keystest.Rings)
	a, b := open(t, options(store, c)), open(t, options(store, c))
	if _, err := a.Rotate(t.Context(), keys.RotateOptions{Now: true, Force: true}, storage.Change{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Verify(sign(t, a, "ES256"), "at+jwt"); err != nil {
		t.Error(err)
	}
}

func TestSignRefusesWhatIsOff(t *testing.T) {
	t.Parallel()
	k := keystest.New(t, keys.Options{Algs: []string{"ES256"}})
	for _, alg := range []string{"RS256", "none", "HS256", ""} {
		if _, err := k.Sign(alg, "JWT", []byte(`{}`)); !errors.Is(err, keys.ErrAlg) {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// Whatever Verify accepts is byte for byte what we signed.
func FuzzVerify(f *testing.F) {
	k := keystest.New(f, keys.Options{Algs: []string{"ES256", "RS256", "EdDSA"}})
	made := map[string]bool{}
	for _, alg := range k.Algs() {
		token := sign(f, k, alg)
		made[token] = true
		f.Add(token)
		f.Add(with(token, `{"alg":"none"}`))
		f.Add(with(token, `{"alg":"`+alg+`","kid":"`+kid(k, alg, keys.Active)+`","typ":"at+jwt","crit":["b64"],"b64":false}`))
	}
	f.Fuzz(func(t *testing.T, token string) {
		_, _, err := k.Verify(token, "at+jwt", "")
		if (err == nil) != made[token] {
			t.Errorf("%q: %v", token, err)
		}
	})
}

// An access token of ordinary size.
var claims = []byte(`{"iss":"https://id.example.com","sub":"01JD2Y9W8Q4K6V3T5R7M9N1P","aud":"https://api.example.com","client_id":"k3v9q2m7x1",` +
	`"scope":"openid profile email","iat":1793534400,"exp":1793535000,"jti":"Bq3sVJ2mT9yXw1kZ0aLcRg","auth_time":1793534300,"acr":"pwd","amr":["pwd"]}`)

func BenchmarkSign(b *testing.B) {
	k := all(b)
	for _, alg := range []string{"ES256", "EdDSA", "RS256", "PS256"} {
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Sign(alg, "at+jwt", claims); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBare is the signature alone, by the standard library: what BenchmarkSign cannot be under.
func BenchmarkBare(b *testing.B) {
	digest := sha256.Sum256(claims)
	for alg, opts := range map[string]crypto.SignerOpts{
		"ES256": crypto.SHA256, "EdDSA": crypto.Hash(0), "RS256": crypto.SHA256,
		"PS256": &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256},
	} {
		key, err := keystest.Generate(alg)
		if err != nil {
			b.Fatal(err)
		}
		input, random := digest[:], rand.Reader
		switch alg {
		case "EdDSA":
			input = claims
		case "ES256":
			random = nil // RFC 6979, as Sign does
		}
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := key.Sign(random, input, opts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	k := all(b)
	for _, alg := range []string{"ES256", "RS256", "EdDSA"} {
		token, err := k.Sign(alg, "at+jwt", claims)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := k.Verify(token, "at+jwt"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBareVerify is the verification alone.
func BenchmarkBareVerify(b *testing.B) {
	key, err := keystest.Generate("ES256")
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256(claims)
	signature, err := ecdsa.SignASN1(rand.Reader, key.(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		b.Fatal(err)
	}
	b.Run("ES256", func(b *testing.B) {
		for b.Loop() {
			if !ecdsa.VerifyASN1(key.Public().(*ecdsa.PublicKey), digest[:], signature) {
				b.Fatal("wrong signature")
			}
		}
	})
}

func BenchmarkMAC(b *testing.B) {
	k := keystest.New(b, keys.Options{Algs: []string{"ES256"}})
	data := make([]byte, 80)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.MAC(k.MACKey(), data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	o := keys.Options{Store: new(keystest.Rings), Master: keystest.Master()}
	keystest.New(b, o)
	for b.Loop() {
		open(b, o)
	}
}
