package issue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"signet/clients"
	"signet/storage"
)

// ErrHint says that something is not an ID token of ours. What it wraps tells the log why.
var ErrHint = errors.New("not an ID token of this issuer")

// Hint is what an id_token_hint says.
type Hint struct {
	Subject string `json:"sub"`
	Client  string `json:"azp"`
	Session string `json:"sid"`
	Issuer  string `json:"iss"`
}

// ParseHint reads an ID token of ours that a client sends back as id_token_hint. It may have expired (OpenID Connect RP-Initiated
// Logout 2, Core 3.1.2.1); the signature and the issuer count. It is refused with [ErrHint]; other errors are the server's own trouble.
func (i *Issuer) ParseHint(ctx context.Context, token string) (Hint, error) {
	if payload, ok := payloadHS256(token); ok {
		return i.hintBySecret(ctx, token, payload)
	}
	payload, _, err := i.Keys.Verify(token, "JWT")
	if err != nil {
		return Hint{}, fmt.Errorf("%w: %w", ErrHint, err)
	}
	return i.hintOf(payload)
}

// hintBySecret reads a hint that is signed with HS256. Whose it is, it says itself, unverified; then that client's secret decides, and no
// other key. Whoever holds the secret can write such a hint, in its own name alone.
func (i *Issuer) hintBySecret(ctx context.Context, token string, payload []byte) (Hint, error) {
	h, err := i.hintOf(payload)
	var to struct {
		Audience string `json:"aud"`
	}
	switch {
	case err != nil:
		return Hint{}, err
	case json.Unmarshal(payload, &to) != nil || to.Audience != h.Client: // we write no others
		return Hint{}, fmt.Errorf("%w: its audience is not its azp", ErrHint)
	case !i.HS256:
		return Hint{}, fmt.Errorf("%w: HS256 is off", ErrHint)
	}
	c, err := i.Clients.Client(ctx, h.Client)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return Hint{}, fmt.Errorf("%w: its client is unknown", ErrHint)
	case err != nil:
		return Hint{}, err
	case c.IDTokenAlg != clients.AlgHS256:
		return Hint{}, fmt.Errorf("%w: ID tokens of its client are not signed with HS256", ErrHint)
	}
	secret, err := i.secret(c)
	if err != nil {
		return Hint{}, err
	}
	if !madeHS256(secret, payload, token) {
		return Hint{}, fmt.Errorf("%w: wrong signature", ErrHint)
	}
	return h, nil
}

// hintOf reads the payload of an ID token; azp and sid tell it from our other JWTs of the same type (RFC 8725 section 3.11).
func (i *Issuer) hintOf(payload []byte) (Hint, error) {
	var h Hint
	if err := json.Unmarshal(payload, &h); err != nil || h.Issuer != i.Issuer || h.Session == "" || h.Client == "" {
		return Hint{}, ErrHint
	}
	return h, nil
}
