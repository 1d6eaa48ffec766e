package storagetest

import (
	"fmt"
	"time"

	"signet/audit"
	"signet/storage"
)

var assertionCases = []testCase{
	{"of concurrent SpendAssertion with one client and jti exactly one succeeds, the others ErrSpent", func(r *room) {
		r.oneWins(r.race(func(int) error {
			return r.SpendAssertion(r.ctx(), clientID, "j1", now.Add(time.Minute), change)
		}), storage.ErrSpent)
	}},
	{"a later one before expires is ErrSpent, whatever its own expires is", func(r *room) {
		expires := now.Add(5 * time.Minute)
		r.ok(r.SpendAssertion(r.ctx(), clientID, "j1", expires, change))
		for _, own := range []time.Duration{time.Second, 5 * time.Minute, time.Hour} {
			late := change
			late.Now = expires.Add(-time.Millisecond)
			r.refused(r.SpendAssertion(r.ctx(), clientID, "j1", now.Add(own), late), storage.ErrSpent)
		}
	}},
	{"the jti of another client, and another jti, are not spent", func(r *room) {
		expires := now.Add(time.Minute)
		for _, pair := range [][2]string{{"a", "bc"}, {"ab", "c"}, {"a", "bc "}, {"a", ""}, {"", "a"}, {"a", string(make([]byte, 100_000))}} {
			r.ok(r.SpendAssertion(r.ctx(), pair[0], pair[1], expires, change))
		}
	}},
	{"a jti can be used again when it has expired", func(r *room) {
		expires := now.Add(time.Minute)
		r.ok(r.SpendAssertion(r.ctx(), clientID, "j1", expires, change))
		late := change
		late.Now = expires
		r.ok(r.SpendAssertion(r.ctx(), clientID, "j1", expires.Add(time.Minute), late))
		r.refused(r.SpendAssertion(r.ctx(), clientID, "j1", expires.Add(time.Minute), late), storage.ErrSpent)
	}},
	{"the first that is ErrSpent is recorded", func(r *room) {
		expires := now.Add(time.Minute)
		r.wroteNothing(func() { r.ok(r.SpendAssertion(r.ctx(), clientID, "j1", expires, change)) })
		for range 3 {
			r.refused(r.SpendAssertion(r.ctx(), clientID, "j1", expires, change), storage.ErrSpent)
		}
		r.logged(audit.Entry{Time: now, Event: audit.AssertionReplayed, Origin: origin, Client: clientID, Detail: change.Detail})
	}},
	{"spent assertions go an hour after they expired", func(r *room) {
		expires := now.Add(time.Minute)
		r.ok(r.SpendAssertion(r.ctx(), clientID, "j1", expires, change))
		r.same(r.sweepAll(expires.Add(59*time.Minute), far, 100), 0)
		r.refused(r.SpendAssertion(r.ctx(), clientID, "j1", expires, change), storage.ErrSpent)
		r.same(r.sweepAll(expires.Add(2*time.Hour), far, 100), 1)
		r.ok(r.SpendAssertion(r.ctx(), clientID, "j1", expires, change))
	}},
}

// makeInitial is a token that was made at an instant, for so many uses.
func makeInitial(at time.Time, uses int) (storage.Handle, storage.InitialToken) {
	h := storage.NewHandle(at)
	return h, storage.InitialToken{
		ID: h.ID, SecretHash: h.Hash(), Note: "for the shop", Uses: uses, Scopes: []string{"openid"}, GrantTypes: []string{"authorization_code"},
		Created: at, Expires: at.Add(24 * time.Hour),
	}
}

func (r *room) newInitial(uses int) (storage.Handle, storage.InitialToken) {
	r.Helper()
	h, i := makeInitial(now, uses)
	r.ok(r.SaveInitialToken(r.ctx(), i, change))
	return h, i
}

// register registers a client with a token.
func (r *room) register(id string, h storage.Handle, at time.Time) error {
	o := change
	o.Now = at
	_, err := r.RegisterClient(r.ctx(), fullClient(id), h, o)
	return err
}

var initialTokenCases = []testCase{
	{"InitialToken returns the token of h", func(r *room) {
		h, want := r.newInitial(3)
		got, err := r.InitialToken(r.ctx(), h, now)
		r.ok(err)
		r.same(got, want)
	}},
	{"SaveInitialToken of a taken id is ErrExists", func(r *room) {
		_, i := r.newInitial(3)
		r.refused(r.SaveInitialToken(r.ctx(), i, change), storage.ErrExists)
	}},
	{"InitialToken unknown or with another secret is ErrNotFound", func(r *room) {
		h, _ := r.newInitial(3)
		for _, h := range []storage.Handle{forged(h), storage.NewHandle(now), {}} {
			_, err := r.InitialToken(r.ctx(), h, now)
			r.refused(err, storage.ErrNotFound)
		}
	}},
	{"InitialToken too old is ErrExpired, and one without an expiry never is", func(r *room) {
		h, i := r.newInitial(3)
		_, err := r.InitialToken(r.ctx(), h, i.Expires)
		r.refused(err, storage.ErrExpired)
		h, i = makeInitial(now, 1)
		i.Expires = time.Time{}
		r.ok(r.SaveInitialToken(r.ctx(), i, change))
		r.sweepAll(now.Add(far), 2*far, 100)
		_, err = r.InitialToken(r.ctx(), h, now.Add(far))
		r.ok(err)
	}},
	{"InitialToken used up is ErrSpent", func(r *room) {
		h, _ := r.newInitial(1)
		r.ok(r.register("a", h, now))
		_, err := r.InitialToken(r.ctx(), h, now)
		r.refused(err, storage.ErrSpent)
	}},
	{"InitialTokens lists those that are neither used up nor expired, oldest first", func(r *room) {
		var want []storage.InitialToken
		for _, age := range []time.Duration{2, 0, 1, 25} {
			_, i := makeInitial(now.Add(-age*time.Hour), -1)
			r.ok(r.SaveInitialToken(r.ctx(), i, change))
			want = append(want, i)
		}
		h, _ := r.newInitial(1)
		r.ok(r.register("a", h, now))
		got, err := r.InitialTokens(r.ctx(), now)
		r.ok(err)
		r.same(got, []storage.InitialToken{want[0], want[2], want[1]})
	}},
	{"RemoveInitialToken ends a token before its time; unknown is ErrNotFound", func(r *room) {
		h, i := r.newInitial(3)
		r.ok(r.RemoveInitialToken(r.ctx(), i.ID, change))
		_, err := r.InitialToken(r.ctx(), h, now)
		r.refused(err, storage.ErrNotFound)
		r.refused(r.RemoveInitialToken(r.ctx(), i.ID, change), storage.ErrNotFound)
	}},
	{"RegisterClient stores a new client and counts one use", func(r *room) {
		h, want := r.newInitial(3)
		r.ok(r.register("a", h, now))
		_, err := r.Client(r.ctx(), "a")
		r.ok(err)
		got, err := r.InitialToken(r.ctx(), h, now)
		r.ok(err)
		want.Uses = 2
		r.same(got, want)
	}},
	{"RegisterClient without a token stores a new client", func(r *room) {
		want := fullClient("a")
		saved, err := r.RegisterClient(r.ctx(), want, storage.Handle{}, change)
		r.ok(err)
		want.Revision = 1
		r.same(saved, want)
		got, err := r.Client(r.ctx(), "a")
		r.ok(err)
		r.same(got, want)
	}},
	{"a token for any number of uses keeps its number", func(r *room) {
		h, want := r.newInitial(-1)
		for i := range 3 {
			r.ok(r.register(fmt.Sprint("app", i), h, now))
		}
		got, err := r.InitialToken(r.ctx(), h, now)
		r.ok(err)
		r.same(got, want)
	}},
	{"of concurrent RegisterClient no more succeed than the token has uses", func(r *room) {
		h, _ := r.newInitial(5)
		registered := 0
		for _, err := range r.race(func(i int) error { return r.register(fmt.Sprint("app", i), h, now) }) {
			if err == nil {
				registered++
				continue
			}
			r.refused(err, storage.ErrSpent)
		}
		r.same(registered, 5)
		clients, err := r.Clients(r.ctx())
		r.ok(err)
		r.same(len(clients), 5)
	}},
	{"RegisterClient refused as by InitialToken and SaveClient stores nothing and counts nothing", func(r *room) {
		h, want := r.newInitial(1)
		r.ok(r.register("taken", storage.Handle{}, now))
		r.wroteNothing(func() {
			r.refused(r.register("a", forged(h), now), storage.ErrNotFound)
			r.refused(r.register("a", h, want.Expires), storage.ErrExpired)
			r.refused(r.register("taken", h, now), storage.ErrExists)
		})
		got, err := r.InitialToken(r.ctx(), h, now)
		r.ok(err)
		r.same(got, want)
		_, err = r.Client(r.ctx(), "a")
		r.refused(err, storage.ErrNotFound)
	}},
	{"tokens and what is registered with them leave entries", func(r *room) {
		h, i := r.newInitial(3)
		r.ok(r.register("a", h, now))
		r.ok(r.RemoveInitialToken(r.ctx(), i.ID, change))
		e := audit.Entry{Time: now, Event: audit.InitialTokenSaved, Origin: origin, Detail: i.ID.String() + ": " + change.Detail}
		client := audit.Entry{Time: now, Event: audit.ClientSaved, Origin: origin, Client: "a", Detail: change.Detail}
		removed := e
		removed.Event = audit.InitialTokenRemoved
		r.logged(e, client, removed)
	}},
	{"initial access tokens stay for 24 hours after they expired or were used up, and go then", func(r *room) {
		h, i := r.newInitial(3)
		used, _ := r.newInitial(1)
		r.ok(r.register("a", used, now))
		r.sweepAll(now.Add(23*time.Hour), far, 100)
		_, err := r.InitialToken(r.ctx(), used, now)
		r.refused(err, storage.ErrSpent)
		r.sweepAll(i.Expires.Add(23*time.Hour), far, 100)
		_, err = r.InitialToken(r.ctx(), used, now)
		r.refused(err, storage.ErrNotFound)
		_, err = r.InitialToken(r.ctx(), h, now)
		r.ok(err)
		r.sweepAll(i.Expires.Add(25*time.Hour), far, 100)
		_, err = r.InitialToken(r.ctx(), h, now)
		r.refused(err, storage.ErrNotFound)
	}},
}
