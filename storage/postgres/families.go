package postgres

import (
	"bytes"
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
	"signet/storage/internal/decide"
)

const (
	selectFamilyUser = `SELECT f.revision, f.record, f.status, u.revision, u.record
		FROM signet.families f LEFT JOIN signet.users u ON u.sub = f.sub WHERE f.id = $1`
	selectFamilyState = `SELECT f.revision, f.record, f.status, c.revision, c.record, u.revision, u.record, s.revision, s.record
		FROM signet.families f LEFT JOIN signet.clients c ON c.id = f.client LEFT JOIN signet.users u ON u.sub = f.sub
			LEFT JOIN signet.sessions s ON s.id = f.session WHERE f.id = $1`
	insertFamily = `INSERT INTO signet.families (id, client, sub, session, expires, record, status)
		VALUES ($1, $2, $3, $4, $5, $6, nextval('signet.numbers')) RETURNING status`
)

var (
	updateFamily = guarded(`UPDATE signet.families SET revision = revision + 1, expires = $3, record = $4 WHERE id = $1 AND revision = $2`)
	// numberFamily gives a fresh number as well, and answers with it.
	numberFamily = `WITH done AS (
			UPDATE signet.families SET revision = revision + 1, expires = $3, record = $4, status = nextval('signet.numbers')
			WHERE id = $1 AND revision = $2 RETURNING status)
		SELECT coalesce((SELECT status FROM done), signet.stale())`
	// updateFamilies is updateFamily for arrays of the same length, $4.
	updateFamilies = guardedAll(`UPDATE signet.families f SET revision = f.revision + 1, record = v.record
		FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) v (id, revision, record) WHERE f.id = v.id AND f.revision = v.revision`)
)

// gotFamily is a family as it was read: its column is right where its record disagrees about the number.
type gotFamily struct {
	got[storage.Family]
	status pgtype.Int8
}

func (g *gotFamily) targets() []any { return append(g.got.targets(), &g.status) }

func (g *gotFamily) decode() error {
	err := g.got.decode()
	if g.Found {
		g.Record.Status = uint64(g.status.Int64)
	}
	return err
}

// insertFamily stores a new family. Its number is in status once the act's writes are done.
func (a *act) insertFamily(f storage.Family, status *uint64) {
	auth := f.Authorization
	a.write(insertFamily, f.ID[:], auth.Client, auth.User, auth.Session[:], expiry(f.IdleExpires, f.Expires), a.row(f)).QueryRow(scanNumber(status))
}

func (a *act) updateFamily(f storage.Family, revision int64) {
	a.write(updateFamily, f.ID[:], revision, expiry(f.IdleExpires, f.Expires), a.row(f))
}

// numberFamily is updateFamily with a fresh number, which is in status once the act's writes are done. Who ends what the user has must not
// miss it: the user stays as they were read until the commit.
func (a *act) numberFamily(f storage.Family, revision int64, user got[storage.User], status *uint64) {
	if user.Taken {
		a.write(sameUser, f.Authorization.User, user.Revision)
	}
	a.write(numberFamily, f.ID[:], revision, expiry(f.IdleExpires, f.Expires), a.row(f)).QueryRow(scanNumber(status))
}

func scanNumber(status *uint64) func(pgx.Row) error {
	return func(row pgx.Row) error {
		var n int64
		err := row.Scan(&n)
		*status = uint64(n)
		return err
	}
}

// endFamily ends a family, and what its access tokens carry.
func (a *act) endFamily(f gotFamily, by audit.Event, now time.Time) {
	a.updateFamily(decide.EndFamily(f.Record, by, now), f.Revision)
	a.mark(now, f.Record.Status)
}

// endFamilies is endFamily for any number of them, by two statements.
func (a *act) endFamilies(families []gotFamily, by audit.Event, now time.Time) {
	if len(families) == 0 {
		return
	}
	var ids, records [][]byte
	var revisions []int64
	var numbers []uint64
	for _, f := range families {
		ids, revisions = append(ids, bytes.Clone(f.Record.ID[:])), append(revisions, f.Revision)
		records, numbers = append(records, a.row(decide.EndFamily(f.Record, by, now))), append(numbers, f.Record.Status)
	}
	a.write(updateFamilies, ids, revisions, records, int64(len(ids)))
	a.mark(now, numbers...)
}

// GrantFamily implements [storage.Families]. Who ends what the user has must not miss it: the user stays as they were read until the commit.
func (s *Store) GrantFamily(ctx context.Context, f storage.Family, o storage.Change) (granted storage.Family, err error) {
	sub := f.Authorization.User
	if !storable(sub) {
		return storage.Family{}, storage.ErrEnded
	}
	err = s.do(ctx, func(a *act) (err error) {
		var user got[storage.User]
		a.read(selectUser, []any{sub}, &user)
		if granted, err = decide.GrantFamily(f, user.Record); err != nil {
			return err
		}
		a.write(sameUser, sub, user.Revision)
		a.insertFamily(granted, &granted.Status)
		a.record(decide.FamilyEntry(audit.AssertionGranted, granted, o))
		return nil
	})
	return granted, err
}

// RotateFamily implements [storage.Families].
func (s *Store) RotateFamily(ctx context.Context, r storage.Rotation) (family storage.Family, user storage.User, err error) {
	r.Now = codec.UTC(r.Now)
	err = s.do(ctx, func(a *act) error {
		var before gotFamily
		var owner got[storage.User]
		a.read(selectFamilyUser, []any{r.Family[:]}, &before, &owner)
		if !before.Found {
			return storage.ErrNotFound
		}
		after, err := before.Record.Rotate(owner.Record, r)
		family, user = after, owner.Record
		switch {
		case !decide.Moved(before.Record, after):
		case err == nil && after.Status == 0: // it was begun by a program that gave none
			a.numberFamily(after, before.Revision, owner, &family.Status)
		default:
			a.updateFamily(after, before.Revision)
		}
		if event, worth := decide.RotationEvent(err); worth {
			a.record(decide.FamilyEntry(event, after, storage.Change{Now: r.Now, Origin: r.Origin}))
		}
		if !after.Ended.Equal(before.Record.Ended) {
			a.mark(r.Now, after.Status)
		}
		return err
	})
	if err != nil {
		return storage.Family{}, storage.User{}, err
	}
	return family, user, nil
}

// clientsFamily reads a family that its client wants to end, whole or in part; ok is false if there is nothing to do.
func (a *act) clientsFamily(id storage.ID, client string) (f gotFamily, user got[storage.User], ok bool, err error) {
	a.read(selectFamilyUser, []any{id[:]}, &f, &user)
	if f.Found {
		ok, err = decide.ClientsFamily(f.Record, client)
	}
	return f, user, ok, err
}

// EndFamily implements [storage.Families].
func (s *Store) EndFamily(ctx context.Context, id storage.ID, client string, o storage.Change) error {
	return s.do(ctx, func(a *act) error {
		f, _, ok, err := a.clientsFamily(id, client)
		if ok {
			a.endFamily(f, audit.FamilyEnded, o.Now)
			a.record(decide.FamilyEntry(audit.FamilyEnded, f.Record, o))
		} else if f.Found {
			a.confirm()
		}
		return err
	})
}

// EndAccess implements [storage.Families].
func (s *Store) EndAccess(ctx context.Context, id storage.ID, series uint32, client string, o storage.Change) error {
	return s.do(ctx, func(a *act) error {
		f, user, ok, err := a.clientsFamily(id, client)
		next := f.Record
		if ok {
			next, ok = decide.EndSeries(f.Record, series)
		}
		if ok {
			a.numberFamily(next, f.Revision, user, new(uint64))
			a.markFor(o.Now, o.AccessLife, f.Record.Status)
			a.record(decide.FamilyEntry(audit.AccessEnded, next, o))
		} else if f.Found {
			a.confirm()
		}
		return err
	})
}

// Family implements [storage.Families].
func (s *Store) Family(ctx context.Context, id storage.ID) (state storage.FamilyState, err error) {
	err = s.do(ctx, func(a *act) error {
		var family gotFamily
		var client got[storage.Client]
		var user got[storage.User]
		var session got[storage.Session]
		a.read(selectFamilyState, []any{id[:]}, &family, &client, &user, &session)
		if !family.Found {
			return storage.ErrNotFound
		}
		state = storage.FamilyState{Family: family.Record, Client: client.Record, User: user.Record, Session: session.Record}
		return nil
	})
	return state, err
}
