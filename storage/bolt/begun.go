package bolt

import (
	"bytes"
	"encoding/binary"
	"slices"

	"go.etcd.io/bbolt"

	"signet/storage"
	"signet/storage/internal/decide"
)

// begunBucket leads from users to what was begun in their names: a key len(sub) ‖ sub ‖ session for each session and that ‖ family for
// each family, which is found so when its session was swept long ago. A row that changes keeps its key.
const begunBucket = "begun"

// userPrefix begins the keys of what belongs to a user. The length in front keeps one sub from being the beginning of another.
func userPrefix(sub string) []byte {
	return append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(sub)+2*len(storage.ID{})), uint16(len(sub))), sub...)
}

func sessionPrefix(sub string, session storage.ID) []byte {
	return append(userPrefix(sub), session[:]...)
}

func begunSession(s storage.Session) []byte { return sessionPrefix(s.User, s.ID) }

func begunFamily(f storage.Family) []byte {
	return append(sessionPrefix(f.Authorization.User, f.Authorization.Session), f.ID[:]...)
}

// keysWith returns the keys of a bucket that begin so.
func keysWith(b *bbolt.Bucket, prefix []byte) (keys [][]byte) {
	c := b.Cursor()
	for key, _ := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = c.Next() {
		keys = append(keys, bytes.Clone(key))
	}
	return keys
}

// begunBy returns the sessions and the families of a user, as far as they are stored; those of before the oldest first.
func (t *tx) begunBy(sub string) (sessions []storage.Session, families []storage.Family) {
	prefix := userPrefix(sub)
	for _, key := range keysWith(t.bucket([]byte(begunBucket)), prefix) {
		switch ids := key[len(prefix):]; len(ids) {
		case len(storage.ID{}):
			if session, ok := sessionRows.get(t, ids); ok {
				sessions = append(sessions, session)
			}
		case 2 * len(storage.ID{}):
			if f, ok := familyRows.get(t, ids[len(storage.ID{}):]); ok {
				families = append(families, f)
			}
		}
	}
	return sessions, families
}

// begunIn returns the families of a session.
func (t *tx) begunIn(session storage.Session) (families []storage.Family) {
	prefix := begunSession(session)
	for _, key := range keysWith(t.bucket([]byte(begunBucket)), prefix) {
		if f, ok := familyRows.get(t, key[len(prefix):]); ok {
			families = append(families, f)
		}
	}
	return families
}

// beginSession stores a new session.
func (t *tx) beginSession(s storage.Session) {
	sessionRows.put(t, s.ID[:], s)
	t.put(t.bucket([]byte(begunBucket)), begunSession(s), []byte{1})
}

// beginFamily stores a new family, with its number, and returns it.
func (t *tx) beginFamily(f storage.Family) storage.Family {
	f.Status = t.number()
	familyRows.put(t, f.ID[:], f)
	t.put(t.bucket([]byte(begunBucket)), begunFamily(f), []byte{1})
	return f
}

// unbegin forgets the index of a session or a family that is deleted.
func (t *tx) unbegin(table string, row []byte) {
	index := t.bucket([]byte(begunBucket))
	switch table {
	case string(sessionRows):
		if s, ok := decoded[storage.Session](t, row); ok {
			t.delete(index, begunSession(s))
		}
	case string(familyRows):
		if f, ok := decoded[storage.Family](t, row); ok {
			t.delete(index, begunFamily(f))
		}
	}
}

// indexBegun puts many keys into the index, in their order: see placeLogins.
func (t *tx) indexBegun(keys [][]byte) {
	slices.SortFunc(keys, bytes.Compare)
	index := t.bucket([]byte(begunBucket))
	for _, key := range keys {
		t.put(index, key, []byte{1})
	}
}

// number gives the next number of the status list. The bucket of the families counts them: its root is written with each new family.
func (t *tx) number() uint64 {
	if t.failed != nil {
		return 0
	}
	t.writes++
	n, err := t.bucket([]byte(familyRows)).NextSequence()
	if err != nil {
		t.fail(err)
	}
	return n
}

// given says how many numbers were given so far.
func (t *tx) given() uint64 { return t.bucket([]byte(familyRows)).Sequence() }

// gave notes that numbers up to n were given, elsewhere.
func (t *tx) gave(n uint64) {
	if families := t.bucket([]byte(familyRows)); t.failed == nil && n > families.Sequence() {
		t.writes++
		if err := families.SetSequence(n); err != nil {
			t.fail(err)
		}
	}
}

// numberClient is c, that follows on old, with the number that it needs. What ended is marked.
func (t *tx) numberClient(old, c storage.Client, o storage.Change) storage.Client {
	ended, fresh := decide.ServiceNumber(old, c)
	t.markFor(o.Now, o.AccessLife, ended)
	if fresh {
		c.ServiceStatus = t.number()
	}
	return c
}
