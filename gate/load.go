package gate

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"signet/configs"
	"signet/fields"
)

// Load reads a gate's file. Its error is [configs.Faults]: all that is wrong, in the order of the file.
func Load(path string) (Config, error) {
	f, root := configs.ReadFile(path)
	return load(f, root)
}

func load(f *configs.File, root *yaml.Node) (Config, error) {
	l := &loader{File: f, config: Default(), places: map[string]configs.Place{}}
	if root == nil && len(f.Faults) == 0 {
		f.Fault(configs.Place{File: f.Path}, "", "there is nothing in it", "docs/gate.md has examples")
	}
	if root != nil {
		l.section("", root, l.settings())
		l.check()
	}
	if len(f.Faults) > 0 {
		f.Faults.Sort()
		return l.config, f.Faults
	}
	return l.config, nil
}

// loader reads settings into a Config.
type loader struct {
	*configs.File
	config Config
	places map[string]configs.Place // of settings that were written
}

// setting is one key of a section. Where problem is not "", fix says what to do.
type setting struct {
	name string
	many bool                                        // takes a list
	set  func(values []string) (problem, fix string) // of plain values
	node func(name string, key, value *yaml.Node)    // of what is more than that
}

// section reads a mapping. prefix is "", or what stands before its settings' names.
func (l *loader) section(prefix string, n *yaml.Node, settings []setting) {
	for key, value := range l.Pairs(strings.TrimSuffix(prefix, "."), n) {
		name := prefix + key.Value
		i := slices.IndexFunc(settings, func(s setting) bool { return s.name == key.Value })
		if i < 0 {
			var known []string
			for _, s := range settings {
				known = append(known, s.name)
			}
			l.Unknown(key, name, known)
			continue
		}
		l.places[name] = l.At(key)
		s := settings[i]
		if s.node != nil {
			s.node(name, key, value)
			continue
		}
		values, places, ok := l.Scalars(name, value, s.many)
		if !ok {
			continue
		}
		if problem, fix := s.set(values); problem != "" {
			place := l.At(key)
			if s.many && len(places) == 1 {
				place = places[0]
			}
			l.Fault(place, name, problem, fix)
		}
	}
}

// mapping is the reader of a section of its own.
func (l *loader) mapping(read func(name string, n *yaml.Node)) func(name string, key, value *yaml.Node) {
	return func(name string, key, value *yaml.Node) {
		if value.Kind != yaml.MappingNode {
			l.Fault(l.At(key), name, "a section without settings", "indent its settings below it, or leave it out")
			return
		}
		read(name, value)
	}
}

func (l *loader) settings() []setting {
	c := &l.config
	return []setting{
		{name: "issuer", set: text(&c.Issuer)},
		{name: "allow_insecure_issuer", set: boolean(&c.AllowInsecure)},
		{name: "outgoing_ca", set: text(&c.OutgoingCA)},
		{name: "listen", set: text(&c.Listen)},
		{name: "trusted_proxy", many: true, set: c.trust},
		{name: "resource", set: text(&c.Resource)},
		{name: "origin", set: text(&c.Origin)},
		{name: "check", set: oneOf(&c.Check, CheckJWT, CheckIntrospection)},
		{name: "token_types", many: true, set: each(&c.TokenTypes, func(v string) (string, string) {
			if v != "at+jwt" && v != "JWT" {
				return fmt.Sprintf("%q is not known", v), "write at+jwt, and JWT beside it where the issuer is set so"
			}
			return "", ""
		})},
		{name: "status_list", set: boolean(&c.StatusList)},
		{name: "introspection", node: l.mapping(func(name string, n *yaml.Node) {
			c.Introspection = &Caller{}
			l.section(name+".", n, c.Introspection.settings())
		})},
		{name: "sign_in", node: l.mapping(func(name string, n *yaml.Node) {
			s := &SignIn{Scopes: []string{"email"}, Session: defaultSession, AfterSignOut: "/"}
			c.SignIn = s
			l.section(name+".", n, append(s.settings(),
				setting{name: "cookie_key_file", set: text(&s.CookieKeyFile)},
				setting{name: "scopes", many: true, set: each(&s.Scopes, scope)},
				setting{name: "session", set: lifetime(&s.Session)},
				setting{name: "after_sign_out", set: text(&s.AfterSignOut)},
			))
		})},
		{name: "headers", node: l.mapping(l.headers)},
		{name: "routes", node: l.routes},
		{name: "log", node: l.mapping(func(name string, n *yaml.Node) {
			l.section(name+".", n, []setting{
				{name: "level", set: oneOf(&c.Log.Level, "debug", "info", "warn", "error")},
				{name: "format", set: oneOf(&c.Log.Format, "json", "text")},
			})
		})},
	}
}

func (c *Caller) settings() []setting {
	return []setting{
		{name: "client_id", set: text(&c.ClientID)},
		{name: "client_secret_file", set: text(&c.ClientSecretFile)},
		{name: "client_secret", set: func([]string) (string, string) {
			return "a secret does not stand in this file", "use client_secret_file"
		}},
	}
}

func (l *loader) headers(name string, n *yaml.Node) {
	c := &l.config
	c.Headers = nil
	for key, value := range l.Pairs(name, n) {
		values, _, ok := l.Scalars(name+"."+key.Value, value, false)
		if !ok {
			continue
		}
		h := Header{Name: http.CanonicalHeaderKey(key.Value), Claim: values[0]}
		if problem, fix := h.fault(c.Headers); problem != "" {
			l.Fault(l.At(key), name+"."+key.Value, problem, fix)
			continue
		}
		c.Headers = append(c.Headers, h)
	}
}

func (l *loader) routes(name string, key, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		l.Fault(l.At(key), name, "not a list", "begin each route with a dash, as in \"- path: /orders/*\"")
		return
	}
	for _, entry := range n.Content {
		if entry.Kind != yaml.MappingNode {
			l.Fault(l.At(entry), name, "a route without settings", "begin it with path: and indent its other settings below")
			continue
		}
		before := len(l.Faults)
		r := Route{}
		l.section(name+".", entry, []setting{
			{name: "path", set: text(&r.Path)},
			{name: "methods", many: true, set: each(&r.Methods, method)},
			{name: "public", set: boolean(&r.Public)},
			{name: "scopes", many: true, set: each(&r.Scopes, scope)},
			{name: "permissions", many: true, set: each(&r.Permissions, permission)},
			{name: "any_permission", many: true, set: each(&r.AnyPermission, permission)},
			{name: "sign_in", set: boolean(&r.SignIn)},
		})
		if len(l.Faults) == before {
			l.route(r, l.At(entry))
		}
	}
}

// route takes a route that could be read.
func (l *loader) route(r Route, p configs.Place) {
	c := &l.config
	const key = "routes.path"
	var problem string
	r.pattern, problem = parsePattern(r.Path)
	switch {
	case r.Path == "":
		l.Fault(p, key, "is missing", "say what the route is for: /orders, /orders/{id} or /orders/*")
		return
	case problem != "":
		l.Fault(p, key, fields.Quote(r.Path)+" "+problem, "write it like /orders, /orders/{id} or /orders/*")
		return
	case r.Public && (len(r.Scopes)+len(r.Permissions)+len(r.AnyPermission) > 0 || r.SignIn):
		l.Fault(p, key, r.Path+" is public and asks for something", "leave public out, or what it asks for")
	}
	for _, earlier := range c.Routes {
		if earlier.covers(r) {
			l.Fault(p, key, r.Path+" is never reached, for "+earlier.Path+" comes before it", "put it before that one")
			break
		}
	}
	c.Routes = append(c.Routes, r)
}

// check holds the settings against each other.
func (l *loader) check() {
	c := &l.config
	l.needed("issuer", c.Issuer, "write the issuer of the access tokens, like https://id.example.com", func() (string, string) {
		return configs.IssuerFault(c.Issuer, c.AllowInsecure)
	})
	l.needed("listen", c.Listen, "write it like localhost:9090", func() (string, string) { return configs.ListenFault(c.Listen) })
	l.needed("resource", c.Resource, "write the API's URL, which is the aud of its access tokens", func() (string, string) {
		u, problem := fields.WebURL(c.Resource)
		if problem == "" && strings.ContainsAny(c.Resource, "?#") {
			problem = "has a query or a fragment (RFC 8707 section 2, RFC 9728 section 1.2)"
		}
		if problem == "" && l.places["origin"] == (configs.Place{}) {
			c.Origin = origin(u)
		}
		return problem, "write the API's URL, like https://api.example.com"
	})
	if l.places["origin"] != (configs.Place{}) {
		l.needed("origin", c.Origin, "write it like https://api.example.com", func() (string, string) {
			u, problem := fields.WebURL(c.Origin)
			if problem == "" && origin(u) != c.Origin {
				problem = "is not a scheme and a host in lower case alone, with a port where that is not the scheme's own"
			}
			return problem, "write it like https://api.example.com"
		})
	}
	if _, written := l.places["trusted_proxy"]; !written {
		l.Fault(configs.Place{File: l.Path}, "trusted_proxy", "is missing", "write the address of the proxy, whose word is taken for what was asked: 127.0.0.1 if it is on this machine")
	}
	if _, written := l.places["routes"]; !written {
		l.Fault(configs.Place{File: l.Path}, "routes", "is missing, and what has no route is refused", "write one route at least, like \"- path: /*\"")
	}
	l.checkCallers()
}

func (l *loader) checkCallers() {
	c := &l.config
	if c.Check == CheckIntrospection && c.Introspection == nil {
		l.Fault(l.places["check"], "check", "nobody is there to ask about tokens", "write the section introspection")
	}
	if c.Introspection != nil {
		l.caller("introspection", *c.Introspection, true)
	}
	browsers := slices.ContainsFunc(c.Routes, func(r Route) bool { return r.SignIn })
	if c.SignIn == nil {
		if browsers {
			l.Fault(l.places["routes"], "routes.sign_in", "a route signs browsers in, and there is no section sign_in", "write it, with the client_id of a web client")
		}
		return
	}
	l.caller("sign_in", c.SignIn.Caller, c.SignIn.CookieKeyFile == "")
	if c.SignIn.CookieKeyFile != "" {
		l.secret("sign_in.cookie_key_file", c.SignIn.CookieKeyFile)
	}
	if target, problem := parsePath(c.SignIn.AfterSignOut); problem != "" || target != c.SignIn.AfterSignOut {
		l.Fault(l.places["sign_in.after_sign_out"], "sign_in.after_sign_out", fields.Quote(c.SignIn.AfterSignOut)+" is not a plain path", "write it like /goodbye")
	}
}

func (l *loader) caller(section string, c Caller, secret bool) {
	if c.ClientID == "" {
		l.Fault(l.places[section], section+".client_id", "is missing", "signet client add prints it")
	}
	switch {
	case c.ClientSecretFile != "":
		l.secret(section+".client_secret_file", c.ClientSecretFile)
	case secret:
		l.Fault(l.places[section], section+".client_secret_file", "is missing", "name a file that holds the client's secret")
	}
}

func (l *loader) secret(name, path string) {
	if _, err := readSecret(path); err != nil {
		l.Fault(l.places[name], name, err.Error(), "name a file that holds the secret and that signet may read")
	}
}

// minSecret is how long a secret is at least. What is shorter can be found by trying, where it becomes the key of cookies.
const minSecret = 16

// readSecret reads a file that holds a secret and perhaps the end of a line.
func readSecret(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(content), "\r\n")
	if len(secret) < minSecret || len(secret) > 4096 || strings.ContainsAny(secret, "\r\n") {
		return "", fmt.Errorf("%s does not hold one line of %d characters or more", path, minSecret)
	}
	return secret, nil
}

// needed reports a setting that is missing, or what fault finds in it.
func (l *loader) needed(name, value, write string, fault func() (problem, fix string)) {
	place, ok := l.places[name]
	if !ok {
		place = configs.Place{File: l.Path}
	}
	if value == "" {
		l.Fault(place, name, "is missing", write)
		return
	}
	if problem, fix := fault(); problem != "" {
		l.Fault(place, name, problem, fix)
	}
}

// origin is a URL's scheme and host, in lower case and without the scheme's own port.
func origin(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if port := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]; port != "" {
		host = strings.TrimSuffix(host, port)
	}
	return u.Scheme + "://" + host
}

func text(p *string) func([]string) (string, string) {
	return func(values []string) (string, string) {
		*p = values[0]
		return "", ""
	}
}

func boolean(p *bool) func([]string) (string, string) {
	return func(values []string) (string, string) {
		switch values[0] {
		case "true", "on":
			*p = true
		case "false", "off":
			*p = false
		default:
			return fmt.Sprintf("%q is neither on nor off", values[0]), "write on or off"
		}
		return "", ""
	}
}

func oneOf(p *string, known ...string) func([]string) (string, string) {
	return func(values []string) (string, string) {
		if !slices.Contains(known, values[0]) {
			return fmt.Sprintf("%q is not known", values[0]), "write " + strings.Join(known, " or ")
		}
		*p = values[0]
		return "", ""
	}
}

// each takes a list whose values form finds good.
func each(p *[]string, form func(string) (problem, fix string)) func([]string) (string, string) {
	return func(values []string) (string, string) {
		for i, v := range values {
			if problem, fix := form(v); problem != "" {
				return problem, fix
			}
			if slices.Contains(values[:i], v) {
				return v + " is there twice", "remove one"
			}
		}
		*p = values
		return "", ""
	}
}

func lifetime(p *time.Duration) func([]string) (string, string) {
	return func(values []string) (string, string) {
		d, err := fields.ParseDuration(values[0])
		if err != nil {
			problem, fix, _ := strings.Cut(err.Error(), "; ")
			return problem, fix
		}
		if d < time.Minute || d > maxSession {
			return values[0] + " is not between a minute and a day", "write it like 8h"
		}
		*p = d
		return "", ""
	}
}

func (c *Config) trust(values []string) (string, string) {
	for _, v := range values {
		prefix, err := configs.ParsePrefix(v)
		if err != nil {
			problem, fix, _ := strings.Cut(err.Error(), "; ")
			return problem, fix
		}
		c.TrustedProxy = append(c.TrustedProxy, prefix)
	}
	if len(values) == 0 {
		return "nobody is trusted, so nothing is let pass", "write the address of the proxy"
	}
	return "", ""
}

func scope(v string) (string, string) {
	return fields.Scope(v), "write one scope for each value, like orders:read"
}

func permission(v string) (string, string) {
	return fields.Text(v, 200), "write one permission for each value"
}

func method(v string) (string, string) {
	if v == "" || strings.Trim(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "" {
		return fields.Quote(v) + " is no method", "write it in capitals, like GET"
	}
	return "", ""
}
