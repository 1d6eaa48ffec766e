package clients

import (
	"net/url"
	"slices"
	"strings"

	"signet/fields"
	"signet/storage"
)

// validateLogout: Front-Channel Logout 1.0 section 2, Back-Channel Logout 1.0 section 2.2. Whether a logout token may go to an address that is
// not public is for outgoing_allow to say when it is sent, as of all that we fetch.
func validateLogout(f *fields.Faults, c storage.Client) {
	for _, l := range []struct {
		field, uri string
		framed     bool // in a page of ours
	}{
		{"frontchannel_logout_uri", c.FrontchannelLogoutURI, true},
		{"backchannel_logout_uri", c.BackchannelLogoutURI, false},
	} {
		switch {
		case l.uri == "":
		case c.Type == Service:
			f.Add(l.field, "is for clients that people sign in to; leave it out")
		case fetchedProblem(l.uri) != "":
			f.Check(l.field, fetchedProblem(l.uri))
		case Public(c) && !strings.HasPrefix(l.uri, "https://"): // "it MAY use the http scheme, provided that the Client Type is confidential"
			f.Add(l.field, "is not https, which a client without a secret needs")
		case l.framed && !slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return sameOrigin(uri, l.uri) }):
			f.Add(l.field, "%s has not the scheme, host and port of a redirect URI; register one there as well (Front-Channel Logout 2)", fields.Quote(l.uri))
		}
	}
}

// sameOrigin reports whether two URLs have scheme, host and port in common. A port that is left out is the scheme's own.
func sameOrigin(a, b string) bool {
	left, right := originOf(a), originOf(b)
	return left != "" && left == right
}

func originOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
