package keys

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signet/storage"
)

// What the package refuses with.
var (
	// ErrMasterKey: the master key is not the one that the store's keys are wrapped with.
	ErrMasterKey = errors.New("this is not the master key of this store; start with the file that was used when the store was made")
	// ErrAlg: the algorithm is not on.
	ErrAlg = errors.New("keys: algorithm is not on")
	// ErrToken: not a token of ours, or not of the kind asked for.
	ErrToken = errors.New("keys: token refused")
	// ErrJWE: not what can be encrypted to us, as its header says.
	ErrJWE = errors.New("keys: JWE refused")
	// ErrDecrypt: it does not open. Never says more: whoever could tell why might learn what is inside (RFC 7516 section 11.5).
	ErrDecrypt = errors.New("keys: JWE does not open")
	// ErrMACKey: no such MAC key.
	ErrMACKey = errors.New("keys: unknown MAC key")
)

// MaxAge is how long a JWKS may be cached, and how long a key must have been announced before it signs unless the operator
// forces it.
const MaxAge = 15 * time.Minute

// Options say where the keys are and how long they live. Zero durations take the defaults below.
type Options struct {
	Store  storage.Rings
	Master *Master
	Algs   []string // JWS algorithms that are on, in the order of preference; none: DefaultAlgs
	// Encryption are the JWE algorithms by which clients may encrypt to us; none: they may not.
	Encryption []string

	Rotate     time.Duration // how long a key signs; 30 days
	Announce   time.Duration // how long a key is published before it signs, at least; 24 hours
	MaxToken   time.Duration // the longest life of any signed token; 24 hours
	MaxSession time.Duration // the longest life of a session; 90 days
	MaxFamily  time.Duration // the longest life of a family; 400 days

	Now      func() time.Time                        // nil: time.Now
	Generate func(alg string) (crypto.Signer, error) // nil: Generate
	Log      *slog.Logger                            // nil: none
}

// Keys is the key material of one server. Its methods may be called from any goroutine.
type Keys struct {
	store    storage.Rings
	master   *Master
	now      func() time.Time
	generate func(string) (crypto.Signer, error)
	log      *slog.Logger

	changing sync.Mutex // held while the ring is read, changed and installed
	policy   atomic.Pointer[policy]
	current  atomic.Pointer[snapshot]
	failure  atomic.Pointer[error] // of the last Tick; nil if it succeeded
	failures atomic.Uint64         // how many Ticks failed
}

// Open reads the ring, makes what is missing and is then ready to sign. A master key that does not fit the ring is ErrMasterKey.
func Open(ctx context.Context, o Options) (*Keys, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	k := &Keys{
		store: o.Store, master: o.Master, now: o.Now, generate: o.Generate, log: o.Log,
	}
	k.policy.Store(newPolicy(o))
	if err := k.Tick(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// complete fills in defaults and reports all faults.
func (o *Options) complete() error {
	day := 24 * time.Hour
	var errs []error
	duration := func(name string, d *time.Duration, preset time.Duration) {
		if *d == 0 {
			*d = preset
		}
		if *d < 0 {
			errs = append(errs, fmt.Errorf("keys: %s must not be negative", name))
		}
	}
	duration("Rotate", &o.Rotate, 30*day)
	duration("Announce", &o.Announce, day)
	duration("MaxToken", &o.MaxToken, day)
	duration("MaxSession", &o.MaxSession, 90*day)
	duration("MaxFamily", &o.MaxFamily, 400*day)
	if len(o.Algs) == 0 {
		o.Algs = DefaultAlgs
	}
	for i, alg := range o.Algs {
		if _, ok := algorithmOf(alg); !ok {
			errs = append(errs, fmt.Errorf("keys: %q is not an algorithm that we sign with; there are %v", alg, SupportedAlgs()))
		}
		if slices.Contains(o.Algs[:i], alg) {
			errs = append(errs, fmt.Errorf("keys: %s is named twice", alg))
		}
	}
	for i, alg := range o.Encryption {
		if !encrypts(alg) {
			errs = append(errs, fmt.Errorf("keys: %q is not an algorithm by which we can be encrypted to; there are %v", alg, EncryptionAlgs()))
		}
		if slices.Contains(o.Encryption[:i], alg) {
			errs = append(errs, fmt.Errorf("keys: %s is named twice", alg))
		}
	}
	if o.Store == nil {
		errs = append(errs, errors.New("keys: no store"))
	}
	if o.Master == nil {
		errs = append(errs, errors.New("keys: no master key"))
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Generate == nil {
		o.Generate = Generate
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return errors.Join(errs...)
}

// Algs returns the JWS algorithms that are on, as configured.
func (k *Keys) Algs() []string { return slices.Clone(k.policy.Load().algs) }

// Encryption returns the JWE algorithms by which clients may encrypt to us, as configured.
func (k *Keys) Encryption() []string { return slices.Clone(k.policy.Load().enc) }

// Fits reports whether the store's keys are wrapped with a master key: nil, or ErrMasterKey.
func (k *Keys) Fits(m *Master) error {
	_, err := openSealKeys(m, k.current.Load().ring.Seals)
	return err
}

// JWKS returns the published keys (RFC 7517 section 5) and the strong ETag of these bytes. They must not be changed.
func (k *Keys) JWKS() (body []byte, etag string) {
	now := k.current.Load()
	return now.jwks, now.etag
}

// Failures is how often the ring could not be looked after since the start.
func (k *Keys) Failures() uint64 { return k.failures.Load() }

// Ready reports whether the keys are as the store has them: nil, or why the last reading or change failed. Signing goes on with
// what is known.
func (k *Keys) Ready() error {
	if err := k.failure.Load(); err != nil {
		return *err
	}
	now := k.current.Load()
	for _, alg := range now.policy.algs {
		if now.signers[alg] == nil {
			return fmt.Errorf("keys: no active key for %s", alg)
		}
	}
	for _, alg := range now.policy.enc {
		if _, ok := now.published(alg); !ok {
			return fmt.Errorf("keys: no active key for %s", alg)
		}
	}
	return nil
}
