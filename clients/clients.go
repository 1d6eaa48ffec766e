// Package clients holds the rules for apps registered with us: what their metadata may say, which URIs they may be answered at,
// and what secrets look like. The metadata is OpenID Connect Registration 2 and RFC 7591 section 2 under its own names; the record
// is [storage.Client].
//
// An operator chooses a type, and the type decides most of the rest:
//
//	web      runs on a server and keeps a secret
//	spa      runs in a browser and keeps none
//	native   runs on a phone or a desktop and keeps none
//	service  acts for itself, without a user
//
// [New] gives a type's defaults, [Fields] is what can be set by name, [Validate] finds all faults of the result. Nothing here
// asks the store or the clock.
package clients

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"signet/fields"
	"signet/storage"
)

// The types of client.
const (
	Web     = "web"
	SPA     = "spa"
	Native  = "native"
	Service = "service"
)

// Client authentication methods: OpenID Connect Core 9.
const (
	AuthNone  = "none"
	AuthBasic = "client_secret_basic"
	AuthPost  = "client_secret_post"
)

// Grant types that a client can be registered for.
const (
	GrantCode    = "authorization_code"
	GrantRefresh = "refresh_token"
	// GrantImplicit stands for whatever token or ID token the authorization endpoint hands out itself: OpenID Connect Registration 2.
	GrantImplicit = "implicit"
)

// Scopes are those that mean something here, in the order in which they are published: OpenID Connect Core 5.4 and 11. A new client
// may ask for all of them.
var Scopes = []string{"openid", "profile", "email", "address", "phone", "groups", "roles", "offline_access"}

// FieldError is one fault of a client's metadata.
type FieldError = fields.Error

const (
	idLength     = 24 // of 62 characters: 142 bits
	secretLength = 43 // 256 bits
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
	if typ == Web {
		c.TokenEndpointAuthMethod = AuthBasic
	}
	return c, nil
}

func typeProblem(typ string) string {
	switch typ {
	case Web, SPA, Native:
		return ""
	case Service:
		return "service clients (the client_credentials grant) are not there yet; use web, spa or native"
	}
	return fmt.Sprintf("%s is not a type of client; use web (on a server), spa (in a browser) or native (on a phone or desktop)", fields.Quote(typ))
}

// applicationType is what OpenID Connect Registration 2 calls web or native.
func applicationType(typ string) string {
	if typ == Native {
		return "native"
	}
	return "web"
}

// NewSecret returns a fresh client secret, to be shown once, and its hash, to be stored.
func NewSecret() (secret string, hash storage.Hash) {
	secret = randomText(secretLength)
	return secret, storage.HashOf([]byte(secret))
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
	return c.TokenEndpointAuthMethod == AuthBasic || c.TokenEndpointAuthMethod == AuthPost
}

// Public reports whether the client has no credentials: RFC 6749 section 2.1. Whoever knows its id can claim to be it.
func Public(c storage.Client) bool { return c.TokenEndpointAuthMethod == AuthNone }

// Allows reports whether the client is registered for the grant type.
func Allows(c storage.Client, grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// ConsentEachTime reports whether remembered consent is not enough for an answer at redirectURI. Any app on a device can take over
// a private-use scheme or a loopback port, and a public client's id proves nothing: RFC 8252 section 8.6. Confidential clients prove
// who they are when they redeem the code, and for trusted ones the operator vouches.
func ConsentEachTime(c storage.Client, redirectURI string) bool {
	if c.Trusted || !Public(c) {
		return false
	}
	_, _, loopback := splitLoopback(redirectURI)
	return loopback || !strings.HasPrefix(redirectURI, "https://")
}
