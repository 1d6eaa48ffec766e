package postgres

import (
	"context"

	"signet/audit"
	"signet/storage"
)

const (
	selectRing = `SELECT revision, record FROM signet.ring`
	insertRing = `INSERT INTO signet.ring (revision, record) VALUES (1, $1)`
)

var updateRing = guarded(`UPDATE signet.ring SET revision = revision + 1, record = $2 WHERE revision = $1`)

// Ring implements [storage.Rings].
func (s *Store) Ring(ctx context.Context) (ring storage.Ring, err error) {
	err = s.do(ctx, func(a *act) error {
		var row got[storage.Ring]
		a.read(selectRing, nil, &row)
		ring = row.Record
		return nil
	})
	return ring, err
}

// SaveRing implements [storage.Rings].
func (s *Store) SaveRing(ctx context.Context, r storage.Ring, o storage.Change) (saved storage.Ring, err error) {
	err = s.do(ctx, func(a *act) error {
		var old got[storage.Ring]
		a.read(selectRing, nil, &old)
		if old.Record.Revision != r.Revision {
			return storage.ErrConflict
		}
		next := r
		next.Revision++
		var row []byte
		row, saved = stored(a, next)
		if old.Found {
			a.write(updateRing, old.Revision, row)
		} else {
			a.write(insertRing, row)
		}
		a.record(audit.Entry{Time: o.Now, Event: audit.RingSaved, Origin: o.Origin, Detail: o.Detail})
		return nil
	})
	if err != nil {
		return storage.Ring{}, err
	}
	return saved, nil
}
