package token

import (
	"context"
	"net/http"
	"time"

	"signet/audit"
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
	Record  audit.Recorder // of tokens that nothing is stored for

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
type grant struct {
	prepare func(ctx context.Context, c storage.Client) (issue.Means, error)
	run     func(ctx context.Context, c storage.Client, p oauth.Params) (issue.Granted, error)
}

// New returns the token endpoint of a provider.
func New(o Options) *Endpoint {
	e := &Endpoint{Options: o}
	e.grants = map[string]grant{
		clients.GrantCode:    {o.Issuer.Prepare, e.code},
		clients.GrantRefresh: {o.Issuer.Prepare, e.refresh},
		clients.GrantService: {o.Issuer.PrepareService, e.service},
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
	grant, known := e.grants[name]
	switch {
	case name == "": // RFC 6749 section 5.2
		return oauth.Errorf(oauth.InvalidRequest, "grant_type is missing")
	case !known:
		return oauth.Errorf(oauth.UnsupportedGrantType, "grant_type must be authorization_code, refresh_token or client_credentials")
	case !clients.Allows(client, name):
		return oauth.Errorf(oauth.UnauthorizedClient, "this client is not registered for the grant type %s", name)
	}
	on := trail.Of(r.Context())
	on.Grant(name)
	if err := e.Issuer.Target(p.All("resource")); err != nil {
		return err
	}
	means, err := grant.prepare(r.Context(), client)
	if err != nil {
		return err
	}
	granted, err := grant.run(r.Context(), client, p)
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
