package trail_test

import (
	"testing"

	"signet/provider/trail"
)

func TestNetwork(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"2001:db8:0:1::1":         "2001:db8:0:1::/64",
		"2001:db8:0:1:ffff::2":    "2001:db8:0:1::/64",
		"2001:db8:0:1::1%e0":      "2001:db8:0:1::/64",
		"[2001:db8:0:1::1]:1234":  "2001:db8:0:1::/64",
		"[2001:db8:0:1::1%e]:123": "2001:db8:0:1::/64",
		"2001:db8:0:2::1":         "2001:db8:0:2::/64",
		"192.0.2.1":               "192.0.2.1",
		"::ffff:192.0.2.1":        "192.0.2.1",
		"192.0.2.1:1234":          "192.0.2.1",
		"192.0.2.2":               "192.0.2.2",
		"0.0.0.0":                 "0.0.0.0",
		"":                        "",
		"not an address":          "",
		"192.0.2.1/24":            "",
	} {
		if got := trail.Network(address); got != want {
			t.Errorf("%q is counted as %q, want %q", address, got, want)
		}
	}
}

func FuzzNetwork(f *testing.F) {
	f.Add("2001:db8::1%e0")
	f.Add("[::ffff:192.0.2.1]:80")
	f.Fuzz(func(t *testing.T, address string) {
		if got := trail.Network(address); len(got) > len("ffff:ffff:ffff:ffff::/64") {
			t.Errorf("%q is counted as %q: names of networks are short, since many are kept", address, got)
		}
	})
}
