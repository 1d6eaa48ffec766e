package postgres

import (
	"context"
	"time"

	"signet/storage"
	"signet/storage/internal/decide"
)

const (
	// selectMarked reads the sequence, which is no part of a snapshot, after the snapshot was taken: no mark is above it.
	selectMarked = `SELECT array(SELECT number FROM signet.marks WHERE forgotten > $1 ORDER BY number),
		(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM signet.numbers)`
	insertMarks = `INSERT INTO signet.marks (number, forgotten) SELECT number, $2 FROM unnest($1::bigint[]) number
		ON CONFLICT (number) DO UPDATE SET forgotten = greatest(marks.forgotten, excluded.forgotten)`
	nextNumber = `SELECT nextval('signet.numbers')`
)

// mark marks numbers of the status list, by one statement however many they are.
func (a *act) mark(now time.Time, numbers ...uint64) { a.markFor(now, 0, numbers...) }

// markFor marks numbers whose access tokens live no longer than that; 0: nobody knows.
func (a *act) markFor(now time.Time, life time.Duration, numbers ...uint64) {
	var given []int64
	for _, n := range numbers {
		if n != 0 {
			given = append(given, int64(n))
		}
	}
	if len(given) > 0 {
		a.write(insertMarks, given, decide.MarkUntil(now, life))
	}
}

// number gives the next number of the status list. It is a round trip of its own, for what is rare.
func (a *act) number() uint64 {
	var n value[int64]
	a.read(nextNumber, nil, &n)
	return uint64(n.V)
}

// Marked implements [storage.Statuses].
func (s *Store) Marked(ctx context.Context, now time.Time) (marks storage.Marks, err error) {
	err = s.do(ctx, func(a *act) error {
		var numbers value[[]int64]
		var given value[int64]
		a.read(selectMarked, []any{now}, &numbers, &given)
		marks = storage.Marks{Given: uint64(given.V)}
		for _, n := range numbers.V {
			marks.Numbers = append(marks.Numbers, uint64(n))
		}
		return nil
	})
	return marks, err
}
