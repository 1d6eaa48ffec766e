package logout

import (
	"net/http"
	"slices"
	"time"

	"signet/provider/ending"
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
	DonePath    = oauth.LogoutPath + "/done"
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
	Name     string // the issuer, byte for byte
	Base     string // path of the issuer
	Keys     Keys
	Receipts ending.Receipts
	Now      func() time.Time
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
		return e.signedOut(w, r, req, storage.Ended{})
	}
	hinted := slices.ContainsFunc(sessions, func(s storage.SessionUser) bool {
		return req.hint.Session != "" && session.SID(s.Session.ID, req.client.ID) == req.hint.Session
	})
	if !hinted || req.amiss {
		return e.ask(w, r, req, sessions)
	}
	return e.end(w, r, req, sessions)
}

// end ends sessions and says so.
func (e *Endpoint) end(w http.ResponseWriter, r *http.Request, req request, sessions []storage.SessionUser) error {
	ids := make([]storage.ID, len(sessions))
	for i, s := range sessions {
		ids[i] = s.Session.ID
	}
	ended, err := e.Sessions.End(r.Context(), ids...)
	if err != nil {
		return err
	}
	return e.signedOut(w, r, req, ended)
}

// ask shows the question, about the account that is meant. The request waits under a handle that is in the form's address, and so with this
// person alone.
func (e *Endpoint) ask(w http.ResponseWriter, r *http.Request, req request, sessions []storage.SessionUser) error {
	action, err := e.Kept.Keep(r, req.params, ConfirmPath, askedFor)
	if err != nil {
		return err
	}
	meant, err := e.meant(req, sessions)
	if err != nil {
		return err
	}
	page := web.SignOut{Action: action, Client: req.app()}
	for i, s := range sessions {
		if i == meant {
			page.Account = s.User.Name
		} else {
			page.Others = append(page.Others, s.User.Name)
		}
	}
	e.Pages.Write(w, http.StatusOK, page, trail.Of(r.Context()).Languages...)
	return nil
}

// meant is the session that the request is about: the one that logout_hint names (section 2: the value "is left to the OP's discretion"; here
// the user name, the address, or the client's sub or sid), otherwise the last used one.
func (e *Endpoint) meant(req request, sessions []storage.SessionUser) (int, error) {
	hint := req.params.Get("logout_hint")
	for i, s := range sessions {
		if hint == "" {
			break
		}
		login := storage.LoginKey(hint)
		if login == storage.LoginKey(s.User.Name) || s.User.Email != "" && login == storage.LoginKey(s.User.Email) {
			return i, nil
		}
		if req.client.ID == "" {
			continue
		}
		sub, err := e.Issuer.Subject(req.client, s.User)
		if err != nil {
			return 0, err
		}
		if hint == sub || hint == session.SID(s.Session.ID, req.client.ID) {
			return i, nil
		}
	}
	return len(sessions) - 1, nil
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

// signedOut has the browser tell the clients that want that, and sends it back, or says that it is done.
func (e *Endpoint) signedOut(w http.ResponseWriter, r *http.Request, req request, ended storage.Ended) error {
	e.Sessions.State(w, r, nil)
	front, err := e.front(r.Context(), ended.Sessions)
	if err != nil {
		return err
	}
	next := req.back
	if next == "" && (len(front.Frames) > 0 || ended.Notices > 0) {
		if next, err = e.done(ended.ID); err != nil {
			return err
		}
	}
	switch {
	case len(front.Frames) > 0:
		front.Next = next
		e.Pages.Write(w, http.StatusOK, front, trail.Of(r.Context()).Languages...)
	case next != "":
		oauth.SeeOther(w, next)
	default:
		e.Pages.Write(w, http.StatusOK, web.SignedOut{Client: req.app()}, trail.Of(r.Context()).Languages...)
	}
	return nil
}

// stay is the way on for whoever does not want to sign out.
func (e *Endpoint) stay(w http.ResponseWriter, req request) {
	to := e.Base + "/"
	if req.client.ClientURI != "" {
		to = req.client.ClientURI
	}
	oauth.SeeOther(w, to)
}
