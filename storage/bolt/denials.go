package bolt

import (
	"context"
	"time"

	"signet/storage"
	"signet/storage/internal/decide"
)

// deniedRows holds single access tokens that were revoked, under the SHA-256 of their jti.
const deniedRows table[storage.DeniedToken] = "denied"

// DenyToken implements [storage.Denials].
func (s *Store) DenyToken(ctx context.Context, jti string, expires time.Time, client string, o storage.Change) error {
	denied := decide.Deny(jti, expires)
	return s.do(ctx, func(t *tx) error {
		if _, known := deniedRows.get(t, denied.JTI[:]); known {
			return nil
		}
		deniedRows.put(t, denied.JTI[:], denied)
		t.record(decide.DeniedEntry(client, o))
		return nil
	})
}

// Denied implements [storage.Denials].
func (s *Store) Denied(ctx context.Context, jti string) (denied bool, err error) {
	key := decide.DeniedKey(jti)
	err = s.view(ctx, func(t *tx) error {
		_, denied = deniedRows.get(t, key[:])
		return nil
	})
	return denied, err
}
