package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"signet/provider/seen"
)

// cookies opens an authorization request and looks at the cookie that comes with it: RFC 6265bis sections 4.1.2 and 4.1.3.
func (e *examination) cookies(ctx context.Context) {
	at := e.endpoint("authorization_endpoint")
	if e.Client == (Client{}) || at == "" {
		return
	}
	query := url.Values{
		"response_type": {"code"}, "client_id": {e.Client.ID}, "redirect_uri": {e.Client.RedirectURI}, "scope": {"openid"}, "state": {"doctor"}, "nonce": {"doctor"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}, // RFC 7636 appendix B; nobody redeems it
	}
	a, err := e.ask(ctx, http.MethodGet, at+"?"+query.Encode(), "")
	if err != nil {
		e.say("cookies", Failure, at, "let the proxy lead this path to signet", "it cannot be reached: %v", err)
		return
	}
	to, err := a.Location()
	switch {
	case a.StatusCode/100 != 3 || err != nil:
		e.say("cookies", Warning, at, "the page says why; its trace id is "+a.Header.Get("Trace-Id"), "client %s cannot begin a sign-in: the answer is %d", e.Client.ID, a.StatusCode)
		return
	case !strings.HasPrefix(to.String(), e.base+"/"):
		if to.Query().Get("error") != "" && strings.HasPrefix(to.String(), e.Client.RedirectURI) {
			e.say("cookies", Warning, at, to.Query().Get("error_description"), "client %s cannot begin a sign-in: %s", e.Client.ID, to.Query().Get("error"))
			return
		}
		e.say("cookies", Failure, at, "let the proxy pass Location as it is", "a sign-in leads to %s://%s, which is not the issuer", to.Scheme, to.Host)
		return
	}
	e.cookie(at, a.Cookies())
}

func (e *examination) cookie(at string, all []*http.Cookie) {
	var ours *http.Cookie
	for _, c := range all {
		if strings.Contains(c.Name, "signet-") {
			ours = c
		}
	}
	if ours == nil {
		e.say("cookies", Failure, at, "let the proxy pass Set-Cookie", "a sign-in begins without a cookie of ours, and cannot be finished")
		return
	}
	https := e.issuer.Scheme == "https"
	var wrong []string
	for _, c := range []struct {
		bad  bool
		text string
	}{
		{https && !strings.HasPrefix(ours.Name, "__Host-"), "it is called " + ours.Name + ", without the prefix __Host-"},
		{https && !ours.Secure, "it is not Secure"},
		{!ours.HttpOnly, "scripts may read it: no HttpOnly"},
		{ours.SameSite != http.SameSiteLaxMode, "it is not SameSite=Lax"},
		{ours.Path != "/", "its Path is " + ours.Path},
		{ours.Domain != "", "it is for all of " + ours.Domain},
	} {
		if c.bad {
			wrong = append(wrong, c.text)
		}
	}
	if wrong != nil {
		e.say("cookies", Failure, at, "let the proxy pass Set-Cookie as it is: browsers drop such a cookie, or let others at it", "the cookie of a sign-in was changed on the way: %s", strings.Join(wrong, "; "))
		return
	}
	flags := "HttpOnly, SameSite=Lax"
	if https {
		flags = "__Host-, Secure, " + flags
	}
	e.ok("cookies", "the cookie of a sign-in is %s", flags)
}

// spoof is an address that nobody has: RFC 5737.
const spoof = "203.0.113.77"

// seen asks the server how it sees us when we lie about where we come from.
func (e *examination) seen(ctx context.Context) {
	if e.Probe == "" {
		return
	}
	a, err := e.get(ctx, e.Probe, "X-Forwarded-For", spoof)
	var s seen.Seen
	switch {
	case err != nil:
		e.say("proxy", Failure, e.base, "let the proxy lead all paths of the issuer to signet", "the server cannot be asked how it sees us: %v", err)
		return
	case a.StatusCode != http.StatusOK || json.Unmarshal(a.body, &s) != nil:
		e.say("proxy", Failure, e.base, "see whether the name and the proxy lead to this server and to no other",
			"another server answers at the issuer than the one of this data folder, or not all of its paths are passed (%d)", a.StatusCode)
		return
	}
	e.judge(s)
}

// judge says what is wrong with how we were seen.
func (e *examination) judge(s seen.Seen) {
	before := len(e.findings)
	peer, _ := netip.ParseAddr(s.Peer)
	forwarded := s.For != "" && s.For != spoof // somebody added to what we sent
	switch {
	case s.Address == spoof && forwarded && lastHop(s.For) == s.Peer: // we are where the proxy is, and as trusted as it
		e.say("proxy", Warning, e.base, "ask from another machine as well",
			"this is the proxy's own machine, which is believed, so it cannot be told whether others are")
	case s.Address == spoof:
		e.say("proxy", Failure, e.base, "have the proxy set X-Forwarded-For to the address of its connection, or add that at the end; and name in trusted_proxy the proxy alone",
			"whoever comes may choose the address that is throttled and logged: a made-up X-Forwarded-For is believed")
	case !s.Proxied && forwarded:
		e.say("proxy", Failure, e.base, "name the proxy's address ("+s.Peer+") in trusted_proxy", "a proxy stands before the server, and is not named: everybody comes from one address, and is throttled together")
	case s.Proxied && s.Address == s.Peer && !forwarded:
		e.say("proxy", Warning, e.base, "have the proxy send X-Forwarded-For; or, if you asked past the proxy, ask by the issuer's name",
			"trusted_proxy is set, and the connection's own address (%s) counts: nobody said another", s.Peer)
	}
	if s.Host != e.issuer.Host {
		e.say("proxy", Warning, e.base, "have the proxy pass Host; signet does without, other programs may not", "the proxy makes %q of the host", s.Host)
	}
	if s.Proto != "" && s.Proto != e.issuer.Scheme {
		e.say("proxy", Warning, e.base, "have the proxy that speaks TLS set X-Forwarded-Proto: https; signet does not read it", "the proxy says that people come by %s", s.Proto)
	}
	if len(e.findings) == before {
		text := fmt.Sprintf("the server sees this machine as %s", s.Address)
		if forwarded {
			text += fmt.Sprintf(", as the proxy %s says", peer)
		}
		e.ok("proxy", "%s, and believes nobody else", text)
	}
}

// lastHop is what the last proxy added to X-Forwarded-For.
func lastHop(header string) string {
	return strings.TrimSpace(header[strings.LastIndex(header, ",")+1:])
}
