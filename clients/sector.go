package clients

import (
	"net/url"
	"strings"

	"signet/fields"
	"signet/storage"
)

// Subject types: OpenID Connect Core 8.
const (
	SubjectPublic   = "public"
	SubjectPairwise = "pairwise"
)

// Sector is the host that a pairwise client's subs are made for: OpenID Connect Core 8.1. It is that of sector_identifier_uri, or
// the one host of all redirect URIs; "" if there is no such host.
func Sector(c storage.Client) string {
	if c.SectorIdentifierURI != "" {
		return Host(c.SectorIdentifierURI)
	}
	sector := ""
	for _, uri := range c.RedirectURIs {
		host := ownHost(uri)
		if host == "" || sector != "" && host != sector {
			return ""
		}
		sector = host
	}
	return sector
}

// ownHost is the host of a redirect URI, if it is the client's own: in an app's own scheme it is what the app likes, and on loopback
// it is everybody's.
func ownHost(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" || fields.Loopback(u) {
		return ""
	}
	return Host(uri)
}

// Host is the host component of a URI, without the port.
func Host(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

func validateSubject(f *fields.Faults, c storage.Client) {
	if c.InitiateLoginURI != "" { // Core 4: "MUST use the https scheme"
		f.Check("initiate_login_uri", httpsProblem(c.InitiateLoginURI))
	}
	if c.SubjectType != "" {
		f.OneOf("subject_type", c.SubjectType, SubjectPublic, SubjectPairwise)
	}
	if c.SectorIdentifierURI != "" {
		f.Check("sector_identifier_uri", httpsProblem(c.SectorIdentifierURI))
	}
	if c.SubjectType == SubjectPairwise && Sector(c) == "" {
		f.Add("subject_type", "%s needs redirect URIs of one host, or a sector_identifier_uri", SubjectPairwise)
	}
}

// httpsProblem says what is wrong with a URL that must be https, on loopback too.
func httpsProblem(s string) string {
	u, problem := fields.WebURL(s)
	switch {
	case problem != "":
		return problem
	case u.Scheme != "https":
		return fields.Quote(s) + " is not encrypted; use https"
	case u.Fragment != "" || strings.Contains(s, "#"):
		return fields.Quote(s) + " has a fragment; remove # and what follows"
	}
	return ""
}
