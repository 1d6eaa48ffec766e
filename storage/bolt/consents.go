package bolt

import (
	"context"
	"time"

	"signet/storage"
	"signet/storage/internal/decide"
)

const consentRows table[storage.Consent] = "consents"

func consentKey(user, client string) []byte { return append(userPrefix(user), client...) }

// Consent implements [storage.Consents].
func (s *Store) Consent(ctx context.Context, user, client string) (c storage.Consent, err error) {
	err = s.view(ctx, func(t *tx) (err error) {
		c, err = found(consentRows.get(t, consentKey(user, client)))
		return err
	})
	return c, err
}

// addConsent adds c to what its user allowed its client before.
func (t *tx) addConsent(c storage.Consent, now time.Time) {
	key := consentKey(c.User, c.Client)
	old, _ := consentRows.get(t, key)
	consentRows.put(t, key, decide.AddConsent(old, c, now))
}

// dropConsents forgets what a user allowed.
func (t *tx) dropConsents(user string) {
	consents := t.bucket([]byte(consentRows))
	for _, key := range keysWith(consents, userPrefix(user)) {
		t.delete(consents, key)
	}
}
