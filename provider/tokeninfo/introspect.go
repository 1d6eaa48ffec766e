package tokeninfo

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"signet/claims"
	"signet/clients"
	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// introspection is the answer of RFC 7662 section 2.2. An inactive token has nothing but active.
type introspection struct {
	Active    bool           `json:"active"`
	Scope     string         `json:"scope,omitempty"`
	Client    string         `json:"client_id,omitempty"`
	TokenType string         `json:"token_type,omitempty"`
	Expires   int64          `json:"exp,omitempty"`
	IssuedAt  int64          `json:"iat,omitempty"`
	Subject   string         `json:"sub,omitempty"`
	Audience  issue.Audience `json:"aud,omitempty"`
	Issuer    string         `json:"iss,omitempty"`
	ID        string         `json:"jti,omitempty"`
	AuthTime  int64          `json:"auth_time,omitempty"`
	ACR       string         `json:"acr,omitempty"`

	Groups      []string   `json:"groups,omitempty"`
	Roles       []string   `json:"roles,omitempty"`
	Permissions []string   `json:"permissions,omitempty"`
	Act         *issue.Act `json:"act,omitempty"` // RFC 8693 section 4.1

	said []claims.Said // of the operator's claims: section 2.2, "service-specific response names"
}

// MarshalJSON adds the operator's claims to the others.
func (i introspection) MarshalJSON() ([]byte, error) {
	type own introspection
	object, err := json.Marshal(own(i))
	if err != nil {
		return nil, err
	}
	return claims.Append(object, i.said)
}

// Introspect answers POST: RFC 7662 section 2.1. A client_id alone proves nothing, so a public client may not ask.
func (e *Endpoint) Introspect(w http.ResponseWriter, r *http.Request) error {
	w.Header().Add("Vary", "Accept")
	client, p, err := e.Clients.ReadForm(w, r)
	if err != nil {
		return err
	}
	switch {
	case client.TokenEndpointAuthMethod == "none":
		return oauth.Errorf(oauth.InvalidClient, "introspection needs a client that authenticates itself")
	case !p.Has("token"):
		return oauth.Errorf(oauth.InvalidRequest, "token is missing")
	}
	answer, err := e.introspect(r.Context(), client, p.Get("token"))
	if err != nil {
		return err
	}
	if !answer.Active {
		trail.Of(r.Context()).Outcome.Result = trail.Inactive
	}
	if !wantsJWT(r) {
		return oauth.WriteJSON(w, answer)
	}
	body, err := e.Issuer.Introspection(r.Context(), client, answer)
	if err != nil {
		return err
	}
	oauth.Write(w, issue.MediaIntrospection, body)
	return nil
}

// wantsJWT reports whether the answer is to be a JWT: RFC 9701 section 4. Who names that type wants it unless JSON is dearer to them; who takes
// anything gets JSON, as before there was another.
func wantsJWT(r *http.Request) bool {
	accept := r.Header["Accept"]
	weight := oauth.Weight(accept, issue.MediaIntrospection)
	return weight > 0 && weight >= oauth.Weight(accept, issue.MediaJSON, "application/*", "*/*")
}

// introspect tells the truth about a token to the client that it was issued to, and to those that it is for (see [storage.Client.Resources]).
// Anybody else's looks inactive: RFC 7662 section 4.
func (e *Endpoint) introspect(ctx context.Context, c storage.Client, token string) (introspection, error) {
	if t, ok := e.Issuer.ParseRefreshToken(token); ok {
		return e.introspectRefresh(ctx, c, t)
	}
	a, _, err := e.Issuer.LiveAccess(ctx, token)
	switch {
	case errors.Is(err, issue.ErrToken):
		return introspection{}, nil
	case err != nil:
		return introspection{}, err
	case a.Client != c.ID && !clients.Is(c, a.Audience):
		return introspection{}, nil
	}
	answer := introspection{
		Active: true, Scope: a.Scope, Client: a.Client, TokenType: "Bearer", Expires: a.Expires, IssuedAt: a.IssuedAt, Subject: a.Subject,
		Audience: a.Audience, Issuer: a.Issuer, ID: a.ID, AuthTime: a.AuthTime, ACR: a.ACR,
		Groups: a.Groups, Roles: a.Roles, Permissions: a.Permissions, Act: a.Act,
	}
	if clients.Is(c, a.Audience) { // the operator said to which resources they go
		answer.said = a.Said
	}
	return answer, nil
}

// introspectRefresh: only the current generation is active. Looking at an old one is not theft.
func (e *Endpoint) introspectRefresh(ctx context.Context, c storage.Client, t issue.RefreshToken) (introspection, error) {
	state, err := e.Store.Family(ctx, t.Family)
	if errors.Is(err, storage.ErrNotFound) {
		return introspection{}, nil
	}
	if err != nil {
		return introspection{}, err
	}
	f := state.Family
	if f.Authorization.Client != c.ID || t.Generation != f.Generation || !f.Authorization.Offline || state.Live(e.Now()) != nil {
		return introspection{}, nil
	}
	sub, err := e.Issuer.Subject(c, state.User)
	if err != nil {
		return introspection{}, err
	}
	return introspection{
		Active: true, Scope: strings.Join(f.Authorization.Scopes, " "), Client: c.ID, Expires: f.IdleExpires.Unix(), IssuedAt: f.Moved.Unix(),
		Subject: sub, Issuer: e.Issuer.Issuer,
	}, nil
}
