package issue

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"signet/claims"
	"signet/clients"
	"signet/storage"
)

// Clients finds the clients whose secrets sign; a [storage.Clients] is one.
type Clients interface {
	Client(ctx context.Context, id string) (storage.Client, error)
}

// Algs are the algorithms that ID tokens and userinfo can be signed with: those that the ring has keys for, and HS256 where it is on.
func Algs(ring []string, hs256 bool) []string {
	algs := slices.Clone(ring)
	if hs256 {
		algs = append(algs, clients.AlgHS256)
	}
	return algs
}

// signing is how something is signed for one client: by the ring's key for the algorithm, or, with HS256, by the client's secret.
type signing struct {
	alg  string
	sign func(ctx context.Context, payload []byte) (string, error)
}

// signing finds what signs with alg for a client. It is an error, and nothing is used in its place, if there is nothing.
func (i *Issuer) signing(c storage.Client, alg string) (signing, error) {
	return i.signingOf(c, alg, "JWT")
}

// signingOf is signing for another type of token.
func (i *Issuer) signingOf(c storage.Client, alg, typ string) (signing, error) {
	if alg != clients.AlgHS256 {
		if !i.Keys.Signs(alg) {
			return signing{}, fmt.Errorf("there is no key that signs %s; turn the algorithm on, or change the client's", alg)
		}
		return signing{alg, func(ctx context.Context, payload []byte) (string, error) {
			return i.signByRing(ctx, alg, typ, payload)
		}}, nil
	}
	secret, err := i.secret(c)
	if err != nil {
		return signing{}, err
	}
	return signing{alg, func(_ context.Context, payload []byte) (string, error) {
		return macHS256(headerOf(typ), secret, payload), nil
	}}, nil
}

// signByRing signs with the ring's active key for alg, and tells who looks of it: this is what takes the time.
func (i *Issuer) signByRing(ctx context.Context, alg, typ string, payload []byte) (string, error) {
	if i.Signing != nil {
		defer i.Signing(ctx, alg)()
	}
	return i.Keys.Sign(alg, typ, payload)
}

// jwt signs own, the claims of the protocol, and said, those about the user.
func (s signing) jwt(ctx context.Context, own any, said []claims.Said) (string, error) {
	payload, err := join(own, said)
	if err != nil {
		return "", err
	}
	return s.sign(ctx, payload)
}

// secret opens the secret that signs for a client.
func (i *Issuer) secret(c storage.Client) ([]byte, error) {
	switch {
	case !i.HS256:
		return nil, fmt.Errorf("client %s is registered for %s, which is off; add it to keys.algorithms, or change the client's", c.ID, clients.AlgHS256)
	case !clients.SealsSecret(c):
		return nil, fmt.Errorf("client %s has no secret that %s could sign with; give it a new one", c.ID, clients.AlgHS256)
	}
	secret, err := i.Keys.Unseal(clients.SealPurpose(c.ID), c.SealedSecret)
	if err != nil {
		return nil, fmt.Errorf("the secret of client %s: %w", c.ID, err)
	}
	if len(secret) > sha256.BlockSize { // then its stored hash would sign as well: RFC 2104 section 2
		return nil, fmt.Errorf("client %s has a secret from before %s was there, which is too long for it; give it a new one", c.ID, clients.AlgHS256)
	}
	return secret, nil
}

// headerHS256 begins every ID token that a secret signs.
var headerHS256 = headerOf("JWT")

// headerOf begins every token of a type that a secret signs. There is no kid: the client has one secret.
func headerOf(typ string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"`+typ+`"}`)) + "."
}

// signHS256 returns the payload of an ID token as a JWS.
func signHS256(secret, payload []byte) string { return macHS256(headerHS256, secret, payload) }

// macHS256 returns the payload behind a header as a JWS in compact form: RFC 7515 section 7.1, RFC 7518 section 3.2.
func macHS256(header string, secret, payload []byte) string {
	enc := base64.RawURLEncoding
	token := enc.AppendEncode([]byte(header), payload)
	mac := hmac.New(sha256.New, secret)
	mac.Write(token)
	return string(enc.AppendEncode(append(token, '.'), mac.Sum(nil)))
}

// maxHS256 is longer than any token that a secret signed, in bytes.
const maxHS256 = 64 << 10

// payloadHS256 returns what stands in a token that begins as ours do. Nothing of it is to be believed before [madeHS256] has said so.
func payloadHS256(token string) (payload []byte, ok bool) {
	body, ours := strings.CutPrefix(token, headerHS256)
	if !ours || len(token) > maxHS256 {
		return nil, false
	}
	body, _, _ = strings.Cut(body, ".")
	payload, err := base64.RawURLEncoding.Strict().DecodeString(body)
	return payload, err == nil
}

// madeHS256 reports whether the secret makes this token of this payload. Making it again and comparing leaves the token no say in how it
// is read: neither its algorithm (RFC 8725 section 3.1) nor a second spelling of it.
func madeHS256(secret, payload []byte, token string) bool {
	return hmac.Equal([]byte(signHS256(secret, payload)), []byte(token))
}
