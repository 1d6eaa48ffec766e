package issue_test

import (
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// A token is taken as verified from the moment it was made, but not for longer than its key is trusted.
func TestAccessTokenOfARevokedKey(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, secret := s.Client("web", "My app")
	s.User("alice")
	token := s.Redeem(c, secret, s.Browser("alice").Code(c)).Text("access_token")
	if a := s.Get("/userinfo", token); a.Status != 200 {
		t.Fatalf("before: %d %s", a.Status, a.Body)
	}
	for _, key := range s.Keys.List() {
		if key.Alg == "ES256" && key.State == "active" {
			if err := s.Keys.Revoke(t.Context(), key.KID, storage.Change{Now: s.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if a := s.Get("/userinfo", token); a.Status != 401 || a.Error() != "invalid_token" {
		t.Errorf("after its key was revoked: %d %s", a.Status, a.Body)
	}
}
