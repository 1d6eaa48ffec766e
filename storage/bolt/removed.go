package bolt

import (
	"time"

	"signet/storage/codec"
)

// removedBucket remembers the ids of removed clients and users for ever: a second owner of an id would inherit the tokens
// that are still out for the first.
const removedBucket = "removed"

const (
	removedClient = 'c'
	removedUser   = 'u'
)

func removedKey(kind byte, id string) []byte { return append([]byte{kind}, id...) }

func (t *tx) remove(kind byte, id string, now time.Time) {
	t.put(t.bucket([]byte(removedBucket)), removedKey(kind, id), codec.UTC(now).AppendFormat(nil, time.RFC3339))
}

func (t *tx) removed(kind byte, id string) bool {
	return t.get(t.bucket([]byte(removedBucket)), removedKey(kind, id)) != nil
}
