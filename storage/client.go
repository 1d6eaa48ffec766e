package storage

import (
	"encoding/json"
	"time"
)

// Client is an app registered with us: the metadata of OpenID Connect Registration 2 under its own names, and what is ours. The
// rules for each field are in the clients package.
type Client struct {
	ID       string `json:"client_id"`
	Revision uint64 `json:"revision"` // counts changes; 0 is a client not stored yet
	Name     string `json:"client_name"`
	Type     string `json:"type"`   // web, spa, native or service: what the operator chose
	Origin   string `json:"origin"` // OriginOperator, OriginFile, OriginRegistered

	SecretHash              Hash   `json:"-" cbor:"secret_hash"` // of a random secret; zero for public clients
	TokenEndpointAuthMethod string `json:"token_endpoint_auth_method"`
	// SealedSecret is the secret itself, sealed by the ring, for client_secret_jwt and HS256: then SecretHash is its hash as well.
	SealedSecret []byte `json:"-" cbor:"sealed_secret,omitempty"`

	TokenEndpointAuthSigningAlg string          `json:"token_endpoint_auth_signing_alg,omitempty"` // empty: any that we verify
	JWKS                        json.RawMessage `json:"jwks,omitempty"`                            // public keys, as they were sent
	JWKSURI                     string          `json:"jwks_uri,omitempty"`

	ApplicationType        string   `json:"application_type"` // web or native
	RedirectURIs           []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	GrantTypes             []string `json:"grant_types"`
	ResponseTypes          []string `json:"response_types,omitempty"`
	Scopes                 []string `json:"scopes"`

	// Access is what the client may ask for at resources other than the default one, one entry for each. Where none is for a resource that is
	// open ([Resource.Open]), it may ask users for all of that resource's scopes.
	Access []Access `json:"access,omitempty"`
	// DefaultResource is the resource of a request that names none; empty: the issuer.
	DefaultResource string `json:"default_resource,omitempty"`
	// Resources are those that the client is, as a server: it may look at tokens for them (RFC 7662), and exchange those that reached it (RFC 8693).
	Resources []string `json:"resources,omitempty"`
	// Exchange says what the client's exchanged tokens say of it: ExchangeDelegation (also when empty) or ExchangeImpersonation.
	Exchange string `json:"token_exchange,omitempty"`

	// ServiceSeries is carried by the access tokens that the client gets for itself; moving it on ends the older ones. It is the store's
	// to change: see [Clients].
	ServiceSeries uint32 `json:"-" cbor:"service_series,omitempty"`
	// ServiceStatus is the number of those access tokens in the status list; given with the first series of a client with the grant
	// client_credentials, and anew with each. See [Statuses].
	ServiceStatus uint64 `json:"-" cbor:"service_status,omitempty"`

	SubjectType         string   `json:"subject_type,omitempty"` // public (also when empty) or pairwise: Core 8
	SectorIdentifierURI string   `json:"sector_identifier_uri,omitempty"`
	InitiateLoginURI    string   `json:"initiate_login_uri,omitempty"` // Core 4
	RequestURIs         []string `json:"request_uris,omitempty"`       // each with its fragment hash, if it was registered with one
	DefaultACRValues    []string `json:"default_acr_values,omitempty"`

	// Where the client is told that a session ended, by the browser and by us, and whether it then wants to know by its sid which one: Front-Channel
	// Logout 1.0 section 2, Back-Channel Logout 1.0 section 2.2.
	FrontchannelLogoutURI             string `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelLogoutSessionRequired bool   `json:"frontchannel_logout_session_required,omitempty"`
	BackchannelLogoutURI              string `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSessionRequired  bool   `json:"backchannel_logout_session_required,omitempty"`

	IDTokenEncryptionAlg  string `json:"id_token_encrypted_response_alg,omitempty"`
	IDTokenEncryptionEnc  string `json:"id_token_encrypted_response_enc,omitempty"`
	UserinfoAlg           string `json:"userinfo_signed_response_alg,omitempty"` // empty: plain JSON
	UserinfoEncryptionAlg string `json:"userinfo_encrypted_response_alg,omitempty"`
	UserinfoEncryptionEnc string `json:"userinfo_encrypted_response_enc,omitempty"`
	// RFC 9701 section 6: how introspection answers are signed, where JWTs are asked for, and encrypted.
	IntrospectionAlg           string `json:"introspection_signed_response_alg,omitempty"` // empty: RS256
	IntrospectionEncryptionAlg string `json:"introspection_encrypted_response_alg,omitempty"`
	IntrospectionEncryptionEnc string `json:"introspection_encrypted_response_enc,omitempty"`
	RequestObjectAlg           string `json:"request_object_signing_alg,omitempty"` // empty: any that we verify
	RequestEncryptionAlg       string `json:"request_object_encryption_alg,omitempty"`
	RequestEncryptionEnc       string `json:"request_object_encryption_enc,omitempty"`

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

	SoftwareID        string `json:"software_id,omitempty"` // RFC 7591 section 2
	SoftwareVersion   string `json:"software_version,omitempty"`
	SoftwareStatement string `json:"software_statement,omitempty"`

	// AllowedScopes and AllowedGrantTypes are the limits of the initial access token that it registered with; an update stays within
	// them. Empty: there are none.
	AllowedScopes     []string `json:"-" cbor:"allowed_scopes,omitempty"`
	AllowedGrantTypes []string `json:"-" cbor:"allowed_grant_types,omitempty"`

	// RegistrationTokens are the hashes of the registration access tokens (RFC 7592) that are good: the current one, and after an
	// update the one before until the new one is first used.
	RegistrationTokens []Hash `json:"-" cbor:"registration_tokens,omitempty"`

	// DocumentFresh is until when the metadata document at the client's own URL need not be asked for again; of those of OriginDocument.
	DocumentFresh time.Time `json:"document_fresh,omitzero"`
	// DocumentSince is since when the document names the app, and the hosts that answers go to, as it does now. Whoever allowed the app before
	// has allowed another one.
	DocumentSince time.Time `json:"document_since,omitzero"`

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// Access is what a client may ask for at one resource.
type Access struct {
	Resource string   `json:"resource"`
	Scopes   []string `json:"scopes,omitempty"` // empty: all that the resource has
}

// Where a client or a user comes from. What the configuration file declares is changed there and not by commands.
const (
	OriginOperator = "operator"
	OriginFile     = "file"
	// OriginRegistered is a client that registered itself (RFC 7591).
	OriginRegistered = "registered"
	// OriginDocument is a client whose id is the URL of its metadata (OAuth Client ID Metadata Document).
	OriginDocument = "document"
)

// Values of the fields that are ours.
const (
	ClaimsByScope   = "scope"     // claims of the granted scopes are in the ID token too
	ClaimsRequested = "requested" // only what the claims parameter asks for, or Core 5.4 puts there

	RotationRotate = "rotate"
	RotationKeep   = "keep"

	ExchangeDelegation    = "delegation"    // they name it as the actor: RFC 8693 section 4.1
	ExchangeImpersonation = "impersonation" // they do not

	PKCERequired = "required"
	PKCEOptional = "optional"
)

// Resource is an API that accepts our access tokens (RFC 8707).
type Resource struct {
	ID       string  `json:"resource"` // its URL; DefaultResource stands for the issuer itself
	Revision uint64  `json:"revision"`
	Name     string  `json:"name"`
	Origin   string  `json:"origin,omitempty"` // OriginOperator or OriginFile; empty: the settings
	Scopes   []Scope `json:"scopes,omitempty"`
	// Open lets every client ask users for access; otherwise only those whose [Client.Access] names it may.
	Open        bool         `json:"open,omitempty"`
	Permissions []Permission `json:"permissions,omitempty"`

	Format   string        `json:"format"`                // FormatJWT or FormatOpaque
	Alg      string        `json:"access_token_alg"`      // JWS algorithm of its access tokens
	Typ      string        `json:"access_token_typ"`      // at+jwt (RFC 9068), or JWT for decoders that refuse it
	Lifetime time.Duration `json:"access_token_lifetime"` // of an access token
	Claims   []string      `json:"claims,omitempty"`      // groups, roles, permissions: what of the user its access tokens carry
	Created  time.Time     `json:"created,omitzero"`
	Updated  time.Time     `json:"updated"`
}

// Scope is one scope of a resource's own.
type Scope struct {
	Name string `json:"name"`
	Text string `json:"text,omitempty"` // what people read where they are asked for it
}

// Permission is what users may do at a resource by their roles and groups.
type Permission struct {
	Name   string   `json:"name"`
	Roles  []string `json:"roles,omitempty"`  // each of these has it
	Groups []string `json:"groups,omitempty"` // and each of these
}

// DefaultResource is the resource of every request that names none. Its audience is the issuer.
const DefaultResource = ""

// The formats of access tokens.
const (
	FormatJWT    = "jwt"    // RFC 9068
	FormatOpaque = "opaque" // says nothing to anybody but us: RFC 7662
)
