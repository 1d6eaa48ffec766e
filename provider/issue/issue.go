// Package issue makes what is handed out: ID tokens, access tokens, refresh tokens, and the claims in them.
//
// An access token is a JWT that a resource server verifies alone (RFC 9068). It holds no personal data. Its jti names the family
// that it came from, so that introspection finds what it lives by with one look and no list of tokens is kept anywhere. That of a client
// which acts for itself lives by the client.
package issue

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"signet/claims"
	"signet/clients"
	"signet/provider/session"
	"signet/provider/statuslist"
	"signet/provider/trail"
	"signet/storage"
)

// Keys is what tokens are signed and made with; [signet/keys.Keys] is one.
type Keys interface {
	// Signs reports whether there is an active key of alg.
	Signs(alg string) bool
	// Sign returns a compact JWS by the active key of alg.
	Sign(alg, typ string, claims []byte) (string, error)
	// Verify returns the payload of a token of ours of one of these types.
	Verify(token string, typs ...string) (payload []byte, alg string, err error)
	// Unseal opens what was sealed for this purpose.
	Unseal(purpose string, sealed []byte) ([]byte, error)
	// JWKS returns the published keys and the tag that changes with them.
	JWKS() (body []byte, etag string)
	// MAC is HMAC-SHA-256 with a key of the ring.
	MAC(key uint32, data []byte) ([32]byte, error)
	// MACKey is the key for new families.
	MACKey() uint32
	// SubjectMAC is HMAC-SHA-256 with the key of pairwise subs, which never changes.
	SubjectMAC(data []byte) ([32]byte, error)
}

// Options is what tokens are made with.
type Options struct {
	Issuer     string // byte for byte what every token says
	Keys       Keys
	Resources  storage.Resources
	Families   storage.Families
	Denials    storage.Denials
	Clients    Clients            // by what those live that act for themselves
	HS256      bool               // ID tokens and userinfo can be signed with the secret of a client that registered that
	ClientKeys ClientKeys         // nil: nothing can be encrypted
	Claims     *claims.Catalogue  // what may be said of users; nil: the standard claims
	IDToken    time.Duration      // lifetime of an ID token
	Status     *statuslist.Places // where access tokens say that their status is found; nil: they do not
	Now        func() time.Time
	Signing    func(ctx context.Context, alg string) (end func()) // told of each signature, for traces; nil: nobody is
}

// Issuer makes tokens.
type Issuer struct {
	Options
	verified *verified
}

// New returns the issuer of a provider.
func New(o Options) *Issuer {
	if o.Claims == nil {
		o.Claims = claims.Standard()
	}
	return &Issuer{Options: o, verified: newVerified()}
}

// Means is what the ID tokens of one client are made with.
type Means struct {
	signing signing
	idToken *sealing // nil: ID tokens are not encrypted
}

// Granted is one authorization of which tokens are made now, from one snapshot of the store.
type Granted struct {
	Means
	Target  Target // of the access token
	Client  storage.Client
	Service bool // a client acts for itself: there is no user and no family
	User    storage.User
	Family  storage.Family
	Scopes  []string // of the access token: all that were granted, or fewer at a refresh
	Nonce   string

	// Of an exchanged token (RFC 8693): what it is exchanged for, who acts, and, with Service, the client that it is about, which need not be
	// the one that gets it.
	For  *Access // nil: it is not exchanged
	Act  *Act
	Self storage.Client
}

// self is the client that a token with Service is about, and lives by.
func (g Granted) self() storage.Client {
	if g.Self.ID != "" {
		return g.Self
	}
	return g.Client
}

// Act says who acts for the subject of a token, and behind whom: RFC 8693 section 4.1.
type Act struct {
	Subject string `json:"sub"`
	Act     *Act   `json:"act,omitempty"`
}

// Tokens is the answer of the token endpoint: RFC 6749 section 5.1, OpenID Connect Core 3.1.3.3.
type Tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	// Issued is the type of the access token where one was exchanged: RFC 8693 section 2.2.1.
	Issued string `json:"issued_token_type,omitempty"`
}

// Kinds says which tokens there are.
func (t Tokens) Kinds() trail.Tokens {
	return trail.Tokens{Access: t.AccessToken != "", ID: t.IDToken != "", Refresh: t.RefreshToken != ""}
}

// Prepare returns what the client's ID tokens are made with, if all that such a client gets can be signed and encrypted. It is asked before
// anything is spent: a code or a refresh token that is used up for an answer that cannot be made is a sign-in lost.
func (i *Issuer) Prepare(ctx context.Context, c storage.Client) (m Means, err error) {
	if m.signing, err = i.signing(c, c.IDTokenAlg); err != nil {
		return Means{}, fmt.Errorf("ID tokens: %w", err)
	}
	m.idToken, err = i.sealing(ctx, c, c.IDTokenEncryptionAlg, c.IDTokenEncryptionEnc)
	return m, err
}

// Tokens makes all tokens that g is worth: an ID token where openid was granted, a refresh token where offline_access was.
func (i *Issuer) Tokens(ctx context.Context, g Granted) (t Tokens, err error) {
	if t, err = i.access(ctx, g); err != nil {
		return Tokens{}, err
	}
	if slices.Contains(g.Family.Authorization.Scopes, "openid") {
		if t.IDToken, err = i.idToken(ctx, g, beside{accessToken: t.AccessToken}); err != nil {
			return Tokens{}, err
		}
	}
	if g.Family.Authorization.Offline {
		if t.RefreshToken, err = i.RefreshTokenOf(g.Family); err != nil {
			return Tokens{}, err
		}
	}
	return t, nil
}

// Front is what the authorization endpoint hands out itself, beside the code where there is one.
type Front struct {
	Granted
	Code        string // "": none
	AccessToken bool
	IDToken     bool
}

// InFront makes the tokens of an authorization response: OpenID Connect Core 3.2.2.5 and 3.3.2.5. Without an access token the answer has
// an ID token alone.
func (i *Issuer) InFront(ctx context.Context, f Front) (t Tokens, err error) {
	if f.AccessToken {
		if t, err = i.access(ctx, f.Granted); err != nil {
			return Tokens{}, err
		}
	}
	if f.IDToken {
		if t.IDToken, err = i.idToken(ctx, f.Granted, beside{accessToken: t.AccessToken, code: f.Code}); err != nil {
			return Tokens{}, err
		}
	}
	return t, nil
}

// AccessClaims is the payload of an access token: RFC 9068 section 2.2.
type AccessClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience Audience `json:"aud"`
	Client   string   `json:"client_id"`
	Scope    string   `json:"scope,omitempty"`
	IssuedAt int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	ID       string   `json:"jti"`
	AuthTime int64    `json:"auth_time,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
	Groups   []string `json:"groups,omitempty"` // section 2.2.3.1, where the resource asks for them
	Roles    []string `json:"roles,omitempty"`
	// Permissions are what the user may do at the resource.
	Permissions []string `json:"permissions,omitempty"`
	Act         *Act     `json:"act,omitempty"`
	MayAct      *Act     `json:"may_act,omitempty"` // RFC 8693 section 4.4
	// Status is where whoever verifies the token alone learns whether it was revoked: Token Status List section 6.2.
	Status *statuslist.Claim `json:"status,omitempty"`
}

// accessClaims are the claims of an access token that the protocol has.
func (i *Issuer) accessClaims(g Granted) (c AccessClaims, err error) {
	now, a := i.Now(), g.Family.Authorization
	c = AccessClaims{
		Issuer: i.Issuer, Audience: i.audience(g.Target), Client: g.Client.ID, Act: g.Act,
		Scope: strings.Join(g.Scopes, " "), IssuedAt: now.Unix(), Expires: now.Add(g.Target.Lifetime()).Unix(),
	}
	if g.For != nil {
		c.Expires = min(c.Expires, g.For.Expires)
	}
	c.ID = newJTI(g)
	if g.Service { // RFC 9068 section 2.2: sub "SHOULD correspond to an identifier the authorization server uses to indicate the client"
		c.Subject = g.self().ID
		c.Status, err = i.Status.Claim(g.self().ServiceStatus)
		return c, err
	}
	if c.Subject, err = i.Subject(g.Client, g.User); err != nil {
		return AccessClaims{}, err
	}
	if c.Status, err = i.Status.Claim(g.Family.Status); err != nil {
		return AccessClaims{}, err
	}
	c.ACR, c.AMR = a.ACR, a.AMR
	if !a.AuthTime.IsZero() { // nobody signed in for another issuer's assertion
		c.AuthTime = a.AuthTime.Unix()
	}
	if g.Target.wants("groups") {
		c.Groups = g.User.Groups
	}
	if g.Target.wants("roles") {
		c.Roles = g.User.Roles
	}
	c.Permissions = g.Target.permissions(g.User)
	return c, nil
}

// access is the part of an answer that every grant has: the access token and what is said of it.
func (i *Issuer) access(ctx context.Context, g Granted) (Tokens, error) {
	c, err := i.accessClaims(g)
	if err != nil {
		return Tokens{}, err
	}
	var said []claims.Said // of a user alone
	if !g.Service {
		said = i.saidInAccessToken(g, c.Audience)
	}
	payload, err := join(c, said)
	if err != nil {
		return Tokens{}, err
	}
	t := Tokens{TokenType: "Bearer", ExpiresIn: c.Expires - c.IssuedAt, Scope: c.Scope}
	if !g.Target.JWT() {
		t.AccessToken, err = i.sealAccess(payload)
		return t, err
	}
	_, keys := i.Keys.JWKS()
	res := g.Target.first()
	if t.AccessToken, err = i.signByRing(ctx, res.Alg, res.Typ, payload); err != nil {
		return Tokens{}, err
	}
	a := &Access{AccessClaims: c, Said: said}
	if err := a.parseJTI(); err != nil {
		return Tokens{}, err
	}
	i.verified.remember(t.AccessToken, keys, a)
	return t, nil
}

// idClaims is the payload of an ID token: OpenID Connect Core 2 and 3.1.3.6.
type idClaims struct {
	Issuer          string   `json:"iss"`
	Subject         string   `json:"sub"`
	Audience        string   `json:"aud"`
	Expires         int64    `json:"exp"`
	IssuedAt        int64    `json:"iat"`
	AuthTime        int64    `json:"auth_time"`
	Nonce           string   `json:"nonce,omitempty"`
	ACR             string   `json:"acr,omitempty"`
	AMR             []string `json:"amr,omitempty"`
	AuthorizedParty string   `json:"azp"`
	SessionID       string   `json:"sid"`
	AccessTokenHash string   `json:"at_hash,omitempty"`
	CodeHash        string   `json:"c_hash,omitempty"`
}

// beside is what goes out together with an ID token and is tied to it by its hash.
type beside struct {
	accessToken, code string // "": none
}

// idClaims are the claims of an ID token that the protocol has.
func (i *Issuer) idClaims(g Granted, b beside) (idClaims, error) {
	now, a := i.Now(), g.Family.Authorization
	accessHash, err := claimHash(b.accessToken, g.signing.alg)
	if err != nil {
		return idClaims{}, fmt.Errorf("at_hash: %w", err)
	}
	codeHash, err := claimHash(b.code, g.signing.alg)
	if err != nil {
		return idClaims{}, fmt.Errorf("c_hash: %w", err)
	}
	sub, err := i.Subject(g.Client, g.User)
	if err != nil {
		return idClaims{}, err
	}
	return idClaims{
		Issuer: i.Issuer, Subject: sub, Audience: g.Client.ID, Expires: now.Add(i.IDToken).Unix(), IssuedAt: now.Unix(),
		AuthTime: a.AuthTime.Unix(), Nonce: g.Nonce, ACR: a.ACR, AMR: a.AMR, AuthorizedParty: g.Client.ID,
		SessionID: session.SID(a.Session, g.Client.ID), AccessTokenHash: accessHash, CodeHash: codeHash,
	}, nil
}

func (i *Issuer) idToken(ctx context.Context, g Granted, b beside) (string, error) {
	c, err := i.idClaims(g, b)
	if err != nil {
		return "", err
	}
	alone := b == beside{}
	token, err := g.signing.jwt(ctx, c, i.saidInIDToken(g, alone))
	if err != nil || g.idToken == nil {
		return token, err
	}
	return g.idToken.seal([]byte(token), true) // Core 16.14: signed, then encrypted
}

// claimHash is at_hash and c_hash: OpenID Connect Core 3.2.2.10, 3.3.2.11; "" of nothing. The library does not know HS256, which hashes as
// RS256 does.
func claimHash(value, alg string) (string, error) {
	if value == "" {
		return "", nil
	}
	if alg == clients.AlgHS256 {
		alg = "RS256"
	}
	return oidc.ClaimHash(value, jose.SignatureAlgorithm(alg))
}

// A jti is the family, the family's series when it was issued, and 64 random bits that make it unique. That of a token for a client itself
// has the client's series and 96 random bits. An exchanged one has the jti of what it was exchanged for, and 64 bits more: so it says what it
// came from, all the way, and the lengths differ still.
const (
	jtiSize        = 16 + 4 + 8
	serviceJTISize = 4 + 12
	jtiStep        = 8
)

// MaxExchanges is how often a token can be exchanged on.
const MaxExchanges = 4

func newJTI(g Granted) string {
	switch {
	case g.For != nil:
		return nextJTI(g.For)
	case g.Service:
		var b [serviceJTISize]byte
		binary.BigEndian.PutUint32(b[:], g.Client.ServiceSeries)
		rand.Read(b[4:])
		return base64.RawURLEncoding.EncodeToString(b[:])
	}
	var b [jtiSize]byte
	copy(b[:], g.Family.ID[:])
	binary.BigEndian.PutUint32(b[16:], g.Family.Series)
	rand.Read(b[20:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// nextJTI is that of a token that a is exchanged for.
func nextJTI(a *Access) string {
	b, _ := base64.RawURLEncoding.DecodeString(a.ID) // a was found good
	b = append(b, make([]byte, jtiStep)...)
	rand.Read(b[len(b)-jtiStep:])
	return base64.RawURLEncoding.EncodeToString(b)
}

var errJTI = errors.New("jti is not one of ours")

// parseJTI completes a with what its jti says.
func (a *Access) parseJTI() error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(a.ID)
	if err != nil || len(b) < serviceJTISize {
		return errJTI
	}
	origin := serviceJTISize
	if len(b)%jtiStep == jtiSize%jtiStep {
		origin = jtiSize
	}
	if steps := len(b) - origin; steps < 0 || steps%jtiStep != 0 || steps > MaxExchanges*jtiStep {
		return errJTI
	}
	if origin == serviceJTISize {
		a.Service, a.Series = true, binary.BigEndian.Uint32(b)
	} else {
		copy(a.Family[:], b)
		a.Series = binary.BigEndian.Uint32(b[16:])
	}
	for end := origin + jtiStep; end <= len(b); end += jtiStep {
		a.Exchanged = append(a.Exchanged, base64.RawURLEncoding.EncodeToString(b[:end]))
	}
	return nil
}
