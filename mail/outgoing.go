package mail

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// How much goes on at a time, and how long it is tried.
const (
	waiting  = 256              // messages; those beyond are not sent
	atATime  = 4                // connections to the mail server
	lastTime = 10 * time.Second // for all that waits at the end
)

// pauses come before each attempt after the first: what keeps a server from taking a message is often over after a while.
var pauses = []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute}

// Outgoing sends messages in the background. Whoever puts one in never waits and is never told: what a message is about has happened
// already. It is kept in memory alone; a server that is killed sends none of those that waited.
type Outgoing struct {
	sender func() *Sender
	log    *slog.Logger
	pauses []time.Duration
	last   time.Duration // how long Close waits

	all     chan struct{} // messages that are here
	sending chan struct{} // those that are being sent
	ending  chan struct{} // closed when nothing is waited for any more
	over    context.Context
	end     context.CancelFunc
	under   sync.WaitGroup

	mu     sync.Mutex
	closed bool
}

// NewOutgoing returns an Outgoing that sends by whatever sender says at the moment; nil: there is no mail server. Close ends it.
func NewOutgoing(sender func() *Sender, log *slog.Logger) *Outgoing {
	o := &Outgoing{
		sender: sender, log: log, pauses: pauses, last: lastTime, all: make(chan struct{}, waiting), sending: make(chan struct{}, atATime), ending: make(chan struct{}),
	}
	o.over, o.end = context.WithCancel(context.Background())
	return o
}

// Put takes in a message, which is written later. Where too many wait already, it is dropped, and the log says so.
func (o *Outgoing) Put(write func() (Message, error)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	select {
	case o.all <- struct{}{}:
	default:
		o.log.Warn("a message was dropped: too many wait for the mail server", "waiting", cap(o.all))
		return
	}
	o.under.Go(func() {
		defer func() { <-o.all }()
		m, err := write()
		if err != nil {
			o.log.Error("a message could not be written", "error", err)
			return
		}
		o.deliver(m)
	})
}

// deliver tries until the message is taken, refused for good, or has been tried often enough. While everything ends it is tried once more.
func (o *Outgoing) deliver(m Message) {
	for n := 0; ; n++ {
		o.sending <- struct{}{}
		err := o.send(m)
		<-o.sending
		if err == nil || forGood(err) || n == len(o.pauses) {
			return
		}
		pause := time.NewTimer(o.pauses[n])
		select {
		case <-pause.C:
		case <-o.ending:
			pause.Stop()
			n = len(o.pauses) - 1
		}
	}
}

// send sends a message once. The sender has told the log what became of it.
func (o *Outgoing) send(m Message) error {
	s := o.sender()
	if s == nil || o.over.Err() != nil { // switched off meanwhile, or out of time
		return nil
	}
	_, err := s.Send(o.over, m)
	return err
}

// forGood reports whether a message will not be taken however often it is tried: RFC 5321 section 4.2.1.
func forGood(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && strings.HasPrefix(e.Code, "5")
}

// Close tries once what waits for another attempt, for some seconds at the most, and takes nothing in any more.
func (o *Outgoing) Close() {
	o.mu.Lock()
	if !o.closed {
		o.closed = true
		close(o.ending)
	}
	o.mu.Unlock()
	timer := time.AfterFunc(o.last, o.end)
	o.under.Wait()
	timer.Stop()
	o.end()
}
