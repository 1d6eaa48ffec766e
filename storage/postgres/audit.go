package postgres

import (
	"context"

	"signet/audit"
)

const insertEntry = `INSERT INTO signet.audit (time, record) VALUES ($1, $2)`

// Record implements [storage.Audit].
func (s *Store) Record(ctx context.Context, entries ...audit.Entry) error {
	return s.do(ctx, func(a *act) error {
		a.record(entries...)
		return nil
	})
}

// entriesAtOnce bounds how many entries are in memory.
const entriesAtOnce = 256

// Entries implements [storage.Audit]. It calls f outside of any transaction, so f may use the store. Entries that are written after
// it began are left out.
func (s *Store) Entries(ctx context.Context, f func(audit.Entry) error) error {
	var last value[int64]
	err := s.do(ctx, func(a *act) error {
		a.read(`SELECT coalesce(max(sequence), 0) FROM signet.audit`, nil, &last)
		return nil
	})
	for from := int64(0); err == nil && from < last.V; {
		var entries []audit.Entry
		var next int64
		err = s.do(ctx, func(a *act) error {
			entries, next = a.entries(from, last.V)
			return nil
		})
		for _, e := range entries {
			if err == nil {
				err = f(e)
			}
		}
		from = next
	}
	return err
}

// entries returns some entries from a sequence on, up to last, and the sequence to go on from.
func (a *act) entries(after, last int64) (entries []audit.Entry, next int64) {
	next = last
	var row got[audit.Entry]
	a.each(`SELECT sequence, record FROM signet.audit WHERE sequence > $1 AND sequence <= $2 ORDER BY sequence LIMIT $3`,
		[]any{after, last, int64(entriesAtOnce)}, func() {
			if entries = append(entries, row.Record); len(entries) == entriesAtOnce {
				next = row.Revision
			}
		}, &row)
	return entries, next
}
