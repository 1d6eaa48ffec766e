package postgres

import (
	"testing"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/postgres/postgrestest"
)

// The attempts to sign in as nobody who is known wait for no one's.
func TestUnknownUsersAreInNoQueue(t *testing.T) {
	t.Parallel()
	s := openTest(t, postgrestest.Database(t))
	s.noting("").Lock()
	defer s.noting("").Unlock()
	done := make(chan error, 1)
	go func() {
		now := time.Now()
		done <- s.SignInFailed(t.Context(), "", storage.SignInNote{Time: now, Failed: true}, audit.Entry{Time: now, Event: audit.SignInFailed})
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it waits")
	}
}
