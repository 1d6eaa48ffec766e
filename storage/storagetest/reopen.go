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
		v := r.newVisit("ann")
		spent := r.newFamily(v, true)
		moved, _, err := r.RotateFamily(r.ctx(), rotation(spent, 0))
		r.ok(err)
		code, _ := r.newCode(v, true)
		interaction, wantInteraction := r.newInteraction()
		kept, wantKept := makeKept()
		r.ok(r.KeepRequest(r.ctx(), wantKept, 99))
		client, err := r.SaveClient(r.ctx(), fullClient("another"), change)
		r.ok(err)
		resource, err := r.SaveResource(r.ctx(), fullResource(""), change)
		r.ok(err)
		ring, err := r.SaveRing(r.ctx(), fullRing(), change)
		r.ok(err)
		initial, wantInitial := r.newInitial(3)
		r.ok(r.SpendAssertion(r.ctx(), clientID, "j1", now.Add(time.Minute), change))
		entries := r.log()
		r.ok(r.Close())

		r.Store = reopen()
		defer r.Close()
		r.unchanged(moved)
		r.same(r.sessions(v, now), []storage.ID{v.session.ID})
		user, err := r.UserByLogin(r.ctx(), "ann")
		r.ok(err)
		r.same(user, v.user)
		gotClient, err := r.Client(r.ctx(), "another")
		r.ok(err)
		r.same(gotClient, client)
		gotResource, err := r.Resource(r.ctx(), "")
		r.ok(err)
		r.same(gotResource, resource)
		gotRing, err := r.Ring(r.ctx())
		r.ok(err)
		r.same(gotRing, ring)
		gotInteraction, err := r.Interaction(r.ctx(), interaction, now)
		r.ok(err)
		r.same(gotInteraction, wantInteraction)
		gotInitial, err := r.InitialToken(r.ctx(), initial, now)
		r.ok(err)
		r.same(gotInitial, wantInitial)
		r.same(r.log(), entries)
		r.refused(r.SpendAssertion(r.ctx(), clientID, "j1", now.Add(time.Minute), change), storage.ErrSpent)
		gotKept, err := r.TakeRequest(r.ctx(), kept, now)
		r.ok(err)
		r.same(gotKept, wantKept)
		_, err = r.RedeemCode(r.ctx(), redemption(code), makeFamily())
		r.ok(err)
		r.same(len(r.log(audit.CodeRedeemed)), 2)
	})
}
