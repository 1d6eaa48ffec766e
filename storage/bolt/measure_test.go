package bolt

import (
	"fmt"
	"path/filepath"
	"testing"

	"signet/audit"
	"signet/storage"
)

// The figures are those of what was done, and the room is that of the file.
func TestMeasure(t *testing.T) {
	t.Parallel()
	s, err := Open(Options{Path: filepath.Join(t.TempDir(), "signet.db"), Queue: 77})
	if err != nil {
		t.Fatal(err)
	}
	measures := func() map[string]storage.Measure {
		all := map[string]storage.Measure{}
		for _, m := range s.Measure() {
			all[m.Name] = m
		}
		return all
	}
	for i := range 3 {
		if err := s.Record(t.Context(), audit.Entry{Event: audit.SignInFailed, Detail: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	after := measures()
	if acts := after["commit_batch_acts"].Spread; acts.Count != 3 || acts.Sum != 3 || acts.Buckets[1] != 3 {
		t.Errorf("batches: %+v", acts)
	}
	if took := after["commit_duration_seconds"].Spread; took.Count != 3 || took.Sum <= 0 || took.Sum > 60 {
		t.Errorf("commits: %+v", took)
	}
	if after["commit_queue_acts"].Value != 0 || after["commit_queue_capacity_acts"].Value != 77 {
		t.Errorf("queue: %v", after)
	}
	size, free := after["size_bytes"].Value, after["free_bytes"].Value
	if size < 32<<10 || free < pageSize || free >= size {
		t.Errorf("size %v, free %v", size, free)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if after := measures(); after["commit_batch_acts"].Spread.Count != 3 || after["size_bytes"].Name != "" {
		t.Errorf("closed: %v", after)
	}
}
