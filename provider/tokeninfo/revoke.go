package tokeninfo

import (
	"context"
	"errors"
	"net/http"
	"time"

	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// Revoke answers POST: RFC 7009 section 2. The answer to a token that is revoked, unknown or expired is an empty 200 without a
// Content-Type (section 2.2); a failure of the store is not.
func (e *Endpoint) Revoke(w http.ResponseWriter, r *http.Request) error {
	client, p, err := e.Clients.ReadForm(w, r)
	if err != nil {
		return err
	}
	if !p.Has("token") {
		return oauth.Errorf(oauth.InvalidRequest, "token is missing")
	}
	err = e.revoke(r.Context(), client, p.Get("token"))
	switch {
	case errors.Is(err, storage.ErrOtherClient): // section 2.1: "the request is refused and the client is informed"
		return oauth.Errorf(oauth.InvalidGrant, "token was issued to another client")
	case err != nil:
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header()["Content-Type"] = nil
	w.WriteHeader(http.StatusOK)
	return nil
}

// revoke ends a family by any generation of its refresh token, and with an access token that one and those issued before it, to the same
// family or for the client itself.
func (e *Endpoint) revoke(ctx context.Context, c storage.Client, token string) error {
	change := storage.Change{Now: e.Now(), Origin: trail.Of(ctx).Origin(), Detail: "revoked by the client"}
	if t, ok := e.Issuer.ParseRefreshToken(token); ok {
		return e.Store.EndFamily(ctx, t.Family, c.ID, change)
	}
	a, err := e.Issuer.ParseAccessToken(token)
	if errors.Is(err, issue.ErrToken) {
		return nil
	}
	if err != nil {
		return err
	}
	exchanged := len(a.Exchanged) > 0
	switch {
	case (exchanged || a.Service) && a.Client != c.ID:
		return storage.ErrOtherClient
	case exchanged: // what it came from is not the client's to end
		return e.Store.DenyToken(ctx, a.ID, time.Unix(a.Expires, 0), c.ID, change)
	}
	if change.AccessLife, err = e.Issuer.AccessLife(ctx); err != nil {
		return err
	}
	if a.Service {
		return e.Store.EndService(ctx, c.ID, a.Series, change)
	}
	return e.Store.EndAccess(ctx, a.Family, a.Series, c.ID, change)
}
