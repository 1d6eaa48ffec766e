package bolt

import (
	"context"
	"slices"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/internal/decide"
)

const initialRows table[storage.InitialToken] = "initial"

// SaveInitialToken implements [storage.InitialTokens].
func (s *Store) SaveInitialToken(ctx context.Context, i storage.InitialToken, o storage.Change) error {
	return s.do(ctx, func(t *tx) error {
		if _, taken := initialRows.get(t, i.ID[:]); taken {
			return storage.ErrExists
		}
		initialRows.put(t, i.ID[:], i)
		t.record(decide.InitialEntry(audit.InitialTokenSaved, i.ID, o))
		return nil
	})
}

// InitialTokens implements [storage.InitialTokens].
func (s *Store) InitialTokens(ctx context.Context, now time.Time) (tokens []storage.InitialToken, err error) {
	err = s.view(ctx, func(t *tx) error {
		tokens = slices.DeleteFunc(initialRows.all(t), func(i storage.InitialToken) bool { return decide.Usable(i, now) != nil })
		slices.SortStableFunc(tokens, func(a, b storage.InitialToken) int { return a.Created.Compare(b.Created) })
		return nil
	})
	return tokens, err
}

// RemoveInitialToken implements [storage.InitialTokens].
func (s *Store) RemoveInitialToken(ctx context.Context, id storage.ID, o storage.Change) error {
	return s.do(ctx, func(t *tx) error {
		if _, ok := initialRows.get(t, id[:]); !ok {
			return storage.ErrNotFound
		}
		initialRows.delete(t, id[:])
		t.record(decide.InitialEntry(audit.InitialTokenRemoved, id, o))
		return nil
	})
}

// InitialToken implements [storage.InitialTokens].
func (s *Store) InitialToken(ctx context.Context, h storage.Handle, now time.Time) (i storage.InitialToken, err error) {
	err = s.view(ctx, func(t *tx) (err error) {
		i, err = t.initialToken(h, now)
		return err
	})
	return i, err
}

func (t *tx) initialToken(h storage.Handle, now time.Time) (storage.InitialToken, error) {
	i, ok := initialRows.get(t, h.ID[:])
	if !ok || !i.SecretHash.Matches(h.Secret[:]) {
		return storage.InitialToken{}, storage.ErrNotFound
	}
	if err := decide.Usable(i, now); err != nil {
		return storage.InitialToken{}, err
	}
	return i, nil
}

// RegisterClient implements [storage.InitialTokens].
func (s *Store) RegisterClient(ctx context.Context, c storage.Client, token storage.Handle, o storage.Change) (saved storage.Client, err error) {
	err = s.do(ctx, func(t *tx) (err error) {
		var i storage.InitialToken
		counted := token != storage.Handle{}
		if counted {
			if i, err = t.initialToken(token, o.Now); err != nil {
				return err
			}
		}
		if saved, err = s.saveClient(t, c, o); err != nil {
			return err
		}
		if counted && i.Uses > 0 {
			initialRows.put(t, i.ID[:], decide.CountUse(i, o.Now))
		}
		return nil
	})
	return saved, err
}
