package resources

import (
	"strings"
	"testing"

	"signet/clients"
	"signet/storage"
)

func TestMissing(t *testing.T) {
	t.Parallel()
	all := []storage.Resource{
		{ID: storage.DefaultResource}, {ID: "https://api.example", Scopes: []storage.Scope{{Name: "read"}}}, {ID: "https://open.example", Open: true},
	}
	service, web := []string{clients.GrantService}, []string{clients.GrantCode}
	for name, c := range map[string]struct {
		client storage.Client
		want   string
	}{
		"all of it is there": {storage.Client{
			GrantTypes: service, Access: []storage.Access{{Resource: "https://api.example", Scopes: []string{"read"}}}, DefaultResource: "https://api.example", Resources: []string{"https://open.example"},
		}, ""},
		"no such resource": {storage.Client{Access: []storage.Access{{Resource: "https://b.example", Scopes: []string{"x"}}}}, "access names https://b.example, which is no resource here yet"},
		"no such scope": {storage.Client{Access: []storage.Access{{Resource: "https://api.example", Scopes: []string{"read", "write"}}}},
			"access names the scope write, which https://api.example does not have yet"},
		"no such default":                   {storage.Client{DefaultResource: "https://b.example"}, "default_resource names https://b.example, which is no resource here yet"},
		"a default that it has no access":   {storage.Client{GrantTypes: web, DefaultResource: "https://api.example"}, "default_resource names https://api.example, to which the client has no access"},
		"an open one, for users":            {storage.Client{GrantTypes: web, DefaultResource: "https://open.example"}, ""},
		"an open one is closed to services": {storage.Client{GrantTypes: service, DefaultResource: "https://open.example"}, "default_resource names https://open.example, to which the client has no access"},
		"an API that is not there":          {storage.Client{Resources: []string{"https://b.example", "https://c.example"}}, "resources names https://b.example, which is no resource here yet|resources names https://c.example, which is no resource here yet"},
	} {
		if got := strings.Join(Missing(c.client, all), "|"); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
