package bolt

import (
	"context"
	"errors"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
	"signet/storage/internal/decide"
)

const (
	deviceRows slots[storage.DeviceGrant] = "devices"
	// userCodeRows leads from user codes to devices, in the same slots. Of two that had one code in one slot the later has it.
	userCodeRows slots[storage.ID] = "usercodes"
)

// BeginDevice implements [storage.Devices].
func (s *Store) BeginDevice(ctx context.Context, d storage.DeviceGrant, limit int) error {
	return s.do(ctx, func(t *tx) error {
		if other, ok := t.deviceOf(d.UserCode); ok && d.Created.Before(other.Expires) {
			return storage.ErrExists
		}
		if t.counted(countDevice, d.Address, d.Created, limit) >= limit {
			return storage.ErrTooMany
		}
		deviceRows.put(t, d.ID, d)
		t.placeUserCode(d)
		t.count(countDevice, d.Address, d.ID, d.Expires)
		t.record(decide.DeviceBegun(d))
		return nil
	})
}

// placeUserCode has a device found by its user code.
func (t *tx) placeUserCode(d storage.DeviceGrant) {
	if slot := t.subBucket(t.bucket([]byte(userCodeRows)), slotOf(d.ID.Time())); slot != nil {
		t.put(slot, []byte(d.UserCode), d.ID[:])
	}
}

// deviceOf returns the device that a user code belongs to, of several the last one: the others have expired. There are few slots, since device
// authorizations expire soon.
func (t *tx) deviceOf(userCode string) (storage.DeviceGrant, bool) {
	all := t.bucket([]byte(userCodeRows))
	if userCode == "" {
		return storage.DeviceGrant{}, false // bbolt has no empty keys
	}
	names := all.Cursor()
	for slot, _ := names.Last(); slot != nil; slot, _ = names.Prev() {
		if id := t.get(all.Bucket(slot), []byte(userCode)); id != nil {
			return read[storage.DeviceGrant](t, t.bucket([]byte(deviceRows), slot), id)
		}
	}
	return storage.DeviceGrant{}, false
}

// Device implements [storage.Devices].
func (s *Store) Device(ctx context.Context, userCode string, now time.Time) (d storage.DeviceGrant, err error) {
	err = s.view(ctx, func(t *tx) (err error) {
		if d, err = found(t.deviceOf(userCode)); err == nil {
			err = decide.OpenDevice(d, now)
		}
		return err
	})
	if err != nil {
		return storage.DeviceGrant{}, err
	}
	return d, nil
}

// DecideDevice implements [storage.Devices].
func (s *Store) DecideDevice(ctx context.Context, in storage.DeviceDecision) error {
	return s.do(ctx, func(t *tx) error {
		d, err := found(t.deviceOf(in.UserCode))
		if err != nil {
			return err
		}
		session, _ := sessionRows.get(t, in.Authorization.Session[:])
		user, _ := s.users.get(t, in.Authorization.User)
		decided, entry, err := decide.DecideDevice(d, in, session, user)
		if err != nil {
			return err
		}
		deviceRows.put(t, d.ID, decided)
		t.uncount(countDevice, d.Address, d.ID, d.Expires)
		if used, worth := decide.UseSession(session, d.Client, in.Idle, in.Now); worth && in.Allow {
			sessionRows.put(t, used.ID[:], used)
		}
		t.record(entry)
		return nil
	})
}

// PollDevice implements [storage.Devices].
func (s *Store) PollDevice(ctx context.Context, p storage.DevicePoll, f storage.Family) (polled storage.DevicePolled, err error) {
	p.Now = codec.UTC(p.Now)
	err = s.do(ctx, func(t *tx) error {
		before, ok := byHandle(t, deviceRows, p.Code, func(d storage.DeviceGrant) storage.Hash { return d.SecretHash })
		if !ok {
			return storage.ErrNotFound
		}
		user, _ := s.users.get(t, before.Authorization.User)
		after, err := decide.PollDevice(before, user, func() storage.Session {
			session, _ := sessionRows.get(t, before.Authorization.Session[:])
			return session
		}, p)
		polled = storage.DevicePolled{Grant: after}
		switch {
		case errors.Is(err, storage.ErrSpent):
			polled.Grant = s.replayedDevice(t, before, p)
			return err
		case err != nil:
			if decide.Polled(before, after) {
				deviceRows.put(t, after.ID, after)
			}
			return err
		}
		after, family := decide.SpendDevice(after, f)
		deviceRows.put(t, after.ID, after)
		family = t.beginFamily(family)
		t.record(decide.DeviceEntry(audit.DeviceRedeemed, after, p))
		polled = storage.DevicePolled{Grant: after, Family: family, User: user}
		return nil
	})
	return polled, err
}

// replayedDevice ends the family that a spent device code turned into, as [Store.replayed] does for codes.
func (s *Store) replayedDevice(t *tx, d storage.DeviceGrant, p storage.DevicePoll) storage.DeviceGrant {
	if family, ok := familyRows.get(t, d.Family[:]); ok && family.Ended.IsZero() {
		s.endFamily(t, family, audit.DeviceReplayed, p.Now)
	}
	if !d.Replayed {
		d.Replayed = true
		deviceRows.put(t, d.ID, d)
		t.record(decide.DeviceEntry(audit.DeviceReplayed, d, p))
	}
	return d
}
