package token_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signet/audit"
	"signet/provider/providertest"
	"signet/resources"
	"signet/storage"
)

func TestTokenResponse(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, secret := s.Client("web", "My app")
	b := s.Browser("alice")
	a := s.Redeem(c, secret, b.Code(c, "scope", "openid profile offline_access"))
	if a.Status != 200 || a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("RFC 6749 5.1: %d %v %s", a.Status, a.Header, a.Body)
	}
	if a.Text("token_type") != "Bearer" || a.JSON["expires_in"] != float64(600) || a.Text("scope") != "openid profile offline_access" {
		t.Errorf("RFC 6749 5.1: %s", a.Body)
	}
	for _, name := range []string{"access_token", "id_token", "refresh_token"} {
		if a.Text(name) == "" {
			t.Errorf("no %s: %s", name, a.Body)
		}
	}
	a = s.Redeem(c, secret, b.Code(c, "scope", "openid"))
	if _, has := a.JSON["refresh_token"]; has || a.Text("id_token") == "" {
		t.Errorf("Core 11: a refresh token without offline_access: %s", a.Body)
	}
	a = s.Redeem(c, secret, b.Code(c, "scope", "profile"))
	if _, has := a.JSON["id_token"]; has || a.Text("access_token") == "" {
		t.Errorf("Core 3.1.2.1: an ID token without openid: %s", a.Body)
	}
}

// What is refused without harm leaves the code as it was: whoever has the right values can still redeem it.
func TestRefusedCodesAreNotSpent(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, secret := s.Client("web", "My app", func(c *storage.Client) { c.RedirectURIs = append(c.RedirectURIs, "https://app.example/other") })
	other, otherSecret := s.Client("web", "Another")
	spa, _ := s.Client("spa", "A third")
	otherSPA, _ := s.Client("spa", "A fourth")
	plain, plainSecret := s.Client("web", "A fifth", func(c *storage.Client) { c.PKCE = storage.PKCEOptional })
	b := s.Browser("alice")
	b.Code(c) // signed in beforehand: of sign-ins that one browser makes at once, each ends the session of the one before
	without := []string{"code_challenge", "", "code_challenge_method", ""}
	for name, row := range map[string]struct {
		client storage.Client
		secret string
		ask    []string // changes of the authorization request
		by     storage.Client
		bySec  string
		change []string // of the token request
		good   []string // of the good one
		status int
		code   string
	}{
		"RFC 6749 4.1.3: another client":                    {c, secret, nil, other, otherSecret, nil, nil, 400, "invalid_grant"},
		"RFC 6749 4.1.3: another public client":             {spa, "", nil, otherSPA, "", nil, nil, 400, "invalid_grant"},
		"RFC 6749 4.1.3: another redirect_uri":              {c, secret, nil, c, secret, []string{"redirect_uri", "https://app.example/other"}, nil, 400, "invalid_grant"},
		"RFC 6749 4.1.3: a redirect_uri in another case":    {c, secret, nil, c, secret, []string{"redirect_uri", "https://APP.example/cb"}, nil, 400, "invalid_grant"},
		"RFC 6749 4.1.3: redirect_uri missing":              {c, secret, nil, c, secret, []string{"redirect_uri", ""}, nil, 400, "invalid_request"},
		"RFC 7636 4.6: wrong verifier":                      {c, secret, nil, c, secret, []string{"code_verifier", strings.Repeat("a", 43)}, nil, 400, "invalid_grant"},
		"RFC 7636 4.6: the challenge as verifier":           {c, secret, nil, c, secret, []string{"code_verifier", providertest.Challenge()}, nil, 400, "invalid_grant"},
		"RFC 7636 4.6: verifier missing":                    {c, secret, nil, c, secret, []string{"code_verifier", ""}, nil, 400, "invalid_grant"},
		"RFC 7636 4.6: verifier missing, public":            {spa, "", nil, spa, "", []string{"code_verifier", ""}, nil, 400, "invalid_grant"},
		"RFC 9700 4.8.2: verifier without a challenge":      {plain, plainSecret, without, plain, plainSecret, nil, []string{"code_verifier", ""}, 400, "invalid_grant"},
		"RFC 7636 4.6: a challenge, once sent, is enforced": {plain, plainSecret, nil, plain, plainSecret, []string{"code_verifier", ""}, nil, 400, "invalid_grant"},
		"RFC 6749 2.3: wrong secret":                        {c, secret, nil, c, "wrong", nil, nil, 401, "invalid_client"},
		"RFC 8707 2.2: unknown resource":                    {c, secret, nil, c, secret, []string{"resource", "https://api.example"}, nil, 400, "invalid_target"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s.With(t)
			code := b.Code(row.client, row.ask...)
			wantError(t, s.Post("/token", row.by, row.bySec, codeForm(code, row.change...)), row.status, row.code)
			if a := s.Post("/token", row.client, row.secret, codeForm(code, row.good...)); a.Status != 200 {
				t.Errorf("the code is spent: %d %s", a.Status, a.Body)
			}
		})
	}
	t.Run("each byte of the code counts", func(t *testing.T) {
		t.Parallel()
		s := s.With(t)
		code := b.Code(c)
		for at := range code {
			other := []byte(code)
			if other[at]++; at == len(code)-1 {
				other[at] = code[0]
			}
			if string(other) != code {
				wantError(t, s.Post("/token", c, secret, codeForm(string(other))), 400, "invalid_grant")
			}
		}
		if a := s.Redeem(c, secret, code); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}

func TestCodesExpire(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, secret := s.Client("web", "My app")
	b := s.Browser("alice")
	late, inTime := b.Code(c), b.Code(c)
	s.Clock.Advance(59 * time.Second)
	if a := s.Redeem(c, secret, inTime); a.Status != 200 {
		t.Errorf("after 59 seconds: %d %s", a.Status, a.Body)
	}
	s.Clock.Advance(time.Second)
	wantError(t, s.Redeem(c, secret, late), 400, "invalid_grant") // RFC 6749 4.1.2
}

// RFC 6749 section 4.1.2: "MUST deny the request and SHOULD revoke (when possible) all tokens previously issued based on that
// authorization code".
func TestSecondUseOfACode(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		typ    string
		later  time.Duration
		change []string
	}{
		"at once":                    {"web", 0, nil},
		"at once, public":            {"spa", 0, nil},
		"after 30 seconds":           {"web", 30 * time.Second, nil},
		"after the code has expired": {"web", 5 * time.Minute, nil},
		"with another verifier":      {"web", 0, []string{"code_verifier", strings.Repeat("a", 43)}},
		"with another redirect URI":  {"web", 0, []string{"redirect_uri", "https://app.example/x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := providertest.New(t)
			s.User("alice")
			c, secret := s.Client(row.typ, "My app")
			other, otherSecret := s.Client("web", "Another")
			b := s.Browser("alice")
			code := b.Code(c, "scope", "openid offline_access")
			neighbour := s.Redeem(c, secret, b.Code(c, "scope", "openid offline_access"))
			tokens := s.Redeem(c, secret, code)
			wantError(t, s.Redeem(other, otherSecret, code), 400, "invalid_grant")
			if !alive(s, tokens.Text("access_token")) {
				t.Fatal("another client's attempt ends the tokens")
			}
			s.Clock.Advance(row.later)
			for range 2 {
				wantError(t, s.Post("/token", c, secret, codeForm(code, row.change...)), 400, "invalid_grant")
			}
			if alive(s, tokens.Text("access_token")) {
				t.Error("the access token lives on")
			}
			wantError(t, s.Refresh(c, secret, tokens.Text("refresh_token")), 400, "invalid_grant")
			if !alive(s, neighbour.Text("access_token")) {
				t.Error("the tokens of another code ended too")
			}
			if !slices.Contains(events(t, s), audit.CodeReplayed) {
				t.Error("the audit log does not say so")
			}
		})
	}
}

func events(t *testing.T, s *providertest.Server) (all []audit.Event) {
	t.Helper()
	if err := s.Store.Entries(t.Context(), func(e audit.Entry) error { all = append(all, e.Event); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestParallelRedemptions(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, secret := s.Client("web", "My app")
	code := s.Browser("alice").Code(c, "scope", "openid offline_access")
	answers := make([]providertest.Answer, 20)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = s.Redeem(c, secret, code) })
	}
	all.Wait()
	var good []providertest.Answer
	for _, a := range answers {
		if a.Status == 200 {
			good = append(good, a)
			continue
		}
		wantError(t, a, 400, "invalid_grant")
	}
	if len(good) != 1 {
		t.Fatalf("%d redemptions succeed", len(good))
	}
	if alive(s, good[0].Text("access_token")) {
		t.Error("the access token lives on")
	}
	wantError(t, s.Refresh(c, secret, good[0].Text("refresh_token")), 400, "invalid_grant")
}

// Between the code and its redemption.
func TestUserChangesBeforeRedemption(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		scope string
		act   func(*testing.T, *providertest.Server, *providertest.Browser, storage.User)
		good  bool
	}{
		"disabled": {"openid offline_access", func(t *testing.T, s *providertest.Server, _ *providertest.Browser, u storage.User) {
			u.Disabled = true
			save(t, s, u, false)
		}, false},
		"disabled and enabled again": {"openid", func(t *testing.T, s *providertest.Server, _ *providertest.Browser, u storage.User) {
			u.Disabled = true
			u = save(t, s, u, false)
			u.Disabled = false
			save(t, s, u, false)
		}, false},
		"everything ended": {"openid offline_access", func(t *testing.T, s *providertest.Server, _ *providertest.Browser, u storage.User) {
			save(t, s, u, true)
		}, false},
		"removed":                    {"openid", func(t *testing.T, s *providertest.Server, _ *providertest.Browser, u storage.User) { remove(t, s, u) }, false},
		"signed out":                 {"openid", func(t *testing.T, _ *providertest.Server, b *providertest.Browser, _ storage.User) { signOut(b) }, false},
		"signed out, offline_access": {"openid offline_access", func(t *testing.T, _ *providertest.Server, b *providertest.Browser, _ storage.User) { signOut(b) }, true},
		"renamed": {"openid", func(t *testing.T, s *providertest.Server, _ *providertest.Browser, u storage.User) {
			u.Profile.Name = "New"
			save(t, s, u, false)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := providertest.New(t)
			u := s.User("alice")
			c, secret := s.Client("web", "My app")
			b := s.Browser("alice")
			code := b.Code(c, "scope", row.scope)
			row.act(t, s, b, u)
			a := s.Redeem(c, secret, code)
			if row.good {
				if a.Status != 200 {
					t.Errorf("%d %s", a.Status, a.Body)
				}
				return
			}
			wantError(t, a, 400, "invalid_grant")
		})
	}
	t.Run("the client is removed", func(t *testing.T) {
		t.Parallel()
		s := providertest.New(t)
		s.User("alice")
		c, secret := s.Client("web", "My app")
		code := s.Browser("alice").Code(c)
		if err := s.Store.RemoveClient(t.Context(), c.ID, storage.Change{Now: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		wantError(t, s.Redeem(c, secret, code), 401, "invalid_client")
	})
}

func save(t *testing.T, s *providertest.Server, u storage.User, end bool) storage.User {
	t.Helper()
	u, err := s.Store.SaveUser(t.Context(), u, end, storage.Change{Now: s.Clock.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func remove(t *testing.T, s *providertest.Server, u storage.User) {
	t.Helper()
	if err := s.Store.RemoveUser(t.Context(), u.Sub, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
}

func signOut(b *providertest.Browser) { b.Submit(b.Open("/logout"), "confirm", "yes") }

func TestIDToken(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	u := s.User("alice")
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		for _, source := range []string{storage.ClaimsByScope, storage.ClaimsRequested} {
			t.Run(alg+"/"+source, func(t *testing.T) {
				t.Parallel()
				s := s.With(t)
				c, secret := s.Client("web", "My app", func(c *storage.Client) { c.IDTokenAlg, c.IDTokenClaims = alg, source })
				tokens := s.Redeem(c, secret, s.Browser("alice").Code(c, "scope", "openid profile email groups offline_access"))
				id := s.Verify(tokens.Text("id_token"))
				if id.Alg != alg || id.Typ != "JWT" || id.KID == "" {
					t.Errorf("header %+v", id)
				}
				now := float64(s.Clock.Now().Unix())
				want := map[string]any{ // Core 2, 3.1.3.6; Front-Channel Logout 3 for sid
					"iss": s.Issuer, "sub": u.Sub, "aud": c.ID, "azp": c.ID, "exp": now + 600, "iat": now, "auth_time": now, "nonce": "the nonce",
					"acr": "pwd", "amr": []any{"pwd"}, "at_hash": half(alg, tokens.Text("access_token")), "sid": id.Claims["sid"],
				}
				if source == storage.ClaimsByScope {
					want["name"], want["preferred_username"], want["updated_at"] = "Full Name of alice", "alice", float64(u.Updated.Unix())
					want["email"], want["email_verified"], want["groups"] = "alice@example.com", true, []any{"staff"}
				}
				if diff := cmp.Diff(want, id.Claims); diff != "" {
					t.Errorf("claims (-want +got):\n%s", diff)
				}
				if sid, _ := id.Claims["sid"].(string); len(sid) < 20 {
					t.Errorf("sid %q", sid)
				}
				again := s.Verify(s.Refresh(c, secret, tokens.Text("refresh_token")).Text("id_token"))
				delete(want, "nonce") // Core 12.2
				want["at_hash"] = again.Claims["at_hash"]
				if diff := cmp.Diff(want, again.Claims); diff != "" || again.Alg != alg {
					t.Errorf("Core 12.2: claims after a refresh (-want +got):\n%s", diff)
				}
			})
		}
	}
	t.Run("Core 3.1.2.1: without a nonce there is none", func(t *testing.T) {
		t.Parallel()
		c, secret := s.Client("web", "My app")
		if claims := s.Verify(s.Redeem(c, secret, s.Browser("alice").Code(c, "nonce", "")).Text("id_token")).Claims; claims["nonce"] != nil {
			t.Errorf("nonce %q", claims["nonce"])
		}
	})
	t.Run("Core 5.4: only what the scopes stand for", func(t *testing.T) {
		t.Parallel()
		c, secret := s.Client("web", "My app")
		claims := s.Verify(s.Redeem(c, secret, s.Browser("alice").Code(c, "scope", "openid email")).Text("id_token")).Claims
		if claims["email"] == nil || claims["name"] != nil || claims["groups"] != nil {
			t.Errorf("claims %v", claims)
		}
	})
	t.Run("email_verified is a boolean, false too", func(t *testing.T) {
		t.Parallel()
		s.User("bob", func(u *storage.User) { u.EmailVerified = false })
		c, secret := s.Client("web", "My app")
		if claims := s.Verify(s.Redeem(c, secret, s.Browser("bob").Code(c)).Text("id_token")).Claims; claims["email_verified"] != false {
			t.Errorf("email_verified %v", claims["email_verified"])
		}
	})
	t.Run("two clients have two sids", func(t *testing.T) {
		t.Parallel()
		b := s.Browser("alice")
		var sids []any
		for range 2 {
			c, secret := s.Client("web", "My app")
			for range 2 {
				sids = append(sids, s.Verify(s.Redeem(c, secret, b.Code(c)).Text("id_token")).Claims["sid"])
			}
		}
		if sids[0] != sids[1] || sids[2] != sids[3] || sids[0] == sids[2] {
			t.Errorf("sids %v", sids)
		}
	})
}

// half is at_hash: Core 3.1.3.6.
func half(alg, token string) string {
	if alg == "EdDSA" {
		sum := sha512.Sum512([]byte(token))
		return base64.RawURLEncoding.EncodeToString(sum[:32])
	}
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// inList is the claim status of a token in the first list: Token Status List section 6.2. The index is the token's.
func inList(s *providertest.Server, token providertest.JWT) map[string]any {
	status, _ := token.Claims["status"].(map[string]any)
	list, _ := status["status_list"].(map[string]any)
	index, _ := list["idx"].(float64)
	return map[string]any{"status_list": map[string]any{"idx": index, "uri": s.Issuer + "/statuslists/0"}}
}

func TestAccessToken(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		resource storage.Resource
		groups   any
	}{
		"RFC 9068":                        {resources.Default("ES256", "at+jwt", 10*time.Minute, nil), nil},
		"RFC 9068 2.2.3.1: with groups":   {resources.Default("RS256", "at+jwt", time.Minute, []string{"groups", "roles"}), []any{"staff"}},
		"for decoders that refuse at+jwt": {resources.Default("RS256", "JWT", time.Hour, nil), nil},
		"EdDSA":                           {resources.Default("EdDSA", "at+jwt", time.Hour, nil), nil},
		"PS256":                           {resources.Default("PS256", "at+jwt", time.Hour, nil), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := providertest.New(t, func(c *providertest.Config) { c.Resource = row.resource })
			u := s.User("alice")
			c, secret := s.Client("web", "My app")
			tokens := s.Redeem(c, secret, s.Browser("alice").Code(c))
			got := s.Verify(tokens.Text("access_token"))
			if got.Alg != row.resource.Alg || got.Typ != row.resource.Typ {
				t.Errorf("RFC 9068 2.1: header %+v", got)
			}
			now, life := float64(s.Clock.Now().Unix()), row.resource.Lifetime.Seconds()
			want := map[string]any{ // section 2.2; no personal data, no nonce
				"iss": s.Issuer, "sub": u.Sub, "aud": s.Issuer, "client_id": c.ID, "scope": "openid profile email groups", "iat": now, "exp": now + life,
				"jti": got.Claims["jti"], "auth_time": now, "acr": "pwd", "amr": []any{"pwd"}, "status": inList(s, got),
			}
			if row.groups != nil {
				want["groups"] = row.groups
			}
			if diff := cmp.Diff(want, got.Claims); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
			if jti, _ := got.Claims["jti"].(string); len(jti) < 20 {
				t.Errorf("jti %q", jti)
			}
			if tokens.JSON["expires_in"] != life {
				t.Errorf("expires_in %v", tokens.JSON["expires_in"])
			}
			if !alive(s, tokens.Text("access_token")) {
				t.Error("it opens no userinfo")
			}
			if s.Get("/userinfo", tokens.Text("id_token")).Status != http.StatusUnauthorized {
				t.Error("RFC 8725 3.11: the ID token opens userinfo")
			}
		})
	}
	t.Run("RFC 8707 2.2: the issuer as resource", func(t *testing.T) {
		t.Parallel()
		s := providertest.New(t)
		s.User("alice")
		c, secret := s.Client("web", "My app")
		form := codeForm(s.Browser("alice").Code(c))
		form["resource"] = []string{s.Issuer}
		if a := s.Post("/token", c, secret, form); a.Status != 200 || s.Verify(a.Text("access_token")).Claims["aud"] != s.Issuer {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}

// Core 9: each way to authenticate redeems a code.
func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	for _, row := range []struct{ typ, method string }{{"web", "client_secret_basic"}, {"web", "client_secret_post"}, {"spa", "none"}, {"native", "none"}} {
		t.Run(row.typ+" "+row.method, func(t *testing.T) {
			t.Parallel()
			s := s.With(t)
			c, secret := s.Client(row.typ, "My app", func(c *storage.Client) { c.TokenEndpointAuthMethod = row.method })
			b := s.Browser("alice")
			if a := s.Redeem(c, secret, b.Code(c)); a.Status != 200 {
				t.Errorf("%d %s", a.Status, a.Body)
			}
			if secret == "" {
				return
			}
			// x/oauth2 tries the other place after an error: that must not use up the code.
			form, code := codeForm(""), b.Code(c)
			form.Set("code", code)
			wrong := c
			wrong.TokenEndpointAuthMethod = map[string]string{"client_secret_basic": "client_secret_post", "client_secret_post": "client_secret_basic"}[row.method]
			wantError(t, s.Post("/token", wrong, secret, form), 401, "invalid_client")
			if a := s.Post("/token", c, secret, url.Values(form)); a.Status != 200 {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
}
