package bolt

import (
	"context"
	"crypto/sha256"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
)

// assertionRows holds which client assertions were used, in the slot of their expiry. Their keys are of our making, not IDs.
const assertionRows slots[spentAssertion] = "assertions"

type spentAssertion struct {
	Expires  time.Time `json:"expires"`
	Replayed bool      `json:"replayed,omitempty"` // and that was recorded
}

// assertionKey is of fixed length after the client, so no two pairs share one; and short, whatever the client sent as its jti.
func assertionKey(client, jti string) []byte {
	hash := sha256.Sum256([]byte(jti))
	return append([]byte(client), hash[:]...)
}

// SpendAssertion implements [storage.Assertions].
func (s *Store) SpendAssertion(ctx context.Context, client, jti string, expires time.Time, o storage.Change) error {
	key := assertionKey(client, jti)
	return s.do(ctx, func(t *tx) error {
		slot, spent, found := t.spentAssertion(key, o.Now)
		if !found {
			if slot := t.subBucket(t.bucket([]byte(assertionRows)), slotOf(expires)); slot != nil {
				write(t, slot, key, spentAssertion{Expires: codec.UTC(expires)})
			}
			return nil
		}
		if !spent.Replayed {
			spent.Replayed = true
			write(t, t.bucket([]byte(assertionRows), slot), key, spent)
			t.record(audit.Entry{Time: o.Now, Event: audit.AssertionReplayed, Origin: o.Origin, Client: client, Detail: o.Detail})
		}
		return storage.ErrSpent
	})
}

// spentAssertion finds a row that has not expired at the instant now, and its slot. It may be in any slot from now on, since a
// replay of the jti need not bear the expiry of the first; there are few, since assertions expire soon.
func (t *tx) spentAssertion(key []byte, now time.Time) (slot []byte, spent spentAssertion, found bool) {
	all := t.bucket([]byte(assertionRows))
	names := all.Cursor()
	for slot, _ = names.Seek(slotOf(now)); slot != nil; slot, _ = names.Next() {
		if spent, found = read[spentAssertion](t, all.Bucket(slot), key); found && now.Before(spent.Expires) {
			return slot, spent, true
		}
	}
	return nil, spentAssertion{}, false
}
