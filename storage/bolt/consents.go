package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"signet/storage"
	"signet/storage/internal/decide"
)

const consentRows table[storage.Consent] = "consents"

// consentPrefix begins the keys of a user's consents. The length in front keeps one sub from being the beginning of another.
func consentPrefix(user string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(user))), user...)
}

func consentKey(user, client string) []byte { return append(consentPrefix(user), client...) }

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
	prefix := consentPrefix(user)
	consents := t.bucket([]byte(consentRows))
	var keys [][]byte
	for c, key := consents.Cursor(), []byte(nil); ; {
		if key == nil {
			key, _ = c.Seek(prefix)
		} else {
			key, _ = c.Next()
		}
		if !bytes.HasPrefix(key, prefix) {
			break
		}
		keys = append(keys, bytes.Clone(key))
	}
	for _, key := range keys {
		t.delete(consents, key)
	}
}
