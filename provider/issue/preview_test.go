package issue_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signet/claims"
	"signet/provider/issue"
	"signet/provider/providertest"
	"signet/provider/statuslist"
	"signet/resources"
	"signet/storage"
)

// A preview shows what is then issued: the same claims, and the same values where they are not made anew each time.
func TestPreviewIsWhatIsIssued(t *testing.T) {
	t.Parallel()
	catalogue, err := claims.Declarations{Claims: []claims.Mapping{
		{Name: "employee", From: "group:staff", In: []string{"id_token", "access_token"}},
	}}.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	s := providertest.New(t, func(c *providertest.Config) {
		c.Claims, c.Resource = catalogue, resources.Default("ES256", "at+jwt", 10*time.Minute, []string{"groups"})
	})
	u := s.User("alice")
	issuer := issue.New(issue.Options{
		Issuer: s.Issuer, Keys: s.Keys, Resources: s.Store, Families: s.Store, Claims: catalogue, IDToken: 10 * time.Minute, Now: s.Clock.Now,
		Status: statuslist.NewPlaces(s.Issuer, s.Keys),
	})
	const parameter = `{"id_token":{"phone_number":null,"name":null},"userinfo":{"groups":null}}`
	asked, err := claims.Parse(parameter)
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range []string{storage.ClaimsByScope, storage.ClaimsRequested} {
		t.Run("id_token_claims "+setting, func(t *testing.T) {
			t.Parallel()
			s := s.With(t)
			c, secret := s.Client("web", "My app", func(c *storage.Client) { c.IDTokenClaims = setting })
			p, err := issuer.Preview(t.Context(), c, u, []string{"openid", "email"}, asked)
			if err != nil {
				t.Fatal(err)
			}
			tokens := s.Redeem(c, secret, s.Browser("alice").Code(c, "scope", "openid email", "claims", parameter))
			same(t, "ID token", p.IDToken, s.Verify(tokens.Text("id_token")).Claims)
			same(t, "userinfo", p.Userinfo, s.Get("/userinfo", tokens.Text("access_token")).JSON)
			same(t, "access token", p.AccessToken, s.Verify(tokens.Text("access_token")).Claims)
		})
	}
	t.Run("OAuth alone", func(t *testing.T) {
		t.Parallel()
		c, _ := s.With(t).Client("web", "My app")
		p, err := issuer.Preview(t.Context(), c, u, []string{"email"}, claims.Asked{})
		if err != nil || p.IDToken != nil || p.Userinfo != nil || p.AccessToken == nil {
			t.Errorf("%+v %v", p, err)
		}
	})
}

func same(t *testing.T, what string, previewed []issue.PreviewClaim, issued map[string]any) {
	t.Helper()
	var names []string
	for _, c := range previewed {
		names = append(names, c.Name)
		if c.Why == "" {
			t.Errorf("%s: nothing says why %s is there", what, c.Name)
		}
		var value any
		if c.Value == nil {
			continue
		}
		if err := json.Unmarshal(c.Value, &value); err != nil || !cmp.Equal(value, issued[c.Name]) {
			t.Errorf("%s: %s is previewed as %s, issued as %v", what, c.Name, c.Value, issued[c.Name])
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(issued)), names); diff != "" {
		t.Errorf("%s (-issued +previewed)\n%s", what, diff)
	}
}
