package assertion

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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/clients/keyset"
	"signet/fetch"
	"signet/provider/jwt"
	"signet/provider/oauth"
)

const (
	cluster  = "https://kubernetes.default.svc.cluster.local"
	forge    = "https://token.actions.example"
	employer = "https://login.example"
	own      = "https://id.example"
)

var instant = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

var (
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	other  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	edKey  = sync.OnceValue(func() ed25519.PrivateKey {
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

func sign(alg string, key any, claims object, header ...any) string {
	extra := (&jose.SignerOptions{}).WithHeader("kid", map[string]string{"RS256": "rsa", "ES256": "ec", "EdDSA": "ed"}[alg])
	for i := 0; i < len(header); i += 2 {
		extra.WithHeader(jose.HeaderKey(header[i].(string)), header[i+1])
	}
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, extra))
	return must(must(signer.Sign(must(json.Marshal(claims)))).CompactSerialize())
}

// bare is a JWT with just this header.
func bare(header string, claims object, signature []byte) string {
	b := base64.RawURLEncoding.EncodeToString
	return b([]byte(header)) + "." + b(must(json.Marshal(claims))) + "." + b(signature)
}

func set(keys ...jose.JSONWebKey) []byte {
	for i, key := range keys {
		keys[i].Key = key.Key.(crypto.Signer).Public()
	}
	return must(json.Marshal(jose.JSONWebKeySet{Keys: keys}))
}

func keysOfCluster() []byte {
	return set(jose.JSONWebKey{Key: rsaKey(), KeyID: "rsa"}, jose.JSONWebKey{Key: ecKey(), KeyID: "ec"}, jose.JSONWebKey{Key: edKey(), KeyID: "ed"})
}

func reader() *Reader {
	known := Known{must(keyset.Parse(keysOfCluster()))}
	k8s := NewDeclaration(cluster)
	k8s.Subjects = []Rule{
		{Subject: "system:serviceaccount:prod:orders", Client: "orders"},
		{Subject: "system:serviceaccount:prod:*", Client: "prod"},
		{Subject: "system:serviceaccount:pro*", Client: "pro"},
		{Subject: "system:serviceaccount:prod:never", Client: "never"},
	}
	jobs := NewDeclaration(forge)
	jobs.SingleUse, jobs.Algorithms, jobs.Audience, jobs.MaxLifetime = true, []string{"RS256"}, []string{"signet"}, time.Hour
	jobs.Subjects = []Rule{{Subject: "repo:acme/app:environment:*", Client: "deploy"}}
	people := NewDeclaration(employer)
	people.Subjects = []Rule{{Subject: "named", User: UserName}, {Subject: "same", User: UserSub}, {Subject: "*", User: UserEmail}}
	return New(Options{
		Issuers: []Issuer{{k8s, known}, {jobs, known}, {people, known}}, Audience: []string{own, own + "/token"}, Now: func() time.Time { return instant },
	})
}

func at(d time.Duration) int64 { return instant.Add(d).Unix() }

var (
	workload = object{
		"iss": cluster, "aud": []string{own}, "sub": "system:serviceaccount:prod:orders", "iat": at(0), "nbf": at(0), "exp": at(time.Hour),
		"jti": "a", "kubernetes.io": object{"namespace": "prod"},
	}
	job    = object{"iss": forge, "aud": "signet", "sub": "repo:acme/app:environment:prod", "iat": at(0), "exp": at(time.Minute), "jti": "job-1"}
	person = object{"iss": employer, "aud": own + "/token", "sub": "7391", "iat": at(0), "exp": at(time.Minute), "email": "ada@example.com", "email_verified": true}
)

func TestGood(t *testing.T) {
	t.Parallel()
	client := func(name, id string) Subject { return Subject{Issuer: cluster, Name: name, Client: id} }
	const prod = "system:serviceaccount:prod:"
	for name, row := range map[string]struct {
		token string
		want  Subject
	}{
		"RFC 7523 2.1: a workload":            {sign("RS256", rsaKey(), workload), client(prod+"orders", "orders")},
		"RFC 7523 3 item 9: ES256":            {sign("ES256", ecKey(), workload), client(prod+"orders", "orders")},
		"RFC 7523 3 item 9: EdDSA":            {sign("EdDSA", edKey(), workload), client(prod+"orders", "orders")},
		"RFC 7519 5.1: typ":                   {sign("RS256", rsaKey(), workload, "typ", "JWT"), client(prod+"orders", "orders")},
		"RFC 7523 3 item 3: the endpoint":     {sign("RS256", rsaKey(), with(workload, "aud", own+"/token")), client(prod+"orders", "orders")},
		"the first rule that fits decides":    {sign("RS256", rsaKey(), with(workload, "sub", prod+"never")), client(prod+"never", "prod")},
		"a * goes up to a colon":              {sign("RS256", rsaKey(), with(workload, "sub", "system:serviceaccount:prox")), client("system:serviceaccount:prox", "pro")},
		"RFC 7523 3 item 6: iat may be away":  {sign("RS256", rsaKey(), with(workload, "iat", nil, "nbf", nil)), client(prod+"orders", "orders")},
		"half a minute late":                  {sign("RS256", rsaKey(), with(workload, "iat", at(-time.Hour), "exp", at(-29*time.Second))), client(prod+"orders", "orders")},
		"half a minute early":                 {sign("RS256", rsaKey(), with(workload, "iat", at(30*time.Second), "nbf", at(30*time.Second))), client(prod+"orders", "orders")},
		"as long as it may be":                {sign("RS256", rsaKey(), with(workload, "exp", at(24*time.Hour))), client(prod+"orders", "orders")},
		"RFC 7523 3 item 7: once":             {sign("RS256", rsaKey(), job), Subject{Issuer: forge, Name: "repo:acme/app:environment:prod", Client: "deploy"}},
		"RFC 7523 3 item 2: a user's address": {sign("RS256", rsaKey(), person), Subject{Issuer: employer, Name: "7391", User: UserEmail, Login: "ada@example.com"}},
		"a user's name":                       {sign("RS256", rsaKey(), with(person, "sub", "named", "preferred_username", "ada")), Subject{Issuer: employer, Name: "named", User: UserName, Login: "ada"}},
		"a user's sub":                        {sign("RS256", rsaKey(), with(person, "sub", "same")), Subject{Issuer: employer, Name: "same", User: UserSub, Login: "same"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := reader().Read(t.Context(), row.token)
			if once := s.Once; s.Issuer == forge {
				if once.ID != "job-1" || !once.Expires.Equal(instant.Add(time.Minute+skew)) {
					t.Errorf("once: %+v", once)
				}
				s.Once.ID, s.Once.Expires = "", time.Time{}
			}
			if err != nil || s != row.want {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}

func TestBad(t *testing.T) {
	t.Parallel()
	rs := func(claims object, header ...any) string { return sign("RS256", rsaKey(), claims, header...) }
	der := must(x509.MarshalPKIXPublicKey(rsaKey().Public()))
	hmacBy := func(secret []byte) string { return sign("HS256", secret, workload) }
	good := rs(workload)
	parts := strings.Split(good, ".")
	const (
		malformed = "the assertion is not good: it is malformed"
		noKey     = "the assertion is signed with no key that is known of its issuer"
		header    = "the assertion is not good: its header"
		stranger  = "the assertion is of no issuer that this server trusts"
		audience  = "aud of the assertion must be"
		noRule    = "no rule of this server fits the sub"
		tooLong   = "the assertion is good for longer than this server takes of its issuer"
	)
	for name, row := range map[string]struct{ token, want string }{
		"RFC 8725 3.2: none":                          {bare(`{"alg":"none"}`, workload, nil), malformed},
		"RFC 8725 3.2: None":                          {bare(`{"alg":"None"}`, workload, nil), malformed},
		"RFC 8725 3.2: nonE, with a signature":        {bare(`{"alg":"nonE"}`, workload, []byte("x")), malformed},
		"CVE-2015-9235: HMAC by the key as PEM":       {hmacBy(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), malformed},
		"CVE-2015-9235: HMAC by the key as DER":       {hmacBy(der), malformed},
		"CVE-2015-9235: HMAC by the key as a JWK":     {hmacBy(keysOfCluster()), malformed},
		"CVE-2018-0114: a key in the header":          {sign("ES256", other(), workload, "jwk", jose.JSONWebKey{Key: other().Public()}), header + " holds a key"},
		"RFC 8725 3.10: jku":                          {rs(workload, "jku", "https://evil.example/"), header + " has jku"},
		"RFC 8725 3.10: x5u":                          {rs(workload, "x5u", "https://evil.example/"), header + " has x5u"},
		"RFC 7515 4.1.11: crit":                       {bare(`{"alg":"RS256","kid":"rsa","crit":["x"],"x":1}`, workload, make([]byte, 256)), header + " has crit"},
		"CVE-2022-21449: ECDSA of zeros":              {bare(`{"alg":"ES256","kid":"ec"}`, workload, make([]byte, 64)), "the signature of the assertion is wrong"},
		"RFC 8725 3.11: an access token":              {rs(workload, "typ", "at+jwt"), "the assertion is not good: its typ"},
		"RFC 8725 3.11: a logout token":               {rs(workload, "typ", "logout+jwt"), "the assertion is not good: its typ"},
		"RFC 8725 3.11: an assertion of a client":     {rs(workload, "typ", "client-authentication+jwt"), "the assertion is not good: its typ"},
		"RFC 7523 3 item 9: by another's key":         {sign("ES256", other(), workload), "the signature of the assertion is wrong"},
		"RFC 7523 3 item 9: by an unknown key":        {sign("RS256", rsaKey(), workload, "kid", "new"), noKey},
		"RFC 7517 4.5: the key of another algorithm":  {sign("RS256", rsaKey(), workload, "kid", "ec"), noKey},
		"RFC 8725 3.1: an algorithm that it has not":  {sign("ES256", ecKey(), job), "the assertion is signed with another algorithm than its issuer's: RS256"},
		"another payload under the signature":         {parts[0] + "." + strings.Split(rs(with(workload, "sub", "x")), ".")[1] + "." + parts[2], "the signature of the assertion is wrong"},
		"without a signature":                         {parts[0] + "." + parts[1] + ".", "the signature of the assertion is wrong"},
		"CVE-2025-27144: many dots":                   {strings.Repeat(".", jwt.Max), malformed},
		"longer than it may be":                       {rs(with(workload, "x", strings.Repeat("x", jwt.Max))), "the assertion is not good: it is longer than"},
		"RFC 7523 3: no JSON object":                  {must(must(must(jose.NewSigner(jose.SigningKey{Algorithm: "RS256", Key: rsaKey()}, nil)).Sign([]byte("[]"))).CompactSerialize()), "the assertion is not good: its payload"},
		"RFC 7516: encrypted":                         {"e30.e30.e30.e30.e30", malformed},
		"RFC 7523 3 item 1: an unknown issuer":        {rs(with(workload, "iss", "https://evil.example")), stranger},
		"RFC 7523 3 item 1: an issuer with a slash":   {rs(with(workload, "iss", cluster+"/")), stranger},
		"RFC 7523 3 item 1: no issuer":                {rs(with(workload, "iss", nil)), stranger},
		"RFC 7523 3 item 1: an issuer that is a list": {rs(with(workload, "iss", []string{cluster})), stranger},
		"RFC 7519 10.1.1: ISS is no iss":              {rs(with(workload, "iss", nil, "ISS", cluster)), stranger},
		"RFC 7523 3 item 2: no sub":                   {rs(with(workload, "sub", nil)), "sub is missing"},
		"RFC 7523 3 item 2: a sub that is a number":   {rs(with(workload, "sub", 1)), "sub is missing"},
		"RFC 7523 3 item 3: no aud":                   {rs(with(workload, "aud", nil)), audience},
		"RFC 7523 3 item 3: another aud":              {rs(with(workload, "aud", "https://api.example")), audience},
		"CVE-2025-27370: another beside us":           {rs(with(workload, "aud", []string{own, "https://other.example"})), audience},
		"CVE-2025-27371: us twice":                    {rs(with(workload, "aud", []string{own, own})), audience},
		"RFC 7523 3 item 3: an own aud, and not ours": {rs(with(job, "aud", own)), audience},
		"RFC 7523 3 item 4: no exp":                   {rs(with(workload, "exp", nil)), "exp is missing"},
		"RFC 7523 3 item 4: exp is a text":            {rs(with(workload, "exp", "9999999999")), "the assertion is not good: its exp"},
		"RFC 7523 3 item 4: exp is null":              {rs(with(workload, "exp", json.RawMessage("null"))), "the assertion is not good: its exp"},
		"RFC 7523 3 item 4: expired":                  {rs(with(workload, "iat", at(-time.Hour), "exp", at(-30*time.Second))), "the assertion has expired"},
		"RFC 7523 3 item 5: not yet":                  {rs(with(workload, "nbf", at(31*time.Second))), "nbf of the assertion is ahead"},
		"RFC 7523 3 item 6: of tomorrow":              {rs(with(workload, "iat", at(31*time.Second))), "iat of the assertion is ahead"},
		"RFC 7523 3 item 6: good for too long":        {rs(with(workload, "exp", at(24*time.Hour+time.Second))), tooLong},
		"RFC 7523 3 item 6: without iat, too long":    {rs(with(workload, "iat", nil, "exp", at(24*time.Hour+31*time.Second))), tooLong},
		"RFC 7523 3 item 6: old, and was too long":    {rs(with(workload, "iat", at(-24*time.Hour), "exp", at(time.Minute))), tooLong},
		"RFC 7523 3 item 4: for ever":                 {rs(with(workload, "iat", nil, "exp", 1e300)), tooLong},
		"RFC 7523 3 item 7: no jti":                   {rs(with(job, "jti", nil)), "jti is missing"},
		"RFC 7523 3 item 7: a jti that is a number":   {rs(with(job, "jti", 7)), "jti is missing"},
		"no rule":                              {rs(with(workload, "sub", "system:serviceaccount:test:orders")), noRule},
		"a * matches no other namespace":       {rs(with(workload, "sub", "system:serviceaccount:prod-evil:orders")), noRule},
		"a * matches nothing longer":           {rs(with(workload, "sub", "system:serviceaccount:prod:orders:admin")), noRule},
		"a * is at least something":            {rs(with(workload, "sub", "system:serviceaccount:prod:")), noRule},
		"a * matches no path":                  {rs(with(job, "sub", "repo:acme/app:environment:a/b")), noRule},
		"another capital":                      {rs(with(workload, "sub", "System:serviceaccount:prod:orders")), noRule},
		"an address that nobody verified":      {rs(with(person, "email_verified", nil)), "email_verified of the assertion is not true"},
		"an address that is verified in words": {rs(with(person, "email_verified", "true")), "email_verified of the assertion is not true"},
		"no address":                           {rs(with(person, "email", nil)), "email is missing"},
		"a rule that fits ends the search":     {rs(with(person, "sub", "named")), "preferred_username is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := reader().Read(t.Context(), row.token)
			var e *oauth.Error
			if !errors.As(err, &e) || e.Code != oauth.InvalidGrant || !strings.HasPrefix(e.Description, row.want) {
				t.Fatalf("%+v, %v, want %s", s, err, row.want)
			}
			if strings.Contains(e.Description, "evil") {
				t.Errorf("it echoes: %s", e.Description)
			}
		})
	}
	t.Run("nobody is trusted", func(t *testing.T) {
		t.Parallel()
		if _, err := New(Options{}).Read(t.Context(), good); err == nil {
			t.Error("read")
		}
	})
}

// site is where an issuer publishes its keys.
type site struct {
	body []byte
	err  error
}

func (s *site) Get(context.Context, string, ...string) (fetch.Document, error) {
	return fetch.Document{Body: s.body, Fresh: -1}, s.err
}

func TestFetched(t *testing.T) {
	t.Parallel()
	now := instant
	clock := func() time.Time { return now }
	s := &site{err: errors.New("no route to host")}
	d := NewDeclaration(cluster)
	d.Subjects = []Rule{{Subject: "system:serviceaccount:prod:orders", Client: "orders"}}
	r := New(Options{
		Issuers:  []Issuer{{d, Fetched{keyset.New(keyset.Options{Fetch: s, Now: clock}), "https://cluster.example/openid/v1/jwks"}}},
		Audience: []string{own}, Now: clock,
	})
	token := sign("RS256", rsaKey(), workload)
	var e *oauth.Error
	if _, err := r.Read(t.Context(), token); !errors.As(err, &e) || e.Code != oauth.InvalidGrant || strings.Contains(e.Description, "route") {
		t.Errorf("its server is away: %v", err)
	}
	s.err, s.body, now = nil, keysOfCluster(), now.Add(time.Minute)
	if got, err := r.Read(t.Context(), token); err != nil || got.Client != "orders" {
		t.Errorf("its server is back: %v, %v", got, err)
	}
	s.err = errors.New("no route to host")
	now = now.Add(2 * time.Hour)
	if got, err := r.Read(t.Context(), sign("RS256", rsaKey(), with(workload, "exp", now.Add(time.Minute).Unix()))); err != nil || got.Client != "orders" {
		t.Errorf("its server is away again: %v, %v", got, err)
	}
}

func TestDeclaration(t *testing.T) {
	t.Parallel()
	good := func() Declaration {
		d := NewDeclaration(cluster)
		d.JWKSFile, d.Subjects = "/etc/signet/cluster.jwks", []Rule{{Subject: "a", Client: "a"}}
		return d
	}
	if err := good().Faults(own); err != nil {
		t.Errorf("a good one: %v", err)
	}
	for name, row := range map[string]struct {
		change func(*Declaration)
		want   string
	}{
		"ourselves":          {func(d *Declaration) { d.Issuer = own }, "issuer: is this server itself"},
		"a space":            {func(d *Declaration) { d.Issuer += " " }, "issuer: begins or ends"},
		"no keys":            {func(d *Declaration) { d.JWKSFile = "" }, "jwks_uri: or jwks_file is missing"},
		"two places":         {func(d *Declaration) { d.JWKSURI = "https://a.example/jwks" }, "jwks_file: stands beside"},
		"no URL":             {func(d *Declaration) { d.JWKSFile, d.JWKSURI = "", "a.example" }, "jwks_uri: "},
		"a CA for a file":    {func(d *Declaration) { d.CAFile = "ca.crt" }, "ca_file: says nothing"},
		"RFC 8725 3.2: none": {func(d *Declaration) { d.Algorithms = []string{"none"} }, "algorithms: "},
		"a shared secret":    {func(d *Declaration) { d.Algorithms = []string{"HS256"} }, "algorithms: "},
		"no algorithm":       {func(d *Declaration) { d.Algorithms = nil }, "algorithms: is empty"},
		"an empty audience":  {func(d *Declaration) { d.Audience = []string{""} }, "audience: has an empty one"},
		"for no time":        {func(d *Declaration) { d.MaxLifetime = 0 }, "max_lifetime: is too short"},
		"for ever":           {func(d *Declaration) { d.MaxLifetime = 2 * maxLifetime }, "max_lifetime: is too long"},
		"no subjects":        {func(d *Declaration) { d.Subjects = nil }, "subjects: is missing"},
	} {
		d := good()
		row.change(&d)
		if err := d.Faults(own); err == nil || !strings.HasPrefix(err.Error(), row.want) {
			t.Errorf("%s: %v, want %s", name, err, row.want)
		}
	}
	for _, r := range []Rule{{"a", "a", ""}, {"a*", "a", ""}, {"*", "", UserEmail}, {"a", "", UserSub}, {"a:b/c", "", UserName}} {
		if err := r.Faults(); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
	for _, row := range []struct {
		rule Rule
		want string
	}{
		{Rule{"a", "", ""}, "client: or user is missing"}, {Rule{"a", "a", "sub"}, "user: stands beside client"}, {Rule{"a", "", "name"}, "user: "},
		{Rule{"*a", "a", ""}, "subject: has a *"}, {Rule{"a*b", "a", ""}, "subject: has a *"}, {Rule{"a**", "a", ""}, "subject: has a *"},
		{Rule{"*", "a", ""}, "subject: is everybody"}, {Rule{strings.Repeat("a", 501), "a", ""}, "subject: is longer"},
	} {
		if err := row.rule.Faults(); err == nil || !strings.HasPrefix(err.Error(), row.want) {
			t.Errorf("%+v: %v, want %s", row.rule, err, row.want)
		}
	}
	for name, value := range map[string]string{"max_lifetime": "2h", "single_use": "true", "algorithms": "RS256", "jwks_uri": "https://a.example/"} {
		d := good()
		if err := Fields.Set(&d, name, []string{value}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzRead: what nobody signed is never believed, and nothing of it is repeated.
func FuzzRead(f *testing.F) {
	f.Add(sign("RS256", rsaKey(), workload))
	f.Add(bare(`{"alg":"none"}`, workload, nil))
	f.Add(bare(`{"alg":"ES256","kid":"ec"}`, workload, make([]byte, 64)))
	f.Add("..")
	r := reader()
	good := map[string]bool{sign("RS256", rsaKey(), workload): true} // RSASSA-PKCS1-v1_5 signs alike each time
	f.Fuzz(func(t *testing.T, token string) {
		s, err := r.Read(context.Background(), token)
		if err == nil && !good[token] {
			t.Fatalf("believed: %+v", s)
		}
		if e := new(oauth.Error); err != nil && (!errors.As(err, &e) || len(e.Description) > 200) {
			t.Errorf("%v", err)
		}
	})
}

// FuzzClaims: whatever an issuer signs, it is read or refused, and what is granted was signed.
func FuzzClaims(f *testing.F) {
	f.Add(string(must(json.Marshal(workload))))
	f.Add(string(must(json.Marshal(job))))
	f.Add(`{"iss":"` + employer + `","aud":["` + own + `"],"exp":1e9,"sub":"a","email":"a","email_verified":true}`)
	r := reader()
	f.Fuzz(func(t *testing.T, payload string) {
		c, err := jwt.Read([]byte(payload))
		if err != nil {
			return
		}
		for _, i := range r.Issuers {
			s, err := r.believe(i, c)
			if err == nil && (s.Client == "") == (s.User == "" || s.Login == "") {
				t.Errorf("%+v", s)
			}
		}
	})
}
