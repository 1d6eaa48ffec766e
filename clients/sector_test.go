package clients_test

import (
	"strings"
	"testing"
	"time"

	"signet/clients"
	"signet/storage"
)

func TestSubjectTypeAndSector(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		clause string
		change func(*storage.Client)
		fault  string // of which field; "": none
	}{
		{"Core 8: public", func(c *storage.Client) { c.SubjectType = "public" }, ""},
		{"Core 8: no third type", func(c *storage.Client) { c.SubjectType = "private" }, "subject_type"},
		{"Core 8.1: one host", func(c *storage.Client) { c.SubjectType = "pairwise" }, ""},
		{"Core 8.1: one host, several ports", func(c *storage.Client) {
			c.SubjectType, c.RedirectURIs = "pairwise", []string{"https://a.example/cb", "https://A.example:8443/cb"}
		}, ""},
		{"Core 8.1: several hosts", func(c *storage.Client) {
			c.SubjectType, c.RedirectURIs = "pairwise", []string{"https://a.example/cb", "https://b.example/cb"}
		}, "subject_type"},
		{"Core 8.1: several hosts with a sector_identifier_uri", func(c *storage.Client) {
			c.SubjectType, c.SectorIdentifierURI, c.RedirectURIs = "pairwise", "https://c.example/uris", []string{"https://a.example/cb", "https://b.example/cb"}
		}, ""},
		{"Core 8.1: sector_identifier_uri is https", func(c *storage.Client) { c.SectorIdentifierURI = "http://localhost/uris" }, "sector_identifier_uri"},
		{"Core 8.1: sector_identifier_uri has no fragment", func(c *storage.Client) { c.SectorIdentifierURI = "https://a.example/#x" }, "sector_identifier_uri"},
		{"Core 4: initiate_login_uri", func(c *storage.Client) { c.InitiateLoginURI = "https://a.example/login?x=y" }, ""},
		{"Core 4: initiate_login_uri is https", func(c *storage.Client) { c.InitiateLoginURI = "http://127.0.0.1/login" }, "initiate_login_uri"},
		{"Core 4: initiate_login_uri is a URL", func(c *storage.Client) { c.InitiateLoginURI = "login" }, "initiate_login_uri"},
	} {
		t.Run(c.clause, func(t *testing.T) {
			client, err := clients.New("web", "App", time.Unix(0, 0))
			if err != nil {
				t.Fatal(err)
			}
			client.RedirectURIs = []string{"https://a.example/cb"}
			_, client.SecretHash = clients.NewSecret()
			c.change(&client)
			err = clients.Validate(client)
			if (err != nil) != (c.fault != "") || err != nil && !strings.HasPrefix(err.Error(), c.fault+": ") {
				t.Errorf("%v, want a fault of %q", err, c.fault)
			}
		})
	}
}
