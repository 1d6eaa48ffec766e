package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"signet/storage"
	"signet/storage/internal/decide"
)

const (
	// insertNotices has a row for each place in the arrays.
	insertNotices = `INSERT INTO signet.outbox (ending, number, attempts, next, created, state, settled, record)
		SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::timestamptz[], $8::bytea[])`
	selectNotice  = `SELECT attempts, record, attempts, next FROM signet.outbox WHERE ending = $1 AND number = $2`
	selectNotices = `SELECT attempts, record, attempts, next FROM signet.outbox WHERE ending = $1 ORDER BY number`
	// claimNotices passes by what another node is claiming. What was claimed between the statement's snapshot and its lock is not due any more.
	claimNotices = `WITH due AS MATERIALIZED (
			SELECT ending, number, next FROM signet.outbox WHERE settled IS NULL AND next <= $1 ORDER BY next LIMIT $3 FOR UPDATE SKIP LOCKED)
		UPDATE signet.outbox o SET attempts = o.attempts + 1, next = $2 FROM due WHERE o.ending = due.ending AND o.number = due.number
		RETURNING o.attempts, o.record, o.attempts, o.next, due.next`
	// selectOwed has a row for each failed notice, and one without where there is none.
	selectOwed = `SELECT p.count, p.since, f.attempts, f.record, f.attempts, f.next
		FROM (SELECT count(*), min(created) AS since FROM signet.outbox WHERE settled IS NULL) p
			LEFT JOIN (SELECT * FROM signet.outbox WHERE settled IS NOT NULL AND state = $1 ORDER BY settled DESC, ending DESC, number DESC LIMIT $2) f ON true
		ORDER BY f.settled, f.ending, f.number`
)

var settleNotice = guarded(`UPDATE signet.outbox SET next = $4, state = $5, settled = $6, record = $7
	WHERE ending = $1 AND number = $2 AND attempts = $3 AND settled IS NULL`)

// gotNotice is a notice as it was read: its columns are right where its record disagrees.
type gotNotice struct {
	got[storage.Notice]
	attempts pgtype.Int8
	next     pgtype.Timestamptz
}

func (g *gotNotice) targets() []any { return append(g.got.targets(), &g.attempts, &g.next) }

func (g *gotNotice) decode() error {
	if err := g.got.decode(); err != nil || !g.Found {
		return err
	}
	g.Record = corrected(g.Record, g.attempts.Int64, g.next.Time)
	return nil
}

// corrected is a notice as its columns have it. They hold microseconds.
func corrected(n storage.Notice, attempts int64, next time.Time) storage.Notice {
	n.Attempts = uint32(attempts)
	if !n.Next.Truncate(time.Microsecond).Equal(next) {
		n.Next = next.UTC()
	}
	return n
}

// noticeLine is a notice as its columns have it, in the order in which they are written.
func noticeLine(n storage.Notice, row []byte) []any {
	return []any{n.Ending[:], int64(n.Number), int64(n.Attempts), n.Next, n.Created, string(n.State), expiry(n.Settled), row}
}

// insertNotices puts notices into the outbox, by one statement however many they are.
func (a *act) insertNotices(notices []storage.Notice) {
	if len(notices) == 0 {
		return
	}
	var endings, records [][]byte
	var numbers, attempts []int64
	var next, created []time.Time
	var states []string
	var settled []pgtype.Timestamptz
	for _, n := range notices {
		endings, numbers, attempts = append(endings, n.Ending[:]), append(numbers, int64(n.Number)), append(attempts, int64(n.Attempts))
		next, created, states = append(next, n.Next), append(created, n.Created), append(states, string(n.State))
		settled, records = append(settled, expiry(n.Settled)), append(records, a.row(n))
	}
	a.write(insertNotices, endings, numbers, attempts, next, created, states, settled, records)
}

// ClaimNotices implements [storage.Outbox]. It is one statement, and a claim whose answer is lost ends with its time.
func (s *Store) ClaimNotices(ctx context.Context, now, until time.Time, limit int) (claimed []storage.Notice, err error) {
	type due struct {
		storage.Notice
		since time.Time
	}
	var all []due
	err = s.do(ctx, func(a *act) error {
		all, a.wrote = nil, true
		var notice gotNotice
		var since value[time.Time]
		a.each(claimNotices, []any{now, until, int64(max(limit, 0))}, func() { all = append(all, due{notice.Record, since.V}) }, &notice, &since)
		return nil
	})
	slices.SortFunc(all, func(x, y due) int { return x.since.Compare(y.since) })
	for _, d := range all {
		claimed = append(claimed, d.Notice)
	}
	return claimed, err
}

// SettleNotice implements [storage.Outbox].
func (s *Store) SettleNotice(ctx context.Context, n storage.Notice, o storage.Change) error {
	return s.do(ctx, func(a *act) error {
		var old gotNotice
		a.read(selectNotice, []any{n.Ending[:], int64(n.Number)}, &old)
		if !old.Found {
			return storage.ErrNotFound
		}
		next, entries, err := decide.SettleNotice(old.Record, n, o)
		if err != nil {
			return err
		}
		a.write(settleNotice, n.Ending[:], int64(n.Number), old.Revision, next.Next, string(next.State), expiry(next.Settled), a.row(next))
		a.record(entries...)
		return nil
	})
}

// Notices implements [storage.Outbox].
func (s *Store) Notices(ctx context.Context, ending storage.ID) (notices []storage.Notice, err error) {
	err = s.do(ctx, func(a *act) error {
		notices = nil
		var notice gotNotice
		a.each(selectNotices, []any{ending[:]}, func() { notices = append(notices, notice.Record) }, &notice)
		return nil
	})
	return notices, err
}

// Owed implements [storage.Outbox].
func (s *Store) Owed(ctx context.Context, limit int) (pending int, since time.Time, failed []storage.Notice, err error) {
	err = s.do(ctx, func(a *act) error {
		var count value[int64]
		var oldest value[pgtype.Timestamptz]
		var notice gotNotice
		failed = nil
		a.each(selectOwed, []any{string(storage.NoticeFailed), int64(max(limit, 0))}, func() {
			if notice.Found {
				failed = append(failed, notice.Record)
			}
		}, &count, &oldest, &notice)
		pending, since = int(count.V), time.Time{}
		if oldest.V.Valid {
			since = oldest.V.Time.UTC()
		}
		return nil
	})
	return pending, since, failed, err
}
