package limit

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"signet/audit"
	"signet/clients"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// Rates are the limits.
type Rates struct {
	Address      Rate // requests of an address that no client vouches for
	Client       Rate // requests of a client that authenticated itself; and by its access tokens from one address
	Guess        Rate // failed authentications as one client from one address
	Registration Rate // registrations and their updates from an address
}

// Default lets pass an office behind one address, a certification suite and a backend that refreshes thousands of tokens a second.
var Default = Rates{
	Address:      Rate{PerSecond: 50, Burst: 500},
	Client:       Rate{PerSecond: 5000, Burst: 10000},
	Guess:        Rate{PerSecond: 1, Burst: 20},
	Registration: Rate{PerSecond: 2, Burst: 60},
}

// How many are counted at a time.
const (
	addresses     = 1 << 16
	clientIDs     = 1 << 13
	bearers       = 1 << 13
	guesses       = 1 << 14
	registrations = 1 << 13
)

// MaxMemory is what all tables take at the most, in bytes.
const MaxMemory = 32 << 20

// failure is how many requests a failed authentication of a client counts for at its address.
const failure = 10

// Recorder keeps the audit log.
type Recorder interface {
	Record(ctx context.Context, entries ...audit.Entry) error
}

// Options are what [Limits] are made of.
type Options struct {
	Rates Rates
	Store Recorder
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: nothing is logged
}

// Limits counts. Its methods may be called concurrently; those of a nil *Limits let everything pass.
type Limits struct {
	store Recorder
	now   func() time.Time
	log   *slog.Logger
	off   atomic.Bool
	seed  maphash.Seed // nobody can choose addresses or ids that share a bucket

	address, client, bearer, guess, registration *table
	entries                                      *rate.Limiter // of the audit log
}

// New returns Limits of which nobody used anything yet.
func New(o Options) *Limits {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Limits{
		store: o.Store, now: o.Now, log: o.Log, seed: maphash.MakeSeed(),
		address: newTable(o.Rates.Address, addresses), client: newTable(o.Rates.Client, clientIDs),
		bearer: newTable(o.Rates.Client, bearers),
		guess:  newTable(o.Rates.Guess, guesses), registration: newTable(o.Rates.Registration, registrations),
		entries: rate.NewLimiter(5, 20), // whoever has many addresses shall not fill it
	}
}

// Change sets other rates, or with on false none. What was used a moment ago stays used.
func (l *Limits) Change(r Rates, on bool) {
	now := l.now()
	l.address.change(r.Address, now)
	l.client.change(r.Client, now)
	l.bearer.change(r.Client, now)
	l.guess.change(r.Guess, now)
	l.registration.change(r.Registration, now)
	l.off.Store(!on)
}

func (l *Limits) idle() bool { return l == nil || l.off.Load() }

// Address counts a request by its address. A refusal is an [*oauth.Error] with the status 429.
func (l *Limits) Address(r *http.Request) error {
	if l.idle() {
		return nil
	}
	return l.answer(r, "address", "", l.address.take(l.network(r), 1, l.now()))
}

// LookAddress refuses what Address would, and counts nothing: for what is counted when it is known whose request it is.
func (l *Limits) LookAddress(r *http.Request) error {
	if l.idle() {
		return nil
	}
	return l.answer(r, "address", "", l.address.look(l.network(r), l.now()))
}

// Registration counts a registration or its update.
func (l *Limits) Registration(r *http.Request) error {
	if l.idle() {
		return nil
	}
	return l.answer(r, "registration", "", l.registration.take(l.network(r), 1, l.now()))
}

// Document counts a fetch that a browser makes us do to find out what an app is: whoever names a new one each time has as many as
// registrations.
func (l *Limits) Document(r *http.Request) error {
	if l.idle() {
		return nil
	}
	return l.answer(r, "document", "", l.registration.take(l.network(r), 1, l.now()))
}

// Client counts a request of a client that authenticated itself; one that has no means to is counted by address.
func (l *Limits) Client(r *http.Request, c storage.Client) error {
	if l.idle() {
		return nil
	}
	if c.TokenEndpointAuthMethod == clients.AuthNone {
		return l.Address(r)
	}
	return l.answer(r, "client", c.ID, l.client.take(l.id(c.ID), 1, l.now()))
}

// Bearer counts a request that brings an access token of a client: by the client at this address, since whoever got hold of one token is
// not the client and shall not use up what it has. Tokens of a client that has no means to authenticate are counted by address.
func (l *Limits) Bearer(r *http.Request, c storage.Client) error {
	if l.idle() {
		return nil
	}
	if c.TokenEndpointAuthMethod == clients.AuthNone {
		return l.Address(r)
	}
	return l.answer(r, "bearer", c.ID, l.bearer.take(l.pair(r, c.ID), 1, l.now()))
}

// Begin refuses an attempt to authenticate as a client before anything is compared, if too many from this address failed or the client
// has nothing left. id is what was sent.
func (l *Limits) Begin(r *http.Request, id string) error {
	if l.idle() {
		return nil
	}
	now := l.now()
	if err := l.answer(r, "client authentication", "", l.guess.look(l.pair(r, id), now)); err != nil {
		return err
	}
	return l.answer(r, "client", "", l.client.look(l.id(id), now))
}

// Failed counts an attempt that failed by err, and returns what to answer: err itself, or 429 where the address has nothing left. What
// is no fault of the client's is not counted.
func (l *Limits) Failed(r *http.Request, id string, err error) error {
	if l.idle() || oauth.AsError(err).Code != oauth.InvalidClient {
		return err
	}
	now := l.now()
	l.guess.take(l.pair(r, id), 1, now)
	if refused := l.answer(r, "address", "", l.address.take(l.network(r), failure, now)); refused != nil {
		return refused
	}
	return err
}

func (l *Limits) network(r *http.Request) uint64 {
	network := networkOf(r)
	return maphash.Bytes(l.seed, network[:])
}

// networkOf is what is counted as one address; where there is none it is the unspecified one.
func networkOf(r *http.Request) [16]byte {
	if p := trail.Prefix(trail.Of(r.Context()).Address); p.IsValid() {
		return p.Addr().As16()
	}
	return [16]byte{}
}

func (l *Limits) id(id string) uint64 { return maphash.String(l.seed, id) }

func (l *Limits) pair(r *http.Request, id string) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	network := networkOf(r)
	_, _ = h.Write(network[:])
	_, _ = h.WriteString(id)
	return h.Sum64()
}

// answer is nil, or the refusal, which the first time in a window is told. client is one that was authenticated.
func (l *Limits) answer(r *http.Request, what, client string, refused refusal) error {
	if refused.wait == 0 {
		return nil
	}
	t := trail.Of(r.Context())
	if refused.first {
		t.Raise(slog.LevelWarn)
		l.record(r, what, client)
	} else if t.Level < slog.LevelWarn { // what made it a warning before counts for more
		t.Level = slog.LevelDebug
	}
	return &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: descriptions[what], Status: http.StatusTooManyRequests, RetryAfter: refused.wait,
		Cause: errors.New("rate limit: " + what)}
}

var descriptions = map[string]string{
	"address":               "too many requests from this address, try again later",
	"registration":          "too many registrations from this address, try again later",
	"document":              "too many unknown clients from this address, try again later",
	"client":                "too many requests of this client, try again later",
	"bearer":                "too many requests with tokens of this client from this address, try again later",
	"client authentication": "too many failed attempts to authenticate as this client, try again later",
}

// record is made even when whoever asked has left. One that cannot be made is logged, and the request is refused all the same.
func (l *Limits) record(r *http.Request, what, client string) {
	now := l.now()
	if l.store == nil || !l.entries.AllowN(now, 1) {
		return
	}
	e := audit.Entry{Time: now, Event: audit.LimitReached, Origin: trail.Of(r.Context()).Origin(), Client: client, Detail: "of " + what}
	if err := l.store.Record(context.WithoutCancel(r.Context()), e); err != nil {
		l.log.ErrorContext(r.Context(), "a rate limit that was reached could not be recorded", "error", err)
	}
}
