package keys

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/storage"
)

// How long a MAC key is used for new families, and how long after its making that begins: every server must know it by then.
const (
	macLife  = 90 * 24 * time.Hour
	macDelay = 5 * time.Minute
)

// draft is a ring under change. Its methods decide and change; they make no key. A key pair without a kid, a MAC key or a seal key
// without bytes is one that fill will make.
type draft struct {
	storage.Ring
	schedule
	algs    []string // those that are on, JWS and JWE
	now     time.Time
	changes []string // what was done, for log and audit
}

// newDraft copies the ring, which others may be reading.
func newDraft(r storage.Ring, s schedule, algs []string, now time.Time) *draft {
	r.Seals, r.Signing, r.MACs, r.Encryption = slices.Clone(r.Seals), slices.Clone(r.Signing), slices.Clone(r.MACs), slices.Clone(r.Encryption)
	return &draft{Ring: r, schedule: s, algs: algs, now: now}
}

// upkeep does all that is due.
func (d *draft) upkeep() {
	if len(d.Seals) == 0 {
		d.Seals = append(d.Seals, storage.SealKey{ID: 1, Created: d.now})
		d.note("seal key made")
	}
	for _, alg := range d.algs {
		d.turn(alg)
	}
	for _, alg := range d.off() {
		d.wind(alg)
	}
	d.forget()
	d.turnMACs()
	d.forgetMACs()
	if d.Subjects.ID == 0 {
		d.Subjects = storage.MACKey{ID: 1, Created: d.now}
		d.note("subject key made")
	}
	if d.Audit.KID == "" {
		d.Audit = storage.KeyPair{Alg: string(jose.EdDSA), Created: d.now}
	}
}

// turn gives an algorithm what it lacks of an active and a next key, and lets the next take over when that is due.
func (d *draft) turn(alg string) {
	active, next := d.find(alg, Active), d.find(alg, Next)
	switch {
	case active == nil && next == nil: // nobody has cached anything that this key could be missing from
		d.add(alg, Active)
		d.add(alg, Next)
	case active == nil:
		d.promote(alg)
	case next == nil:
		d.add(alg, Next)
	case !d.now.Before(d.due(*active, *next)):
		d.promote(alg)
	}
}

// promote lets the next key of alg sign, in place of the active one if there is one, and announces another.
func (d *draft) promote(alg string) {
	active, next := d.find(alg, Active), d.find(alg, Next)
	if active != nil {
		d.retire(active)
	}
	next.Active = d.now
	d.note("%s key %s active", alg, next.KID)
	d.add(alg, Next)
}

// wind ends an algorithm that is off: what is there stays published to its scheduled end, and nothing follows. Servers that
// still have it on, during an upgrade, keep signing until then.
func (d *draft) wind(alg string) {
	active := d.find(alg, Active)
	if active != nil && active.Asked.IsZero() && d.now.Before(active.Active.Add(d.rotate)) {
		return
	}
	if active != nil {
		d.retire(active)
	}
	d.drop(func(k storage.KeyPair) bool { return k.Alg == alg && d.state(k, d.now) == Next }, "withdrawn")
}

// revoke takes a key out of use at once. upkeep then replaces it.
func (d *draft) revoke(k *storage.KeyPair) {
	k.Revoked, k.Sealed = d.now, nil
	d.note("%s key %s revoked", k.Alg, k.KID)
}

// retire ends a key's signing. Nothing may be signed with it any more, so the private part goes; that of one which was encrypted to
// stays for what is under way.
func (d *draft) retire(k *storage.KeyPair) {
	k.Retired = d.now
	if !encrypts(k.Alg) {
		k.Sealed = nil
	}
	d.note("%s key %s retired", k.Alg, k.KID)
}

// add asks for a new key, as the active or the next one.
func (d *draft) add(alg string, s State) {
	k := storage.KeyPair{Alg: alg, Created: d.now}
	if s == Active {
		k.Active = d.now
	}
	if encrypts(alg) {
		d.Encryption = append(d.Encryption, k)
	} else {
		d.Signing = append(d.Signing, k)
	}
}

// forget drops the key pairs whose tokens nobody can bring back.
func (d *draft) forget() {
	d.drop(func(k storage.KeyPair) bool { return d.state(k, d.now) == Gone }, "forgotten")
}

// drop takes key pairs out of the ring, and notes why.
func (d *draft) drop(these func(storage.KeyPair) bool, why string) {
	for _, list := range []*[]storage.KeyPair{&d.Signing, &d.Encryption} {
		*list = slices.DeleteFunc(*list, func(k storage.KeyPair) bool {
			dropped := these(k)
			if dropped {
				d.note("%s key %s %s", k.Alg, k.KID, why)
			}
			return dropped
		})
	}
}

func (d *draft) turnMACs() {
	id := uint32(1)
	if n := len(d.MACs); n > 0 {
		if d.now.Before(d.MACs[n-1].Created.Add(macLife)) {
			return
		}
		id = d.MACs[n-1].ID + 1
	}
	d.MACs = append(d.MACs, storage.MACKey{ID: id, Created: d.now})
	d.note("MAC key %d made", id)
}

// forgetMACs drops the MAC keys of which no family can live: those whose successor has been in use for a family's longest life.
func (d *draft) forgetMACs() {
	for len(d.MACs) > 1 && !d.now.Before(d.MACs[1].Created.Add(macDelay+d.family+lag)) {
		d.note("MAC key %d forgotten", d.MACs[0].ID)
		d.MACs = d.MACs[1:]
	}
}

// find returns the key of alg in that state, to be changed in place; nil if there is none.
func (d *draft) find(alg string, s State) *storage.KeyPair {
	for k := range d.pairs() {
		if k.Alg == alg && d.state(*k, d.now) == s {
			return k
		}
	}
	return nil
}

// pairs are all key pairs, to be changed in place.
func (d *draft) pairs() iter.Seq[*storage.KeyPair] {
	return func(yield func(*storage.KeyPair) bool) {
		for _, list := range [][]storage.KeyPair{d.Signing, d.Encryption} {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}

// off lists the algorithms that are not on but have keys in use. Those that this version does not know are a newer
// server's to look after.
func (d *draft) off() []string {
	var algs []string
	for k := range d.pairs() {
		s := d.state(*k, d.now)
		_, known := kindOf(k.Alg)
		if (s == Active || s == Next) && known && !slices.Contains(d.algs, k.Alg) && !slices.Contains(algs, k.Alg) {
			algs = append(algs, k.Alg)
		}
	}
	return algs
}

// changed reports whether there is anything to save.
func (d *draft) changed() bool {
	for k := range d.pairs() {
		if unmade(k) {
			return true
		}
	}
	return d.Audit.Sealed == nil || len(d.changes) > 0
}

func unmade(k *storage.KeyPair) bool { return k.KID == "" }

func (d *draft) note(format string, args ...any) {
	d.changes = append(d.changes, fmt.Sprintf(format, args...))
}

// detail says what changed, for the audit log, after what the caller says.
func (d *draft) detail(why string) string {
	what := strings.Join(d.changes, "; ")
	if why == "" {
		return what
	}
	return why + ": " + what
}
