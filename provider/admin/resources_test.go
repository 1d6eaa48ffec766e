package admin_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/audit"
	"signet/provider/admin"
	"signet/storage"
)

func TestResources(t *testing.T) {
	r := newRoom(t)
	const api = "https://api.example/v1"
	var made admin.Resource
	r.do(http.MethodPost, admin.NewResource{ID: api, Fields: admin.Fields{
		"scopes": {"orders:read=See your orders", "orders:write"}, "permissions": {"orders:delete=role:admin"}, "access_token_lifetime": {"5m"},
	}}, &made, "resources")
	stored, err := r.Store.Resource(r.Context(), api)
	if err != nil || stored.Lifetime != 5*time.Minute || stored.Alg != "ES256" || stored.Typ != "at+jwt" || stored.Name != "api.example" || stored.Claims[0] != "permissions" ||
		stored.Origin != storage.OriginOperator || !stored.Created.Equal(r.Clock.Now()) {
		t.Fatalf("%+v, %v", stored, err)
	}

	t.Run("programs read the lifetime in seconds", func(t *testing.T) {
		var raw json.RawMessage
		r.do(http.MethodGet, nil, &raw, "resources", api)
		if !strings.Contains(string(raw), `"access_token_lifetime":300`) || strings.Count(string(raw), "lifetime") != 1 {
			t.Errorf("%s", raw)
		}
		if made.Record().Lifetime != 5*time.Minute {
			t.Errorf("%+v", made.Record())
		}
	})
	t.Run("the list is without the issuer, which the settings make", func(t *testing.T) {
		var all []admin.Resource
		r.do(http.MethodGet, nil, &all, "resources")
		if len(all) != 1 || all[0].ID != api || all[0].Seconds != 300 {
			t.Errorf("%+v", all)
		}
	})
	t.Run("set changes what it names", func(t *testing.T) {
		var changed admin.Resource
		r.do(http.MethodPatch, admin.Changes{Fields: admin.Fields{"open": {"true"}, "permissions": {""}}}, &changed, "resources", api)
		if !changed.Open || len(changed.Permissions) > 0 || len(changed.Claims) > 0 || len(changed.Scopes) != 2 || changed.Revision != stored.Revision+1 || changed.Seconds != 300 {
			t.Errorf("%+v", changed)
		}
	})
	t.Run("all faults at once", func(t *testing.T) {
		for _, in := range []struct {
			method string
			body   any
			path   []string
		}{
			{http.MethodPost, admin.NewResource{ID: "https://b.example", Fields: admin.Fields{"format": {"saml"}, "access_token_alg": {"ES512"}, "scopes": {"openid"}, "nonsense": {"1"}}}, []string{"resources"}},
			{http.MethodPatch, admin.Changes{Fields: admin.Fields{"format": {"saml"}, "access_token_alg": {"HS256"}, "scopes": {"a b"}, "nonsense": {"1"}}}, []string{"resources", api}},
		} {
			err := r.caller.Do(r.Context(), in.method, in.body, nil, in.path...)
			var e *admin.Error
			if !errors.As(err, &e) || e.Status != http.StatusUnprocessableEntity {
				t.Fatal(err)
			}
			for _, field := range []string{"format", "access_token_alg", "scopes", "nonsense"} {
				if !strings.Contains(e.Error(), field+": ") {
					t.Errorf("%s is missing in\n%v", field, e)
				}
			}
		}
	})
	t.Run("RFC 8707 2: ids that are none", func(t *testing.T) {
		for id, words := range map[string]string{
			"": "is missing", "api": "is not absolute", api + "#x": "has a fragment", r.Issuer: "is the issuer", r.Issuer + "/": "is the issuer",
		} {
			r.refused(http.StatusUnprocessableEntity, words, http.MethodPost, admin.NewResource{ID: id}, "resources")
		}
	})
	t.Run("twice", func(t *testing.T) {
		r.refused(http.StatusConflict, "is there already", http.MethodPost, admin.NewResource{ID: api}, "resources")
	})
	t.Run("unknown", func(t *testing.T) {
		for _, id := range []string{"https://b.example", "a b", "%2f", "?x"} {
			r.refused(http.StatusNotFound, "there is no resource", http.MethodGet, nil, "resources", id)
			r.refused(http.StatusNotFound, "there is no resource", http.MethodDelete, nil, "resources", id)
		}
	})
	t.Run("what the file declares is changed there", func(t *testing.T) {
		declared := stored
		declared.ID, declared.Revision, declared.Origin = "https://file.example", 0, storage.OriginFile
		_, err := r.Store.SaveResource(r.Context(), declared, storage.Change{Now: r.Clock.Now()})
		must(t, err)
		words := "declared in /etc/signet.yaml; change it there"
		r.refused(http.StatusConflict, words, http.MethodPatch, admin.Changes{Fields: admin.Fields{"open": {"true"}}}, "resources", declared.ID)
		r.refused(http.StatusConflict, words, http.MethodDelete, nil, "resources", declared.ID)
	})
	t.Run("a client may name what is not there yet", func(t *testing.T) {
		var made, changed admin.ClientSecret
		r.do(http.MethodPost, admin.NewClient{Type: "service", Name: "job", Fields: admin.Fields{"access": {"https://later.example read"}}}, &made, "clients")
		if len(made.Warnings) != 2 || !strings.Contains(made.Warnings[0], "https://later.example, which is no resource here yet") || made.Client.DefaultResource != "https://later.example" {
			t.Errorf("%+v", made)
		}
		r.do(http.MethodPatch, admin.Changes{Fields: admin.Fields{"access": {api + " orders:read"}, "default_resource": {api}}}, &changed, "clients", made.Client.ID)
		if changed.Warnings != nil || changed.Client.Access[0].Scopes[0] != "orders:read" {
			t.Errorf("%+v", changed)
		}
		var issuer admin.ClientSecret
		r.do(http.MethodPost, admin.NewClient{Type: "service", Name: "job", Fields: admin.Fields{"access": {api}, "default_resource": {""}}}, &issuer, "clients")
		if issuer.Client.DefaultResource != "" {
			t.Errorf("%+v", issuer.Client)
		}

		var removed admin.RemovedResource
		r.do(http.MethodDelete, nil, &removed, "resources", api)
		if removed.ID != api || strings.Join(removed.Clients, " ") == "" || len(removed.Clients) != 2 {
			t.Errorf("%+v", removed)
		}
		r.refused(http.StatusNotFound, "there is no resource", http.MethodGet, nil, "resources", api)
	})
	t.Run("the audit log knows who did what", func(t *testing.T) {
		var seen []string
		must(t, r.Store.Entries(t.Context(), func(e audit.Entry) error {
			if strings.Contains(e.Detail, api) && e.Actor != "" {
				seen = append(seen, string(e.Event)+" "+strings.TrimPrefix(e.Detail, api))
			}
			return nil
		}))
		if got := strings.Join(seen, "|"); got != "resource.saved : added|resource.saved : set open, permissions|resource.removed : removed" {
			t.Error(got)
		}
	})
}
