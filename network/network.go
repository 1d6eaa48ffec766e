// Package network tells to which network an address belongs, however it is spelled.
package network

import "net/netip"

// Of is the network of an IP address, with or without a port: the first v4 bits of an IPv4 address, which may be mapped into IPv6, and the
// first v6 bits of any other, whose zone is left out. The zero prefix is for what is no address.
func Of(address string, v4, v6 int) netip.Prefix {
	a, err := netip.ParseAddr(address)
	if err != nil {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return netip.Prefix{}
		}
		a = ap.Addr()
	}
	a = a.Unmap().WithZone("")
	bits := v6
	if a.Is4() {
		bits = v4
	}
	network, _ := a.Prefix(bits) // fails only for more bits than an address has
	return network
}
