package fetch

import "net/netip"

// IPv4 ranges that are not the public network's: the IANA IPv4 Special-Purpose Address Registry (RFC 6890), multicast and what is
// reserved.
var special4 = prefixes(
	"0.0.0.0/8",       // this network: RFC 791; on many systems this machine
	"10.0.0.0/8",      // private: RFC 1918
	"100.64.0.0/10",   // shared behind a carrier's NAT: RFC 6598; clouds keep services there
	"127.0.0.0/8",     // loopback: RFC 1122
	"169.254.0.0/16",  // link-local: RFC 3927; clouds keep credentials there
	"172.16.0.0/12",   // private: RFC 1918
	"192.0.0.0/24",    // protocol assignments: RFC 6890
	"192.0.2.0/24",    // documentation: RFC 5737
	"192.88.99.0/24",  // 6to4 relays, deprecated: RFC 7526
	"192.168.0.0/16",  // private: RFC 1918
	"198.18.0.0/15",   // benchmarks: RFC 2544
	"198.51.100.0/24", // documentation: RFC 5737
	"203.0.113.0/24",  // documentation: RFC 5737
	"224.0.0.0/4",     // multicast: RFC 5771
	"240.0.0.0/4",     // reserved, and broadcast: RFC 1112, RFC 8190
)

// global6 is all of IPv6 that was given out for the public network (RFC 4291 section 2.4): loopback, unique local, link-local and
// multicast addresses are outside. special6 are the parts of it that lead elsewhere.
var (
	global6  = netip.MustParsePrefix("2000::/3")
	special6 = prefixes(
		"2001::/23",     // protocol assignments, Teredo among them: RFC 2928, RFC 4380
		"2001:db8::/32", // documentation: RFC 3849
		"2002::/16",     // 6to4, which holds an IPv4 address: RFC 3056
		"3fff::/20",     // documentation: RFC 9637
	)
	// nat64 holds an IPv4 address in its last 32 bits (RFC 6052 section 2.1). Networks without IPv4 reach all of it this way, so it is
	// that address that counts. The prefix for local use (RFC 8215) is not global.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func within(ranges []netip.Prefix, addr netip.Addr) bool {
	for _, r := range ranges {
		if r.Contains(addr) {
			return true
		}
	}
	return false
}

// public reports whether addr is on the public network.
func public(addr netip.Addr) bool {
	switch {
	case addr.Is4():
		return !within(special4, addr)
	case nat64.Contains(addr):
		bytes := addr.As16()
		return public(netip.AddrFrom4([4]byte(bytes[12:])))
	}
	return global6.Contains(addr) && !within(special6, addr)
}
