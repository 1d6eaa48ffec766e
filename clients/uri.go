package clients

import (
	"net/url"
	"slices"
	"strings"

	"signet/fields"
	"signet/storage"
)

// RedirectURI reports whether an answer may be sent to the URI that the client sent. Registered and sent URI must be the same
// bytes (RFC 9700 section 2.1): nothing is decoded, parsed or normalised first, so what was compared is what is sent back.
//
// One exception: a native client cannot know which port of the loopback interface it will get, so there the port alone may
// differ (RFC 8252 section 7.3). 127.0.0.1, [::1] and localhost stay three different hosts, and http stays http.
func RedirectURI(c storage.Client, sent string) bool {
	if sent == "" {
		return false
	}
	for _, registered := range c.RedirectURIs {
		if registered == sent || c.ApplicationType == "native" && sameButPort(registered, sent) {
			return true
		}
	}
	return false
}

// OnDevice reports whether an answer at a redirect URI goes to an app on the user's own device: on loopback, or by a scheme of its own. Any
// app there could take it (RFC 8252 section 8.6).
func OnDevice(redirectURI string) bool {
	_, _, loopback := splitLoopback(redirectURI)
	return loopback || !strings.HasPrefix(redirectURI, "https://")
}

// PostLogoutRedirectURI reports whether the browser may be sent there after the logout: OpenID Connect RP-Initiated Logout 3, exact
// match.
func PostLogoutRedirectURI(c storage.Client, sent string) bool {
	return sent != "" && slices.Contains(c.PostLogoutRedirectURIs, sent)
}

func sameButPort(registered, sent string) bool {
	host, rest, ok := splitLoopback(registered)
	sentHost, sentRest, sentOK := splitLoopback(sent)
	return ok && sentOK && host == sentHost && rest == sentRest
}

// splitLoopback cuts the port out of an http URI on the loopback interface. What follows the host must be a port, a path, a query or
// nothing: "http://127.0.0.1.example.com" and "http://127.0.0.1:80@example.com" are other hosts.
func splitLoopback(uri string) (host, rest string, ok bool) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]", "http://localhost"} {
		rest, found := strings.CutPrefix(uri, host)
		if !found {
			continue
		}
		end := strings.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		if !fields.Port(rest[:end]) {
			return "", "", false
		}
		return host, rest[end:], true
	}
	return "", "", false
}

// dangerous are schemes that run or show what the URI itself says, or read local files. No app needs an answer there.
var dangerous = []string{"javascript", "data", "file", "vbscript", "blob", "about", "filesystem", "view-source", "ws", "wss", "ftp"}

// redirectProblem says what is wrong with a URI that a browser is to be sent to with an answer.
func redirectProblem(native bool, uri string) string {
	u, problem := fields.URI(uri)
	switch {
	case problem != "":
		return problem
	case strings.Contains(uri, "#"): // RFC 6749 section 3.1.2
		return fields.Quote(uri) + " has a fragment; remove # and what follows"
	case strings.Contains(uri, "*"):
		return fields.Quote(uri) + " has a *; there are no wildcards, register each URI"
	case slices.Contains(dangerous, u.Scheme):
		return fields.Quote(uri) + " has a scheme that is not for answers; use https"
	case strings.ContainsAny(uri, "'()"): // the page of form_post escapes these: another URI than the one that was compared
		return fields.Quote(uri) + " has one of the characters ' ( ); write %27, %28 or %29"
	case u.Scheme == "http" || u.Scheme == "https":
		return webRedirectProblem(uri)
	case !native:
		return fields.Quote(uri) + " has a scheme of its own, which is for native clients; use https"
	}
	return privateProblem(u, uri)
}

// implicitProblem says what is wrong with a URI to which tokens themselves are sent: OpenID Connect Registration 2, application_type, and
// RFC 8252 section 8.2.
func implicitProblem(uri string) string {
	u, problem := fields.URI(uri)
	switch {
	case problem != "": // said already
		return ""
	case u.Scheme != "https":
		return fields.Quote(uri) + " is not https, which the grant type implicit needs"
	case u.Hostname() == "localhost":
		return fields.Quote(uri) + " is on localhost, where clients with the grant type implicit may not be"
	}
	return ""
}

func webRedirectProblem(uri string) string {
	u, problem := fields.WebURL(uri)
	if problem != "" {
		return problem
	}
	if u.Scheme == "http" {
		if _, _, ok := splitLoopback(uri); !ok {
			return fields.Quote(uri) + " is not encrypted; use https (http is for 127.0.0.1, [::1] and localhost)"
		}
	}
	return ""
}

// fetchedProblem says what is wrong with a URL that we or a frame in a page of ours fetch: http on loopback alone, though whether we go there at all is for
// outgoing_allow to say, and no fragment, which no server is sent (RFC 3986 section 3.5).
func fetchedProblem(uri string) string {
	if problem := webRedirectProblem(uri); problem != "" {
		return problem
	}
	if strings.Contains(uri, "#") {
		return fields.Quote(uri) + " has a fragment; remove # and what follows"
	}
	return ""
}

// privateProblem holds private-use schemes to RFC 8252 section 7.1: a domain name of the app's maker, reversed. Without a dot two
// apps would soon share one.
func privateProblem(u *url.URL, uri string) string {
	labels := strings.Split(u.Scheme, ".")
	switch {
	case len(labels) < 2 || slices.Contains(labels, ""):
		return fields.Quote(uri) + " has a scheme without a domain; use the app's reversed, such as com.example.app:/callback (RFC 8252 section 7.1)"
	case u.Opaque != "" || u.Host == "" && u.Path == "":
		return fields.Quote(uri) + " has no slash after its scheme; write " + u.Scheme + ":/callback"
	}
	return ""
}
