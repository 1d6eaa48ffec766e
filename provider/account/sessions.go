package account

import (
	"net/http"
	"slices"
	"strconv"

	"signet/provider/interaction"
	"signet/provider/oauth"
	"signet/storage"
	"signet/web"
)

// perPage is how many rows of a list are on one page.
const perPage = 25

// What the buttons of the sessions' page say besides the id of one.
const (
	others     = "others"
	everywhere = "everywhere"
)

// SessionsPage says where the user is signed in.
func (e *Endpoint) SessionsPage() Handler {
	return e.get(SessionsPath, func(v visit) error {
		sessions, err := e.sessions(v)
		if err != nil {
			return err
		}
		page := web.AccountSessions{Own: e.frame(v), Total: len(sessions)}
		sessions, page.Paging = part(sessions, v.r, e.Base+SessionsPath)
		find, zone := e.clients(v.r.Context()), interaction.Zone(v.user)
		for _, s := range sessions {
			row := web.SessionRow{
				ID: s.ID.String(), This: s.ID == v.own.ID, UserAgent: s.UserAgent, Address: s.Address, SignedIn: s.AuthTime.In(zone),
				LastUsed: s.LastUsed.In(zone), Methods: methods(s.AMR), Kept: s.Kept,
			}
			for _, id := range s.Clients {
				c, err := find(id)
				if err != nil {
					return err
				}
				row.Apps = append(row.Apps, app(id, c))
			}
			page.Rows = append(page.Rows, row)
		}
		return e.write(v, http.StatusOK, page)
	})
}

// sessions are the user's, this one first, then the last used ones.
func (e *Endpoint) sessions(v visit) ([]storage.Session, error) {
	all, err := e.Store.Sessions(v.r.Context(), v.user.Sub, e.Now())
	if err != nil {
		return nil, err
	}
	slices.Reverse(all)
	if i := slices.IndexFunc(all, func(s storage.Session) bool { return s.ID == v.own.ID }); i > 0 {
		own := all[i]
		copy(all[1:], all[:i])
		all[0] = own
	}
	return all, nil
}

// EndSessions ends one session, all others, or everything.
func (e *Endpoint) EndSessions() Handler {
	return e.post(SessionsPath, func(v visit, form oauth.Params) error {
		what := form.Get("session")
		if what == everywhere {
			ended, err := e.Store.EndUser(v.r.Context(), v.user.Sub, e.change(v, "signed out everywhere"))
			return e.ended(v, ended, err)
		}
		sessions, err := e.sessions(v)
		if err != nil {
			return err
		}
		var ids []storage.ID
		for _, s := range sessions {
			if what == s.ID.String() || what == others && s.ID != v.own.ID {
				ids = append(ids, s.ID)
			}
		}
		if ids == nil { // ended meanwhile, or never theirs
			oauth.SeeOther(v.w, e.Base+SessionsPath)
			return nil
		}
		ended, err := e.Store.EndSessions(v.r.Context(), ids, e.change(v, "signed out by the user's pages"))
		return e.ended(v, ended, err)
	})
}

// part is the part of a list that r asks for: the page that its query names, the nearest one that there is.
func part[T any](all []T, r *http.Request, path string) ([]T, web.Paging) {
	p := web.Paging{Path: path, Last: max(1, (len(all)+perPage-1)/perPage)}
	p.Page, _ = strconv.Atoi(r.URL.Query().Get("page"))
	p.Page = min(max(p.Page, 1), p.Last)
	return all[(p.Page-1)*perPage : min(p.Page*perPage, len(all))], p
}

// methodTexts are the methods of RFC 8176 section 2 that a session can have.
var methodTexts = map[string]web.Text{"pwd": "with the password"}

// methods says how somebody signed in. What has no words is not said.
func methods(amr []string) []web.Text {
	var all []web.Text
	for _, m := range amr {
		if t, ok := methodTexts[m]; ok {
			all = append(all, t)
		}
	}
	return all
}
