package token

import (
	"context"
	"time"

	"signet/storage"
)

// Store is what this room needs kept.
type Store interface {
	RedeemCode(ctx context.Context, r storage.Redemption, f storage.Family) (storage.Redeemed, error)
	PollDevice(ctx context.Context, p storage.DevicePoll, f storage.Family) (storage.DevicePolled, error)
	GrantFamily(ctx context.Context, f storage.Family, o storage.Change) (storage.Family, error)
	SpendAssertion(ctx context.Context, client, jti string, expires time.Time, o storage.Change) error
	Client(ctx context.Context, id string) (storage.Client, error)
	User(ctx context.Context, sub string) (storage.User, error)
	UserByLogin(ctx context.Context, login string) (storage.User, error)
	RotateFamily(ctx context.Context, r storage.Rotation) (storage.Family, storage.User, error)
}
