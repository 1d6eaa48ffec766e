package account

import (
	"context"
	"errors"
	"net/http"
	"time"

	"signet/claims"
	"signet/provider/cookie"
	"signet/provider/ending"
	"signet/provider/interaction"
	"signet/provider/logos"
	"signet/provider/oauth"
	"signet/provider/problem"
	"signet/provider/session"
	"signet/provider/trail"
	"signet/storage"
	"signet/web"
)

// Where the pages are, below the issuer's path.
const (
	Path         = interaction.OwnPath
	SwitchPath   = Path + "/switch"
	PasswordPath = Path + "/password"
	SessionsPath = Path + "/sessions"
	AppsPath     = Path + "/apps"
	HistoryPath  = Path + "/history"
	EndedPath    = Path + "/ended"
)

// endedCookie holds the ending that was brought about at a browser last. It opens nothing but the page about it.
const endedCookie = "ended"

// Options is what the pages work with.
type Options struct {
	Store        Store
	Passwords    Passwords
	Sessions     *session.Sessions
	Interactions *interaction.Interactions
	Cookies      cookie.Jar
	Pages        *web.Pages
	Logos        *logos.Logos
	Claims       *claims.Catalogue
	Receipts     ending.Receipts
	Base         string // path of the issuer
	Now          func() time.Time
}

// Endpoint is the pages.
type Endpoint struct{ Options }

// New returns the pages of a provider.
func New(o Options) *Endpoint { return &Endpoint{o} }

// visit is one person at one of the pages.
type visit struct {
	w    http.ResponseWriter
	r    *http.Request
	user storage.User
	own  storage.Session // in which they look at it
	here []storage.SessionUser
	page string // path of the page that it is about
}

// Handler is an endpoint for browsers that returns its error.
type Handler = func(http.ResponseWriter, *http.Request) error

// get shows a page to whoever is signed in, and lets all others sign in first.
func (e *Endpoint) get(page string, f func(visit) error) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := e.visit(w, r, page)
		if err != nil {
			return err
		}
		if v.user.Sub == "" {
			return e.signIn(v, "")
		}
		return f(v)
	}
}

// post takes the form of a page. Where its account is not signed in here any more, or not freshly enough, nothing happens but that the
// person can prove who they are, and find the page again.
func (e *Endpoint) post(page string, f func(visit, oauth.Params) error) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := e.visit(w, r, page)
		if err != nil {
			return err
		}
		form, err := oauth.ReadBody(w, r)
		switch {
		case err != nil:
			return err
		case form.Repeated() != nil:
			return form.Repeated()
		case v.user.Sub == "":
			return e.signIn(v, "")
		case !e.fresh(v.own):
			return e.signIn(v, v.user.Name)
		}
		return f(v, form)
	}
}

// visit finds out who is there. The zero user: nobody.
func (e *Endpoint) visit(w http.ResponseWriter, r *http.Request, page string) (visit, error) {
	v := visit{w: w, r: r, page: page}
	var err error
	if v.here, _, err = e.Sessions.Of(r); err != nil {
		return v, err
	}
	e.Sessions.State(w, r, v.here) // apps that watch it shall see what was ended here
	own, _ := e.Interactions.Visitor(r, v.here)
	v.own, v.user = own.Session, own.User
	return v, nil
}

// fresh reports whether a session may change something. One that began in the future is none that we know the age of; a minute is what clocks
// of several servers may differ by.
func (e *Endpoint) fresh(s storage.Session) bool {
	age := e.Now().Sub(s.AuthTime)
	return age <= Fresh && age >= -time.Minute
}

// signIn sends the browser to sign in, and back to the page. login is who is expected; "": anybody.
func (e *Endpoint) signIn(v visit, login string) error {
	if !interaction.OpensPage(v.r) {
		return &problem.Problem{Status: http.StatusForbidden, Title: "Not signed in", What: "Nobody is signed in here, and this request opens no page to do so.",
			Who: problem.You, How: "Open the address itself in your browser."}
	}
	open, err := e.Interactions.BeginOwn(v.w, v.r, v.page, login)
	if err != nil {
		return err
	}
	oauth.SeeOther(v.w, e.Interactions.URL(interaction.SignInPath, open))
	return nil
}

// frame is what all pages have.
func (e *Endpoint) frame(v visit) web.Own {
	o := web.Own{Base: e.Base + Path}
	if v.user.Sub != "" {
		o.As, o.Account = interaction.Account(v.own.ID), interaction.Name(v.user)
	}
	return o
}

// write answers with a page.
func (e *Endpoint) write(v visit, status int, page web.Page) error {
	e.Pages.Write(v.w, status, page, trail.Of(v.r.Context()).Languages...)
	return nil
}

// change is what acts record of the visit.
func (e *Endpoint) change(v visit, detail string) storage.Change {
	return storage.Change{Now: e.Now(), Origin: trail.Of(v.r.Context()).Origin(), Detail: detail}
}

// clients looks clients up, each once.
func (e *Endpoint) clients(ctx context.Context) func(id string) (storage.Client, error) {
	known := map[string]storage.Client{}
	return func(id string) (storage.Client, error) {
		if c, ok := known[id]; ok {
			return c, nil
		}
		c, err := e.Store.Client(ctx, id)
		if errors.Is(err, storage.ErrNotFound) {
			c, err = storage.Client{}, nil
		}
		known[id] = c
		return c, err
	}
}

// app is a client as a page shows it. One that was removed keeps its id for a name.
func app(id string, c storage.Client) web.App {
	if c.ID == "" {
		return web.App{Name: id}
	}
	var redirect string
	if len(c.RedirectURIs) > 0 {
		redirect = c.RedirectURIs[0]
	}
	return interaction.App(c, redirect)
}
