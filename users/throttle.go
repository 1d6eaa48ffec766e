package users

import (
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"signet/provider/trail"
	"signet/storage"
)

// Throttled says that too many sign-ins failed; After is how long to wait. It is said before anything is looked up, so it says
// nothing about the account or the password.
type Throttled struct{ After time.Duration }

func (t *Throttled) Error() string {
	seconds := (t.After + time.Second - 1).Truncate(time.Second)
	return fmt.Sprintf("too many failed sign-ins; try again in %s", seconds)
}

// policy says how failures slow down further attempts: the first free ones do not, each one more doubles the wait, from first up to
// longest.
type policy struct {
	free           int
	first, longest time.Duration
}

var (
	perAccount = policy{free: 5, first: time.Second, longest: time.Minute}
	perAddress = policy{free: 20, first: time.Second, longest: 5 * time.Minute}
)

const (
	fade      = 15 * time.Minute // without a failure, and all of them are forgotten
	countedAt = 1 << 16          // accounts and addresses each; those whose last failure is the oldest go first
	underWay  = time.Second      // what an attempt is told that must wait for another one's result
)

// throttle slows guessing down, for each account name, existing or not, and for each address. It is kept in memory: a restart
// forgives, and guessing causes no writes.
//
// An attempt is counted from its beginning, not from its failure: otherwise a thousand guesses sent at once would all pass.
//
// Nothing but a failure is remembered, so each row costs whoever wants to push another's out one password hash, and each hash is
// slowed down here. Attempts that are refused or given up cost nothing and push nothing out.
//
// What is counted is what was typed. A person who signs in with a name and with an address has two tallies, so a guesser has twice
// the tries at that account. One tally for both would tell more than it saves: that failures at one slow the other down shows that
// both belong to somebody, and who is there is nobody's business.
type throttle struct {
	mu        sync.Mutex
	accounts  tallies[storage.Hash]
	addresses tallies[string]
}

// tallies count the attempts of all accounts, or of all addresses.
type tallies[K comparable] struct {
	policy
	failed   *simplelru.LRU[K, tally]
	underWay map[K]int // never more than requests are being answered
}

// tally is the failures of one account or one address.
type tally struct {
	failures int
	last     time.Time
}

func newThrottle() *throttle {
	return &throttle{accounts: newTallies[storage.Hash](perAccount), addresses: newTallies[string](perAddress)}
}

func newTallies[K comparable](p policy) tallies[K] {
	failed, err := simplelru.NewLRU[K, tally](countedAt, nil)
	if err != nil {
		panic("users: a cache of no size") // countedAt is a constant
	}
	return tallies[K]{policy: p, failed: failed, underWay: map[K]int{}}
}

// attempt is one sign-in under way. It must be ended.
type attempt struct {
	t       *throttle
	account storage.Hash
	address string
}

// begin lets an attempt in, or answers [*Throttled].
func (t *throttle) begin(now time.Time, login, address string) (attempt, error) {
	a := attempt{t: t, account: storage.HashOf([]byte(storage.LoginKey(login))), address: trail.Network(address)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if wait := max(t.accounts.wait(a.account, now), t.addresses.wait(a.address, now)); wait > 0 {
		return attempt{}, &Throttled{After: wait}
	}
	t.accounts.underWay[a.account]++
	t.addresses.underWay[a.address]++
	return a, nil
}

// result is how an attempt ended.
type result int

const (
	undecided result = iota // the password was not looked at
	failed
	succeeded
)

// end counts the result. A success clears the account and not the address: otherwise one account of one's own would buy guesses
// at all others.
func (a attempt) end(now time.Time, r result) {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	a.t.accounts.leave(a.account)
	a.t.addresses.leave(a.address)
	switch r {
	case failed:
		a.t.accounts.fail(a.account, now)
		a.t.addresses.fail(a.address, now)
	case succeeded:
		a.t.accounts.failed.Remove(a.account)
	}
}

func (t tallies[K]) leave(key K) {
	if t.underWay[key]--; t.underWay[key] == 0 {
		delete(t.underWay, key)
	}
}

func (t tallies[K]) fail(key K, now time.Time) {
	row, _ := t.failed.Peek(key)
	if now.Sub(row.last) >= fade {
		row.failures = 0
	}
	t.failed.Add(key, tally{failures: row.failures + 1, last: now})
}

// wait is how long the next attempt has to wait; 0 lets it in. Where it is not free any more, attempts go one by one.
func (t tallies[K]) wait(key K, now time.Time) time.Duration {
	row, _ := t.failed.Peek(key)
	since := max(0, now.Sub(row.last)) // a clock that was set back must not lock people out
	failures := row.failures
	if since >= fade {
		failures = 0
	}
	if wait := t.delay(failures) - since; wait > 0 {
		return wait
	}
	if open := t.underWay[key]; open > 0 && failures+open > t.free {
		return underWay
	}
	return 0
}

// delay is how long after that many failures nothing is let in.
func (p policy) delay(failures int) time.Duration {
	if failures <= p.free {
		return 0
	}
	delay := p.first
	for range failures - p.free - 1 {
		if delay *= 2; delay >= p.longest {
			return p.longest
		}
	}
	return delay
}
