package providertest

import (
	"context"
	"sync/atomic"
	"time"

	"signet/storage"
)

// Faulty is a store that fails when the test says so. Its Wrap is for [Config].
type Faulty struct {
	storage.Store
	fault atomic.Pointer[func() error]
}

// Wrap puts f in front of a store.
func (f *Faulty) Wrap(s storage.Store) storage.Store {
	f.Store = s
	return f
}

// Fail makes the acts below return err; nil mends the store.
func (f *Faulty) Fail(err error) {
	fault := func() error { return err }
	f.fault.Store(&fault)
}

// Panic makes the acts below panic with v.
func (f *Faulty) Panic(v any) {
	fault := func() error { panic(v) }
	f.fault.Store(&fault)
}

func (f *Faulty) check() error {
	if fault := f.fault.Load(); fault != nil {
		return (*fault)()
	}
	return nil
}

// guard does the act unless the store is to fail.
func guard[T any](f *Faulty, act func() (T, error)) (none T, err error) {
	if err := f.check(); err != nil {
		return none, err
	}
	return act()
}

func (f *Faulty) act(act func() error) error {
	if err := f.check(); err != nil {
		return err
	}
	return act()
}

// RedeemCode is the store's.
func (f *Faulty) RedeemCode(ctx context.Context, r storage.Redemption, family storage.Family) (storage.Redeemed, error) {
	return guard(f, func() (storage.Redeemed, error) { return f.Store.RedeemCode(ctx, r, family) })
}

// RotateFamily is the store's.
func (f *Faulty) RotateFamily(ctx context.Context, r storage.Rotation) (storage.Family, storage.User, error) {
	if err := f.check(); err != nil {
		return storage.Family{}, storage.User{}, err
	}
	return f.Store.RotateFamily(ctx, r)
}

// Family is the store's.
func (f *Faulty) Family(ctx context.Context, id storage.ID) (storage.FamilyState, error) {
	return guard(f, func() (storage.FamilyState, error) { return f.Store.Family(ctx, id) })
}

// EndFamily is the store's.
func (f *Faulty) EndFamily(ctx context.Context, id storage.ID, client string, o storage.Change) error {
	return f.act(func() error { return f.Store.EndFamily(ctx, id, client, o) })
}

// EndAccess is the store's.
func (f *Faulty) EndAccess(ctx context.Context, id storage.ID, series uint32, client string, o storage.Change) error {
	return f.act(func() error { return f.Store.EndAccess(ctx, id, series, client, o) })
}

// BeginInteraction is the store's.
func (f *Faulty) BeginInteraction(ctx context.Context, i storage.Interaction, limit int) error {
	return f.act(func() error { return f.Store.BeginInteraction(ctx, i, limit) })
}

// KeepRequest is the store's.
func (f *Faulty) KeepRequest(ctx context.Context, k storage.KeptRequest, limit int) error {
	return f.act(func() error { return f.Store.KeepRequest(ctx, k, limit) })
}

// Authorize is the store's.
func (f *Faulty) Authorize(ctx context.Context, i storage.Issue) error {
	return f.act(func() error { return f.Store.Authorize(ctx, i) })
}

// SignIn is the store's.
func (f *Faulty) SignIn(ctx context.Context, s storage.SignIn) (in storage.SignedIn, err error) {
	err = f.act(func() (err error) { in, err = f.Store.SignIn(ctx, s); return err })
	return in, err
}

// EndSessions is the store's.
func (f *Faulty) EndSessions(ctx context.Context, ids []storage.ID, o storage.Change) (e storage.Ended, err error) {
	err = f.act(func() (err error) { e, err = f.Store.EndSessions(ctx, ids, o); return err })
	return e, err
}

// Browser is the store's.
func (f *Faulty) Browser(ctx context.Context, h storage.Handle, now time.Time) (storage.Browser, []storage.SessionUser, error) {
	if err := f.check(); err != nil {
		return storage.Browser{}, nil, err
	}
	return f.Store.Browser(ctx, h, now)
}

// Ready is the store's.
func (f *Faulty) Ready(ctx context.Context) error {
	return f.act(func() error { return f.Store.Ready(ctx) })
}
