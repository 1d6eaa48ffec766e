package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signet/storage"
)

// upkeep counts sweeps; each has more to do until none is left.
type upkeep struct {
	storage.Upkeep
	sweeps atomic.Int32
	left   atomic.Int32
}

func (u *upkeep) Sweep(context.Context, time.Time, time.Duration, int) (int, bool, error) {
	u.sweeps.Add(1)
	return 1, u.left.Add(-1) > 0, nil
}

func TestSweeper(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &upkeep{}
		store.left.Store(3)
		ctx, cancel := context.WithCancel(t.Context())
		go sweeper{store, time.Hour, slog.New(slog.DiscardHandler)}.run(ctx)
		time.Sleep(sweepEvery + time.Second)
		synctest.Wait()
		if n := store.sweeps.Load(); n != 3 {
			t.Errorf("%d batches in the first minute; want all 3", n)
		}
		time.Sleep(sweepEvery)
		synctest.Wait()
		if n := store.sweeps.Load(); n != 4 {
			t.Errorf("%d batches after two minutes; want 4", n)
		}
		cancel()
		synctest.Wait()
	})
}

func TestMoved(t *testing.T) {
	t.Parallel()
	now := time.Now()
	if d := moved(now, now.Add(time.Minute)); d != 0 {
		t.Errorf("both clocks went on by a minute: %v", d)
	}
}
