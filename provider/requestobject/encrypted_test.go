package requestobject

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"signet/clients"
	"signet/keys"
	"signet/keys/keystest"
	"signet/provider/jwt"
	"signet/provider/oauth"
	"signet/storage"
)

// ring is a server that can be encrypted to in each way.
var ring = sync.OnceValue(func() *keys.Keys {
	return must(keys.Open(context.Background(), keys.Options{
		Store: new(keystest.Rings), Master: keystest.Master(), Generate: keystest.Generator(), Algs: []string{"ES256"}, Encryption: keys.EncryptionAlgs(),
	}))
})

// opening is a reader with a ring.
func opening(unsigned bool) *Reader {
	r := reader(unsigned)
	r.Own = ring()
	return r
}

// published is the key that clients encrypt to by alg, as the JWKS has it.
func published(k *keys.Keys, alg string) jose.JSONWebKey {
	body, _ := k.JWKS()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		panic(err)
	}
	for _, key := range set.Keys {
		if key.Use == "enc" && key.Algorithm == alg {
			return key
		}
	}
	panic("no key for " + alg)
}

// seal encrypts an object as clients do; extra are members of the header.
func seal(key jose.JSONWebKey, enc, object string, extra ...any) string {
	o := &jose.EncrypterOptions{ExtraHeaders: map[jose.HeaderKey]any{}}
	for i := 0; i < len(extra); i += 2 {
		o.ExtraHeaders[jose.HeaderKey(extra[i].(string))] = extra[i+1]
	}
	to := jose.Recipient{Algorithm: jose.KeyAlgorithm(key.Algorithm), Key: key.Key, KeyID: key.KeyID}
	return must(must(must(jose.NewEncrypter(jose.ContentEncryption(enc), to, o)).Encrypt([]byte(object))).CompactSerialize())
}

func encrypts(alg, enc string) func(*storage.Client) {
	return func(c *storage.Client) { c.RequestEncryptionAlg, c.RequestEncryptionEnc = alg, enc }
}

func TestEncryptedObjects(t *testing.T) {
	t.Parallel()
	signed, es := sign("RS256", rsaKey(), good), published(ring(), "ECDH-ES")
	once := seal(es, "A128GCM", signed)
	type row struct {
		client   storage.Client
		object   string
		unsigned bool
	}
	rows := map[string]row{
		"Registration 2: the registered algorithm":             {app(encrypts("ECDH-ES", "")), seal(es, "A128CBC-HS256", signed), false},
		"Registration 2: it is declared that it may, not must": {app(encrypts("ECDH-ES", "A256GCM")), signed, false},
		"Registration 2: it may use other algorithms":          {app(encrypts("RSA-OAEP-256", "")), once, false},
		"Registration 2: enc declares what may be used":        {app(encrypts("ECDH-ES", "A256GCM")), seal(es, "A128GCM", signed), false},
		"RFC 7519 5.2: cty JWT":                                {app(), seal(es, "A128GCM", signed, "cty", "JWT"), false},
		"RFC 8725 3.11: typ counts inside":                     {app(), seal(es, "A128GCM", sign("RS256", rsaKey(), good, "typ", "oauth-authz-req+jwt"), "typ", "oauth-authz-req+jwt"), false},
		"Core 10.1: signed with the secret":                    {app(secret), seal(es, "A128GCM", sign("HS256", []byte(theSecret), good)), false},
		"Core 6.1: unsigned inside, where it is let in":        {app(), seal(es, "A128GCM", unsigned(claims{"alg": "none"}, good, "")), true},
	}
	for _, alg := range clients.EncryptionAlgs {
		for _, enc := range clients.EncryptionEncs {
			rows["RFC 9101 6.1: "+alg+" with "+enc] = row{app(), seal(published(ring(), alg), enc, signed), false}
		}
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _, err := opening(row.unsigned).Merge(t.Context(), row.client, request(row.object))
			if err != nil || p.Get("state") != "inner" || p.Has("request") {
				t.Errorf("%s, %v", p.Encode(), err)
			}
		})
	}
}

func TestBadEncryptedObjects(t *testing.T) {
	t.Parallel()
	signed, es, rs := sign("RS256", rsaKey(), good), published(ring(), "ECDH-ES"), published(ring(), "RSA-OAEP-256")
	stranger := jose.JSONWebKey{Key: &must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).PublicKey, Algorithm: "ECDH-ES", KeyID: es.KeyID}
	nobody := es
	nobody.KeyID = "nobody"
	crossed := es
	crossed.KeyID = rs.KeyID
	once := seal(es, "A128GCM", signed)
	cut := func(i int, by string) string {
		parts := strings.Split(seal(rs, "A128CBC-HS256", signed), ".")
		parts[i] = by
		return strings.Join(parts, ".")
	}
	const closed = "the request object cannot be decrypted; encrypt it to the key that jwks_uri has for its alg"
	const header = "the encrypted request object is not good: "
	anyAlg := "; clients can use " + strings.Join(keys.EncryptionAlgs(), ", ")
	for name, row := range map[string]struct {
		client   storage.Client
		object   string
		unsigned bool
		want     string // the beginning of the description
	}{
		"RFC 7516 11.5: an unknown kid":                         {app(), seal(nobody, "A128GCM", signed), false, closed},
		"RFC 7516 11.5: the kid of another algorithm":           {app(), seal(crossed, "A128GCM", signed), false, closed},
		"RFC 7516 11.5: a stranger's key":                       {app(), seal(stranger, "A128GCM", signed), false, closed},
		"RFC 7516 11.5: another encrypted key":                  {app(), cut(1, strings.Repeat("A", 342)), false, closed},
		"RFC 7516 11.5: no encrypted key":                       {app(), cut(1, ""), false, closed},
		"RFC 7516 11.5: another nonce":                          {app(), cut(2, "AAAAAAAAAAAAAAAAAAAAAA"), false, closed},
		"RFC 7516 11.5: another text":                           {app(), cut(3, strings.Repeat("AAAA", 16)), false, closed},
		"RFC 7516 11.5: another tag":                            {app(), cut(4, "AAAAAAAAAAAAAAAAAAAAAA"), false, closed},
		"RFC 8725 3.6: compressed":                              {app(), seal(es, "A128GCM", signed, "zip", "DEF"), false, header + "its header has zip" + anyAlg},
		"RFC 7516 4.1.13: crit":                                 {app(), seal(es, "A128GCM", signed, "crit", []string{"exp"}), false, header + "its header has crit"},
		"RFC 8725 3.10: jku":                                    {app(), seal(es, "A128GCM", signed, "jku", "https://evil.example/"), false, header + "its header has jku"},
		"RFC 7518 4.8.1.2: p2c":                                 {app(), seal(es, "A128GCM", signed, "p2c", 1<<30), false, header + "its header has p2c"},
		"RFC 7519 5.2: cty of something else":                   {app(), seal(es, "A128GCM", signed, "cty", "text/plain"), false, header + "its cty"},
		"RFC 7519 A.2: encrypted twice":                         {app(), seal(rs, "A128GCM", once), false, "inside the encrypted request object is another"},
		"RFC 7519 A.2: encrypted three times":                   {app(), seal(rs, "A128GCM", seal(es, "A128GCM", once)), false, "inside the encrypted request object is another"},
		"Core 6.1: unsigned inside, where it is not let in":     {app(), seal(es, "A128GCM", unsigned(claims{"alg": "none"}, good, "")), false, "the request object is not good: it is malformed, or not signed with one of"},
		"Core 6.1: unsigned inside, of a client that signs":     {app(registered("PS256")), seal(es, "A128GCM", unsigned(claims{"alg": "none"}, good, "")), true, "the request object is not good: it is malformed, or not signed with one of"},
		"Core 6.1: encrypted claims alone, which nobody signed": {app(), seal(es, "A128GCM", string(must(json.Marshal(good)))), true, "the request object is not good: it is malformed"},
		"Core 10.2: forged, then encrypted":                     {app(), seal(es, "A128GCM", sign("ES256", ecKeys()[3], good)), false, "the signature of the request object is wrong"},
		"RFC 9101 10.8: another JWT inside":                     {app(), seal(es, "A128GCM", sign("RS256", rsaKey(), good, "typ", "at+jwt")), false, "the request object is not good: its typ is another"},
		"for another server":                                    {app(), seal(es, "A128GCM", sign("RS256", rsaKey(), with(good, "aud", "https://other.example"))), false, "aud of the request object"},
		"longer than 16 KiB":                                    {app(), seal(es, "A128GCM", sign("RS256", rsaKey(), with(good, "state", strings.Repeat("s", 12<<10)))), false, "the request object is longer than 16384 bytes"},
		"five parts of nothing":                                 {app(), "....", false, header + "it is malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := opening(row.unsigned).Merge(t.Context(), row.client, request(row.object))
			var e *oauth.Error
			if !errors.As(err, &e) || e.Code != oauth.InvalidRequestObject || !strings.HasPrefix(e.Description, row.want) {
				t.Fatalf("%v, want %s", err, row.want)
			}
			if row.want == closed && e.Description != closed {
				t.Errorf("it says more than that it does not open: %s", e.Description)
			}
			if strings.Contains(e.Description, "evil") {
				t.Errorf("it echoes: %s", e.Description)
			}
		})
	}
	t.Run("Discovery 3: not offered", func(t *testing.T) {
		t.Parallel()
		_, _, err := reader(true).Merge(t.Context(), app(), request(once))
		var e *oauth.Error
		if !errors.As(err, &e) || e.Code != oauth.InvalidRequestObject || !strings.Contains(e.Description, "not offered here") {
			t.Errorf("%v", err)
		}
	})
}

func TestEncryptedRequestURI(t *testing.T) {
	t.Parallel()
	const at = "https://app.example/r"
	es := published(ring(), "ECDH-ES+A256KW")
	object := seal(es, "A256GCM", sign("RS256", rsaKey(), good))
	open := seal(es, "A256GCM", unsigned(claims{"alg": "none"}, good, ""))
	for name, row := range map[string]struct {
		object, uri string
		code        oauth.Code
		fetches     int // of two requests
	}{
		"Core 6.2: encrypted":                           {object, at, "", 2},
		"Core 6.2: encrypted, under its hash":           {object, at + "#" + hashOf([]byte(object)), "", 1},
		"signed inside, under another's hash":           {object, at + "#" + hashOf([]byte("another")), "", 2},
		"Core 6.2: unsigned inside, where it is let in": {open, at, "", 2},
		"RFC 7516 11.5: it does not open":               {object[:len(object)-4] + "AAAA", at, oauth.InvalidRequestObject, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &site{objects: map[string]string{at: row.object}}
			r := opening(true)
			r.Fetch = s
			for range 2 {
				p, _, err := r.Merge(t.Context(), app(func(c *storage.Client) { c.RequestURIs = []string{at} }), byURI(row.uri))
				var e *oauth.Error
				switch {
				case row.code == "" && (err != nil || p.Get("state") != "inner"):
					t.Errorf("%s, %v", p.Encode(), err)
				case row.code != "" && (!errors.As(err, &e) || e.Code != row.code):
					t.Errorf("%v, want %s", err, row.code)
				}
			}
			if s.calls != row.fetches {
				t.Errorf("fetched %d times, want %d", s.calls, row.fetches)
			}
		})
	}
}

// FuzzEncryptedObject encrypts anything: what is inside is held to the same as what comes in clear, and it is said alike.
func FuzzEncryptedObject(f *testing.F) {
	f.Add(sign("RS256", rsaKey(), good))
	f.Add(unsigned(claims{"alg": "none"}, good, ""))
	f.Add(seal(published(ring(), "ECDH-ES"), "A128GCM", "e30.e30.e30"))
	f.Add("")
	f.Add("....")
	es := published(ring(), "ECDH-ES")
	r, client := opening(true), app()
	f.Fuzz(func(t *testing.T, inside string) {
		token := seal(es, "A128GCM", inside)
		if len(token) > jwt.Max || encrypted(inside) {
			return
		}
		values := url.Values{"client_id": {"app"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"outer"}, "request": {inside}}
		open, err := oauth.ParseQuery(values.Encode())
		if err != nil || inside == "" { // which is as good as no request object
			return
		}
		plain, _, plainErr := r.Merge(t.Context(), client, open)
		p, _, err := r.Merge(t.Context(), client, request(token))
		if (err == nil) != (plainErr == nil) || err == nil && p.Encode() != plain.Encode() {
			t.Fatalf("%q: %v, and encrypted %v", inside, plainErr, err)
		}
	})
}
