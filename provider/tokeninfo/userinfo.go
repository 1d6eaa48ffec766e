package tokeninfo

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/provider/trail"
)

// Userinfo answers GET and POST: OpenID Connect Core 5.3.1.
func (e *Endpoint) Userinfo(w http.ResponseWriter, r *http.Request) error {
	token, err := bearer(w, r)
	if err != nil {
		return err
	}
	if err := e.Limits.LookAddress(r); err != nil {
		return err
	}
	a, state, err := e.Issuer.LiveAccess(r.Context(), token)
	if errors.Is(err, issue.ErrToken) {
		if err := e.Limits.Address(r); err != nil {
			return err
		}
		return challenge(oauth.Errorf(oauth.InvalidToken, "the access token is not valid, has expired or was revoked").Because(err))
	}
	if err != nil {
		return err
	}
	trail.Of(r.Context()).Client(a.Client)
	if !slices.Contains(a.Audience, e.Issuer.Issuer) { // RFC 9068 section 4: an API that got a token is not to find out here whose it is
		return challenge(oauth.Errorf(oauth.InvalidToken, "the access token is for another resource"))
	}
	if err := e.Limits.Bearer(r, state.Client); err != nil {
		return err
	}
	scopes := strings.Fields(a.Scope)
	if !slices.Contains(scopes, "openid") { // Core 5.3: the token of an OpenID Connect authentication
		return challenge(oauth.Errorf(oauth.InsufficientScope, "the access token lacks the scope openid"))
	}
	body, mediaType, err := e.Issuer.Userinfo(r.Context(), state, scopes)
	if err != nil {
		return err
	}
	oauth.Write(w, mediaType, body)
	return nil
}

// bearer finds the access token: RFC 6750 section 2. In the query it would be in logs and histories (section 2.3), so there it is
// not looked for; two methods at once are refused (section 2).
func bearer(w http.ResponseWriter, r *http.Request) (string, error) {
	if r.URL.Query().Has("access_token") {
		return "", challenge(oauth.Errorf(oauth.InvalidRequest, "access_token does not belong in the URL"))
	}
	if len(r.Header.Values("Authorization")) > 1 {
		return "", challenge(oauth.Errorf(oauth.InvalidRequest, "the Authorization header was sent more than once"))
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	inHeader := strings.EqualFold(scheme, "Bearer") && token != ""
	if r.Method == http.MethodPost && r.Header.Get("Content-Type") != "" {
		p, err := oauth.ReadForm(w, r)
		switch {
		case err != nil:
			return "", challenge(oauth.AsError(err))
		case p.Has("access_token") && inHeader:
			return "", challenge(oauth.Errorf(oauth.InvalidRequest, "the access token was sent twice, by header and in the body"))
		case p.Has("access_token"):
			return p.Get("access_token"), nil
		}
	}
	if !inHeader { // RFC 6750 section 3.1: without any token, no error code
		return "", &oauth.Error{Code: oauth.InvalidToken, Description: "an access token is needed", Challenge: "Bearer"}
	}
	return token, nil
}

// challenge adds what RFC 6750 section 3 wants in the header. Descriptions hold no quotes.
func challenge(e *oauth.Error) error {
	answer := *e
	answer.Challenge = `Bearer error="` + string(e.Code) + `", error_description="` + e.Description + `"`
	return &answer
}
