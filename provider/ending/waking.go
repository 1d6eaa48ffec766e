package ending

import (
	"context"

	"signet/storage"
)

// Waking returns s with a call of wake after each act that may have left notices, so that they are not found by chance.
func Waking(s storage.Store, wake func()) storage.Store { return waking{s, wake} }

type waking struct {
	storage.Store
	wake func()
}

func (s waking) EndSessions(ctx context.Context, ids []storage.ID, o storage.Change) (storage.Ended, error) {
	defer s.wake()
	return s.Store.EndSessions(ctx, ids, o)
}

func (s waking) EndUser(ctx context.Context, sub string, o storage.Change) (storage.Ended, error) {
	defer s.wake()
	return s.Store.EndUser(ctx, sub, o)
}

func (s waking) Withdraw(ctx context.Context, sub, client string, o storage.Change) (storage.Ended, error) {
	defer s.wake()
	return s.Store.Withdraw(ctx, sub, client, o)
}

func (s waking) SaveUser(ctx context.Context, u storage.User, end bool, o storage.Change) (storage.User, error) {
	defer s.wake()
	return s.Store.SaveUser(ctx, u, end, o)
}

func (s waking) RemoveUser(ctx context.Context, sub string, o storage.Change) error {
	defer s.wake()
	return s.Store.RemoveUser(ctx, sub, o)
}
