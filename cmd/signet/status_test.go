package main

import (
	"bytes"
	"strings"
	"testing"

	"signet/provider/admin"
)

// A server that runs and cannot do its work is told apart from a good one, by people and by health checks.
func TestUnready(t *testing.T) {
	t.Parallel()
	s := admin.Status{Problem: "no space left for storage\x1b[2J"}
	if err := unready(s); err == nil || !strings.HasPrefix(err.Error(), "the server is not ready: no space left for storage") || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%q", err)
	}
	var out bytes.Buffer
	if err := (&app{stdout: &out}).printStatus(s, false); err != nil || !strings.Contains(out.String(), "ready     no") {
		t.Errorf("%v: %s", err, out.String())
	}
	if err := unready(admin.Status{Ready: true}); err != nil {
		t.Error(err)
	}
}
