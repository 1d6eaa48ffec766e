package token_test

import (
	"cmp"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/audit"
	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
	"signet/users"
)

// signedIn is a server with one client and its tokens with offline_access.
type signedIn struct {
	*providertest.Server
	client storage.Client
	secret string
	user   storage.User
	tokens providertest.Answer
}

func offline(t *testing.T, typ string, change ...func(*storage.Client)) *signedIn {
	t.Helper()
	s := providertest.New(t, func(c *providertest.Config) {
		c.Lifetimes = provider.Lifetimes{RefreshIdle: time.Hour, RefreshAbsolute: 3 * time.Hour}
	})
	i := &signedIn{Server: s, user: s.User("alice")}
	i.client, i.secret = s.Client(typ, "My app", change...)
	i.tokens = s.Redeem(i.client, i.secret, s.Browser("alice").Code(i.client, "scope", "openid profile email groups offline_access"))
	if i.tokens.Status != 200 {
		t.Fatalf("%d %s", i.tokens.Status, i.tokens.Body)
	}
	return i
}

// refresh uses a refresh token, with the pairs in more besides.
func (i *signedIn) refresh(token string, more ...string) providertest.Answer {
	return i.Post("/token", i.client, i.secret, edit(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, more...))
}

// must uses a refresh token that has to be good.
func (i *signedIn) must(t *testing.T, token string, more ...string) providertest.Answer {
	t.Helper()
	a := i.refresh(token, more...)
	if a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return a
}

func (i *signedIn) first() string { return i.tokens.Text("refresh_token") }

func TestRotation(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"web", "spa", "native"} {
		t.Run("RFC 9700 4.14.2: "+typ, func(t *testing.T) {
			t.Parallel()
			i := offline(t, typ)
			seen := []string{i.first()}
			for range 3 {
				a := i.must(t, seen[len(seen)-1])
				next := a.Text("refresh_token")
				if slices.Contains(seen, next) || next == "" {
					t.Fatalf("refresh token %q after %q", next, seen)
				}
				if !alive(i.Server, a.Text("access_token")) || a.Header.Get("Cache-Control") != "no-store" || a.Text("scope") != i.tokens.Text("scope") {
					t.Errorf("%v %s", a.Header, a.Body)
				}
				seen = append(seen, next)
			}
			if !alive(i.Server, i.tokens.Text("access_token")) {
				t.Error("a refresh ends the access token before")
			}
		})
	}
}

// A lost answer or two tabs must not sign anybody out.
func TestReuseWindow(t *testing.T) {
	t.Parallel()
	i := offline(t, "spa")
	one := i.must(t, i.first())
	i.Clock.Advance(10*time.Second - time.Millisecond)
	two := i.must(t, i.first())
	if one.Text("refresh_token") != two.Text("refresh_token") || one.Text("access_token") == two.Text("access_token") {
		t.Errorf("two uses within the window give %s and %s", one.Body, two.Body)
	}
	i.Clock.Advance(time.Millisecond)
	wantError(t, i.refresh(i.first()), 400, "invalid_grant")
	wantError(t, i.refresh(one.Text("refresh_token")), 400, "invalid_grant")
	for name, a := range map[string]providertest.Answer{"first": i.tokens, "second": one, "third": two} {
		if alive(i.Server, a.Text("access_token")) {
			t.Errorf("the %s access token lives on", name)
		}
	}
	if !slices.Contains(events(t, i.Server), audit.RefreshReused) {
		t.Error("the audit log does not say so")
	}
}

// Theft stands out in the log, with the line of tokens that ended: a code or a refresh token that came twice.
func TestTheftIsAWarning(t *testing.T) {
	t.Parallel()
	for name, steal := range map[string]func(s *providertest.Server, c storage.Client, secret, code, refresh string) providertest.Answer{
		"RFC 6749 4.1.2: a code": func(s *providertest.Server, c storage.Client, secret, code, _ string) providertest.Answer {
			return s.Redeem(c, secret, code)
		},
		"RFC 9700 4.14.2: a refresh token": func(s *providertest.Server, c storage.Client, secret, _, refresh string) providertest.Answer {
			s.Refresh(c, secret, refresh)
			s.Clock.Advance(time.Minute)
			return s.Refresh(c, secret, refresh)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log providertest.Log
			s := providertest.New(t, func(c *providertest.Config) { c.Log = log.Logger() })
			s.User("alice")
			c, secret := s.Client("web", "My app")
			code := s.Browser("alice").Code(c, "scope", "openid offline_access")
			tokens := s.Redeem(c, secret, code)
			if strings.Contains(log.String(), `"level":"WARN"`) {
				t.Fatalf("before it, the log has %s", log.String())
			}
			wantError(t, steal(s, c, secret, code, tokens.Text("refresh_token")), 400, "invalid_grant")
			lines := strings.Split(strings.TrimSpace(log.String()), "\n")
			last := lines[len(lines)-1]
			for _, part := range []string{`"level":"WARN"`, `"client":"` + c.ID + `"`, `"family":"` + family(t, s) + `"`, "used before"} {
				if !strings.Contains(last, part) {
					t.Errorf("%s is missing in %s", part, last)
				}
			}
		})
	}
}

// family is the one that the audit log names last.
func family(t *testing.T, s *providertest.Server) (id string) {
	t.Helper()
	if err := s.Store.Entries(t.Context(), func(e audit.Entry) error { id = cmp.Or(e.Family, id); return nil }); err != nil || id == "" {
		t.Fatal("the audit log names no family", err)
	}
	return id
}

// RFC 9700 section 4.14.2: whoever uses an older one has stolen it, or is whom it was stolen from.
func TestOlderGeneration(t *testing.T) {
	t.Parallel()
	i := offline(t, "web")
	second := i.must(t, i.first())
	third := i.must(t, second.Text("refresh_token"))
	wantError(t, i.refresh(i.first()), 400, "invalid_grant") // within the window, but two generations old
	wantError(t, i.refresh(third.Text("refresh_token")), 400, "invalid_grant")
	if alive(i.Server, third.Text("access_token")) {
		t.Error("the access token lives on")
	}
}

func TestParallelRefreshes(t *testing.T) {
	t.Parallel()
	i := offline(t, "spa")
	answers := make([]providertest.Answer, 20)
	var all sync.WaitGroup
	for n := range answers {
		all.Go(func() { answers[n] = i.refresh(i.first()) })
	}
	all.Wait()
	for _, a := range answers {
		if a.Status != 200 || a.Text("refresh_token") != answers[0].Text("refresh_token") {
			t.Fatalf("%d %s, another has %s", a.Status, a.Body, answers[0].Body)
		}
	}
	i.must(t, answers[0].Text("refresh_token"))
}

// Confidential clients can ask that their refresh tokens stay.
func TestKeep(t *testing.T) {
	t.Parallel()
	i := offline(t, "web", func(c *storage.Client) { c.RefreshRotation = storage.RotationKeep })
	for range 3 {
		a := i.must(t, i.first())
		if a.Text("refresh_token") != i.first() || !alive(i.Server, a.Text("access_token")) {
			t.Errorf("%s", a.Body)
		}
		i.Clock.Advance(time.Minute)
	}
}

// RFC 6749 section 6.
func TestScopeAtRefresh(t *testing.T) {
	t.Parallel()
	i := offline(t, "web")
	token := i.first()
	for name, scope := range map[string]string{
		"not granted": "openid address", "unknown": "openid calendar", "another case": "OPENID",
	} {
		a := i.refresh(token, "scope", scope)
		wantError(t, a, 400, "invalid_scope")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	narrow := i.must(t, token, "scope", "email openid")
	if narrow.Text("scope") != "email openid" || i.Verify(narrow.Text("access_token")).Claims["scope"] != "email openid" {
		t.Errorf("%s", narrow.Body)
	}
	info := i.Get("/userinfo", narrow.Text("access_token"))
	if info.Text("email") == "" || info.Text("name") != "" {
		t.Errorf("userinfo: %s", info.Body)
	}
	if id := i.Verify(narrow.Text("id_token")).Claims; id["email"] == nil || id["name"] != nil {
		t.Errorf("ID token: %v", id)
	}
	wide := i.must(t, narrow.Text("refresh_token"))
	if wide.Text("scope") != i.tokens.Text("scope") {
		t.Errorf("the refresh token was narrowed: %s", wide.Body)
	}
	same := i.must(t, wide.Text("refresh_token"), "scope", i.tokens.Text("scope"))
	if same.Text("scope") != i.tokens.Text("scope") {
		t.Errorf("%s", same.Body)
	}
}

// RFC 6749 section 6: "issued to the authenticated client".
func TestAnotherClientsRefreshToken(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"web", "spa"} {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			i := offline(t, typ)
			other, otherSecret := i.Server.Client(typ, "Another")
			wantError(t, i.Refresh(other, otherSecret, i.first()), 400, "invalid_grant")
			next := i.must(t, i.first())
			i.Clock.Advance(time.Minute)
			wantError(t, i.Refresh(other, otherSecret, i.first()), 400, "invalid_grant") // old, but not theirs to end
			i.must(t, next.Text("refresh_token"))
		})
	}
}

// The MAC covers version, key, family and generation; what fails it asks nothing of the store and ends nothing.
func TestTamperedRefreshTokens(t *testing.T) {
	t.Parallel()
	i := offline(t, "spa")
	raw, err := base64.RawURLEncoding.DecodeString(i.first())
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]int{"version": 0, "key": 4, "family's time": 6, "family's randomness": 18, "generation": 24, "MAC": 25, "MAC's end": 56} {
		raw[at] ^= 1
		wantError(t, i.refresh(base64.RawURLEncoding.EncodeToString(raw)), 400, "invalid_grant")
		if raw[at] ^= 1; t.Failed() {
			t.Fatal(name)
		}
	}
	for _, other := range []string{i.first() + "=", i.first() + "A", i.first()[1:], strings.ToLower(i.first()), i.first()[:38] + "\n" + i.first()[38:], i.tokens.Text("access_token"), i.tokens.Text("id_token")} {
		wantError(t, i.refresh(other), 400, "invalid_grant")
	}
	i.must(t, i.first())
}

func TestExpiryOfRefreshTokens(t *testing.T) {
	t.Parallel()
	t.Run("unused for too long", func(t *testing.T) {
		t.Parallel()
		i := offline(t, "web")
		i.Clock.Advance(time.Hour - time.Second)
		next := i.must(t, i.first())
		i.Clock.Advance(time.Hour)
		wantError(t, i.refresh(next.Text("refresh_token")), 400, "invalid_grant")
	})
	t.Run("too old in any case", func(t *testing.T) {
		t.Parallel()
		i := offline(t, "web")
		token := i.first()
		for range 5 {
			i.Clock.Advance(30 * time.Minute)
			token = i.must(t, token).Text("refresh_token")
		}
		i.Clock.Advance(30 * time.Minute)
		wantError(t, i.refresh(token), 400, "invalid_grant")
	})
}

// The user must still be allowed, and is described as of now.
func TestUserAtRefresh(t *testing.T) {
	t.Parallel()
	t.Run("disabled", func(t *testing.T) {
		t.Parallel()
		i := offline(t, "web")
		u := i.user
		u.Disabled = true
		u = save(t, i.Server, u, false)
		wantError(t, i.refresh(i.first()), 400, "invalid_grant")
		if alive(i.Server, i.tokens.Text("access_token")) {
			t.Error("the access token lives on")
		}
		u.Disabled = false
		save(t, i.Server, u, false)
		wantError(t, i.refresh(i.first()), 400, "invalid_grant")
	})
	t.Run("another password", func(t *testing.T) {
		t.Parallel()
		i := offline(t, "web")
		u := i.user
		var err error
		if u.PasswordHash, err = users.HashPassword("quite another password"); err != nil {
			t.Fatal(err)
		}
		save(t, i.Server, u, false)
		wantError(t, i.refresh(i.first()), 400, "invalid_grant")
	})
	t.Run("removed", func(t *testing.T) {
		t.Parallel()
		i := offline(t, "web")
		remove(t, i.Server, i.user)
		wantError(t, i.refresh(i.first()), 400, "invalid_grant")
	})
	t.Run("other groups and another name", func(t *testing.T) {
		t.Parallel()
		i := offline(t, "web")
		u := i.user
		u.Groups, u.Profile.Name = []string{"admins", "staff"}, "New Name"
		save(t, i.Server, u, false)
		a := i.must(t, i.first())
		id, info := i.Verify(a.Text("id_token")).Claims, i.Get("/userinfo", a.Text("access_token")).JSON
		for where, claims := range map[string]map[string]any{"ID token": id, "userinfo": info} {
			if groups, _ := claims["groups"].([]any); len(groups) != 2 || claims["name"] != "New Name" {
				t.Errorf("%s: %v", where, claims)
			}
		}
	})
	t.Run("signed out: offline_access outlives the session", func(t *testing.T) {
		t.Parallel()
		i := offline(t, "web")
		b := i.Browser("alice")
		tokens := i.Redeem(i.client, i.secret, b.Code(i.client, "scope", "openid offline_access"))
		signOut(b)
		i.must(t, tokens.Text("refresh_token"))
	})
}

// Core 12.2: "its auth_time Claim [...] MUST represent the time of the original authentication", iat the time of issue.
func TestIDTokenOfARefresh(t *testing.T) {
	t.Parallel()
	i := offline(t, "web")
	before := i.Verify(i.tokens.Text("id_token")).Claims
	i.Clock.Advance(20 * time.Minute)
	after := i.Verify(i.must(t, i.first()).Text("id_token")).Claims
	for _, same := range []string{"iss", "sub", "aud", "azp", "auth_time", "sid", "acr"} {
		if before[same] != after[same] {
			t.Errorf("%s was %v and is %v", same, before[same], after[same])
		}
	}
	if after["iat"] != float64(i.Clock.Now().Unix()) || after["exp"] != float64(i.Clock.Now().Add(10*time.Minute).Unix()) {
		t.Errorf("iat %v, exp %v", after["iat"], after["exp"])
	}
}

// A client that lost the grant, or its registration, refreshes no more.
func TestClientAtRefresh(t *testing.T) {
	t.Parallel()
	i := offline(t, "web")
	c := i.client
	c.GrantTypes = []string{"authorization_code"}
	c, err := i.Store.SaveClient(t.Context(), c, storage.Change{Now: i.Clock.Now()})
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, i.refresh(i.first()), 400, "unauthorized_client")
	if err := i.Store.RemoveClient(t.Context(), c.ID, storage.Change{Now: i.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	wantError(t, i.refresh(i.first()), 401, "invalid_client")
}

// What the operator takes from a client is taken from its lines of refresh tokens too.
func TestScopesTakenFromTheClient(t *testing.T) {
	t.Parallel()
	i := offline(t, "web")
	c := i.client
	c.Scopes = []string{"openid", "offline_access"}
	if _, err := i.Store.SaveClient(t.Context(), c, storage.Change{Now: i.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	a := i.must(t, i.first())
	if got := a.Text("scope"); got != "openid offline_access" {
		t.Errorf("scope %q", got)
	}
	if info := i.Get("/userinfo", a.Text("access_token")); info.Text("email") != "" || info.Status != 200 {
		t.Errorf("userinfo %d %s", info.Status, info.Body)
	}
}

// An algorithm that was turned off must not cost a sign-in, nor make the client that tries again look like a thief.
func TestNothingIsSpentForWhatCannotBeSigned(t *testing.T) {
	t.Parallel()
	i := offline(t, "web")
	code := i.Browser("alice").Code(i.client)
	alg := func(alg string) {
		c, err := i.Store.Client(t.Context(), i.client.ID)
		if err != nil {
			t.Fatal(err)
		}
		c.IDTokenAlg = alg
		if _, err := i.Store.SaveClient(t.Context(), c, storage.Change{Now: i.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	alg("ES512")
	if a := i.refresh(i.first()); a.Status != 500 || a.Error() != "server_error" {
		t.Errorf("refresh: %d %s", a.Status, a.Body)
	}
	if a := i.Redeem(i.client, i.secret, code); a.Status != 500 {
		t.Errorf("code: %d %s", a.Status, a.Body)
	}
	alg("RS256")
	i.Clock.Advance(30 * time.Second) // beyond the reuse window
	i.must(t, i.first())
	if a := i.Redeem(i.client, i.secret, code); a.Status != 200 {
		t.Errorf("code: %d %s", a.Status, a.Body)
	}
}
