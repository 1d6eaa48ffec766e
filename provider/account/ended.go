package account

import (
	"errors"
	"net/http"
	"time"

	"signet/provider/oauth"
	"signet/storage"
	"signet/web"
)

// watched is how long the page about an ending looks again by itself.
const watched = time.Minute

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
	if err != nil || id.IsZero() {
		oauth.SeeOther(w, e.Base+Path)
		return nil
	}
	v, err := e.visit(w, r, EndedPath)
	if err != nil {
		return err
	}
	notices, err := e.Store.Notices(r.Context(), id)
	if err != nil {
		return err
	}
	page := web.AccountEnded{Own: e.frame(v)}
	find, zone := e.clients(r.Context()), zone(v.user)
	for _, n := range newest(notices) {
		c, err := find(n.Client)
		if err != nil {
			return err
		}
		row := web.Receipt{App: app(n.Client, c), Failed: n.State == storage.NoticeFailed, Problem: n.Problem}
		if n.State == storage.NoticeDelivered {
			row.Told = n.Settled.In(zone)
		}
		if n.State == storage.NoticePending && e.Now().Sub(n.Created) < watched {
			page.Waiting = true
		}
		page.Receipts = append(page.Receipts, row)
	}
	return e.write(v, http.StatusOK, page)
}

// newest is one notice for each client: the one that is the least far, since an app that took part in many sessions has been told when it knows of all.
func newest(notices []storage.Notice) []storage.Notice {
	rank := map[storage.NoticeState]int{storage.NoticeDelivered: 0, storage.NoticePending: 1, storage.NoticeFailed: 2}
	var all []storage.Notice
	at := map[string]int{}
	for _, n := range notices {
		i, known := at[n.Client]
		switch {
		case !known:
			at[n.Client] = len(all)
			all = append(all, n)
		case rank[n.State] > rank[all[i].State], n.State == all[i].State && n.Settled.After(all[i].Settled):
			all[i] = n
		}
	}
	return all
}
