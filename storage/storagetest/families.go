package storagetest

import (
	"errors"
	"math"
	"time"

	"signet/audit"
	"signet/storage"
)

// entry is what the log says of an event of a family, an hour after it began.
func entry(event audit.Event, f storage.Family) audit.Entry {
	return audit.Entry{
		Time: now.Add(time.Hour), Event: event, Origin: origin,
		Client: clientID, User: f.Authorization.User, Session: f.Authorization.Session.String(), Family: f.ID.String(),
	}
}

var rotateCases = []testCase{
	{"RotateFamily does what Family.Rotate decides and returns the row as it now is and its user", func(r *room) {
		v := r.newVisit("ann")
		before := r.newFamily(v, true)
		use := rotation(before, 0)
		want, err := before.Rotate(v.user, use)
		r.ok(err)
		got, user, err := r.RotateFamily(r.ctx(), use)
		r.ok(err)
		r.same(got, want)
		r.same(user, v.user)
		r.same(got.Generation, uint32(1))
		r.unchanged(want)
		r.logged(entry(audit.TokenRefreshed, before))
	}},
	{"the user is the one of the last acknowledged change", func(r *room) {
		v := r.newVisit("ann")
		f := r.newFamily(v, true)
		for generation := range uint32(5) {
			v.user.Groups = append(v.user.Groups, "g")
			v.user = r.save(v.user, false)
			_, user, err := r.RotateFamily(r.ctx(), rotation(f, generation))
			r.ok(err)
			r.same(user, v.user)
		}
	}},
	{"of concurrent calls with the current generation one moves the family, the others return the same row", func(r *room) {
		f := r.newFamily(r.newVisit("ann"), true)
		for generation := range uint32(3) {
			rows := make([]storage.Family, parallel)
			for _, err := range r.race(func(i int) (err error) {
				rows[i], _, err = r.RotateFamily(r.ctx(), rotation(f, generation))
				return err
			}) {
				r.ok(err)
			}
			for _, row := range rows {
				r.same(row, rows[0])
				r.same(row.Generation, generation+1)
			}
			r.unchanged(rows[0])
		}
	}},
	{"a client that keeps its generation gets the same one, and more time", func(r *room) {
		f := r.newFamily(r.newVisit("ann"), true)
		use := rotation(f, 0)
		use.Keep = true
		got, _, err := r.RotateFamily(r.ctx(), use)
		r.ok(err)
		r.same(got.Generation, uint32(0))
		r.same(got.IdleExpires, use.Now.Add(use.Idle))
		r.unchanged(got)
	}},
	{"ErrReused has ended the family", func(r *room) {
		f := r.newFamily(r.newVisit("ann"), true)
		_, _, err := r.RotateFamily(r.ctx(), rotation(f, 0))
		r.ok(err)
		late := rotation(f, 0)
		late.Now = late.Now.Add(late.Window)
		_, _, err = r.RotateFamily(r.ctx(), late)
		r.refused(err, storage.ErrReused)
		state := r.stored(f)
		r.refused(state.Live(now), storage.ErrEnded)
		r.same(state.Family.EndedBy, string(audit.RefreshReused))
		_, _, err = r.RotateFamily(r.ctx(), rotation(f, 1))
		r.refused(err, storage.ErrEnded)
		want := entry(audit.RefreshReused, f)
		want.Time = late.Now
		r.logged(want)
	}},
	{"ErrAhead has ended the family", func(r *room) {
		f := r.newFamily(r.newVisit("ann"), true)
		_, _, err := r.RotateFamily(r.ctx(), rotation(f, 1))
		r.refused(err, storage.ErrAhead)
		r.refused(r.stored(f).Live(now), storage.ErrEnded)
		r.logged(entry(audit.RefreshAhead, f))
	}},
	{"every other refusal writes nothing", func(r *room) {
		v := r.newVisit("ann")
		f, bound := r.newFamily(v, true), r.newFamily(v, false)
		for _, c := range []struct {
			want   error
			family storage.Family
			alter  func(*storage.Rotation)
		}{
			{storage.ErrOtherClient, f, func(u *storage.Rotation) { u.Client = "another" }},
			{storage.ErrScope, f, func(u *storage.Rotation) { u.Scopes = []string{"openid", "admin"} }},
			{storage.ErrTarget, f, func(u *storage.Rotation) { u.Resources = []string{storage.DefaultResource, "https://api.example/"} }},
			{storage.ErrExpired, f, func(u *storage.Rotation) { u.Now = f.IdleExpires }},
			{storage.ErrNotFound, bound, func(*storage.Rotation) {}},
		} {
			use := rotation(c.family, 0)
			c.alter(&use)
			r.wroteNothing(func() {
				got, _, err := r.RotateFamily(r.ctx(), use)
				r.refused(err, c.want)
				r.same(got, storage.Family{})
			})
			r.unchanged(c.family)
		}
		r.disable(v.user)
		r.wroteNothing(func() {
			_, _, err := r.RotateFamily(r.ctx(), rotation(f, 0))
			r.refused(err, storage.ErrEnded)
		})
		r.unchanged(f)
	}},
	{"an unknown family is ErrNotFound", func(r *room) {
		_, _, err := r.RotateFamily(r.ctx(), rotation(makeFamily(), 0))
		r.refused(err, storage.ErrNotFound)
	}},
	{"families move on side by side", func(r *room) {
		v := r.newVisit("ann")
		families := make([]storage.Family, parallel)
		for i := range families {
			families[i] = r.newFamily(v, true)
		}
		for _, err := range r.race(func(i int) error {
			var all error
			for generation := range uint32(10) {
				f, _, err := r.RotateFamily(r.ctx(), rotation(families[i], generation))
				if err == nil && f.Generation != generation+1 {
					err = errors.New("another generation")
				}
				all = errors.Join(all, err)
			}
			return all
		}) {
			r.ok(err)
		}
	}},
}

var familyCases = []testCase{
	{"EndFamily ends a family, its refresh tokens and its access tokens", func(r *room) {
		f := r.newFamily(r.newVisit("ann"), true)
		r.ok(r.EndFamily(r.ctx(), f.ID, clientID, change))
		state := r.stored(f)
		r.refused(state.Live(now), storage.ErrEnded)
		r.same(state.Family.Ended, now)
		_, _, err := r.RotateFamily(r.ctx(), rotation(f, 0))
		r.refused(err, storage.ErrEnded)
		want := entry(audit.FamilyEnded, f)
		want.Time, want.Detail = now, change.Detail
		r.logged(want)
	}},
	{"EndFamily and EndAccess of another client's family are ErrOtherClient", func(r *room) {
		f := r.newFamily(r.newVisit("ann"), true)
		r.wroteNothing(func() {
			for range 2 {
				r.refused(r.EndFamily(r.ctx(), f.ID, "another", change), storage.ErrOtherClient)
				r.refused(r.EndAccess(r.ctx(), f.ID, 0, "another", change), storage.ErrOtherClient)
			}
		})
		r.unchanged(f)
	}},
	{"EndFamily of what has ended, or is unknown, is no error", func(r *room) {
		f := r.newFamily(r.newVisit("ann"), true)
		for _, err := range r.race(func(int) error { return r.EndFamily(r.ctx(), f.ID, clientID, change) }) {
			r.ok(err)
		}
		r.ok(r.EndFamily(r.ctx(), storage.NewID(now), clientID, change))
		r.same(len(r.log(audit.FamilyEnded)), 1)
	}},
	{"EndAccess ends the family's access tokens of this series and earlier ones, and leaves the refresh tokens", func(r *room) {
		f := r.newFamily(r.newVisit("ann"), true)
		r.ok(r.EndAccess(r.ctx(), f.ID, 4, clientID, change))
		state := r.stored(f)
		r.same(state.Family.Series, uint32(5)) // "the family's series moves on"
		r.ok(state.Live(now))
		_, _, err := r.RotateFamily(r.ctx(), rotation(f, 0))
		r.ok(err)
		want := entry(audit.AccessEnded, f)
		want.Time, want.Detail = now, change.Detail
		r.logged(want)
	}},
	{"EndAccess is repeated like EndFamily", func(r *room) {
		f := r.newFamily(r.newVisit("ann"), true)
		for _, err := range r.race(func(int) error { return r.EndAccess(r.ctx(), f.ID, 1, clientID, change) }) {
			r.ok(err)
		}
		r.ok(r.EndAccess(r.ctx(), f.ID, 0, clientID, change))
		r.ok(r.EndAccess(r.ctx(), storage.NewID(now), 0, clientID, change))
		r.same(r.stored(f).Family.Series, uint32(2))
		r.same(len(r.log(audit.AccessEnded)), 1)
	}},
	{"a series never begins anew", func(r *room) {
		f := r.newFamily(r.newVisit("ann"), true)
		r.ok(r.EndAccess(r.ctx(), f.ID, math.MaxUint32-1, clientID, change))
		_ = r.EndAccess(r.ctx(), f.ID, math.MaxUint32, clientID, change)
		if series := r.stored(f).Family.Series; series != math.MaxUint32 {
			r.Errorf("the series is %d", series)
		}
	}},
	{"Family returns a family with what decides whether it lives, as the last acknowledged act left it", func(r *room) {
		v := r.newVisit("ann")
		f := r.newFamily(v, true)
		state := r.stored(f)
		r.same(state.Family, f)
		r.same(state.User, v.user)
		r.same(state.Session.ID, v.session.ID)
		for generation := range uint32(3) {
			moved, _, err := r.RotateFamily(r.ctx(), rotation(f, generation))
			r.ok(err)
			r.unchanged(moved)
		}
	}},
	{"when the client is removed its families are dead", func(r *room) {
		f := r.newFamily(r.newVisit("ann"), true)
		r.ok(r.stored(f).Live(now))
		r.ok(r.RemoveClient(r.ctx(), clientID, change))
		r.refused(r.stored(f).Live(now), storage.ErrEnded)
	}},
	{"Family of an unknown id is ErrNotFound", func(r *room) {
		_, err := r.Family(r.ctx(), storage.NewID(now))
		r.refused(err, storage.ErrNotFound)
	}},
}
