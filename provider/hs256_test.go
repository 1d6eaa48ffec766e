package provider_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

// withHS256 turns it on.
func withHS256(c *providertest.Config) { c.HS256 = true }

// bySecret makes a client one whose ID tokens are signed with its secret.
func bySecret(c *storage.Client) { c.IDTokenAlg, c.Trusted = "HS256", true }

// secretKey is the key set of a relying party that knows its secret and nothing else.
type secretKey string

func (s secretKey) VerifySignature(_ context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return nil, err
	}
	header := jws.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != "JWT" || header.KeyID != "" {
		return nil, errors.New("the header has a kid, or another typ than JWT")
	}
	return jws.Verify([]byte(s))
}

// relyingParty reads an ID token of c as go-oidc does: signature, iss, aud and exp.
func relyingParty(t *testing.T, s *providertest.Server, c storage.Client, secret, token string) (*oidc.IDToken, error) {
	t.Helper()
	v := oidc.NewVerifier(s.Issuer, secretKey(secret), &oidc.Config{ClientID: c.ID, SupportedSigningAlgs: []string{"HS256"}, Now: s.Clock.Now})
	return v.Verify(t.Context(), token)
}

// mac is a token with this header and payload, signed by the key with HS256.
func mac(t *testing.T, key []byte, payload []byte, change ...func(*jose.SignerOptions)) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithType("JWT")
	for _, f := range change {
		f(o)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func payloadOf(t *testing.T, token string) []byte {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// halfHash is at_hash and c_hash with SHA-256.
func halfHash(value string) string {
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func TestIDTokensBySecret(t *testing.T) {
	t.Parallel()
	s := providertest.New(t, withHS256)
	u := s.User("alice")
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		t.Run("Core 3.1.3.7 item 8, 10.1: "+method, func(t *testing.T) {
			t.Parallel()
			s := s.With(t)
			c, secret := s.Client("web", "My app", bySecret, func(c *storage.Client) { c.TokenEndpointAuthMethod = method })
			if len(secret) < 32 {
				t.Errorf("Core 16.19: a secret of %d characters", len(secret))
			}
			tokens := s.Redeem(c, secret, s.Browser("alice").Code(c, "scope", "openid offline_access"))
			token, err := relyingParty(t, s, c, secret, tokens.Text("id_token"))
			if err != nil {
				t.Fatal(err, tokens.Body)
			}
			if token.Subject != u.Sub || token.Nonce != "the nonce" || token.AccessTokenHash != halfHash(tokens.Text("access_token")) {
				t.Errorf("Core 3.1.3.6: %+v", token)
			}
			if s.Verify(tokens.Text("access_token")).Alg != "ES256" {
				t.Error("the access token is signed with another algorithm than the resource's")
			}
			again := s.Refresh(c, secret, tokens.Text("refresh_token"))
			if token, err := relyingParty(t, s, c, secret, again.Text("id_token")); err != nil || token.Subject != u.Sub {
				t.Errorf("Core 12.2: %v %s", err, again.Body)
			}
			if a := s.Redeem(c, secret[1:]+"x", "whatever"); a.Error() != "invalid_client" {
				t.Errorf("RFC 6749 5.2: another secret authenticates: %d %s", a.Status, a.Body)
			}
			other, theirs := s.Client("web", "Another app", bySecret)
			if _, err := relyingParty(t, s, other, theirs, tokens.Text("id_token")); err == nil {
				t.Error("another client's secret verifies it")
			}
		})
	}
	t.Run("Core 3.3.2.11: c_hash and at_hash", func(t *testing.T) {
		t.Parallel()
		s := s.With(t)
		c, secret := s.Client("web", "My app", bySecret, func(c *storage.Client) {
			c.GrantTypes, c.ResponseTypes = append(c.GrantTypes, "implicit"), []string{"code id_token token"}
		})
		o := s.Browser("alice").Authorize(c, "response_type", "code id_token token")
		token, err := relyingParty(t, s, c, secret, o.Params.Get("id_token"))
		if err != nil {
			t.Fatal(err, o.Params)
		}
		var said struct {
			Code string `json:"c_hash"`
		}
		if err := token.Claims(&said); err != nil || said.Code != halfHash(o.Params.Get("code")) || token.AccessTokenHash != halfHash(o.Params.Get("access_token")) {
			t.Errorf("%+v %+v", said, token)
		}
	})
	t.Run("Core 16.14: signed, then encrypted", func(t *testing.T) {
		t.Parallel()
		s := s.With(t)
		c, secret := s.Client("web", "My app", bySecret, func(c *storage.Client) { c.JWKS, c.IDTokenEncryptionAlg = clientJWKS(t), "ECDH-ES" })
		tokens := s.Redeem(c, secret, s.Browser("alice").Code(c))
		inside := decrypt(t, tokens.Text("id_token"), "ECDH-ES", "A128CBC-HS256", "JWT")
		if token, err := relyingParty(t, s, c, secret, inside); err != nil || token.Subject != u.Sub {
			t.Errorf("%v %s", err, inside)
		}
	})
	t.Run("Core 5.3.2: userinfo", func(t *testing.T) {
		t.Parallel()
		s := s.With(t)
		c, secret := s.Client("web", "My app", func(c *storage.Client) { c.UserinfoAlg, c.Trusted = "HS256", true })
		tokens := s.Redeem(c, secret, s.Browser("alice").Code(c, "scope", "openid email"))
		if alg := s.Verify(tokens.Text("id_token")).Alg; alg != "RS256" {
			t.Errorf("the ID token is signed with %s", alg)
		}
		info := s.Get("/userinfo", tokens.Text("access_token"))
		payload, err := secretKey(secret).VerifySignature(t.Context(), info.Body)
		if err != nil || info.Header.Get("Content-Type") != "application/jwt" {
			t.Fatal(err, info.Body)
		}
		var said struct{ Iss, Aud, Sub, Email string }
		if err := json.Unmarshal(payload, &said); err != nil || said.Iss != s.Issuer || said.Aud != c.ID || said.Sub != u.Sub || said.Email != "alice@example.com" {
			t.Errorf("%s", payload)
		}
		if a := s.Get("/userinfo", info.Body); a.Status != http.StatusUnauthorized {
			t.Errorf("RFC 8725 3.11: it is taken for an access token: %d", a.Status)
		}
		if o := s.Browser("alice").Authorize(c, "id_token_hint", info.Body); o.Params.Get("error") != "invalid_request" {
			t.Errorf("RFC 8725 3.11: it is taken for an ID token: %v", o.Params)
		}
	})
}

// A hint that is signed with HS256 is good by the secret of the client that it was made for, and by nothing else.
func TestHintsBySecret(t *testing.T) {
	t.Parallel()
	s := providertest.New(t, withHS256)
	u := s.User("alice")
	mine, secret := s.Client("web", "My app", bySecret)
	theirs, theirSecret := s.Client("web", "Another app", bySecret)
	public, _ := s.Client("web", "By a public key", func(c *storage.Client) { c.Trusted = true })
	browser := s.Browser("alice")
	hint := s.Redeem(mine, secret, browser.Code(mine)).Text("id_token")
	payload := payloadOf(t, hint)

	// said is the payload with other claims.
	said := func(t *testing.T, change map[string]any) []byte {
		t.Helper()
		claims := map[string]any{}
		if err := json.Unmarshal(payload, &claims); err != nil {
			t.Fatal(err)
		}
		for name, v := range change {
			claims[name] = v
		}
		raw, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	accepted := func(t *testing.T, c storage.Client, hint string) bool {
		t.Helper()
		o := browser.Authorize(c, "prompt", "none", "id_token_hint", hint)
		switch {
		case o.Params.Get("code") != "":
			return true
		case o.Params.Get("error") != "invalid_request":
			t.Errorf("%v", o.Params)
		}
		return false
	}
	key := []byte(secret)
	for name, good := range map[string]string{
		"as it was issued":       hint,
		"made by the client":     mac(t, key, payload),
		"expired: Core 3.1.2.1":  mac(t, key, said(t, map[string]any{"exp": 1})),
		"with claims of its own": mac(t, key, said(t, map[string]any{"more": "of them"})),
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range []storage.Client{mine, theirs, public} { // Core 3.1.2.1: "the AS need not be listed as an audience", nor who sends it
				if !accepted(t, c, good) {
					t.Errorf("it is refused from %s", c.Name)
				}
			}
		})
	}
	for name, bad := range map[string]string{
		"another client's secret":                      mac(t, []byte(theirSecret), payload),
		"another client's secret, in its azp":          mac(t, []byte(theirSecret), said(t, map[string]any{"azp": theirs.ID})),
		"another client's secret, in its aud":          mac(t, []byte(theirSecret), said(t, map[string]any{"aud": theirs.ID})),
		"the own secret, in another client's name":     mac(t, key, said(t, map[string]any{"azp": theirs.ID, "aud": theirs.ID})),
		"several audiences":                            mac(t, key, said(t, map[string]any{"aud": []string{mine.ID, theirs.ID}})),
		"a client whose ID tokens are signed by a key": mac(t, key, said(t, map[string]any{"azp": public.ID, "aud": public.ID})),
		"a client that is not there":                   mac(t, key, said(t, map[string]any{"azp": "nobody", "aud": "nobody"})),
		"another issuer":                               mac(t, key, said(t, map[string]any{"iss": "https://other.example"})),
		"the hash of the secret":                       mac(t, mine.SecretHash[:], payload),
		"the sealed secret":                            mac(t, mine.SealedSecret, payload),
		"the secret, cut":                              mac(t, key[:32], payload),
		"with a kid":                                   mac(t, key, payload, func(o *jose.SignerOptions) { o.WithHeader("kid", "x") }),
		"RFC 8725 3.11: as an access token":            mac(t, key, payload, func(o *jose.SignerOptions) { o.WithType("at+jwt") }),
		"RFC 8725 3.11: no sid":                        mac(t, key, said(t, map[string]any{"sid": ""})),
		"RFC 8725 3.1: none":                           providertest.Unsigned(hint, "JWT"),
		"none, under the header of HS256":              hint[:strings.LastIndex(hint, ".")+1],
		"two parts":                                    hint[:strings.LastIndex(hint, ".")],
		"four parts":                                   hint + ".x",
		"another payload under the signature":          providertest.Tampered(hint),
		"a second spelling of the signature":           hint + "=",
		"a second spelling, with a line break":         hint[:60] + "\n" + hint[60:],
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range []storage.Client{mine, public} {
				if accepted(t, c, bad) {
					t.Errorf("it is taken from %s", c.Name)
				}
			}
			if o := s.Browser("").Open("/logout?" + url.Values{"id_token_hint": {bad}, "post_logout_redirect_uri": {mine.PostLogoutRedirectURIs[0]}}.Encode()); o.Callback != "" {
				t.Errorf("logout goes to %s", o.Callback)
			}
		})
	}
	t.Run("RFC 8725 2.1: public keys as secrets", func(t *testing.T) {
		for name, key := range publicKeys(t, s) {
			for _, c := range []storage.Client{mine, public} {
				if accepted(t, mine, mac(t, key, said(t, map[string]any{"azp": c.ID, "aud": c.ID}))) {
					t.Errorf("%s is taken as the secret of %s", name, c.Name)
				}
			}
		}
	})
	t.Run("RP-Initiated Logout 2: an expired one signs out", func(t *testing.T) {
		b := s.Browser("alice")
		hint := s.Redeem(mine, secret, b.Code(mine)).Text("id_token")
		s.Clock.Advance(time.Hour)
		if _, err := relyingParty(t, s, mine, secret, hint); err == nil {
			t.Fatal("it has not expired")
		}
		o := b.Open("/logout?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {mine.PostLogoutRedirectURIs[0]}}.Encode())
		if o.Callback != mine.PostLogoutRedirectURIs[0] {
			t.Errorf("callback %q, page %s", o.Callback, o.Page.Body)
		}
		if o := b.Authorize(mine, "prompt", "none"); o.Params.Get("error") != "login_required" {
			t.Errorf("%v", o.Params)
		}
	})
	t.Run("a client that forges the sid asks, and signs nobody out", func(t *testing.T) {
		b := s.Browser("alice")
		b.Code(mine)
		forged := mac(t, key, said(t, map[string]any{"sid": "guessed", "sub": u.Sub}))
		if o := b.Open("/logout?" + url.Values{"id_token_hint": {forged}}.Encode()); o.Page.Status != 200 || !strings.Contains(o.Page.Body, `name="confirm"`) {
			t.Errorf("%d %s", o.Page.Status, o.Page.Body)
		}
		if o := b.Authorize(mine, "prompt", "none"); o.Params.Get("code") == "" {
			t.Errorf("%v", o.Params)
		}
	})
}

// publicKeys are all that can be known of the published keys, in the forms in which they have been tried as secrets.
func publicKeys(t *testing.T, s *providertest.Server) map[string][]byte {
	t.Helper()
	body := s.Get("/jwks", "").Body
	forms := map[string][]byte{"the JWK set": []byte(body)}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(body), &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		der, err := x509.MarshalPKIXPublicKey(k.Key)
		if err != nil {
			t.Fatal(err)
		}
		jwk, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		forms[k.Algorithm+" as DER"], forms[k.Algorithm+" as PEM"], forms[k.Algorithm+" as a JWK"] = der, text, jwk
		forms[k.Algorithm+" as PEM, trimmed"] = []byte(strings.TrimSpace(string(text)))
	}
	return forms
}

// beside is a provider on the same store and keys, of the same issuer.
func beside(t *testing.T, s *providertest.Server, log *providertest.Log, hs256 bool) *provider.Provider {
	t.Helper()
	p, err := provider.New(provider.Options{Issuer: s.Issuer, Store: s.Store, Keys: s.Keys, HS256: hs256, Now: s.Clock.Now, Log: log.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// An operator who turns HS256 off, and a secret that does not open: the client gets nothing, least of all something signed otherwise,
// and loses nothing. The log says why.
func TestNoSecretToSignWith(t *testing.T) {
	t.Parallel()
	everyFlow := func(c *storage.Client) {
		c.GrantTypes, c.ResponseTypes = append(c.GrantTypes, "implicit"), []string{"code", "code id_token"}
	}
	redeem := func(t *testing.T, p *provider.Provider, s *providertest.Server, c storage.Client, secret, code string) *httptest.ResponseRecorder {
		t.Helper()
		r := s.Request(http.MethodPost, "/token", url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.RedirectURIs[0]}, "code_verifier": {providertest.Verifier},
		})
		r.SetBasicAuth(c.ID, secret)
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		return w
	}
	t.Run("turned off", func(t *testing.T) {
		t.Parallel()
		s, log := providertest.New(t, withHS256), &providertest.Log{}
		s.User("alice")
		c, secret := s.Client("web", "My app", bySecret, everyFlow)
		b := s.Browser("alice")
		code, off := b.Code(c), beside(t, s, log, false)
		for range 2 {
			if w := redeem(t, off, s, c, secret, code); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "server_error") || strings.Contains(w.Body.String(), "id_token") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}
		if !strings.Contains(log.String(), "client "+c.ID+" is registered for HS256, which is off") {
			t.Errorf("the log does not say why: %s", log)
		}
		tokens := s.Redeem(c, secret, code)
		if tokens.Status != http.StatusOK {
			t.Fatalf("the code was spent: %d %s", tokens.Status, tokens.Body)
		}
		r := httptest.NewRequest(http.MethodGet, "/authorize?"+providertest.AuthorizeParams(c, "prompt", "none", "response_type", "code id_token").Encode(), nil)
		for _, cookie := range b.Cookies() {
			r.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		off.ServeHTTP(w, r)
		if at := w.Header().Get("Location"); !strings.Contains(at, "error=server_error") || strings.Contains(at, "id_token=") || strings.Contains(at, "code=") {
			t.Errorf("%d %s", w.Code, at)
		}
		w = httptest.NewRecorder() // a hint is then no ID token of ours
		off.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/authorize?"+providertest.AuthorizeParams(c, "id_token_hint", tokens.Text("id_token")).Encode(), nil))
		if at := w.Header().Get("Location"); !strings.Contains(at, "error=invalid_request") {
			t.Errorf("%d %s", w.Code, at)
		}
	})
	t.Run("userinfo, turned off", func(t *testing.T) {
		t.Parallel()
		s, log := providertest.New(t, withHS256), &providertest.Log{}
		s.User("alice")
		c, secret := s.Client("web", "My app", func(c *storage.Client) { c.UserinfoAlg, c.Trusted = "HS256", true })
		r := s.Request(http.MethodGet, "/userinfo", nil)
		r.Header.Set("Authorization", "Bearer "+s.Redeem(c, secret, s.Browser("alice").Code(c)).Text("access_token"))
		w := httptest.NewRecorder()
		beside(t, s, log, false).ServeHTTP(w, r)
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "alice") || !strings.Contains(log.String(), "HS256, which is off") {
			t.Errorf("%d %s\n%s", w.Code, w.Body, log)
		}
	})
	t.Run("a secret that does not open", func(t *testing.T) {
		t.Parallel()
		s, log := providertest.New(t, withHS256), &providertest.Log{}
		s.User("alice")
		c, secret := s.Client("web", "My app", bySecret)
		_, other := s.Client("web", "Another app", bySecret)
		whole := slices.Clone(c.SealedSecret)
		code, p := s.Browser("alice").Code(c), beside(t, s, log, true)
		for name, sealed := range map[string][]byte{"changed": append(slices.Clone(whole[:len(whole)-1]), whole[len(whole)-1]^1), "lost": nil, "sealed for another": s.Keys.Seal("client secret x", []byte(other))} {
			c.SealedSecret = sealed
			c = save(t, s, c)
			if w := redeem(t, p, s, c, secret, code); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "server_error") {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		if !strings.Contains(log.String(), "the secret of client "+c.ID) || strings.Contains(log.String(), secret) {
			t.Errorf("the log does not say why: %s", log)
		}
		c.SealedSecret = whole
		c = save(t, s, c)
		if a := s.Redeem(c, secret, code); a.Status != http.StatusOK {
			t.Errorf("the code was spent: %d %s", a.Status, a.Body)
		}
	})
}

func save(t *testing.T, s *providertest.Server, c storage.Client) storage.Client {
	t.Helper()
	c, err := s.Store.SaveClient(t.Context(), c, storage.Change{Now: s.Clock.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDiscoveryIsTrueToHS256(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		s := providertest.New(t, func(c *providertest.Config) { c.HS256 = on })
		document := s.Get("/.well-known/openid-configuration", "").JSON
		for _, name := range []string{"id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported"} {
			algs, _ := document[name].([]any)
			if slices.Contains(algs, any("HS256")) != on || len(algs) == 0 || algs[0] != "RS256" {
				t.Errorf("Discovery 3: HS256 is on: %t; %s says %v", on, name, algs)
			}
		}
	}
}
