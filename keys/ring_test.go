package keys_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/audit"
	"signet/keys"
	"signet/keys/keystest"
	"signet/storage"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// clock is the time of one or several servers.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.at.Store(start.UnixNano())
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) pass(d time.Duration) { c.at.Add(int64(d)) }
func (c *clock) set(t time.Time)      { c.at.Store(t.UnixNano()) }
func (c *clock) since() time.Duration { return c.now().Sub(start) }

const day = 24 * time.Hour

// options are those of most tests: one cheap algorithm and round lifetimes.
func options(store storage.Rings, c *clock) keys.Options {
	return keys.Options{
		Store: store, Master: keystest.Master(), Algs: []string{"ES256"}, Now: c.now,
		Rotate: 30 * day, Announce: day, MaxToken: time.Hour, MaxSession: 10 * day, MaxFamily: 200 * day,
	}
}

func open(tb testing.TB, o keys.Options) *keys.Keys {
	tb.Helper()
	k, err := keys.Open(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func tick(tb testing.TB, ks ...*keys.Keys) {
	tb.Helper()
	for _, k := range ks {
		if err := k.Tick(context.Background()); err != nil {
			tb.Fatal(err)
		}
	}
}

// kid returns the kid of the key of alg in that state; "" if there is none.
func kid(k *keys.Keys, alg string, s keys.State) string {
	for _, i := range k.List() {
		if i.Alg == alg && i.State == s {
			return i.KID
		}
	}
	return ""
}

// states lists the states of the keys of alg, in the order of List.
func states(k *keys.Keys, alg string) (all []keys.State) {
	for _, i := range k.List() {
		if i.Alg == alg {
			all = append(all, i.State)
		}
	}
	return all
}

// published returns the kids in the JWKS.
func published(tb testing.TB, k *keys.Keys) (kids []string) {
	tb.Helper()
	body, _ := k.JWKS()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		tb.Fatal(err)
	}
	for _, key := range set.Keys {
		kids = append(kids, key.KeyID)
	}
	return kids
}

func stored(tb testing.TB, r storage.Rings, kid string) storage.KeyPair {
	tb.Helper()
	ring, err := r.Ring(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	i := slices.IndexFunc(ring.Signing, func(k storage.KeyPair) bool { return k.KID == kid })
	if i < 0 {
		return storage.KeyPair{}
	}
	return ring.Signing[i]
}

func sign(tb testing.TB, k *keys.Keys, alg string) string {
	tb.Helper()
	token, err := k.Sign(alg, "at+jwt", []byte(`{"sub":"a"}`))
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

func TestState(t *testing.T) {
	t.Parallel()
	const token, session = time.Hour, 10 * day
	at := func(d time.Duration) time.Time { return start.Add(d) }
	active := storage.KeyPair{Created: start, Active: at(day)}
	retired := active
	retired.Retired = at(31 * day)
	revoked := retired
	revoked.Revoked = at(31*day + time.Minute)
	fresh := storage.KeyPair{Created: start, Revoked: at(time.Minute)}
	for _, c := range []struct {
		name string
		key  storage.KeyPair
		now  time.Duration
		want keys.State
	}{
		{"announced", storage.KeyPair{Created: start}, 0, keys.Next},
		{"announced long ago, and nobody made it active", storage.KeyPair{Created: start}, 1000 * day, keys.Next},
		{"signing", active, day, keys.Active},
		{"signing beyond its time, for want of a tick", active, 1000 * day, keys.Active},
		{"signing, by a clock that was set back", active, 0, keys.Active},
		{"just retired", retired, 31 * day, keys.Retired},
		{"its last token lives", retired, 31*day + token + keys.Lag - 1, keys.Retired},
		{"its last token has expired", retired, 31*day + token + keys.Lag, keys.Kept},
		{"a hint may come", retired, 41*day + token + keys.Lag - 1, keys.Kept},
		{"the last session has ended", retired, 41*day + token + keys.Lag, keys.Gone},
		{"revoked wins over retired", revoked, 31*day + time.Minute, keys.Revoked},
		{"revoked before it signed", fresh, time.Minute, keys.Revoked},
		{"revoked long ago", fresh, time.Minute + 10*day + token + keys.Lag, keys.Gone},
	} {
		if got := keys.StateOf(c.key, token, session, at(c.now)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestFirstStart(t *testing.T) {
	t.Parallel()
	store := new(keystest.Rings)
	o := options(store, newClock())
	o.Algs, o.Generate = nil, keystest.Generator()
	k := open(t, o)
	if !slices.Equal(k.Algs(), []string{"RS256", "PS256", "ES256", "EdDSA"}) {
		t.Error(k.Algs())
	}
	for _, alg := range k.Algs() {
		if got := states(k, alg); !slices.Equal(got, []keys.State{keys.Active, keys.Next}) {
			t.Errorf("%s: %v", alg, got)
		}
	}
	if got := published(t, k); len(got) != 8 {
		t.Errorf("%d keys are published", len(got))
	}
	if err := k.Ready(); err != nil {
		t.Error(err)
	}
	if n := len(store.Changes()); n != 1 {
		t.Errorf("%d changes, want one for all keys", n)
	}
	t.Run("nothing is due right after it", func(t *testing.T) {
		tick(t, k)
		if n := len(store.Changes()); n != 1 {
			t.Errorf("a tick saved the ring: %v", store.Changes())
		}
	})
	t.Run("nothing readable is stored", func(t *testing.T) {
		ring, _ := store.Ring(t.Context())
		text, err := json.Marshal(ring)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range ring.Signing {
			if len(s.Sealed) == 0 || bytes.Contains(s.Sealed, s.Public[len(s.Public)-32:]) {
				t.Errorf("%s: the private part is not sealed", s.Alg)
			}
		}
		if bytes.Contains(text, []byte("PRIVATE")) {
			t.Error("a private key is in the ring")
		}
	})
	t.Run("no private member is published", func(t *testing.T) {
		body, _ := k.JWKS()
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal(body, &set); err != nil {
			t.Fatal(err)
		}
		for _, key := range set.Keys {
			for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k", "oth"} {
				if _, ok := key[private]; ok {
					t.Errorf("RFC 7517 9.2: %v has %s", key["kid"], private)
				}
			}
		}
	})
	t.Run("another start finds the same keys", func(t *testing.T) {
		again := open(t, o)
		first, etag := k.JWKS()
		second, etagAgain := again.JWKS()
		if !bytes.Equal(first, second) || etag != etagAgain {
			t.Error("the JWKS changed")
		}
		if _, _, err := again.Verify(sign(t, k, "PS256"), "at+jwt"); err != nil {
			t.Error(err)
		}
	})
}

// A key's whole life, with the ring looked after each hour.
func TestLife(t *testing.T) {
	t.Parallel()
	c, store := newClock(), new(keystest.Rings)
	k := open(t, options(store, c))
	first, second := kid(k, "ES256", keys.Active), kid(k, "ES256", keys.Next)
	token := sign(t, k, "ES256")
	_, etag := k.JWKS()

	seen := map[keys.State]time.Duration{}
	for c.since() < 45*day {
		c.pass(time.Hour)
		tick(t, k)
		for _, i := range k.List() {
			if _, ok := seen[i.State]; !ok && i.KID == first {
				seen[i.State] = c.since()
			}
		}
		if kid(k, "ES256", keys.Next) == "" || kid(k, "ES256", keys.Active) == "" {
			t.Fatalf("after %v: %v", c.since(), states(k, "ES256"))
		}
		inJWKS := slices.Contains(published(t, k), first)
		_, _, err := k.Verify(token, "at+jwt")
		switch {
		case c.since() < 30*day+time.Hour+keys.Lag:
			if !inJWKS || err != nil {
				t.Fatalf("after %v: published: %v, %v", c.since(), inJWKS, err)
			}
		case c.since() < 40*day+time.Hour+keys.Lag:
			if inJWKS || err != nil {
				t.Fatalf("after %v, kept for hints: published: %v, %v", c.since(), inJWKS, err)
			}
		default:
			if inJWKS || !errors.Is(err, keys.ErrToken) {
				t.Fatalf("after %v, gone: published: %v, %v", c.since(), inJWKS, err)
			}
		}
	}
	want := map[keys.State]time.Duration{keys.Active: time.Hour, keys.Retired: 30 * day, keys.Kept: 30*day + 2*time.Hour}
	for s, at := range want {
		if seen[s] != at {
			t.Errorf("%s from %v on, want %v", s, seen[s], at)
		}
	}
	if kid(k, "ES256", keys.Active) != second {
		t.Error("the announced key is not the one that took over")
	}
	if _, now := k.JWKS(); now == etag {
		t.Error("the ETag is the same for other keys")
	}
	if got := stored(t, store, first); got.KID != "" {
		t.Error("what is gone is still stored")
	}
}

func TestRetirementDeletesThePrivatePart(t *testing.T) {
	t.Parallel()
	c, store := newClock(), new(keystest.Rings)
	k := open(t, options(store, c))
	old := kid(k, "ES256", keys.Active)
	c.pass(30 * day)
	tick(t, k)
	if got := stored(t, store, old); got.KID != old || len(got.Sealed) != 0 || got.Retired.IsZero() {
		t.Errorf("%+v", got)
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) (*clock, *keystest.Rings, *keys.Keys, string, string) {
		t.Parallel()
		c, store := newClock(), new(keystest.Rings)
		k := open(t, options(store, c))
		return c, store, k, kid(k, "ES256", keys.Active), kid(k, "ES256", keys.Next)
	}
	operator := storage.Change{Origin: audit.Origin{Actor: "uid 1000"}, Detail: "key rotate"}

	t.Run("moves the schedule up to the end of the announcement", func(t *testing.T) {
		c, _, k, active, next := setup(t)
		infos, err := k.Rotate(t.Context(), keys.RotateOptions{}, operator)
		if err != nil {
			t.Fatal(err)
		}
		if infos[0].KID != active || infos[0].State != keys.Active || !infos[0].Until.Equal(start.Add(day)) {
			t.Errorf("%+v", infos[0])
		}
		c.pass(day - time.Second)
		tick(t, k)
		if kid(k, "ES256", keys.Active) != active {
			t.Error("the next key signs before it was announced for a day")
		}
		c.pass(time.Second)
		tick(t, k)
		if kid(k, "ES256", keys.Active) != next {
			t.Error("the next key does not sign")
		}
		c.pass(2 * day)
		tick(t, k)
		if kid(k, "ES256", keys.Active) != next {
			t.Error("one wish rotated twice")
		}
	})
	t.Run("at once when the next was announced long enough", func(t *testing.T) {
		c, _, k, _, next := setup(t)
		c.pass(2 * day)
		if _, err := k.Rotate(t.Context(), keys.RotateOptions{Alg: "ES256"}, operator); err != nil {
			t.Fatal(err)
		}
		if kid(k, "ES256", keys.Active) != next {
			t.Error("the next key does not sign")
		}
	})
	t.Run("asking twice is one change", func(t *testing.T) {
		_, store, k, _, _ := setup(t)
		for range 2 {
			if _, err := k.Rotate(t.Context(), keys.RotateOptions{}, operator); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(store.Changes()); n != 2 {
			t.Errorf("%d changes: %v", n, store.Changes())
		}
	})
	t.Run("now: a next younger than the JWKS's max-age is refused, and nothing changes", func(t *testing.T) {
		c, store, k, active, next := setup(t)
		c.pass(keys.MaxAge - time.Second)
		_, err := k.Rotate(t.Context(), keys.RotateOptions{Now: true}, operator)
		var young *keys.YoungError
		if !errors.As(err, &young) || !young.Possible.Equal(start.Add(keys.MaxAge)) || young.KID != next {
			t.Fatal(err)
		}
		if kid(k, "ES256", keys.Active) != active || len(store.Changes()) != 1 {
			t.Error("it rotated")
		}
		c.pass(time.Second)
		if _, err := k.Rotate(t.Context(), keys.RotateOptions{Now: true}, operator); err != nil {
			t.Errorf("at the time the error named: %v", err)
		}
	})
	t.Run("now and force", func(t *testing.T) {
		_, store, k, active, next := setup(t)
		infos, err := k.Rotate(t.Context(), keys.RotateOptions{Now: true, Force: true}, operator)
		if err != nil {
			t.Fatal(err)
		}
		if infos[0].KID != next || infos[0].State != keys.Active || infos[2].KID != active || infos[2].State != keys.Retired {
			t.Errorf("%+v", infos)
		}
		if got := kid(k, "ES256", keys.Next); got == "" || got == next {
			t.Error("no new next key is announced")
		}
		change := store.Changes()[1]
		if change.Origin.Actor != "uid 1000" || !change.Now.Equal(start) || !strings.HasPrefix(change.Detail, "key rotate: ") ||
			!strings.Contains(change.Detail, next+" active") || !strings.Contains(change.Detail, active+" retired") {
			t.Errorf("audit: %+v", change)
		}
	})
	t.Run("an algorithm that is off", func(t *testing.T) {
		_, _, k, _, _ := setup(t)
		if _, err := k.Rotate(t.Context(), keys.RotateOptions{Alg: "RS256"}, operator); !errors.Is(err, keys.ErrAlg) {
			t.Error(err)
		}
	})
	t.Run("one of several leaves the others", func(t *testing.T) {
		t.Parallel()
		o := options(new(keystest.Rings), newClock())
		o.Algs = []string{"ES256", "EdDSA"}
		k := open(t, o)
		other := kid(k, "EdDSA", keys.Active)
		if _, err := k.Rotate(t.Context(), keys.RotateOptions{Alg: "ES256", Now: true, Force: true}, operator); err != nil {
			t.Fatal(err)
		}
		if kid(k, "EdDSA", keys.Active) != other {
			t.Error("EdDSA rotated too")
		}
	})
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) (*clock, *keystest.Rings, *keys.Keys) {
		t.Parallel()
		c, store := newClock(), new(keystest.Rings)
		return c, store, open(t, options(store, c))
	}
	t.Run("an active key is replaced by the next, and a new next is made", func(t *testing.T) {
		_, store, k := setup(t)
		active, next, token := kid(k, "ES256", keys.Active), kid(k, "ES256", keys.Next), sign(t, k, "ES256")
		if err := k.Revoke(t.Context(), active, storage.Change{Detail: "key revoke"}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := k.Verify(token, "at+jwt"); !errors.Is(err, keys.ErrToken) {
			t.Errorf("its tokens are accepted: %v", err)
		}
		if slices.Contains(published(t, k), active) {
			t.Error("it is published")
		}
		if kid(k, "ES256", keys.Active) != next || kid(k, "ES256", keys.Next) == "" || len(published(t, k)) != 2 {
			t.Errorf("%+v", k.List())
		}
		if got := stored(t, store, active); len(got.Sealed) != 0 || got.Revoked.IsZero() {
			t.Error("its private part is still stored")
		}
		if _, _, err := k.Verify(sign(t, k, "ES256"), "at+jwt"); err != nil {
			t.Error(err)
		}
		if len(store.Changes()) != 2 {
			t.Error("not one change")
		}
	})
	t.Run("a next key is replaced", func(t *testing.T) {
		_, _, k := setup(t)
		active, next := kid(k, "ES256", keys.Active), kid(k, "ES256", keys.Next)
		if err := k.Revoke(t.Context(), next, storage.Change{}); err != nil {
			t.Fatal(err)
		}
		if got := kid(k, "ES256", keys.Next); got == "" || got == next || kid(k, "ES256", keys.Active) != active {
			t.Errorf("%+v", k.List())
		}
	})
	t.Run("a retired key is neither published nor accepted", func(t *testing.T) {
		c, _, k := setup(t)
		old, token := kid(k, "ES256", keys.Active), sign(t, k, "ES256")
		c.pass(30 * day)
		tick(t, k)
		if err := k.Revoke(t.Context(), old, storage.Change{}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := k.Verify(token, "at+jwt"); err == nil || slices.Contains(published(t, k), old) {
			t.Error("it is in use")
		}
	})
	t.Run("again is no change, unknown is ErrNotFound", func(t *testing.T) {
		_, store, k := setup(t)
		active := kid(k, "ES256", keys.Active)
		for range 2 {
			if err := k.Revoke(t.Context(), active, storage.Change{}); err != nil {
				t.Fatal(err)
			}
		}
		if len(store.Changes()) != 2 {
			t.Error(store.Changes())
		}
		for _, unknown := range []string{"", "nobody"} {
			if err := k.Revoke(t.Context(), unknown, storage.Change{}); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("%q: %v", unknown, err)
			}
		}
	})
	t.Run("another server follows at its next tick", func(t *testing.T) {
		c, store, k := setup(t)
		other := open(t, options(store, c))
		token := sign(t, other, "ES256")
		if err := k.Revoke(t.Context(), kid(k, "ES256", keys.Active), storage.Change{}); err != nil {
			t.Fatal(err)
		}
		tick(t, other)
		if _, _, err := other.Verify(token, "at+jwt"); !errors.Is(err, keys.ErrToken) {
			t.Error(err)
		}
	})
}

func TestSeveralServersRotateOnce(t *testing.T) {
	t.Parallel()
	c, store := newClock(), new(keystest.Rings)
	var servers []*keys.Keys
	var lock sync.Mutex
	parallel(8, func(int) {
		k, err := keys.Open(context.Background(), options(store, c))
		if err != nil {
			t.Error(err)
			return
		}
		lock.Lock()
		servers = append(servers, k)
		lock.Unlock()
	})
	if len(servers) != 8 || len(store.Changes()) != 1 {
		t.Fatalf("%d servers made %d rings", len(servers), len(store.Changes()))
	}
	c.pass(30 * day)
	parallel(8, func(i int) {
		if err := servers[i].Tick(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if n := len(store.Changes()); n != 2 {
		t.Errorf("%d changes: %v", n, store.Changes())
	}
	tick(t, servers...)
	want, _ := servers[0].JWKS()
	for _, k := range servers {
		if got, _ := k.JWKS(); !bytes.Equal(got, want) {
			t.Error("the servers publish different keys")
		}
	}
	t.Run("and one that lags still has its tokens accepted", func(t *testing.T) {
		late := open(t, options(store, c))
		c.pass(30 * day)
		tick(t, servers[0])
		if _, _, err := servers[0].Verify(sign(t, late, "ES256"), "at+jwt"); err != nil {
			t.Error(err)
		}
	})
}

func parallel(n int, f func(int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

func TestAlgorithmsTurnedOnAndOff(t *testing.T) {
	t.Parallel()
	c, store := newClock(), new(keystest.Rings)
	o := options(store, c)
	o.Algs = []string{"ES256", "ES384"}
	both := open(t, o)
	token, off := sign(t, both, "ES384"), kid(both, "ES384", keys.Active)

	c.pass(day)
	o.Algs = []string{"ES256", "EdDSA"}
	k := open(t, o)
	if _, err := k.Sign("ES384", "", []byte(`{}`)); !errors.Is(err, keys.ErrAlg) {
		t.Errorf("what is off signs: %v", err)
	}
	if got := states(k, "EdDSA"); !slices.Equal(got, []keys.State{keys.Active, keys.Next}) {
		t.Errorf("what was turned on has no keys: %v", got)
	}
	if !slices.Contains(published(t, k), off) {
		t.Error("the key of what was turned off is withdrawn while its tokens live")
	}
	if _, _, err := k.Verify(token, "at+jwt"); err != nil {
		t.Error(err)
	}
	n := len(store.Changes())
	tick(t, k, both, k, both)
	if got := len(store.Changes()); got > n {
		t.Errorf("two servers of different configuration undo each other's work: %v", store.Changes()[n:])
	}
	c.set(start.Add(30 * day))
	tick(t, k)
	if got := states(k, "ES384"); !slices.Equal(got, []keys.State{keys.Retired}) {
		t.Errorf("at the end of its time: %v", got)
	}
	if _, err := both.Rotate(t.Context(), keys.RotateOptions{Alg: "ES384"}, storage.Change{}); err != nil {
		t.Errorf("where it is still on, with no key left: %v", err)
	}
	sign(t, both, "ES384")
	if err := both.Revoke(t.Context(), kid(both, "ES384", keys.Active), storage.Change{}); err != nil {
		t.Error(err)
	}
	c.pass(31 * day)
	tick(t, k)
	c.pass(11 * day)
	tick(t, k)
	if got := states(k, "ES384"); len(got) != 0 {
		t.Errorf("long after: %v", got)
	}
}

// A newer server's algorithm must not stop an older one.
func TestUnknownAlgorithmInTheRing(t *testing.T) {
	t.Parallel()
	c, store := newClock(), new(keystest.Rings)
	open(t, options(store, c))
	ring, _ := store.Ring(t.Context())
	strange := storage.KeyPair{KID: "strange", Alg: "ML-DSA-44", Public: []byte("?"), Sealed: []byte("?"), Created: start, Active: start}
	ring.Signing = append(slices.Clone(ring.Signing), strange)
	if _, err := store.SaveRing(t.Context(), ring, storage.Change{}); err != nil {
		t.Fatal(err)
	}
	k := open(t, options(store, c))
	if slices.Contains(published(t, k), "strange") {
		t.Error("it is published")
	}
	c.pass(40 * day)
	tick(t, k)
	if got := stored(t, store, "strange"); len(got.Sealed) == 0 || !got.Retired.IsZero() {
		t.Error("it was changed")
	}
}

// failing fails on demand.
type failing struct {
	*keystest.Rings
	read, save atomic.Pointer[error]
	after      atomic.Bool // save, then fail
}

func (f *failing) Ring(ctx context.Context) (storage.Ring, error) {
	if err := f.read.Load(); err != nil {
		return storage.Ring{}, *err
	}
	return f.Rings.Ring(ctx)
}

func (f *failing) SaveRing(ctx context.Context, r storage.Ring, o storage.Change) (storage.Ring, error) {
	err := f.save.Load()
	if err != nil && !f.after.Load() {
		return storage.Ring{}, *err
	}
	saved, saveErr := f.Rings.SaveRing(ctx, r, o)
	if err != nil {
		return storage.Ring{}, *err
	}
	return saved, saveErr
}

func TestStoreThatFails(t *testing.T) {
	t.Parallel()
	full := fmt.Errorf("put: %w", storage.ErrNoSpace)
	t.Run("reading: signing goes on, Ready says why", func(t *testing.T) {
		t.Parallel()
		store := &failing{Rings: new(keystest.Rings)}
		k := open(t, options(store, newClock()))
		store.read.Store(&full)
		if err := k.Tick(t.Context()); !errors.Is(err, storage.ErrNoSpace) || !errors.Is(k.Ready(), storage.ErrNoSpace) {
			t.Error(err, k.Ready())
		}
		sign(t, k, "ES256")
		store.read.Store(nil)
		tick(t, k)
		if err := k.Ready(); err != nil {
			t.Error(err)
		}
	})
	t.Run("saving: the old key goes on, and another server's revocation counts", func(t *testing.T) {
		t.Parallel()
		c, store := newClock(), &failing{Rings: new(keystest.Rings)}
		k := open(t, options(store, c))
		token, active := sign(t, k, "ES256"), kid(k, "ES256", keys.Active)
		other := open(t, options(store.Rings, c))
		if err := other.Revoke(t.Context(), active, storage.Change{}); err != nil {
			t.Fatal(err)
		}
		c.pass(40 * day)
		store.save.Store(&full)
		if err := k.Tick(t.Context()); !errors.Is(err, storage.ErrNoSpace) {
			t.Error(err)
		}
		if _, _, err := k.Verify(token, "at+jwt"); !errors.Is(err, keys.ErrToken) {
			t.Error("a revoked key's token is accepted")
		}
		sign(t, k, "ES256")
		store.save.Store(nil)
		tick(t, k)
	})
	t.Run("after saving: the next tick finds what was saved", func(t *testing.T) {
		t.Parallel()
		c, store := newClock(), &failing{Rings: new(keystest.Rings)}
		k := open(t, options(store, c))
		next := kid(k, "ES256", keys.Next)
		c.pass(30 * day)
		store.save.Store(&full)
		store.after.Store(true)
		if err := k.Tick(t.Context()); err == nil {
			t.Error("no error")
		}
		store.save.Store(nil)
		tick(t, k)
		if kid(k, "ES256", keys.Active) != next || len(store.Changes()) != 2 {
			t.Errorf("rotated again: %v", store.Changes())
		}
	})
	t.Run("always changed by others", func(t *testing.T) {
		t.Parallel()
		c, store := newClock(), &failing{Rings: new(keystest.Rings)}
		k := open(t, options(store, c))
		conflict := error(storage.ErrConflict)
		store.save.Store(&conflict)
		c.pass(30 * day)
		if err := k.Tick(t.Context()); !errors.Is(err, storage.ErrConflict) {
			t.Error(err)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	t.Run("another master key", func(t *testing.T) {
		t.Parallel()
		o := options(new(keystest.Rings), newClock())
		open(t, o)
		o.Master = keys.NewMaster([32]byte{1})
		if _, err := keys.Open(t.Context(), o); !errors.Is(err, keys.ErrMasterKey) {
			t.Error(err)
		}
	})
	t.Run("options, all faults at once", func(t *testing.T) {
		t.Parallel()
		_, err := keys.Open(t.Context(), keys.Options{Algs: []string{"none", "HS256", "ES256", "ES256"}, Rotate: -1})
		for _, want := range []string{`"none"`, `"HS256"`, "twice", "Rotate", "no store", "no master key"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is missing in %v", want, err)
			}
		}
	})
	t.Run("a maker of the wrong keys", func(t *testing.T) {
		t.Parallel()
		store := new(keystest.Rings)
		o := options(store, newClock())
		o.Generate = func(string) (crypto.Signer, error) { return keys.Generate("EdDSA") }
		if _, err := keys.Open(t.Context(), o); err == nil || len(store.Changes()) != 0 {
			t.Error("an Ed25519 key is stored for ES256:", err)
		}
	})
	t.Run("RFC 8725 3.1: one key for two algorithms", func(t *testing.T) {
		t.Parallel()
		key, err := keystest.Generate("RS256")
		if err != nil {
			t.Fatal(err)
		}
		o := options(new(keystest.Rings), newClock())
		o.Algs = []string{"RS256"}
		o.Generate = func(string) (crypto.Signer, error) { return key, nil }
		if _, err := keys.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "twice") {
			t.Error(err)
		}
	})
	tampered := func(t *testing.T, change func(active, next *storage.KeyPair)) error {
		t.Parallel()
		c, store := newClock(), new(keystest.Rings)
		k := open(t, options(store, c))
		ring, _ := store.Ring(t.Context())
		ring.Signing = slices.Clone(ring.Signing)
		a, b := &ring.Signing[0], &ring.Signing[1]
		if a.KID != kid(k, "ES256", keys.Active) {
			a, b = b, a
		}
		change(a, b)
		if _, err := store.SaveRing(t.Context(), ring, storage.Change{}); err != nil {
			t.Fatal(err)
		}
		_, err := keys.Open(t.Context(), options(store, c))
		return err
	}
	t.Run("a public part that is not the private one's", func(t *testing.T) {
		if err := tampered(t, func(a, b *storage.KeyPair) { a.Public, b.Public = b.Public, a.Public }); err == nil {
			t.Error("it opened")
		}
	})
	t.Run("a key of another kind than its algorithm's", func(t *testing.T) {
		key, err := keystest.Generate("EdDSA")
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		if err := tampered(t, func(_, b *storage.KeyPair) { b.Public = der }); err == nil {
			t.Error("it opened")
		}
	})
	t.Run("a private part moved to another row", func(t *testing.T) {
		err := tampered(t, func(a, b *storage.KeyPair) { a.Sealed, a.Public = b.Sealed, b.Public })
		if err == nil || !strings.Contains(err.Error(), "does not open") {
			t.Error(err)
		}
	})
}

func TestMACKeys(t *testing.T) {
	t.Parallel()
	c, store := newClock(), new(keystest.Rings)
	o := options(store, c)
	k := open(t, o)
	data := []byte("family")
	first := k.MACKey()
	mac, err := k.MAC(first, data)
	if err != nil || first != 1 {
		t.Fatal(first, err)
	}
	if again, _ := open(t, o).MAC(first, data); again != mac {
		t.Error("another server makes another MAC")
	}
	if other, _ := k.MAC(first, []byte("other")); other == mac {
		t.Error("two messages have one MAC")
	}
	c.pass(keys.MACLife)
	tick(t, k)
	if k.MACKey() != first {
		t.Error("a MAC key is used before every server can know it")
	}
	c.pass(keys.MACDelay)
	if k.MACKey() != 2 {
		t.Error("the new MAC key is not used")
	}
	if second, err := k.MAC(2, data); err != nil || second == mac {
		t.Error("the new key is the old one", err)
	}
	begun := c.since()
	for c.since() < begun+200*day+keys.Lag-time.Minute { // the longest family, made by a server that lags
		if got, err := k.MAC(first, data); err != nil || got != mac {
			t.Fatalf("after %v: %v", c.since()-begun, err)
		}
		c.pass(time.Hour)
		tick(t, k)
	}
	c.pass(time.Hour)
	tick(t, k)
	if _, err := k.MAC(first, data); !errors.Is(err, keys.ErrMACKey) {
		t.Error("an old MAC key is kept for ever:", err)
	}
	if _, err := k.MAC(k.MACKey(), data); err != nil {
		t.Error(err)
	}
	if _, err := k.MAC(4711, data); !errors.Is(err, keys.ErrMACKey) {
		t.Error(err)
	}
}

func TestSeal(t *testing.T) {
	t.Parallel()
	c, store := newClock(), new(keystest.Rings)
	k := open(t, options(store, c))
	sealed := k.Seal("client secret a", []byte("secret"))
	if plain, err := open(t, options(store, c)).Unseal("client secret a", sealed); err != nil || string(plain) != "secret" {
		t.Fatal(string(plain), err)
	}
	if bytes.Equal(sealed, k.Seal("client secret a", []byte("secret"))) {
		t.Error("two sealings are alike")
	}
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	strange := bytes.Clone(sealed)
	strange[0] = 9
	for name, c := range map[string]struct {
		purpose string
		sealed  []byte
	}{
		"another purpose":  {"client secret b", sealed},
		"a changed byte":   {"client secret a", flipped},
		"another seal key": {"client secret a", strange},
		"cut short":        {"client secret a", sealed[:20]},
		"nothing":          {"client secret a", nil},
	} {
		if _, err := k.Unseal(c.purpose, c.sealed); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	stranger := keystest.New(t, keys.Options{Algs: []string{"ES256"}})
	if _, err := stranger.Unseal("client secret a", sealed); err == nil {
		t.Error("another ring opened it")
	}
}

// Requests go on while keys change.
func TestUseDuringChange(t *testing.T) {
	t.Parallel()
	c := newClock()
	k := open(t, options(new(keystest.Rings), c))
	done := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				token, err := k.Sign("ES256", "", []byte(`{}`))
				if err != nil {
					t.Error(err)
					return
				}
				if _, _, err := k.Verify(token, ""); err != nil {
					t.Error(err)
					return
				}
				k.JWKS()
				k.List()
			}
		})
	}
	for range 20 {
		if _, err := k.Rotate(t.Context(), keys.RotateOptions{Now: true, Force: true}, storage.Change{}); err != nil {
			t.Error(err)
		}
		c.pass(time.Minute)
	}
	close(done)
	all.Wait()
}
