package logout

import (
	"net/http"
	"slices"
	"time"

	"signet/provider/issue"
	"signet/provider/kept"
	"signet/provider/oauth"
	"signet/provider/session"
	"signet/provider/trail"
	"signet/storage"
	"signet/web"
)

// Where the browser goes on the way.
const (
	PostedPath  = oauth.LogoutPath + "/posted"
	ConfirmPath = oauth.LogoutPath + "/confirm"
)

// How long a request is kept: for the way from the POST to our GET, and for a person who is being asked.
const (
	keptFor  = time.Minute
	askedFor = 10 * time.Minute
)

// Options is what the endpoint works with.
type Options struct {
	Store    Store
	Kept     kept.Requests
	Issuer   *issue.Issuer
	Sessions *session.Sessions
	Pages    *web.Pages
	Base     string // path of the issuer
}

// Endpoint is the end session endpoint.
type Endpoint struct{ Options }

// New returns the end session endpoint of a provider.
func New(o Options) *Endpoint { return &Endpoint{o} }

// Get takes a request from the query: RP-Initiated Logout 2.
func (e *Endpoint) Get(w http.ResponseWriter, r *http.Request) error {
	p, err := oauth.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	return e.logout(w, r, p)
}

// Post takes a request from a form.
func (e *Endpoint) Post(w http.ResponseWriter, r *http.Request) error {
	p, err := oauth.ReadBody(w, r)
	if err != nil {
		return err
	}
	if _, err := e.read(r.Context(), p); err != nil {
		return err
	}
	p = p.Only("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint", "ui_locales")
	location, err := e.Kept.Keep(r, p, PostedPath, keptFor)
	if err != nil {
		return err
	}
	oauth.SeeOther(w, location)
	return nil
}

// Posted takes a request that was kept.
func (e *Endpoint) Posted(w http.ResponseWriter, r *http.Request) error {
	p, err := e.Kept.Take(r)
	if err != nil {
		return err
	}
	return e.logout(w, r, p)
}

// logout ends the sessions of this browser where the hint is of one of them, or asks. All of them: a person who has signed out must
// not find the next app signed in as another account of theirs.
func (e *Endpoint) logout(w http.ResponseWriter, r *http.Request, p oauth.Params) error {
	req, err := e.read(r.Context(), p)
	if err != nil {
		return err
	}
	sessions, _, err := e.Sessions.Of(r)
	if err != nil {
		return err
	}
	if len(sessions) == 0 {
		e.signedOut(w, r, req)
		return nil
	}
	hinted := slices.ContainsFunc(sessions, func(s storage.SessionUser) bool {
		return req.hint.Session != "" && session.SID(s.Session.ID, req.client.ID) == req.hint.Session
	})
	if !hinted || req.amiss {
		return e.ask(w, r, req, sessions[len(sessions)-1].User)
	}
	return e.end(w, r, req, sessions)
}

// end ends sessions and says so.
func (e *Endpoint) end(w http.ResponseWriter, r *http.Request, req request, sessions []storage.SessionUser) error {
	ids := make([]storage.ID, len(sessions))
	for i, s := range sessions {
		ids[i] = s.Session.ID
	}
	if _, err := e.Sessions.End(r.Context(), ids...); err != nil {
		return err
	}
	e.signedOut(w, r, req)
	return nil
}

// ask shows the question. The request waits under a handle that is in the form's address, and so with this person alone.
func (e *Endpoint) ask(w http.ResponseWriter, r *http.Request, req request, user storage.User) error {
	action, err := e.Kept.Keep(r, req.params, ConfirmPath, askedFor)
	if err != nil {
		return err
	}
	page := web.SignOut{Action: action, Account: user.Name, Client: req.app()}
	e.Pages.Write(w, http.StatusOK, page, trail.Of(r.Context()).Languages...)
	return nil
}

// Confirm takes the answer.
func (e *Endpoint) Confirm(w http.ResponseWriter, r *http.Request) error {
	form, err := oauth.ReadBody(w, r)
	if err != nil {
		return err
	}
	p, err := e.Kept.Take(r)
	if err != nil {
		return err
	}
	req, err := e.read(r.Context(), p)
	if err != nil {
		return err
	}
	if form.Get("confirm") != "yes" {
		e.stay(w, req)
		return nil
	}
	sessions, _, err := e.Sessions.Of(r)
	if err != nil {
		return err
	}
	return e.end(w, r, req, sessions)
}

// signedOut sends the browser back, or says that it is done.
func (e *Endpoint) signedOut(w http.ResponseWriter, r *http.Request, req request) {
	e.Sessions.State(w, r, nil)
	if req.back != "" {
		oauth.SeeOther(w, req.back)
		return
	}
	e.Pages.Write(w, http.StatusOK, web.SignedOut{Client: req.app()}, trail.Of(r.Context()).Languages...)
}

// stay is the way on for whoever does not want to sign out.
func (e *Endpoint) stay(w http.ResponseWriter, req request) {
	to := e.Base + "/"
	if req.client.ClientURI != "" {
		to = req.client.ClientURI
	}
	oauth.SeeOther(w, to)
}
