package clients

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"signet/fields"
	"signet/storage"
)

// maxDocumentURL: the id is a key of the store, and stands in each token.
const maxDocumentURL = 500

// IsURL reports whether a client id is one that only a metadata document can have: an id that we give has no colon.
func IsURL(id string) bool { return strings.HasPrefix(id, "https://") }

// DocumentURL reads a client id that is the URL of the client's metadata document: OAuth Client ID Metadata Document, section 3. Ids are
// compared byte for byte, and people read the host, so it is taken in one spelling alone.
func DocumentURL(id string) (*url.URL, string) {
	u, problem := fields.WebURL(id)
	switch {
	case problem != "":
		return nil, problem
	case len(id) > maxDocumentURL:
		return nil, fields.Quote(id) + " is longer than 500 bytes"
	case u.Scheme != "https":
		return nil, fields.Quote(id) + " is not https"
	case u.EscapedPath() == "":
		return nil, fields.Quote(id) + " has no path"
	case strings.Contains(id, "#"):
		return nil, fields.Quote(id) + " has a fragment"
	case u.Host != strings.ToLower(u.Host):
		return nil, fields.Quote(id) + " has capitals in its host"
	case u.Port() == "443" || strings.HasPrefix(u.Port(), "0"):
		return nil, fields.Quote(id) + " names a port that it would have without, or writes it in another way"
	}
	return u, ""
}

// Documented reports whether what c is stands in a metadata document at its id.
func Documented(c storage.Client) bool { return c.Origin == storage.OriginDocument }

// AnswerHosts are where answers to the client go, each once and in order: hosts, and redirect URIs that have none, of apps with a scheme of their
// own. On the user's own device any port is the same.
func AnswerHosts(c storage.Client) []string {
	var all []string
	for _, uri := range c.RedirectURIs {
		all = append(all, cmp.Or(Host(uri), uri))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Face is what a user knows a client by that says in a document what it is, and agrees to: its name, and where answers go.
func Face(c storage.Client) string {
	return strings.Join(append([]string{c.ID, c.Name}, AnswerHosts(c)...), "\x00")
}

// BesideDocument are the fields of such a client that are the operator's: a document that changes leaves them as they are. Scopes and grant
// types that were taken away stay away. Trust is not among them: nobody can vouch for what a document will say tomorrow.
var BesideDocument = []string{"access", "default_resource", "scopes", "grant_types"}
