package gate

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// The paths that proxies ask.
const (
	ForwardedPath = "/check"              // Caddy, Traefik: by X-Forwarded-Method, -Proto, -Host and -Uri
	NginxPath     = "/check/nginx"        // nginx: by X-Original-Method and X-Original-URL
	AnswerPath    = "/check/nginx/answer" // what nginx says where the path before refused
	EnvoyPath     = "/check/envoy"        // Envoy: the original path follows
)

// original is the request that is to be let pass.
type original struct {
	method string
	origin string // scheme and host
	path   string // as it was sent
	route  string // the path, decoded
	query  string // as it was sent
}

// target is the path with the query.
func (o original) target() string {
	if o.query == "" {
		return o.path
	}
	return o.path + "?" + o.query
}

// teller is how one kind of proxy tells of the original request.
type teller struct {
	headers []string // the headers in which it does
	tell    func(r *http.Request, header map[string]string) (method, origin, target string)
}

var forwarded = teller{
	headers: []string{"X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri"},
	tell: func(_ *http.Request, h map[string]string) (method, origin, target string) {
		return h["X-Forwarded-Method"], h["X-Forwarded-Proto"] + "://" + h["X-Forwarded-Host"], h["X-Forwarded-Uri"]
	},
}

var nginx = teller{
	headers: []string{"X-Original-Method", "X-Original-Url"},
	tell: func(_ *http.Request, h map[string]string) (method, origin, target string) {
		address := h["X-Original-Url"]
		scheme, rest, _ := strings.Cut(address, "://")
		host, _, _ := strings.Cut(rest, "/")
		origin = scheme + "://" + host
		return h["X-Original-Method"], origin, strings.TrimPrefix(address, origin)
	},
}

var envoy = teller{
	headers: []string{"X-Forwarded-Proto"},
	tell: func(r *http.Request, h map[string]string) (method, origin, target string) {
		return r.Method, h["X-Forwarded-Proto"] + "://" + r.Host, strings.TrimPrefix(r.RequestURI, EnvoyPath)
	},
}

// read returns the original request. A refusal is 400: the proxy is not set up as it should be, or the client found a way to speak for it.
func (t teller) read(r *http.Request) (o original, refused *verdict) {
	header := map[string]string{}
	for _, name := range t.headers {
		values := r.Header[name]
		if len(values) != 1 || values[0] == "" || strings.Contains(values[0], ",") && name != "X-Forwarded-Uri" && name != "X-Original-Url" {
			return o, malformed("the header " + name + " has to be there once")
		}
		header[name] = values[0]
	}
	var target, problem string
	o.method, o.origin, target = t.tell(r, header)
	scheme, host, _ := strings.Cut(o.origin, "://")
	o.origin = origin(&url.URL{Scheme: strings.ToLower(scheme), Host: host})
	if p, _ := method(o.method); p != "" {
		return o, malformed("the method is none")
	}
	if strings.ContainsAny(target, "# \t") {
		return o, malformed("the request's target is none (RFC 9112 section 3.2)")
	}
	o.path, o.query, _ = strings.Cut(target, "?")
	if o.route, problem = parsePath(o.path); problem != "" {
		return o, malformed("the path " + problem)
	}
	return o, nil
}

// parameters are the names in the query, folded as PHP folds them: it drops spaces before a name and what is behind a NUL, and makes _ of signs. An
// error means that they cannot be read. None are looked for where nothing can be that is refused.
func (o original) parameters() (names []string, err error) {
	if lower := strings.ToLower(o.query); !strings.Contains(lower, "%") && !strings.Contains(lower, "token") && !strings.Contains(lower, "method") {
		return nil, nil
	}
	q, err := url.ParseQuery(strings.ReplaceAll(o.query, ";", "&"))
	for name := range q {
		name, _, _ = strings.Cut(strings.TrimLeft(name, " "), "\x00")
		names = append(names, folded(name))
	}
	return names, err
}

// peer is who asks the gate.
func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// trusted reports whether a connection comes from a proxy of ours.
func (g *Gate) trusted(r *http.Request) bool {
	addr := peer(r)
	for _, prefix := range g.config.TrustedProxy {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}
