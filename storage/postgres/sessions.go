package postgres

import (
	"context"
	"slices"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/internal/decide"
)

const (
	// selectBrowser has a row for each session of the browser, and one without a session where it has none.
	selectBrowser = `SELECT b.revision, b.record, s.revision, s.record, u.revision, u.record
		FROM signet.browsers b LEFT JOIN signet.sessions s ON s.id = ANY(b.sessions) LEFT JOIN signet.users u ON u.sub = s.sub
		WHERE b.id = $1`
	// selectSignIn is all that a sign-in depends on: the interaction, the user, and the browser until now as in selectBrowser.
	selectSignIn = `SELECT i.revision, i.record, me.revision, me.record, b.revision, b.record, s.revision, s.record, u.revision, u.record
		FROM (SELECT) one LEFT JOIN signet.interactions i ON i.id = $1 LEFT JOIN signet.users me ON me.sub = $2
			LEFT JOIN signet.browsers b ON b.id = $3
			LEFT JOIN signet.sessions s ON s.id = ANY(b.sessions) LEFT JOIN signet.users u ON u.sub = s.sub`
	selectSession = `SELECT revision, record FROM signet.sessions WHERE id = $1`
	insertBrowser = `INSERT INTO signet.browsers (id, sessions, expires, record) VALUES ($1, $2, $3, $4)`
	insertSession = `INSERT INTO signet.sessions (id, sub, expires, record) VALUES ($1, $2, $3, $4)`
)

var (
	updateSession = guarded(`UPDATE signet.sessions SET revision = revision + 1, expires = $3, record = $4 WHERE id = $1 AND revision = $2`)
	deleteBrowser = guarded(`DELETE FROM signet.browsers WHERE id = $1 AND revision = $2`)
)

// openBrowser is a browser as it was read, and its sessions.
type openBrowser struct {
	got[storage.Browser]
	sessions []openSession // in the browser's own order
}

type openSession struct {
	storage.SessionUser
	revision int64
}

// readBrowser reads one, beside what other cells want from the same query.
func (a *act) readBrowser(sql string, args []any, others ...cell) (b openBrowser) {
	var session got[storage.Session]
	var user got[storage.User]
	a.each(sql, args, func() {
		if session.Found {
			b.sessions = append(b.sessions, openSession{storage.SessionUser{Session: session.Record, User: user.Record}, session.Revision})
		}
	}, append(others, &b.got, &session, &user)...)
	slices.SortFunc(b.sessions, func(x, y openSession) int {
		return slices.Index(b.Record.Sessions, x.Session.ID) - slices.Index(b.Record.Sessions, y.Session.ID)
	})
	return b
}

// isLive says whether the browser is the one that h is the cookie of, and good at the instant now.
func (b openBrowser) isLive(h storage.Handle, now time.Time) bool {
	return b.Found && b.Record.SecretHash.Matches(h.Secret[:]) && now.Before(b.Record.Expires)
}

// live returns its live sessions, the last used one last.
func (b openBrowser) live(now time.Time) []storage.SessionUser {
	var all []storage.SessionUser
	for _, s := range b.sessions {
		all = append(all, s.SessionUser)
	}
	return decide.LiveSessions(all, now)
}

// revision returns what a write that follows on a session expects.
func (b openBrowser) revision(id storage.ID) int64 {
	return b.sessions[slices.IndexFunc(b.sessions, func(s openSession) bool { return s.Session.ID == id })].revision
}

// Browser implements [storage.Browsers].
func (s *Store) Browser(ctx context.Context, h storage.Handle, now time.Time) (b storage.Browser, live []storage.SessionUser, err error) {
	err = s.do(ctx, func(a *act) error {
		open := a.readBrowser(selectBrowser, []any{h.ID[:]})
		if !open.isLive(h, now) {
			return storage.ErrNotFound
		}
		b, live = open.Record, open.live(now)
		return nil
	})
	return b, live, err
}

// EndSession ends one session.
func (s *Store) EndSession(ctx context.Context, id storage.ID, o storage.Change) error {
	return s.do(ctx, func(a *act) error {
		var session got[storage.Session]
		a.read(selectSession, []any{id[:]}, &session)
		switch {
		case session.Found && session.Record.Ended.IsZero():
			a.endSession(session.Record, session.Revision, o)
		case session.Found:
			a.confirm()
		}
		return nil
	})
}

func (a *act) endSession(session storage.Session, revision int64, o storage.Change) {
	ended, entry := decide.EndSession(session, o)
	a.updateSession(ended, revision)
	a.record(entry)
}

func (a *act) updateSession(session storage.Session, revision int64) {
	a.write(updateSession, session.ID[:], revision, expiry(session.IdleExpires, session.Expires), a.row(session))
}

// SignIn implements [storage.Interactions]. It happens when its session is created.
func (s *Store) SignIn(ctx context.Context, in storage.SignIn) (done storage.SignedIn, err error) {
	err = s.do(ctx, func(a *act) error {
		now := in.Session.Created
		var interaction got[storage.Interaction]
		var user got[storage.User]
		old := a.readBrowser(selectSignIn, []any{in.Interaction.ID[:], in.Session.User, in.Old.ID[:]}, &interaction, &user)
		if err := openInteraction(interaction, in.Interaction, now); err != nil {
			return err
		}
		if !user.Found || user.Record.Disabled || user.Record.Epoch != in.Session.Epoch {
			return storage.ErrEnded
		}
		browser, session := in.Browser, in.Session
		browser.Sessions = nil
		if old.isLive(in.Old, now) {
			a.write(deleteBrowser, old.Record.ID[:], old.Revision)
			browser.Sessions = a.moveSessions(old, browser.ID, session.User, storage.Change{Now: now, Origin: in.Origin, Detail: "signed in again"})
		}
		browser.Sessions = append(browser.Sessions, session.ID)
		session.Browser = browser.ID
		interaction.Record.Session = session.ID
		a.write(insertBrowser, browser.ID[:], idBytes(browser.Sessions), browser.Expires, a.row(browser))
		a.write(insertSession, session.ID[:], session.User, expiry(session.IdleExpires, session.Expires), a.row(session))
		a.updateInteraction(interaction, true)
		a.record(audit.Entry{
			Time: now, Event: audit.SignInSucceeded, Origin: in.Origin,
			Client: interaction.Record.Request.Client, User: session.User, Session: session.ID.String(),
		})
		done = storage.SignedIn{Session: session}
		return nil
	})
	return done, err
}

// moveSessions moves the live sessions of a browser to another one and returns their ids. Those of the account that signs in there
// end instead.
func (a *act) moveSessions(from openBrowser, to storage.ID, account string, o storage.Change) (moved []storage.ID) {
	for _, su := range from.live(o.Now) {
		revision := from.revision(su.Session.ID)
		if su.Session.User == account {
			a.endSession(su.Session, revision, o)
			continue
		}
		su.Session.Browser = to
		a.updateSession(su.Session, revision)
		moved = append(moved, su.Session.ID)
	}
	return moved
}

// idBytes is a list of ids as a column has it.
func idBytes(ids []storage.ID) [][]byte {
	all := make([][]byte, len(ids))
	for i := range ids {
		all[i] = ids[i][:]
	}
	return all
}
