package postgres

import (
	"context"
	"fmt"
	"time"

	"signet/storage"
)

// What has expired stays for a while, so that a late reader, or one whose clock is wrong, finds it refused and not unknown.
const (
	shortMargin = time.Hour
	rowMargin   = 24 * time.Hour
)

// walkedPerRow says how many rows a sweep looks at for each that it may delete: most rows of a walk are alive.
const walkedPerRow = 20

// walkedTables are those whose rows expire one by one; the migration says why they have no index for it.
var walkedTables = [...]string{"families", "sessions", "browsers", "initial"}

// position is how far a walk through them came: to this table, and in it to this key.
type position struct {
	table int
	after []byte
}

// walk looks at $2 rows after the key $1, and deletes up to $4 of those that expired before $3. Rows that an act holds are passed
// by. It returns how many it looked at and deleted, and the last key of each.
func walk(table string) string {
	return fmt.Sprintf(`WITH looked AS MATERIALIZED (SELECT id, expires FROM signet.%[1]s WHERE id > $1 ORDER BY id LIMIT $2),
		dead AS MATERIALIZED (SELECT id FROM signet.%[1]s WHERE id IN (SELECT id FROM looked WHERE expires < $3) AND expires < $3
			ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED),
		gone AS (DELETE FROM signet.%[1]s WHERE id IN (SELECT id FROM dead) RETURNING id)
	SELECT (SELECT count(*) FROM looked), (SELECT count(*) FROM gone),
		(SELECT id FROM looked ORDER BY id DESC LIMIT 1), (SELECT id FROM dead ORDER BY id DESC LIMIT 1)`, table)
}

// drop deletes up to $2 rows of a table for which a condition on $1 holds.
func drop(table, key, condition string) string {
	return fmt.Sprintf(`DELETE FROM signet.%[1]s WHERE (%[2]s) IN (SELECT %[2]s FROM signet.%[1]s WHERE %[3]s LIMIT $2 FOR UPDATE SKIP LOCKED)`,
		table, key, condition)
}

var (
	walks = func() (all [len(walkedTables)]string) {
		for i, table := range walkedTables {
			all[i] = walk(table)
		}
		return all
	}()
	dropCodes        = drop("codes", "id", "id < $1")
	dropDevices      = drop("devices", "id", "id < $1")
	dropInteractions = drop("interactions", "id", "id < $1")
	dropKept         = drop("kept", "id", "id < $1")
	dropAssertions   = drop("assertions", "client, jti", "expires < $1")
	dropDenied       = drop("denied", "jti", "expires < $1")
	dropNotices      = drop("outbox", "ending, number", "settled < $1")
	dropMarks        = drop("marks", "number", "forgotten < $1")
)

// Sweep implements [storage.Upkeep]. Each statement is a transaction of its own: a sweep may stop anywhere. The rows that expire
// one by one are walked, a bounded number at each call, from where this node's last call stopped; "more" also says that this
// walk has not come to its end. Nodes that sweep at once pass each other's rows by.
func (s *Store) Sweep(ctx context.Context, now time.Time, retention time.Duration, limit int) (deleted int, more bool, err error) {
	if limit <= 0 {
		return 0, false, nil
	}
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	err = s.do(ctx, func(a *act) error {
		b := broom{act: a, left: limit}
		to := b.walk(s.walked, now.Add(-rowMargin), max(limit/2, 1)) // the other half is for the rest
		for _, sql := range []string{dropCodes, dropDevices, dropInteractions, dropKept} {
			b.drop(sql, firstID(now.Add(-shortMargin)))
		}
		b.drop(dropAssertions, now.Add(-shortMargin))
		b.drop(dropDenied, now.Add(-rowMargin))
		b.drop(dropNotices, now.Add(-storage.NoticeLife))
		b.drop(dropMarks, now)
		b.log(now, retention)
		if a.failed == nil {
			s.walked = to
		}
		deleted, more = limit-b.left, b.more || to.table < len(walkedTables)
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	return deleted, more, nil
}

// broom deletes, up to a limit.
type broom struct {
	*act
	left int
	more bool // something may be left for want of it
}

// walk goes on from a position, and returns the one that it came to. A walk that came to its end begins anew.
func (b *broom) walk(from position, expired time.Time, limit int) (to position) {
	if to = from; to.table == len(walkedTables) {
		to = position{}
	}
	toLook := limit * walkedPerRow
	for to.table < len(walkedTables) && toLook > 0 && limit > 0 && b.failed == nil {
		var looked, gone value[int64]
		var lastLooked, lastDead value[[]byte]
		b.read(walks[to.table], []any{bytesOf(to.after), int64(toLook), expired, int64(limit)}, &looked, &gone, &lastLooked, &lastDead)
		switch {
		case int(gone.V) == limit:
			to.after = lastDead.V
		case int(looked.V) == toLook:
			to.after = lastLooked.V
		default:
			to = position{table: to.table + 1}
		}
		toLook, limit, b.left = toLook-int(looked.V), limit-int(gone.V), b.left-int(gone.V)
	}
	return to
}

// bytesOf is never null: everything is greater than the empty key.
func bytesOf(key []byte) []byte { return append([]byte{}, key...) }

// drop deletes with a statement of that name, as far as the limit goes.
func (b *broom) drop(sql string, until any) {
	if b.failed != nil {
		return
	}
	tag, err := b.conn.Exec(b.ctx, sql, until, int64(max(b.left, 0)))
	if err != nil {
		b.failed = err
		return
	}
	b.left -= int(tag.RowsAffected())
	b.more = b.more || b.left <= 0
}
