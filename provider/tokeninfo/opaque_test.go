package tokeninfo_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signet/claims"
	"signet/provider/providertest"
	"signet/storage"
)

const (
	opaqueAPI = "https://opaque.example"
	jwtAPI    = "https://jwt.example"
)

// withAPIs is a server with two APIs that are alike but for the format, a client for both, a server that is both, and claims of the operator's.
func withAPIs(t *testing.T) (i *signedIn, api storage.Client, apiSecret string) {
	t.Helper()
	catalogue, err := claims.Declarations{Claims: []claims.Mapping{
		{Name: "employee", From: "group:staff", In: []string{"access_token"}, Resources: []string{opaqueAPI, jwtAPI}},
		{Name: "https://claims.example/mail", From: "email", In: []string{"access_token"}, Resources: []string{opaqueAPI}},
		{Name: "office", From: "constant:Berlin", In: []string{"access_token"}, Resources: []string{"https://elsewhere.example"}},
	}}.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	i = &signedIn{Server: providertest.New(t, func(c *providertest.Config) {
		c.Claims = catalogue
		c.Resource.Format = storage.FormatOpaque // the issuer's too, so that userinfo takes some
	})}
	i.user = i.User("alice", func(u *storage.User) { u.Roles = []string{"admin"} })
	for id, format := range map[string]string{opaqueAPI: storage.FormatOpaque, jwtAPI: storage.FormatJWT} {
		i.Resource(id, func(r *storage.Resource) {
			r.Format, r.Scopes, r.Claims = format, []storage.Scope{{Name: "read"}}, []string{"permissions", "roles"}
			r.Permissions = []storage.Permission{{Name: "delete", Roles: []string{"admin"}}}
		})
	}
	i.client, i.secret = i.Client("web", "My app", func(c *storage.Client) {
		c.Trusted, c.Access = true, []storage.Access{{Resource: opaqueAPI}, {Resource: jwtAPI}}
	})
	api, apiSecret = i.Client("service", "The API", func(c *storage.Client) { c.Resources = []string{opaqueAPI, jwtAPI} })
	i.browser = i.Browser("alice")
	return i, api, apiSecret
}

// at are the tokens of a sign-in for a resource.
func (i *signedIn) at(t *testing.T, resource, scope string) providertest.Answer {
	t.Helper()
	a := i.Redeem(i.client, i.secret, i.browser.Code(i.client, "scope", scope, "resource", resource))
	if a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return a
}

func TestOpaqueAccessTokens(t *testing.T) {
	t.Parallel()
	i, api, apiSecret := withAPIs(t)
	as := func(c storage.Client, secret, token string) providertest.Answer {
		return i.Post("/introspect", c, secret, url.Values{"token": {token}})
	}
	tokens := i.at(t, opaqueAPI, "openid read offline_access")
	token := tokens.Text("access_token")
	now := float64(i.Clock.Now().Unix())

	t.Run("it has a prefix, and says nothing", func(t *testing.T) {
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "sg_at_"))
		if err != nil || !strings.HasPrefix(token, "sg_at_") || strings.Contains(string(raw), i.user.Sub) || strings.Contains(string(raw), "iss") {
			t.Errorf("%s: %v", token, err)
		}
		if tokens.Text("token_type") != "Bearer" || tokens.JSON["expires_in"] != float64(600) || tokens.Text("scope") != "openid read offline_access" {
			t.Errorf("RFC 6749 5.1: %s", tokens.Body)
		}
	})
	t.Run("Core 3.1.3.6: at_hash", func(t *testing.T) {
		sum := sha256.Sum256([]byte(token))
		if id := i.Verify(tokens.Text("id_token")).Claims; id["at_hash"] != base64.RawURLEncoding.EncodeToString(sum[:16]) {
			t.Errorf("%v", id["at_hash"])
		}
	})
	t.Run("RFC 7662 2.2: what the JWT would say", func(t *testing.T) {
		got := as(api, apiSecret, token).JSON
		want := map[string]any{
			"active": true, "scope": "openid read offline_access", "client_id": i.client.ID, "token_type": "Bearer", "exp": now + 600, "iat": now,
			"sub": i.user.Sub, "aud": opaqueAPI, "iss": i.Issuer, "jti": got["jti"], "auth_time": now, "acr": "pwd",
			"permissions": []any{"delete"}, "roles": []any{"admin"}, "employee": true, "https://claims.example/mail": "alice@example.com",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		jwt := i.at(t, jwtAPI, "openid read").Text("access_token")
		seen, said := as(api, apiSecret, jwt).JSON, i.Verify(jwt).Claims
		for name := range said {
			if name != "amr" && name != "status" && cmp.Diff(said[name], seen[name]) != "" {
				t.Errorf("of a JWT: %s is %v, in the token %v", name, seen[name], said[name])
			}
		}
		if seen["employee"] != true || seen["https://claims.example/mail"] != nil || seen["office"] != nil {
			t.Errorf("claims of the operator's: %v", seen)
		}
	})
	t.Run("the operator's claims are for the resource, not for the app", func(t *testing.T) {
		if a := as(i.client, i.secret, token); a.JSON["active"] != true || a.JSON["employee"] != nil || a.JSON["https://claims.example/mail"] != nil {
			t.Errorf("%s", a.Body)
		}
	})
	t.Run("RFC 9068 4: userinfo takes those for the issuer alone", func(t *testing.T) {
		if a := i.Get("/userinfo", i.at(t, i.Issuer, "openid email").Text("access_token")); a.Status != 200 || a.Text("email") != "alice@example.com" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		for _, resource := range []string{opaqueAPI, jwtAPI} {
			a := i.Get("/userinfo", i.at(t, resource, "openid email read").Text("access_token"))
			if a.Status != 401 || a.Error() != "invalid_token" || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), `Bearer error="invalid_token"`) {
				t.Errorf("%s: %d %s", resource, a.Status, a.Body)
			}
		}
	})
	t.Run("what was changed, at userinfo and introspection", func(t *testing.T) {
		good := i.at(t, i.Issuer, "openid").Text("access_token")
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(good, "sg_at_"))
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(raw); at += 7 {
			raw[at] ^= 0x40
			bad := "sg_at_" + base64.RawURLEncoding.EncodeToString(raw)
			if a := i.Get("/userinfo", bad); a.Status != 401 || a.Error() != "invalid_token" {
				t.Errorf("byte %d: userinfo: %d %s", at, a.Status, a.Body)
			}
			if a := i.introspect(bad); a.Body != `{"active":false}` {
				t.Errorf("byte %d: introspection: %s", at, a.Body)
			}
			raw[at] ^= 0x40
		}
		if !i.alive(good) {
			t.Error("the good one is refused")
		}
	})
	t.Run("RFC 8725 3.11: neither format is taken for the other", func(t *testing.T) {
		jwt := i.at(t, jwtAPI, "openid read").Text("access_token")
		for name, token := range map[string]string{"a JWT behind the prefix": "sg_at_" + jwt, "without the prefix": strings.TrimPrefix(token, "sg_at_")} {
			if a := as(api, apiSecret, token); a.Body != `{"active":false}` {
				t.Errorf("%s: %s", name, a.Body)
			}
		}
	})
	t.Run("another provider's", func(t *testing.T) {
		stranger, _, _ := withAPIs(t)
		if a := as(api, apiSecret, stranger.at(t, opaqueAPI, "read").Text("access_token")); a.Body != `{"active":false}` {
			t.Errorf("%s", a.Body)
		}
	})
	t.Run("RFC 7009 2.1: revoked", func(t *testing.T) {
		tokens := i.at(t, opaqueAPI, "read offline_access")
		if a := i.Post("/revoke", api, apiSecret, url.Values{"token": {tokens.Text("access_token")}}); a.Error() != "invalid_grant" {
			t.Errorf("by the resource: %d %s", a.Status, a.Body)
		}
		if a := i.revoke(tokens.Text("access_token")); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if a := as(api, apiSecret, tokens.Text("access_token")); a.Body != `{"active":false}` {
			t.Errorf("%s", a.Body)
		}
		if next := i.Refresh(i.client, i.secret, tokens.Text("refresh_token")); as(api, apiSecret, next.Text("access_token")).JSON["active"] != true {
			t.Errorf("the next one: %s", next.Body)
		}
	})
	t.Run("it expires", func(t *testing.T) {
		token := i.at(t, opaqueAPI, "read offline_access").Text("access_token")
		i.Clock.Advance(10*time.Minute - time.Second)
		if a := as(api, apiSecret, token); a.JSON["active"] != true {
			t.Errorf("before its time: %s", a.Body)
		}
		i.Clock.Advance(time.Second)
		if a := as(api, apiSecret, token); a.Body != `{"active":false}` {
			t.Errorf("%s", a.Body)
		}
	})
	t.Run("its resource is removed", func(t *testing.T) {
		for _, resource := range []string{opaqueAPI, jwtAPI} {
			token := i.at(t, resource, "read").Text("access_token")
			if err := i.Store.RemoveResource(t.Context(), resource, storage.Change{Now: i.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
			if a := as(api, apiSecret, token); a.Body != `{"active":false}` {
				t.Errorf("%s: %s", resource, a.Body)
			}
		}
	})
}

// OpenID Connect Core 8.1: an API sees the sub that the app has, in either format, and so does whoever asks about it.
func TestPairwiseSubAtAResource(t *testing.T) {
	t.Parallel()
	i, api, apiSecret := withAPIs(t)
	i.client, i.secret = i.Client("web", "Private", func(c *storage.Client) {
		c.Trusted, c.SubjectType, c.Access = true, "pairwise", []storage.Access{{Resource: opaqueAPI}, {Resource: jwtAPI}}
	})
	sub := ""
	for _, resource := range []string{opaqueAPI, jwtAPI} {
		tokens := i.at(t, resource, "openid read")
		if sub = i.Verify(tokens.Text("id_token")).Claims["sub"].(string); sub == i.user.Sub || sub == "" {
			t.Fatalf("the ID token says %q", sub)
		}
		if a := i.Post("/introspect", api, apiSecret, url.Values{"token": {tokens.Text("access_token")}}); a.Text("sub") != sub {
			t.Errorf("%s: %s, want %q", resource, a.Body, sub)
		}
		if resource == jwtAPI && i.Verify(tokens.Text("access_token")).Claims["sub"] != sub {
			t.Error("the JWT says another")
		}
	}
	signed := i.Verify(introspectAs(i.Server, api, apiSecret, i.at(t, jwtAPI, "openid read").Text("access_token"), introspectionJWT).Body)
	if told, _ := signed.Claims["token_introspection"].(map[string]any); told["sub"] != sub { // RFC 9701 section 5: the same rules
		t.Errorf("the signed answer: %v", signed.Claims)
	}
}
