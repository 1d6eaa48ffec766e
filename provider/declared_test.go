package provider_test

import (
	"slices"
	"strings"
	"testing"

	"signet/claims"
	"signet/provider/providertest"
	"signet/storage"
)

// What an operator declares is published, asked for, consented to and issued like what is standard.
func TestDeclaredScopesAndClaims(t *testing.T) {
	t.Parallel()
	catalogue, err := claims.Declarations{
		Scopes: []claims.Scope{{Name: "hr", Text: "See where you work", Claims: []string{"employee"}}},
		Claims: []claims.Mapping{
			{Name: "employee", Text: "See whether you are on the staff", From: "group:staff"},
			{Name: "site", From: "constant:Berlin", In: []string{"access_token"}, Scopes: []string{"hr"}},
		},
	}.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	s := providertest.New(t, func(c *providertest.Config) { c.Claims = catalogue })
	s.User("alice")
	c, secret := s.Client("web", "My app")
	if o := s.Browser("alice").Authorize(c, "scope", "openid hr"); o.Params.Get("error") != "invalid_scope" {
		t.Errorf("a client that is not registered for it: %v", o.Params)
	}
	c.Scopes = append(c.Scopes, "hr")
	if c, err = s.Store.SaveClient(t.Context(), c, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	b := s.Browser("alice")
	b.Undecided = true
	page := b.Authorize(c, "scope", "openid hr")
	if text := providertest.Text(page.Page.Body); !strings.Contains(text, "See where you work hr") {
		t.Errorf("page %s", text)
	}
	tokens := s.Redeem(c, secret, b.Submit(page, "decision", "allow").Params.Get("code"))
	if token := s.Verify(tokens.Text("id_token")).Claims; token["employee"] != true || token["site"] != nil {
		t.Errorf("ID token %v", token)
	}
	if info := s.Get("/userinfo", tokens.Text("access_token")).JSON; info["employee"] != true || info["site"] != nil {
		t.Errorf("userinfo %v", info)
	}
	if token := s.Verify(tokens.Text("access_token")).Claims; token["site"] != "Berlin" || token["employee"] != nil {
		t.Errorf("access token %v", token)
	}
	page = b.Authorize(c, "scope", "openid", "claims", `{"id_token":{"employee":null}}`, "prompt", "consent")
	if text := providertest.Text(page.Page.Body); !strings.Contains(text, "See whether you are on the staff employee") {
		t.Errorf("page %s", text)
	}
	metadata := s.Get("/.well-known/openid-configuration", "").JSON
	if !slices.Contains(metadata["scopes_supported"].([]any), any("hr")) || !slices.Contains(metadata["claims_supported"].([]any), any("employee")) {
		t.Errorf("Discovery 3: %v %v", metadata["scopes_supported"], metadata["claims_supported"])
	}
}
