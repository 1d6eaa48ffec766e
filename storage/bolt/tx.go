package bolt

import (
	"fmt"
	"log/slog"
	"runtime/debug"

	"go.etcd.io/bbolt"

	"signet/audit"
	"signet/storage/codec"
)

// tx is a transaction as acts and reads see it. A failure of the storage sticks: what is read after it is absent, what is
// written after it is dropped, and the committer takes it as the act's outcome whatever the act returns. So acts hold the
// protocol's decisions alone.
type tx struct {
	bolt     *bbolt.Tx
	log      *slog.Logger
	snapshot uint64 // id of the last commit that it sees, its own writes aside

	failed error // by the act under way
	writes int   // of the act under way

	entries []audit.Entry       // of all acts of the transaction
	head    audit.Link          // the end of the audit log, if its sequence says so
	changed map[change]struct{} // cached rows that differ from the snapshot
}

func newTx(bolt *bbolt.Tx, log *slog.Logger) *tx {
	t := &tx{bolt: bolt, log: log, snapshot: uint64(bolt.ID())}
	if bolt.Writable() {
		t.snapshot-- // bbolt gives a writing transaction the id that its commit will have
	}
	return t
}

// fail notes a failure of the storage, the first one.
func (t *tx) fail(err error) {
	if t.failed == nil {
		t.failed = err
	}
}

// guard runs f and turns its panic into a failure.
func (t *tx) guard(f func(*tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.log.Error("storage: panic in an act", "panic", p, "stack", string(debug.Stack()))
			t.fail(fmt.Errorf("panic in an act: %v", p))
		}
	}()
	return f(t)
}

// record adds an entry to the audit log, in this commit.
func (t *tx) record(e audit.Entry) {
	e.Time = codec.UTC(e.Time)
	t.entries = append(t.entries, e)
}

func (t *tx) recordAll(entries []audit.Entry) {
	for _, e := range entries {
		t.record(e)
	}
}

// bucket returns the bucket at the end of path, nil if there is none.
func (t *tx) bucket(path ...[]byte) *bbolt.Bucket {
	b := t.bolt.Bucket(path[0])
	for _, name := range path[1:] {
		if b == nil {
			return nil
		}
		b = b.Bucket(name)
	}
	return b
}

// get returns the bytes at key, which are good until the transaction ends.
func (t *tx) get(b *bbolt.Bucket, key []byte) []byte {
	if b == nil || t.failed != nil {
		return nil
	}
	return b.Get(key)
}

func (t *tx) put(b *bbolt.Bucket, key, value []byte) {
	if t.failed != nil {
		return
	}
	t.writes++
	if err := b.Put(key, value); err != nil {
		t.fail(fmt.Errorf("put: %w", err))
	}
}

func (t *tx) delete(b *bbolt.Bucket, key []byte) {
	if b == nil || t.failed != nil {
		return
	}
	t.writes++
	if err := b.Delete(key); err != nil {
		t.fail(fmt.Errorf("delete: %w", err))
	}
}

// subBucket returns the bucket of that name in parent and makes it where it is missing.
func (t *tx) subBucket(parent *bbolt.Bucket, name []byte) *bbolt.Bucket {
	if b := parent.Bucket(name); b != nil {
		return b
	}
	t.writes++
	b, err := parent.CreateBucket(name)
	if err != nil {
		t.fail(fmt.Errorf("create bucket: %w", err))
	}
	return b
}

func (t *tx) dropBucket(parent *bbolt.Bucket, name []byte) {
	if t.failed != nil {
		return
	}
	t.writes++
	if err := parent.DeleteBucket(name); err != nil {
		t.fail(fmt.Errorf("drop bucket: %w", err))
	}
}

// table is a top-level bucket whose rows are records of type R.
type table[R any] string

func (b table[R]) get(t *tx, key []byte) (record R, ok bool) {
	return read[R](t, t.bucket([]byte(b)), key)
}

func (b table[R]) put(t *tx, key []byte, record R) {
	write(t, t.bucket([]byte(b)), key, record)
}

func (b table[R]) delete(t *tx, key []byte) {
	t.delete(t.bucket([]byte(b)), key)
}

// all returns the records in the order of their keys.
func (b table[R]) all(t *tx) []R {
	var records []R
	err := t.bucket([]byte(b)).ForEach(func(_, row []byte) error {
		var record R
		if err := codec.Decode(row, &record); err != nil {
			return err
		}
		records = append(records, record)
		return nil
	})
	if err != nil {
		t.fail(err)
	}
	return records
}

func read[R any](t *tx, b *bbolt.Bucket, key []byte) (record R, ok bool) {
	return decoded[R](t, t.get(b, key))
}

// decoded reads a row that is at hand; nil is none.
func decoded[R any](t *tx, row []byte) (record R, ok bool) {
	if row == nil || t.failed != nil {
		return record, false
	}
	if err := codec.Decode(row, &record); err != nil {
		t.fail(err)
		return record, false
	}
	return record, true
}

func write[R any](t *tx, b *bbolt.Bucket, key []byte, record R) {
	row, err := codec.Encode(record)
	if err != nil {
		t.fail(err)
		return
	}
	t.put(b, key, row)
}
