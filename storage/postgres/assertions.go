package postgres

import (
	"context"
	"crypto/sha256"
	"time"

	"signet/audit"
	"signet/storage"
)

// insertAssertion takes the place of a row that has expired, and inserts nothing where one has not; its answer is "inserted", and
// whether the row that is in its way was recorded as replayed.
const insertAssertion = `WITH spent AS (
		INSERT INTO signet.assertions AS a (client, jti, expires) VALUES ($1, $2, $3)
		ON CONFLICT (client, jti) DO UPDATE SET expires = excluded.expires, replayed = false WHERE a.expires <= $4 RETURNING 1)
	SELECT EXISTS (SELECT FROM spent), coalesce((SELECT replayed FROM signet.assertions WHERE client = $1 AND jti = $2), false)`

var markReplayed = guarded(`UPDATE signet.assertions SET replayed = true WHERE client = $1 AND jti = $2 AND NOT replayed`)

// SpendAssertion implements [storage.Assertions]. It is one round trip, unless it has a replay to record.
func (s *Store) SpendAssertion(ctx context.Context, client, jti string, expires time.Time, o storage.Change) error {
	hash := sha256.Sum256([]byte(jti)) // short, whatever the client sent
	return s.do(ctx, func(a *act) error {
		a.wrote = true // another attempt would find its own row, and call it a replay
		var inserted, replayed value[bool]
		a.read(insertAssertion, []any{client, hash[:], expires, o.Now}, &inserted, &replayed)
		switch {
		case inserted.V:
			return nil
		case !replayed.V:
			a.write(markReplayed, client, hash[:])
			a.record(audit.Entry{Time: o.Now, Event: audit.AssertionReplayed, Origin: o.Origin, Client: client, Detail: o.Detail})
		}
		return storage.ErrSpent
	})
}
