package gate

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// refusal is an answer's status, the code in its challenge and the challenge.
func refusal(t *testing.T, a *http.Response) (status int, code, challenge string) {
	t.Helper()
	body, err := io.ReadAll(a.Body)
	must(t, err)
	var said struct {
		Error string `json:"error"`
	}
	if len(body) > 0 {
		must(t, json.Unmarshal(body, &said))
	}
	if a.StatusCode != 200 {
		for _, h := range Default().Headers {
			if a.Header.Values(h.Name) != nil {
				t.Errorf("a refusal hands out %s", h.Name)
			}
		}
		if a.Header.Get("Cache-Control") != "no-store" {
			t.Error("a refusal may be kept")
		}
	}
	return a.StatusCode, said.Error, strings.Join(a.Header.Values("WWW-Authenticate"), " ")
}

func TestToken(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("")
	lax := s.gate("token_types: [at+jwt, JWT]\n")
	strange := newKey(t)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	now := s.now().Unix()
	hmac, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte("the public key as a shared secret")}, (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", "1"))
	must(t, err)
	payload, _ := json.Marshal(s.claims())
	shared, err := hmac.Sign(payload)
	must(t, err)
	hs256, err := shared.CompactSerialize()
	must(t, err)
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt","kid":"1"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
	own, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: strange}, (&jose.SignerOptions{EmbedJWK: true}).WithType("at+jwt").WithHeader("kid", "1"))
	must(t, err)
	embedded, err := own.Sign(payload)
	must(t, err)
	withKey, err := embedded.CompactSerialize()
	must(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	s.more = map[string]crypto.PublicKey{"rsa": rsaKey.Public()}
	good := s.token()
	for name, c := range map[string]struct {
		token string
		code  string // "": it is good
	}{
		"RFC 9068 4: good":                         {good, ""},
		"aud is a list with the resource":          {s.token("aud", []string{"https://other.example", resource}), ""},
		"exp, a moment ago by another clock":       {s.token("exp", now-20), ""},
		"nbf, in a moment by another clock":        {s.token("nbf", now+20), ""},
		"no status":                                {s.token("status", nil), ""},
		"typ with application/":                    {s.sign(s.claims(), "application/at+jwt"), ""},
		"RFC 9068 4: iss is another":               {s.token("iss", "https://evil.example"), "invalid_token"},
		"iss with a slash behind":                  {s.token("iss", s.url+"/"), "invalid_token"},
		"no iss":                                   {s.token("iss", nil), "invalid_token"},
		"RFC 8707 2: aud is another":               {s.token("aud", "https://other.example"), "invalid_token"},
		"aud begins alike":                         {s.token("aud", resource+"/"), "invalid_token"},
		"aud is a list without":                    {s.token("aud", []string{"https://other.example"}), "invalid_token"},
		"no aud":                                   {s.token("aud", nil), "invalid_token"},
		"aud is a number":                          {s.token("aud", 1), "invalid_token"},
		"exp is over":                              {s.token("exp", now-31), "invalid_token"},
		"no exp":                                   {s.token("exp", nil), "invalid_token"},
		"exp is a text":                            {s.token("exp", "tomorrow"), "invalid_token"},
		"nbf is to come":                           {s.token("nbf", now+60), "invalid_token"},
		"no sub":                                   {s.token("sub", nil), "invalid_token"},
		"no client_id":                             {s.token("client_id", nil), "invalid_token"},
		"no jti":                                   {s.token("jti", nil), "invalid_token"},
		"RFC 8725 3.11: an ID token":               {s.sign(s.claims("nonce", "n"), "JWT"), "invalid_token"},
		"a logout token":                           {s.sign(s.claims("events", map[string]any{}), "logout+jwt"), "invalid_token"},
		"typ JWT":                                  {s.sign(s.claims(), "JWT"), "invalid_token"},
		"an access token with a nonce":             {s.token("nonce", "n"), "invalid_token"},
		"RFC 8725 3.1: alg none":                   {none, "invalid_token"},
		"RFC 8725 2.1: a shared key":               {hs256, "invalid_token"},
		"another algorithm than the key's":         {s.signBy(ed, jose.EdDSA, "1", s.claims(), "at+jwt"), "invalid_token"},
		"RS256":                                    {s.signBy(rsaKey, jose.RS256, "rsa", s.claims(), "at+jwt"), ""},
		"RFC 8725 3.1: PS256 with a key for RS256": {s.signBy(rsaKey, jose.PS256, "rsa", s.claims(), "at+jwt"), "invalid_token"},
		"an unknown kid":                           {s.signBy(s.key, jose.ES256, "2", s.claims(), "at+jwt"), "invalid_token"},
		"no kid":                                   {s.signBy(s.key, jose.ES256, "", s.claims(), "at+jwt"), "invalid_token"},
		"another's key under our kid":              {s.signBy(strange, jose.ES256, "1", s.claims(), "at+jwt"), "invalid_token"},
		"RFC 7515 4.1.3: a key in the header":      {withKey, "invalid_token"},
		"tampered":                                 {strings.Replace(good, ".e", ".f", 1), "invalid_token"},
		"no payload":                               {s.sign("text", "at+jwt"), "invalid_token"},
		"RFC 9449 7.2: bound to a key, sent as Bearer": {s.token("cnf", map[string]any{"jkt": "x"}), "invalid_token"},
		"bound in a way that is not known":             {s.token("cnf", "x"), "invalid_token"},
		"no JWT, and nobody to ask":                    {"sg_at_abc", "invalid_token"},
		"RFC 7516: a JWE":                              {"a.b.c.d.e", "invalid_token"},
		"two dots and nothing":                         {"..", "invalid_token"},
		"status without an index":                      {s.token("status", map[string]any{"status_list": map[string]any{"uri": s.url + "/statuslists/0"}}), "invalid_token"},
	} {
		t.Run(name, func(t *testing.T) {
			a := ask(g, "/mine", bearer(c.token)...)
			status, code, challenge := refusal(t, a)
			switch {
			case c.code == "" && (status != 200 || a.Header.Get("X-Auth-Subject") != "u1"):
				t.Errorf("%d %s", status, challenge)
			case c.code != "" && (status != 401 || code != c.code || !strings.Contains(challenge, `error="`+c.code+`"`)):
				t.Errorf("%d %s, %s", status, code, challenge)
			}
		})
	}
	t.Run("typ JWT where it is taken", func(t *testing.T) {
		if a := ask(lax, "/mine", bearer(s.sign(s.claims(), "JWT"))...); a.StatusCode != 200 {
			t.Errorf("%d", a.StatusCode)
		}
		for _, member := range []string{"nonce", "at_hash", "c_hash", "events"} {
			if a := ask(lax, "/mine", bearer(s.sign(s.claims(member, "x"), "JWT"))...); a.StatusCode != 401 {
				t.Errorf("with %s: %d", member, a.StatusCode)
			}
		}
	})
}

func TestScheme(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("")
	const metadata = `resource_metadata="https://api.example/.well-known/oauth-protected-resource"`
	const noB64 = `Bearer error="invalid_request", error_description="Authorization does not hold one token (RFC 6750 section 2.1)", ` + metadata
	const twice = `Bearer error="invalid_request", error_description="Authorization is there twice", ` + metadata
	for name, c := range map[string]struct {
		authorization []string
		status        int
		challenge     string
	}{
		"RFC 6750 3.1: no token, no code":    {nil, 401, "Bearer " + metadata},
		"another scheme":                     {[]string{"Basic YTpi"}, 401, "Bearer " + metadata},
		"RFC 9110 11.1: any case":            {[]string{"bEARER " + s.token()}, 200, ""},
		"no token behind the scheme":         {[]string{"Bearer"}, 400, noB64},
		"two spaces":                         {[]string{"Bearer  " + s.token()}, 400, noB64},
		"two tokens":                         {[]string{"Bearer a b"}, 400, noB64},
		"a comma":                            {[]string{"Bearer " + s.token() + ",x"}, 400, noB64},
		"RFC 6750 2: Authorization twice":    {[]string{"Bearer " + s.token(), "Bearer " + s.token()}, 400, twice},
		"too long":                           {[]string{"Bearer " + strings.Repeat("a", maxToken+1)}, 400, noB64},
		"RFC 9449 7.1: DPoP is not here yet": {[]string{"DPoP " + s.token("cnf", map[string]any{"jkt": "x"})}, 401, `DPoP error="invalid_token", error_description="tokens that are bound to a key are not taken here", ` + metadata},
	} {
		t.Run(name, func(t *testing.T) {
			var header []string
			for _, a := range c.authorization {
				header = append(header, "Authorization", a)
			}
			status, code, challenge := refusal(t, ask(g, "/mine", header...))
			if status != c.status || challenge != c.challenge || status == 400 && code != "invalid_request" {
				t.Errorf("%d %q %s, want %d %s", status, code, challenge, c.status, c.challenge)
			}
		})
	}
}

// proof takes one proof.
type proof struct{}

func (proof) Check(proofs []string, method, url, token, thumbprint string) error {
	if len(proofs) != 1 || proofs[0] != "proof of "+method+" "+url+" by "+thumbprint {
		return io.EOF
	}
	return nil
}

func (proof) Algorithms() []string { return []string{"ES256", "EdDSA"} }

// Where there is somebody to check proofs, they are checked against the original request, and told of.
func TestProof(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g, err := New(Options{Config: s.config(""), Now: s.now, Proof: proof{}})
	must(t, err)
	bound := s.token("cnf", map[string]any{"jkt": "key"})
	if a := ask(g, "/mine?x=y", "Authorization", "DPoP "+bound, "Dpop", "proof of GET https://api.example/mine by key"); a.StatusCode != 200 {
		t.Errorf("a proof: %d", a.StatusCode)
	}
	for name, header := range map[string][]string{
		"no proof":                {"Authorization", "DPoP " + bound},
		"of another URL":          {"Authorization", "DPoP " + bound, "Dpop", "proof of GET https://api.example/other by key"},
		"two":                     {"Authorization", "DPoP " + bound, "Dpop", "proof of GET https://api.example/mine by key", "Dpop", "x"},
		"as Bearer":               {"Authorization", "Bearer " + bound},
		"of an unbound token":     {"Authorization", "DPoP " + s.token(), "Dpop", "proof of GET https://api.example/mine by key"},
		"of a token that is over": {"Authorization", "DPoP " + s.token("exp", 1), "Dpop", "x"},
	} {
		status, _, challenge := refusal(t, ask(g, "/mine", header...))
		if status != 401 || !strings.HasPrefix(challenge, "DPoP error=") || !strings.HasSuffix(challenge, `algs="ES256 EdDSA"`) {
			t.Errorf("%s: %d %s", name, status, challenge)
		}
	}
}

func TestDemands(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("")
	for name, c := range map[string]struct {
		request string
		token   string
		status  int
		scope   string
	}{
		"no token on a public route":     {"GET /health", "", 200, ""},
		"a bad token on a public route":  {"GET /health", "nonsense", 200, ""},
		"the scope":                      {"GET /orders", s.token(), 200, ""},
		"HEAD is GET":                    {"HEAD /orders", s.token(), 200, ""},
		"RFC 6750 3.1: a scope of two":   {"POST /orders", s.token(), 403, "orders:read orders:write"},
		"both scopes":                    {"POST /orders", s.token("scope", "orders:write orders:read"), 200, ""},
		"a scope that begins alike":      {"GET /orders", s.token("scope", "orders:readonly"), 403, "orders:read"},
		"no scope":                       {"GET /orders", s.token("scope", nil), 403, "orders:read"},
		"scope as a list is none":        {"GET /orders", s.token("scope", []string{"orders:read"}), 403, "orders:read"},
		"a method without a route":       {"PUT /orders", s.token(), 403, ""},
		"a permission":                   {"GET /orders/1", s.token(), 200, ""},
		"the permission is missing":      {"GET /orders/1", s.token("permissions", []string{"other"}), 403, ""},
		"permissions as a text are none": {"GET /orders/1", s.token("permissions", "orders.list"), 403, ""},
		"any permission":                 {"GET /admin/x", s.token("permissions", []string{"root"}), 200, ""},
		"none of any":                    {"GET /admin/x", s.token(), 403, ""},
		"any, and not all":               {"GET /reports", s.token(), 403, ""},
		"all, and not any":               {"GET /reports", s.token("permissions", []string{"reports.see"}), 403, ""},
		"any and all":                    {"GET /reports", s.token("permissions", []string{"reports.see", "reports"}), 200, ""},
		"no route":                       {"GET /elsewhere", s.token(), 403, ""},
		"a route in capitals":            {"GET /HEALTH", s.token(), 403, ""},
		"paths of the gate's own":        {"GET /.gate/callback", s.token(), 403, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var header []string
			if c.token != "" {
				header = bearer(c.token)
			}
			method, target, _ := strings.Cut(c.request, " ")
			a := askAs(g, method, target, header...)
			status, code, challenge := refusal(t, a)
			if status != c.status || c.scope != "" && (code != "insufficient_scope" || !strings.Contains(challenge, `scope="`+c.scope+`"`)) {
				t.Errorf("%d %s %s", status, code, challenge)
			}
			if status == 200 && c.token == "nonsense" && a.Header.Get("X-Auth-Subject") != "" {
				t.Error("nobody looked at the token, and it is told of")
			}
		})
	}
}

// Keys are fetched once, again for a key that is not known, and not more often than once in ten seconds.
func TestKeys(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("")
	status := func(token string) int { t.Helper(); return ask(g, "/mine", bearer(token)...).StatusCode }
	old := s.token()
	for range 3 {
		if got := status(old); got != 200 {
			t.Fatal(got)
		}
	}
	s.change(func(s *stand) { s.key, s.kid = newKey(t), "2" })
	fresh := s.token()
	if got := status(fresh); got != 401 || s.count(jwks) != 1 {
		t.Errorf("a moment after keys were fetched: %d, fetched %d times", got, s.count(jwks))
	}
	s.later(fetchEvery)
	if got := status(fresh); got != 200 || s.count(jwks) != 2 {
		t.Errorf("a new key: %d, fetched %d times", got, s.count(jwks))
	}
	if got := status(old); got != 401 || s.count(jwks) != 2 {
		t.Errorf("a key that is gone: %d, fetched %d times", got, s.count(jwks))
	}
	if s.count(discovery) != 1 {
		t.Errorf("the metadata was fetched %d times", s.count(discovery))
	}
}

// Who cannot tell refuses, and says that it is not the token's fault.
func TestIssuerIsDown(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("")
	s.down.Store(true)
	a := ask(g, "/mine", bearer(s.token())...)
	if status, _, challenge := refusal(t, a); status != 503 || challenge != "" || a.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", status, challenge)
	}
	if a := ask(g, "/app/", "Accept", "text/html"); a.StatusCode != 503 {
		t.Errorf("nobody can sign in: %d", a.StatusCode)
	}
	if a := ask(g, "/health"); a.StatusCode != 200 {
		t.Errorf("a public route: %d", a.StatusCode)
	}
	s.down.Store(false)
	s.later(fetchEvery)
	if a := ask(g, "/mine", bearer(s.token())...); a.StatusCode != 200 {
		t.Errorf("it is there again: %d", a.StatusCode)
	}
	s.down.Store(true)
	s.later(time.Hour) // keys stay good, and the status list does not
	if a := ask(g, "/mine", bearer(s.token("status", nil))...); a.StatusCode != 200 {
		t.Errorf("it is down for an hour: %d", a.StatusCode)
	}
	if a := ask(g, "/mine", bearer(s.token())...); a.StatusCode != 503 {
		t.Errorf("without a status list: %d", a.StatusCode)
	}
}

func TestStatusList(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g, off := s.gate(""), s.gate("status_list: off\n")
	token := s.token()
	status := func(g *Gate, token string) int { t.Helper(); return ask(g, "/mine", bearer(token)...).StatusCode }
	if got := status(g, token); got != 200 {
		t.Fatal(got)
	}
	s.change(func(s *stand) { s.bits[0] = 1 << 3 })
	if got := status(g, token); got != 200 || s.count(statusList) != 1 {
		t.Errorf("before its ttl is over the list is good: %d", got)
	}
	s.later(45 * time.Second)
	if got := status(g, token); got != 401 {
		t.Errorf("revoked, a minute later: %d", got)
	}
	at := func(index any, uri string) string {
		return s.token("status", map[string]any{"status_list": map[string]any{"idx": index, "uri": uri}})
	}
	uri := s.url + "/statuslists/0"
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"another bit": {at(4, uri), 200}, "beyond the list": {at(64, uri), 503}, "no such list": {at(1, s.url+"/statuslists/7"), 503},
		"of another host": {at(1, "http://127.0.0.1:1/statuslists/0"), 503}, "a negative index": {at(-1, uri), 401}, "no URI": {at(1, ""), 503},
	} {
		if got := status(g, c.token); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if got := status(off, token); got != 200 {
		t.Errorf("turned off: %d", got)
	}
	for name, member := range map[string]map[string]any{
		"8.3: sub is another": {"sub": "x"}, "it is over": {"exp": 1}, "no bits": {"status_list": map[string]any{"bits": 0, "lst": ""}},
		"not zlib": {"status_list": map[string]any{"bits": 1, "lst": "AAAA"}}, "not base64": {"status_list": map[string]any{"bits": 1, "lst": "%"}},
	} {
		s.change(func(s *stand) { s.list = member })
		s.later(time.Minute)
		if got := status(g, s.token()); got != 503 {
			t.Errorf("%s: %d", name, got)
		}
	}
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate(introspectionYAML)
	answer := func(change ...any) map[string]any {
		return s.claims(append([]any{"active", true, "token_type", "Bearer"}, change...)...)
	}
	now := s.now().Unix()
	for name, c := range map[string]struct {
		claims map[string]any
		want   int
	}{
		"RFC 7662 2.2: active": {answer(), 200}, "unknown": {nil, 401}, "not active": {answer("active", false), 401}, "active is a text": {answer("active", "true"), 401},
		"no active": {answer("active", nil), 401}, "for another": {answer("aud", "https://other.example"), 401}, "no aud": {answer("aud", nil), 401}, "over": {answer("exp", now-60), 401},
		"another issuer's": {answer("iss", "https://evil.example"), 401}, "a refresh token": {answer("token_type", "refresh_token"), 401}, "without type": {answer("token_type", nil), 200},
		"bound": {answer("cnf", map[string]any{"jkt": "x"}), 401}, "no exp": {answer("exp", nil), 401},
	} {
		token := "sg_at_" + strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' {
				return r
			}
			return -1
		}, name)
		s.change(func(s *stand) {
			if c.claims != nil {
				s.opaque[token] = c.claims
			}
		})
		for range 2 {
			if got := ask(g, "/mine", bearer(token)...).StatusCode; got != c.want {
				t.Errorf("%s: %d, want %d", name, got, c.want)
			}
		}
	}
	if n := s.count(introspection); n != 13 {
		t.Errorf("asked %d times about 13 tokens", n)
	}
}

func TestIntrospectionAge(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("check: introspection\n" + introspectionYAML)
	jwt := s.token()
	s.change(func(s *stand) {
		s.opaque["a"], s.opaque[jwt] = s.claims("active", true), s.claims("active", true)
		s.opaque["b"] = s.claims("active", true, "exp", s.now().Add(4*time.Second).Unix())
	})
	status := func(token string) int { t.Helper(); return ask(g, "/mine", bearer(token)...).StatusCode }
	for _, token := range []string{"a", "a", "b", jwt} {
		if got := status(token); got != 200 {
			t.Fatalf("%s: %d", token, got)
		}
	}
	if n := s.count(introspection); n != 3 {
		t.Errorf("asked %d times", n)
	}
	s.change(func(s *stand) { clear(s.opaque) })
	s.later(4 * time.Second)
	if status("a") != 200 || status("b") != 401 {
		t.Error("an answer is good for ten seconds, and never beyond exp")
	}
	s.later(6 * time.Second)
	if status("a") != 401 || status(jwt) != 401 {
		t.Error("after ten seconds nobody asked again")
	}
	s.down.Store(true)
	s.later(11 * time.Second)
	if got := status("a"); got != 503 {
		t.Errorf("nobody can be asked: %d", got)
	}
}
