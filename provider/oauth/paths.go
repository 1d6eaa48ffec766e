package oauth

// The paths of the endpoints, each below the issuer's own path. No specification fixes them: clients read them from the metadata.
const (
	AuthorizePath  = "/authorize"  // RFC 6749 section 3.1
	TokenPath      = "/token"      // RFC 6749 section 3.2
	UserinfoPath   = "/userinfo"   // OpenID Connect Core 5.3
	JWKSPath       = "/jwks"       // RFC 7517 section 5
	IntrospectPath = "/introspect" // RFC 7662 section 2
	RevokePath     = "/revoke"     // RFC 7009 section 2
	RegisterPath   = "/register"   // RFC 7591 section 3, OpenID Connect Registration 3
	LogoutPath     = "/logout"     // OpenID Connect RP-Initiated Logout 2

	DeviceAuthorizationPath = "/device_authorization" // RFC 8628 section 3.1

	CheckSessionPath = "/check-session" // OpenID Connect Session Management 3.2
	// StatusListsPath is that of the aggregation; each list is below it: Token Status List (draft-ietf-oauth-status-list) sections 8 and 9.
	StatusListsPath = "/statuslists"
)

// Where the metadata is found. With an issuer that has a path, the first is appended to it (OpenID Connect Discovery 4), the
// second is inserted before it, at the host's root (RFC 8414 section 3.1).
const (
	OpenIDConfigurationPath = "/.well-known/openid-configuration"
	OAuthMetadataPath       = "/.well-known/oauth-authorization-server"
)
