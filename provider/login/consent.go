package login

import (
	"net/http"

	"signet/claims"
	"signet/provider/interaction"
	"signet/provider/trail"
	"signet/storage"
	"signet/web"
)

// ConsentPage asks whether the client may have what it asks for.
func (e *Endpoint) ConsentPage(w http.ResponseWriter, r *http.Request) error {
	open, app, err := e.open(r)
	if err != nil {
		return err
	}
	if open.Own() { // nobody asks for consent to that
		http.Redirect(w, r, e.Interactions.URL(interaction.SignInPath, open), http.StatusSeeOther)
		return nil
	}
	sessions, _, err := e.Sessions.Of(r)
	if err != nil {
		return err
	}
	s, ok := interaction.Facts{Request: open.Request, SignedIn: open.Session, Sessions: sessions}.Session()
	if !ok { // signed out in another tab: what is missing now is not for this page to say
		http.Redirect(w, r, e.Interactions.URL(interaction.ContinuePath, open), http.StatusSeeOther)
		return nil
	}
	lines, offline := e.asked(open.Request)
	page := web.Consent{Action: e.Interactions.AnswerURL(open, s.Session.ID), Client: app, Account: interaction.Name(s.User), Page: e.Interactions.OwnPage(), Scopes: lines, Offline: offline}
	e.Pages.Write(w, http.StatusOK, page, trail.Of(r.Context()).Languages...)
	return nil
}

// asked says in words what a request asks for: its scopes, and the claims that it asks for one by one.
func (e *Endpoint) asked(req storage.Request) (lines []web.ScopeLine, offline bool) {
	return interaction.Words(e.Claims, req.Scopes, e.Claims.Beyond(claims.Read(req.Claims), req.Scopes))
}
