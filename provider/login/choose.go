package login

import (
	"errors"
	"net/http"

	"signet/provider/interaction"
	"signet/provider/oauth"
	"signet/provider/problem"
	"signet/provider/trail"
	"signet/storage"
	"signet/web"
)

// ChoosePage asks which of the accounts that are signed in at this browser is meant: OpenID Connect Core 3.1.2.1, prompt=select_account.
func (e *Endpoint) ChoosePage(w http.ResponseWriter, r *http.Request) error {
	open, client, err := e.open(r)
	if err != nil {
		return err
	}
	sessions, _, err := e.Sessions.Of(r)
	if err != nil {
		return err
	}
	if len(sessions) == 0 { // signed out in another tab: there is nothing to choose from
		http.Redirect(w, r, e.Interactions.URL(interaction.SignInPath, open), http.StatusSeeOther)
		return nil
	}
	page := web.Choose{Action: e.Interactions.URL(interaction.ChoosePath, open), Other: e.Interactions.URL(interaction.SignInPath, open), Client: e.app(r, open, client)}
	for i := range sessions { // the last used one first
		s := sessions[len(sessions)-1-i]
		page.Accounts = append(page.Accounts, web.Account{
			Session: s.Session.ID.String(), Name: s.User.Profile.Name, Login: s.User.Name, Since: e.Sessions.Now().Sub(s.Session.AuthTime),
		})
	}
	e.Pages.Write(w, http.StatusOK, page, trail.Of(r.Context()).Languages...)
	return nil
}

// Choose takes the choice. Whether it is enough for the request is not for this page to say.
func (e *Endpoint) Choose(w http.ResponseWriter, r *http.Request) error {
	open, _, err := e.open(r)
	if err != nil {
		return err
	}
	form, err := oauth.ReadBody(w, r)
	if err != nil {
		return err
	}
	id, err := storage.ParseID(form.Get("session"))
	if err != nil || id.IsZero() {
		return &problem.Problem{Title: "No answer", What: "The page was sent without an answer.", Who: problem.You, How: "Go back and choose one of the accounts."}
	}
	_, browser, err := e.Sessions.Of(r)
	if err != nil {
		return err
	}
	next := interaction.ContinuePath
	switch err := e.Store.SelectSession(r.Context(), open.Handle, browser, id, e.Sessions.Now()); {
	case errors.Is(err, storage.ErrEnded): // it has ended meanwhile, or is not of this browser: there are others, or none
		next = interaction.ChoosePath
	case err != nil:
		return interaction.Explain(err)
	}
	http.Redirect(w, r, e.Interactions.URL(next, open), http.StatusSeeOther)
	return nil
}
