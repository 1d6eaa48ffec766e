package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"time"

	"signet/storage"
	"signet/storage/internal/decide"
)

const noticeRows table[storage.Notice] = "notices"

// outboxBucket is the order of the notices: state ‖ instant ‖ their key, and since when they wait. Pending ones stand by when they are
// due, so that a claim reads no others; settled ones by when they were settled, so that sweeping reads only what goes.
const outboxBucket = "outbox"

// outboxState says which notices of the order one is among.
type outboxState byte

const (
	outboxPending   outboxState = 'p'
	outboxDelivered outboxState = 'd'
	outboxFailed    outboxState = 'f'
)

const noticeKeySize = len(storage.ID{}) + 4

func noticeKey(n storage.Notice) []byte { return binary.BigEndian.AppendUint32(n.Ending[:], n.Number) }

// instant is a time as it stands in keys.
func instant(t time.Time) []byte { return binary.BigEndian.AppendUint64(nil, uint64(t.UnixNano())) }

func instantOf(b []byte) time.Time { return time.Unix(0, int64(binary.BigEndian.Uint64(b))).UTC() }

func outboxKey(n storage.Notice) []byte {
	state, at := outboxDelivered, n.Settled
	switch n.State {
	case storage.NoticePending:
		state, at = outboxPending, n.Next
	case storage.NoticeFailed:
		state = outboxFailed
	}
	return append(append([]byte{byte(state)}, instant(at)...), noticeKey(n)...)
}

// outboxParts are what a key of the order says.
func outboxParts(key []byte) (at time.Time, notice []byte, ok bool) {
	if len(key) != 1+8+noticeKeySize {
		return at, nil, false
	}
	return instantOf(key[1:9]), key[9:], true
}

// putNotice stores a notice where old, if it is not zero, was.
func (t *tx) putNotice(old, n storage.Notice) {
	order := t.bucket([]byte(outboxBucket))
	if old.State != "" {
		t.delete(order, outboxKey(old))
	}
	noticeRows.put(t, noticeKey(n), n)
	t.put(order, outboxKey(n), instant(n.Created))
}

// inOutbox returns the keys of the notices of a state, in their order, up to limit and as long as while holds. Keys that are none are
// passed by: a check finds them.
func (t *tx) inOutbox(state outboxState, limit int, while func(at time.Time) bool) (keys [][]byte) {
	c := t.bucket([]byte(outboxBucket)).Cursor()
	prefix := []byte{byte(state)}
	for key, _ := c.Seek(prefix); bytes.HasPrefix(key, prefix) && len(keys) < limit; key, _ = c.Next() {
		at, notice, ok := outboxParts(key)
		if !ok {
			continue
		}
		if !while(at) {
			break
		}
		keys = append(keys, bytes.Clone(notice))
	}
	return keys
}

// ClaimNotices implements [storage.Outbox].
func (s *Store) ClaimNotices(ctx context.Context, now, until time.Time, limit int) (claimed []storage.Notice, err error) {
	err = s.do(ctx, func(t *tx) error {
		claimed = nil
		for _, key := range t.inOutbox(outboxPending, limit, func(due time.Time) bool { return !now.Before(due) }) {
			old, ok := noticeRows.get(t, key)
			if !ok {
				continue
			}
			n := decide.ClaimNotice(old, until)
			t.putNotice(old, n)
			claimed = append(claimed, n)
		}
		return nil
	})
	return claimed, err
}

// SettleNotice implements [storage.Outbox].
func (s *Store) SettleNotice(ctx context.Context, n storage.Notice, o storage.Change) error {
	return s.do(ctx, func(t *tx) error {
		old, ok := noticeRows.get(t, noticeKey(n))
		if !ok {
			return storage.ErrNotFound
		}
		settled, entries, err := decide.SettleNotice(old, n, o)
		if err != nil {
			return err
		}
		t.putNotice(old, settled)
		t.recordAll(entries)
		return nil
	})
}

// Notices implements [storage.Outbox].
func (s *Store) Notices(ctx context.Context, ending storage.ID) (notices []storage.Notice, err error) {
	err = s.view(ctx, func(t *tx) error {
		for _, key := range keysWith(t.bucket([]byte(noticeRows)), ending[:]) {
			n, _ := noticeRows.get(t, key)
			notices = append(notices, n)
		}
		return nil
	})
	return notices, err
}

// Owed implements [storage.Outbox]. It reads of the pending ones no more than their order.
func (s *Store) Owed(ctx context.Context, limit int) (pending int, since time.Time, failed []storage.Notice, err error) {
	err = s.view(ctx, func(t *tx) error {
		c := t.bucket([]byte(outboxBucket)).Cursor()
		for key, row := c.Seek([]byte{byte(outboxPending)}); len(key) > 0 && key[0] == byte(outboxPending); key, row = c.Next() {
			if len(row) != 8 {
				continue
			}
			if created := instantOf(row); pending == 0 || created.Before(since) {
				since = created
			}
			pending++
		}
		failed = t.lastFailed(limit)
		return nil
	})
	return pending, since, failed, err
}

// lastFailed returns the notices that failed last, the newest last.
func (t *tx) lastFailed(limit int) (failed []storage.Notice) {
	c := t.bucket([]byte(outboxBucket)).Cursor()
	key, _ := c.Seek([]byte{byte(outboxFailed) + 1})
	if key == nil {
		key, _ = c.Last()
	} else {
		key, _ = c.Prev()
	}
	for ; len(key) > 0 && len(failed) < limit; key, _ = c.Prev() {
		if key[0] > byte(outboxFailed) {
			continue
		}
		if key[0] < byte(outboxFailed) {
			break
		}
		if _, notice, ok := outboxParts(key); ok {
			if n, ok := noticeRows.get(t, notice); ok {
				failed = append(failed, n)
			}
		}
	}
	slices.Reverse(failed)
	return failed
}

// notices deletes what was settled long ago.
func (b *broom) notices(now time.Time) {
	settled := func(at time.Time) bool { return !now.Before(at.Add(storage.NoticeLife)) }
	for _, state := range []outboxState{outboxDelivered, outboxFailed} {
		keys := b.tx.inOutbox(state, b.left+1, settled)
		if len(keys) > b.left {
			keys, b.more = keys[:b.left], true
		}
		for _, key := range keys {
			if n, ok := noticeRows.get(b.tx, key); ok {
				b.tx.delete(b.tx.bucket([]byte(outboxBucket)), outboxKey(n))
				noticeRows.delete(b.tx, key)
			}
			b.left--
		}
	}
}
