package logout

import (
	"context"

	"signet/storage"
)

// Store is what this room needs kept.
type Store interface {
	Client(ctx context.Context, id string) (storage.Client, error)
}
