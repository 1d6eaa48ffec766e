package keys_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signet/keys"
	"signet/keys/keystest"
	"signet/storage"
)

func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		store := &failing{Rings: new(keystest.Rings)}
		o := keys.Options{Store: store, Master: keystest.Master(), Algs: []string{"ES256"}, Announce: time.Hour,
			Log: slog.New(slog.NewTextHandler(&log, nil))}
		k, other := open(t, o), open(t, o)
		next := kid(k, "ES256", keys.Next)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { k.Run(ctx); close(ended) }()

		if _, err := other.Rotate(ctx, keys.RotateOptions{}, storage.Change{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		if kid(k, "ES256", keys.Active) == next {
			t.Error("the next key signs too early")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if kid(k, "ES256", keys.Active) != next {
			t.Error("what another server was asked for did not happen")
		}
		broken := error(storage.ErrBusy)
		store.read.Store(&broken)
		time.Sleep(time.Minute)
		synctest.Wait()
		if k.Ready() == nil || !strings.Contains(log.String(), storage.ErrBusy.Error()) {
			t.Error("a failed tick is not told:", log.String())
		}
		store.read.Store(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := k.Ready(); err != nil {
			t.Error("it does not recover:", err)
		}
		stop()
		<-ended
	})
}
