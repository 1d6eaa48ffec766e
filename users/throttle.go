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
	countedAt = 1 << 16          // accounts and addresses each; the least recently seen go first
	underWay  = time.Second      // what an attempt is told that must wait for another one's result
)

// throttle slows guessing down, for each account name, existing or not, and for each address. It is kept in memory: a restart
// forgives, and guessing causes no writes.
//
// An attempt is counted from its beginning, not from its failure: otherwise a thousand guesses sent at once would all pass.
type throttle struct {
	mu        sync.Mutex
	accounts  *simplelru.LRU[storage.Hash, *tally]
	addresses *simplelru.LRU[string, *tally]
}

// tally counts the attempts of one account or one address.
type tally struct {
	failures int
	underWay int
	last     time.Time // the last failure
}

func newThrottle() *throttle {
	accounts, err1 := simplelru.NewLRU[storage.Hash, *tally](countedAt, nil)
	addresses, err2 := simplelru.NewLRU[string, *tally](countedAt, nil)
	if err1 != nil || err2 != nil {
		panic("users: a cache of no size") // countedAt is a constant
	}
	return &throttle{accounts: accounts, addresses: addresses}
}

// attempt is one sign-in under way. It must be ended.
type attempt struct {
	t                *throttle
	accountKey       storage.Hash
	addressKey       string
	account, address *tally
}

// begin lets an attempt in, or answers [*Throttled].
func (t *throttle) begin(now time.Time, login, address string) (attempt, error) {
	a := attempt{t: t, accountKey: storage.HashOf([]byte(storage.LoginKey(login))), addressKey: trail.Network(address)}
	t.mu.Lock()
	defer t.mu.Unlock()
	a.account, a.address = look(t.accounts, a.accountKey), look(t.addresses, a.addressKey)
	if wait := max(perAccount.wait(a.account, now), perAddress.wait(a.address, now)); wait > 0 {
		return attempt{}, &Throttled{After: wait}
	}
	a.account.underWay++
	a.address.underWay++
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
	a.account.underWay--
	a.address.underWay--
	account, address := look(a.t.accounts, a.accountKey), look(a.t.addresses, a.addressKey) // others, if these were pushed out
	switch r {
	case failed:
		account.fail(now)
		address.fail(now)
	case succeeded:
		account.failures = 0
	}
}

// look finds a tally, or begins one.
func look[K comparable](lru *simplelru.LRU[K, *tally], key K) *tally {
	row, ok := lru.Get(key)
	if !ok {
		row = &tally{}
		lru.Add(key, row)
	}
	return row
}

func (row *tally) fail(now time.Time) {
	if now.Sub(row.last) >= fade {
		row.failures = 0
	}
	row.failures++
	row.last = now
}

// wait is how long the next attempt has to wait; 0 lets it in. Where it is not free any more, attempts go one by one.
func (p policy) wait(row *tally, now time.Time) time.Duration {
	since := max(0, now.Sub(row.last)) // a clock that was set back must not lock people out
	failures := row.failures
	if since >= fade {
		failures = 0
	}
	if wait := p.delay(failures) - since; wait > 0 {
		return wait
	}
	if row.underWay > 0 && failures+row.underWay > p.free {
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
