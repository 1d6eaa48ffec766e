//go:build linux

package bolt

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"signet/storage"
	"signet/storage/rows"
)

// TestTornCommit cuts the power in the middle of a commit: some of its pages are on the disk whole, some in part, in any order, and its meta
// page is not there, or torn. The store is the one before the commit, whole.
func TestTornCommit(t *testing.T) {
	t.Parallel()
	path := sound(t)
	before := content(t, path)
	s := openTest(t, func(o *Options) { o.Path = path })
	for _, sub := range []string{"a", "b"} { // the second commit is the one that is torn
		before = content(t, path)
		if err := saveUser(s, sub); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	after := content(t, path)
	var changed []int // pages
	for at := 0; at < len(after); at += pageSize {
		if at >= len(before) || !bytes.Equal(before[at:at+pageSize], after[at:at+pageSize]) {
			changed = append(changed, at)
		}
	}
	meta := later(after)
	for seed := range uint64(25) {
		random := rand.New(rand.NewPCG(seed, 0))
		torn := bytes.Clone(before)
		if grown := len(after) - len(before); grown > 0 {
			torn = append(torn, make([]byte, grown)...)
		}
		for _, at := range changed {
			const sector = 512
			if at == meta { // its checksum is behind what it says: half of it is none
				if random.IntN(2) == 0 {
					copy(torn[at:at+headerSize+24], after[at:])
				}
				continue
			}
			for from := at; from < at+pageSize; from += sector {
				if random.IntN(3) > 0 {
					copy(torn[from:from+sector], after[from:])
				}
			}
		}
		wants(t, torn, "a", "b")
	}
	wants(t, after, "b", "nobody")
}

// wants fails the test unless a file is a sound store that has one user and not the other.
func wants(t *testing.T, file []byte, has, lacks string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signet.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openTest(t, func(o *Options) { o.Path = path })
	_, hasErr := s.User(t.Context(), has)
	_, lacksErr := s.User(t.Context(), lacks)
	if hasErr != nil || !errors.Is(lacksErr, storage.ErrNotFound) {
		t.Errorf("%s: %v, %s: %v", has, hasErr, lacks, lacksErr)
	}
	err := s.Check(t.Context(), func(row storage.Row) error {
		_, err := rows.Decode(row)
		return err
	}, func(storage.Login) {}, func(f storage.Fault) { t.Errorf("%+v", f) })
	if err := errors.Join(err, saveUser(s, "next"), s.Close()); err != nil {
		t.Error(err)
	}
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestReadOnly holds that a store that cannot be written to is refused when it is opened, and ends a process that has it open.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	t.Run("a file system that is read only", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
			t.Skip("no tmpfs may be mounted here:", err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		})
		path := filepath.Join(dir, "signet.db")
		if err := opened(path); err != nil {
			t.Fatal(err)
		}
		before := content(t, path)
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		if err := opened(path); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "may be written to") {
			t.Error(err)
		}
		if !bytes.Equal(before, content(t, path)) {
			t.Error("the file is another")
		}
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, ""); err != nil {
			t.Fatal(err)
		}
		if err := opened(path); err != nil {
			t.Error("writable again:", err)
		}
	})
	t.Run("one that becomes so stops the store", func(t *testing.T) {
		t.Parallel()
		stopped := make(chan error, 1)
		s := openTest(t, func(o *Options) { o.Fatal = func(err error) { stopped <- err } })
		s.failing(&fs.PathError{Op: "write", Path: "signet.db", Err: syscall.EROFS})
		if err := saveUser(s, "a"); !errors.Is(err, errStopped) || errors.Is(err, storage.ErrNoSpace) {
			t.Errorf("the answer is %v", err)
		}
		if len(stopped) != 1 || !errors.Is(<-stopped, syscall.EROFS) {
			t.Error("Fatal was not called")
		}
	})
}

// TestTheClockJumps moves the wall clock by a day in the course of a sign-in that lasts: what the store says follows the clock that
// callers have, nothing that is live is deleted, and where the clock comes back all is as it was.
func TestTheClockJumps(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"a day ahead": day, "a day back": -day} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &week{T: t, store: openTest(t), now: epoch, browser: map[string]storage.Handle{}}
			w.settle()
			u := w.users[0]
			w.signIn(u)
			family := w.line[0]
			rotate := func(f storage.Family, at time.Time) (storage.Family, error) {
				next, _, err := w.store.RotateFamily(t.Context(), storage.Rotation{Family: f.ID, Generation: f.Generation, Client: weekClient,
					Window: 10 * time.Second, Idle: 14 * day, Now: at})
				return next, err
			}
			next, err := rotate(family, epoch)
			w.ok(err)
			there := epoch.Add(jump)

			for range 5 { // sweeping by the wrong clock, and by the right one again
				_, _, err := w.store.Sweep(t.Context(), there, 90*day, 100)
				w.ok(err)
				_, _, err = w.store.Sweep(t.Context(), epoch, 90*day, 100)
				w.ok(err)
			}
			_, sessions, err := w.store.Browser(t.Context(), w.browser[u.Sub], epoch)
			if err != nil || len(sessions) != 1 {
				t.Errorf("the session, by the right clock: %d, %v", len(sessions), err)
			}
			_, sessions, err = w.store.Browser(t.Context(), w.browser[u.Sub], there)
			if expired := jump > 0; expired != (err != nil || len(sessions) == 0) {
				t.Errorf("the session, by the wrong clock: %d, %v", len(sessions), err)
			}
			next, err = rotate(next, there)
			if err != nil {
				t.Fatal("a refresh by the wrong clock:", err)
			}
			if next, err = rotate(next, epoch.Add(time.Minute)); err != nil {
				t.Fatal("a refresh by the right clock again:", err)
			}
			// Reuse is found by the generation. Only one before the current one is a matter of time.
			if _, err := rotate(family, there); !errors.Is(err, storage.ErrReused) {
				t.Errorf("an old token by the wrong clock: %v", err)
			}
			if state, err := w.store.Family(t.Context(), next.ID); err != nil || state.Family.Ended.IsZero() {
				t.Errorf("after its reuse the family is %+v, %v", state.Family, err)
			}
		})
	}
}
