package storagetest

import (
	"time"

	"signet/audit"
	"signet/storage"
)

var interactionCases = []testCase{
	{"BeginInteraction stores i", func(r *room) {
		h, want := r.newInteraction()
		got, err := r.Interaction(r.ctx(), h, now)
		r.ok(err)
		r.same(got, want)
	}},
	{"when limit interactions of the address are open it is ErrTooMany", func(r *room) {
		for range 3 {
			_, i := makeInteraction("192.0.2.1")
			r.ok(r.BeginInteraction(r.ctx(), i, 3))
		}
		h, i := makeInteraction("192.0.2.1")
		r.refused(r.BeginInteraction(r.ctx(), i, 3), storage.ErrTooMany)
		_, err := r.Interaction(r.ctx(), h, now)
		r.refused(err, storage.ErrNotFound)
		for _, other := range []string{"192.0.2.10", "192.0.2.", ""} {
			_, i := makeInteraction(other)
			r.ok(r.BeginInteraction(r.ctx(), i, 3))
		}
	}},
	{"of concurrent BeginInteraction of one address as many succeed as the limit says", func(r *room) {
		begun := 0
		for _, err := range r.race(func(int) error {
			_, i := makeInteraction("192.0.2.1")
			return r.BeginInteraction(r.ctx(), i, 5)
		}) {
			if err == nil {
				begun++
				continue
			}
			r.refused(err, storage.ErrTooMany)
		}
		r.same(begun, 5)
	}},
	{"interactions spent by a code and expired ones do not count for the limit", func(r *room) {
		v := r.newVisit("ann")
		h, i := makeInteraction("192.0.2.9")
		r.ok(r.BeginInteraction(r.ctx(), i, 1))
		_, issue := makeIssue(v, true)
		issue.Interaction = h
		r.ok(r.Authorize(r.ctx(), issue))
		_, second := makeInteraction("192.0.2.9")
		r.ok(r.BeginInteraction(r.ctx(), second, 1))
		_, third := makeInteraction("192.0.2.9")
		r.refused(r.BeginInteraction(r.ctx(), third, 1), storage.ErrTooMany)
		third.Created = second.Expires
		r.ok(r.BeginInteraction(r.ctx(), third, 1))
	}},
	{"an interaction that was declined counts until it expires", func(r *room) {
		h, i := makeInteraction("192.0.2.8")
		r.ok(r.BeginInteraction(r.ctx(), i, 1))
		r.ok(r.EndInteraction(r.ctx(), h, declined, change))
		_, second := makeInteraction("192.0.2.8")
		r.refused(r.BeginInteraction(r.ctx(), second, 1), storage.ErrTooMany)
	}},
	{"Interaction unknown or with another secret is ErrNotFound", func(r *room) {
		h, _ := r.newInteraction()
		for _, h := range []storage.Handle{forged(h), storage.NewHandle(now), {}} {
			_, err := r.Interaction(r.ctx(), h, now)
			r.refused(err, storage.ErrNotFound)
		}
	}},
	{"Interaction finished is ErrSpent", func(r *room) {
		h, _ := r.newInteraction()
		r.ok(r.EndInteraction(r.ctx(), h, declined, change))
		_, err := r.Interaction(r.ctx(), h, now)
		r.refused(err, storage.ErrSpent)
	}},
	{"Interaction too old is ErrExpired", func(r *room) {
		h, i := r.newInteraction()
		_, err := r.Interaction(r.ctx(), h, i.Expires)
		r.refused(err, storage.ErrExpired)
	}},
	{"of concurrent EndInteraction one succeeds and is recorded", func(r *room) {
		v := r.newVisit("ann")
		in, _ := r.makeSignIn(v.user, storage.Handle{}, now)
		r.ok(r.trySignIn(in))
		by := storage.Authorization{Client: clientID, User: "ann", Session: in.Session.ID}
		r.oneWins(r.race(func(int) error { return r.EndInteraction(r.ctx(), in.Interaction, by, change) }), storage.ErrSpent)
		r.logged(audit.Entry{
			Time: now, Event: audit.ConsentDenied, Origin: origin, Client: clientID, User: "ann", Session: in.Session.ID.String(), Detail: change.Detail,
		})
	}},
	{"EndInteraction is refused as by Interaction", func(r *room) {
		h, i := r.newInteraction()
		r.refused(r.EndInteraction(r.ctx(), forged(h), declined, change), storage.ErrNotFound)
		late := change
		late.Now = i.Expires
		r.refused(r.EndInteraction(r.ctx(), h, declined, late), storage.ErrExpired)
	}},
	{"of concurrent Authorize and EndInteraction one succeeds", func(r *room) {
		v := r.newVisit("ann")
		h, _ := r.newInteraction()
		r.oneWins(r.race(func(i int) error {
			if i%2 == 0 {
				return r.EndInteraction(r.ctx(), h, declined, change)
			}
			_, issue := makeIssue(v, true)
			issue.Interaction = h
			return r.Authorize(r.ctx(), issue)
		}), storage.ErrSpent)
		r.same(len(r.log(audit.CodeIssued, audit.ConsentDenied)), 1)
	}},
}

func makeKept() (storage.Handle, storage.KeptRequest) {
	expires := now.Add(time.Minute)
	h := storage.NewHandle(expires)
	return h, storage.KeptRequest{ID: h.ID, SecretHash: h.Hash(), Form: "a=b&c=d", Address: "192.0.2.1", Created: now, Expires: expires}
}

var keptCases = []testCase{
	{"TakeRequest returns and removes the request of h", func(r *room) {
		h, want := makeKept()
		r.ok(r.KeepRequest(r.ctx(), want, 9))
		got, err := r.TakeRequest(r.ctx(), h, now)
		r.ok(err)
		r.same(got, want)
		_, err = r.TakeRequest(r.ctx(), h, now)
		r.refused(err, storage.ErrNotFound)
	}},
	{"of concurrent TakeRequest exactly one gets it, the others ErrNotFound", func(r *room) {
		h, k := makeKept()
		r.ok(r.KeepRequest(r.ctx(), k, 9))
		r.oneWins(r.race(func(int) error {
			got, err := r.TakeRequest(r.ctx(), h, now)
			if (err == nil) != (got.Form != "") {
				r.Errorf("the answer is %v with %q", err, got.Form)
			}
			return err
		}), storage.ErrNotFound)
	}},
	{"too late, unknown or with another secret is ErrNotFound", func(r *room) {
		h, k := makeKept()
		r.ok(r.KeepRequest(r.ctx(), k, 9))
		for _, c := range []struct {
			h  storage.Handle
			at time.Time
		}{{h, k.Expires}, {forged(h), now}, {storage.NewHandle(now), now}} {
			got, err := r.TakeRequest(r.ctx(), c.h, c.at)
			r.refused(err, storage.ErrNotFound)
			r.same(got, storage.KeptRequest{})
		}
		_, err := r.TakeRequest(r.ctx(), h, now)
		r.ok(err) // none of the others took it
	}},
	{"when limit requests of the address were not taken it is ErrTooMany, for KeptWindow", func(r *room) {
		for range 3 {
			_, k := makeKept()
			r.ok(r.KeepRequest(r.ctx(), k, 3))
		}
		_, k := makeKept()
		r.refused(r.KeepRequest(r.ctx(), k, 3), storage.ErrTooMany)
		other := k
		other.Address = "192.0.2.2"
		r.ok(r.KeepRequest(r.ctx(), other, 3))
		late := k
		late.Created = now.Add(storage.KeptWindow)
		r.ok(r.KeepRequest(r.ctx(), late, 3))
	}},
	{"a request that was taken does not count", func(r *room) {
		h, k := makeKept()
		r.ok(r.KeepRequest(r.ctx(), k, 1))
		_, err := r.TakeRequest(r.ctx(), h, now)
		r.ok(err)
		_, k = makeKept()
		r.ok(r.KeepRequest(r.ctx(), k, 1))
	}},
}
