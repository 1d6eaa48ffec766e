package storage

import "time"

// Client is an app registered with us: the metadata of OpenID Connect Registration 2 under its own names, and what is ours. The
// rules for each field are in the clients package.
type Client struct {
	ID       string `json:"client_id"`
	Revision uint64 `json:"revision"` // counts changes; 0 is a client not stored yet
	Name     string `json:"client_name"`
	Type     string `json:"type"`   // web, spa, native or service: what the operator chose
	Origin   string `json:"origin"` // OriginOperator, OriginFile

	SecretHash              Hash   `json:"-" cbor:"secret_hash"` // of a random secret; zero for public clients
	TokenEndpointAuthMethod string `json:"token_endpoint_auth_method"`
	SealedSecret            []byte `json:"-" cbor:"sealed_secret,omitempty"` // for the methods that need the secret itself

	ApplicationType        string   `json:"application_type"` // web or native
	RedirectURIs           []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	GrantTypes             []string `json:"grant_types"`
	ResponseTypes          []string `json:"response_types,omitempty"`
	Scopes                 []string `json:"scopes"`

	IDTokenAlg      string `json:"id_token_signed_response_alg"`
	IDTokenClaims   string `json:"id_token_claims"`  // ClaimsByScope or ClaimsRequested
	RefreshRotation string `json:"refresh_rotation"` // RotationRotate or RotationKeep
	PKCE            string `json:"pkce"`             // PKCERequired or PKCEOptional
	Trusted         bool   `json:"trusted"`          // consent is not asked: the operator vouches
	DefaultMaxAge   *int   `json:"default_max_age,omitempty"`
	RequireAuthTime bool   `json:"require_auth_time"`

	ClientURI string   `json:"client_uri,omitempty"`
	LogoURI   string   `json:"logo_uri,omitempty"`
	PolicyURI string   `json:"policy_uri,omitempty"`
	TosURI    string   `json:"tos_uri,omitempty"`
	Contacts  []string `json:"contacts,omitempty"`

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// Where a client or a user comes from. What the configuration file declares is changed there and not by commands.
const (
	OriginOperator = "operator"
	OriginFile     = "file"
)

// Values of the fields that are ours.
const (
	ClaimsByScope   = "scope"     // claims of the granted scopes are in the ID token too
	ClaimsRequested = "requested" // only what the claims parameter asks for, or Core 5.4 puts there

	RotationRotate = "rotate"
	RotationKeep   = "keep"

	PKCERequired = "required"
	PKCEOptional = "optional"
)

// Resource is an API that accepts our access tokens (RFC 8707).
type Resource struct {
	ID       string   `json:"resource"` // its URL; DefaultResource stands for the issuer itself
	Revision uint64   `json:"revision"`
	Name     string   `json:"name"`
	Scopes   []string `json:"scopes,omitempty"`

	Format   string        `json:"format"`                // FormatJWT
	Alg      string        `json:"access_token_alg"`      // JWS algorithm of its access tokens
	Typ      string        `json:"access_token_typ"`      // at+jwt (RFC 9068), or JWT for decoders that refuse it
	Lifetime time.Duration `json:"access_token_lifetime"` // of an access token
	Claims   []string      `json:"claims,omitempty"`      // groups, roles: what of the user its access tokens carry
	Updated  time.Time     `json:"updated"`
}

// DefaultResource is the resource of every request that names none. Its audience is the issuer.
const DefaultResource = ""

// FormatJWT is the access token of RFC 9068.
const FormatJWT = "jwt"
