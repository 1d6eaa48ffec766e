package clientauth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/clients"
	"signet/clients/keyset"
	"signet/fetch"
	"signet/keys"
	"signet/keys/keystest"
	"signet/provider/jwt"
	"signet/provider/oauth"
	"signet/storage"
	"signet/storage/bolt"
)

var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	otherKey = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	edKey    = sync.OnceValue(func() ed25519.PrivateKey {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return must(key, err)
	})
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func jwks(keys ...jose.JSONWebKey) json.RawMessage {
	for i, key := range keys {
		keys[i].Key = key.Key.(crypto.Signer).Public()
	}
	return must(json.Marshal(jose.JSONWebKeySet{Keys: keys}))
}

// object is a header or a payload.
type object = map[string]any

// with is o with other members; nil takes one away.
func with(o object, members ...any) object {
	o = maps.Clone(o)
	for i := 0; i < len(members); i += 2 {
		name := members[i].(string)
		if o[name] = members[i+1]; members[i+1] == nil {
			delete(o, name)
		}
	}
	return o
}

func part(v any) string { return base64.RawURLEncoding.EncodeToString(must(json.Marshal(v))) }

// sign makes a JWT with just this header and payload. The key decides how: []byte is HS256's.
func sign(header, payload object, key any) string {
	input := part(header) + "." + part(payload)
	digest := sha256.Sum256([]byte(input))
	var signature []byte
	switch key := key.(type) {
	case nil:
	case []byte:
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		signature = mac.Sum(nil)
	case *rsa.PrivateKey:
		if header["alg"] == "PS256" {
			signature = must(rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
		} else {
			signature = must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:]))
		}
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		signature = append(must(r, err).FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, []byte(input))
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// site is where a client publishes its keys.
type site struct {
	body  atomic.Pointer[[]byte]
	calls atomic.Int32
}

func (s *site) publish(body []byte) { s.body.Store(&body) }

func (s *site) Get(context.Context, string, ...string) (fetch.Document, error) {
	s.calls.Add(1)
	body := s.body.Load()
	if body == nil {
		return fetch.Document{}, errors.New("no route to host")
	}
	return fetch.Document{Body: *body, Fresh: -1}, nil
}

// signers is an Authenticator over a real store with clients that sign.
type signers struct {
	house
	time time.Time
	site *site
}

func newSigners(t *testing.T) *signers {
	t.Helper()
	s := &signers{time: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), site: &site{}}
	now := func() time.Time { return s.time }
	store, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "signet.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	ring, err := keys.Open(t.Context(), keys.Options{Store: store, Master: keystest.Master(), Generate: keystest.Generator(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	s.house = house{
		New(Options{Store: store, Keys: keyset.New(keyset.Options{Fetch: s.site, Now: now}), Secrets: ring, Issuer: issuer, Now: now}),
		map[string]string{}, map[string]string{},
	}
	for name, change := range map[string]func(*storage.Client){
		"keys": func(c *storage.Client) {
			c.TokenEndpointAuthMethod = clients.AuthKeyJWT
			c.JWKS = jwks(jose.JSONWebKey{Key: ecKey(), KeyID: "ec"}, jose.JSONWebKey{Key: rsaKey(), KeyID: "rsa"}, jose.JSONWebKey{Key: edKey(), KeyID: "ed"})
		},
		"other": func(c *storage.Client) {
			c.TokenEndpointAuthMethod, c.JWKS = clients.AuthKeyJWT, jwks(jose.JSONWebKey{Key: otherKey(), KeyID: "other"})
		},
		"es256": func(c *storage.Client) {
			c.TokenEndpointAuthMethod, c.TokenEndpointAuthSigningAlg = clients.AuthKeyJWT, "ES256"
			c.JWKS = jwks(jose.JSONWebKey{Key: ecKey(), KeyID: "ec"}, jose.JSONWebKey{Key: rsaKey(), KeyID: "rsa"})
		},
		"uri": func(c *storage.Client) {
			c.TokenEndpointAuthMethod, c.JWKSURI = clients.AuthKeyJWT, "https://app.example/keys"
		},
		"secret": func(c *storage.Client) { c.TokenEndpointAuthMethod = clients.AuthSecretJWT },
		"hs512": func(c *storage.Client) {
			c.TokenEndpointAuthMethod, c.TokenEndpointAuthSigningAlg = clients.AuthSecretJWT, "HS512"
		},
		"basic": func(c *storage.Client) { c.JWKS = jwks(jose.JSONWebKey{Key: ecKey(), KeyID: "ec"}) },
	} {
		c, err := clients.New(clients.Web, name, s.time)
		if err != nil {
			t.Fatal(err)
		}
		c.RedirectURIs = []string{"https://app.example/cb"}
		change(&c)
		if s.secret[name], err = clients.GiveSecret(&c, func() (clients.Sealer, error) { return ring, nil }); err != nil {
			t.Fatal(err)
		}
		if err := clients.Validate(c); err != nil {
			t.Fatal(err)
		}
		if _, err := store.SaveClient(t.Context(), c, storage.Change{Now: s.time}); err != nil {
			t.Fatal(err)
		}
		s.id[name] = c.ID
	}
	return s
}

// hash is what the store has of a client's secret in clear.
func (s *signers) hash(t *testing.T, client string) []byte {
	t.Helper()
	c, err := s.Store.Client(t.Context(), s.id[client])
	if err != nil {
		t.Fatal(err)
	}
	return c.SecretHash[:]
}

// claims are those of a good assertion, as openid-client makes it.
func (s *signers) claims(client string) object {
	return object{
		"iss": s.id[client], "sub": s.id[client], "aud": issuer, "jti": "jti-" + rand.Text(),
		"iat": s.time.Unix(), "exp": s.time.Add(time.Minute).Unix(),
	}
}

var es256 = object{"alg": "ES256", "kid": "ec"}

// post sends an assertion; form is sent beside it.
func (s *signers) post(t *testing.T, token string, form ...string) (storage.Client, *oauth.Error) {
	t.Helper()
	return s.ask(t, nil, append([]string{"client_assertion_type", assertionType, "client_assertion", token}, form...)...)
}

func TestAssertions(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	good := s.claims("keys")
	at := func(d time.Duration) float64 { return float64(s.time.Add(d).UnixMilli()) / 1000 }
	secret := []byte(s.secret["secret"])
	publicDER := must(x509.MarshalPKIXPublicKey(rsaKey().Public()))
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER})
	attacker := jose.JSONWebKey{Key: otherKey().Public(), KeyID: "ec"}
	for name, c := range map[string]struct {
		token  string
		client string // who it is; "" if refused
		word   string // of the refusal
	}{
		"Core 9: ES256":                          {sign(es256, good, ecKey()), "keys", ""},
		"RS256":                                  {sign(object{"alg": "RS256", "kid": "rsa"}, good, rsaKey()), "keys", ""},
		"PS256":                                  {sign(object{"alg": "PS256", "kid": "rsa"}, good, rsaKey()), "keys", ""},
		"EdDSA":                                  {sign(object{"alg": "EdDSA", "kid": "ed"}, good, edKey()), "keys", ""},
		"without kid, one key fits":              {sign(object{"alg": "ES256"}, good, ecKey()), "keys", ""},
		"typ JWT":                                {sign(with(es256, "typ", "JWT"), good, ecKey()), "keys", ""},
		"typ client-authentication+jwt":          {sign(with(es256, "typ", "client-authentication+jwt"), good, ecKey()), "keys", ""},
		"x5t beside kid, as MSAL":                {sign(with(es256, "x5t#S256", "AAAA"), good, ecKey()), "keys", ""},
		"Core 9: aud is the token endpoint":      {sign(es256, with(good, "aud", issuer+"/token"), ecKey()), "keys", ""},
		"RFC 7519 4.1.3: aud is an array of one": {sign(es256, with(good, "aud", []string{issuer}), ecKey()), "keys", ""},
		"without iat":                            {sign(es256, with(good, "iat", nil), ecKey()), "keys", ""},
		"with nbf":                               {sign(es256, with(good, "nbf", at(0)), ecKey()), "keys", ""},
		"a fraction of a second":                 {sign(es256, with(good, "iat", at(-time.Millisecond), "exp", at(59*time.Second+time.Millisecond)), ecKey()), "keys", ""},
		"a clock that is slow":                   {sign(es256, with(good, "iat", at(-2*time.Minute), "exp", at(-59*time.Second)), ecKey()), "keys", ""},
		"a clock that is fast":                   {sign(es256, with(good, "iat", at(time.Minute), "nbf", at(time.Minute), "exp", at(11*time.Minute)), ecKey()), "keys", ""},
		"the registered algorithm":               {sign(es256, s.claims("es256"), ecKey()), "es256", ""},
		"Core 9: HS256":                          {sign(object{"alg": "HS256"}, s.claims("secret"), secret), "secret", ""},
		"HS256 with a kid":                       {sign(object{"alg": "HS256", "kid": "x"}, s.claims("secret"), secret), "secret", ""},

		"RFC 8725 3.2: none":                   {sign(object{"alg": "none"}, good, nil), "", "not signed with one of"},
		"None":                                 {sign(object{"alg": "None", "kid": "ec"}, good, nil), "", "not signed with one of"},
		"NONE":                                 {sign(object{"alg": "NONE"}, good, ecKey()), "", "not signed with one of"},
		"nOnE":                                 {sign(object{"alg": "nOnE"}, good, nil), "", "not signed with one of"},
		"none with a space":                    {sign(object{"alg": "none "}, good, nil), "", "not signed with one of"},
		"no alg":                               {sign(object{"kid": "ec"}, good, ecKey()), "", "not signed with one of"},
		"alg of another type":                  {sign(object{"alg": []string{"ES256"}}, good, ecKey()), "", "not signed with one of"},
		"alg in another case":                  {sign(object{"alg": "es256", "kid": "ec"}, good, ecKey()), "", "not signed with one of"},
		"CVE-2015-9235: HMAC with the PEM":     {sign(object{"alg": "HS256", "kid": "rsa"}, good, publicPEM), "", refused},
		"HMAC with the PEM, trimmed":           {sign(object{"alg": "HS256", "kid": "rsa"}, good, []byte(strings.TrimSpace(string(publicPEM)))), "", refused},
		"HMAC with the DER":                    {sign(object{"alg": "HS256", "kid": "rsa"}, good, publicDER), "", refused},
		"HMAC with the JWKS":                   {sign(object{"alg": "HS256", "kid": "rsa"}, good, []byte(jwks(jose.JSONWebKey{Key: rsaKey(), KeyID: "rsa"}))), "", refused},
		"HMAC with nothing":                    {sign(object{"alg": "HS256"}, good, []byte{}), "", refused},
		"CVE-2018-0114: an embedded jwk":       {sign(with(es256, "jwk", attacker), good, otherKey()), "", "holds a key"},
		"an embedded jwk, rightly signed":      {sign(with(es256, "jwk", attacker), good, ecKey()), "", "holds a key"},
		"jku":                                  {sign(with(es256, "jku", "https://evil.example/keys"), good, otherKey()), "", "jku"},
		"x5u":                                  {sign(with(es256, "x5u", "https://evil.example/keys"), good, otherKey()), "", "x5u"},
		"RFC 7515 4.1.11: an unknown crit":     {sign(with(es256, "crit", []string{"x"}, "x", true), good, ecKey()), "", "crit"},
		"b64":                                  {sign(with(es256, "b64", true, "crit", []string{"b64"}), good, ecKey()), "", "which is not for this"},
		"CVE-2022-21449: a signature of zeros": {part(es256) + "." + part(good) + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)), "", refused},
		"no signature":                         {part(es256) + "." + part(good) + ".", "", ""},
		"two parts":                            {part(es256) + "." + part(good), "", "malformed"},
		"CVE-2025-27144: many dots":            {strings.Repeat(".", 10_000), "", "malformed"},
		"JSON":                                 {`{"payload":"","signatures":[]}`, "", "malformed"},
		"five parts, a JWE":                    {part(object{"alg": "dir", "enc": "A128GCM"}) + "..AA.AA.AA", "", "malformed"},
		"RFC 8725 3.11: a request object":      {sign(with(es256, "typ", "oauth-authz-req+jwt"), good, ecKey()), "", "typ"},
		"a DPoP proof":                         {sign(with(es256, "typ", "dpop+jwt"), good, ecKey()), "", "typ"},
		"typ of another type":                  {sign(with(es256, "typ", 1), good, ecKey()), "", ""},
		"another client's key":                 {sign(object{"alg": "ES256", "kid": "other"}, good, otherKey()), "", refused},
		"another client's key, our kid":        {sign(es256, good, otherKey()), "", refused},
		"another client's secret":              {sign(object{"alg": "HS256"}, s.claims("secret"), []byte(s.secret["hs512"])), "", refused},
		"RFC 2104 2: the stored hash of the secret": {sign(object{"alg": "HS256"}, s.claims("secret"), s.hash(t, "secret")), "", refused},
		"the kid of another kind of key":            {sign(object{"alg": "ES256", "kid": "rsa"}, good, ecKey()), "", refused},
		"an unknown kid":                            {sign(object{"alg": "ES256", "kid": "new"}, good, ecKey()), "", refused},
		"another than the registered algorithm":     {sign(object{"alg": "RS256", "kid": "rsa"}, s.claims("es256"), rsaKey()), "", refused},
		"HS256 where HS512 is registered":           {sign(object{"alg": "HS256"}, s.claims("hs512"), []byte(s.secret["hs512"])), "", refused},
		"HS256 where a key is registered":           {sign(object{"alg": "HS256"}, good, secret), "", refused},
		"ES256 where the secret is registered":      {sign(es256, s.claims("secret"), ecKey()), "", refused},
		"registered for client_secret_basic":        {sign(es256, s.claims("basic"), ecKey()), "", refused},
		"an unknown client":                         {sign(es256, with(good, "iss", "nobody", "sub", "nobody"), ecKey()), "", refused},
		"RFC 7523 3 item 1: no iss":                 {sign(es256, with(good, "iss", nil), ecKey()), "", "iss and sub"},
		"RFC 7523 3 item 2: no sub":                 {sign(es256, with(good, "sub", nil), ecKey()), "", "iss and sub"},
		"sub of a user":                             {sign(es256, with(good, "sub", "ann"), ecKey()), "", "iss and sub"},
		"iss of another client":                     {sign(es256, with(good, "iss", s.id["other"]), ecKey()), "", "iss and sub"},
		"iss of another type":                       {sign(es256, with(good, "iss", []string{s.id["keys"]}), ecKey()), "", "iss and sub"},
		"Iss instead of iss":                        {sign(es256, with(good, "Iss", good["iss"], "iss", nil), ecKey()), "", "iss and sub"},
		"RFC 7523 3 item 3: no aud":                 {sign(es256, with(good, "aud", nil), ecKey()), "", "aud"},
		"another audience":                          {sign(es256, with(good, "aud", "https://other.example"), ecKey()), "", "aud"},
		"CVE-2025-27370: several audiences":         {sign(es256, with(good, "aud", []string{issuer, "https://other.example"}), ecKey()), "", "aud"},
		"ours twice":                                {sign(es256, with(good, "aud", []string{issuer, issuer + "/token"}), ecKey()), "", "aud"},
		"no audience in an array":                   {sign(es256, with(good, "aud", []string{}), ecKey()), "", "aud"},
		"an empty audience":                         {sign(es256, with(good, "aud", ""), ecKey()), "", "aud"},
		"aud with a slash":                          {sign(es256, with(good, "aud", issuer+"/"), ecKey()), "", "aud"},
		"aud of another endpoint":                   {sign(es256, with(good, "aud", issuer+"/introspect"), ecKey()), "", "aud"},
		"aud of another type":                       {sign(es256, with(good, "aud", object{issuer: 1}), ecKey()), "", "aud"},
		"RFC 7523 3 item 4: no exp":                 {sign(es256, with(good, "exp", nil), ecKey()), "", "exp is missing"},
		"exp null":                                  {sign(es256, with(good, "exp", json.RawMessage("null")), ecKey()), "", "not a number"},
		"exp of another type":                       {sign(es256, with(good, "exp", "1795348860"), ecKey()), "", "not a number"},
		"exp beyond all numbers":                    {sign(es256, with(good, "exp", json.RawMessage("1e999")), ecKey()), "", "not a number"},
		"exp at the end of days":                    {sign(es256, with(good, "exp", json.RawMessage("1e300")), ecKey()), "", "ten minutes ahead"},
		"expired":                                   {sign(es256, with(good, "iat", at(-3*time.Minute), "exp", at(-time.Minute)), ecKey()), "", "expired"},
		"exp before time began":                     {sign(es256, with(good, "exp", json.RawMessage("-1e300")), ecKey()), "", "expired"},
		"far-away exp":                              {sign(es256, with(good, "exp", at(11*time.Minute+time.Second)), ecKey()), "", "ten minutes ahead"},
		"RFC 7523 3 item 5: nbf ahead":              {sign(es256, with(good, "nbf", at(61*time.Second)), ecKey()), "", "nbf"},
		"RFC 7523 3 item 6: iat ahead":              {sign(es256, with(good, "iat", at(61*time.Second)), ecKey()), "", "iat"},
		"iat long ago":                              {sign(es256, with(good, "iat", at(-11*time.Minute-time.Second)), ecKey()), "", "ten minutes ago"},
		"Core 9: no jti":                            {sign(es256, with(good, "jti", nil), ecKey()), "", "jti"},
		"an empty jti":                              {sign(es256, with(good, "jti", ""), ecKey()), "", "jti"},
		"jti of another type":                       {sign(es256, with(good, "jti", 1), ecKey()), "", "jti"},
		"too long":                                  {sign(es256, with(good, "more", strings.Repeat("a", jwt.Max)), ecKey()), "", "longer than"},
		"a payload that is no object":               {signedText(`["iss"]`), "", "not a JSON object"},
		"a payload that is null":                    {signedText(`null`), "", "not a JSON object"},
		"a payload that is nothing":                 {signedText(``), "", "not a JSON object"},
		"deep JSON":                                 {signedText(`{"iss":` + strings.Repeat("[", 11_000) + `}`), "", ""},
		"GHSA-2c7c-3mj9-8fqh: PBES2 in a JWS":       {sign(object{"alg": "PBES2-HS256+A128KW", "p2c": 1 << 30}, good, nil), "", "not signed with one of"},
		"the payload exchanged after it was signed": {exchange(sign(es256, good, ecKey()), with(good, "iss", s.id["es256"], "sub", s.id["es256"])), "", refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token := c.token
			if c.client == "keys" { // each assertion needs a jti of its own
				token = again(t, token)
			}
			got, e := s.post(t, token)
			if c.client != "" {
				if e != nil || got.ID != s.id[c.client] {
					t.Fatalf("%q, %v", got.Name, e)
				}
				return
			}
			if e == nil || e.Code != oauth.InvalidClient || !strings.Contains(e.Description, c.word) {
				t.Fatalf("%q, %v; want invalid_client: …%s…", got.Name, e, c.word)
			}
			if len(token) > 20 && strings.Contains(e.Error(), token) {
				t.Errorf("the error holds what was sent: %v", e)
			}
			w := httptest.NewRecorder()
			oauth.WriteError(w, httptest.NewRequest(http.MethodPost, "/token", nil), e)
			if w.Code != http.StatusUnauthorized {
				t.Errorf("%d", w.Code)
			}
		})
	}
	if n := s.site.calls.Load(); n != 0 {
		t.Errorf("%d fetches for clients without jwks_uri, jku and x5u among them", n)
	}
}

// signedText signs a payload that is any text.
func signedText(payload string) string {
	input := part(es256) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, ecKey(), digest[:])
	signature := append(must(r, err).FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// exchange puts another payload into a token.
func exchange(token string, payload object) string {
	parts := strings.Split(token, ".")
	return parts[0] + "." + part(payload) + "." + parts[2]
}

// again signs a token's header and payload once more, with another jti.
func again(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	var header, payload object
	for i, o := range []*object{&header, &payload} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, o) != nil {
			t.Fatal(err)
		}
	}
	key := map[string]any{"ES256": ecKey(), "RS256": rsaKey(), "PS256": rsaKey(), "EdDSA": edKey()}[header["alg"].(string)]
	return sign(header, with(payload, "jti", rand.Text()), key)
}

// What is longer than SHA-256 is signed with the library: HS512 and the like.
func TestOtherAlgorithms(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	for alg, client := range map[jose.SignatureAlgorithm]string{
		jose.HS384: "secret", jose.HS512: "hs512", jose.RS384: "keys", jose.RS512: "keys", jose.PS384: "keys", jose.PS512: "keys",
	} {
		var key any = jose.JSONWebKey{Key: rsaKey(), KeyID: "rsa"}
		if client != "keys" {
			key = []byte(s.secret[client])
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		jws, err := signer.Sign(must(json.Marshal(s.claims(client))))
		if err != nil {
			t.Fatal(err)
		}
		if got, e := s.post(t, must(jws.CompactSerialize())); e != nil || got.ID != s.id[client] {
			t.Errorf("%s: %q, %v", alg, got.Name, e)
		}
	}
}

func TestAssertionsInForms(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	token := func() string { return sign(es256, s.claims("keys"), ecKey()) }
	for name, c := range map[string]struct {
		headers []string
		form    []string
		code    oauth.Code // "" if it is good
		word    string
	}{
		"RFC 7521 4.2: client_id is optional":   {nil, []string{"client_assertion_type", assertionType, "client_assertion", token()}, "", ""},
		"with its own client_id":                {nil, []string{"client_assertion_type", assertionType, "client_assertion", token(), "client_id", s.id["keys"]}, "", ""},
		"with the client_id of another":         {nil, []string{"client_assertion_type", assertionType, "client_assertion", token(), "client_id", s.id["other"]}, oauth.InvalidClient, "client_id is not the client"},
		"no type":                               {nil, []string{"client_assertion", token()}, oauth.InvalidClient, "client_assertion_type must be"},
		"another type":                          {nil, []string{"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "client_assertion", token()}, oauth.InvalidClient, "client_assertion_type must be"},
		"the type in another case":              {nil, []string{"client_assertion_type", strings.ToUpper(assertionType), "client_assertion", token()}, oauth.InvalidClient, "client_assertion_type must be"},
		"no assertion":                          {nil, []string{"client_assertion_type", assertionType, "client_id", s.id["keys"]}, oauth.InvalidClient, "client_assertion is missing"},
		"an empty assertion":                    {nil, []string{"client_assertion_type", assertionType, "client_assertion", ""}, oauth.InvalidClient, "client_assertion is missing"},
		"RFC 6749 2.3: with a secret":           {nil, []string{"client_assertion_type", assertionType, "client_assertion", token(), "client_id", s.id["basic"], "client_secret", s.secret["basic"]}, oauth.InvalidClient, "client_id is not"},
		"RFC 6749 2.3: with a secret alone":     {nil, []string{"client_assertion_type", assertionType, "client_assertion", token(), "client_secret", s.secret["basic"]}, oauth.InvalidRequest, "two ways"},
		"RFC 6749 2.3: with Basic":              {[]string{basic(s.id["basic"], s.secret["basic"])}, []string{"client_assertion_type", assertionType, "client_assertion", token()}, oauth.InvalidRequest, "two ways"},
		"client_id alone":                       {nil, []string{"client_id", s.id["keys"]}, oauth.InvalidClient, refused},
		"the secret of client_secret_jwt, body": {nil, []string{"client_id", s.id["secret"], "client_secret", s.secret["secret"]}, oauth.InvalidClient, "registered for the token_endpoint_auth_method client_secret_jwt"},
		"the secret of client_secret_jwt, Basic": {[]string{basic(s.id["secret"], s.secret["secret"])}, nil, oauth.InvalidClient,
			"registered for the token_endpoint_auth_method client_secret_jwt"},
		"Basic of a client with keys": {[]string{basic(s.id["keys"], "x")}, nil, oauth.InvalidClient, refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, e := s.ask(t, c.headers, c.form...)
			if c.code == "" && (e != nil || got.ID != s.id["keys"]) {
				t.Errorf("%q, %v", got.Name, e)
			}
			if c.code != "" && (e == nil || e.Code != c.code || !strings.Contains(e.Description, c.word)) {
				t.Errorf("%q, %v; want %s: …%s…", got.Name, e, c.code, c.word)
			}
		})
	}
}

// RFC 7523 3 item 7, Core 9: each assertion once, whatever comes at the same time.
func TestReplay(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	t.Run("of twenty at once one is taken", func(t *testing.T) {
		t.Parallel()
		token := sign(es256, s.claims("keys"), ecKey())
		var good atomic.Int32
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				_, e := s.post(t, token)
				switch {
				case e == nil:
					good.Add(1)
				case e.Code != oauth.InvalidClient || !strings.Contains(e.Description, "used before"):
					t.Error(e)
				}
			})
		}
		all.Wait()
		if good.Load() != 1 {
			t.Errorf("%d were taken", good.Load())
		}
	})
	t.Run("a jti again, signed anew", func(t *testing.T) {
		t.Parallel()
		claims := s.claims("keys")
		if _, e := s.post(t, sign(es256, claims, ecKey())); e != nil {
			t.Fatal(e)
		}
		for _, exp := range []time.Duration{time.Second, 5 * time.Minute} {
			_, e := s.post(t, sign(object{"alg": "RS256", "kid": "rsa"}, with(claims, "exp", s.time.Add(exp).Unix(), "aud", issuer+"/token"), rsaKey()))
			if e == nil || !strings.Contains(e.Description, "used before") {
				t.Error(e)
			}
		}
	})
	t.Run("the same jti of another client", func(t *testing.T) {
		t.Parallel()
		jti := rand.Text()
		if _, e := s.post(t, sign(es256, with(s.claims("keys"), "jti", jti), ecKey())); e != nil {
			t.Error(e)
		}
		if _, e := s.post(t, sign(es256, with(s.claims("es256"), "jti", jti), ecKey())); e != nil {
			t.Error(e)
		}
	})
	t.Run("what was refused spends nothing", func(t *testing.T) {
		t.Parallel()
		claims := s.claims("keys")
		for _, bad := range []string{
			sign(es256, claims, otherKey()), sign(es256, with(claims, "aud", "https://other.example"), ecKey()),
			sign(es256, with(claims, "exp", s.time.Add(time.Hour).Unix()), ecKey()),
		} {
			if _, e := s.post(t, bad); e == nil {
				t.Fatal("it passes")
			}
		}
		if _, e := s.post(t, sign(es256, claims, ecKey())); e != nil {
			t.Error(e)
		}
	})
}

// An assertion cannot come back while the most lenient clock takes it.
func TestReplayUntilItExpires(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	token := sign(es256, s.claims("keys"), ecKey())
	if _, e := s.post(t, token); e != nil {
		t.Fatal(e)
	}
	for range 200 {
		s.time = s.time.Add(time.Second)
		if _, e := s.post(t, token); e == nil {
			t.Fatalf("it is taken again at %v", s.time)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	post := func(kid string, key any) *oauth.Error {
		_, e := s.post(t, sign(object{"alg": "ES256", "kid": kid}, s.claims("uri"), key))
		return e
	}
	if e := post("1", ecKey()); e == nil || e.Description != refused { // the client's server is down
		t.Error(e)
	}
	s.time = s.time.Add(time.Minute)
	s.site.publish(jwks(jose.JSONWebKey{Key: ecKey(), KeyID: "1"}))
	if e := post("1", ecKey()); e != nil {
		t.Error(e)
	}
	s.time = s.time.Add(time.Minute)
	s.site.publish(jwks(jose.JSONWebKey{Key: ecKey(), KeyID: "1"}, jose.JSONWebKey{Key: otherKey(), KeyID: "2"}))
	if e := post("2", otherKey()); e != nil {
		t.Errorf("Core 10.1.1: a new kid: %v", e)
	}
	before := s.site.calls.Load()
	for range 5 {
		if e := post("3", ecKey()); e == nil {
			t.Error("an unknown kid passes")
		}
	}
	if n := s.site.calls.Load(); n != before {
		t.Errorf("%d fetches for unknown kids within ten seconds", n-before)
	}
	if e := post("1", ecKey()); e != nil {
		t.Error(e)
	}
}

// busy is a store that can read and not write.
type busy struct{ Store }

func (busy) SpendAssertion(context.Context, string, string, time.Time, storage.Change) error {
	return storage.ErrBusy
}

func TestStoreFailsToSpend(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	s.Authenticator.Store = busy{s.Authenticator.Store}
	if _, e := s.post(t, sign(es256, s.claims("keys"), ecKey())); e == nil || e.Code != oauth.TemporarilyUnavailable || !errors.Is(e, storage.ErrBusy) {
		t.Errorf("%v; nobody gets in whose assertion was not spent", e)
	}
}

// A sealed secret opens for its own client alone.
func TestSealedSecretOfAnotherClient(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	c, err := s.Authenticator.Store.Client(t.Context(), s.id["hs512"])
	if err != nil {
		t.Fatal(err)
	}
	c.ID, c.TokenEndpointAuthSigningAlg = s.id["secret"], ""
	s.Authenticator.Store = one{client: c}
	if _, e := s.post(t, sign(object{"alg": "HS256"}, s.claims("secret"), []byte(s.secret["hs512"]))); e == nil || e.Code != oauth.ServerError {
		t.Error(e)
	}
}

// FuzzAssertion: whatever is sent is read without harm, and nobody gets in who does not hold the key.
func FuzzAssertion(f *testing.F) {
	seed := object{"iss": "a", "sub": "a", "aud": issuer, "jti": "1", "exp": 1}
	f.Add(sign(es256, seed, ecKey()))
	f.Add(sign(object{"alg": "HS256", "typ": "JWT"}, seed, []byte("x")))
	f.Add(sign(object{"alg": "none"}, seed, nil))
	f.Add(sign(with(es256, "jwk", object{"kty": "oct", "k": "AA"}), with(seed, "aud", []string{issuer}), nil))
	f.Add("..")
	f.Add(part(object{"alg": "RS256", "crit": []string{"b64"}, "b64": false}) + ".a.b")
	f.Fuzz(func(t *testing.T, token string) {
		a, err := parseAssertion(token)
		if err != nil {
			if len(token) > 20 && strings.Contains(err.Error(), token) {
				t.Error("the error holds what was sent")
			}
			return
		}
		if strings.EqualFold(a.alg, "none") || a.alg == "" {
			t.Errorf("it is signed with %q", a.alg)
		}
		a.claims.Text("iss")
		now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		if expires, err := checkTimes(a.claims, now); err == nil && (expires.Before(now) || expires.After(now.Add(near+2*skew))) {
			t.Errorf("it expires %v", expires)
		}
		if _, err := a.jws.Verify(otherKey().Public()); err == nil {
			t.Error("a signature of nobody's fits")
		}
	})
}
