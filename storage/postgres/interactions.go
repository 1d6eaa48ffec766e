package postgres

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"signet/storage"
	"signet/storage/internal/decide"
)

const (
	selectInteraction = `SELECT revision, record FROM signet.interactions WHERE id = $1`
	selectKept        = `SELECT 1::bigint, record FROM signet.kept WHERE id = $1`

	// What an address has open, up to a limit: $1 is the address, $2 since when, $3 the limit.
	countInteractions = `(SELECT count(*) FROM (SELECT FROM signet.interactions WHERE address = $1 AND counts AND id >= $2 LIMIT $3::bigint) open)`
	countKept         = `(SELECT count(*) FROM (SELECT FROM signet.kept WHERE address = $1 AND created > $2 LIMIT $3::bigint) open)`

	// nearLimit lets those of one address count one after the other, until their commit, where it may matter: as many as there are
	// connections may be on their way without being seen. Otherwise many people behind one address would wait for each other's commits.
	nearLimit = ` >= $3::bigint - current_setting('max_connections')::bigint`

	lockInteractions = `SELECT pg_advisory_xact_lock($4) WHERE ` + countInteractions + nearLimit
	lockKept         = `SELECT pg_advisory_xact_lock($4) WHERE ` + countKept + nearLimit

	// insertInteraction and insertKept insert nothing where the address has reached its limit.
	insertInteraction = `INSERT INTO signet.interactions (id, address, record) SELECT $4, $1, $5 WHERE ` + countInteractions + ` < $3::bigint
		ON CONFLICT (id) DO UPDATE SET revision = interactions.revision + 1, address = excluded.address, counts = true, record = excluded.record`
	insertKept = `INSERT INTO signet.kept (id, address, record, created) SELECT $4, $1, $5, $6 WHERE ` + countKept + ` < $3::bigint
		ON CONFLICT (id) DO UPDATE SET address = excluded.address, created = excluded.created, record = excluded.record`
)

var (
	updateInteraction = guarded(`UPDATE signet.interactions SET revision = revision + 1, counts = $3, record = $4 WHERE id = $1 AND revision = $2`)
	deleteKept        = guarded(`DELETE FROM signet.kept WHERE id = $1`)
)

// firstID is the least id made for the instant t: ids begin with theirs, in milliseconds.
func firstID(t time.Time) []byte {
	var id storage.ID
	binary.BigEndian.PutUint64(id[:8], uint64(max(t.UnixMilli(), 0))<<16)
	return id[:]
}

// addressLock is the advisory lock of what is counted for an address. Two that share one only wait for each other.
func addressLock(kind, address string) int64 {
	sum := fnv.New64a()
	sum.Write([]byte(kind + "\x00" + address))
	return int64(sum.Sum64())
}

// limited does an insert that counts what its address has already. It is one round trip: the lock, the count and the row are one
// pipeline, and each statement of it sees what was committed before it began.
func (s *Store) limited(ctx context.Context, lock string, key int64, insert string, counted []any, row func(*act) []any) error {
	var inserted int64
	err := s.do(ctx, func(a *act) error {
		a.write(lock, append(slices.Clip(counted), key)...)
		a.write(insert, append(slices.Clip(counted), row(a)...)...).Exec(func(tag pgconn.CommandTag) error {
			inserted = tag.RowsAffected()
			return nil
		})
		return nil
	})
	if err == nil && inserted == 0 {
		return storage.ErrTooMany
	}
	return err
}

// BeginInteraction implements [storage.Interactions].
func (s *Store) BeginInteraction(ctx context.Context, i storage.Interaction, limit int) error {
	counted := []any{i.Address, firstID(i.Created.Add(time.Millisecond)), int64(limit)}
	return s.limited(ctx, lockInteractions, addressLock("interaction", i.Address), insertInteraction, counted, func(a *act) []any {
		return []any{i.ID[:], a.row(i)}
	})
}

// Interaction implements [storage.Interactions].
func (s *Store) Interaction(ctx context.Context, h storage.Handle, now time.Time) (i storage.Interaction, err error) {
	err = s.do(ctx, func(a *act) error {
		var row got[storage.Interaction]
		a.read(selectInteraction, []any{h.ID[:]}, &row)
		if err := openInteraction(row, h, now); err != nil {
			return err
		}
		i = row.Record
		return nil
	})
	return i, err
}

// openInteraction says whether a row is the interaction of h, and open at the instant now.
func openInteraction(row got[storage.Interaction], h storage.Handle, now time.Time) error {
	if !row.Found || !row.Record.SecretHash.Matches(h.Secret[:]) {
		return storage.ErrNotFound
	}
	return decide.OpenInteraction(row.Record, now)
}

// updateInteraction stores a changed interaction, and whether it goes on counting for the limit of its address.
func (a *act) updateInteraction(row got[storage.Interaction], counts bool) {
	a.write(updateInteraction, row.Record.ID[:], row.Revision, counts, a.row(row.Record))
}

// EndInteraction implements [storage.Interactions].
func (s *Store) EndInteraction(ctx context.Context, h storage.Handle, declined storage.Authorization, o storage.Change) error {
	return s.do(ctx, func(a *act) error {
		var row got[storage.Interaction]
		a.read(selectInteraction, []any{h.ID[:]}, &row)
		if err := openInteraction(row, h, o.Now); err != nil {
			return err
		}
		row.Record = decide.SpendInteraction(row.Record)
		a.updateInteraction(row, true)
		a.record(decide.Declined(declined, o))
		return nil
	})
}

// KeepRequest implements [storage.KeptRequests].
func (s *Store) KeepRequest(ctx context.Context, k storage.KeptRequest, limit int) error {
	counted := []any{k.Address, k.Created.Add(-storage.KeptWindow), int64(limit)}
	return s.limited(ctx, lockKept, addressLock("kept", k.Address), insertKept, counted, func(a *act) []any {
		return []any{k.ID[:], a.row(k), k.Created}
	})
}

// TakeRequest implements [storage.KeptRequests].
func (s *Store) TakeRequest(ctx context.Context, h storage.Handle, now time.Time) (k storage.KeptRequest, err error) {
	err = s.do(ctx, func(a *act) error {
		var row got[storage.KeptRequest]
		k = storage.KeptRequest{}
		a.read(selectKept, []any{h.ID[:]}, &row)
		if !row.Found || !row.Record.SecretHash.Matches(h.Secret[:]) || !now.Before(row.Record.Expires) {
			return storage.ErrNotFound
		}
		a.write(deleteKept, h.ID[:])
		k = row.Record
		return nil
	})
	return k, err
}
