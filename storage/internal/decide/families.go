package decide

import (
	"errors"
	"math"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
)

// AsStored is f as it will be read again.
func AsStored(f storage.Family) storage.Family {
	for _, t := range []*time.Time{&f.Moved, &f.Created, &f.IdleExpires, &f.Expires, &f.Ended} {
		*t = codec.UTC(*t)
	}
	return f
}

// Moved says whether [storage.Family.Rotate] changed the row.
func Moved(before, after storage.Family) bool {
	return after.Generation != before.Generation || !after.IdleExpires.Equal(before.IdleExpires) || !after.Ended.Equal(before.Ended)
}

// RotationEvent is what the log says of a rotation's answer. Refusals that end nothing are not in it: they write nothing.
func RotationEvent(err error) (audit.Event, bool) {
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

// FamilyEntry is an entry about a family.
func FamilyEntry(event audit.Event, f storage.Family, o storage.Change) audit.Entry {
	e := Authorized(event, f.Authorization, o.Now, o.Origin)
	e.Family, e.Detail = f.ID.String(), o.Detail
	return e
}

// GrantFamily is a family that no session led to, as it is stored: it has neither a session nor offline access, whatever f says. Its user may be
// disabled or another one than was authorized.
func GrantFamily(f storage.Family, user storage.User) (storage.Family, error) {
	a := f.Authorization
	if user.Sub != a.User || user.Sub == "" || user.Disabled || user.Epoch != a.Epoch {
		return storage.Family{}, storage.ErrEnded
	}
	f = AsStored(f)
	f.Authorization = a.InFront()
	f.Authorization.Session, f.Authorization.AuthTime = storage.ID{}, codec.UTC(a.AuthTime)
	return f, nil
}

// EndFamily is a family as ended.
func EndFamily(f storage.Family, by audit.Event, now time.Time) storage.Family {
	f.Ended, f.EndedBy = codec.UTC(now), string(by)
	return f
}

// ClientsFamily says whether there is something to end of a family that a client wants to end, whole or in part.
func ClientsFamily(f storage.Family, client string) (bool, error) {
	if f.Authorization.Client != client {
		return false, storage.ErrOtherClient
	}
	return f.Ended.IsZero(), nil
}

// EndSeries is a family whose access tokens of a series and earlier ones are ended, and whether that changes it. A series never
// begins anew.
func EndSeries(f storage.Family, series uint32) (storage.Family, bool) {
	if series < f.Series || series == math.MaxUint32 {
		return f, false
	}
	f.Series = series + 1
	return f, true
}
