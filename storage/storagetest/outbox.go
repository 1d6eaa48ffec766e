package storagetest

import (
	"time"

	"signet/audit"
	"signet/storage"
)

// owe ends a session of a new user at a client that wants to know, and returns the notice.
func (r *room) owe(sub string, at time.Time) storage.Notice {
	r.Helper()
	v := r.told(sub)
	r.takePart(v, clientID, true)
	o := change
	o.Now = at
	ended, err := r.EndSessions(r.ctx(), []storage.ID{v.session.ID}, o)
	r.ok(err)
	notices, err := r.Notices(r.ctx(), ended.ID)
	r.ok(err)
	r.same(len(notices), 1)
	return notices[0]
}

func (r *room) claim(at, until time.Time, limit int) []storage.Notice {
	r.Helper()
	notices, err := r.ClaimNotices(r.ctx(), at, until, limit)
	r.ok(err)
	return notices
}

// settled is how an attempt went.
func settled(n storage.Notice, state storage.NoticeState, at time.Time, problem string) storage.Notice {
	n.State, n.Settled, n.Problem = state, at, problem
	return n
}

var outboxCases = []testCase{
	{"ClaimNotices returns pending notices whose time has come, the longest waiting first, at most limit", func(r *room) {
		third, first, second := r.owe("c", now.Add(2*time.Second)), r.owe("a", now), r.owe("b", now.Add(time.Second))
		r.same(len(r.claim(now.Add(-time.Millisecond), now.Add(far), 10)), 0)
		got := r.claim(now.Add(time.Minute), now.Add(2*time.Minute), 2)
		r.same(len(got), 2)
		r.same([]string{got[0].User, got[1].User}, []string{first.User, second.User})
		got = r.claim(now.Add(time.Minute), now.Add(2*time.Minute), 10)
		r.same(len(got), 1)
		third.Attempts, third.Next = 1, now.Add(2*time.Minute) // "Each is counted as attempted"
		r.same(got[0], third)
		stored, err := r.Notices(r.ctx(), third.Ending)
		r.ok(err)
		r.same(stored, got)
	}},
	{"nobody else gets a claimed notice before the instant until, then it is due again", func(r *room) {
		r.owe("ann", now)
		until := now.Add(time.Minute)
		r.same(r.claim(now, until, 1)[0].Attempts, uint32(1))
		r.same(len(r.claim(until.Add(-time.Millisecond), until.Add(time.Minute), 10)), 0)
		r.same(r.claim(until, until.Add(time.Minute), 1)[0].Attempts, uint32(2))
	}},
	{"of concurrent claims one gets a notice", func(r *room) {
		const n = 30
		v := r.told("ann")
		for i := range n {
			if i > 0 {
				v = r.signIn(v.user, storage.Handle{}, now)
			}
			_, issue := makeIssue(v, true)
			r.ok(r.Authorize(r.ctx(), issue))
		}
		_, err := r.EndUser(r.ctx(), "ann", change)
		r.ok(err)
		claims := make([][]storage.Notice, parallel)
		for _, err := range r.race(func(i int) (err error) {
			claims[i], err = r.ClaimNotices(r.ctx(), now, now.Add(time.Minute), 2)
			return err
		}) {
			r.ok(err)
		}
		rest := r.claim(now, now.Add(time.Minute), n) // a backend may pass by what another call is at
		seen := map[storage.ID]bool{}
		for _, claimed := range append(claims, rest) {
			for _, n := range claimed {
				if seen[n.Session] {
					r.Error("a notice was claimed twice")
				}
				seen[n.Session] = true
			}
		}
		r.same(len(seen), n)
	}},
	{"an attempt that failed for now is due again at its Next, and is not recorded", func(r *room) {
		r.owe("ann", now)
		n := r.claim(now, now.Add(time.Minute), 1)[0]
		n.Next, n.Problem = now.Add(10*time.Minute), "timeout"
		r.wroteNothing(func() { r.ok(r.SettleNotice(r.ctx(), n, change)) })
		stored, err := r.Notices(r.ctx(), n.Ending)
		r.ok(err)
		r.same(stored, []storage.Notice{n})
		r.same(len(r.claim(n.Next.Add(-time.Second), n.Next, 1)), 0)
		r.same(r.claim(n.Next, n.Next.Add(time.Minute), 1)[0].Problem, "timeout")
	}},
	{"a notice that is settled is recorded, and never claimed again", func(r *room) {
		r.owe("ann", now)
		r.owe("bob", now)
		later := change
		later.Now = now.Add(time.Second)
		claimed := r.claim(now, now.Add(time.Minute), 2)
		done, failed := settled(claimed[0], storage.NoticeDelivered, later.Now, ""), settled(claimed[1], storage.NoticeFailed, later.Now, "400 invalid_request")
		for _, n := range []storage.Notice{done, failed} {
			r.ok(r.SettleNotice(r.ctx(), n, later))
			stored, err := r.Notices(r.ctx(), n.Ending)
			r.ok(err)
			r.same(stored, []storage.Notice{n})
		}
		r.same(len(r.claim(now.Add(far), now.Add(2*far), 10)), 0)
		entry := audit.Entry{Time: later.Now, Event: audit.NoticeDelivered, Origin: origin, Client: clientID, User: done.User, Session: done.Session.String(), Detail: change.Detail}
		other := entry
		other.Event, other.User, other.Session, other.Detail = audit.NoticeFailed, failed.User, failed.Session.String(), "400 invalid_request: "+change.Detail
		r.logged(entry, other)
	}},
	{"when a notice was claimed again, or settled, meanwhile nothing is stored: ErrConflict", func(r *room) {
		r.owe("ann", now)
		first := r.claim(now, now.Add(time.Minute), 1)[0]
		second := r.claim(now.Add(time.Minute), now.Add(2*time.Minute), 1)[0]
		late := settled(first, storage.NoticeDelivered, now, "")
		r.wroteNothing(func() { r.refused(r.SettleNotice(r.ctx(), late, change), storage.ErrConflict) })
		stored, err := r.Notices(r.ctx(), first.Ending)
		r.ok(err)
		r.same(stored, []storage.Notice{second})
		r.oneWins(r.race(func(int) error {
			return r.SettleNotice(r.ctx(), settled(second, storage.NoticeDelivered, now, ""), change)
		}), storage.ErrConflict)
		r.same(len(r.log(audit.NoticeDelivered)), 1)
	}},
	{"settling an unknown notice is ErrNotFound", func(r *room) {
		n := r.owe("ann", now)
		n.Number += 7
		r.refused(r.SettleNotice(r.ctx(), settled(n, storage.NoticeDelivered, now, ""), change), storage.ErrNotFound)
		r.refused(r.SettleNotice(r.ctx(), storage.Notice{Ending: storage.NewID(now), State: storage.NoticeFailed}, change), storage.ErrNotFound)
	}},
	{"SettleNotice changes State, Next, Settled and Problem, and nothing else", func(r *room) {
		r.owe("ann", now)
		n := r.claim(now, now.Add(time.Minute), 1)[0]
		other := settled(n, storage.NoticeDelivered, now, "")
		other.Client, other.User, other.Session, other.Created = "x", "y", storage.NewID(now), now.Add(far)
		r.ok(r.SettleNotice(r.ctx(), other, change))
		stored, err := r.Notices(r.ctx(), n.Ending)
		r.ok(err)
		r.same(stored, []storage.Notice{settled(n, storage.NoticeDelivered, now, "")})
	}},
	{"an unknown ending has no notices", func(r *room) {
		r.owe("ann", now)
		for _, id := range []storage.ID{storage.NewID(now), {}} {
			notices, err := r.Notices(r.ctx(), id)
			r.ok(err)
			r.same(len(notices), 0)
		}
	}},
	{"Owed returns how many are pending, since when, and the failed ones, newest last, at most limit", func(r *room) {
		owed := func(limit int) (int, time.Time, []string) {
			pending, since, failed, err := r.Owed(r.ctx(), limit)
			r.ok(err)
			var users []string
			for _, n := range failed {
				r.same(n.State, storage.NoticeFailed)
				users = append(users, n.User)
			}
			return pending, since, users
		}
		pending, since, users := owed(10)
		r.same(pending, 0)
		r.same(since, time.Time{})
		r.same(len(users), 0)
		for i, sub := range []string{"a", "b", "c", "d", "e"} {
			r.owe(sub, now.Add(time.Duration(i)*time.Second))
		}
		claimed := r.claim(now.Add(time.Hour), now.Add(2*time.Hour), 4)
		for i, state := range []storage.NoticeState{storage.NoticeFailed, storage.NoticeDelivered, storage.NoticeFailed, storage.NoticeFailed} {
			r.ok(r.SettleNotice(r.ctx(), settled(claimed[i], state, now.Add(time.Hour-time.Duration(i)*time.Minute), "no"), change))
		}
		r.owe("f", now.Add(time.Minute))
		pending, since, users = owed(10)
		r.same(pending, 2)
		r.same(since, now.Add(4*time.Second))
		r.same(users, []string{"d", "c", "a"})
		_, _, users = owed(2)
		r.same(users, []string{"c", "a"})
	}},
	{"Sweep deletes settled notices after NoticeLife, and never pending ones", func(r *room) {
		done, failed, pending := r.owe("a", now), r.owe("b", now.Add(time.Second)), r.owe("c", now.Add(2*time.Second))
		claimed := r.claim(now.Add(time.Minute), now.Add(2*time.Minute), 2)
		r.ok(r.SettleNotice(r.ctx(), settled(claimed[0], storage.NoticeDelivered, now, ""), change))
		r.ok(r.SettleNotice(r.ctx(), settled(claimed[1], storage.NoticeFailed, now, "no"), change))
		left := func() (n []int) {
			for _, of := range []storage.Notice{done, failed, pending} {
				notices, err := r.Notices(r.ctx(), of.Ending)
				r.ok(err)
				n = append(n, len(notices))
			}
			return n
		}
		r.sweepAll(now.Add(storage.NoticeLife-time.Second), 2*far, 100)
		r.same(left(), []int{1, 1, 1})
		r.sweepAll(now.Add(storage.NoticeLife+time.Minute), 2*far, 1)
		r.same(left(), []int{0, 0, 1})
		r.sweepAll(now.Add(10*far), 20*far, 100)
		r.same(left(), []int{0, 0, 1})
		r.same(len(r.claim(now.Add(10*far), now.Add(11*far), 10)), 1)
	}},
}
