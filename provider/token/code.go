package token

import (
	"context"
	"errors"
	"log/slog"
	"regexp"

	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// verifierForm: RFC 7636 section 4.1.
var verifierForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// code is the authorization code grant: RFC 6749 section 4.1.3, RFC 7636 section 4.5.
func (e *Endpoint) code(ctx context.Context, r request) (issue.Granted, error) {
	p := r.params
	verifier := p.Get("code_verifier")
	switch {
	case !p.Has("code"):
		return issue.Granted{}, oauth.Errorf(oauth.InvalidRequest, "code is missing")
	case !p.Has("redirect_uri"): // it was in the authorization request, so it must be here: RFC 6749 section 4.1.3
		return issue.Granted{}, oauth.Errorf(oauth.InvalidRequest, "redirect_uri is missing: it must be the one of the authorization request")
	case verifier != "" && !verifierForm.MatchString(verifier):
		return issue.Granted{}, oauth.Errorf(oauth.InvalidRequest, "code_verifier must be 43 to 128 unreserved characters")
	}
	h, err := storage.ParseHandle(p.Get("code"))
	if err != nil {
		return issue.Granted{}, refusedCode(err)
	}
	redeemed, err := e.Store.RedeemCode(ctx, storage.Redemption{
		Code: h, Client: r.client.ID, RedirectURI: p.Get("redirect_uri"), Verifier: verifier, Resources: r.resources, Now: e.Now(), Origin: trail.Of(ctx).Origin(),
	}, e.newFamily())
	if errors.Is(err, storage.ErrSpent) {
		theft(ctx, "code", redeemed.Code.Family)
	}
	if err != nil {
		return issue.Granted{}, refusedCode(err)
	}
	g := issue.Granted{
		Client: r.client, User: redeemed.User, Family: redeemed.Family, Scopes: redeemed.Family.Authorization.Scopes, Nonce: redeemed.Code.Nonce,
	}
	return g, e.aim(ctx, &g, r)
}

// newFamily is what a code, or a device's, turns into. Its authorization is the store's to fill in.
func (e *Endpoint) newFamily() storage.Family {
	now := e.Now()
	return storage.Family{
		ID: storage.NewID(now), Moved: now, MACKey: e.Issuer.Keys.MACKey(), Created: now,
		IdleExpires: now.Add(min(e.RefreshIdle, e.RefreshAbsolute)), Expires: now.Add(e.RefreshAbsolute),
	}
}

// theft lifts the request's line in the log: something came twice, and the family that it was of has ended.
func theft(ctx context.Context, what string, family storage.ID) {
	t := trail.Of(ctx)
	t.Outcome.Replay = what
	t.Note(slog.String("family", family.String()))
	t.Raise(slog.LevelWarn)
}

// codeRefusals are the words for each refusal of [storage.Codes]. All are invalid_grant: RFC 6749 section 5.2.
var codeRefusals = map[error]string{
	storage.ErrNotFound:    "code is unknown",
	storage.ErrSpent:       "code was used before; the tokens that came of it are revoked",
	storage.ErrExpired:     "code has expired",
	storage.ErrOtherClient: "code was issued to another client",
	storage.ErrRedirectURI: "redirect_uri is not the one of the authorization request",
	storage.ErrVerifier:    "code_verifier does not fit the code_challenge, or only one of the two was sent",
	storage.ErrEnded:       "the user has signed out, or may not sign in any more",
}

// refreshRefusals are the same for [storage.Families].
var refreshRefusals = map[error]string{
	storage.ErrNotFound:    "refresh_token is unknown",
	storage.ErrExpired:     "refresh_token has expired",
	storage.ErrOtherClient: "refresh_token was issued to another client",
	storage.ErrEnded:       "refresh_token was revoked, or the user may not sign in any more",
	storage.ErrReused:      "refresh_token was used before; all that came of this sign-in is revoked",
	storage.ErrAhead:       "refresh_token is newer than this server's data; it is revoked",
}

func refusedCode(err error) error    { return refused(err, codeRefusals) }
func refusedRefresh(err error) error { return refused(err, refreshRefusals) }

// refused says a refusal of the store in the protocol's words; what is no refusal stays as it is.
func refused(err error, words map[error]string) error {
	if errors.Is(err, storage.ErrTarget) { // RFC 8707 section 2.2
		return oauth.Errorf(oauth.InvalidTarget, "resource names an API that was not authorized").Because(err)
	}
	for refusal, description := range words {
		if errors.Is(err, refusal) {
			return oauth.Errorf(oauth.InvalidGrant, "%s", description).Because(err)
		}
	}
	return err
}
