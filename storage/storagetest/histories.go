package storagetest

import (
	"errors"
	"fmt"
	"time"

	"signet/audit"
	"signet/storage"
)

var cookie = storage.HashOf([]byte("device"))

// signInFrom signs a user in at a new browser with a device cookie, and returns the note.
func (r *room) signInFrom(u storage.User, device storage.Hash, address string, at time.Time) storage.SignInNote {
	r.Helper()
	in, _ := r.makeSignIn(u, storage.Handle{}, at)
	in.Device, in.Session.Address, in.Session.UserAgent = device, address, "agent"
	done, err := r.SignIn(r.ctx(), in)
	r.ok(err)
	return done.Note
}

func (r *room) history(sub string) storage.History {
	r.Helper()
	h, err := r.History(r.ctx(), sub)
	r.ok(err)
	return h
}

func (r *room) fail(sub, address string, at time.Time) {
	r.Helper()
	r.ok(r.SignInFailed(r.ctx(), sub, storage.SignInNote{Time: at, Address: address}, audit.Entry{Time: at, Event: audit.SignInFailed, User: sub}))
}

var historyCases = []testCase{
	{"of who has none, or is unknown, the history is empty", func(r *room) {
		r.newUser("ann")
		for _, sub := range []string{"ann", "nobody", ""} {
			h := r.history(sub)
			r.same(len(h.Notes)+len(h.Devices), 0)
		}
	}},
	{"a sign-in is noted in its commit, the first of all is usual", func(r *room) {
		u := r.newUser("ann")
		in, v := r.makeSignIn(u, storage.Handle{}, now)
		in.Device, in.Session.UserAgent = cookie, "agent"
		done, err := r.SignIn(r.ctx(), in)
		r.ok(err)
		want := storage.SignInNote{Time: now, Address: "192.0.2.7", UserAgent: "agent", AMR: []string{"pwd"}, Client: clientID, Session: v.session.ID}
		r.same(done.Note, want)
		r.same(r.history("ann"), storage.History{
			User: "ann", Devices: []storage.Device{{Hash: cookie, First: now, Last: now}}, Notes: []storage.SignInNote{want},
		})
	}},
	{"a browser at which the user was never signed in is unusual, and known from then on", func(r *room) {
		u := r.newUser("ann")
		other := storage.HashOf([]byte("other"))
		r.signInFrom(u, cookie, "192.0.2.7", now)
		r.same(r.signInFrom(u, other, "192.0.2.8", now.Add(time.Minute)).Unusual, []string{storage.UnusualDevice})
		r.same(len(r.signInFrom(u, other, "192.0.2.9", now.Add(2*time.Minute)).Unusual), 0)
		r.same(len(r.signInFrom(u, cookie, "192.0.2.9", now.Add(3*time.Minute)).Unusual), 0)
		r.same(r.signInFrom(u, storage.Hash{}, "192.0.2.9", now.Add(4*time.Minute)).Unusual, []string{storage.UnusualDevice})
		r.same(r.history("ann").Devices, []storage.Device{ // "the last used one last"
			{Hash: other, First: now.Add(time.Minute), Last: now.Add(2 * time.Minute)}, {Hash: cookie, First: now, Last: now.Add(3 * time.Minute)},
		})
	}},
	{"an address whose network is not in the history is unusual", func(r *room) {
		u := r.newUser("ann")
		for _, step := range []struct {
			address string
			unusual []string
		}{
			{"192.0.2.7", nil}, {"192.0.2.250", nil}, {"192.0.3.7", []string{storage.UnusualNetwork}}, {"192.0.3.8:4711", nil},
			{"2001:db8:1::1", []string{storage.UnusualNetwork}}, {"2001:db8:1:ffff::2", nil}, {"2001:db8:2::1", []string{storage.UnusualNetwork}},
			{"::ffff:192.0.2.9", nil}, {"no address", nil}, {"", nil},
		} {
			if got := r.signInFrom(u, cookie, step.address, now).Unusual; fmt.Sprint(got) != fmt.Sprint(step.unusual) {
				r.Errorf("%s: %v, want %v", step.address, got, step.unusual)
			}
		}
	}},
	{"a sign-in right after three failed attempts is unusual, and who failed makes no network known", func(r *room) {
		u := r.newUser("ann")
		r.signInFrom(u, cookie, "192.0.2.7", now)
		for range 2 {
			r.fail("ann", "198.51.100.1", now)
		}
		r.same(len(r.signInFrom(u, cookie, "192.0.2.7", now).Unusual), 0)
		for range 3 {
			r.fail("ann", "198.51.100.1", now)
		}
		r.same(r.signInFrom(u, cookie, "198.51.100.1", now).Unusual, []string{storage.UnusualNetwork, storage.UnusualFailures})
		r.same(len(r.signInFrom(u, cookie, "192.0.2.7", now).Unusual), 0)
	}},
	{"SignInFailed notes an attempt and records the entries, of an unknown user the entries alone", func(r *room) {
		r.newUser("ann")
		entry := audit.Entry{Time: now, Event: audit.SignInFailed, Origin: origin, User: "ann"}
		other := entry
		other.User = ""
		note := storage.SignInNote{Time: now, Address: "192.0.2.7", UserAgent: "agent", Client: clientID}
		r.ok(r.SignInFailed(r.ctx(), "ann", note, entry))
		r.ok(r.SignInFailed(r.ctx(), "nobody", note, other, other))
		r.logged(entry, other, other)
		note.Failed = true
		r.same(r.history("ann"), storage.History{User: "ann", Notes: []storage.SignInNote{note}})
		r.same(len(r.history("nobody").Notes), 0)
	}},
	{"concurrent attempts are all noted", func(r *room) {
		r.newUser("ann")
		for _, err := range r.race(func(i int) error {
			return r.SignInFailed(r.ctx(), "ann", storage.SignInNote{Time: now, Address: fmt.Sprint(i)})
		}) {
			r.ok(err)
		}
		r.same(len(r.history("ann").Notes), parallel)
	}},
	{"sign-ins and attempts of one user, many at once, are all done", func(r *room) {
		u := r.newUser("ann")
		const each = 4
		ins := make([][each]storage.SignIn, parallel)
		for i := range ins {
			for n := range each {
				ins[i][n], _ = r.makeSignIn(u, storage.Handle{}, now)
			}
		}
		for _, err := range r.race(func(i int) error {
			for n := range each {
				failed := r.SignInFailed(r.ctx(), u.Sub, storage.SignInNote{Time: now, Failed: true})
				if err := errors.Join(failed, r.trySignIn(ins[i][n])); err != nil {
					return err
				}
			}
			return nil
		}) {
			r.ok(err)
		}
		all, err := r.Sessions(r.ctx(), u.Sub, now)
		r.ok(err)
		r.same(len(all), parallel*each)
	}},
	{"a history is bounded: the oldest goes first, and guesses do not push out who was in", func(r *room) {
		u := r.newUser("ann")
		for i := range storage.HistoryNotes {
			r.signInFrom(u, storage.HashOf([]byte{byte(i)}), "192.0.2.7", now.Add(time.Duration(i)*time.Second))
		}
		for i := range 3 * storage.HistoryFailures {
			r.fail("ann", "198.51.100.1", now.Add(time.Hour+time.Duration(i)*time.Second))
		}
		h := r.history("ann")
		failed, last := 0, time.Time{}
		for _, n := range h.Notes {
			if n.Failed {
				failed++
			}
			if n.Time.Before(last) {
				r.Error("the notes are not in their order")
			}
			last = n.Time
		}
		r.same([]int{len(h.Notes), failed, len(h.Devices)}, []int{storage.HistoryNotes, storage.HistoryFailures, storage.HistoryDevices})
		r.same(h.Devices[storage.HistoryDevices-1].Hash, storage.HashOf([]byte{storage.HistoryNotes - 1}))
		r.same(h.Notes[storage.HistoryNotes-1].Time, now.Add(time.Hour+time.Duration(3*storage.HistoryFailures-1)*time.Second))
	}},
	{"the history goes with the user", func(r *room) {
		u := r.newUser("ann")
		r.signInFrom(u, cookie, "192.0.2.7", now)
		r.ok(r.RemoveUser(r.ctx(), "ann", change))
		r.fail("ann", "192.0.2.7", now)
		r.same(len(r.history("ann").Notes), 0)
	}},
}
