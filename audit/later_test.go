package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signet/audit"
)

// book keeps what is recorded, by commit.
type book struct {
	mu      sync.Mutex
	commits [][]audit.Entry
	err     error
	tries   int
}

func (b *book) Record(_ context.Context, entries ...audit.Entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tries++; b.err != nil {
		return b.err
	}
	b.commits = append(b.commits, append([]audit.Entry(nil), entries...))
	return nil
}

func (b *book) sizes() (all []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.commits {
		all = append(all, len(c))
	}
	return all
}

func entries(n int) (all []audit.Entry) {
	for i := range n {
		all = append(all, audit.Entry{Event: audit.ServiceIssued, Detail: fmt.Sprint(i)})
	}
	return all
}

func TestLater(t *testing.T) {
	t.Parallel()
	t.Run("what comes within a second is one commit, in its order", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := &book{}
			l := audit.NewLater(b, slog.New(slog.DiscardHandler))
			for _, e := range entries(3) {
				if err := l.Record(t.Context(), e); err != nil {
					t.Fatal(err)
				}
				time.Sleep(100 * time.Millisecond)
			}
			if n := b.sizes(); len(n) != 0 {
				t.Errorf("after 300 ms: %v", n)
			}
			time.Sleep(time.Second)
			if n := b.sizes(); len(n) != 1 || n[0] != 3 || b.commits[0][2].Detail != "2" {
				t.Errorf("after a second: %v", b.commits)
			}
			l.Close()
		})
	})
	t.Run("a commit does not wait when it is full", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := &book{}
			l := audit.NewLater(b, slog.New(slog.DiscardHandler))
			if err := l.Record(t.Context(), entries(600)...); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if n := fmt.Sprint(b.sizes()); n != "[256 256]" {
				t.Errorf("at once: %s", n)
			}
			l.Close()
			if n := fmt.Sprint(b.sizes()); n != "[256 256 88]" {
				t.Errorf("after Close: %s", n)
			}
		})
	})
	t.Run("what comes after Close is recorded at once", func(t *testing.T) {
		t.Parallel()
		b := &book{}
		l := audit.NewLater(b, slog.New(slog.DiscardHandler))
		l.Close()
		l.Close()
		if err := l.Record(t.Context(), entries(1)...); err != nil || fmt.Sprint(b.sizes()) != "[1]" {
			t.Error(err, b.sizes())
		}
	})
	t.Run("a store that fails is tried again, and what is lost is told", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			b := &book{err: errors.New("no space left")}
			l := audit.NewLater(b, slog.New(slog.NewTextHandler(&log, nil)))
			if err := l.Record(t.Context(), entries(2)...); err != nil {
				t.Fatal(err)
			}
			l.Close()
			if b.tries != 5 || !strings.Contains(log.String(), "entries=2") || !strings.Contains(log.String(), "no space left") {
				t.Errorf("%d tries: %s", b.tries, log.String())
			}
		})
	})
	t.Run("a store that comes back loses nothing", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := &book{err: errors.New("the database is down")}
			l := audit.NewLater(b, slog.New(slog.DiscardHandler))
			if err := l.Record(t.Context(), entries(2)...); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2500 * time.Millisecond)
			b.mu.Lock()
			b.err = nil
			b.mu.Unlock()
			l.Close()
			if n := fmt.Sprint(b.sizes()); n != "[2]" {
				t.Error(n)
			}
		})
	})
	t.Run("whoever comes when too many wait, waits as long as they like", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := &book{err: errors.New("the database is down")}
			l := audit.NewLater(b, slog.New(slog.DiscardHandler))
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if err := l.Record(ctx, entries(5000)...); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			b.mu.Lock()
			b.err = nil
			b.mu.Unlock()
			l.Close()
		})
	})
}
