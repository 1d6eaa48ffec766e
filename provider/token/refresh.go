package token

import (
	"context"
	"errors"
	"slices"

	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// refresh is the refresh token grant: RFC 6749 section 6, RFC 9700 section 4.14, OpenID Connect Core 12.
func (e *Endpoint) refresh(ctx context.Context, c storage.Client, p oauth.Params) (issue.Granted, error) {
	if !p.Has("refresh_token") {
		return issue.Granted{}, oauth.Errorf(oauth.InvalidRequest, "refresh_token is missing")
	}
	t, ok := e.Issuer.ParseRefreshToken(p.Get("refresh_token"))
	if !ok { // not made by us: the store is not asked
		return issue.Granted{}, refusedRefresh(storage.ErrNotFound)
	}
	scopes := p.Words("scope")
	family, user, err := e.Store.RotateFamily(ctx, storage.Rotation{
		Family: t.Family, Generation: t.Generation, Client: c.ID, Scopes: scopes, Keep: c.RefreshRotation == storage.RotationKeep,
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
	return issue.Granted{Client: c, User: user, Family: family, Scopes: stillAllowed(scopes, c)}, nil
}

// stillAllowed leaves out what the operator has taken from the client since.
func stillAllowed(scopes []string, c storage.Client) []string {
	if !slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(c.Scopes, s) }) {
		return scopes
	}
	var left []string
	for _, s := range scopes {
		if slices.Contains(c.Scopes, s) {
			left = append(left, s)
		}
	}
	return left
}
