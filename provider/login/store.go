package login

import (
	"context"
	"time"

	"signet/storage"
	"signet/users"
)

// Store is what this room needs kept.
type Store interface {
	Client(ctx context.Context, id string) (storage.Client, error)
	Resource(ctx context.Context, id string) (storage.Resource, error)
	SelectSession(ctx context.Context, h, browser storage.Handle, session storage.ID, now time.Time) error
}

// Passwords checks who somebody is; [signet/users.Authenticator] does.
type Passwords interface {
	// Password returns the user whom the login and the password belong to. What is wrong is not told apart: users.ErrCredentials.
	// Who has to wait first gets a *users.Throttled.
	Password(ctx context.Context, login, password string, from users.From) (storage.User, error)
}
