package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
)

// act is one attempt at an act. It reads, decides, and gathers what is to be written, which leaves in one pipeline when it has
// returned. A failure of the storage sticks: what is read after it is absent, and it is the outcome whatever the act returns. So
// acts hold the protocol's decisions alone.
type act struct {
	ctx    context.Context
	conn   *pgxpool.Conn
	writes pgx.Batch
	wrote  bool // a statement that reads has written as well
	failed error
}

// attempts bounds how often an act is tried. Of those that meet at one row each round lets one through, and those that lost
// mostly find nothing left to do.
const attempts = 12

// do does an act: by its return it is durable, or did not happen, or (the connection broke in the commit) is reported as failed.
// Once begun it is finished, whether or not its caller stays: a request that is cut off shall not cost a connection.
func (s *Store) do(ctx context.Context, run func(*act) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	deadline := time.Now().Add(s.timeout)
	for attempt := 1; ; attempt++ {
		answer, err := s.try(ctx, deadline, run)
		switch {
		case err == nil:
			return answer
		case !repeatable(err):
			return s.explain(err)
		case attempt == attempts:
			return s.exhausted(err)
		}
		s.repeated.Add(1)
		pause(attempt)
	}
}

// try is one attempt. Without an error the answer is the act's, a refusal included.
func (s *Store) try(ctx context.Context, deadline time.Time, run func(*act) error) (answer, err error) {
	conn, err := s.acquire(ctx, deadline)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	begun, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	a := &act{ctx: begun, conn: conn}
	answer = run(a)
	switch {
	case a.failed != nil && conn.Conn().IsClosed() && !a.wrote: // while reading: nothing was written yet
		return nil, lostError{a.failed}
	case a.failed != nil:
		return nil, a.failed
	case a.writes.Len() > 0:
		return answer, conn.SendBatch(begun, &a.writes).Close()
	}
	return answer, nil
}

// acquire takes a connection. Few may wait for one, and not for long.
func (s *Store) acquire(ctx context.Context, deadline time.Time) (*pgxpool.Conn, error) {
	if s.waiting.Add(1) > maxWaiting {
		s.waiting.Add(-1)
		return nil, storage.ErrBusy
	}
	defer s.waiting.Add(-1)
	waiting, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	conn, err := s.pool.Acquire(waiting)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case waiting.Err() != nil && s.pool.Stat().AcquiredConns() == s.pool.Config().MaxConns:
		return nil, storage.ErrBusy
	}
	return nil, err
}

// maxWaiting bounds how many acts may wait for a connection, beyond which they are told so at once.
const maxWaiting = 1024

// pause lets others go first: a random while, which is longer from attempt to attempt.
func pause(attempt int) {
	most := min(time.Millisecond<<attempt, 50*time.Millisecond)
	time.Sleep(rand.N(most))
}

// exhausted is the answer to an act that was never let through.
func (s *Store) exhausted(err error) error {
	if sqlState(err) == uniqueViolation { // a key that no other act holds: more attempts will not help
		return s.explain(err)
	}
	return fmt.Errorf("%w: %d attempts met others: %w", storage.ErrBusy, attempts, err)
}

// cell is what a result has for one table: a revision and a record, both null where an outer join found no row.
type cell interface {
	targets() []any
	decode() error
}

// got is a row as it was read.
type got[R any] struct {
	Record   R
	Found    bool  // there is a record
	Taken    bool  // there is a row: its key is in use, or was
	Revision int64 // which a write that follows on it expects

	revision pgtype.Int8
	row      pgtype.DriverBytes
}

func (g *got[R]) targets() []any { return []any{&g.revision, &g.row} }

func (g *got[R]) decode() error {
	*g = got[R]{Found: g.row != nil, Taken: g.revision.Valid, Revision: g.revision.Int64, row: g.row}
	if !g.Found {
		return nil
	}
	return codec.Decode(g.row, &g.Record)
}

// value is a result of another kind.
type value[V any] struct{ V V }

func (v *value[V]) targets() []any { return []any{&v.V} }
func (v *value[V]) decode() error  { return nil }

// each calls f for each row of a query, whose columns are those of cells, with the cells as the row fills them.
func (a *act) each(sql string, args []any, f func(), cells ...cell) {
	if a.failed != nil {
		return
	}
	rows, err := a.conn.Query(a.ctx, sql, args...)
	if err != nil {
		a.failed = err
		return
	}
	var targets []any
	for _, c := range cells {
		targets = append(targets, c.targets()...)
	}
	_, err = pgx.ForEachRow(rows, targets, func() error {
		for _, c := range cells {
			if err := c.decode(); err != nil {
				return err
			}
		}
		if f != nil {
			f()
		}
		return nil
	})
	if err != nil {
		a.failed = err
	}
}

// read fills cells from a query of one row. Without a row they stay as they are.
func (a *act) read(sql string, args []any, cells ...cell) { a.each(sql, args, nil, cells...) }

// write gathers a statement.
func (a *act) write(sql string, args ...any) *pgx.QueuedQuery { return a.writes.Queue(sql, args...) }

// guarded makes a statement fail the whole pipeline, as a serialization failure, unless it finds the row that it is about.
func guarded(sql string) string {
	return `WITH done AS (` + sql + ` RETURNING 1) SELECT CASE WHEN EXISTS (SELECT FROM done) THEN 0 ELSE signet.stale() END`
}

// guardedAll is guarded for a statement about many rows; $4 is how many.
func guardedAll(sql string) string {
	return `WITH done AS (` + sql + ` RETURNING 1) SELECT CASE WHEN (SELECT count(*) FROM done) = $4::bigint THEN 0 ELSE signet.stale() END`
}

// row encodes a record.
func (a *act) row(record any) []byte {
	row, err := codec.Encode(record)
	if err != nil && a.failed == nil {
		a.failed = err
	}
	return row
}

// stored encodes a record, and returns it as it will be read again.
func stored[R any](a *act, record R) (row []byte, saved R) {
	row = a.row(record)
	if a.failed == nil {
		a.failed = codec.Decode(row, &saved)
	}
	return row, saved
}

// record adds entries to the audit log, in the same pipeline and by one statement.
func (a *act) record(entries ...audit.Entry) {
	times, records := make([]time.Time, len(entries)), make([][]byte, len(entries))
	for i, e := range entries {
		e.Time = codec.UTC(e.Time)
		times[i], records[i] = e.Time, a.row(e)
	}
	switch len(entries) {
	case 0:
	case 1:
		a.write(insertEntry, times[0], records[0])
	default:
		a.write(insertEntries, times, records)
	}
}

// insertEntries is insertEntry for arrays of the same length. Rows are inserted in their order, so the log has it.
const insertEntries = `INSERT INTO signet.audit (time, record) SELECT * FROM unnest($1::timestamptz[], $2::bytea[])`

// confirm has an act that found its work done wait as if it had done it. Who did it may have had no answer, since PostgreSQL went down or the
// standby did not answer in time; then it can be seen before it is on the standby, and would be lost if that took over.
func (a *act) confirm() { a.write(`SELECT pg_logical_emit_message(true, 'signet', '')`) }

// found turns a look-up into the answer that contracts name.
func (g *got[R]) found() (R, error) {
	if !g.Found {
		return g.Record, storage.ErrNotFound
	}
	return g.Record, nil
}

// expiry is the earlier of two instants that are not zero, as a column has it: null is never.
func expiry(instants ...time.Time) (at pgtype.Timestamptz) {
	for _, t := range instants {
		if !t.IsZero() && (!at.Valid || t.Before(at.Time)) {
			at = pgtype.Timestamptz{Time: t, Valid: true}
		}
	}
	return at
}

// lostError is a connection that broke before anything was written.
type lostError struct{ error }

func (e lostError) Unwrap() error { return e.error }

func isLost(err error) bool { return errors.As(err, new(lostError)) }
