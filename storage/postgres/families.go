package postgres

import (
	"context"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
	"signet/storage/internal/decide"
)

const (
	selectFamily     = `SELECT revision, record FROM signet.families WHERE id = $1`
	selectFamilyUser = `SELECT f.revision, f.record, u.revision, u.record
		FROM signet.families f LEFT JOIN signet.users u ON u.sub = f.sub WHERE f.id = $1`
	selectFamilyState = `SELECT f.revision, f.record, c.revision, c.record, u.revision, u.record, s.revision, s.record
		FROM signet.families f LEFT JOIN signet.clients c ON c.id = f.client LEFT JOIN signet.users u ON u.sub = f.sub
			LEFT JOIN signet.sessions s ON s.id = f.session WHERE f.id = $1`
	insertFamily = `INSERT INTO signet.families (id, client, sub, session, expires, record) VALUES ($1, $2, $3, $4, $5, $6)`
)

var updateFamily = guarded(`UPDATE signet.families SET revision = revision + 1, expires = $3, record = $4 WHERE id = $1 AND revision = $2`)

func (a *act) insertFamily(f storage.Family) {
	auth := f.Authorization
	a.write(insertFamily, f.ID[:], auth.Client, auth.User, auth.Session[:], expiry(f.IdleExpires, f.Expires), a.row(f))
}

func (a *act) updateFamily(f storage.Family, revision int64) {
	a.write(updateFamily, f.ID[:], revision, expiry(f.IdleExpires, f.Expires), a.row(f))
}

// RotateFamily implements [storage.Families].
func (s *Store) RotateFamily(ctx context.Context, r storage.Rotation) (family storage.Family, user storage.User, err error) {
	r.Now = codec.UTC(r.Now)
	err = s.do(ctx, func(a *act) error {
		var before got[storage.Family]
		var owner got[storage.User]
		a.read(selectFamilyUser, []any{r.Family[:]}, &before, &owner)
		if !before.Found {
			return storage.ErrNotFound
		}
		after, err := before.Record.Rotate(owner.Record, r)
		if decide.Moved(before.Record, after) {
			a.updateFamily(after, before.Revision)
		}
		if event, worth := decide.RotationEvent(err); worth {
			a.record(decide.FamilyEntry(event, after, storage.Change{Now: r.Now, Origin: r.Origin}))
		}
		family, user = after, owner.Record
		return err
	})
	if err != nil {
		return storage.Family{}, storage.User{}, err
	}
	return family, user, nil
}

// clientsFamily reads a family that its client wants to end, whole or in part; ok is false if there is nothing to do.
func (a *act) clientsFamily(id storage.ID, client string) (f got[storage.Family], ok bool, err error) {
	a.read(selectFamily, []any{id[:]}, &f)
	if f.Found {
		ok, err = decide.ClientsFamily(f.Record, client)
	}
	return f, ok, err
}

// EndFamily implements [storage.Families].
func (s *Store) EndFamily(ctx context.Context, id storage.ID, client string, o storage.Change) error {
	return s.do(ctx, func(a *act) error {
		f, ok, err := a.clientsFamily(id, client)
		if ok {
			a.updateFamily(decide.EndFamily(f.Record, audit.FamilyEnded, o.Now), f.Revision)
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
		f, ok, err := a.clientsFamily(id, client)
		next := f.Record
		if ok {
			next, ok = decide.EndSeries(f.Record, series)
		}
		if ok {
			a.updateFamily(next, f.Revision)
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
		var family got[storage.Family]
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
