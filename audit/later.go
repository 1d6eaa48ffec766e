package audit

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Recorder stores entries in one commit; a [signet/storage.Store] is one.
type Recorder interface {
	Record(ctx context.Context, entries ...Entry) error
}

// How a [Later] gathers: for so long, or so many; more than may wait makes whoever comes wait as well.
const (
	laterDelay   = time.Second
	laterAtOnce  = 256
	laterWaiting = 4096

	laterTries = 5 // a second apart, until a store that fails is given up
)

// Later records entries a moment after what they tell, many in one commit. It is for what is not durable before its answer anyway: what a
// server had not recorded when it was killed is lost, what it had when it was told to end is not.
type Later struct {
	to    Recorder
	log   *slog.Logger
	queue chan Entry
	done  chan struct{} // closed when all is recorded

	mu     sync.RWMutex // held while something is put into the queue
	closed bool
}

// NewLater returns a Later that records in to. Close ends it.
func NewLater(to Recorder, log *slog.Logger) *Later {
	l := &Later{to: to, log: log, queue: make(chan Entry, laterWaiting), done: make(chan struct{})}
	go l.run()
	return l
}

// Record takes entries. It waits while too many are on their way; its error is that of ctx. After Close it records them at once.
func (l *Later) Record(ctx context.Context, entries ...Entry) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return l.to.Record(ctx, entries...)
	}
	for _, e := range entries {
		select {
		case l.queue <- e:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Close records what is left. The store must be open until it returns.
func (l *Later) Close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.mu.Unlock()
	<-l.done
}

func (l *Later) run() {
	defer close(l.done)
	for first := range l.queue {
		l.store(l.gather(first))
	}
}

// gather adds what comes while there is time.
func (l *Later) gather(first Entry) []Entry {
	entries := []Entry{first}
	late := time.NewTimer(laterDelay)
	defer late.Stop()
	for len(entries) < laterAtOnce {
		select {
		case e, more := <-l.queue:
			if !more {
				return entries
			}
			entries = append(entries, e)
		case <-late.C:
			return entries
		}
	}
	return entries
}

// store records entries, or says that they are lost.
func (l *Later) store(entries []Entry) {
	var err error
	for try := range laterTries {
		if try > 0 {
			time.Sleep(laterDelay)
		}
		if err = l.to.Record(context.Background(), entries...); err == nil {
			return
		}
	}
	l.log.Error("entries of the audit log are lost", "entries", len(entries), "error", err)
}
