package gate

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Options are what a [Gate] is made of.
type Options struct {
	Config Config
	Log    *slog.Logger     // nil: nothing is logged
	Now    func() time.Time // nil: time.Now
	Proof  Proof            // nil: no bound tokens
}

// Gate answers proxies, and the few paths of its own that they lead to it. It may be used concurrently.
type Gate struct {
	config       Config
	log          *slog.Logger
	now          func() time.Time
	proof        Proof
	issuer       *issuer
	lists        *lists
	asker        *asker   // nil: nobody is asked
	party        *party   // nil: no browser is signed in
	smuggler     smuggler // who finds them
	metadata     []byte   // RFC 9728
	metadataURL  string
	metadataPath string // of it
}

// The paths that a proxy leads to the gate as they are, and HealthPath, which is for whoever watches over it.
const (
	CallbackPath = "/.gate/callback"
	SignInPath   = "/.gate/signin"
	SignOutPath  = "/.gate/logout"
	HealthPath   = "/health"
	wellKnown    = "/.well-known/oauth-protected-resource"
	ownPaths     = "/.gate"
	returnParam  = "return"
)

// New returns a gate. Nothing is asked of the issuer until a request needs it.
func New(o Options) (*Gate, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	client, err := outgoing(o.Config)
	if err != nil {
		return nil, err
	}
	g := &Gate{config: o.Config, log: o.Log, now: o.Now, proof: o.Proof, issuer: newIssuer(o.Config.Issuer, client, o.Now), smuggler: newSmuggler(o.Config.Headers)}
	g.lists = newLists(g.issuer, g.now)
	if o.Config.Introspection != nil {
		if g.asker, err = newAsker(g, *o.Config.Introspection); err != nil {
			return nil, err
		}
	}
	if o.Config.SignIn != nil {
		if g.party, err = newParty(g, *o.Config.SignIn); err != nil {
			return nil, err
		}
	}
	return g, g.describe()
}

// describe makes the metadata of RFC 9728 section 2. It stands at the resource's host, its path behind the well-known one (section 3.1).
func (g *Gate) describe() error {
	u, err := url.Parse(g.config.Resource)
	if err != nil {
		return err
	}
	g.metadataPath = wellKnown + strings.TrimSuffix(u.EscapedPath(), "/")
	g.metadataURL = origin(u) + g.metadataPath
	var scopes []string
	for _, r := range g.config.Routes {
		for _, s := range r.Scopes {
			if !slices.Contains(scopes, s) {
				scopes = append(scopes, s)
			}
		}
	}
	document := map[string]any{
		"resource":                 g.config.Resource,
		"authorization_servers":    []string{g.config.Issuer},
		"bearer_methods_supported": []string{"header"},
	}
	if len(scopes) > 0 {
		document["scopes_supported"] = scopes
	}
	if g.proof != nil {
		document["dpop_signing_alg_values_supported"] = g.proof.Algorithms()
	}
	g.metadata, err = json.Marshal(document)
	return err
}

func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == HealthPath {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n"))
		return
	}
	if !g.trusted(r) {
		g.log.Warn("refused: not from a trusted proxy", "peer", peer(r).String())
		g.write(w, forbidden("only a trusted proxy may ask; trusted_proxy does not name this one"), false)
		return
	}
	switch path := r.URL.EscapedPath(); {
	case path == ForwardedPath:
		g.answer(w, r, forwarded)
	case path == NginxPath:
		g.answerNginx(w, r)
	case path == AnswerPath:
		g.explain(w, r)
	case strings.HasPrefix(path, EnvoyPath+"/"):
		g.answer(w, r, envoy)
	case path == g.metadataPath:
		g.tell(w, r)
	case g.party != nil && path == SignInPath:
		g.party.start(w, r)
	case g.party != nil && path == CallbackPath:
		g.party.callback(w, r)
	case g.party != nil && path == SignOutPath:
		g.party.signOut(w, r)
	default:
		g.write(w, &verdict{status: http.StatusNotFound, description: "the gate has no such page"}, false)
	}
}

// tell answers with the metadata. Apps of other origins read it too.
func (g *Gate) tell(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		g.write(w, &verdict{status: http.StatusMethodNotAllowed, description: "the metadata is there to be read"}, false)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	_, _ = w.Write(g.metadata)
}

// answer answers a proxy that sends what is said to the client.
func (g *Gate) answer(w http.ResponseWriter, r *http.Request, t teller) {
	v := g.decide(r, t)
	g.note(v)
	g.write(w, v, wantsPage(r))
}

// answerNginx answers in what auth_request knows: 200, 401, 403. Any other status would be 500 to the client. It has no challenge: nginx would put
// that beside the one of [Gate.explain] (ngx_http_auth_request_module).
func (g *Gate) answerNginx(w http.ResponseWriter, r *http.Request) {
	v := g.decide(r, nginx)
	if !v.passes() {
		status := http.StatusForbidden
		if v.status == http.StatusUnauthorized || v.location != "" {
			status = http.StatusUnauthorized
		}
		v = &verdict{status: status, code: v.code, description: v.description}
	}
	g.write(w, v, false)
}

// explain says what nginx cannot.
func (g *Gate) explain(w http.ResponseWriter, r *http.Request) {
	v := g.decide(r, nginx)
	if v.passes() { // a moment ago it did not
		v = g.unavailable("try again", nil)
	}
	g.note(v)
	g.write(w, v, wantsPage(r))
}

// note logs what an operator has to know of.
func (g *Gate) note(v *verdict) {
	switch {
	case v.cause != nil:
		g.log.Error(v.description, "error", v.cause)
	case v.status >= http.StatusBadRequest:
		g.log.Debug("refused", "status", v.status, "error", v.code, "description", v.description)
	}
}

// decide says whether the original request may pass.
func (g *Gate) decide(r *http.Request, t teller) *verdict {
	if problem := g.smuggler.find(r, t.headers); problem != "" {
		return malformed(problem)
	}
	o, refused := t.read(r)
	switch {
	case refused != nil:
		return refused
	case o.origin != g.config.Origin:
		return malformed("the request is for another host than that of the gate")
	case o.path == ownPaths || strings.HasPrefix(o.path, ownPaths+"/"):
		return forbidden("the proxy has to lead " + ownPaths + "/ to the gate itself")
	case len(r.Header["Authorization"]) > 1:
		return noToken("Authorization is there twice")
	}
	switch names, err := o.parameters(); {
	case err != nil || slices.Contains(names, "access-token"): // logs and histories keep it: RFC 6750 section 5.3, RFC 9700 section 4.3.2
		return noToken("a token does not belong into the query, nor does what cannot be read (RFC 6750 section 2.3)")
	case slices.Contains(names, "-method"): // Symfony, Laravel, Spring
		return malformed("_method in the query could be taken for another request")
	}
	route, ambiguous := routeOf(g.config.Routes, o.method, o.route)
	switch {
	case ambiguous:
		return forbidden("the path could be read as that of another route")
	case route == nil:
		return forbidden("there is no route for this")
	case route.Public:
		return &verdict{status: http.StatusOK}
	}
	by, refused := g.who(r, o, route)
	if refused != nil {
		return refused
	}
	if refused := route.demands(by); refused != nil {
		return refused
	}
	return &verdict{status: http.StatusOK, by: by}
}

// who asks: by the access token that was sent, or by a browser's session.
func (g *Gate) who(r *http.Request, o original, route *Route) (*token, *verdict) {
	switch {
	case len(r.Header["Authorization"]) == 1:
		return g.bearer(r.Context(), o, r)
	case route.SignIn:
		return g.party.who(r, o)
	}
	return nil, g.unauthorized("", "", false)
}

// wantsPage reports whether a person reads the answer.
func wantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}
