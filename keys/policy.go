package keys

import (
	"context"
	"slices"
	"time"

	"signet/storage"
)

// policy is what the operator wants of the keys. It is never changed; [Keys.Configure] puts another in its place.
type policy struct {
	algs     []string // those that are on: JWS
	enc      []string // and JWE
	schedule schedule

	// Algorithms that were on a moment ago still sign for the requests that were under way then; end says until when.
	leaving []string
	end     time.Time
}

// leave is how long that is: longer than any request may take.
const leave = time.Minute

func newPolicy(o Options) *policy {
	return &policy{
		algs:     slices.Clone(o.Algs),
		enc:      slices.Clone(o.Encryption),
		schedule: schedule{rotate: o.Rotate, announce: o.Announce, token: o.MaxToken, session: o.MaxSession, family: o.MaxFamily},
	}
}

// all are the algorithms that have keys.
func (p *policy) all() []string { return slices.Concat(p.algs, p.enc) }

func (p *policy) on(alg string) bool {
	return slices.Contains(p.algs, alg) || slices.Contains(p.enc, alg)
}

// signs reports whether an active key of alg is held ready.
func (p *policy) signs(alg string) bool { return p.on(alg) || slices.Contains(p.leaving, alg) }

// Configure changes the algorithms and the durations of a server that runs; of o nothing else is read. The keys of an algorithm that is
// turned on are there when it returns. One that is turned off is wound up as at a start, and goes on signing for a minute, so that
// requests under way get their tokens. If it fails, all is as it was.
func (k *Keys) Configure(ctx context.Context, o Options, change storage.Change) error {
	o.Store, o.Master = k.store, k.master
	if err := o.complete(); err != nil {
		return err
	}
	before, p := k.policy.Load(), newPolicy(o)
	for _, alg := range slices.Concat(before.algs, before.leaving) {
		if !p.signs(alg) {
			p.leaving, p.end = append(p.leaving, alg), k.now().Add(leave)
		}
	}
	k.policy.Store(p)
	err := k.change(ctx, change, func(*draft) error { return nil }) // until the ring is saved, what is in use is by the policy before
	if err != nil {
		k.policy.CompareAndSwap(p, before)
	}
	return err
}

// letGo ends the signing of algorithms that were turned off.
func (k *Keys) letGo() {
	p := k.policy.Load()
	if p.leaving == nil || k.now().Before(p.end) {
		return
	}
	k.policy.CompareAndSwap(p, &policy{algs: p.algs, enc: p.enc, schedule: p.schedule})
}
