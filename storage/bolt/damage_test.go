package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
)

// sound returns the path of a store with something in it.
func sound(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signet.db")
	s := openTest(t, func(o *Options) { o.Path = path })
	fill(t, s, 300)
	for i := range 20 {
		if err := saveUser(s, fmt.Sprint("saved", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// inUse returns the part of a file that holds pages, without the room for more behind them.
func inUse(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := readMeta(bytes.NewReader(data), path)
	if err != nil {
		t.Fatal(err)
	}
	return data[:int64(m.pages)*m.pageSize]
}

// alter changes the bytes of a file.
func alter(t testing.TB, path string, f func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// opened opens a file and closes it again.
func opened(path string) error {
	s, err := Open(Options{Path: path, Timeout: 100 * time.Millisecond, Log: slog.New(slog.DiscardHandler), Fatal: func(error) {}})
	if err != nil {
		return err
	}
	return s.Close()
}

// later is the offset of the meta page that counts.
func later(data []byte) int {
	if order.Uint64(data[headerSize+48:]) > order.Uint64(data[pageSize+headerSize+48:]) {
		return 0
	}
	return pageSize
}

func TestDamagedFile(t *testing.T) {
	t.Parallel()
	zero := func(data []byte, from, to int) []byte {
		clear(data[from:to])
		return data
	}
	page := func(data []byte, field int) int { // that the later meta page points to
		return int(order.Uint64(data[later(data)+headerSize+field:])) * pageSize
	}
	for _, c := range []struct {
		name  string
		alter func([]byte) []byte
		want  error
		says  string
	}{
		{"nothing is wrong", func(data []byte) []byte { return data }, nil, ""},
		{"an empty file becomes a store", func([]byte) []byte { return nil }, nil, ""},
		{"the second meta page is zeros", func(data []byte) []byte { return zero(data, pageSize, 2*pageSize) }, nil, ""},
		{"the first meta page is zeros", func(data []byte) []byte { return zero(data, 0, pageSize) }, nil, ""},
		{"both meta pages are zeros", func(data []byte) []byte { return zero(data, 0, 2*pageSize) }, ErrDamaged, "zeros"},
		{"everything is zeros", func(data []byte) []byte { return zero(data, 0, len(data)) }, ErrDamaged, "zeros"},
		{"both meta pages have a flipped bit", func(data []byte) []byte {
			data[headerSize+41] ^= 1
			data[pageSize+headerSize+41] ^= 1
			return data
		}, ErrDamaged, "no good meta page"},
		{"cut off in the first page", func(data []byte) []byte { return data[:100] }, ErrDamaged, ""},
		{"cut off after the meta pages", func(data []byte) []byte { return data[:2*pageSize] }, ErrDamaged, "cut off"},
		{"cut off in the middle", func(data []byte) []byte { return data[:20*pageSize] }, ErrDamaged, "cut off"},
		{"the list of free pages is garbage", func(data []byte) []byte {
			at := page(data, 32)
			copy(data[at:], bytes.Repeat([]byte{0xA5}, pageSize))
			return data
		}, ErrDamaged, ""},
		{"the list of free pages has a page of the future", func(data []byte) []byte {
			at := page(data, 32)
			order.PutUint16(data[at+10:], 1)
			order.PutUint64(data[at+headerSize:], 1<<30)
			return data
		}, ErrDamaged, "free pages"},
		{"the list of free pages has the root", func(data []byte) []byte {
			at := page(data, 32)
			order.PutUint16(data[at+10:], 1)
			order.PutUint64(data[at+headerSize:], uint64(page(data, 16)/pageSize))
			return data
		}, ErrDamaged, "free pages"},
		{"the list of free pages is longer than its page", func(data []byte) []byte {
			order.PutUint16(data[page(data, 32)+10:], 0xFFFE)
			return data
		}, ErrDamaged, "free pages"},
		{"the root is zeros", func(data []byte) []byte { return zero(data, page(data, 16), page(data, 16)+pageSize) }, ErrDamaged, ""},
		{"the root's rows are garbage", func(data []byte) []byte {
			at := page(data, 16)
			copy(data[at+headerSize:at+pageSize], bytes.Repeat([]byte{0xA5}, pageSize))
			return data
		}, ErrDamaged, ""},
		{"a text", func([]byte) []byte { return []byte("listen: :8080\n") }, ErrForeign, "another data folder"},
		{"a long text", func(data []byte) []byte { return bytes.Repeat([]byte("signet "), len(data)) }, ErrForeign, "another data folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := sound(t)
			alter(t, path, c.alter)
			for range 2 { // the first try must not hold the lock
				err := opened(path)
				if !errors.Is(err, c.want) {
					t.Errorf("the answer is %v, want %v", err, c.want)
				}
				if err != nil && !strings.Contains(err.Error(), c.says) {
					t.Errorf("%q does not say %q", err, c.says)
				}
			}
		})
	}
}

// TestGarbagePages puts garbage over pages and uses the store: whatever happens is an error, and no other file than a
// damaged one is called so.
func TestGarbagePages(t *testing.T) {
	t.Parallel()
	whole := inUse(t, sound(t))
	refused, failed := 0, 0
	for seed := range uint64(40) {
		path := filepath.Join(t.TempDir(), "signet.db")
		data := bytes.Clone(whole)
		random := rand.New(rand.NewPCG(seed, 0))
		for range 1 + seed%8 {
			at := 2*pageSize + random.IntN(len(data)-2*pageSize)
			for i := at; i < min(at+int(seed)*40+1, len(data)); i++ {
				data[i] = byte(random.Uint32())
			}
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		switch err := useEverything(path); {
		case errors.Is(err, ErrDamaged), errors.Is(err, ErrForeign), errors.Is(err, ErrNewer):
			refused++
		case err != nil:
			failed++
		}
	}
	t.Log(refused, "files refused,", failed, "failed later, of 40")
	if refused+failed == 0 {
		t.Error("no damage was found")
	}
}

// useEverything opens a store and reads and writes in it, as far as that goes.
func useEverything(path string) error {
	s, err := Open(Options{Path: path, Timeout: time.Second, Log: slog.New(slog.DiscardHandler), Fatal: func(error) {}})
	if err != nil {
		return err
	}
	defer s.Close()
	_, users := s.Users(background)
	_, clients := s.Clients(background)
	_, _, sweep := s.Sweep(background, epoch.Add(1000*day), day, 1000)
	entries := s.Entries(background, func(audit.Entry) error { return nil })
	var saves []error
	for i := range 10 {
		saves = append(saves, saveUser(s, fmt.Sprint("new", i)))
	}
	return errors.Join(users, clients, sweep, entries, errors.Join(saves...))
}

// bboltFile makes a bbolt file that has a bucket.
func bboltFile(t *testing.T, bucket string, pairs map[string][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signet.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(func(bolt *bbolt.Tx) error {
		b, err := bolt.CreateBucket([]byte(bucket))
		for key, value := range pairs {
			err = errors.Join(err, b.Put([]byte(key), value))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOtherFiles(t *testing.T) {
	t.Parallel()
	t.Run("a bbolt file of another program", func(t *testing.T) {
		t.Parallel()
		if err := opened(bboltFile(t, "things", nil)); !errors.Is(err, ErrForeign) {
			t.Error(err)
		}
	})
	t.Run("another program's meta bucket", func(t *testing.T) {
		t.Parallel()
		if err := opened(bboltFile(t, metaBucket, map[string][]byte{"format": []byte("etcd")})); !errors.Is(err, ErrForeign) {
			t.Error(err)
		}
	})
	t.Run("a store of a newer version", func(t *testing.T) {
		t.Parallel()
		err := opened(bboltFile(t, metaBucket, map[string][]byte{"format": format, "version": binary.BigEndian.AppendUint32(nil, storeVersion+1)}))
		if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "use the newer program") {
			t.Error(err)
		}
	})
	t.Run("a store of a version that never was", func(t *testing.T) {
		t.Parallel()
		err := opened(bboltFile(t, metaBucket, map[string][]byte{"format": format, "version": {0, 0, 0, 0}}))
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "version 0, which never was") {
			t.Error(err)
		}
	})
	t.Run("a store without a version", func(t *testing.T) {
		t.Parallel()
		if err := opened(bboltFile(t, metaBucket, map[string][]byte{"format": format})); !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
	})
	t.Run("a store that lacks a bucket", func(t *testing.T) {
		t.Parallel()
		err := opened(bboltFile(t, metaBucket, map[string][]byte{"format": format, "version": {0, 0, 0, storeVersion}}))
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "bucket") {
			t.Error(err)
		}
	})
	t.Run("a store of version 1 gets what it lacks", func(t *testing.T) {
		t.Parallel()
		path := sound(t)
		old := openTest(t, func(o *Options) { o.Path = path })
		if _, err := old.SaveUser(t.Context(), storage.User{Sub: "declared", Name: "declared", Origin: storage.OriginFile}, false, storage.Change{Now: epoch}); err != nil {
			t.Fatal(err)
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: pageSize})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(bolt *bbolt.Tx) error {
			err := bolt.Bucket([]byte(metaBucket)).Put(metaVersion, []byte{0, 0, 0, 1})
			for _, names := range bucketsSince {
				for _, name := range names {
					err = errors.Join(err, bolt.DeleteBucket([]byte(name)))
				}
			}
			return err
		})
		if db.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			s := openTest(t, func(o *Options) { o.Path = path })
			if _, err := s.User(t.Context(), "saved1"); err != nil {
				t.Error(err)
			}
			if declared, err := s.DeclaredUsers(t.Context()); err != nil || len(declared) != 1 || declared[0].Sub != "declared" {
				t.Error(declared, err)
			}
			s.SpendAssertion(t.Context(), "c", "j", epoch.Add(time.Minute), storage.Change{Now: epoch})
			if err := s.SpendAssertion(t.Context(), "c", "j", epoch.Add(time.Minute), storage.Change{Now: epoch}); !errors.Is(err, storage.ErrSpent) {
				t.Error(err)
			}
			d := device("BCDFGHJK")
			s.BeginDevice(t.Context(), d, 9)
			if err := s.BeginDevice(t.Context(), d, 9); !errors.Is(err, storage.ErrExists) {
				t.Error(err)
			}
			if denied, err := s.Denied(t.Context(), "jti"); err != nil || denied {
				t.Error(denied, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("a store of version 1 that lacks more is damaged", func(t *testing.T) {
		t.Parallel()
		err := opened(bboltFile(t, metaBucket, map[string][]byte{"format": format, "version": {0, 0, 0, 1}}))
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "bucket") {
			t.Error(err)
		}
	})
	t.Run("a bbolt file that was made and never used becomes a store", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "signet.db")
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		db.Close()
		if err := opened(path); err != nil {
			t.Error(err)
		}
	})
	t.Run("a bbolt file without its list of free pages", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "signet.db")
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(bolt *bbolt.Tx) error {
			_, err := bolt.CreateBucket([]byte("things"))
			return err
		})
		if db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := opened(path); !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
	})
	t.Run("a folder", func(t *testing.T) {
		t.Parallel()
		if err := opened(t.TempDir()); !errors.Is(err, ErrForeign) {
			t.Error(err)
		}
	})
	t.Run("a folder that does not exist", func(t *testing.T) {
		t.Parallel()
		if err := opened(filepath.Join(t.TempDir(), "no", "signet.db")); !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
}

func TestRecordOfANewerVersion(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	if err := s.do(t.Context(), func(t *tx) error {
		t.put(t.bucket([]byte(userRows)), []byte("ann"), []byte{codec.Version + 1, 0xA0})
		t.put(t.bucket([]byte(userRows)), []byte("bob"), []byte{codec.Version, 0xFF})
		t.put(t.bucket([]byte(userRows)), []byte("carl"), nil)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for sub, want := range map[string]error{"ann": ErrNewer, "bob": ErrDamaged, "carl": ErrDamaged} {
		if _, err := s.User(t.Context(), sub); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", sub, err, want)
		}
		_, err := s.SaveUser(t.Context(), storage.User{Sub: sub, Name: sub}, false, storage.Change{Now: epoch})
		if !errors.Is(err, want) {
			t.Errorf("saving %s: %v, want %v", sub, err, want)
		}
	}
}

func TestLockedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	o := start(t, "hold", path)
	if line := o.line(t); line != "open" {
		t.Fatal(line)
	}
	err := opened(path)
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("the answer is %v", err)
	}
	if _, e := os.Stat("/proc/locks"); e == nil && !strings.Contains(err.Error(), fmt.Sprintf("process %d (", o.Process.Pid)) {
		t.Errorf("%q does not name process %d", err, o.Process.Pid)
	}
	if err := o.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	o.Wait()
	if err := opened(path); err != nil {
		t.Errorf("when the other process is gone the answer is %v", err)
	}
}

func TestFileMode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	for _, before := range []os.FileMode{0, 0o644} {
		if before != 0 {
			if err := os.Chmod(path, before); err != nil {
				t.Fatal(err)
			}
		}
		if err := opened(path); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the mode is %v, %v", info.Mode(), err)
		}
	}
}

// FuzzOpen opens files of which a part was overwritten.
func FuzzOpen(f *testing.F) {
	whole := inUse(f, sound(f))
	f.Add(uint32(0), []byte{0})
	f.Add(uint32(pageSize), []byte("\x00\x00\x00\x00"))
	f.Add(uint32(2*pageSize+8), []byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})
	f.Fuzz(func(t *testing.T, at uint32, junk []byte) {
		data := bytes.Clone(whole)
		copy(data[int(at)%len(data):], junk)
		path := filepath.Join(t.TempDir(), "signet.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := opened(path); errors.Is(err, ErrLocked) {
			t.Error(err)
		}
	})
}
