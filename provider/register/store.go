package register

import (
	"context"
	"time"

	"signet/fetch"
	"signet/storage"
)

// Store is what this room needs kept.
type Store interface {
	Client(ctx context.Context, id string) (storage.Client, error)
	SaveClient(ctx context.Context, c storage.Client, o storage.Change) (storage.Client, error)
	RemoveClient(ctx context.Context, id string, o storage.Change) error
	InitialToken(ctx context.Context, h storage.Handle, now time.Time) (storage.InitialToken, error)
	RegisterClient(ctx context.Context, c storage.Client, token storage.Handle, o storage.Change) (storage.Client, error)
}

// Fetcher fetches what clients name by its URL; [fetch.Client] is one.
type Fetcher interface {
	Get(ctx context.Context, address string, accept ...string) (fetch.Document, error)
}
