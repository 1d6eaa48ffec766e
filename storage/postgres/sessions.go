package postgres

import (
	"context"
	"slices"
	"time"

	"signet/storage"
	"signet/storage/internal/decide"
)

const (
	// selectBrowser has a row for each session of the browser, and one without a session where it has none.
	selectBrowser = `SELECT b.revision, b.record, s.revision, s.record, u.revision, u.record
		FROM signet.browsers b LEFT JOIN signet.sessions s ON s.id = ANY(b.sessions) LEFT JOIN signet.users u ON u.sub = s.sub
		WHERE b.id = $1`
	// selectSignIn is all that a sign-in depends on: the interaction, the user, their history, and the browser until now as in selectBrowser.
	selectSignIn = `SELECT i.revision, i.record, me.revision, me.record, h.revision, h.record, b.revision, b.record, s.revision, s.record, u.revision, u.record
		FROM (SELECT) one LEFT JOIN signet.interactions i ON i.id = $1 LEFT JOIN signet.users me ON me.sub = $2
			LEFT JOIN signet.histories h ON h.sub = $2 LEFT JOIN signet.browsers b ON b.id = $3
			LEFT JOIN signet.sessions s ON s.id = ANY(b.sessions) LEFT JOIN signet.users u ON u.sub = s.sub`
	// selectChoice is the interaction, and the browser as in selectBrowser.
	selectChoice = `SELECT i.revision, i.record, b.revision, b.record, s.revision, s.record, u.revision, u.record
		FROM (SELECT) one LEFT JOIN signet.interactions i ON i.id = $1 LEFT JOIN signet.browsers b ON b.id = $2
			LEFT JOIN signet.sessions s ON s.id = ANY(b.sessions) LEFT JOIN signet.users u ON u.sub = s.sub`
	selectSession = `SELECT revision, record FROM signet.sessions WHERE id = $1`
	insertBrowser = `INSERT INTO signet.browsers (id, sessions, expires, record) VALUES ($1, $2, $3, $4)`
	insertSession = `INSERT INTO signet.sessions (id, sub, expires, record) VALUES ($1, $2, $3, $4)`
)

var (
	updateSession = guarded(`UPDATE signet.sessions SET revision = revision + 1, expires = $3, record = $4 WHERE id = $1 AND revision = $2`)
	// updateSessions is updateSession for arrays of the same length, $4.
	updateSessions = guardedAll(`UPDATE signet.sessions s SET revision = s.revision + 1, record = v.record
		FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) v (id, revision, record) WHERE s.id = v.id AND s.revision = v.revision`)
	// sameSession is to sessions what sameUser is to users.
	sameSession   = held("sessions", "id")
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

func (a *act) updateSession(session storage.Session, revision int64) {
	a.write(updateSession, session.ID[:], revision, expiry(session.IdleExpires, session.Expires), a.row(session))
}

// SignIn implements [storage.Interactions]. It happens when its session is created. Who ends what the user has must not miss it: the user
// stays as they were read until the commit.
func (s *Store) SignIn(ctx context.Context, in storage.SignIn) (done storage.SignedIn, err error) {
	one := s.noting(in.Session.User)
	one.Lock()
	defer one.Unlock()
	err = s.do(ctx, func(a *act) error {
		now := in.Session.Created
		var interaction got[storage.Interaction]
		var user got[storage.User]
		var history got[storage.History]
		old := a.readBrowser(selectSignIn, []any{in.Interaction.ID[:], in.Session.User, in.Old.ID[:]}, &interaction, &user, &history)
		if err := openInteraction(interaction, in.Interaction, now); err != nil {
			return err
		}
		var before []storage.SessionUser
		if old.isLive(in.Old, now) {
			before = old.live(now)
		}
		next, err := decide.SignIn(in, interaction.Record, user.Record, before, history.Record)
		if err != nil {
			return err
		}
		a.write(sameUser, user.Record.Sub, user.Revision)
		if old.isLive(in.Old, now) {
			a.write(deleteBrowser, old.Record.ID[:], old.Revision)
		}
		a.write(insertBrowser, next.Browser.ID[:], idBytes(next.Browser.Sessions), next.Browser.Expires, a.row(next.Browser))
		for _, moved := range next.Moved {
			a.updateSession(moved, old.revision(moved.ID))
		}
		if next.GoesOn {
			a.updateSession(next.Session, old.revision(next.Session.ID))
		} else {
			a.write(insertSession, next.Session.ID[:], next.Session.User, expiry(next.Session.IdleExpires, next.Session.Expires), a.row(next.Session))
		}
		interaction.Record = next.Interaction
		a.updateInteraction(interaction, true)
		a.saveHistory(history, next.History)
		a.record(next.Entry)
		done = storage.SignedIn{Session: next.Session, Note: next.Note}
		return nil
	})
	return done, err
}

// SelectSession implements [storage.Interactions].
func (s *Store) SelectSession(ctx context.Context, h, browser storage.Handle, session storage.ID, now time.Time) error {
	return s.do(ctx, func(a *act) error {
		var interaction got[storage.Interaction]
		open := a.readBrowser(selectChoice, []any{h.ID[:], browser.ID[:]}, &interaction)
		if err := openInteraction(interaction, h, now); err != nil {
			return err
		}
		at := slices.IndexFunc(open.sessions, func(s openSession) bool { return s.Session.ID == session })
		if at < 0 || !open.isLive(browser, now) {
			return storage.ErrEnded
		}
		next, err := decide.SelectSession(interaction.Record, open.Record, open.sessions[at].SessionUser, now)
		if err != nil {
			return err
		}
		interaction.Record = next
		a.updateInteraction(interaction, true)
		return nil
	})
}

// idBytes is a list of ids as a column has it.
func idBytes(ids []storage.ID) [][]byte {
	all := make([][]byte, len(ids))
	for i := range ids {
		all[i] = ids[i][:]
	}
	return all
}
