package issue

import (
	"context"
	"encoding/json"

	"signet/storage"
)

// MediaIntrospection is the media type of an introspection answer as a JWT, and, behind the slash, that JWT's type: RFC 9701 sections 4 and 5.
const (
	MediaIntrospection = "application/" + typIntrospection
	typIntrospection   = "token-introspection+jwt"
)

// defaultIntrospectionAlg: RFC 9701 section 6.
const defaultIntrospectionAlg = "RS256"

// introspection is the payload of such a JWT: RFC 9701 section 5. What is said of the token stands apart from what is said of the answer, and the
// answer has neither sub nor exp: so it can be taken for no token ("prevent misuse of a token introspection response as an access token").
type introspection struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"` // who asked
	IssuedAt int64  `json:"iat"`
	Token    any    `json:"token_introspection"`
}

// Introspection signs an introspection answer, and encrypts it, as the client that asked is registered: RFC 9701 section 6.
func (i *Issuer) Introspection(ctx context.Context, c storage.Client, answer any) ([]byte, error) {
	to, err := i.sealing(ctx, c, c.IntrospectionEncryptionAlg, c.IntrospectionEncryptionEnc)
	if err != nil {
		return nil, err
	}
	alg := c.IntrospectionAlg
	if alg == "" {
		alg = defaultIntrospectionAlg
	}
	by, err := i.signingOf(c, alg, typIntrospection)
	if err != nil {
		return nil, err
	}
	payload, err := json.Marshal(introspection{Issuer: i.Issuer, Audience: c.ID, IssuedAt: i.Now().Unix(), Token: answer})
	if err != nil {
		return nil, err
	}
	token, err := by.sign(ctx, payload)
	if err == nil && to != nil {
		token, err = to.seal([]byte(token), true)
	}
	return []byte(token), err
}
