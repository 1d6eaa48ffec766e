package login

import (
	"errors"
	"net/http"
	"slices"

	"signet/provider/interaction"
	"signet/provider/oauth"
	"signet/provider/session"
	"signet/provider/trail"
	"signet/storage"
	"signet/users"
	"signet/web"
)

const wrong = "The user name or the password is not right."

// SignInPage asks for user name and password.
func (e *Endpoint) SignInPage(w http.ResponseWriter, r *http.Request) error {
	open, page, err := e.signIn(r)
	if err != nil {
		return err
	}
	page.Login = open.Request.LoginHint
	if open.Chosen {
		sessions, _, err := e.Sessions.Of(r)
		if err != nil {
			return err
		}
		if s, ok := session.ByID(sessions, open.Session); ok {
			page.Login = s.User.Name
		}
	}
	e.Pages.Write(w, http.StatusOK, page, trail.Of(r.Context()).Languages...)
	return nil
}

// SignIn checks user name and password and begins a session.
func (e *Endpoint) SignIn(w http.ResponseWriter, r *http.Request) error {
	open, page, err := e.signIn(r)
	if err != nil {
		return err
	}
	form, err := oauth.ReadBody(w, r)
	if err != nil {
		return err
	}
	page.Login, page.Remember = form.Get("username"), form.Get("remember") != ""
	user, err := e.Passwords.Password(r.Context(), page.Login, form.Get("password"), users.From{
		Origin: trail.Of(r.Context()).Origin(), UserAgent: session.UserAgent(r), Client: open.Request.Client,
	})
	if err == nil {
		err = e.begin(w, r, open, user, page.Remember)
	}
	var throttled *users.Throttled
	switch {
	case err == nil:
		return nil
	case errors.As(err, &throttled):
		trail.Of(r.Context()).Outcome.Result = trail.Throttled
		page.Wait = throttled.After
		oauth.RetryAfter(w, throttled.After)
		e.reject(w, r, http.StatusTooManyRequests, page, err)
	case errors.Is(err, users.ErrCredentials), errors.Is(err, storage.ErrEnded): // ended: disabled or changed while the password was checked
		trail.Of(r.Context()).Outcome.Result = trail.Credentials
		page.Problem = wrong
		e.reject(w, r, http.StatusUnprocessableEntity, page, err)
	default:
		return interaction.Explain(err)
	}
	return nil
}

// begin signs the user in at this browser and sends it on.
func (e *Endpoint) begin(w http.ResponseWriter, r *http.Request, open interaction.Open, user storage.User, keep bool) error {
	if _, err := e.Sessions.SignIn(w, r, open.Handle, user, session.ByPassword(), keep); err != nil {
		return err
	}
	if open.Own() {
		return e.back(w, open)
	}
	http.Redirect(w, r, e.Interactions.URL(interaction.ContinuePath, open), http.StatusSeeOther)
	return nil
}

// back leads to the page of ours that wanted to know who is there. It shows whoever has just said so.
func (e *Endpoint) back(w http.ResponseWriter, open interaction.Open) error {
	to, err := e.Interactions.OwnURL(open)
	if err != nil {
		return err
	}
	e.Interactions.Close(w, open)
	e.Interactions.Choose(w, "")
	oauth.SeeOther(w, to)
	return nil
}

// again reports whether somebody who is signed in is asked once more. Who could choose from those, and is here, wants to be somebody else.
func again(open interaction.Open, sessions []storage.SessionUser) bool {
	if open.Session.IsZero() && slices.Contains(open.Request.Prompt, "select_account") {
		return false
	}
	_, ok := interaction.Facts{Request: open.Request, SignedIn: open.Session, Sessions: sessions}.Session()
	return ok
}

// reject shows the page again.
func (e *Endpoint) reject(w http.ResponseWriter, r *http.Request, status int, page web.SignIn, err error) {
	oauth.Note(r, &oauth.Error{Code: oauth.AccessDenied, Description: "sign-in refused", Cause: err})
	e.Pages.Write(w, status, page, trail.Of(r.Context()).Languages...)
}

// signIn is the interaction that r is about, and its sign-in page.
func (e *Endpoint) signIn(r *http.Request) (interaction.Open, web.SignIn, error) {
	open, client, err := e.open(r)
	if err != nil {
		return open, web.SignIn{}, err
	}
	page := web.SignIn{Action: e.Interactions.URL(interaction.SignInPath, open), Client: e.app(r, open, client), Own: open.Own(), Device: open.Device()}
	if open.Own() {
		if open.Request.LoginHint != "" {
			page.Reason = "Prove once more that it is you, before something changes."
		}
		return open, page, nil
	}
	if sessions, _, err := e.Sessions.Of(r); err == nil && again(open, sessions) {
		page.Reason, page.Page = "The app asks you to prove once more that it is you.", e.Interactions.OwnPage()
	}
	return open, page, nil
}
