package demo

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

func TestRows(t *testing.T) {
	t.Parallel()
	now := claims{"b": []byte(`1`), "iat": []byte(`1790000000`), "a": []byte(`{"x": [1, "y"]}`), "sub": []byte(`"s"`), "exp": []byte(`-1`)}
	before := claims{"b": []byte(`2`), "sub": []byte(`"s"`), "nonce": []byte(`"n"`), "a": []byte(`{"x": [1, "y"]}`), "exp": []byte(`-1`)}
	list := rows(now, before, idTokenSources)
	var got [][]any
	for _, r := range list {
		got = append(got, []any{r.Name, r.Value, r.Time, r.Changed})
	}
	want := [][]any{
		{"sub", "s", "", false},
		{"exp", "-1", "", false},
		{"iat", "1790000000", "21 September 2026, 14:13:20 UTC", true},
		{"a", `{"x":[1,"y"]}`, "", false},
		{"b", "1", "", true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("rows\n got %v\nwant %v", got, want)
	}
	if got := gone(now, before); !reflect.DeepEqual(got, []string{"nonce"}) {
		t.Errorf("gone %v", got)
	}
	for _, r := range rows(now, nil, nil) {
		if r.Changed {
			t.Errorf("%s is new against nothing", r.Name)
		}
	}
}

// TestSources: each citation can be followed, and no claim is told twice in one table.
func TestSources(t *testing.T) {
	t.Parallel()
	for name, table := range map[string][]source{"header": headerSources, "id": idTokenSources, "access": accessTokenSources, "userinfo": userinfoSources} {
		seen := map[string]bool{}
		for _, s := range table {
			if seen[s.Claim] {
				t.Errorf("%s: %s twice", name, s.Claim)
			}
			seen[s.Claim] = true
			if s.Text == "" || (s.Spec != "" && s.URL() == "") {
				t.Errorf("%s: %s has no text, or %q leads nowhere", name, s.Claim, s.Spec)
			}
		}
	}
	if got, want := (source{Spec: "RFC 9068 2.2.1"}).URL(), "https://www.rfc-editor.org/rfc/rfc9068#section-2.2.1"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for left, want := range map[time.Duration]string{
		-time.Minute: "expired", 0: "expired", time.Second: "1 s left", 61 * time.Second: "1 min 1 s left", 2*time.Hour + time.Second: "2 h 0 min left",
	} {
		if got := lifetimeOf("x", now, now.Add(left), now); got.Text() != want || got.Whole < 1 {
			t.Errorf("%v: %q, want %q", left, got.Text(), want)
		}
	}
}

func TestEnumerate(t *testing.T) {
	t.Parallel()
	for want, names := range map[string][]string{"": nil, "a": {"a"}, "a and b": {"a", "b"}, "a, b and c": {"a", "b", "c"}} {
		if got := enumerate(names); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzParseJWT(f *testing.F) {
	for _, s := range []string{"", "a.b.c", "e30.e30.", "e30.e30.x", "bnVsbA.e30.", "e30.W10.", "..", "e30.eyJpYXQiOjFlOTl9.", "e30.eyJhIjp7ImIiOltdfX0.x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		j, err := parseJWT(token)
		if err != nil {
			return
		}
		for _, r := range append(rows(j.header, nil, headerSources), rows(j.payload, j.header, idTokenSources)...) {
			if r.Time != "" && !json.Valid(j.payload[r.Name]) && !json.Valid(j.header[r.Name]) {
				t.Fatalf("a time of what is no number: %+v", r)
			}
		}
		if got := len(rows(j.payload, nil, idTokenSources)); got != len(j.payload) {
			t.Fatalf("%d rows of %d claims", got, len(j.payload))
		}
	})
}
