package register

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"signet/clients"
	"signet/clients/keyset"
	"signet/provider/limit"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// The operator's policy.
const (
	Off   = "off"
	Token = "token"
	Open  = "open"
)

// Options is what the endpoint works with.
type Options struct {
	Store   Store
	Base    string         // URL of the endpoint
	Policy  string         // Token or Open
	PKCE    string         // of confidential clients of the web: storage.PKCERequired or storage.PKCEOptional
	Algs    []string       // that ID tokens can be signed with
	Objects []string       // algs that request objects can come with
	JWE     []string       // algs by which they can be encrypted to us
	Scopes  []string       // those that the operator added to the standard ones; an app has them if it asks for them
	Fetch   Fetcher        // of a sector_identifier_uri
	Secrets clients.Sealer // keeps those that must be readable again
	// Statements are the keys of those whose software statements are taken, by iss.
	Statements map[string]keyset.Set
	Limits     *limit.Limits // nil: there are none
	Now        func() time.Time
}

// Endpoint is the client registration endpoint, and the client configuration endpoint.
type Endpoint struct {
	Options
	sectors chan struct{} // sector documents being fetched
}

// sectorsAtOnce keeps slow sector documents from taking all of the way out, which client authentication needs too.
const sectorsAtOnce = 8

// New returns the endpoints of a provider.
func New(o Options) *Endpoint { return &Endpoint{o, make(chan struct{}, sectorsAtOnce)} }

// Register answers POST: RFC 7591 section 3.
func (e *Endpoint) Register(w http.ResponseWriter, r *http.Request) error {
	if err := e.Limits.Registration(r); err != nil {
		return err
	}
	token, limits, err := e.initialToken(r)
	if err != nil {
		return err
	}
	sent, err := readBody(w, r)
	if err != nil {
		return err
	}
	sent, statement, err := e.vouched(sent, "")
	if err != nil {
		return err
	}
	c, faults := e.build(sent, limits)
	c.SoftwareStatement = statement
	secret, err := clients.GiveSecret(&c, e.sealer)
	if err != nil {
		return err
	}
	access, hash := clients.NewSecret()
	c.RegistrationTokens = []storage.Hash{hash}
	if err := e.check(r.Context(), c, faults); err != nil {
		return err
	}
	c, err = e.Store.RegisterClient(r.Context(), c, token, e.change(r.Context(), "registered itself"))
	if err != nil {
		return explain(err)
	}
	trail.Of(r.Context()).Client(c.ID)
	return e.answer(w, http.StatusCreated, c, secret, access)
}

// Read answers GET: RFC 7592 section 2.1.
func (e *Endpoint) Read(w http.ResponseWriter, r *http.Request) error {
	if err := e.Limits.Address(r); err != nil {
		return err
	}
	c, token, err := e.owned(r)
	if err != nil {
		return err
	}
	if c, err = e.used(r.Context(), c, token); err != nil {
		return err
	}
	return e.answer(w, http.StatusOK, c, "", token)
}

// Update answers PUT: RFC 7592 section 2.2. What was sent replaces all that was registered.
func (e *Endpoint) Update(w http.ResponseWriter, r *http.Request) error {
	if err := e.Limits.Registration(r); err != nil {
		return err
	}
	old, token, err := e.owned(r)
	if err != nil {
		return err
	}
	sent, err := readBody(w, r)
	if err != nil {
		return err
	}
	if err := managed(sent, old); err != nil {
		return err
	}
	sent, statement, err := e.vouched(sent, old.SoftwareStatement)
	if err != nil {
		return err
	}
	c, faults := e.build(sent, limitsOf(old))
	c.SoftwareStatement = statement
	secret, err := e.keep(&c, old)
	if err != nil {
		return err
	}
	access, hash := clients.NewSecret()
	c.RegistrationTokens = []storage.Hash{storage.HashOf([]byte(token)), hash}
	if err := e.check(r.Context(), c, errors.Join(faults, sameSector(old, c))); err != nil {
		return err
	}
	c, err = e.Store.SaveClient(r.Context(), c, e.change(r.Context(), "updated by the client"))
	if err != nil {
		return explain(err)
	}
	return e.answer(w, http.StatusOK, c, secret, access)
}

// Remove answers DELETE: RFC 7592 section 2.3.
func (e *Endpoint) Remove(w http.ResponseWriter, r *http.Request) error {
	if err := e.Limits.Address(r); err != nil {
		return err
	}
	c, _, err := e.owned(r)
	if err != nil {
		return err
	}
	err = e.Store.RemoveClient(r.Context(), c.ID, e.change(r.Context(), "removed by the client"))
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// owned returns the client that the address names, if the registration access token is one of its own, and that token. Whatever is
// wrong is one answer, and so is a client that does not exist: RFC 7592 section 2.1.
func (e *Endpoint) owned(r *http.Request) (storage.Client, string, error) {
	token, err := bearer(r)
	if err != nil {
		return storage.Client{}, "", err
	}
	if token == "" {
		return storage.Client{}, "", missing("a registration access token is needed")
	}
	c, err := e.Store.Client(r.Context(), chi.URLParam(r, "client_id"))
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return storage.Client{}, "", err
	}
	for _, hash := range c.RegistrationTokens {
		if hash.Matches([]byte(token)) {
			trail.Of(r.Context()).Client(c.ID)
			return c, token, nil
		}
	}
	return storage.Client{}, "", refused("the registration access token is not one of this client")
}

// used ends the token from before the last update when the new one comes for the first time.
func (e *Endpoint) used(ctx context.Context, c storage.Client, token string) (storage.Client, error) {
	last := len(c.RegistrationTokens) - 1
	if last == 0 || !c.RegistrationTokens[last].Matches([]byte(token)) {
		return c, nil
	}
	c.RegistrationTokens = c.RegistrationTokens[last:]
	saved, err := e.Store.SaveClient(ctx, c, e.change(ctx, "registration access token used for the first time"))
	if errors.Is(err, storage.ErrConflict) { // another request did the same, or more
		return e.Store.Client(ctx, c.ID)
	}
	return saved, err
}

// keep carries over from old what an update does not change, the operator's settings among it, and returns the secret if a new one was made.
func (e *Endpoint) keep(c *storage.Client, old storage.Client) (secret string, err error) {
	c.ID, c.Revision, c.Created, c.Updated = old.ID, old.Revision, old.Created, e.Now()
	c.AllowedScopes, c.AllowedGrantTypes = old.AllowedScopes, old.AllowedGrantTypes
	c.Access, c.DefaultResource, c.Resources, c.Exchange = old.Access, old.DefaultResource, old.Resources, old.Exchange
	if old.PKCE == storage.PKCERequired { // what was promised once, by us or by the operator, is not taken back
		c.PKCE = old.PKCE
	}
	c.SecretHash, c.SealedSecret = old.SecretHash, old.SealedSecret
	if clients.SecretFits(*c) {
		return "", nil
	}
	return clients.GiveSecret(c, e.sealer)
}

func (e *Endpoint) sealer() (clients.Sealer, error) { return e.Secrets, nil }

func (e *Endpoint) change(ctx context.Context, detail string) storage.Change {
	return storage.Change{Now: e.Now(), Origin: trail.Of(ctx).Origin(), Detail: detail}
}

// explain turns a refusal of the store into an answer.
func explain(err error) error {
	switch {
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrExpired), errors.Is(err, storage.ErrSpent):
		return initialRefused(err)
	case errors.Is(err, storage.ErrConflict): // what was decided on has changed, perhaps the token itself
		return &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "the client was changed meanwhile, try again", Cause: err, RetryAfter: time.Second}
	}
	return err
}
