package bolt

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"signet/storage"
)

func TestCache(t *testing.T) {
	t.Parallel()
	newCache := func() *cached[storage.User] { return newCached(userRows, 2, stringKey) }
	row := func(name string, read uint64) cachedRow[storage.User] {
		return cachedRow[storage.User]{storage.User{Name: name}, read}
	}
	t.Run("a fill that read before the last change is dropped", func(t *testing.T) {
		t.Parallel()
		c := newCache()
		c.forget("ann", 7)
		if c.fill("ann", row("old", 6)); c.rows.Len() != 0 {
			t.Error("it was kept")
		}
		c.fill("ann", row("new", 7))
		if u, ok := c.recent("ann"); !ok || u.Name != "new" {
			t.Errorf("there is %v, %v", u, ok)
		}
	})
	t.Run("a change takes the row out", func(t *testing.T) {
		t.Parallel()
		c := newCache()
		c.fill("ann", row("old", 6))
		c.forget("ann", 7)
		if _, ok := c.recent("ann"); ok {
			t.Error("it is still there")
		}
	})
	t.Run("a row newer than the snapshot is not the snapshot's", func(t *testing.T) {
		t.Parallel()
		c := newCache()
		c.fill("ann", row("new", 8))
		if _, ok := c.at("ann", 7); ok {
			t.Error("it was given to an older snapshot")
		}
		if _, ok := c.at("ann", 8); !ok {
			t.Error("it was not given to its own snapshot")
		}
	})
	t.Run("the number of rows is bounded", func(t *testing.T) {
		t.Parallel()
		c := newCache()
		for i := range 100 {
			c.fill(fmt.Sprint(i), row("", 1))
		}
		if c.rows.Len() != 2 {
			t.Errorf("there are %d", c.rows.Len())
		}
	})
}

// TestCachesAreCoherent changes users while others read them in each way there is. A reader never sees less than what was
// acknowledged before it asked.
func TestCachesAreCoherent(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	s.db.NoSync = true // what is measured is order
	const subs, changes = 3, 30
	families := make([]storage.Family, subs)
	var acknowledged [subs]atomic.Uint64
	for i := range families {
		sub := fmt.Sprint("user", i)
		if err := saveUser(s, sub); err != nil {
			t.Fatal(err)
		}
		acknowledged[i].Store(1)
		families[i] = family(sub)
	}
	if err := s.do(t.Context(), func(t *tx) error {
		for _, f := range families {
			familyRows.put(t, f.ID[:], f)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}

	var writers, readers sync.WaitGroup
	var done atomic.Bool
	for i := range subs {
		sub := fmt.Sprint("user", i)
		writers.Go(func() {
			u, err := s.User(t.Context(), sub)
			for n := 0; n < changes && err == nil; n++ {
				u.Profile.Nickname = fmt.Sprint(u.Revision + 1)
				u, err = s.SaveUser(t.Context(), u, false, storage.Change{Now: epoch})
				acknowledged[i].Store(u.Revision)
			}
			if err != nil {
				t.Error(err)
			}
		})
		for how, read := range map[string]func() (storage.User, error){
			"User":         func() (storage.User, error) { return s.User(t.Context(), sub) },
			"UserByLogin":  func() (storage.User, error) { return s.UserByLogin(t.Context(), sub) },
			"Family":       func() (storage.User, error) { f, err := s.Family(t.Context(), families[i].ID); return f.User, err },
			"RotateFamily": func() (storage.User, error) { return s.keepFamily(families[i]) },
		} {
			readers.Go(func() {
				for !done.Load() {
					least := acknowledged[i].Load()
					u, err := read()
					if err != nil || u.Revision < least || (u.Revision > 1 && u.Profile.Nickname != fmt.Sprint(u.Revision)) {
						t.Errorf("%s: revision %d with %q, acknowledged was %d; %v", how, u.Revision, u.Profile.Nickname, least, err)
						return
					}
				}
			})
		}
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
}

// keepFamily uses a refresh token of a client that keeps its tokens, and returns the user.
func (s *Store) keepFamily(f storage.Family) (storage.User, error) {
	_, u, err := s.RotateFamily(background, storage.Rotation{Family: f.ID, Client: f.Authorization.Client, Keep: true, Idle: day, Now: epoch})
	return u, err
}

func TestACommitThatFailsLeavesTheCachesRight(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	if err := saveUser(s, "ann"); err != nil {
		t.Fatal(err)
	}
	u, err := s.User(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		runs := 0
		release := s.hold()
		answers := s.batch(func(t *tx) error {
			changed := u
			changed.Name = "changed"
			s.users.put(t, "ann", changed)
			s.users.get(t, "ann")
			t.fail(fmt.Errorf("the storage failed"))
			return nil
		}, putUser(s, "bob", &runs))
		release()
		answers()
		for _, get := range []func() (storage.User, error){
			func() (storage.User, error) { return s.User(t.Context(), "ann") },
			func() (storage.User, error) { return s.UserByLogin(t.Context(), "ann") },
		} {
			if got, err := get(); err != nil || got.Name != "ann" {
				t.Errorf("the user is %v, %v", got, err)
			}
		}
	}
}
