package token

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"signet/audit"
	"signet/clients"
	"signet/provider/assertion"
	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// bearer is the JWT bearer grant: RFC 7523 section 2.1. Whom the assertion is about, the operator's rules say: a client, which gets a
// token in its own name as by its credentials, or a user, in whose name the client gets one. There is no refresh token (RFC 7521 section
// 4.1), since another assertion does as well, and no ID token, since nobody has signed in here.
func (e *Endpoint) bearer(ctx context.Context, r request) (issue.Granted, error) {
	s, err := r.assertion.read(ctx, r.params)
	if err != nil {
		return issue.Granted{}, err
	}
	t := trail.Of(ctx)
	t.Note(slog.String("assertion_issuer", s.Issuer), slog.String("assertion_subject", s.Name))
	// What is open is so to what users allow, and no user was asked.
	if r.named, err = e.Issuer.Resolve(ctx, r.client, e.Issuer.Asked(r.client, r.resources), issue.ForItself); err != nil {
		return issue.Granted{}, err
	}
	if s.Client == "" {
		return e.bearerUser(ctx, r, s)
	}
	if s.Client != r.client.ID { // RFC 7521 section 4.1: whoever authenticates is the one
		return issue.Granted{}, oauth.Errorf(oauth.InvalidGrant, "the assertion is about another client than the one that sent it")
	}
	g := issue.Granted{Client: r.client, Service: true}
	if err := e.aimService(&g, r); err != nil {
		return g, err
	}
	if err := e.spend(ctx, s); err != nil {
		return g, err
	}
	return g, e.Record.Record(ctx, audit.Entry{
		Time: e.Now(), Event: audit.ServiceIssued, Origin: t.Origin(), Client: r.client.ID, Detail: strings.Join(g.Scopes, " ") + " for " + told(s),
	})
}

// told names an assertion in the audit log.
func told(s assertion.Subject) string { return s.Name + " of " + s.Issuer }

// asserted is the assertion of one request. It can be needed twice, to find the client and for the grant, and verifying it is most of what such a
// request costs.
type asserted struct {
	*Endpoint
	subject *assertion.Subject // nil: it was not read yet
}

// read reads the assertion in p, which are the same parameters each time.
func (a *asserted) read(ctx context.Context, p oauth.Params) (assertion.Subject, error) {
	if a.subject != nil {
		return *a.subject, nil
	}
	if !p.Has("assertion") {
		return assertion.Subject{}, oauth.Errorf(oauth.InvalidRequest, "assertion is missing")
	}
	s, err := a.Assertions.Read(ctx, p.Get("assertion"))
	if err == nil {
		a.subject = &s
	}
	return s, err
}

// spend uses up an assertion that is good once.
func (e *Endpoint) spend(ctx context.Context, s assertion.Subject) error {
	if s.Once.ID == "" {
		return nil
	}
	err := e.Store.SpendAssertion(ctx, s.Spender(), s.Once.ID, s.Once.Expires, storage.Change{Now: e.Now(), Origin: trail.Of(ctx).Origin()})
	if errors.Is(err, storage.ErrSpent) {
		return oauth.Errorf(oauth.InvalidGrant, "the assertion was used before, and assertions of its issuer are good once").Because(err)
	}
	return err
}

// client is the client that an assertion is about, for requests that do not say which client sends them: RFC 7521 section 4.1, "client
// authentication is optional". The zero client for requests that are not of this grant.
func (a *asserted) client(ctx context.Context, p oauth.Params) (storage.Client, error) {
	if p.Get("grant_type") != clients.GrantBearer || a.Assertions == nil {
		return storage.Client{}, nil
	}
	s, err := a.read(ctx, p)
	if err != nil {
		return storage.Client{}, err
	}
	if s.Client == "" {
		return storage.Client{}, oauth.Errorf(oauth.InvalidClient, "the assertion is about a user, so the request must say which client sends it")
	}
	c, err := a.Store.Client(ctx, s.Client)
	if errors.Is(err, storage.ErrNotFound) {
		return c, oauth.Errorf(oauth.InvalidGrant, "the assertion is about a client that is not registered here").Because(err)
	}
	return c, err
}

// bearerUser grants a token in the name of the user whom an assertion is about. What it comes from is a family of its own, so that all that ends what is the
// user's ends it as well. It lives as long as its one token.
func (e *Endpoint) bearerUser(ctx context.Context, r request, s assertion.Subject) (issue.Granted, error) {
	g := issue.Granted{Client: r.client}
	u, err := e.named(ctx, s)
	if err != nil {
		return g, err
	}
	if g.Scopes, err = bearerScopes(e.bearerMay(r), r.params.Words("scope")); err != nil {
		return g, err
	}
	if g.Target, err = e.Issuer.Target(r.named, g.Scopes); err != nil {
		return g, err
	}
	if err := e.spend(ctx, s); err != nil {
		return g, err
	}
	now := e.Now()
	ends := now.Add(g.Target.Lifetime())
	a := storage.Authorization{Client: r.client.ID, User: u.Sub, Epoch: u.Epoch, Scopes: g.Scopes, Resources: resourcesOf(r.named)}
	g.User = u
	g.Family, err = e.Store.GrantFamily(ctx, storage.Family{
		ID: storage.NewID(now), Authorization: a, Moved: now, MACKey: e.Issuer.Keys.MACKey(), Created: now, IdleExpires: ends, Expires: ends,
	}, storage.Change{Now: now, Origin: trail.Of(ctx).Origin(), Detail: told(s)})
	if errors.Is(err, storage.ErrEnded) {
		return g, errNoUser.Because(err)
	}
	return g, err
}

// resourcesOf are the resources of an authorization; none is the default one.
func resourcesOf(named []storage.Resource) []string {
	ids := make([]string, len(named))
	for n, r := range named {
		ids[n] = r.ID
	}
	if slices.Equal(ids, []string{storage.DefaultResource}) {
		return nil
	}
	return ids
}

// errNoUser tells who is unknown and who may not sign in alike.
var errNoUser = oauth.Errorf(oauth.InvalidGrant, "the assertion is about nobody who may sign in here")

// named is the user whom an assertion names. An address counts if we have verified it too: otherwise whoever writes another's into an
// account of their own would be given that other's tokens, and the other way round.
func (e *Endpoint) named(ctx context.Context, s assertion.Subject) (u storage.User, err error) {
	if s.User == assertion.UserSub {
		u, err = e.Store.User(ctx, s.Login)
	} else {
		u, err = e.Store.UserByLogin(ctx, s.Login)
	}
	key := storage.LoginKey(s.Login)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return u, errNoUser.Because(err)
	case err != nil:
		return u, err
	case s.User == assertion.UserName && storage.LoginKey(u.Name) != key:
		return u, errNoUser.Because(errors.New("it is the address of a user, and not the name"))
	case s.User == assertion.UserEmail && (storage.LoginKey(u.Email) != key || !u.EmailVerified):
		return u, errNoUser.Because(errors.New("it is not the verified address of a user"))
	case u.Disabled:
		return u, errNoUser.Because(errors.New("the user is disabled"))
	}
	return u, nil
}

// bearerMay are the scopes that the client may have of a user without asking: what it is registered for, and its access to the resources.
func (e *Endpoint) bearerMay(r request) (may []string) {
	for _, s := range r.client.Scopes {
		if !slices.Contains(signInScopes, s) && slices.Contains(e.Issuer.Claims.Scopes(), s) {
			may = append(may, s)
		}
	}
	for _, res := range r.named {
		may = append(may, clients.ScopesAt(r.client, res, true)...)
	}
	return may
}

// signInScopes are about a sign-in, and what comes of it.
var signInScopes = []string{"openid", "offline_access"}

// bearerScopes are those asked for, or all that the client may have: RFC 7521 section 4.1.
func bearerScopes(may, asked []string) ([]string, error) {
	if len(asked) == 0 {
		return may, nil
	}
	for _, s := range asked {
		switch {
		case slices.Contains(may, s):
		case slices.Contains(signInScopes, s):
			return nil, oauth.Errorf(oauth.InvalidScope, "the scope %s is for sign-ins, and nobody has signed in", s)
		default:
			return nil, oauth.Errorf(oauth.InvalidScope, "scope asks for more than this client may have")
		}
	}
	return asked, nil
}
