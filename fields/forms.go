package fields

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A form looks at one value and returns what is wrong with it, or "".

// Quote shows a value in a message: quoted, so that it cannot be mistaken for ours, and cut to a bearable length.
func Quote(s string) string {
	const most = 80
	if len(s) <= most {
		return strconv.QuoteToASCII(s)
	}
	return strconv.QuoteToASCII(s[:most]) + "…"
}

// Joiners have a use inside words of some scripts and no width of their own.
const joiners = "\u200c\u200d"

// Text is the form of what people read on one line: at most most characters, all of them visible. Controls are refused, those
// that turn the direction of writing among them: they make a name look like another.
func Text(s string, most int) string {
	switch {
	case s == "":
		return "is missing"
	case !utf8.ValidString(s):
		return "is not UTF-8"
	case utf8.RuneCountInString(s) > most:
		return fmt.Sprintf("is longer than %d characters", most)
	case strings.TrimSpace(s) != s:
		return "begins or ends with a space"
	}
	seen := false
	for _, r := range s {
		if !unicode.IsPrint(r) && !strings.ContainsRune(joiners, r) {
			return fmt.Sprintf("holds the invisible character %U; remove it", r)
		}
		seen = seen || unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
	}
	if !seen {
		return "holds nothing that can be seen"
	}
	return ""
}

// Scope is the form of one scope: RFC 6749 section 3.3, scope-token.
func Scope(s string) string {
	if s == "" {
		return "holds an empty scope"
	}
	for _, c := range []byte(s) {
		if c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return Quote(s) + " is not a scope: printable ASCII without space, quote and backslash (RFC 6749 section 3.3)"
		}
	}
	return ""
}

// maxURI bounds what is stored, compared and sent back in a Location header.
const maxURI = 2000

// URI is the form of every URI that we take: the characters of RFC 3986 alone, whole percent escapes, and nothing that a browser
// would read as something else than what was checked: no backslash, no control character even when escaped, no dot segment in
// any spelling. It returns the parsed URI, whose scheme is not empty.
func URI(s string) (*url.URL, string) {
	if s == "" {
		return nil, "is empty"
	}
	if len(s) > maxURI {
		return nil, fmt.Sprintf("%s is longer than %d bytes", Quote(s), maxURI)
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%':
			b, err := strconv.ParseUint(s[i+1:min(i+3, len(s))], 16, 8)
			if err != nil || i+3 > len(s) {
				return nil, Quote(s) + " has a % that is not followed by two hexadecimal digits"
			}
			if b < 0x20 || b == 0x7f {
				return nil, Quote(s) + " has an escaped control character"
			}
		case c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			return nil, Quote(s) + " has the character " + strconv.QuoteToASCII(s[i:i+1]) +
				", which no URI has; escape it, or write the host in its ASCII form (RFC 3986 section 2)"
		}
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, Quote(s) + " is not a URI"
	case u.Scheme == "":
		return nil, Quote(s) + " is not absolute; begin with https://"
	case !strings.HasPrefix(s, u.Scheme+":"):
		return nil, Quote(s) + " has capitals in its scheme; write it in lower case"
	case u.User != nil || strings.Contains(u.Host, "@"):
		return nil, Quote(s) + " has a user name before its host; remove it"
	case dotted(s):
		return nil, Quote(s) + " has a segment . or .. in its path; write the path that is meant"
	}
	return u, ""
}

// dotted finds dot segments as browsers and servers spell them: escaped, and with path parameters behind ("..;/").
func dotted(uri string) bool {
	path, _, _ := strings.Cut(uri, "#")
	path, _, _ = strings.Cut(path, "?")
	for segment := range strings.SplitSeq(path, "/") {
		segment, _, _ = strings.Cut(segment, ";")
		segment = strings.ReplaceAll(strings.ReplaceAll(segment, "%2e", "."), "%2E", ".")
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// WebURL is the form of an http or https URL: a [URI] with a host in plain spelling and perhaps a port.
func WebURL(s string) (*url.URL, string) {
	u, problem := URI(s)
	switch {
	case problem != "":
		return nil, problem
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, Quote(s) + " does not begin with https://"
	case u.Opaque != "" || !host(u.Hostname(), u.Host):
		return nil, Quote(s) + " has no proper host"
	case !Port(strings.TrimPrefix(u.Host, strings.TrimSuffix(u.Host, ":"+u.Port()))):
		return nil, Quote(s) + " has a port that is not one of 1 to 65535"
	}
	return u, ""
}

// maxResource bounds what stands in every token that is for a resource.
const maxResource = 500

// Resource is the form of the name of an API: RFC 8707 section 2, an absolute URI without a fragment. It is compared byte for byte, so one that
// is a URL stands in the spelling that programs write.
func Resource(s string) string {
	if strings.HasPrefix(s, "https:") || strings.HasPrefix(s, "http:") {
		u, problem := WebURL(s)
		switch {
		case problem != "":
			return problem
		case u.Host != strings.ToLower(u.Host):
			return Quote(s) + " has capitals in its host; write it in lower case"
		}
	}
	u, problem := URI(s)
	switch {
	case problem != "":
		return problem
	case u.Opaque == "" && u.Host == "" && u.Path == "":
		return Quote(s) + " names nothing behind its scheme"
	case strings.Contains(s, "#"):
		return Quote(s) + " has a fragment; remove # and what follows"
	case len(s) > maxResource:
		return fmt.Sprintf("%s is longer than %d bytes", Quote(s), maxResource)
	}
	return ""
}

// host takes names of letters, digits, hyphens and underscores, and IP addresses without a zone.
func host(name, authority string) bool {
	if strings.HasPrefix(authority, "[") {
		a, err := netip.ParseAddr(name)
		return err == nil && a.Is6() && a.Zone() == ""
	}
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.Trim(label, "-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return false
		}
	}
	return true
}

// Port is the form of a URL's port with its colon: ":1" to ":65535", or "" for none.
func Port(s string) bool {
	if s == "" {
		return true
	}
	if len(s) < 2 || len(s) > 6 || s[0] != ':' || strings.Trim(s[1:], "0123456789") != "" {
		return false
	}
	n, err := strconv.Atoi(s[1:])
	return err == nil && n >= 1 && n <= 65535
}

// Loopback reports whether a URL's host is this machine in one of the three spellings of RFC 8252 section 7.3 and 8.3. Nothing is
// looked up, and no other spelling counts: what resolves to loopback here may not elsewhere.
func Loopback(u *url.URL) bool {
	switch u.Hostname() {
	case "127.0.0.1", "localhost":
		return true
	case "::1":
		return true
	}
	return false
}
