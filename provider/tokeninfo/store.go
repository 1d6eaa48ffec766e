package tokeninfo

import (
	"context"

	"signet/storage"
)

// Store is what this room needs kept.
type Store interface {
	storage.Families
	storage.Denials
	EndService(ctx context.Context, id string, series uint32, o storage.Change) error
}
