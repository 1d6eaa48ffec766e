package storagetest

import (
	"slices"
	"time"

	"signet/audit"
	"signet/storage"
)

var consentCases = []testCase{
	{"Consent returns what the user allowed the client so far", func(r *room) {
		v := r.newVisit("ann")
		allow := func(at time.Time, scopes, claims, resources []string) {
			h, _ := r.newInteraction()
			_, issue := makeIssue(v, true)
			issue.Interaction, issue.Now = h, at
			issue.Consent = &storage.Consent{User: "ann", Client: clientID, Scopes: scopes, Claims: claims, Resources: resources}
			r.ok(r.Authorize(r.ctx(), issue))
		}
		allow(now, []string{"openid"}, []string{"email"}, nil)
		allow(now.Add(time.Second), []string{"openid", "email"}, nil, []string{"https://api.example/"})
		got, err := r.Consent(r.ctx(), "ann", clientID)
		r.ok(err)
		r.same(got, storage.Consent{
			User: "ann", Client: clientID, Scopes: []string{"openid", "email"}, Claims: []string{"email"},
			Resources: []string{"https://api.example/"}, Since: now, Updated: now.Add(time.Second),
		})
	}},
	{"Consent of nothing is ErrNotFound", func(r *room) {
		v := r.newVisit("ann")
		r.newCode(v, true) // remembered consent or trust: nothing is added
		for _, c := range [][2]string{{"ann", clientID}, {"", ""}, {"an", "n" + clientID}} {
			_, err := r.Consent(r.ctx(), c[0], c[1])
			r.refused(err, storage.ErrNotFound)
		}
	}},
}

// refusedIssue fails the test unless the issue is refused and leaves no trace.
func (r *room) refusedIssue(h storage.Handle, issue storage.Issue, want error) {
	r.Helper()
	r.wroteNothing(func() { r.refused(r.Authorize(r.ctx(), issue), want) })
	_, err := r.RedeemCode(r.ctx(), redemption(h), makeFamily())
	r.refused(err, storage.ErrNotFound)
}

var issueCases = []testCase{
	{"Authorize stores what an authorization is answered with and all that led to it, in one commit", func(r *room) {
		v := r.newVisit("ann")
		interaction, _ := r.newInteraction()
		h, issue := makeIssue(v, true)
		issue.Interaction = interaction
		issue.Consent = &storage.Consent{User: "ann", Client: clientID, Scopes: []string{"openid"}}
		r.ok(r.Authorize(r.ctx(), issue))
		e := audit.Entry{Time: now, Event: audit.ConsentGiven, Origin: origin, Client: clientID, User: "ann", Session: v.session.ID.String(), Detail: "openid"}
		issued := e
		issued.Event, issued.Detail = audit.CodeIssued, ""
		r.logged(e, issued)
		_, err := r.Interaction(r.ctx(), interaction, now)
		r.refused(err, storage.ErrSpent)
		_, err = r.Consent(r.ctx(), "ann", clientID)
		r.ok(err)
		_, err = r.RedeemCode(r.ctx(), redemption(h), makeFamily())
		r.ok(err)
	}},
	{"a family of the front channel is stored with the code, without offline_access, and lives by the session", func(r *room) {
		v := r.newVisit("ann")
		h, issue := makeIssue(v, true)
		front := makeFront(&issue)
		issue.Front.Authorization = storage.Authorization{Client: "another", User: "bob", Offline: true} // set by the act
		r.ok(r.Authorize(r.ctx(), issue))
		if front.Status = issue.Front.Status; front.Status == 0 { // the store's to give
			r.Error("the act does not say which number the family has")
		}
		r.unchanged(front)
		r.same(front.Authorization.Scopes, []string{"openid", "email"})
		r.ok(r.stored(front).Live(now))
		_, _, err := r.RotateFamily(r.ctx(), rotation(front, 0))
		r.refused(err, storage.ErrNotFound) // no refresh token
		e := audit.Entry{Time: now, Event: audit.TokenIssued, Origin: origin, Client: clientID, User: "ann", Session: v.session.ID.String(), Family: front.ID.String()}
		code := e
		code.Event, code.Family = audit.CodeIssued, ""
		r.logged(e, code)
		redeemed, err := r.RedeemCode(r.ctx(), redemption(h), makeFamily())
		r.ok(err)
		r.same(redeemed.Code.Front, front.ID)
		r.same(redeemed.Family.Authorization, issue.Authorization)
		r.ok(r.stored(front).Live(now))
		r.ok(r.endSession(v.session.ID))
		r.refused(r.stored(front).Live(now), storage.ErrEnded)
		r.ok(r.stored(redeemed.Family).Live(now))
	}},
	{"a family of the front channel may be all that is issued, and so may nothing", func(r *room) {
		v := r.newVisit("ann")
		_, issue := makeIssue(v, false)
		issue.Code = nil
		front := makeFront(&issue)
		r.ok(r.Authorize(r.ctx(), issue))
		front.Status = issue.Front.Status
		r.unchanged(front)
		interaction, _ := r.newInteraction()
		issue.Interaction, issue.Front = interaction, nil
		issue.Consent = &storage.Consent{Scopes: []string{"openid"}}
		r.ok(r.Authorize(r.ctx(), issue))
		_, err := r.Interaction(r.ctx(), interaction, now)
		r.refused(err, storage.ErrSpent)
		_, err = r.Consent(r.ctx(), "ann", clientID)
		r.ok(err)
		r.same([]int{len(r.log(audit.CodeIssued)), len(r.log(audit.TokenIssued)), len(r.log(audit.IDTokenIssued))}, []int{0, 1, 1})
		r.same(r.only(v, now).Clients, []string{clientID})
	}},
	{"a family of the front channel is not stored where the session is not live", func(r *room) {
		v := r.newVisit("ann")
		_, issue := makeIssue(v, true)
		front := makeFront(&issue)
		r.ok(r.endSession(v.session.ID))
		r.wroteNothing(func() { r.refused(r.Authorize(r.ctx(), issue), storage.ErrEnded) })
		_, err := r.Family(r.ctx(), front.ID)
		r.refused(err, storage.ErrNotFound)
	}},
	{"a session that is not live is ErrEnded or ErrExpired", func(r *room) {
		v := r.newVisit("ann")
		h, issue := makeIssue(v, true)
		issue.Now = v.session.IdleExpires
		r.refusedIssue(h, issue, storage.ErrExpired)
		issue.Now, issue.Authorization.Session = now, storage.NewID(now)
		r.refusedIssue(h, issue, storage.ErrEnded)
		issue.Authorization.Session = v.session.ID
		r.ok(r.endSession(v.session.ID))
		r.refusedIssue(h, issue, storage.ErrEnded)
	}},
	{"a user's epoch that changed is ErrEnded", func(r *room) {
		v := r.newVisit("ann")
		h, issue := makeIssue(v, true)
		issue.Authorization.Epoch++
		r.refusedIssue(h, issue, storage.ErrEnded)
		h, issue = makeIssue(v, true)
		r.endUser(v.user)
		r.refusedIssue(h, issue, storage.ErrEnded)
	}},
	{"a session of another user is ErrEnded", func(r *room) {
		v := r.newVisit("ann")
		r.newUser("bob")
		h, issue := makeIssue(v, true)
		issue.Authorization.User = "bob"
		r.refusedIssue(h, issue, storage.ErrEnded)
	}},
	{"of concurrent calls with one interaction one succeeds", func(r *room) {
		v := r.newVisit("ann")
		interaction, _ := r.newInteraction()
		r.oneWins(r.race(func(int) error {
			_, issue := makeIssue(v, true)
			issue.Interaction = interaction
			return r.Authorize(r.ctx(), issue)
		}), storage.ErrSpent)
		r.same(len(r.log(audit.CodeIssued)), 1)
	}},
	{"an interaction that is not open is refused as by Interaction", func(r *room) {
		v := r.newVisit("ann")
		interaction, i := r.newInteraction()
		h, issue := makeIssue(v, true)
		issue.Interaction = forged(interaction)
		r.refusedIssue(h, issue, storage.ErrNotFound)
		issue.Interaction, issue.Now = interaction, i.Expires
		r.refusedIssue(h, issue, storage.ErrExpired)
	}},
	{"Idle moves the session's idle expiry to Now+Idle, at most to its Expires", func(r *room) {
		v := r.newVisit("ann")
		r.newCode(v, true)
		_, issue := makeIssue(v, true)
		issue.Now = now.Add(5 * time.Hour)
		r.ok(r.Authorize(r.ctx(), issue))
		session := r.only(v, issue.Now)
		r.same(session.IdleExpires, issue.Now.Add(issue.Idle))
		r.same(session.LastUsed, issue.Now)
		_, issue = makeIssue(v, true)
		issue.Idle = 40 * 24 * time.Hour
		r.ok(r.Authorize(r.ctx(), issue))
		r.same(r.only(v, now).IdleExpires, v.session.Expires)
		_, issue = makeIssue(v, true)
		r.ok(r.Authorize(r.ctx(), issue))
		r.same(r.only(v, now).IdleExpires, v.session.Expires) // it never moves back
	}},
	{"the last use of a session that has no idle expiry to gain is known to within a day", func(r *room) {
		v := r.newVisit("ann")
		use := func(after time.Duration) time.Time {
			_, issue := makeIssue(v, true)
			issue.Idle, issue.Now = 40*24*time.Hour, now.Add(after)
			r.ok(r.Authorize(r.ctx(), issue))
			return r.only(v, issue.Now).LastUsed
		}
		r.same(use(0), now) // from here on it lasts until its Expires, used or not
		r.same(use(24*time.Hour-time.Second), now)
		r.same(use(24*time.Hour), now.Add(24*time.Hour))
	}},
	{"the session's row is written only when that gains a tenth of Idle, a day has passed, or the client is new to it", func(r *room) {
		v := r.newVisit("ann")
		r.newCode(v, true)
		joined := r.only(v, now)
		r.same(joined.Clients, []string{clientID})
		_, issue := makeIssue(v, true)
		issue.Now = now.Add(59 * time.Minute)
		r.ok(r.Authorize(r.ctx(), issue))
		r.same(r.only(v, now), joined)
		_, issue = makeIssue(v, true)
		issue.Authorization.Client = "another"
		r.ok(r.Authorize(r.ctx(), issue))
		r.same(slices.Contains(r.only(v, now).Clients, "another"), true)
		_, issue = makeIssue(v, true)
		issue.Now = now.Add(time.Hour)
		r.ok(r.Authorize(r.ctx(), issue))
		r.same(r.only(v, now).IdleExpires, issue.Now.Add(issue.Idle))
	}},
}

// only returns the one live session of a browser.
func (r *room) only(v visit, at time.Time) storage.Session {
	r.Helper()
	_, live, err := r.Browser(r.ctx(), v.handle, at)
	r.ok(err)
	if len(live) != 1 {
		r.Fatalf("%d sessions are live, want 1", len(live))
	}
	return live[0].Session
}

// refusedRedemption fails the test unless a redemption is refused, recorded as such, and leaves the code good for the right one.
func (r *room) refusedRedemption(want error, alter func(*storage.Redemption)) {
	r.Helper()
	v := r.newVisit("user" + want.Error())
	h, _ := r.newCode(v, true)
	wrong, family := redemption(h), makeFamily()
	alter(&wrong)
	_, err := r.RedeemCode(r.ctx(), wrong, family)
	r.refused(err, want)
	_, err = r.Family(r.ctx(), family.ID)
	r.refused(err, storage.ErrNotFound)
	entries := r.log(audit.CodeRefused)
	if e := entries[len(entries)-1]; e.Client != wrong.Client || e.User != v.user.Sub || e.Detail == "" || e.Origin != origin {
		r.Errorf("the log has %+v", e)
	}
	_, err = r.RedeemCode(r.ctx(), redemption(h), makeFamily())
	r.ok(err)
}

var redeemCases = []testCase{
	{"RedeemCode spends a code and stores the family that it turns into, in one commit", func(r *room) {
		v := r.newVisit("ann")
		h, code := r.newCode(v, true)
		want := makeFamily()
		redeemed, err := r.RedeemCode(r.ctx(), redemption(h), want)
		r.ok(err)
		want.Authorization = code.Authorization // "The family's authorization is the code's"
		want.Status = redeemed.Family.Status    // the store's to give
		code.Spent, code.Family = true, want.ID
		r.same(redeemed, storage.Redeemed{Code: code, Family: want, User: v.user})
		r.unchanged(want)
		r.logged(audit.Entry{
			Time: now, Event: audit.CodeRedeemed, Origin: origin, Client: clientID, User: "ann", Session: v.session.ID.String(), Family: want.ID.String(),
		})
	}},
	{"a family that says it is of another authorization gets the code's", func(r *room) {
		h, code := r.newCode(r.newVisit("ann"), false)
		f := makeFamily()
		f.Authorization = storage.Authorization{Client: "another", User: "bob", Scopes: []string{"admin"}, Offline: true}
		redeemed, err := r.RedeemCode(r.ctx(), redemption(h), f)
		r.ok(err)
		r.same(redeemed.Family.Authorization, code.Authorization)
		r.same(r.stored(f).Family.Authorization, code.Authorization)
	}},
	{"a user who may not sign in any more is ErrEnded", func(r *room) {
		for name, alter := range map[string]func(storage.User){
			"epoch":    r.endUser,
			"disabled": r.disable,
			"removed":  func(u storage.User) { r.ok(r.RemoveUser(r.ctx(), u.Sub, change)) },
		} {
			v := r.newVisit(name)
			h, _ := r.newCode(v, true)
			alter(v.user)
			_, err := r.RedeemCode(r.ctx(), redemption(h), makeFamily())
			r.refused(err, storage.ErrEnded)
		}
	}},
	{"for a code without offline_access the session must be live as well", func(r *room) {
		v := r.newVisit("ann")
		bound, _ := r.newCode(v, false)
		offline, _ := r.newCode(v, true)
		r.ok(r.endSession(v.session.ID))
		_, err := r.RedeemCode(r.ctx(), redemption(bound), makeFamily())
		r.refused(err, storage.ErrEnded)
		_, err = r.RedeemCode(r.ctx(), redemption(offline), makeFamily())
		r.ok(err)
	}},
	{"of concurrent calls one returns nil", func(r *room) {
		h, _ := r.newCode(r.newVisit("ann"), true)
		families := make([]storage.Family, parallel)
		answers := r.race(func(i int) error {
			families[i] = makeFamily()
			_, err := r.RedeemCode(r.ctx(), redemption(h), families[i])
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
			r.refused(state.Live(now), storage.ErrEnded) // the nineteen others were replays of the code
		}
		r.same(len(r.log(audit.CodeRedeemed)), 1)
		r.same(len(r.log(audit.CodeReplayed)), 1)
	}},
	{"a later call, expired or not, ends that family and returns ErrSpent, however often", func(r *room) {
		for _, at := range []time.Time{now, now.Add(far)} {
			v := r.newVisit("user" + at.String())
			h, _ := r.newCode(v, true)
			redeemed, err := r.RedeemCode(r.ctx(), redemption(h), makeFamily())
			r.ok(err)
			again := redemption(h)
			again.Now, again.Verifier, again.RedirectURI = at, "", "" // a thief need not know the rest
			for range 3 {
				spent, err := r.RedeemCode(r.ctx(), again, makeFamily())
				r.refused(err, storage.ErrSpent)
				r.same(spent.Code.Family, redeemed.Family.ID)
				r.same(spent.Family.ID, storage.ID{})
			}
			f := r.stored(redeemed.Family).Family
			r.same(f.Ended, at)
			r.same(f.EndedBy, string(audit.CodeReplayed))
		}
		entries := r.log(audit.CodeReplayed)
		if len(entries) != 2 || entries[0].Family == "" || entries[0].Client != clientID {
			r.Errorf("the log has %v", entries)
		}
	}},
	{"a replay ends the family of the front channel that was issued with the code", func(r *room) {
		v := r.newVisit("ann")
		h, issue := makeIssue(v, true)
		front := makeFront(&issue)
		r.ok(r.Authorize(r.ctx(), issue))
		_, err := r.RedeemCode(r.ctx(), redemption(h), makeFamily())
		r.ok(err)
		_, err = r.RedeemCode(r.ctx(), redemption(h), makeFamily())
		r.refused(err, storage.ErrSpent)
		f := r.stored(front).Family
		r.same(f.Ended, now)
		r.same(f.EndedBy, string(audit.CodeReplayed))
	}},
	{"another client is refused before all else, and ends nothing", func(r *room) {
		h, _ := r.newCode(r.newVisit("ann"), true)
		redeemed, err := r.RedeemCode(r.ctx(), redemption(h), makeFamily())
		r.ok(err)
		other := redemption(h)
		other.Client = "another"
		_, err = r.RedeemCode(r.ctx(), other, makeFamily())
		r.refused(err, storage.ErrOtherClient)
		r.ok(r.stored(redeemed.Family).Live(now))
	}},
	{"the first replay is recorded, whether or not there was a family to end, and those after it write nothing", func(r *room) {
		v := r.newVisit("ann")
		h, _ := r.newCode(v, false)
		_, err := r.RedeemCode(r.ctx(), redemption(h), makeFamily())
		r.ok(err)
		r.ok(r.endSession(v.session.ID))
		_, err = r.RedeemCode(r.ctx(), redemption(h), makeFamily())
		r.refused(err, storage.ErrSpent)
		r.same(len(r.log(audit.CodeReplayed)), 1)
		r.wroteNothing(func() {
			for range 3 {
				_, err := r.RedeemCode(r.ctx(), redemption(h), makeFamily())
				r.refused(err, storage.ErrSpent)
			}
		})
	}},
	{"the first five refusals of a code are recorded, and those after them write nothing", func(r *room) {
		h, _ := r.newCode(r.newVisit("ann"), true)
		refuse := func() {
			wrong := redemption(h)
			wrong.Verifier = ""
			_, err := r.RedeemCode(r.ctx(), wrong, makeFamily())
			r.refused(err, storage.ErrVerifier)
		}
		for range 5 {
			refuse()
		}
		r.same(len(r.log(audit.CodeRefused)), 5)
		r.wroteNothing(func() { refuse(); refuse() })
		_, err := r.RedeemCode(r.ctx(), redemption(h), makeFamily())
		r.ok(err) // still good for the right one
		_, err = r.RedeemCode(r.ctx(), redemption(h), makeFamily())
		r.refused(err, storage.ErrSpent)
		r.same(len(r.log(audit.CodeReplayed)), 1) // counted apart
	}},
	{"any other refusal leaves the code as good as it was", func(r *room) {
		r.refusedRedemption(storage.ErrOtherClient, func(d *storage.Redemption) { d.Client = "another" })
		r.refusedRedemption(storage.ErrExpired, func(d *storage.Redemption) { d.Now = now.Add(time.Minute) })
		r.refusedRedemption(storage.ErrRedirectURI, func(d *storage.Redemption) { d.RedirectURI += "/" })
		r.refusedRedemption(storage.ErrTarget, func(d *storage.Redemption) { d.Resources = []string{"https://api.example/"} })
		r.refusedRedemption(storage.ErrVerifier, func(d *storage.Redemption) { d.Verifier = "" })
	}},
	{"an unknown code or another secret is ErrNotFound, and nothing is written", func(r *room) {
		h, _ := r.newCode(r.newVisit("ann"), true)
		r.wroteNothing(func() {
			for _, h := range []storage.Handle{forged(h), storage.NewHandle(now), {}} {
				_, err := r.RedeemCode(r.ctx(), redemption(h), makeFamily())
				r.refused(err, storage.ErrNotFound)
			}
		})
	}},
}
