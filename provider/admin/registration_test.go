package admin_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/admin"
	"signet/storage"
)

func TestInitialTokens(t *testing.T) {
	r := newRoom(t)
	var made admin.InitialTokenSecret
	r.do(http.MethodPost, admin.NewInitialToken{Uses: 2, ExpiresIn: 3600, Scopes: []string{"openid", "email", "openid"}, GrantTypes: []string{"authorization_code"}, Note: "data team"},
		&made, "registration", "tokens")
	h, err := storage.ParseHandle(made.Secret)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := r.Store.InitialToken(t.Context(), h, r.Clock.Now())
	if err != nil || stored.Uses != 2 || len(stored.Scopes) != 2 || stored.Note != "data team" || !stored.Expires.Equal(r.Clock.Now().Add(time.Hour)) {
		t.Errorf("RFC 7591 3: what it prints does not work, or is without its limits: %+v, %v", stored, err)
	}

	r.Clock.Advance(time.Second)
	var endless admin.InitialTokenSecret
	r.do(http.MethodPost, admin.NewInitialToken{}, &endless, "registration", "tokens")
	if endless.Token.Uses >= 0 || !endless.Token.Expires.IsZero() {
		t.Errorf("0 is any number and never: %+v", endless.Token)
	}

	var all []storage.InitialToken
	r.do(http.MethodGet, nil, &all, "registration", "tokens")
	if len(all) != 2 || all[0].ID != made.Token.ID {
		t.Errorf("%+v", all)
	}
	r.do(http.MethodDelete, nil, nil, "registration", "tokens", made.Token.ID.String())
	if _, err := r.Store.InitialToken(t.Context(), h, r.Clock.Now()); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a removed token: %v", err)
	}
}

func TestInitialTokensThatCannotBe(t *testing.T) {
	r := newRoom(t)
	for field, n := range map[string]admin.NewInitialToken{
		"uses":        {Uses: -1},
		"expires":     {ExpiresIn: -1},
		"expires ":    {ExpiresIn: 1 << 60},
		"scopes":      {Scopes: []string{"pets"}},
		"grant_types": {GrantTypes: []string{"password"}},
		"note":        {Note: strings.Repeat("a", 300)},
	} {
		err := r.caller.Do(t.Context(), http.MethodPost, n, nil, "registration", "tokens")
		refusal, ok := errors.AsType[*admin.Error](err)
		if !ok || refusal.Status != http.StatusUnprocessableEntity || refusal.Problems[0].Field != strings.TrimSpace(field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, id := range []string{"nonsense", storage.NewID(r.Clock.Now()).String()} {
		err := r.caller.Do(t.Context(), http.MethodDelete, nil, nil, "registration", "tokens", id)
		if refusal, ok := errors.AsType[*admin.Error](err); !ok || refusal.Status != http.StatusNotFound {
			t.Errorf("%s: %v", id, err)
		}
	}
	var all []storage.InitialToken
	r.do(http.MethodGet, nil, &all, "registration", "tokens")
	if len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

// What the operator takes from a client that registered itself becomes the limit of the client's own updates.
func TestRegisteredClientsAreHeldToWhatIsLeft(t *testing.T) {
	r := newRoom(t)
	c, _ := r.Client("web", "My app", func(c *storage.Client) { c.Origin = storage.OriginRegistered })
	r.do(http.MethodPatch, admin.Changes{Fields: admin.Fields{"scopes": {"openid", "email"}}}, nil, "clients", c.ID)
	changed, err := r.Store.Client(r.Context(), c.ID)
	if err != nil || !slices.Equal(changed.AllowedScopes, []string{"openid", "email"}) || len(changed.AllowedGrantTypes) != 0 {
		t.Errorf("scopes %v, grant types %v, %v", changed.AllowedScopes, changed.AllowedGrantTypes, err)
	}
	operators, _ := r.Client("web", "Ours")
	r.do(http.MethodPatch, admin.Changes{Fields: admin.Fields{"scopes": {"openid", "email"}}}, nil, "clients", operators.ID)
	if c, err := r.Store.Client(r.Context(), operators.ID); err != nil || len(c.AllowedScopes) != 0 {
		t.Errorf("an operator's client: %v, %v", c.AllowedScopes, err)
	}
}
