package token_test

import (
	"net/url"
	"testing"

	"signet/clients"
	"signet/provider/providertest"
	"signet/storage"
)

// RFC 8693 4.1: a token that went through the hands of several ends with each of them.
func TestActorInTheMiddleIsGone(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *providertest.Server, storage.Client){
		"removed": func(t *testing.T, s *providertest.Server, c storage.Client) {
			if err := s.Store.RemoveClient(t.Context(), c.ID, storage.Change{Now: s.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
		},
		"may not exchange any more": func(t *testing.T, s *providertest.Server, c storage.Client) {
			c.GrantTypes = []string{clients.GrantService}
			if _, err := s.Store.SaveClient(t.Context(), c, storage.Change{Now: s.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const ledger = "https://ledger.example"
			s := providertest.New(t)
			s.User("alice")
			for _, id := range []string{orders, billing, ledger} {
				s.Resource(id, scopes("read"))
			}
			server := func(is, calls string) (storage.Client, string) {
				return s.Client("service", is, func(c *storage.Client) {
					c.RedirectURIs, c.PostLogoutRedirectURIs, c.Scopes = nil, nil, nil
					c.GrantTypes = []string{clients.GrantService, clients.GrantExchange}
					c.Resources, c.Access = []string{is}, []storage.Access{{Resource: calls}}
				})
			}
			app, secret := s.Client("web", "App", to(orders))
			middle, middleSecret := server(orders, billing)
			last, lastSecret := server(billing, ledger)
			exchange := func(c storage.Client, secret, token, resource string) string {
				return s.Post("/token", c, secret, url.Values{
					"grant_type": {clients.GrantExchange}, "subject_token": {token}, "resource": {resource},
					"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
				}).Text("access_token")
			}
			token := tokensFor(t, s, s.Browser("alice"), app, secret, "openid read", orders).Text("access_token")
			token = exchange(last, lastSecret, exchange(middle, middleSecret, token, billing), ledger)
			active := func() any {
				return s.Post("/introspect", last, lastSecret, url.Values{"token": {token}}).JSON["active"]
			}
			if active() != true {
				t.Fatal("two exchanges give no token")
			}
			end(t, s, middle)
			if active() != false {
				t.Error("it lives on")
			}
		})
	}
}
