package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"signet/storage"
	"signet/storage/rows"
)

func build1(t *testing.T, path string, fill func(*Store) error) error {
	t.Helper()
	return Build(t.Context(), Options{Path: path}, fill)
}

// alone fails the test unless the store is the only file of its folder.
func alone(t *testing.T, path string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 || files[0].Name() != filepath.Base(path) {
		t.Errorf("%v, %v", files, err)
	}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	ann := func(s *Store) error { return saveUser(s, "ann") }
	has := func(t *testing.T, path, sub string) {
		t.Helper()
		if _, err := openTest(t, func(o *Options) { o.Path = path }).User(t.Context(), sub); err != nil {
			t.Error(err)
		}
	}
	t.Run("where there is none", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "signet.db")
		if err := build1(t, path, ann); err != nil {
			t.Fatal(err)
		}
		has(t, path, "ann")
		alone(t, path)
	})
	t.Run("where an empty one is, and what an interrupted run left behind", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "signet.db")
		openTest(t, func(o *Options) { o.Path = path }).Close()
		if err := os.WriteFile(path+".new-123", []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := build1(t, path, ann); err != nil {
			t.Fatal(err)
		}
		has(t, path, "ann")
		alone(t, path)
	})
	t.Run("a store with data stays", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "signet.db")
		if err := build1(t, path, ann); err != nil {
			t.Fatal(err)
		}
		err := build1(t, path, func(*Store) error { t.Error("it was filled"); return nil })
		if !errors.Is(err, storage.ErrExists) {
			t.Error(err)
		}
		has(t, path, "ann")
	})
	t.Run("one that comes meanwhile stays", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "signet.db")
		err := build1(t, path, func(*Store) error { return build1(t, path, ann) })
		if err == nil {
			t.Error("it was replaced")
		}
		has(t, path, "ann")
	})
	t.Run("without success there is nothing", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "signet.db")
		why := errors.New("cut off")
		if err := build1(t, path, func(s *Store) error { return errors.Join(ann(s), why) }); !errors.Is(err, why) {
			t.Error(err)
		}
		if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 0 {
			t.Errorf("%v is left, %v", files, err)
		}
	})
}

func TestAnInterruptedImportIsNotOpened(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	s := openTest(t, func(o *Options) { o.Path = path })
	why := errors.New("cut off")
	err := s.Import(t.Context(), func(yield func(storage.Row, error) bool) { yield(storage.Row{}, why) })
	if !errors.Is(err, why) {
		t.Error(err)
	}
	s.Close()
	if _, err := Open(Options{Path: path}); !errors.Is(err, ErrUnfinished) {
		t.Error(err)
	}
}

func TestCompact(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	s := openTest(t, func(o *Options) { o.Path = path })
	err := s.do(t.Context(), func(t *tx) error {
		for i := range 8_000 {
			f := family(fmt.Sprint(i % 50))
			f.ID = storage.NewID(epoch.Add(time.Duration(i) * time.Second))
			if i%10 > 0 {
				f.Expires = epoch
			}
			familyRows.put(t, f.ID[:], f)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		if _, more, err = s.Sweep(t.Context(), epoch.Add(2*day), day, 5000); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := Compact(t.Context(), Options{Path: path, Timeout: 10 * time.Millisecond}); !errors.Is(err, ErrLocked) {
		t.Errorf("beside a server: %v", err)
	}
	var want, got rows.Tally
	if err := want.Read(s.Export(t.Context())); err != nil {
		t.Fatal(err)
	}
	s.Close()
	before, after, err := Compact(t.Context(), Options{Path: path})
	if err != nil || after*3 > before {
		t.Errorf("from %d to %d bytes, %v", before, after, err)
	}
	alone(t, path)
	s = openTest(t, func(o *Options) { o.Path = path })
	if err := got.Read(s.Export(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(rows.Compare(want.Sums(), got.Sums()), saveUser(s, "later")); err != nil {
		t.Error(err)
	}
}

// TestWhoWaitsGetsTheNewFile opens a store while another takes its place.
func TestWhoWaitsGetsTheNewFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	old := openTest(t, func(o *Options) { o.Path = path })
	other := filepath.Join(t.TempDir(), "other.db")
	fresh := openTest(t, func(o *Options) { o.Path = other })
	if err := saveUser(fresh, "ann"); err != nil {
		t.Fatal(err)
	}
	fresh.Close()
	opened := make(chan error)
	go func() {
		s, err := Open(Options{Path: path, Timeout: 10 * time.Second})
		if err == nil {
			_, err = s.User(background, "ann")
			s.Close()
		}
		opened <- err
	}()
	time.Sleep(100 * time.Millisecond) // it waits for the lock
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	old.Close()
	if err := <-opened; err != nil {
		t.Error(err)
	}
}
