package assertion

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/clients"
	"signet/clients/keyset"
	"signet/fields"
	"signet/provider/jwt"
	"signet/provider/oauth"
	"signet/storage"
)

// skew is how far an issuer's clock may be from ours: RFC 7523 section 3, items 4 and 5.
const skew = 30 * time.Second

// Keys are the public keys of one issuer.
type Keys interface {
	// Verification returns the key for a signature of alg that the kid names. None: [keyset.ErrNoKey].
	Verification(ctx context.Context, alg, kid string) (jose.JSONWebKey, error)
}

// Issuer is somebody whose assertions are taken.
type Issuer struct {
	Declaration
	Keys Keys
}

// Options are what a [Reader] is made of.
type Options struct {
	Issuers  []Issuer
	Audience []string // whoever an assertion is for, where the issuer's declaration does not say
	Now      func() time.Time
}

// Reader reads assertions. Its methods may be called concurrently; nil reads none.
type Reader struct {
	Options
}

// New returns a Reader; nil where no issuer is trusted.
func New(o Options) *Reader {
	if len(o.Issuers) == 0 {
		return nil
	}
	return &Reader{o}
}

// Subject is who an assertion is about.
type Subject struct {
	Issuer string
	Name   string // the claim sub
	// Client is the id of the client that it is by its rule, and which gets what is granted in its own name. Otherwise it is a user, whom
	// Login names by the claim User: UserSub, UserEmail or UserName.
	Client      string
	User, Login string
	// Once is what can be used once; zero: the assertion can be used until it ends.
	Once storage.OneTime
}

// Spender is under what name the store remembers what of an issuer's was used: none that a client could have.
func (s Subject) Spender() string { return "issuer " + s.Issuer }

// Read returns who an assertion is about. Its errors are [*oauth.Error] with invalid_grant (RFC 7523 section 3.1), or the server's own
// trouble.
func (r *Reader) Read(ctx context.Context, token string) (Subject, error) {
	if r == nil {
		return Subject{}, refusef("the assertion is of no issuer that this server trusts")
	}
	jws, err := jwt.Parse(token, clients.KeyAlgs, "jwt", "authorization-grant+jwt")
	if err != nil {
		return Subject{}, refusef("the assertion is not good: %s", err)
	}
	claims, err := jwt.Read(jws.UnsafePayloadWithoutVerification()) // whose is it? Nothing else is believed before the signature is.
	if err != nil {
		return Subject{}, refusef("the assertion is not good: %s", err)
	}
	id := claims.Text("iss")
	n := slices.IndexFunc(r.Issuers, func(i Issuer) bool { return i.Issuer == id })
	if id == "" || n < 0 { // RFC 7523 section 3, item 1
		return Subject{}, refusef("the assertion is of no issuer that this server trusts")
	}
	i := r.Issuers[n]
	if err := i.verify(ctx, jws); err != nil {
		return Subject{}, err
	}
	return r.believe(i, claims)
}

// verify holds an assertion against its issuer's keys: RFC 7523 section 3, item 9.
func (i Issuer) verify(ctx context.Context, jws *jose.JSONWebSignature) error {
	header := jws.Signatures[0].Protected
	if !slices.Contains(i.Algorithms, header.Algorithm) {
		return refusef("the assertion is signed with another algorithm than its issuer's: %s", strings.Join(i.Algorithms, ", "))
	}
	key, err := i.Keys.Verification(ctx, header.Algorithm, header.KeyID)
	if errors.Is(err, keyset.ErrNoKey) {
		return refusef("the assertion is signed with no key that is known of its issuer").Because(err)
	}
	if err != nil {
		return err
	}
	if _, err := jws.Verify(key.Key); err != nil {
		return refusef("the signature of the assertion is wrong").Because(err)
	}
	return nil
}

// believe takes what an assertion says that was found to be its issuer's.
func (r *Reader) believe(i Issuer, c jwt.Claims) (Subject, error) {
	s := Subject{Issuer: i.Issuer, Name: c.Text("sub")}
	audience := i.Audience
	if len(audience) == 0 {
		audience = r.Audience
	}
	if !slices.Contains(audience, c.Audience()) { // RFC 7523 section 3, item 3
		return s, refusef("aud of the assertion must be %s alone", strings.Join(audience, " or "))
	}
	ends, err := i.checkTimes(c, r.Now())
	if err != nil {
		return s, err
	}
	if i.SingleUse {
		if s.Once = (storage.OneTime{ID: c.Text("jti"), Expires: ends}); s.Once.ID == "" {
			return s, refusef("jti is missing in the assertion, or is not a text, and assertions of its issuer are good once")
		}
	}
	return s, i.decide(&s, c)
}

// checkTimes: RFC 7523 section 3, items 4 to 6. It returns when the assertion ends by the most lenient clock.
func (i Issuer) checkTimes(c jwt.Claims, now time.Time) (ends time.Time, err error) {
	exp, there, expErr := c.Seconds("exp")
	nbf, _, nbfErr := c.Seconds("nbf")
	iat, dated, iatErr := c.Seconds("iat")
	for _, err := range []error{expErr, nbfErr, iatErr} {
		if err != nil {
			return ends, refusef("the assertion is not good: %s", err)
		}
	}
	at, most := float64(now.UnixMilli())/1000, i.MaxLifetime.Seconds()
	switch {
	case !there:
		return ends, refusef("exp is missing in the assertion")
	case exp+skew.Seconds() <= at:
		return ends, refusef("the assertion has expired")
	case nbf > at+skew.Seconds():
		return ends, refusef("nbf of the assertion is ahead of our clock")
	case iat > at+skew.Seconds():
		return ends, refusef("iat of the assertion is ahead of our clock")
	case exp > at+most+skew.Seconds(), dated && exp-iat > most:
		return ends, refusef("the assertion is good for longer than this server takes of its issuer, which is %s", fields.FormatDuration(i.MaxLifetime))
	}
	return time.UnixMilli(int64(exp * 1000)).Add(skew), nil
}

// decide finds the rule for an assertion. The first that fits its sub decides, whatever comes of it.
func (i Issuer) decide(s *Subject, c jwt.Claims) error {
	if s.Name == "" { // RFC 7523 section 3, item 2
		return refusef("sub is missing in the assertion, or is not a text")
	}
	n := slices.IndexFunc(i.Subjects, func(r Rule) bool { return r.fits(s.Name) })
	if n < 0 {
		return refusef("no rule of this server fits the sub of the assertion")
	}
	rule := i.Subjects[n]
	if s.Client = rule.Client; s.Client != "" {
		return nil
	}
	s.User, s.Login = rule.User, c.Text(rule.User)
	switch {
	case s.Login == "":
		return refusef("%s is missing in the assertion, or is not a text, and it is what names the user", rule.User)
	case rule.User == UserEmail && !isTrue(c["email_verified"]):
		return refusef("email_verified of the assertion is not true, and the address is what names the user")
	}
	return nil
}

func isTrue(raw json.RawMessage) (v bool) { return json.Unmarshal(raw, &v) == nil && v }

func refusef(format string, args ...any) *oauth.Error {
	return oauth.Errorf(oauth.InvalidGrant, format, args...)
}

// Known are keys that were read once, and are good until another Reader takes this one's place.
type Known struct{ Set keyset.Set }

// Verification implements [Keys].
func (k Known) Verification(_ context.Context, alg, kid string) (jose.JSONWebKey, error) {
	return k.Set.Verification(alg, kid)
}

// Fetched are the keys that an issuer publishes at its jwks_uri.
type Fetched struct {
	Keys *keyset.Keys
	URI  string
}

// Verification implements [Keys].
func (f Fetched) Verification(ctx context.Context, alg, kid string) (jose.JSONWebKey, error) {
	return f.Keys.Verification(ctx, storage.Client{ID: f.URI, JWKSURI: f.URI}, alg, kid)
}
