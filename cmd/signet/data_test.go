package main

import (
	"os"
	"strings"
	"testing"
)

// Who owns the folder can exchange the store and the master key while a server runs on them.
func TestOwnFolder(t *testing.T) {
	t.Parallel()
	own, theirs := t.TempDir(), "/" // root's
	if os.Geteuid() == 0 {
		theirs = t.TempDir()
		if err := os.Chown(theirs, 4321, -1); err != nil {
			t.Fatal(err)
		}
	}
	if err := ownFolder(own); err != nil {
		t.Errorf("one's own: %v", err)
	}
	if err := ownFolder(theirs); err == nil || !strings.Contains(err.Error(), "not yours") {
		t.Errorf("another user's: %v", err)
	}
	if os.Geteuid() == 0 { // systemd's DynamicUser: its uid has no name when nothing runs
		if err := ownFolder(theirs); !strings.Contains(err.Error(), "sudo -u '#4321' signet") {
			t.Errorf("a uid without a name: %v", err)
		}
	}
	if err := ownFolder(own + "/none"); err == nil {
		t.Error("no folder passes")
	}
}

// systemd's DynamicUser: root's commands reach the server of another user's folder by its socket.
func TestRootOverSocket(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir() + "/data"
	p := start(t, "serve", "--data", dir, "--listen", "localhost:0")
	defer p.stop()
	if err := os.Chown(dir, 4321, -1); err != nil {
		t.Fatal(err)
	}
	out := &syncBuffer{}
	if code := run(t.Context(), []string{"client", "list", "--data", dir}, strings.NewReader(""), out, out, nil); code != done {
		t.Errorf("exit status %d: %s", code, out)
	}
}
