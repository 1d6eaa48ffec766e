package postgres

import (
	"context"
	"slices"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/internal/decide"
)

const (
	selectInitial = `SELECT revision, record FROM signet.initial WHERE id = $1`
	insertInitial = `INSERT INTO signet.initial (id, expires, record) VALUES ($1, $2, $3)`
)

var (
	updateInitial = guarded(`UPDATE signet.initial SET revision = revision + 1, expires = $3, record = $4 WHERE id = $1 AND revision = $2`)
	deleteInitial = guarded(`DELETE FROM signet.initial WHERE id = $1`)
)

// SaveInitialToken implements [storage.InitialTokens].
func (s *Store) SaveInitialToken(ctx context.Context, i storage.InitialToken, o storage.Change) error {
	return s.do(ctx, func(a *act) error {
		var old got[storage.InitialToken]
		a.read(selectInitial, []any{i.ID[:]}, &old)
		if old.Found {
			return storage.ErrExists
		}
		a.write(insertInitial, i.ID[:], expiry(i.Expires), a.row(i))
		a.record(decide.InitialEntry(audit.InitialTokenSaved, i.ID, o))
		return nil
	})
}

// InitialTokens implements [storage.InitialTokens].
func (s *Store) InitialTokens(ctx context.Context, now time.Time) ([]storage.InitialToken, error) {
	tokens, err := list[storage.InitialToken](ctx, s, `SELECT revision, record FROM signet.initial ORDER BY id`)
	tokens = slices.DeleteFunc(tokens, func(i storage.InitialToken) bool { return decide.Usable(i, now) != nil })
	slices.SortStableFunc(tokens, func(a, b storage.InitialToken) int { return a.Created.Compare(b.Created) })
	return tokens, err
}

// RemoveInitialToken implements [storage.InitialTokens].
func (s *Store) RemoveInitialToken(ctx context.Context, id storage.ID, o storage.Change) error {
	return s.do(ctx, func(a *act) error {
		var old got[storage.InitialToken]
		a.read(selectInitial, []any{id[:]}, &old)
		if !old.Found {
			return storage.ErrNotFound
		}
		a.write(deleteInitial, id[:])
		a.record(decide.InitialEntry(audit.InitialTokenRemoved, id, o))
		return nil
	})
}

// InitialToken implements [storage.InitialTokens].
func (s *Store) InitialToken(ctx context.Context, h storage.Handle, now time.Time) (i storage.InitialToken, err error) {
	err = s.do(ctx, func(a *act) error {
		var row got[storage.InitialToken]
		a.read(selectInitial, []any{h.ID[:]}, &row)
		if err := usable(row, h, now); err != nil {
			return err
		}
		i = row.Record
		return nil
	})
	return i, err
}

// usable says whether a row is the token of h, and lets anybody register at the instant now.
func usable(row got[storage.InitialToken], h storage.Handle, now time.Time) error {
	if !row.Found || !row.Record.SecretHash.Matches(h.Secret[:]) {
		return storage.ErrNotFound
	}
	return decide.Usable(row.Record, now)
}

// RegisterClient implements [storage.InitialTokens].
func (s *Store) RegisterClient(ctx context.Context, c storage.Client, token storage.Handle, o storage.Change) (saved storage.Client, err error) {
	err = s.do(ctx, func(a *act) (err error) {
		var initial got[storage.InitialToken]
		var old got[storage.Client]
		a.read(`SELECT i.revision, i.record, c.revision, c.record
			FROM (SELECT) one LEFT JOIN signet.initial i ON i.id = $1 LEFT JOIN signet.clients c ON c.id = $2`, []any{token.ID[:], c.ID}, &initial, &old)
		counted := token != storage.Handle{}
		if counted {
			if err := usable(initial, token, o.Now); err != nil {
				return err
			}
		}
		if saved, err = a.saveClient(old, c, o); err != nil {
			return err
		}
		if counted && initial.Record.Uses > 0 {
			i := decide.CountUse(initial.Record, o.Now)
			a.write(updateInitial, i.ID[:], initial.Revision, expiry(i.Expires), a.row(i))
		}
		return nil
	})
	return saved, err
}
