package bolt

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"signet/storage"
)

// crowded makes a user with many sessions, and families in each, of whom one client wants to know when they end.
func crowded(t testing.TB, s *Store, sub string, sessions, families int) {
	t.Helper()
	err := s.do(t.Context(), func(tx *tx) error {
		s.clients.put(tx, "4cXk0tKc7Zq1", storage.Client{ID: "4cXk0tKc7Zq1", BackchannelLogoutURI: "https://app.example/back"})
		s.users.put(tx, sub, storage.User{Sub: sub, Name: sub, Epoch: 0, Created: epoch})
		for range sessions {
			in := session(sub)
			tx.beginSession(in)
			for range families / sessions {
				f := family(sub)
				f.Authorization.Session = in.ID
				tx.beginFamily(f)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// BenchmarkEndUser ends a thousand sessions and ten thousand families: for as long all other acts wait.
func BenchmarkEndUser(b *testing.B) {
	s := openTest(b)
	for range b.N {
		b.StopTimer()
		sub := "user" + storage.NewID(epoch).String()
		crowded(b, s, sub, 1000, 10_000)
		b.StartTimer()
		ended, err := s.EndUser(b.Context(), sub, storage.Change{Now: epoch.Add(time.Hour)})
		if err != nil || len(ended.Sessions) != 1000 || ended.Families != 10_000 || ended.Notices != 1000 {
			b.Fatalf("%d sessions, %d families, %d notices, %v", len(ended.Sessions), ended.Families, ended.Notices, err)
		}
	}
}

// TestEndUserOfMany holds that one act ends as much as there is, and leaves a store without faults.
func TestEndUserOfMany(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	crowded(t, s, "ann", 200, 2000)
	ended, err := s.EndUser(t.Context(), "ann", storage.Change{Now: epoch.Add(time.Hour)})
	if err != nil || len(ended.Sessions) != 200 || ended.Families != 2000 || ended.Notices != 200 {
		t.Errorf("%d sessions, %d families, %d notices, %v", len(ended.Sessions), ended.Families, ended.Notices, err)
	}
	marks, err := s.Marked(t.Context(), epoch)
	if err != nil || len(marks.Numbers) != 2000 || marks.Given != 2000 {
		t.Errorf("%d marks of %d numbers, %v", len(marks.Numbers), marks.Given, err)
	}
	for more := true; more; { // all of it expires: the index goes with the rows
		if _, more, err = s.Sweep(t.Context(), epoch.Add(1000*day), 2000*day, 500); err != nil {
			t.Fatal(err)
		}
	}
	err = s.view(t.Context(), func(tx *tx) error {
		for _, name := range []string{begunBucket, marksBucket, string(familyRows), string(sessionRows)} {
			if key, _ := tx.bucket([]byte(name)).Cursor().First(); key != nil {
				t.Errorf("%s still has %x", name, key)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := s.Check(t.Context(), func(storage.Row) error { return nil }, func(storage.Login) {}, func(f storage.Fault) {
		if f.Kind != storage.KindUser { // crowded made one without a name
			t.Errorf("%+v", f)
		}
	}); err != nil {
		t.Error(err)
	}
}

// endForEver ends users with four sessions at one client, and prints each ending that was acknowledged.
func endForEver(path string) error {
	s, err := Open(Options{Path: path})
	if err != nil {
		return err
	}
	for {
		sub := fmt.Sprint("user", time.Now().UnixNano())
		err := s.do(background, func(tx *tx) error {
			s.clients.put(tx, "4cXk0tKc7Zq1", storage.Client{ID: "4cXk0tKc7Zq1", BackchannelLogoutURI: "https://app.example/back"})
			s.users.put(tx, sub, storage.User{Sub: sub})
			for range 4 {
				in := session(sub)
				tx.beginSession(in)
				f := family(sub)
				f.Authorization.Session = in.ID
				tx.beginFamily(f)
			}
			return nil
		})
		if err != nil {
			return err
		}
		ended, err := s.EndUser(background, sub, storage.Change{Now: epoch})
		if err != nil {
			return err
		}
		fmt.Println(ended.ID)
	}
}

// TestAKilledServerOwesNoLess holds that what an ending owes is stored with it: a server that is killed after it owes no less than one that
// is not.
func TestAKilledServerOwesNoLess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	openTest(t, func(o *Options) { o.Path = path }).Close()
	var endings []string
	for round := range 3 {
		other := start(t, "end", path)
		for range 3 + 5*round {
			endings = append(endings, other.line(t))
		}
		other.Process.Kill()
		other.Wait()

		s := openTest(t, func(o *Options) { o.Path = path })
		for _, text := range endings {
			id, err := storage.ParseID(text)
			if err != nil {
				t.Fatal(err)
			}
			if notices, err := s.Notices(t.Context(), id); err != nil || len(notices) != 4 {
				t.Errorf("of ending %s %d notices are left, %v", text, len(notices), err)
			}
		}
		pending, _, _, err := s.Owed(t.Context(), 0)
		marks, marksErr := s.Marked(t.Context(), epoch)
		if err != nil || marksErr != nil || pending < 4*len(endings) || pending != len(marks.Numbers) {
			t.Errorf("%d notices and %d marks are left of %d endings, %v, %v", pending, len(marks.Numbers), len(endings), err, marksErr)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
