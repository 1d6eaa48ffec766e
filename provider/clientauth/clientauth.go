package clientauth

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"

	"signet/provider/oauth"
	"signet/storage"
)

// Store is what this room needs of the store.
type Store interface {
	Client(ctx context.Context, id string) (storage.Client, error)
}

// Options are what an [Authenticator] is made of.
type Options struct {
	Store  Store
	Issuer string // the realm of the challenge
}

// Authenticator authenticates clients. Its method may be called concurrently.
type Authenticator struct {
	store     Store
	challenge string
	dummy     storage.Hash // compared with where there is no client; no secret has it
}

// New returns an Authenticator.
func New(o Options) *Authenticator {
	a := &Authenticator{store: o.Store, challenge: `Basic realm="` + o.Issuer + `"`}
	rand.Read(a.dummy[:])
	return a
}

// refused is the one text for all that fails once the credentials could be read.
const refused = "client authentication failed: the client is unknown, its secret is wrong, or it is registered for another token_endpoint_auth_method"

// Authenticate returns the client that sent r, whose body is form. Its errors are [*oauth.Error]: invalid_client, with a challenge if
// the Authorization header was used (RFC 6749 section 5.2); invalid_request for several methods at once; or the store's trouble.
func (a *Authenticator) Authenticate(r *http.Request, form oauth.Params) (storage.Client, error) {
	c, err := a.authenticate(r, form)
	if err == nil {
		return c, nil
	}
	e := oauth.AsError(err)
	if e.Code == oauth.InvalidClient && r.Header.Get("Authorization") != "" {
		e.Challenge = a.challenge
	}
	return storage.Client{}, e
}

func (a *Authenticator) authenticate(r *http.Request, form oauth.Params) (storage.Client, error) {
	sent, err := read(r, form)
	if err != nil {
		return storage.Client{}, err
	}
	c, err := a.store.Client(r.Context(), sent.id)
	unknown := errors.Is(err, storage.ErrNotFound)
	if err != nil && !unknown {
		return storage.Client{}, err
	}
	if unknown {
		c = storage.Client{SecretHash: a.dummy}
	}
	good := sent.method.verify(c, sent)
	registered := c.TokenEndpointAuthMethod == sent.method.name
	switch {
	case good && registered && !unknown:
		return c, nil
	case good && sent.secret != "" && !unknown:
		// Whoever holds the secret may know what is registered, and is the one to repair it.
		return storage.Client{}, oauth.Errorf(oauth.InvalidClient, "this client is registered for the token_endpoint_auth_method %s", c.TokenEndpointAuthMethod)
	}
	return storage.Client{}, oauth.Errorf(oauth.InvalidClient, refused).Because(cause(unknown, good, registered))
}

// cause is for the operator.
func cause(unknown, good, registered bool) error {
	switch {
	case unknown:
		return errors.New("unknown client")
	case !registered:
		return errors.New("another method than the registered one")
	case !good:
		return errors.New("wrong secret")
	}
	return nil
}
