package authorize

import (
	"context"
	"time"

	"signet/storage"
)

// Store is what this room needs kept.
type Store interface {
	storage.Consents
	Authorize(ctx context.Context, i storage.Issue) error
	SpendAssertion(ctx context.Context, client, jti string, expires time.Time, o storage.Change) error
	EndInteraction(ctx context.Context, h storage.Handle, a storage.Authorization, o storage.Change) error
}
