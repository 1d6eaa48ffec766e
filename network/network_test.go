package network_test

import (
	"net/netip"
	"testing"

	"signet/network"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.77":               "192.0.2.0/24",
		"192.0.2.77:443":           "192.0.2.0/24",
		"::ffff:192.0.2.77":        "192.0.2.0/24",
		"[::ffff:192.0.2.77]:443":  "192.0.2.0/24",
		"2001:db8:1:2:3::4":        "2001:db8:1::/48",
		"[2001:db8:1:2:3::4]:443":  "2001:db8:1::/48",
		"fe80::1%eth0":             "fe80::/48",
		"[fe80::1%eth0]:443":       "fe80::/48",
		"":                         "",
		"localhost":                "",
		"192.0.2.77:http":          "",
		"2001:db8:1:2:3::4, other": "",
	} {
		var prefix netip.Prefix
		if want != "" {
			prefix = netip.MustParsePrefix(want)
		}
		if got := network.Of(address, 24, 48); got != prefix {
			t.Errorf("%q is of %v, want %q", address, got, want)
		}
	}
	if got := network.Of("192.0.2.77", 32, 64); got != netip.MustParsePrefix("192.0.2.77/32") {
		t.Errorf("of all bits: %v", got)
	}
}
