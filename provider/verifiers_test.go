package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/client/rs"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"

	"signet/provider/providertest"
	"signet/storage"
)

// verifiers are resource servers of others' making: each knows the issuer, what it is itself, and the one algorithm that it was told.
var verifiers = map[string]func(ctx context.Context, s *providertest.Server, token, audience, alg string) (sub string, err error){
	"coreos/go-oidc": func(ctx context.Context, s *providertest.Server, token, audience, alg string) (string, error) {
		p, err := oidc.NewProvider(ctx, s.Issuer)
		if err != nil {
			return "", err
		}
		t, err := p.VerifierContext(ctx, &oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{alg}, Now: s.Clock.Now}).Verify(ctx, token)
		if err != nil {
			return "", err
		}
		return t.Subject, nil
	},
	"go-jose by hand": func(_ context.Context, s *providertest.Server, token, audience, alg string) (string, error) {
		var set jose.JSONWebKeySet
		if err := json.Unmarshal([]byte(s.Get("/jwks", "").Body), &set); err != nil {
			return "", err
		}
		jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
		if err != nil {
			return "", err
		}
		header := jws.Signatures[0].Protected
		keys := set.Key(header.KeyID)
		if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != "at+jwt" || len(keys) != 1 {
			return "", fmt.Errorf("typ %q, kid %q", typ, header.KeyID)
		}
		payload, err := jws.Verify(keys[0])
		if err != nil {
			return "", err
		}
		var claims struct {
			Issuer, Subject string
			Audience        json.RawMessage
			Expires         int64
		}
		var all map[string]json.RawMessage
		if err := errors.Join(json.Unmarshal(payload, &all), json.Unmarshal(all["iss"], &claims.Issuer), json.Unmarshal(all["sub"], &claims.Subject),
			json.Unmarshal(all["aud"], &claims.Audience), json.Unmarshal(all["exp"], &claims.Expires)); err != nil {
			return "", err
		}
		var several []string // RFC 7519 section 4.1.3: a string, or a list
		if json.Unmarshal(claims.Audience, &several) != nil {
			several = make([]string, 1)
			if err := json.Unmarshal(claims.Audience, &several[0]); err != nil {
				return "", err
			}
		}
		if claims.Issuer != s.Issuer || !slices.Contains(several, audience) || s.Clock.Now().Unix() >= claims.Expires {
			return "", fmt.Errorf("iss, aud or exp: %s", payload)
		}
		return claims.Subject, nil
	},
	"zitadel/oidc": func(ctx context.Context, s *providertest.Server, token, audience, alg string) (string, error) {
		claims := new(zitadel.AccessTokenClaims)
		payload, err := zitadel.ParseToken(token, claims)
		if err != nil {
			return "", err
		}
		return claims.Subject, errors.Join(
			zitadel.CheckSignature(ctx, token, payload, claims, []string{alg}, rp.NewRemoteKeySet(http.DefaultClient, s.Issuer+"/jwks")),
			zitadel.CheckIssuerWithISSVerifier(claims, s.Issuer, nil), zitadel.CheckAudience(claims, audience), zitadel.CheckExpiration(claims, 0),
		)
	},
}

// RFC 9068 section 4: whoever knows the issuer alone can verify its access tokens, and takes none that is for somebody else.
func TestIndependentVerifiers(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	u := s.User("alice")
	b := s.Browser("alice")
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		one, two := "https://one.example/"+alg, "https://two.example/"+alg
		for _, id := range []string{one, two} {
			s.Resource(id, func(r *storage.Resource) { r.Alg, r.Open = alg, true })
		}
		c, secret := s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })
		token := func(resources ...string) string {
			p := providertest.AuthorizeParams(c, "scope", "openid")
			p["resource"] = resources
			a := s.Redeem(c, secret, b.Open("/authorize?"+p.Encode()).Params.Get("code"))
			if a.Status != 200 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			return a.Text("access_token")
		}
		for form, token := range map[string]string{"aud is a string": token(one), "aud is a list": token(two, one)} {
			for name, verify := range verifiers {
				t.Run(alg+", "+form+", "+name, func(t *testing.T) {
					t.Parallel()
					s := s.With(t)
					if sub, err := verify(t.Context(), s, token, one, alg); err != nil || sub != u.Sub {
						t.Errorf("sub %q, %v", sub, err)
					}
					other := map[string]string{"RS256": "ES256", "ES256": "EdDSA", "EdDSA": "RS256"}[alg]
					for what, row := range map[string][3]string{
						"RFC 9068 4: aud is another":           {token, "https://other.example", alg},
						"RFC 9068 4: aud is the issuer":        {token, s.Issuer, alg},
						"RFC 9068 4: aud is the client":        {token, c.ID, alg},
						"RFC 8725 3.1: alg is another":         {token, one, other},
						"RFC 8725 3.2: alg none":               {providertest.Unsigned(token, "at+jwt"), one, alg},
						"RFC 8725 3.3: the payload is another": {providertest.Tampered(token), one, alg},
					} {
						if _, err := verify(t.Context(), s, row[0], row[1], row[2]); err == nil {
							t.Errorf("%s: accepted", what)
						}
					}
				})
			}
		}
	}
}

// RFC 7662 section 2: a resource server of another's making asks about JWTs and about opaque tokens.
func TestIntrospectionByZitadel(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	u := s.User("alice")
	for format, id := range map[string]string{storage.FormatJWT: "https://jwt.example", storage.FormatOpaque: "https://opaque.example"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			s := s.With(t)
			s.Resource(id, func(r *storage.Resource) { r.Format, r.Open, r.Scopes = format, true, []storage.Scope{{Name: "read"}} })
			app, secret := s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })
			api, apiSecret := s.Client("service", "My API", func(c *storage.Client) { c.Resources = []string{id} })
			token := s.Redeem(app, secret, s.Browser("alice").Code(app, "scope", "read", "resource", id)).Text("access_token")
			for _, row := range []struct {
				client storage.Client
				secret string
				active bool
			}{{api, apiSecret, true}, {app, secret, true}} {
				server, err := rs.NewResourceServerClientCredentials(t.Context(), s.Issuer, row.client.ID, row.secret)
				if err != nil {
					t.Fatal(err)
				}
				got, err := rs.Introspect[*zitadel.IntrospectionResponse](t.Context(), server, token)
				if err != nil || !got.Active || got.Subject != u.Sub || got.ClientID != app.ID || got.Issuer != s.Issuer ||
					!slices.Equal(got.Audience, []string{id}) || !slices.Equal(got.Scope, []string{"read"}) {
					t.Errorf("%+v, %v", got, err)
				}
			}
			other, otherSecret := s.Client("service", "Another API", func(c *storage.Client) { c.Resources = []string{id + "/other"} })
			server, err := rs.NewResourceServerClientCredentials(t.Context(), s.Issuer, other.ID, otherSecret)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := rs.Introspect[*zitadel.IntrospectionResponse](t.Context(), server, token); err != nil || got.Active || got.Subject != "" {
				t.Errorf("RFC 7662 4: another's: %+v, %v", got, err)
			}
		})
	}
}
