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
		r.ok(r.EndInteraction(r.ctx(), spent.Interaction, declined, change))
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
	{"the session of the same account goes on: its ID, Created and Clients stay, how and when and until when are new", func(r *room) {
		before := r.newVisit("ann")
		bound, offline := r.newFamily(before, false), r.newFamily(before, true)
		at := now.Add(5 * time.Minute)
		in, _ := r.makeSignIn(before.user, before.handle, at)
		in.Session.ACR, in.Session.AMR, in.Session.Kept, in.Session.Address, in.Session.UserAgent = "mfa", []string{"pwd", "otp"}, true, "192.0.2.8", "other"
		done, err := r.SignIn(r.ctx(), in)
		r.ok(err)
		want := in.Session
		want.ID, want.Created, want.Clients = before.session.ID, before.session.Created, []string{clientID}
		r.same(done.Session, want)
		got, err := r.Session(r.ctx(), want.ID)
		r.ok(err)
		r.same(got.Session, want)
		_, err = r.Session(r.ctx(), in.Session.ID)
		r.refused(err, storage.ErrNotFound) // no second one
		r.alive(bound, offline)
		i, err := r.Interaction(r.ctx(), in.Interaction, at)
		r.ok(err)
		r.same(i.Session, want.ID)
		r.logged(
			audit.Entry{Time: now, Event: audit.SignInSucceeded, Origin: origin, Client: clientID, User: "ann", Session: want.ID.String()},
			audit.Entry{Time: at, Event: audit.SignInSucceeded, Origin: origin, Client: clientID, User: "ann", Session: want.ID.String()},
		)
	}},
	{"a client that knows the session from before hears when it ends", func(r *room) {
		v := r.told("ann")
		r.takePart(v, clientID, true)
		again := r.signIn(v.user, v.handle, now)
		r.same(r.owed(r.endSessions(again.session.ID)), pairs(pair(clientID, v)))
	}},
	{"a session that is not live does not go on", func(r *room) {
		for name, end := range map[string]func(visit) time.Time{
			"ended":   func(v visit) time.Time { r.endSessions(v.session.ID); return now },
			"expired": func(v visit) time.Time { return v.session.IdleExpires },
			"epoch":   func(v visit) time.Time { r.endUser(v.user); return now },
		} {
			v := r.newVisit(name)
			at := end(v)
			u, err := r.User(r.ctx(), name)
			r.ok(err)
			in, _ := r.makeSignIn(u, v.handle, at)
			if at != now { // the interaction has its own time
				h, i := makeInteraction("192.0.2.7")
				i.Expires = at.Add(time.Hour)
				h = storage.NewHandle(i.Expires)
				i.ID, i.SecretHash = h.ID, h.Hash()
				r.ok(r.BeginInteraction(r.ctx(), i, 1000))
				in.Interaction = h
			}
			done, err := r.SignIn(r.ctx(), in)
			r.ok(err)
			r.same(done.Session.ID, in.Session.ID)
		}
	}},
	{"of concurrent sign-ins of one account with one old handle the session goes on in one", func(r *room) {
		v := r.newVisit("ann")
		ins, done := make([]storage.SignIn, parallel), make([]storage.SignedIn, parallel)
		for i := range ins {
			ins[i], _ = r.makeSignIn(v.user, v.handle, now)
		}
		for _, err := range r.race(func(i int) (err error) {
			done[i], err = r.SignIn(r.ctx(), ins[i])
			return err
		}) {
			r.ok(err)
		}
		went := 0
		for _, d := range done {
			if d.Session.ID == v.session.ID {
				went++
			}
		}
		r.same(went, 1)
		live, err := r.Sessions(r.ctx(), "ann", now)
		r.ok(err)
		r.same(len(live), parallel)
	}},
	{"the browser expires with the last of its sessions", func(r *room) {
		h := storage.NewHandle(now)
		kept, _ := r.makeSignIn(r.newUser("ann"), storage.Handle{}, now)
		kept.Browser.ID, kept.Browser.SecretHash, kept.Browser.Expires = h.ID, h.Hash(), now.Add(far) // "its Expires is the latest of theirs"
		kept.Session.Expires = now.Add(60 * 24 * time.Hour)
		r.ok(r.trySignIn(kept))
		b, _, err := r.Browser(r.ctx(), h, now)
		r.ok(err)
		r.same(b.Expires, kept.Session.Expires)
		bob := r.signIn(r.newUser("bob"), h, now)
		b, _, err = r.Browser(r.ctx(), bob.handle, now)
		r.ok(err)
		r.same(b.Expires, kept.Session.Expires) // later than bob's
	}},
	{"an interaction that returns to a page of ours is spent by the sign-in", func(r *room) {
		h, i := makeInteraction("192.0.2.7")
		i.Request, i.Return = storage.Request{}, "/account"
		r.ok(r.BeginInteraction(r.ctx(), i, 1000))
		in, v := r.makeSignIn(r.newUser("ann"), storage.Handle{}, now)
		in.Interaction = h
		r.ok(r.trySignIn(in))
		_, err := r.Interaction(r.ctx(), h, now)
		r.refused(err, storage.ErrSpent)
		r.refused(r.trySignIn(in), storage.ErrSpent)
		r.same(r.sessions(v, now), []storage.ID{v.session.ID})
		r.logged(audit.Entry{Time: now, Event: audit.SignInSucceeded, Origin: origin, User: "ann", Session: v.session.ID.String()})
	}},
	{"SelectSession: the interaction's session becomes one that is live at the browser already", func(r *room) {
		ann := r.newVisit("ann")
		bob := r.signIn(r.newUser("bob"), ann.handle, now)
		h, _ := r.newInteraction()
		for _, id := range []storage.ID{bob.session.ID, ann.session.ID} {
			r.wroteNothing(func() { r.ok(r.SelectSession(r.ctx(), h, bob.handle, id, now)) })
			i, err := r.Interaction(r.ctx(), h, now)
			r.ok(err)
			r.same(i.Session, id)
			r.same(i.Chosen, true)
		}
		in, _ := r.makeSignIn(bob.user, bob.handle, now)
		in.Interaction = h
		r.ok(r.trySignIn(in))
		i, err := r.Interaction(r.ctx(), h, now)
		r.ok(err)
		r.same(i.Chosen, false) // somebody has signed in here since
	}},
	{"SelectSession of a session that is not live, or not of this browser, is ErrEnded", func(r *room) {
		ann, bob := r.newVisit("ann"), r.newVisit("bob")
		h, _ := r.newInteraction()
		ended := r.newVisit("carl")
		r.endSessions(ended.session.ID)
		for _, c := range []struct {
			browser storage.Handle
			session storage.ID
		}{
			{ann.handle, bob.session.ID}, {ann.handle, storage.ID{}}, {ann.handle, storage.NewID(now)}, {ended.handle, ended.session.ID},
			{forged(ann.handle), ann.session.ID}, {storage.Handle{}, ann.session.ID},
		} {
			r.refused(r.SelectSession(r.ctx(), h, c.browser, c.session, now), storage.ErrEnded)
		}
		i, err := r.Interaction(r.ctx(), h, now)
		r.ok(err)
		r.same(i.Session, storage.ID{})
	}},
	{"SelectSession is refused as by Interaction", func(r *room) {
		v := r.newVisit("ann")
		h, i := r.newInteraction()
		r.refused(r.SelectSession(r.ctx(), forged(h), v.handle, v.session.ID, now), storage.ErrNotFound)
		r.refused(r.SelectSession(r.ctx(), h, v.handle, v.session.ID, i.Expires), storage.ErrExpired)
		r.ok(r.EndInteraction(r.ctx(), h, declined, change))
		r.refused(r.SelectSession(r.ctx(), h, v.handle, v.session.ID, now), storage.ErrSpent)
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
