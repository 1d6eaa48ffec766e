package interaction

import (
	"net/url"

	"signet/claims"
	"signet/clients"
	"signet/storage"
	"signet/web"
)

// App is a client as the pages show it: with the host that the answer goes to, which its name cannot lie about. One that says what it is in a
// document is called by the document's host, for nothing else about it is certain (Client ID Metadata Document 8.5).
func App(c storage.Client, redirectURI string) web.App {
	a := web.App{Name: c.Name, URI: c.ClientURI, Policy: c.PolicyURI, Terms: c.TosURI,
		Local: clients.OnDevice(redirectURI), Itself: c.Origin == storage.OriginRegistered}
	if u, problem := clients.DocumentURL(c.ID); problem == "" && clients.Documented(c) {
		a.Owner = u.Host
	}
	if u, err := url.Parse(redirectURI); err == nil {
		if a.Host = u.Host; a.Host == "" {
			a.Host = u.Scheme
		}
	}
	return a
}

// Name is what a person recognises their account by.
func Name(u storage.User) string {
	if u.Profile.Name != "" {
		return u.Profile.Name + " (" + u.Name + ")"
	}
	return u.Name
}

// Words says what scopes, and claims that were asked for one by one, let a client do; offline says that it may do so while the user is away.
func Words(c *claims.Catalogue, scopes, asked []string) (lines []web.ScopeLine, offline bool) {
	lines, offline = web.StandardScopes(scopes)
	for i, l := range lines {
		if l.Text == "" {
			lines[i].Text = web.Text(c.ScopeText(l.Name))
		}
	}
	for _, l := range web.StandardClaims(asked) {
		if l.Text == "" {
			l.Text = web.Text(c.ClaimText(l.Name))
		}
		lines = append(lines, l)
	}
	return lines, offline
}
