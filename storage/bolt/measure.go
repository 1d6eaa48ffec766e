package bolt

import (
	"os"
	"time"

	"go.etcd.io/bbolt"

	"signet/storage"
)

// measured is what the committer counts.
type measured struct {
	batch  *storage.Distribution // acts of a commit
	commit *storage.Distribution // nanoseconds of a commit: pages written and fdatasync
}

func newMeasured() measured {
	return measured{
		batch: storage.NewDistribution(1, 4, 16, 64, 256),
		commit: storage.NewDistribution(int64(500*time.Microsecond), int64(time.Millisecond), int64(2*time.Millisecond), int64(5*time.Millisecond),
			int64(20*time.Millisecond), int64(100*time.Millisecond), int64(time.Second)),
	}
}

var _ storage.Measured = (*Store)(nil)

// Measure says how the committer and the file are.
func (s *Store) Measure() []storage.Measure {
	batch := s.measured.batch.Spread(1)
	all := []storage.Measure{
		{Name: "commit_queue_acts", Help: "Acts that wait for the committer", Value: float64(len(s.queue))},
		{Name: "commit_queue_capacity_acts", Help: "Acts that may wait; those beyond are refused as busy", Value: float64(cap(s.queue))},
		{Name: "commit_batch_acts", Help: "Acts that share a commit", Spread: batch},
		{Name: "commit_duration_seconds", Help: "How long a commit takes, fdatasync included", Spread: s.measured.commit.Spread(1e-9)},
	}
	if s.refusing() != nil {
		return all
	}
	size, free, err := s.room()
	if err != nil { // closed in the moment between; a damaged file has other ways to say so
		return all
	}
	return append(all,
		storage.Measure{Name: "size_bytes", Help: "Size of the store's file", Value: float64(size)},
		storage.Measure{Name: "free_bytes", Help: "How much of it is free for what comes", Value: float64(free)},
	)
}

// room returns the size of the file and how much of it is free. bbolt's own statistics would tell too; they are off, since readers would
// wait for each other to count themselves. So the list of free pages is asked for its length, in the file, while a snapshot keeps it there.
func (s *Store) room() (size, free int64, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		size = tx.Size()
		file, err := os.Open(s.path)
		if err != nil {
			return err
		}
		defer file.Close()
		m, err := readMeta(file, s.path)
		if err != nil {
			return err
		}
		n, _, err := freePages(file, m)
		free = n * m.pageSize
		return err
	})
	return size, free, err
}
