package device

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// How often somebody may be wrong: RFC 8628 section 5.1. Of 34 bits, with a thousand codes under way, an account that never stops guessing hits
// one in some fifty years.
const (
	maxWrong  = 10
	window    = 10 * time.Minute
	countedAt = 1 << 15 // accounts and addresses together; those that were wrong the longest ago go first
	underWay  = time.Second
)

// guesses counts wrong codes, of each account and of each address, in memory: a restart forgives, and nodes count for themselves.
//
// A guess is counted from its beginning, until it turns out to be right: otherwise a thousand that are sent at once would all pass.
type guesses struct {
	mu    sync.Mutex
	wrong *simplelru.LRU[string, tally]
}

// tally is what one account or address did since the first wrong guess.
type tally struct {
	since    time.Time
	wrong    int
	underWay int
	told     bool // that it was refused
}

func newGuesses() *guesses {
	wrong, err := simplelru.NewLRU[string, tally](countedAt, nil)
	if err != nil {
		panic("device: a cache of no size") // countedAt is a constant
	}
	return &guesses{wrong: wrong}
}

// begin lets a guess in, which must be ended, or says how long to wait. first says that it is the first refusal of a window.
func (g *guesses) begin(now time.Time, who []string) (wait time.Duration, first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, key := range who {
		t := g.tally(key, now)
		switch {
		case t.wrong >= maxWrong:
			wait = max(wait, t.since.Add(window).Sub(now))
			first = first || !t.told
			t.told = true
			g.wrong.Add(key, t)
		case t.wrong+t.underWay >= maxWrong:
			wait = max(wait, underWay)
		}
	}
	if wait > 0 {
		return wait, first
	}
	for _, key := range who {
		t := g.tally(key, now)
		t.underWay++
		g.wrong.Add(key, t)
	}
	return 0, false
}

// end ends a guess.
func (g *guesses) end(now time.Time, who []string, wrong bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, key := range who {
		t := g.tally(key, now)
		t.underWay = max(0, t.underWay-1)
		if wrong {
			if t.wrong++; t.wrong == 1 {
				t.since = now
			}
		}
		if t.wrong == 0 && t.underWay == 0 { // who is right leaves nothing behind
			g.wrong.Remove(key)
			continue
		}
		g.wrong.Add(key, t)
	}
}

// tally is the one of key, without what is too long ago. A clock that went back forgives.
func (g *guesses) tally(key string, now time.Time) tally {
	t, _ := g.wrong.Get(key)
	if age := now.Sub(t.since); t.wrong > 0 && (age >= window || age < 0) {
		return tally{underWay: t.underWay}
	}
	return t
}
