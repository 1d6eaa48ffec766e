package register_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"signet/clients"
	"signet/storage"
)

// What a client may call, which API it is, and how it exchanges tokens, is for the operator to say: members of such names are left out, like
// all that we do not know (RFC 7591 section 2).
func TestWhatTheOperatorSays(t *testing.T) {
	t.Parallel()
	const api = "https://api.example"
	s := server(t, "open")
	own := metadata{
		"access": []string{api + " orders:read"}, "default_resource": api, "resources": []string{api}, "token_exchange": storage.ExchangeImpersonation,
		"trusted": true, "origin": storage.OriginOperator,
	}
	stored := func(t *testing.T, r *registered) storage.Client {
		t.Helper()
		c, err := s.Store.Client(t.Context(), r.text("client_id"))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	nothing := func(t *testing.T, r *registered) {
		t.Helper()
		if c := stored(t, r); c.Access != nil || c.DefaultResource != "" || c.Resources != nil || c.Exchange != "" || c.Trusted || c.Origin != storage.OriginRegistered {
			t.Errorf("%+v", c)
		}
		for name := range own {
			if r.metadata[name] != nil {
				t.Errorf("%s is said to be registered: %v", name, r.metadata[name])
			}
		}
	}
	with := func(m metadata) metadata {
		for name, v := range own {
			m[name] = v
		}
		return m
	}
	t.Run("RFC 7591 3.1: not by a registration", func(t *testing.T) { nothing(t, mustRegister(t, s, with(app()))) })
	t.Run("RFC 7592 2.2: not by an update", func(t *testing.T) {
		r := mustRegister(t, s, app())
		if a := r.update(own); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		nothing(t, r)
	})
	t.Run("an update neither changes nor loses what the operator said", func(t *testing.T) {
		r := mustRegister(t, s, app())
		c := stored(t, r)
		c.Access, c.DefaultResource = []storage.Access{{Resource: api, Scopes: []string{"orders:write"}}}, api
		c.Resources, c.Exchange = []string{"https://mine.example"}, storage.ExchangeDelegation
		if _, err := s.Store.SaveClient(t.Context(), c, storage.Change{Now: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		for _, change := range []metadata{{"client_name": "Another"}, own} {
			if a := r.update(change); a.Status != http.StatusOK {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			now := stored(t, r)
			if !reflect.DeepEqual(now.Access, c.Access) || now.DefaultResource != c.DefaultResource || !reflect.DeepEqual(now.Resources, c.Resources) || now.Exchange != c.Exchange {
				t.Errorf("%+v", now)
			}
		}
	})
	t.Run("RFC 8693, RFC 7523: no grant that turns one token into another", func(t *testing.T) {
		for _, grant := range []string{clients.GrantExchange, clients.GrantBearer} {
			for _, m := range []metadata{app("grant_types", []string{clients.GrantCode, grant}), {"grant_types": []string{grant}}} {
				before := count(t, s)
				if a := register(t, s, "", m); a.Status != http.StatusBadRequest || !strings.Contains(a.Body, "grant_types") || count(t, s) != before {
					t.Errorf("%s: %d %s", grant, a.Status, a.Body)
				}
			}
		}
	})
}
