package ending

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"signet/audit"
	"signet/storage"
)

// How the worker works.
const (
	poll     = 2 * time.Second  // how often it looks for what others left: other nodes, the time
	lease    = 30 * time.Second // how long what it claimed is its own
	spare    = 10 * time.Second // what must be left of that for an attempt and its commit
	batch    = 128              // notices claimed at once
	holds    = 2048             // at the most
	atOnce   = 16               // attempts under way
	perHost  = 2                // of them, to one server
	perUser  = 6                // and about one user
	farewell = 3 * time.Second  // for giving back what it still holds, at the end
)

// Store is what this room needs kept.
type Store interface {
	storage.Outbox
	Clients
}

// Options is what the worker works with. Store and Courier are needed.
type Options struct {
	Store   Store
	Courier func() *Courier  // asked for at each attempt: a reload changes it
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: nothing is logged
	Told    func(Outcome)    // of each attempt; nil: nobody is
}

// Worker delivers what is owed. One server that hangs delays nobody but those who wait for the same one: no more than perHost attempts are
// made at it, and when one gets no answer, those of the same client fail with it, until their next turn: another client of that server may be anybody's. Nor does one user, however many apps of theirs
// hang: whoever may register apps could have thousands.
type Worker struct {
	Options
	wake chan struct{}
	done chan finished
}

// held is a claimed notice that has not been tried yet.
type held struct {
	notice storage.Notice
	host   string
	until  time.Time // when the claim ends
}

type finished struct {
	held
	outcome Outcome
}

// New returns a worker. It does nothing before Run.
func New(o Options) *Worker {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Told == nil {
		o.Told = func(Outcome) {}
	}
	return &Worker{Options: o, wake: make(chan struct{}, 1), done: make(chan finished)}
}

// Wake has the worker look at once. It never waits, and may be called before Run and after it.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Run delivers until ctx ends; then attempts under way come to their end, and what was not tried yet is given back.
func (w *Worker) Run(ctx context.Context) {
	ticks := time.NewTicker(poll)
	defer ticks.Stop()
	d := &desk{Worker: w, busy: map[string]int{}, users: map[string]int{}}
	w.Wake() // for what was owed before the start
	for {
		select {
		case <-ctx.Done():
			d.leave(context.WithoutCancel(ctx))
			return
		case f := <-w.done:
			d.finish(f)
		case <-w.wake:
			d.more = true
		case <-ticks.C:
			d.more = true
		}
		d.work(ctx)
	}
}

// desk is what a running worker has in hand. One goroutine works at it; attempts come back through Worker.done.
type desk struct {
	*Worker
	more    bool           // there may be more in the outbox
	waiting []held         // claimed, the longest waiting first
	busy    map[string]int // attempts under way by host
	users   map[string]int // and by user
	running int
	aside   sync.WaitGroup // commits that nobody waits for, until the end
}

// work begins all attempts that may begin, and claims as long as there is something to claim and a place for it.
func (d *desk) work(ctx context.Context) {
	for {
		d.begin(ctx)
		if !d.more || len(d.waiting)+batch > holds || ctx.Err() != nil {
			return
		}
		d.claim(ctx)
	}
}

func (d *desk) claim(ctx context.Context) {
	now := d.Now()
	until := now.Add(lease)
	notices, err := d.Store.ClaimNotices(ctx, now, until, batch)
	if err != nil && ctx.Err() == nil && !errors.Is(err, storage.ErrBusy) {
		d.Log.Error("logout notices cannot be claimed; it is tried again", "error", err)
	}
	d.more = err == nil && len(notices) == batch
	for _, n := range notices {
		d.waiting = append(d.waiting, held{n, d.host(ctx, n), until})
	}
}

// host is the server that a notice goes to; "" where there is none, which needs no connection.
func (d *desk) host(ctx context.Context, n storage.Notice) string {
	client, err := d.Store.Client(ctx, n.Client)
	if err != nil {
		return ""
	}
	u, err := url.Parse(client.BackchannelLogoutURI)
	if err != nil {
		return ""
	}
	return u.Host
}

// begin begins attempts, in turn, while there are places. A claim that is about to end is let go: the notice is due again.
func (d *desk) begin(ctx context.Context) {
	limit := d.Now().Add(spare)
	rest := d.waiting[:0]
	for _, h := range d.waiting {
		switch {
		case h.until.Before(limit):
		case d.running >= atOnce, d.busy[h.host] >= perHost, d.users[h.notice.User] >= perUser:
			rest = append(rest, h)
		default:
			d.running++
			d.busy[h.host]++
			d.users[h.notice.User]++
			go d.attempt(context.WithoutCancel(ctx), h)
		}
	}
	clear(d.waiting[len(rest):])
	d.waiting = rest
}

func (d *desk) attempt(ctx context.Context, h held) {
	o := d.deliver(ctx, h.notice)
	d.settle(ctx, h.notice, o)
	d.done <- finished{h, o}
}

// deliver makes an attempt. A fault of ours is that attempt's alone, as it would be a request's.
func (d *desk) deliver(ctx context.Context, n storage.Notice) (o Outcome) {
	defer func() {
		if fault := recover(); fault != nil {
			d.Log.Error("a logout notice met a fault", "client", n.Client, "fault", fault, "stack", string(debug.Stack()))
			o = again("this server has a fault")
		}
	}()
	return d.Courier().Deliver(ctx, n)
}

// finish frees the place of an attempt. Where the server was silent, the client's other notices are not made to find out one by one.
func (d *desk) finish(f finished) {
	d.running--
	if d.busy[f.host]--; d.busy[f.host] == 0 {
		delete(d.busy, f.host)
	}
	if d.users[f.notice.User]--; d.users[f.notice.User] == 0 {
		delete(d.users, f.notice.User)
	}
	if !f.outcome.Silent {
		return
	}
	var same []held
	rest := d.waiting[:0]
	for _, h := range d.waiting {
		if h.notice.Client == f.notice.Client {
			same = append(same, h)
		} else {
			rest = append(rest, h)
		}
	}
	clear(d.waiting[len(rest):])
	d.waiting = rest
	d.each(same, func(h held) { d.settle(context.Background(), h.notice, again(f.outcome.Problem)) })
}

// each does something with each of these notices, some at a time, beside all else.
func (d *desk) each(all []held, do func(held)) {
	var next atomic.Int64
	for range min(atOnce, len(all)) {
		d.aside.Go(func() {
			for n := next.Add(1); int(n) <= len(all); n = next.Add(1) {
				do(all[n-1])
			}
		})
	}
}

// settle stores how an attempt went.
func (d *desk) settle(ctx context.Context, n storage.Notice, o Outcome) {
	now := d.Now()
	n = settled(n, o, now)
	o.State = n.State
	err := d.Store.SettleNotice(ctx, n, storage.Change{Now: now, Origin: audit.Origin{Actor: "signet"}, Detail: n.Problem})
	switch {
	case errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrNotFound): // another has it by now; nothing is lost
	case err != nil:
		d.Log.Error("how a logout notice went cannot be stored; it is tried again", "client", n.Client, "error", err)
		return
	}
	if n.State == storage.NoticeFailed {
		d.Log.Warn("a client was not told of a logout", "client", n.Client, "problem", n.Problem, "attempts", n.Attempts)
	}
	d.Told(o)
}

// leave waits for the attempts under way, and gives back what was not tried: another node, or the next start, need not wait for the lease.
func (d *desk) leave(ctx context.Context) {
	for d.running > 0 {
		f := <-d.done
		f.outcome.Silent = false
		d.finish(f)
	}
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	now := d.Now()
	d.each(d.waiting, func(h held) {
		n := h.notice
		n.Next = now
		_ = d.Store.SettleNotice(ctx, n, storage.Change{Now: now, Origin: audit.Origin{Actor: "signet"}}) // or the lease ends by itself
	})
	d.aside.Wait()
}
