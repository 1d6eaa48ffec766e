package oauth_test

import (
	"testing"

	"signet/provider/oauth"
)

func TestWeight(t *testing.T) {
	t.Parallel()
	names := []string{"application/json", "application/*", "*/*"}
	for name, row := range map[string]struct {
		header []string
		want   float64
	}{
		"RFC 9110 12.5.1: the most special one decides":      {[]string{"*/*;q=0.9, application/json;q=0.3, application/*;q=0.6"}, 0.3},
		"RFC 9110 12.5.1: also where it wants nothing":       {[]string{"*/*, application/json;q=0"}, 0},
		"RFC 9110 12.5.1: a range":                           {[]string{"application/*;q=0.6, */*;q=0.9"}, 0.6},
		"RFC 9110 12.4.2: without q it is 1":                 {[]string{"application/json;charset=utf-8"}, 1},
		"RFC 9110 5.2: several lines are one list":           {[]string{"text/html", "application/json;q=0.5"}, 0.5},
		"RFC 9110 8.3.1: types have no case, nor has q":      {[]string{"Application/JSON ; Q=0.5"}, 0.5},
		"RFC 9110 12.4.2: what cannot be read wants nothing": {[]string{"application/json;q=x"}, 0},
		"RFC 9110 12.4.2: more than 1":                       {[]string{"application/json;q=2"}, 0},
		"another":                                            {[]string{"text/html"}, 0},
		"nothing":                                            {nil, 0},
	} {
		if got := oauth.Weight(row.header, names...); got != row.want {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}

// FuzzAccepts: whatever stands there, it is read; and what says that it takes nothing else gets nothing else.
func FuzzAccepts(f *testing.F) {
	for _, header := range []string{"", "*/*", "application/statuslist+jwt;q=0.5, */*;q=0", ";q=1", "a;q=NaN", "a;q=1e-400,,;;==", "*;q=0"} {
		f.Add(header)
	}
	const name = "application/statuslist+jwt"
	f.Fuzz(func(t *testing.T, header string) {
		if w := oauth.Weight([]string{header}, name, "application/*", "*/*"); !(w >= 0 && w <= 1) {
			t.Fatalf("%q weighs %v", header, w)
		}
		if oauth.Accepts([]string{name + ";q=0", header}, name) {
			t.Fatalf("%q lets in what was refused before it", header)
		}
	})
}
