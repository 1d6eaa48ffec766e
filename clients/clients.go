// Package clients holds the rules for apps registered with us: what their metadata may say, which URIs they may be answered at,
// and what secrets look like. The metadata is OpenID Connect Registration 2 and RFC 7591 section 2 under its own names; the record
// is [storage.Client].
//
// An operator chooses a type, and the type decides most of the rest:
//
//	web      runs on a server and keeps a secret
//	spa      runs in a browser and keeps none
//	native   runs on a phone or a desktop and keeps none
//	device   has no browser, and keeps no secret; people sign in to it elsewhere (RFC 8628)
//	service  acts for itself, without a user
//
// [New] gives a type's defaults, [Fields] is what can be set by name, [Validate] finds all faults of the result. Nothing here
// asks the store or the clock.
package clients

import (
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"signet/fields"
	"signet/storage"
)

// The types of client.
const (
	Web     = "web"
	SPA     = "spa"
	Native  = "native"
	Device  = "device"
	Service = "service"
)

// Client authentication methods: OpenID Connect Core 9.
const (
	AuthNone  = "none"
	AuthBasic = "client_secret_basic"
	AuthPost  = "client_secret_post"
	// The client signs an assertion (RFC 7523): with its secret, or with a key of its jwks or jwks_uri.
	AuthSecretJWT = "client_secret_jwt"
	AuthKeyJWT    = "private_key_jwt"
)

// KeyAlgs are the JWS algorithms that clients sign with by a key of theirs, SecretAlgs those by the secret that we gave them: RFC 7518
// section 3.1, RFC 8037.
var (
	KeyAlgs    = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
	SecretAlgs = []string{AlgHS256, "HS384", "HS512"}
)

// AlgHS256 is the one algorithm that what we issue can be signed with by the client's secret: OpenID Connect Core 10.1. It is for those
// who authenticate with that secret, where the operator turns it on.
const AlgHS256 = "HS256"

// Grant types that a client can be registered for.
const (
	GrantCode    = "authorization_code"
	GrantRefresh = "refresh_token"
	// GrantImplicit stands for whatever token or ID token the authorization endpoint hands out itself: OpenID Connect Registration 2.
	GrantImplicit = "implicit"
	// GrantService is for what a client does in its own name: RFC 6749 section 4.4.
	GrantService = "client_credentials"
	// GrantDevice is for devices on which nobody can open a browser, or type: RFC 8628 section 3.4.
	GrantDevice = "urn:ietf:params:oauth:grant-type:device_code"
	// GrantBearer and GrantExchange turn a token of another issuer, or of ours, into an access token: RFC 7523 section 2.1, RFC 8693 section 2.1.
	GrantBearer   = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	GrantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// GrantTypes are all of them.
var GrantTypes = []string{GrantCode, GrantRefresh, GrantImplicit, GrantService, GrantDevice, GrantBearer, GrantExchange}

// OperatorGrants are those that an operator alone gives, to clients one by one: what they are worth, the configuration says.
var OperatorGrants = []string{GrantBearer, GrantExchange}

// Scopes are those that mean something here, in the order in which they are published: OpenID Connect Core 5.4 and 11. A new client
// may ask for all of them.
var Scopes = []string{"openid", "profile", "email", "address", "phone", "groups", "roles", "offline_access"}

// FieldError is one fault of a client's metadata.
type FieldError = fields.Error

const (
	idLength     = 24 // of 62 characters: 142 bits
	secretLength = 43 // 256 bits
	// keyLength is that of secrets that sign. RFC 7518 section 3.2 wants a key as long as the hash, so no less for HS512; and no more,
	// since HMAC-SHA-256 takes the SHA-256 of a longer key in its place (RFC 2104 section 2): whoever reads the hashes in the store could
	// sign with them.
	keyLength = 64
)

// New returns a client of the type with a fresh id and the type's defaults. It has no redirect URI and no secret yet.
func New(typ, name string, now time.Time) (storage.Client, error) {
	c := storage.Client{
		ID:                      randomText(idLength),
		Name:                    name,
		Type:                    typ,
		Origin:                  storage.OriginOperator,
		TokenEndpointAuthMethod: AuthNone,
		ApplicationType:         applicationType(typ),
		GrantTypes:              []string{GrantCode, GrantRefresh},
		ResponseTypes:           []string{ResponseCode},
		Scopes:                  slices.Clone(Scopes),
		IDTokenAlg:              "RS256", // OpenID Connect Registration 2: the default
		IDTokenClaims:           storage.ClaimsByScope,
		RefreshRotation:         storage.RotationRotate,
		PKCE:                    storage.PKCERequired,
		Created:                 now,
		Updated:                 now,
	}
	if problem := typeProblem(typ); problem != "" {
		return storage.Client{}, &FieldError{Field: "type", Problem: problem}
	}
	switch typ {
	case Web:
		c.TokenEndpointAuthMethod = AuthBasic
	case Device:
		c.GrantTypes, c.ResponseTypes = []string{GrantDevice, GrantRefresh}, nil
	case Service:
		c.TokenEndpointAuthMethod = AuthBasic
		c.GrantTypes, c.ResponseTypes, c.Scopes = []string{GrantService}, nil, nil
	}
	return c, nil
}

func typeProblem(typ string) string {
	switch typ {
	case Web, SPA, Native, Device, Service:
		return ""
	}
	return fmt.Sprintf("%s is not a type of client; use web (on a server), spa (in a browser), native (on a phone or desktop), device (has no browser) or service (acts for itself)", fields.Quote(typ))
}

// applicationType is what OpenID Connect Registration 2 calls web or native.
func applicationType(typ string) string {
	if typ == Native || typ == Device {
		return "native"
	}
	return "web"
}

// NewSecret returns a fresh client secret, to be shown once, and its hash, to be stored.
func NewSecret() (secret string, hash storage.Hash) {
	secret = randomText(secretLength)
	return secret, storage.HashOf([]byte(secret))
}

// Sealer encrypts what we must be able to read again: a [*signet/keys.Keys].
type Sealer interface {
	Seal(purpose string, plain []byte) []byte
}

// SealPurpose is what the sealed secret of a client is sealed for.
func SealPurpose(id string) string { return "client secret " + id }

// GiveSecret gives c a fresh secret of the kind that its metadata needs, or takes from it what it does not need any more, and returns
// the secret, to be shown once; "" for none. The sealer is asked for where the secret must be readable again.
func GiveSecret(c *storage.Client, sealer func() (Sealer, error)) (secret string, err error) {
	c.SecretHash, c.SealedSecret = storage.Hash{}, nil
	switch {
	case SealsSecret(*c):
		s, err := sealer()
		if err != nil {
			return "", err
		}
		secret = randomText(keyLength)
		c.SecretHash, c.SealedSecret = storage.HashOf([]byte(secret)), s.Seal(SealPurpose(c.ID), []byte(secret))
	case NeedsSecret(*c):
		secret, c.SecretHash = NewSecret()
	}
	return secret, nil
}

// SecretFits reports whether what c has of a secret is what its metadata needs. If not, it needs [GiveSecret]: a secret that was only
// hashed cannot be sealed any more, and one that was sealed shall not go on as one that is not.
func SecretFits(c storage.Client) bool {
	return c.SecretHash.IsZero() != NeedsSecret(c) && (c.SealedSecret != nil) == SealsSecret(c)
}

// randomText returns letters and digits alone: clients differ in how they encode anything else in HTTP Basic.
func randomText(length int) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	const even = 256 - 256%len(alphabet) // bytes from there on would favour some characters
	text := make([]byte, 0, length)
	for random := make([]byte, 2*length); len(text) < length; {
		rand.Read(random)
		for _, b := range random {
			if int(b) < even && len(text) < length {
				text = append(text, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(text)
}

// NeedsSecret reports whether the client authenticates with a secret that we gave it.
func NeedsSecret(c storage.Client) bool {
	return slices.Contains([]string{AuthBasic, AuthPost, AuthSecretJWT}, c.TokenEndpointAuthMethod)
}

// SealsSecret reports whether that secret must be readable to us, since the client signs with it, or we do.
func SealsSecret(c storage.Client) bool {
	return c.TokenEndpointAuthMethod == AuthSecretJWT || NeedsSecret(c) && (c.IDTokenAlg == AlgHS256 || c.UserinfoAlg == AlgHS256)
}

// Public reports whether the client has no credentials: RFC 6749 section 2.1. Whoever knows its id can claim to be it.
func Public(c storage.Client) bool { return c.TokenEndpointAuthMethod == AuthNone }

// Allows reports whether the client is registered for the grant type.
func Allows(c storage.Client, grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// SignsIn reports whether people can sign in to the client.
func SignsIn(c storage.Client) bool { return Redirects(c) || Allows(c, GrantDevice) }

// ForItself reports whether the client gets access tokens in its own name.
func ForItself(c storage.Client) bool { return Allows(c, GrantService) || Allows(c, GrantBearer) }

// Redirects reports whether browsers are sent to the client with the answer.
func Redirects(c storage.Client) bool { return Allows(c, GrantCode) || Allows(c, GrantImplicit) }

// ServiceScopes are the scopes that the client may have for itself: those of the operator's own. The others say something about a person,
// and there is none.
func ServiceScopes(c storage.Client) []string {
	return slices.DeleteFunc(slices.Clone(c.Scopes), func(s string) bool { return slices.Contains(Scopes, s) })
}

// ConsentEachTime reports whether remembered consent is not enough for an answer at redirectURI. Any app on a device can take over
// a private-use scheme or a loopback port, and a public client's id proves nothing: RFC 8252 section 8.6. Confidential clients prove
// who they are when they redeem the code, and for trusted ones the operator vouches.
func ConsentEachTime(c storage.Client, redirectURI string) bool {
	if c.Trusted || !Public(c) {
		return false
	}
	return OnDevice(redirectURI)
}
