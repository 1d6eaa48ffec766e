package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"signet/audit"
	"signet/clients"
	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// Token types: RFC 8693 section 3.
const (
	typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	typeJWT         = "urn:ietf:params:oauth:token-type:jwt"
)

// exchange is the token exchange grant: RFC 8693 section 2. An access token of ours becomes another one of ours: for the next API on the
// way, or with fewer scopes. Whoever has it exchanged acts for its subject, and the new token says so.
//
// It gives nobody rights that nobody granted. At what the old token is for, the new one can do what the old one could, at the most; elsewhere
// what the operator gave the client in its own access, and for the client's own users no more than they allowed. The new token lives by
// what the old one lives by and no longer than it. Nothing is stored for it.
func (e *Endpoint) exchange(ctx context.Context, r request) (issue.Granted, error) {
	c, p := r.client, r.params
	if clients.Public(c) { // otherwise whoever finds a token can pose as somebody whom it may be exchanged by
		return issue.Granted{}, oauth.Errorf(oauth.UnauthorizedClient, "the grant type %s is for clients that authenticate themselves", clients.GrantExchange)
	}
	if err := checkTypes(p); err != nil {
		return issue.Granted{}, err
	}
	subject, state, err := e.presented(ctx, p, "subject_token")
	if err != nil {
		return issue.Granted{}, err
	}
	if err := mayExchange(c, subject); err != nil {
		return issue.Granted{}, err
	}
	if len(subject.Exchanged) >= issue.MaxExchanges { // RFC 8693 names no bound
		return issue.Granted{}, oauth.Errorf(oauth.InvalidRequest, "subject_token was exchanged %d times already, and that is as often as it may be", issue.MaxExchanges)
	}
	if err := e.checkActor(ctx, c, p); err != nil {
		return issue.Granted{}, err
	}
	g := issue.Granted{
		Client: c, Service: subject.Service, User: state.User, Family: alone(state.Family), For: subject, Act: actorsOf(c, subject),
	}
	if subject.Service {
		g.Self = state.Client
	}
	if err := e.redirect(ctx, &g, r, subject, state); err != nil {
		return g, err
	}
	if p.Get("requested_token_type") == typeJWT && !g.Target.JWT() {
		return g, oauth.Errorf(oauth.InvalidRequest, "requested_token_type asks for a JWT, and access tokens for this resource are opaque")
	}
	return g, e.Record.Record(ctx, audit.Entry{
		Time: e.Now(), Event: audit.TokenExchanged, Origin: trail.Of(ctx).Origin(), Client: c.ID, User: state.User.Sub, Family: familyOf(subject),
		Detail: fmt.Sprintf("%s, of a token of %s for %s", strings.Join(g.Scopes, " "), subject.Client, strings.Join(subject.Audience, " ")),
	})
}

// alone is a family as an exchanged token is made of it: without what would lead to an ID token or a refresh token.
func alone(f storage.Family) storage.Family {
	f.Authorization.Scopes, f.Authorization.Offline, f.Authorization.Claims = nil, false, nil
	return f
}

// familyOf names the family of a token, for the audit log.
func familyOf(a *issue.Access) string {
	if a.Service {
		return ""
	}
	return a.Family.String()
}

// checkTypes holds what a request says of its tokens to RFC 8693 section 2.1.
func checkTypes(p oauth.Params) error {
	bad := func(format string, args ...any) error { return oauth.Errorf(oauth.InvalidRequest, format, args...) }
	known := func(name string) bool { return slices.Contains([]string{typeAccessToken, typeJWT}, p.Get(name)) }
	switch {
	case !p.Has("subject_token"):
		return bad("subject_token is missing")
	case !p.Has("subject_token_type"):
		return bad("subject_token_type is missing")
	case !known("subject_token_type"):
		return bad("subject_token_type must be %s or %s: other tokens are not exchanged here", typeAccessToken, typeJWT)
	case p.Has("actor_token") && !p.Has("actor_token_type"):
		return bad("actor_token_type is missing beside actor_token")
	case !p.Has("actor_token") && p.Has("actor_token_type"):
		return bad("actor_token_type stands without actor_token")
	case p.Has("actor_token") && !known("actor_token_type"):
		return bad("actor_token_type must be %s or %s", typeAccessToken, typeJWT)
	case p.Has("requested_token_type") && !known("requested_token_type"):
		return bad("requested_token_type must be %s or %s: other tokens are not made here", typeAccessToken, typeJWT)
	}
	return nil
}

// presented is the live access token of ours that a parameter holds. Any other is an invalid_request: RFC 8693 section 2.2.2.
func (e *Endpoint) presented(ctx context.Context, p oauth.Params, name string) (*issue.Access, storage.FamilyState, error) {
	a, state, err := e.Issuer.LiveAccess(ctx, p.Get(name))
	switch {
	case errors.Is(err, issue.ErrToken):
		return nil, state, oauth.Errorf(oauth.InvalidRequest, "%s is not an access token of this server, or is no longer good", name).Because(err)
	case err != nil:
		return nil, state, err
	case p.Get(name+"_type") == typeJWT && strings.Count(p.Get(name), ".") != 2:
		return nil, state, oauth.Errorf(oauth.InvalidRequest, "%s is not a JWT, and %s_type says so", name, name)
	}
	return a, state, nil
}

// mayExchange: a token is exchanged by whom it reached, as one of its audiences, by whom it was issued to, and by nobody else. A may_act
// (RFC 8693 section 4.4) names one other.
func mayExchange(c storage.Client, subject *issue.Access) error {
	if subject.Client == c.ID || clients.Is(c, subject.Audience) || subject.MayAct != nil && subject.MayAct.Subject == c.ID {
		return nil
	}
	return oauth.Errorf(oauth.InvalidRequest, "subject_token was neither issued to this client nor is it for an API that this client is")
}

// checkActor: the client acts itself. An actor_token can say it again, and nobody else: what others let it do, it does as their client.
func (e *Endpoint) checkActor(ctx context.Context, c storage.Client, p oauth.Params) error {
	if !p.Has("actor_token") {
		return nil
	}
	actor, _, err := e.presented(ctx, p, "actor_token")
	if err != nil {
		return err
	}
	if !actor.Service || actor.Subject != c.ID || actor.Client != c.ID {
		return oauth.Errorf(oauth.InvalidRequest, "actor_token is not this client's own: it must be one that the client got in its own name")
	}
	return nil
}

// actorsOf is the act of the new token: RFC 8693 section 4.1. Of a client that impersonates it says no more than the old one did.
func actorsOf(c storage.Client, subject *issue.Access) *issue.Act {
	if c.Exchange == storage.ExchangeImpersonation {
		return subject.Act
	}
	return &issue.Act{Subject: c.ID, Act: subject.Act}
}

// redirect sets what the new token is for and which scopes it has: RFC 8693 section 2.1, resource, audience and scope.
func (e *Endpoint) redirect(ctx context.Context, g *issue.Granted, r request, subject *issue.Access, state storage.FamilyState) (err error) {
	reached := e.Issuer.Named(subject.Audience)
	names := e.Issuer.Named(slices.Concat(r.params.All("resource"), r.params.All("audience")))
	switch {
	case len(names) > 0:
	case r.client.DefaultResource != storage.DefaultResource:
		names = []string{r.client.DefaultResource}
	default:
		names = reached
	}
	var may []string
	for _, name := range names {
		if !slices.Contains(reached, name) && !onward(r.client, name, subject, state) {
			return oauth.Errorf(oauth.InvalidTarget, "the resource or audience is no API that this client may go on to with this token")
		}
		res, err := e.Issuer.Resources.Resource(ctx, name)
		if errors.Is(err, storage.ErrNotFound) {
			return oauth.Errorf(oauth.InvalidTarget, "the resource or audience is no API that this client may go on to with this token").Because(err)
		}
		if err != nil {
			return err
		}
		r.named = append(r.named, res)
		for _, s := range e.exchangeMay(r.client, res, slices.Contains(reached, name), subject, state) {
			if !slices.Contains(may, s) { // one of the catalogue's goes with each
				may = append(may, s)
			}
		}
	}
	if g.Scopes, err = exchangeScopes(may, r.params.Words("scope")); err != nil {
		return err
	}
	g.Target, err = e.Issuer.Target(r.named, g.Scopes)
	return err
}

// onward reports whether a client may go on, with a token, to a resource that the token is not for. Its own access lets it; with what its own
// users allowed it, it must be among that too, for otherwise no user would have to be asked.
func onward(c storage.Client, resource string, subject *issue.Access, state storage.FamilyState) bool {
	access := slices.ContainsFunc(c.Access, func(a storage.Access) bool { return a.Resource == resource })
	return access && (!ownUsers(c, subject, state) || state.Family.Authorization.Covers([]string{resource}))
}

// ownUsers reports whether a token comes of what a user allowed the client itself.
func ownUsers(c storage.Client, subject *issue.Access, state storage.FamilyState) bool {
	return !subject.Service && state.Client.ID == c.ID
}

// exchangeMay are the scopes that the new token can have at a resource. At one that the old token is for they are among the old one's;
// elsewhere they are the client's own. Those of OpenID Connect are for whom the user gave them.
func (e *Endpoint) exchangeMay(c storage.Client, res storage.Resource, reached bool, subject *issue.Access, state storage.FamilyState) (may []string) {
	if !reached {
		may = clients.ScopesAt(c, res, true)
		if ownUsers(c, subject, state) {
			may = slices.DeleteFunc(may, func(s string) bool { return !state.Family.Authorization.Allows(res.ID, s) })
		}
		return may
	}
	for s := range strings.FieldsSeq(subject.Scope) {
		own := slices.ContainsFunc(res.Scopes, func(of storage.Scope) bool { return of.Name == s })
		if own || slices.Contains(e.Issuer.Claims.Added(), s) {
			may = append(may, s)
		}
	}
	return may
}

// exchangeScopes are those asked for, or all that the new token can have: RFC 8693 section 2.1.
func exchangeScopes(may, asked []string) ([]string, error) {
	if len(asked) == 0 {
		return may, nil
	}
	for _, s := range asked {
		switch {
		case slices.Contains(may, s):
		case slices.Contains(clients.Scopes, s):
			return nil, oauth.Errorf(oauth.InvalidScope, "the scope %s is for the client that the user signed in to", s)
		default:
			return nil, oauth.Errorf(oauth.InvalidScope, "scope asks for more than this client may have with this subject_token")
		}
	}
	return asked, nil
}

// issuedType is issued_token_type: what was asked for, as far as the two can be told apart.
func issuedType(p oauth.Params) string {
	if t := p.Get("requested_token_type"); t != "" {
		return t
	}
	return typeAccessToken
}
