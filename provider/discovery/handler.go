package discovery

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"signet/claims"
	"signet/clients"
	"signet/keys"
	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/provider/requestobject"
)

// Keys is what discovery needs of [keys.Keys].
type Keys interface {
	Algs() []string
	Encryption() []string
	JWKS() (body []byte, etag string)
}

// Options say what to publish.
type Options struct {
	Issuer string // as configured
	Keys   Keys
	Claims *claims.Catalogue // what may be said of users; nil: the standard claims

	Registration     bool // clients may register themselves
	HS256            bool // ID tokens and userinfo can be signed with the client's secret
	UnsignedRequests bool // request objects with alg none are let in
	StatusList       bool // access tokens say where their status is found
	Documents        bool // a client id can be the URL of a metadata document
	Assertions       bool // those of other issuers are taken
}

// Discovery serves the documents.
type Discovery struct {
	keys     Keys
	metadata []byte
	etag     string
}

// New renders the metadata document.
func New(o Options) (*Discovery, error) {
	if o.Claims == nil {
		o.Claims = claims.Standard()
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // URLs as configured
	m := describe(o.Issuer, issue.Algs(o.Keys.Algs(), o.HS256), o.Claims)
	m.IntrospectionSigningAlgValuesSupported = rs256First(o.Keys.Algs()) // by the ring alone
	if o.Registration {
		m.RegistrationEndpoint = strings.TrimSuffix(o.Issuer, "/") + oauth.RegisterPath
	}
	if o.Assertions {
		m.GrantTypesSupported = append(m.GrantTypesSupported, clients.GrantBearer)
	}
	if o.StatusList {
		m.StatusListAggregation = strings.TrimSuffix(o.Issuer, "/") + oauth.StatusListsPath
	}
	m.ClientIDMetadataDocumentSupported = o.Documents
	m.RequestObjectSigningAlgValuesSupported = requestobject.Algs(o.UnsignedRequests)
	if algs := o.Keys.Encryption(); len(algs) > 0 {
		m.RequestObjectEncryptionAlgValuesSupported = algs
		m.RequestObjectEncryptionEncValuesSupported = keys.EncryptionEncs
	}
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("discovery: rendering the metadata: %w", err)
	}
	digest := sha256.Sum256(body.Bytes())
	etag := `"` + base64.RawURLEncoding.EncodeToString(digest[:16]) + `"`
	return &Discovery{keys: o.Keys, metadata: body.Bytes(), etag: etag}, nil
}

// Locations returns the paths, from the host's root, at which the metadata of an issuer is expected: OpenID Connect Discovery 4
// appends its well-known path to the issuer's path, RFC 8414 section 3.1 puts its own in front of it.
func Locations(issuer string) (openid, oauth2 string, err error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return "", "", fmt.Errorf("discovery: issuer: %w", err)
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	return path + oauth.OpenIDConfigurationPath, oauth.OAuthMetadataPath + path, nil
}

// Metadata answers both well-known paths.
func (d *Discovery) Metadata(w http.ResponseWriter, r *http.Request) { serve(w, r, d.metadata, d.etag) }

// JWKS answers the jwks_uri. Its type is application/json, not RFC 7517's application/jwk-set+json, which some clients refuse.
func (d *Discovery) JWKS(w http.ResponseWriter, r *http.Request) {
	body, etag := d.keys.JWKS()
	serve(w, r, body, etag)
}

// Header values that are the same in every answer. net/http only reads them.
var (
	contentType  = []string{"application/json"}
	cacheControl = []string{"public, max-age=" + strconv.Itoa(int(keys.MaxAge.Seconds()))}
)

// serve answers GET and HEAD with a document that was rendered before, or 304 to who has it already (RFC 9110 section 13.1.2).
func serve(w http.ResponseWriter, r *http.Request, body []byte, etag string) {
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	h["Cache-Control"] = cacheControl
	h["Etag"] = []string{etag}
	if oauth.Unchanged(r, etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"] = contentType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if r.Method == http.MethodGet {
		w.Write(body) // a client that went away is nobody's fault
	}
}
