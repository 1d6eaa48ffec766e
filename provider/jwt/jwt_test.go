package jwt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"math"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func sign(t testing.TB, header map[jose.HeaderKey]any, payload string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// bare is a JWT with just this header, and a signature of nobody.
func bare(header string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + ".e30." + base64.RawURLEncoding.EncodeToString(make([]byte, 64))
}

func TestParse(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ token, want string }{
		"RFC 7519 5.1: no typ":                   {sign(t, nil, "{}"), ""},
		"RFC 7515 4.1.9: typ, whatever its case": {sign(t, map[jose.HeaderKey]any{"typ": "application/JWT"}, "{}"), ""},
		"RFC 8725 3.11: the typ of another":      {sign(t, map[jose.HeaderKey]any{"typ": "at+jwt"}, "{}"), "its typ is another than jwt"},
		"RFC 7515 4.1.9: a typ that is no text":  {sign(t, map[jose.HeaderKey]any{"typ": 1}, "{}"), "its typ is another than jwt"},
		"RFC 8725 3.10: jku":                     {sign(t, map[jose.HeaderKey]any{"jku": "https://evil.example"}, "{}"), "its header has jku"},
		"RFC 8725 3.10: x5u":                     {sign(t, map[jose.HeaderKey]any{"x5u": "https://evil.example"}, "{}"), "its header has x5u"},
		"RFC 7797 6: b64":                        {sign(t, map[jose.HeaderKey]any{"b64": true}, "{}"), "its header has b64"},
		"RFC 7515 4.1.11: crit":                  {bare(`{"alg":"ES256","crit":["exp"],"exp":1}`), "its header has crit"},
		"RFC 8725 3.1: none":                     {bare(`{"alg":"none"}`), "it is malformed"},
		"RFC 8725 3.1: nOnE":                     {bare(`{"alg":"nOnE"}`), "it is malformed"},
		"RFC 8725 3.1: an algorithm that is off": {bare(`{"alg":"RS256"}`), "it is malformed"},
		"RFC 8725 2.1: HMAC":                     {bare(`{"alg":"HS256"}`), "it is malformed"},
		"no alg":                                 {bare(`{}`), "it is malformed"},
		"CVE-2025-27144: many dots":              {strings.Repeat(".", Max), "it is malformed"},
		"longer than it may be":                  {strings.Repeat("a", Max+1), "it is longer than"},
		"RFC 7515 7.2: in JSON":                  {`{"payload":"e30","signatures":[]}`, "it is malformed"},
		"nothing":                                {"", "it is malformed"},
		"CVE-2018-0114: a key in its header":     {bare(`{"alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}}`), "its header holds a key"},
		"RFC 7516 9: an encrypted one":           {"e30.e30.e30.e30.e30", "it is malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jws, err := Parse(row.token, []string{"ES256"}, "jwt")
			if row.want == "" {
				if err != nil || jws == nil {
					t.Errorf("%v", err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), row.want) {
				t.Errorf("%v, want %s", err, row.want)
			}
		})
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "null", "[]", "1", `"a"`, "{", "{}x"} {
		if c, err := Read([]byte(bad)); err == nil {
			t.Errorf("%q: %v", bad, c)
		}
	}
	c, err := Read([]byte(`{"sub":"a","n":1,"null":null,"ISS":"x","exp":12.5,"big":1e999,"text":"12"}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"sub": "a", "n": "", "null": "", "iss": "", "": ""} {
		if got := c.Text(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	for name, want := range map[string]struct {
		seconds   float64
		there, ok bool
	}{
		"exp": {12.5, true, true}, "nbf": {0, false, true}, "null": {0, true, false}, "big": {0, true, false}, "text": {0, true, false}, "sub": {0, true, false},
	} {
		s, there, err := c.Seconds(name)
		if s != want.seconds || there != want.there || (err == nil) != want.ok {
			t.Errorf("RFC 7519 2: %s: %v %v %v", name, s, there, err)
		}
	}
	for payload, want := range map[string]string{
		`{"aud":"a"}`: "a", `{"aud":["a"]}`: "a", `{"aud":["a","b"]}`: "", `{"aud":[]}`: "", `{}`: "", `{"aud":null}`: "", `{"aud":[1]}`: "", `{"aud":{"a":1}}`: "",
	} {
		if c, err := Read([]byte(payload)); err != nil || c.Audience() != want {
			t.Errorf("RFC 7519 4.1.3: %s: %q, %v", payload, c.Audience(), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sign(f, map[jose.HeaderKey]any{"typ": "JWT"}, `{"aud":["a"],"exp":1}`))
	f.Add(bare(`{"alg":"none"}`))
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		jws, err := Parse(token, []string{"ES256"}, "jwt")
		if err != nil {
			if len(err.Error()) > 100 {
				t.Errorf("it echoes: %s", err)
			}
			return
		}
		c, err := Read(jws.UnsafePayloadWithoutVerification())
		if err != nil {
			return
		}
		c.Audience()
		if s, _, err := c.Seconds("exp"); err == nil && (math.IsNaN(s) || math.IsInf(s, 0)) {
			t.Errorf("exp is %v", s)
		}
	})
}
