package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"signet/storage"
	"signet/storage/internal/decide"
)

const (
	interactionRows slots[storage.Interaction] = "interactions"
	keptRows        slots[storage.KeptRequest] = "kept"
	openRows        slots[openRow]             = "open"
)

// openRow counts for the limit of an address: the bare milliseconds until which it does.
type openRow uint64

// kind keeps what is counted for an address apart: interactions, kept requests and devices.
type kind byte

const (
	countInteraction kind = 'i'
	countKept        kind = 'k'
	countDevice      kind = 'd'
)

// prefix begins the keys of an address's rows.
func (k kind) prefix(address string) []byte { return append(append([]byte{byte(k)}, address...), 0) }

func (k kind) key(address string, id storage.ID) []byte { return append(k.prefix(address), id[:]...) }

// count notes that a row of the address counts until the instant given.
func (t *tx) count(k kind, address string, id storage.ID, until time.Time) {
	if slot := t.subBucket(t.bucket([]byte(openRows)), slotOf(until)); slot != nil {
		t.put(slot, k.key(address, id), binary.BigEndian.AppendUint64(nil, uint64(until.UnixMilli())))
	}
}

// uncount takes that back.
func (t *tx) uncount(k kind, address string, id storage.ID, until time.Time) {
	t.delete(t.bucket([]byte(openRows), slotOf(until)), k.key(address, id))
}

// counted says how many rows of the address count at the instant now, up to limit.
func (t *tx) counted(k kind, address string, now time.Time, limit int) (n int) {
	prefix := k.prefix(address)
	all := t.bucket([]byte(openRows))
	names := all.Cursor()
	for name, _ := names.Seek(slotOf(now)); name != nil; name, _ = names.Next() {
		rows := all.Bucket(name).Cursor()
		for key, row := rows.Seek(prefix); bytes.HasPrefix(key, prefix) && n < limit; key, row = rows.Next() {
			if len(row) == 8 && now.UnixMilli() < int64(binary.BigEndian.Uint64(row)) {
				n++
			}
		}
	}
	return n
}

// BeginInteraction implements [storage.Interactions].
func (s *Store) BeginInteraction(ctx context.Context, i storage.Interaction, limit int) error {
	return s.do(ctx, func(t *tx) error {
		if t.counted(countInteraction, i.Address, i.Created, limit) >= limit {
			return storage.ErrTooMany
		}
		interactionRows.put(t, i.ID, i)
		t.count(countInteraction, i.Address, i.ID, i.Expires)
		return nil
	})
}

// Interaction implements [storage.Interactions].
func (s *Store) Interaction(ctx context.Context, h storage.Handle, now time.Time) (i storage.Interaction, err error) {
	err = s.view(ctx, func(t *tx) (err error) {
		i, err = t.openInteraction(h, now)
		return err
	})
	return i, err
}

// openInteraction returns the interaction of h, if it is open at the instant now.
func (t *tx) openInteraction(h storage.Handle, now time.Time) (storage.Interaction, error) {
	i, ok := byHandle(t, interactionRows, h, func(i storage.Interaction) storage.Hash { return i.SecretHash })
	if !ok {
		return storage.Interaction{}, storage.ErrNotFound
	}
	if err := decide.OpenInteraction(i, now); err != nil {
		return storage.Interaction{}, err
	}
	return i, nil
}

// spend marks an open interaction as finished.
func (t *tx) spend(i storage.Interaction) {
	interactionRows.put(t, i.ID, decide.SpendInteraction(i))
}

// EndInteraction implements [storage.Interactions].
func (s *Store) EndInteraction(ctx context.Context, h storage.Handle, a storage.Authorization, o storage.Change) error {
	return s.do(ctx, func(t *tx) error {
		i, err := t.openInteraction(h, o.Now)
		if err != nil {
			return err
		}
		t.spend(i)
		t.record(decide.Declined(a, o))
		return nil
	})
}

// KeepRequest implements [storage.KeptRequests].
func (s *Store) KeepRequest(ctx context.Context, k storage.KeptRequest, limit int) error {
	return s.do(ctx, func(t *tx) error {
		if t.counted(countKept, k.Address, k.Created, limit) >= limit {
			return storage.ErrTooMany
		}
		keptRows.put(t, k.ID, k)
		t.count(countKept, k.Address, k.ID, k.Created.Add(storage.KeptWindow))
		return nil
	})
}

// TakeRequest implements [storage.KeptRequests].
func (s *Store) TakeRequest(ctx context.Context, h storage.Handle, now time.Time) (k storage.KeptRequest, err error) {
	err = s.do(ctx, func(t *tx) error {
		var ok bool
		k, ok = byHandle(t, keptRows, h, func(k storage.KeptRequest) storage.Hash { return k.SecretHash })
		if !ok || !now.Before(k.Expires) {
			k = storage.KeptRequest{}
			return storage.ErrNotFound
		}
		keptRows.delete(t, k.ID)
		t.uncount(countKept, k.Address, k.ID, k.Created.Add(storage.KeptWindow))
		return nil
	})
	return k, err
}
