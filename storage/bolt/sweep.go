package bolt

import (
	"bytes"
	"context"
	"time"

	"go.etcd.io/bbolt"

	"signet/storage/codec"
)

// What has expired stays for a while, so that a late reader, or one whose clock is wrong, finds it refused and not unknown.
const (
	slotMargin = time.Hour
	rowMargin  = 24 * time.Hour
)

// walkedPerRow says how many rows a sweep looks at for each that it may delete: most rows of a walk are alive.
const walkedPerRow = 20

// walkedTables are those whose rows expire one by one.
var walkedTables = [...][]byte{[]byte(familyRows), []byte(sessionRows), []byte(browserRows), []byte(initialRows), []byte(deniedRows)}

// position is how far a walk through them came: to this table, and in it to this key.
type position struct {
	table int
	after []byte
}

// rowKey is a row of one of them.
type rowKey struct {
	table int
	key   []byte
}

// expiry is what a walk reads of a family, a session, a browser, an initial access token or a denied one. Zero is never.
type expiry struct {
	IdleExpires time.Time `json:"idle_expires"`
	Expires     time.Time `json:"expires"`
}

func (e expiry) before(t time.Time) bool {
	return !e.Expires.IsZero() && e.Expires.Before(t) || !e.IdleExpires.IsZero() && e.IdleExpires.Before(t)
}

// Sweep implements [storage.Upkeep]. The rows that expire one by one are looked at outside the committer, a
// bounded number at each call, from where the last call stopped; "more" also says that this walk has not come to its end.
func (s *Store) Sweep(ctx context.Context, now time.Time, retention time.Duration, limit int) (deleted int, more bool, err error) {
	if limit <= 0 {
		return 0, false, nil
	}
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	var dead []rowKey
	var next position
	err = s.view(ctx, func(t *tx) error {
		dead, next = t.walk(s.walked, now.Add(-rowMargin), max(limit/2, 1)) // the other half is for buckets
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	err = s.do(ctx, func(t *tx) error {
		b := broom{tx: t, left: limit}
		b.rows(dead, now.Add(-rowMargin))
		overSlot := func(name []byte) bool { return !now.Before(slotEnd(name).Add(slotMargin)) }
		b.buckets(t.bucket([]byte(codeRows)), overSlot)
		b.buckets(t.bucket([]byte(deviceRows)), overSlot)
		b.buckets(t.bucket([]byte(interactionRows)), overSlot)
		b.buckets(t.bucket([]byte(keptRows)), overSlot)
		b.buckets(t.bucket([]byte(assertionRows)), overSlot)
		b.buckets(t.bucket([]byte(marksBucket)), func(name []byte) bool { return !now.Before(hourEnd(name)) })
		b.notices(now)
		b.log(now, retention)
		index := broom{tx: t, left: limit} // an index is no row of its own, but its deletion is bounded as well
		index.buckets(t.bucket([]byte(openRows)), overSlot)
		index.buckets(t.bucket([]byte(userCodeRows)), overSlot)
		deleted, more = limit-b.left, b.more || index.more
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	s.walked = next
	return deleted, more || next.table < len(walkedTables), nil
}

// walk looks at rows from a position on and returns those that expired before an instant, at most limit, and the position
// that it came to. A walk that came to its end begins anew.
func (t *tx) walk(from position, expired time.Time, limit int) (dead []rowKey, to position) {
	if to = from; to.table == len(walkedTables) {
		to = position{}
	}
	looked := 0
	for ; to.table < len(walkedTables); to = (position{table: to.table + 1}) {
		rows := t.bucket(walkedTables[to.table]).Cursor()
		key, row := rows.Seek(to.after)
		if to.after != nil && bytes.Equal(key, to.after) {
			key, row = rows.Next()
		}
		for ; key != nil; key, row = rows.Next() {
			if looked == limit*walkedPerRow || len(dead) == limit {
				return dead, to
			}
			looked++
			to.after = bytes.Clone(key)
			var e expiry
			if err := codec.Decode(row, &e); err != nil { // it stays, for whoever repairs it, and keeps nobody else
				t.log.Error("storage: the sweeper passed a row that it cannot read", "error", err)
				continue
			}
			if e.before(expired) {
				dead = append(dead, rowKey{to.table, to.after})
			}
		}
	}
	return dead, to
}

// broom deletes, up to a limit.
type broom struct {
	tx   *tx
	left int
	more bool // something was left for want of it
}

// rows deletes rows that are still expired.
func (b *broom) rows(dead []rowKey, expired time.Time) {
	for _, row := range dead {
		table := b.tx.bucket(walkedTables[row.table])
		if e, ok := read[expiry](b.tx, table, row.key); ok && e.before(expired) {
			b.tx.unbegin(string(walkedTables[row.table]), table.Get(row.key))
			b.tx.delete(table, row.key)
			b.left--
		}
	}
}

// buckets deletes the buckets within parent that are over, with what is in them: in one stroke where they are small enough
// for the limit, otherwise row by row from the front.
func (b *broom) buckets(parent *bbolt.Bucket, over func(name []byte) bool) {
	var names [][]byte
	for c, name := parent.Cursor(), []byte(nil); ; {
		if name == nil {
			name, _ = c.First()
		} else {
			name, _ = c.Next()
		}
		if name == nil {
			break
		}
		if over(name) {
			names = append(names, bytes.Clone(name))
		}
	}
	for _, name := range names {
		b.bucket(parent, name)
	}
}

func (b *broom) bucket(parent *bbolt.Bucket, name []byte) {
	rows := parent.Bucket(name)
	keys := firstKeys(rows, b.left+1)
	if len(keys) <= b.left {
		b.tx.dropBucket(parent, name)
		b.left -= len(keys)
		return
	}
	b.more = true
	for _, key := range keys[:b.left] {
		b.tx.delete(rows, key)
	}
	b.left = 0
}

func firstKeys(rows *bbolt.Bucket, n int) (keys [][]byte) {
	c := rows.Cursor()
	for key, _ := c.First(); key != nil && len(keys) < n; key, _ = c.Next() {
		keys = append(keys, bytes.Clone(key))
	}
	return keys
}
