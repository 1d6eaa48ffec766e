package clientauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/clients"
	"signet/clients/keyset"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// assertionType is what client_assertion_type says: RFC 7523 section 2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const (
	maxAssertion = 16 << 10
	// near is how far ahead an assertion may expire, and how long ago it may have been made. Until it expires its jti is remembered.
	near = 10 * time.Minute
	// skew is how far a client's clock may be from ours: RFC 7523 section 3, items 4 and 5.
	skew = time.Minute
)

// assertion is a client_assertion that was read and not verified yet.
type assertion struct {
	jws      *jose.JSONWebSignature
	alg, kid string
	claims   claims
}

// claims are the members of an assertion's payload, by their exact names.
type claims map[string]json.RawMessage

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
		id := a.claims.text("iss")
		switch {
		case id == "" || a.claims.text("sub") != id: // RFC 7523 section 3, items 1 and 2.B; Core 9
			return nil, oauth.Errorf(oauth.InvalidClient, "iss and sub of the client_assertion must both be the client_id")
		case form.Has("client_id") && form.Get("client_id") != id: // RFC 7521 section 4.2
			return nil, oauth.Errorf(oauth.InvalidClient, "client_id is not the client of the client_assertion")
		}
		return &credentials{id: id, assertion: a}, nil
	}
}

// assertionAlgs is what an assertion can be signed with. No spelling of none is among it.
var assertionAlgs = func() (algs []jose.SignatureAlgorithm) {
	for _, name := range slices.Concat(clients.KeyAlgs, clients.SecretAlgs) {
		algs = append(algs, jose.SignatureAlgorithm(name))
	}
	return algs
}()

// parseAssertion reads a JWT in compact form, and looks at its header: RFC 8725 sections 3.10 and 3.11. Its errors hold nothing of what
// was sent.
func parseAssertion(token string) (*assertion, error) {
	if len(token) > maxAssertion {
		return nil, fmt.Errorf("it is longer than %d bytes", maxAssertion)
	}
	jws, err := jose.ParseSignedCompact(token, assertionAlgs)
	if err != nil {
		return nil, fmt.Errorf("it is malformed, or not signed with one of %s, %s", strings.Join(clients.KeyAlgs, ", "), strings.Join(clients.SecretAlgs, ", "))
	}
	header := jws.Signatures[0].Protected
	if header.JSONWebKey != nil {
		return nil, errors.New("its header holds a key, and keys are registered")
	}
	for _, name := range []jose.HeaderKey{"jku", "x5u", "crit", "b64"} {
		if _, there := header.ExtraHeaders[name]; there {
			return nil, fmt.Errorf("its header has %s, which is not for assertions", name)
		}
	}
	if typ, there := header.ExtraHeaders[jose.HeaderType]; there && !goodTyp(typ) {
		return nil, errors.New("its typ is another than JWT or client-authentication+jwt")
	}
	a := &assertion{jws: jws, alg: header.Algorithm, kid: header.KeyID}
	if json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &a.claims) != nil || a.claims == nil {
		return nil, errors.New("its payload is not a JSON object")
	}
	return a, nil
}

// goodTyp keeps other JWTs that clients sign, such as request objects and DPoP proofs, from passing as assertions.
func goodTyp(typ any) bool {
	text, _ := typ.(string)
	return strings.EqualFold(text, "JWT") || strings.EqualFold(text, "client-authentication+jwt")
}

// text is a claim that is a string; "" if it is not there, or something else.
func (c claims) text(name string) (s string) {
	if json.Unmarshal(c[name], &s) != nil {
		return ""
	}
	return s
}

// seconds is a NumericDate (RFC 7519 section 2).
func (c claims) seconds(name string) (s float64, there bool, err error) {
	raw, there := c[name]
	if !there {
		return 0, false, nil
	}
	if json.Unmarshal(raw, &s) != nil || string(raw) == "null" {
		return 0, true, oauth.Errorf(oauth.InvalidClient, "%s of the client_assertion is not a number of seconds", name)
	}
	return s, true, nil
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
	jti := sent.claims.text("jti")
	if jti == "" { // OpenID Connect Core 9
		return oauth.Errorf(oauth.InvalidClient, "jti is missing in the client_assertion, or is not a text")
	}
	err = a.Store.SpendAssertion(ctx, c.ID, jti, expires, storage.Change{Now: now, Origin: trail.Of(ctx).Origin()})
	if errors.Is(err, storage.ErrSpent) {
		return oauth.Errorf(oauth.InvalidClient, "the client_assertion was used before; make one with a jti of its own for each request")
	}
	return err
}

// checkAudience: one audience, which is ours: RFC 7523 section 3, item 3, and Core 9. Were there several, another of them could use the
// assertion here.
func (a *Authenticator) checkAudience(c claims) error {
	audience := c.text("aud")
	var list []string
	if audience == "" && json.Unmarshal(c["aud"], &list) == nil && len(list) == 1 {
		audience = list[0]
	}
	if !slices.Contains(a.audiences, audience) {
		return oauth.Errorf(oauth.InvalidClient, "aud of the client_assertion must be %s alone", strings.Join(a.audiences, " or "))
	}
	return nil
}

// checkTimes: RFC 7523 section 3, items 4 to 6. It returns when the assertion expires by the most lenient clock.
func checkTimes(c claims, now time.Time) (expires time.Time, err error) {
	exp, there, err := c.seconds("exp")
	nbf, _, nbfErr := c.seconds("nbf")
	iat, dated, iatErr := c.seconds("iat")
	if err := errors.Join(err, nbfErr, iatErr); err != nil {
		return expires, err
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
