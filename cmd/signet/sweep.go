package main

import (
	"context"
	"log/slog"
	"time"

	"signet/storage"
)

// How often and how much is swept. A batch is small, since it holds up the acts behind it.
const (
	sweepEvery = time.Minute
	sweepBatch = 500
	sweepPause = 20 * time.Millisecond // between batches
	sweepHold  = 10 * time.Minute      // after the wall clock was moved
	clockDrift = time.Minute
)

// sweeper frees the space of what has expired.
type sweeper struct {
	store     storage.Upkeep
	retention time.Duration // of the audit log
	log       *slog.Logger
}

// run sweeps each minute until ctx ends. When the wall clock was moved, nothing is deleted for a while: a clock that is far ahead for a
// moment must not delete what is still good.
func (s sweeper) run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	last, hold := time.Now(), time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		if drift := moved(last, now); drift > clockDrift || drift < -clockDrift {
			hold = now.Add(sweepHold) // monotonic, as now is
			s.log.Warn("the clock was moved; nothing is deleted for ten minutes", "by", drift.Round(time.Second))
		}
		last = now
		if now.Before(hold) {
			continue
		}
		if err := s.sweep(ctx, now); err != nil && ctx.Err() == nil {
			s.log.Error("what has expired could not be deleted; it is tried again in a minute", "error", err)
		}
	}
}

// moved is by how much the wall clock went further than the monotonic one.
func moved(last, now time.Time) time.Duration {
	return now.Round(0).Sub(last.Round(0)) - now.Sub(last)
}

func (s sweeper) sweep(ctx context.Context, now time.Time) error {
	for {
		_, more, err := s.store.Sweep(ctx, now, s.retention, sweepBatch)
		if err != nil || !more {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(sweepPause):
		}
	}
}
