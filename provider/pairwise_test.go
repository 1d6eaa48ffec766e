package provider_test

import (
	"net/url"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

func pairwise(uri string) func(*storage.Client) {
	return func(c *storage.Client) {
		c.SubjectType, c.RedirectURIs, c.Trusted = "pairwise", []string{uri}, true
	}
}

// subjects is the user's sub in everything that a sign-in gives the client.
func subjects(t *testing.T, s *providertest.Server, b *providertest.Browser, c storage.Client, secret string) (idToken string, subs map[string]string) {
	t.Helper()
	answer := s.Redeem(c, secret, b.Code(c, "scope", "openid offline_access"))
	subs = map[string]string{}
	add := func(where string, sub any) { subs[where], _ = sub.(string) }
	add("ID token", s.Verify(answer.Text("id_token")).Claims["sub"])
	add("access token", s.Verify(answer.Text("access_token")).Claims["sub"])
	add("userinfo", s.Get("/userinfo", answer.Text("access_token")).JSON["sub"])
	for _, kind := range []string{"access_token", "refresh_token"} {
		add("introspection of the "+kind, s.Post("/introspect", c, secret, url.Values{"token": {answer.Text(kind)}}).JSON["sub"])
	}
	add("refreshed ID token", s.Verify(s.Refresh(c, secret, answer.Text("refresh_token")).Text("id_token")).Claims["sub"])
	return answer.Text("id_token"), subs
}

func TestPairwise(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	alice := s.User("alice")
	s.User("bob")
	one, oneSecret := s.Client("web", "One", pairwise("https://one.example/cb"))
	two, twoSecret := s.Client("web", "Two", pairwise("https://two.example/cb"))
	open, openSecret := s.Client("web", "Open", func(c *storage.Client) { c.Trusted = true })
	b := s.Browser("alice")
	hint, subs := subjects(t, s, b, one, oneSecret)
	sub := subs["ID token"]

	t.Run("Core 8.1: the same sub wherever the client sees one", func(t *testing.T) {
		for where, got := range subs {
			if got != sub || got == "" || got == alice.Sub {
				t.Errorf("%s: %q, in the ID token %q, the user's own is %q", where, got, sub, alice.Sub)
			}
		}
	})
	t.Run("Core 8.1: another one in another sector", func(t *testing.T) {
		_, others := subjects(t, s, b, two, twoSecret)
		if others["ID token"] == sub {
			t.Error(sub)
		}
	})
	t.Run("Core 3.1.2.1: id_token_hint finds the user again, silently", func(t *testing.T) {
		if o := b.Authorize(one, "prompt", "none", "id_token_hint", hint); o.Params.Get("code") == "" {
			t.Error(o.Params)
		}
	})
	t.Run("Core 3.1.2.1: id_token_hint of a user who is not signed in", func(t *testing.T) {
		bob := s.Browser("bob")
		bob.Code(one)
		if o := bob.Authorize(one, "prompt", "none", "id_token_hint", hint); o.Params.Get("error") != "login_required" {
			t.Error(o.Params)
		}
		if o := bob.Authorize(one, "id_token_hint", hint); o.Params.Get("error") != "login_required" {
			t.Errorf("bob signed in where alice was meant: %v", o.Params)
		}
		bob.User = "alice"
		if o := bob.Authorize(one, "id_token_hint", hint); o.Params.Get("code") == "" {
			t.Errorf("alice signed in, as was meant: %v", o.Params)
		}
	})
	t.Run("Core 8.1: the hint of another client tells a pairwise one nothing", func(t *testing.T) {
		foreign, _ := subjects(t, s, b, open, openSecret)
		if o := b.Authorize(one, "prompt", "none", "id_token_hint", foreign); o.Params.Get("error") != "login_required" {
			t.Errorf("with a public sub: %v", o.Params)
		}
		fresh := s.Browser("alice")
		if o := fresh.Authorize(one, "id_token_hint", foreign); o.Params.Get("error") != "login_required" {
			t.Errorf("with a public sub, after a sign-in: %v", o.Params)
		}
		if o := b.Authorize(two, "prompt", "none", "id_token_hint", hint); o.Params.Get("error") != "login_required" {
			t.Errorf("with another sector's sub: %v", o.Params)
		}
		if o := b.Authorize(open, "prompt", "none", "id_token_hint", hint); o.Params.Get("error") != "login_required" {
			t.Errorf("with a pairwise sub at a public client: %v", o.Params)
		}
	})
	t.Run("RP-Initiated Logout 2: id_token_hint ends the session without a question", func(t *testing.T) {
		other := s.Browser("alice")
		hint, _ := subjects(t, s, other, one, oneSecret)
		if o := other.Open("/logout?" + url.Values{"id_token_hint": {hint}}.Encode()); o.Page.Status != 200 || len(o.Asked) > 0 {
			t.Errorf("%d, asked %v", o.Page.Status, o.Asked)
		}
		if o := other.Authorize(one, "prompt", "none"); o.Params.Get("error") != "login_required" {
			t.Error(o.Params)
		}
	})
}

// A person who signs in as the one that is meant in a second tab finds the first one going on.
func TestPairwiseHintAndASecondTab(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, secret := s.Client("web", "One", pairwise("https://one.example/cb"))
	asking, askingSecret := s.Client("web", "One too", pairwise("https://one.example/cb"), func(c *storage.Client) { c.Trusted = false })
	_ = askingSecret
	b := s.Browser("alice")
	hint, _ := subjects(t, s, b, c, secret)
	fresh := s.Browser("")
	first := fresh.Authorize(asking, "id_token_hint", hint)
	fresh.User = "alice"
	fresh.Code(c)
	u, err := url.Parse(first.URL)
	if err != nil {
		t.Fatal(err)
	}
	o := fresh.Open("/authorize/continue?" + u.RawQuery)
	if o.Params.Get("code") == "" || len(o.Asked) != 1 || o.Asked[0] != "consent" {
		t.Errorf("asked %v, then %v: %s", o.Asked, o.Params, providertest.Text(o.Page.Body))
	}
}
