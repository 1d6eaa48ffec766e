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
	SignIn(ctx context.Context, s storage.SignIn) (storage.SignedIn, error)
	SelectSession(ctx context.Context, h, browser storage.Handle, session storage.ID, now time.Time) error
}

// Notices tells users of what happens to their account, in the background.
type Notices interface {
	// NewDevice tells of a sign-in at a browser that was never used for it. languages are those of that browser, best first. It does not wait.
	NewDevice(u storage.User, n storage.SignInNote, languages []string)
}

// Passwords checks who somebody is; [signet/users.Authenticator] does.
type Passwords interface {
	// Password returns the user whom the login and the password belong to. What is wrong is not told apart: users.ErrCredentials.
	// Who has to wait first gets a *users.Throttled.
	Password(ctx context.Context, login, password string, from users.From) (storage.User, error)
}
