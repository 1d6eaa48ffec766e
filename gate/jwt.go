package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// algorithms are those that a key may be for. None has a shared key: whoever can verify could sign.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// errForged: nobody's word but the sender's is behind it.
var errForged = errors.New("the signature is not good")

// signed returns what the issuer signed: RFC 7515 section 5.2, with a key that is for the header's algorithm and no other (RFC 8725 section
// 3.1), and one of the types (section 3.11). errForged, or that the keys cannot be had.
func (i *issuer) signed(ctx context.Context, raw string, types ...string) (payload []byte, typ string, err error) {
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil {
		return nil, "", errForged
	}
	header := jws.Signatures[0].Protected
	if typ, _ = header.ExtraHeaders[jose.HeaderType].(string); !slices.Contains(types, strings.TrimPrefix(typ, "application/")) {
		return nil, "", fmt.Errorf("%w: it is of another type", errForged)
	}
	find := func(set jose.JSONWebKeySet) *jose.JSONWebKey {
		if keys := set.Key(header.KeyID); len(keys) == 1 && keys[0].Algorithm == header.Algorithm {
			return &keys[0]
		}
		return nil
	}
	set, err := i.keys.get(ctx, func(s jose.JSONWebKeySet) bool { return find(s) != nil })
	switch {
	case errors.Is(err, errMissing):
		return nil, "", fmt.Errorf("%w: the issuer has no such key", errForged)
	case err != nil:
		return nil, "", err
	}
	if payload, err = jws.Verify(find(set)); err != nil {
		return nil, "", errForged
	}
	return payload, strings.TrimPrefix(typ, "application/"), nil
}

// verify checks a JWT alone: RFC 9068 section 4. Its status is not looked at.
func (g *Gate) verify(ctx context.Context, raw string) (*token, *verdict) {
	payload, _, err := g.issuer.signed(ctx, raw, g.config.TokenTypes...)
	switch {
	case errors.Is(err, errForged):
		return nil, g.unauthorized("invalid_token", "the token is not one of the issuer's access tokens", false)
	case err != nil:
		return nil, g.unavailable("the keys of the issuer cannot be had", err)
	}
	t, c, problem := g.token(payload)
	switch {
	case problem != "":
		return nil, g.unauthorized("invalid_token", problem, false)
	case c.Issuer != g.config.Issuer:
		return nil, g.unauthorized("invalid_token", "the token is another issuer's", false)
	case c.ID == "" || c.Issued == 0 || otherKind(t.Claims):
		return nil, g.unauthorized("invalid_token", "the token is no access token", false)
	}
	return &t, nil
}

// otherKind finds what ID tokens and logout tokens have, and access tokens do not: for the type JWT says nothing of the kind.
func otherKind(claims map[string]any) bool {
	return slices.ContainsFunc([]string{"nonce", "at_hash", "c_hash", "s_hash", "events"}, func(name string) bool {
		_, has := claims[name]
		return has
	})
}
