//go:build linux

package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"signet/storage"
)

// fillTo stores users until there is no space, and returns how many it stored.
func fillTo(s *Store, limit int) (n int, err error) {
	for n = 0; n < limit; n++ {
		u := storage.User{Sub: fmt.Sprintf("u%07d", n), Name: fmt.Sprintf("u%07d", n), Profile: storage.Profile{Name: strings.Repeat("x", 30_000)}}
		if _, err = s.SaveUser(background, u, false, storage.Change{Now: epoch}); err != nil {
			return n, err
		}
	}
	return n, errors.New("the disk is never full")
}

// fillUp lets this process's files grow to 20 MiB, fills the store, gives it more room, and goes on.
func fillUp(path string) error {
	const small, large = 20 << 20, 60 << 20
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: small, Max: old.Max}); err != nil {
		return err
	}
	s, err := Open(Options{Path: path})
	if err != nil {
		return err
	}
	defer s.Close()
	return fullAndBack(s, func() error {
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: large, Max: old.Max})
	})
}

// fullAndBack fills a store's disk, sees that the store bears it, makes room, and sees that it goes on.
func fullAndBack(s *Store, makeRoom func() error) error {
	n, err := fillTo(s, 5000)
	if !errors.Is(err, storage.ErrNoSpace) {
		return fmt.Errorf("after %d users the answer is %w, not that there is no space", n, err)
	}
	if users, err := s.Users(background); err != nil || len(users) != n {
		return fmt.Errorf("on a full disk there are %d users of %d, %w", len(users), n, err)
	}
	if err := makeRoom(); err != nil {
		return err
	}
	if err := s.Ready(background); err != nil {
		return fmt.Errorf("with space again: %w", err)
	}
	return saveUser(s, "after")
}

// firstWithoutRoom makes a store where there is no space, whichever of its writes is the first to fail, and then one where there is.
func firstWithoutRoom(path string) error {
	const enough = 8 << 20
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	for _, limit := range []uint64{0, 4096, 16 << 10, 1 << 20, enough} {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: old.Max}); err != nil {
			return err
		}
		s, err := Open(Options{Path: path})
		if err == nil && limit == enough {
			return s.Close()
		}
		if !errors.Is(err, storage.ErrNoSpace) {
			return fmt.Errorf("with %d bytes: %w", limit, err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("with %d bytes a file is left behind: %w", limit, err)
		}
	}
	return errors.New("there is no space for a small store in 8 MiB")
}

func TestFirstStartOnAFullDisk(t *testing.T) {
	t.Parallel()
	o := start(t, "first", filepath.Join(t.TempDir(), "signet.db"))
	if o.lines.Scan() {
		t.Error(o.lines.Text())
	}
	if err := o.Wait(); err != nil {
		t.Error(err)
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	t.Run("a file that may not grow", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "signet.db")
		o := start(t, "fill", path)
		if o.lines.Scan() {
			t.Error(o.lines.Text())
		}
		if err := o.Wait(); err != nil {
			t.Error(err)
		}
		s := openTest(t, func(o *Options) { o.Path = path })
		if _, err := s.User(t.Context(), "after"); err != nil {
			t.Error(err)
		}
	})
	t.Run("a full file system", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
			t.Skip("no tmpfs may be mounted here:", err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		})
		s := openTest(t, func(o *Options) { o.Path = filepath.Join(dir, "signet.db") })
		if err := fullAndBack(s, func() error { return syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=16m") }); err != nil {
			t.Error(err)
		}
	})
}
