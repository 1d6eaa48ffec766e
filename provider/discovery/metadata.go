package discovery

import (
	"slices"
	"strings"

	"signet/claims"
	"signet/clients"
	"signet/provider/oauth"
	"signet/provider/session"
	"signet/web"
)

// Metadata is the metadata document, in the order in which people read it. Its members are those of OpenID Connect Discovery 3,
// RFC 8414 section 2, RFC 9207 section 3, RP-Initiated Logout 2.1, Session Management 3.3, Front-Channel Logout 3, Back-Channel Logout 2.1 and
// OAuth Client ID Metadata Document 6.
type Metadata struct {
	Issuer string `json:"issuer"`

	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	UserinfoEndpoint      string `json:"userinfo_endpoint"`
	JWKSURI               string `json:"jwks_uri"`
	IntrospectionEndpoint string `json:"introspection_endpoint"`
	RevocationEndpoint    string `json:"revocation_endpoint"`
	EndSessionEndpoint    string `json:"end_session_endpoint"`
	// RFC 8628 section 4.
	DeviceAuthorizationEndpoint string `json:"device_authorization_endpoint"`
	CheckSessionIframe          string `json:"check_session_iframe"`
	RegistrationEndpoint        string `json:"registration_endpoint,omitempty"`
	// ClientIDMetadataDocumentSupported is absent where it is not: Client ID Metadata Document 6.
	ClientIDMetadataDocumentSupported bool `json:"client_id_metadata_document_supported,omitempty"`
	// StatusListAggregation is absent where access tokens carry no status: Token Status List section 9.1.
	StatusListAggregation string `json:"status_list_aggregation_endpoint,omitempty"`

	ScopesSupported        []string `json:"scopes_supported"`
	ResponseTypesSupported []string `json:"response_types_supported"`
	ResponseModesSupported []string `json:"response_modes_supported"`
	GrantTypesSupported    []string `json:"grant_types_supported"`

	SubjectTypesSupported            []string `json:"subject_types_supported"`
	IDTokenSigningAlgValuesSupported []string `json:"id_token_signing_alg_values_supported"`

	IDTokenEncryptionAlgValuesSupported  []string `json:"id_token_encryption_alg_values_supported"`
	IDTokenEncryptionEncValuesSupported  []string `json:"id_token_encryption_enc_values_supported"`
	UserinfoSigningAlgValuesSupported    []string `json:"userinfo_signing_alg_values_supported"`
	UserinfoEncryptionAlgValuesSupported []string `json:"userinfo_encryption_alg_values_supported"`
	UserinfoEncryptionEncValuesSupported []string `json:"userinfo_encryption_enc_values_supported"`

	TokenEndpointAuthMethodsSupported         []string `json:"token_endpoint_auth_methods_supported"`
	TokenEndpointAuthSigningAlgs              []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	IntrospectionEndpointAuthMethodsSupported []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionEndpointAuthSigningAlgs      []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	// RFC 9701 section 7.
	IntrospectionSigningAlgValuesSupported    []string `json:"introspection_signing_alg_values_supported"`
	IntrospectionEncryptionAlgValuesSupported []string `json:"introspection_encryption_alg_values_supported"`
	IntrospectionEncryptionEncValuesSupported []string `json:"introspection_encryption_enc_values_supported"`
	RevocationEndpointAuthMethodsSupported    []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationEndpointAuthSigningAlgs         []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`

	ClaimsSupported     []string `json:"claims_supported"`
	ClaimTypesSupported []string `json:"claim_types_supported"`
	ACRValuesSupported  []string `json:"acr_values_supported"`
	UILocalesSupported  []string `json:"ui_locales_supported"`

	CodeChallengeMethodsSupported              []string `json:"code_challenge_methods_supported"`
	PromptValuesSupported                      []string `json:"prompt_values_supported"`
	AuthorizationResponseIssParameterSupported bool     `json:"authorization_response_iss_parameter_supported"`

	// Always present: a client may take the absence for support, since the default of the last one is true (OpenID Connect
	// Discovery 3).
	ClaimsParameterSupported      bool `json:"claims_parameter_supported"`
	RequestParameterSupported     bool `json:"request_parameter_supported"`
	RequestURIParameterSupported  bool `json:"request_uri_parameter_supported"`
	RequireRequestURIRegistration bool `json:"require_request_uri_registration"`

	RequestObjectSigningAlgValuesSupported []string `json:"request_object_signing_alg_values_supported"`

	// OpenID Connect Front-Channel Logout 3, Back-Channel Logout 2.1.
	FrontchannelLogoutSupported        bool `json:"frontchannel_logout_supported"`
	FrontchannelLogoutSessionSupported bool `json:"frontchannel_logout_session_supported"`
	BackchannelLogoutSupported         bool `json:"backchannel_logout_supported"`
	BackchannelLogoutSessionSupported  bool `json:"backchannel_logout_session_supported"`

	// Absent where request objects cannot be encrypted to us.
	RequestObjectEncryptionAlgValuesSupported []string `json:"request_object_encryption_alg_values_supported,omitempty"`
	RequestObjectEncryptionEncValuesSupported []string `json:"request_object_encryption_enc_values_supported,omitempty"`
}

// describe says what a provider with this issuer and these signing algorithms offers.
func describe(issuer string, algs []string, known *claims.Catalogue) Metadata {
	base := strings.TrimSuffix(issuer, "/")
	confidential := []string{clients.AuthBasic, clients.AuthPost, clients.AuthSecretJWT, clients.AuthKeyJWT}
	all := append(slices.Clone(confidential), clients.AuthNone)
	assertionAlgs := slices.Concat(clients.KeyAlgs, clients.SecretAlgs)
	return Metadata{
		Issuer: issuer, // byte for byte: clients compare it with what they were configured with

		AuthorizationEndpoint:       base + oauth.AuthorizePath,
		TokenEndpoint:               base + oauth.TokenPath,
		UserinfoEndpoint:            base + oauth.UserinfoPath,
		JWKSURI:                     base + oauth.JWKSPath,
		IntrospectionEndpoint:       base + oauth.IntrospectPath,
		RevocationEndpoint:          base + oauth.RevokePath,
		EndSessionEndpoint:          base + oauth.LogoutPath,
		DeviceAuthorizationEndpoint: base + oauth.DeviceAuthorizationPath,
		CheckSessionIframe:          base + oauth.CheckSessionPath,

		ScopesSupported:        known.Scopes(),
		ResponseTypesSupported: clients.ResponseTypes,
		ResponseModesSupported: []string{"query", "fragment", "form_post"},
		GrantTypesSupported:    []string{"authorization_code", "implicit", "refresh_token", "client_credentials", clients.GrantDevice, clients.GrantExchange},

		SubjectTypesSupported:            []string{"public", "pairwise"},
		IDTokenSigningAlgValuesSupported: rs256First(algs),

		IDTokenEncryptionAlgValuesSupported:  clients.EncryptionAlgs,
		IDTokenEncryptionEncValuesSupported:  clients.EncryptionEncs,
		UserinfoSigningAlgValuesSupported:    rs256First(algs),
		UserinfoEncryptionAlgValuesSupported: clients.EncryptionAlgs,
		UserinfoEncryptionEncValuesSupported: clients.EncryptionEncs,

		TokenEndpointAuthMethodsSupported: all,
		TokenEndpointAuthSigningAlgs:      assertionAlgs,
		// RFC 7662 section 2.1 wants some authorization, and a public client's id alone is none.
		IntrospectionEndpointAuthMethodsSupported: confidential,
		IntrospectionEndpointAuthSigningAlgs:      assertionAlgs,
		IntrospectionEncryptionAlgValuesSupported: clients.EncryptionAlgs,
		IntrospectionEncryptionEncValuesSupported: clients.EncryptionEncs,
		RevocationEndpointAuthMethodsSupported:    all,
		RevocationEndpointAuthSigningAlgs:         assertionAlgs,

		ClaimsSupported: append([]string{
			"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "sid", "at_hash", "c_hash",
		}, known.Names()...),
		ClaimTypesSupported: []string{"normal"},
		ACRValuesSupported:  session.ACRs(),
		UILocalesSupported:  web.Languages(),

		CodeChallengeMethodsSupported:              []string{"S256"},
		PromptValuesSupported:                      []string{"none", "login", "consent", "select_account"},
		AuthorizationResponseIssParameterSupported: true,

		ClaimsParameterSupported:      true,
		RequestParameterSupported:     true,
		RequestURIParameterSupported:  true,
		RequireRequestURIRegistration: true,

		FrontchannelLogoutSupported:        true,
		FrontchannelLogoutSessionSupported: true,
		BackchannelLogoutSupported:         true,
		BackchannelLogoutSessionSupported:  true,
	}
}

// rs256First puts the algorithm that every client knows in front: some take the first.
func rs256First(algs []string) []string {
	sorted := slices.Clone(algs)
	slices.SortStableFunc(sorted, func(a, b string) int {
		switch {
		case a == b:
			return 0
		case a == "RS256":
			return -1
		case b == "RS256":
			return 1
		}
		return 0
	})
	return sorted
}
