package clients

import (
	"net/url"
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
	}
	return u, ""
}

// Documented reports whether what c is stands in a metadata document at its id.
func Documented(c storage.Client) bool { return c.Origin == storage.OriginDocument }

// BesideDocument are the fields of such a client that are the operator's: a document that changes leaves them as they are. Scopes and grant
// types that were taken away stay away.
var BesideDocument = []string{"trusted", "access", "default_resource", "scopes", "grant_types"}
