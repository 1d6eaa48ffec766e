package clientauth

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/provider/limit"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// Store is what this room needs of the store.
type Store interface {
	Client(ctx context.Context, id string) (storage.Client, error)
	storage.Assertions
}

// Keys finds the keys of clients: a [*signet/clients/keyset.Keys].
type Keys interface {
	Verification(ctx context.Context, c storage.Client, alg, kid string) (jose.JSONWebKey, error)
}

// Secrets opens sealed secrets: a [*signet/keys.Keys].
type Secrets interface {
	Unseal(purpose string, sealed []byte) ([]byte, error)
}

// Options are what an [Authenticator] is made of.
type Options struct {
	Store   Store
	Keys    Keys
	Secrets Secrets
	Limits  *limit.Limits // nil: there are none
	Issuer  string        // the realm of the challenge, and the audience of assertions
	Now     func() time.Time
}

// Authenticator authenticates clients. Its method may be called concurrently.
type Authenticator struct {
	Options
	challenge string
	audiences []string     // of assertions
	dummy     storage.Hash // compared with where there is no client; no secret has it
}

// New returns an Authenticator.
func New(o Options) *Authenticator {
	a := &Authenticator{
		Options: o, challenge: `Basic realm="` + o.Issuer + `"`,
		audiences: []string{o.Issuer, strings.TrimSuffix(o.Issuer, "/") + oauth.TokenPath},
	}
	rand.Read(a.dummy[:])
	return a
}

// refused is the one text for all that fails once the credentials could be read.
const refused = "client authentication failed: the client is unknown, its secret or signature is wrong, or it is registered for another token_endpoint_auth_method"

// ReadForm begins every endpoint that a client posts a form to: it reads the form ([oauth.ReadForm]), authenticates the client and
// notes it for the log.
func (a *Authenticator) ReadForm(w http.ResponseWriter, r *http.Request) (storage.Client, oauth.Params, error) {
	return a.ReadFormOr(w, r, nil)
}

// ReadFormOr is ReadForm for requests that may say in another way whose they are (RFC 7521 section 4.1). Where there is nothing of a
// client's, other is asked; the zero client means that it does not know either.
func (a *Authenticator) ReadFormOr(w http.ResponseWriter, r *http.Request, other func(context.Context, oauth.Params) (storage.Client, error)) (storage.Client, oauth.Params, error) {
	form, err := oauth.ReadForm(w, r)
	if err != nil {
		return storage.Client{}, form, err
	}
	c, err := a.otherwise(r, form, other)
	if err == nil && c.ID == "" {
		c, err = a.Authenticate(r, form)
	}
	if err == nil {
		trail.Of(r.Context()).Client(c.ID)
	}
	return c, form, err
}

// otherwise asks other for the client of a request that has no credentials. It is counted by address, as those of clients without credentials are.
func (a *Authenticator) otherwise(r *http.Request, form oauth.Params, other func(context.Context, oauth.Params) (storage.Client, error)) (storage.Client, error) {
	if other == nil || form.Has("client_id") || form.Has("client_secret") || form.Has("client_assertion") || form.Has("client_assertion_type") ||
		len(r.Header.Values("Authorization")) > 0 {
		return storage.Client{}, nil
	}
	if err := a.Limits.LookAddress(r); err != nil {
		return storage.Client{}, err
	}
	c, err := other(r.Context(), form)
	if err != nil || c.ID != "" {
		err = errors.Join(err, a.Limits.Address(r))
	}
	return c, err
}

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

// authenticate counts each attempt, by client if it succeeds.
func (a *Authenticator) authenticate(r *http.Request, form oauth.Params) (storage.Client, error) {
	sent, err := read(r, form)
	if err != nil {
		return storage.Client{}, a.Limits.Failed(r, "", err)
	}
	if err := a.Limits.Begin(r, sent.id); err != nil {
		return storage.Client{}, err
	}
	c, err := a.verify(r, sent)
	if err != nil {
		return storage.Client{}, a.Limits.Failed(r, sent.id, err)
	}
	return c, a.Limits.Client(r, c)
}

// verify holds what was sent against the client that it names.
func (a *Authenticator) verify(r *http.Request, sent *credentials) (storage.Client, error) {
	c, err := a.Store.Client(r.Context(), sent.id)
	unknown := errors.Is(err, storage.ErrNotFound)
	if err != nil && !unknown {
		return storage.Client{}, err
	}
	if unknown {
		c = storage.Client{SecretHash: a.dummy}
	}
	err = sent.method.verify(r.Context(), a, c, sent)
	var wrong mismatch
	if err != nil && !errors.As(err, &wrong) {
		return storage.Client{}, err
	}
	good, registered := err == nil, c.TokenEndpointAuthMethod == sent.method.name
	switch {
	case good && registered && !unknown:
		return c, nil
	case good && sent.secret != "" && !unknown:
		// Whoever holds the secret may know what is registered, and is the one to repair it.
		return storage.Client{}, oauth.Errorf(oauth.InvalidClient, "this client is registered for the token_endpoint_auth_method %s", c.TokenEndpointAuthMethod)
	}
	return storage.Client{}, oauth.Errorf(oauth.InvalidClient, refused).Because(cause(unknown, registered, err))
}

// cause is for the operator.
func cause(unknown, registered bool, mismatch error) error {
	switch {
	case unknown:
		return errors.New("unknown client")
	case !registered:
		return errMethod
	}
	return mismatch
}
