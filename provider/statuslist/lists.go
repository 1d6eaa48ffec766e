package statuslist

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"signet/provider/oauth"
	"signet/storage"
)

// Keys is what signs the lists; [signet/keys.Keys] is one.
type Keys interface {
	// Sign returns a compact JWS by the active key of alg.
	Sign(alg, typ string, claims []byte) (string, error)
	// JWKS returns the published keys and the tag that changes with them.
	JWKS() (body []byte, etag string)
}

// Store is what the lists are made of.
type Store interface {
	storage.Statuses
	// Resource is for the algorithm of the access tokens, which is that of the lists too: who verifies the ones can verify the others.
	Resource(ctx context.Context, id string) (storage.Resource, error)
}

// Options say what the lists are made of.
type Options struct {
	Issuer string // as configured
	Store  Store
	Keys   Keys
	Places *Places
	Now    func() time.Time
	Log    *slog.Logger // nil: nothing is logged
}

// Lists serves the lists.
type Lists struct {
	Options
	aggregation string // its URI

	reading singleflight.Group
	latest  atomic.Pointer[view]
	strays  int // marks that were left out when they were last read

	making sync.Mutex // one list at a time: it takes a millisecond, and whoever asks for many shall not have all cores
	press  press
	made   *lru.Cache[uint64, *signed]
	index  atomic.Pointer[aggregation]
}

// kept is how many lists are kept: some 10 MiB at the most, and 33 million numbers.
const kept = 256

// New returns the lists of a provider.
func New(o Options) *Lists {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	made, err := lru.New[uint64, *signed](kept)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &Lists{Options: o, aggregation: strings.TrimSuffix(o.Issuer, "/") + oauth.StatusListsPath, press: newPress(), made: made}
}

// view is what the store said at one moment. It is never changed.
type view struct {
	given uint64
	marks []uint64 // in ascending order
	alg   string
	read  time.Time
}

// last is the list in which the next number will be.
func (v *view) last() uint64 { return v.given / Size }

// has reports whether there is such a list. One more than is in use is there already: on another node it may have been begun.
func (v *view) has(list uint64) bool { return list <= v.last()+1 }

// of are the marks in a list.
func (v *view) of(list uint64) []uint64 {
	in := func(number, list uint64) int { return cmp.Compare((number-1)/Size, list) }
	from, _ := slices.BinarySearchFunc(v.marks, list, in)
	to, _ := slices.BinarySearchFunc(v.marks, list+1, in)
	return v.marks[from:to]
}

// youngerThan reports whether v was read less than d ago. A clock that was put back makes it old.
func (v *view) youngerThan(d time.Duration, now time.Time) bool {
	age := now.Sub(v.read)
	return age >= 0 && age < d
}

// patience is how long the store may take to say what is marked.
const patience = 5 * time.Second

// current returns what the store says. It is asked by one for all.
func (l *Lists) current(ctx context.Context) (*view, error) {
	known := l.latest.Load()
	if known != nil && known.youngerThan(fresh, l.Now()) {
		return known, nil
	}
	v, err := l.readByOne(ctx)
	if err != nil && known != nil && known.youngerThan(lag, l.Now()) {
		return known, nil
	}
	return v, err
}

func (l *Lists) readByOne(ctx context.Context) (*view, error) {
	answer := l.reading.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // it is not for this one alone
		defer cancel()
		return l.read(ctx)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-answer:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*view), nil
	}
}

func (l *Lists) read(ctx context.Context) (*view, error) {
	now := l.Now()
	res, err := l.Store.Resource(ctx, storage.DefaultResource)
	if err != nil {
		return nil, fmt.Errorf("the default resource: %w", err)
	}
	marks, err := l.Store.Marked(ctx, now)
	if err != nil {
		return nil, fmt.Errorf("the marks of the status list: %w", err)
	}
	v := &view{given: marks.Given, marks: l.given(marks), alg: res.Alg, read: now}
	l.latest.Store(v)
	return v, nil
}

// given are the marks of numbers that were given. Others can only come of a store that was changed by hand, and would make lists that no token
// points to.
func (l *Lists) given(m storage.Marks) []uint64 {
	marks := m.Numbers
	for len(marks) > 0 && marks[len(marks)-1] > m.Given {
		marks = marks[:len(marks)-1]
	}
	for len(marks) > 0 && marks[0] == 0 {
		marks = marks[1:]
	}
	if strays := len(m.Numbers) - len(marks); strays != l.strays {
		l.strays = strays
		l.Log.Warn("the store has marks for numbers of the status list that it never gave; they are left out", "marks", strays, "given", m.Given)
	}
	return marks
}

// list returns a list that there is, as v has it or newer.
func (l *Lists) list(list uint64, v *view) (*signed, error) {
	if s, ok := l.good(list, v); ok {
		return s, nil
	}
	l.making.Lock()
	defer l.making.Unlock()
	if s, ok := l.good(list, v); ok { // made meanwhile
		return s, nil
	}
	_, keyTag := l.Keys.JWKS() // before it is signed: were a key revoked meanwhile, the tag of after would say that the list is good
	s, err := l.make(list, v, keyTag, l.Now())
	if err != nil {
		return nil, err
	}
	l.made.Add(list, s)
	return s, nil
}

// good returns the list that is kept, if it says what v does.
func (l *Lists) good(list uint64, v *view) (*signed, bool) {
	s, ok := l.made.Get(list)
	if !ok {
		return nil, false
	}
	_, keyTag := l.Keys.JWKS()
	if !s.lasts(v.alg, keyTag, l.Now()) {
		return nil, false
	}
	if s.read.Before(v.read) {
		if !slices.Equal(s.marks, v.of(list)) {
			return nil, false
		}
		confirmed := *s
		confirmed.read = v.read
		s = &confirmed
		l.made.Add(list, s)
	}
	return s, true
}

// named is how many lists the aggregation names at the most: the newest. Older ones are there as well, should a token point to them.
const named = 4096

// aggregation is the document that names the lists: section 9.3.
type aggregation struct {
	last uint64
	body []byte
	etag string
}

func (l *Lists) aggregate(v *view) (*aggregation, error) {
	if a := l.index.Load(); a != nil && a.last == v.last() {
		return a, nil
	}
	var uris []string
	for list := v.last() + 1 - min(named, v.last()+1); list <= v.last(); list++ {
		uris = append(uris, l.Places.uri(list))
	}
	body, err := json.Marshal(struct {
		Lists []string `json:"status_lists"`
	}{uris})
	if err != nil {
		return nil, err
	}
	a := &aggregation{last: v.last(), body: body, etag: tagOf(body)}
	l.index.Store(a)
	return a, nil
}
