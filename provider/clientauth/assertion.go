package clientauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/clients"
	"signet/clients/keyset"
	"signet/provider/jwt"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// assertionType is what client_assertion_type says: RFC 7523 section 2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const (
	// near is how far ahead an assertion may expire, and how long ago it may have been made. Until it expires its jti is remembered.
	near = 10 * time.Minute
	// skew is how far a client's clock may be from ours: RFC 7523 section 3, items 4 and 5.
	skew = time.Minute
)

// assertion is a client_assertion that was read and not verified yet.
type assertion struct {
	jws      *jose.JSONWebSignature
	alg, kid string
	claims   jwt.Claims
}

// readAssertion reads a client_assertion that is signed with one of algs: RFC 7523 sections 2.2 and 3.
func readAssertion(algs []string) func(*http.Request, oauth.Params) (*credentials, error) {
	return func(_ *http.Request, form oauth.Params) (*credentials, error) {
		if !form.Has("client_assertion") && !form.Has("client_assertion_type") {
			return nil, nil
		}
		switch {
		case form.Get("client_assertion_type") != assertionType:
			return nil, oauth.Errorf(oauth.InvalidClient, "client_assertion_type must be %s", assertionType)
		case !form.Has("client_assertion"):
			return nil, oauth.Errorf(oauth.InvalidClient, "client_assertion is missing")
		}
		a, err := parseAssertion(form.Get("client_assertion"))
		if err != nil {
			return nil, oauth.Errorf(oauth.InvalidClient, "the client_assertion is not a JWT of RFC 7523: %s", err)
		}
		if !slices.Contains(algs, a.alg) {
			return nil, nil
		}
		id := a.claims.Text("iss")
		switch {
		case id == "" || a.claims.Text("sub") != id: // RFC 7523 section 3, items 1 and 2.B; Core 9
			return nil, oauth.Errorf(oauth.InvalidClient, "iss and sub of the client_assertion must both be the client_id")
		case form.Has("client_id") && form.Get("client_id") != id: // RFC 7521 section 4.2
			return nil, oauth.Errorf(oauth.InvalidClient, "client_id is not the client of the client_assertion")
		}
		return &credentials{id: id, assertion: a}, nil
	}
}

// assertionAlgs is what an assertion can be signed with. No spelling of none is among it.
var assertionAlgs = slices.Concat(clients.KeyAlgs, clients.SecretAlgs)

// parseAssertion reads an assertion. Its typ keeps other JWTs that clients sign, such as request objects and DPoP proofs, from passing.
func parseAssertion(token string) (*assertion, error) {
	jws, err := jwt.Parse(token, assertionAlgs, "jwt", "client-authentication+jwt")
	if err != nil {
		return nil, err
	}
	claims, err := jwt.Read(jws.UnsafePayloadWithoutVerification())
	if err != nil {
		return nil, err
	}
	header := jws.Signatures[0].Protected
	return &assertion{jws: jws, alg: header.Algorithm, kid: header.KeyID, claims: claims}, nil
}

// byKey verifies private_key_jwt: OpenID Connect Core 9.
func byKey(ctx context.Context, a *Authenticator, c storage.Client, sent *credentials) error {
	if err := mayAssert(c, sent); err != nil {
		return err
	}
	key, err := a.Keys.Verification(ctx, c, sent.assertion.alg, sent.assertion.kid)
	if errors.Is(err, keyset.ErrNoKey) {
		return mismatch{err}
	}
	if err != nil {
		return err
	}
	return a.accept(ctx, c, sent.assertion, key.Key)
}

// bySecret verifies client_secret_jwt: OpenID Connect Core 9, its key as in Core 10.1.
func bySecret(ctx context.Context, a *Authenticator, c storage.Client, sent *credentials) error {
	if err := mayAssert(c, sent); err != nil {
		return err
	}
	secret, err := a.Secrets.Unseal(clients.SealPurpose(c.ID), c.SealedSecret)
	if err != nil {
		return fmt.Errorf("the secret of the client: %w", err)
	}
	return a.accept(ctx, c, sent.assertion, secret)
}

// mayAssert holds an assertion against what the client is registered for, before anything is fetched or opened for it.
func mayAssert(c storage.Client, sent *credentials) error {
	switch {
	case c.TokenEndpointAuthMethod != sent.method.name:
		return errMethod
	case c.TokenEndpointAuthSigningAlg != "" && c.TokenEndpointAuthSigningAlg != sent.assertion.alg:
		return mismatch{errors.New("another algorithm than the registered one")}
	}
	return nil
}

// accept verifies an assertion by the client's key and spends it. Who signed it holds the key, and is told what else is wrong.
func (a *Authenticator) accept(ctx context.Context, c storage.Client, sent *assertion, key any) error {
	if _, err := sent.jws.Verify(key); err != nil {
		return mismatch{errors.New("wrong signature")}
	}
	now := a.Now()
	if err := a.checkAudience(sent.claims); err != nil {
		return err
	}
	expires, err := checkTimes(sent.claims, now)
	if err != nil {
		return err
	}
	jti := sent.claims.Text("jti")
	if jti == "" { // OpenID Connect Core 9
		return oauth.Errorf(oauth.InvalidClient, "jti is missing in the client_assertion, or is not a text")
	}
	err = a.Store.SpendAssertion(ctx, c.ID, jti, expires, storage.Change{Now: now, Origin: trail.Of(ctx).Origin()})
	if errors.Is(err, storage.ErrSpent) {
		return oauth.Errorf(oauth.InvalidClient, "the client_assertion was used before; make one with a jti of its own for each request")
	}
	return err
}

// checkAudience: one audience, which is ours: RFC 7523 section 3, item 3, and Core 9.
func (a *Authenticator) checkAudience(c jwt.Claims) error {
	if !slices.Contains(a.audiences, c.Audience()) {
		return oauth.Errorf(oauth.InvalidClient, "aud of the client_assertion must be %s alone", strings.Join(a.audiences, " or "))
	}
	return nil
}

// checkTimes: RFC 7523 section 3, items 4 to 6. It returns when the assertion expires by the most lenient clock.
func checkTimes(c jwt.Claims, now time.Time) (expires time.Time, err error) {
	exp, there, err := c.Seconds("exp")
	nbf, _, nbfErr := c.Seconds("nbf")
	iat, dated, iatErr := c.Seconds("iat")
	for _, err := range []error{err, nbfErr, iatErr} {
		if err != nil {
			return expires, oauth.Errorf(oauth.InvalidClient, "the client_assertion is not good: %s", err)
		}
	}
	at := float64(now.UnixMilli()) / 1000
	problem := ""
	switch {
	case !there:
		problem = "exp is missing in the client_assertion"
	case exp+skew.Seconds() <= at:
		problem = "the client_assertion has expired"
	case exp > at+(near+skew).Seconds():
		problem = "exp of the client_assertion is more than ten minutes ahead"
	case nbf > at+skew.Seconds():
		problem = "nbf of the client_assertion is ahead of our clock"
	case iat > at+skew.Seconds():
		problem = "iat of the client_assertion is ahead of our clock"
	case dated && iat < at-(near+skew).Seconds():
		problem = "iat of the client_assertion is more than ten minutes ago"
	default:
		return time.UnixMilli(int64(exp * 1000)).Add(skew), nil
	}
	return expires, oauth.Errorf(oauth.InvalidClient, "%s", problem)
}
