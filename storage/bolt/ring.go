package bolt

import (
	"context"

	"signet/audit"
	"signet/storage"
)

const ringRows table[storage.Ring] = "ring"

var ringKey = []byte("ring")

// Ring implements [storage.Rings].
func (s *Store) Ring(ctx context.Context) (ring storage.Ring, err error) {
	err = s.view(ctx, func(t *tx) error {
		ring, _ = ringRows.get(t, ringKey)
		return nil
	})
	return ring, err
}

// SaveRing implements [storage.Rings].
func (s *Store) SaveRing(ctx context.Context, r storage.Ring, o storage.Change) (saved storage.Ring, err error) {
	err = s.do(ctx, func(t *tx) error {
		old, _ := ringRows.get(t, ringKey)
		if old.Revision != r.Revision {
			return storage.ErrConflict
		}
		r := r
		r.Revision++
		ringRows.put(t, ringKey, r)
		saved, _ = ringRows.get(t, ringKey)
		t.record(audit.Entry{Time: o.Now, Event: audit.RingSaved, Origin: o.Origin, Detail: o.Detail})
		return nil
	})
	return saved, err
}
