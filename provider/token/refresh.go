package token

import (
	"context"
	"errors"

	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// refresh is the refresh token grant: RFC 6749 section 6, RFC 9700 section 4.14, OpenID Connect Core 12.
func (e *Endpoint) refresh(ctx context.Context, r request) (issue.Granted, error) {
	c, p := r.client, r.params
	if !p.Has("refresh_token") {
		return issue.Granted{}, oauth.Errorf(oauth.InvalidRequest, "refresh_token is missing")
	}
	t, ok := e.Issuer.ParseRefreshToken(p.Get("refresh_token"))
	if !ok { // not made by us: the store is not asked
		return issue.Granted{}, refusedRefresh(storage.ErrNotFound)
	}
	scopes := p.Words("scope")
	if err := e.together(ctx, r, t, scopes); err != nil {
		return issue.Granted{}, err
	}
	family, user, err := e.Store.RotateFamily(ctx, storage.Rotation{
		Family: t.Family, Generation: t.Generation, Client: c.ID, Scopes: scopes, Resources: r.resources, Keep: c.RefreshRotation == storage.RotationKeep,
		Window: e.ReuseWindow, Idle: e.RefreshIdle, Now: e.Now(), Origin: trail.Of(ctx).Origin(),
	})
	if errors.Is(err, storage.ErrReused) {
		theft(ctx, "refresh_token", t.Family)
	}
	switch {
	case errors.Is(err, storage.ErrScope): // RFC 6749 section 6
		return issue.Granted{}, oauth.Errorf(oauth.InvalidScope, "scope asks for more than was granted").Because(err)
	case err != nil:
		return issue.Granted{}, refusedRefresh(err)
	case len(scopes) == 0: // section 6: "treated as equal to the scope originally granted"
		scopes = family.Authorization.Scopes
	}
	g := issue.Granted{Client: c, User: user, Family: family, Scopes: scopes}
	return g, e.aim(ctx, &g, r) // what the operator has taken from the client since is left out
}

// together refuses several resources that one token with what was granted cannot be for, before the refresh token is used up for the refusal.
// Whether the client may have the family at all is not said here.
func (e *Endpoint) together(ctx context.Context, r request, t issue.RefreshToken, scopes []string) error {
	if len(r.named) < 2 || len(scopes) > 0 { // one is good in itself, and scopes that are named were looked at
		return nil
	}
	state, err := e.Issuer.Families.Family(ctx, t.Family)
	a := state.Family.Authorization
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil
	case err != nil:
		return err
	case a.Client != r.client.ID || !a.Covers(r.resources):
		return nil
	}
	_, err = e.Issuer.Target(r.named, a.Scopes)
	return err
}
