package login_test

import (
	"slices"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// Two APIs may have a scope of one name: who allowed it at the one is asked for the other, and is told at which.
func TestConsentToAPIs(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	for id, name := range map[string]string{"https://orders.example/v1": "Orders", "https://bills.example": "Bills"} {
		s.Resource(id, func(r *storage.Resource) {
			r.Name, r.Open, r.Scopes = name, true, []storage.Scope{{Name: "read", Text: "Look at your " + strings.ToLower(name)}, {Name: "write"}}
		})
	}
	c, _ := s.Client("web", "My app")
	b := s.Browser("alice")
	b.Code(c, "scope", "openid")
	ask := func(scope string, resources ...string) providertest.Outcome {
		p := providertest.AuthorizeParams(c, "scope", scope)
		p["resource"] = resources
		return b.Open("/authorize?" + p.Encode())
	}
	asked := func(o providertest.Outcome) bool { return slices.Contains(o.Asked, "consent") }
	const orders, bills = "https://orders.example/v1", "https://bills.example"

	t.Run("the page says which API, where it is, and what is asked for there", func(t *testing.T) {
		b.Undecided = true
		page := ask("openid read", orders)
		b.Undecided = false
		text := providertest.Text(page.Page.Body)
		for _, words := range []string{"Orders", "orders.example", "Look at your orders"} {
			if !strings.Contains(text, words) {
				t.Errorf("no %q: %s", words, text)
			}
		}
		for _, words := range []string{"Bills", "bills.example", "Look at your bills", "write"} {
			if strings.Contains(text, words) {
				t.Errorf("%q: %s", words, text)
			}
		}
	})
	for _, row := range []struct {
		name, scope string
		resources   []string
		asks        bool
	}{
		{"RFC 8707 4: an API is asked for", "openid read", []string{orders}, true},
		{"it is remembered", "openid read", []string{orders}, false},
		{"another scope there", "openid read write", []string{orders}, true},
		{"fewer of what was allowed", "openid write", []string{orders}, false},
		{"another API, where the scope has the same name", "openid read", []string{bills}, true},
		{"both, with what was allowed at one of them alone", "openid read write", []string{orders, bills}, true},
		{"both, with what was allowed at both", "openid read", []string{orders, bills}, false},
		{"none of them", "openid", nil, false},
	} {
		if o := ask(row.scope, row.resources...); asked(o) != row.asks || o.Params.Get("code") == "" {
			t.Errorf("%s: asked for %v, %v", row.name, o.Asked, o.Params)
		}
	}
	t.Run("nothing is said that the app cannot have: each scope at its API", func(t *testing.T) {
		c, _ := s.Client("web", "Narrow app", func(c *storage.Client) {
			c.Access = []storage.Access{{Resource: orders, Scopes: []string{"read"}}, {Resource: bills, Scopes: []string{"write"}}}
		})
		p := providertest.AuthorizeParams(c, "scope", "openid read write")
		p["resource"] = []string{orders, bills}
		b.Undecided = true
		page := b.Open("/authorize?" + p.Encode())
		b.Undecided = false
		b.Submit(page, "decision", "allow")
		for name, body := range map[string]string{"consent": page.Page.Body, "apps": b.Open("/account/apps").Page.Body} {
			_, text, _ := strings.Cut(providertest.Text(body), "Narrow app")
			text, _, _ = strings.Cut(text, "Lives at")
			if !strings.Contains(text, "Look at your orders") || !strings.Contains(text, "bills.example") || strings.Contains(text, "Look at your bills") || strings.Count(text, "write") != 1 {
				t.Errorf("%s: %s", name, text)
			}
		}
	})
	t.Run("an API without a scope is asked for all the same", func(t *testing.T) {
		s.Resource("https://plain.example", func(r *storage.Resource) { r.Name, r.Open = "Plain", true })
		if o := ask("openid", "https://plain.example"); !asked(o) {
			t.Errorf("%v %v", o.Asked, o.Params)
		}
	})
	t.Run("OpenID Connect Core 3.1.2.1: prompt=none does not ask", func(t *testing.T) {
		s.Resource("https://silent.example", func(r *storage.Resource) { r.Open = true })
		p := providertest.AuthorizeParams(c, "scope", "openid", "prompt", "none", "resource", "https://silent.example")
		if o := b.Open("/authorize?" + p.Encode()); o.Params.Get("error") != "consent_required" {
			t.Errorf("%v", o.Params)
		}
	})
	t.Run("what was allowed is shown, and can be taken away", func(t *testing.T) {
		page := b.Open("/account/apps")
		text := providertest.Text(page.Page.Body)
		for _, words := range []string{"Orders", "orders.example", "Look at your orders", "Bills", "bills.example", "Look at your bills", "Plain", "plain.example"} {
			if !strings.Contains(text, words) {
				t.Errorf("no %q: %s", words, text)
			}
		}
		b.Submit(page, "client", c.ID)
		if o := ask("openid read", orders); !asked(o) {
			t.Errorf("%v %v", o.Asked, o.Params)
		}
	})
	t.Run("an API that was removed is shown no more", func(t *testing.T) {
		if err := s.Store.RemoveResource(t.Context(), orders, storage.Change{Now: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		if text := providertest.Text(b.Open("/account/apps").Page.Body); strings.Contains(text, "Look at your orders") || !strings.Contains(text, "My app") {
			t.Errorf("%s", text)
		}
	})
	t.Run("names and texts are the operator's, and are no markup", func(t *testing.T) {
		s.Resource("https://markup.example", func(r *storage.Resource) {
			r.Open, r.Name, r.Scopes = true, "<b>Bold</b>", []storage.Scope{{Name: "x", Text: "<script>alert(1)</script>"}}
		})
		b.Undecided = true
		if body := ask("openid x", "https://markup.example").Page.Body; strings.Contains(body, "<b>") || strings.Contains(body, "<script>alert") || !strings.Contains(body, "&lt;b&gt;Bold") {
			t.Errorf("%s", body)
		}
	})
}
