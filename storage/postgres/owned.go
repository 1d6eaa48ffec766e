package postgres

import (
	"context"
	"slices"
	"time"

	"signet/storage"
	"signet/storage/internal/decide"
)

const (
	// selectOwnedSessions has a row for each session of a user, and one without where there is none.
	selectOwnedSessions = `SELECT u.revision, u.record, s.revision, s.record
		FROM signet.users u LEFT JOIN signet.sessions s ON s.sub = u.sub WHERE u.sub = $1 ORDER BY s.id`
	selectOwnedFamilies = `SELECT f.revision, f.record, f.status, u.revision, u.record, s.revision, s.record
		FROM signet.families f JOIN signet.users u ON u.sub = f.sub LEFT JOIN signet.sessions s ON s.id = f.session WHERE f.sub = $1 ORDER BY f.id`
	selectOwnedConsents = `SELECT revision, record FROM signet.consents WHERE sub = $1 ORDER BY client`
	selectSessionUser   = `SELECT s.revision, s.record, u.revision, u.record
		FROM signet.sessions s LEFT JOIN signet.users u ON u.sub = s.sub WHERE s.id = $1`
)

// Sessions implements [storage.Endings].
func (s *Store) Sessions(ctx context.Context, sub string, now time.Time) (live []storage.Session, err error) {
	if !storable(sub) {
		return nil, nil
	}
	var all []storage.SessionUser
	err = s.do(ctx, func(a *act) error {
		all = nil
		var user got[storage.User]
		var session got[storage.Session]
		a.each(selectOwnedSessions, []any{sub}, func() {
			if session.Found {
				all = append(all, storage.SessionUser{Session: session.Record, User: user.Record})
			}
		}, &user, &session)
		return nil
	})
	for _, su := range decide.LiveSessions(all, now) {
		live = append(live, su.Session)
	}
	return live, err
}

// Families implements [storage.Endings].
func (s *Store) Families(ctx context.Context, sub string, now time.Time) (live []storage.Family, err error) {
	if !storable(sub) {
		return nil, nil
	}
	err = s.do(ctx, func(a *act) error {
		live = nil
		var family gotFamily
		var user got[storage.User]
		var session got[storage.Session]
		a.each(selectOwnedFamilies, []any{sub}, func() {
			if decide.Listed(family.Record, user.Record, func() storage.Session { return session.Record }, now) {
				live = append(live, family.Record)
			}
		}, &family, &user, &session)
		return nil
	})
	slices.SortStableFunc(live, func(a, b storage.Family) int { return a.Created.Compare(b.Created) })
	return live, err
}

// Consents implements [storage.Endings].
func (s *Store) Consents(ctx context.Context, sub string) (consents []storage.Consent, err error) {
	if !storable(sub) {
		return nil, nil
	}
	return list[storage.Consent](ctx, s, selectOwnedConsents, sub)
}

// Session implements [storage.Endings].
func (s *Store) Session(ctx context.Context, id storage.ID) (su storage.SessionUser, err error) {
	err = s.do(ctx, func(a *act) error {
		var session got[storage.Session]
		var user got[storage.User]
		a.read(selectSessionUser, []any{id[:]}, &session, &user)
		if !session.Found {
			return storage.ErrNotFound
		}
		su = storage.SessionUser{Session: session.Record, User: user.Record}
		return nil
	})
	return su, err
}
