package gate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func parse(t *testing.T, content string) (Config, string) {
	t.Helper()
	dir := t.TempDir()
	path, secret := filepath.Join(dir, "gate.yaml"), filepath.Join(dir, "secret")
	must(t, os.WriteFile(secret, []byte(theSecret), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "short"), []byte("short\n"), 0o600))
	content = strings.ReplaceAll(content, "DIR", dir)
	must(t, os.WriteFile(path, []byte(content), 0o600))
	c, err := Load(path)
	if err == nil {
		return c, ""
	}
	return c, strings.ReplaceAll(err.Error(), dir+"/", "")
}

const whole = `issuer: https://id.example.com
resource: https://api.example.com/v1
trusted_proxy: [10.0.0.0/8, "::1"]
listen: ":9000"
check: introspection
token_types: [at+jwt, JWT]
status_list: off
introspection:
  client_id: api
  client_secret_file: DIR/secret
sign_in:
  client_id: web
  client_secret_file: DIR/secret
  cookie_key_file: DIR/secret
  scopes: [email, profile]
  session: 1h
  after_sign_out: /bye
headers:
  Remote-User: sub
  X-Groups: groups
routes:
  - path: /a/{b}/*
    methods: [GET, POST]
    scopes: [a, b]
    permissions: [c d]
    any_permission: [e, f]
    sign_in: true
  - path: /*
    public: true
log:
  level: debug
  format: text
`

func TestLoad(t *testing.T) {
	t.Parallel()
	c, faults := parse(t, whole)
	if faults != "" {
		t.Fatal(faults)
	}
	if c.Origin != "https://api.example.com" || c.Listen != ":9000" || len(c.TrustedProxy) != 2 || c.StatusList || c.Check != CheckIntrospection || len(c.TokenTypes) != 2 ||
		c.SignIn.Session != time.Hour || c.SignIn.AfterSignOut != "/bye" || len(c.Headers) != 2 || c.Headers[0] != (Header{"Remote-User", "sub"}) ||
		len(c.Routes) != 2 || !c.Routes[0].SignIn || c.Routes[0].Permissions[0] != "c d" || !c.Routes[1].Public || c.Log.Format != "text" {
		t.Errorf("%+v", c)
	}
	c, faults = parse(t, "issuer: https://id.example.com\nresource: https://api.example.com\norigin: https://app.example.com:8443\ntrusted_proxy: 127.0.0.1\nroutes:\n  - path: /*\n")
	if faults != "" || c.Origin != "https://app.example.com:8443" || c.Listen != "localhost:9090" || !c.StatusList || len(c.Headers) != 7 {
		t.Errorf("%+v %s", c, faults)
	}
}

// All faults are told at once, each with its line and what to do.
func TestFaults(t *testing.T) {
	t.Parallel()
	_, faults := parse(t, `isuer: https://id.example.com
issuer: http://id.example.com
resource: https://api.example.com/#x
origin: https://api.example.com/v1
trusted_proxy: 0.0.0.0/0
listen: 9000
check: both
token_types: [id]
status_list: maybe
introspection:
  client_secret: hunter2
  client_secret_file: DIR/none
sign_in:
  client_id: web
  client_secret_file: DIR/short
  session: 30d
  after_sign_out: //evil.example
headers:
  X-Auth-Subject: sub
  x-auth-subject: email
  Cookie: sub
  X_User: sub
routes:
  - path: /a//b
  - scopes: [a]
  - path: /a
    public: true
    scopes: [a]
  - path: /b/*
    methods: [get]
  - path: /c/*
  - path: /c/d
  - path: /e
    permisions: [x]
    scopes: ["a b"]
`)
	want := []string{
		"gate.yaml:1: isuer: no such setting; did you mean issuer?",
		"gate.yaml:2: issuer: http beyond this machine",
		"gate.yaml:3: resource: has a query or a fragment",
		"gate.yaml:4: origin: is not a scheme and a host",
		"gate.yaml:5: trusted_proxy: 0.0.0.0/0 is everybody",
		"gate.yaml:6: listen: not an address with a port",
		`gate.yaml:7: check: "both" is not known; write jwt or introspection`,
		`gate.yaml:8: token_types: "id" is not known`,
		`gate.yaml:9: status_list: "maybe" is neither on nor off`,
		"gate.yaml:10: introspection.client_id: is missing",
		"gate.yaml:11: introspection.client_secret: a secret does not stand in this file; use client_secret_file",
		"gate.yaml:12: introspection.client_secret_file: open none: no such file",
		"gate.yaml:15: sign_in.client_secret_file: short does not hold one line of 16 characters or more",
		"gate.yaml:16: sign_in.session: 30d is not between a minute and a day",
		`gate.yaml:17: sign_in.after_sign_out: "//evil.example" is not a plain path`,
		"gate.yaml:20: headers.x-auth-subject: it is the same to servers as X-Auth-Subject",
		"gate.yaml:21: headers.Cookie: it means something else already",
		"gate.yaml:22: headers.X_User: not a name of a header",
		`gate.yaml:24: routes.path: "/a//b" has two slashes in a row`,
		"gate.yaml:25: routes.path: is missing",
		"gate.yaml:26: routes.path: /a is public and asks for something",
		`gate.yaml:30: routes.methods: "get" is no method`,
		"gate.yaml:32: routes.path: /c/d is never reached, for /c/* comes before it",
		"gate.yaml:34: routes.permisions: no such setting; did you mean permissions?",
		`gate.yaml:35: routes.scopes: "a b" is not a scope`,
	}
	got := strings.Split(faults, "\n")
	for i, line := range got {
		if i >= len(want) || !strings.HasPrefix(line, want[i]) {
			t.Errorf("%s", line)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d faults, want %d", len(got), len(want))
	}
	if strings.Contains(faults, "hunter2") {
		t.Error("a fault repeats a secret")
	}
}

func TestFaultsOfTheWhole(t *testing.T) {
	t.Parallel()
	const good = "issuer: https://id.example.com\nresource: https://api.example.com\ntrusted_proxy: 127.0.0.1\n"
	for content, want := range map[string]string{
		"":                                    "gate.yaml: there is nothing in it",
		"# nothing\n":                         "gate.yaml: there is nothing in it",
		"- a\n":                               "gate.yaml:1: not a list of settings",
		"a: [\n":                              "gate.yaml",
		"resource: https://api.example.com\n": "gate.yaml: issuer: is missing",
		good:                                  "gate.yaml: routes: is missing, and what has no route is refused",
		good + "routes: /a\n":                 "gate.yaml:4: routes: not a list",
		good + "routes: [a]\n":                "gate.yaml:4: routes: a route without settings",
		good + "routes: [{path: /a, sign_in: on}]\n":                                 "gate.yaml:4: routes.sign_in: a route signs browsers in, and there is no section sign_in",
		good + "check: introspection\nroutes: [{path: /a}]\n":                        "gate.yaml:4: check: nobody is there to ask",
		good + "introspection: yes\nroutes: [{path: /a}]\n":                          "gate.yaml:4: introspection: a section without settings",
		good + "sign_in: {client_id: web}\nroutes: [{path: /a}]\n":                   "gate.yaml:4: sign_in.client_secret_file: is missing",
		good + "routes: [{path: /a, methods: [GET]}, {path: /a, methods: [HEAD]}]\n": "gate.yaml:4: routes.path: /a is never reached",
		good + "routes: [{path: /a, scopes: [a, a]}]\n":                              "gate.yaml:4: routes.scopes: a is there twice",
		good + "trusted_proxy: 10.0.0.1\nroutes: [{path: /a}]\n":                     "gate.yaml:4: trusted_proxy: said before, on line 3",
		good + "log: {level: loud}\nroutes: [{path: /a}]\n":                          `gate.yaml:4: log.level: "loud" is not known`,
	} {
		if _, faults := parse(t, content); !strings.Contains("\n"+faults, "\n"+want) {
			t.Errorf("%q: %s", content, faults)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("a file that is not there is good")
	}
	// A public client needs a key for the cookies, and nothing else.
	if _, faults := parse(t, good+"sign_in: {client_id: web, cookie_key_file: DIR/secret}\nroutes: [{path: /a}]\n"); faults != "" {
		t.Error(faults)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(whole)
	f.Add("routes: [{path: /a, methods: GET}]\n")
	f.Fuzz(func(t *testing.T, content string) {
		if strings.Contains(content, "_file") { // it reads what is named
			return
		}
		c, faults := parse(t, content)
		if faults == "" {
			if _, err := New(Options{Config: c}); err != nil && c.OutgoingCA == "" {
				t.Errorf("%q is good and makes no gate: %v", content, err)
			}
		}
	})
}
