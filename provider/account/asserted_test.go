package account_test

import (
	"testing"
	"time"

	"signet/provider/account"
	"signet/provider/providertest"
	"signet/storage"
)

// Who gets tokens in a user's name without that user being asked is not hidden from them, and can be shown the door.
func TestAccessWithoutASession(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	alice := s.User("alice")
	c, _ := s.Client("web", "Night Job")
	b := s.Browser("alice")
	b.Open(account.Path)

	now := s.Clock.Now()
	f, err := s.Store.GrantFamily(t.Context(), storage.Family{
		ID: storage.NewID(now), Authorization: storage.Authorization{Client: c.ID, User: alice.Sub, Epoch: alice.Epoch, Scopes: []string{"profile"}},
		Moved: now, Created: now, IdleExpires: now.Add(10 * time.Minute), Expires: now.Add(10 * time.Minute),
	}, storage.Change{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	page := b.Open(account.AppsPath)
	says(t, page, "Night Job")
	press(t, b, page, "Take access away")
	state, err := s.Store.Family(t.Context(), f.ID)
	if err != nil || state.Family.Ended.IsZero() {
		t.Errorf("RFC 7523: it lives on: %+v, %v", state.Family, err)
	}
}
