package bolt

import (
	"encoding/binary"
	"time"

	"signet/storage"
)

// slots is a top-level bucket of buckets, one for each ten minutes of expiry, whose rows are records of type R under their ID.
type slots[R any] string

const slotLength = 10 * time.Minute

// slotOf names the slot of what expires at the instant t: the number of slots since 1970, big-endian.
func slotOf(t time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli()/slotLength.Milliseconds()))
}

// slotEnd is the instant at which everything in the slot has expired.
func slotEnd(name []byte) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(name)+1) * slotLength.Milliseconds())
}

// byHandle returns the row of h if h has its secret.
func byHandle[R any](t *tx, b slots[R], h storage.Handle, hash func(R) storage.Hash) (record R, ok bool) {
	record, ok = read[R](t, t.bucket([]byte(b), slotOf(h.ID.Time())), h.ID[:])
	if !ok || !hash(record).Matches(h.Secret[:]) {
		return *new(R), false
	}
	return record, true
}

func (b slots[R]) put(t *tx, id storage.ID, record R) {
	if slot := t.subBucket(t.bucket([]byte(b)), slotOf(id.Time())); slot != nil {
		slot.FillPercent = appendFill
		write(t, slot, id[:], record)
	}
}

func (b slots[R]) delete(t *tx, id storage.ID) {
	t.delete(t.bucket([]byte(b), slotOf(id.Time())), id[:])
}

// appendFill is how full bbolt packs pages of rows that arrive in the order of their keys: half-full pages, its default,
// leave room for rows in between, and here there will be none.
const appendFill = 0.9
