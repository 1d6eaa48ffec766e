package claims

import (
	"encoding/json"
	"testing"
	"time"

	"signet/storage"
)

var (
	alice = storage.User{
		Name: "alice", Email: "alice@example.com", Groups: []string{"staff"}, Roles: []string{"admin"}, Updated: time.Unix(1_700_000_000, 0),
		Profile: storage.Profile{
			Name: "Alice", Locale: "de", PhoneNumber: "+49 30 1", PhoneNumberVerified: true,
			Address: &storage.Address{Locality: "Berlin", Country: "DE"},
		},
	}
	everything = storage.Client{ID: "app", Scopes: []string{"openid", "profile", "email", "address", "phone", "groups", "roles"}}
)

func object(t *testing.T, c *Catalogue, q Query) string {
	t.Helper()
	b, err := Append([]byte(`{"sub":"s"}`), c.Of(q))
	if err != nil || !json.Valid(b) {
		t.Fatalf("%s %v", b, err)
	}
	return string(b)
}

func TestClaimsOfScopes(t *testing.T) {
	t.Parallel()
	empty := storage.User{Name: "bob", Profile: storage.Profile{Address: &storage.Address{}}}
	for name, row := range map[string]struct {
		user  storage.User
		scope string
		want  string
	}{
		"Core 5.4: profile":                     {alice, "profile", `{"sub":"s","name":"Alice","preferred_username":"alice","locale":"de","updated_at":1700000000}`},
		"Core 5.4: email, not verified is said": {alice, "email", `{"sub":"s","email":"alice@example.com","email_verified":false}`},
		"Core 5.1.1: address is an object":      {alice, "address", `{"sub":"s","address":{"locality":"Berlin","country":"DE"}}`},
		"Core 5.4: phone":                       {alice, "phone", `{"sub":"s","phone_number":"+49 30 1","phone_number_verified":true}`},
		"groups":                                {alice, "groups", `{"sub":"s","groups":["staff"]}`},
		"roles":                                 {alice, "roles", `{"sub":"s","roles":["admin"]}`},
		"Core 5.3.2: what is not there is left out, address": {empty, "address", `{"sub":"s"}`},
		"Core 5.3.2: what is not there is left out, phone":   {empty, "phone", `{"sub":"s"}`},
		"Core 5.3.2: what is not there is left out, email":   {empty, "email", `{"sub":"s"}`},
		"Core 5.3.2: what is not there is left out, profile": {empty, "profile", `{"sub":"s","preferred_username":"bob"}`},
		"Core 5.3.2: what is not there is left out, groups":  {empty, "groups", `{"sub":"s"}`},
		"a scope that stands for no claim":                   {alice, "openid", `{"sub":"s"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := Query{Place: Userinfo, User: row.user, Client: everything, Scopes: []string{row.scope}, ByScope: true}
			if got := object(t, Standard(), q); got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
			q.ByScope = false
			if got := object(t, Standard(), q); got != `{"sub":"s"}` {
				t.Errorf("where claims of scopes do not belong: %s", got)
			}
			q.ByScope, q.Place = true, AccessToken
			if got := object(t, Standard(), q); got != `{"sub":"s"}` {
				t.Errorf("in an access token: %s", got)
			}
		})
	}
}

func TestClaimsAskedFor(t *testing.T) {
	t.Parallel()
	a, err := Parse(`{"id_token":{"email":{"essential":true},"name":{"value":"Bob"},"locale":{"values":["en","de"]},"phone_number":null,"picture":null}}`)
	if err != nil {
		t.Fatal(err)
	}
	q := Query{Place: IDToken, User: alice, Client: everything, Scopes: []string{"openid"}, Asked: a.IDToken}
	if got, want := object(t, Standard(), q), `{"sub":"s","locale":"de","email":"alice@example.com","phone_number":"+49 30 1"}`; got != want {
		t.Errorf("Core 5.5.1: got  %s\nwant %s", got, want)
	}
	q.Client.Scopes = []string{"openid", "profile"}
	if got, want := object(t, Standard(), q), `{"sub":"s","locale":"de"}`; got != want {
		t.Errorf("what the client may not have by scope: got %s, want %s", got, want)
	}
	q.Place = AccessToken
	if got := object(t, Standard(), q); got != `{"sub":"s"}` {
		t.Errorf("access token: %s", got)
	}
}

func TestWhy(t *testing.T) {
	t.Parallel()
	a, _ := Parse(`{"userinfo":{"email":null,"locale":null}}`)
	why := map[string]string{}
	for _, s := range Standard().Of(Query{
		Place: Userinfo, User: alice, Client: everything, Scopes: []string{"openid", "email"}, ByScope: true, Asked: a.Userinfo,
	}) {
		why[s.Name] = s.Why.String()
	}
	if len(why) != 3 || why["email"] != "scope email" || why["email_verified"] != "scope email" || why["locale"] != "claims parameter" {
		t.Errorf("%v", why)
	}
}
