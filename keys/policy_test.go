package keys_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"signet/keys"
	"signet/keys/keystest"
	"signet/storage"
)

func TestConfigure(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &failing{Rings: new(keystest.Rings)}
	o := options(store, c)
	o.Algs = []string{"ES256", "ES384"}
	k := open(t, o)
	token := sign(t, k, "ES384")
	active := kid(k, "ES256", keys.Active)

	o.Algs, o.Rotate = []string{"ES256", "EdDSA"}, 20*day
	full := error(storage.ErrNoSpace)
	store.save.Store(&full)
	if err := k.Configure(t.Context(), o, storage.Change{}); !errors.Is(err, storage.ErrNoSpace) {
		t.Errorf("with a full disk: %v", err)
	}
	if !slices.Equal(k.Algs(), []string{"ES256", "ES384"}) || k.Ready() != nil || k.Signs("EdDSA") {
		t.Errorf("after a change that failed: %v, %v", k.Algs(), k.Ready())
	}
	store.save.Store(nil)

	if err := k.Configure(t.Context(), o, storage.Change{}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(k.Algs(), o.Algs) || k.Ready() != nil {
		t.Errorf("%v, %v", k.Algs(), k.Ready())
	}
	sign(t, k, "EdDSA")
	if got := kid(k, "ES256", keys.Active); got != active {
		t.Errorf("what stayed on has another key, %s and not %s", got, active)
	}
	if _, _, err := k.Verify(token, "at+jwt"); err != nil {
		t.Errorf("what was signed before: %v", err)
	}
	sign(t, k, "ES384") // for a request under way
	tick(t, k)
	sign(t, k, "ES384")
	c.pass(time.Minute)
	tick(t, k)
	if _, err := k.Sign("ES384", "", []byte(`{}`)); !errors.Is(err, keys.ErrAlg) {
		t.Errorf("what is off signs a minute later: %v", err)
	}
	if _, _, err := k.Verify(token, "at+jwt"); err != nil {
		t.Errorf("a minute later: %v", err)
	}
	c.pass(20 * day)
	tick(t, k)
	if got := kid(k, "ES256", keys.Active); got == active {
		t.Error("the new schedule is not kept")
	}
	if err := k.Configure(t.Context(), keys.Options{Algs: []string{"none"}}, storage.Change{}); err == nil || !slices.Equal(k.Algs(), o.Algs) {
		t.Errorf("%v, %v", err, k.Algs())
	}
}

func TestFits(t *testing.T) {
	t.Parallel()
	k := open(t, options(new(keystest.Rings), newClock()))
	if err := k.Fits(keystest.Master()); err != nil {
		t.Error(err)
	}
	if err := k.Fits(keys.NewMaster([32]byte{7})); !errors.Is(err, keys.ErrMasterKey) {
		t.Errorf("another key: %v", err)
	}
}

// Requests go on while the policy changes; the race detector looks on.
func TestUseDuringConfigure(t *testing.T) {
	t.Parallel()
	o := options(new(keystest.Rings), newClock())
	k := open(t, o)
	parallel(4, func(i int) {
		for n := range 25 {
			if i == 0 {
				o := o
				o.Algs = [][]string{{"ES256"}, {"ES256", "ES384"}}[n%2]
				if err := k.Configure(t.Context(), o, storage.Change{}); err != nil {
					t.Error(err)
				}
				continue
			}
			sign(t, k, "ES256")
			k.List()
			if err := k.Ready(); err != nil {
				t.Error(err)
			}
			if i == 1 {
				tick(t, k)
			}
		}
	})
}
