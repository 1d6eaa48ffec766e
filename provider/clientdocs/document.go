package clientdocs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"signet/clients"
	"signet/clients/metadata"
	"signet/fields"
	"signet/storage"
)

// maxBytes: section 8.7, "the recommended maximum size to read is 5 kilobytes".
const maxBytes = 5 << 10

// never are members that a document must not have, or that mean nothing here and would be missed: section 4.1; pairwise subs belong to a
// sector, which a document could change from one day to the next.
var never = []string{"client_secret", "client_secret_expires_at", "sector_identifier_uri"}

// read makes the client of a document that was fetched from the URL id. scopes are those that the operator added to the standard ones. What
// is known to be good is its form; whether such a client may be is for the rules of package clients.
func read(id string, body []byte, scopes []string, now time.Time) (storage.Client, error) {
	if len(body) > maxBytes {
		return storage.Client{}, fmt.Errorf("it has %d bytes; %d is the most", len(body), maxBytes)
	}
	sent, err := metadata.Parse(body)
	if err != nil {
		return storage.Client{}, fmt.Errorf("it %w", err)
	}
	if sent.Text(nil, "client_id", "") != id { // section 4: "simple string comparison"
		return storage.Client{}, errors.New("its client_id is not the URL that it is at")
	}
	for _, name := range never {
		if _, ok := sent[name]; ok {
			return storage.Client{}, fmt.Errorf("it has %s, which a document cannot have here", name)
		}
	}
	var f fields.Faults
	method := sent.Text(&f, "token_endpoint_auth_method", clients.AuthNone) // there is no secret that RFC 7591's default could mean
	f.OneOf("token_endpoint_auth_method", method, clients.AuthNone, clients.AuthKeyJWT)
	if sent.Text(&f, "subject_type", clients.SubjectPublic) != clients.SubjectPublic {
		f.Add("subject_type", "is %s for clients that are registered", clients.SubjectPairwise)
	}
	c, err := clients.New(typeOf(sent, method), "", now)
	if err != nil {
		return storage.Client{}, err
	}
	c.ID, c.Origin, c.TokenEndpointAuthMethod = id, storage.OriginDocument, method
	c.IDTokenClaims = storage.ClaimsRequested
	c.GrantTypes, c.Scopes = []string{clients.GrantCode}, nil // RFC 7591 section 2: the defaults
	sent.Set(&f, &c)
	narrow(&c, scopes)
	if c.Name == "" {
		c.Name = clients.Host(id)
	}
	return c, f.Err()
}

// typeOf is the type of client that a document describes: what has one answer on the user's own device is an app there, whatever else
// it says (RFC 8252 section 7).
func typeOf(sent metadata.Object, method string) string {
	uris, _ := metadata.Texts(sent["redirect_uris"])
	switch {
	case slices.ContainsFunc(uris, clients.OnDevice):
		return clients.Native
	case method == clients.AuthNone:
		return clients.SPA
	}
	return clients.Web
}

// narrow leaves of what the document asks for what such a client can have. The document is one for all servers, so the rest is passed over
// and not refused: a code and what renews it; the scopes that we know, all standard ones where it names none.
func narrow(c *storage.Client, added []string) {
	c.GrantTypes = only(c.GrantTypes, clients.GrantCode, clients.GrantRefresh)
	c.ResponseTypes = only(c.ResponseTypes, clients.ResponseCode)
	if len(c.Scopes) == 0 {
		c.Scopes = slices.Clone(clients.Scopes)
	}
	c.Scopes = only(c.Scopes, slices.Concat(clients.Scopes, added)...)
	if !clients.Allows(*c, clients.GrantRefresh) {
		c.Scopes = slices.DeleteFunc(c.Scopes, func(s string) bool { return s == "offline_access" })
	}
}

// only returns those of all that are known, each once.
func only(all []string, known ...string) []string {
	var kept []string
	for _, v := range all {
		if slices.Contains(known, v) && !slices.Contains(kept, v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// allowed reports whether the operator lets documents at a host in: by its name, with its port if the URL has one, or by *. and what
// it ends with.
func allowed(patterns []string, host string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
		if tail, ok := strings.CutPrefix(p, "*"); ok {
			return len(host) > len(tail) && strings.HasSuffix(host, tail)
		}
		return host == p
	})
}
