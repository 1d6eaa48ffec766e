package bolt

import (
	"context"
	"errors"
	"math"
	"time"

	"signet/audit"
	"signet/storage"
)

const familyRows table[storage.Family] = "families"

// asStored is f as it will be read again.
func asStored(f storage.Family) storage.Family {
	for _, t := range []*time.Time{&f.Moved, &f.Created, &f.IdleExpires, &f.Expires, &f.Ended} {
		*t = utc(*t)
	}
	return f
}

// RotateFamily implements [storage.Families].
func (s *Store) RotateFamily(ctx context.Context, r storage.Rotation) (family storage.Family, user storage.User, err error) {
	r.Now = utc(r.Now)
	err = s.do(ctx, func(t *tx) error {
		before, ok := familyRows.get(t, r.Family[:])
		if !ok {
			return storage.ErrNotFound
		}
		user, _ = s.users.get(t, before.Authorization.User)
		after, err := before.Rotate(user, r)
		if moved(before, after) {
			familyRows.put(t, after.ID[:], after)
		}
		if event, worth := rotationEvent(err); worth {
			t.record(familyEntry(event, after, storage.Change{Now: r.Now, Origin: r.Origin}))
		}
		family = after
		return err
	})
	if err != nil {
		return storage.Family{}, storage.User{}, err
	}
	return family, user, nil
}

// moved says whether [storage.Family.Rotate] changed the row.
func moved(before, after storage.Family) bool {
	return after.Generation != before.Generation || !after.IdleExpires.Equal(before.IdleExpires) || !after.Ended.Equal(before.Ended)
}

// rotationEvent is what the log says of a rotation's answer. Refusals that end nothing are not in it: they write nothing.
func rotationEvent(err error) (audit.Event, bool) {
	switch {
	case err == nil:
		return audit.TokenRefreshed, true
	case errors.Is(err, storage.ErrReused):
		return audit.RefreshReused, true
	case errors.Is(err, storage.ErrAhead):
		return audit.RefreshAhead, true
	}
	return "", false
}

func familyEntry(event audit.Event, f storage.Family, o storage.Change) audit.Entry {
	e := authorized(event, f.Authorization, o.Now, o.Origin)
	e.Family, e.Detail = f.ID.String(), o.Detail
	return e
}

func (t *tx) endFamily(f storage.Family, by audit.Event, now time.Time) {
	f.Ended, f.EndedBy = utc(now), string(by)
	familyRows.put(t, f.ID[:], f)
}

// clientsFamily returns a family that its client wants to end, whole or in part; ok is false if there is nothing to do.
func (t *tx) clientsFamily(id storage.ID, client string) (f storage.Family, ok bool, err error) {
	f, ok = familyRows.get(t, id[:])
	if ok && f.Authorization.Client != client {
		return f, false, storage.ErrOtherClient
	}
	return f, ok && f.Ended.IsZero(), nil
}

// EndFamily implements [storage.Families].
func (s *Store) EndFamily(ctx context.Context, id storage.ID, client string, o storage.Change) error {
	return s.do(ctx, func(t *tx) error {
		f, ok, err := t.clientsFamily(id, client)
		if ok {
			t.endFamily(f, audit.FamilyEnded, o.Now)
			t.record(familyEntry(audit.FamilyEnded, f, o))
		}
		return err
	})
}

// EndAccess implements [storage.Families].
func (s *Store) EndAccess(ctx context.Context, id storage.ID, series uint32, client string, o storage.Change) error {
	return s.do(ctx, func(t *tx) error {
		f, ok, err := t.clientsFamily(id, client)
		if !ok || series < f.Series || series == math.MaxUint32 {
			return err
		}
		f.Series = series + 1
		familyRows.put(t, f.ID[:], f)
		t.record(familyEntry(audit.AccessEnded, f, o))
		return nil
	})
}

// Family implements [storage.Families].
func (s *Store) Family(ctx context.Context, id storage.ID) (state storage.FamilyState, err error) {
	err = s.view(ctx, func(t *tx) error {
		f, ok := familyRows.get(t, id[:])
		if !ok {
			return storage.ErrNotFound
		}
		state.Family = f
		state.Client, _ = s.clients.get(t, f.Authorization.Client)
		state.User, _ = s.users.get(t, f.Authorization.User)
		state.Session, _ = sessionRows.get(t, f.Authorization.Session[:])
		return nil
	})
	return state, err
}
