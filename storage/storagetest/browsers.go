package storagetest

import (
	"slices"
	"time"

	"signet/audit"
	"signet/storage"
)

var browserCases = []testCase{
	{"Browser returns the browser that h is the cookie of and its live sessions with their users", func(r *room) {
		v := r.newVisit("ann")
		b, live, err := r.Browser(r.ctx(), v.handle, now)
		r.ok(err)
		want := v.browser
		want.Sessions = []storage.ID{v.session.ID}
		r.same(b, want)
		r.same(live, []storage.SessionUser{{Session: v.session, User: v.user}})
	}},
	{"the last used session comes last", func(r *room) {
		first := r.newVisit("ann")
		second := r.signIn(r.newUser("bob"), first.handle, now.Add(time.Minute))
		r.same(r.sessions(second, now.Add(time.Minute)), []storage.ID{first.session.ID, second.session.ID})
		_, issue := makeIssue(first, true)
		issue.Now = now.Add(5 * time.Hour)
		r.ok(r.Authorize(r.ctx(), issue))
		r.same(r.sessions(second, now.Add(5*time.Hour)), []storage.ID{second.session.ID, first.session.ID})
	}},
	{"sessions that are not live at now are left out", func(r *room) {
		v := r.newVisit("ann")
		r.same(len(r.sessions(v, v.session.IdleExpires.Add(-time.Millisecond))), 1)
		r.same(len(r.sessions(v, v.session.IdleExpires)), 0)
	}},
	{"a browser that is unknown, expired or has another secret is ErrNotFound", func(r *room) {
		v := r.newVisit("ann")
		for _, c := range []struct {
			h  storage.Handle
			at time.Time
		}{{storage.NewHandle(now), now}, {v.handle, v.browser.Expires}, {forged(v.handle), now}, {storage.Handle{}, now}} {
			_, live, err := r.Browser(r.ctx(), c.h, c.at)
			r.refused(err, storage.ErrNotFound)
			r.same(len(live), 0)
		}
	}},
	{"EndSession ends a session: it signs nobody in, and the families that live by it are dead", func(r *room) {
		v := r.newVisit("ann")
		bound, offline := r.newFamily(v, false), r.newFamily(v, true)
		r.ok(r.stored(bound).Live(now))
		r.ok(r.endSession(v.session.ID))
		r.same(len(r.sessions(v, now)), 0)
		r.refused(r.stored(bound).Live(now), storage.ErrEnded)
		r.ok(r.stored(offline).Live(now)) // offline_access outlives the session
	}},
	{"of concurrent EndSession one is recorded", func(r *room) {
		v := r.newVisit("ann")
		for _, err := range r.race(func(int) error { return r.endSession(v.session.ID) }) {
			r.ok(err)
		}
		r.logged(audit.Entry{
			Time: now, Event: audit.SignedOut, Origin: origin, User: "ann", Session: v.session.ID.String(), Detail: change.Detail,
		})
	}},
	{"ending a session that has ended, or is unknown, is no error", func(r *room) {
		v := r.newVisit("ann")
		r.ok(r.endSession(v.session.ID))
		r.wroteNothing(func() {
			r.ok(r.endSession(v.session.ID))
			r.ok(r.endSession(storage.NewID(now)))
			r.ok(r.endSession(storage.ID{}))
		})
	}},
}

var signInCases = []testCase{
	{"SignIn signs a user in at a browser, in one commit", func(r *room) {
		u := r.newUser("ann")
		in, v := r.makeSignIn(u, storage.Handle{}, now)
		r.ok(r.trySignIn(in))
		r.same(r.sessions(v, now), []storage.ID{v.session.ID})
		i, err := r.Interaction(r.ctx(), in.Interaction, now)
		r.ok(err)
		r.same(i.Session, v.session.ID) // "Its Session becomes Session.ID"
		r.logged(audit.Entry{
			Time: now, Event: audit.SignInSucceeded, Origin: origin, Client: clientID, User: "ann", Session: v.session.ID.String(),
		})
	}},
	{"another epoch, disabled or removed is ErrEnded", func(r *room) {
		for name, alter := range map[string]func(storage.User){
			"epoch":    r.endUser,
			"disabled": r.disable,
			"removed":  func(u storage.User) { r.ok(r.RemoveUser(r.ctx(), u.Sub, change)) },
		} {
			u := r.newUser(name)
			in, v := r.makeSignIn(u, storage.Handle{}, now)
			alter(u)
			r.refused(r.trySignIn(in), storage.ErrEnded)
			_, _, err := r.Browser(r.ctx(), v.handle, now)
			r.refused(err, storage.ErrNotFound)
		}
		r.same(len(r.log(audit.SignInSucceeded)), 0)
	}},
	{"an interaction that is not open is refused as by Interaction", func(r *room) {
		u := r.newUser("ann")
		spent, _ := r.makeSignIn(u, storage.Handle{}, now)
		r.ok(r.EndInteraction(r.ctx(), spent.Interaction, clientID, change))
		r.refused(r.trySignIn(spent), storage.ErrSpent)
		unknown, _ := r.makeSignIn(u, storage.Handle{}, now)
		unknown.Interaction = forged(unknown.Interaction)
		r.refused(r.trySignIn(unknown), storage.ErrNotFound)
		late, _ := r.makeSignIn(u, storage.Handle{}, now.Add(10*time.Minute))
		r.refused(r.trySignIn(late), storage.ErrExpired)
	}},
	{"the row of the old handle is removed", func(r *room) {
		before := r.newVisit("ann")
		after := r.signIn(before.user, before.handle, now)
		_, _, err := r.Browser(r.ctx(), before.handle, now)
		r.refused(err, storage.ErrNotFound)
		_, _, err = r.Browser(r.ctx(), after.handle, now)
		r.ok(err)
	}},
	{"an old handle that is not live is ignored", func(r *room) {
		before := r.newVisit("ann")
		bob := r.newUser("bob")
		after := r.signIn(bob, forged(before.handle), now)
		r.same(r.sessions(after, now), []storage.ID{after.session.ID})
		r.same(r.sessions(before, now), []storage.ID{before.session.ID})
	}},
	{"sessions of other accounts move to the new browser, the one of the same account goes on there", func(r *room) {
		ann := r.newVisit("ann")
		bob := r.signIn(r.newUser("bob"), ann.handle, now)
		again := r.signIn(ann.user, bob.handle, now)
		b, live, err := r.Browser(r.ctx(), again.handle, now)
		r.ok(err)
		r.same(b.Sessions, []storage.ID{bob.session.ID, ann.session.ID}) // "those that moved, the one of this sign-in last"
		for _, su := range live {
			r.same(su.Session.Browser, again.browser.ID)
		}
		r.same(len(r.log(audit.SignedOut)), 0)
	}},
	{"of concurrent sign-ins with one old handle one takes its sessions over", func(r *room) {
		ann := r.newVisit("ann")
		ins, visits := make([]storage.SignIn, parallel), make([]visit, parallel)
		for i := range ins {
			ins[i], visits[i] = r.makeSignIn(r.newUser("user"+string(rune('a'+i))), ann.handle, now)
		}
		for _, err := range r.race(func(i int) error { return r.trySignIn(ins[i]) }) {
			r.ok(err)
		}
		took := 0
		for _, v := range visits {
			if slices.Contains(r.sessions(v, now), ann.session.ID) {
				took++
			}
		}
		r.same(took, 1)
	}},
}

// trySignIn is SignIn, for whoever asks no more than whether it happened.
func (r *room) trySignIn(in storage.SignIn) error {
	_, err := r.SignIn(r.ctx(), in)
	return err
}

// endSession ends one session.
func (r *room) endSession(id storage.ID) error {
	_, err := r.EndSessions(r.ctx(), []storage.ID{id}, change)
	return err
}
