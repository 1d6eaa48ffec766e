package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"signet/fields"
	"signet/storage"
)

// grantTypes takes the names of grant types that are long for people in their last word alone.
var grantTypes = func() fields.Field[storage.Client] {
	f := fields.Words("grant_types", "authorization_code, refresh_token, implicit; client_credentials for what it does in its own name; device_code for where no browser is; jwt-bearer for assertions of trusted issuers; token-exchange to call on as the user", func(c *storage.Client) *[]string { return &c.GrantTypes })
	set := f.Set
	f.Set = func(c *storage.Client, values []string) error {
		err := set(c, values)
		for n, g := range c.GrantTypes {
			if long := grantPrefix + g; slices.Contains(GrantTypes, long) {
				c.GrantTypes[n] = long
			}
		}
		return err
	}
	return f
}()

const grantPrefix = "urn:ietf:params:oauth:grant-type:"

// Fields is what of a client can be set by name, for the commands, the configuration file and the documentation. The names are the
// specification's where it has one.
var Fields = fields.Table[storage.Client]{
	fields.String("client_name", "what people see when they sign in", func(c *storage.Client) *string { return &c.Name }),
	fields.List("redirect_uris", "where answers may be sent, compared byte for byte", func(c *storage.Client) *[]string { return &c.RedirectURIs }),
	fields.List("post_logout_redirect_uris", "where the browser may go after a logout", func(c *storage.Client) *[]string { return &c.PostLogoutRedirectURIs }),
	fields.String("frontchannel_logout_uri", "what the browser loads in a hidden frame at a logout; of the scheme, host and port of a redirect URI", func(c *storage.Client) *string { return &c.FrontchannelLogoutURI }),
	fields.Bool("frontchannel_logout_session_required", "true: iss and sid must come with it", func(c *storage.Client) *bool { return &c.FrontchannelLogoutSessionRequired }),
	fields.String("backchannel_logout_uri", "where this server sends a logout token when a session ends", func(c *storage.Client) *string { return &c.BackchannelLogoutURI }),
	fields.Bool("backchannel_logout_session_required", "true: the logout token must name the session, by its sid", func(c *storage.Client) *bool { return &c.BackchannelLogoutSessionRequired }),
	fields.String("token_endpoint_auth_method", "client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt or none", func(c *storage.Client) *string { return &c.TokenEndpointAuthMethod }),
	fields.String("token_endpoint_auth_signing_alg", "what assertions of client_secret_jwt and private_key_jwt must be signed with; empty for any", func(c *storage.Client) *string { return &c.TokenEndpointAuthSigningAlg }),
	jwks,
	fields.String("jwks_uri", "where the app publishes its public keys, instead of jwks", func(c *storage.Client) *string { return &c.JWKSURI }),
	grantTypes,
	responseTypes,
	fields.Words("scopes", "what the client may ask for", func(c *storage.Client) *[]string { return &c.Scopes }),
	access,
	fields.String("default_resource", "the API that its requests mean when they name none; empty: the issuer", func(c *storage.Client) *string { return &c.DefaultResource }),
	fields.List("resources", "an API that it is itself: it may look at access tokens for it, and exchange those that reached it", func(c *storage.Client) *[]string { return &c.Resources }),
	fields.String("token_exchange", "delegation (also when empty): tokens that it exchanged name it as the actor; impersonation: they do not", func(c *storage.Client) *string { return &c.Exchange }),
	fields.String("id_token_signed_response_alg", "RS256, PS256, ES256, EdDSA; HS256, by the client's secret, where the operator turns it on", func(c *storage.Client) *string { return &c.IDTokenAlg }),
	fields.String("id_token_encrypted_response_alg", "RSA-OAEP-256, ECDH-ES, ECDH-ES+A128KW, ECDH-ES+A256KW: ID tokens are encrypted to a key of the client's; empty: not", func(c *storage.Client) *string { return &c.IDTokenEncryptionAlg }),
	fields.String("id_token_encrypted_response_enc", "A128CBC-HS256 (also when empty), A256CBC-HS512, A128GCM, A256GCM", func(c *storage.Client) *string { return &c.IDTokenEncryptionEnc }),
	fields.String("userinfo_signed_response_alg", "as for ID tokens: userinfo is a signed JWT; empty: plain JSON", func(c *storage.Client) *string { return &c.UserinfoAlg }),
	fields.String("userinfo_encrypted_response_alg", "as for ID tokens", func(c *storage.Client) *string { return &c.UserinfoEncryptionAlg }),
	fields.String("userinfo_encrypted_response_enc", "as for ID tokens", func(c *storage.Client) *string { return &c.UserinfoEncryptionEnc }),
	fields.String("introspection_signed_response_alg", "what introspection answers are signed with where it asks for JWTs (RFC 9701); empty: RS256", func(c *storage.Client) *string { return &c.IntrospectionAlg }),
	fields.String("introspection_encrypted_response_alg", "as for ID tokens", func(c *storage.Client) *string { return &c.IntrospectionEncryptionAlg }),
	fields.String("introspection_encrypted_response_enc", "as for ID tokens", func(c *storage.Client) *string { return &c.IntrospectionEncryptionEnc }),
	fields.List("request_uris", "where request objects may be fetched from; https, and behind a # the hash of what is there", func(c *storage.Client) *[]string { return &c.RequestURIs }),
	fields.String("request_object_signing_alg", "what request objects must be signed with; empty: any algorithm of the client's keys; none: nothing, where unsigned_request_objects is on", func(c *storage.Client) *string { return &c.RequestObjectAlg }),
	fields.String("request_object_encryption_alg", "how a key is agreed on where request objects are encrypted to us: one of encrypted_request_objects. The client may use the others too", func(c *storage.Client) *string { return &c.RequestEncryptionAlg }),
	fields.String("request_object_encryption_enc", "as for ID tokens", func(c *storage.Client) *string { return &c.RequestEncryptionEnc }),
	fields.String("id_token_claims", "scope: ID tokens hold the claims of the scopes; requested: only what the claims parameter asks for", func(c *storage.Client) *string { return &c.IDTokenClaims }),
	fields.String("refresh_rotation", "rotate: each use gives a new refresh token; keep: for clients with a secret", func(c *storage.Client) *string { return &c.RefreshRotation }),
	fields.String("pkce", "required, or optional for clients with a secret", func(c *storage.Client) *string { return &c.PKCE }),
	fields.Bool("trusted", "true: nobody is asked for consent", func(c *storage.Client) *bool { return &c.Trusted }),
	defaultMaxAge,
	fields.List("default_acr_values", "acr values that the client would like where a request names none", func(c *storage.Client) *[]string { return &c.DefaultACRValues }),
	fields.Bool("require_auth_time", "true: ID tokens always say when the user signed in", func(c *storage.Client) *bool { return &c.RequireAuthTime }),
	fields.String("subject_type", "public: everybody sees a user's own sub; pairwise: one made for the client's sector (OpenID Connect Core 8)", func(c *storage.Client) *string { return &c.SubjectType }),
	fields.String("sector_identifier_uri", "its host names the sector where the redirect URIs have several", func(c *storage.Client) *string { return &c.SectorIdentifierURI }),
	fields.String("initiate_login_uri", "where others may send the browser to begin a sign-in (OpenID Connect Core 4); https", func(c *storage.Client) *string { return &c.InitiateLoginURI }),
	fields.String("client_uri", "the app's home page", func(c *storage.Client) *string { return &c.ClientURI }),
	fields.String("logo_uri", "the app's logo", func(c *storage.Client) *string { return &c.LogoURI }),
	fields.String("policy_uri", "its privacy policy", func(c *storage.Client) *string { return &c.PolicyURI }),
	fields.String("tos_uri", "its terms of service", func(c *storage.Client) *string { return &c.TosURI }),
	fields.List("contacts", "e-mail addresses of those who run the app", func(c *storage.Client) *[]string { return &c.Contacts }),
}

// Set sets the named field of c; see [Fields].
func Set(c *storage.Client, field string, values []string) error { return Fields.Set(c, field, values) }

// responseTypes takes the words of a response type in any order, and keeps the one that is published.
var responseTypes = func() fields.Field[storage.Client] {
	f := fields.List("response_types", strings.Join(ResponseTypes, ", "), func(c *storage.Client) *[]string { return &c.ResponseTypes })
	set := f.Set
	f.Set = func(c *storage.Client, values []string) error {
		err := set(c, values)
		for i, v := range c.ResponseTypes {
			if known, ok := ResponseType(v); ok {
				c.ResponseTypes[i] = known
			}
		}
		return err
	}
	return f
}()

var jwks = fields.Field[storage.Client]{
	Name: "jwks",
	Help: "the app's public keys, a JWK set in JSON",
	Set: func(c *storage.Client, values []string) error {
		var compact bytes.Buffer
		if values[0] == "" {
			c.JWKS = nil
			return nil
		}
		if json.Compact(&compact, []byte(values[0])) != nil {
			return errors.New("is not JSON; write a JWK set, like {\"keys\": [{\"kty\": …}]}")
		}
		c.JWKS = compact.Bytes()
		return nil
	},
	Get: func(c *storage.Client) []string { return []string{string(c.JWKS)} },
}

var defaultMaxAge = fields.Field[storage.Client]{
	Name: "default_max_age",
	Help: "seconds after which people sign in again; empty for no limit",
	Set: func(c *storage.Client, values []string) error {
		if values[0] == "" {
			c.DefaultMaxAge = nil
			return nil
		}
		seconds, err := strconv.Atoi(values[0])
		if err != nil {
			return errors.New("is a whole number of seconds, or empty")
		}
		c.DefaultMaxAge = &seconds
		return nil
	},
	Get: func(c *storage.Client) []string {
		if c.DefaultMaxAge == nil {
			return nil
		}
		return []string{strconv.Itoa(*c.DefaultMaxAge)}
	},
}
