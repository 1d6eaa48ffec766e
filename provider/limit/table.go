package limit

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// Rate is how often something may happen: PerSecond in the long run, and Burst at once.
type Rate struct {
	PerSecond float64
	Burst     int
}

// bucket is what is left to one who is counted.
type bucket struct {
	rate.Limiter
	told time.Time // when the last refusal was told
}

// table holds the buckets of one kind.
type table struct {
	mu      sync.Mutex
	rate    Rate
	buckets *simplelru.LRU[uint64, *bucket]
}

func newTable(r Rate, size int) *table {
	buckets, err := simplelru.NewLRU[uint64, *bucket](size, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &table{rate: r, buckets: buckets}
}

// refusal says how long to wait; zero lets in.
type refusal struct {
	wait  time.Duration
	first bool // of its bucket in this window
}

// window is how often refusals of one bucket are told.
const window = time.Minute

// take takes n from a bucket, or what is left if that is less and more than one; from an empty one it takes nothing.
func (t *table) take(key uint64, n int, now time.Time) refusal {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.buckets.Get(key)
	if !ok {
		b = t.fresh()
		t.buckets.Add(key, b)
	}
	if n > 1 {
		n = max(1, min(n, int(b.TokensAt(now))))
	}
	if b.AllowN(now, n) {
		return refusal{}
	}
	return t.refuse(b, now)
}

// look says what take would, and takes nothing.
func (t *table) look(key uint64, now time.Time) refusal {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.buckets.Peek(key)
	if !ok || b.TokensAt(now) >= 1 {
		return refusal{}
	}
	return t.refuse(b, now)
}

// fresh is a full bucket.
func (t *table) fresh() *bucket {
	b := &bucket{}
	t.set(b, time.Time{}) // all that was saved up since then is more than a burst
	return b
}

func (t *table) set(b *bucket, now time.Time) {
	b.SetLimitAt(now, rate.Limit(t.rate.PerSecond))
	b.SetBurstAt(now, t.rate.Burst)
}

func (t *table) refuse(b *bucket, now time.Time) refusal {
	lacking := 1 - b.TokensAt(now)
	r := refusal{wait: time.Duration(math.Ceil(lacking / t.rate.PerSecond * float64(time.Second)))}
	if now.Sub(b.told) >= window || now.Before(b.told) {
		b.told, r.first = now, true
	}
	return r
}

// change sets another rate. What was used a moment ago stays used.
func (t *table) change(r Rate, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rate == r {
		return
	}
	t.rate = r
	for _, b := range t.buckets.Values() {
		t.set(b, now)
	}
}
