// Package decide holds what the acts of every backend decide alike, beside the rules of the records in package storage: what a
// row becomes, and which entries the audit log gets. All of it is pure; a backend reads, asks here, and writes.
package decide

import (
	"slices"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
)

// Revise compares the revision that a change was made from with the stored one. A taken id need not exist any more.
func Revise(taken, exists bool, stored, from uint64) error {
	switch {
	case from == 0 && taken:
		return storage.ErrExists
	case from == 0:
		return nil
	case !exists:
		return storage.ErrNotFound
	case from != stored:
		return storage.ErrConflict
	}
	return nil
}

// OpenInteraction says whether an interaction, whose secret was compared before, is open at the instant now.
func OpenInteraction(i storage.Interaction, now time.Time) error {
	switch {
	case i.Spent:
		return storage.ErrSpent
	case !now.Before(i.Expires):
		return storage.ErrExpired
	}
	return nil
}

// SpendInteraction is an open interaction as finished. Its row stays, to say so to whoever comes with it again; the request in it
// has done its work.
func SpendInteraction(i storage.Interaction) storage.Interaction {
	i.Spent, i.Request = true, storage.Request{}
	return i
}

// AddConsent adds c to what its user allowed its client before; old is zero if that is nothing.
func AddConsent(old, c storage.Consent, now time.Time) storage.Consent {
	c.Scopes = union(old.Scopes, c.Scopes)
	c.Claims = union(old.Claims, c.Claims)
	c.Resources = union(old.Resources, c.Resources)
	c.Since, c.Updated = now, now
	if !old.Since.IsZero() {
		c.Since = old.Since
	}
	return c
}

// union returns the members of a and then those that b has beside them.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// usedWithin is how exactly the last use of a session is known, where its idle expiry has nothing to gain.
const usedWithin = 24 * time.Hour

// UseSession returns the session after a use by a client, and whether that is worth a write: see [storage.Issue].
func UseSession(session storage.Session, client string, idle time.Duration, now time.Time) (storage.Session, bool) {
	until := now.Add(idle)
	if until.After(session.Expires) {
		until = session.Expires
	}
	gain := until.Sub(session.IdleExpires)
	newcomer := !slices.Contains(session.Clients, client)
	if !newcomer && (gain <= 0 || gain < idle/10) && now.Sub(session.LastUsed) < usedWithin {
		return session, false
	}
	if newcomer {
		session.Clients = append(slices.Clip(session.Clients), client)
	}
	if gain > 0 {
		session.IdleExpires = until
	}
	session.LastUsed = now
	return session, true
}

// LiveSessions leaves out the sessions that are not live at the instant now, and puts the last used one last. The browser's own
// order, in which they come, is that of the sign-ins; it decides between sessions whose last use is the same.
func LiveSessions(sessions []storage.SessionUser, now time.Time) (live []storage.SessionUser) {
	for _, su := range sessions {
		if su.Session.Live(su.User, now) == nil {
			live = append(live, su)
		}
	}
	slices.SortStableFunc(live, func(a, b storage.SessionUser) int { return a.Session.LastUsed.Compare(b.Session.LastUsed) })
	return live
}

// Usable says whether an initial access token, whose secret was compared before, lets anybody register at the instant now.
func Usable(i storage.InitialToken, now time.Time) error {
	switch {
	case i.Uses == 0:
		return storage.ErrSpent
	case !i.Expires.IsZero() && !now.Before(i.Expires):
		return storage.ErrExpired
	}
	return nil
}

// CountUse counts one use of a token that does not have any number of them.
func CountUse(i storage.InitialToken, now time.Time) storage.InitialToken {
	if i.Uses--; i.Uses == 0 {
		i.Expires = codec.UTC(now) // from when the sweeper counts
	}
	return i
}

// InitialEntry is an entry about an initial access token.
func InitialEntry(event audit.Event, id storage.ID, o storage.Change) audit.Entry {
	return audit.Entry{Time: o.Now, Event: event, Origin: o.Origin, Detail: Join(id.String(), o.Detail)}
}

// Join puts what an entry has no field for in front of its detail.
func Join(what, detail string) string {
	if what == "" || detail == "" {
		return what + detail
	}
	return what + ": " + detail
}
