package issue

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"signet/provider/session"
	"signet/storage"
)

// TypLogout is the type of a logout token (OpenID Connect Back-Channel Logout 2.4): by it, and by its claims, nobody takes one for an ID token.
const TypLogout = "logout+jwt"

// logoutLife is how long a logout token is good: "preferably at most two minutes in the future" (section 2.4).
const logoutLife = 2 * time.Minute

// logoutEvent is the member of events that makes a token a logout token.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutClaims is the payload of a logout token: section 2.4. It has both sub and sid, and no nonce.
type logoutClaims struct {
	Issuer    string              `json:"iss"`
	Subject   string              `json:"sub"`
	Audience  string              `json:"aud"`
	IssuedAt  int64               `json:"iat"`
	Expires   int64               `json:"exp"`
	ID        string              `json:"jti"`
	SessionID string              `json:"sid"`
	Events    map[string]struct{} `json:"events"`
}

// LogoutToken says to a client that a session of a user has ended. It is signed, and encrypted, as the client's ID tokens are (sections 2.4 and
// 2.6), and each is made for one attempt to deliver it.
func (i *Issuer) LogoutToken(ctx context.Context, c storage.Client, user string, s storage.ID) (string, error) {
	by, err := i.signingOf(c, c.IDTokenAlg, TypLogout)
	if err != nil {
		return "", fmt.Errorf("logout tokens: %w", err)
	}
	sealing, err := i.sealing(ctx, c, c.IDTokenEncryptionAlg, c.IDTokenEncryptionEnc)
	if err != nil {
		return "", fmt.Errorf("logout tokens: %w", err)
	}
	sub, err := i.Subject(c, storage.User{Sub: user})
	if err != nil {
		return "", err
	}
	now := i.Now()
	payload, err := json.Marshal(logoutClaims{
		Issuer: i.Issuer, Subject: sub, Audience: c.ID, IssuedAt: now.Unix(), Expires: now.Add(logoutLife).Unix(), ID: rand.Text(),
		SessionID: session.SID(s, c.ID), Events: map[string]struct{}{logoutEvent: {}},
	})
	if err != nil {
		return "", err
	}
	token, err := by.sign(ctx, payload)
	if err != nil || sealing == nil {
		return token, err
	}
	return sealing.seal([]byte(token), true)
}
