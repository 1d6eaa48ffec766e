package login

import (
	"net/http"

	"signet/provider/interaction"
	"signet/storage"
	"signet/web"
)

// ConsentPage asks whether the client may have what it asks for.
func (e *Endpoint) ConsentPage(w http.ResponseWriter, r *http.Request) error {
	open, app, err := e.open(r)
	if err != nil {
		return err
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
	lines, offline := web.StandardScopes(open.Request.Scopes)
	e.Pages.Write(w, http.StatusOK, web.Consent{
		Action: e.Interactions.AnswerURL(open, s.Session.ID), Client: app, Account: displayName(s.User), Scopes: lines, Offline: offline,
	})
	return nil
}

// displayName is what a person recognises their account by.
func displayName(u storage.User) string {
	if u.Profile.Name != "" {
		return u.Profile.Name + " (" + u.Name + ")"
	}
	return u.Name
}
