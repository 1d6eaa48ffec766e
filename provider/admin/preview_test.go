package admin_test

import (
	"net/http"
	"testing"

	"signet/provider/admin"
	"signet/provider/issue"
	"signet/storage"
)

func TestPreview(t *testing.T) {
	r := newRoom(t)
	u := r.User("alice")
	c, _ := r.Client("web", "My app", func(c *storage.Client) { c.Scopes = []string{"openid", "email"} })
	for name, in := range map[string]admin.NewPreview{
		"by name":    {User: "alice", Client: c.ID, Scope: "openid email"},
		"by address": {User: "alice@example.com", Client: c.ID},
		"by sub":     {User: u.Sub, Client: c.ID, Scope: "email openid email"},
	} {
		var p issue.Preview
		r.do(http.MethodPost, in, &p, "token", "preview")
		why := map[string]string{}
		for _, claim := range p.Userinfo {
			why[claim.Name] = claim.Why
		}
		if len(why) != 3 || why["sub"] != "the protocol" || why["email"] != "scope email" || why["email_verified"] != "scope email" {
			t.Errorf("%s: %v", name, why)
		}
	}
	r.refused(http.StatusNotFound, "no user", http.MethodPost, admin.NewPreview{User: "bob", Client: c.ID}, "token", "preview")
	r.refused(http.StatusNotFound, "no client", http.MethodPost, admin.NewPreview{User: "alice", Client: "x"}, "token", "preview")
	r.refused(http.StatusUnprocessableEntity, "emial means nothing here", http.MethodPost, admin.NewPreview{User: "alice", Client: c.ID, Scope: "openid emial"}, "token", "preview")
	r.refused(http.StatusUnprocessableEntity, "may not ask for phone", http.MethodPost, admin.NewPreview{User: "alice", Client: c.ID, Scope: "openid phone"}, "token", "preview")
	r.refused(http.StatusUnprocessableEntity, "claims: it is not JSON", http.MethodPost, admin.NewPreview{User: "alice", Client: c.ID, Claims: "{"}, "token", "preview")
}
