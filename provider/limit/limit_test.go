package limit_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"signet/audit"
	"signet/clients"
	"signet/provider/limit"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// rates are small, so that tests reach them.
var rates = limit.Rates{
	Address:      limit.Rate{PerSecond: 2, Burst: 20},
	Client:       limit.Rate{PerSecond: 10, Burst: 5},
	Guess:        limit.Rate{PerSecond: 1, Burst: 3},
	Registration: limit.Rate{PerSecond: 0.5, Burst: 2},
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type recorder struct {
	mu      sync.Mutex
	entries []audit.Entry
}

func (r *recorder) Record(_ context.Context, entries ...audit.Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, entries...)
	return nil
}

func limits(r limit.Rates) (*limit.Limits, *clock, *recorder) {
	c, log := &clock{at: time.Unix(1<<30, 0)}, &recorder{}
	return limit.New(limit.Options{Rates: r, Store: log, Now: c.now}), c, log
}

func from(address string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/token", nil)
	return r.WithContext(trail.With(r.Context(), trail.New(address)))
}

// wait is how long a refusal says to wait; 0 if there is none.
func wait(t *testing.T, err error) time.Duration {
	t.Helper()
	var e *oauth.Error
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &e) || e.Status != http.StatusTooManyRequests || e.RetryAfter <= 0:
		t.Fatalf("RFC 6585 4: 429 with Retry-After; not %v", err)
	}
	return e.RetryAfter
}

var backend = storage.Client{ID: "backend", TokenEndpointAuthMethod: clients.AuthBasic}

func TestAddress(t *testing.T) {
	t.Parallel()
	l, c, _ := limits(rates)
	for n := range 20 {
		if err := l.Address(from(fmt.Sprintf("2001:db8::%d", n+1))); err != nil { // one /64
			t.Fatalf("request %d: %v", n, err)
		}
	}
	if got := wait(t, l.Address(from("2001:db8::ffff"))); got != 500*time.Millisecond {
		t.Errorf("wait %v", got)
	}
	if err := l.Address(from("2001:db8:0:1::1")); err != nil {
		t.Errorf("another /64: %v", err)
	}
	if wait(t, l.LookAddress(from("2001:db8::1"))) == 0 || l.LookAddress(from("192.0.2.1")) != nil {
		t.Error("a look says something else")
	}
	c.pass(500 * time.Millisecond)
	if err := l.Address(from("2001:db8::1")); err != nil {
		t.Errorf("after the wait: %v", err)
	}
	if wait(t, l.Address(from("2001:db8::1"))) == 0 {
		t.Error("two after a wait for one")
	}
	if err := l.Client(from("2001:db8::1"), backend); err != nil {
		t.Errorf("a client that authenticated itself, from an address that has nothing left: %v", err)
	}
	public := storage.Client{ID: "spa", TokenEndpointAuthMethod: clients.AuthNone}
	if wait(t, l.Client(from("2001:db8::1"), public)) == 0 || l.Client(from("192.0.2.9"), public) != nil {
		t.Error("a public client is not counted by address")
	}
}

func TestClient(t *testing.T) {
	t.Parallel()
	l, _, _ := limits(rates)
	for n := range 5 {
		if err := l.Client(from(fmt.Sprintf("192.0.2.%d", n)), backend); err != nil {
			t.Fatalf("request %d: %v", n, err)
		}
	}
	if wait(t, l.Client(from("192.0.2.77"), backend)) == 0 || wait(t, l.Begin(from("192.0.2.77"), backend.ID)) == 0 {
		t.Error("from another address it goes on")
	}
	if err := l.Begin(from("192.0.2.77"), "other"); err != nil {
		t.Errorf("another client: %v", err)
	}
}

// A bearer of an access token is not the client that it was issued to: he has what that client has at his own address.
func TestBearer(t *testing.T) {
	t.Parallel()
	l, _, _ := limits(rates)
	for n := range 5 {
		if err := l.Bearer(from("192.0.2.1"), backend); err != nil {
			t.Fatalf("request %d: %v", n, err)
		}
	}
	if wait(t, l.Bearer(from("192.0.2.1"), backend)) == 0 {
		t.Error("a bearer has no bound")
	}
	if err := errors.Join(l.Begin(from("192.0.2.2"), backend.ID), l.Client(from("192.0.2.2"), backend), l.Bearer(from("192.0.2.2"), backend)); err != nil {
		t.Errorf("whoever has a token shuts out its client: %v", err)
	}
	public := storage.Client{ID: "spa", TokenEndpointAuthMethod: clients.AuthNone}
	for range 20 {
		l.Bearer(from("192.0.2.3"), public)
	}
	if wait(t, l.LookAddress(from("192.0.2.3"))) == 0 {
		t.Error("a public client's tokens are not counted by address")
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	l, c, _ := limits(rates)
	denied := oauth.Errorf(oauth.InvalidClient, "no")
	r := from("192.0.2.1")
	for n := range 3 {
		if err := errors.Join(l.Begin(r, "backend"), l.Begin(r, "neighbour")); err != nil {
			t.Fatalf("attempt %d: %v", n, err)
		}
		if err := l.Failed(r, "backend", denied); n < 2 && err != denied {
			t.Fatalf("attempt %d: %v", n, err)
		}
	}
	if got := wait(t, l.Begin(r, "backend")); got != time.Second {
		t.Errorf("after three: wait %v", got)
	}
	if err := errors.Join(l.Begin(r, "neighbour"), l.Client(r, storage.Client{ID: "neighbour", TokenEndpointAuthMethod: clients.AuthBasic})); err != nil {
		t.Errorf("a neighbour with the right secret: %v", err)
	}
	if err := l.Begin(from("192.0.2.2"), "backend"); err != nil {
		t.Errorf("the client from elsewhere: %v", err)
	}
	if wait(t, l.Address(r)) == 0 { // two failures cost twenty
		t.Error("failures cost the address nothing")
	}
	if wait(t, l.Failed(r, "made up", denied)) == 0 {
		t.Error("made-up ids are free")
	}
	trouble := errors.New("the store is down")
	if err := l.Failed(from("192.0.2.3"), "x", trouble); err != trouble || wait(t, l.LookAddress(from("192.0.2.3"))) != 0 {
		t.Errorf("our own trouble is counted: %v", err)
	}
	c.pass(time.Second)
	if err := l.Begin(r, "backend"); err != nil {
		t.Errorf("a second later: %v", err)
	}
}

func TestTold(t *testing.T) {
	t.Parallel()
	l, c, log := limits(rates)
	levels := map[slog.Level]int{}
	for range 50 {
		r := from("192.0.2.1")
		if l.Registration(r) != nil {
			levels[trail.Of(r.Context()).Level]++
		}
	}
	if len(log.entries) != 1 || levels[slog.LevelWarn] != 1 || levels[slog.LevelDebug] != 47 {
		t.Errorf("once in a window: %v, %v", log.entries, levels)
	}
	e := log.entries[0]
	if e.Event != audit.LimitReached || e.Address != "192.0.2.1" || e.Trace == "" || e.Detail != "of registration" {
		t.Errorf("%+v", e)
	}
	c.pass(30 * time.Second)
	for range 50 {
		l.Registration(from("192.0.2.1"))
	}
	c.pass(31 * time.Second)
	for range 50 {
		l.Registration(from("192.0.2.1"))
	}
	if len(log.entries) != 2 {
		t.Errorf("in the second window: %v", log.entries)
	}
	for n := range 1000 { // whoever has many addresses does not fill the log
		for range 3 {
			l.Registration(from(fmt.Sprintf("10.0.%d.%d", n/250, n%250)))
		}
	}
	if len(log.entries) > 22 {
		t.Errorf("%d entries", len(log.entries))
	}
}

// What made a line a warning stays one: a flood must not hide what comes with it.
func TestToldStays(t *testing.T) {
	t.Parallel()
	l, _, _ := limits(rates)
	for range 30 {
		l.Address(from("192.0.2.1"))
	}
	r := from("192.0.2.1")
	trail.Of(r.Context()).Raise(slog.LevelWarn) // an assertion came twice
	if wait(t, l.Failed(r, "backend", oauth.Errorf(oauth.InvalidClient, "no"))) == 0 {
		t.Fatal("the address has something left, so this tests nothing")
	}
	if got := trail.Of(r.Context()).Level; got != slog.LevelWarn {
		t.Errorf("the line is at %v", got)
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	l, _, _ := limits(rates)
	for range 20 {
		l.Address(from("192.0.2.1"))
	}
	more := rates
	more.Address = limit.Rate{PerSecond: 100, Burst: 40}
	l.Change(more, true)
	if got := wait(t, l.Address(from("192.0.2.1"))); got != 10*time.Millisecond {
		t.Errorf("what was used is forgotten, or the new rate is not kept: wait %v", got)
	}
	for range 40 {
		if err := l.Address(from("192.0.2.2")); err != nil {
			t.Fatal(err)
		}
	}
	l.Change(more, false)
	if err := l.Address(from("192.0.2.1")); err != nil {
		t.Errorf("off: %v", err)
	}
	l.Change(more, true)
	if wait(t, l.Address(from("192.0.2.2"))) == 0 {
		t.Error("on again: what was used is forgotten")
	}
	var none *limit.Limits
	if err := errors.Join(none.Address(from("")), none.Begin(from(""), "x"), none.Client(from(""), backend), none.Registration(from(""))); err != nil {
		t.Error(err)
	}
}

// Any number of addresses and client ids takes no more than is promised. SIGNET_TEST_ADDRESSES says how many; ten million take a minute,
// and no more memory than these, which are more than every table holds.
func TestMemory(t *testing.T) {
	many := 200_000
	if n, err := strconv.Atoi(os.Getenv("SIGNET_TEST_ADDRESSES")); err == nil {
		many = n
	}
	l, _, _ := limits(limit.Default)
	before := heap()
	r := from("")
	on := trail.Of(r.Context())
	id := make([]byte, 0, 32)
	denied := oauth.Errorf(oauth.InvalidClient, "no")
	for n := range many {
		var a [16]byte
		binary.BigEndian.PutUint64(a[:], 0x20010db8<<32|uint64(n))
		on.Address = netip.AddrFrom16(a).String()
		id = fmt.Appendf(id[:0], "client%d", n)
		l.Address(r)
		if n%8 == 0 { // they are slower
			l.Failed(r, string(id), denied)
			l.Registration(r)
			l.Client(r, storage.Client{ID: string(id)})
			l.Bearer(r, storage.Client{ID: string(id)})
		}
	}
	took := heap() - before
	t.Logf("%d addresses: %.1f MiB", many, float64(took)/(1<<20))
	if took > limit.MaxMemory {
		t.Errorf("%d bytes; promised are %d", took, limit.MaxMemory)
	}
	runtime.KeepAlive(l)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A request costs less than a microsecond.
func BenchmarkLimits(b *testing.B) {
	free := limit.Rates{Address: limit.Rate{PerSecond: 1e9, Burst: 1e9}, Client: limit.Rate{PerSecond: 1e9, Burst: 1e9}, Guess: limit.Default.Guess, Registration: limit.Default.Registration}
	l := limit.New(limit.Options{Rates: free})
	for name, f := range map[string]func(r *http.Request) error{
		"address":               l.Address,
		"client authentication": func(r *http.Request) error { return errors.Join(l.Begin(r, backend.ID), l.Client(r, backend)) },
	} {
		for _, address := range []string{"192.0.2.17", "2001:db8:1:2:3:4:5:6"} {
			b.Run(name+"/"+address, func(b *testing.B) {
				b.ReportAllocs()
				r := from(address)
				for b.Loop() {
					if err := f(r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
