package account

import (
	"context"
	"errors"
	"net/http"
	"time"

	"signet/provider/oauth"
	"signet/provider/session"
	"signet/provider/trail"
	"signet/storage"
	"signet/users"
	"signet/web"
)

// attempts is how often a change is tried that others make at the same time.
const attempts = 3

// changedParam says, in the address, that the password was changed just now.
const changedParam = "changed"

// What is wrong with an attempt to change the password.
const (
	notCurrent web.Text = "The current password is not right."
	notTwice   web.Text = "The new password was not entered the same way twice."
	notNew     web.Text = "The new password is the current one."
	notGood    web.Text = "This cannot be a password. It needs at least 8 characters, and at most 1024 bytes."
)

// PasswordPage asks for the current and the new password.
func (e *Endpoint) PasswordPage() Handler {
	return e.get(PasswordPath, func(v visit) error {
		if !e.fresh(v.own) { // better before the form than after it
			return e.signIn(v, v.user.Name)
		}
		page := e.passwordPage(v)
		page.Changed = v.r.URL.Query().Has(changedParam)
		return e.write(v, http.StatusOK, page)
	})
}

func (e *Endpoint) passwordPage(v visit) web.AccountPassword {
	return web.AccountPassword{Own: e.frame(v), Login: v.user.Name, Declared: v.user.Origin == storage.OriginFile}
}

// ChangePassword takes the form. The current password counts as a sign-in, in all that comes of it: it is throttled and recorded as one, and
// the browser's handle changes. Then the new one is stored, which ends everything but this session.
func (e *Endpoint) ChangePassword() Handler {
	return e.post(PasswordPath, func(v visit, form oauth.Params) error {
		if v.user.Origin == storage.OriginFile { // the file would set the old one again
			oauth.SeeOther(v.w, e.Base+PasswordPath)
			return nil
		}
		current, next := form.Get("current"), form.Get("new")
		if next != form.Get("repeat") {
			return e.reject(v, notTwice)
		}
		from := users.From{Origin: trail.Of(v.r.Context()).Origin(), UserAgent: session.UserAgent(v.r)}
		user, err := e.Passwords.Password(v.r.Context(), v.user.Name, current, from)
		if throttled, ok := errors.AsType[*users.Throttled](err); ok {
			return e.wait(v, throttled.After)
		}
		if errors.Is(err, users.ErrCredentials) || err == nil && user.Sub != v.user.Sub { // renamed in this moment
			trail.Of(v.r.Context()).Outcome.Result = trail.Credentials
			return e.reject(v, notCurrent)
		}
		if err != nil {
			return err
		}
		if next == current {
			return e.reject(v, notNew)
		}
		hash, err := e.Passwords.Hash(v.r.Context(), next)
		if _, ok := errors.AsType[*users.FieldError](err); ok {
			return e.reject(v, notGood)
		}
		if err != nil {
			return err
		}
		return e.changePassword(v, user, hash)
	})
}

// changePassword signs the user in anew and stores the hash.
func (e *Endpoint) changePassword(v visit, user storage.User, hash string) error {
	keep, err := e.again(v, user)
	if err == nil {
		err = e.savePassword(v.r.Context(), user, hash, func() storage.Change {
			o := e.change(v, "new password, by the user")
			o.Keep = keep
			return o
		})
	}
	switch {
	case errors.Is(err, storage.ErrEnded), errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrConflict): // ended or changed meanwhile
		oauth.SeeOther(v.w, e.Base+PasswordPath)
		return nil
	case err != nil:
		return err
	}
	oauth.SeeOther(v.w, e.Base+PasswordPath+"?"+changedParam)
	return nil
}

// again signs the user in at this browser as they are already, by the proof that they have just given: the session goes on under another
// handle, so that a copy of the cookie is worth nothing any more.
func (e *Endpoint) again(v visit, user storage.User) (storage.ID, error) {
	open, err := e.Interactions.BeginOwn(v.w, v.r, PasswordPath, user.Name)
	if err != nil {
		return storage.ID{}, err
	}
	goesOn, err := e.Sessions.SignIn(v.w, v.r, open.Handle, user, session.ByPassword(), v.own.Kept)
	if err != nil {
		return storage.ID{}, err
	}
	e.Interactions.Close(v.w, open)
	return goesOn.ID, nil
}

// savePassword stores a hash in the place of the one that was proved. What others change of the user meanwhile stays, unless it is the
// password, or has ended everything.
func (e *Endpoint) savePassword(ctx context.Context, proved storage.User, hash string, change func() storage.Change) error {
	u := proved
	for n := 0; ; n++ {
		u.PasswordHash, u.Updated = hash, e.Now()
		_, err := e.Store.SaveUser(ctx, u, true, change())
		if !errors.Is(err, storage.ErrConflict) || n == attempts {
			return err
		}
		if u, err = e.Store.User(ctx, proved.Sub); err != nil {
			return err
		}
		if u.PasswordHash != proved.PasswordHash || u.Epoch != proved.Epoch || u.Disabled {
			return storage.ErrEnded
		}
	}
}

// reject shows the page again, with what is wrong.
func (e *Endpoint) reject(v visit, why web.Text) error {
	oauth.Note(v.r, &oauth.Error{Code: oauth.AccessDenied, Description: "password not changed"})
	page := e.passwordPage(v)
	page.Problem = why
	return e.write(v, http.StatusUnprocessableEntity, page)
}

// wait is reject for whoever has to.
func (e *Endpoint) wait(v visit, after time.Duration) error {
	trail.Of(v.r.Context()).Outcome.Result = trail.Throttled
	oauth.Note(v.r, &oauth.Error{Code: oauth.AccessDenied, Description: "password not looked at"})
	page := e.passwordPage(v)
	page.Wait = after
	oauth.RetryAfter(v.w, after)
	return e.write(v, http.StatusTooManyRequests, page)
}
