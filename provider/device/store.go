package device

import (
	"context"
	"time"

	"signet/storage"
)

// Store is what this room needs kept.
type Store interface {
	Client(ctx context.Context, id string) (storage.Client, error)
	Resource(ctx context.Context, id string) (storage.Resource, error)
	BeginDevice(ctx context.Context, d storage.DeviceGrant, limit int) error
	Device(ctx context.Context, userCode string, now time.Time) (storage.DeviceGrant, error)
	DecideDevice(ctx context.Context, d storage.DeviceDecision) error
}
