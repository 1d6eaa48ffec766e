package gate

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"signet/fields"
)

// folded is what is left of a header's name on servers that make variables of names: of letters and digits, with one sign for all else (RFC
// 3875 section 4.1.18). X_Auth-Subject, x.auth.subject and X-Auth-Subject are one name to them.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name)
}

// Headers by which some frameworks take another method or path for the one that was sent. Behind the gate they would let a request be
// another one than that which was looked at.
var overriding = []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Rewrite-URL", "X-Original-URL", "X-Original-URI"}

// smuggler finds headers that could be taken for others.
type smuggler struct {
	ours     map[string]bool // names that are handed out, folded
	override map[string]bool
}

func newSmuggler(headers []Header) smuggler {
	s := smuggler{ours: map[string]bool{}, override: map[string]bool{}}
	for _, h := range headers {
		s.ours[folded(h.Name)] = true
	}
	for _, name := range overriding {
		s.override[folded(name)] = true
	}
	return s
}

// find says which header makes a request one that is refused; "" if none does. asked are the names by which the proxy tells of the original
// request: they are good as they are written, and in no other spelling.
func (s smuggler) find(r *http.Request, asked []string) (problem string) {
	for name := range r.Header {
		f := folded(name)
		switch i := slices.IndexFunc(asked, func(a string) bool { return folded(a) == f }); {
		case s.ours[f]:
			return fmt.Sprintf("the header %s is not for clients to send", fields.Quote(name))
		case i >= 0 && asked[i] == name:
		case i >= 0, s.override[f]:
			return fmt.Sprintf("the header %s could be taken for another request", fields.Quote(name))
		}
	}
	for name := range r.Trailer {
		if s.ours[folded(name)] {
			return fmt.Sprintf("the trailer %s is not for clients to send", fields.Quote(name))
		}
	}
	// Connection: X-Auth-Subject asks the next server to remove what the gate told (RFC 9110 section 7.6.1).
	for _, list := range r.Header["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			if s.ours[folded(strings.TrimSpace(name))] {
				return "the header Connection names one that is not for clients to remove"
			}
		}
	}
	return ""
}

// Names that are not ours to hand out: what says who is asked, how long a message is, where it came from.
var reserved = []string{
	"authorization", "connection", "content-encoding", "content-length", "content-type", "cookie", "date", "expect", "forwarded", "host",
	"keep-alive", "location", "origin", "proxy-authenticate", "proxy-authorization", "referer", "set-cookie", "te", "trailer",
	"transfer-encoding", "upgrade", "via", "www-authenticate",
}

// fault says what is wrong with a header among those before it.
func (h Header) fault(before []Header) (problem, fix string) {
	f := folded(h.Name)
	switch {
	case h.Name == "" || strings.Trim(f, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || len(h.Name) > 100 || strings.ContainsAny(h.Name, "_ \t:"):
		return "not a name of a header", "write it like X-Auth-Subject"
	case strings.ToLower(h.Name) != f:
		return "it has a character that servers read in different ways", "use letters, digits and hyphens alone"
	case slices.Contains(reserved, f) || strings.HasPrefix(f, "x-forwarded-") || strings.HasPrefix(f, "x-original-") || strings.HasPrefix(f, "sec-"):
		return "it means something else already", "choose another name, like X-Auth-Subject"
	case h.Claim == "" || strings.ContainsFunc(h.Claim, func(r rune) bool { return r <= ' ' }):
		return "not a name of a claim", "write it like sub"
	}
	for _, other := range before {
		if folded(other.Name) == f {
			return "it is the same to servers as " + other.Name, "choose another name"
		}
	}
	return "", ""
}
