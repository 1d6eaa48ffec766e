package tokeninfo_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"signet/provider/providertest"
	"signet/storage"
)

// signedIn is a server with one client, a browser that signed in at it, and tokens of both kinds.
type signedIn struct {
	*providertest.Server
	client  storage.Client
	secret  string
	browser *providertest.Browser
	user    storage.User
}

func start(t *testing.T, typ string, change ...func(*providertest.Config)) *signedIn {
	t.Helper()
	i := &signedIn{Server: providertest.New(t, change...)}
	i.user = i.User("alice")
	i.client, i.secret = i.Client(typ, "My app")
	i.browser = i.Browser("alice")
	return i
}

// tokens are fresh ones for these scopes.
func (i *signedIn) tokens(t *testing.T, scope string) providertest.Answer {
	t.Helper()
	a := i.Redeem(i.client, i.secret, i.browser.Code(i.client, "scope", scope))
	if a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return a
}

func (i *signedIn) alive(accessToken string) bool {
	return i.Get("/userinfo", accessToken).Status == 200
}

func (i *signedIn) introspect(token string) providertest.Answer {
	return i.Post("/introspect", i.client, i.secret, url.Values{"token": {token}})
}

func (i *signedIn) revoke(token string) providertest.Answer {
	return i.Post("/revoke", i.client, i.secret, url.Values{"token": {token}})
}

func TestUserinfo(t *testing.T) {
	t.Parallel()
	i := start(t, "web")
	tokens := i.tokens(t, "openid profile email groups")
	token := tokens.Text("access_token")
	byBody := func(form url.Values) *http.Request { return i.Request(http.MethodPost, "/userinfo", form) }
	header := func(r *http.Request, scheme string) *http.Request {
		r.Header.Set("Authorization", scheme+" "+token)
		return r
	}
	want := map[string]any{ // OpenID Connect Core 5.3.2
		"sub": i.user.Sub, "name": "Full Name of alice", "preferred_username": "alice", "updated_at": float64(i.user.Updated.Unix()),
		"email": "alice@example.com", "email_verified": true, "groups": []any{"staff"},
	}
	for name, r := range map[string]*http.Request{
		"Core 5.3.1: GET with the header":       header(i.Request(http.MethodGet, "/userinfo", nil), "Bearer"),
		"Core 5.3.1: POST with the header":      header(byBody(nil), "Bearer"),
		"POST with the header and a form":       header(byBody(url.Values{"x": {"y"}}), "Bearer"),
		"RFC 6750 2.2: POST with the body":      byBody(url.Values{"access_token": {token}}),
		"RFC 9110 11.1: the scheme has no case": header(i.Request(http.MethodGet, "/userinfo", nil), "bearer"),
	} {
		a := i.Do(r)
		if diff := cmp.Diff(want, a.JSON); a.Status != 200 || diff != "" {
			t.Errorf("%s: %d %s\n%s", name, a.Status, a.Body, diff)
		}
		if a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", name, a.Header)
		}
	}
	for name, row := range map[string]struct {
		request *http.Request
		status  int
		code    string
	}{
		"RFC 6750 2.3: in the query":              {i.Request(http.MethodGet, "/userinfo?access_token="+token, nil), 400, "invalid_request"},
		"RFC 6750 2: in query and header":         {header(i.Request(http.MethodGet, "/userinfo?access_token="+token, nil), "Bearer"), 400, "invalid_request"},
		"RFC 6750 2: in body and header":          {header(byBody(url.Values{"access_token": {token}}), "Bearer"), 400, "invalid_request"},
		"RFC 6750 2.2: twice in the body":         {byBody(url.Values{"access_token": {token, token}}), 400, "invalid_request"},
		"RFC 6750 2.2: POST with it in the query": {i.Request(http.MethodPost, "/userinfo?access_token="+token, url.Values{}), 400, "invalid_request"},
		"another method":                          {header(i.Request(http.MethodPut, "/userinfo", nil), "Bearer"), 405, "invalid_request"},
	} {
		a := i.Do(row.request)
		if a.Status != row.status || a.Error() != row.code {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
		if challenge := a.Header.Get("WWW-Authenticate"); row.status != 405 && !strings.HasPrefix(challenge, `Bearer error="`+row.code+`"`) {
			t.Errorf("%s: WWW-Authenticate %q", name, challenge)
		}
	}
	t.Run("RFC 6750 3.1: without a token the challenge has no error", func(t *testing.T) {
		for name, r := range map[string]*http.Request{
			"GET": i.Request(http.MethodGet, "/userinfo", nil), "POST": byBody(nil), "POST with a form": byBody(url.Values{"x": {"y"}}),
			"another scheme": header(i.Request(http.MethodGet, "/userinfo", nil), "Basic"), "Bearer alone": bare(i.Request(http.MethodGet, "/userinfo", nil)),
		} {
			if a := i.Do(r); a.Status != 401 || a.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s: %d, WWW-Authenticate %q", name, a.Status, a.Header.Get("WWW-Authenticate"))
			}
		}
	})
	t.Run("RFC 6750 3.1: insufficient_scope", func(t *testing.T) {
		a := i.Get("/userinfo", i.tokens(t, "profile").Text("access_token"))
		if a.Status != 403 || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), `Bearer error="insufficient_scope"`) {
			t.Errorf("%d %v", a.Status, a.Header)
		}
	})
	t.Run("Core 5.4: only what was granted", func(t *testing.T) {
		if a := i.Get("/userinfo", i.tokens(t, "openid").Text("access_token")); len(a.JSON) != 1 || a.Text("sub") != i.user.Sub {
			t.Errorf("%s", a.Body)
		}
	})
	t.Run("Core 5.3.2: as the user is now", func(t *testing.T) {
		u := i.user
		u.Groups = nil
		if _, err := i.Store.SaveUser(t.Context(), u, false, storage.Change{Now: i.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		if a := i.Get("/userinfo", token); a.Status != 200 || a.JSON["groups"] != nil {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}

func bare(r *http.Request) *http.Request {
	r.Header.Set("Authorization", "Bearer")
	return r
}

// RFC 8725, RFC 9068 section 4: what is no live access token of this issuer.
func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	i := start(t, "web")
	tokens := i.tokens(t, "openid offline_access")
	access, id, refresh := tokens.Text("access_token"), tokens.Text("id_token"), tokens.Text("refresh_token")
	stranger := start(t, "web")
	parts := strings.Split(access, ".")
	sign := func(typ string, change map[string]any) string { // what only a thief of our keys could make
		claims := i.Verify(access).Claims
		for name, v := range change {
			claims[name] = v
		}
		body, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		made, err := i.Keys.Sign("ES256", typ, body)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	if !i.alive(sign("at+jwt", nil)) {
		t.Fatal("the good one is refused")
	}
	refused := map[string]string{
		"RFC 8725 3.11: an ID token":              id,
		"a refresh token":                         refresh,
		"nothing like a token":                    "garbage",
		"RFC 8725 3.2: alg none":                  providertest.Unsigned(access, "at+jwt"),
		"RFC 8725 3.1: no signature":              parts[0] + "." + parts[1] + ".",
		"changed":                                 providertest.Tampered(access),
		"RFC 8725 2.1: HS256 with the public key": withPublicKey(t, i, access),
		"cut":                          access[:len(access)-1],
		"a character more":             access + "A",
		"with a line break":            access[:100] + "%0A" + access[100:],
		"a part more":                  access + "." + parts[2],
		"the header of another token":  strings.Split(id, ".")[0] + "." + parts[1] + "." + parts[2],
		"RFC 9068 4: another issuer's": stranger.tokens(t, "openid").Text("access_token"),
		"RFC 9068 4: iss is another":   sign("at+jwt", map[string]any{"iss": "https://other.example"}),
		"RFC 9068 4: typ of an ID token, all else equal": sign("", nil),
		"RFC 9068 4: typ of a logout token":              sign("logout+jwt", nil),
		"RFC 9068 4: it has expired":                     sign("at+jwt", map[string]any{"exp": i.Clock.Now().Unix()}),
		"no client_id":                                   sign("at+jwt", map[string]any{"client_id": ""}),
		"a jti that is not ours":                         sign("at+jwt", map[string]any{"jti": "abc"}),
		"a family that is not there":                     sign("at+jwt", map[string]any{"jti": base64.RawURLEncoding.EncodeToString(make([]byte, 28))}),
	}
	for name, token := range refused {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := &signedIn{Server: i.With(t), client: i.client, secret: i.secret}
			a := i.Get("/userinfo", token)
			if a.Status != 401 || a.Error() != "invalid_token" || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), `Bearer error="invalid_token"`) {
				t.Errorf("userinfo: %d %s", a.Status, a.Body)
			}
			if token == refresh {
				return
			}
			if a := i.introspect(token); a.Status != 200 || a.Body != `{"active":false}` {
				t.Errorf("RFC 7662 2.2: introspection: %d %s", a.Status, a.Body)
			}
			if a := i.revoke(token); a.Status != 200 || a.Body != "" {
				t.Errorf("RFC 7009 2.2: revocation: %d %s", a.Status, a.Body)
			}
		})
	}
	t.Run("each part of the signature counts", func(t *testing.T) {
		t.Parallel()
		raw, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil {
			t.Fatal(err)
		}
		for at := range raw {
			raw[at] ^= 1
			if i.Get("/userinfo", parts[0]+"."+parts[1]+"."+base64.RawURLEncoding.EncodeToString(raw)).Status != 401 {
				t.Errorf("byte %d may be changed", at)
			}
			raw[at] ^= 1
		}
	})
}

// withPublicKey is token signed with HMAC, keyed with a published key: CVE-2015-9235.
func withPublicKey(t *testing.T, i *signedIn, token string) string {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(i.Get("/jwks", "").Body), &set); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(set.Keys, func(k jose.JSONWebKey) bool { return k.KeyID == i.Verify(token).KID })
	key, err := set.Keys[at].MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", set.Keys[at].KeyID))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	made, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestExpiryOfAccessTokens(t *testing.T) {
	t.Parallel()
	i := start(t, "web")
	token := i.tokens(t, "openid offline_access").Text("access_token")
	i.Clock.Advance(10*time.Minute - time.Second)
	if !i.alive(token) || i.introspect(token).JSON["active"] != true {
		t.Error("dead before its time")
	}
	i.Clock.Advance(time.Second)
	if i.alive(token) || i.introspect(token).JSON["active"] != false {
		t.Error("alive after its time")
	}
}

// Back-Channel Logout 2.7: what has offline_access outlives the session.
func TestAccessTokensAfterSignOut(t *testing.T) {
	t.Parallel()
	i := start(t, "web")
	with, without := i.tokens(t, "openid offline_access").Text("access_token"), i.tokens(t, "openid").Text("access_token")
	i.browser.Submit(i.browser.Open("/logout"), "confirm", "yes")
	for token, want := range map[string]bool{with: true, without: false} {
		if i.alive(token) != want || i.introspect(token).JSON["active"] != want {
			t.Errorf("alive %t, want %t", !want, want)
		}
	}
}

func TestAccessTokensOfUsersWhoMayNot(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(*signedIn, storage.Change) error{
		"disabled": func(i *signedIn, o storage.Change) error {
			u := i.user
			u.Disabled = true
			_, err := i.Store.SaveUser(t.Context(), u, false, o)
			return err
		},
		"everything ended": func(i *signedIn, o storage.Change) error {
			_, err := i.Store.SaveUser(t.Context(), i.user, true, o)
			return err
		},
		"removed": func(i *signedIn, o storage.Change) error { return i.Store.RemoveUser(t.Context(), i.user.Sub, o) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := start(t, "web")
			token := i.tokens(t, "openid offline_access").Text("access_token")
			if err := act(i, storage.Change{Now: i.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
			if i.alive(token) || i.introspect(token).JSON["active"] != false {
				t.Error("alive")
			}
		})
	}
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	i := start(t, "web")
	tokens := i.tokens(t, "openid email offline_access")
	access, refresh := tokens.Text("access_token"), tokens.Text("refresh_token")
	now := float64(i.Clock.Now().Unix())
	claims := i.Verify(access).Claims

	a := i.introspect(access)
	want := map[string]any{ // RFC 7662 section 2.2
		"active": true, "scope": "openid email offline_access", "client_id": i.client.ID, "token_type": "Bearer", "exp": now + 600, "iat": now,
		"sub": i.user.Sub, "aud": i.Issuer, "iss": i.Issuer, "jti": claims["jti"], "auth_time": now, "acr": "pwd",
	}
	if diff := cmp.Diff(want, a.JSON); a.Status != 200 || diff != "" {
		t.Errorf("access token: %d (-want +got)\n%s", a.Status, diff)
	}
	if a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", a.Header)
	}
	a = i.introspect(refresh)
	if a.JSON["active"] != true || a.Text("client_id") != i.client.ID || a.Text("sub") != i.user.Sub || a.JSON["exp"] == nil || a.JSON["token_type"] != nil {
		t.Errorf("refresh token: %s", a.Body)
	}
	for _, hint := range []string{"access_token", "refresh_token", "nonsense"} {
		if a := i.Post("/introspect", i.client, i.secret, url.Values{"token": {access}, "token_type_hint": {hint}}); a.JSON["active"] != true {
			t.Errorf("2.1: with the hint %s: %s", hint, a.Body)
		}
	}

	other, otherSecret := i.Client("web", "Another")
	post, postSecret := i.Client("web", "A third", func(c *storage.Client) { c.TokenEndpointAuthMethod = "client_secret_post" })
	for name, token := range map[string]string{"access token": access, "refresh token": refresh, "ID token": tokens.Text("id_token"), "nothing": "garbage"} {
		for _, c := range []struct {
			storage.Client
			secret string
		}{{other, otherSecret}, {post, postSecret}} {
			if a := i.Post("/introspect", c.Client, c.secret, url.Values{"token": {token}}); a.Status != 200 || a.Body != `{"active":false}` {
				t.Errorf("4: another client's %s: %d %s", name, a.Status, a.Body)
			}
		}
	}

	next := i.Refresh(i.client, i.secret, refresh)
	if a := i.introspect(refresh); a.Body != `{"active":false}` {
		t.Errorf("an old refresh token: %s", a.Body)
	}
	if a := i.introspect(next.Text("refresh_token")); a.JSON["active"] != true {
		t.Errorf("RFC 9700 4.14: looking at an old one is no theft: %s", a.Body)
	}

	spa, _ := i.Client("spa", "A fourth")
	for name, row := range map[string]struct {
		client storage.Client
		secret string
		form   url.Values
		status int
		code   string
	}{
		"2.1: a public client": {spa, "", url.Values{"token": {access}}, 401, "invalid_client"},
		"2.1: wrong secret":    {i.client, "wrong", url.Values{"token": {access}}, 401, "invalid_client"},
		"2.1: no client":       {storage.Client{}, "", url.Values{"token": {access}}, 401, "invalid_client"},
		"2.1: token missing":   {i.client, i.secret, url.Values{}, 400, "invalid_request"},
		"2.1: token twice":     {i.client, i.secret, url.Values{"token": {access, access}}, 400, "invalid_request"},
	} {
		if a := i.Post("/introspect", row.client, row.secret, row.form); a.Status != row.status || a.Error() != row.code || a.JSON["active"] != nil {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	r := i.Request(http.MethodPost, "/introspect", url.Values{"token": {access}})
	r.Header.Set("Authorization", "Bearer "+access)
	if a := i.Do(r); a.Status != 401 {
		t.Errorf("by access token: %d %s", a.Status, a.Body)
	}
	if a := i.Do(i.Request(http.MethodGet, "/introspect?token="+access, nil)); a.Status != 405 || a.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %d", a.Status)
	}
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	empty := func(t *testing.T, a providertest.Answer) {
		t.Helper()
		if _, typed := a.Header["Content-Type"]; a.Status != 200 || a.Body != "" || typed {
			t.Errorf("RFC 7009 2.2: %d %q %v", a.Status, a.Body, a.Header)
		}
	}
	for _, typ := range []string{"web", "spa"} {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			i := start(t, typ)
			other, otherSecret := i.Client(typ, "Another")
			t.Run("2.1: an access token; the refresh token stays", func(t *testing.T) {
				tokens := i.tokens(t, "openid offline_access")
				neighbour := i.tokens(t, "openid offline_access")
				for range 2 {
					empty(t, i.revoke(tokens.Text("access_token")))
				}
				if i.alive(tokens.Text("access_token")) {
					t.Error("it lives on")
				}
				next := i.Refresh(i.client, i.secret, tokens.Text("refresh_token"))
				if next.Status != 200 || !i.alive(next.Text("access_token")) || !i.alive(neighbour.Text("access_token")) {
					t.Errorf("others died: %d %s", next.Status, next.Body)
				}
				empty(t, i.revoke(tokens.Text("access_token"))) // the old one once more
				if !i.alive(next.Text("access_token")) {
					t.Error("revoking an old access token ends a newer one")
				}
			})
			t.Run("an access token without offline_access", func(t *testing.T) {
				tokens := i.tokens(t, "openid")
				empty(t, i.revoke(tokens.Text("access_token")))
				if i.alive(tokens.Text("access_token")) {
					t.Error("it lives on")
				}
			})
			t.Run("2.1: a refresh token of any generation ends all", func(t *testing.T) {
				for _, use := range []int{0, 1, 2} {
					line := []providertest.Answer{i.tokens(t, "openid offline_access")}
					for range 2 {
						line = append(line, i.Refresh(i.client, i.secret, line[len(line)-1].Text("refresh_token")))
					}
					empty(t, i.revoke(line[use].Text("refresh_token")))
					for _, a := range line {
						if i.alive(a.Text("access_token")) {
							t.Errorf("by generation %d: an access token lives on", use)
						}
					}
					if a := i.Refresh(i.client, i.secret, line[2].Text("refresh_token")); a.Status != 400 || a.Error() != "invalid_grant" {
						t.Errorf("by generation %d: the refresh token lives on: %d %s", use, a.Status, a.Body)
					}
					empty(t, i.revoke(line[use].Text("refresh_token")))
				}
			})
			t.Run("2.1: another client's", func(t *testing.T) {
				tokens := i.tokens(t, "openid offline_access")
				for _, kind := range []string{"access_token", "refresh_token"} {
					a := i.Post("/revoke", other, otherSecret, url.Values{"token": {tokens.Text(kind)}, "token_type_hint": {kind}})
					if a.Status != 400 || a.Error() == "" {
						t.Errorf("%s: %d %s", kind, a.Status, a.Body)
					}
				}
				if !i.alive(tokens.Text("access_token")) || i.Refresh(i.client, i.secret, tokens.Text("refresh_token")).Status != 200 {
					t.Error("it ended them")
				}
			})
			t.Run("2.2: unknown, and of another kind", func(t *testing.T) {
				tokens := i.tokens(t, "openid offline_access")
				for _, token := range []string{"garbage", tokens.Text("id_token"), providertest.Tampered(tokens.Text("access_token"))} {
					empty(t, i.revoke(token))
				}
				empty(t, i.Post("/revoke", i.client, i.secret, url.Values{"token": {"garbage"}, "token_type_hint": {"nonsense"}}))
				if !i.alive(tokens.Text("access_token")) {
					t.Error("something ended")
				}
			})
			t.Run("2.1: what is refused", func(t *testing.T) {
				for form, want := range map[string]int{"": 400, "token=": 400, "token=a&token=b": 400} {
					values, _ := url.ParseQuery(form)
					if a := i.Post("/revoke", i.client, i.secret, values); a.Status != want || a.Error() != "invalid_request" {
						t.Errorf("%q: %d %s", form, a.Status, a.Body)
					}
				}
				if a := i.Post("/revoke", storage.Client{ID: "nobody"}, "", url.Values{"token": {"x"}}); a.Status != 401 || a.Error() != "invalid_client" {
					t.Errorf("unknown client: %d %s", a.Status, a.Body)
				}
				if a := i.Do(i.Request(http.MethodGet, "/revoke?token=x", nil)); a.Status != 405 {
					t.Errorf("GET: %d", a.Status)
				}
			})
		})
	}
}

// fosite CVE-2020-15223: a failure of the store is not "200, revoked".
func TestStoreTrouble(t *testing.T) {
	t.Parallel()
	faulty := &providertest.Faulty{}
	i := start(t, "web", func(c *providertest.Config) { c.Wrap = faulty.Wrap })
	tokens := i.tokens(t, "openid offline_access")
	access, refresh := tokens.Text("access_token"), tokens.Text("refresh_token")
	for name, act := range map[string]func() providertest.Answer{
		"userinfo":                  func() providertest.Answer { return i.Get("/userinfo", access) },
		"introspect, access token":  func() providertest.Answer { return i.introspect(access) },
		"introspect, refresh token": func() providertest.Answer { return i.introspect(refresh) },
		"revoke, access token":      func() providertest.Answer { return i.revoke(access) },
		"revoke, refresh token":     func() providertest.Answer { return i.revoke(refresh) },
	} {
		for err, want := range map[error]int{errors.New("secret detail"): 500, storage.ErrBusy: 503, storage.ErrNoSpace: 503} {
			faulty.Fail(err)
			a := act()
			if a.Status != want || a.Error() == "" || a.JSON["active"] != nil || strings.Contains(a.Body, "secret detail") {
				t.Errorf("%s, %v: %d %s", name, err, a.Status, a.Body)
			}
			if (want == 503) != (a.Header.Get("Retry-After") != "") {
				t.Errorf("%s, %v: Retry-After %q", name, err, a.Header.Get("Retry-After"))
			}
		}
	}
	faulty.Fail(nil)
	if !i.alive(access) || i.introspect(refresh).JSON["active"] != true {
		t.Error("something was revoked")
	}
}

// What was issued to a client that the operator has removed opens nothing, before it expires too.
func TestAccessTokensOfRemovedClients(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, secret := s.Client("web", "My app")
	s.User("alice")
	token := s.Redeem(c, secret, s.Browser("alice").Code(c)).Text("access_token")
	if a := s.Get("/userinfo", token); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if err := s.Store.RemoveClient(t.Context(), c.ID, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	if a := s.Get("/userinfo", token); a.Status != 401 || a.Error() != "invalid_token" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// RFC 6750 section 2: one token, sent one way.
func TestTwoAuthorizationHeaders(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, secret := s.Client("web", "My app")
	s.User("alice")
	r := s.Request(http.MethodGet, "/userinfo", nil)
	for range 2 {
		r.Header.Add("Authorization", "Bearer "+s.Redeem(c, secret, s.Browser("alice").Code(c)).Text("access_token"))
	}
	if a := s.Do(r); a.Status != 400 || a.Error() != "invalid_request" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}
