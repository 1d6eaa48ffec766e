package login

import (
	"net/http"

	"signet/claims"
	"signet/provider/interaction"
	"signet/provider/trail"
	"signet/web"
)

// ConsentPage asks whether the client may have what it asks for.
func (e *Endpoint) ConsentPage(w http.ResponseWriter, r *http.Request) error {
	open, client, err := e.open(r)
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
	req := open.Request
	page := web.Consent{
		Action: e.Interactions.AnswerURL(open, s.Session.ID, client), Client: e.app(r, open, client), Account: interaction.Name(s.User), Page: e.Interactions.OwnPage(),
	}
	apis, rest, err := interaction.APIs(r.Context(), e.Store, client, req.Access, req.Scopes)
	if err != nil {
		return err
	}
	page.APIs = apis
	page.Scopes, page.Offline = interaction.Words(e.Claims, rest, e.Claims.Beyond(claims.Read(req.Claims), req.Scopes))
	e.Pages.Write(w, http.StatusOK, page, trail.Of(r.Context()).Languages...)
	return nil
}
