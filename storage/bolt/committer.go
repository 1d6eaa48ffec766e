package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"signet/storage"
)

var (
	errClosed  = errors.New("the store is closed")
	errStopped = errors.New("the store stopped after a failed commit")
)

// maxBatch bounds how many acts share a commit, and with it how long the first of them waits for the last.
const maxBatch = 512

// act is one thing to be done in a transaction: run reads, decides, and only then writes. What it returns is the answer, a
// refusal included; failures of the storage it leaves to the tx. It may run twice and must not notice.
type act struct {
	ctx  context.Context
	run  func(*tx) error
	err  error // the answer, good once done is closed
	done chan struct{}
}

// do queues an act and waits for its answer: by then it is durable, or did not happen.
func (s *Store) do(ctx context.Context, run func(*tx) error) error {
	a := &act{ctx: ctx, run: run, done: make(chan struct{})}
	if err := s.enqueue(a); err != nil {
		return err
	}
	<-a.done
	return a.err
}

func (s *Store) enqueue(a *act) error {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if err := s.refusing(); err != nil {
		return err
	}
	select {
	case s.queue <- a:
		return nil
	default:
		return storage.ErrBusy
	}
}

// refusing says why no act is taken any more.
func (s *Store) refusing() error {
	if s.closed.Load() {
		return errClosed
	}
	if s.stopped.Load() {
		return errStopped
	}
	return nil
}

// committer does the acts of the queue until it is closed and empty.
func (s *Store) committer() {
	defer close(s.idle)
	debug.SetPanicOnFault(true) // for this goroutine: a damaged page becomes a failed act
	var batch []*act
	for first := range s.queue {
		batch = s.gather(append(batch[:0], first))
		s.commit(batch)
		clear(batch)
	}
}

// settled is how often nothing more may come before a batch is committed.
const settled = 3

// gather adds what waits. It lets goroutines that are ready go first, as they may be about to queue an act, for as long as that brings
// something: on one core the first act would otherwise always wake the committer before the second one comes, and each pay for a
// commit of its own. With nobody else to run this costs less than a microsecond.
func (s *Store) gather(batch []*act) []*act {
	for idle := 0; idle < settled && len(batch) < maxBatch; {
		before := len(batch)
		runtime.Gosched()
		if batch = s.take(batch); len(batch) == before {
			idle++
		}
	}
	return batch
}

// take adds what is queued, without waiting for more.
func (s *Store) take(batch []*act) []*act {
	for len(batch) < maxBatch {
		select {
		case a, open := <-s.queue:
			if !open {
				return batch
			}
			batch = append(batch, a)
		default:
			return batch
		}
	}
	return batch
}

// commit does the acts of a batch, in one transaction if none of them fails, and answers them.
func (s *Store) commit(batch []*act) {
	err := s.try(batch)
	if rb := (rollback{}); errors.As(err, &rb) {
		if len(batch) > 1 {
			for i := range batch {
				s.commit(batch[i : i+1])
			}
			return
		}
		err = rb.cause
	}
	for _, a := range batch {
		if err != nil {
			a.err = err
		}
		close(a.done)
	}
}

// rollback is why a batch has to be done one by one.
type rollback struct{ cause error }

func (r rollback) Error() string { return r.cause.Error() }

// try runs the acts of a batch in one transaction and commits it. Their answers are in them, unless it returns an error:
// then nothing of the batch is stored.
func (s *Store) try(batch []*act) (err error) {
	if s.stopped.Load() {
		return errStopped
	}
	defer func() {
		if p := recover(); p != nil { // outside of any act: bbolt found damage in what it needs itself
			err = s.stop(fmt.Errorf("panic in a transaction: %v", p))
		}
	}()
	bolt, err := s.db.Begin(true)
	if err != nil {
		return s.stop(fmt.Errorf("begin: %w", err))
	}
	defer bolt.Rollback() // after a commit it does nothing

	t, wrote := newTx(bolt, s.log), false
	t.head = s.head
	for _, a := range batch {
		if err := t.run(a); err != nil {
			return err
		}
		wrote = wrote || t.writes > 0
	}
	s.measured.batch.Add(int64(len(batch)))
	if len(t.entries) == 0 && !wrote {
		return nil
	}
	if _ = t.guard((*tx).writeEntries); t.failed != nil {
		return s.stop(fmt.Errorf("the audit log cannot be written: %w", t.failed)) // nothing may happen unrecorded
	}
	return s.seal(t)
}

// run does one act of the transaction. An error means that the transaction has to be rolled back; a failure before the act's
// first write is its own affair.
func (t *tx) run(a *act) error {
	if err := a.ctx.Err(); err != nil {
		a.err = err
		return nil
	}
	t.failed, t.writes = nil, 0
	entries := len(t.entries)
	err := t.guard(a.run)
	if t.failed == nil {
		a.err = err
		return nil
	}
	if t.writes > 0 {
		return rollback{t.failed}
	}
	a.err, t.failed, t.entries = t.failed, nil, t.entries[:entries]
	return nil
}

// seal makes a transaction durable. Caches forget what it changed before anybody can see it.
func (s *Store) seal(t *tx) error {
	id := t.snapshot + 1
	for c := range t.changed {
		c.cache.forget(c.key, id)
	}
	began := time.Now()
	err := s.commitBolt(t.bolt)
	switch {
	case err == nil:
		s.measured.commit.Add(int64(time.Since(began)))
		s.full.Store(false)
		s.head = t.head
		return nil
	case noSpace(err) && s.lastCommit() == t.snapshot:
		s.full.Store(true)
		s.log.Error("no space left for storage: nothing was written, the next act tries again", "path", s.path, "error", err)
		return fmt.Errorf("%w: %w", storage.ErrNoSpace, err)
	default:
		return s.stop(err)
	}
}

// commitBolt commits, and turns a panic (a damaged page that only the write meets) into an error.
func (s *Store) commitBolt(bolt *bbolt.Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a commit: %v", p)
		}
		if err != nil {
			bolt.Rollback() // bbolt leaves the transaction open after some of its errors
		}
	}()
	return s.commitTx(bolt)
}

// lastCommit is the id of the commit that readers see.
func (s *Store) lastCommit() (id uint64) {
	_ = s.db.View(func(bolt *bbolt.Tx) error {
		id = uint64(bolt.ID())
		return nil
	})
	return id
}

// stop refuses everything from now on: what is on the disk is unknown.
func (s *Store) stop(cause error) error {
	err := fmt.Errorf("%w: %w", errStopped, cause)
	s.stopped.Store(true)
	s.fatal(err)
	return err
}

// noSpace says whether a commit failed because the file could not grow. Such a commit is undone: bbolt writes the meta page
// that makes a commit valid after all others. The same error from fdatasync is another matter (what had been accepted is
// lost) and comes as a bare number.
func noSpace(err error) bool {
	var path *fs.PathError
	if errors.As(err, &path) && path.Op == "write" {
		return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
	}
	// bbolt's growth of the file flattens the error to text.
	if text := err.Error(); strings.HasPrefix(text, "file resize error: ") {
		for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
			if strings.HasSuffix(text, full.Error()) {
				return true
			}
		}
	}
	return false
}

// view runs a read in a snapshot.
func (s *Store) view(ctx context.Context, f func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.refusing(); err != nil {
		return err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return s.db.View(func(bolt *bbolt.Tx) error {
		t := newTx(bolt, s.log)
		err := t.guard(f)
		if t.failed != nil {
			return t.failed
		}
		return err
	})
}
