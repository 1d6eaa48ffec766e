package register_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signet/claims"
	"signet/fetch"
	"signet/provider"
	"signet/provider/limit"
	"signet/provider/providertest"
	"signet/storage"
)

type metadata = map[string]any

func server(t *testing.T, policy string, change ...func(*providertest.Config)) *providertest.Server {
	t.Helper()
	return providertest.New(t, append([]func(*providertest.Config){func(c *providertest.Config) {
		c.Registration = provider.Registration{Policy: policy}
	}}, change...)...)
}

// send sends a JSON body, or bytes as they are, with a token; "" for none.
func send(t *testing.T, s *providertest.Server, method, url, token string, body any) providertest.Answer {
	t.Helper()
	var b []byte
	switch v := body.(type) {
	case nil:
	case string:
		b = []byte(v)
	default:
		var err error
		if b, err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequest(method, url, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return s.With(t).Do(r)
}

func register(t *testing.T, s *providertest.Server, token string, body any) providertest.Answer {
	t.Helper()
	return send(t, s, http.MethodPost, s.Issuer+"/register", token, body)
}

// registered is a client that registered itself, from the last answer about it.
type registered struct {
	t *testing.T
	s *providertest.Server
	metadata
}

func (r *registered) text(name string) string { s, _ := r.metadata[name].(string); return s }

// call sends a request about the client, with its current token.
func (r *registered) call(method string, body any) providertest.Answer {
	r.t.Helper()
	return send(r.t, r.s, method, r.text("registration_client_uri"), r.text("registration_access_token"), body)
}

// update sends all that is registered, changed; a value of nil takes a member out.
func (r *registered) update(change metadata) providertest.Answer {
	r.t.Helper()
	m := maps.Clone(r.metadata)
	for _, name := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at", "client_secret"} {
		delete(m, name)
	}
	for name, v := range change {
		m[name] = v
		if v == nil {
			delete(m, name)
		}
	}
	a := r.call(http.MethodPut, m)
	if a.Status == http.StatusOK {
		r.metadata = a.JSON
	}
	return a
}

func mustRegister(t *testing.T, s *providertest.Server, m metadata) *registered {
	t.Helper()
	a := register(t, s, "", m)
	if a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return &registered{t, s, a.JSON}
}

func app(change ...any) metadata {
	m := metadata{"redirect_uris": []string{"https://app.example/cb"}}
	for i := 0; i+1 < len(change); i += 2 {
		m[change[i].(string)] = change[i+1]
	}
	return m
}

func count(t *testing.T, s *providertest.Server) int {
	t.Helper()
	all, err := s.Store.Clients(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestRegistrationWithDefaults(t *testing.T) {
	t.Parallel()
	s := server(t, "open")
	a := register(t, s, "", app())
	if a.Status != http.StatusCreated || a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("RFC 7591 3.2.1: %d, %v", a.Status, a.Header)
	}
	id := a.Text("client_id")
	for _, name := range []string{"client_id", "client_secret", "registration_access_token"} {
		if a.Text(name) == "" {
			t.Errorf("RFC 7591 3.2.1, RFC 7592 3: %s is missing", name)
		}
	}
	got := maps.Clone(a.JSON)
	for _, name := range []string{"client_id", "client_secret", "registration_access_token"} {
		delete(got, name)
	}
	want := metadata{
		"registration_client_uri": s.Issuer + "/register/" + id, "client_id_issued_at": float64(s.Clock.Now().Unix()), "client_secret_expires_at": 0.0,
		"redirect_uris": []any{"https://app.example/cb"}, "client_name": "app.example", "application_type": "web",
		"response_types": []any{"code"}, "grant_types": []any{"authorization_code"}, "token_endpoint_auth_method": "client_secret_basic",
		"scope":        "openid profile email address phone groups roles",
		"subject_type": "public", "id_token_signed_response_alg": "RS256", "id_token_claims": "requested", "require_auth_time": false,
		"frontchannel_logout_session_required": false, "backchannel_logout_session_required": false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Registration 2 and 3.2, the defaults in force (-want +got):\n%s", diff)
	}
	c, err := s.Store.Client(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if c.Origin != storage.OriginRegistered || c.Trusted || c.PKCE != storage.PKCEOptional {
		t.Errorf("origin %q, trusted %t, PKCE %q", c.Origin, c.Trusted, c.PKCE)
	}
}

func TestRegisteredClientSignsIn(t *testing.T) {
	t.Parallel()
	s := server(t, "open")
	s.User("alice")
	r := mustRegister(t, s, app("grant_types", []string{"authorization_code", "refresh_token"}))
	c, err := s.Store.Client(t.Context(), r.text("client_id"))
	if err != nil {
		t.Fatal(err)
	}
	b := s.Browser("alice")
	o := b.Authorize(c, "scope", "openid email offline_access", "code_challenge", "", "code_challenge_method", "")
	if !slices.Contains(o.Asked, "consent") {
		t.Error("consent was not asked")
	}
	answer := s.Post("/token", c, r.text("client_secret"), map[string][]string{
		"grant_type": {"authorization_code"}, "code": {o.Params.Get("code")}, "redirect_uri": {"https://app.example/cb"}})
	if answer.Status != http.StatusOK || answer.Text("refresh_token") == "" {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	if claims := s.Verify(answer.Text("id_token")).Claims; claims["email"] != nil {
		t.Errorf("Core 5.4: claims of scopes are in the ID token: %v", claims)
	}
	if email := s.Get("/userinfo", answer.Text("access_token")).Text("email"); email != "alice@example.com" {
		t.Errorf("userinfo has email %q", email)
	}
}

// TestGoodMetadata registers each and compares what comes back.
func TestGoodMetadata(t *testing.T) {
	t.Parallel()
	s := server(t, "open")
	for _, c := range []struct {
		clause string
		sent   metadata
		want   metadata
	}{
		{"RFC 7591 2: unknown members are ignored and not echoed", app("unheard_of", 1, "client_name#de", "Laden"), metadata{"unheard_of": nil, "client_name#de": nil}},
		{"RFC 7592 2.2: null counts as left out", app("client_name", nil, "contacts", nil), metadata{"client_name": "app.example", "contacts": nil}},
		{"an empty string counts as left out", app("logo_uri", "", "scope", ""), metadata{"logo_uri": nil}},
		{"Registration 2: everything about the app", app("client_name", "My app", "contacts", []string{"a@b.example"}, "client_uri", "https://app.example/",
			"logo_uri", "https://app.example/logo", "policy_uri", "https://app.example/p", "tos_uri", "https://app.example/t"),
			metadata{"client_name": "My app", "contacts": []any{"a@b.example"}, "client_uri": "https://app.example/",
				"logo_uri": "https://app.example/logo", "policy_uri": "https://app.example/p", "tos_uri": "https://app.example/t"}},
		{"RFC 7591 2: software", app("software_id", "4NRB1", "software_version", "2.0"), metadata{"software_id": "4NRB1", "software_version": "2.0"}},
		{"Registration 2: default_max_age and require_auth_time", app("default_max_age", 3600, "require_auth_time", true),
			metadata{"default_max_age": 3600.0, "require_auth_time": true}},
		{"Registration 2: default_max_age 0", app("default_max_age", 0), metadata{"default_max_age": 0.0}},
		{"Registration 2: id_token_signed_response_alg", app("id_token_signed_response_alg", "ES256"), metadata{"id_token_signed_response_alg": "ES256"}},
		{"the extension id_token_claims", app("id_token_claims", "scope"), metadata{"id_token_claims": "scope"}},
		{"Core 4: initiate_login_uri", app("initiate_login_uri", "https://app.example/start"), metadata{"initiate_login_uri": "https://app.example/start"}},
		{"RP-Initiated Logout 3.1: post_logout_redirect_uris", app("post_logout_redirect_uris", []string{"https://app.example/bye"}),
			metadata{"post_logout_redirect_uris": []any{"https://app.example/bye"}}},
		{"Front-Channel Logout 2: with a query, and sid wanted", app("frontchannel_logout_uri", "https://app.example/out?a=b", "frontchannel_logout_session_required", true),
			metadata{"frontchannel_logout_uri": "https://app.example/out?a=b", "frontchannel_logout_session_required": true}},
		{"Front-Channel Logout 2: of the second of the redirect URIs", app("redirect_uris", []string{"https://app.example/cb", "https://b.example:8443/cb"},
			"frontchannel_logout_uri", "https://b.example:8443/out"), metadata{"frontchannel_logout_uri": "https://b.example:8443/out", "frontchannel_logout_session_required": false}},
		{"Back-Channel Logout 2.2: with a query, and sid wanted", app("backchannel_logout_uri", "https://api.app.example/out?a=b", "backchannel_logout_session_required", true),
			metadata{"backchannel_logout_uri": "https://api.app.example/out?a=b", "backchannel_logout_session_required": true}},
		{"Back-Channel Logout 2.2: backchannel_logout_session_required is false by default", app("backchannel_logout_uri", "https://app.example/out"),
			metadata{"backchannel_logout_session_required": false}},
		{"Back-Channel Logout 2.2: a confidential client on loopback, by http", app("redirect_uris", []string{"http://localhost:3000/cb"}, "backchannel_logout_uri", "http://localhost:3000/out",
			"frontchannel_logout_uri", "http://localhost:3000/bye"), metadata{"backchannel_logout_uri": "http://localhost:3000/out", "frontchannel_logout_uri": "http://localhost:3000/bye"}},
		{"Back-Channel Logout 2.2: a native app whose maker has a server", app("application_type", "native", "token_endpoint_auth_method", "none",
			"redirect_uris", []string{"com.example.app:/cb"}, "backchannel_logout_uri", "https://app.example/out"), metadata{"backchannel_logout_uri": "https://app.example/out"}},
		{"RFC 7591 2: scope, in its order and once; unknown ones are left out", app("scope", "email openid email pet"), metadata{"scope": "email openid"}},
		{"Core 11: offline_access comes with the grant type refresh_token", app("grant_types", []string{"authorization_code", "refresh_token"}),
			metadata{"scope": "openid profile email address phone groups roles offline_access"}},
		{"Core 11: and not without it", app("scope", "openid offline_access"), metadata{"scope": "openid"}},
		{"Registration 2: grant types that response types need", app("response_types", []string{"code", "id_token"}),
			metadata{"response_types": []any{"code", "id_token"}, "grant_types": []any{"authorization_code", "implicit"}}},
		{"Multiple Response Types 3: the order of words does not matter", app("response_types", []string{"token id_token code"}),
			metadata{"response_types": []any{"code id_token token"}}},
		{"Core 8: pairwise by the one host of the redirect URIs", app("subject_type", "pairwise"), metadata{"subject_type": "pairwise"}},
		{"Core 9: a public client of the web", app("token_endpoint_auth_method", "none"),
			metadata{"token_endpoint_auth_method": "none", "client_secret": nil, "client_secret_expires_at": nil}},
		{"a redirect URI with a query", app("redirect_uris", []string{"https://app.example/cb?a=b"}), metadata{"redirect_uris": []any{"https://app.example/cb?a=b"}}},
		{"RFC 8252 7.3: a page on loopback", app("redirect_uris", []string{"http://localhost:3000/cb"}), metadata{"client_name": "localhost"}},
		{"RFC 8252 7: the three kinds of a native app", app("application_type", "native", "token_endpoint_auth_method", "none",
			"redirect_uris", []string{"com.example.app:/cb", "http://127.0.0.1/cb", "https://app.example/cb"}),
			metadata{"application_type": "native", "client_secret": nil}},
		{"RFC 8628: what no browser can be sent to", metadata{"client_name": "TV", "token_endpoint_auth_method": "none", "grant_types": []string{"urn:ietf:params:oauth:grant-type:device_code", "refresh_token"}},
			metadata{"application_type": "native", "redirect_uris": nil, "response_types": nil, "client_secret": nil, "grant_types": []any{"urn:ietf:params:oauth:grant-type:device_code", "refresh_token"},
				"scope": "openid profile email address phone groups roles offline_access"}},
		{"RFC 8628: a native app that does both", app("application_type", "native", "token_endpoint_auth_method", "none", "redirect_uris", []string{"http://127.0.0.1/cb"},
			"grant_types", []string{"authorization_code", "urn:ietf:params:oauth:grant-type:device_code"}), metadata{"response_types": []any{"code"}}},
		{"RFC 8252 8.4: a native app with a secret of its own", app("application_type", "native", "redirect_uris", []string{"http://127.0.0.1/cb"}),
			metadata{"token_endpoint_auth_method": "client_secret_basic", "client_secret_expires_at": 0.0}},
	} {
		t.Run(c.clause, func(t *testing.T) {
			a := register(t, s, "", c.sent)
			if a.Status != http.StatusCreated {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			for name, want := range c.want {
				if diff := cmp.Diff(want, a.JSON[name]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
			r := &registered{t, s, a.JSON}
			again := r.call(http.MethodGet, nil)
			delete(a.JSON, "client_secret")
			delete(a.JSON, "client_secret_expires_at")
			if diff := cmp.Diff(a.JSON, again.JSON); diff != "" {
				t.Errorf("RFC 7592 2.1: reading gives something else (-registered +read):\n%s", diff)
			}
		})
	}
}

// TestBadMetadata: RFC 7591 3.2.2, OpenID Connect Registration 3.3.
func TestBadMetadata(t *testing.T) {
	t.Parallel()
	s := server(t, "open")
	redirect := func(uri string) metadata { return app("redirect_uris", []string{uri}) }
	native := func(uri string) metadata { return app("application_type", "native", "redirect_uris", []string{uri}) }
	cases := []struct {
		clause string
		sent   any
		code   string
		field  string
	}{
		{"Registration 2: redirect_uris REQUIRED", metadata{}, "invalid_redirect_uri", "redirect_uris"},
		{"redirect_uris: empty", app("redirect_uris", []string{}), "invalid_redirect_uri", "redirect_uris"},
		{"redirect_uris: an empty one", redirect(""), "invalid_redirect_uri", "redirect_uris"},
		{"redirect_uris: twice the same", app("redirect_uris", []string{"https://a.example/", "https://a.example/"}), "invalid_redirect_uri", "redirect_uris"},
		{"redirect_uris: too many", app("redirect_uris", slices.Repeat([]string{"https://a.example/"}, 51)), "invalid_redirect_uri", "redirect_uris"},
		{"RFC 6749 3.1.2: fragment", redirect("https://app.example/cb#x"), "invalid_redirect_uri", "redirect_uris"},
		{"RFC 6749 3.1.2: an empty fragment", redirect("https://app.example/cb#"), "invalid_redirect_uri", "redirect_uris"},
		{"RFC 6749 3.1.2: relative", redirect("/cb"), "invalid_redirect_uri", "redirect_uris"},
		{"RFC 9700 2.1: wildcard host", redirect("https://*.app.example/cb"), "invalid_redirect_uri", "redirect_uris"},
		{"RFC 9700 2.1: wildcard path", redirect("https://app.example/*"), "invalid_redirect_uri", "redirect_uris"},
		{"Registration 2: http beyond loopback", redirect("http://app.example/cb"), "invalid_redirect_uri", "redirect_uris"},
		{"RFC 8252 7.3: a host that only begins like loopback", redirect("http://127.0.0.1.evil.example/cb"), "invalid_redirect_uri", "redirect_uris"},
		{"a user name in front of the host", redirect("https://app.example@evil.example/cb"), "invalid_redirect_uri", "redirect_uris"},
		{"dot segments", redirect("https://app.example/a/../cb"), "invalid_redirect_uri", "redirect_uris"},
		{"a backslash", redirect(`https://app.example\@evil.example/`), "invalid_redirect_uri", "redirect_uris"},
		{"a line break", redirect("https://app.example/\r\nSet-Cookie: x"), "invalid_redirect_uri", "redirect_uris"},
		{"HTML", redirect("https://app.example/<script>alert(1)</script>"), "invalid_redirect_uri", "redirect_uris"},
		{"javascript:", redirect("javascript:alert(1)"), "invalid_redirect_uri", "redirect_uris"},
		{"JavaScript: in capitals", redirect("JavaScript:alert(1)"), "invalid_redirect_uri", "redirect_uris"},
		{"data:, native", native("data:text/html,x"), "invalid_redirect_uri", "redirect_uris"},
		{"file:, native", native("file:///etc/passwd"), "invalid_redirect_uri", "redirect_uris"},
		{"Registration 2: a scheme of its own is for native clients", redirect("com.example.app:/cb"), "invalid_redirect_uri", "redirect_uris"},
		{"RFC 8252 7.1: a scheme without a domain", native("myapp:/cb"), "invalid_redirect_uri", "redirect_uris"},
		{"RFC 8252 7.3: http beyond loopback, native", native("http://app.example/cb"), "invalid_redirect_uri", "redirect_uris"},
		{"Registration 2: implicit on http", app("redirect_uris", []string{"http://127.0.0.1/cb"}, "response_types", []string{"id_token"}), "invalid_redirect_uri", "redirect_uris"},
		{"Registration 2: implicit on localhost", app("redirect_uris", []string{"https://localhost/cb"}, "response_types", []string{"code id_token"}), "invalid_redirect_uri", "redirect_uris"},
		{"a redirect URI of 3 KiB", redirect("https://app.example/" + strings.Repeat("a", 3000)), "invalid_redirect_uri", "redirect_uris"},

		{"Registration 2: application_type", app("application_type", "desktop"), "invalid_client_metadata", "application_type"},
		{"Registration 2: a response type that there is not", app("response_types", []string{"token"}), "invalid_client_metadata", "response_types"},
		{"Registration 2: no response type", app("response_types", []string{}), "invalid_client_metadata", "response_types"},
		{"RFC 7591 2: a grant type that there is not", app("grant_types", []string{"password"}), "invalid_client_metadata", "grant_types"},
		{"RFC 7591 2.1: response type code without authorization_code", app("grant_types", []string{"implicit"}), "invalid_client_metadata", "response_types"},
		{"RFC 7591 2.1: response type id_token without implicit", app("grant_types", []string{"authorization_code"}, "response_types", []string{"id_token"}), "invalid_client_metadata", "response_types"},
		{"RFC 7591 2.1: refresh_token alone", app("grant_types", []string{"refresh_token"}), "invalid_client_metadata", "grant_types"},
		{"Core 9: an authentication method that there is not", app("token_endpoint_auth_method", "tls_client_auth"), "invalid_client_metadata", "token_endpoint_auth_method"},
		{"Registration 2: ID tokens of none", app("id_token_signed_response_alg", "none"), "invalid_client_metadata", "id_token_signed_response_alg"},
		{"ID tokens of an algorithm that is off", app("id_token_signed_response_alg", "ES512"), "invalid_client_metadata", "id_token_signed_response_alg"},
		{"ID tokens of HS256", app("id_token_signed_response_alg", "HS256"), "invalid_client_metadata", "id_token_signed_response_alg"},
		{"Core 8: subject_type", app("subject_type", "private"), "invalid_client_metadata", "subject_type"},
		{"Core 8.1: pairwise over two hosts", app("subject_type", "pairwise", "redirect_uris", []string{"https://a.example/", "https://b.example/"}), "invalid_client_metadata", "subject_type"},
		{"Registration 2: default_max_age below 0", app("default_max_age", -1), "invalid_client_metadata", "default_max_age"},
		{"Registration 2: default_max_age in parts", app("default_max_age", 1.5), "invalid_client_metadata", "default_max_age"},
		{"Registration 2: default_max_age beyond all measure", app("default_max_age", 1e18), "invalid_client_metadata", "default_max_age"},
		{"Core 4: initiate_login_uri without TLS", app("initiate_login_uri", "http://app.example/start"), "invalid_client_metadata", "initiate_login_uri"},
		{"Core 4: initiate_login_uri without TLS on loopback", app("initiate_login_uri", "http://localhost/start"), "invalid_client_metadata", "initiate_login_uri"},
		{"logo_uri: a scheme that shows what it says", app("logo_uri", "data:image/png;base64,AAAA"), "invalid_client_metadata", "logo_uri"},
		{"policy_uri: a script", app("policy_uri", "javascript:alert(1)"), "invalid_client_metadata", "policy_uri"},
		{"tos_uri: http", app("tos_uri", "http://app.example/tos"), "invalid_client_metadata", "tos_uri"},
		{"client_uri: no URL", app("client_uri", "app"), "invalid_client_metadata", "client_uri"},
		{"post_logout_redirect_uris: fragment", app("post_logout_redirect_uris", []string{"https://app.example/#bye"}), "invalid_client_metadata", "post_logout_redirect_uris"},
		{"Front-Channel Logout 2: fragment", app("frontchannel_logout_uri", "https://app.example/out#x"), "invalid_client_metadata", "frontchannel_logout_uri"},
		{"Front-Channel Logout 2: relative", app("frontchannel_logout_uri", "/out"), "invalid_client_metadata", "frontchannel_logout_uri"},
		{"Front-Channel Logout 2: the host of no redirect URI", app("frontchannel_logout_uri", "https://evil.example/out"), "invalid_client_metadata", "frontchannel_logout_uri"},
		{"Front-Channel Logout 2: the port of no redirect URI", app("frontchannel_logout_uri", "https://app.example:8443/out"), "invalid_client_metadata", "frontchannel_logout_uri"},
		{"Front-Channel Logout 2: the scheme of no redirect URI", app("redirect_uris", []string{"https://localhost/cb"}, "frontchannel_logout_uri", "http://localhost:443/out"),
			"invalid_client_metadata", "frontchannel_logout_uri"},
		{"Front-Channel Logout 2: http beyond loopback", app("frontchannel_logout_uri", "http://app.example/out"), "invalid_client_metadata", "frontchannel_logout_uri"},
		{"Front-Channel Logout 2: http of a public client", app("redirect_uris", []string{"http://localhost/cb"}, "token_endpoint_auth_method", "none",
			"frontchannel_logout_uri", "http://localhost/out"), "invalid_client_metadata", "frontchannel_logout_uri"},
		{"Front-Channel Logout 2: a script", app("frontchannel_logout_uri", "javascript:alert(1)"), "invalid_client_metadata", "frontchannel_logout_uri"},
		{"Back-Channel Logout 2.2: fragment", app("backchannel_logout_uri", "https://app.example/out#"), "invalid_client_metadata", "backchannel_logout_uri"},
		{"Back-Channel Logout 2.2: relative", app("backchannel_logout_uri", "out"), "invalid_client_metadata", "backchannel_logout_uri"},
		{"Back-Channel Logout 2.2: http beyond loopback", app("backchannel_logout_uri", "http://app.example/out"), "invalid_client_metadata", "backchannel_logout_uri"},
		{"Back-Channel Logout 2.2: http of a public client", app("token_endpoint_auth_method", "none", "backchannel_logout_uri", "http://localhost/out"),
			"invalid_client_metadata", "backchannel_logout_uri"},
		{"Back-Channel Logout 2.2: a private-use scheme", app("application_type", "native", "token_endpoint_auth_method", "none", "redirect_uris", []string{"com.example.app:/cb"},
			"backchannel_logout_uri", "com.example.app:/out"), "invalid_client_metadata", "backchannel_logout_uri"},
		{"Back-Channel Logout 2.2: a user name in front of the host", app("backchannel_logout_uri", "https://app.example@evil.example/"), "invalid_client_metadata", "backchannel_logout_uri"},
		{"client_name: a sign that turns the direction of writing", app("client_name", "abc\u202edef"), "invalid_client_metadata", "client_name"},
		{"client_name: too long", app("client_name", strings.Repeat("a", 201)), "invalid_client_metadata", "client_name"},
		{"contacts: too many", app("contacts", slices.Repeat([]string{"a"}, 21)), "invalid_client_metadata", "contacts"},
		{"scope: nothing that we know", app("scope", "pets"), "invalid_client_metadata", "scope"},
		{"id_token_claims: another value", app("id_token_claims", "all"), "invalid_client_metadata", "id_token_claims"},

		{"Registration 2: unsigned request objects where they are not let in", app("request_object_signing_alg", "none"), "invalid_client_metadata", "request_object_signing_alg"},
		{"Registration 2: request objects by a secret that is only hashed", app("request_object_signing_alg", "HS256"), "invalid_client_metadata", "request_object_signing_alg"},
		{"Registration 2: request objects by a key that is not there", app("request_object_signing_alg", "RS256"), "invalid_client_metadata", "jwks"},
		{"Registration 2: request objects by an unknown algorithm", app("request_object_signing_alg", "RS257"), "invalid_client_metadata", "request_object_signing_alg"},
		{"RFC 7517 4.2: private_key_jwt by a key that does not sign", app("token_endpoint_auth_method", "private_key_jwt", "jwks", ecKeys("enc")), "invalid_client_metadata", "jwks"},
		{"Registration 2: assertions by an algorithm that no key is for", app("token_endpoint_auth_method", "private_key_jwt", "token_endpoint_auth_signing_alg", "RS256",
			"jwks", ecKeys("sig")), "invalid_client_metadata", "jwks"},
		{"Registration 2: request objects by an algorithm that no key is for", app("request_object_signing_alg", "ES384", "jwks", ecKeys("sig")), "invalid_client_metadata", "jwks"},
		{"Core 10.2: ID tokens to a key that signs", app("id_token_encrypted_response_alg", "ECDH-ES", "jwks", ecKeys("sig")), "invalid_client_metadata", "jwks"},
		{"Core 10.2: userinfo to a key of another kind", app("userinfo_encrypted_response_alg", "RSA-OAEP-256", "jwks", ecKeys("enc")), "invalid_client_metadata", "jwks"},
		{"Core 6.2: request_uris with a wildcard", app("request_uris", []string{"https://app.example/*"}), "invalid_client_metadata", "request_uris"},
		{"RFC 3986 3.5: jwks_uri with a fragment", app("jwks_uri", "https://app.example/keys#1"), "invalid_client_metadata", "jwks_uri"},
		{"RFC 3986 3.5: logo_uri with a fragment", app("logo_uri", "https://app.example/logo.png#1"), "invalid_client_metadata", "logo_uri"},
		{"RFC 7591 2: software_id beyond all measure", app("software_id", strings.Repeat("a", 201)), "invalid_client_metadata", "software_id"},
		{"RFC 7591 2: software_version with a sign that is not seen", app("software_version", "2\u0000"), "invalid_client_metadata", "software_version"},
		{"RFC 7591 3.2.2: a software statement", app("software_statement", "eyJhbGciOiJFUzI1NiJ9.e30.eA"), "unapproved_software_statement", "software_statement"},
		{"RFC 7591 3.2.2: a software statement that is none", app("software_statement", 1), "invalid_software_statement", "software_statement"},
		{"a member that is there twice", `{"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.example/"]}`, "invalid_client_metadata", ""},
		{"no JSON", "redirect_uris=https://a.example/", "invalid_client_metadata", ""},
		{"no object", `["https://a.example/"]`, "invalid_client_metadata", ""},
		{"null", `null`, "invalid_client_metadata", ""},
		{"an empty body", "", "invalid_client_metadata", ""},
		{"something behind the object", `{"redirect_uris":["https://a.example/"]} {}`, "invalid_client_metadata", ""},
		{"half an object", `{"redirect_uris":["https://a.example/"]`, "invalid_client_metadata", ""},
		{"not UTF-8", "{\"client_name\":\"\xff\"}", "invalid_client_metadata", ""},
		{"deeply nested", `{"x":` + strings.Repeat("[", 30000), "invalid_client_metadata", ""},
	}
	// Each member with each other JSON type.
	types := map[string]any{"a string": "x", "a number": 1, "true": true, "an array": []int{1}, "an object": metadata{"x": 1}, "an array with null": []any{nil}}
	for name, own := range map[string][]string{
		"redirect_uris": nil, "client_name": {"a string"}, "response_types": nil, "grant_types": nil, "scope": {"a string"}, "application_type": {"a string"},
		"token_endpoint_auth_method": {"a string"}, "subject_type": {"a string"}, "sector_identifier_uri": {"a string"}, "id_token_signed_response_alg": {"a string"},
		"default_max_age": {"a number"}, "require_auth_time": {"true"}, "initiate_login_uri": {"a string"}, "post_logout_redirect_uris": nil,
		"client_uri": {"a string"}, "logo_uri": {"a string"}, "policy_uri": {"a string"}, "tos_uri": {"a string"}, "contacts": nil,
		"software_id": {"a string"}, "software_version": {"a string"}, "id_token_claims": {"a string"},
		"frontchannel_logout_uri": {"a string"}, "frontchannel_logout_session_required": {"true"},
		"backchannel_logout_uri": {"a string"}, "backchannel_logout_session_required": {"true"}, "jwks": {"an object"}, "jwks_uri": {"a string"}, "request_uris": nil, "default_acr_values": nil, "id_token_encrypted_response_alg": {"a string"},
	} {
		for typ, value := range types {
			if slices.Contains(own, typ) {
				continue
			}
			code := "invalid_client_metadata"
			if name == "redirect_uris" {
				code = "invalid_redirect_uri"
			}
			cases = append(cases, struct {
				clause string
				sent   any
				code   string
				field  string
			}{name + " is " + typ, app(name, value), code, name})
		}
	}
	for i, c := range cases {
		t.Run(c.clause, func(t *testing.T) {
			if i%50 == 49 {
				s.Clock.Advance(time.Minute) // the limit of one address is tested elsewhere
			}
			a := register(t, s, "", c.sent)
			if a.Status != http.StatusBadRequest || a.Error() != c.code {
				t.Errorf("%d %s, want 400 %s", a.Status, a.Body, c.code)
			}
			description := a.Text("error_description")
			if !strings.Contains(description, c.field) || description == "" {
				t.Errorf("the description does not name %q: %s", c.field, description)
			}
			if strings.Trim(description, allowedInDescriptions) != "" {
				t.Errorf("RFC 6749 5.2: the description has other characters than allowed: %q", description)
			}
			if strings.Contains(description, "evil") || strings.Contains(description, "alert") || strings.Contains(description, "example") && !strings.Contains(description, "such as") {
				t.Errorf("what was sent is echoed: %s", a.Body)
			}
		})
	}
	if n := count(t, s); n != 0 {
		t.Errorf("%d clients were stored", n)
	}
}

// ecKeys is a set of the one public key of RFC 7517 appendix A.1, for the use.
func ecKeys(use string) json.RawMessage {
	return json.RawMessage(`{"keys":[{"kty":"EC","crv":"P-256","use":"` + use + `","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`)
}

// allowedInDescriptions: RFC 6749 section 5.2.
var allowedInDescriptions = func() string {
	var b strings.Builder
	for c := byte(0x20); c < 0x7f; c++ {
		if c != '"' && c != '\\' {
			b.WriteByte(c)
		}
	}
	return b.String()
}()

func TestWrongBodies(t *testing.T) {
	t.Parallel()
	s := server(t, "open")
	for _, c := range []struct {
		clause, contentType, body string
		status                    int
	}{
		{"another Content-Type", "application/x-www-form-urlencoded", `{"redirect_uris":["https://a.example/"]}`, http.StatusUnsupportedMediaType},
		{"no Content-Type", "", `{"redirect_uris":["https://a.example/"]}`, http.StatusUnsupportedMediaType},
		{"more than 64 KiB", "application/json", `{"redirect_uris":["https://a.example/"],"x":"` + strings.Repeat("a", 64<<10) + `"}`, http.StatusRequestEntityTooLarge},
		{"with parameters", "application/json; charset=utf-8", `{"redirect_uris":["https://a.example/"]}`, http.StatusCreated},
	} {
		t.Run(c.clause, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodPost, s.Issuer+"/register", strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", c.contentType)
			a := s.With(t).Do(r)
			if a.Status != c.status || a.Status >= 400 && a.Error() != "invalid_client_metadata" {
				t.Errorf("%d %s, want %d", a.Status, a.Body, c.status)
			}
		})
	}
}

func TestManagement(t *testing.T) {
	t.Parallel()
	s := server(t, "open")

	t.Run("RFC 7592 2.2: an update replaces everything", func(t *testing.T) {
		r := mustRegister(t, s, app("client_name", "Before", "logo_uri", "https://app.example/logo"))
		r.t = t
		secret := r.text("client_secret")
		a := r.update(metadata{"client_name": "After", "logo_uri": nil, "client_secret": secret})
		if a.Status != http.StatusOK || a.Text("client_name") != "After" || a.JSON["logo_uri"] != nil {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		c, err := s.Store.Client(t.Context(), r.text("client_id"))
		if err != nil || !c.SecretHash.Matches([]byte(secret)) {
			t.Errorf("the secret changed: %v", err)
		}
	})
	t.Run("RFC 7592 2.2: the old token is good until the new one is first used", func(t *testing.T) {
		r := mustRegister(t, s, app())
		first := r.text("registration_access_token")
		get := func(token string) int {
			return send(t, s, http.MethodGet, r.text("registration_client_uri"), token, nil).Status
		}
		good := func(token string) bool { return get(token) == http.StatusOK }
		r.update(nil)
		second := r.text("registration_access_token")
		if first == second {
			t.Fatal("the token was not rotated")
		}
		for range 2 {
			if !good(first) {
				t.Error("the old one is refused before the new one was used")
			}
		}
		r.metadata["registration_access_token"] = first // the answer was lost
		r.update(nil)
		third := r.text("registration_access_token")
		if status := get(second); status != http.StatusUnauthorized {
			t.Errorf("the new one that nobody used: %d after another update", status)
		}
		if !good(third) {
			t.Error("the new one is refused at its first use")
		}
		if !good(third) {
			t.Error("the new one is refused")
		}
		if status := get(first); status != http.StatusUnauthorized {
			t.Errorf("the old one after that: %d", status)
		}
	})
	t.Run("the new token's first use by an update", func(t *testing.T) {
		r := mustRegister(t, s, app())
		first := r.text("registration_access_token")
		r.update(nil)
		r.update(nil)
		if a := send(t, s, http.MethodGet, r.text("registration_client_uri"), first, nil); a.Status != http.StatusUnauthorized {
			t.Error(a.Status)
		}
	})
	t.Run("RFC 7592 2.2: what an update must not send, and what must fit", func(t *testing.T) {
		r := mustRegister(t, s, app())
		for name, value := range (metadata{
			"registration_access_token": r.text("registration_access_token"), "registration_client_uri": r.text("registration_client_uri"),
			"client_secret_expires_at": 0, "client_id_issued_at": 1, "client_id": "another", "client_secret": "another",
		}) {
			if a := r.update(metadata{name: value}); a.Status != 400 || a.Error() != "invalid_client_metadata" || !strings.Contains(a.Body, name) {
				t.Errorf("%s: %d %s", name, a.Status, a.Body)
			}
		}
		if a := r.update(metadata{"client_id": nil}); a.Status != 400 {
			t.Errorf("without client_id: %d", a.Status)
		}
	})
	t.Run("a bad update changes nothing", func(t *testing.T) {
		r := mustRegister(t, s, app())
		if a := r.update(metadata{"redirect_uris": []string{"http://app.example/"}}); a.Status != 400 || a.Error() != "invalid_redirect_uri" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if a := r.call(http.MethodGet, nil); a.Status != 200 || a.JSON["redirect_uris"].([]any)[0] != "https://app.example/cb" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("RFC 7592 2.2: logout URIs come, and go when they are left out", func(t *testing.T) {
		r := mustRegister(t, s, app())
		out := metadata{"frontchannel_logout_uri": "https://app.example/out", "frontchannel_logout_session_required": true, "backchannel_logout_uri": "https://app.example/back"}
		a := r.update(out)
		for name, want := range out {
			if a.Status != http.StatusOK || a.JSON[name] != want {
				t.Errorf("%s: %d %s", name, a.Status, a.Body)
			}
		}
		if a := r.update(metadata{"frontchannel_logout_uri": nil, "frontchannel_logout_session_required": nil, "backchannel_logout_uri": nil}); a.Status != http.StatusOK ||
			a.JSON["frontchannel_logout_uri"] != nil || a.JSON["frontchannel_logout_session_required"] != false || a.JSON["backchannel_logout_uri"] != nil {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("Front-Channel Logout 2: an update cannot part the logout URI from the redirect URIs", func(t *testing.T) {
		r := mustRegister(t, s, app("frontchannel_logout_uri", "https://app.example/out"))
		if a := r.update(metadata{"redirect_uris": []string{"https://b.example/cb"}}); a.Status != 400 || !strings.Contains(a.Text("error_description"), "frontchannel_logout_uri") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if a := r.update(metadata{"redirect_uris": []string{"https://b.example/cb"}, "frontchannel_logout_uri": "https://b.example/out"}); a.Status != 200 {
			t.Errorf("both at once: %d %s", a.Status, a.Body)
		}
	})
	t.Run("secrets come and go with the authentication method", func(t *testing.T) {
		r := mustRegister(t, s, app("token_endpoint_auth_method", "none"))
		if a := r.update(metadata{"token_endpoint_auth_method": "client_secret_post"}); a.Text("client_secret") == "" {
			t.Errorf("none was made: %s", a.Body)
		}
		r.update(metadata{"token_endpoint_auth_method": "none"})
		if c, err := s.Store.Client(t.Context(), r.text("client_id")); err != nil || !c.SecretHash.IsZero() || c.PKCE != storage.PKCERequired {
			t.Errorf("%v, a public client has a secret or needs no PKCE", err)
		}
	})
	t.Run("Core 8.1: an update cannot move a client to another sector", func(t *testing.T) {
		r := mustRegister(t, s, app("subject_type", "pairwise"))
		for _, change := range []metadata{{"redirect_uris": []string{"https://victim.example/cb"}}, {"subject_type": "public"}, {"subject_type": nil}} {
			if a := r.update(change); a.Status != 400 {
				t.Errorf("%v: %d %s", change, a.Status, a.Body)
			}
		}
		if a := r.update(metadata{"redirect_uris": []string{"https://app.example/other"}}); a.Status != 200 {
			t.Errorf("within its sector: %d %s", a.Status, a.Body)
		}
		public := mustRegister(t, s, app())
		if a := public.update(metadata{"subject_type": "pairwise"}); a.Status != 400 {
			t.Errorf("from public to pairwise: %d", a.Status)
		}
	})
	t.Run("RFC 7592 2.3: DELETE is 204, and everything ends", func(t *testing.T) {
		r := mustRegister(t, s, app())
		if a := r.call(http.MethodDelete, nil); a.Status != http.StatusNoContent || a.Body != "" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if a := r.call(http.MethodGet, nil); a.Status != http.StatusUnauthorized {
			t.Errorf("RFC 7592 2.1: a client that does not exist: %d", a.Status)
		}
		if _, err := s.Store.Client(t.Context(), r.text("client_id")); err == nil {
			t.Error("it is still there")
		}
	})
	t.Run("a trusted client that updates itself is trusted no more", func(t *testing.T) {
		r := mustRegister(t, s, app())
		c, err := s.Store.Client(t.Context(), r.text("client_id"))
		if err != nil {
			t.Fatal(err)
		}
		c.Trusted = true
		if _, err := s.Store.SaveClient(t.Context(), c, storage.Change{Now: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		r.update(nil)
		if c, err = s.Store.Client(t.Context(), c.ID); err != nil || c.Trusted {
			t.Error(err, c.Trusted)
		}
	})
}

func TestRegistrationAccessToken(t *testing.T) {
	t.Parallel()
	s := server(t, "open")
	r, other := mustRegister(t, s, app()), mustRegister(t, s, app())
	operators, _ := s.Client("web", "The operator's")
	uri := r.text("registration_client_uri")
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		for _, c := range []struct {
			clause, uri, header, challenge string
		}{
			{"RFC 6750 3.1: without a token no error code", uri, "", "Bearer"},
			{"another scheme", uri, "Basic eDp5", `Bearer error="invalid_token"`},
			{"no token behind the scheme", uri, "Bearer", `Bearer error="invalid_token"`},
			{"a made-up token", uri, "Bearer x", `Bearer error="invalid_token"`},
			{"another client's token", uri, "Bearer " + other.text("registration_access_token"), `Bearer error="invalid_token"`},
			{"the client secret", uri, "Bearer " + r.text("client_secret"), `Bearer error="invalid_token"`},
			{"an unknown client", s.Issuer + "/register/unknown", "Bearer " + r.text("registration_access_token"), `Bearer error="invalid_token"`},
			{"a client of the operator's", s.Issuer + "/register/" + operators.ID, "Bearer " + r.text("registration_access_token"), `Bearer error="invalid_token"`},
		} {
			t.Run(method+", "+c.clause, func(t *testing.T) {
				req, err := http.NewRequest(method, c.uri, strings.NewReader("{}"))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/json")
				if c.header != "" {
					req.Header.Set("Authorization", c.header)
				}
				a := s.With(t).Do(req)
				if a.Status != http.StatusUnauthorized || a.Error() != "invalid_token" || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), c.challenge) {
					t.Errorf("%d %s, %q", a.Status, a.Body, a.Header.Get("WWW-Authenticate"))
				}
				if c.header == "" && a.Header.Get("WWW-Authenticate") != "Bearer" {
					t.Errorf("%q", a.Header.Get("WWW-Authenticate"))
				}
			})
		}
	}
	if a := r.call(http.MethodGet, nil); a.Status != http.StatusOK {
		t.Errorf("its own token: %d", a.Status)
	}
}

// initial stores an initial access token.
func initial(t *testing.T, s *providertest.Server, i storage.InitialToken) string {
	t.Helper()
	h := storage.NewHandle(s.Clock.Now())
	i.ID, i.SecretHash, i.Created = h.ID, h.Hash(), s.Clock.Now()
	if err := s.Store.SaveInitialToken(context.Background(), i, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// orders is a catalogue with a scope of the operator's own.
func orders(t *testing.T) *claims.Catalogue {
	t.Helper()
	c, err := claims.Declarations{Scopes: []claims.Scope{{Name: "orders.read", Text: "see your orders"}}}.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestInitialAccessToken(t *testing.T) {
	t.Parallel()
	s := server(t, "token")
	refused := func(t *testing.T, token, why string) {
		t.Helper()
		before := count(t, s)
		a := register(t, s, token, app())
		if a.Status != http.StatusUnauthorized || a.Error() != "invalid_token" || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer") ||
			!strings.Contains(a.Text("error_description"), why) {
			t.Errorf("%d %s %v, want 401 for %q", a.Status, a.Body, a.Header, why)
		}
		if count(t, s) != before {
			t.Error("a client was stored")
		}
	}
	t.Run("RFC 7591 3: without", func(t *testing.T) { refused(t, "", "is needed") })
	t.Run("RFC 7591 3: made up", func(t *testing.T) { refused(t, "nonsense", "not one of this server") })
	t.Run("RFC 7591 3: another server's", func(t *testing.T) { refused(t, storage.NewHandle(s.Clock.Now()).String(), "not one of this server") })
	t.Run("its id with another secret", func(t *testing.T) {
		h, err := storage.ParseHandle(initial(t, s, storage.InitialToken{Uses: 1}))
		if err != nil {
			t.Fatal(err)
		}
		h.Secret[0] ^= 1
		refused(t, h.String(), "not one of this server")
	})
	t.Run("a count of uses", func(t *testing.T) {
		token := initial(t, s, storage.InitialToken{Uses: 2})
		if a := register(t, s, token, app("redirect_uris", []string{})); a.Status != 400 {
			t.Errorf("bad metadata: %d", a.Status)
		}
		for range 2 {
			if a := register(t, s, token, app()); a.Status != 201 {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		}
		refused(t, token, "used up")
	})
	t.Run("of 20 at once no more succeed than it has uses", func(t *testing.T) {
		token := initial(t, s, storage.InitialToken{Uses: 3})
		var all sync.WaitGroup
		var mu sync.Mutex
		good := 0
		for range 20 {
			all.Go(func() {
				a := register(t, s, token, app())
				mu.Lock()
				defer mu.Unlock()
				if a.Status == 201 {
					good++
				}
			})
		}
		all.Wait()
		if good != 3 {
			t.Errorf("%d succeeded", good)
		}
	})
	s.Clock.Advance(time.Minute)
	t.Run("an expiry", func(t *testing.T) {
		token := initial(t, s, storage.InitialToken{Uses: -1, Expires: s.Clock.Now().Add(time.Hour)})
		if a := register(t, s, token, app()); a.Status != 201 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		s.Clock.Advance(time.Hour)
		refused(t, token, "expired")
	})
	t.Run("limits of scopes and grant types", func(t *testing.T) {
		token := initial(t, s, storage.InitialToken{Uses: -1, Scopes: []string{"openid", "email"}, GrantTypes: []string{"authorization_code"}})
		a := register(t, s, token, app())
		if a.Status != 201 || a.Text("scope") != "openid email" {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		r := &registered{t, s, a.JSON}
		for field, m := range map[string]metadata{
			"scope": {"scope": "openid groups"}, "grant_types": {"grant_types": []string{"authorization_code", "refresh_token"}},
			"grant_types: ": {"grant_types": []string{"authorization_code", "implicit"}},
		} {
			sent := app()
			maps.Copy(sent, m)
			if a := register(t, s, token, sent); a.Status != 400 || a.Error() != "invalid_client_metadata" || !strings.Contains(a.Text("error_description"), field) {
				t.Errorf("%v: %d %s", m, a.Status, a.Body)
			}
			if a := r.update(m); a.Status != 400 || !strings.Contains(a.Text("error_description"), field) {
				t.Errorf("updated to %v: %d %s", m, a.Status, a.Body)
			}
		}
		if a := r.update(nil); a.Status != 200 || a.Text("scope") != "openid email" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("RFC 6749 4.4: a client that acts for itself", func(t *testing.T) {
		s := server(t, "open", func(c *providertest.Config) { c.Claims = orders(t) })
		job := metadata{"grant_types": []string{"client_credentials"}}
		refused := func(token string, m metadata, field string) {
			t.Helper()
			if a := register(t, s, token, m); a.Status != 400 || a.Error() != "invalid_client_metadata" || !strings.Contains(a.Text("error_description"), field) {
				t.Errorf("%v: %d %s", m, a.Status, a.Body)
			}
		}
		both := app("grant_types", []string{"authorization_code", "client_credentials"})
		refused("", job, "grant_types: has client_credentials") // nobody vouches for it, and nobody is asked
		refused("", both, "grant_types: has client_credentials")
		refused(initial(t, s, storage.InitialToken{Uses: 1}), job, "grant_types: has client_credentials")
		refused(initial(t, s, storage.InitialToken{Uses: 1, GrantTypes: []string{"authorization_code"}}), both, "grant_types: has client_credentials")

		token := initial(t, s, storage.InitialToken{Uses: -1, GrantTypes: []string{"client_credentials", "authorization_code"}, Scopes: []string{"orders.read", "openid"}})
		a := register(t, s, token, job)
		if a.Status != 201 || a.Text("scope") != "orders.read" || a.JSON["response_types"] != nil || a.Text("client_secret") == "" {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if a := register(t, s, token, metadata{"grant_types": []string{"client_credentials"}, "scope": "orders.burn"}); a.Status != 201 || a.JSON["scope"] != nil {
			t.Errorf("RFC 7591 2: an unknown scope is left out: %d %s", a.Status, a.Body)
		}
		refused(token, metadata{"grant_types": []string{"client_credentials"}, "scope": "openid"}, "scope: has openid")
		refused(token, metadata{"grant_types": []string{"client_credentials"}, "token_endpoint_auth_method": "none"}, "token_endpoint_auth_method")
		if a := register(t, s, token, both); a.Status != 201 || a.Text("scope") != "openid" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		unlimited := initial(t, s, storage.InitialToken{Uses: -1, GrantTypes: []string{"client_credentials", "authorization_code"}})
		refused(unlimited, app("grant_types", []string{"authorization_code", "client_credentials"}, "scope", "openid orders.read"), "scope: has orders.read")

		basic := s.Request(http.MethodPost, "/token", url.Values{"grant_type": {"client_credentials"}})
		basic.SetBasicAuth(a.Text("client_id"), a.Text("client_secret"))
		if got := s.Do(basic); got.Status != 200 || got.Text("scope") != "orders.read" {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		r := &registered{t, s, a.JSON}
		if a := r.update(metadata{"client_name": "A job"}); a.Status != 200 || a.Text("scope") != "orders.read" {
			t.Errorf("RFC 7592 2.2: %d %s", a.Status, a.Body)
		}
	})
	t.Run("under the policy open a token that is sent must be good", func(t *testing.T) {
		open := server(t, "open")
		if a := register(t, open, "nonsense", app()); a.Status != http.StatusUnauthorized {
			t.Errorf("%d", a.Status)
		}
		if a := register(t, open, initial(t, open, storage.InitialToken{Uses: 1, Scopes: []string{"openid"}}), app()); a.Text("scope") != "openid" {
			t.Errorf("%s", a.Body)
		}
	})
}

func TestPolicyAndDiscovery(t *testing.T) {
	t.Parallel()
	for policy, on := range map[string]bool{"": false, "off": false, "token": true, "open": true} {
		t.Run("policy "+policy, func(t *testing.T) {
			s := server(t, policy, func(c *providertest.Config) { c.Path = "/tenant" })
			want, status := "", http.StatusNotFound
			if on {
				want, status = s.Issuer+"/register", http.StatusUnauthorized
			}
			if got := s.Get("/.well-known/openid-configuration", "").Text("registration_endpoint"); got != want {
				t.Errorf("Discovery 3: registration_endpoint is %q", got)
			}
			if a := register(t, s, "nonsense", app()); a.Status != status {
				t.Errorf("POST: %d", a.Status)
			}
			if a := send(t, s, http.MethodGet, s.Issuer+"/register/x", "x", nil); a.Status != status {
				t.Errorf("GET: %d", a.Status)
			}
		})
	}
	if _, err := provider.New(provider.Options{Issuer: "https://id.example", Registration: provider.Registration{Policy: "sometimes"}}); err == nil {
		t.Error("any policy is taken")
	}
}

func TestPKCEOfRegisteredClients(t *testing.T) {
	t.Parallel()
	native := app("application_type", "native", "redirect_uris", []string{"http://127.0.0.1/cb"})
	for pkce, want := range map[string]string{"": storage.PKCEOptional, storage.PKCERequired: storage.PKCERequired} {
		s := server(t, "open", func(c *providertest.Config) { c.Registration.PKCE = pkce })
		for _, c := range []struct {
			what string
			sent metadata
			want string
		}{
			{"RFC 9700 2.1.1: confidential", app(), want},
			{"RFC 9700 2.1.1: public", app("token_endpoint_auth_method", "none"), storage.PKCERequired},
			{"RFC 8252 8.1: native", native, storage.PKCERequired},
		} {
			client, err := s.Store.Client(t.Context(), mustRegister(t, s, c.sent).text("client_id"))
			if err != nil || client.PKCE != c.want {
				t.Errorf("registration_pkce %q, %s: %q, %v", pkce, c.what, client.PKCE, err)
			}
		}
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	s := server(t, "open")
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodGet} {
		r, err := http.NewRequest(http.MethodOptions, s.Issuer+"/register/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", "https://page.example")
		r.Header.Set("Access-Control-Request-Method", method)
		r.Header.Set("Access-Control-Request-Headers", "authorization,content-type")
		a := s.Do(r)
		if a.Header.Get("Access-Control-Allow-Origin") != "*" || a.Header.Get("Access-Control-Allow-Methods") != method || a.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d %v", method, a.Status, a.Header)
		}
	}
	r, err := http.NewRequest(http.MethodPost, s.Issuer+"/register", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", "https://page.example")
	if a := s.Do(r); a.Status < 400 || a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("an error: %d %v", a.Status, a.Header)
	}
	if a := send(t, s, http.MethodGet, s.Issuer+"/register", "", nil); a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", a.Status, a.Header)
	}
}

func limited(c *providertest.Config) { c.Rates = &limit.Default }

func TestRegistrationsOfOneAddressAreBounded(t *testing.T) {
	t.Parallel()
	s := server(t, "open", limited)
	for n := range 60 {
		if a := register(t, s, "", "{}"); a.Status != http.StatusBadRequest {
			t.Fatalf("request %d: %d", n, a.Status)
		}
	}
	a := register(t, s, "", app())
	if a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" || a.Error() != "temporarily_unavailable" {
		t.Errorf("RFC 6585 4: %d %s", a.Status, a.Body)
	}
	s.Clock.Advance(time.Second)
	if a := register(t, s, "", app()); a.Status != http.StatusCreated {
		t.Errorf("a second later: %d", a.Status)
	}
}

func TestSectorIdentifierURI(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"/good":     `["https://a.example/cb","https://b.example/cb","https://c.example/cb"]`,
		"/other":    `["https://a.example/cb"]`,
		"/object":   `{"uris":["https://a.example/cb","https://b.example/cb"]}`,
		"/numbers":  `[1,2]`,
		"/nothing":  ``,
		"/prefixed": `["https://a.example/cb/","https://b.example/cb/"]`,
	}
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/redirected" {
			http.Redirect(w, r, "/good", http.StatusFound)
			return
		}
		body, ok := answers[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, body)
	}))
	t.Cleanup(site.Close)
	fetching := func(o fetch.Options) func(*providertest.Config) {
		o.Timeout = time.Minute
		return func(c *providertest.Config) { c.Fetch = fetch.New(o) }
	}
	pool := site.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	allowed := server(t, "open", fetching(fetch.Options{CA: pool, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}))
	guarded := server(t, "open", fetching(fetch.Options{CA: pool}))
	sent := func(path string) metadata {
		return app("subject_type", "pairwise", "sector_identifier_uri", site.URL+path, "redirect_uris", []string{"https://a.example/cb", "https://b.example/cb"})
	}
	for path := range answers {
		t.Run("Registration 5: "+path, func(t *testing.T) {
			a := register(t, allowed, "", sent(path))
			if path == "/good" {
				if a.Status != http.StatusCreated || a.Text("sector_identifier_uri") != site.URL+path {
					t.Errorf("%d %s", a.Status, a.Body)
				}
				return
			}
			if a.Status != 400 || a.Error() != "invalid_client_metadata" || !strings.Contains(a.Text("error_description"), "sector_identifier_uri") {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	for name, s := range map[string]*providertest.Server{"a redirect": allowed, "a missing page": allowed, "a private address": guarded} {
		t.Run("Registration 5: "+name, func(t *testing.T) {
			path := map[string]string{"a redirect": "/redirected", "a missing page": "/missing"}[name]
			if path == "" {
				path = "/good"
			}
			before := count(t, s)
			if a := register(t, s, "", sent(path)); a.Status != 400 || a.Error() != "invalid_client_metadata" || strings.Contains(a.Body, "127.0.0.1") {
				t.Errorf("%d %s", a.Status, a.Body)
			}
			if count(t, s) != before {
				t.Error("a client was stored")
			}
		})
	}
	t.Run("Registration 5: an update is held to it as well", func(t *testing.T) {
		r := mustRegister(t, allowed, sent("/good"))
		if a := r.update(metadata{"redirect_uris": []string{"https://a.example/cb", "https://d.example/cb"}}); a.Status != 400 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if a := r.update(metadata{"redirect_uris": []string{"https://c.example/cb"}}); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}

// Registration 2: what can be registered of encrypted request objects is what the operator turned on.
func TestEncryptedRequestObjects(t *testing.T) {
	t.Parallel()
	const alg, enc = "request_object_encryption_alg", "request_object_encryption_enc"
	on := server(t, "open", func(c *providertest.Config) { c.Keys.Encryption = []string{"RSA-OAEP-256", "ECDH-ES"} })
	off := server(t, "open")
	for name, row := range map[string]struct {
		s    *providertest.Server
		sent metadata
		said string // of a refusal
	}{
		"Registration 2: alg alone":                    {on, app(alg, "ECDH-ES"), ""},
		"Registration 2: alg and enc":                  {on, app(alg, "RSA-OAEP-256", enc, "A256GCM"), ""},
		"Registration 2: enc MUST NOT stand alone":     {on, app(enc, "A256GCM"), enc + ": is set without " + alg},
		"an alg that is off":                           {on, app(alg, "ECDH-ES+A128KW"), alg + ": a value is not possible here; use RSA-OAEP-256 or ECDH-ES"},
		"RFC 8725 3.2: RSA1_5":                         {on, app(alg, "RSA1_5"), alg},
		"Core 10.2: a key made of the client's secret": {on, app(alg, "dir"), alg},
		"an enc that there is not":                     {on, app(alg, "ECDH-ES", enc, "A192GCM"), enc},
		"all off":                                      {off, app(alg, "ECDH-ES"), alg + ": is not possible here: encrypted_request_objects is off"},
		"all off, and left out":                        {off, app(alg, ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := row.s.With(t)
			a := register(t, s, "", row.sent)
			if row.said != "" {
				if a.Status != http.StatusBadRequest || a.Error() != "invalid_client_metadata" || !strings.Contains(a.Text("error_description"), row.said) {
					t.Errorf("%d %s, want %s", a.Status, a.Body, row.said)
				}
				return
			}
			if a.Status != http.StatusCreated {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			r := &registered{t, s, a.JSON}
			for _, name := range []string{alg, enc} {
				want, _ := row.sent[name].(string)
				if got := r.call(http.MethodGet, nil); r.text(name) != want || got.Text(name) != want {
					t.Errorf("RFC 7592 3: %s is %q, and read again %q; want %q", name, r.text(name), got.Text(name), want)
				}
			}
		})
	}
}

// An update is a row and perhaps a fetch, so it counts like a registration.
func TestUpdatesOfOneAddressAreBounded(t *testing.T) {
	t.Parallel()
	s := server(t, "open", limited)
	r := mustRegister(t, s, app())
	for n := range 59 {
		if a := r.update(nil); a.Status != http.StatusOK {
			t.Fatalf("update %d: %d %s", n, a.Status, a.Body)
		}
	}
	if a := r.update(nil); a.Status != http.StatusTooManyRequests {
		t.Errorf("RFC 6585 4: %d %s", a.Status, a.Body)
	}
}
