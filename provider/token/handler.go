package token

import (
	"context"
	"net/http"
	"time"

	"signet/clients"
	"signet/provider/clientauth"
	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// Options is what the endpoint works with.
type Options struct {
	Store   Store
	Clients *clientauth.Authenticator
	Issuer  *issue.Issuer

	RefreshIdle     time.Duration // a family ends when it was not used for so long
	RefreshAbsolute time.Duration // and after so long in any case
	ReuseWindow     time.Duration // how long a refresh token that was just used gives the same successor
	Now             func() time.Time
}

// Endpoint is the token endpoint.
type Endpoint struct {
	Options
	grants map[string]grant
}

// A grant turns what the client presents into what it is worth: RFC 6749 section 4. The client is authenticated and registered
// for the grant.
type grant func(ctx context.Context, c storage.Client, p oauth.Params) (issue.Granted, error)

// New returns the token endpoint of a provider.
func New(o Options) *Endpoint {
	e := &Endpoint{Options: o}
	e.grants = map[string]grant{
		"authorization_code": e.code,
		"refresh_token":      e.refresh,
	}
	return e
}

// Post answers a token request.
func (e *Endpoint) Post(w http.ResponseWriter, r *http.Request) error {
	client, p, err := e.Clients.ReadForm(w, r)
	if err != nil {
		return err
	}
	name := p.Get("grant_type")
	run, known := e.grants[name]
	switch {
	case name == "": // RFC 6749 section 5.2
		return oauth.Errorf(oauth.InvalidRequest, "grant_type is missing")
	case !known:
		return oauth.Errorf(oauth.UnsupportedGrantType, "grant_type must be authorization_code or refresh_token")
	case !clients.Allows(client, name):
		return oauth.Errorf(oauth.UnauthorizedClient, "this client is not registered for the grant type %s", name)
	}
	on := trail.Of(r.Context())
	on.Grant(name)
	if err := e.Issuer.Target(p.All("resource")); err != nil {
		return err
	}
	means, err := e.Issuer.Prepare(r.Context(), client)
	if err != nil {
		return err
	}
	granted, err := run(r.Context(), client, p)
	if err != nil {
		return err
	}
	granted.Means = means
	tokens, err := e.Issuer.Tokens(r.Context(), granted)
	if err != nil {
		return err
	}
	on.Outcome.Issued = tokens.Kinds()
	return oauth.WriteJSON(w, tokens)
}
