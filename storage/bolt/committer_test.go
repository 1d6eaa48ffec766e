package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signet/audit"
	"signet/storage"
)

var background = context.Background()

// hold keeps the committer busy until release is called, so that what is queued meanwhile becomes one batch.
func (s *Store) hold() (release func()) {
	begun, end := make(chan struct{}), make(chan struct{})
	go s.do(background, func(*tx) error {
		close(begun)
		<-end
		return nil
	})
	<-begun
	return func() { close(end) }
}

// batch queues acts one after the other and returns a function that waits for their answers.
func (s *Store) batch(acts ...func(*tx) error) (answers func() []error) {
	var queued []*act
	for _, run := range acts {
		a := &act{ctx: background, run: run, done: make(chan struct{})}
		if err := s.enqueue(a); err != nil {
			a.err = err
			close(a.done)
		}
		queued = append(queued, a)
	}
	return func() (errs []error) {
		for _, a := range queued {
			<-a.done
			errs = append(errs, a.err)
		}
		return errs
	}
}

// putUser is an act that stores a user and an entry, and counts its runs.
func putUser(s *Store, sub string, runs *int) func(*tx) error {
	return func(t *tx) error {
		*runs++
		s.users.put(t, sub, storage.User{Sub: sub, Name: sub})
		t.record(audit.Entry{Time: epoch, Event: audit.UserSaved, User: sub})
		return nil
	}
}

func recorded(t *testing.T, s *Store) (users []string) {
	t.Helper()
	if err := s.Entries(t.Context(), func(e audit.Entry) error {
		if e.Event == audit.UserSaved {
			users = append(users, e.User)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return users
}

func TestBatch(t *testing.T) {
	t.Parallel()
	errStorage := errors.New("the storage failed")
	refuse := func(t *tx) error { return storage.ErrConflict }
	failEarly := func(t *tx) error {
		t.record(audit.Entry{Time: epoch, Event: audit.UserSaved, User: "of the failed act"})
		t.fail(errStorage)
		return nil
	}
	failLate := func(t *tx) error {
		t.put(t.bucket([]byte(metaBucket)), []byte("half"), []byte("done"))
		t.record(audit.Entry{Time: epoch, Event: audit.UserSaved, User: "of the failed act"})
		t.fail(errStorage)
		return nil
	}
	panicEarly := func(*tx) error { panic("early") }
	panicLate := func(t *tx) error {
		t.put(t.bucket([]byte(metaBucket)), []byte("half"), []byte("done"))
		panic("late")
	}
	fault := func(t *tx) error {
		t.put(t.bucket([]byte(metaBucket)), []byte("half"), []byte("done"))
		var nothing *storage.User
		nothing.Name = "a nil pointer is a fault as well"
		return nil
	}
	for _, c := range []struct {
		name    string
		culprit func(*tx) error
		want    string
		runs    int // of the neighbour before
	}{
		{"a refusal is a result, never a neighbour's failure", refuse, storage.ErrConflict.Error(), 1},
		{"a failure before the first write is answered alone", failEarly, errStorage.Error(), 1},
		{"a panic before the first write is answered alone", panicEarly, "panic in an act: early", 1},
		{"a failure after a write rolls back, and its neighbours run again one by one", failLate, errStorage.Error(), 2},
		{"a panic after a write rolls back, and its neighbours run again one by one", panicLate, "panic in an act: late", 2},
		{"a fault after a write rolls back, and its neighbours run again one by one", fault, "panic in an act: runtime error", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := openTest(t)
			runs := make([]int, 2)
			release := s.hold()
			answers := s.batch(putUser(s, "before", &runs[0]), c.culprit, putUser(s, "after", &runs[1]))
			release()
			errs := answers()
			if errs[0] != nil || errs[2] != nil {
				t.Errorf("the neighbours got %v and %v", errs[0], errs[2])
			}
			if errs[1] == nil || !strings.HasPrefix(errs[1].Error(), c.want) {
				t.Errorf("the culprit got %v, want %v", errs[1], c.want)
			}
			if runs[0] != c.runs || runs[1] != 1 {
				t.Errorf("the neighbours ran %v times, want %d and 1", runs, c.runs)
			}
			for _, sub := range []string{"before", "after"} {
				if _, err := s.User(t.Context(), sub); err != nil {
					t.Errorf("%s: %v", sub, err)
				}
			}
			if got := fmt.Sprint(recorded(t, s)); got != "[before after]" {
				t.Errorf("the log has %v", got)
			}
			if half := s.raw(t, metaBucket, "half"); half != nil {
				t.Errorf("half of the failed act is stored: %q", half)
			}
		})
	}
}

// raw reads a key behind the protocol's back.
func (s *Store) raw(t *testing.T, bucket, key string) (value []byte) {
	t.Helper()
	if err := s.db.View(func(bolt *bbolt.Tx) error {
		value = append(value, bolt.Bucket([]byte(bucket)).Get([]byte(key))...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestBatchSharesOneCommit(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	release := s.hold()
	runs := make([]int, 50)
	var acts []func(*tx) error
	for i := range runs {
		acts = append(acts, putUser(s, fmt.Sprint(i), &runs[i]))
	}
	before := s.lastCommit()
	answers := s.batch(acts...)
	release()
	for _, err := range answers() {
		if err != nil {
			t.Error(err)
		}
	}
	if n := s.lastCommit() - before; n > 2 { // the act that held the committer wrote nothing
		t.Errorf("%d commits for %d acts", n, len(runs))
	}
}

func TestBatchWithoutWritesCommitsNothing(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	before := s.lastCommit()
	if _, err := s.EndSessions(t.Context(), []storage.ID{storage.NewID(epoch)}, storage.Change{Now: epoch}); err != nil {
		t.Fatal(err)
	}
	if s.lastCommit() != before {
		t.Error("an act that wrote nothing was committed")
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	t.Run("a full queue is ErrBusy at once", func(t *testing.T) {
		t.Parallel()
		s := openTest(t, func(o *Options) { o.Queue = 2 })
		release := s.hold()
		runs := make([]int, 3)
		answers := s.batch(putUser(s, "a", &runs[0]), putUser(s, "b", &runs[1]), putUser(s, "c", &runs[2]))
		if err := saveUser(s, "d"); !errors.Is(err, storage.ErrBusy) {
			t.Errorf("the answer is %v", err)
		}
		release()
		if errs := answers(); errs[0] != nil || errs[1] != nil || !errors.Is(errs[2], storage.ErrBusy) {
			t.Errorf("the answers are %v", errs)
		}
		if err := saveUser(s, "d"); err != nil {
			t.Errorf("when there is room again the answer is %v", err)
		}
	})
	t.Run("an act whose caller left before it began is skipped", func(t *testing.T) {
		t.Parallel()
		s := openTest(t)
		release := s.hold()
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan error)
		go func() {
			answer <- s.do(ctx, func(*tx) error {
				t.Error("it ran")
				return nil
			})
		}()
		for len(s.queue) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
		release()
		if err := <-answer; !errors.Is(err, context.Canceled) {
			t.Errorf("the answer is %v", err)
		}
	})
	t.Run("Close finishes what is queued and refuses what comes later", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "signet.db")
		s := openTest(t, func(o *Options) { o.Path = path })
		release := s.hold()
		runs := make([]int, 2)
		answers := s.batch(putUser(s, "a", &runs[0]), putUser(s, "b", &runs[1]))
		closed := make(chan error)
		go func() { closed <- s.Close() }()
		for s.refusing() == nil {
			time.Sleep(time.Millisecond)
		}
		if err := saveUser(s, "c"); !errors.Is(err, errClosed) {
			t.Errorf("after Close the answer is %v", err)
		}
		if _, err := s.Users(t.Context()); !errors.Is(err, errClosed) {
			t.Errorf("after Close a read answers %v", err)
		}
		release()
		if errs := answers(); errs[0] != nil || errs[1] != nil {
			t.Errorf("the answers are %v", errs)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
		again := openTest(t, func(o *Options) { o.Path = path })
		if users, err := again.Users(t.Context()); err != nil || len(users) != 2 {
			t.Errorf("there are %v, %v", users, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("a second Close answers %v", err)
		}
	})
}

// failing makes the next commits of a store fail, after it undid them as bbolt does.
func (s *Store) failing(err error) {
	s.commitTx = func(bolt *bbolt.Tx) error {
		bolt.Rollback()
		return err
	}
}

func TestFailedCommit(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{
		"a failed fsync":         syscall.EIO,
		"a failed write":         &fs.PathError{Op: "write", Path: "signet.db", Err: syscall.EIO},
		"no space at an fsync":   syscall.ENOSPC, // what had been taken for written is lost
		"no space at a sync":     &fs.PathError{Op: "sync", Path: "signet.db", Err: syscall.ENOSPC},
		"a failed growth's sync": errors.New("file sync error: " + syscall.ENOSPC.Error()),
	} {
		t.Run(name+" is fatal: no act is answered as done, and all others are refused", func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var fatal []error
			s := openTest(t, func(o *Options) {
				o.Fatal = func(err error) {
					mu.Lock()
					defer mu.Unlock()
					fatal = append(fatal, err)
				}
			})
			if err := saveUser(s, "first"); err != nil {
				t.Fatal(err)
			}
			release := s.hold()
			s.failing(cause)
			runs := make([]int, 2)
			answers := s.batch(putUser(s, "a", &runs[0]), putUser(s, "b", &runs[1]))
			release()
			for _, err := range answers() {
				if !errors.Is(err, errStopped) || errors.Is(err, storage.ErrNoSpace) {
					t.Errorf("an act got %v", err)
				}
			}
			s.commitTx = (*bbolt.Tx).Commit
			if err := saveUser(s, "c"); !errors.Is(err, errStopped) {
				t.Errorf("the next act got %v", err)
			}
			if _, err := s.User(t.Context(), "first"); !errors.Is(err, errStopped) {
				t.Errorf("a read got %v", err)
			}
			if s.Ready(t.Context()) == nil {
				t.Error("the store is ready")
			}
			mu.Lock()
			defer mu.Unlock()
			if len(fatal) != 1 || !strings.Contains(fatal[0].Error(), cause.Error()) {
				t.Errorf("Fatal got %v", fatal)
			}
		})
	}
	t.Run("a panic in a commit is fatal", func(t *testing.T) {
		t.Parallel()
		stopped := make(chan error, 1)
		s := openTest(t, func(o *Options) { o.Fatal = func(err error) { stopped <- err } })
		s.commitTx = func(*bbolt.Tx) error { panic("a damaged page") }
		if err := saveUser(s, "a"); !errors.Is(err, errStopped) {
			t.Errorf("the answer is %v", err)
		}
		if len(stopped) != 1 || !strings.Contains((<-stopped).Error(), "a damaged page") {
			t.Error("Fatal was not called with the panic")
		}
	})
}

func TestNoSpace(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		for name, cause := range map[string]error{
			"write": &fs.PathError{Op: "write", Path: "signet.db", Err: errno},
			"grow":  fmt.Errorf("file resize error: %s", &fs.PathError{Op: "truncate", Path: "signet.db", Err: errno}),
		} {
			t.Run(name+": "+errno.Error(), func(t *testing.T) {
				t.Parallel()
				s := openTest(t)
				s.failing(cause)
				if err := saveUser(s, "a"); !errors.Is(err, storage.ErrNoSpace) {
					t.Errorf("the answer is %v", err)
				}
				if err := s.Ready(t.Context()); !errors.Is(err, storage.ErrNoSpace) {
					t.Errorf("Ready says %v", err)
				}
				if _, err := s.User(t.Context(), "a"); !errors.Is(err, storage.ErrNotFound) {
					t.Errorf("the user is %v", err)
				}
				s.commitTx = (*bbolt.Tx).Commit
				if err := s.Ready(t.Context()); err != nil { // it tries by itself
					t.Errorf("with space again Ready says %v", err)
				}
				if err := saveUser(s, "a"); err != nil {
					t.Errorf("with space again the answer is %v", err)
				}
			})
		}
	}
	t.Run("a commit that is visible although it failed is fatal", func(t *testing.T) {
		t.Parallel()
		stopped := make(chan error, 1)
		s := openTest(t, func(o *Options) { o.Fatal = func(err error) { stopped <- err } })
		s.commitTx = func(bolt *bbolt.Tx) error {
			bolt.Commit()
			return &fs.PathError{Op: "write", Path: "signet.db", Err: syscall.ENOSPC}
		}
		if err := saveUser(s, "a"); !errors.Is(err, errStopped) {
			t.Errorf("the answer is %v", err)
		}
		if len(stopped) != 1 {
			t.Error("Fatal was not called")
		}
	})
}

// rotateForEver moves a family on and prints each generation that was acknowledged.
func rotateForEver(path string) error {
	s, err := Open(Options{Path: path})
	if err != nil {
		return err
	}
	id := killedFamily.ID
	for generation := uint32(0); ; generation++ {
		f, _, err := s.RotateFamily(background, storage.Rotation{Family: id, Generation: generation, Client: killedFamily.Authorization.Client, Idle: day, Now: epoch})
		if err != nil {
			return err
		}
		fmt.Println(f.Generation)
	}
}

// killedFamily has the same id in both processes.
var killedFamily = func() storage.Family {
	f := family("ann")
	f.ID = storage.ID{1, 2, 3}
	return f
}()

func TestWhatWasAcknowledgedSurvivesKill9(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	s := openTest(t, func(o *Options) { o.Path = path })
	if err := s.do(t.Context(), func(t *tx) error {
		s.users.put(t, "ann", storage.User{Sub: "ann", Name: "ann"})
		familyRows.put(t, killedFamily.ID[:], killedFamily)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	for range 3 {
		var before uint32
		s := openTest(t, func(o *Options) { o.Path = path })
		state, err := s.Family(t.Context(), killedFamily.ID)
		if err != nil {
			t.Fatal(err)
		}
		// Start anew, so that the other process can count from zero.
		if err := s.do(t.Context(), func(t *tx) error {
			familyRows.put(t, killedFamily.ID[:], killedFamily)
			return nil
		}); err != nil {
			t.Fatal(err, state)
		}
		s.Close()

		o := start(t, "rotate", path)
		for range 100 {
			if _, err := fmt.Sscan(o.line(t), &before); err != nil {
				t.Fatal(err)
			}
		}
		if err := o.Process.Signal(os.Kill); err != nil {
			t.Fatal(err)
		}
		for o.lines.Scan() { // acknowledged before the end
			fmt.Sscan(o.lines.Text(), &before)
		}
		o.Wait()
		s = openTest(t, func(o *Options) { o.Path = path })
		state, err = s.Family(t.Context(), killedFamily.ID)
		if err != nil || state.Family.Generation < before {
			t.Errorf("generation %d was acknowledged, %d is stored; %v", before, state.Family.Generation, err)
		}
		s.Close()
	}
}

// failFatally saves a user in a commit that fails, with the default Fatal.
func failFatally(path string) error {
	s, err := Open(Options{Path: path})
	if err != nil {
		return err
	}
	s.failing(syscall.EIO)
	err = saveUser(s, "ann")
	return fmt.Errorf("an answer was given: %v", err)
}

func TestByDefaultAFailedCommitEndsTheProcess(t *testing.T) {
	t.Parallel()
	o := start(t, "fatal", filepath.Join(t.TempDir(), "signet.db"))
	for o.lines.Scan() {
		t.Errorf("the process said %q", o.lines.Text())
	}
	o.Wait()
	if code := o.ProcessState.ExitCode(); code != 1 {
		t.Errorf("the status is %d", code)
	}
}
