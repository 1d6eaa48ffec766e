package storagetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signet/audit"
	"signet/storage"
)

var auditCases = []testCase{
	{"Record stores several entries in their order", func(r *room) {
		first, second := audit.Entry{Time: now, Event: audit.SignInFailed, Detail: "first"}, audit.Entry{Time: now, Event: audit.SignInFailed, Detail: "second"}
		r.ok(r.Record(r.ctx(), first, second))
		r.logged(first, second)
	}},
	{"Record stores an entry of an event that changes nothing else", func(r *room) {
		want := audit.Entry{
			Time: now, Event: audit.SignInFailed, Origin: origin, Client: "c", User: "u", Session: "s", Family: "f", Detail: "d",
		}
		r.ok(r.Record(r.ctx(), want))
		r.logged(want)
	}},
	{"Entries calls f with each entry in the order of their commits", func(r *room) {
		const n = 600 // more than a backend is likely to read at once
		for i := range n {
			at := now.Add(time.Duration(i) * 10 * time.Minute) // over several days
			if i%7 == 0 {
				at = at.Add(-48 * time.Hour) // the clock was set back: commits keep their order
			}
			r.ok(r.Record(r.ctx(), audit.Entry{Time: at, Event: audit.SignInFailed, Detail: fmt.Sprint(i)}))
		}
		entries := r.log(audit.SignInFailed)
		if len(entries) != n {
			r.Fatalf("the log has %d entries, want %d", len(entries), n)
		}
		for i, e := range entries {
			if e.Detail != fmt.Sprint(i) {
				r.Fatalf("entry %d is %q", i, e.Detail)
			}
		}
	}},
	{"Entries returns the error of f, and calls it no more", func(r *room) {
		for range 3 {
			r.ok(r.Record(r.ctx(), audit.Entry{Time: now, Event: audit.SignInFailed}))
		}
		calls := 0
		r.refused(r.Entries(r.ctx(), func(audit.Entry) error {
			calls++
			return errStop
		}), errStop)
		r.same(calls, 1)
	}},
	{"f may use the store, and Entries ends", func(r *room) {
		r.ok(r.Record(r.ctx(), audit.Entry{Time: now, Event: audit.SignInFailed}))
		calls := 0
		r.ok(r.Entries(r.ctx(), func(e audit.Entry) error {
			if calls++; calls > 100 {
				return errStop
			}
			return r.Record(r.ctx(), audit.Entry{Time: now, Event: audit.SignInFailed})
		}))
	}},
	{"entries of concurrent acts are all there", func(r *room) {
		for _, err := range r.race(func(i int) error {
			return r.Record(r.ctx(), audit.Entry{Time: now, Event: audit.SignInFailed, Detail: fmt.Sprint(i)})
		}) {
			r.ok(err)
		}
		r.same(len(r.log(audit.SignInFailed)), parallel)
	}},
}

// sweepAll sweeps until nothing is left and returns how much was deleted.
func (r *room) sweepAll(at time.Time, retention time.Duration, limit int) (total int) {
	r.Helper()
	for calls := 0; ; calls++ {
		deleted, more, err := r.Sweep(r.ctx(), at, retention, limit)
		r.ok(err)
		if deleted > limit {
			r.Errorf("one call deleted %d rows, more than %d", deleted, limit)
		}
		if total += deleted; !more {
			return total
		}
		if calls == 10_000 {
			r.Fatal("there is always more")
		}
	}
}

var upkeepCases = []testCase{
	{"Sweep deletes nothing that has not expired before its margin", func(r *room) {
		v := r.newVisit("ann")
		f := r.newFamily(v, true)
		h, _ := r.newInteraction()
		r.same(r.sweepAll(now, far, 100), 0)
		r.same(len(r.sessions(v, now)), 1)
		r.unchanged(f)
		_, err := r.Interaction(r.ctx(), h, now)
		r.ok(err)
	}},
	{"rows that live in buckets stay for an hour after they expired, and go then", func(r *room) {
		interaction, i := r.newInteraction()
		kept, k := makeKept()
		r.ok(r.KeepRequest(r.ctx(), k, 99))
		code, _ := r.newCode(r.newVisit("ann"), true)
		n := r.sweepAll(i.Expires.Add(59*time.Minute), far, 100) // of what expired earlier, where a backend counts by the minute
		_, err := r.Interaction(r.ctx(), interaction, i.Expires.Add(59*time.Minute))
		r.refused(err, storage.ErrExpired) // it is refused, and still known
		if n += r.sweepAll(i.Expires.Add(2*time.Hour), far, 100); n < 3 {
			r.Errorf("%d rows were deleted, want at least 3", n)
		}
		_, err = r.Interaction(r.ctx(), interaction, now)
		r.refused(err, storage.ErrNotFound)
		_, err = r.TakeRequest(r.ctx(), kept, now)
		r.refused(err, storage.ErrNotFound)
		_, err = r.RedeemCode(r.ctx(), redemption(code), makeFamily())
		r.refused(err, storage.ErrNotFound)
	}},
	{"families stay for 24 hours after they expired, idle or not, and go then", func(r *room) {
		f := r.newFamily(r.newVisit("ann"), true)
		r.sweepAll(f.IdleExpires.Add(23*time.Hour), far, 100)
		r.unchanged(f)
		r.sweepAll(f.IdleExpires.Add(25*time.Hour), far, 100)
		_, err := r.Family(r.ctx(), f.ID)
		r.refused(err, storage.ErrNotFound)
	}},
	{"sessions stay for 24 hours after they expired, and go then", func(r *room) {
		v := r.newVisit("ann")
		f := r.newFamily(v, true)
		r.sweepAll(v.session.IdleExpires.Add(23*time.Hour), far, 100)
		r.same(r.stored(f).Session.ID, v.session.ID)
		r.sweepAll(v.session.IdleExpires.Add(25*time.Hour), far, 100)
		r.same(r.stored(f).Session, storage.Session{}) // "the zero Session is one that was swept"
	}},
	{"browsers stay for 24 hours after they expired, and go then", func(r *room) {
		v := r.newVisit("ann")
		r.sweepAll(v.browser.Expires.Add(23*time.Hour), far, 100)
		_, _, err := r.Browser(r.ctx(), v.handle, now)
		r.ok(err)
		r.sweepAll(v.browser.Expires.Add(25*time.Hour), far, 100)
		_, _, err = r.Browser(r.ctx(), v.handle, now)
		r.refused(err, storage.ErrNotFound)
	}},
	{"audit entries go after their retention", func(r *room) {
		old, young := now, now.Add(10*24*time.Hour)
		r.ok(r.Record(r.ctx(), audit.Entry{Time: old, Event: audit.SignInFailed, Detail: "old"}))
		r.ok(r.Record(r.ctx(), audit.Entry{Time: young, Event: audit.SignInFailed, Detail: "young"}))
		Vouch(r, r, young)
		retention := 5 * 24 * time.Hour
		r.sweepAll(old.Add(retention), retention, 100)
		r.same(len(r.log(audit.SignInFailed)), 2)
		r.sweepAll(young, retention, 100)
		entries := r.log(audit.SignInFailed)
		if len(entries) != 1 || entries[0].Detail != "young" {
			r.Errorf("the log has %v", entries)
		}
	}},
	{"Sweep deletes at most limit rows, and says whether there is more", func(r *room) {
		for range 7 {
			_, i := makeInteraction("192.0.2.1")
			r.ok(r.BeginInteraction(r.ctx(), i, 100))
		}
		v := r.newVisit("ann") // and an interaction
		for range 5 {
			r.newFamily(v, true) // and a code
		}
		_, more, err := r.Sweep(r.ctx(), now.Add(far), 2*far, 3)
		r.ok(err)
		if !more {
			r.Error("there is nothing more after three rows")
		}
		total := r.sweepAll(now.Add(far), 2*far, 3)
		if total < 8+5+5+1+1-3 {
			r.Errorf("%d more rows were deleted", total)
		}
		r.same(r.sweepAll(now.Add(far), 2*far, 3), 0)
	}},
	{"an act whose caller left before it began is not done", func(r *room) {
		ctx, cancel := context.WithCancel(r.ctx())
		cancel()
		r.wroteNothing(func() {
			_, err := r.SaveUser(ctx, storage.User{Sub: "ann", Name: "ann"}, false, change)
			r.refused(err, context.Canceled)
		})
		_, err := r.User(r.ctx(), "ann")
		r.refused(err, storage.ErrNotFound)
	}},
	{"Ready is nil while acts can be done, and an error after Close", func(r *room) {
		r.ok(r.Ready(r.ctx()))
		r.ok(r.Close())
		if r.Ready(r.ctx()) == nil {
			r.Error("a closed store is ready")
		}
		if err := r.Record(r.ctx(), audit.Entry{Time: now}); err == nil {
			r.Error("a closed store records")
		}
	}},
	{"Close ends the store after the acts under way", func(r *room) {
		answers := make(chan error, parallel)
		for range parallel {
			go func() { answers <- r.Record(r.ctx(), audit.Entry{Time: now, Event: audit.SignInFailed}) }()
		}
		r.ok(<-answers)
		r.ok(r.Close())
		for range parallel - 1 {
			if err := <-answers; errors.Is(err, storage.ErrBusy) {
				r.Error(err)
			}
		}
	}},
}
