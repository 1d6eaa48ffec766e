package login

import (
	"errors"
	"net/http"

	"signet/claims"
	"signet/provider/clientdocs"
	"signet/provider/interaction"
	"signet/provider/logos"
	"signet/provider/problem"
	"signet/provider/session"
	"signet/provider/trail"
	"signet/storage"
	"signet/web"
)

// Options is what the pages work with.
type Options struct {
	Store        Store
	Clients      *clientdocs.Clients
	Passwords    Passwords
	Sessions     *session.Sessions
	Interactions *interaction.Interactions
	Pages        *web.Pages
	Logos        *logos.Logos
	Claims       *claims.Catalogue
}

// Endpoint is the sign-in and the consent page.
type Endpoint struct{ Options }

// New returns the pages of a provider.
func New(o Options) *Endpoint { return &Endpoint{o} }

// open is the interaction that r is about, and the client that it is for: none, where it is for our own pages.
func (e *Endpoint) open(r *http.Request) (interaction.Open, storage.Client, error) {
	open, err := e.Interactions.Of(r)
	if err != nil || open.Own() {
		return open, storage.Client{}, err
	}
	trail.Of(r.Context()).Client(open.Request.Client)
	client, err := e.Clients.Client(r, open.Request.Client)
	if errors.Is(err, storage.ErrNotFound) {
		return open, client, &problem.Problem{Title: "This app is no longer registered", What: "The app that sent you here was removed meanwhile.",
			Who: problem.Operator, How: "Ask the operator of this server whether the app should still be registered."}
	}
	if err != nil {
		return open, client, clientdocs.Explain(err)
	}
	return open, client, nil
}

// app is the client of an interaction as the pages show it.
func (e *Endpoint) app(r *http.Request, open interaction.Open, c storage.Client) web.App {
	if open.Own() {
		return web.App{}
	}
	app := interaction.App(c, open.Request.RedirectURI)
	app.Logo = e.Logos.URL(r.Context(), c.LogoURI)
	return app
}
