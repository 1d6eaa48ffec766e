package gate

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Header smuggling: whatever spelling a server behind could take for a header of ours.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("")
	for name, header := range map[string][]string{
		"as it is":                              {"X-Auth-Subject", "admin"},
		"empty":                                 {"X-Auth-Subject", ""},
		"twice":                                 {"X-Auth-Subject", "a", "X-Auth-Subject", "b"},
		"lower case":                            {"x-auth-subject", "admin"},
		"mixed case":                            {"x-AUTH-sUbJect", "admin"},
		"RFC 3875 4.1.18: underscores":          {"X_Auth_Subject", "admin"},
		"one underscore":                        {"X-Auth_Subject", "admin"},
		"dots":                                  {"X.Auth.Subject", "admin"},
		"tildes":                                {"X~Auth~Subject", "admin"},
		"another sign":                          {"X!auth'subject", "admin"},
		"two spellings":                         {"X-Auth-Roles", "a", "X_Auth_Roles", "b"},
		"the last of the list":                  {"X-Auth-Email", "a@example.com"},
		"RFC 9110 7.6.1: Connection removes it": {"Connection", "close, x-auth-subject"},
		"Connection, underscores":               {"Connection", "X_Auth_Roles"},
		"another method":                        {"X-Http-Method-Override", "DELETE"},
		"another method, underscores":           {"X_HTTP_Method_Override", "DELETE"},
		"another path":                          {"X-Rewrite-Url", "/admin/x"},
		"another path, IIS":                     {"X-Original-Url", "/admin/x"},
		"the proxy's word, underscores":         {"X_Forwarded_Uri", "/health"},
		"the proxy's word, dots":                {"X.Forwarded.Method", "GET"},
	} {
		for _, target := range []string{"/mine", "/health"} {
			t.Run(name+" at "+target, func(t *testing.T) {
				status, code, _ := refusal(t, ask(g, target, append(header, bearer(s.token())...)...))
				if status != 400 || code != "invalid_request" {
					t.Errorf("%d %s", status, code)
				}
			})
		}
	}
	t.Run("a trailer", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodGet, ForwardedPath, nil)
		r.Trailer = http.Header{"X_auth_subject": nil}
		if a := do(g, r); a.StatusCode != 400 {
			t.Errorf("%d", a.StatusCode)
		}
	})
	t.Run("others pass", func(t *testing.T) {
		if a := ask(g, "/mine", append(bearer(s.token()), "X-Auth", "x", "X-Authsubject", "x", "X-Auth-Subjects", "x", "Connection", "keep-alive")...); a.StatusCode != 200 {
			t.Errorf("%d", a.StatusCode)
		}
	})
}

// Every name is set on every answer that lets a request pass, so the proxy has something to overwrite with.
func TestHeaders(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("")
	token := s.token("roles", []any{"a,admin", "b c", "ü", "100%", "x\r\nX-Auth-Email: y", 7, true, nil}, "groups", []string{}, "email", "a@example.com", "scope", "orders:read  x")
	for _, c := range []struct {
		target string
		header []string
		want   map[string]string
	}{
		{"/health", nil, map[string]string{}},
		{"/mine", bearer(token), map[string]string{
			"X-Auth-Subject": "u1", "X-Auth-Client": "app", "X-Auth-Scope": "orders:read x", "X-Auth-Permissions": "orders.list",
			"X-Auth-Roles": "a%2Cadmin,b%20c,%C3%BC,100%25,x%0D%0AX-Auth-Email:%20y,7,true",
		}},
	} {
		a := ask(g, c.target, c.header...)
		if a.StatusCode != 200 {
			t.Fatal(a.StatusCode)
		}
		for _, h := range Default().Headers {
			if v := a.Header.Values(h.Name); len(v) != 1 || v[0] != c.want[h.Name] {
				t.Errorf("%s: %s is %q, want %q", c.target, h.Name, v, c.want[h.Name])
			}
		}
	}
	g = s.gate("headers:\n  remote-user: sub\n  X-Sees: auth\n" + signInYAML + routes)
	a := ask(g, "/mine", append(bearer(s.token("auth", map[string]any{"a": 1})), "X-Auth-Subject", "x")...)
	if a.StatusCode != 200 || a.Header.Get("Remote-User") != "u1" || len(a.Header.Values("X-Sees")) != 1 || a.Header.Values("X-Auth-Subject") != nil {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
	if a := ask(g, "/mine", append(bearer(s.token()), "Remote_user", "x")...); a.StatusCode != 400 {
		t.Errorf("%d", a.StatusCode)
	}
}

// What the proxy says is needed whole, once, and from the proxy.
func TestOriginal(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("")
	type headers map[string][]string
	forward := func(change func(h headers)) *http.Request {
		h := headers{"X-Forwarded-Method": {"GET"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"api.example"}, "X-Forwarded-Uri": {"/health"}}
		change(h)
		r := httptest.NewRequest(http.MethodGet, ForwardedPath, nil)
		r.Header = http.Header(h)
		return r
	}
	nginx := func(path, method, address string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header["X-Original-Method"], r.Header["X-Original-Url"] = []string{method}, []string{address}
		return r
	}
	envoy := func(method, target, host string) *http.Request {
		r := httptest.NewRequest(method, EnvoyPath+target, nil)
		r.Host = host
		r.Header.Set("X-Forwarded-Proto", "https")
		return r
	}
	for name, c := range map[string]struct {
		r    *http.Request
		want int
	}{
		"Caddy, Traefik":          {forward(func(headers) {}), 200},
		"with a query":            {forward(func(h headers) { h["X-Forwarded-Uri"] = []string{"/health?a=b,c"} }), 200},
		"a host in capitals":      {forward(func(h headers) { h["X-Forwarded-Host"] = []string{"API.example"} }), 200},
		"the scheme's own port":   {forward(func(h headers) { h["X-Forwarded-Host"] = []string{"api.example:443"} }), 200},
		"no method":               {forward(func(h headers) { delete(h, "X-Forwarded-Method") }), 400},
		"no path":                 {forward(func(h headers) { delete(h, "X-Forwarded-Uri") }), 400},
		"no host":                 {forward(func(h headers) { delete(h, "X-Forwarded-Host") }), 400},
		"no scheme":               {forward(func(h headers) { delete(h, "X-Forwarded-Proto") }), 400},
		"an empty path":           {forward(func(h headers) { h["X-Forwarded-Uri"] = []string{""} }), 400},
		"two methods":             {forward(func(h headers) { h["X-Forwarded-Method"] = []string{"GET", "POST"} }), 400},
		"two paths":               {forward(func(h headers) { h["X-Forwarded-Uri"] = []string{"/health", "/admin/x"} }), 400},
		"two hosts in one":        {forward(func(h headers) { h["X-Forwarded-Host"] = []string{"api.example, evil.example"} }), 400},
		"another host":            {forward(func(h headers) { h["X-Forwarded-Host"] = []string{"other.example"} }), 400},
		"another port":            {forward(func(h headers) { h["X-Forwarded-Host"] = []string{"api.example:8443"} }), 400},
		"http":                    {forward(func(h headers) { h["X-Forwarded-Proto"] = []string{"http"} }), 400},
		"a method in lower case":  {forward(func(h headers) { h["X-Forwarded-Method"] = []string{"get"} }), 400},
		"a method with a space":   {forward(func(h headers) { h["X-Forwarded-Method"] = []string{"GET /"} }), 400},
		"a whole URL as path":     {forward(func(h headers) { h["X-Forwarded-Uri"] = []string{"https://api.example/health"} }), 400},
		"an authority as path":    {forward(func(h headers) { h["X-Forwarded-Uri"] = []string{"//health"} }), 400},
		"dot segments":            {forward(func(h headers) { h["X-Forwarded-Uri"] = []string{"/health/../admin/x"} }), 400},
		"escaped slash":           {forward(func(h headers) { h["X-Forwarded-Uri"] = []string{"/health%2fx"} }), 400},
		"asterisk":                {forward(func(h headers) { h["X-Forwarded-Uri"] = []string{"*"} }), 400},
		"a fragment":              {forward(func(h headers) { h["X-Forwarded-Uri"] = []string{"/health#x"} }), 400},
		"nginx":                   {nginx(NginxPath, "GET", "https://api.example/health?x"), 200},
		"nginx: no path":          {nginx(NginxPath, "GET", "https://api.example"), 403},
		"nginx: another host":     {nginx(NginxPath, "GET", "https://evil.example/health"), 403},
		"nginx: a user name":      {nginx(NginxPath, "GET", "https://api.example@evil.example/health"), 403},
		"nginx: no URL":           {nginx(NginxPath, "GET", "/health"), 403},
		"nginx: no token":         {nginx(NginxPath, "GET", "https://api.example/mine"), 401},
		"nginx: dot segments":     {nginx(NginxPath, "GET", "https://api.example/health/.."), 403},
		"nginx, the answer":       {nginx(AnswerPath, "GET", "https://api.example/health/.."), 400},
		"nginx, the answer is no": {nginx(AnswerPath, "GET", "https://api.example/mine"), 401},
		"nginx, never yes":        {nginx(AnswerPath, "GET", "https://api.example/health"), 503},
		"Envoy":                   {envoy("POST", "/health?x", "api.example"), 200},
		"Envoy: no token":         {envoy("POST", "/mine", "api.example"), 401},
		"Envoy: another host":     {envoy("GET", "/health", "evil.example"), 400},
		"Envoy: dot segments":     {envoy("GET", "/health/..", "api.example"), 400},
		"Envoy: two slashes":      {envoy("GET", "//health", "api.example"), 400},
		"no path that is known":   {httptest.NewRequest("GET", "/", nil), 404},
		"nothing is told":         {httptest.NewRequest("GET", ForwardedPath, nil), 400},
	} {
		t.Run(name, func(t *testing.T) {
			if status, _, _ := refusal(t, do(g, c.r)); status != c.want {
				t.Errorf("%d, want %d", status, c.want)
			}
			for _, stranger := range []string{"203.0.113.1:1", "[2001:db8::1]:1", "nonsense"} {
				c.r.RemoteAddr = stranger
				if status := do(g, c.r).StatusCode; status != 403 {
					t.Errorf("from %s: %d", stranger, status)
				}
			}
			c.r.RemoteAddr = "[::ffff:192.0.2.1]:1"
			if status := do(g, c.r).StatusCode; status != c.want {
				t.Errorf("IPv4 in IPv6: %d", status)
			}
		})
	}
}

// nginx sends the challenge of the subrequest along with that of the answer, so the first has none.
func TestNginxChallenge(t *testing.T) {
	t.Parallel()
	g := newStand(t).gate("")
	for path, want := range map[string]int{NginxPath: 0, AnswerPath: 1} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header["X-Original-Method"], r.Header["X-Original-Url"] = []string{"GET"}, []string{"https://api.example/mine"}
		if a := do(g, r); a.StatusCode != 401 || len(a.Header.Values("WWW-Authenticate")) != want {
			t.Errorf("%s: %d %v", path, a.StatusCode, a.Header)
		}
	}
}

// RFC 6750 section 2.3, RFC 9700 section 4.3.2.
func TestTokenInQuery(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("")
	for target, want := range map[string]int{
		"/mine?access_token=x": 400, "/mine?a=b&ACCESS_TOKEN=x": 400, "/mine?%61ccess_token=x": 400, "/mine?a;access_token=x": 400, "/mine?access%5ftoken=x": 400,
		"/mine?a=%zz": 400, "/health?access_token=x": 400, "/mine?a=100%25": 200, "/mine?token=x": 200, "/mine?a=access_token": 200,
	} {
		if status := ask(g, target, bearer(s.token())...).StatusCode; status != want {
			t.Errorf("%s: %d, want %d", target, status, want)
		}
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	for resource, path := range map[string]string{
		"https://api.example": wellKnown, "https://api.example/": wellKnown, "https://api.example/v1/orders": wellKnown + "/v1/orders", "https://api.example:8443/v1/": wellKnown + "/v1",
	} {
		c := s.config("")
		c.Resource = resource
		g, err := New(Options{Config: c, Now: s.now})
		must(t, err)
		a := do(g, httptest.NewRequest(http.MethodGet, path, nil))
		var said struct {
			Resource string
			Servers  []string `json:"authorization_servers"`
			Scopes   []string `json:"scopes_supported"`
			Methods  []string `json:"bearer_methods_supported"`
			DPoP     []string `json:"dpop_signing_alg_values_supported"`
		}
		if a.StatusCode != 200 || a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v", resource, a.StatusCode, a.Header)
			continue
		}
		must(t, json.NewDecoder(a.Body).Decode(&said))
		if said.Resource != resource || strings.Join(said.Servers, " ") != s.url || strings.Join(said.Scopes, " ") != "orders:read orders:write" ||
			strings.Join(said.Methods, " ") != "header" || said.DPoP != nil {
			t.Errorf("%+v", said)
		}
		challenge := ask(g, "/mine").Header.Get("WWW-Authenticate")
		if want := `Bearer resource_metadata="` + strings.Replace(strings.TrimSuffix(resource, "/"), "/v1", wellKnown+"/v1", 1); !strings.HasPrefix(challenge, want) {
			t.Errorf("%s: %s", resource, challenge)
		}
		if a := do(g, httptest.NewRequest(http.MethodPost, path, nil)); a.StatusCode != 405 {
			t.Errorf("POST: %d", a.StatusCode)
		}
		if a := do(g, httptest.NewRequest(http.MethodGet, path+"/x", nil)); a.StatusCode != 404 {
			t.Errorf("another resource's: %d", a.StatusCode)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := httptest.NewRequest(http.MethodGet, HealthPath, nil)
	r.RemoteAddr = "203.0.113.1:1"
	if a := do(s.gate(""), r); a.StatusCode != 200 {
		t.Errorf("%d", a.StatusCode)
	}
}

// A gate never lets a request pass that says nothing of a token, whatever it is.
func FuzzOriginal(f *testing.F) {
	s := newStand(f)
	g := s.gate("routes:\n  - path: /public/*\n    public: true\n  - path: /*\n")
	for _, target := range []string{"/public/x", "/public/../x", "/Public", "/x", "//public/", "/public%2f..%2fx", "/public;x"} {
		f.Add("GET", target)
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		a := askAs(g, method, target)
		path, _, _ := strings.Cut(target, "?")
		decoded, problem := parsePath(path)
		if a.StatusCode == 200 && (problem != "" || decoded != "/public" && !strings.HasPrefix(decoded, "/public/")) {
			t.Errorf("%q %q passes", method, target)
		}
	})
}

// Symfony, Laravel and Spring take the method from the query of a POST, and PHP writes names anew.
func TestMethodInQuery(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	g := s.gate("")
	for target, want := range map[string]int{
		"/mine?_method=DELETE": 400, "/mine?a=b&_METHOD=DELETE": 400, "/mine?%5fmethod=DELETE": 400, "/mine?.method=DELETE": 400, "/mine?+_method=DELETE": 400,
		"/mine?%20_method=DELETE": 400, "/mine?_method%00x=DELETE": 400, "/mine?a;_method=DELETE": 400, "/mine?[method=DELETE": 400,
		"/mine?access.token=x": 400, "/mine?method=DELETE": 200, "/mine?a_method=DELETE": 200, "/mine?a=_method": 200,
	} {
		if status := askAs(g, "POST", target, bearer(s.token())...).StatusCode; status != want {
			t.Errorf("%s: %d, want %d", target, status, want)
		}
	}
}
