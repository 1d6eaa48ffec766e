package tokeninfo_test

import (
	"testing"
	"time"

	"signet/storage"
)

// RFC 7662 section 2.2: a refresh token that could not be used is not active.
func TestDeadRefreshTokens(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *signedIn, string){
		"revoked": func(_ *testing.T, i *signedIn, token string) { i.revoke(token) },
		"the user is disabled": func(t *testing.T, i *signedIn, _ string) {
			u := i.user
			u.Disabled = true
			if _, err := i.Store.SaveUser(t.Context(), u, false, storage.Change{Now: i.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
		},
		"the user is removed": func(t *testing.T, i *signedIn, _ string) {
			if err := i.Store.RemoveUser(t.Context(), i.user.Sub, storage.Change{Now: i.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
		},
		"unused for too long": func(_ *testing.T, i *signedIn, _ string) { i.Clock.Advance(30 * 24 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := start(t, "web")
			token := i.tokens(t, "openid offline_access").Text("refresh_token")
			if a := i.introspect(token); a.JSON["active"] != true {
				t.Fatalf("%s", a.Body)
			}
			end(t, i, token)
			if a := i.introspect(token); a.Status != 200 || a.Body != `{"active":false}` {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
}
