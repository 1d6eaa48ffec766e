package tokeninfo

import "signet/storage"

// Store is what this room needs kept.
type Store interface {
	storage.Families
}
