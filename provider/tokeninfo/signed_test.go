package tokeninfo_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"signet/keys"
	"signet/provider/providertest"
	"signet/storage"
)

const introspectionJWT = "application/token-introspection+jwt"

// introspectAs asks with this Accept header; "" for none.
func introspectAs(s *providertest.Server, c storage.Client, secret, token string, accept ...string) providertest.Answer {
	r := s.Request(http.MethodPost, "/introspect", url.Values{"token": {token}})
	r.SetBasicAuth(c.ID, secret)
	r.Header["Accept"] = accept
	return s.Do(r)
}

func TestSignedIntrospection(t *testing.T) {
	t.Parallel()
	i := start(t, "web")
	tokens := i.tokens(t, "openid email offline_access")
	access := tokens.Text("access_token")

	for name, row := range map[string]struct {
		accept []string
		jwt    bool
	}{
		"RFC 9701 4: asked for":                               {[]string{introspectionJWT}, true},
		"RFC 9701 4: without regard to case":                  {[]string{"Application/Token-Introspection+JWT"}, true},
		"RFC 9110 12.5.1: before JSON":                        {[]string{"application/json;q=0.5, " + introspectionJWT}, true},
		"RFC 9110 12.5.1: as much as JSON":                    {[]string{"application/json, " + introspectionJWT}, true},
		"RFC 9110 12.5.1: on a line of its own":               {[]string{"application/json;q=0.1", introspectionJWT + ";q=0.2"}, true},
		"RFC 9110 12.5.1: rather than anything else":          {[]string{introspectionJWT + ", */*;q=0.1"}, true},
		"RFC 9110 12.5.1: JSON is dearer":                     {[]string{introspectionJWT + ";q=0.4, application/json;q=0.5"}, false},
		"RFC 9110 12.5.1: anything is dearer":                 {[]string{introspectionJWT + ";q=0.4, */*"}, false},
		"RFC 9110 12.4.2: refused with q=0":                   {[]string{introspectionJWT + ";q=0"}, false},
		"RFC 9110 12.4.2: q that cannot be read":              {[]string{introspectionJWT + ";q=x"}, false},
		"RFC 7662 2.2: JSON":                                  {[]string{"application/json"}, false},
		"RFC 7662 2.2: without the header":                    {nil, false},
		"RFC 7662 2.2: anything is JSON, as it was before":    {[]string{"*/*"}, false},
		"RFC 7662 2.2: any application type is JSON":          {[]string{"application/*"}, false},
		"another kind of JWT":                                 {[]string{"application/jwt"}, false},
		"RFC 9701 4: a longer name is another":                {[]string{introspectionJWT + "x"}, false},
		"RFC 9110 12.5.1: what there is not gets JSON anyway": {[]string{"text/html"}, false},
	} {
		a := introspectAs(i.Server, i.client, i.secret, access, row.accept...)
		want := map[bool]string{true: introspectionJWT, false: "application/json"}[row.jwt]
		if a.Status != 200 || a.Header.Get("Content-Type") != want {
			t.Errorf("%s: %d, Content-Type %q, want %q", name, a.Status, a.Header.Get("Content-Type"), want)
		}
		if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Vary") != "Accept" {
			t.Errorf("%s: RFC 9111 5.2.2.5, RFC 9110 12.5.5: %v", name, a.Header)
		}
	}

	t.Run("RFC 9701 5: what is in it", func(t *testing.T) {
		jwt := i.Verify(introspectAs(i.Server, i.client, i.secret, access, introspectionJWT).Body)
		plain := i.introspect(access)
		want := map[string]any{"iss": i.Issuer, "aud": i.client.ID, "iat": float64(i.Clock.Now().Unix()), "token_introspection": plain.JSON}
		if diff := cmp.Diff(want, jwt.Claims); diff != "" || plain.JSON["active"] != true {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if jwt.Typ != "token-introspection+jwt" || jwt.Alg != "RS256" { // section 6: the default
			t.Errorf("typ %q, alg %q", jwt.Typ, jwt.Alg)
		}
	})
	t.Run("RFC 9701 6: introspection_signed_response_alg", func(t *testing.T) {
		for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
			c, secret := i.Client("web", "My app", func(c *storage.Client) { c.IntrospectionAlg = alg })
			if jwt := i.Verify(introspectAs(i.Server, c, secret, access, introspectionJWT).Body); jwt.Alg != alg || jwt.Claims["aud"] != c.ID {
				t.Errorf("%s: %+v", alg, jwt)
			}
		}
	})
	t.Run("RFC 9701 5: one that is not active says so, and no more", func(t *testing.T) {
		other, secret := i.Client("web", "Another")
		inactive := map[string]any{"active": false}
		for name, a := range map[string]providertest.Answer{
			"garbage":                         introspectAs(i.Server, i.client, i.secret, "garbage", introspectionJWT),
			"an ID token":                     introspectAs(i.Server, i.client, i.secret, tokens.Text("id_token"), introspectionJWT),
			"RFC 7662 4: another's":           introspectAs(i.Server, other, secret, access, introspectionJWT),
			"RFC 7662 4: another's refresh":   introspectAs(i.Server, other, secret, tokens.Text("refresh_token"), introspectionJWT),
			"an introspection answer as well": introspectAs(i.Server, i.client, i.secret, introspectAs(i.Server, i.client, i.secret, access, introspectionJWT).Body, introspectionJWT),
		} {
			if a.Header.Get("Content-Type") != introspectionJWT {
				t.Errorf("%s: %d %s", name, a.Status, a.Body)
			} else if diff := cmp.Diff(inactive, i.Verify(a.Body).Claims["token_introspection"]); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", name, diff)
			}
		}
	})
	t.Run("RFC 9701 4: errors stay JSON", func(t *testing.T) {
		spa, _ := i.Client("spa", "A page")
		public := i.Request(http.MethodPost, "/introspect", url.Values{"token": {access}, "client_id": {spa.ID}})
		public.Header.Set("Accept", introspectionJWT)
		for name, a := range map[string]providertest.Answer{
			"invalid_client":  introspectAs(i.Server, i.client, "wrong", access, introspectionJWT),
			"invalid_request": introspectAs(i.Server, i.client, i.secret, "", introspectionJWT),
			"a public client": i.Do(public),
		} {
			if a.Status/100 != 4 || a.Error() == "" || a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Vary") != "Accept" {
				t.Errorf("%s: %d %v %s", name, a.Status, a.Header, a.Body)
			}
		}
	})
}

// RFC 9701 section 8.1, RFC 8725 section 3.11: the answer is nothing but an answer.
func TestAnIntrospectionAnswerIsNoToken(t *testing.T) {
	t.Parallel()
	i := start(t, "web", func(c *providertest.Config) { c.Resource.Alg, c.Resource.Typ = "RS256", "JWT" }) // the compatibility type tells least
	access := i.tokens(t, "openid").Text("access_token")
	answer := introspectAs(i.Server, i.client, i.secret, access, introspectionJWT).Body
	claims := i.Verify(answer).Claims
	for _, name := range []string{"sub", "exp", "scope", "client_id", "jti", "active", "nonce"} {
		if _, has := claims[name]; has {
			t.Errorf("it has %s of its own", name)
		}
	}
	if a := i.Get("/userinfo", answer); a.Status != 401 || a.Error() != "invalid_token" {
		t.Errorf("as an access token: %d %s", a.Status, a.Body)
	}
	if a := i.introspect(answer); a.Body != `{"active":false}` {
		t.Errorf("as a token to be introspected: %s", a.Body)
	}
	if a := i.revoke(answer); a.Status != 200 || !i.alive(access) {
		t.Errorf("as a token to be revoked: %d %s", a.Status, a.Body)
	}
	if o := i.browser.Authorize(i.client, "id_token_hint", answer); o.Params.Get("error") != "invalid_request" {
		t.Errorf("as id_token_hint: %v", o.Params)
	}
	if o := i.browser.Open("/logout?" + url.Values{"id_token_hint": {answer}, "post_logout_redirect_uri": {"https://app.example/bye"}}.Encode()); o.Callback != "" {
		t.Errorf("as id_token_hint of a logout: %s", o.Callback)
	}
	// What a cheater could do with the header of one kind and the rest of another.
	parts := strings.Split(answer, ".")
	parts[0] = strings.Split(access, ".")[0]
	if a := i.Get("/userinfo", strings.Join(parts, ".")); a.Status != 401 {
		t.Errorf("with an access token's header: %d", a.Status)
	}
	if a := i.Post("/token", i.client, i.secret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {answer}}); a.Error() != "invalid_grant" {
		t.Errorf("as a refresh token: %d %s", a.Status, a.Body)
	}
}

// RFC 9701 section 6: signed, and then encrypted to the one who asked.
func TestEncryptedIntrospection(t *testing.T) {
	t.Parallel()
	i := start(t, "web")
	access := i.tokens(t, "openid").Text("access_token")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	jwk := jose.JSONWebKey{Key: key, KeyID: "mine", Use: "enc"}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	for enc, want := range map[string]jose.ContentEncryption{"": jose.A128CBC_HS256, "A256GCM": jose.A256GCM} {
		c, secret := i.Client("web", "My API", func(c *storage.Client) {
			c.JWKS, c.Resources = set, []string{"https://api.example"}
			c.IntrospectionAlg, c.IntrospectionEncryptionAlg, c.IntrospectionEncryptionEnc = "ES256", "RSA-OAEP-256", enc
		})
		a := introspectAs(i.Server, c, secret, access, introspectionJWT)
		if a.Status != 200 || a.Header.Get("Content-Type") != introspectionJWT {
			t.Fatalf("%d %v %s", a.Status, a.Header, a.Body)
		}
		object, err := jose.ParseEncryptedCompact(a.Body, []jose.KeyAlgorithm{jose.RSA_OAEP_256}, []jose.ContentEncryption{want})
		if err != nil {
			t.Fatal(err)
		}
		if object.Header.KeyID != "mine" || object.Header.ExtraHeaders[jose.HeaderContentType] != "JWT" {
			t.Errorf("RFC 7519 5.2: %+v", object.Header)
		}
		plain, err := object.Decrypt(key)
		if err != nil {
			t.Fatal(err)
		}
		if jwt := i.Verify(string(plain)); jwt.Typ != "token-introspection+jwt" || jwt.Alg != "ES256" || jwt.Claims["aud"] != c.ID {
			t.Errorf("%+v", jwt)
		}
		if a := introspectAs(i.Server, c, secret, access); a.Body != `{"active":false}` {
			t.Errorf("JSON is not encrypted: %s", a.Body)
		}
	}
}

// A server without RS256 has no default to sign with: it says so in its log and signs with nothing else.
func TestIntrospectionWithoutItsAlgorithm(t *testing.T) {
	t.Parallel()
	log := &providertest.Log{}
	i := start(t, "web", func(c *providertest.Config) {
		c.Keys = keys.Options{Algs: []string{"ES256"}}
		c.Log = log.Logger()
	})
	c, secret := i.Client("service", "An API")
	if a := introspectAs(i.Server, c, secret, "garbage", introspectionJWT); a.Status != 500 || a.Error() != "server_error" || !strings.Contains(log.String(), "RS256") {
		t.Errorf("%d %s\n%s", a.Status, a.Body, log)
	}
	if a := introspectAs(i.Server, c, secret, "garbage"); a.Body != `{"active":false}` {
		t.Errorf("JSON: %s", a.Body)
	}
	other, secret := i.Client("service", "Another", func(c *storage.Client) { c.IntrospectionAlg = "ES256" })
	body := introspectAs(i.Server, other, secret, "garbage", introspectionJWT).Body
	if head, err := base64.RawURLEncoding.DecodeString(strings.Split(body, ".")[0]); err != nil || !strings.Contains(string(head), `"alg":"ES256"`) {
		t.Errorf("%s %v", head, err)
	}
}
