package decide

import (
	"strings"
	"time"

	"signet/audit"
	"signet/storage"
)

// DeviceBegun is the entry about a device that began to wait.
func DeviceBegun(d storage.DeviceGrant) audit.Entry {
	return audit.Entry{
		Time: d.Created, Event: audit.DeviceBegun, Origin: audit.Origin{Address: d.Address}, Client: d.Client, Detail: strings.Join(d.Scopes, " "),
	}
}

// OpenDevice says whether a user can decide about a device at the instant now.
func OpenDevice(d storage.DeviceGrant, now time.Time) error {
	switch {
	case d.State != storage.DevicePending:
		return storage.ErrSpent
	case !now.Before(d.Expires):
		return storage.ErrExpired
	}
	return nil
}

// DecideDevice decides what becomes of a device authorization by what the user decided, and what the log says of it.
func DecideDevice(d storage.DeviceGrant, in storage.DeviceDecision, session storage.Session, user storage.User) (storage.DeviceGrant, audit.Entry, error) {
	if err := OpenDevice(d, in.Now); err != nil {
		return d, audit.Entry{}, err
	}
	if in.Authorization.Client != d.Client {
		return d, audit.Entry{}, storage.ErrOtherClient
	}
	if err := Authorize(in.Authorization, session, user, in.Now); err != nil {
		return d, audit.Entry{}, err
	}
	if !in.Allow {
		d.State = storage.DeviceDenied
		return d, Authorized(audit.DeviceDenied, in.Authorization, in.Now, in.Origin), nil
	}
	d.State, d.Authorization, d.Withdrawn = storage.DeviceApproved, in.Authorization, session.TimesWithdrawn(d.Client)
	e := Authorized(audit.DeviceApproved, in.Authorization, in.Now, in.Origin)
	e.Detail = strings.Join(in.Authorization.Scopes, " ")
	return d, e, nil
}

// PollDevice decides one poll, its user and session considered: see [Redeem]. The row is to be stored where it differs ([Polled]).
func PollDevice(d storage.DeviceGrant, user storage.User, session func() storage.Session, p storage.DevicePoll) (storage.DeviceGrant, error) {
	next, err := d.Poll(p.Client, p.Now)
	if err != nil {
		return next, err
	}
	if !d.Authorization.Covers(p.Resources) { // RFC 8707 section 2.2
		return d, storage.ErrTarget
	}
	if err := claimable(d.Authorization, d.Withdrawn, user, session, p.Now); err != nil {
		return d, err
	}
	return next, nil
}

// Polled says whether a poll changed the row.
func Polled(before, after storage.DeviceGrant) bool {
	return after.State != before.State || after.Interval != before.Interval || !after.Polled.Equal(before.Polled)
}

// SpendDevice is a device authorization as spent on the family f, and that family with its authorization.
func SpendDevice(d storage.DeviceGrant, f storage.Family) (storage.DeviceGrant, storage.Family) {
	f = AsStored(f)
	f.Authorization = d.Authorization
	d.Family = f.ID
	return d, f
}

// DeviceEntry is an entry about a poll.
func DeviceEntry(event audit.Event, d storage.DeviceGrant, p storage.DevicePoll) audit.Entry {
	e := Authorized(event, d.Authorization, p.Now, p.Origin)
	e.Family = d.Family.String()
	return e
}
