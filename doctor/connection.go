package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// address looks at the issuer itself.
func (e *examination) address() {
	switch {
	case e.issuer.RawQuery != "" || e.issuer.Fragment != "" || strings.ContainsAny(e.Issuer, "?#"): // RFC 8414 section 2
		e.say("issuer", Failure, e.Issuer, "remove what begins with ? or #", "the issuer has a query or a fragment")
	case e.issuer.Scheme == "http" && e.local():
		e.ok("scheme", "plain http, which is for this machine alone")
	case e.issuer.Scheme == "http":
		e.say("scheme", Failure, e.Issuer, "put TLS before it, or give signet a certificate (tls_cert, tls_key), and begin the issuer with https://",
			"plain http: anybody on the way reads passwords and tokens")
	}
}

// How close to its end a certificate may come. Those that are renewed by themselves are renewed a month before.
const (
	certificateSoon = 21 * 24 * time.Hour
	certificateLate = 3 * 24 * time.Hour
)

// connection looks at TLS: RFC 9325 sections 3.1 and 7.
func (e *examination) connection(ctx context.Context) {
	if e.issuer.Scheme != "https" {
		return
	}
	state, err := e.handshake(ctx, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		e.say("tls", Failure, e.issuer.Host, "see whether the name leads to the right machine, its firewall lets you in, and something there speaks TLS",
			"no TLS connection: %v", plainly(err))
		return
	}
	chain := state.PeerCertificates
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	leaf, now := chain[0], e.Now()
	left := leaf.NotAfter.Sub(now)
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: e.issuer.Hostname(), Roots: e.CA, Intermediates: intermediates, CurrentTime: now})
	switch {
	case err != nil:
		e.untrusted(leaf, err, len(chain) == 1)
	case left < certificateLate:
		e.say("tls", Failure, e.issuer.Host, "renew it now, and see why that does not happen by itself", "the certificate ends in %s, at %s", days(left), date(leaf.NotAfter))
	case left < certificateSoon:
		e.say("tls", Warning, e.issuer.Host, "renew it, and see why that does not happen by itself", "the certificate ends in %s, at %s", days(left), date(leaf.NotAfter))
	default:
		e.ok("tls", "%s; the certificate is trusted and good until %s", tls.VersionName(state.Version), date(leaf.NotAfter))
	}
	if old, err := e.handshake(ctx, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil { // RFC 8996
		e.say("tls-version", Failure, e.issuer.Host, "have whatever speaks TLS there take TLS 1.2 and 1.3 alone", "%s is accepted, which was withdrawn (RFC 8996)", tls.VersionName(old.Version))
	}
}

// untrusted says in words why a certificate is not trusted.
func (e *examination) untrusted(leaf *x509.Certificate, err error, alone bool) {
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	text, fix := "the certificate is not trusted: "+err.Error(), "get one from an authority that browsers trust"
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && e.Now().After(leaf.NotAfter):
		text, fix = "the certificate ended at "+date(leaf.NotAfter), "renew it, and see why that did not happen by itself"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		text, fix = "the certificate begins at "+date(leaf.NotBefore)+" only", "set the clocks of both machines, or wait"
	case errors.As(err, &host):
		text, fix = "the certificate is for "+names(leaf)+", not for "+e.issuer.Hostname(), "get one for this name, or see whether the name leads to the right machine"
	case errors.As(err, &authority) && alone && leaf.Issuer.String() != leaf.Subject.String():
		text, fix = "the certificate comes without the chain to its authority", "send the whole chain: the file is mostly called fullchain.pem"
	case errors.As(err, &authority):
		text, fix = "the certificate is of an authority that nobody here knows", "get one from an authority that browsers trust; one of your own is named with outgoing_ca"
	}
	e.say("tls", Failure, e.issuer.Host, fix, "%s", text)
}

func names(leaf *x509.Certificate) string {
	all := append([]string{}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no name"
	}
	return strings.Join(all, ", ")
}

func (e *examination) handshake(ctx context.Context, c *tls.Config) (tls.ConnectionState, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	port := e.issuer.Port()
	if port == "" {
		port = "443"
	}
	c.ServerName = e.issuer.Hostname()
	conn, err := (&tls.Dialer{Config: c}).DialContext(ctx, "tcp", net.JoinHostPort(e.issuer.Hostname(), port))
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState(), nil
}

// plainHTTP looks at what plain http answers beside https: it should lead there, or nothing should answer.
func (e *examination) plainHTTP(ctx context.Context) {
	if e.issuer.Scheme != "https" {
		return
	}
	at := e.Plain
	if at == "" {
		if e.issuer.Port() != "" { // whoever has another port has no port 80 that is ours to judge
			return
		}
		at = "http://" + e.issuer.Hostname() + "/"
	}
	a, err := e.ask(ctx, http.MethodGet, at, "")
	switch {
	case err != nil:
		e.ok("http", "nothing answers plain http")
	case a.StatusCode/100 == 3 && strings.HasPrefix(a.Header.Get("Location"), "https://"):
		e.ok("http", "plain http leads to https")
	default:
		e.say("http", Warning, at, "redirect to https there, with 301 or 308, or close the port", "plain http is answered, with %d", a.StatusCode)
	}
}

// How far clocks may be apart. Verifiers mostly allow a minute, some none.
const (
	clockSoon = 5 * time.Second
	clockLate = 30 * time.Second
)

// clock compares the answer's Date with this machine's. Date is whole seconds.
func (e *examination) clock(a answer) {
	date, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil {
		e.say("clock", Warning, a.at, "let the proxy pass the header Date, or set its own", "the answer has no Date, so the clocks cannot be compared")
		return
	}
	apart := date.Add(500 * time.Millisecond).Sub(e.Now().Add(-a.took / 2))
	s := OK
	switch {
	case apart.Abs() > clockLate:
		s = Failure
	case apart.Abs() > clockSoon:
		s = Warning
	}
	if s == OK {
		e.ok("clock", "it agrees with this machine's within %s", clockSoon)
		return
	}
	word := "ahead of"
	if apart < 0 {
		word = "behind"
	}
	e.say("clock", s, a.at, "set both clocks by NTP; apps refuse tokens that are from the future or too old", "it is %s %s this machine's", apart.Abs().Round(time.Second), word)
}

func date(t time.Time) string { return t.Local().Format("2006-01-02 15:04 -0700") }

func days(d time.Duration) string {
	if d < 48*time.Hour {
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return strconv.Itoa(int(d/(24*time.Hour))) + " days"
}
