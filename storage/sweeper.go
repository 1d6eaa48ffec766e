package storage

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Sweeper frees the space of what has expired, a little at a time.
//
// Nothing depends on it but the size of the store, and it trusts the clock less than anybody else: what is deleted is gone,
// and a wall clock that was set to next year for a moment must not empty the store. So when the wall clock moves by more
// than a minute against the monotonic one, deletion waits ten minutes, in which somebody may set it right.
type Sweeper struct {
	Store     Upkeep
	Retention func() time.Duration // of audit entries
	Log       *slog.Logger         // the default logger if nil
	Now       func() time.Time     // the wall clock; time.Now if nil
	Swept     func(rows int)       // told of each sweep that came to its end; nobody if nil
}

const (
	sweepEvery = time.Minute
	sweepRows  = 500                   // at once: some milliseconds of the store's time
	sweepPause = 50 * time.Millisecond // between two sweeps, for acts that wait

	clockTolerance = time.Minute
	clockWait      = 10 * time.Minute
)

// Run sweeps every minute until ctx ends.
func (s Sweeper) Run(ctx context.Context) {
	if s.Log == nil {
		s.Log = slog.Default()
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	watch := clockWatch{now: s.Now}
	watch.check()
	ticks := time.NewTicker(sweepEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if moved := watch.check(); moved != 0 {
			s.Log.Warn("storage: the clock moved; nothing is deleted for ten minutes", "by", moved)
		}
		if watch.trusted() {
			s.sweep(ctx)
		}
	}
}

// sweep deletes all that is due.
func (s Sweeper) sweep(ctx context.Context) {
	total := 0
	for {
		deleted, more, err := s.Store.Sweep(ctx, s.Now(), s.Retention(), sweepRows)
		total += deleted
		switch {
		case errors.Is(err, ErrBusy), ctx.Err() != nil: // there is a next minute, or need not be one
			return
		case err != nil:
			s.Log.Error("storage: sweeping failed; it is tried again in a minute", "error", err)
			return
		case !more:
			if total > 0 {
				s.Log.Debug("storage: swept", "rows", total)
			}
			if s.Swept != nil {
				s.Swept(total)
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepPause):
		}
	}
}

// clockWatch compares the wall clock with the monotonic one.
type clockWatch struct {
	now     func() time.Time
	wall    time.Time // without a monotonic reading, at the last check
	steady  time.Time // with one, at the last check
	suspect time.Time // when the wall clock last moved; zero if it never did
}

// check returns how far the wall clock moved since the last check, 0 if it did not. The first check only starts the watch.
func (w *clockWatch) check() time.Duration {
	wall, steady := w.now().Round(0), time.Now()
	first := w.steady.IsZero()
	moved := wall.Sub(w.wall) - steady.Sub(w.steady)
	w.wall, w.steady = wall, steady
	if first || moved.Abs() <= clockTolerance {
		return 0
	}
	w.suspect = steady
	return moved
}

// trusted says whether the wall clock has not moved for long enough.
func (w *clockWatch) trusted() bool {
	return w.suspect.IsZero() || time.Since(w.suspect) >= clockWait
}
