package storagetest

import (
	"fmt"
	"slices"
	"time"

	"signet/audit"
	"signet/storage"
)

// newClient stores a client that wants to know when sessions end, or one that does not.
func (r *room) newClient(id string, told bool) storage.Client {
	r.Helper()
	c := storage.Client{ID: id, GrantTypes: []string{"authorization_code", "refresh_token"}}
	if told {
		c.BackchannelLogoutURI = "https://" + id + ".example/back"
	}
	saved, err := r.SaveClient(r.ctx(), c, change)
	r.ok(err)
	return saved
}

// told signs a new user in, at a client that wants to know when sessions end.
func (r *room) told(sub string) visit {
	r.Helper()
	if _, err := r.Client(r.ctx(), clientID); err != nil {
		r.newClient(clientID, true)
	}
	return r.signIn(r.newUser(sub), storage.Handle{}, now)
}

// takePart makes a client one of those of the session of v, with a consent and a family.
func (r *room) takePart(v visit, client string, offline bool) storage.Family {
	r.Helper()
	h, issue := makeIssue(v, offline)
	issue.Authorization.Client = client
	issue.Consent = &storage.Consent{Scopes: []string{"openid"}}
	r.ok(r.Authorize(r.ctx(), issue))
	redemption := redemption(h)
	redemption.Client = client
	redeemed, err := r.RedeemCode(r.ctx(), redemption, makeFamily())
	r.ok(err)
	return redeemed.Family
}

func (r *room) endSessions(ids ...storage.ID) storage.Ended {
	r.Helper()
	ended, err := r.EndSessions(r.ctx(), ids, change)
	r.ok(err)
	return ended
}

// owed returns the notices of an ending as client and session, in their order, and fails the test where they are not as they begin.
func (r *room) owed(ended storage.Ended) (pairs []string) {
	r.Helper()
	notices, err := r.Notices(r.ctx(), ended.ID)
	r.ok(err)
	r.same(len(notices), ended.Notices)
	for i, n := range notices {
		if i > 0 && n.Number <= notices[i-1].Number {
			r.Errorf("notice %d comes after %d", n.Number, notices[i-1].Number)
		}
		r.same(n, storage.Notice{
			Ending: ended.ID, Number: n.Number, Client: n.Client, User: n.User, Session: n.Session,
			State: storage.NoticePending, Created: now, Next: now,
		})
		pairs = append(pairs, n.Client+" "+n.Session.String())
	}
	slices.Sort(pairs)
	return pairs
}

// pairs is what owed returns, in its order.
func pairs(all ...string) []string {
	slices.Sort(all)
	return all
}

func pair(client string, v visit) string { return client + " " + v.session.ID.String() }

// dead fails the test unless families are dead and their numbers marked.
func (r *room) dead(families ...storage.Family) {
	r.Helper()
	for _, f := range families {
		r.refused(r.stored(f).Live(now), storage.ErrEnded)
		if !r.marked(f.Status) {
			r.Errorf("the number %d of a dead family is not marked", f.Status)
		}
	}
}

// alive fails the test unless families live and their numbers are not marked.
func (r *room) alive(families ...storage.Family) {
	r.Helper()
	for _, f := range families {
		r.ok(r.stored(f).Live(now))
		if r.marked(r.stored(f).Family.Status) {
			r.Errorf("the number %d of a live family is marked", f.Status)
		}
	}
}

var endingCases = []testCase{
	{"EndSessions ends these sessions: they sign nobody in, and the families that live by them are dead and marked", func(r *room) {
		v, other := r.newVisit("ann"), r.newVisit("bob")
		bound, others := r.newFamily(v, false), r.newFamily(other, false)
		_, issue := makeIssue(v, true)
		front := makeFront(&issue)
		issue.Code = nil
		r.ok(r.Authorize(r.ctx(), issue))
		front = r.stored(front).Family
		ended := r.endSessions(v.session.ID)
		r.same(len(r.sessions(v, now)), 0)
		r.dead(bound, front)
		r.same(ended.Families, 2)
		r.alive(others)
		r.same(r.sessions(other, now), []storage.ID{other.session.ID})
		_, issue = makeIssue(v, true)
		r.refused(r.Authorize(r.ctx(), issue), storage.ErrEnded)
	}},
	{"families with offline_access go on when their session ends (Back-Channel Logout 2.7)", func(r *room) {
		v := r.newVisit("ann")
		offline := r.newFamily(v, true)
		ended := r.endSessions(v.session.ID)
		r.alive(offline)
		r.same(ended.Families, 0)
		_, _, err := r.RotateFamily(r.ctx(), rotation(offline, 0))
		r.ok(err)
	}},
	{"EndSessions returns the sessions as they now are, and its entries name them", func(r *room) {
		ann, bob := r.newVisit("ann"), r.newVisit("bob")
		ended := r.endSessions(ann.session.ID, bob.session.ID, ann.session.ID)
		r.same(len(ended.Sessions), 2)
		for i, v := range []visit{ann, bob} {
			want := v.session
			want.Ended, want.EndedBy = now, change.Detail
			r.same(ended.Sessions[i], want)
			got, err := r.Session(r.ctx(), want.ID)
			r.ok(err)
			r.same(got, storage.SessionUser{Session: want, User: v.user})
		}
		entry := audit.Entry{Time: now, Event: audit.SignedOut, Origin: origin, User: "ann", Session: ann.session.ID.String(), Detail: change.Detail}
		other := entry
		other.User, other.Session = "bob", bob.session.ID.String()
		r.logged(entry, other)
	}},
	{"what has ended, or is unknown, is passed over", func(r *room) {
		v := r.told("ann")
		r.takePart(v, clientID, false)
		r.endSessions(v.session.ID)
		moved := r.told("bob")
		r.endUser(moved.user)
		r.wroteNothing(func() {
			for _, ids := range [][]storage.ID{{v.session.ID}, {storage.NewID(now)}, {{}}, {moved.session.ID}, {v.session.ID, {}}, nil} {
				r.same(r.endSessions(ids...), storage.Ended{})
			}
		})
	}},
	{"a session whose time is over, and that nobody ended, ends: its clients hear of it", func(r *room) {
		v := r.told("ann")
		r.takePart(v, clientID, true)
		o := change
		o.Now = v.session.Expires.Add(time.Minute)
		ended, err := r.EndSessions(r.ctx(), []storage.ID{v.session.ID}, o)
		r.ok(err)
		r.same(len(ended.Sessions), 1)
		r.same(ended.Notices, 1)
	}},
	{"of concurrent EndSessions one ends a session", func(r *room) {
		ann, bob := r.told("ann"), r.told("bob")
		family := r.takePart(ann, clientID, false)
		r.takePart(bob, clientID, false)
		all := make([]storage.Ended, parallel)
		for _, err := range r.race(func(i int) (err error) {
			ids := [][]storage.ID{{ann.session.ID, bob.session.ID}, {bob.session.ID}, {ann.session.ID}}[i%3]
			all[i], err = r.EndSessions(r.ctx(), ids, change)
			return err
		}) {
			r.ok(err)
		}
		sessions, families, notices := 0, 0, 0
		for _, ended := range all {
			sessions, families, notices = sessions+len(ended.Sessions), families+ended.Families, notices+ended.Notices
			r.owed(ended)
		}
		r.same([]int{sessions, families, notices}, []int{2, 2, 2})
		r.same(len(r.log(audit.SignedOut)), 2)
		r.dead(family)
	}},
	{"each client of each session that ends, if it has a backchannel_logout_uri, gets a notice", func(r *room) {
		ann, bob := r.told("ann"), r.told("bob")
		r.newClient("second", true)
		r.newClient("silent", false)
		for _, client := range []string{clientID, "second", "silent"} {
			r.takePart(ann, client, true)
		}
		r.takePart(bob, "second", false)
		ended := r.endSessions(ann.session.ID, bob.session.ID)
		r.same(r.owed(ended), pairs(pair(clientID, ann), pair("second", ann), pair("second", bob)))
	}},
	{"two endings have two names", func(r *room) {
		ann, bob := r.told("ann"), r.told("bob")
		first, second := r.endSessions(ann.session.ID), r.endSessions(bob.session.ID)
		if first.ID == second.ID || first.ID.IsZero() {
			r.Errorf("the endings are %v and %v", first.ID, second.ID)
		}
	}},

	{"EndUser ends everything that was begun in the user's name: sessions, families, codes", func(r *room) {
		v, other := r.told("ann"), r.told("anna")
		second := r.signIn(v.user, storage.Handle{}, now)
		bound, offline, ofSecond := r.takePart(v, clientID, false), r.takePart(v, clientID, true), r.takePart(second, clientID, false)
		others := r.takePart(other, clientID, true)
		h, _ := r.newCode(v, true)
		ended, err := r.EndUser(r.ctx(), "ann", change)
		r.ok(err)
		u, err := r.User(r.ctx(), "ann")
		r.ok(err)
		r.same(u.Epoch, v.user.Epoch+1) // "the epoch moves on"
		r.same(len(ended.Sessions), 2)
		r.same(ended.Families, 3)
		r.same(r.owed(ended), pairs(pair(clientID, v), pair(clientID, second)))
		r.dead(bound, offline, ofSecond)
		r.alive(others)
		for _, v := range []visit{v, second} {
			r.same(r.sessions(v, now), []storage.ID(nil))
			su, err := r.Session(r.ctx(), v.session.ID)
			r.ok(err)
			r.same(su.Session.Ended, now)
		}
		_, err = r.RedeemCode(r.ctx(), redemption(h), makeFamily())
		r.refused(err, storage.ErrEnded)
		r.same(r.sessions(other, now), []storage.ID{other.session.ID})
		r.logged(audit.Entry{Time: now, Event: audit.UserEnded, Origin: origin, User: "ann", Detail: change.Detail})
		r.same(len(r.log(audit.SignedOut)), 2)
	}},
	{"EndUser of an unknown user is ErrNotFound", func(r *room) {
		_, err := r.EndUser(r.ctx(), "nobody", change)
		r.refused(err, storage.ErrNotFound)
	}},
	{"EndUser again ends what was begun since, and that alone", func(r *room) {
		v := r.told("ann")
		r.takePart(v, clientID, false)
		_, err := r.EndUser(r.ctx(), "ann", change)
		r.ok(err)
		v.user, err = r.User(r.ctx(), "ann")
		r.ok(err)
		second := r.signIn(v.user, storage.Handle{}, now)
		family := r.takePart(second, clientID, false)
		ended, err := r.EndUser(r.ctx(), "ann", change)
		r.ok(err)
		r.same(ended.Families, 1)
		r.same(r.owed(ended), pairs(pair(clientID, second)))
		r.dead(family)
	}},
	{"the session to keep goes on in the new epoch, the families do not", func(r *room) {
		r.newClient(clientID, true)
		for i, end := range []func(storage.User, storage.Change){
			func(u storage.User, o storage.Change) {
				ended, err := r.EndUser(r.ctx(), u.Sub, o)
				r.ok(err)
				r.same(len(ended.Sessions), 1)
			},
			func(u storage.User, o storage.Change) {
				u.PasswordHash = "$argon2id$2"
				_, err := r.SaveUser(r.ctx(), u, false, o)
				r.ok(err)
			},
		} {
			v := r.told(fmt.Sprint("user", i))
			second := r.signIn(v.user, storage.Handle{}, now)
			bound, offline := r.takePart(v, clientID, false), r.takePart(v, clientID, true)
			r.takePart(second, clientID, false)
			o := change
			o.Keep = v.session.ID
			end(v.user, o)
			r.same(r.sessions(v, now), []storage.ID{v.session.ID})
			r.same(r.sessions(second, now), []storage.ID(nil))
			r.dead(bound, offline)
			var err error
			v.user, err = r.User(r.ctx(), v.user.Sub)
			r.ok(err)
			r.alive(r.takePart(v, clientID, false)) // the client gets a new family without a person being asked
			due, err := r.ClaimNotices(r.ctx(), now, now.Add(far), 10)
			r.ok(err)
			r.same(len(due), 1)
			r.same(due[0].Session, second.session.ID)
			su, err := r.Session(r.ctx(), v.session.ID)
			r.ok(err)
			r.same(su.Session.Clients, []string{clientID})
		}
	}},
	{"a session that is not live, or another user's, is not kept", func(r *room) {
		ann, bob := r.newVisit("ann"), r.newVisit("bob")
		o := change
		o.Keep = bob.session.ID
		_, err := r.EndUser(r.ctx(), "ann", o)
		r.ok(err)
		r.same(r.sessions(ann, now), []storage.ID(nil))
		r.same(r.sessions(bob, now), []storage.ID{bob.session.ID})
		r.endSessions(bob.session.ID)
		_, err = r.EndUser(r.ctx(), "bob", o)
		r.ok(err)
		r.same(r.sessions(bob, now), []storage.ID(nil))
	}},
	{"SaveUser where it ends does as EndUser: marks and notices in the same commit", func(r *room) {
		r.newClient(clientID, true)
		for name, end := range map[string]func(storage.User){
			"end": r.endUser, "disabled": r.disable,
			"password": func(u storage.User) {
				u.PasswordHash = "$argon2id$2"
				r.save(u, false)
			},
		} {
			v := r.told(name)
			families := []storage.Family{r.takePart(v, clientID, false), r.takePart(v, clientID, true)}
			end(v.user)
			r.dead(families...)
			due, err := r.ClaimNotices(r.ctx(), now, now.Add(far), 10)
			r.ok(err)
			r.same(len(due), 1)
			r.same(due[0].Session, v.session.ID)
		}
	}},
	{"a user who becomes disabled keeps no session, and enabling brings none back", func(r *room) {
		v := r.newVisit("ann")
		o := change
		o.Keep = v.session.ID
		u := v.user
		u.Disabled = true
		u, err := r.SaveUser(r.ctx(), u, false, o)
		r.ok(err)
		u.Disabled = false
		r.save(u, false)
		r.same(r.sessions(v, now), []storage.ID(nil))
	}},
	{"a change of a user that ends nothing marks nothing and tells nobody", func(r *room) {
		v := r.told("ann")
		family := r.takePart(v, clientID, false)
		v.user.Groups = []string{"g"}
		r.save(v.user, false)
		r.alive(family)
		due, err := r.ClaimNotices(r.ctx(), now, now.Add(far), 10)
		r.ok(err)
		r.same(len(due), 0)
	}},
	{"RemoveUser ends sessions and families as EndUser does, and the history goes", func(r *room) {
		v := r.told("ann")
		families := []storage.Family{r.takePart(v, clientID, false), r.takePart(v, clientID, true)}
		r.ok(r.RemoveUser(r.ctx(), "ann", change))
		r.dead(families...)
		due, err := r.ClaimNotices(r.ctx(), now, now.Add(far), 10)
		r.ok(err)
		r.same(len(due), 1)
		r.same(due[0].User, "ann")
		r.same(len(r.log(audit.SignedOut)), 1)
		h, err := r.History(r.ctx(), "ann")
		r.ok(err)
		r.same(len(h.Notes), 0)
	}},
	{"an ending of many sessions tells of each once", func(r *room) {
		first := r.told("ann")
		r.newClient("second", true)
		var want []string
		for i := range 60 {
			v := first
			if i > 0 {
				v = r.signIn(first.user, storage.Handle{}, now)
			}
			for _, client := range []string{clientID, "second"} {
				_, issue := makeIssue(v, true)
				issue.Authorization.Client = client
				r.ok(r.Authorize(r.ctx(), issue))
				want = append(want, pair(client, v))
			}
		}
		ended, err := r.EndUser(r.ctx(), "ann", change)
		r.ok(err)
		r.same(r.owed(ended), pairs(want...))
	}},
	{"nothing that was begun in the old epoch outlives EndUser, whatever runs beside it, and no mark is forgotten", func(r *room) {
		r.newClient(clientID, true)
		for round := range 5 {
			v := r.told(fmt.Sprint("user", round))
			codes, families, ins := make([]storage.Handle, parallel), make([]storage.Family, parallel), make([]storage.SignIn, parallel)
			issues := make([]storage.Issue, parallel)
			for i := range parallel {
				codes[i], _ = r.newCode(v, i%2 == 0)
				families[i] = r.newFamily(v, true)
				ins[i], _ = r.makeSignIn(v.user, storage.Handle{}, now)
				_, issues[i] = makeIssue(v, true)
				makeFront(&issues[i])
			}
			made := make([]storage.Family, parallel)
			r.race(func(i int) error {
				switch i % 5 {
				case 0:
					redeemed, err := r.RedeemCode(r.ctx(), redemption(codes[i]), makeFamily())
					made[i] = redeemed.Family
					return err
				case 1:
					rotated, _, err := r.RotateFamily(r.ctx(), rotation(families[i], 0))
					made[i] = rotated
					return err
				case 2:
					return r.trySignIn(ins[i])
				case 3:
					err := r.Authorize(r.ctx(), issues[i])
					if err == nil {
						made[i] = *issues[i].Front
					}
					return err
				}
				if i == 4 {
					_, err := r.EndUser(r.ctx(), v.user.Sub, change)
					return err
				}
				return nil
			})
			live, err := r.Sessions(r.ctx(), v.user.Sub, now)
			r.ok(err)
			r.same(len(live), 0)
			left, err := r.Families(r.ctx(), v.user.Sub, now)
			r.ok(err)
			r.same(len(left), 0)
			r.dead(families...)
			for _, f := range made {
				if !f.ID.IsZero() {
					r.dead(r.stored(f).Family)
				}
			}
		}
	}},

	{"Withdraw: the consent goes, the families of the client end, the sessions forget it and it gets a notice for each", func(r *room) {
		v := r.told("ann")
		second := r.signIn(v.user, storage.Handle{}, now)
		r.newClient("other", true)
		bound, offline, ofSecond := r.takePart(v, clientID, false), r.takePart(v, clientID, true), r.takePart(second, clientID, false)
		kept := r.takePart(v, "other", true)
		ended, err := r.Withdraw(r.ctx(), "ann", clientID, change)
		r.ok(err)
		_, err = r.Consent(r.ctx(), "ann", clientID)
		r.refused(err, storage.ErrNotFound)
		_, err = r.Consent(r.ctx(), "ann", "other")
		r.ok(err)
		r.dead(bound, offline, ofSecond)
		r.same(r.stored(offline).Family.EndedBy, string(audit.ConsentWithdrawn))
		r.same(ended.Families, 3)
		r.alive(kept)
		r.same(r.owed(ended), pairs(pair(clientID, v), pair(clientID, second)))
		r.same(r.sessions(v, now), []storage.ID{v.session.ID}) // the sessions themselves go on
		for id, want := range map[storage.ID][]string{v.session.ID: {"other"}, second.session.ID: nil} {
			su, err := r.Session(r.ctx(), id)
			r.ok(err)
			r.same(slices.Clip(append([]string(nil), su.Session.Clients...)), want)
		}
		r.logged(audit.Entry{Time: now, Event: audit.ConsentWithdrawn, Origin: origin, Client: clientID, User: "ann", Detail: change.Detail})
		r.same(len(r.log(audit.FamilyEnded)), 3)
		r.same(r.owed(r.endSessions(v.session.ID)), pairs(pair("other", v))) // nobody is told twice
	}},
	{"Withdraw: codes that are under way are worth nothing", func(r *room) {
		v := r.told("ann")
		for i, offline := range []bool{true, false} {
			h, _ := r.newCode(v, offline)
			o := change
			o.Now = now.Add(time.Duration(i) * time.Second)
			_, err := r.Withdraw(r.ctx(), "ann", clientID, o)
			r.ok(err)
			_, err = r.RedeemCode(r.ctx(), redemption(h), makeFamily())
			r.refused(err, storage.ErrEnded)
		}
		h, _ := r.newCode(v, true) // allowed anew
		_, err := r.RedeemCode(r.ctx(), redemption(h), makeFamily())
		r.ok(err)
	}},
	{"Withdraw: codes from before it stay worth nothing when the user allows the client anew", func(r *room) {
		v := r.told("ann")
		r.newClient("other", true)
		other, issue := makeIssue(v, true)
		issue.Authorization.Client = "other"
		r.ok(r.Authorize(r.ctx(), issue))
		var old []storage.Handle
		for i, offline := range []bool{true, false, true} {
			h, _ := r.newCode(v, offline)
			old = append(old, h)
			o := change
			o.Now = now.Add(time.Duration(i) * time.Second)
			_, err := r.Withdraw(r.ctx(), "ann", clientID, o)
			r.ok(err)
		}
		anew, _ := r.newCode(v, true)
		for _, h := range old {
			_, err := r.RedeemCode(r.ctx(), redemption(h), makeFamily())
			r.refused(err, storage.ErrEnded)
		}
		_, err := r.RedeemCode(r.ctx(), redemption(anew), makeFamily())
		r.ok(err)
		toOther := redemption(other) // of which nothing was withdrawn
		toOther.Client = "other"
		_, err = r.RedeemCode(r.ctx(), toOther, makeFamily())
		r.ok(err)
	}},
	{"Withdraw: codes from before it stay worth nothing when the user signs in again and allows the client anew", func(r *room) {
		v := r.told("ann")
		h, _ := r.newCode(v, true)
		_, err := r.Withdraw(r.ctx(), "ann", clientID, change)
		r.ok(err)
		again := r.signIn(v.user, v.handle, now)
		if again.session.ID != v.session.ID {
			r.Fatal("the session does not go on")
		}
		r.newCode(again, true)
		_, err = r.RedeemCode(r.ctx(), redemption(h), makeFamily())
		r.refused(err, storage.ErrEnded)
	}},
	{"Withdraw: of a code that is spent at the same time no family is left", func(r *room) {
		v := r.told("ann")
		for round, offline := range []bool{true, false} {
			o := change
			o.Now = now.Add(time.Duration(round) * time.Second)
			codes := make([]storage.Handle, parallel)
			for i := range codes {
				codes[i], _ = r.newCode(v, offline)
			}
			families := make([]storage.Family, parallel)
			for i, err := range r.race(func(i int) error {
				if i == 0 {
					_, err := r.Withdraw(r.ctx(), "ann", clientID, o)
					return err
				}
				redeemed, err := r.RedeemCode(r.ctx(), redemption(codes[i]), makeFamily())
				families[i] = redeemed.Family
				return err
			}) {
				if i == 0 {
					r.ok(err)
				} else if err == nil {
					r.dead(families[i])
				} else {
					r.refused(err, storage.ErrEnded)
				}
			}
		}
	}},
	{"Withdraw: codes of a session that has ended before are worth nothing, and nobody is told twice", func(r *room) {
		v := r.told("ann")
		h, _ := r.newCode(v, true)
		r.same(len(r.owed(r.endSessions(v.session.ID))), 1)
		done, err := r.Withdraw(r.ctx(), "ann", clientID, change)
		r.ok(err)
		r.same(done.Notices, 0)
		_, err = r.RedeemCode(r.ctx(), redemption(h), makeFamily())
		r.refused(err, storage.ErrEnded)
	}},
	{"nothing to take back is no error, and writes nothing", func(r *room) {
		v := r.told("ann")
		r.takePart(v, clientID, true)
		_, err := r.Withdraw(r.ctx(), "ann", clientID, change)
		r.ok(err)
		r.wroteNothing(func() {
			for _, c := range [][2]string{{"ann", clientID}, {"ann", "nobody"}, {"nobody", clientID}, {"", ""}} {
				ended, err := r.Withdraw(r.ctx(), c[0], c[1], change)
				r.ok(err)
				r.same(ended, storage.Ended{})
			}
		})
	}},
	{"what was withdrawn can be given again", func(r *room) {
		v := r.told("ann")
		r.takePart(v, clientID, true)
		_, err := r.Withdraw(r.ctx(), "ann", clientID, change)
		r.ok(err)
		r.alive(r.takePart(v, clientID, true))
	}},

	{"Sessions returns the user's live sessions, the last used one last", func(r *room) {
		first := r.newVisit("ann")
		second := r.signIn(first.user, storage.Handle{}, now.Add(time.Minute))
		gone := r.signIn(first.user, storage.Handle{}, now.Add(2*time.Minute))
		r.newVisit("anna")
		r.endSessions(gone.session.ID)
		got, err := r.Sessions(r.ctx(), "ann", now.Add(time.Hour))
		r.ok(err)
		r.same(got, []storage.Session{first.session, second.session})
		_, issue := makeIssue(first, true)
		issue.Now = now.Add(5 * time.Hour)
		r.ok(r.Authorize(r.ctx(), issue))
		got, err = r.Sessions(r.ctx(), "ann", now.Add(5*time.Hour))
		r.ok(err)
		if len(got) != 2 || got[1].ID != first.session.ID {
			r.Errorf("the sessions are %v", got)
		}
		got, err = r.Sessions(r.ctx(), "ann", now.Add(16*time.Hour)) // both are idle
		r.ok(err)
		r.same(len(got), 0)
	}},
	{"Families returns the user's families that have neither ended nor expired, oldest first", func(r *room) {
		v := r.newVisit("ann")
		var want []storage.Family
		for i := range 4 {
			h, _ := r.newCode(v, i%2 == 0)
			f := makeFamily()
			f.Created = now.Add(time.Duration(-i) * time.Minute)
			redeemed, err := r.RedeemCode(r.ctx(), redemption(h), f)
			r.ok(err)
			want = append([]storage.Family{redeemed.Family}, want...)
		}
		ended := r.newFamily(v, true)
		r.ok(r.EndFamily(r.ctx(), ended.ID, clientID, change))
		r.newFamily(r.newVisit("anna"), true)
		list := func(at time.Time) []storage.Family {
			got, err := r.Families(r.ctx(), "ann", at)
			r.ok(err)
			return got
		}
		r.same(list(now), want)
		r.same(len(list(want[0].IdleExpires)), 0)
		r.endSessions(v.session.ID)
		r.same(list(now), []storage.Family{want[1], want[3]}) // those with offline_access
		r.sweepAll(v.session.IdleExpires.Add(25*time.Hour), far, 100)
		r.same(list(now), []storage.Family{want[1], want[3]}) // the session's row is gone
		r.endUser(v.user)
		r.same(len(list(now)), 0)
	}},
	{"Consents returns what the user allowed, by client", func(r *room) {
		v := r.newVisit("ann")
		for _, client := range []string{"b", "a"} {
			r.newClient(client, false)
			r.takePart(v, client, true)
		}
		r.takePart(r.newVisit("anna"), "a", true)
		got, err := r.Consents(r.ctx(), "ann")
		r.ok(err)
		r.same(len(got), 2)
		for i, client := range []string{"a", "b"} {
			r.same([2]string{got[i].Client, got[i].User}, [2]string{client, "ann"})
		}
	}},
	{"an unknown user has no sessions, families, consents", func(r *room) {
		r.takePart(r.newVisit("ann"), clientID, true)
		for _, sub := range []string{"nobody", "", "an"} {
			sessions, err := r.Sessions(r.ctx(), sub, now)
			r.ok(err)
			families, err := r.Families(r.ctx(), sub, now)
			r.ok(err)
			consents, err := r.Consents(r.ctx(), sub)
			r.ok(err)
			r.same([]int{len(sessions), len(families), len(consents)}, []int{0, 0, 0})
		}
	}},
	{"Session returns one session, live or not, with its user, unknown: ErrNotFound", func(r *room) {
		v := r.newVisit("ann")
		got, err := r.Session(r.ctx(), v.session.ID)
		r.ok(err)
		r.same(got, storage.SessionUser{Session: v.session, User: v.user})
		r.ok(r.RemoveUser(r.ctx(), "ann", change))
		got, err = r.Session(r.ctx(), v.session.ID)
		r.ok(err)
		r.same(got.User, storage.User{})
		for _, id := range []storage.ID{storage.NewID(now), {}} {
			_, err = r.Session(r.ctx(), id)
			r.refused(err, storage.ErrNotFound)
		}
	}},
}
