package account

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"signet/provider/ending"
	"signet/provider/interaction"
	"signet/provider/oauth"
	"signet/storage"
	"signet/web"
)

// The page about an ending looks again by itself, and then can be looked at, for so long. Whoever uses the browser tomorrow is not told which
// apps somebody used.
const (
	watched = time.Minute
	shown   = 10 * time.Minute
)

// ended goes on after an act: to the page that says who has been told, or back where nothing had to end. Which ending it was is in a cookie
// and not in the address: whoever has signed out everywhere is nobody here any more, and finds the page all the same.
func (e *Endpoint) ended(v visit, done storage.Ended, err error) error {
	switch {
	case errors.Is(err, storage.ErrNotFound): // the user was removed in this moment
		oauth.SeeOther(v.w, e.Base+Path)
	case err != nil:
		return err
	case done.ID.IsZero():
		oauth.SeeOther(v.w, e.Base+v.page)
	default:
		e.Cookies.Set(v.w, endedCookie, done.ID.String())
		oauth.SeeOther(v.w, e.Base+EndedPath)
	}
	return nil
}

// Ended says how far the apps have been told of the last ending.
func (e *Endpoint) Ended(w http.ResponseWriter, r *http.Request) error {
	id, err := storage.ParseID(e.Cookies.Get(r, endedCookie))
	if err != nil || id.IsZero() || e.Now().Sub(id.Time()) > shown {
		oauth.SeeOther(w, e.Base+Path)
		return nil
	}
	v, err := e.visit(w, r, EndedPath)
	if err != nil {
		return err
	}
	receipts, err := e.Receipts.Of(r.Context(), id)
	if err != nil {
		return err
	}
	page := web.AccountEnded{Own: e.frame(v), Waiting: ending.Pending(receipts) && e.Now().Sub(id.Time()) < watched}
	for _, told := range receipts {
		page.Receipts = append(page.Receipts, told.Shown(cmp.Or(told.Name, told.Client), interaction.Zone(v.user)))
	}
	return e.write(v, http.StatusOK, page)
}
