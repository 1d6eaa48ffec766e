package token

import (
	"context"
	"errors"

	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// device is the device code grant: RFC 8628 section 3.4. Every poll but the last is a refusal that is meant to be one.
func (e *Endpoint) device(ctx context.Context, r request) (issue.Granted, error) {
	if !r.params.Has("device_code") {
		return issue.Granted{}, oauth.Errorf(oauth.InvalidRequest, "device_code is missing")
	}
	h, err := storage.ParseHandle(r.params.Get("device_code"))
	if err != nil {
		return issue.Granted{}, refusedDevice(storage.ErrNotFound)
	}
	polled, err := e.Store.PollDevice(ctx, storage.DevicePoll{
		Code: h, Client: r.client.ID, Resources: r.resources, Now: e.Now(), Origin: trail.Of(ctx).Origin(),
	}, e.newFamily())
	if errors.Is(err, storage.ErrSpent) {
		theft(ctx, "device_code", polled.Grant.Family)
	}
	if err != nil {
		return issue.Granted{}, refusedDevice(err)
	}
	g := issue.Granted{Client: r.client, User: polled.User, Family: polled.Family, Scopes: polled.Family.Authorization.Scopes}
	return g, e.aim(ctx, &g, r)
}

// deviceRefusals are the words for each refusal of [storage.Devices] that is invalid_grant: RFC 6749 section 5.2.
var deviceRefusals = map[error]string{
	storage.ErrNotFound:    "device_code is unknown",
	storage.ErrSpent:       "device_code was used before; the tokens that came of it are revoked",
	storage.ErrOtherClient: "device_code was issued to another client",
	storage.ErrEnded:       "the user has signed out, or may not sign in any more",
}

// refusedDevice says a refusal in the words of RFC 8628 section 3.5, where that has any.
func refusedDevice(err error) error {
	switch {
	case errors.Is(err, storage.ErrPending):
		return oauth.Errorf(oauth.AuthorizationPending, "the user has not decided yet").Because(err)
	case errors.Is(err, storage.ErrSlowDown):
		return oauth.Errorf(oauth.SlowDown, "polls come too often; wait 5 seconds longer from now on").Because(err)
	case errors.Is(err, storage.ErrDenied):
		return oauth.Errorf(oauth.AccessDenied, "the user declined").Because(err)
	case errors.Is(err, storage.ErrExpired):
		return oauth.Errorf(oauth.ExpiredToken, "device_code has expired; begin anew").Because(err)
	}
	return refused(err, deviceRefusals)
}
