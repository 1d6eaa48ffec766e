package bolt

import (
	"context"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
	"signet/storage/internal/decide"
)

const familyRows table[storage.Family] = "families"

// GrantFamily implements [storage.Families].
func (s *Store) GrantFamily(ctx context.Context, f storage.Family, o storage.Change) (granted storage.Family, err error) {
	err = s.do(ctx, func(t *tx) error {
		user, _ := s.users.get(t, f.Authorization.User)
		family, err := decide.GrantFamily(f, user)
		if err != nil {
			return err
		}
		granted = t.beginFamily(family)
		t.record(decide.FamilyEntry(audit.AssertionGranted, granted, o))
		return nil
	})
	return granted, err
}

// RotateFamily implements [storage.Families].
func (s *Store) RotateFamily(ctx context.Context, r storage.Rotation) (family storage.Family, user storage.User, err error) {
	r.Now = codec.UTC(r.Now)
	err = s.do(ctx, func(t *tx) error {
		before, ok := familyRows.get(t, r.Family[:])
		if !ok {
			return storage.ErrNotFound
		}
		user, _ = s.users.get(t, before.Authorization.User)
		after, err := before.Rotate(user, r)
		if decide.Moved(before, after) {
			if t.markEnded(before, after, r.Now); after.Status == 0 {
				after.Status = t.number() // it came from a store that gave none
			}
			familyRows.put(t, after.ID[:], after)
		}
		if event, worth := decide.RotationEvent(err); worth {
			t.record(decide.FamilyEntry(event, after, storage.Change{Now: r.Now, Origin: r.Origin}))
		}
		family = after
		return err
	})
	if err != nil {
		return storage.Family{}, storage.User{}, err
	}
	return family, user, nil
}

// markEnded marks the number of a family that ended by a rotation.
func (t *tx) markEnded(before, after storage.Family, now time.Time) {
	if before.Ended.IsZero() && !after.Ended.IsZero() {
		t.mark(now, after.Status)
	}
}

// endFamily ends a family. What its user's epoch has ended is marked already.
func (s *Store) endFamily(t *tx, f storage.Family, by audit.Event, now time.Time) {
	if user, _ := s.users.get(t, f.Authorization.User); decide.Runs(f, user, now) {
		t.mark(now, f.Status)
	}
	familyRows.put(t, f.ID[:], decide.EndFamily(f, by, now))
}

// clientsFamily returns a family that its client wants to end, whole or in part; ok is false if there is nothing to do.
func (t *tx) clientsFamily(id storage.ID, client string) (f storage.Family, ok bool, err error) {
	f, ok = familyRows.get(t, id[:])
	if ok {
		ok, err = decide.ClientsFamily(f, client)
	}
	return f, ok, err
}

// EndFamily implements [storage.Families].
func (s *Store) EndFamily(ctx context.Context, id storage.ID, client string, o storage.Change) error {
	return s.do(ctx, func(t *tx) error {
		f, ok, err := t.clientsFamily(id, client)
		if ok {
			s.endFamily(t, f, audit.FamilyEnded, o.Now)
			t.record(decide.FamilyEntry(audit.FamilyEnded, f, o))
		}
		return err
	})
}

// EndAccess implements [storage.Families].
func (s *Store) EndAccess(ctx context.Context, id storage.ID, series uint32, client string, o storage.Change) error {
	return s.do(ctx, func(t *tx) error {
		f, ok, err := t.clientsFamily(id, client)
		if ok {
			f, ok = decide.EndSeries(f, series)
		}
		if !ok {
			return err
		}
		if user, _ := s.users.get(t, f.Authorization.User); decide.Runs(f, user, o.Now) {
			t.markFor(o.Now, o.AccessLife, f.Status)
		}
		f.Status = t.number() // of the tokens of the next series
		familyRows.put(t, f.ID[:], f)
		t.record(decide.FamilyEntry(audit.AccessEnded, f, o))
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
