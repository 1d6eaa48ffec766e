package authorize

import (
	"context"

	"signet/storage"
)

// Store is what this room needs kept.
type Store interface {
	storage.Consents
	Client(ctx context.Context, id string) (storage.Client, error)
	Authorize(ctx context.Context, i storage.Issue) error
	EndInteraction(ctx context.Context, h storage.Handle, client string, o storage.Change) error
}
