package register_test

import (
	"testing"

	"signet/clients"
	"signet/storage"
)

// What an operator alone gives is worth what the configuration and the client's resources say; nobody takes it.
func TestGrantsOfTheOperator(t *testing.T) {
	t.Parallel()
	s := server(t, "open")
	for _, g := range clients.OperatorGrants {
		for name, sent := range map[string]metadata{
			"beside another": app("grant_types", []string{"authorization_code", g}),
			"alone":          app("grant_types", []string{g}, "response_types", []string{}),
		} {
			if a := register(t, s, "", sent); a.Status != 400 || a.Error() != "invalid_client_metadata" {
				t.Errorf("RFC 7591 5: %s %s: %d %s", g, name, a.Status, a.Body)
			}
		}
		r := mustRegister(t, s, app())
		if a := r.update(metadata{"grant_types": []string{"authorization_code", g}}); a.Status != 400 || a.Error() != "invalid_client_metadata" {
			t.Errorf("RFC 7592 2.2: %s by an update: %d %s", g, a.Status, a.Body)
		}
	}
	all, err := s.Store.Clients(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.Origin == storage.OriginRegistered && (clients.Allows(c, clients.GrantBearer) || clients.Allows(c, clients.GrantExchange)) {
			t.Errorf("%+v", c)
		}
	}
}
