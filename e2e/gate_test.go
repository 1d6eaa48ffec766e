package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/resources"
	"signet/storage"
)

// The resource that the gate protects.
const gatedAPI = "https://api.example.com/v1"

// gated is an API behind a real proxy, which asks a real gate, which knows a provider.
type gated struct {
	*providertest.Server
	t      *testing.T
	url    string // of the proxy
	web    storage.Client
	secret string
	client *http.Client // without cookies; follows no redirect
}

func TestGateBehindNginx(t *testing.T) {
	t.Parallel()
	path := installed(t, "nginx")
	behindProxy(t, func(dir, port, gate, api string) *exec.Cmd {
		server := proxyExample(t, "nginx", map[string]string{
			"listen 443 ssl;": "listen 127.0.0.1:" + port + ";", "127.0.0.1:9090": gate, "127.0.0.1:3000": api,
		})
		// Everything that nginx drops by itself shall reach the gate.
		config := fmt.Sprintf(`user root;
daemon off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log stderr;
events {}
http {
	access_log off;
	underscores_in_headers on;
	ignore_invalid_headers off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
%[2]s}
`, dir, server)
		file := filepath.Join(dir, "nginx.conf")
		check(t, os.WriteFile(file, []byte(config), 0o600))
		return exec.Command(path, "-p", dir, "-c", file, "-e", "stderr")
	})
}

func TestGateBehindCaddy(t *testing.T) {
	t.Parallel()
	path := installed(t, "caddy")
	behindProxy(t, func(dir, port, gate, api string) *exec.Cmd {
		site := proxyExample(t, "caddyfile", map[string]string{
			"api.example.com {": "http://127.0.0.1:" + port + " {", "127.0.0.1:9090": gate, "127.0.0.1:3000": api,
		})
		file := filepath.Join(dir, "Caddyfile")
		check(t, os.WriteFile(file, []byte("{\n\tadmin off\n\tauto_https off\n}\n"+site), 0o600))
		cmd := exec.Command(path, "run", "--adapter", "caddyfile", "--config", file)
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
		return cmd
	})
}

// installed finds a proxy, or skips the test.
func installed(t *testing.T, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed: apt-get install %s", name, name)
	panic("unreachable")
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// proxyExample is a proxy's configuration as docs/gate.md has it, but for the addresses.
func proxyExample(t *testing.T, language string, addresses map[string]string) string {
	t.Helper()
	page, err := os.ReadFile("../docs/gate.md")
	check(t, err)
	_, code, _ := strings.Cut(string(page), "```"+language+"\n")
	code, _, found := strings.Cut(code, "```")
	for old, new := range addresses {
		if !strings.Contains(code, old) {
			found = false
		}
		code = strings.ReplaceAll(code, old, new)
	}
	if !found {
		t.Fatalf("docs/gate.md has no %s, or not one with %v", language, addresses)
	}
	return code
}

// behindProxy looks at an API behind a proxy, which command starts.
func behindProxy(t *testing.T, command func(dir, port, gate, api string) *exec.Cmd) {
	dir, port, gatePort := t.TempDir(), freePort(t), freePort(t)
	s := providertest.New(t, func(c *providertest.Config) { c.Real = true })
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(r.Header)
	}))
	t.Cleanup(api.Close)
	g := &gated{Server: s, t: t, url: "http://127.0.0.1:" + port, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	g.register(dir, gatePort)
	start(t, dir, dir, "gate", "--config", filepath.Join(dir, "gate.yaml")).await(regexp.MustCompile(`"msg":"ready"`))
	runProxy(t, command(dir, port, "127.0.0.1:"+gatePort, api.Listener.Addr().String()), "127.0.0.1:"+port)

	t.Run("a revoked token", g.revoked)
	t.Run("JWT", func(t *testing.T) { g.tokens(t, "") })
	t.Run("answers", g.answers)
	t.Run("smuggling", g.smuggling)
	t.Run("paths", g.paths)
	t.Run("metadata", g.metadata)
	t.Run("a browser", g.browser)
	g.resource(storage.FormatOpaque)
	t.Run("opaque", func(t *testing.T) { g.tokens(t, "sg_at_") })
}

// runProxy starts a proxy, which ends with the test.
func runProxy(t *testing.T, cmd *exec.Cmd, address string) {
	t.Helper()
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	check(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("%s printed\n%s", cmd.Path, printed.String())
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v\n%s", cmd.Path, err, printed.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen", cmd.Path)
		}
	}
}

// resource saves the API with a format of its tokens.
func (g *gated) resource(format string) {
	g.t.Helper()
	r := resources.Default("ES256", "at+jwt", 10*time.Minute, []string{"groups", "permissions"})
	r.ID, r.Name, r.Format, r.Open, r.Origin = gatedAPI, "The API", format, true, storage.OriginOperator
	r.Scopes = []storage.Scope{{Name: "orders:read"}, {Name: "orders:write"}}
	r.Permissions = []storage.Permission{{Name: "orders.edit", Groups: []string{"staff"}}}
	if before, err := g.Store.Resource(g.t.Context(), gatedAPI); err == nil {
		r.Revision = before.Revision
	}
	_, err := g.Store.SaveResource(g.t.Context(), r, storage.Change{Now: time.Now()})
	check(g.t, err)
}

// register makes the resource, a user, the clients and the gate's file.
func (g *gated) register(dir, port string) {
	g.t.Helper()
	g.resource(storage.FormatJWT)
	g.User("alice")
	g.web, g.secret = g.Client("web", "The gate", func(c *storage.Client) {
		c.RedirectURIs = []string{g.url + "/.gate/callback"}
		c.PostLogoutRedirectURIs = []string{g.url + "/"}
	})
	introspector, introspectorSecret := g.Client("service", "The API", func(c *storage.Client) { c.Resources = []string{gatedAPI} })
	check(g.t, os.WriteFile(filepath.Join(dir, "web.secret"), []byte(g.secret+"\n"), 0o600))
	check(g.t, os.WriteFile(filepath.Join(dir, "api.secret"), []byte(introspectorSecret+"\n"), 0o600))
	check(g.t, os.WriteFile(filepath.Join(dir, "gate.yaml"), fmt.Appendf(nil, `issuer: %s
resource: %s
origin: %s
listen: 127.0.0.1:%s
trusted_proxy: 127.0.0.1
introspection:
  client_id: %s
  client_secret_file: %s/api.secret
sign_in:
  client_id: %s
  client_secret_file: %s/web.secret
routes:
  - path: /public/*
    public: true
  - path: /orders
    methods: [GET]
    scopes: [orders:read]
  - path: /orders/{id}
    scopes: [orders:read]
    permissions: [orders.edit]
  - path: /admin/*
    permissions: [admin]
  - path: /app/*
    scopes: [orders:read]
    sign_in: true
  - path: /*
`, g.Issuer, gatedAPI, g.url, port, introspector.ID, dir, g.web.ID, dir), 0o600))
}

// token is an access token of alice for the API, or for the issuer where resource is "".
func (g *gated) token(t *testing.T, resource, scope string) string {
	t.Helper()
	s := g.Server.With(t)
	pairs := []string{"scope", scope}
	if resource != "" {
		pairs = append(pairs, "resource", resource)
	}
	a := s.Redeem(g.web, g.secret, s.Browser("alice").Code(g.web, pairs...))
	if a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return a.Text("access_token")
}

// said is what came back from the proxy. seen are the headers that the API saw; nil if it was not asked.
type said struct {
	*http.Response
	seen http.Header
	body string
}

func (g *gated) ask(t *testing.T, method, path string, header ...string) said {
	t.Helper()
	r, err := http.NewRequest(method, g.url, nil)
	check(t, err)
	r.URL.Opaque = path // as it is
	for i := 0; i+1 < len(header); i += 2 {
		r.Header[header[i]] = append(r.Header[header[i]], header[i+1]) // as it is
	}
	return g.do(t, g.client, r)
}

func (g *gated) do(t *testing.T, client *http.Client, r *http.Request) said {
	t.Helper()
	resp, err := client.Do(r)
	check(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	check(t, err)
	a := said{Response: resp, body: string(body)}
	if resp.StatusCode == 200 {
		_ = json.Unmarshal(body, &a.seen) // the gate's own answers are none
	}
	return a
}

func withToken(token string, more ...string) []string {
	return append([]string{"Authorization", "Bearer " + token}, more...)
}

// A token that was revoked before the gate first asked for the status list is refused.
func (g *gated) revoked(t *testing.T) {
	token := g.token(t, gatedAPI, "orders:read")
	if a := g.Server.With(t).Post("/revoke", g.web, g.secret, url.Values{"token": {token}}); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a := g.ask(t, "GET", "/orders", withToken(token)...); a.StatusCode != 401 || !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func (g *gated) tokens(t *testing.T, prefix string) {
	token := g.token(t, gatedAPI, "openid orders:read")
	if !strings.HasPrefix(token, prefix) {
		t.Fatalf("the token begins with %.10s", token)
	}
	a := g.ask(t, "GET", "/orders?a=b", withToken(token)...)
	if a.StatusCode != 200 || a.seen.Get("X-Auth-Subject") == "" || a.seen.Get("X-Auth-Client") != g.web.ID || a.seen.Get("X-Auth-Permissions") != "orders.edit" ||
		a.seen.Get("X-Auth-Groups") != "staff" || !strings.Contains(a.seen.Get("X-Auth-Scope"), "orders:read") || a.seen.Get("X-Auth-Email") != "" {
		t.Errorf("%d %s %v", a.StatusCode, a.body, a.Header)
	}
	for path, want := range map[string]int{"/orders/1": 200, "/admin/x": 403, "/anything": 200} {
		if a := g.ask(t, "PUT", path, withToken(token)...); a.StatusCode != want {
			t.Errorf("PUT %s: %d %s", path, a.StatusCode, a.body)
		}
	}
	other := g.token(t, "", "openid")
	if a := g.ask(t, "GET", "/orders", withToken(other)...); a.StatusCode != 401 || a.seen != nil {
		t.Errorf("RFC 8707 2: a token for another: %d %s", a.StatusCode, a.body)
	}
	narrow := g.token(t, gatedAPI, "orders:write")
	if a := g.ask(t, "GET", "/orders", withToken(narrow)...); a.StatusCode != 403 || !strings.Contains(a.Header.Get("WWW-Authenticate"), `scope="orders:read"`) {
		t.Errorf("RFC 6750 3.1: insufficient_scope: %d %v %s", a.StatusCode, a.Header, a.body)
	}
}

func (g *gated) answers(t *testing.T) {
	const metadata = `resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/v1"`
	if a := g.ask(t, "GET", "/orders"); a.StatusCode != 401 || a.Header.Get("WWW-Authenticate") != "Bearer "+metadata || len(a.Header.Values("WWW-Authenticate")) != 1 {
		t.Errorf("no token: %d %v", a.StatusCode, a.Header)
	}
	if a := g.ask(t, "GET", "/public/x"); a.StatusCode != 200 || a.seen.Get("X-Auth-Subject") != "" {
		t.Errorf("public: %d %v", a.StatusCode, a.seen)
	}
	if a := g.ask(t, "POST", "/orders"); a.StatusCode != 401 { // the last route, which asks for a token
		t.Errorf("another method: %d", a.StatusCode)
	}
	token := g.token(t, gatedAPI, "orders:read")
	for name, c := range map[string]struct {
		path   string
		header []string
		want   int
	}{
		"RFC 6750 2.3: a token in the query": {"/orders?access_token=" + token, nil, 400},
		"Authorization twice":                {"/orders", withToken(token, "Authorization", "Bearer "+token), 400},
		"another scheme":                     {"/orders", []string{"Authorization", "Basic YTpi"}, 401},
		"DPoP":                               {"/orders", []string{"Authorization", "DPoP " + token}, 401},
		"another host":                       {"/orders", withToken(token, "Host", "evil.example"), 200}, // Go sends its own
	} {
		if a := g.ask(t, "GET", c.path, c.header...); a.StatusCode != c.want {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	r, err := http.NewRequest("GET", g.url+"/orders", nil)
	check(t, err)
	r.Host = "evil.example"
	r.Header.Set("Authorization", "Bearer "+token)
	if a := g.do(t, g.client, r); a.seen != nil {
		t.Errorf("by another host: %d %s", a.StatusCode, a.body)
	}
}

// folded is a header's name as CGI makes a variable of it.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(name))
}

// Whatever a client sends, the API never reads it as what the gate said.
func (g *gated) smuggling(t *testing.T) {
	token := g.token(t, gatedAPI, "orders:read")
	for name, header := range map[string][]string{
		"as it is":                         {"X-Auth-Permissions", "admin"},
		"empty":                            {"X-Auth-Permissions", ""},
		"twice":                            {"X-Auth-Permissions", "admin", "X-Auth-Permissions", "admin"},
		"lower case":                       {"x-auth-permissions", "admin"},
		"mixed case":                       {"x-aUTH-permISSIONS", "admin"},
		"underscores":                      {"X_Auth_Permissions", "admin"},
		"one underscore":                   {"X-Auth_Permissions", "admin"},
		"dots":                             {"X.Auth.Permissions", "admin"},
		"another sign":                     {"X~Auth'Permissions", "admin"},
		"both spellings":                   {"X-Auth-Permissions", "admin", "X_AUTH_PERMISSIONS", "admin"},
		"one that has no value":            {"X-Auth-Email", "admin"},
		"the proxy's own words":            {"X-Forwarded-Uri", "/public/admin", "X-Forwarded-Method", "admin"},
		"the proxy's own words for nginx":  {"X-Original-Url", "/public/admin", "X-Original-Method", "admin"},
		"the proxy's words, otherwise":     {"X_Forwarded_Uri", "/public/admin", "X_Original_Url", "/public/admin"},
		"the host, twice":                  {"X-Forwarded-Host", "admin", "X_Forwarded_Host", "admin"},
		"a method that frameworks believe": {"X-Http-Method-Override", "admin"},
		"Connection asks to remove it":     {"Connection", "X-Auth-Permissions"},
		"Connection and a value":           {"Connection", "close, X-Auth-Subject", "X-Auth-Subject", "admin"},
		"Connection removes the proxy's":   {"Connection", "X-Forwarded-Uri, X-Original-Url, Authorization"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/orders", "/public/x", "/admin/x"} {
				a := g.ask(t, "GET", path, withToken(token, header...)...)
				if path == "/admin/x" && a.StatusCode == 200 {
					t.Fatalf("%s passes", path)
				}
				for seen, values := range a.seen {
					if strings.HasPrefix(folded(seen), "X_AUTH_") && strings.Contains(strings.Join(values, ","), "admin") {
						t.Errorf("%s: the API sees %s: %q", path, seen, values)
					}
					if strings.Contains(folded(seen), "ORIGINAL") || strings.Contains(folded(seen), "OVERRIDE") {
						t.Errorf("%s: the API sees %s: %q", path, seen, values)
					}
				}
			}
		})
	}
}

// What another server could read as a path with a lesser route is none.
func (g *gated) paths(t *testing.T) {
	for _, path := range []string{
		"/public/../admin/x", "/public/..%2fadmin/x", "/public/%2e%2e/admin/x", "/public//../../admin/x", "/public/..;/admin/x", "/public/%5c..%5cadmin", `/public\..\admin`,
		"/PUBLIC/x", "/public%2fx", "//public/x", "/./public/x", "/public;x/../admin", "/public/%252e%252e/admin/x", "/.gate/../admin/x", "/.gate/..%2fadmin/x",
		"/.well-known/oauth-protected-resource/../../admin/x", "/public/%00", "/check", "/check/nginx", "/check/envoy/public/x", "/gate-check",
	} {
		if a := g.ask(t, "GET", path); a.seen != nil || a.StatusCode == 200 && a.body != "" { // Caddy says that much of a host that it does not know
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
}

func (g *gated) metadata(t *testing.T) {
	a := g.ask(t, "GET", "/.well-known/oauth-protected-resource/v1")
	var m struct {
		Resource string
		Servers  []string `json:"authorization_servers"`
	}
	if err := json.Unmarshal([]byte(a.body), &m); err != nil || m.Resource != gatedAPI || len(m.Servers) != 1 || m.Servers[0] != g.Issuer {
		t.Errorf("RFC 9728 3.2: %d %s", a.StatusCode, a.body)
	}
}

// A browser opens a page, signs in, comes back to it, and signs out.
func (g *gated) browser(t *testing.T) {
	jar, err := cookiejar.New(nil)
	check(t, err)
	here := &http.Client{Jar: jar, CheckRedirect: g.client.CheckRedirect}
	open := func(address string, header ...string) said {
		t.Helper()
		r, err := http.NewRequest("GET", address, nil)
		check(t, err)
		r.Header.Set("Accept", "text/html")
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return g.do(t, here, r)
	}
	a := open(g.url + "/app/page?x=y")
	if a.StatusCode != 302 || !strings.HasPrefix(a.Header.Get("Location"), g.Issuer+"/authorize?") {
		t.Fatalf("%d %v %s", a.StatusCode, a.Header, a.body)
	}
	r, err := http.NewRequest("GET", a.Header.Get("Location"), nil)
	check(t, err)
	there := g.Server.With(t).Browser("alice")
	back := there.Send(r)
	if back.Params.Get("code") == "" {
		t.Fatalf("%s %s", back.Callback, providertest.Text(back.Page.Body))
	}
	a = open(back.Callback)
	if a.StatusCode != 303 || a.Header.Get("Location") != g.url+"/app/page?x=y" {
		t.Fatalf("%d %v %s", a.StatusCode, a.Header, a.body)
	}
	a = open(a.Header.Get("Location"))
	if a.StatusCode != 200 || a.seen.Get("X-Auth-Email") != "alice@example.com" || !strings.Contains(a.seen.Get("X-Auth-Scope"), "orders:read") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if a := open(g.url+"/app/page", "X-Auth-Email", "admin@example.com"); a.seen != nil {
		t.Errorf("smuggling beside a session: %s", a.body)
	}
	if a := open(g.url + "/orders"); a.StatusCode != 401 {
		t.Errorf("a session where none is taken: %d", a.StatusCode)
	}
	a = open(g.url + "/.gate/logout")
	if a.StatusCode != 303 || !strings.HasPrefix(a.Header.Get("Location"), g.Issuer+"/") {
		t.Fatalf("%d %v", a.StatusCode, a.Header)
	}
	r, err = http.NewRequest("GET", a.Header.Get("Location"), nil)
	check(t, err)
	if out := there.Send(r); out.Callback != g.url+"/" {
		t.Errorf("signed out, and at %q %s", out.Callback, providertest.Text(out.Page.Body))
	}
	if a := open(g.url + "/app/page"); a.StatusCode != 302 {
		t.Errorf("signed out: %d", a.StatusCode)
	}
}
