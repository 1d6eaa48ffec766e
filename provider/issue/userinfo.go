package issue

import (
	"context"
	"encoding/json"
	"fmt"

	"signet/claims"
	"signet/storage"
)

// userinfo is the part of a userinfo answer that is not about the user: OpenID Connect Core 5.3.2. A signed one says who signed it and
// for whom. It says no time: with exp and iat it could be taken for an ID token.
type userinfo struct {
	Issuer   string `json:"iss,omitempty"`
	Subject  string `json:"sub"`
	Audience string `json:"aud,omitempty"`
}

// The media types of userinfo answers.
const (
	MediaJSON = "application/json"
	MediaJWT  = "application/jwt"
)

// Userinfo is the answer of the userinfo endpoint for an access token with these scopes, in the form that the client registered:
// JSON, or a JWT that is signed, encrypted, or signed and then encrypted (Core 5.3.2).
func (i *Issuer) Userinfo(ctx context.Context, s storage.FamilyState, scopes []string) (body []byte, mediaType string, err error) {
	c := s.Client
	to, err := i.sealing(ctx, c, c.UserinfoEncryptionAlg, c.UserinfoEncryptionEnc)
	if err != nil {
		return nil, "", err
	}
	own, err := i.ownUserinfo(c, s.User)
	if err != nil {
		return nil, "", err
	}
	said := i.saidInUserinfo(s, scopes)
	mediaType = MediaJWT
	if c.UserinfoAlg != "" {
		body, err = i.signedUserinfo(ctx, c, own, said)
	} else if body, err = join(own, said); to == nil {
		mediaType = MediaJSON
	}
	if err != nil || to == nil {
		return body, mediaType, err
	}
	token, err := to.seal(body, c.UserinfoAlg != "")
	return []byte(token), mediaType, err
}

func (i *Issuer) signedUserinfo(ctx context.Context, c storage.Client, own userinfo, said []claims.Said) ([]byte, error) {
	by, err := i.signing(c, c.UserinfoAlg)
	if err != nil {
		return nil, fmt.Errorf("userinfo: %w", err)
	}
	token, err := by.jwt(ctx, own, said)
	return []byte(token), err
}

// ownUserinfo is that part of the answer for a client.
func (i *Issuer) ownUserinfo(c storage.Client, u storage.User) (own userinfo, err error) {
	if c.UserinfoAlg != "" {
		own.Issuer, own.Audience = i.Issuer, c.ID
	}
	own.Subject, err = i.Subject(c, u)
	return own, err
}

// join writes the claims of the protocol, and after them those about the user.
func join(own any, said []claims.Said) ([]byte, error) {
	payload, err := json.Marshal(own)
	if err != nil {
		return nil, err
	}
	return claims.Append(payload, said)
}
