package login_test

import (
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// Who signed in in the course of an interaction is whom its consent page asks and its code is for, whoever signs in elsewhere.
func TestConsentIsAskedOfWhoSignedInHere(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	alice := s.User("alice")
	s.User("bob")
	c, secret := s.Client("web", "My app")
	trusted, _ := s.Client("web", "Trusted", func(c *storage.Client) { c.Trusted = true })
	b := s.Browser("alice")
	b.Undecided = true
	page := b.Authorize(c)
	b.User = "bob"
	b.Code(trusted, "prompt", "login") // in another tab; bob is the last used one now
	page = b.Open(strings.TrimPrefix(page.URL, s.Issuer))
	if !strings.Contains(page.Page.Body, "Full Name of alice") {
		t.Fatalf("page %s", providertest.Text(page.Page.Body))
	}
	o := b.Submit(page, "decision", "allow")
	if o.Params.Get("code") == "" {
		t.Fatalf("page %s", providertest.Text(o.Page.Body))
	}
	if sub := s.Verify(s.Redeem(c, secret, o.Params.Get("code")).Text("id_token")).Claims["sub"]; sub != alice.Sub {
		t.Errorf("sub %v, want alice's", sub)
	}
}
