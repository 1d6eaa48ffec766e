package issue

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"signet/clients"
	"signet/provider/oauth"
	"signet/storage"
)

// ClientKeys finds the public keys of clients; [signet/clients/keyset.Keys] is one.
type ClientKeys interface {
	// Encryption returns the key that what is for the client alone is encrypted to with the algorithm.
	Encryption(ctx context.Context, c storage.Client, alg string) (jose.JSONWebKey, error)
}

// sealing is how something is encrypted to a client: RFC 7516.
type sealing struct {
	key      jose.JSONWebKey
	alg, enc string
}

// sealing finds the key of a client for what it wants encrypted in this way; nil where it does not.
func (i *Issuer) sealing(ctx context.Context, c storage.Client, alg, enc string) (*sealing, error) {
	if alg == "" {
		return nil, nil
	}
	if i.ClientKeys == nil {
		return nil, errors.New("keys of clients cannot be found here")
	}
	key, err := i.ClientKeys.Encryption(ctx, c, alg)
	if err != nil {
		return nil, oauth.Errorf(oauth.InvalidRequest, "this client registered no public key that can be used for %s, or its jwks_uri does not answer", alg).Because(err)
	}
	return &sealing{key, alg, clients.ContentEncryption(enc)}, nil
}

// seal encrypts. A signed JWT inside is said to be one: RFC 7519 section 5.2, "the value of this Header Parameter MUST be "JWT"".
func (s *sealing) seal(payload []byte, signed bool) (string, error) {
	o := &jose.EncrypterOptions{}
	if signed {
		o = o.WithType("JWT").WithContentType("JWT")
	}
	to := jose.Recipient{Algorithm: jose.KeyAlgorithm(s.alg), Key: s.key.Key, KeyID: s.key.KeyID}
	e, err := jose.NewEncrypter(jose.ContentEncryption(s.enc), to, o)
	if err != nil {
		return "", fmt.Errorf("encrypting: %w", err)
	}
	jwe, err := e.Encrypt(payload)
	if err != nil {
		return "", fmt.Errorf("encrypting: %w", err)
	}
	return jwe.CompactSerialize()
}
