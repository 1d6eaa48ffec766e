package demo

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// LogoutPath takes the provider's logout tokens: the app's backchannel_logout_uri.
const LogoutPath = "/backchannel-logout"

// maxLogout bounds a request with a logout token.
const maxLogout = 64 << 10

// logout ends the sessions that a logout token names: Back-Channel Logout 1.0 sections 2.5 to 2.8. The provider's server sends it; there
// is no browser, so nothing but the signature says who speaks.
func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	r.Body = http.MaxBytesReader(w, r.Body, maxLogout)
	w.Header().Set("Cache-Control", "no-store")
	over, err := a.logoutToken(ctx, r.PostFormValue("logout_token"))
	if err != nil {
		a.Log.WarnContext(ctx, "demo: logout token", "error", err)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_request", "error_description": "the logout token is not good"})
		return
	}
	for _, id := range a.sessions.Keys() {
		if s, ok := a.sessions.Peek(id); ok {
			s.end(over)
		}
	}
}

// over is what a logout token ends: one session at the provider, or all of a subject's.
type over struct{ sub, sid string }

// end signs the browser out if that is what is over. A refresh that is under way comes to its end first.
func (s *session) end(o over) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.grant; g != nil && (o.sid == "" || o.sid == g.sid) && (o.sub == "" || o.sub == g.sub) {
		s.grant, s.ended = nil, true
	}
}

// logoutToken verifies a logout token: section 2.6. What it has in common with an ID token the library verifies as one; the type and the
// event tell them apart.
func (a *app) logoutToken(ctx context.Context, token string) (over, error) {
	j, err := parseJWT(token)
	if err != nil {
		return over{}, err
	}
	party, err := a.party(ctx)
	if err != nil {
		return over{}, err
	}
	if _, err := rp.VerifyIDToken[*oidc.IDTokenClaims](ctx, token, party.IDTokenVerifier()); err != nil {
		return over{}, err
	}
	var events map[string]map[string]any
	_ = json.Unmarshal(j.payload["events"], &events) // what is none has no such event
	o := over{j.payload.text("sub"), j.payload.text("sid")}
	_, nonce := j.payload["nonce"]
	switch {
	case j.header.text("typ") != "logout+jwt":
		return over{}, errors.New("it is of another type")
	case events["http://schemas.openid.net/event/backchannel-logout"] == nil:
		return over{}, errors.New("it has no logout event")
	case nonce:
		return over{}, errors.New("it has a nonce")
	case j.payload.text("jti") == "":
		return over{}, errors.New("it has no jti")
	}
	return o, nil
}
