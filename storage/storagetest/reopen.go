package storagetest

import (
	"testing"
	"time"

	"signet/audit"
	"signet/storage"
)

// Reopen tests that what a store acknowledged is there when it is opened again. open returns a function that opens one and
// the same store each time; the test closes it in between.
func Reopen(t *testing.T, open func(t *testing.T) (reopen func() storage.Store)) {
	t.Run("what was acknowledged is there when the store is opened again", func(t *testing.T) {
		t.Parallel()
		reopen := open(t)
		r := &room{T: t, Store: reopen()}
		all := r.furnish()
		r.ok(r.Close())

		r.Store = reopen()
		defer r.Close()
		r.has(all)
	})
}

// furniture is something of everything that a store holds.
type furniture struct {
	visit           visit
	moved           storage.Family
	code            storage.Handle
	interaction     storage.Handle
	wantInteraction storage.Interaction
	kept            storage.Handle
	wantKept        storage.KeptRequest
	client          storage.Client
	resource        storage.Resource
	ring            storage.Ring
	initial         storage.Handle
	wantInitial     storage.InitialToken
	consent         storage.Consent
	owed            []storage.Notice
	marks           storage.Marks
	history         storage.History
	device          storage.Handle // that its user agreed to
	waiting         storage.DeviceGrant
	spent           storage.Handle
	granted         storage.Family
	entries         []audit.Entry
}

// furnish stores it.
func (r *room) furnish() (f furniture) {
	r.Helper()
	f.visit = r.newVisit("ann")
	h, issue := makeIssue(f.visit, true)
	issue.Consent = &storage.Consent{Scopes: []string{"openid", "email"}}
	r.ok(r.Authorize(r.ctx(), issue))
	redeemed, err := r.RedeemCode(r.ctx(), redemption(h), makeFamily())
	r.ok(err)
	f.moved, _, err = r.RotateFamily(r.ctx(), rotation(redeemed.Family, 0))
	r.ok(err)
	f.consent, err = r.Consent(r.ctx(), f.visit.user.Sub, clientID)
	r.ok(err)
	f.code, _ = r.newCode(f.visit, true)
	f.interaction, f.wantInteraction = r.newInteraction()
	f.kept, f.wantKept = makeKept()
	r.ok(r.KeepRequest(r.ctx(), f.wantKept, 99))
	f.client, err = r.SaveClient(r.ctx(), fullClient("another"), change)
	r.ok(err)
	f.resource, err = r.SaveResource(r.ctx(), fullResource(""), change)
	r.ok(err)
	f.ring, err = r.SaveRing(r.ctx(), fullRing(), change)
	r.ok(err)
	f.initial, f.wantInitial = r.newInitial(3)
	r.ok(r.SpendAssertion(r.ctx(), clientID, "j1", now.Add(time.Minute), change))
	dora := r.newVisit("dora")
	f.device, _ = r.approved(dora, "APPROVED", true)
	f.spent, _ = r.approved(dora, "SPENT", true)
	_, err = r.polled(poll(f.spent))
	r.ok(err)
	_, f.waiting = r.newDevice("WAITING")
	f.granted = r.granted(dora.user)
	r.ok(r.DenyToken(r.ctx(), "jti", now.Add(time.Minute+time.Nanosecond), clientID, change))
	f.owed = r.furnishOutbox()
	f.marks = r.marks(now)
	f.visit.session.Clients = []string{clientID} // it took part since
	f.history, err = r.History(r.ctx(), "ann")
	r.ok(err)
	f.entries = r.log()
	return f
}

// furnishOutbox ends a session at two clients: one notice is under way, the other one waits.
func (r *room) furnishOutbox() []storage.Notice {
	r.Helper()
	v := r.newVisit("carl")
	for _, client := range []string{"told", "told2"} {
		r.newClient(client, true)
		r.takePart(v, client, false)
	}
	ended := r.endSessions(v.session.ID)
	r.same(len(r.claim(now, now.Add(time.Minute), 1)), 1)
	notices, err := r.Notices(r.ctx(), ended.ID)
	r.ok(err)
	r.same(len(notices), 2)
	return notices
}

// has fails the test unless the store holds all of it, and every act goes on from there.
func (r *room) has(f furniture) {
	r.Helper()
	r.unchanged(f.moved)
	r.same(r.sessions(f.visit, now), []storage.ID{f.visit.session.ID})
	user, err := r.UserByLogin(r.ctx(), "ann")
	r.ok(err)
	r.same(user, f.visit.user)
	client, err := r.Client(r.ctx(), "another")
	r.ok(err)
	r.same(client, f.client)
	resource, err := r.Resource(r.ctx(), "")
	r.ok(err)
	r.same(resource, f.resource)
	ring, err := r.Ring(r.ctx())
	r.ok(err)
	r.same(ring, f.ring)
	consent, err := r.Consent(r.ctx(), f.visit.user.Sub, clientID)
	r.ok(err)
	r.same(consent, f.consent)
	interaction, err := r.Interaction(r.ctx(), f.interaction, now)
	r.ok(err)
	r.same(interaction, f.wantInteraction)
	initial, err := r.InitialToken(r.ctx(), f.initial, now)
	r.ok(err)
	r.same(initial, f.wantInitial)
	r.same(r.log(), f.entries)
	notices, err := r.Notices(r.ctx(), f.owed[0].Ending)
	r.ok(err)
	r.same(notices, f.owed)
	r.same(r.marks(now), f.marks)
	history, err := r.History(r.ctx(), "ann")
	r.ok(err)
	r.same(history, f.history)
	sessions, err := r.Sessions(r.ctx(), "ann", now)
	r.ok(err)
	r.same(sessions, []storage.Session{f.visit.session})
	families, err := r.Families(r.ctx(), "ann", now)
	r.ok(err)
	r.same(families, []storage.Family{f.moved})
	r.refused(r.SpendAssertion(r.ctx(), clientID, "j1", now.Add(time.Minute), change), storage.ErrSpent)
	waiting, err := r.Device(r.ctx(), "WAITING", now)
	r.ok(err)
	r.same(waiting, f.waiting)
	_, next := makeDevice("NEXT")
	r.refused(r.BeginDevice(r.ctx(), next, 1), storage.ErrTooMany)
	r.ok(r.BeginDevice(r.ctx(), next, 2)) // those that were decided do not count
	_, next = makeDevice("SPENT")
	r.refused(r.BeginDevice(r.ctx(), next, 99), storage.ErrExists)
	polled, err := r.polled(poll(f.device))
	r.ok(err)
	r.same(polled.User.Sub, "dora")
	_, err = r.polled(poll(f.spent))
	r.refused(err, storage.ErrSpent)
	r.alive(f.granted)
	denied, err := r.Denied(r.ctx(), "jti")
	r.ok(err)
	r.same(denied, true)
	kept, err := r.TakeRequest(r.ctx(), f.kept, now)
	r.ok(err)
	r.same(kept, f.wantKept)
	redeemed, err := r.RedeemCode(r.ctx(), redemption(f.code), makeFamily())
	r.ok(err)
	r.same(len(r.log(audit.CodeRedeemed)), 4)
	if redeemed.Family.Status <= f.marks.Given {
		r.Errorf("the number %d is given again", redeemed.Family.Status)
	}
	r.same(len(r.claim(now, now.Add(time.Hour), 10)), 1) // what is owed is still owed, and what is under way still nobody else's
	r.same(len(r.claim(now.Add(time.Minute), now.Add(time.Hour), 10)), 1)
	ended, err := r.EndUser(r.ctx(), "ann", change)
	r.ok(err)
	r.same([]int{len(ended.Sessions), ended.Families}, []int{1, 2})
}
