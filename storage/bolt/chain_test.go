package bolt

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signet/audit"
)

// loosen makes a file of version 3 of a closed store: its log is not chained, and begins where the retention dropped days.
func loosen(t testing.TB, path string, commits, detail int) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	db.NoSync = true
	if err := db.Update(func(bolt *bbolt.Tx) error {
		x := newTx(bolt, nil)
		x.put(x.bucket([]byte(metaBucket)), metaVersion, binary.BigEndian.AppendUint32(nil, 3))
		log := x.bucket([]byte(auditBucket))
		for _, s := range x.segments() {
			x.dropBucket(log, s.name)
		}
		const first = 41
		var rows *bbolt.Bucket
		for i := range commits {
			sequence := uint64(first + i)
			if i%1000 == 0 {
				rows = x.subBucket(log, segmentName(sequence, audit.Day(epoch.Add(time.Duration(i/1000)*day))))
				rows.FillPercent = appendFill
			}
			write(x, rows, sequenceKey(sequence), looseRecord{Entries: []audit.Entry{
				{Time: epoch.Add(time.Duration(i/1000) * day), Event: audit.SignInFailed, Detail: fmt.Sprint(i)},
				{Time: epoch.Add(time.Duration(i/1000) * day), Event: audit.CodeIssued, Detail: fmt.Sprintf("%*d", detail, i)},
			}})
		}
		if err := log.SetSequence(first + uint64(commits) - 1); err != nil {
			return err
		}
		if x.failed != nil {
			return x.failed
		}
		return bolt.DeleteBucket([]byte(checkpointBucket))
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOldFilesAreChained holds that a log of before there was a chain is chained when the file is opened, also by a start that comes after one
// that was killed on the way.
func TestOldFilesAreChained(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed on the way: ", killed), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "signet.db")
			openTest(t, func(o *Options) { o.Path = path }).Close()
			const commits = 6000
			loosen(t, path, commits, 2000) // some commits' worth
			if killed {
				s := &Store{path: path, commitTx: (*bbolt.Tx).Commit}
				var err error
				if s.db, err = bbolt.Open(path, 0o600, nil); err != nil {
					t.Fatal(err)
				}
				if err := s.prepare(true); err != nil { // now of this version
					t.Fatal(err)
				}
				more := false
				if err := s.db.Update(func(bolt *bbolt.Tx) error {
					x := newTx(bolt, nil)
					more = x.chainSome()
					return x.failed
				}); err != nil || !more {
					t.Fatal(more, err)
				}
				s.db.Close()
			}
			began := time.Now()
			s := openTest(t, func(o *Options) { o.Path = path })
			t.Logf("%d records chained in %s", commits, time.Since(began).Round(time.Millisecond))
			var last audit.Link
			n := 0
			check := func(r audit.Record) error {
				if r.Sum() != r.Hash || last.Sequence > 0 && (r.Previous != last.Hash || r.Sequence != last.Sequence+1) || last.Sequence == 0 && (r.Sequence != 41 || r.Previous != audit.Hash{}) {
					t.Errorf("record %d does not hold", r.Sequence)
				}
				last = r.Link()
				entries, err := r.Entries()
				if len(entries) != 2 || entries[0].Detail != fmt.Sprint(n) {
					t.Errorf("record %d says %+v", r.Sequence, entries)
				}
				n++
				return err
			}
			if err := s.Records(t.Context(), 0, time.Time{}, check); err != nil || n != commits {
				t.Fatalf("%d records: %v", n, err)
			}
			old := last
			if err := s.Record(t.Context(), audit.Entry{Time: epoch, Event: audit.SignInFailed}); err != nil {
				t.Fatal(err)
			}
			if err := s.Records(t.Context(), old.Sequence+1, time.Time{}, func(r audit.Record) error {
				if r.Previous != old.Hash || r.Sequence != old.Sequence+1 {
					t.Errorf("%+v follows on %+v", r, old)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}
