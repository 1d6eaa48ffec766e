package keys

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signet/storage"
)

// How often Run looks after the ring, and how soon again after a failure: until then nobody is sent here, see [Keys.Ready].
const (
	tick  = time.Minute
	retry = 10 * time.Second
)

// Run ticks each minute until ctx ends.
func (k *Keys) Run(ctx context.Context) {
	timer := time.NewTimer(tick)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		next := tick
		if err := k.Tick(ctx); err != nil && ctx.Err() == nil {
			k.log.Error("keys not looked after; trying again in ten seconds", "err", err)
			next = retry
		}
		timer.Reset(next)
	}
}

// Tick reloads the ring and does what is due.
func (k *Keys) Tick(ctx context.Context) error {
	k.letGo()
	err := k.change(ctx, storage.Change{}, func(*draft) error { return nil })
	if err != nil {
		k.failure.Store(&err)
		k.failures.Add(1)
		return err
	}
	k.failure.Store(nil)
	return nil
}

// attempts bounds how often a change is tried. Each conflict means that another server's change succeeded.
const attempts = 20

// change reads the ring, decides, does what is due besides, and saves the ring from the revision that was read. It returns when
// this server uses the ring as it now is; the others follow at their next tick.
func (k *Keys) change(ctx context.Context, o storage.Change, decide func(*draft) error) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	for range attempts {
		err := k.attempt(ctx, o, decide)
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("keys: the ring was changed by others %d times in a row: %w", attempts, storage.ErrConflict)
}

func (k *Keys) attempt(ctx context.Context, o storage.Change, decide func(*draft) error) error {
	ring, err := k.store.Ring(ctx)
	if err != nil {
		return fmt.Errorf("keys: reading the ring: %w", err)
	}
	now := k.now().UTC().Truncate(time.Second)
	if before := k.current.Load(); before != nil { // what others changed counts even if ours cannot be saved
		if err := k.install(ring, before.policy, now); err != nil {
			return err
		}
	}
	p := k.policy.Load()
	d := newDraft(ring, p.schedule, p.all(), now)
	d.putBack(k.current.Load())
	if err := decide(d); err != nil {
		return err
	}
	d.upkeep()
	if d.changed() {
		if err := k.fill(d); err != nil {
			return err
		}
		o.Now, o.Detail = now, d.detail(o.Detail)
		if ring, err = k.store.SaveRing(ctx, d.Ring, o); err != nil {
			return fmt.Errorf("keys: saving the ring: %w", err)
		}
		k.log.Info("keys changed", "detail", o.Detail, "revision", ring.Revision)
	}
	return k.install(ring, p, now)
}

// install makes a stored ring the one in use.
func (k *Keys) install(ring storage.Ring, p *policy, now time.Time) error {
	before := k.current.Load()
	if before != nil && before.policy == p && before.ring.Revision == ring.Revision && before.sameStates(p.infos(ring, now)) {
		return nil
	}
	s, err := k.newSnapshot(ring, p, now, before)
	if err != nil {
		return err
	}
	k.current.Store(s)
	return nil
}
