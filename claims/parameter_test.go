package claims

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"signet/storage"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ parameter, want string }{
		"Core 5.5: the example": {
			`{"userinfo":{"given_name":{"essential":true},"nickname":null,"email":{"essential":true},"http://example.info/claims/groups":null},
			  "id_token":{"auth_time":{"essential":true},"acr":{"values":["urn:mace:incommon:iap:silver"]}}}`,
			`{"id_token":{"acr":{"values":["urn:mace:incommon:iap:silver"]},"auth_time":{"essential":true}},` +
				`"userinfo":{"email":{"essential":true},"given_name":{"essential":true},"http://example.info/claims/groups":{},"nickname":{}}}`,
		},
		"Core 5.5: other members MUST be ignored":         {`{"verified_claims":[1],"ID_TOKEN":{"name":null}}`, `{}`},
		"Core 5.5.1: other members MUST be ignored":       {`{"id_token":{"name":{"essential":false,"purpose":"x"}}}`, `{"id_token":{"name":{}}}`},
		"Core 5.5.1: value":                               {`{"id_token":{"sub":{"value":"248289761001"}}}`, `{"id_token":{"sub":{"values":["248289761001"]}}}`},
		"Core 5.5.1: values of other types than strings":  {`{"id_token":{"x":{"values":[1,{"a":[true]},null]}}}`, `{"id_token":{"x":{"values":[1,{"a":[true]},null]}}}`},
		"Core 5.5: a member without claims asks for none": {`{"userinfo":{}}`, `{}`},
		"space around it":                                 {" {} \n", `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := Parse(row.parameter)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := json.Marshal(a)
			if string(got) != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
			if again := Read(a.Stored()); len(a.Stored()) > 0 && !reflect.DeepEqual(again, a) && string(got) != row.want {
				t.Errorf("it comes back as %v", again)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	many := func(n int, one string) string { return strings.TrimSuffix(strings.Repeat(one+",", n), ",") }
	names := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(`"` + strings.Repeat("x", i+1) + `":null,`)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	for name, parameter := range map[string]string{
		"nothing": "", "not JSON": "{", "a string": `"x"`, "null": "null", "an array": `[]`, "a number": "1",
		"two values": `{} {}`, "something behind it": `{}x`, "a comma too many": `{"id_token":{},}`, "single quotes": `{'id_token':{}}`,
		"id_token null": `{"id_token":null}`, "id_token an array": `{"id_token":["name"]}`, "userinfo a string": `{"userinfo":"name"}`,
		"a claim that is a string":  `{"id_token":{"name":"essential"}}`,
		"a claim that is true":      `{"id_token":{"name":true}}`,
		"a claim that is an array":  `{"id_token":{"name":[]}}`,
		"essential a string":        `{"id_token":{"name":{"essential":"true"}}}`,
		"essential null":            `{"id_token":{"name":{"essential":null}}}`,
		"values no array":           `{"id_token":{"acr":{"values":"pwd"}}}`,
		"values empty":              `{"id_token":{"acr":{"values":[]}}}`,
		"value and values":          `{"id_token":{"acr":{"value":"pwd","values":["pwd"]}}}`,
		"a member twice":            `{"id_token":{"name":null},"id_token":{}}`,
		"a claim twice":             `{"id_token":{"sub":{"value":"a"},"sub":{"value":"b"}}}`,
		"twice in another spelling": `{"id_token":{"sub":{"value":"a"},"\u0073ub":{"value":"b"}}}`,
		"nested deeply":             strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20),
		"nested very deeply":        `{"a":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + "}",
		"longer than 8 KiB":         `{"id_token":{"name":{"value":"` + strings.Repeat("x", 8<<10) + `"}}}`,
		"too many claims":           `{"id_token":{` + names(101) + `}}`,
		"too many values":           `{"id_token":{"acr":{"values":[` + many(51, `"x"`) + `]}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if a, err := Parse(parameter); err == nil {
				t.Errorf("taken as %+v", a)
			}
		})
	}
}

func TestSubject(t *testing.T) {
	t.Parallel()
	for parameter, want := range map[string]string{
		`{}`: "", `{"id_token":{"sub":null}}`: "", `{"id_token":{"sub":{"value":"a"}}}`: "a", `{"userinfo":{"sub":{"values":["a"]}}}`: "a",
		`{"id_token":{"sub":{"value":"a"}},"userinfo":{"sub":{"value":"a"}}}`: "a",
		`{"id_token":{"sub":{"value":"a"}},"userinfo":{"sub":{"value":"b"}}}`: "refused",
		`{"id_token":{"sub":{"value":1}}}`:                                    "refused", `{"id_token":{"sub":{"value":null}}}`: "refused",
		`{"id_token":{"sub":{"values":["a","b"]}}}`: "refused",
	} {
		a, err := Parse(parameter)
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.Subject()
		if err != nil {
			got = "refused"
		}
		if got != want {
			t.Errorf("Core 5.5.1, %s: %q, want %q", parameter, got, want)
		}
	}
}

func TestACR(t *testing.T) {
	t.Parallel()
	for parameter, want := range map[string]string{
		`{}`: "", `{"id_token":{"acr":null}}`: "", `{"id_token":{"acr":{"values":["a","b"]}}}`: "", `{"id_token":{"acr":{"essential":true}}}`: "",
		`{"id_token":{"acr":{"essential":true,"values":["a","b"]}}}`: "a b", `{"id_token":{"acr":{"essential":true,"value":"a"}}}`: "a",
		`{"userinfo":{"acr":{"essential":true,"value":"a"}}}`:  "", // 5.5.1.1 speaks of the ID token
		`{"id_token":{"acr":{"essential":true,"values":[1]}}}`: "refused",
	} {
		a, err := Parse(parameter)
		if err != nil {
			t.Fatal(err)
		}
		values, err := a.ACR()
		got := strings.Join(values, " ")
		if err != nil {
			got = "refused"
		}
		if got != want {
			t.Errorf("Core 5.5.1.1, %s: %q, want %q", parameter, got, want)
		}
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	a, err := Parse(`{"id_token":{"name":null,"email":null,"iss":null,"acr":null,"auth_time":null,"sub":null,"phone_number":null,"name#de":null},
		"userinfo":{"name":null,"acr":null,"password_hash":null}}`)
	if err != nil {
		t.Fatal(err)
	}
	known := Standard().Known(a, storage.Client{Scopes: []string{"openid", "profile", "email"}})
	got, _ := json.Marshal(known)
	want := `{"id_token":{"acr":{},"auth_time":{},"email":{},"name":{},"sub":{}},"userinfo":{"name":{}}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if beyond := Standard().Beyond(known, []string{"openid", "email"}); !reflect.DeepEqual(beyond, []string{"name"}) {
		t.Errorf("beyond the scopes: %v", beyond)
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		wanted string
		own    any
		want   bool
	}{
		{`null`, "x", true}, {`{"value":"x"}`, "x", true}, {`{"value":"y"}`, "x", false}, {`{"values":["y","x"]}`, "x", true},
		{`{"value":true}`, true, true}, {`{"value":"true"}`, true, false}, {`{"value":1e1}`, int64(10), true},
		{`{"value":["a","b"]}`, []string{"a", "b"}, true}, {`{"value":["b","a"]}`, []string{"a", "b"}, false},
		{`{"value":{"country":"DE"}}`, &storage.Address{Country: "DE"}, true}, {`{"value":null}`, "x", false},
	} {
		a, err := Parse(`{"id_token":{"claim":` + row.wanted + `}}`)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.IDToken["claim"].Matches(row.own); got != row.want {
			t.Errorf("Core 5.5.1: %s and %v: %v", row.wanted, row.own, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		``, `{}`, `null`, `{"id_token":{"sub":{"value":"x"}}}`, `{"userinfo":{"name":{"essential":true,"values":["a",1,null,{"b":[]}]}}}`,
		`{"id_token":{"acr":{"essential":true,"values":["pwd"]},"auth_time":null}}`, `{"a":{"b":{"c":[[]]}}}`, `{"id_token":{"\u0061":null}} `,
	} {
		f.Add(s)
	}
	all := storage.Client{Scopes: Standard().Scopes()}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			if strings.ContainsAny(err.Error(), `"\`) {
				t.Errorf("RFC 6749 5.2: the description %q", err)
			}
			return
		}
		known := Standard().Known(a, all)
		if len(known.IDToken) == 0 && len(known.Userinfo) == 0 {
			return
		}
		stored := known.Stored()
		if again := Read(stored).Stored(); string(again) != string(stored) {
			t.Errorf("stored as %s, read as %s", stored, again)
		}
		_, _ = a.Subject()
		_, _ = a.ACR()
		if said := Standard().Of(Query{Place: IDToken, Client: all, Asked: known.IDToken, User: storage.User{Name: "alice"}}); len(said) > 1 {
			t.Errorf("a user with nothing but a name has %v", said)
		}
	})
}
