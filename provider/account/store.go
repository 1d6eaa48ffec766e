package account

import (
	"context"
	"time"

	"signet/storage"
	"signet/users"
)

// Store is what this room needs kept.
type Store interface {
	storage.Endings
	Client(ctx context.Context, id string) (storage.Client, error)
	Resource(ctx context.Context, id string) (storage.Resource, error)
	User(ctx context.Context, sub string) (storage.User, error)
	SaveUser(ctx context.Context, u storage.User, end bool, o storage.Change) (storage.User, error)
	History(ctx context.Context, sub string) (storage.History, error)
}

// Passwords checks and hashes them; [signet/users.Authenticator] does.
type Passwords interface {
	Password(ctx context.Context, login, password string, from users.From) (storage.User, error)
	Hash(ctx context.Context, password string) (string, error)
}

// Fresh is how old a sign-in may be that changes something.
const Fresh = 15 * time.Minute
