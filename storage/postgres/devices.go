package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
	"signet/storage/internal/decide"
)

const (
	// What an address has open: see countInteractions.
	countDevices = `(SELECT count(*) FROM (SELECT FROM signet.devices WHERE address = $1 AND counts AND id >= $2 LIMIT $3::bigint) open)`
	lockDevices  = `SELECT pg_advisory_xact_lock($4) WHERE ` + countDevices + nearLimit

	// insertDevice stores a device and its entry, where the address has not reached its limit and nobody else has the user code: who had it
	// and has expired by $6 gives way. Its answer is whether it did, and whether the limit was reached.
	insertDevice = `WITH begun AS (
			INSERT INTO signet.devices (id, user_code, address, counts, expires, sub, session, record)
			SELECT $4, $5, $1, true, $7, '', ''::bytea, $8 WHERE ` + countDevices + ` < $3::bigint
			ON CONFLICT (user_code) DO UPDATE SET id = excluded.id, revision = devices.revision + 1, address = excluded.address, counts = true,
				expires = excluded.expires, sub = '', session = ''::bytea, record = excluded.record
			WHERE devices.expires <= $6 RETURNING 1),
		logged AS (INSERT INTO signet.audit (time, record) SELECT $9, $10 FROM begun)
		SELECT EXISTS (SELECT FROM begun), ` + countDevices + ` >= $3::bigint`

	selectDevice   = `SELECT revision, record FROM signet.devices WHERE user_code = $1`
	selectDecision = `SELECT d.revision, d.record, s.revision, s.record, u.revision, u.record
		FROM signet.devices d LEFT JOIN signet.sessions s ON s.id = $2 LEFT JOIN signet.users u ON u.sub = $3 WHERE d.user_code = $1`
	selectPoll = `SELECT d.revision, d.record, u.revision, u.record, s.revision, s.record
		FROM signet.devices d LEFT JOIN signet.users u ON u.sub = d.sub LEFT JOIN signet.sessions s ON s.id = d.session WHERE d.id = $1`
)

var updateDevice = guarded(`UPDATE signet.devices SET revision = revision + 1, counts = $3, sub = $4, session = $5, record = $6
	WHERE id = $1 AND revision = $2`)

func (a *act) updateDevice(d storage.DeviceGrant, revision int64) {
	auth := d.Authorization
	a.write(updateDevice, d.ID[:], revision, d.State == storage.DevicePending, auth.User, auth.Session[:], a.row(d))
}

// BeginDevice implements [storage.Devices]. It is one round trip: see [Store.limited].
func (s *Store) BeginDevice(ctx context.Context, d storage.DeviceGrant, limit int) error {
	counted := []any{d.Address, firstID(d.Created.Add(time.Millisecond)), int64(limit)}
	entry := decide.DeviceBegun(d)
	entry.Time = codec.UTC(entry.Time)
	var begun, full bool
	err := s.do(ctx, func(a *act) error {
		a.write(lockDevices, append(counted, addressLock("device", d.Address))...)
		a.write(insertDevice, append(counted, d.ID[:], d.UserCode, d.Created, d.Expires, a.row(d), entry.Time, a.row(entry))...).
			QueryRow(func(row pgx.Row) error { return row.Scan(&begun, &full) })
		return nil
	})
	switch {
	case err != nil || begun:
		return err
	case full:
		return storage.ErrTooMany
	}
	return storage.ErrExists
}

// Device implements [storage.Devices].
func (s *Store) Device(ctx context.Context, userCode string, now time.Time) (storage.DeviceGrant, error) {
	d, err := lookUp[storage.DeviceGrant](ctx, s, selectDevice, userCode)
	if err == nil {
		err = decide.OpenDevice(d, now)
	}
	if err != nil {
		return storage.DeviceGrant{}, err
	}
	return d, nil
}

// DecideDevice implements [storage.Devices].
func (s *Store) DecideDevice(ctx context.Context, in storage.DeviceDecision) error {
	if !storable(in.UserCode) {
		return storage.ErrNotFound
	}
	return s.do(ctx, func(a *act) error {
		var device got[storage.DeviceGrant]
		var session got[storage.Session]
		var user got[storage.User]
		auth := in.Authorization
		a.read(selectDecision, []any{in.UserCode, auth.Session[:], auth.User}, &device, &session, &user)
		if !device.Found {
			return storage.ErrNotFound
		}
		decided, entry, err := decide.DecideDevice(device.Record, in, session.Record, user.Record)
		if err != nil {
			return err
		}
		a.updateDevice(decided, device.Revision)
		if used, worth := decide.UseSession(session.Record, auth.Client, in.Idle, in.Now); worth && in.Allow {
			a.updateSession(used, session.Revision)
		} else {
			a.write(sameSession, auth.Session[:], session.Revision) // who ends it meanwhile knows of this client
		}
		a.record(entry)
		return nil
	})
}

// PollDevice implements [storage.Devices].
func (s *Store) PollDevice(ctx context.Context, p storage.DevicePoll, f storage.Family) (polled storage.DevicePolled, err error) {
	p.Now = codec.UTC(p.Now)
	err = s.do(ctx, func(a *act) error {
		polled = storage.DevicePolled{}
		var device got[storage.DeviceGrant]
		var user got[storage.User]
		var session got[storage.Session]
		a.read(selectPoll, []any{p.Code.ID[:]}, &device, &user, &session)
		if !device.Found || !device.Record.SecretHash.Matches(p.Code.Secret[:]) {
			return storage.ErrNotFound
		}
		next, err := decide.PollDevice(device.Record, user.Record, func() storage.Session { return session.Record }, p)
		polled.Grant = next
		switch {
		case errors.Is(err, storage.ErrSpent):
			polled.Grant = a.replayedDevice(device, p)
			return err
		case err != nil:
			if decide.Polled(device.Record, next) {
				a.updateDevice(next, device.Revision)
			}
			return err
		}
		spent, family := decide.SpendDevice(next, f)
		a.updateDevice(spent, device.Revision)
		a.write(sameUser, family.Authorization.User, user.Revision) // as in RedeemCode
		if session.Found {
			a.write(sameSession, family.Authorization.Session[:], session.Revision)
		}
		polled = storage.DevicePolled{Grant: spent, Family: family, User: user.Record}
		a.insertFamily(family, &polled.Family.Status)
		a.record(decide.DeviceEntry(audit.DeviceRedeemed, spent, p))
		return nil
	})
	return polled, err
}

// replayedDevice ends the family that a spent device code turned into, as [act.replayed] does for codes.
func (a *act) replayedDevice(device got[storage.DeviceGrant], p storage.DevicePoll) storage.DeviceGrant {
	var family gotFamily
	a.read(`SELECT revision, record, status FROM signet.families WHERE id = $1`, []any{device.Record.Family[:]}, &family)
	if family.Found && family.Record.Ended.IsZero() {
		a.endFamily(family, audit.DeviceReplayed, p.Now)
	} else {
		a.confirm()
	}
	replayed := device.Record
	if !replayed.Replayed {
		replayed.Replayed = true
		a.updateDevice(replayed, device.Revision)
		a.record(decide.DeviceEntry(audit.DeviceReplayed, replayed, p))
	}
	return replayed
}
