package bolt

import (
	"cmp"
	"context"
	"slices"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/internal/decide"
)

// told says which clients want to know that a session ended.
func (s *Store) told(t *tx) func(client string) bool {
	return func(client string) bool {
		c, _ := s.clients.get(t, client)
		return c.BackchannelLogoutURI != ""
	}
}

// storeEnding stores what an ending changes, families aside.
func (t *tx) storeEnding(e decide.Ending) {
	for _, session := range slices.Concat(e.Sessions, e.Changed) {
		sessionRows.put(t, session.ID[:], session)
	}
	for _, n := range e.Notices {
		t.putNotice(storage.Notice{}, n)
	}
	t.recordAll(e.Entries)
}

// EndSessions implements [storage.Endings].
func (s *Store) EndSessions(ctx context.Context, ids []storage.ID, o storage.Change) (ended storage.Ended, err error) {
	err = s.do(ctx, func(t *tx) error {
		var sessions []storage.SessionUser
		for i, id := range ids {
			if session, ok := sessionRows.get(t, id[:]); ok && !slices.Contains(ids[:i], id) {
				user, _ := s.users.get(t, session.User)
				sessions = append(sessions, storage.SessionUser{Session: session, User: user})
			}
		}
		e := decide.EndSessions(sessions, s.told(t), o)
		families := 0
		for _, session := range e.Sessions {
			families += s.endWith(t, session, o)
		}
		t.storeEnding(e)
		ended = e.Ended(families)
		return nil
	})
	return ended, err
}

// endWith ends the families that live by a session, and returns how many.
func (s *Store) endWith(t *tx, session storage.Session, o storage.Change) (n int) {
	user, _ := s.users.get(t, session.User)
	for _, f := range t.begunIn(session) {
		if decide.WithSession(f, user, o.Now) {
			s.endFamily(t, f, audit.SignedOut, o.Now)
			n++
		}
	}
	return n
}

// EndUser implements [storage.Endings].
func (s *Store) EndUser(ctx context.Context, sub string, o storage.Change) (ended storage.Ended, err error) {
	err = s.do(ctx, func(t *tx) error {
		before, ok := s.users.get(t, sub)
		if !ok {
			return storage.ErrNotFound
		}
		after := decide.NextEpoch(before)
		s.users.put(t, sub, after)
		t.record(decide.UserEnded(sub, o))
		ended = s.endUser(t, before, after, o)
		return nil
	})
	return ended, err
}

// endUser ends what was begun in the name of a user whose row was before and is after now. The families are dead by the epoch: their
// rows stay as they are.
func (s *Store) endUser(t *tx, before, after storage.User, o storage.Change) storage.Ended {
	sessions, families := t.begunBy(before.Sub)
	e := decide.EndUser(before, after, sessions, s.told(t), o)
	var numbers []uint64
	for _, f := range families {
		if decide.Runs(f, before, o.Now) {
			numbers = append(numbers, f.Status)
		}
	}
	t.mark(o.Now, numbers...)
	t.storeEnding(e)
	return e.Ended(len(numbers))
}

// Withdraw implements [storage.Endings].
func (s *Store) Withdraw(ctx context.Context, sub, client string, o storage.Change) (ended storage.Ended, err error) {
	err = s.do(ctx, func(t *tx) error {
		user, _ := s.users.get(t, sub)
		_, consented := consentRows.get(t, consentKey(sub, client))
		sessions, families := t.begunBy(sub)
		families = slices.DeleteFunc(families, func(f storage.Family) bool {
			return f.Authorization.Client != client || !decide.Runs(f, user, o.Now)
		})
		e := decide.Withdraw(user, client, consented, sessions, families, s.told(t), o)
		if e.ID.IsZero() {
			return nil
		}
		if consented {
			consentRows.delete(t, consentKey(sub, client))
		}
		for _, f := range families {
			s.endFamily(t, f, audit.ConsentWithdrawn, o.Now)
		}
		t.storeEnding(e)
		ended = e.Ended(len(families))
		return nil
	})
	return ended, err
}

// Sessions implements [storage.Endings].
func (s *Store) Sessions(ctx context.Context, sub string, now time.Time) (live []storage.Session, err error) {
	var all []storage.SessionUser
	err = s.view(ctx, func(t *tx) error {
		user, _ := s.users.get(t, sub)
		sessions, _ := t.begunBy(sub)
		for _, session := range sessions {
			all = append(all, storage.SessionUser{Session: session, User: user})
		}
		return nil
	})
	for _, su := range decide.LiveSessions(all, now) {
		live = append(live, su.Session)
	}
	return live, err
}

// Families implements [storage.Endings].
func (s *Store) Families(ctx context.Context, sub string, now time.Time) (live []storage.Family, err error) {
	err = s.view(ctx, func(t *tx) error {
		user, _ := s.users.get(t, sub)
		_, families := t.begunBy(sub)
		for _, f := range families {
			session := func() storage.Session {
				session, _ := sessionRows.get(t, f.Authorization.Session[:])
				return session
			}
			if decide.Listed(f, user, session, now) {
				live = append(live, f)
			}
		}
		return nil
	})
	slices.SortStableFunc(live, func(a, b storage.Family) int {
		return cmp.Or(a.Created.Compare(b.Created), slices.Compare(a.ID[:], b.ID[:]))
	})
	return live, err
}

// Consents implements [storage.Endings].
func (s *Store) Consents(ctx context.Context, sub string) (consents []storage.Consent, err error) {
	err = s.view(ctx, func(t *tx) error {
		for _, key := range keysWith(t.bucket([]byte(consentRows)), userPrefix(sub)) {
			c, _ := consentRows.get(t, key)
			consents = append(consents, c)
		}
		return nil
	})
	return consents, err
}

// Session implements [storage.Endings].
func (s *Store) Session(ctx context.Context, id storage.ID) (su storage.SessionUser, err error) {
	err = s.view(ctx, func(t *tx) (err error) {
		if su.Session, err = found(sessionRows.get(t, id[:])); err == nil {
			su.User, _ = s.users.get(t, su.Session.User)
		}
		return err
	})
	return su, err
}
