package authorize

import (
	"slices"

	"signet/claims"
	"signet/clients"
	"signet/provider/oauth"
	"signet/provider/session"
	"signet/storage"
)

// claims: OpenID Connect Core 5.5. What is kept of it is what concerns us and what this client may have; the rest is ignored.
func (e *Endpoint) claims(p oauth.Params, c storage.Client, req *storage.Request) error {
	if !p.Has("claims") || !slices.Contains(req.Scopes, "openid") {
		return nil
	}
	asked, err := claims.Parse(p.Get("claims"))
	if err != nil {
		return oauth.Errorf(oauth.InvalidRequest, "claims is not what OpenID Connect Core 5.5 describes: %v", err)
	}
	if asked.Userinfo != nil && !clients.Carries(req.ResponseType, clients.ResponseCode, clients.ResponseToken) {
		return oauth.Errorf(oauth.InvalidRequest, "claims asks for userinfo, and this response_type gives no access token for it")
	}
	subject, err := asked.Subject()
	switch {
	case err != nil:
		return oauth.Errorf(oauth.InvalidRequest, "claims: %v", err)
	case subject == "":
	case req.HintedUser != "" && req.HintedUser != subject:
		return oauth.Errorf(oauth.LoginRequired, "claims and id_token_hint name two users")
	default: // as id_token_hint does
		req.HintedUser = subject
	}
	acr, err := asked.ACR()
	switch {
	case err != nil:
		return oauth.Errorf(oauth.InvalidRequest, "claims: %v", err)
	case len(acr) > 0 && !slices.ContainsFunc(acr, session.Reaches): // 5.5.1.1: a failed authentication; nobody needs to try
		return oauth.Errorf(oauth.UnmetAuthentication, "claims wants an acr that no sign-in here has; acr_values_supported lists those that there are")
	}
	req.Claims = e.Issuer.Claims.Known(asked, c).Stored()
	return nil
}
