package storagetest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/rows"
)

// Moving tests that stores of a backend can be moved: to each other, and so to any other backend that passes. open returns a new store at
// each call.
func Moving(t *testing.T, open func(t *testing.T) storage.Store) {
	for _, c := range []struct {
		sentence string
		test     func(from, to *room)
	}{
		{"Import stores the rows of an Export, and every act goes on from there", func(from, to *room) {
			all := from.furnish()
			to.ok(to.moving().Import(to.ctx(), from.moving().Export(from.ctx())))
			to.has(all)
		}},
		{"Export gives out all rows, row by row the same after an Import", func(from, to *room) {
			from.furnish()
			// Rows of which something beside the record is kept: ids that are gone, what was answered and declined, a replay, several days of entries.
			r := from
			gone := r.newUser("gone")
			r.ok(r.RemoveUser(r.ctx(), gone.Sub, change))
			_, err := r.SaveClient(r.ctx(), storage.Client{ID: "gone"}, change)
			r.ok(err)
			r.ok(r.RemoveClient(r.ctx(), "gone", change))
			v := r.newVisit("bob")
			interaction, _ := r.newInteraction()
			_, issue := makeIssue(v, false)
			issue.Interaction = interaction
			r.ok(r.Authorize(r.ctx(), issue))
			declined, _ := r.newInteraction()
			r.ok(r.EndInteraction(r.ctx(), declined, storage.Authorization{Client: clientID}, change))
			r.ok(r.SpendAssertion(r.ctx(), clientID, "j2", now.Add(time.Minute+time.Nanosecond), change))
			r.refused(r.SpendAssertion(r.ctx(), clientID, "j2", now.Add(time.Hour), change), storage.ErrSpent)
			for i := range 300 {
				r.ok(r.Record(r.ctx(), audit.Entry{Time: now.Add(time.Duration(i%5-2) * 24 * time.Hour), Event: audit.SignInFailed}))
			}
			Vouch(r, r, now)
			r.ok(r.Record(r.ctx(), audit.Entry{Time: now, Event: audit.SignInFailed, Detail: "after the checkpoint"}))
			want := from.exported()
			to.ok(to.moving().Import(to.ctx(), from.moving().Export(from.ctx())))
			got := to.exported()
			if len(got) != len(want) {
				to.Fatalf("there are %d rows of %d", len(got), len(want))
			}
			for i := range want {
				if got[i].Kind != want[i].Kind || !bytes.Equal(got[i].Record, want[i].Record) {
					to.Errorf("row %d is %s %q, want %s %q", i, got[i].Kind, got[i].Record, want[i].Kind, want[i].Record)
				}
			}
		}},
		{"ids are never given twice, wherever the store has been", func(from, to *room) {
			u := from.newUser("ann")
			from.ok(from.RemoveUser(from.ctx(), u.Sub, change))
			to.ok(to.moving().Import(to.ctx(), from.moving().Export(from.ctx())))
			_, err := to.SaveUser(to.ctx(), storage.User{Sub: "ann", Name: "other"}, false, change)
			to.refused(err, storage.ErrExists)
		}},
		{"the limit of an address counts on, and a replay goes on being refused", func(from, to *room) {
			var open storage.Interaction
			for range 3 {
				_, open = from.newInteraction()
			}
			to.ok(to.moving().Import(to.ctx(), from.moving().Export(from.ctx())))
			_, next := makeInteraction(open.Address)
			to.refused(to.BeginInteraction(to.ctx(), next, 3), storage.ErrTooMany)
			to.ok(to.BeginInteraction(to.ctx(), next, 4))
		}},
		{"a store with rows is ErrExists, and stays as it was", func(from, to *room) {
			from.furnish()
			to.newUser("bob")
			before := to.exported()
			to.refused(to.moving().Import(to.ctx(), from.moving().Export(from.ctx())), storage.ErrExists)
			to.same(to.exported(), before)
		}},
		{"an Import whose rows end with an error, or cannot be read, fails", func(from, to *room) {
			from.furnish()
			to.refused(to.moving().Import(to.ctx(), func(yield func(storage.Row, error) bool) {
				for row, err := range from.moving().Export(from.ctx()) {
					if !yield(row, err) {
						return
					}
					if row.Kind == storage.KindFamily {
						yield(storage.Row{}, errStop)
						return
					}
				}
			}), errStop)
		}},
		{"Export is one moment: what acts change meanwhile is not in it", func(from, _ *room) {
			from.furnish()
			var before, seen rows.Tally
			from.ok(before.Read(from.moving().Export(from.ctx())))
			first := true
			for row, err := range from.moving().Export(from.ctx()) {
				from.ok(err)
				if seen.Add(row); first {
					first = false
					from.newUser("late")
				}
			}
			from.ok(rows.Compare(before.Sums(), seen.Sums()))
		}},
		{"Check finds no fault in a store that was only used, and gives out the rows of Export", func(from, _ *room) {
			from.furnish()
			checked, ok := from.Store.(storage.Checked)
			if !ok {
				from.Fatal("the store cannot look at itself")
			}
			var want, got rows.Tally
			from.ok(want.Read(from.moving().Export(from.ctx())))
			logins := 0
			from.ok(checked.Check(from.ctx(), func(row storage.Row) error {
				got.Add(row)
				return nil
			}, func(l storage.Login) {
				logins++
			}, func(f storage.Fault) { from.Errorf("%+v", f) }))
			from.ok(rows.Compare(want.Sums(), got.Sums()))
			from.same(logins, 3)
		}},
	} {
		t.Run("Moving/"+c.sentence, func(t *testing.T) {
			t.Parallel()
			c.test(&room{T: t, Store: open(t)}, &room{T: t, Store: open(t)})
		})
	}
}

// Across tests a move between two backends, there and back.
func Across(t *testing.T, open, other func(t *testing.T) storage.Store) {
	from, there, back := &room{T: t, Store: open(t)}, &room{T: t, Store: other(t)}, &room{T: t, Store: open(t)}
	all := from.furnish()
	from.ok(from.Chain(t.Context())) // what is not in the chain may be put there by a move
	Vouch(t, from, now)
	there.ok(there.moving().Import(t.Context(), from.moving().Export(t.Context())))
	back.ok(back.moving().Import(t.Context(), there.moving().Export(t.Context())))
	var want rows.Tally
	from.ok(want.Read(from.moving().Export(t.Context())))
	for _, r := range []*room{there, back} {
		var got rows.Tally
		r.ok(got.Read(r.moving().Export(t.Context())))
		r.ok(rows.Compare(want.Sums(), got.Sums()))
	}
	there.has(all)
	back.has(all)
}

func (r *room) moving() storage.Moving {
	r.Helper()
	m, ok := r.Store.(storage.Moving)
	if !ok {
		r.Fatal(errors.New("the store cannot be moved"))
	}
	return m
}

// exported returns all rows.
func (r *room) exported() (all []storage.Row) {
	r.Helper()
	for row, err := range r.moving().Export(r.ctx()) {
		r.ok(err)
		all = append(all, storage.Row{Kind: row.Kind, Record: bytes.Clone(row.Record)})
	}
	return all
}
