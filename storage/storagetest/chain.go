package storagetest

import (
	"errors"
	"fmt"
	"math"
	"time"

	"signet/audit"
	"signet/storage"
)

const aDay = 24 * time.Hour

// records returns the chain, whole, and fails the test unless each record follows on the one before.
func (r *room) records(from uint64) (all []audit.Record) {
	r.Helper()
	r.ok(r.Records(r.ctx(), from, time.Time{}, func(record audit.Record) error {
		if record.Sum() != record.Hash {
			r.Errorf("record %d has another hash", record.Sequence)
		}
		if n := len(all); n > 0 && all[n-1].Link() != (audit.Link{Sequence: record.Sequence - 1, Hash: record.Previous}) {
			r.Errorf("record %d does not follow on record %d", record.Sequence, all[n-1].Sequence)
		}
		all = append(all, record)
		return nil
	}))
	return all
}

// note records something that happened at an instant.
func (r *room) note(at time.Time, detail string) {
	r.Helper()
	r.ok(r.Record(r.ctx(), audit.Entry{Time: at, Event: audit.SignInFailed, Detail: detail}))
}

func (r *room) chained() storage.Chain {
	r.Helper()
	r.ok(r.Chain(r.ctx()))
	c, err := r.Chained(r.ctx())
	r.ok(err)
	return c
}

// details are those of the entries of a chain, that r.note made.
func (r *room) details(all []audit.Record) (details []string) {
	r.Helper()
	for _, record := range all {
		entries, err := record.Entries()
		r.ok(err)
		for _, e := range entries {
			if e.Event == audit.SignInFailed {
				details = append(details, e.Detail)
			}
		}
	}
	return details
}

var chainCases = []testCase{
	{"a record follows on the one before, from the first on", func(r *room) {
		r.newVisit("ann")
		r.note(now, "last")
		c := r.chained()
		all := r.records(0)
		if len(all) == 0 || all[0].Sequence != 1 || all[0].Previous != (audit.Hash{}) || c.First != 1 || c.Last != all[len(all)-1].Link() {
			r.Fatalf("%+v: %d records", c, len(all))
		}
		r.same(r.details(all), []string{"last"})
		r.same(r.records(c.Last.Sequence), all[len(all)-1:])
		r.same(len(r.records(c.Last.Sequence+1)), 0)
	}},
	{"all entries that were acknowledged before Chain began are in the chain by its return, each once, whoever chains and records meanwhile", func(r *room) {
		const each = 30
		for _, err := range r.race(func(i int) error {
			for n := range each {
				detail := fmt.Sprint(i, ".", n)
				if err := r.Record(r.ctx(), audit.Entry{Time: now, Event: audit.SignInFailed, Detail: detail}); err != nil {
					return err
				}
				if n%10 != 5 {
					continue
				}
				if err := r.Chain(r.ctx()); err != nil {
					return err
				}
				found := false
				if err := r.Records(r.ctx(), 0, time.Time{}, func(record audit.Record) error {
					entries, err := record.Entries()
					for _, e := range entries {
						found = found || e.Detail == detail
					}
					return err
				}); err != nil || !found {
					return fmt.Errorf("%s is in the chain: %v, %w", detail, found, err)
				}
			}
			return nil
		}) {
			r.ok(err)
		}
		r.chained()
		seen := map[string]int{}
		for _, detail := range r.details(r.records(0)) {
			seen[detail]++
		}
		for detail, n := range seen {
			if n != 1 {
				r.Errorf("%s is there %d times", detail, n)
			}
		}
		r.same(len(seen), parallel*each)
	}},
	{"Records leaves out nothing of the days from since on, and ends with the error of f", func(r *room) {
		for i := range 6 {
			r.note(now.Add(time.Duration(i)*aDay), fmt.Sprint(i))
			r.ok(r.Chain(r.ctx()))
		}
		var got []audit.Record
		r.ok(r.Records(r.ctx(), 0, now.Add(3*aDay), func(record audit.Record) error {
			got = append(got, record)
			return nil
		}))
		details := r.details(got)
		if len(details) < 3 || len(details) > 5 || details[len(details)-1] != "5" {
			r.Errorf("%v", details)
		}
		r.refused(r.Records(r.ctx(), 0, time.Time{}, func(audit.Record) error { return errStop }), errStop)
	}},
	{"SaveCheckpoint keeps a checkpoint over a record as it is, the first one, and refuses any other", func(r *room) {
		r.note(now, "a")
		c := r.chained()
		want := audit.Checkpoint{Sequence: c.Last.Sequence, Hash: c.Last.Hash, Time: now, Signed: "one"}
		r.ok(r.SaveCheckpoint(r.ctx(), want))
		again := want
		again.Signed = "two"
		r.ok(r.SaveCheckpoint(r.ctx(), again))
		other := want
		other.Hash[0] ^= 1
		r.refused(r.SaveCheckpoint(r.ctx(), other), storage.ErrConflict)
		other = want
		other.Sequence++
		r.refused(r.SaveCheckpoint(r.ctx(), other), storage.ErrConflict)
		all, err := r.Checkpoints(r.ctx(), 0, math.MaxUint64)
		r.ok(err)
		r.same(all, []audit.Checkpoint{want})
		r.same(r.chained().Checkpoint, want)
		for _, span := range [][2]uint64{{want.Sequence, want.Sequence}, {0, want.Sequence - 1}, {want.Sequence + 1, math.MaxUint64}} {
			got, err := r.Checkpoints(r.ctx(), span[0], span[1])
			r.ok(err)
			r.same(len(got), map[bool]int{true: 1}[span[0] == want.Sequence])
		}
	}},
	{"Due are the last records of days that are over, since the newest checkpoint", func(r *room) {
		for i := range 4 {
			r.note(now.Add(time.Duration(i)*aDay), fmt.Sprint(i))
			r.ok(r.Chain(r.ctx()))
		}
		c := r.chained()
		if len(c.Due) < 3 {
			r.Fatalf("%+v", c)
		}
		for i, l := range c.Due {
			record := r.records(l.Sequence)[0]
			r.same(record.Link(), l)
			if i > 0 && l.Sequence <= c.Due[i-1].Sequence || l.Sequence >= c.Last.Sequence {
				r.Errorf("%+v", c)
			}
		}
		Vouch(r, r, now)
		r.same(len(r.chained().Due), 0)
	}},
	{"Sweep drops no day without a checkpoint over its last record, and then the whole of it; the first record that stays is vouched for", func(r *room) {
		for i := range 5 {
			for n := range 4 {
				r.note(now.Add(time.Duration(i)*aDay), fmt.Sprint(i, ".", n))
				r.ok(r.Chain(r.ctx()))
			}
		}
		before := r.records(0)
		at := now.Add(4 * aDay)
		r.sweepAll(at, aDay, 3)
		r.same(r.records(0), before)
		Vouch(r, r, at)
		r.sweepAll(at, aDay, 3)
		c := r.chained()
		after := r.records(0)
		if len(after) == len(before) || len(after) == 0 || c.First != after[0].Sequence || c.Last != before[len(before)-1].Link() {
			r.Fatalf("%d records of %d stay: %+v", len(after), len(before), c)
		}
		r.same(r.details(after), []string{"3.0", "3.1", "3.2", "3.3", "4.0", "4.1", "4.2", "4.3"})
		anchors, err := r.Checkpoints(r.ctx(), 0, c.First-1)
		r.ok(err)
		if len(anchors) != 1 || anchors[0].Link() != (audit.Link{Sequence: c.First - 1, Hash: after[0].Previous}) {
			r.Errorf("%+v vouch for record %d", anchors, c.First)
		}
		r.note(at, "on")
		r.same(r.chained().Last.Sequence, c.Last.Sequence+1)
		r.records(0)
	}},
	{"a day that is being dropped is not read any more", func(r *room) {
		for n := range 6 {
			r.note(now, fmt.Sprint(n))
			r.ok(r.Chain(r.ctx()))
		}
		r.note(now.Add(aDay), "next")
		Vouch(r, r, now)
		for range 3 { // of one row each
			_, _, err := r.Sweep(r.ctx(), now.Add(20*aDay), aDay, 1)
			r.ok(err)
			if details := r.details(r.records(0)); len(details) != 7 && len(details) != 1 {
				r.Errorf("%v", details)
			}
		}
	}},
	{"the last day stays, and the chain goes on from it", func(r *room) {
		r.note(now, "a")
		Vouch(r, r, now)
		before := r.chained()
		r.sweepAll(now.Add(far), aDay, 100)
		r.same(r.chained().Last, before.Last)
		r.note(now.Add(far), "b")
		r.chained()
		all := r.records(0)
		r.same(all[len(all)-1].Previous, before.Last.Hash)
	}},
	{"a clock that was years ahead for a moment keeps nothing for ever, and one that was behind drops nothing early", func(r *room) {
		for i, at := range []time.Time{now, now.Add(10 * far), now.Add(aDay), now.Add(-10 * far), now.Add(2 * aDay), now.Add(5 * aDay)} {
			r.note(at, fmt.Sprint(i))
			r.ok(r.Chain(r.ctx()))
		}
		Vouch(r, r, now)
		r.sweepAll(now.Add(2*aDay), 3*aDay, 100)
		r.same(r.details(r.records(0)), []string{"0", "1", "2", "3", "4", "5"})
		r.sweepAll(now.Add(5*aDay), 3*aDay, 100)
		r.same(r.details(r.records(0)), []string{"4", "5"})
	}},
	{"records and checkpoints are there when the chain is read while acts write", func(r *room) {
		done := make(chan struct{})
		failed := make(chan error, 1)
		go func() {
			defer close(done)
			for i := range 100 {
				if err := errors.Join(r.Record(r.ctx(), audit.Entry{Time: now, Event: audit.SignInFailed, Detail: fmt.Sprint(i)}), r.Chain(r.ctx())); err != nil {
					failed <- err
					return
				}
			}
		}()
		for {
			r.records(0)
			select {
			case err := <-failed:
				r.Fatal(err)
			case <-done:
				r.same(len(r.details(r.records(0))), 100)
				return
			default:
			}
		}
	}},
}
