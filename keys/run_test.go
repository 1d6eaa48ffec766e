package keys_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signet/keys/keystest"
	"signet/storage"
)

// away is a store that may be away.
type away struct {
	keystest.Rings
	is atomic.Bool
}

func (a *away) Ring(ctx context.Context) (storage.Ring, error) {
	if a.is.Load() {
		return storage.Ring{}, errors.New("away")
	}
	return a.Rings.Ring(ctx)
}

// Keys that could not be looked after are not ready, and are again within ten seconds after they can be: all servers on one store fail
// together, and must not stay away for longer than it does.
func TestRunAfterFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &away{}
		o := options(store, newClock())
		o.Now, o.Generate = time.Now, keystest.Generator()
		k := open(t, o)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			k.Run(ctx)
			close(ended)
		}()
		after := func(d time.Duration, ready bool, failures uint64) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if err := k.Ready(); (err == nil) != ready || k.Failures() != failures {
				t.Errorf("ready: %v, %d failures", err, k.Failures())
			}
		}
		after(59*time.Second, true, 0)
		store.is.Store(true)
		after(500*time.Millisecond, true, 0)
		after(time.Second, false, 1)
		after(10*time.Second, false, 2)
		store.is.Store(false)
		after(9*time.Second, false, 2)
		after(time.Second, true, 2)
		store.is.Store(true)
		after(58*time.Second, true, 2)
		after(2*time.Second, false, 3)
		cancel()
		<-ended
	})
}
