package trail

import "net/netip"

// Network is what is counted as one address where attempts are limited: of IPv6 the /64, since a single customer gets at least that,
// and of IPv4 the address itself, with or without a port and however it is spelled. Whatever is no address is "", one network too.
func Network(address string) string {
	switch prefix := Prefix(address); {
	case !prefix.IsValid():
		return ""
	case prefix.IsSingleIP():
		return prefix.Addr().String()
	default:
		return prefix.String()
	}
}

// Prefix is the same as a prefix; the zero one for what is no address.
func Prefix(address string) netip.Prefix {
	a, err := netip.ParseAddr(address)
	if err != nil {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return netip.Prefix{}
		}
		a = ap.Addr()
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return netip.PrefixFrom(a, 32)
	}
	prefix, _ := a.Prefix(64) // 64 bits fit into every IPv6 address
	return prefix
}
