package storagetest

import (
	"slices"
	"time"

	"signet/storage"
)

// marks returns what the status list is made of.
func (r *room) marks(at time.Time) storage.Marks {
	r.Helper()
	marks, err := r.Marked(r.ctx(), at)
	r.ok(err)
	if !slices.IsSorted(marks.Numbers) || len(slices.Compact(slices.Clone(marks.Numbers))) != len(marks.Numbers) {
		r.Errorf("the marks are %v, not in ascending order", marks.Numbers)
	}
	return marks
}

func (r *room) marked(number uint64) bool {
	r.Helper()
	return slices.Contains(r.marks(now).Numbers, number)
}

// onlyMarked fails the test unless these are the marks.
func (r *room) onlyMarked(numbers ...uint64) {
	r.Helper()
	slices.Sort(numbers)
	r.same(append([]uint64{}, r.marks(now).Numbers...), append([]uint64{}, numbers...))
}

// service is a client with the grant client_credentials.
func service(id string) storage.Client {
	return storage.Client{ID: id, GrantTypes: []string{"client_credentials"}, SecretHash: storage.HashOf([]byte("1"))}
}

var statusCases = []testCase{
	{"the store gives numbers in order, each once", func(r *room) {
		v := r.newVisit("ann")
		r.same(r.marks(now), storage.Marks{})
		codes := make([]storage.Handle, parallel)
		for i := range codes {
			codes[i], _ = r.newCode(v, true)
		}
		numbers := make([]uint64, parallel)
		for _, err := range r.race(func(i int) error {
			redeemed, err := r.RedeemCode(r.ctx(), redemption(codes[i]), makeFamily())
			numbers[i] = redeemed.Family.Status
			return err
		}) {
			r.ok(err)
		}
		slices.Sort(numbers)
		given := r.marks(now).Given
		if len(slices.Compact(slices.Clone(numbers))) != parallel || numbers[0] < 1 || numbers[parallel-1] > given {
			r.Errorf("the numbers are %v, of %d given", numbers, given)
		}
		next := r.newFamily(v, true).Status
		if next <= given || r.marks(now).Given < next {
			r.Errorf("the next number is %d after %d", next, given)
		}
	}},
	{"a family has its number as it is returned, and keeps it when it moves on", func(r *room) {
		f := r.newFamily(r.newVisit("ann"), true)
		r.same(r.stored(f).Family.Status, f.Status)
		moved, _, err := r.RotateFamily(r.ctx(), rotation(f, 0))
		r.ok(err)
		r.same(moved.Status, f.Status)
		r.same(r.stored(f).Family.Status, f.Status)
	}},
	{"a number is not given again when its family is swept", func(r *room) {
		v := r.newVisit("ann")
		last := r.newFamily(v, true)
		r.sweepAll(last.Expires.Add(48*time.Hour), 2*far, 100)
		_, err := r.Family(r.ctx(), last.ID)
		r.refused(err, storage.ErrNotFound)
		if next := r.newFamily(r.newVisit("bob"), true); next.Status <= last.Status {
			r.Errorf("the number %d comes after %d", next.Status, last.Status)
		}
	}},
	{"what ends by its time is not marked", func(r *room) {
		v := r.newVisit("ann")
		f := r.newFamily(v, true)
		late := rotation(f, 0)
		late.Now = f.IdleExpires
		_, _, err := r.RotateFamily(r.ctx(), late)
		r.refused(err, storage.ErrExpired)
		r.onlyMarked()
	}},
	{"EndFamily marks the number, once", func(r *room) {
		v := r.newVisit("ann")
		f, other := r.newFamily(v, true), r.newFamily(v, true)
		for range 2 {
			r.ok(r.EndFamily(r.ctx(), f.ID, clientID, change))
		}
		r.onlyMarked(f.Status)
		r.alive(other)
	}},
	{"EndAccess marks the number and gives the family a fresh one", func(r *room) {
		f := r.newFamily(r.newVisit("ann"), true)
		r.ok(r.EndAccess(r.ctx(), f.ID, 0, clientID, change))
		fresh := r.stored(f).Family.Status
		if fresh <= f.Status {
			r.Errorf("the number %d comes after %d", fresh, f.Status)
		}
		r.onlyMarked(f.Status)
		r.alive(f)
		r.ok(r.EndAccess(r.ctx(), f.ID, 0, clientID, change)) // nothing more
		r.same(r.stored(f).Family.Status, fresh)
		r.onlyMarked(f.Status)
	}},
	{"a refresh token that came again, or is newer than the row, marks the number of its family", func(r *room) {
		v := r.newVisit("ann")
		reused, ahead := r.newFamily(v, true), r.newFamily(v, true)
		_, _, err := r.RotateFamily(r.ctx(), rotation(ahead, 1))
		r.refused(err, storage.ErrAhead)
		_, _, err = r.RotateFamily(r.ctx(), rotation(reused, 0))
		r.ok(err)
		late := rotation(reused, 0)
		late.Now = late.Now.Add(late.Window)
		_, _, err = r.RotateFamily(r.ctx(), late)
		r.refused(err, storage.ErrReused)
		r.onlyMarked(reused.Status, ahead.Status)
	}},
	{"a code that came again marks its family and the one of the front channel", func(r *room) {
		v := r.newVisit("ann")
		h, issue := makeIssue(v, true)
		front := makeFront(&issue)
		r.ok(r.Authorize(r.ctx(), issue))
		redeemed, err := r.RedeemCode(r.ctx(), redemption(h), makeFamily())
		r.ok(err)
		for range 2 {
			_, err = r.RedeemCode(r.ctx(), redemption(h), makeFamily())
			r.refused(err, storage.ErrSpent)
		}
		r.onlyMarked(redeemed.Family.Status, r.stored(front).Family.Status)
	}},
	{"what an ending of the user has marked is not marked again by an ending of its own", func(r *room) {
		v := r.newVisit("ann")
		f, g := r.newFamily(v, true), r.newFamily(v, false)
		r.endSessions(v.session.ID)
		r.endUser(v.user)
		before := r.marks(now)
		r.ok(r.EndFamily(r.ctx(), f.ID, clientID, change))
		r.ok(r.EndFamily(r.ctx(), g.ID, clientID, change))
		r.same(r.marks(now).Numbers, before.Numbers)
		r.onlyMarked(f.Status, g.Status)
	}},
	{"a client with the grant client_credentials has a number, any other has none", func(r *room) {
		c, err := r.SaveClient(r.ctx(), service("s"), change)
		r.ok(err)
		other := r.newClient("w", false)
		if c.ServiceStatus == 0 || other.ServiceStatus != 0 {
			r.Errorf("the numbers are %d and %d", c.ServiceStatus, other.ServiceStatus)
		}
		c.Name, c.ServiceStatus = "changed", 99 // it is the store's to give
		saved, err := r.SaveClient(r.ctx(), c, change)
		r.ok(err)
		if saved.ServiceStatus == 99 || r.marked(saved.ServiceStatus) {
			r.Errorf("the number is %d", saved.ServiceStatus)
		}
		other.GrantTypes = append(other.GrantTypes, "client_credentials")
		other, err = r.SaveClient(r.ctx(), other, change)
		r.ok(err)
		if other.ServiceStatus == 0 || other.ServiceStatus == saved.ServiceStatus {
			r.Errorf("the number is %d", other.ServiceStatus)
		}
	}},
	{"EndService, other credentials, and the removal of a client mark its number", func(r *room) {
		c, err := r.SaveClient(r.ctx(), service("s"), change)
		r.ok(err)
		want := []uint64{c.ServiceStatus}
		for range 2 {
			r.ok(r.EndService(r.ctx(), "s", c.ServiceSeries, change))
		}
		r.onlyMarked(want...)
		c, err = r.Client(r.ctx(), "s")
		r.ok(err)
		want = append(want, c.ServiceStatus)
		c.SecretHash = storage.HashOf([]byte("2"))
		c, err = r.SaveClient(r.ctx(), c, change)
		r.ok(err)
		r.onlyMarked(want...)
		want = append(want, c.ServiceStatus)
		r.ok(r.RemoveClient(r.ctx(), "s", change))
		r.onlyMarked(want...)
		if slices.Sort(want); len(slices.Compact(want)) != 3 {
			r.Errorf("the numbers are %v", want)
		}
	}},
	{"a mark is kept for MarkLife, and swept after that", func(r *room) {
		v := r.newVisit("ann")
		f := r.newFamily(v, true)
		r.ok(r.EndFamily(r.ctx(), f.ID, clientID, change))
		r.sweepAll(now.Add(storage.MarkLife-time.Second), far, 100)
		r.same(r.marks(now.Add(storage.MarkLife-time.Second)).Numbers, []uint64{f.Status})
		r.same(len(r.marks(now.Add(storage.MarkLife+time.Second)).Numbers), 0)
		r.sweepAll(now.Add(storage.MarkLife+time.Hour), far, 100)
		r.onlyMarked()
	}},
	{"what EndAccess and EndService mark is kept for AccessLife and MarkMargin, where that is known", func(r *room) {
		v := r.newVisit("ann")
		f := r.newFamily(v, true)
		own, err := r.SaveClient(r.ctx(), service("s"), change)
		r.ok(err)
		known := change
		known.AccessLife = 10 * time.Minute
		r.ok(r.EndAccess(r.ctx(), f.ID, 0, clientID, known))
		r.ok(r.EndService(r.ctx(), own.ID, own.ServiceSeries, known))
		want := []uint64{f.Status, own.ServiceStatus}
		slices.Sort(want)
		kept := known.AccessLife + storage.MarkMargin
		r.same(r.marks(now.Add(kept-time.Second)).Numbers, want)
		r.same(len(r.marks(now.Add(kept+time.Second)).Numbers), 0)
		r.sweepAll(now.Add(kept+time.Hour), far, 100)
		r.onlyMarked()
	}},
}
