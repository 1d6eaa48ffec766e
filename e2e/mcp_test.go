package e2e

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"testing"
	"time"

	"signet/fetch"
	"signet/provider"
	"signet/provider/providertest"
	"signet/provider/register"
	"signet/storage"
)

// mcpSDK is the folder into which the client SDK of the Model Context Protocol was installed; the test says how.
const mcpSDK = "TEST_MCP_SDK"

// TestMCP: an agent goes from nothing to a token with the protocol's own client SDK: RFC 9728, RFC 8414, a metadata document or RFC 7591, PKCE,
// RFC 8707, refresh.
func TestMCP(t *testing.T) {
	t.Parallel()
	sdk := os.Getenv(mcpSDK)
	if sdk == "unavailable" {
		t.Skip("the SDK could not be installed")
	}
	if sdk == "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not set", mcpSDK)
		}
		t.Skipf("%s is not set; npm install --prefix DIR @modelcontextprotocol/sdk, and set it to DIR", mcpSDK)
	}
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	const redirect = "http://127.0.0.1:50123/callback"

	var at string
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"client_id": at, "client_name": "Agent", "redirect_uris": []string{"http://127.0.0.1/callback"}, "token_endpoint_auth_method": "none",
			"grant_types": []string{"authorization_code", "refresh_token"},
		})
	}))
	t.Cleanup(site.Close)
	at = site.URL + "/oauth/client.json"
	pool := x509.NewCertPool()
	pool.AddCert(site.Certificate())
	s := providertest.New(t, func(c *providertest.Config) {
		c.Real = true
		c.Documents = provider.Documents{On: true, Addresses: loopback}
		c.Fetch = fetch.New(fetch.Options{Allow: loopback, CA: pool})
		c.Registration.Policy = register.Open
	})
	s.User("alice")

	var api *httptest.Server
	api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/oauth-protected-resource/mcp" {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]any{"resource": api.URL + "/mcp", "authorization_servers": []string{s.Issuer}, "scopes_supported": []string{"notes:read"}})
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(api.Close)
	_, err := s.Store.SaveResource(t.Context(), storage.Resource{
		ID: api.URL + "/mcp", Name: "Notes", Origin: storage.OriginOperator, Scopes: []storage.Scope{{Name: "notes:read", Text: "Read your notes"}}, Open: true,
		Format: storage.FormatJWT, Alg: "ES256", Typ: "at+jwt", Lifetime: 10 * time.Minute,
	}, storage.Change{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}

	for name, document := range map[string]string{"by its metadata document": at, "by registration": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s.With(t)
			agent := exec.CommandContext(t.Context(), "node", "testdata/mcp.mjs", sdk, api.URL+"/mcp", redirect)
			if document != "" {
				agent.Args = append(agent.Args, document)
			}
			agent.Stderr = os.Stderr
			in, err := agent.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := agent.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := agent.Start(); err != nil {
				t.Fatal(err)
			}
			said := bufio.NewScanner(out)
			next := func() (m map[string]any) {
				t.Helper()
				if !said.Scan() || json.Unmarshal(said.Bytes(), &m) != nil {
					t.Fatalf("the agent says %q", said.Text())
				}
				return m
			}
			open, err := url.Parse(next()["open"].(string))
			if err != nil || open.Query().Get("resource") != api.URL+"/mcp" || open.Query().Get("code_challenge_method") != "S256" {
				t.Fatalf("%v %v", open, err)
			}
			r, err := http.NewRequest(http.MethodGet, open.String(), nil)
			if err != nil {
				t.Fatal(err)
			}
			o := s.Browser("alice").Send(r)
			if o.Params.Get("code") == "" {
				t.Fatalf("%v %s", o.Params, providertest.Text(o.Page.Body))
			}
			fmt.Fprintf(in, `{"code":%q,"iss":%q}`+"\n", o.Params.Get("code"), o.Params.Get("iss"))
			first, second := next(), next()
			if document != "" && first["client"] != document {
				t.Errorf("the client is %v", first["client"])
			}
			for _, tokens := range []map[string]any{first, second} {
				claims := s.Verify(tokens["access_token"].(string)).Claims
				if claims["aud"] != api.URL+"/mcp" || claims["client_id"] != first["client"] || claims["iss"] != s.Issuer || claims["scope"] == "" {
					t.Errorf("%v", claims)
				}
			}
			if first["refresh_token"] == second["refresh_token"] || second["refresh_token"] == nil {
				t.Error("RFC 9700 2.2.2: the refresh token of a public client is rotated")
			}
			if err := agent.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}
