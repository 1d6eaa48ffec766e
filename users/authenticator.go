package users

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"signet/audit"
	"signet/storage"
)

var (
	// ErrCredentials is the one answer to whatever is wrong with a name and a password.
	ErrCredentials = errors.New("name or password is wrong")
	// ErrBusy: too many sign-ins are waiting for their turn. It is a [storage.ErrBusy]: try again soon.
	ErrBusy = fmt.Errorf("too many sign-ins at once: %w", storage.ErrBusy)
)

// Store is what an [Authenticator] needs of the store.
type Store interface {
	UserByLogin(ctx context.Context, login string) (storage.User, error)
	SignInFailed(ctx context.Context, sub string, n storage.SignInNote, entries ...audit.Entry) error
}

// From says where an attempt comes from.
type From struct {
	Origin    audit.Origin
	UserAgent string // as far as it is kept
	Client    string // for which somebody wants to sign in; empty: for their own pages
}

// Options are what an [Authenticator] is made of. Zero values but Store's have a default.
type Options struct {
	Store Store
	Now   func() time.Time
	Log   *slog.Logger
	// Parallel is how many passwords are hashed at a time: by default one per core. Each takes 19 MiB.
	Parallel int
	// Waiting is how many more may wait for their turn; by default 50 for each of Parallel, which is a second or two.
	Waiting int
}

// Authenticator checks who signs in. Its methods may be called concurrently.
type Authenticator struct {
	store    Store
	now      func() time.Time
	log      *slog.Logger
	throttle *throttle
	derive   func(normalized string, h phc) []byte
	dummy    phc           // hashed against where there is no hash
	queue    chan struct{} // those that hash or wait
	cores    chan struct{} // those that hash
}

// NewAuthenticator returns an Authenticator that has seen no failure yet.
func NewAuthenticator(o Options) *Authenticator {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Parallel <= 0 {
		o.Parallel = runtime.GOMAXPROCS(0)
	}
	if o.Waiting <= 0 {
		o.Waiting = 50 * o.Parallel
	}
	return &Authenticator{
		store:    o.Store,
		now:      o.Now,
		log:      o.Log,
		throttle: newThrottle(),
		derive:   derive,
		dummy:    fresh(),
		queue:    make(chan struct{}, o.Parallel+o.Waiting),
		cores:    make(chan struct{}, o.Parallel),
	}
}

// maxLogin bounds the work on a name; no account has a longer one.
const maxLogin = 1024

// Password finds who signs in with login, a name or an e-mail address, and password. What is wrong with them is [ErrCredentials],
// whatever it is; [*Throttled] and [ErrBusy] say that nothing was looked at. Other errors are the store's or ctx's.
//
// The user is as of now and may be disabled or changed a moment later; the act that signs in compares the epoch.
func (a *Authenticator) Password(ctx context.Context, login, password string, from From) (storage.User, error) {
	if len(login) > maxLogin {
		login = ""
	}
	attempt, err := a.throttle.begin(a.now(), login, from.Origin.Address)
	if err != nil {
		return storage.User{}, err
	}
	result := undecided
	defer func() { attempt.end(a.now(), result) }()

	u, err := a.store.UserByLogin(ctx, login)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return storage.User{}, fmt.Errorf("users: finding a user: %w", err)
	}
	match, err := a.verify(ctx, u, password)
	if err != nil {
		return storage.User{}, err
	}
	if why := refusal(u, match); why != "" {
		result = failed
		return storage.User{}, a.refuse(ctx, u, why, from)
	}
	result = succeeded
	return u, nil
}

// refusal is why somebody is not signed in, for the audit log alone, or "". The zero User is one who is not there.
func refusal(u storage.User, match bool) string {
	switch {
	case u.Sub == "":
		return "no such user"
	case u.Disabled:
		return "user is disabled"
	case u.PasswordHash == "":
		return "user has no password"
	case !match:
		return "wrong password"
	}
	return ""
}

// refuse records a failure, and notes it for the user, if there is one, in the same commit: whether there is shows neither in the answer nor
// in how many trips to the disk it takes. What was typed is never recorded: it may be a password in the wrong field. The record is made
// even when the browser has left meanwhile, and a failure that cannot be recorded is an error of its own.
func (a *Authenticator) refuse(ctx context.Context, u storage.User, why string, from From) error {
	now := a.now()
	e := audit.Entry{Time: now, Event: audit.SignInFailed, Origin: from.Origin, Client: from.Client, User: u.Sub, Detail: why}
	n := storage.SignInNote{Time: now, Failed: true, Address: from.Origin.Address, UserAgent: from.UserAgent, Client: from.Client}
	if err := a.store.SignInFailed(context.WithoutCancel(ctx), u.Sub, n, e); err != nil {
		return fmt.Errorf("users: recording a failed sign-in: %w", err)
	}
	return ErrCredentials
}

// verify hashes password once, whoever u is: against the user's hash, or against the dummy where there is none.
func (a *Authenticator) verify(ctx context.Context, u storage.User, password string) (bool, error) {
	h, possible := a.dummy, false
	if u.PasswordHash != "" {
		stored, err := parsePHC(u.PasswordHash)
		if err != nil {
			a.log.ErrorContext(ctx, "password hash cannot be read; the user cannot sign in", "user", u.Sub, "err", err)
		} else {
			h, possible = stored, true
		}
	}
	normalized, ok := normalize(password)
	done, err := a.turn(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	return h.matches(a.derive(normalized, h)) && possible && ok, nil
}

// Hash is [HashPassword] that waits for its turn like a sign-in: [ErrBusy], or ctx's error.
func (a *Authenticator) Hash(ctx context.Context, password string) (string, error) {
	done, err := a.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	return HashPassword(password)
}

// turn waits until a core is free for a hash; done gives it back. Both memory and the wait are bounded: who finds the queue full is
// sent away.
func (a *Authenticator) turn(ctx context.Context) (done func(), err error) {
	select {
	case a.queue <- struct{}{}:
	default:
		return nil, ErrBusy
	}
	select {
	case a.cores <- struct{}{}:
		return func() { <-a.cores; <-a.queue }, nil
	case <-ctx.Done():
		<-a.queue
		return nil, ctx.Err()
	}
}
