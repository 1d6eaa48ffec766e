package storagetest

import (
	"fmt"
	"time"

	"signet/audit"
	"signet/storage"
)

// makeDevice is a device that waits for ten minutes for its user.
func makeDevice(userCode string) (storage.Handle, storage.DeviceGrant) {
	expires := now.Add(10 * time.Minute)
	h := storage.NewHandle(expires)
	return h, storage.DeviceGrant{
		ID: h.ID, SecretHash: h.Hash(), UserCode: userCode, Client: clientID, Scopes: []string{"openid", "email"}, Resources: []string{"https://api.example/"},
		Address: "192.0.2.7", UserAgent: "TV", Created: now, Expires: expires, State: storage.DevicePending, Interval: 5 * time.Second,
	}
}

// newDevice stores it.
func (r *room) newDevice(userCode string) (storage.Handle, storage.DeviceGrant) {
	r.Helper()
	h, d := makeDevice(userCode)
	r.ok(r.BeginDevice(r.ctx(), d, 1000))
	return h, d
}

// decision is that the user of v agrees, or not.
func decision(v visit, userCode string, allow, offline bool) storage.DeviceDecision {
	_, issue := makeIssue(v, offline)
	a := issue.Authorization
	a.Resources = []string{"https://api.example/"}
	return storage.DeviceDecision{UserCode: userCode, Allow: allow, Authorization: a, Idle: 10 * time.Hour, Now: now.Add(time.Second), Origin: origin}
}

// approved stores a device that the user of v agreed to.
func (r *room) approved(v visit, userCode string, offline bool) (storage.Handle, storage.DeviceDecision) {
	r.Helper()
	h, _ := r.newDevice(userCode)
	d := decision(v, userCode, true, offline)
	r.ok(r.DecideDevice(r.ctx(), d))
	return h, d
}

// poll is how the right device polls, in time.
func poll(h storage.Handle) storage.DevicePoll {
	return storage.DevicePoll{Code: h, Client: clientID, Now: now.Add(10 * time.Second), Origin: origin}
}

// polled polls.
func (r *room) polled(p storage.DevicePoll) (storage.DevicePolled, error) {
	return r.PollDevice(r.ctx(), p, makeFamily())
}

// withDevice is a family from a device that the user of v agreed to.
func (r *room) withDevice(v visit, userCode string, offline bool) storage.Family {
	r.Helper()
	h, _ := r.approved(v, userCode, offline)
	done, err := r.polled(poll(h))
	r.ok(err)
	return done.Family
}

var deviceCases = []testCase{
	{"BeginDevice stores d, and records it, with its address for an origin", func(r *room) {
		_, d := r.newDevice("BCDFGHJK")
		got, err := r.Device(r.ctx(), "BCDFGHJK", now)
		r.ok(err)
		r.same(got, d)
		r.logged(audit.Entry{Time: now, Event: audit.DeviceBegun, Origin: audit.Origin{Address: "192.0.2.7"}, Client: clientID, Detail: "openid email"})
	}},
	{"a user code of another one that has not expired is ErrExists; one that has expired leaves it", func(r *room) {
		_, first := r.newDevice("BCDFGHJK")
		_, second := makeDevice("BCDFGHJK")
		r.wroteNothing(func() { r.refused(r.BeginDevice(r.ctx(), second, 1000), storage.ErrExists) })
		r.ok(r.DecideDevice(r.ctx(), decision(r.newVisit("ann"), "BCDFGHJK", true, true)))
		r.refused(r.BeginDevice(r.ctx(), second, 1000), storage.ErrExists)
		h := storage.NewHandle(first.Expires.Add(10 * time.Minute))
		second.ID, second.SecretHash, second.Created, second.Expires = h.ID, h.Hash(), first.Expires, first.Expires.Add(10*time.Minute)
		r.ok(r.BeginDevice(r.ctx(), second, 1000))
		got, err := r.Device(r.ctx(), "BCDFGHJK", second.Created)
		r.ok(err)
		r.same(got, second)
	}},
	{"of concurrent BeginDevice with one user code one succeeds, the others are ErrExists", func(r *room) {
		r.oneWins(r.race(func(int) error {
			_, d := makeDevice("BCDFGHJK")
			return r.BeginDevice(r.ctx(), d, 1000)
		}), storage.ErrExists)
		r.same(len(r.log(audit.DeviceBegun)), 1)
	}},
	{"limit devices of an address, neither expired nor decided, are ErrTooMany", func(r *room) {
		v := r.newVisit("ann")
		for i := range 3 {
			r.newDevice(fmt.Sprint("CODE", i))
		}
		_, d := makeDevice("NEXT")
		r.wroteNothing(func() { r.refused(r.BeginDevice(r.ctx(), d, 3), storage.ErrTooMany) })
		_, err := r.Device(r.ctx(), "NEXT", now)
		r.refused(err, storage.ErrNotFound)
		other := d
		other.Address = "192.0.2.8"
		r.ok(r.BeginDevice(r.ctx(), other, 3)) // another address
		for i, allow := range []bool{true, false} {
			r.ok(r.DecideDevice(r.ctx(), decision(v, fmt.Sprint("CODE", i), allow, true)))
			_, d := makeDevice(fmt.Sprint("DECIDED", i))
			r.ok(r.BeginDevice(r.ctx(), d, 3))
			_, d = makeDevice("MORE")
			r.refused(r.BeginDevice(r.ctx(), d, 3), storage.ErrTooMany)
		}
		_, d = makeDevice("LATER")
		d.Created = d.Expires // of the others
		h := storage.NewHandle(d.Created.Add(10 * time.Minute))
		d.ID, d.SecretHash, d.Expires = h.ID, h.Hash(), d.Created.Add(10*time.Minute)
		r.ok(r.BeginDevice(r.ctx(), d, 1))
	}},
	{"concurrent calls begin no more than the limit", func(r *room) {
		begun := 0
		for _, err := range r.race(func(i int) error {
			_, d := makeDevice(fmt.Sprint("CODE", i))
			return r.BeginDevice(r.ctx(), d, 5)
		}) {
			if err == nil {
				begun++
				continue
			}
			r.refused(err, storage.ErrTooMany)
		}
		r.same(begun, 5)
	}},
	{"Device: unknown is ErrNotFound, too old ErrExpired, decided ErrSpent", func(r *room) {
		v := r.newVisit("ann")
		_, d := r.newDevice("BCDFGHJK")
		for _, unknown := range []string{"", "BCDFGHJ", "bcdfghjk", "BCDFGHJKL", "\x00", "\xff"} {
			_, err := r.Device(r.ctx(), unknown, now)
			r.refused(err, storage.ErrNotFound)
		}
		_, err := r.Device(r.ctx(), "BCDFGHJK", d.Expires)
		r.refused(err, storage.ErrExpired)
		r.newDevice("DENIED")
		for code, allow := range map[string]bool{"BCDFGHJK": true, "DENIED": false} {
			r.ok(r.DecideDevice(r.ctx(), decision(v, code, allow, true)))
			_, err = r.Device(r.ctx(), code, now)
			r.refused(err, storage.ErrSpent)
		}
	}},
	{"DecideDevice stores that the user agreed, records it, and the client takes part in the session", func(r *room) {
		v := r.newVisit("ann")
		h, d := r.newDevice("BCDFGHJK")
		yes := decision(v, "BCDFGHJK", true, true)
		r.ok(r.DecideDevice(r.ctx(), yes))
		r.same(r.only(v, now).Clients, []string{clientID})
		r.same(r.only(v, now).LastUsed, yes.Now)
		r.logged(audit.Entry{
			Time: yes.Now, Event: audit.DeviceApproved, Origin: origin, Client: clientID, User: "ann", Session: v.session.ID.String(), Detail: "openid email offline_access",
		})
		done, err := r.polled(poll(h))
		r.ok(err)
		d.State, d.Polled, d.Authorization, d.Family = storage.DeviceSpent, poll(h).Now, yes.Authorization, done.Family.ID
		r.same(done.Grant, d)
	}},
	{"DecideDevice stores that the user declined, records it, and the client does not take part", func(r *room) {
		v := r.newVisit("ann")
		h, _ := r.newDevice("BCDFGHJK")
		no := decision(v, "BCDFGHJK", false, true)
		r.ok(r.DecideDevice(r.ctx(), no))
		r.same(len(r.only(v, now).Clients), 0)
		r.logged(audit.Entry{Time: no.Now, Event: audit.DeviceDenied, Origin: origin, Client: clientID, User: "ann", Session: v.session.ID.String()})
		done, err := r.polled(poll(h))
		r.refused(err, storage.ErrDenied)
		r.same(done.Grant.State, storage.DeviceDenied)
		r.same(done.Grant.Authorization, storage.Authorization{})
	}},
	{"a session that is not live, or an epoch that changed, decides nothing", func(r *room) {
		h, d := r.newDevice("BCDFGHJK")
		refused := func(in storage.DeviceDecision, want error) {
			r.Helper()
			r.wroteNothing(func() { r.refused(r.DecideDevice(r.ctx(), in), want) })
		}
		v := r.newVisit("ann")
		for _, allow := range []bool{true, false} {
			in := decision(v, "BCDFGHJK", allow, true)
			in.Authorization.Epoch++
			refused(in, storage.ErrEnded)
			in = decision(v, "BCDFGHJK", allow, true)
			in.Authorization.User = "bob"
			refused(in, storage.ErrEnded)
		}
		late := decision(v, "BCDFGHJK", true, true)
		late.Now = d.Expires
		refused(late, storage.ErrExpired)
		unknown := decision(v, "BCDFGHJ", true, true)
		refused(unknown, storage.ErrNotFound)
		other := decision(v, "BCDFGHJK", true, true)
		other.Authorization.Client = "another"
		refused(other, storage.ErrOtherClient)
		r.ok(r.endSession(v.session.ID))
		refused(decision(v, "BCDFGHJK", true, true), storage.ErrEnded)
		_, err := r.polled(poll(h))
		r.refused(err, storage.ErrPending)
	}},
	{"of concurrent DecideDevice one succeeds, the others are ErrSpent", func(r *room) {
		v := r.newVisit("ann")
		r.newDevice("BCDFGHJK")
		r.oneWins(r.race(func(i int) error {
			return r.DecideDevice(r.ctx(), decision(v, "BCDFGHJK", i%2 == 0, true))
		}), storage.ErrSpent)
		r.same(len(r.log(audit.DeviceApproved, audit.DeviceDenied)), 1)
	}},
	{"PollDevice of an unknown code or another secret is ErrNotFound, and nothing is written", func(r *room) {
		h, _ := r.approved(r.newVisit("ann"), "BCDFGHJK", true)
		r.wroteNothing(func() {
			for _, h := range []storage.Handle{forged(h), storage.NewHandle(now), {}} {
				done, err := r.polled(poll(h))
				r.refused(err, storage.ErrNotFound)
				r.same(done, storage.DevicePolled{})
			}
		})
		_, err := r.polled(poll(h))
		r.ok(err)
	}},
	{"RFC 8628 3.5: pending, too soon, expired and another client's are told apart, and the interval grows", func(r *room) {
		h, d := r.newDevice("BCDFGHJK")
		at := func(after time.Duration, client string, want error) storage.DeviceGrant {
			r.Helper()
			p := poll(h)
			p.Now, p.Client = now.Add(after), client
			done, err := r.polled(p)
			r.refused(err, want)
			r.same(done.Family, storage.Family{})
			return done.Grant
		}
		d.Polled = now.Add(time.Second)
		r.same(at(time.Second, clientID, storage.ErrPending), d)
		d.Interval = 10 * time.Second
		r.same(at(2*time.Second, clientID, storage.ErrSlowDown), d)
		d.Interval = 15 * time.Second
		r.same(at(10*time.Second, clientID, storage.ErrSlowDown), d)
		at(16*time.Second, "another", storage.ErrOtherClient)
		d.Polled = now.Add(16 * time.Second)
		r.same(at(16*time.Second, clientID, storage.ErrPending), d)
		at(10*time.Minute, clientID, storage.ErrExpired)
	}},
	{"PollDevice spends the grant and stores the family that it turns into, in one commit", func(r *room) {
		v := r.newVisit("ann")
		h, yes := r.approved(v, "BCDFGHJK", true)
		want := makeFamily()
		f := want
		f.Authorization = storage.Authorization{Client: "another", User: "bob"} // "whose authorization is the grant's"
		done, err := r.PollDevice(r.ctx(), poll(h), f)
		r.ok(err)
		want.Authorization, want.Status = yes.Authorization, done.Family.Status
		r.same(done.Family, want)
		r.same(done.User, v.user)
		r.unchanged(want)
		r.ok(r.stored(want).Live(now))
		r.logged(audit.Entry{
			Time: poll(h).Now, Event: audit.DeviceRedeemed, Origin: origin, Client: clientID, User: "ann", Session: v.session.ID.String(), Family: want.ID.String(),
		})
		_, _, err = r.RotateFamily(r.ctx(), rotation(want, 0))
		r.ok(err)
	}},
	{"RFC 8707 2.2: a resource that was not agreed to is ErrTarget, and nothing is spent", func(r *room) {
		h, _ := r.approved(r.newVisit("ann"), "BCDFGHJK", true)
		p := poll(h)
		r.wroteNothing(func() {
			for _, resource := range []string{"https://other.example/", storage.DefaultResource} {
				p.Resources = []string{"https://api.example/", resource}
				_, err := r.polled(p)
				r.refused(err, storage.ErrTarget)
			}
		})
		p.Resources = []string{"https://api.example/"}
		_, err := r.polled(p)
		r.ok(err)
	}},
	{"a device whose user may not sign in any more, or has ended or withdrawn it, is ErrEnded", func(r *room) {
		for name, end := range map[string]func(storage.User){
			"epoch":    r.endUser,
			"disabled": r.disable,
			"removed":  func(u storage.User) { r.ok(r.RemoveUser(r.ctx(), u.Sub, change)) },
			"ended":    func(u storage.User) { _, err := r.EndUser(r.ctx(), u.Sub, change); r.ok(err) },
			"withdrawn": func(u storage.User) {
				_, err := r.Withdraw(r.ctx(), u.Sub, clientID, change)
				r.ok(err)
			},
		} {
			v := r.newVisit(name)
			h, _ := r.approved(v, name, true)
			end(v.user)
			r.wroteNothing(func() {
				done, err := r.polled(poll(h))
				r.refused(err, storage.ErrEnded)
				r.same(done.Family, storage.Family{})
			})
		}
	}},
	{"without offline_access the session must be live as well", func(r *room) {
		v := r.newVisit("ann")
		bound, _ := r.approved(v, "BOUND", false)
		offline, _ := r.approved(v, "OFFLINE", true)
		r.ok(r.endSession(v.session.ID))
		_, err := r.polled(poll(bound))
		r.refused(err, storage.ErrEnded)
		_, err = r.polled(poll(offline))
		r.ok(err)
	}},
	{"of concurrent PollDevice one returns nil, and there is one family", func(r *room) {
		h, _ := r.approved(r.newVisit("ann"), "BCDFGHJK", true)
		families := make([]storage.Family, parallel)
		answers := r.race(func(i int) error {
			families[i] = makeFamily()
			_, err := r.PollDevice(r.ctx(), poll(h), families[i])
			return err
		})
		r.oneWins(answers, storage.ErrSpent)
		for i, err := range answers {
			state, lookUp := r.Family(r.ctx(), families[i].ID)
			if err != nil {
				r.refused(lookUp, storage.ErrNotFound)
				continue
			}
			r.ok(lookUp)
			r.refused(state.Live(now), storage.ErrEnded) // the others were replays
		}
		r.same([]int{len(r.log(audit.DeviceRedeemed)), len(r.log(audit.DeviceReplayed))}, []int{1, 1})
	}},
	{"a later PollDevice ends that family and returns ErrSpent, however often; the first is recorded", func(r *room) {
		for i, at := range []time.Time{now.Add(11 * time.Second), now.Add(far)} {
			v := r.newVisit(fmt.Sprint("user", i))
			h, _ := r.approved(v, fmt.Sprint("CODE", i), true)
			first, err := r.polled(poll(h))
			r.ok(err)
			again := poll(h)
			again.Now, again.Client = at, "another"
			_, err = r.polled(again)
			r.refused(err, storage.ErrOtherClient)
			r.alive(first.Family)
			again.Client = clientID
			for range 3 {
				done, err := r.polled(again)
				r.refused(err, storage.ErrSpent)
				r.same(done.Grant.Family, first.Family.ID)
				r.same(done.Family, storage.Family{})
			}
			f := r.stored(first.Family).Family
			r.same(f.Ended, at)
			r.same(f.EndedBy, string(audit.DeviceReplayed))
			if at.Before(now.Add(time.Minute)) && !r.marked(f.Status) {
				r.Error("its number is not marked")
			}
		}
		entries := r.log(audit.DeviceReplayed)
		if len(entries) != 2 || entries[0].Family == "" || entries[0].Client != clientID {
			r.Errorf("the log has %v", entries)
		}
	}},
	{"what a device got ends with the session, the user, and the withdrawal, like what a code became", func(r *room) {
		v := r.newVisit("ann")
		bound, offline := r.withDevice(v, "BOUND", false), r.withDevice(v, "OFFLINE", true)
		ended := r.endSessions(v.session.ID)
		r.same(ended.Families, 1)
		r.dead(bound)
		r.alive(offline)
		done, err := r.EndUser(r.ctx(), "ann", change)
		r.ok(err)
		r.same(done.Families, 1)
		r.dead(offline)
		b := r.newVisit("bob")
		f := r.withDevice(b, "BOB", true)
		done, err = r.Withdraw(r.ctx(), "bob", clientID, change)
		r.ok(err)
		r.same(done.Families, 1)
		r.same(r.stored(f).Family.EndedBy, string(audit.ConsentWithdrawn))
		r.dead(f)
	}},
	{"of a PollDevice and an ending at the same time nothing survives", func(r *room) {
		for name, end := range map[string]func(v visit) error{
			"session":  func(v visit) error { _, err := r.EndSessions(r.ctx(), []storage.ID{v.session.ID}, change); return err },
			"user":     func(v visit) error { _, err := r.EndUser(r.ctx(), v.user.Sub, change); return err },
			"withdraw": func(v visit) error { _, err := r.Withdraw(r.ctx(), v.user.Sub, clientID, change); return err },
		} {
			for i := range 3 {
				v := r.newVisit(fmt.Sprint(name, i))
				h, _ := r.approved(v, fmt.Sprint(name, i), name != "session")
				f := makeFamily()
				answers := r.race(func(i int) error {
					switch i {
					case 0:
						_, err := r.PollDevice(r.ctx(), poll(h), f)
						return err
					case 1:
						return end(v)
					}
					return nil
				})
				r.ok(answers[1])
				if answers[0] != nil {
					r.refused(answers[0], storage.ErrEnded)
					continue
				}
				state := r.stored(f)
				r.refused(state.Live(now), storage.ErrEnded)
				if !r.marked(state.Family.Status) {
					r.Errorf("%s: the number of a family that ended is not marked", name)
				}
			}
		}
	}},
	{"devices stay for an hour after they expired, and go then", func(r *room) {
		h, d := r.newDevice("BCDFGHJK")
		r.sweepAll(d.Expires.Add(59*time.Minute), far, 100)
		_, err := r.Device(r.ctx(), "BCDFGHJK", d.Expires.Add(59*time.Minute))
		r.refused(err, storage.ErrExpired)
		r.sweepAll(d.Expires.Add(2*time.Hour), far, 100)
		_, err = r.Device(r.ctx(), "BCDFGHJK", now)
		r.refused(err, storage.ErrNotFound)
		_, err = r.polled(poll(h))
		r.refused(err, storage.ErrNotFound)
		r.newDevice("BCDFGHJK")
	}},
}

// granted is a family of a user that no session led to.
func (r *room) granted(u storage.User) storage.Family {
	r.Helper()
	f := makeFamily()
	f.Authorization = storage.Authorization{Client: clientID, User: u.Sub, Epoch: u.Epoch, Scopes: []string{"read"}, Resources: []string{"https://api.example/"}}
	granted, err := r.GrantFamily(r.ctx(), f, change)
	r.ok(err)
	f.Status = granted.Status // the store's to give
	r.same(granted, f)
	return f
}

var grantCases = []testCase{
	{"GrantFamily stores a family that no session led to, and returns it with its number", func(r *room) {
		v := r.newVisit("ann")
		f := r.granted(v.user)
		r.unchanged(f)
		if f.Status == 0 {
			r.Error("it has no number")
		}
		state := r.stored(f)
		r.same(state.Session, storage.Session{})
		r.ok(state.Live(now))
		r.refused(state.Live(f.IdleExpires), storage.ErrExpired)
		r.logged(audit.Entry{
			Time: now, Event: audit.AssertionGranted, Origin: origin, Client: clientID, User: "ann", Family: f.ID.String(), Detail: change.Detail,
		})
		_, _, err := r.RotateFamily(r.ctx(), rotation(f, 0))
		r.refused(err, storage.ErrNotFound) // no refresh token
	}},
	{"its authorization has neither a session nor offline_access, whatever it says", func(r *room) {
		v := r.newVisit("ann")
		f := makeFamily()
		f.Authorization = storage.Authorization{
			Client: clientID, User: "ann", Epoch: v.user.Epoch, Session: v.session.ID, Scopes: []string{"read", "offline_access"}, Offline: true,
		}
		granted, err := r.GrantFamily(r.ctx(), f, change)
		r.ok(err)
		r.same(granted.Authorization, storage.Authorization{Client: clientID, User: "ann", Epoch: v.user.Epoch, Scopes: []string{"read"}})
		r.unchanged(granted)
	}},
	{"GrantFamily for a user of another epoch, disabled, removed or unknown is ErrEnded", func(r *room) {
		refused := func(u storage.User) {
			r.Helper()
			f := makeFamily()
			f.Authorization = storage.Authorization{Client: clientID, User: u.Sub, Epoch: u.Epoch}
			r.wroteNothing(func() {
				_, err := r.GrantFamily(r.ctx(), f, change)
				r.refused(err, storage.ErrEnded)
			})
			_, err := r.Family(r.ctx(), f.ID)
			r.refused(err, storage.ErrNotFound)
		}
		refused(storage.User{})
		refused(storage.User{Sub: "nobody"})
		refused(storage.User{Sub: "\x00"})
		for name, end := range map[string]func(storage.User){
			"epoch":    r.endUser,
			"disabled": r.disable,
			"removed":  func(u storage.User) { r.ok(r.RemoveUser(r.ctx(), u.Sub, change)) },
		} {
			u := r.newUser(name)
			end(u)
			refused(u)
		}
	}},
	{"what was granted outlives the user's sessions, is listed, and ends with the user and the withdrawal", func(r *room) {
		v := r.newVisit("ann")
		f := r.granted(v.user)
		r.same(r.endSessions(v.session.ID).Families, 0)
		r.alive(f)
		families, err := r.Families(r.ctx(), "ann", now)
		r.ok(err)
		r.same(families, []storage.Family{f})
		ended, err := r.Withdraw(r.ctx(), "ann", clientID, change)
		r.ok(err)
		r.same(ended.Families, 1)
		r.dead(f)
		f = r.granted(v.user)
		ended, err = r.EndUser(r.ctx(), "ann", change)
		r.ok(err)
		r.same(ended.Families, 1)
		r.dead(f)
	}},
	{"of a GrantFamily and an EndUser at the same time nothing survives", func(r *room) {
		for i := range 5 {
			v := r.newVisit(fmt.Sprint("user", i))
			f := makeFamily()
			f.Authorization = storage.Authorization{Client: clientID, User: v.user.Sub, Epoch: v.user.Epoch}
			answers := r.race(func(i int) error {
				switch i {
				case 0:
					_, err := r.GrantFamily(r.ctx(), f, change)
					return err
				case 1:
					_, err := r.EndUser(r.ctx(), v.user.Sub, change)
					return err
				}
				return nil
			})
			r.ok(answers[1])
			if answers[0] != nil {
				r.refused(answers[0], storage.ErrEnded)
				continue
			}
			state := r.stored(f)
			r.refused(state.Live(now), storage.ErrEnded)
			if !r.marked(state.Family.Status) {
				r.Error("its number is not marked")
			}
		}
	}},
}

var denialCases = []testCase{
	{"DenyToken remembers the jti, and records it; twice is no error, and is recorded once", func(r *room) {
		for _, jti := range []string{"jti", "", "\x00\xff"} {
			denied, err := r.Denied(r.ctx(), jti)
			r.ok(err)
			r.same(denied, false)
		}
		r.ok(r.DenyToken(r.ctx(), "jti", now.Add(time.Minute), clientID, change))
		denied, err := r.Denied(r.ctx(), "jti")
		r.ok(err)
		r.same(denied, true)
		r.wroteNothing(func() { r.ok(r.DenyToken(r.ctx(), "jti", now.Add(time.Minute), clientID, change)) })
		denied, err = r.Denied(r.ctx(), "jt")
		r.ok(err)
		r.same(denied, false)
		r.logged(audit.Entry{Time: now, Event: audit.AccessDenied, Origin: origin, Client: clientID, Detail: change.Detail})
	}},
	{"of concurrent DenyToken of one token one is recorded", func(r *room) {
		for _, err := range r.race(func(int) error { return r.DenyToken(r.ctx(), "jti", now.Add(time.Minute), clientID, change) }) {
			r.ok(err)
		}
		r.same(len(r.log(audit.AccessDenied)), 1)
	}},
	{"a denied token is remembered until it expires, and 24 hours more", func(r *room) {
		expires := now.Add(time.Hour)
		r.ok(r.DenyToken(r.ctx(), "jti", expires, clientID, change))
		r.sweepAll(expires.Add(23*time.Hour), far, 100)
		denied, err := r.Denied(r.ctx(), "jti")
		r.ok(err)
		r.same(denied, true)
		r.same(r.sweepAll(expires.Add(25*time.Hour), far, 100), 1)
		denied, err = r.Denied(r.ctx(), "jti")
		r.ok(err)
		r.same(denied, false)
	}},
}
