package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"time"

	"signet/storage"
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
	old, existed := consentRows.get(t, key)
	c.Scopes = union(old.Scopes, c.Scopes)
	c.Claims = union(old.Claims, c.Claims)
	c.Resources = union(old.Resources, c.Resources)
	c.Since, c.Updated = now, now
	if existed {
		c.Since = old.Since
	}
	consentRows.put(t, key, c)
}

// union returns the members of a and then those that b has beside them.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
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
