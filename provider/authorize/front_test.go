package authorize_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/clients"
	"signet/provider/providertest"
	"signet/storage"
)

// everyFlow makes a client of all response types.
func everyFlow(c *storage.Client) {
	c.ResponseTypes, c.GrantTypes = clients.ResponseTypes, append(c.GrantTypes, clients.GrantImplicit)
}

// half is at_hash and c_hash of the SHA-256 algorithms: OpenID Connect Core 3.2.2.10.
func half(value string) string {
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// response is what reached the client: a redirect's parameters, or the fields of a form_post page.
func response(o providertest.Outcome) url.Values {
	if o.Callback != "" {
		return o.Params
	}
	form, _ := providertest.Form(o.Page.Body)
	return form.Values
}

// Each response type in each mode carries what its words say, and nothing else: OpenID Connect Core 3.2.2.5, 3.3.2.5.
func TestResponseTypes(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, secret := s.Client("web", "My app", everyFlow, func(c *storage.Client) { c.IDTokenClaims = storage.ClaimsRequested })
	b := signedIn(s, c)
	for _, responseType := range clients.ResponseTypes {
		for _, mode := range []string{"", "fragment", "form_post", "query"} {
			t.Run(responseType+"/"+mode, func(t *testing.T) {
				words := strings.Fields(responseType)
				slices.Reverse(words) // Multiple Response Types 3: the order does not matter
				o := b.Authorize(c, "response_type", strings.Join(words, " "), "response_mode", mode)
				front := responseType != "code"
				fragment := mode == "fragment" || front && mode != "form_post"
				if mode != "form_post" && (strings.Contains(o.Callback, "#") != fragment || strings.Contains(o.Callback, "?") == fragment) {
					t.Fatalf("callback %q", o.Callback)
				}
				got := response(o)
				if front && mode == "query" {
					wantError(t, s, o, "invalid_request", "the state")
					return
				}
				var names []string
				for name := range got {
					names = append(names, name)
				}
				want := append(strings.Fields(responseType), "iss", "session_state", "state")
				if i := slices.Index(want, "token"); i >= 0 {
					want = slices.Concat(want[:i], []string{"access_token", "expires_in", "scope", "token_type"}, want[i+1:])
				}
				slices.Sort(names)
				slices.Sort(want)
				if !slices.Equal(names, want) {
					t.Fatalf("the response has %v, want %v", names, want)
				}
				if got.Has("access_token") {
					if got.Get("token_type") != "Bearer" || got.Get("expires_in") != "600" || got.Get("scope") != "openid profile email groups" {
						t.Errorf("token_type %q, expires_in %q, scope %q", got.Get("token_type"), got.Get("expires_in"), got.Get("scope"))
					}
					if a := s.Get("/userinfo", got.Get("access_token")); a.Text("email") != "alice@example.com" {
						t.Errorf("userinfo: %d %s", a.Status, a.Body)
					}
				}
				var sub any
				if got.Has("id_token") {
					claims := s.Verify(got.Get("id_token")).Claims
					sub = claims["sub"]
					for name, value := range map[string]string{"at_hash": got.Get("access_token"), "c_hash": got.Get("code")} {
						if hash, there := claims[name]; there != (value != "") || there && hash != half(value) {
							t.Errorf("Core 3.3.2.11: %s is %v", name, hash)
						}
					}
					if claims["nonce"] != "the nonce" || claims["aud"] != c.ID {
						t.Errorf("claims %v", claims)
					}
					if _, has := claims["email"]; has != (responseType == "id_token") {
						t.Errorf("Core 5.4: the claims of scopes are in the ID token: %t", has)
					}
				}
				if got.Has("code") {
					a := s.Redeem(c, secret, got.Get("code"))
					if a.Status != 200 {
						t.Fatalf("the code: %d %s", a.Status, a.Body)
					}
					claims := s.Verify(a.Text("id_token")).Claims
					if sub != nil && claims["sub"] != sub || claims["nonce"] != "the nonce" {
						t.Errorf("Core 3.3.3.6: the second ID token says %v", claims)
					}
				}
			})
		}
	}
}

// What goes wrong with a response type of the front channel is told in the fragment, or by form_post.
func TestErrorsInFront(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	all, _ := s.Client("web", "My app", everyFlow)
	hybrid, _ := s.Client("web", "My app", everyFlow, func(c *storage.Client) { c.ResponseTypes = []string{"code id_token"} })
	lost, _ := s.Client("web", "My app", everyFlow)
	lost.GrantTypes = []string{"authorization_code"} // Registration 2: the metadata decides, whoever wrote it
	if _, err := s.Store.SaveClient(t.Context(), lost, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		client storage.Client
		change []string
		code   string
	}{
		"Core 3.2.2.1: id_token without nonce":              {all, []string{"response_type", "id_token", "nonce", ""}, "invalid_request"},
		"Core 3.2.2.1: id_token token without nonce":        {all, []string{"response_type", "id_token token", "nonce", ""}, "invalid_request"},
		"Core 3.3.2.11: code id_token without nonce":        {all, []string{"response_type", "code id_token", "nonce", ""}, "invalid_request"},
		"Core 3.3.2.11: code id_token token without nonce":  {all, []string{"response_type", "code id_token token", "nonce", ""}, "invalid_request"},
		"Core 3.2.2.1: id_token without openid":             {all, []string{"response_type", "id_token", "scope", "email"}, "invalid_scope"},
		"Core 11: offline_access alone, without a code":     {all, []string{"response_type", "id_token token", "scope", "offline_access"}, "invalid_scope"},
		"RFC 9700 2.1.2: token":                             {all, []string{"response_type", "token"}, "unsupported_response_type"},
		"Multiple Response Types 3: unknown word":           {all, []string{"response_type", "id_token dance"}, "unsupported_response_type"},
		"Registration 2: a response type of others":         {hybrid, []string{"response_type", "code token"}, "unauthorized_client"},
		"Registration 2: without the grant implicit":        {lost, []string{"response_type", "code id_token"}, "unauthorized_client"},
		"RFC 9700 2.1.1: a code without PKCE":               {all, []string{"response_type", "code id_token", "code_challenge", ""}, "invalid_request"},
		"Core 3.1.2.6: prompt=none without a session":       {all, []string{"response_type", "id_token", "prompt", "none"}, "login_required"},
		"Core 3.1.2.1: what else is wrong with any request": {all, []string{"response_type", "id_token token", "max_age", "soon"}, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s.With(t)
			o := s.Browser("").Authorize(row.client, row.change...)
			wantError(t, s, o, row.code, "the state")
			if !strings.HasPrefix(o.Callback, redirectURI+"#") {
				t.Errorf("callback %q", o.Callback)
			}
			form := response(s.Browser("").Authorize(row.client, append(row.change, "response_mode", "form_post")...))
			if form.Get("error") != row.code || form.Get("state") != "the state" || form.Get("iss") != s.Issuer {
				t.Errorf("form_post: %v", form)
			}
		})
	}
	t.Run("RFC 6749 4.1.2.1: the user declines", func(t *testing.T) {
		b := s.With(t).Browser("alice")
		b.Deny = true
		o := b.Authorize(all, "response_type", "code id_token token")
		wantError(t, s, o, "access_denied", "the state")
		if !strings.HasPrefix(o.Callback, redirectURI+"#") {
			t.Errorf("callback %q", o.Callback)
		}
	})
}

func TestFrontChannel(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (*providertest.Server, storage.Client, string, *providertest.Browser) {
		t.Parallel()
		s := providertest.New(t)
		s.User("alice")
		c, secret := s.Client("web", "My app", everyFlow)
		return s, c, secret, signedIn(s, c)
	}
	alive := func(s *providertest.Server, token string) bool { return s.Get("/userinfo", token).Status == 200 }

	t.Run("Core 3.3.2.1: code token needs no nonce, and sends none on", func(t *testing.T) {
		s, c, secret, b := begin(t)
		o := b.Authorize(c, "response_type", "code token", "nonce", "")
		a := s.Redeem(c, secret, o.Params.Get("code"))
		if claims := s.Verify(a.Text("id_token")).Claims; claims["nonce"] != nil || !alive(s, o.Params.Get("access_token")) {
			t.Errorf("claims %v", claims)
		}
	})
	t.Run("Core 11: offline_access is ignored where there is no code", func(t *testing.T) {
		s, c, _, b := begin(t)
		o := b.Authorize(c, "response_type", "id_token token", "scope", "openid offline_access")
		if o.Params.Get("scope") != "openid" || !alive(s, o.Params.Get("access_token")) {
			t.Errorf("response %v", o.Params)
		}
	})
	t.Run("RFC 7636: without a code there is no PKCE", func(t *testing.T) {
		_, c, _, b := begin(t)
		for _, change := range [][]string{{"code_challenge", "", "code_challenge_method", ""}, {"code_challenge_method", "plain"}} {
			if o := b.Authorize(c, append(change, "response_type", "id_token")...); !o.Params.Has("id_token") {
				t.Errorf("callback %q", o.Callback)
			}
		}
	})
	t.Run("RFC 6749 4.1.2: a code's replay ends the token that was issued with it", func(t *testing.T) {
		s, c, secret, b := begin(t)
		o := b.Authorize(c, "response_type", "code id_token token")
		token, code := o.Params.Get("access_token"), o.Params.Get("code")
		if a := s.Redeem(c, secret, code); a.Status != 200 || !alive(s, token) {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if a := s.Redeem(c, secret, code); a.Error() != "invalid_grant" || alive(s, token) {
			t.Errorf("%d %s; the token lives on: %t", a.Status, a.Body, alive(s, token))
		}
	})
	t.Run("the token lives by the session, also with offline_access", func(t *testing.T) {
		s, c, secret, b := begin(t)
		o := b.Authorize(c, "response_type", "code token", "scope", "openid offline_access")
		token := o.Params.Get("access_token")
		a := s.Redeem(c, secret, o.Params.Get("code"))
		if a.Text("refresh_token") == "" || o.Params.Get("scope") != "openid" || o.Params.Has("refresh_token") {
			t.Fatalf("%v, %s", o.Params, a.Body)
		}
		if o = b.Open("/logout?id_token_hint=" + a.Text("id_token")); alive(s, token) {
			t.Errorf("it lives on after %s", providertest.Text(o.Page.Body))
		}
		if r := s.Refresh(c, secret, a.Text("refresh_token")); r.Status != 200 {
			t.Errorf("the refresh token: %d %s", r.Status, r.Body)
		}
	})
	t.Run("RFC 7662, RFC 7009: the token is introspected and revoked like any", func(t *testing.T) {
		s, c, secret, b := begin(t)
		first := b.Authorize(c, "response_type", "id_token token").Params.Get("access_token")
		second := b.Authorize(c, "response_type", "id_token token").Params.Get("access_token")
		active := func(token string) any {
			return s.Post("/introspect", c, secret, url.Values{"token": {token}}).JSON["active"]
		}
		if active(first) != true {
			t.Error("it is not active")
		}
		if a := s.Post("/revoke", c, secret, url.Values{"token": {first}}); a.Status != 200 || active(first) != false || active(second) != true {
			t.Errorf("%d %s: %v, and the other %v", a.Status, a.Body, active(first), active(second))
		}
		s.Clock.Advance(10 * time.Minute)
		if active(second) != false || alive(s, second) {
			t.Error("it outlives its expires_in")
		}
	})
	t.Run("a request for which the browser was asked is answered once, in its own mode", func(t *testing.T) {
		s, c, _, _ := begin(t)
		o := s.Browser("alice").Authorize(c, "response_type", "code id_token token", "response_mode", "form_post")
		form, _ := providertest.Form(o.Page.Body)
		if !slices.Equal(o.Asked, []string{"signin"}) || form.Action != redirectURI || !form.Values.Has("id_token") || !form.Values.Has("code") {
			t.Errorf("asked %v, form %v", o.Asked, form)
		}
	})
	t.Run("Core 3.1.2.1: a POST is answered alike", func(t *testing.T) {
		s, c, _, b := begin(t)
		o := b.Send(s.Request("POST", "/authorize", providertest.AuthorizeParams(c, "response_type", "code id_token")))
		if !strings.HasPrefix(o.Callback, redirectURI+"#") || !o.Params.Has("id_token") || !o.Params.Has("code") {
			t.Errorf("callback %q", o.Callback)
		}
	})
}

// What cannot be signed spends nothing, and the client is told: RFC 6749 section 4.1.2.1, server_error.
func TestFrontWithoutAKey(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, _ := s.Client("web", "My app", everyFlow, func(c *storage.Client) { c.IDTokenAlg = "ES512" })
	b := s.Browser("alice")
	b.Code(c) // the code is good: the token endpoint has the last word
	if o := b.Authorize(c, "response_type", "id_token"); o.Params.Get("error") != "server_error" || o.Params.Has("id_token") {
		t.Errorf("page %d, callback %q", o.Page.Status, o.Callback)
	}
}
