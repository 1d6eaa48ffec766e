package requestobject

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/clients"
	"signet/clients/keyset"
	"signet/fetch"
	"signet/keys"
	"signet/provider/jwt"
	"signet/provider/oauth"
	"signet/storage"
)

const issuer = "https://id.example"

var (
	noon   = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKeys = sync.OnceValue(func() (keys [4]*ecdsa.PrivateKey) {
		for i, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521(), elliptic.P256()} {
			keys[i] = must(ecdsa.GenerateKey(curve, rand.Reader))
		}
		return keys
	})
	edKey = sync.OnceValue(func() ed25519.PrivateKey {
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

type claims = map[string]any

// with is m with other members; nil takes one away.
func with(m claims, change ...any) claims {
	m = maps.Clone(m)
	for i := 0; i < len(change); i += 2 {
		name := change[i].(string)
		if m[name] = change[i+1]; change[i+1] == nil {
			delete(m, name)
		}
	}
	return m
}

// sign makes a request object; extra are members of the header.
func sign(alg string, key any, payload any, extra ...any) string {
	options := &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{}}
	for i := 0; i < len(extra); i += 2 {
		options.ExtraHeaders[jose.HeaderKey(extra[i].(string))] = extra[i+1]
	}
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, options))
	raw, ok := payload.(string)
	if !ok {
		raw = string(must(json.Marshal(payload)))
	}
	return must(must(signer.Sign([]byte(raw))).CompactSerialize())
}

// unsigned makes one with alg none, and with signature behind it.
func unsigned(header, payload any, signature string) string {
	part := func(v any) string { return base64.RawURLEncoding.EncodeToString(must(json.Marshal(v))) }
	return part(header) + "." + part(payload) + "." + signature
}

// plain opens what was not sealed.
type plain struct{}

func (plain) Unseal(purpose string, sealed []byte) ([]byte, error) {
	if purpose != clients.SealPurpose("app") {
		return nil, errors.New("sealed for something else")
	}
	return sealed, nil
}

type nowhere struct{}

func (nowhere) Get(context.Context, string, ...string) (fetch.Document, error) {
	return fetch.Document{}, errors.New("no route to host")
}

// none is a server that nobody can encrypt to.
type none struct{}

func (none) Encryption() []string                      { return nil }
func (none) Decrypt(string, ...string) (string, error) { return "", keys.ErrJWE }

func reader(unsigned bool) *Reader {
	now := func() time.Time { return noon }
	return New(Options{Keys: keyset.New(keyset.Options{Fetch: nowhere{}, Now: now}), Secrets: plain{}, Own: none{}, Issuer: issuer, Unsigned: unsigned, Now: now})
}

// app is a client with a key of each kind.
func app(change ...func(*storage.Client)) storage.Client {
	set := jose.JSONWebKeySet{}
	for kid, key := range map[string]crypto.Signer{"rsa": rsaKey(), "p256": ecKeys()[0], "p384": ecKeys()[1], "p521": ecKeys()[2], "ed": edKey()} {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: kid})
	}
	c := storage.Client{ID: "app", TokenEndpointAuthMethod: clients.AuthBasic, JWKS: must(json.Marshal(set))}
	for _, f := range change {
		f(&c)
	}
	return c
}

// secret is a client that signs with its secret, and registered that for its request objects.
func secret(c *storage.Client) {
	c.TokenEndpointAuthMethod, c.SealedSecret, c.RequestObjectAlg = clients.AuthSecretJWT, []byte(theSecret), "HS256"
}

const theSecret = "0123456789012345678901234567890123456789012345678901234567890123"

func registered(alg string) func(*storage.Client) {
	return func(c *storage.Client) { c.RequestObjectAlg = alg }
}

// request is a good request around an object.
func request(object string, change ...string) oauth.Params {
	v := url.Values{"client_id": {"app"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"outer"}, "request": {object}}
	for i := 0; i < len(change); i += 2 {
		v.Set(change[i], change[i+1])
	}
	return must(oauth.ParseQuery(v.Encode()))
}

// good says all that an object can.
var good = claims{
	"iss": "app", "aud": issuer, "client_id": "app", "iat": noon.Unix(), "nbf": noon.Unix(), "exp": noon.Add(time.Minute).Unix(), "jti": "1",
	"response_type": "code", "redirect_uri": "https://app.example/cb", "scope": "openid email", "state": "inner", "nonce": "n",
}

func TestGoodObjects(t *testing.T) {
	t.Parallel()
	rs, es := rsaKey(), ecKeys()
	for name, row := range map[string]struct {
		client   storage.Client
		object   string
		unsigned bool
	}{
		"RFC 7518 3.3: RS256":                        {app(), sign("RS256", rs, good), false},
		"RFC 7518 3.3: RS384":                        {app(), sign("RS384", rs, good), false},
		"RFC 7518 3.3: RS512":                        {app(), sign("RS512", rs, good), false},
		"RFC 7518 3.5: PS256":                        {app(), sign("PS256", rs, good), false},
		"RFC 7518 3.5: PS384":                        {app(), sign("PS384", rs, good), false},
		"RFC 7518 3.5: PS512":                        {app(), sign("PS512", rs, good), false},
		"RFC 7518 3.4: ES256":                        {app(), sign("ES256", es[0], good), false},
		"RFC 7518 3.4: ES384":                        {app(), sign("ES384", es[1], good), false},
		"RFC 7518 3.4: ES512":                        {app(), sign("ES512", es[2], good), false},
		"RFC 8037 3.1: EdDSA":                        {app(), sign("EdDSA", edKey(), good), false},
		"Core 10.1: the kid of the key":              {app(), sign("RS256", rs, good, "kid", "rsa"), false},
		"Registration 2: the registered algorithm":   {app(registered("PS256")), sign("PS256", rs, good), false},
		"Core 10.1: HS256, registered":               {app(secret), sign("HS256", []byte(theSecret), good), false},
		"Core 6.1: unsigned where it is let in":      {app(), unsigned(claims{"alg": "none"}, good, ""), true},
		"Registration 2: none, registered":           {app(registered("none")), unsigned(claims{"alg": "none"}, good, ""), true},
		"Core 6.1: neither iss nor aud nor times":    {app(), sign("RS256", rs, with(good, "iss", nil, "aud", nil, "exp", nil, "nbf", nil, "iat", nil, "client_id", nil)), false},
		"RFC 7519 4.1.3: one of several audiences":   {app(), sign("RS256", rs, with(good, "aud", []string{"https://other.example", issuer})), false},
		"RFC 9101 10.8: typ oauth-authz-req+jwt":     {app(), sign("RS256", rs, good, "typ", "oauth-authz-req+jwt"), false},
		"RFC 7515 4.1.9: typ with application/":      {app(), sign("RS256", rs, good, "typ", "application/OAuth-Authz-Req+JWT"), false},
		"RFC 7519 5.1: typ JWT":                      {app(), sign("RS256", rs, good, "typ", "JWT"), false},
		"expired by less than the clocks may differ": {app(), sign("RS256", rs, with(good, "exp", noon.Add(-59*time.Second).Unix())), false},
		"made by a clock that is a little ahead":     {app(), sign("RS256", rs, with(good, "iat", noon.Add(time.Minute).Unix(), "nbf", noon.Add(time.Minute).Unix())), false},
		"an unknown member, whatever it is":          {app(), sign("RS256", rs, with(good, "extra", claims{"a": []int{1}}, "exotic", nil)), false},
		"sub of somebody else is nothing to us":      {app(), sign("RS256", rs, with(good, "sub", "somebody")), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := reader(row.unsigned)
			for range 2 { // Core 6 lets an object be used again
				p, _, err := r.Merge(t.Context(), row.client, request(row.object))
				if err != nil {
					t.Fatal(err)
				}
				for name, want := range map[string]string{
					"state": "inner", "scope": "openid email", "nonce": "n", "redirect_uri": "https://app.example/cb", "client_id": "app", "response_type": "code", "request": "",
					"iss": "", "aud": "", "exp": "", "extra": "", "sub": "", "jti": "",
				} {
					if got := p.Get(name); got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
			}
		})
	}
}

func TestBadObjects(t *testing.T) {
	t.Parallel()
	rs, es := rsaKey(), ecKeys()
	publicDER := must(x509.MarshalPKIXPublicKey(&rs.PublicKey))
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER})
	other := must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: es[0].Public(), KeyID: "x"}, {Key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).Public(), KeyID: "y"}}}))
	whole := sign("RS256", rs, good)
	parts := strings.Split(whole, ".")
	none := claims{"alg": "none"}
	for name, row := range map[string]struct {
		client   storage.Client
		object   string
		unsigned bool
	}{
		"Core 6.1: none where it is not let in":             {app(), unsigned(none, good, ""), false},
		"none, registered, where it is not let in":          {app(registered("none")), unsigned(none, good, ""), false},
		"none where a signature is registered":              {app(registered("RS256")), unsigned(none, good, ""), true},
		"a signature where none is registered":              {app(registered("none")), whole, true},
		"RFC 7518 3.6: none with a signature":               {app(), unsigned(none, good, parts[2]), true},
		"RFC 8725 2.1: None in another case":                {app(), unsigned(claims{"alg": "None"}, good, ""), true},
		"NONE":                                              {app(), unsigned(claims{"alg": "NONE"}, good, ""), true},
		"no alg":                                            {app(), unsigned(claims{}, good, ""), true},
		"an unknown alg":                                    {app(), unsigned(claims{"alg": "RS257"}, good, parts[2]), true},
		"RFC 8725 2.1: HS256 by the public key, PEM":        {app(), sign("HS256", publicPEM, good), true},
		"HS256 by the public key, DER":                      {app(), sign("HS256", publicDER, good), true},
		"HS256 by the public key where HS256 is registered": {app(secret), sign("HS256", publicPEM, good), true},
		"HS256 by the secret, which was not registered":     {app(secret, registered("")), sign("HS256", []byte(theSecret), good), true},
		"HS256, registered, without a sealed secret":        {app(registered("HS256")), sign("HS256", []byte(theSecret), good), true},
		"HS512 where HS256 is registered":                   {app(secret), sign("HS512", []byte(theSecret), good), true},
		"Registration 2: another than the registered alg":   {app(registered("ES256")), whole, true},
		"another key of the same kind":                      {app(), sign("ES256", es[3], good), false},
		"another key under the client's kid":                {app(), sign("ES256", es[3], good, "kid", "p256"), false},
		"Core 10.1: an unknown kid":                         {app(), sign("RS256", rs, good, "kid", "unknown"), false},
		"Core 10.1: several keys and no kid":                {app(func(c *storage.Client) { c.JWKS = other }), sign("ES256", es[0], good), false},
		"a client without keys":                             {app(func(c *storage.Client) { c.JWKS = nil }), whole, false},
		"a jwks_uri that cannot be reached":                 {app(func(c *storage.Client) { c.JWKS, c.JWKSURI = nil, "https://app.example/keys" }), whole, false},
		"a signature of another object":                     {app(), parts[0] + "." + strings.Split(sign("RS256", rs, with(good, "state", "x")), ".")[1] + "." + parts[2], false},
		"a signature cut off":                               {app(), parts[0] + "." + parts[1] + ".", true},
		"RFC 7515 4.1.3: jwk in the header":                 {app(), sign("ES256", es[3], good, "jwk", jose.JSONWebKey{Key: es[3].Public()}), false},
		"RFC 7515 4.1.2: jku in the header":                 {app(), sign("RS256", rs, good, "jku", "https://evil.example/keys"), false},
		"RFC 7515 4.1.5: x5u in the header":                 {app(), sign("RS256", rs, good, "x5u", "https://evil.example/cert"), false},
		"RFC 9101 10.8: typ of an access token":             {app(), sign("RS256", rs, good, "typ", "at+jwt"), false},
		"typ of a logout token":                             {app(), sign("RS256", rs, good, "typ", "logout+jwt"), false},
		"typ of a client assertion":                         {app(), sign("RS256", rs, good, "typ", "client-authentication+jwt"), false},
		"typ that is no text":                               {app(), sign("RS256", rs, good, "typ", 1), false},
		"Core 6.1: another client's issuer":                 {app(), sign("RS256", rs, with(good, "iss", "another")), false},
		"iss that is no text":                               {app(), sign("RS256", rs, with(good, "iss", []string{"app"})), false},
		"Core 6.1: another client_id inside":                {app(), sign("RS256", rs, with(good, "client_id", "another")), false},
		"client_id that is null":                            {app(), sign("RS256", rs, `{"client_id":null}`), false},
		"RFC 9101 10.8: sub is the client":                  {app(), sign("RS256", rs, with(good, "sub", "app")), false},
		"Core 6.1: another audience":                        {app(), sign("RS256", rs, with(good, "aud", "https://other.example")), false},
		"the issuer with a slash behind it":                 {app(), sign("RS256", rs, with(good, "aud", issuer+"/")), false},
		"audiences without us":                              {app(), sign("RS256", rs, with(good, "aud", []string{})), false},
		"an audience that is null":                          {app(), sign("RS256", rs, `{"aud":null}`), false},
		"an audience that is an object":                     {app(), sign("RS256", rs, with(good, "aud", claims{})), false},
		"RFC 7519 4.1.4: expired":                           {app(), sign("RS256", rs, with(good, "exp", noon.Add(-time.Minute).Unix())), false},
		"RFC 7519 4.1.5: not good yet":                      {app(), sign("RS256", rs, with(good, "nbf", noon.Add(61*time.Second).Unix())), false},
		"RFC 7519 4.1.6: made in the future":                {app(), sign("RS256", rs, with(good, "iat", noon.Add(61*time.Second).Unix())), false},
		"exp that is a text":                                {app(), sign("RS256", rs, with(good, "exp", "tomorrow")), false},
		"exp that is null":                                  {app(), sign("RS256", rs, `{"exp":null}`), false},
		"Core 6.1: request inside":                          {app(), sign("RS256", rs, with(good, "request", whole)), false},
		"Core 6.1: request_uri inside":                      {app(), sign("RS256", rs, with(good, "request_uri", "https://app.example/r")), false},
		"an empty request inside":                           {app(), sign("RS256", rs, with(good, "request", "")), false},
		"an object in an object: RFC 7519 A.2":              {app(), sign("RS256", rs, whole, "cty", "JWT"), false},
		"Core 6.1: another response_type":                   {app(), sign("RS256", rs, with(good, "response_type", "id_token")), false},
		"state that is a number":                            {app(), sign("RS256", rs, with(good, "state", 5)), false},
		"redirect_uri that is a list":                       {app(), sign("RS256", rs, with(good, "redirect_uri", []string{"https://app.example/cb"})), false},
		"scope that is a list":                              {app(), sign("RS256", rs, with(good, "scope", []string{"openid"})), false},
		"max_age that is true":                              {app(), sign("RS256", rs, with(good, "max_age", true)), false},
		"max_age that is null":                              {app(), sign("RS256", rs, `{"max_age":null}`), false},
		"claims that are a list":                            {app(), sign("RS256", rs, with(good, "claims", []string{"name"})), false},
		"NUL in a text":                                     {app(), sign("RS256", rs, with(good, "nonce", "a\x00b")), false},
		"a payload that is null":                            {app(), sign("RS256", rs, "null"), false},
		"a payload that is a list":                          {app(), sign("RS256", rs, "[]"), false},
		"a payload that is no JSON":                         {app(), sign("RS256", rs, "client_id=app"), false},
		"no JWT":                                            {app(), "garbage", true},
		"JSON serialization":                                {app(), `{"payload":"e30","signatures":[]}`, true},
		"five parts, as in JWE":                             {app(), "e30.e30.e30.e30.e30", true},
		"longer than 16 KiB":                                {app(), sign("RS256", rs, with(good, "state", strings.Repeat("s", jwt.Max))), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := request(row.object)
			merged, _, err := reader(row.unsigned).Merge(t.Context(), row.client, p)
			var e *oauth.Error
			if !errors.As(err, &e) || e.Code != oauth.InvalidRequestObject || e.Description == "" {
				t.Fatalf("%v", err)
			}
			if strings.Contains(e.Description, "evil.example") || strings.Contains(e.Description, "another.") {
				t.Errorf("it echoes: %s", e.Description)
			}
			if strings.Contains(e.Description, "can use") != strings.Contains(e.Description, "another algorithm") {
				t.Errorf("it tells the algorithms where they may be what is wrong, and nowhere else: %s", e.Description)
			}
			_ = merged // nothing is promised of it
		})
	}
}

func TestWhatStandsOutside(t *testing.T) {
	t.Parallel()
	object := sign("RS256", rsaKey(), good)
	for name, row := range map[string]struct {
		p    oauth.Params
		code oauth.Code
	}{
		"Core 6.1: response_type missing":     {request(object, "response_type", ""), oauth.InvalidRequest},
		"Core 6.1: another response_type":     {request(object, "response_type", "code id_token"), oauth.InvalidRequestObject},
		"Core 6.1: scope missing":             {request(object, "scope", ""), oauth.InvalidRequest},
		"Core 6.1: scope without openid":      {request(object, "scope", "email"), oauth.InvalidRequest},
		"RFC 6749 3.1: the object sent twice": {must(oauth.ParseQuery("client_id=app&request=" + object + "&request=" + object)), oauth.InvalidRequest},
		"RFC 6749 3.1: another sent twice":    {must(oauth.ParseQuery("client_id=app&x=1&x=2&request=" + object)), oauth.InvalidRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := reader(false).Merge(t.Context(), app(), row.p)
			var e *oauth.Error
			if !errors.As(err, &e) || e.Code != row.code {
				t.Errorf("%v, want %s", err, row.code)
			}
		})
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	object := sign("RS256", rsaKey(), `{"scope":"openid","max_age":0,"claims":{ "userinfo": {"name": {"essential": true}}},"nonce":"","resource":["https://a.example","https://b.example"]}`)
	p, _, err := reader(false).Merge(t.Context(), app(), request(object, "nonce", "outer", "max_age", "60", "display", "popup"))
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ parameter, want string }{
		"Core 6.1: max_age is a number":                      {"max_age", "0"},
		"Core 6.1: claims is an object":                      {"claims", `{"userinfo":{"name":{"essential":true}}}`},
		"RFC 6749 3.1: an empty member is as good as none":   {"nonce", "outer"},
		"Core 6.3.3: what is only outside counts":            {"display", "popup"},
		"Core 6.3.3: state outside, where there is no other": {"state", "outer"},
		"RFC 8707 2: several resources":                      {"resource", "https://a.example"},
	} {
		if got := p.Get(row.parameter); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
	if got := p.All("resource"); len(got) != 2 {
		t.Errorf("resources %v", got)
	}
	plain := request("")
	if p, _, err := reader(false).Merge(t.Context(), app(), plain); err != nil || p.Encode() != plain.Encode() {
		t.Errorf("a request without an object became %v, %v", p, err)
	}
}

// FuzzObject reads any payload, unsigned: it never fails but by saying that the object is not good, and what it takes is for us.
func FuzzObject(f *testing.F) {
	for _, payload := range []string{
		string(must(json.Marshal(good))), "", "null", "{}", `{"aud":["` + issuer + `"],"max_age":1e3}`, `{"claims":{},"resource":[]}`, `{"client_id":"app","client_id":"other"}`,
		`{"exp":1e400}`, `{"state":"\ud800"}`, `{"request":""}`, `{"ISS":"other","Client_Id":"other"}`, `{"claims":"{}","registration":{"a":1}}`,
	} {
		f.Add(`{"alg":"none"}`, payload, "")
	}
	f.Add(`{"alg":"HS256","typ":"JWT"}`, "{}", "AAAA")
	f.Add(`{"alg":"none","crit":["x"]}`, "{}", "")
	r, client := reader(true), app()
	f.Fuzz(func(t *testing.T, header, payload, signature string) {
		token := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "." + signature
		values := url.Values{"client_id": {"app"}, "response_type": {"code"}, "scope": {"openid"}, "request": {token}}
		p, err := oauth.ParseQuery(values.Encode())
		if err != nil {
			return
		}
		merged, _, err := r.Merge(t.Context(), client, p)
		if err != nil {
			if e := oauth.AsError(err); e.Code != oauth.InvalidRequestObject && e.Code != oauth.InvalidRequest {
				t.Fatal(err)
			}
			return
		}
		if merged.Get("client_id") != "app" || merged.Get("response_type") != "code" || merged.Has("request") || merged.Has("request_uri") {
			t.Fatalf("%s became %s", payload, merged.Encode())
		}
		if _, err := oauth.ParseQuery(merged.Encode()); err != nil {
			t.Fatalf("%s became what cannot be read: %v", payload, err)
		}
	})
}

// RFC 7519 4.1.7: an object with a jti is for one use, until it expires or for an hour.
func TestOneTime(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		object  claims
		id      string
		expires time.Time
	}{
		"until exp, and what clocks may differ": {with(good, "exp", noon.Add(10*time.Minute).Unix()), "1", noon.Add(11 * time.Minute)},
		"exp is far away":                       {with(good, "exp", noon.Add(9*time.Hour).Unix()), "1", noon.Add(time.Hour)},
		"no exp":                                {claims{"state": "s", "jti": "x"}, "x", noon.Add(time.Hour)},
		"no jti":                                {claims{"state": "s"}, "", time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, once, err := reader(false).Merge(t.Context(), app(), request(sign("RS256", rsaKey(), row.object)))
			if err != nil || once.ID != row.id || !once.Expires.Equal(row.expires) {
				t.Errorf("%+v, %v", once, err)
			}
		})
	}
	for name, jti := range map[string]any{"a number": 1, "empty": "", "a list": []string{"1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := reader(false).Merge(t.Context(), app(), request(sign("RS256", rsaKey(), with(good, "jti", jti))))
			if oauth.AsError(err).Code != oauth.InvalidRequestObject {
				t.Error(err)
			}
		})
	}
}
