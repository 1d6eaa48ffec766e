package bolt

import (
	"fmt"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
	"signet/storage/storagetest"
)

// used is how many bytes of the file were ever in use.
func (s *Store) used(t *testing.T) (size int64) {
	t.Helper()
	if err := s.db.View(func(bolt *bbolt.Tx) error {
		size = bolt.Size()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return size
}

// TestTheFileDoesNotGrowForEver lives through many days of the same traffic, each swept at its end.
func TestTheFileDoesNotGrowForEver(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	s.db.NoSync = true // what is measured is space
	if err := saveUser(s, "ann"); err != nil {
		t.Fatal(err)
	}
	var settled int64
	const days, rows = 18, 80
	for today := range days {
		now := epoch.Add(time.Duration(today) * day)
		err := s.do(t.Context(), func(t *tx) error {
			for i := range rows {
				at := now.Add(time.Duration(i) * time.Minute)
				i := storage.Interaction{ID: storage.NewID(at), Created: at, Expires: at, Address: fmt.Sprint("192.0.2.", i%10)}
				interactionRows.put(t, i.ID, i)
				codeRows.put(t, i.ID, storage.Code{ID: i.ID, Expires: at})
				keptRows.put(t, i.ID, storage.KeptRequest{ID: i.ID, Form: "a=b", Expires: at})
				f := family("ann")
				f.ID, f.IdleExpires, f.Expires = storage.NewID(at), at, at
				familyRows.put(t, f.ID[:], f)
				session := storage.Session{ID: storage.NewID(at), User: "ann", IdleExpires: at, Expires: at}
				sessionRows.put(t, session.ID[:], session)
				browser := storage.Browser{ID: storage.NewID(at), Expires: at}
				browserRows.put(t, browser.ID[:], browser)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if err := s.Record(t.Context(), audit.Entry{Time: now.Add(time.Duration(i) * time.Minute), Event: audit.SignInFailed, Detail: "wrong password"}); err != nil {
				t.Fatal(err)
			}
		}
		storagetest.Vouch(t, s, now)
		for more := true; more; {
			var deleted int
			if deleted, more, err = s.Sweep(t.Context(), now.Add(day), 3*day, 250); err != nil || deleted > 250 {
				t.Fatal(deleted, err)
			}
		}
		if today == days/3 {
			settled = s.used(t)
		}
	}
	if size := s.used(t); size > settled*11/10 {
		t.Errorf("the file grew from %d to %d bytes with the same live data", settled, size)
	}
}

func TestSweepDropsTheIndexOfOpenInteractions(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	at := epoch.Add(10 * time.Minute)
	for range 5 {
		i := storage.Interaction{ID: storage.NewID(at), Created: epoch, Expires: at, Address: "192.0.2.1"}
		if err := s.BeginInteraction(t.Context(), i, 10); err != nil {
			t.Fatal(err)
		}
	}
	deleted := 0
	for more := true; more; {
		n, again, err := s.Sweep(t.Context(), at.Add(2*time.Hour), day, 2)
		if err != nil {
			t.Fatal(err)
		}
		deleted, more = deleted+n, again
	}
	if deleted != 5 {
		t.Errorf("%d rows were deleted, want 5", deleted)
	}
	if err := s.db.View(func(bolt *bbolt.Tx) error {
		for _, name := range []string{string(openRows), string(interactionRows)} {
			if key, _ := bolt.Bucket([]byte(name)).Cursor().First(); key != nil {
				t.Errorf("%s has a slot", name)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestSweepPassesARowThatItCannotRead holds that one damaged row does not keep all others for ever.
func TestSweepPassesARowThatItCannotRead(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	expired := family("ann")
	expired.Expires = epoch
	if err := s.do(t.Context(), func(t *tx) error {
		t.put(t.bucket([]byte(familyRows)), []byte{0}, []byte{codec.Version, 0xFF})
		familyRows.put(t, expired.ID[:], expired)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if deleted, _, err := s.Sweep(t.Context(), epoch.Add(2*day), day, 10); deleted != 1 || err != nil {
		t.Errorf("%d rows were deleted, %v", deleted, err)
	}
}

func TestEntriesLeaveOutWhatIsCommittedMeanwhile(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	s.db.NoSync = true // what is measured is order
	const n = recordsAtOnce + 10
	entry := audit.Entry{Time: epoch, Event: audit.SignInFailed}
	for range n {
		if err := s.Record(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
	}
	calls := 0
	err := s.Entries(t.Context(), func(e audit.Entry) error {
		if e.Event == audit.SignInFailed {
			calls++
			return s.Record(t.Context(), entry)
		}
		return nil
	})
	if err != nil || calls != n {
		t.Errorf("%d entries, want %d; %v", calls, n, err)
	}
}

func TestSegments(t *testing.T) {
	t.Parallel()
	s := openTest(t, func(o *Options) { o.Now = func() time.Time { return epoch } })
	midnight := epoch.Truncate(day).Add(day)
	for _, at := range []time.Time{epoch, midnight.Add(-1), midnight, midnight.Add(-1), midnight.Add(day), epoch.Add(-10 * day), epoch.Add(10 * day)} {
		if err := s.Record(t.Context(), audit.Entry{Time: at, Event: audit.SignInFailed}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	if err := s.db.View(func(bolt *bbolt.Tx) error {
		return bolt.Bucket([]byte(auditBucket)).ForEachBucket(func(name []byte) error {
			n := bolt.Bucket([]byte(auditBucket)).Bucket(name).Stats().KeyN
			got = append(got, fmt.Sprintf("%s: %d", time.Unix(int64(segmentDay(name))*86400, 0).UTC().Format(time.DateOnly), n))
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	want := "[2026-11-02: 3 2026-11-03: 2 2026-11-04: 1 2026-10-23: 1 2026-11-12: 1]"
	if fmt.Sprint(got) != want {
		t.Errorf("the segments are %v, want %v", got, want)
	}
}
