package keys

import (
	"context"
	"fmt"
	"slices"
	"time"

	"signet/storage"
)

// Info is one key pair as the operator sees it.
type Info struct {
	KID     string    `json:"kid"`
	Alg     string    `json:"alg"`
	Use     string    `json:"use"` // UseSign or UseEncrypt
	State   State     `json:"state"`
	Created time.Time `json:"created"`
	Active  time.Time `json:"active,omitzero"`
	Retired time.Time `json:"retired,omitzero"`
	Revoked time.Time `json:"revoked,omitzero"`
	Until   time.Time `json:"until,omitzero"` // when the state ends by itself
}

// What keys are for: RFC 7517 section 4.2.
const (
	UseSign    = "sig"
	UseEncrypt = "enc"
)

// Published is when the key was put into the JWKS; zero if it was not yet.
func (i Info) Published() time.Time {
	if i.Use == UseEncrypt {
		return i.Active
	}
	return i.Created
}

// List returns the keys of the ring, by algorithm, the active one first.
func (k *Keys) List() []Info {
	return k.policy.Load().infos(k.current.Load().ring, k.now())
}

func (p *policy) infos(ring storage.Ring, now time.Time) []Info {
	infos := make([]Info, 0, len(ring.Signing)+len(ring.Encryption))
	add := func(use string, pairs []storage.KeyPair) {
		for _, key := range pairs {
			infos = append(infos, Info{
				KID: key.KID, Alg: key.Alg, Use: use, State: p.schedule.state(key, now),
				Created: key.Created, Active: key.Active, Retired: key.Retired, Revoked: key.Revoked,
				Until: p.until(ring, key, now),
			})
		}
	}
	add(UseSign, ring.Signing)
	add(UseEncrypt, ring.Encryption)
	return sortedByUse(infos, p.all())
}

// until is when the state of key ends by itself.
func (p *policy) until(ring storage.Ring, key storage.KeyPair, now time.Time) time.Time {
	d := draft{Ring: ring, schedule: p.schedule, now: now}
	switch d.state(key, now) {
	case Next:
		if active := d.find(key.Alg, Active); active != nil && p.on(key.Alg) {
			return d.due(*active, key)
		}
	case Active:
		if next := d.find(key.Alg, Next); next != nil && p.on(key.Alg) {
			return d.due(key, *next)
		}
		return key.Active.Add(d.rotate)
	case Retired:
		return d.of(key.Alg).unpublished(key.Retired)
	case Kept:
		return d.forgotten(key.Retired)
	case Revoked:
		return d.of(key.Alg).forgotten(key.Revoked)
	}
	return time.Time{}
}

// sameStates reports whether no key changed its state since s was made.
func (s *snapshot) sameStates(infos []Info) bool {
	return slices.EqualFunc(s.infos, infos, func(a, b Info) bool { return a.KID == b.KID && a.State == b.State })
}

// RotateOptions say which keys to rotate and how urgently.
type RotateOptions struct {
	Alg   string // "": all that are on
	Now   bool   // the announced key signs at once, not after Announce
	Force bool   // with Now: even if it was announced less than MaxAge ago
}

// Rotate moves the schedule up: the next key signs, or is published to be encrypted to, as soon as it has been announced for Announce, often at once. With Now it
// does at once; one that not everybody may know is refused with a *YoungError unless forced. Of several algorithms
// all rotate or none. It returns the keys as they then are.
func (k *Keys) Rotate(ctx context.Context, r RotateOptions, o storage.Change) ([]Info, error) {
	p := k.policy.Load()
	algs := p.all()
	if r.Alg != "" {
		if !p.on(r.Alg) {
			return nil, fmt.Errorf("%w: %q", ErrAlg, r.Alg)
		}
		algs = []string{r.Alg}
	}
	err := k.change(ctx, o, func(d *draft) error {
		d.upkeep() // what is due is done first, so that every algorithm has an active and a next key
		if r.Now {
			return d.promoteNow(algs, r.Force)
		}
		d.ask(algs)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return k.List(), nil
}

// Revoke takes a key out of use, for when its private part may be known to others: from its return on this server neither
// publishes nor accepts it, the others from their next tick on. An active or next key is replaced in the same change. Unknown:
// storage.ErrNotFound; revoking again is no error.
func (k *Keys) Revoke(ctx context.Context, kid string, o storage.Change) error {
	return k.change(ctx, o, func(d *draft) error {
		for pair := range d.pairs() {
			if pair.KID != kid {
				continue
			}
			if pair.Revoked.IsZero() {
				d.revoke(pair)
			}
			return nil
		}
		return fmt.Errorf("keys: key %q: %w", kid, storage.ErrNotFound)
	})
}

// YoungError refuses a rotation at once to a key that cached JWKSs may lack, or one to be encrypted to that other servers may.
type YoungError struct {
	KID, Alg string
	Possible time.Time // from then on it is not refused
}

func (e *YoungError) Error() string {
	if encrypts(e.Alg) {
		return fmt.Sprintf("the next %s key %s was made a moment ago and may be unknown to other servers until %s; rotate then, or force it now",
			e.Alg, e.KID, e.Possible.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("the next %s key %s was published a moment ago and may be missing from cached key sets until %s; "+
		"rotate then, or force it now", e.Alg, e.KID, e.Possible.UTC().Format(time.RFC3339))
}

// promoteNow lets the next keys of algs sign at once.
func (d *draft) promoteNow(algs []string, force bool) error {
	for _, alg := range algs {
		next := d.find(alg, Next)
		possible := next.Created.Add(known(alg))
		if !force && d.now.Before(possible) {
			return &YoungError{KID: next.KID, Alg: alg, Possible: possible}
		}
	}
	for _, alg := range algs {
		d.promote(alg)
	}
	return nil
}

// known is how long a key of alg must have been there to be known wherever it will be needed.
func known(alg string) time.Duration {
	if encrypts(alg) {
		return lag
	}
	return MaxAge
}

// ask remembers that the active keys of algs shall go as soon as their successors have been announced.
func (d *draft) ask(algs []string) {
	for _, alg := range algs {
		if active := d.find(alg, Active); active.Asked.IsZero() {
			active.Asked = d.now
			d.note("%s key %s asked to retire", alg, active.KID)
		}
	}
}

// sortedByUse orders keys for people and for clients that take the first of their kind: by algorithm as configured, within
// one the active first.
func sortedByUse(infos []Info, algs []string) []Info {
	states := []State{Active, Next, Retired, Kept, Revoked, Gone}
	rank := func(i Info) int {
		a := slices.Index(algs, i.Alg)
		if a < 0 {
			a = len(algs) + slices.Index(append(SupportedAlgs(), EncryptionAlgs()...), i.Alg)
		}
		return a*len(states) + slices.Index(states, i.State)
	}
	slices.SortStableFunc(infos, func(a, b Info) int { return rank(a) - rank(b) })
	return infos
}
