package admin

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"time"

	"signet/provider/ending"
	"signet/storage"
)

// Session is a session with the name of its user.
type Session struct {
	storage.Session
	Username string `json:"username"`
}

// EndSessions asks for the end of everything that was begun in a user's name, or of single sessions; not of both.
type EndSessions struct {
	User     string       `json:"user,omitempty"` // sub, user name or address
	Sessions []storage.ID `json:"sessions,omitempty"`
}

// Ended is what has ended.
type Ended struct {
	Ending   storage.ID `json:"ending"` // leads to the receipts; zero: nothing has ended
	Sessions []Session  `json:"sessions"`
	Families int        `json:"families"` // lines of refresh tokens, and grants that lived by the sessions
	Notices  int        `json:"notices"`  // that clients get
	Server   bool       `json:"server"`   // one runs, and delivers them; otherwise the next one that starts does
}

// Notices is what clients are owed, and what they could not be told.
type Notices struct {
	Pending int              `json:"pending"`
	Since   time.Time        `json:"since,omitzero"` // when the oldest pending one was made
	Failed  []storage.Notice `json:"failed"`         // newest last
	Server  bool             `json:"server"`
}

// mostFailed is how many failed notices are told at once.
const mostFailed = 1000

func (a *api) listSessions(w http.ResponseWriter, r *http.Request) error {
	users, err := a.Store.Users(r.Context())
	if err != nil {
		return err
	}
	all := []Session{}
	for _, u := range users {
		of, err := a.sessionsOf(r, u)
		if err != nil {
			return err
		}
		all = append(all, of...)
	}
	slices.SortStableFunc(all, func(a, b Session) int { return a.LastUsed.Compare(b.LastUsed) })
	return write(w, all)
}

func (a *api) userSessions(w http.ResponseWriter, r *http.Request) error {
	u, err := a.user(r)
	if err != nil {
		return err
	}
	all, err := a.sessionsOf(r, u)
	if err != nil {
		return err
	}
	return write(w, all)
}

func (a *api) sessionsOf(r *http.Request, u storage.User) ([]Session, error) {
	sessions, err := a.Store.Sessions(r.Context(), u.Sub, a.Now())
	return named(sessions, u.Name), err
}

func named(sessions []storage.Session, username string) []Session {
	all := []Session{}
	for _, s := range sessions {
		all = append(all, Session{s, username})
	}
	return all
}

func (a *api) endSessions(w http.ResponseWriter, r *http.Request) error {
	var e EndSessions
	if err := read(r, &e); err != nil {
		return err
	}
	if (e.User == "") == (len(e.Sessions) == 0) {
		return refuse(http.StatusUnprocessableEntity, "name a user, or sessions")
	}
	var done storage.Ended
	out := Ended{Server: a.running()}
	if e.User != "" {
		u, err := a.findUser(r.Context(), e.User)
		if err != nil {
			return err
		}
		if done, err = a.Store.EndUser(r.Context(), u.Sub, a.change(r, "signed out everywhere")); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		out.Sessions = named(done.Sessions, u.Name)
	} else {
		var err error
		if done, err = a.Store.EndSessions(r.Context(), e.Sessions, a.change(r, "ended by the operator")); err != nil {
			return err
		}
		out.Sessions = []Session{}
		for _, s := range done.Sessions {
			u, err := a.Store.User(r.Context(), s.User)
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return err
			}
			out.Sessions = append(out.Sessions, Session{s, cmp.Or(u.Name, s.User)})
		}
	}
	out.Ending, out.Families, out.Notices = done.ID, done.Families, done.Notices
	return write(w, out)
}

func (a *api) showEnding(w http.ResponseWriter, r *http.Request) error {
	id, err := storage.ParseID(param(r, "id"))
	if err != nil {
		return refuse(http.StatusNotFound, "there is no such ending")
	}
	receipts, err := ending.Receipts{Store: a.Store}.Of(r.Context(), id)
	if err != nil {
		return err
	}
	return write(w, receipts)
}

func (a *api) listNotices(w http.ResponseWriter, r *http.Request) error {
	pending, since, failed, err := a.Store.Owed(r.Context(), mostFailed)
	if err != nil {
		return err
	}
	return write(w, Notices{Pending: pending, Since: since, Failed: append([]storage.Notice{}, failed...), Server: a.running()})
}

// running reports whether a server answers here.
func (a *api) running() bool { return a.Options.Reload != nil }
