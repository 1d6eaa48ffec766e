package token

import (
	"context"

	"signet/storage"
)

// Store is what this room needs kept.
type Store interface {
	RedeemCode(ctx context.Context, r storage.Redemption, f storage.Family) (storage.Redeemed, error)
	PollDevice(ctx context.Context, p storage.DevicePoll, f storage.Family) (storage.DevicePolled, error)
	RotateFamily(ctx context.Context, r storage.Rotation) (storage.Family, storage.User, error)
}
