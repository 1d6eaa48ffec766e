package configs

import (
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"signet/fields"
)

// check holds the settings against each other. A rule about a setting that could not be read is left out: the answer would be
// about its default.
func (l *loader) check() {
	c := l.config
	if l.fine("issuer", "allow_insecure_issuer") {
		if problem, fix := issuerFault(c.Issuer, c.AllowInsecureIssuer); problem != "" {
			l.against("issuer", problem, fix)
		}
	}
	if l.fine("listen") {
		if problem, fix := listenFault(c.Listen); problem != "" {
			l.against("listen", problem, fix)
		}
	}
	if l.fine("metrics_listen", "listen") && c.MetricsListen != "" {
		if problem, fix := listenFault(c.MetricsListen); problem != "" {
			l.against("metrics_listen", problem, fix)
		} else if sameAddress(c.MetricsListen, c.Listen) {
			l.against("metrics_listen", "it is the address of listen, where everybody would read the metrics", "choose another port, like localhost:9464")
		}
	}
	l.checkTLS()
	if c.Data == "" {
		l.against("data", "no folder", "name one; ./signet-data is the default")
	}
	l.checkStorage()
	l.order("lifetimes.refresh_idle", c.Lifetimes.RefreshIdle, "lifetimes.refresh_absolute", c.Lifetimes.RefreshAbsolute)
	l.order("lifetimes.session_idle", c.Lifetimes.SessionIdle, "lifetimes.session_absolute", c.Lifetimes.SessionAbsolute)
	if l.places["lifetimes.session_kept"] == (Place{}) { // nobody wrote how long; who stays signed in stays no shorter than who does not
		c.Lifetimes.SessionKept = max(c.Lifetimes.SessionKept, c.Lifetimes.SessionAbsolute)
	}
	l.order("lifetimes.session_absolute", c.Lifetimes.SessionAbsolute, "lifetimes.session_kept", c.Lifetimes.SessionKept)
	l.checkMail()
	l.order("keys.announce", c.Keys.Announce, "keys.rotate_every", c.Keys.RotateEvery)
	if l.fine("keys.algorithms") {
		if !slices.Contains(c.Keys.Algorithms, "RS256") {
			l.against("keys.algorithms", "RS256 is missing, and OpenID Connect Discovery 3 requires it", "add RS256")
		}
		if l.fine("access_tokens.algorithm") && !slices.Contains(c.Keys.Algorithms, c.AccessTokens.Algorithm) {
			l.against("access_tokens.algorithm", c.AccessTokens.Algorithm+" has no key", "add it to keys.algorithms, or choose one of those")
		}
	}
}

// fine reports whether the settings could be read and no rule was broken by them yet.
func (l *loader) fine(names ...string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return l.bad[n] })
}

func (l *loader) against(name, problem, fix string) {
	l.bad[name] = true
	l.fault(l.places[name], name, problem, fix)
}

func (l *loader) order(lesser string, a time.Duration, greater string, b time.Duration) {
	if !l.fine(lesser, greater) || a <= b {
		return
	}
	name := lesser
	if l.places[lesser] == (Place{}) { // say it where the operator wrote something
		name = greater
	}
	l.against(name, lesser+" ("+fields.FormatDuration(a)+") is longer than "+greater+" ("+fields.FormatDuration(b)+")", "make it shorter, or the other longer")
}

// checkStorage keeps the database's password out of where others read it: the configuration, as with all secrets, and the arguments of
// a process, which everybody on a machine can see.
func (l *loader) checkStorage() {
	if !l.fine("storage", "storage_file") {
		return
	}
	c := l.config
	const use = "leave it out and use storage_file, SIGNET_STORAGE, PGPASSFILE or PGPASSWORD"
	place := l.places["storage"]
	switch {
	case c.StorageFile != "" && place != (Place{}):
		l.against("storage_file", "it stands beside storage", "keep one of the two")
	case !hasPassword(c.Storage) || place.Name == Env("storage"):
	case place.Line > 0:
		l.against("storage", "a password does not stand in this file", use)
	default:
		l.against("storage", "everybody on this machine can read a password in an argument", use)
	}
}

func hasPassword(storage string) bool {
	u, err := url.Parse(storage)
	if err != nil {
		return false
	}
	_, inUser := u.User.Password()
	return inUser || u.Query().Has("password") || u.Query().Has("sslpassword")
}

// checkMail: what there is says all that is needed, and nothing leaves this machine in the clear.
func (l *loader) checkMail() {
	m := l.config.Mail
	if m.Host == "" {
		for _, name := range []string{"mail.port", "mail.from", "mail.user", "mail.password_file"} {
			if l.fine("mail.host", name) && l.places[name] != (Place{}) {
				l.against(name, "it says nothing without mail.host", "set mail.host, or leave it out")
			}
		}
		return
	}
	if l.fine("mail.host") && !plainHost(m.Host) {
		l.against("mail.host", "the host is not a name and not an address", "write it like mail.example.com; the port is mail.port")
	}
	if l.fine("mail.host", "mail.tls") && m.TLS == MailClear && !loopback(m.Host) {
		l.against("mail.tls", "none lets anybody on the way to "+m.Host+" read what is sent", "write starttls or tls; none is for a mail server on this machine")
	}
	if l.fine("mail.from") {
		switch from, err := mail.ParseAddress(m.From); {
		case m.From == "":
			l.fault(l.places["mail.host"], "mail.from", "is missing", "write the address that messages come from, like Signet <signet@example.com>")
		case err != nil || strings.ContainsFunc(from.Name+from.Address, unicode.IsControl):
			l.against("mail.from", "not one address", "write it like signet@example.com, or Signet <signet@example.com>")
		}
	}
	if l.fine("mail.user", "mail.password_file") {
		switch {
		case m.User != "" && m.PasswordFile == "":
			l.against("mail.user", "the password is missing", "set mail.password_file as well; it names a file that holds the password")
		case m.User == "" && m.PasswordFile != "":
			l.against("mail.password_file", "the user is missing", "set mail.user as well")
		}
	}
}

// plainHost takes a name or an address, without a port.
func plainHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Zone() == ""
	}
	return host != "" && strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-_") == ""
}

// checkTLS: the pair is judged whatever else is wrong, and the issuer only where it and the pair are fine.
func (l *loader) checkTLS() {
	c := l.config
	if l.fine("tls_cert", "tls_key") {
		switch {
		case c.TLSCert != "" && c.TLSKey == "":
			l.against("tls_cert", "the key is missing", "set tls_key as well")
		case c.TLSKey != "" && c.TLSCert == "":
			l.against("tls_key", "the certificate is missing", "set tls_cert as well")
		}
	}
	if !l.fine("issuer", "tls_cert", "tls_key", "trusted_proxy") {
		return
	}
	https := strings.HasPrefix(c.Issuer, "https://")
	switch {
	case https && c.TLSCert == "" && len(c.TrustedProxy) == 0:
		l.against("issuer", "it says https, and nothing here speaks TLS",
			"set tls_cert and tls_key; or, where a proxy speaks TLS for us, trusted_proxy to the proxy's address")
	case !https && c.TLSCert != "":
		l.against("issuer", "it says http, and tls_cert makes us speak TLS", "begin the issuer with https://, or leave tls_cert and tls_key out")
	}
}

// issuerFault holds an issuer against OpenID Connect Discovery 3, RFC 8414 section 2 and what we can serve.
func issuerFault(issuer string, insecure bool) (problem, fix string) {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "" || u.Opaque != "":
		return "not an absolute URL", "write it like https://id.example.com"
	case !strings.HasPrefix(issuer, "https://") && !strings.HasPrefix(issuer, "http://"):
		return "neither https nor http", "begin it with https://, in lower case"
	case strings.ContainsAny(issuer, "?#"):
		return "it has a query or a fragment (RFC 8414 section 2)", "remove what begins with ? or #"
	case u.User != nil:
		return "it has a user name", "remove what stands before the @"
	case u.Host != strings.ToLower(u.Host):
		return "the host has capitals, and browsers write it without", "write " + strings.ToLower(u.Host)
	case !hostIsPlain(u):
		return "the host is not a name and not an address", "write it like id.example.com, with a port where needed"
	case !pathIsPlain(u):
		return "the path has something other than letters, digits and . _ ~ - between single slashes", "choose a plain path, like /auth"
	case u.Scheme == "http" && !insecure && !loopback(u.Hostname()):
		return "http beyond this machine lets anybody on the way read tokens and passwords",
			"use https; on a closed test network, set allow_insecure_issuer: true"
	}
	return "", ""
}

func hostIsPlain(u *url.URL) bool {
	if p := u.Port(); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > 65535 {
			return false
		}
	} else if strings.HasSuffix(u.Host, ":") {
		return false
	}
	host := u.Hostname()
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Zone() == ""
	}
	return host != "" && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}

// pathIsPlain: no escapes and nothing that a proxy or a router would rewrite, since tokens carry the issuer byte for byte. One
// slash at the end is part of the issuer and stays.
func pathIsPlain(u *url.URL) bool {
	p := u.EscapedPath()
	plain := strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._~-") == ""
	return plain && (p == "" || p == "/" || path.Clean(p) == strings.TrimSuffix(p, "/"))
}

// loopback reports whether a host is this machine and no other.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// sameAddress reports whether two addresses that can be listened on have a socket in common. Port 0 is any free one.
func sameAddress(a, b string) bool {
	hostA, portA, _ := net.SplitHostPort(a)
	hostB, portB, _ := net.SplitHostPort(b)
	if portA != portB || portA == "0" {
		return false
	}
	every := func(host string) bool {
		addr, err := netip.ParseAddr(host)
		return host == "" || err == nil && addr.IsUnspecified()
	}
	return every(hostA) || every(hostB) || hostA == hostB || loopback(hostA) && loopback(hostB) && (hostA == "localhost" || hostB == "localhost")
}

func listenFault(listen string) (problem, fix string) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "not an address with a port", "write it like localhost:8080, or :8080 for every address"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "the port is no number up to 65535", "write it like localhost:8080"
	}
	if strings.ContainsAny(host, "/ ") {
		return "the host is not a name and not an address", "write it like localhost:8080; not a URL"
	}
	return "", ""
}
