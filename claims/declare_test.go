package claims

import (
	"slices"
	"strings"
	"testing"

	"signet/fields"
	"signet/storage"
)

func faults(err error) string {
	var names []string
	if err != nil {
		for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
			names = append(names, e.(*fields.Error).Field)
		}
	}
	return strings.Join(names, " ")
}

func TestScopeFaults(t *testing.T) {
	t.Parallel()
	claims := []Mapping{{Name: "employee", From: "group:staff"}}
	for name, row := range map[string]struct {
		scope Scope
		want  string
	}{
		"good":                         {Scope{"hr", "See where you work", []string{"employee", "email"}}, ""},
		"no claims":                    {Scope{"hr", "See where you work", nil}, ""},
		"RFC 6749 3.3: not a scope":    {Scope{"h r", "See", nil}, "name"},
		"a standard one":               {Scope{"profile", "See", nil}, "name"},
		"without a text":               {Scope{"hr", "", nil}, "text"},
		"a text that cannot be seen":   {Scope{"hr", "See \u202e", nil}, "text"},
		"a claim that is not declared": {Scope{"hr", "See", []string{"salary", "employee"}}, "claims"},
		"a claim twice":                {Scope{"hr", "See", []string{"email", "email"}}, "claims"},
		"a claim of the protocol":      {Scope{"hr", "See", []string{"sub"}}, "claims"},
	} {
		if got := faults(Declarations{Scopes: []Scope{row.scope}, Claims: claims}.ScopeFaults(0)); got != row.want {
			t.Errorf("%s: faults of %q, want %q", name, got, row.want)
		}
	}
}

func TestClaimFaults(t *testing.T) {
	t.Parallel()
	scopes := []Scope{{Name: "hr", Text: "See"}}
	for name, row := range map[string]struct {
		claim Mapping
		want  string
	}{
		"good":                           {Mapping{"site", "See", "constant:Berlin", []string{"id_token", "userinfo", "access_token"}, []string{"hr", "profile"}, []string{"shop"}, []string{"https://id.example"}}, ""},
		"little":                         {Mapping{Name: "employee", From: "group:staff"}, ""},
		"a URI as its name":              {Mapping{Name: "https://example.com/claims/site", From: "role:a:b"}, ""},
		"without a name":                 {Mapping{From: "email"}, "name"},
		"RFC 7519 4.1: iss":              {Mapping{Name: "iss", From: "constant:x"}, "name"},
		"Core 2: acr":                    {Mapping{Name: "acr", From: "constant:phr"}, "name"},
		"RFC 9068: scope":                {Mapping{Name: "scope", From: "constant:admin"}, "name"},
		"Core 5.1: email_verified":       {Mapping{Name: "email_verified", From: "group:staff"}, "name"},
		"without from":                   {Mapping{Name: "x"}, "from"},
		"from nothing that is known":     {Mapping{Name: "x", From: "password_hash"}, "from"},
		"from sub":                       {Mapping{Name: "x", From: "sub"}, "from"},
		"from something else":            {Mapping{Name: "x", From: "env:HOME"}, "from"},
		"from a group without a name":    {Mapping{Name: "x", From: "group:"}, "from"},
		"in nowhere that is":             {Mapping{Name: "x", From: "email", In: []string{"introspection"}}, "in"},
		"in twice":                       {Mapping{Name: "x", From: "email", In: []string{"userinfo", "userinfo"}}, "in"},
		"a scope that is not declared":   {Mapping{Name: "x", From: "email", Scopes: []string{"emial"}}, "scopes"},
		"resources without access_token": {Mapping{Name: "x", From: "email", Resources: []string{"https://id.example"}}, "resources"},
		"a resource that is no URI":      {Mapping{Name: "x", From: "email", In: []string{"access_token"}, Resources: []string{"api"}}, "resources"},
	} {
		if got := faults(Declarations{Scopes: scopes, Claims: []Mapping{row.claim}}.ClaimFaults(0)); got != row.want {
			t.Errorf("%s: faults of %q, want %q", name, got, row.want)
		}
	}
	if _, err := (Declarations{Claims: []Mapping{{Name: "iss", From: "email"}}}).Catalogue(); err == nil {
		t.Error("a catalogue was made of faults")
	}
}

func TestDeclaredClaims(t *testing.T) {
	t.Parallel()
	c, err := Declarations{
		Scopes: []Scope{{"hr", "See where you work", []string{"employee", "email"}}},
		Claims: []Mapping{
			{Name: "employee", Text: "See whether you are on the staff", From: "group:staff"},
			{Name: "boss", From: "role:boss", Scopes: []string{"profile"}},
			{Name: "site", From: "constant:Berlin", In: []string{"id_token", "access_token"}, Scopes: []string{"hr"}, Resources: []string{"https://api.example"}},
			{Name: "mail", From: "email", In: []string{"userinfo"}, Clients: []string{"shop"}},
		},
	}.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	client := storage.Client{ID: "app", Scopes: []string{"openid", "hr", "profile", "email"}}
	shop := storage.Client{ID: "shop", Scopes: client.Scopes}
	a, _ := Parse(`{"userinfo":{"boss":null,"site":null,"mail":null,"employee":null},"id_token":{"employee":{"value":true},"boss":{"value":true}}}`)
	for name, row := range map[string]struct {
		q    Query
		want string
	}{
		"a scope of one's own in userinfo":       {Query{Place: Userinfo, Client: client, Scopes: []string{"hr"}, ByScope: true}, "email employee"},
		"the ID token by in, not by scope":       {Query{Place: IDToken, Client: client, Scopes: []string{"hr"}}, "site"},
		"the ID token by in and by scope":        {Query{Place: IDToken, Client: client, Scopes: []string{"hr"}, ByScope: true}, "email employee site"},
		"without the scope":                      {Query{Place: IDToken, Client: client, Scopes: []string{"openid"}, ByScope: true}, ""},
		"an access token for the resource":       {Query{Place: AccessToken, Client: client, Scopes: []string{"hr", "email"}, Audience: []string{"https://api.example"}}, "site"},
		"an access token for another":            {Query{Place: AccessToken, Client: client, Scopes: []string{"hr"}, Audience: []string{"https://id.example"}}, ""},
		"an access token for it and another":     {Query{Place: AccessToken, Client: client, Scopes: []string{"hr"}, Audience: []string{"https://api.example", "https://id.example"}}, ""},
		"a standard scope with a declared claim": {Query{Place: Userinfo, Client: storage.Client{}, Scopes: []string{"profile"}, ByScope: true}, "boss locale name preferred_username updated_at"},
		"one client alone":                       {Query{Place: Userinfo, Client: shop, Scopes: []string{"openid"}, ByScope: true}, "mail"},
		"Core 5.5: asked for, by who may":        {Query{Place: Userinfo, Client: client, Scopes: []string{"openid"}, Asked: a.Userinfo}, "boss employee"},
		"Core 5.5: asked for with a value":       {Query{Place: IDToken, Client: client, Scopes: []string{"openid"}, Asked: a.IDToken}, "employee"},
		"Core 5.5: asked for by who may not":     {Query{Place: Userinfo, Client: storage.Client{ID: "x", Scopes: []string{"openid"}}, Asked: a.Userinfo}, ""},
	} {
		row.q.User = alice
		var names []string
		for _, s := range c.Of(row.q) {
			names = append(names, s.Name)
		}
		slices.Sort(names)
		if got := strings.TrimPrefix(strings.ReplaceAll(" "+strings.Join(names, " "), " email_verified", ""), " "); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
	if got := strings.Join(c.Scopes(), " "); got != strings.Join(Standard().Scopes(), " ")+" hr" || c.Added()[0] != "hr" || c.ScopeText("hr") == "" {
		t.Errorf("scopes %s", got)
	}
	if names := c.Names(); slices.Contains(names, "mail") || !slices.Contains(names, "employee") {
		t.Errorf("published: %v", names)
	}
	if len(Standard().Added()) != 0 || Standard().claim("employee") != nil || granted(Standard().claim("email").scopes, []string{"hr"}) != "" {
		t.Error("the standard catalogue was changed")
	}
}
