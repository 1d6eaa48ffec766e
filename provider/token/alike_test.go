package token_test

import (
	"net/url"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// RFC 9068 5: a scope reaches each resource that has one by its name. A client that has it at one must not carry it to another where it has not.
func TestScopeOfTheOtherResource(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	for _, id := range []string{orders, billing} {
		s.Resource(id, scopes("list", "read"))
	}
	may := access(storage.Access{Resource: orders, Scopes: []string{"read"}}, storage.Access{Resource: billing, Scopes: []string{"list"}})
	c, secret := s.Client("web", "App", may)

	first := tokensFor(t, s, s.Browser("alice"), c, secret, "openid offline_access read list", orders, billing)
	wantToken(t, s, first, orders, "openid offline_access read")
	refresh := func(resources ...string) providertest.Answer {
		return s.Post("/token", c, secret, with(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Text("refresh_token")}}, resources...))
	}
	if a := refresh(orders, billing); a.Error() != "invalid_target" {
		t.Errorf("one token for both: %d %s", a.Status, a.Body)
	}
	wantToken(t, s, refresh(billing), billing, "openid offline_access list")

	service, secret := s.Client("service", "Job", may, func(c *storage.Client) { c.RedirectURIs, c.PostLogoutRedirectURIs, c.Scopes = nil, nil, nil })
	if a := s.Post("/token", service, secret, with(url.Values{"grant_type": {"client_credentials"}}, orders, billing)); a.Error() != "invalid_target" {
		t.Errorf("of a service: %d %s", a.Status, a.Body)
	}
}

// What a user allowed at one API is not allowed at another because the operator lets the client ask for it there since.
func TestScopeThatTheUserAllowedElsewhere(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	for _, id := range []string{orders, billing} {
		s.Resource(id, scopes("list", "read"))
	}
	c, secret := s.Client("web", "App", access(storage.Access{Resource: orders, Scopes: []string{"read"}}, storage.Access{Resource: billing, Scopes: []string{"list"}}))
	b := s.Browser("alice")
	first := tokensFor(t, s, b, c, secret, "openid offline_access read list", orders, billing)
	c, err := s.Store.Client(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	c.Access[1].Scopes = []string{"list", "read"}
	if c, err = s.Store.SaveClient(t.Context(), c, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	a := s.Post("/token", c, secret, with(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Text("refresh_token")}}, billing))
	wantToken(t, s, a, billing, "openid offline_access list")

	if o := codeFor(b, c, "openid offline_access read list", billing); len(o.Asked) == 0 {
		t.Error("the user is not asked")
	}
	wantToken(t, s, tokensFor(t, s, b, c, secret, "openid offline_access read list", billing), billing, "openid offline_access read list")
}
