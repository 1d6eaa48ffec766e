package keyset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"signet/fetch"
	"signet/storage"
)

// ErrNoKey: the client has no key for the purpose.
var ErrNoKey = errors.New("the client has no key")

// Fetcher is the way to a jwks_uri: a [*fetch.Client].
type Fetcher interface {
	Get(ctx context.Context, url string, accept ...string) (fetch.Document, error)
}

// Options say where keys come from.
type Options struct {
	Fetch Fetcher
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: nothing is logged
}

const (
	maxClients = 1024 // whose keys are remembered

	// How long what a jwks_uri answered is good. Its server may say something in between.
	minAge     = time.Minute
	defaultAge = time.Hour
	maxAge     = 24 * time.Hour
	// graceAge is how long it stays good beyond that where nothing better can be fetched.
	graceAge = 24 * time.Hour
	// fetchEvery is how often a client's keys are fetched at the most.
	fetchEvery = 10 * time.Second
)

// Keys finds the keys of clients. Its methods may be called concurrently.
type Keys struct {
	fetch Fetcher
	now   func() time.Time
	log   *slog.Logger

	mu      sync.Mutex
	entries *simplelru.LRU[string, *entry] // by client id: those that are fetched
	inline  *simplelru.LRU[string, *entry] // those of jwks, apart, since they cost nothing to have and would push the others out
}

// New returns Keys.
func New(o Options) *Keys {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Keys{fetch: o.Fetch, now: o.Now, log: o.Log, entries: newEntries(), inline: newEntries()}
}

func newEntries() *simplelru.LRU[string, *entry] {
	entries, err := simplelru.NewLRU[string, *entry](maxClients, nil)
	if err != nil { // of a size that is not positive
		panic(err)
	}
	return entries
}

// entry is what is known of one client's keys, as long as its metadata says the same about them.
type entry struct {
	jwks     []byte
	uri      string
	fetching chan struct{} // holds something while a fetch is under way

	mu    sync.Mutex
	set   Set
	until time.Time // the set is good; zero: there is none
	tried time.Time // the last fetch began
}

// Verification returns the key that verifies what a client signed with an algorithm. kid is that of the header; "" where it has none,
// and then there must be one key alone. No such key: [ErrNoKey].
func (k *Keys) Verification(ctx context.Context, c storage.Client, alg, kid string) (jose.JSONWebKey, error) {
	return k.get(ctx, c, func(s Set) (jose.JSONWebKey, error) { return s.find(UseSig, alg, kid) })
}

// Encryption returns the key that what is for a client alone is encrypted to with a key management algorithm: the first that suits.
// None: [ErrNoKey].
func (k *Keys) Encryption(ctx context.Context, c storage.Client, alg string) (jose.JSONWebKey, error) {
	return k.get(ctx, c, func(s Set) (jose.JSONWebKey, error) { return s.first(UseEnc, alg) })
}

func (k *Keys) get(ctx context.Context, c storage.Client, pick func(Set) (jose.JSONWebKey, error)) (jose.JSONWebKey, error) {
	if len(c.JWKS) == 0 && c.JWKSURI == "" {
		return jose.JSONWebKey{}, fmt.Errorf("%w: neither jwks nor jwks_uri is registered", ErrNoKey)
	}
	e, err := k.entry(c)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	set, fresh, good := e.current(k.now())
	if good {
		key, err := pick(set)
		if e.uri == "" || fresh && err == nil {
			return key, err
		}
	}
	fetchErr := k.refresh(ctx, c, e, func(s Set) bool {
		_, err := pick(s)
		return err == nil
	})
	set, _, good = e.current(k.now())
	if !good {
		return jose.JSONWebKey{}, fmt.Errorf("%w: jwks_uri: %w", ErrNoKey, fetchErr)
	}
	return pick(set)
}

// entry returns what is known of c's keys: what was known before, unless its metadata changed.
func (k *Keys) entry(c storage.Client) (*entry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	entries := k.entries
	if c.JWKSURI == "" {
		entries = k.inline
	}
	if e, ok := entries.Get(c.ID); ok && e.uri == c.JWKSURI && bytes.Equal(e.jwks, c.JWKS) {
		return e, nil
	}
	e := &entry{jwks: c.JWKS, uri: c.JWKSURI, fetching: make(chan struct{}, 1)}
	if e.uri == "" {
		var err error
		if e.set, err = Parse(c.JWKS); err != nil {
			return nil, fmt.Errorf("%w: jwks %w", ErrNoKey, err)
		}
	}
	entries.Add(c.ID, e)
	return e, nil
}

// current returns the set. fresh: it need not be fetched again. good: it can be used.
func (e *entry) current(now time.Time) (set Set, fresh, good bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.uri == "" {
		return e.set, true, true
	}
	return e.set, now.Before(e.until), !e.until.IsZero() && now.Before(e.until.Add(graceAge))
}

// errSoon stands for a fetch that was left out.
var errSoon = errors.New("it was fetched a moment ago")

// refresh fetches a client's keys, unless that was done a moment ago or another does it meanwhile with what is wanted.
func (k *Keys) refresh(ctx context.Context, c storage.Client, e *entry, wanted func(Set) bool) error {
	select {
	case e.fetching <- struct{}{}:
		defer func() { <-e.fetching }()
	case <-ctx.Done():
		return ctx.Err()
	}
	now := k.now()
	if set, fresh, _ := e.current(now); fresh && wanted(set) { // while we waited
		return nil
	}
	if !e.begin(now) {
		return errSoon
	}
	// Whoever asked may leave: otherwise strangers who come and go would keep a client's keys from being fetched.
	d, err := k.fetch.Get(context.WithoutCancel(ctx), e.uri, "application/jwk-set+json", "application/json")
	var set Set
	if err == nil {
		set, err = Parse(d.Body)
	}
	if err != nil {
		k.log.Warn("the keys of a client could not be fetched; those known before stay for a day", "client", c.ID, "error", err)
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.set, e.until = set, now.Add(age(d.Fresh))
	return nil
}

// begin notes that a fetch begins, unless the last one began a moment ago. A clock that was set back does not keep it off.
func (e *entry) begin(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if since := now.Sub(e.tried); !e.tried.IsZero() && since >= 0 && since < fetchEvery {
		return false
	}
	e.tried = now
	return true
}

// age is how long an answer is kept whose server allows so much; negative: it does not say.
func age(fresh time.Duration) time.Duration {
	if fresh < 0 {
		return defaultAge
	}
	return min(max(fresh, minAge), maxAge)
}
