package provider

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5/middleware"
)

// address finds out whose request it is. X-Forwarded-For is believed from trusted proxies alone; behind them the router has put what
// it says into the context.
//
// It is never nobody: what is limited by address would then be limited for all such people together. Where every hop is within the
// trusted ranges the client is in them too, and is the first hop, which all others vouch for. Where the header is missing or holds
// nonsense it is the connection's other end.
func (p *Provider) address(r *http.Request) string {
	if p.proxied {
		if a := middleware.GetClientIP(r.Context()); a != "" {
			return a
		}
		if a, ok := firstHop(r.Header["X-Forwarded-For"]); ok {
			return a.String()
		}
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil { // not a TCP connection
		return ""
	}
	return peer.Addr().Unmap().String()
}

// vouched reports whether a trusted proxy sent the request: what it says of where the request comes from is believed.
func (p *Provider) vouched(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && slices.ContainsFunc(p.proxies, func(trusted netip.Prefix) bool { return trusted.Contains(peer.Addr().Unmap()) })
}

// firstHop is the leftmost address of X-Forwarded-For, if all of it are addresses.
func firstHop(headers []string) (first netip.Addr, ok bool) {
	for i, hop := range strings.Split(strings.Join(headers, ","), ",") {
		a, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return netip.Addr{}, false
		}
		if i == 0 {
			first = a.Unmap().WithZone("")
		}
	}
	return first, true
}
