package interaction

import (
	"net/url"

	"signet/storage"
	"signet/web"
)

// App is a client as the pages show it: with the host that the answer goes to, which its name cannot lie about.
func App(c storage.Client, redirectURI string) web.App {
	a := web.App{Name: c.Name, URI: c.ClientURI, Policy: c.PolicyURI, Terms: c.TosURI}
	if u, err := url.Parse(redirectURI); err == nil {
		if a.Host = u.Host; a.Host == "" {
			a.Host = u.Scheme
		}
	}
	return a
}
