package postgres

import (
	"context"
	"time"

	"signet/storage"
	"signet/storage/codec"
	"signet/storage/internal/decide"
)

const (
	// denyToken stores a token and its entry, and of one that is there already neither.
	denyToken = `WITH denied AS (INSERT INTO signet.denied (jti, expires) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING RETURNING 1)
		INSERT INTO signet.audit (time, record) SELECT $3, $4 FROM denied`
	selectDenied = `SELECT EXISTS (SELECT FROM signet.denied WHERE jti = $1)`
)

// DenyToken implements [storage.Denials]. It is one round trip.
func (s *Store) DenyToken(ctx context.Context, jti string, expires time.Time, client string, o storage.Change) error {
	denied, entry := decide.Deny(jti, expires), decide.DeniedEntry(client, o)
	entry.Time = codec.UTC(entry.Time)
	return s.do(ctx, func(a *act) error {
		a.write(denyToken, denied.JTI[:], denied.Expires, entry.Time, a.row(entry))
		a.confirm()
		return nil
	})
}

// Denied implements [storage.Denials].
func (s *Store) Denied(ctx context.Context, jti string) (bool, error) {
	var denied value[bool]
	key := decide.DeniedKey(jti)
	err := s.do(ctx, func(a *act) error {
		a.read(selectDenied, []any{key[:]}, &denied)
		return nil
	})
	return denied.V, err
}
