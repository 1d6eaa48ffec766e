package decide

import (
	"crypto/sha256"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
)

// DeniedKey is what an access token is remembered by.
func DeniedKey(jti string) storage.Hash { return sha256.Sum256([]byte(jti)) }

// Deny is an access token as denied: until the microsecond, which every backend can keep, in which it has expired.
func Deny(jti string, expires time.Time) storage.DeniedToken {
	return storage.DeniedToken{JTI: DeniedKey(jti), Expires: codec.UTC(expires.Add(time.Microsecond - 1).Truncate(time.Microsecond))}
}

// DeniedEntry is the entry about it.
func DeniedEntry(client string, o storage.Change) audit.Entry {
	return audit.Entry{Time: o.Now, Event: audit.AccessDenied, Origin: o.Origin, Client: client, Detail: o.Detail}
}
