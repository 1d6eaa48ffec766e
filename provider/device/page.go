package device

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"signet/audit"
	"signet/provider/interaction"
	"signet/provider/oauth"
	"signet/provider/problem"
	"signet/provider/trail"
	"signet/storage"
	"signet/web"
)

// codeParam carries the user code, in addresses and in forms: RFC 8628 section 3.3.1.
const codeParam = "user_code"

// visit is one person at one of the pages.
type visit struct {
	w    http.ResponseWriter
	r    *http.Request
	own  storage.SessionUser // in whose name; the zero user: nobody is signed in
	here []storage.SessionUser
}

// CodePage asks for the code. One that the address brings is filled in, and nothing more: RFC 8628 section 5.4.
func (e *Endpoint) CodePage(w http.ResponseWriter, r *http.Request) error {
	v, err := e.visit(w, r)
	if err != nil {
		return err
	}
	code, _ := readCode(r.URL.Query().Get(codeParam))
	if v.own.User.Sub == "" {
		return e.signIn(v, code)
	}
	return e.ask(v, http.StatusOK, web.DeviceCode{Code: show(code)})
}

// Code takes the code and shows what it stands for.
func (e *Endpoint) Code(w http.ResponseWriter, r *http.Request) error {
	return e.form(w, r, func(v visit, _ oauth.Params, d storage.DeviceGrant, c storage.Client) error {
		apis, rest, err := interaction.APIs(v.r.Context(), e.Store, c, d.Access, d.Scopes)
		if err != nil {
			return err
		}
		page := web.DeviceConsent{
			DeviceFor: e.whose(v, DecidePath), Code: show(d.UserCode), Client: e.app(v.r.Context(), c), Registered: c.Origin != storage.OriginOperator && c.Origin != storage.OriginFile,
			Asked: d.Created.In(interaction.Zone(v.own.User)), Address: d.Address, Elsewhere: d.Address != network(v.r), APIs: apis,
		}
		page.Scopes, page.Offline = interaction.Words(e.Issuer.Claims, rest, nil)
		return e.write(v, http.StatusOK, page)
	})
}

// Decide takes the answer.
func (e *Endpoint) Decide(w http.ResponseWriter, r *http.Request) error {
	return e.form(w, r, func(v visit, form oauth.Params, d storage.DeviceGrant, c storage.Client) error {
		decision := form.Get("decision")
		if decision != "allow" && decision != "deny" {
			return &problem.Problem{Title: "No answer", What: "The page was sent without an answer.", Who: problem.You, How: "Go back and choose one of the two buttons."}
		}
		allow := decision == "allow"
		err := e.Store.DecideDevice(v.r.Context(), storage.DeviceDecision{
			UserCode: d.UserCode, Allow: allow, Authorization: authorization(d, v.own), Idle: e.Sessions.IdleOf(v.own.Session),
			Now: e.Now(), Origin: trail.Of(v.r.Context()).Origin(),
		})
		switch {
		case errors.Is(err, storage.ErrEnded): // signed out in the moment between
			return e.signIn(v, d.UserCode)
		case refusal(err) != "":
			return e.refuse(v, form.Get(codeParam), err)
		case err != nil:
			return err
		}
		return e.write(v, http.StatusOK, web.DeviceDone{Allowed: allow, Client: e.app(v.r.Context(), c), Page: e.Interactions.OwnPage()})
	})
}

// authorization is what the user allowed.
func authorization(d storage.DeviceGrant, s storage.SessionUser) storage.Authorization {
	return storage.Authorization{
		Client: d.Client, User: s.User.Sub, Session: s.Session.ID, Epoch: s.User.Epoch, Scopes: d.Scopes, Resources: d.Resources, Access: d.Access,
		AuthTime: s.Session.AuthTime, ACR: s.Session.ACR, AMR: s.Session.AMR, Offline: slices.Contains(d.Scopes, "offline_access"),
	}
}

// Switch goes on as another account: one that is signed in here, or one that is about to be.
func (e *Endpoint) Switch(w http.ResponseWriter, r *http.Request) error {
	form, err := oauth.ReadBody(w, r)
	if err != nil {
		return err
	}
	here, _, err := e.Sessions.Of(r)
	if err != nil {
		return err
	}
	code, _ := readCode(form.Get(codeParam))
	to := form.Get("to")
	if e.Interactions.Switch(w, here, to) || to != "" { // otherwise signed out meanwhile
		oauth.SeeOther(w, e.Base+page(code))
		return nil
	}
	return e.signIn(visit{w: w, r: r, here: here}, code)
}

// visit finds out who is there.
func (e *Endpoint) visit(w http.ResponseWriter, r *http.Request) (visit, error) {
	v := visit{w: w, r: r}
	var err error
	if v.here, _, err = e.Sessions.Of(r); err != nil {
		return v, err
	}
	e.Sessions.State(w, r, v.here)
	v.own, _ = e.Interactions.Visitor(r, v.here)
	return v, nil
}

// form takes one of the forms, for the device authorization that its code stands for.
func (e *Endpoint) form(w http.ResponseWriter, r *http.Request, f func(visit, oauth.Params, storage.DeviceGrant, storage.Client) error) error {
	v, err := e.visit(w, r)
	if err != nil {
		return err
	}
	form, err := oauth.ReadBody(w, r)
	if err != nil {
		return err
	}
	if err := form.Repeated(); err != nil {
		return err
	}
	typed := form.Get(codeParam)
	code, ok := readCode(typed)
	switch {
	case v.own.User.Sub == "":
		return e.signIn(v, code)
	case !ok:
		return e.refuse(v, typed, errForm)
	}
	d, c, err := e.find(v, code)
	if err != nil {
		return e.refuse(v, typed, err)
	}
	trail.Of(r.Context()).Client(c.ID)
	return f(v, form, d, c)
}

// waiting says that somebody was wrong too often.
type waiting struct{ time.Duration }

func (waiting) Error() string { return "too many wrong user codes" }

// find looks a code up. It is asked for no more than [guesses] let, right or wrong.
func (e *Endpoint) find(v visit, code string) (d storage.DeviceGrant, c storage.Client, err error) {
	who := []string{"user " + v.own.User.Sub, "address " + network(v.r)}
	if wait, first := e.guesses.begin(e.Now(), who); wait > 0 {
		return d, c, e.tooMany(v, wait, first)
	}
	wrong := false
	defer func() { e.guesses.end(e.Now(), who, wrong) }()
	if d, err = e.Store.Device(v.r.Context(), code, e.Now()); err == nil {
		c, err = e.client(v.r.Context(), d)
	}
	if err == nil && c.ID == "" {
		err = storage.ErrNotFound
	}
	wrong = refusal(err) != ""
	return d, c, err
}

// tooMany is the refusal to look up any more, which the first time in a window is recorded. An entry that cannot be made is no reason to let
// somebody guess.
func (e *Endpoint) tooMany(v visit, wait time.Duration, first bool) error {
	if first {
		entry := audit.Entry{Time: e.Now(), Event: audit.LimitReached, Origin: trail.Of(v.r.Context()).Origin(), User: v.own.User.Sub, Detail: "of user codes"}
		if err := e.Record.Record(context.WithoutCancel(v.r.Context()), entry); err != nil {
			return errors.Join(waiting{wait}, err)
		}
	}
	return waiting{wait}
}

var errForm = errors.New("not the form of a user code")

// refusal is what is said of a code that is not good; "" for any other error.
func refusal(err error) web.Text {
	switch {
	case errors.Is(err, errForm):
		return "This is no code of a device: those have eight letters."
	case errors.Is(err, storage.ErrNotFound):
		return "This code is not known. Compare it with what the device shows."
	case errors.Is(err, storage.ErrExpired):
		return "This code has expired. Have the device show a new one."
	case errors.Is(err, storage.ErrSpent):
		return "This code was used already. Have the device show a new one."
	}
	return ""
}

// refuse asks for the code again; what is no refusal is an error still.
func (e *Endpoint) refuse(v visit, typed string, err error) error {
	again := web.DeviceCode{Code: short(typed), Problem: refusal(err)}
	status := http.StatusUnprocessableEntity
	wait, limited := errors.AsType[waiting](err)
	switch {
	case limited:
		again.Wait, status = wait.Duration, http.StatusTooManyRequests
		trail.Of(v.r.Context()).Outcome.Result = trail.Throttled
		oauth.RetryAfter(v.w, wait.Duration)
	case again.Problem == "":
		return err
	}
	oauth.Note(v.r, &oauth.Error{Code: oauth.AccessDenied, Description: "user code refused", Cause: err})
	return e.ask(v, status, again)
}

// short is what was typed, as far as it is worth showing again.
func short(typed string) string {
	if len(typed) > maxTyped {
		return ""
	}
	return typed
}

// ask shows the page for the code.
func (e *Endpoint) ask(v visit, status int, p web.DeviceCode) error {
	p.DeviceFor = e.whose(v, Path)
	return e.write(v, status, p)
}

func (e *Endpoint) write(v visit, status int, page web.Page) error {
	e.Pages.Write(v.w, status, page, trail.Of(v.r.Context()).Languages...)
	return nil
}

// whose says for whom a page is, whose form goes to path.
func (e *Endpoint) whose(v visit, path string) web.DeviceFor {
	f := web.DeviceFor{
		Action: e.Base + path + "?" + interaction.AsParam + "=" + url.QueryEscape(interaction.Account(v.own.Session.ID)), Switch: e.Base + SwitchPath,
		Account: interaction.Name(v.own.User), Page: e.Interactions.OwnPage(),
	}
	for _, s := range v.here {
		if s.Session.ID != v.own.Session.ID {
			f.Others = append(f.Others, web.AccountChoice{Key: interaction.Account(s.Session.ID), Name: interaction.Name(s.User)})
		}
	}
	return f
}

// signIn sends the browser to sign in, and back to the page with the code.
func (e *Endpoint) signIn(v visit, code string) error {
	if !interaction.OpensPage(v.r) {
		return &problem.Problem{Status: http.StatusForbidden, Title: "Not signed in", What: "Nobody is signed in here, and this request opens no page to do so.",
			Who: problem.You, How: "Open the address itself in your browser."}
	}
	open, err := e.Interactions.BeginOwn(v.w, v.r, page(code), "")
	if err != nil {
		return err
	}
	oauth.SeeOther(v.w, e.Interactions.URL(interaction.SignInPath, open))
	return nil
}

// page is the path of the page for the code, with one filled in unless it is "".
func page(code string) string {
	if code == "" {
		return Path
	}
	return Path + "?" + codeParam + "=" + show(code)
}

// app is the client as the pages show it: no answer goes to it, so its home page is what is known of where it lives.
func (e *Endpoint) app(ctx context.Context, c storage.Client) web.App {
	a := interaction.App(c, "")
	if u, err := url.Parse(c.ClientURI); err == nil {
		a.Host = u.Host
	}
	a.Logo = e.Logos.URL(ctx, c.LogoURI)
	return a
}

func network(r *http.Request) string { return trail.Network(trail.Of(r.Context()).Address) }
