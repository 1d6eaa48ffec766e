package register

import (
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"signet/provider/oauth"
	"signet/provider/trail"
)

// How many registrations one address may try: a test suite or an office behind one address fits, a flood does not.
const (
	perSecond = 2
	atOnce    = 60
	countedAt = 1 << 14 // addresses; the one that was not seen for the longest time is forgotten first
)

// limiter bounds how often each address tries to register or to update a client. Each try is a row that stays, or a fetch.
type limiter struct {
	mu        sync.Mutex
	addresses *simplelru.LRU[string, *rate.Limiter]
}

func newLimiter() *limiter {
	addresses, err := simplelru.NewLRU[string, *rate.Limiter](countedAt, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &limiter{addresses: addresses}
}

func (l *limiter) allow(address string, now time.Time) error {
	if l.of(trail.Network(address)).AllowN(now, 1) {
		return nil
	}
	return &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "too many registrations from this address, try again later",
		Status: http.StatusTooManyRequests, RetryAfter: time.Second}
}

func (l *limiter) of(network string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket, ok := l.addresses.Get(network)
	if !ok {
		bucket = rate.NewLimiter(perSecond, atOnce)
		l.addresses.Add(network, bucket)
	}
	return bucket
}
