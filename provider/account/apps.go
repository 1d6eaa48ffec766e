package account

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"signet/provider/interaction"
	"signet/provider/oauth"
	"signet/storage"
	"signet/web"
)

// grant is what one client may do.
type grant struct {
	client   storage.Client
	scopes   []string
	claims   []string
	access   []string // at resources: see [storage.Request.Access]
	offline  bool
	since    time.Time
	lastUsed time.Time
}

// add is g with what an authorization or a consent adds.
func (g *grant) add(scopes, claims, access []string, since time.Time) {
	g.scopes, g.claims, g.access = union(g.scopes, scopes), union(g.claims, claims), union(g.access, access)
	if g.since.IsZero() || since.Before(g.since) {
		g.since = since
	}
}

// access is what the user's clients may do, the last used first: what the user allowed them, and the families that live, given the user's
// live sessions. A trusted client is not asked about, and has access by its families alone; so has one that another issuer spoke to us for in the
// user's name, without a session (RFC 7523).
func (e *Endpoint) access(v visit, sessions []storage.Session) ([]grant, error) {
	ctx := v.r.Context()
	consents, err := e.Store.Consents(ctx, v.user.Sub)
	if err != nil {
		return nil, err
	}
	families, err := e.Store.Families(ctx, v.user.Sub, e.Now())
	if err != nil {
		return nil, err
	}
	live := map[storage.ID]bool{}
	for _, s := range sessions {
		live[s.ID] = true
	}
	all := map[string]*grant{}
	of := func(client string) *grant {
		if all[client] == nil {
			all[client] = &grant{}
		}
		return all[client]
	}
	for _, c := range consents {
		of(c.Client).add(c.Scopes, c.Claims, c.Resources, c.Since)
	}
	for _, f := range families {
		a := f.Authorization
		if !a.Offline && !a.Session.IsZero() && !live[a.Session] {
			continue
		}
		g, access := of(a.Client), a.Access
		if len(access) == 0 {
			access = interaction.Access(a.Resources, a.Scopes)
		}
		g.add(a.Scopes, nil, access, f.Created)
		g.offline = g.offline || a.Offline
		g.lastUsed = later(g.lastUsed, later(f.Created, f.Moved))
	}
	return e.registered(v, all)
}

// registered are the grants of clients that are registered still; nothing of a removed one lives.
func (e *Endpoint) registered(v visit, all map[string]*grant) ([]grant, error) {
	find := e.clients(v.r.Context())
	var grants []grant
	for id, g := range all {
		var err error
		if g.client, err = find(id); err != nil {
			return nil, err
		}
		if g.client.ID != "" {
			grants = append(grants, *g)
		}
	}
	slices.SortFunc(grants, func(a, b grant) int {
		return cmp.Or(later(b.lastUsed, b.since).Compare(later(a.lastUsed, a.since)), cmp.Compare(a.client.ID, b.client.ID))
	})
	return grants, nil
}

// grants is access, for who has not read the sessions.
func (e *Endpoint) grants(v visit) ([]grant, error) {
	sessions, err := e.sessions(v)
	if err != nil {
		return nil, err
	}
	return e.access(v, sessions)
}

// AppsPage says which apps have access.
func (e *Endpoint) AppsPage() Handler {
	return e.get(AppsPath, func(v visit) error {
		grants, err := e.grants(v)
		if err != nil {
			return err
		}
		page := web.AccountApps{Own: e.frame(v)}
		grants, page.Paging = part(grants, v.r, e.Base+AppsPath)
		zone := interaction.Zone(v.user)
		for _, g := range grants {
			c := g.client
			row := web.AppRow{ID: c.ID, App: app(c.ID, c), Offline: g.offline, Trusted: c.Trusted, Since: g.since.In(zone)}
			row.App.Logo = e.Logos.URL(v.r.Context(), c.LogoURI)
			if !g.lastUsed.IsZero() {
				row.LastUsed = g.lastUsed.In(zone)
			}
			var rest []string
			if row.APIs, rest, err = interaction.APIs(v.r.Context(), e.Store, c, g.access, g.scopes); err != nil {
				return err
			}
			row.Scopes, _ = interaction.Words(e.Claims, rest, g.claims)
			page.Rows = append(page.Rows, row)
		}
		return e.write(v, http.StatusOK, page)
	})
}

// Withdraw takes an app's access away.
func (e *Endpoint) Withdraw() Handler {
	return e.post(AppsPath, func(v visit, form oauth.Params) error {
		grants, err := e.grants(v)
		if err != nil {
			return err
		}
		id := form.Get("client")
		if !slices.ContainsFunc(grants, func(g grant) bool { return g.client.ID == id }) { // withdrawn meanwhile, or never given
			oauth.SeeOther(v.w, e.Base+AppsPath)
			return nil
		}
		ended, err := e.Store.Withdraw(v.r.Context(), v.user.Sub, id, e.change(v, "withdrawn by the user"))
		return e.ended(v, ended, err)
	})
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a[:len(a):len(a)], s)
		}
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
