package issue_test

import (
	"encoding/json"
	"testing"

	"signet/provider/issue"
)

// An id_token_hint is an ID token of this issuer. Its time does not count: RP-Initiated Logout 2.
func TestParseHint(t *testing.T) {
	t.Parallel()
	i := issuer(t, "https://id.example")
	for name, row := range map[string]struct {
		typ    string
		change map[string]any
		good   bool
	}{
		"an ID token":                                      {"JWT", nil, true},
		"one that has expired":                             {"JWT", map[string]any{"exp": 1}, true},
		"RFC 8725 3.8: another issuer's":                   {"JWT", map[string]any{"iss": "https://other.example"}, false},
		"no issuer":                                        {"JWT", map[string]any{"iss": ""}, false},
		"RFC 8725 3.11: an access token":                   {"at+jwt", nil, false},
		"RFC 8725 3.11: an access token that is typed JWT": {"JWT", map[string]any{"azp": "", "sid": ""}, false},
		"RFC 8725 3.11: a logout token":                    {"logout+jwt", nil, false},
		"no typ":                                           {"", nil, false},
		"no azp":                                           {"JWT", map[string]any{"azp": ""}, false},
		"no sid":                                           {"JWT", map[string]any{"sid": ""}, false},
		"a sub that is no string":                          {"JWT", map[string]any{"sub": 7}, false},
	} {
		claims := map[string]any{"iss": "https://id.example", "sub": "alice", "azp": "client", "sid": "session", "exp": instant.Unix() + 60}
		for name, v := range row.change {
			claims[name] = v
		}
		body, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		token, err := i.Keys.Sign("ES256", row.typ, body)
		if err != nil {
			t.Fatal(err)
		}
		hint, err := i.ParseHint(token)
		if (err == nil) != row.good {
			t.Errorf("%s: %v", name, err)
		}
		if want := (issue.Hint{Subject: "alice", Client: "client", Session: "session", Issuer: "https://id.example"}); row.good && hint != want {
			t.Errorf("%s: %+v", name, hint)
		}
	}
}
