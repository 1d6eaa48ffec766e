package provider_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signet/provider/providertest"
	"signet/storage"
)

// rich is a user who has everything.
func rich(u *storage.User) {
	u.Roles = []string{"admin"}
	u.Profile.PhoneNumber, u.Profile.PhoneNumberVerified = "+1 425 555 1212", false
	u.Profile.Address = &storage.Address{Formatted: "1 Main St\nSpringfield", Country: "US"}
}

func TestScopesAddressPhoneRoles(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	u := s.User("alice", rich)
	c, secret := s.Client("web", "My app")
	tokens := s.Redeem(c, secret, s.Browser("alice").Code(c, "scope", "openid address phone roles"))
	want := map[string]any{
		"sub":          u.Sub,
		"address":      map[string]any{"formatted": "1 Main St\nSpringfield", "country": "US"}, // Core 5.1.1
		"phone_number": "+1 425 555 1212", "phone_number_verified": false,                      // Core 5.1: true to fact
		"roles": []any{"admin"},
	}
	if diff := cmp.Diff(want, s.Get("/userinfo", tokens.Text("access_token")).JSON); diff != "" {
		t.Errorf("Core 5.4 (-want +got)\n%s", diff)
	}
	token := s.Verify(tokens.Text("id_token")).Claims
	if diff := cmp.Diff(want["address"], token["address"]); diff != "" {
		t.Errorf("id_token_claims scope (-want +got)\n%s", diff)
	}
	if access := s.Verify(tokens.Text("access_token")).Claims; access["address"] != nil || access["phone_number"] != nil || access["roles"] != nil {
		t.Errorf("design 5: personal data in the access token: %v", access)
	}
}

func TestClaimsParameter(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	u := s.User("alice", rich)
	c, secret := s.Client("web", "My app", func(c *storage.Client) { c.IDTokenClaims = storage.ClaimsRequested })
	ask := func(t *testing.T, parameter string, more ...string) (idToken, userinfo map[string]any, asked []string) {
		t.Helper()
		s := s.With(t)
		o := s.Browser("alice").Authorize(c, append([]string{"scope", "openid", "claims", parameter}, more...)...)
		if o.Params.Get("code") == "" {
			t.Fatalf("%v %s", o.Params, providertest.Text(o.Page.Body))
		}
		tokens := s.Redeem(c, secret, o.Params.Get("code"))
		info := s.Get("/userinfo", tokens.Text("access_token"))
		if info.Status != 200 {
			t.Fatalf("userinfo: %d %s", info.Status, info.Body)
		}
		return s.Verify(tokens.Text("id_token")).Claims, info.JSON, o.Asked
	}
	t.Run("Core 5.5: id_token and userinfo apart", func(t *testing.T) {
		t.Parallel()
		token, info, _ := ask(t, `{"id_token":{"email":{"essential":true}},"userinfo":{"name":{"essential":true},"address":null}}`)
		if token["email"] != "alice@example.com" || token["name"] != nil || token["address"] != nil {
			t.Errorf("ID token %v", token)
		}
		if info["name"] != "Full Name of alice" || info["address"] == nil || info["email"] != nil || info["sub"] != u.Sub {
			t.Errorf("userinfo %v", info)
		}
	})
	t.Run("Core 5.5.1: sub with the value of the user signed in", func(t *testing.T) {
		t.Parallel()
		if token, _, _ := ask(t, `{"id_token":{"sub":{"value":"`+u.Sub+`"}}}`); token["sub"] != u.Sub {
			t.Errorf("%v", token["sub"])
		}
	})
	t.Run("Core 5.5.1.1: acr and auth_time", func(t *testing.T) {
		t.Parallel()
		for _, acr := range []string{
			`null`, `{"essential":true}`, `{"essential":true,"values":["phr","pwd"]}`, `{"values":["phr"]}`, `{"essential":true,"value":"pwd"}`,
		} {
			token, _, _ := ask(t, `{"id_token":{"acr":`+acr+`,"auth_time":{"essential":true}}}`)
			if token["acr"] != "pwd" || token["auth_time"] == nil {
				t.Errorf("%s: acr %v, auth_time %v", acr, token["acr"], token["auth_time"])
			}
		}
	})
	t.Run("Core 5.5: what is not understood is ignored", func(t *testing.T) {
		t.Parallel()
		token, info, _ := ask(t, `{"id_token":{"iss":{"value":"https://evil.example"},"x":null},"userinfo":{"password_hash":{"essential":true}},"y":[]}`)
		if token["iss"] != s.Issuer || token["x"] != nil || len(info) != 1 {
			t.Errorf("%v\n%v", token, info)
		}
	})
	t.Run("Core 5.5: it lasts through a refresh", func(t *testing.T) {
		t.Parallel()
		s := s.With(t)
		code := s.Browser("alice").Code(c, "scope", "openid offline_access", "claims", `{"id_token":{"email":null},"userinfo":{"name":null}}`)
		next := s.Refresh(c, secret, s.Redeem(c, secret, code).Text("refresh_token"))
		if token := s.Verify(next.Text("id_token")).Claims; token["email"] != "alice@example.com" {
			t.Errorf("ID token %v", token)
		}
		if info := s.Get("/userinfo", next.Text("access_token")).JSON; info["name"] != "Full Name of alice" {
			t.Errorf("userinfo %v", info)
		}
	})
	t.Run("what the client may not have by scope it cannot have by claim", func(t *testing.T) {
		t.Parallel()
		s := s.With(t)
		modest, secret := s.Client("web", "Modest", func(c *storage.Client) { c.Scopes = []string{"openid", "email"} })
		tokens := s.Redeem(modest, secret, s.Browser("alice").Code(modest, "scope", "openid", "claims",
			`{"id_token":{"phone_number":{"essential":true},"email":null},"userinfo":{"address":null,"name":null}}`))
		if token := s.Verify(tokens.Text("id_token")).Claims; token["phone_number"] != nil || token["email"] == nil {
			t.Errorf("ID token %v", token)
		}
		if info := s.Get("/userinfo", tokens.Text("access_token")).JSON; len(info) != 1 {
			t.Errorf("userinfo %v", info)
		}
	})
	t.Run("without openid it means nothing", func(t *testing.T) {
		t.Parallel()
		if o := s.With(t).Browser("alice").Authorize(c, "scope", "email", "claims", "{"); o.Params.Get("code") == "" {
			t.Errorf("%v", o.Params)
		}
	})
}

func TestClaimsParameterRefused(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	bob := s.User("bob")
	c, secret := s.Client("web", "My app")
	hint := s.Redeem(c, secret, s.Browser("alice").Code(c)).Text("id_token")
	for name, row := range map[string]struct{ claims, more, code string }{
		"Core 5.5: not JSON":                        {`{`, "", "invalid_request"},
		"Core 5.5: essential is no boolean":         {`{"id_token":{"name":{"essential":1}}}`, "", "invalid_request"},
		"Core 5.5.1: sub is another user's":         {`{"id_token":{"sub":{"value":"` + bob.Sub + `"}}}`, "", "login_required"},
		"Core 5.5.1: sub is nobody's":               {`{"id_token":{"sub":{"value":"nobody"}}}`, "", "login_required"},
		"Core 5.5.1: sub is no string":              {`{"id_token":{"sub":{"value":7}}}`, "", "invalid_request"},
		"sub and id_token_hint are two users":       {`{"id_token":{"sub":{"value":"` + bob.Sub + `"}}}`, "hint", "login_required"},
		"Core 5.5.1.1: no such acr":                 {`{"id_token":{"acr":{"essential":true,"values":["mfa","phr"]}}}`, "", "unmet_authentication_requirements"},
		"Core 5.5.1.1: acr with values of no types": {`{"id_token":{"acr":{"essential":true,"values":[1]}}}`, "", "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change := []string{"claims", row.claims}
			if row.more == "hint" {
				change = append(change, "id_token_hint", hint)
			}
			o := s.With(t).Browser("alice").Authorize(c, change...)
			if o.Params.Get("error") != row.code || o.Params.Has("code") || strings.ContainsAny(o.Params.Get("error_description"), `"\{`) {
				t.Errorf("%v, want %s", o.Params, row.code)
			}
		})
	}
}

// Core 3.1.2.4 and 5.5: what is asked for by claim needs the user's consent as what is asked for by scope does.
func TestConsentToClaims(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice", rich)
	c, _ := s.Client("web", "My app")
	b := s.Browser("alice")
	b.Code(c, "scope", "openid")
	const parameter = `{"userinfo":{"phone_number":null},"id_token":{"acr":null}}`
	if o := b.Authorize(c, "scope", "openid", "claims", parameter, "prompt", "none"); o.Params.Get("error") != "consent_required" {
		t.Errorf("nobody was asked: %v", o.Params)
	}
	b.Undecided = true
	page := b.Authorize(c, "scope", "openid", "claims", parameter)
	if text := providertest.Text(page.Page.Body); !strings.Contains(text, "See your phone number") || strings.Contains(text, "acr") {
		t.Fatalf("page %s", text)
	}
	if o := b.Submit(page, "decision", "allow"); o.Params.Get("code") == "" {
		t.Fatalf("%v", o.Params)
	}
	if o := b.Authorize(c, "scope", "openid", "claims", parameter, "prompt", "none"); o.Params.Get("code") == "" {
		t.Errorf("it is not remembered: %v", o.Params)
	}
	if o := b.Authorize(c, "scope", "openid", "claims", `{"userinfo":{"phone_number":null,"email":null}}`, "prompt", "none"); o.Params.Get("error") != "consent_required" {
		t.Errorf("one claim more: %v", o.Params)
	}
	b.Undecided = false
	b.Code(c, "scope", "openid email")
	if o := b.Authorize(c, "scope", "openid email", "claims", `{"id_token":{"email":null}}`, "prompt", "none"); o.Params.Get("code") == "" {
		t.Errorf("a claim of a granted scope is asked for anew: %v", o.Params)
	}
}

// The user that claims names is looked for among those who are signed in.
func TestClaimsNameOneOfTwoAccounts(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	alice := s.User("alice")
	s.User("bob")
	c, secret := s.Client("web", "My app")
	b := s.Browser("alice")
	b.Code(c)
	b.User = "bob"
	b.Code(c, "prompt", "login")
	o := b.Open("/authorize?" + providertest.AuthorizeParams(c, "prompt", "none", "claims", `{"id_token":{"sub":{"value":"`+alice.Sub+`"}}}`).Encode())
	if o.Params.Get("code") == "" {
		t.Fatalf("%v", o.Params)
	}
	if sub := s.Verify(s.Redeem(c, secret, o.Params.Get("code")).Text("id_token")).Claims["sub"]; sub != alice.Sub {
		t.Errorf("Core 5.5.1: sub %v", sub)
	}
}
