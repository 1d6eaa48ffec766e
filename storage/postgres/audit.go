package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
)

// Acts insert their entries into signet.audit, with all else that they write: a chain that each had to append to would have them wait for each
// other. From there one node at a time, which holds an advisory lock for as long as its transaction lasts, takes them in their order and puts
// them into signet.records, many to a record. What was committed is in one of the two tables, never in both and never in neither.
const insertEntry = `INSERT INTO signet.audit (time, record) VALUES ($1, $2)`

const (
	// chainLock is the advisory lock of who chains.
	chainLock = migrationLock + 1

	lockChain     = `SELECT pg_advisory_xact_lock($1)`
	anyLoose      = `SELECT EXISTS (SELECT FROM signet.audit)`
	lastRecord    = `SELECT day, record FROM signet.records ORDER BY sequence DESC LIMIT 1`
	firstLoose    = `SELECT sequence, record FROM signet.audit ORDER BY sequence LIMIT $1`
	dropLoose     = `DELETE FROM signet.audit WHERE sequence = ANY($1)`
	insertRecord  = `INSERT INTO signet.records (sequence, day, record) VALUES ($1, $2, $3)`
	chainedAtOnce = 512 // entries
)

// Record implements [storage.Audit].
func (s *Store) Record(ctx context.Context, entries ...audit.Entry) error {
	return s.do(ctx, func(a *act) error {
		a.record(entries...)
		return nil
	})
}

// Entries implements [storage.Audit]. It calls f outside of any transaction, so f may use the store.
func (s *Store) Entries(ctx context.Context, f func(audit.Entry) error) error {
	if err := s.Chain(ctx); err != nil {
		return err
	}
	return s.Records(ctx, 0, time.Time{}, func(r audit.Record) error { return r.Each(f) })
}

// Chain implements [storage.Audit]. Of several nodes that chain at once one does, and the others wait for it and find nothing left.
func (s *Store) Chain(ctx context.Context) error {
	for {
		taken, err := s.chainSome(ctx)
		if err != nil || taken < chainedAtOnce {
			return err
		}
	}
}

// chainSome takes some entries in one transaction and says how many. A transaction of which nobody knows whether it was committed did it, or it
// is done by the next one.
func (s *Store) chainSome(ctx context.Context) (taken int, err error) {
	conn, err := s.acquire(ctx, time.Now().Add(s.timeout))
	if err != nil {
		return 0, s.explain(err)
	}
	defer conn.Release()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var some bool
	if err := conn.QueryRow(ctx, anyLoose).Scan(&some); err != nil || !some {
		return 0, s.explainMove(err)
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) (err error) {
		if _, err := tx.Exec(ctx, lockChain, int64(chainLock)); err != nil {
			return err
		}
		taken, err = chainIn(ctx, tx)
		return err
	})
	return taken, s.explainMove(err)
}

func chainIn(ctx context.Context, tx pgx.Tx) (taken int, err error) {
	end, err := endOfChain(ctx, tx)
	if err != nil {
		return 0, err
	}
	loose, err := tx.Query(ctx, firstLoose, int64(chainedAtOnce))
	if err != nil {
		return 0, err
	}
	var sequence int64
	var row pgtype.DriverBytes
	var sequences []int64
	var entries []audit.Entry
	_, err = pgx.ForEachRow(loose, []any{&sequence, &row}, func() error {
		var e audit.Entry
		if err := codec.Decode(row, &e); err != nil {
			return err
		}
		sequences, entries = append(sequences, sequence), append(entries, e)
		return nil
	})
	if err != nil || len(entries) == 0 {
		return 0, err
	}
	var batch pgx.Batch
	if err := end.add(&batch, entries); err != nil {
		return 0, err
	}
	batch.Queue(dropLoose, sequences)
	return len(entries), tx.SendBatch(ctx, &batch).Close()
}

// chainEnd is where the chain has come to, and in which day's segment.
type chainEnd struct {
	audit.Link
	day uint32
}

func endOfChain(ctx context.Context, tx pgx.Tx) (end chainEnd, err error) {
	last, err := tx.Query(ctx, lastRecord)
	if err != nil {
		return end, err
	}
	var day int64
	var row pgtype.DriverBytes
	_, err = pgx.ForEachRow(last, []any{&day, &row}, func() error {
		var r audit.Record
		err := codec.Decode(row, &r)
		end = chainEnd{r.Link(), uint32(day)}
		return err
	})
	return end, err
}

// add puts entries at the end of the chain, those of each day in records of their own.
func (c *chainEnd) add(batch *pgx.Batch, entries []audit.Entry) error {
	for len(entries) > 0 {
		today, n := c.segment(entries[0].Time), 1
		for n < len(entries) && audit.Segment(today, audit.Day(entries[n].Time)) == today {
			n++
		}
		for _, body := range audit.Bodies(entries[:n]) {
			r := c.Next(body)
			row, err := codec.Encode(r)
			if err != nil {
				return err
			}
			batch.Queue(insertRecord, int64(r.Sequence), int64(today), row)
			c.Link, c.day = r.Link(), today
		}
		entries = entries[n:]
	}
	return nil
}

// segment is the day of the segment that a record of an instant goes into.
func (c *chainEnd) segment(t time.Time) uint32 {
	if c.Sequence == 0 {
		return audit.Day(t)
	}
	return audit.Segment(c.day, audit.Day(t))
}

// firstKept is the sequence of the first record that nobody drops: those up to the anchor are being dropped.
const firstKept = `(SELECT coalesce(max(sequence), 0) + 1 FROM signet.checkpoints WHERE anchor)`

// Chained implements [storage.Audit].
func (s *Store) Chained(ctx context.Context) (c storage.Chain, err error) {
	err = s.do(ctx, func(a *act) error {
		c = storage.Chain{}
		var first value[int64]
		var last, due got[audit.Record]
		var newest got[audit.Checkpoint]
		a.read(`SELECT coalesce((SELECT sequence FROM signet.records WHERE sequence >= `+firstKept+` ORDER BY sequence LIMIT 1), 0),
				last.sequence, last.record, newest.sequence, newest.record
			FROM (SELECT) one LEFT JOIN (SELECT sequence, record FROM signet.records ORDER BY sequence DESC LIMIT 1) last ON true
				LEFT JOIN (SELECT sequence, record FROM signet.checkpoints ORDER BY sequence DESC LIMIT 1) newest ON true`, nil, &first, &last, &newest)
		a.each(`SELECT sequence, record FROM (
				SELECT sequence, record, day, lead(day) OVER (ORDER BY sequence) following FROM signet.records WHERE sequence > $1 AND sequence >= `+firstKept+`
			) since WHERE day <> following ORDER BY sequence`, []any{int64(newest.Record.Sequence)}, func() {
			c.Due = append(c.Due, due.Record.Link())
		}, &due)
		c.First, c.Last, c.Checkpoint = uint64(first.V), last.Record.Link(), newest.Record
		return nil
	})
	return c, err
}

// recordsAtOnce bounds how many records are in memory; each has some hundreds of entries.
const recordsAtOnce = 16

// Records implements [storage.Audit]. It calls f outside of any transaction, so f may use the store.
func (s *Store) Records(ctx context.Context, from uint64, since time.Time, f func(audit.Record) error) error {
	day := int64(0)
	if !since.IsZero() {
		day = int64(audit.Day(since)) - 1 // a segment may have some of the day after
	}
	var last value[int64]
	err := s.do(ctx, func(a *act) error {
		a.read(`SELECT coalesce(max(sequence), 0) FROM signet.records`, nil, &last)
		return nil
	})
	for more := true; err == nil && more; {
		var records []audit.Record
		err = s.do(ctx, func(a *act) error {
			records = nil
			var row got[audit.Record]
			a.each(`SELECT sequence, record FROM signet.records WHERE sequence >= $1 AND sequence >= `+firstKept+` AND sequence <= $2 AND day >= $3
				ORDER BY sequence LIMIT $4`, []any{int64(from), last.V, day, int64(recordsAtOnce)}, func() { records = append(records, row.Record) }, &row)
			return nil
		})
		for _, r := range records {
			if err == nil {
				err = f(r)
			}
			from = r.Sequence + 1
		}
		more = len(records) == recordsAtOnce
	}
	return err
}

// SaveCheckpoint implements [storage.Audit].
func (s *Store) SaveCheckpoint(ctx context.Context, c audit.Checkpoint) error {
	c.Time = codec.UTC(c.Time)
	return s.do(ctx, func(a *act) error {
		var record got[audit.Record]
		a.read(`SELECT sequence, record FROM signet.records WHERE sequence = $1 AND sequence >= `+firstKept, []any{int64(c.Sequence)}, &record)
		if !record.Found || record.Record.Hash != c.Hash {
			return storage.ErrConflict
		}
		a.write(`INSERT INTO signet.checkpoints (sequence, record) VALUES ($1, $2) ON CONFLICT (sequence) DO NOTHING`, int64(c.Sequence), a.row(c))
		return nil
	})
}

// Checkpoints implements [storage.Audit].
func (s *Store) Checkpoints(ctx context.Context, from, to uint64) (all []audit.Checkpoint, err error) {
	err = s.do(ctx, func(a *act) error {
		all = nil
		var row got[audit.Checkpoint]
		a.each(`SELECT sequence, record FROM signet.checkpoints WHERE sequence BETWEEN $1 AND $2 ORDER BY sequence`,
			[]any{int64(from), int64(min(to, 1<<62))}, func() { all = append(all, row.Record) }, &row)
		return nil
	})
	return all, err
}

const (
	// oldestSegment is the first record that is kept, its day, and the first record of the segment that follows, which the last one has not.
	oldestSegment = `SELECT first.day, following.day, following.sequence - 1
		FROM (SELECT sequence, day FROM signet.records WHERE sequence >= ` + firstKept + ` ORDER BY sequence LIMIT 1) first,
			LATERAL (SELECT sequence, day FROM signet.records r WHERE r.sequence > first.sequence AND r.day <> first.day ORDER BY r.sequence LIMIT 1) following
		WHERE first.day < $1 OR first.day > $2`
	anchorAt        = `UPDATE signet.checkpoints SET anchor = true WHERE sequence = $1`
	dropRecords     = `DELETE FROM signet.records WHERE sequence IN (SELECT sequence FROM signet.records WHERE sequence < $1 ORDER BY sequence LIMIT $2 FOR UPDATE SKIP LOCKED)`
	dropCheckpoints = `DELETE FROM signet.checkpoints WHERE sequence IN (SELECT sequence FROM signet.checkpoints
		WHERE sequence < $1 - 1 ORDER BY sequence LIMIT $2 FOR UPDATE SKIP LOCKED)`
)

// log drops the oldest days that are over, each behind the checkpoint over its last record: the checkpoint becomes the anchor, from where on
// nobody reads them, and then they go, up to the limit.
func (b *broom) log(now time.Time, retention time.Duration) {
	for anchored := true; anchored && b.failed == nil; {
		anchored = b.anchor(now, retention)
	}
	var first value[int64]
	b.read(`SELECT `+firstKept, nil, &first)
	b.drop(dropRecords, first.V)
	b.drop(dropCheckpoints, first.V)
}

func (b *broom) anchor(now time.Time, retention time.Duration) bool {
	var day, following, end value[int64]
	b.read(oldestSegment, []any{int64(audit.Day(now.Add(-retention))), int64(audit.Day(now)) + 1}, &day, &following, &end)
	if b.failed != nil || end.V == 0 || now.Before(audit.SegmentEnd(uint32(day.V), uint32(following.V), now).Add(retention)) {
		return false
	}
	tag, err := b.conn.Exec(b.ctx, anchorAt, end.V)
	if err != nil {
		b.failed = err
	}
	return err == nil && tag.RowsAffected() == 1
}
