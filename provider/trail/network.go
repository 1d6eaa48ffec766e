package trail

import (
	"net/netip"

	"signet/network"
)

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
func Prefix(address string) netip.Prefix { return network.Of(address, 32, 64) }
