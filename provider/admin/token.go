package admin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"signet/clients"
	"signet/keys"
	"signet/provider/issue"
	"signet/storage"
)

// Token asks what a token is.
type Token struct {
	Token string `json:"token"`
}

// Inspection is what a token is, whether it is good, and why not. Nothing of it changes anything: inspecting a refresh token does
// not use it.
type Inspection struct {
	Kind  string `json:"kind"`          // one of the Kind constants
	Live  bool   `json:"live"`          // whether we accept it now
	Why   string `json:"why,omitempty"` // why not
	KeyID string `json:"kid,omitempty"`
	Key   string `json:"key,omitempty"` // state of the key of that kid in our ring; "unknown" if it is not there

	Header    json.RawMessage `json:"header,omitempty"` // of a JWT, as it was sent
	Claims    json.RawMessage `json:"claims,omitempty"`
	Signature string          `json:"signature,omitempty"` // good or bad, by our keys or the client's secret

	Expires    time.Time     `json:"expires,omitzero"`
	Generation *uint32       `json:"generation,omitempty"` // of a refresh token
	Family     *FamilyStatus `json:"family,omitempty"`
}

// What a token can be.
const (
	KindAccess  = "access token"
	KindID      = "ID token"
	KindJWT     = "JWT" // not one of ours, or not in one piece
	KindRefresh = "refresh token"
	KindHandle  = "one-time handle" // a code, most likely
	KindUnknown = "unknown"
)

// FamilyStatus is what a token lives by.
type FamilyStatus struct {
	ID         storage.ID `json:"id"`
	Client     string     `json:"client_id"`
	User       string     `json:"sub"`
	Username   string     `json:"username,omitempty"` // "": the user was removed
	Session    storage.ID `json:"session"`
	Scopes     []string   `json:"scopes"`
	Offline    bool       `json:"offline"`    // it outlives the session
	Generation uint32     `json:"generation"` // of the current refresh token
	Created    time.Time  `json:"created"`
	Expires    time.Time  `json:"expires"` // the earlier of idle and absolute
	Ended      time.Time  `json:"ended,omitzero"`
	EndedBy    string     `json:"ended_by,omitempty"`
	Live       bool       `json:"live"`
}

func (a *api) inspect(w http.ResponseWriter, r *http.Request) error {
	var t Token
	if err := read(r, &t); err != nil {
		return err
	}
	i, err := a.inspection(r.Context(), strings.TrimSpace(t.Token))
	if err != nil {
		return err
	}
	return write(w, i)
}

func (a *api) inspection(ctx context.Context, token string) (Inspection, error) {
	if strings.Count(token, ".") == 2 {
		return a.inspectJWT(ctx, token)
	}
	tokens, err := a.Tokens()
	if err != nil {
		return Inspection{}, err
	}
	if t, ok := tokens.ParseRefreshToken(token); ok {
		return a.inspectRefresh(ctx, t)
	}
	if h, err := storage.ParseHandle(token); err == nil {
		return inspectHandle(h, a.Now()), nil
	}
	return Inspection{Kind: KindUnknown, Why: "it is no JWT, and we did not make it"}, nil
}

func (a *api) inspectJWT(ctx context.Context, token string) (Inspection, error) {
	i := Inspection{Kind: KindJWT}
	parts := strings.Split(token, ".")
	i.Header, i.Claims = decodePart(parts[0]), decodePart(parts[1])
	if i.Header == nil || i.Claims == nil {
		i.Why = "it is not a JWT: header and payload are not JSON objects in base64url"
		return i, nil
	}
	var header struct {
		Alg   string `json:"alg"`
		Typ   string `json:"typ"`
		KeyID string `json:"kid"`
	}
	var claims struct {
		Issuer  string      `json:"iss"`
		Expires json.Number `json:"exp"`
	}
	_ = json.Unmarshal(i.Header, &header) // what is not there, or of another form, stays empty and is refused below
	_ = json.Unmarshal(i.Claims, &claims)
	i.KeyID = header.KeyID
	if exp, err := claims.Expires.Float64(); err == nil {
		i.Expires = time.Unix(int64(exp), 0).UTC()
	}

	k, err := a.Keys()
	if err != nil {
		return i, err
	}
	tokens, err := a.Tokens()
	if err != nil {
		return i, err
	}
	if i.KeyID != "" {
		i.Key = keyState(k, i.KeyID)
	}
	_, err = tokens.ParseHint(ctx, token)
	switch {
	case err == nil: // by a key of ours, or by its client's secret
		i.Kind, i.Signature = KindID, "good"
		i.Live = a.Now().Before(i.Expires)
		if !i.Live {
			i.Why = "it has expired"
		}
		return i, nil
	case !errors.Is(err, issue.ErrHint):
		return i, err
	case header.Alg == clients.AlgHS256: // no key of ours signs with it
		i.Signature, i.Why = "bad", err.Error()
		return i, nil
	}
	if _, _, err := k.Verify(token, header.Typ); err != nil {
		i.Signature, i.Why = "bad", strings.TrimPrefix(err.Error(), "keys: ")
		return i, nil
	}
	i.Signature = "good"
	if claims.Issuer != tokens.Issuer {
		i.Why = "its issuer is another than ours, " + tokens.Issuer
		return i, nil
	}
	return a.inspectAccess(ctx, tokens, token, i)
}

func (a *api) inspectAccess(ctx context.Context, tokens *issue.Issuer, token string, i Inspection) (Inspection, error) {
	_, state, err := tokens.LiveAccess(ctx, token)
	switch {
	case err == nil:
		i.Kind, i.Live = KindAccess, true
	case errors.Is(err, issue.ErrToken):
		i.Why = strings.TrimPrefix(err.Error(), issue.ErrToken.Error()+": ")
		if _, parseErr := tokens.ParseAccessToken(token); parseErr == nil || !a.Now().Before(i.Expires) {
			i.Kind = KindAccess
		}
	default:
		return i, err
	}
	if !state.Family.ID.IsZero() { // a client that acts for itself has none
		i.Family = a.familyStatus(state)
	}
	return i, nil
}

func keyState(k *keys.Keys, kid string) string {
	for _, info := range k.List() {
		if info.KID == kid {
			return string(info.State)
		}
	}
	return "unknown"
}

// decodePart returns one part of a JWT, or nil if it is not an object.
func decodePart(s string) json.RawMessage {
	b, err := base64.RawURLEncoding.DecodeString(s)
	var object map[string]json.RawMessage
	if err != nil || json.Unmarshal(b, &object) != nil || object == nil {
		return nil
	}
	return b
}

func (a *api) inspectRefresh(ctx context.Context, t issue.RefreshToken) (Inspection, error) {
	i := Inspection{Kind: KindRefresh, Generation: &t.Generation}
	state, err := a.Store.Family(ctx, t.Family)
	if errors.Is(err, storage.ErrNotFound) {
		i.Why = "its family is gone: it expired, or was never stored here"
		return i, nil
	}
	if err != nil {
		return i, err
	}
	i.Family = a.familyStatus(state)
	i.Expires = i.Family.Expires
	switch now := a.Now(); {
	case state.Live(now) != nil:
		i.Why = "its family has " + state.Live(now).Error()
	case t.Generation > state.Family.Generation:
		i.Why = "it is newer than the store, which was restored from a backup; using it ends the family"
	case t.Generation < state.Family.Generation:
		i.Why = "it was used; using it again after the reuse window is theft and ends the family"
	default:
		i.Live = true
	}
	return i, nil
}

func (a *api) familyStatus(s storage.FamilyState) *FamilyStatus {
	f := s.Family
	expires := f.Expires
	if f.IdleExpires.Before(expires) {
		expires = f.IdleExpires
	}
	return &FamilyStatus{
		ID: f.ID, Client: f.Authorization.Client, User: f.Authorization.User, Username: s.User.Name, Session: f.Authorization.Session,
		Scopes: f.Authorization.Scopes, Offline: f.Authorization.Offline, Generation: f.Generation,
		Created: f.Created, Expires: expires, Ended: f.Ended, EndedBy: f.EndedBy, Live: s.Live(a.Now()) == nil,
	}
}

// inspectHandle tells what a handle itself says. Whether it was spent cannot be asked without spending it, and that is right: a
// code is for its client alone.
func inspectHandle(h storage.Handle, now time.Time) Inspection {
	i := Inspection{Kind: KindHandle, Expires: h.ID.Time()}
	i.Why = "codes are good once, for their client alone, and cannot be asked about"
	if !now.Before(i.Expires) {
		i.Why = "it has expired, if it is a code"
	}
	return i
}
