package ending

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"time"

	"signet/fetch"
	"signet/storage"
)

// Clients finds those who are told; a [storage.Clients] is one.
type Clients interface {
	Client(ctx context.Context, id string) (storage.Client, error)
}

// Tokens makes logout tokens; [signet/provider/issue.Issuer] is one.
type Tokens interface {
	LogoutToken(ctx context.Context, c storage.Client, user string, s storage.ID) (string, error)
}

// Poster sends forms to clients; a [fetch.Client] is one.
type Poster interface {
	Post(ctx context.Context, address string, form url.Values) (fetch.Reply, error)
}

// Courier makes attempts. Its method may be called concurrently.
type Courier struct {
	Clients Clients
	Tokens  Tokens
	Post    Poster // nil: nothing is sent, and every attempt fails
	Log     *slog.Logger
}

// Outcome is how an attempt went.
type Outcome struct {
	State   storage.NoticeState
	Problem string        // why it is not delivered
	After   time.Duration // the earliest that the client wants to be asked again (Retry-After); 0: it does not say
	Silent  bool          // there was no answer at all: the client's other notices would have had none either
}

func delivered() Outcome            { return Outcome{State: storage.NoticeDelivered} }
func failed(problem string) Outcome { return Outcome{State: storage.NoticeFailed, Problem: problem} }
func again(problem string) Outcome  { return Outcome{State: storage.NoticePending, Problem: problem} }

// Address is where a notice is to go now, and whether there is such a place.
func (c *Courier) Address(ctx context.Context, n storage.Notice) (storage.Client, Outcome, bool) {
	client, err := c.Clients.Client(ctx, n.Client)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return client, failed("the app is not registered any more"), false
	case err != nil:
		c.Log.Warn("logout notice: the client could not be read", "client", n.Client, "error", err)
		return client, again("the app could not be looked up"), false
	case client.BackchannelLogoutURI == "":
		return client, failed("the app has no backchannel_logout_uri any more"), false
	}
	return client, Outcome{}, true
}

// Deliver makes one attempt: Back-Channel Logout 2.5.
func (c *Courier) Deliver(ctx context.Context, n storage.Notice) Outcome {
	client, outcome, known := c.Address(ctx, n)
	if !known {
		return outcome
	}
	token, err := c.Tokens.LogoutToken(ctx, client, n.User, n.Session)
	if err != nil {
		c.Log.Warn("logout notice: no logout token could be made", "client", n.Client, "error", err)
		return again("no logout token could be made for the app")
	}
	reply, err := c.Post.Post(ctx, client.BackchannelLogoutURI, url.Values{"logout_token": {token}})
	if err != nil {
		return unanswered(err)
	}
	return judge(reply)
}
