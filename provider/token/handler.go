package token

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"signet/audit"
	"signet/clients"
	"signet/provider/assertion"
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
	// Assertions are those of other issuers; nil: none is trusted.
	Assertions *assertion.Reader

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
	behalf issue.Behalf
	run    func(ctx context.Context, r request) (issue.Granted, error)
	// prepare is what the grant needs besides an access token, asked for before anything is spent; nil: nothing.
	prepare func(ctx context.Context, c storage.Client) (issue.Means, error)
	// own: the grant itself finds out what its token is for, since that depends on what is presented.
	own bool
}

// request is what a grant is given.
type request struct {
	client    storage.Client
	params    oauth.Params
	resources []string           // that the request names (RFC 8707 section 2.2), as they are stored
	named     []storage.Resource // the same, each one that the client may ask for; or the one that is meant where it names none
	assertion *asserted
}

// New returns the token endpoint of a provider.
func New(o Options) *Endpoint {
	e := &Endpoint{Options: o}
	e.grants = map[string]grant{
		clients.GrantCode:     {behalf: issue.ForUser, run: e.code, prepare: o.Issuer.Prepare},
		clients.GrantRefresh:  {behalf: issue.ForUser, run: e.refresh, prepare: o.Issuer.Prepare},
		clients.GrantService:  {behalf: issue.ForItself, run: e.service},
		clients.GrantDevice:   {behalf: issue.ForUser, run: e.device, prepare: o.Issuer.Prepare},
		clients.GrantExchange: {run: e.exchange, own: true},
	}
	if o.Assertions != nil {
		e.grants[clients.GrantBearer] = grant{run: e.bearer, own: true}
	}
	return e
}

// Post answers a token request.
func (e *Endpoint) Post(w http.ResponseWriter, r *http.Request) error {
	said := &asserted{Endpoint: e}
	client, p, err := e.Clients.ReadFormOr(w, r, said.client)
	if err != nil {
		return err
	}
	name := p.Get("grant_type")
	grant, known := e.grants[name]
	switch {
	case name == "": // RFC 6749 section 5.2
		return oauth.Errorf(oauth.InvalidRequest, "grant_type is missing")
	case !known:
		return oauth.Errorf(oauth.UnsupportedGrantType, "grant_type must be one of %s", strings.Join(slices.Sorted(maps.Keys(e.grants)), ", "))
	case !clients.Allows(client, name):
		return oauth.Errorf(oauth.UnauthorizedClient, "this client is not registered for the grant type %s", name)
	}
	on := trail.Of(r.Context())
	on.Grant(name)
	granted, err := e.grant(r.Context(), grant, request{client: client, params: p, assertion: said, resources: e.Issuer.Named(p.All("resource"))})
	if err != nil {
		return err
	}
	tokens, err := e.Issuer.Tokens(r.Context(), granted)
	if err != nil {
		return err
	}
	if name == clients.GrantExchange {
		tokens.Issued = issuedType(p)
	}
	on.Outcome.Issued = tokens.Kinds()
	return oauth.WriteJSON(w, tokens)
}

// grant runs a grant. What can be refused without spending anything is refused before.
func (e *Endpoint) grant(ctx context.Context, g grant, r request) (granted issue.Granted, err error) {
	if g.own {
		return g.run(ctx, r)
	}
	c, p := r.client, r.params
	names := r.resources
	if g.behalf == issue.ForItself {
		names = e.Issuer.Asked(c, names)
	}
	if r.named, err = e.Issuer.Resolve(ctx, c, names, g.behalf); err != nil {
		return granted, err
	}
	if _, err := e.Issuer.Target(r.named, p.Words("scope")); err != nil {
		return granted, err
	}
	var means issue.Means
	if g.prepare != nil {
		if means, err = g.prepare(ctx, c); err != nil {
			return granted, err
		}
	}
	granted, err = g.run(ctx, r)
	granted.Means = means
	return granted, err
}

// aim sets what a user's access token is for, and which scopes it has: RFC 8707 section 2.2. Without a name it is for all that was authorized, as
// far as that is still there and goes together.
func (e *Endpoint) aim(ctx context.Context, g *issue.Granted, r request) (err error) {
	authorized := g.Family.Authorization.Resources
	if len(r.resources) > 0 || len(authorized) == 0 {
		g.Target, err = e.Issuer.Target(r.named, g.Scopes)
	} else {
		var all []storage.Resource
		all, err = e.Issuer.Remaining(ctx, r.client, authorized, issue.ForUser)
		switch {
		case err != nil:
		case len(all) == 0: // RFC 6749 section 5.2: whoever is told so asks the user again
			err = oauth.Errorf(oauth.InvalidGrant, "what was authorized is not there any more, or this client may not ask for it")
		default:
			g.Target, err = e.Issuer.Implied(all, g.Scopes)
		}
	}
	if err == nil {
		g.Scopes = e.Issuer.Within(r.client, g.Target, g.Scopes, g.Family.Authorization)
	}
	return err
}
