package storage

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// swept is a store that has a number of rows to sweep and notes when it was asked.
type swept struct {
	Upkeep
	mu   sync.Mutex
	rows int
	at   []time.Time
	err  error
}

func (s *swept) Sweep(_ context.Context, now time.Time, _ time.Duration, limit int) (int, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, now)
	n := min(limit, s.rows)
	s.rows -= n
	return n, s.rows > 0, s.err
}

func (s *swept) calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.at)
}

// sweeping runs a sweeper over store whose wall clock is off by what offset says, for the length of f.
func sweeping(t *testing.T, store *swept, f func(move func(time.Duration))) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var offset time.Duration
		s := Sweeper{Store: store, Retention: func() time.Duration { return time.Hour }, Log: slog.New(slog.DiscardHandler), Now: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(offset)
		}}
		ctx, cancel := context.WithCancel(t.Context())
		go s.Run(ctx)
		synctest.Wait()
		f(func(d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			offset += d
		})
		cancel()
		synctest.Wait()
	})
}

func TestSweeperSweepsEveryMinute(t *testing.T) {
	t.Parallel()
	store := &swept{}
	sweeping(t, store, func(func(time.Duration)) {
		time.Sleep(10*time.Minute + time.Second)
		if n := store.calls(); n != 10 {
			t.Errorf("%d sweeps in ten minutes", n)
		}
	})
}

func TestSweeperSweepsInSmallBatchesUntilNothingIsLeft(t *testing.T) {
	t.Parallel()
	store := &swept{rows: 3*sweepRows + 1}
	sweeping(t, store, func(func(time.Duration)) {
		time.Sleep(sweepEvery + time.Second)
		if n := store.calls(); n != 4 || store.rows != 0 {
			t.Errorf("%d sweeps, %d rows are left", n, store.rows)
		}
	})
}

func TestSweeperWaitsAMinuteAfterAFailure(t *testing.T) {
	t.Parallel()
	store := &swept{rows: 10_000, err: ErrBusy}
	sweeping(t, store, func(func(time.Duration)) {
		time.Sleep(2*sweepEvery + time.Second)
		if n := store.calls(); n != 2 {
			t.Errorf("%d sweeps in two minutes", n)
		}
	})
}

func TestSweeperWaitsTenMinutesAfterTheClockMoved(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]time.Duration{"forwards": 48 * time.Hour, "backwards": -48 * time.Hour, "a bit": 61 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &swept{}
			sweeping(t, store, func(move func(time.Duration)) {
				time.Sleep(90 * time.Second)
				move(by)
				time.Sleep(10 * time.Minute)
				if n := store.calls(); n != 1 {
					t.Errorf("%d sweeps, want the one before the clock moved", n)
				}
				time.Sleep(2 * time.Minute)
				if n := store.calls(); n < 2 {
					t.Error("no sweep after ten minutes")
				}
			})
		})
	}
}

func TestSweeperBearsAClockThatIsSetRightBitByBit(t *testing.T) {
	t.Parallel()
	store := &swept{}
	sweeping(t, store, func(move func(time.Duration)) {
		for range 10 {
			move(30 * time.Second)
			time.Sleep(time.Minute)
		}
		time.Sleep(time.Second)
		if n := store.calls(); n != 10 {
			t.Errorf("%d sweeps in ten minutes", n)
		}
	})
}
