package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/provider/providertest"
	"signet/storage"
)

// TestSignIn goes the whole way in a browser, once with each library: sign in, allow, come back; verify with the published keys
// alone; refresh; sign in at a second app without a password; revoke.
func TestSignIn(t *testing.T) {
	t.Parallel()
	libraries := map[string]func(*testing.T, party) library{"coreos/go-oidc": newCoreos, "zitadel/oidc": newZitadel}
	for name, with := range libraries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newProvider(t)
			alice := s.User("alice")
			first, second := newApp(t, s, otherSite, "First app", with), newApp(t, s, otherSite, "Second app", with)
			c := newChromium(t)

			c.open(first.url + "/signin")
			c.signIn("alice", providertest.Password)
			c.see("button[value=allow]")
			if heading := c.text("h1"); heading != "Allow First app?" {
				t.Errorf("the consent page says %q", heading)
			}
			c.press("button[value=allow]")
			here := first.signedIn()
			if got := c.text("#done"); got != "signed in as "+alice.Sub {
				t.Errorf("one hop further it says %q", got)
			}
			if here.site != "cross-site" || here.method != http.MethodGet || here.params.Get("iss") != s.Issuer {
				t.Errorf("the answer came %s by %s with iss %q", here.site, here.method, here.params.Get("iss"))
			}
			verifyAccessToken(t, s, first.client, alice, here.tokens.access)

			step(t, "OpenID Connect Core 12: refresh", func(t *testing.T) {
				next, err := first.library.refresh(t.Context(), here.tokens.refresh)
				if err != nil {
					t.Fatal(err)
				}
				if next.subject != alice.Sub || next.refresh == here.tokens.refresh || next.access == here.tokens.access {
					t.Errorf("the same again, or somebody else's: %+v", next)
				}
				here.tokens = next
			})
			step(t, "a second app needs no password", func(t *testing.T) {
				c.open(second.url + "/signin")
				if heading := c.text("h1"); heading != "Allow Second app?" {
					t.Errorf("instead of the consent page comes %q", heading)
				}
				c.press("button[value=allow]")
				if other := second.signedIn(); other.tokens.subject != alice.Sub {
					t.Errorf("signed in as %s", other.tokens.subject)
				}
				c.see("#done")
				c.open(second.url + "/signin") // what was allowed is remembered: straight back
				second.signedIn()
				c.see("#done")
			}, &c.t, &second.t)
			step(t, "RFC 7009: revoke", func(t *testing.T) {
				if err := first.library.revoke(t.Context(), here.tokens.refresh); err != nil {
					t.Fatal(err)
				}
				if _, err := first.library.refresh(t.Context(), here.tokens.refresh); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
					t.Errorf("after the revocation: %v", err)
				}
			})
			c.quiet()
		})
	}
}

// newProvider starts a provider for browsers and libraries, which know no clock but the machine's.
func newProvider(t *testing.T) *providertest.Server {
	t.Helper()
	return providertest.New(t, func(c *providertest.Config) { c.Real = true })
}

// signIn fills in the sign-in page.
func (c *chromium) signIn(user, password string) {
	c.t.Helper()
	c.fill("#username", user)
	c.fill("#password", password)
	c.press("button[type=submit]")
}

// verifyAccessToken does what a resource server does: RFC 9068 section 4, with the JWKS and nothing else.
func verifyAccessToken(t *testing.T, s *providertest.Server, c storage.Client, u storage.User, token string) {
	t.Helper()
	metadata := s.Get("/.well-known/openid-configuration", "").JSON
	jwksURI, _ := metadata["jwks_uri"].(string)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(s.Get(strings.TrimPrefix(jwksURI, s.Issuer), "").Body), &set); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	header := jws.Signatures[0].Protected
	if typ := header.ExtraHeaders[jose.HeaderType]; typ != "at+jwt" {
		t.Errorf("typ is %v", typ)
	}
	known := set.Key(header.KeyID)
	if len(known) != 1 {
		t.Fatalf("%d keys of kid %q", len(known), header.KeyID)
	}
	payload, err := jws.Verify(known[0])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Issuer   string   `json:"iss"`
		Subject  string   `json:"sub"`
		Audience string   `json:"aud"`
		Client   string   `json:"client_id"`
		Scope    string   `json:"scope"`
		Expires  int64    `json:"exp"`
		AMR      []string `json:"amr"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	left := time.Until(time.Unix(claims.Expires, 0))
	if claims.Issuer != s.Issuer || claims.Audience != s.Issuer || claims.Subject != u.Sub || claims.Client != c.ID || left <= 0 ||
		!slices.Contains(strings.Fields(claims.Scope), "openid") || !slices.Contains(claims.AMR, "pwd") {
		t.Errorf("the access token says %s", payload)
	}
	if strings.Contains(string(payload), "example.com") || strings.Contains(string(payload), "Full Name") {
		t.Errorf("an access token has personal data: %s", payload)
	}
}
