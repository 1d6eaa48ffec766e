package e2e

import (
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// askVerify asks the Python of docs/apis.md about one token a line.
const askVerify = `
import sys
for line in sys.stdin:
    try:
        print("accepted", verify(line.strip())["sub"], flush=True)
    except Exception as e:
        print("refused:", type(e).__name__, flush=True)
`

// An API in Python that knows the key set alone, written as docs/apis.md says, accepts what is for it and nothing else: RFC 9068 section 4.
func TestAccessTokensInPython(t *testing.T) {
	t.Parallel()
	python := pythonWithJWT(t)
	s := providertest.New(t, func(c *providertest.Config) { c.Real = true })
	u := s.User("alice")
	b := s.Browser("alice")
	c, secret := s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })
	tokens := func(resources ...string) providertest.Answer {
		p := providertest.AuthorizeParams(c, "scope", "openid")
		p["resource"] = resources
		a := s.Redeem(c, secret, b.Open("/authorize?"+p.Encode()).Params.Get("code"))
		if a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		return a
	}
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		api, other := "https://api.example/"+alg, "https://other.example/"+alg
		for _, id := range []string{api, other} {
			s.Resource(id, func(r *storage.Resource) { r.Alg, r.Open = alg, true })
		}
		verify := startPython(t, python, pythonOf(t, "../docs/apis.md",
			"https://id.example.com", s.Issuer, "https://api.example.com", api, `"ES256"`, `"`+alg+`"`)+askVerify)
		good := tokens(api).Text("access_token")
		for name, row := range map[string]struct{ token, want string }{
			"aud is a string":                      {good, "accepted " + u.Sub},
			"aud is a list":                        {tokens(other, api).Text("access_token"), "accepted " + u.Sub},
			"RFC 9068 4: aud is another":           {tokens(other).Text("access_token"), "refused: InvalidAudienceError"},
			"RFC 9068 4: aud is the issuer":        {tokens().Text("access_token"), "refused: "},
			"RFC 8725 3.11: an ID token":           {tokens(api).Text("id_token"), "refused: InvalidTokenError"},
			"RFC 8725 3.2: alg none":               {providertest.Unsigned(good, "at+jwt"), "refused: "},
			"RFC 8725 3.3: the payload is another": {providertest.Tampered(good), "refused: InvalidSignatureError"},
		} {
			if said := verify(row.token); !strings.HasPrefix(said, row.want) {
				t.Errorf("%s, %s: %s, want %s", alg, name, said, row.want)
			}
		}
	}
}
