package discovery_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"signet/keys"
	"signet/keys/keystest"
	"signet/provider/discovery"
	"signet/storage"
)

var update = flag.Bool("update", false, "write the golden file anew")

const issuer = "https://id.example.com/tenant"

func open(t testing.TB, issuer string, k discovery.Keys) *discovery.Discovery {
	t.Helper()
	d, err := discovery.New(discovery.Options{Issuer: issuer, Keys: k})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func get(h http.HandlerFunc, method string, ifNoneMatch ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", nil)
	r.Header["If-None-Match"] = ifNoneMatch
	w := httptest.NewRecorder()
	h(w, r)
	return w
}

func TestMetadataIsTheGoldenFile(t *testing.T) {
	t.Parallel()
	d := open(t, issuer, keystest.New(t, keys.Options{Algs: []string{"ES256", "RS256", "EdDSA"}}))
	body := get(d.Metadata, http.MethodGet).Body.Bytes()
	const golden = "testdata/openid-configuration.json"
	if *update {
		var indented bytes.Buffer
		if err := json.Indent(&indented, body, "", "  "); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, indented.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var got, want map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the metadata changed (-golden +served); if that is meant, run with -update:\n%s", diff)
	}
}

func TestMetadataHoldsWhatClientsNeed(t *testing.T) {
	t.Parallel()
	body := get(open(t, issuer, keystest.New(t, keys.Options{})).Metadata, http.MethodGet).Body.Bytes()
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		clause, member string
		want           any
	}{
		{"Discovery 3: RS256 MUST be included, and comes first", "id_token_signing_alg_values_supported", []any{"RS256", "PS256", "ES256", "EdDSA"}},
		{"Discovery 3: response_types_supported REQUIRED", "response_types_supported", []any{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}},
		{"Discovery 3: subject_types_supported REQUIRED", "subject_types_supported", []any{"public", "pairwise"}},
		{"Discovery 3: request_uri_parameter_supported", "request_uri_parameter_supported", true},
		{"Discovery 3: require_request_uri_registration defaults to false", "require_request_uri_registration", true},
		{"RFC 8414 2: code_challenge_methods_supported", "code_challenge_methods_supported", []any{"S256"}},
		{"RFC 9207 3: iss parameter", "authorization_response_iss_parameter_supported", true},
		{"RP-Initiated Logout 2.1: end_session_endpoint", "end_session_endpoint", issuer + "/logout"},
	} {
		if diff := cmp.Diff(c.want, m[c.member]); diff != "" {
			t.Errorf("%s:\n%s", c.clause, diff)
		}
	}
	t.Run("RFC 8414 2: scopes_supported has openid and offline_access", func(t *testing.T) {
		scopes := m["scopes_supported"].([]any)
		if !slices.Contains(scopes, any("openid")) || !slices.Contains(scopes, any("offline_access")) {
			t.Error(scopes)
		}
	})
	t.Run("RFC 7662 2.1: introspection needs a secret", func(t *testing.T) {
		if slices.Contains(m["introspection_endpoint_auth_methods_supported"].([]any), any("none")) {
			t.Error("none is advertised")
		}
	})
	t.Run("none and HMAC are never advertised", func(t *testing.T) {
		for _, alg := range m["id_token_signing_alg_values_supported"].([]any) {
			if alg == "none" || strings.HasPrefix(alg.(string), "HS") {
				t.Error(alg)
			}
		}
	})
}

// Only what is on is named: an algorithm that is off is not there, RS256 included.
func TestMetadataNamesNoAlgorithmThatIsOff(t *testing.T) {
	t.Parallel()
	d := open(t, issuer, keystest.New(t, keys.Options{Algs: []string{"ES256"}}))
	var m discovery.Metadata
	if err := json.Unmarshal(get(d.Metadata, http.MethodGet).Body.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.IDTokenSigningAlgValuesSupported, []string{"ES256"}) {
		t.Error(m.IDTokenSigningAlgValuesSupported)
	}
}

func TestIssuer(t *testing.T) {
	t.Parallel()
	k := keystest.New(t, keys.Options{Algs: []string{"ES256"}})
	for _, c := range []struct{ name, issuer, token, openid, oauth string }{
		{"a host", "https://id.example.com", "https://id.example.com/token",
			"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"},
		{"Discovery 4.1: a trailing slash stays in issuer and goes before the path", "https://id.example.com/", "https://id.example.com/token",
			"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"},
		{"RFC 8414 3.1: a path comes last at the host's root", "https://id.example.com/a/b", "https://id.example.com/a/b/token",
			"/a/b/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/a/b"},
		{"RFC 8414 3.1: any terminating / is removed", "https://id.example.com/a/", "https://id.example.com/a/token",
			"/a/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/a"},
		{"a port, mixed case, and a character that HTML escapes", "http://LocalHost:8080/a&b", "http://LocalHost:8080/a&b/token",
			"/a&b/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/a&b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := get(open(t, c.issuer, k).Metadata, http.MethodGet).Body.String()
			if !strings.HasPrefix(body, `{"issuer":"`+c.issuer+`",`) {
				t.Errorf("the issuer's bytes changed: %.80s", body)
			}
			if !strings.Contains(body, `"token_endpoint":"`+c.token+`"`) {
				t.Errorf("no token_endpoint %s", c.token)
			}
			openid, oauth, err := discovery.Locations(c.issuer)
			if err != nil || openid != c.openid || oauth != c.oauth {
				t.Error(openid, oauth, err)
			}
		})
	}
	if _, _, err := discovery.Locations("https://id.example.com/%zz"); err == nil {
		t.Error("a malformed issuer has locations")
	}
}

func TestServing(t *testing.T) {
	t.Parallel()
	d := open(t, issuer, keystest.New(t, keys.Options{Algs: []string{"ES256"}}))
	for name, h := range map[string]http.HandlerFunc{"metadata": d.Metadata, "JWKS": d.JWKS} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := get(h, http.MethodGet)
			etag := first.Header().Get("ETag")
			if first.Code != 200 || !json.Valid(first.Body.Bytes()) || first.Header().Get("Content-Type") != "application/json" {
				t.Fatal(first.Code, first.Header(), first.Body)
			}
			if got := first.Header().Get("Cache-Control"); got != "public, max-age=900" {
				t.Error("Cache-Control:", got)
			}
			if len(etag) < 10 || etag[0] != '"' {
				t.Error("no strong ETag:", etag)
			}
			for _, c := range []struct {
				clause string
				method string
				sent   []string
				status int
				empty  bool
			}{
				{"RFC 9110 9.3.2: HEAD has no content", "HEAD", nil, 200, true},
				{"RFC 9110 13.1.2: the same tag", "GET", []string{etag}, 304, true},
				{"RFC 9110 13.1.2: the same tag, HEAD", "HEAD", []string{etag}, 304, true},
				{"RFC 9110 13.1.2: weak comparison", "GET", []string{"W/" + etag}, 304, true},
				{"RFC 9110 13.1.2: one of a list", "GET", []string{`"x", ` + etag}, 304, true},
				{"RFC 9110 5.3: one of several lines", "GET", []string{`"x"`, etag}, 304, true},
				{"RFC 9110 13.1.2: any", "GET", []string{"*"}, 304, true},
				{"another tag", "GET", []string{`"x"`}, 200, false},
				{"the tag without its quotes is another", "GET", []string{strings.Trim(etag, `"`)}, 200, false},
				{"POST is refused", "POST", nil, 405, false},
			} {
				w := get(h, c.method, c.sent...)
				if w.Code != c.status || (w.Body.Len() == 0) != c.empty {
					t.Errorf("%s: %d, %d bytes", c.clause, w.Code, w.Body.Len())
				}
				if c.status != 405 && w.Header().Get("ETag") != etag {
					t.Errorf("%s: ETag %s", c.clause, w.Header().Get("ETag"))
				}
				if c.status == 405 && w.Header().Get("Allow") != "GET, HEAD" {
					t.Errorf("%s: Allow %s", c.clause, w.Header().Get("Allow"))
				}
			}
			if head := get(h, "HEAD"); head.Header().Get("Content-Length") != first.Header().Get("Content-Length") {
				t.Error("HEAD and GET differ in Content-Length")
			}
		})
	}
}

func TestJWKSFollowsTheKeys(t *testing.T) {
	t.Parallel()
	k := keystest.New(t, keys.Options{Algs: []string{"ES256"}})
	d := open(t, issuer, k)
	before := get(d.JWKS, http.MethodGet)
	if _, err := k.Rotate(t.Context(), keys.RotateOptions{Now: true, Force: true}, storage.Change{}); err != nil {
		t.Fatal(err)
	}
	after := get(d.JWKS, http.MethodGet, before.Header().Get("ETag"))
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(after.Body.Bytes(), &set); err != nil || after.Code != 200 {
		t.Fatal(after.Code, err)
	}
	if len(set.Keys) != 3 { // active, next, and the one that just retired
		t.Errorf("%d keys are published", len(set.Keys))
	}
	for _, key := range set.Keys {
		if !key.IsPublic() || !key.Valid() || key.Use != "sig" || key.Algorithm != "ES256" || key.KeyID == "" {
			t.Errorf("%+v", key)
		}
	}
}

func BenchmarkJWKS(b *testing.B) {
	d := open(b, issuer, keystest.New(b, keys.Options{}))
	r := httptest.NewRequest(http.MethodGet, "/jwks", nil)
	w := discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		d.JWKS(w, r)
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}
