package bolt

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signet/storage"
)

// TestFilesOfBefore holds that a file of version 3 gets its index of what was begun and its numbers, wherever the first start that knows
// how was interrupted.
func TestFilesOfBefore(t *testing.T) {
	t.Parallel()
	for _, commits := range []int{0, 1, 2, 5, 40, 1000} {
		t.Run(fmt.Sprintf("interrupted after %d commits", commits), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "signet.db")
			reopen := func() *Store {
				return openTest(t, func(o *Options) { o.Path, o.Now = path, func() time.Time { return epoch.Add(time.Hour) } })
			}
			s := reopen()
			before := furnishBefore(t, s)
			for range commits {
				err := s.db.Update(func(bolt *bbolt.Tx) error {
					tx := newTx(bolt, s.log)
					s.indexSome(tx, 1000)
					return tx.failed
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = reopen()
			indexed(t, s, before)
			s.Close()
			indexed(t, reopen(), before)
		})
	}
}

const usersBefore = 60

// furnishBefore makes a file like one of version 3: without index, without numbers. Every third family has ended, every other third has
// expired.
func furnishBefore(t *testing.T, s *Store) (families []storage.Family) {
	t.Helper()
	err := s.do(t.Context(), func(tx *tx) error {
		for i, grant := range []string{"client_credentials", "authorization_code"} {
			id := fmt.Sprint("client", i)
			clientRows.put(tx, []byte(id), storage.Client{ID: id, Revision: 1, GrantTypes: []string{grant}})
		}
		for i := range usersBefore {
			sub := fmt.Sprint("user", i)
			userRows.put(tx, []byte(sub), storage.User{Sub: sub, Revision: 1, Name: sub})
			tx.put(tx.bucket([]byte(loginBucket)), []byte(sub), []byte(sub))
			in := session(sub)
			sessionRows.put(tx, in.ID[:], in)
			f := family(sub)
			f.Authorization.Session = in.ID
			switch i % 3 {
			case 1:
				f.Ended = epoch
			case 2:
				f.IdleExpires = epoch
			}
			familyRows.put(tx, f.ID[:], f)
			families = append(families, f)
		}
		tx.put(tx.bucket([]byte(metaBucket)), metaUnindexed, []byte{0})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// indexed fails the test unless users lead to what was begun for them, and what lives has a number of its own.
func indexed(t *testing.T, s *Store, families []storage.Family) {
	t.Helper()
	err := s.Check(t.Context(), func(storage.Row) error { return nil }, func(storage.Login) {}, func(f storage.Fault) { t.Errorf("%+v", f) })
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[uint64]bool{}
	for i, before := range families {
		state, err := s.Family(t.Context(), before.ID)
		if err != nil {
			t.Fatal(err)
		}
		n := state.Family.Status
		if (n != 0) != (i%3 == 0) || n != 0 && numbers[n] {
			t.Errorf("family %d has the number %d", i, n)
		}
		numbers[n] = true
		sessions, err := s.Sessions(t.Context(), before.Authorization.User, epoch)
		if err != nil || len(sessions) != 1 {
			t.Errorf("user %d has the sessions %v, %v", i, sessions, err)
		}
	}
	service, err := s.Client(t.Context(), "client0")
	if err != nil || service.ServiceStatus == 0 || numbers[service.ServiceStatus] {
		t.Errorf("the client has the number %d, %v", service.ServiceStatus, err)
	}
	if other, err := s.Client(t.Context(), "client1"); err != nil || other.ServiceStatus != 0 {
		t.Errorf("the other client has the number %d, %v", other.ServiceStatus, err)
	}
	marks, err := s.Marked(t.Context(), epoch)
	if err != nil || len(marks.Numbers) != 0 || marks.Given != uint64(usersBefore/3+1) {
		t.Errorf("marks: %+v, %v", marks, err)
	}
}
