package postgres

import (
	"bytes"
	"context"
	"slices"

	"signet/audit"
	"signet/storage"
	"signet/storage/internal/decide"
)

const (
	selectSessionUsers = `SELECT s.revision, s.record, u.revision, u.record
		FROM signet.sessions s LEFT JOIN signet.users u ON u.sub = s.sub WHERE s.id = ANY($1)`
	selectSessionFamilies = `SELECT f.revision, f.record, f.status, u.revision, u.record
		FROM signet.families f LEFT JOIN signet.users u ON u.sub = f.sub WHERE f.sub = ANY($1) AND f.session = ANY($2) ORDER BY f.id`
	selectUserFamilies   = `SELECT revision, record, status FROM signet.families WHERE sub = $1 ORDER BY id`
	selectClientFamilies = `SELECT revision, record, status FROM signet.families WHERE sub = $1 AND client = $2 ORDER BY id`
	selectClients        = `SELECT revision, record FROM signet.clients WHERE id = ANY($1)`
	deleteConsents       = `DELETE FROM signet.consents WHERE sub = $1`
	deleteHistory        = `DELETE FROM signet.histories WHERE sub = $1`

	// onlySessions and onlyFamilies fail the pipeline where the user has one that was not read. Who begins one holds the user, or its session, until it is
	// there; an act that has written those before sees all of them.
	onlySessions = `SELECT CASE WHEN EXISTS (SELECT FROM signet.sessions WHERE sub = $1 AND id <> ALL($2::bytea[])) THEN signet.stale() ELSE 0 END`
	onlyFamilies = `SELECT CASE WHEN EXISTS (SELECT FROM signet.families f
			WHERE f.sub = $1 AND NOT EXISTS (SELECT FROM unnest($2::bytea[], $3::bigint[]) v (id, status) WHERE v.id = f.id AND v.status = f.status))
		THEN signet.stale() ELSE 0 END`
	onlySessionFamilies = `SELECT CASE WHEN EXISTS (SELECT FROM signet.families WHERE sub = ANY($1) AND session = ANY($2) AND id <> ALL($3::bytea[]))
		THEN signet.stale() ELSE 0 END`
	onlyClientFamilies = `SELECT CASE WHEN EXISTS (SELECT FROM signet.families WHERE sub = $1 AND client = $2 AND id <> ALL($3::bytea[]))
		THEN signet.stale() ELSE 0 END`
)

var deleteConsent = guarded(`DELETE FROM signet.consents WHERE sub = $1 AND client = $2 AND revision = $3`)

// An ending reads all that it may end, and writes it by a handful of statements, however many sessions and families there are. What others
// begin in the moment between is not overlooked: an act that begins something holds what that will live by (sameUser, sameSession), and an
// ending writes that first and then looks whether it has read all there is. Whichever of the two comes second runs anew.

// EndSessions implements [storage.Endings].
func (s *Store) EndSessions(ctx context.Context, ids []storage.ID, o storage.Change) (done storage.Ended, err error) {
	err = s.do(ctx, func(a *act) error {
		sessions := a.sessionsOf(ids)
		ending := decide.EndSessions(users(sessions), a.told(sessions), o)
		if done = ending.Ended(0); ending.ID.IsZero() {
			if len(sessions) > 0 {
				a.confirm()
			}
			return nil
		}
		a.saveEnding(ending, sessions)
		done.Families = a.endSessionFamilies(ending.Sessions, o)
		return nil
	})
	return done, err
}

// sessionsOf reads sessions and their users, in the order of ids.
func (a *act) sessionsOf(ids []storage.ID) (sessions []openSession) {
	var session got[storage.Session]
	var user got[storage.User]
	a.each(selectSessionUsers, []any{idBytes(ids)}, func() {
		sessions = append(sessions, openSession{storage.SessionUser{Session: session.Record, User: user.Record}, session.Revision})
	}, &session, &user)
	slices.SortFunc(sessions, func(x, y openSession) int { return slices.Index(ids, x.Session.ID) - slices.Index(ids, y.Session.ID) })
	return sessions
}

// endSessionFamilies ends the families that live by sessions that end, and returns how many.
func (a *act) endSessionFamilies(ended []storage.Session, o storage.Change) int {
	subs := make([]string, len(ended))
	ids := make([]storage.ID, len(ended))
	for i, s := range ended {
		subs[i], ids[i] = s.User, s.ID
	}
	var family gotFamily
	var user got[storage.User]
	var all []storage.ID
	var dead []gotFamily
	a.each(selectSessionFamilies, []any{subs, idBytes(ids)}, func() {
		all = append(all, family.Record.ID)
		if decide.WithSession(family.Record, user.Record, o.Now) {
			dead = append(dead, family)
		}
	}, &family, &user)
	a.write(onlySessionFamilies, subs, idBytes(ids), idBytes(all))
	a.endFamilies(dead, audit.SignedOut, o.Now)
	return len(dead)
}

// saveEnding stores what an ending decided, families aside. sessions are those that it was decided from.
func (a *act) saveEnding(e decide.Ending, sessions []openSession) {
	changed := slices.Concat(e.Sessions, e.Changed)
	if len(changed) > 0 {
		revisions := make(map[storage.ID]int64, len(sessions))
		for _, s := range sessions {
			revisions[s.Session.ID] = s.revision
		}
		var ids, records [][]byte
		var expected []int64
		for _, s := range changed {
			ids, expected, records = append(ids, bytes.Clone(s.ID[:])), append(expected, revisions[s.ID]), append(records, a.row(s))
		}
		a.write(updateSessions, ids, expected, records, int64(len(ids)))
	}
	a.insertNotices(e.Notices)
	a.record(e.Entries...)
}

// told says which of the clients that took part in sessions want to hear when one ends.
func (a *act) told(sessions []openSession) func(client string) bool {
	var ids []string
	for _, s := range sessions {
		ids = append(ids, s.Session.Clients...)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	told := make(map[string]bool, len(ids))
	if len(ids) > 0 {
		var client got[storage.Client]
		a.each(selectClients, []any{ids}, func() { told[client.Record.ID] = client.Record.BackchannelLogoutURI != "" }, &client)
	}
	return func(client string) bool { return told[client] }
}

// users are sessions without their revisions.
func users(sessions []openSession) []storage.SessionUser {
	all := make([]storage.SessionUser, len(sessions))
	for i, s := range sessions {
		all[i] = s.SessionUser
	}
	return all
}

// plain are sessions without their users and revisions.
func plain(sessions []openSession) []storage.Session {
	all := make([]storage.Session, len(sessions))
	for i, s := range sessions {
		all[i] = s.Session
	}
	return all
}

// sessionsOfUser reads all sessions of a user.
func (a *act) sessionsOfUser(user storage.User) (sessions []openSession) {
	var session got[storage.Session]
	a.each(`SELECT revision, record FROM signet.sessions WHERE sub = $1 ORDER BY id`, []any{user.Sub}, func() {
		sessions = append(sessions, openSession{storage.SessionUser{Session: session.Record, User: user}, session.Revision})
	}, &session)
	return sessions
}

// endUser ends all that was begun in the name of a user whose row is before, and after from this act on. The act has written that row.
func (a *act) endUser(before, after storage.User, o storage.Change) storage.Ended {
	sessions := a.sessionsOfUser(before)
	ids := make([]storage.ID, len(sessions))
	for i, s := range sessions {
		ids[i] = s.Session.ID
	}
	ending := decide.EndUser(before, after, plain(sessions), a.told(sessions), o)
	a.saveEnding(ending, sessions)
	a.write(onlySessions, before.Sub, idBytes(ids))
	return ending.Ended(a.markFamilies(before, o))
}

// markFamilies marks the families of a user who is ended: they die by the user's epoch, and their rows stay as they are. It returns how
// many they were.
func (a *act) markFamilies(before storage.User, o storage.Change) (died int) {
	var family gotFamily
	var ids []storage.ID
	var statuses []int64
	var numbers []uint64
	a.each(selectUserFamilies, []any{before.Sub}, func() {
		ids, statuses = append(ids, family.Record.ID), append(statuses, family.status.Int64)
		if decide.Runs(family.Record, before, o.Now) {
			died++
			numbers = append(numbers, family.Record.Status)
		}
	}, &family)
	a.write(onlyFamilies, before.Sub, idBytes(ids), statuses)
	a.mark(o.Now, numbers...)
	return died
}

// EndUser implements [storage.Endings].
func (s *Store) EndUser(ctx context.Context, sub string, o storage.Change) (done storage.Ended, err error) {
	if !storable(sub) {
		return storage.Ended{}, storage.ErrNotFound
	}
	err = s.do(ctx, func(a *act) error {
		var old got[storage.User]
		a.read(selectUser, []any{sub}, &old)
		if !old.Found {
			return storage.ErrNotFound
		}
		next := decide.NextEpoch(old.Record)
		a.write(updateUser, sub, old.Revision, a.row(next))
		a.record(decide.UserEnded(sub, o))
		done = a.endUser(old.Record, next, o)
		return nil
	})
	return done, err
}

// Withdraw implements [storage.Endings].
func (s *Store) Withdraw(ctx context.Context, sub, client string, o storage.Change) (done storage.Ended, err error) {
	if !storable(sub) || !storable(client) {
		return storage.Ended{}, nil
	}
	err = s.do(ctx, func(a *act) error {
		done = storage.Ended{}
		var user got[storage.User]
		var consent got[storage.Consent]
		a.read(`SELECT u.revision, u.record, c.revision, c.record FROM signet.users u LEFT JOIN signet.consents c ON c.sub = u.sub AND c.client = $2
			WHERE u.sub = $1`, []any{sub, client}, &user, &consent)
		if !user.Found {
			return nil
		}
		sessions := a.sessionsOfUser(user.Record)
		var family gotFamily
		var running []gotFamily
		var families []storage.Family
		var all []storage.ID
		a.each(selectClientFamilies, []any{sub, client}, func() {
			all = append(all, family.Record.ID)
			if decide.Runs(family.Record, user.Record, o.Now) {
				running, families = append(running, family), append(families, family.Record)
			}
		}, &family)
		ending := decide.Withdraw(user.Record, client, consent.Found, plain(sessions), families, a.told(sessions), o)
		if ending.ID.IsZero() {
			a.confirm()
			return nil
		}
		if consent.Found {
			a.write(deleteConsent, sub, client, consent.Revision)
		}
		a.saveEnding(ending, sessions)
		a.write(onlyClientFamilies, sub, client, idBytes(all))
		a.endFamilies(running, audit.ConsentWithdrawn, o.Now)
		done = ending.Ended(len(running))
		return nil
	})
	return done, err
}
