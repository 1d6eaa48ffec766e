package admin_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"signet/audit"
	"signet/provider/admin"
	"signet/storage"
	"signet/storage/archive"
	"signet/storage/check"
)

// overSocket returns a caller of the same API over a socket, as a server answers it.
func (r *room) overSocket() *admin.Caller {
	r.Helper()
	dir := filepath.Join(r.TempDir(), "data")
	must(r.T, os.Mkdir(dir, 0o700))
	listener, err := admin.Listen(dir)
	must(r.T, err)
	server := &http.Server{Handler: r.handler, ConnContext: admin.ConnContext}
	go server.Serve(listener)
	r.Cleanup(func() { server.Close() })
	return admin.OverSocket(dir)
}

func TestBackup(t *testing.T) {
	r := newRoom(t)
	r.User("alice")
	for name, caller := range map[string]*admin.Caller{"in process": r.caller, "over the socket": r.overSocket()} {
		body, err := caller.Stream(t.Context(), http.MethodGet, nil, "backup")
		if err != nil {
			t.Fatal(name, err)
		}
		s, err := archive.Verify(body)
		if err := errors.Join(err, body.Close()); err != nil {
			t.Fatal(name, err)
		}
		if s.Sums[storage.KindUser].Rows != 1 || s.Issuer != r.Issuer || s.Ring.Revision == 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	var actors []string
	if err := r.Store.Entries(t.Context(), func(e audit.Entry) error {
		if e.Event == audit.StoreBackedUp {
			actors = append(actors, e.Actor)
		}
		return nil
	}); err != nil || len(actors) != 2 || actors[0] == "" {
		t.Errorf("recorded for %q, %v", actors, err)
	}
}

// broken is a store that breaks off in the middle of its rows.
type broken struct{ storage.Store }

var errBroken = errors.New("a page is damaged")

func (broken) Export(context.Context) storage.Rows {
	return func(yield func(storage.Row, error) bool) { yield(storage.Row{}, errBroken) }
}

func (broken) Import(context.Context, storage.Rows) error { return errBroken }

func (broken) Check(context.Context, func(storage.Row) error, func(storage.Login), func(storage.Fault)) error {
	return errBroken
}

// TestABackupThatFails holds that a failure is an answer, not the beginning of a backup.
func TestABackupThatFails(t *testing.T) {
	r := newRoom(t)
	failing := newRoomOn(t, r.Server, broken{r.Store})
	for name, caller := range map[string]*admin.Caller{"in process": failing.caller, "over the socket": failing.overSocket()} {
		var refused *admin.Error
		if _, err := caller.Stream(t.Context(), http.MethodGet, nil, "backup"); !errors.As(err, &refused) || refused.Status != http.StatusInternalServerError {
			t.Errorf("%s: %v", name, err)
		}
		if err := caller.Await(t.Context(), http.MethodGet, nil, "storage", "check"); !errors.As(err, &refused) {
			t.Errorf("%s, check: %v", name, err)
		}
	}
}

// TestWhoLeavesABackup holds that a reader who goes away keeps nothing waiting.
func TestWhoLeavesABackup(t *testing.T) {
	r := newRoom(t)
	for name, caller := range map[string]*admin.Caller{"in process": r.caller, "over the socket": r.overSocket()} {
		body, err := caller.Stream(t.Context(), http.MethodGet, nil, "backup")
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err := io.ReadFull(body, make([]byte, 10)); err != nil {
			t.Error(name, err)
		}
		if err := body.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(name, err)
		}
	}
	r.User("bob") // the store goes on, and closes at the end of the test
}

func TestCheck(t *testing.T) {
	r := newRoom(t)
	r.User("alice")
	for name, caller := range map[string]*admin.Caller{"in process": r.caller, "over the socket": r.overSocket()} {
		var report check.Report
		if err := caller.Await(t.Context(), http.MethodGet, &report, "storage", "check"); err != nil || report.Found != 0 || report.Rows[storage.KindUser] != 1 {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
}
