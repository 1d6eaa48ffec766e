package clients

import (
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/fields"
	"signet/storage"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// valid returns a client of the type that has nothing wrong.
func valid(t testing.TB, typ string) storage.Client {
	t.Helper()
	c, err := New(typ, "Demo", now)
	if err != nil {
		t.Fatal(err)
	}
	if SignsIn(c) {
		c.RedirectURIs = []string{"https://app.example/cb"}
	}
	if NeedsSecret(c) {
		_, c.SecretHash = NewSecret()
	}
	if err := Validate(c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNew(t *testing.T) {
	t.Parallel()
	for typ, want := range map[string]struct {
		method, application string
		public              bool
	}{
		Web:    {AuthBasic, "web", false},
		SPA:    {AuthNone, "web", true},
		Native: {AuthNone, "native", true},
	} {
		c := valid(t, typ)
		if c.TokenEndpointAuthMethod != want.method || c.ApplicationType != want.application || Public(c) != want.public || NeedsSecret(c) == want.public {
			t.Errorf("%s: %s, %s", typ, c.TokenEndpointAuthMethod, c.ApplicationType)
		}
		if c.PKCE != storage.PKCERequired || c.RefreshRotation != storage.RotationRotate || c.IDTokenAlg != "RS256" || !c.Created.Equal(now) {
			t.Errorf("%s: %+v", typ, c)
		}
		if !Allows(c, "refresh_token") || Allows(c, "client_credentials") {
			t.Errorf("%s allows %v", typ, c.GrantTypes)
		}
	}
	if c := valid(t, Service); c.TokenEndpointAuthMethod != AuthBasic || SignsIn(c) || !Allows(c, "client_credentials") || c.Scopes != nil || c.ResponseTypes != nil {
		t.Errorf("service: %+v", c)
	}
	for typ, word := range map[string]string{"website": "is not a type", "": "is not a type"} {
		var fault *FieldError
		if _, err := New(typ, "Demo", now); !errors.As(err, &fault) || fault.Field != "type" || !strings.Contains(fault.Problem, word) {
			t.Errorf("%q: %v", typ, err)
		}
	}
}

func TestRandomText(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[0-9A-Za-z]{43}$`)
	seen := map[string]bool{}
	count := map[rune]int{}
	for range 1000 {
		secret, hash := NewSecret()
		if !form.MatchString(secret) || seen[secret] || !hash.Matches([]byte(secret)) {
			t.Fatalf("secret %q", secret)
		}
		seen[secret] = true
		for _, r := range secret {
			count[r]++
		}
	}
	for r, n := range count { // 694 on average, standard deviation 26
		if n < 500 || n > 900 {
			t.Errorf("%q came %d times of 43000", r, n)
		}
	}
	if len(count) != 62 {
		t.Errorf("%d characters are used", len(count))
	}
	if c := valid(t, Web); !regexp.MustCompile(`^[0-9A-Za-z]{24}$`).MatchString(c.ID) {
		t.Errorf("id %q", c.ID)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	negative := -1
	for name, c := range map[string]struct {
		typ    string
		change func(*storage.Client)
		fields string // of the faults, joined by spaces
	}{
		"nothing wrong, web":                 {Web, func(c *storage.Client) {}, ""},
		"an id that an operator chose":       {Web, func(c *storage.Client) { c.ID = "my-app_1.prod" }, ""},
		"an id that HTTP Basic would change": {Web, func(c *storage.Client) { c.ID = "a+b" }, "client_id"},
		"no id":                              {Web, func(c *storage.Client) { c.ID = "" }, "client_id"},
		"no name":                            {Web, func(c *storage.Client) { c.Name = "" }, "client_name"},
		"a name that turns the direction":    {Web, func(c *storage.Client) { c.Name = "a\u202eb" }, "client_name"},
		"a name of 201 characters":           {Web, func(c *storage.Client) { c.Name = strings.Repeat("é", 201) }, "client_name"},
		"a name of 200 characters":           {Web, func(c *storage.Client) { c.Name = strings.Repeat("é", 200) }, ""},
		"origin unknown":                     {Web, func(c *storage.Client) { c.Origin = "" }, "origin"},
		"type unknown":                       {Web, func(c *storage.Client) { c.Type = "x" }, "type"},
		"a service has no redirect URI":      {Service, func(c *storage.Client) { c.RedirectURIs = []string{"https://app.example/cb"} }, "redirect_uris"},
		"nobody signs in to a service": {Service, func(c *storage.Client) {
			c.GrantTypes, c.ResponseTypes = []string{GrantService, GrantCode}, []string{ResponseCode}
		}, "grant_types redirect_uris"},
		"a service with the scope of a person":              {Service, func(c *storage.Client) { c.Scopes = []string{"openid"} }, "scopes"},
		"a service with response types":                     {Service, func(c *storage.Client) { c.ResponseTypes = []string{ResponseCode} }, "response_types"},
		"RFC 6749 4.4: a service without a secret":          {Service, func(c *storage.Client) { c.TokenEndpointAuthMethod, c.SecretHash = AuthNone, storage.Hash{} }, "grant_types token_endpoint_auth_method"},
		"RFC 6749 4.4: an app in a browser":                 {SPA, func(c *storage.Client) { c.GrantTypes = append(c.GrantTypes, GrantService) }, "grant_types"},
		"RFC 6749 4.4: an app on a server, in its own name": {Web, func(c *storage.Client) { c.GrantTypes = append(c.GrantTypes, GrantService) }, ""},
		"RFC 6749 4.4: an app on a server, in no other name": {Web, func(c *storage.Client) {
			c.GrantTypes, c.ResponseTypes, c.RedirectURIs = []string{GrantService}, nil, nil
		}, ""},
		"application_type of another type":       {Web, func(c *storage.Client) { c.ApplicationType = "native" }, "application_type"},
		"a secret is missing":                    {Web, func(c *storage.Client) { c.SecretHash = storage.Hash{} }, "client_secret"},
		"a secret too many":                      {SPA, func(c *storage.Client) { c.SecretHash = storage.Hash{1} }, "client_secret"},
		"client_secret_post":                     {Web, func(c *storage.Client) { c.TokenEndpointAuthMethod = AuthPost }, ""},
		"a method that is not there":             {Web, func(c *storage.Client) { c.TokenEndpointAuthMethod, c.SecretHash = "tls_client_auth", storage.Hash{} }, "token_endpoint_auth_method"},
		"Core 9: private_key_jwt":                {Web, keyed(), ""},
		"private_key_jwt, its keys at a URL":     {Web, keyed(func(c *storage.Client) { c.JWKS, c.JWKSURI = nil, "https://a.example/keys" }), ""},
		"private_key_jwt without keys":           {Web, keyed(func(c *storage.Client) { c.JWKS = nil }), "jwks"},
		"private_key_jwt with a secret":          {Web, keyed(func(c *storage.Client) { c.SecretHash = storage.HashOf([]byte("x")) }), "client_secret"},
		"Registration 2: jwks and jwks_uri":      {Web, keyed(func(c *storage.Client) { c.JWKSURI = "https://a.example/keys" }), "jwks"},
		"jwks that are none":                     {Web, keyed(func(c *storage.Client) { c.JWKS = []byte(`{"keys":[]}`) }), "jwks"},
		"jwks with a private key":                {Web, keyed(func(c *storage.Client) { c.JWKS = []byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA"}]}`) }), "jwks"},
		"jwks_uri that is not encrypted":         {Web, keyed(func(c *storage.Client) { c.JWKS, c.JWKSURI = nil, "http://a.example/keys" }), "jwks_uri"},
		"jwks_uri of another scheme":             {Web, keyed(func(c *storage.Client) { c.JWKS, c.JWKSURI = nil, "file:///etc/passwd" }), "jwks_uri"},
		"RFC 3986 3.5: jwks_uri with a fragment": {Web, keyed(func(c *storage.Client) { c.JWKS, c.JWKSURI = nil, "https://a.example/keys#" }), "jwks_uri"},
		"RFC 3986 3.5: logo_uri with a fragment": {Web, func(c *storage.Client) { c.LogoURI = "https://a.example/logo.png#1" }, "logo_uri"},
		"RFC 7591 2: software that is longer than a name": {Web, func(c *storage.Client) {
			c.SoftwareID, c.SoftwareVersion = strings.Repeat("a", 201), strings.Repeat("1", 200)
		}, "software_id"},
		"RFC 7591 2: software with a sign that is not seen":      {Web, func(c *storage.Client) { c.SoftwareID, c.SoftwareVersion = "4NRB1", "2\x00" }, "software_version"},
		"jwks_uri with a user name":                              {Web, keyed(func(c *storage.Client) { c.JWKS, c.JWKSURI = nil, "https://u@a.example/keys" }), "jwks_uri"},
		"Registration 2: the algorithm of assertions":            {Web, keyed(func(c *storage.Client) { c.TokenEndpointAuthSigningAlg = "ES256" }), ""},
		"Registration 2: no key for the algorithm of assertions": {Web, keyed(func(c *storage.Client) { c.TokenEndpointAuthSigningAlg = "EdDSA" }), "jwks"},
		"RFC 7517 4.2: no key to sign assertions with": {Web, keyed(func(c *storage.Client) {
			c.JWKS = []byte(strings.Replace(string(goodJWKS), `"kty"`, `"use":"enc","kty"`, 1))
		}), "jwks"},
		"RFC 7517 4.4: a key for another algorithm of assertions": {Web, keyed(func(c *storage.Client) {
			c.JWKS = []byte(strings.Replace(string(goodJWKS), `"kty"`, `"alg":"ECDH-ES","kty"`, 1))
		}), "jwks"},
		"Registration 2: no key for the algorithm of request objects": {Web, keyed(func(c *storage.Client) { c.RequestObjectAlg = "PS256" }), "jwks"},
		"HS256 for private_key_jwt":                                   {Web, keyed(func(c *storage.Client) { c.TokenEndpointAuthSigningAlg = "HS256" }), "token_endpoint_auth_signing_alg"},
		"none for private_key_jwt":                                    {Web, keyed(func(c *storage.Client) { c.TokenEndpointAuthSigningAlg = "none" }), "token_endpoint_auth_signing_alg"},
		"an algorithm of assertions where there are none":             {Web, func(c *storage.Client) { c.TokenEndpointAuthSigningAlg = "ES256" }, "token_endpoint_auth_signing_alg"},
		"keys of a client with a secret":                              {Web, func(c *storage.Client) { c.JWKS = goodJWKS }, ""},
		"client_secret_jwt with a secret that was only hashed":        {Web, func(c *storage.Client) { c.TokenEndpointAuthMethod = AuthSecretJWT }, "client_secret"},
		"client_secret_jwt, sealed":                                   {Web, func(c *storage.Client) { c.TokenEndpointAuthMethod, c.SealedSecret = AuthSecretJWT, []byte{1} }, ""},
		"client_secret_jwt with RS256": {Web, func(c *storage.Client) {
			c.TokenEndpointAuthMethod, c.SealedSecret, c.TokenEndpointAuthSigningAlg = AuthSecretJWT, []byte{1}, "RS256"
		}, "token_endpoint_auth_signing_alg"},
		"a sealed secret where it is only compared":      {Web, func(c *storage.Client) { c.SealedSecret = []byte{1} }, "client_secret"},
		"RFC 6749 2.1: a page does not sign":             {SPA, keyed(), "token_endpoint_auth_method"},
		"web without authentication":                     {Web, func(c *storage.Client) { c.TokenEndpointAuthMethod, c.SecretHash = AuthNone, storage.Hash{} }, "token_endpoint_auth_method"},
		"RFC 8252 8.5: native with a secret":             {Native, func(c *storage.Client) { c.TokenEndpointAuthMethod, c.SecretHash = AuthBasic, storage.Hash{1} }, "token_endpoint_auth_method"},
		"PKCE optional with a secret":                    {Web, func(c *storage.Client) { c.PKCE = storage.PKCEOptional }, ""},
		"RFC 9700 2.1.1: PKCE optional without a secret": {SPA, func(c *storage.Client) { c.PKCE = storage.PKCEOptional }, "pkce"},
		"PKCE plain":                        {Web, func(c *storage.Client) { c.PKCE = "plain" }, "pkce"},
		"refresh tokens kept with a secret": {Web, func(c *storage.Client) { c.RefreshRotation = storage.RotationKeep }, ""},
		"RFC 9700 2.2.2: refresh tokens kept without a secret": {Native, func(c *storage.Client) { c.RefreshRotation = storage.RotationKeep }, "refresh_rotation"},
		"grant types without the code":                         {Web, func(c *storage.Client) { c.GrantTypes = []string{GrantRefresh} }, "grant_types response_types"},
		"no grant types":                                       {Web, func(c *storage.Client) { c.GrantTypes = nil }, "grant_types response_types"},
		"a grant type twice":                                   {Web, func(c *storage.Client) { c.GrantTypes = []string{GrantCode, GrantCode} }, "grant_types"},
		"RFC 9700 2.4: password":                               {Web, func(c *storage.Client) { c.GrantTypes = []string{GrantCode, "password"} }, "grant_types"},
		"Registration 2: no response type":                     {Web, func(c *storage.Client) { c.ResponseTypes = nil }, "response_types"},
		"Registration 2: id_token without the grant implicit":  {Web, func(c *storage.Client) { c.ResponseTypes = []string{"code", "id_token"} }, "response_types"},
		"Registration 2: code id_token needs both grants":      {Web, func(c *storage.Client) { c.ResponseTypes = []string{"code id_token"} }, "response_types"},
		"Registration 2: code token without the code grant": {Web, func(c *storage.Client) {
			c.ResponseTypes, c.GrantTypes = []string{"code token"}, []string{GrantImplicit}
		}, "response_types"},
		"Registration 2: every response type": {Web, func(c *storage.Client) {
			c.ResponseTypes, c.GrantTypes = ResponseTypes, []string{GrantCode, GrantImplicit}
		}, ""},
		"Registration 2: implicit alone": {SPA, func(c *storage.Client) { c.ResponseTypes, c.GrantTypes = ResponseTypes[1:3], []string{GrantImplicit} }, ""},
		"refresh tokens need the code": {SPA, func(c *storage.Client) {
			c.ResponseTypes, c.GrantTypes = ResponseTypes[1:3], []string{GrantImplicit, GrantRefresh}
		}, "grant_types"},
		"RFC 9700 2.1.2: response type token": {Web, func(c *storage.Client) {
			c.ResponseTypes, c.GrantTypes = []string{"token"}, append(c.GrantTypes, GrantImplicit)
		}, "response_types"},
		"Registration 2: implicit over http": {Web, func(c *storage.Client) {
			c.RedirectURIs, c.GrantTypes = []string{"http://127.0.0.1/cb"}, append(c.GrantTypes, GrantImplicit)
		}, "redirect_uris"},
		"Registration 2: implicit on localhost": {SPA, func(c *storage.Client) {
			c.RedirectURIs, c.GrantTypes = []string{"https://localhost:8443/cb"}, append(c.GrantTypes, GrantImplicit)
		}, "redirect_uris"},
		"RFC 8252 8.2: implicit to what another app can claim": {Native, func(c *storage.Client) {
			c.RedirectURIs, c.GrantTypes = []string{"http://localhost/cb", "com.example.app:/cb"}, append(c.GrantTypes, GrantImplicit)
		}, "redirect_uris redirect_uris"},
		"RFC 8252 7.2: implicit to a claimed https address": {Native, func(c *storage.Client) {
			c.RedirectURIs, c.GrantTypes = []string{"https://app.example/cb"}, append(c.GrantTypes, GrantImplicit)
		}, ""},
		"Core 8.1: a scheme of one's own is no sector": {Native, func(c *storage.Client) {
			c.RedirectURIs, c.SubjectType = []string{"com.evil.app://rp.example.com/cb"}, SubjectPairwise
		}, "subject_type"},
		"Core 8.1: loopback is everybody's": {Native, func(c *storage.Client) {
			c.RedirectURIs, c.SubjectType = []string{"http://127.0.0.1/cb"}, SubjectPairwise
		}, "subject_type"},
		"implicit without a redirect URI": {SPA, func(c *storage.Client) {
			c.RedirectURIs, c.GrantTypes, c.ResponseTypes = nil, []string{GrantImplicit}, ResponseTypes[1:2]
		}, "redirect_uris"},
		"RFC 6749 3.3: scopes":            {Web, func(c *storage.Client) { c.Scopes = []string{"openid", "a b", `"`, "openid"} }, "scopes scopes scopes"},
		"a scope that means nothing here": {Web, func(c *storage.Client) { c.Scopes = []string{"openid", "emial", "fone"} }, "scopes scopes"},
		"no scope":                        {Web, func(c *storage.Client) { c.Scopes = nil }, ""},
		"algorithm EdDSA":                 {Web, func(c *storage.Client) { c.IDTokenAlg = "EdDSA" }, ""},
		"algorithm none":                  {Web, func(c *storage.Client) { c.IDTokenAlg = "none" }, "id_token_signed_response_alg"},
		"Core 10.1: HS256 with a secret that is only hashed": {Web, func(c *storage.Client) { c.IDTokenAlg = "HS256" }, "client_secret"},
		"Core 10.1: HS256, sealed":                           {Web, func(c *storage.Client) { c.IDTokenAlg, c.SealedSecret = "HS256", []byte{1} }, ""},
		"Core 10.1: HS256 of client_secret_jwt": {Web, func(c *storage.Client) {
			c.TokenEndpointAuthMethod, c.IDTokenAlg, c.SealedSecret = AuthSecretJWT, "HS256", []byte{1}
		}, ""},
		"userinfo of HS256, sealed":              {Web, func(c *storage.Client) { c.UserinfoAlg, c.SealedSecret = "HS256", []byte{1} }, ""},
		"ID tokens of HS256 for private_key_jwt": {Web, keyed(func(c *storage.Client) { c.IDTokenAlg = "HS256" }), "id_token_signed_response_alg"},
		"userinfo of HS256, private_key_jwt":     {Web, keyed(func(c *storage.Client) { c.UserinfoAlg = "HS256" }), "userinfo_signed_response_alg"},
		"HS256 of a public client":               {SPA, func(c *storage.Client) { c.IDTokenAlg = "HS256" }, "id_token_signed_response_alg"},
		"userinfo of HS256 of a public client":   {Native, func(c *storage.Client) { c.UserinfoAlg = "HS256" }, "userinfo_signed_response_alg"},
		"algorithm HS512":                        {Web, func(c *storage.Client) { c.IDTokenAlg = "HS512" }, "id_token_signed_response_alg"},
		"algorithm in other case":                {Web, func(c *storage.Client) { c.IDTokenAlg = "rs256" }, "id_token_signed_response_alg"},
		"algorithm Ed25519":                      {Web, func(c *storage.Client) { c.IDTokenAlg = "Ed25519" }, "id_token_signed_response_alg"},
		"id_token_claims":                        {Web, func(c *storage.Client) { c.IDTokenClaims = "all" }, "id_token_claims"},
		"default_max_age below zero":             {Web, func(c *storage.Client) { c.DefaultMaxAge = &negative }, "default_max_age"},
		"no redirect URI":                        {Web, func(c *storage.Client) { c.RedirectURIs = nil }, "redirect_uris"},
		"a redirect URI twice":                   {Web, func(c *storage.Client) { c.RedirectURIs = append(c.RedirectURIs, c.RedirectURIs[0]) }, "redirect_uris"},
		"too many redirect URIs":                 {Web, func(c *storage.Client) { c.RedirectURIs = make([]string, 51) }, "redirect_uris"},
		"each bad redirect URI is a fault":       {Web, func(c *storage.Client) { c.RedirectURIs = []string{"http://a.example/", "/", "https://b.example/#"} }, "redirect_uris redirect_uris redirect_uris"},
		"where the logout ends":                  {Web, func(c *storage.Client) { c.PostLogoutRedirectURIs = []string{"javascript:alert(1)"} }, "post_logout_redirect_uris"},
		"links that are shown": {Web, func(c *storage.Client) {
			c.ClientURI, c.LogoURI, c.PolicyURI, c.TosURI = "javascript:alert(1)", "data:image/png,x", "http://a.example/", "mailto:a@b"
		}, "client_uri logo_uri policy_uri tos_uri"},
		"links that are good": {Web, func(c *storage.Client) {
			c.ClientURI, c.LogoURI = "https://a.example/#top", "http://localhost:3000/logo.png"
		}, ""},
		"contacts":                               {Web, func(c *storage.Client) { c.Contacts = []string{"ops@example.com", "a\nb"} }, "contacts"},
		"contacts, too many":                     {Web, func(c *storage.Client) { c.Contacts = strings.Split(strings.Repeat("a@b,", 20)+"a@b", ",") }, "contacts"},
		"all faults at once, each with its name": {SPA, func(c *storage.Client) { c.Name, c.PKCE, c.IDTokenAlg, c.RedirectURIs = "", "", "", nil }, "client_name id_token_signed_response_alg pkce redirect_uris"},
		"RFC 8252 7.1: a scheme of its own is for native clients": {Native, func(c *storage.Client) { c.RedirectURIs = []string{"com.example.app:/cb"} }, ""},
		"and not for others": {Web, func(c *storage.Client) { c.RedirectURIs = []string{"com.example.app:/cb"} }, "redirect_uris"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := valid(t, c.typ)
			c.change(&client)
			if got := strings.Join(faulty(t, Validate(client)), " "); got != c.fields {
				t.Errorf("faults of %q, want %q: %v", got, c.fields, Validate(client))
			}
		})
	}
}

var goodJWKS = json.RawMessage(`{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`) // RFC 7517 appendix A.1

// keyed makes a client one of private_key_jwt, and changes it then.
func keyed(change ...func(*storage.Client)) func(*storage.Client) {
	return func(c *storage.Client) {
		c.TokenEndpointAuthMethod, c.SecretHash, c.JWKS = AuthKeyJWT, storage.Hash{}, goodJWKS
		for _, f := range change {
			f(c)
		}
	}
}

type sealer struct{ purpose string }

func (s *sealer) Seal(purpose string, plain []byte) []byte {
	s.purpose = purpose
	return append([]byte("sealed "), plain...)
}

func TestGiveSecret(t *testing.T) {
	t.Parallel()
	for method, c := range map[string]struct {
		length int // of the secret
		sealed bool
	}{AuthBasic: {43, false}, AuthPost: {43, false}, AuthSecretJWT: {64, true}, AuthKeyJWT: {0, false}, AuthNone: {0, false}} {
		for _, had := range []string{AuthNone, AuthBasic, AuthSecretJWT} { // whatever it had before
			client := valid(t, Web)
			client.TokenEndpointAuthMethod, client.SecretHash = had, storage.Hash{}
			s := &sealer{}
			give := func() string {
				secret, err := GiveSecret(&client, func() (Sealer, error) { return s, nil })
				if err != nil {
					t.Fatal(err)
				}
				return secret
			}
			before := give()
			client.TokenEndpointAuthMethod = method
			if SecretFits(client) != (had == method || had != AuthSecretJWT && NeedsSecret(client) && before != "" && !c.sealed || had == AuthNone && c.length == 0) {
				t.Errorf("%s to %s: what it had fits: %t", had, method, SecretFits(client))
			}
			secret := give()
			if len(secret) != c.length || secret != "" && secret == before || client.SecretHash.IsZero() != (c.length == 0) || !SecretFits(client) {
				t.Errorf("%s to %s: a secret of %d characters", had, method, len(secret))
			}
			if c.length > 0 && !client.SecretHash.Matches([]byte(secret)) {
				t.Errorf("%s: the hash is of another secret", method)
			}
			if c.sealed != (string(client.SealedSecret) == "sealed "+secret) || c.sealed && s.purpose != "client secret "+client.ID {
				t.Errorf("%s: sealed for %q: %q", method, s.purpose, client.SealedSecret)
			}
		}
	}
	for name, change := range map[string]func(*storage.Client){
		"ID tokens": func(c *storage.Client) { c.IDTokenAlg = AlgHS256 },
		"userinfo":  func(c *storage.Client) { c.UserinfoAlg = AlgHS256 },
	} { // Core 10.1, 16.19
		client := valid(t, Web)
		plain := client
		change(&client)
		if SecretFits(client) {
			t.Errorf("%s: a secret that was only hashed fits HS256", name)
		}
		secret, err := GiveSecret(&client, func() (Sealer, error) { return &sealer{}, nil })
		if err != nil || len(secret) < 32 || !SecretFits(client) || !client.SecretHash.Matches([]byte(secret)) || string(client.SealedSecret) != "sealed "+secret {
			t.Errorf("%s: a secret of %d characters, %v", name, len(secret), err)
		}
		if plain.SecretHash, plain.SealedSecret = client.SecretHash, client.SealedSecret; SecretFits(plain) {
			t.Errorf("%s: the sealed secret fits RS256", name)
		}
	}
	client := valid(t, Web)
	client.TokenEndpointAuthMethod = AuthSecretJWT
	if _, err := GiveSecret(&client, func() (Sealer, error) { return nil, errors.New("no key") }); err == nil || SecretFits(client) {
		t.Errorf("without a sealer: %v", err)
	}
}

// faulty returns the fields that err names, sorted.
func faulty(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var names []string
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var fault *FieldError
		if !errors.As(e, &fault) || fault.Problem == "" {
			t.Fatalf("not a fault of a field: %v", e)
		}
		names = append(names, fault.Field)
	}
	slices.Sort(names)
	return names
}

func TestSignable(t *testing.T) {
	t.Parallel()
	c := valid(t, Web)
	if err := Signable(c, []string{"ES256", "RS256"}); err != nil {
		t.Error(err)
	}
	if err := Signable(c, []string{"ES256"}); err == nil {
		t.Error("an algorithm without a key passes")
	}
}

func TestConsentEachTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		typ, uri string
		trusted  bool
		want     bool
	}{
		"RFC 8252 8.6: private-use scheme":         {Native, "com.example.app:/cb", false, true},
		"RFC 8252 8.6: loopback":                   {Native, "http://127.0.0.1:5000/cb", false, true},
		"RFC 8252 8.6: loopback, IPv6":             {Native, "http://[::1]:5000/cb", false, true},
		"RFC 8252 8.6: loopback, an app in a page": {SPA, "http://localhost:3000/cb", false, true},
		"a claimed https URI":                      {Native, "https://app.example/cb", false, false},
		"the operator vouches":                     {Native, "com.example.app:/cb", true, false},
		"the client proves who it is":              {Web, "http://localhost:3000/cb", false, false},
	} {
		client := valid(t, c.typ)
		client.Trusted = c.trusted
		if got := ConsentEachTime(client, c.uri); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Each field of the table changes one field of the record, and is read back.
func TestFields(t *testing.T) {
	t.Parallel()
	values := map[string][]string{
		"redirect_uris": {"https://a.example/1", "https://a.example/2"}, "post_logout_redirect_uris": {"https://a.example/out"},
		"token_endpoint_auth_method": {"client_secret_post"}, "grant_types": {"authorization_code"}, "response_types": {"id_token code"},
		"scopes": {"openid email"}, "id_token_signed_response_alg": {"ES256"}, "id_token_claims": {"requested"}, "refresh_rotation": {"keep"},
		"pkce": {"optional"}, "trusted": {"true"}, "default_max_age": {"3600"}, "require_auth_time": {"true"}, "frontchannel_logout_session_required": {"true"},
		"backchannel_logout_session_required": {"true"}, "jwks": {`{"keys": []}`},
	}
	read := map[string]string{"jwks": `{"keys":[]}`, "scopes": "openid|email", "response_types": "code id_token"}
	for _, f := range Fields {
		before := valid(t, Web)
		c := before
		v, ok := values[f.Name]
		if !ok {
			v = []string{"https://a.example/" + f.Name}
		}
		if err := Set(&c, f.Name, v); err != nil {
			t.Error(err)
		}
		want, ok := read[f.Name]
		if !ok {
			want = strings.Join(v, "|")
		}
		if got := strings.Join(f.Get(&c), "|"); got != want {
			t.Errorf("%s is %q, want %q", f.Name, got, want)
		}
		if got := Fields.Diff(before, c); len(got) != 1 || got[0] != f.Name {
			t.Errorf("setting %s changes %v", f.Name, got)
		}
		if f.Help == "" {
			t.Errorf("%s has no help", f.Name)
		}
	}
}

// The record and the table use the same names, and nothing that is ours to set is forgotten.
func TestFieldsAreTheRecords(t *testing.T) {
	t.Parallel()
	fixed := []string{"client_id", "revision", "type", "origin", "application_type", "created", "updated", "-"}
	fixed = append(fixed, "software_id", "software_version", "software_statement") // said by software that registers itself
	fixed = append(fixed, "document_fresh", "document_since")                      // of the metadata documents that clients publish
	var want []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[storage.Client]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !slices.Contains(fixed, name) {
			want = append(want, name)
		}
	}
	got := Fields.Names()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("table: %v\nrecord: %v", got, want)
	}
}

func TestDefaultMaxAge(t *testing.T) {
	t.Parallel()
	c := valid(t, Web)
	for _, bad := range []string{"1h", "3600.5", " 1", "99999999999999999999"} {
		var fault *fields.Error
		if err := Set(&c, "default_max_age", []string{bad}); !errors.As(err, &fault) || fault.Field != "default_max_age" || c.DefaultMaxAge != nil {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := Set(&c, "default_max_age", []string{"0"}); err != nil || c.DefaultMaxAge == nil || *c.DefaultMaxAge != 0 {
		t.Errorf("0: %v", err)
	}
	if err := Set(&c, "default_max_age", []string{""}); err != nil || c.DefaultMaxAge != nil {
		t.Errorf("empty: %v", err)
	}
}
