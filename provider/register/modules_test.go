package register_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/fetch"
	"signet/provider/providertest"
	"signet/storage"
)

// site is where the app keeps its documents: its keys, its redirect URIs.
type site struct {
	*httptest.Server
	key       *ecdsa.PrivateKey
	documents map[string]any
}

func newSite(t *testing.T) *site {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{key: key, documents: map[string]any{}}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.documents[r.URL.Path])
	}))
	t.Cleanup(s.Close)
	s.documents["/jwks"] = s.jwks()
	return s
}

func (s *site) jwks() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.key.Public(), KeyID: "1", Use: "sig", Algorithm: "ES256"}}}
}

// dynamic is a provider that lets everybody register and fetches from the site.
func dynamic(t *testing.T, site *site) *providertest.Server {
	t.Helper()
	s := server(t, "open", func(c *providertest.Config) {
		c.Fetch = fetch.New(fetch.Options{
			CA: site.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		})
	})
	s.User("alice")
	return s
}

// suite is a registration as the Foundation's suite sends it.
func suite(site *site, change ...any) metadata {
	m := app("client_name", "conformance suite", "grant_types", []string{"authorization_code"}, "response_types", []string{"code"},
		"jwks", site.jwks(), "contacts", []string{"certification@oidf.org"}, "token_endpoint_auth_method", "private_key_jwt")
	for i := 0; i+1 < len(change); i += 2 {
		m[change[i].(string)] = change[i+1]
		if change[i+1] == nil {
			delete(m, change[i].(string))
		}
	}
	return m
}

// flow signs alice in at the registered client, which redeems the code with an assertion.
func flow(t *testing.T, s *providertest.Server, site *site, r *registered) providertest.Answer {
	t.Helper()
	s = s.With(t)
	c, err := s.Store.Client(t.Context(), r.text("client_id"))
	if err != nil {
		t.Fatal(err)
	}
	o := s.Browser("alice").Authorize(c, "scope", "openid", "code_challenge", "", "code_challenge_method", "")
	return s.Do(s.Request(http.MethodPost, "/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {o.Params.Get("code")}, "redirect_uri": {c.RedirectURIs[0]},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion(t, s, c, site)},
	}))
}

func assertion(t *testing.T, s *providertest.Server, c storage.Client, site *site) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: site.key, KeyID: "1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := s.Clock.Now()
	payload, err := json.Marshal(metadata{"iss": c.ID, "sub": c.ID, "aud": s.Issuer, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The modules of the plan oidcc-dynamic that ask something of registration.
func TestOIDCCDynamic(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	s := dynamic(t, site)
	signsIn := func(t *testing.T, m metadata) (*registered, providertest.Answer) {
		t.Helper()
		r := mustRegister(t, s, m)
		r.t = t
		answer := flow(t, s, site, r)
		if answer.Status != http.StatusOK || answer.Text("id_token") == "" {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		return r, answer
	}
	refused := func(t *testing.T, m metadata, code string) {
		t.Helper()
		if a := register(t, s, "", m); a.Status != http.StatusBadRequest || a.Error() != code {
			t.Errorf("%d %s, want %s", a.Status, a.Body, code)
		}
	}
	t.Run("oidcc-server", func(t *testing.T) {
		r, answer := signsIn(t, suite(site))
		if r.text("registration_client_uri") == "" || r.text("registration_access_token") == "" {
			t.Error("nothing to look after the registration with")
		}
		if claims := s.Verify(answer.Text("id_token")).Claims; claims["email"] != nil || claims["client_id"] != nil {
			t.Errorf("claims that nobody asked for: %v", claims)
		}
		if a := r.call(http.MethodDelete, nil); a.Status != http.StatusNoContent {
			t.Errorf("DELETE: %d", a.Status)
		}
	})
	t.Run("oidcc-idtoken-rs256", func(t *testing.T) {
		_, answer := signsIn(t, suite(site, "id_token_signed_response_alg", "RS256"))
		if alg := s.Verify(answer.Text("id_token")).Alg; alg != "RS256" {
			t.Error(alg)
		}
	})
	t.Run("oidcc-ensure-redirect-uri-in-authorization-request", func(t *testing.T) {
		page(t, s, mustRegister(t, s, suite(site, "redirect_uris", []string{"https://app.example/cb", "https://app.example/cb2"})), "")
	})
	t.Run("oidcc-redirect-uri-query-OK", func(t *testing.T) {
		signsIn(t, suite(site, "redirect_uris", []string{"https://app.example/cb?foo=bar"}))
	})
	t.Run("oidcc-redirect-uri-query-mismatch", func(t *testing.T) {
		page(t, s, mustRegister(t, s, suite(site, "redirect_uris", []string{"https://app.example/cb?foo=bar"})), "https://app.example/cb?bar=foo")
	})
	t.Run("oidcc-redirect-uri-query-added", func(t *testing.T) {
		page(t, s, mustRegister(t, s, suite(site)), "https://app.example/cb?foo=bar")
	})
	t.Run("oidcc-redirect-uri-regfrag", func(t *testing.T) {
		refused(t, suite(site, "redirect_uris", []string{"https://app.example/cb#foobar"}), "invalid_redirect_uri")
	})
	t.Run("oidcc-registration-jwks-uri", func(t *testing.T) {
		signsIn(t, suite(site, "jwks", nil, "jwks_uri", site.URL+"/jwks"))
	})
	t.Run("oidcc-registration-sector-uri", func(t *testing.T) {
		site.documents["/sector"] = []string{"https://app.example/cb"}
		signsIn(t, suite(site, "sector_identifier_uri", site.URL+"/sector", "subject_type", "pairwise"))
	})
	t.Run("oidcc-registration-sector-bad", func(t *testing.T) {
		site.documents["/bad"] = []string{"https://other.example/cb"}
		refused(t, suite(site, "sector_identifier_uri", site.URL+"/bad", "subject_type", "pairwise"), "invalid_client_metadata")
	})
	for _, link := range []string{"policy", "tos"} {
		t.Run(fmt.Sprintf("oidcc-registration-%s-uri", link), func(t *testing.T) {
			uri := "https://app.example/" + link
			r := mustRegister(t, s, suite(site, link+"_uri", uri))
			c, err := s.Store.Client(t.Context(), r.text("client_id"))
			if err != nil {
				t.Fatal(err)
			}
			b := s.With(t).Browser("alice")
			b.Undecided = true
			o := b.Authorize(c, "code_challenge", "", "code_challenge_method", "")
			if !strings.Contains(o.Page.Body, `href="`+uri+`"`) {
				t.Errorf("the page has no link: %s", providertest.Text(o.Page.Body))
			}
		})
	}
	t.Run("oidcc-ensure-client-assertion-with-iss-aud-succeeds", func(t *testing.T) { signsIn(t, suite(site)) })
}

// page sends an authorization request with this redirect URI, "" for none, and wants a page of the provider's own that says what is wrong.
func page(t *testing.T, s *providertest.Server, r *registered, redirectURI string) {
	t.Helper()
	c, err := s.Store.Client(t.Context(), r.text("client_id"))
	if err != nil {
		t.Fatal(err)
	}
	o := s.With(t).Browser("alice").Authorize(c, "redirect_uri", redirectURI)
	text := strings.ToLower(providertest.Text(o.Page.Body))
	if o.Callback != "" || o.Page.Status != http.StatusBadRequest || !strings.Contains(text, "invalid") && !strings.Contains(text, "not registered") && !strings.Contains(text, "not a registered") {
		t.Errorf("%q, %d %s", o.Callback, o.Page.Status, text)
	}
}

// The plan oidcc-3rdparty-init-login.
func TestOIDCC3rdPartyInitLogin(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	s := dynamic(t, site)
	t.Run("oidcc-3rd_party-init-login", func(t *testing.T) {
		const uri = "https://app.example/initiate"
		r := mustRegister(t, s, suite(site, "initiate_login_uri", uri))
		r.t = t
		if r.text("initiate_login_uri") != uri {
			t.Errorf("registered as %q", r.text("initiate_login_uri"))
		}
		if a := r.call(http.MethodGet, nil); a.Status != http.StatusOK || a.Header.Get("Content-Type") != "application/json" || a.Text("initiate_login_uri") != uri {
			t.Errorf("read as %d %s", a.Status, a.Body)
		}
	})
	t.Run("oidcc-3rd_party-init-login-nohttps", func(t *testing.T) {
		if a := register(t, s, "", suite(site, "initiate_login_uri", "http://app.example/initiate")); a.Status != http.StatusBadRequest || a.Error() != "invalid_client_metadata" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}
