package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/storage"
	"signet/storage/archive"
)

// late makes a file where a backup is about to be, once it is being written.
type late struct {
	io.Reader
	path string
}

func (l late) Read(p []byte) (int, error) {
	if err := os.WriteFile(l.path, []byte("another"), 0o600); err != nil {
		return 0, err
	}
	return l.Reader.Read(p)
}

// A backup never writes over a file, not over one either that came while it was written.
func TestBackupWritesOverNothing(t *testing.T) {
	t.Parallel()
	var plain strings.Builder
	none := func(func(storage.Row, error) bool) {}
	if err := archive.Write(&plain, archive.Header{Made: time.Unix(1<<30, 0).UTC()}, none); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	b := written{file: filepath.Join(folder, "backup")}
	err := backupToFile(&b, late{strings.NewReader(plain.String()), b.file}, seal{})
	if err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("the error is %v", err)
	}
	if there, err := os.ReadFile(b.file); err != nil || string(there) != "another" {
		t.Errorf("the file is %q: %v", there, err)
	}
	all, err := os.ReadDir(folder)
	if err != nil || len(all) != 1 {
		t.Errorf("left behind: %v, %v", all, err)
	}
}
