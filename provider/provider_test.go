package provider_test

import (
	"net/url"
	"testing"

	"signet/provider/providertest"
)

func TestSignInFrontToBack(t *testing.T) {
	t.Parallel()
	t.Run("bbolt", func(t *testing.T) {
		t.Parallel()
		signInFrontToBack(t, providertest.New(t))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		signInFrontToBack(t, providertest.New(t, func(c *providertest.Config) { c.Store = providertest.Postgres(t) }))
	})
}

func signInFrontToBack(t *testing.T, s *providertest.Server) {
	c, secret := s.Client("web", "My app")
	s.User("alice")
	b := s.Browser("alice")

	first := b.Authorize(c, "scope", "openid profile email groups offline_access")
	if got, want := first.Asked, []string{"signin", "consent"}; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Fatalf("asked %v, want %v; page: %s", got, want, providertest.Text(first.Page.Body))
	}
	if first.Params.Get("state") != "the state" || first.Params.Get("iss") != s.Issuer {
		t.Errorf("response %v", first.Params)
	}
	tokens := s.Redeem(c, secret, first.Params.Get("code"))
	if tokens.Status != 200 {
		t.Fatalf("token: %d %s", tokens.Status, tokens.Body)
	}
	info := s.Get("/userinfo", tokens.Text("access_token"))
	if info.Text("email") != "alice@example.com" || info.Text("name") != "Full Name of alice" {
		t.Errorf("userinfo: %d %s", info.Status, info.Body)
	}
	refreshed := s.Refresh(c, secret, tokens.Text("refresh_token"))
	if refreshed.Status != 200 || refreshed.Text("refresh_token") == tokens.Text("refresh_token") {
		t.Errorf("refresh: %d %s", refreshed.Status, refreshed.Body)
	}
	other, _ := s.Client("spa", "Another")
	second := b.Authorize(other)
	if got := second.Asked; len(got) != 1 || got[0] != "consent" {
		t.Errorf("single sign-on asked %v, want only consent", got)
	}
	if a := s.Post("/introspect", c, secret, url.Values{"token": {refreshed.Text("access_token")}}); a.JSON["active"] != true {
		t.Errorf("introspection: %s", a.Body)
	}
	if a := s.Post("/revoke", c, secret, url.Values{"token": {refreshed.Text("refresh_token")}}); a.Status != 200 || a.Body != "" {
		t.Errorf("revocation: %d %s", a.Status, a.Body)
	}
	if a := s.Post("/introspect", c, secret, url.Values{"token": {refreshed.Text("access_token")}}); a.JSON["active"] != false {
		t.Errorf("introspection after revocation: %s", a.Body)
	}
	out := b.Open("/logout?" + url.Values{"id_token_hint": {tokens.Text("id_token")}, "post_logout_redirect_uri": {"https://app.example/bye"}, "state": {"x"}}.Encode())
	if out.Callback != "https://app.example/bye?state=x" {
		t.Errorf("logout ended at %q, page %s", out.Callback, providertest.Text(out.Page.Body))
	}
}
