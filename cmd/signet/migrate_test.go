package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/bolt"
	"signet/storage/rows"
)

// many gives out rows until n.
func many(t *testing.T, n int) storage.Rows {
	t.Helper()
	row, err := rows.Encode(storage.KindKept, storage.KeptRequest{Form: "a=b"})
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(storage.Row, error) bool) {
		for range n {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	for name, terminal := range map[string]bool{"on a terminal": true, "in a file": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			p := &progress{out: &out, terminal: terminal}
			n := 0
			for range p.watch("copying", 2048, many(t, 2048)) {
				if n++; n == 1000 {
					p.shown = time.Time{}
				}
			}
			p.end()
			text := out.String()
			want := []string{"copying: [===                           ]  12 %, 256 of 2,048 rows", " 50 %, 1,024 of 2,048 rows", "reading back: 2,048 rows"}
			for _, w := range want {
				if !strings.Contains(text, w) {
					t.Errorf("%q lacks %q", text, w)
				}
			}
			if terminal != strings.Contains(text, "\r") || terminal == strings.Contains(text, "\n") {
				t.Errorf("%q", text)
			}
		})
	}
}

// TestASourceThatChanges holds that what is copied is what was counted.
func TestASourceThatChanges(t *testing.T) {
	t.Parallel()
	var counted rows.Tally
	if err := counted.Read(many(t, 3)); err != nil {
		t.Fatal(err)
	}
	last := func(n int) (err error) {
		for _, err = range same(counted.Sums(), many(t, n)) {
		}
		return err
	}
	if err := last(3); err != nil {
		t.Error(err)
	}
	if err := last(4); err == nil || !strings.Contains(err.Error(), "the source was changed meanwhile") {
		t.Error(err)
	}
}

// TestAnInterruptedMigrationLeavesNothing stops one in the middle.
func TestAnInterruptedMigrationLeavesNothing(t *testing.T) {
	t.Parallel()
	from, to := place{file: filepath.Join(t.TempDir(), storeName)}, place{file: filepath.Join(t.TempDir(), storeName)}
	s, err := bolt.Open(from.bolt())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveUser(t.Context(), storage.User{Sub: "ann", Name: "ann"}, false, storage.Change{}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	a := &app{stdout: new(bytes.Buffer), stderr: new(bytes.Buffer)}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := a.migrate(ctx, from, to); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Error(err)
	}
	ctx, stop = context.WithCancel(t.Context())
	err = to.fill(ctx, migrator, func(yield func(storage.Row, error) bool) {
		for row, err := range many(t, 10) {
			stop()
			if !yield(row, err) {
				return
			}
		}
	}, audit.Entry{Time: time.Now(), Event: audit.StoreMoved})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if files, err := os.ReadDir(filepath.Dir(to.file)); err != nil || len(files) != 0 {
		t.Errorf("%v is left, %v", files, err)
	}
	if sums, err := a.migrate(t.Context(), from, to); err != nil || sums[storage.KindUser].Rows != 1 {
		t.Errorf("anew: %v, %v", sums, err)
	}
}
