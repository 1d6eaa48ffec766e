package provider

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/cors"

	"signet/provider/account"
	"signet/provider/authorize"
	"signet/provider/device"
	"signet/provider/discovery"
	"signet/provider/interaction"
	"signet/provider/logos"
	"signet/provider/logout"
	"signet/provider/oauth"
	"signet/provider/problem"
	"signet/provider/seen"
	"signet/provider/trail"
	"signet/web"
)

// answers are the methods of one path.
type answers map[string]http.HandlerFunc

// routes is the table of all endpoints. With an issuer that has a path, requests arrive with it; RFC 8414's document and the health
// checks are at the host's root.
func (p *Provider) routes(o Options, issuer *url.URL, e endpoints) (http.Handler, error) {
	openid, oauth2, err := discovery.Locations(o.Issuer)
	if err != nil {
		return nil, err
	}
	base := basePath(issuer)
	r := chi.NewRouter()
	if p.proxied {
		r.Use(middleware.ClientIPFromXFF(o.TrustedProxies...))
	}
	r.Use(p.observe, p.survive, secureHeaders(issuer))

	// Documents that anybody may read, from browsers of any origin too. They are in memory.
	r.Group(func(r chi.Router) {
		r.Use(anyOrigin(http.MethodGet, http.MethodHead, http.MethodPost))
		route(r, openid, wrongMethod, get(quietly(e.discovery.Metadata)))
		route(r, oauth2, wrongMethod, get(quietly(e.discovery.Metadata)))
		route(r, base+oauth.JWKSPath, wrongMethod, get(quietly(e.discovery.JWKS)))
	})
	r.Handle(base+"/assets/*", p.pages.Assets())

	r.Group(func(r chi.Router) {
		r.Use(inTime)
		p.programs(r, base, e)
		err = p.browsers(r, base, o, issuer, e)
		p.machines(r, base)
	})
	r.NotFound(p.notFound)
	r.MethodNotAllowed(p.unknownMethod)
	return r, err
}

// programs is what clients and resource servers call.
func (p *Provider) programs(r chi.Router, base string, e endpoints) {
	r.Group(func(r chi.Router) {
		r.Use(anyOrigin(http.MethodGet, http.MethodHead, http.MethodPost))
		route(r, base+oauth.TokenPath, wrongMethod, answers{"POST": oauth.Handler(e.token.Post)})
		route(r, base+oauth.RevokePath, wrongMethod, answers{"POST": oauth.Handler(e.info.Revoke)})
		userinfo := oauth.Handler(e.info.Userinfo)
		route(r, base+oauth.UserinfoPath, wrongMethod, answers{"GET": userinfo, "POST": userinfo})
		route(r, base+oauth.StatusListsPath, wrongMethod, get(quietly(oauth.Handler(e.status.Aggregation))))
		route(r, base+oauth.StatusListsPath+"/{list}", wrongMethod, get(quietly(oauth.Handler(func(w http.ResponseWriter, r *http.Request) error {
			return e.status.Get(w, r, chi.URLParam(r, "list"))
		}))))
	})
	if e.register != nil {
		r.Group(func(r chi.Router) {
			r.Use(anyOrigin(http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete))
			route(r, base+oauth.RegisterPath, wrongMethod, answers{"POST": oauth.Handler(e.register.Register)})
			route(r, base+oauth.RegisterPath+"/{client_id}", wrongMethod, answers{
				"GET": oauth.Handler(e.register.Read), "PUT": oauth.Handler(e.register.Update), "DELETE": oauth.Handler(e.register.Remove),
			})
		})
	}
	// What servers and devices call: no CORS.
	route(r, base+oauth.DeviceAuthorizationPath, wrongMethod, answers{"POST": oauth.Handler(e.device.Authorize)})
	route(r, base+oauth.IntrospectPath, wrongMethod, answers{"POST": oauth.Handler(e.info.Introspect)})
}

// browsers is where people come.
func (p *Provider) browsers(r chi.Router, base string, o Options, issuer *url.URL, e endpoints) error {
	// Where a client sends a browser, by GET or by a form of its own.
	page := func(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
		return problem.Handler(p.pages, func(w http.ResponseWriter, r *http.Request) error {
			if err := o.Limits.Address(r); err != nil {
				return err
			}
			return f(w, r)
		})
	}
	route(r, base+oauth.AuthorizePath, p.wrongPage, answers{"GET": page(e.authorize.Get), "POST": page(e.authorize.Post)})
	route(r, base+authorize.PostedPath, p.wrongPage, answers{"GET": page(e.authorize.Posted)})
	route(r, base+oauth.LogoutPath, p.wrongPage, answers{"GET": page(e.logout.Get), "POST": page(e.logout.Post)})
	route(r, base+logout.PostedPath, p.wrongPage, answers{"GET": page(e.logout.Posted)})
	route(r, base+logout.DonePath, p.wrongPage, get(page(e.logout.Done)))

	route(r, base+oauth.CheckSessionPath, p.wrongPage, get(e.check.Get))

	// Our own pages. Their forms are taken from our own pages alone.
	own, err := p.sameOrigin(issuer)
	if err != nil {
		return err
	}
	r.Group(func(r chi.Router) {
		r.Use(own)
		route(r, base+interaction.ChoosePath, p.wrongPage, get(page(e.login.ChoosePage)).and("POST", page(e.login.Choose)))
		route(r, base+interaction.SignInPath, p.wrongPage, get(page(e.login.SignInPage)).and("POST", page(e.login.SignIn)))
		route(r, base+interaction.ConsentPath, p.wrongPage, get(page(e.login.ConsentPage)))
		route(r, base+interaction.ContinuePath, p.wrongPage, answers{"GET": page(e.authorize.Continue), "POST": page(e.authorize.Continue)})
		route(r, base+logout.ConfirmPath, p.wrongPage, answers{"POST": page(e.logout.Confirm)})
		p.account(r, base, page, e.account)
		route(r, base+device.Path, p.wrongPage, answers{"GET": page(e.device.CodePage), "POST": page(e.device.Code)})
		route(r, base+device.DecidePath, p.wrongPage, answers{"POST": page(e.device.Decide)})
		route(r, base+device.SwitchPath, p.wrongPage, answers{"POST": page(e.device.Switch)})
	})
	route(r, base+device.QRPath, p.wrongPage, get(page(e.device.QR)))
	route(r, base+logos.Path+"/{hash}", p.wrongPage, get(func(w http.ResponseWriter, r *http.Request) { e.logos.Get(w, chi.URLParam(r, "hash")) }))
	home := p.home(o.Issuer)
	route(r, base+"/", p.wrongPage, get(home))
	if base != "" {
		route(r, base, p.wrongPage, get(home))
	}
	return nil
}

// account is the user's own pages. Each GET may begin a sign-in, so HEAD is refused.
func (p *Provider) account(r chi.Router, base string, page func(account.Handler) http.HandlerFunc, e *account.Endpoint) {
	route(r, base+account.Path, p.wrongPage, answers{"GET": page(e.Overview())})
	route(r, base+account.SwitchPath, p.wrongPage, answers{"POST": page(e.Switch)})
	route(r, base+account.PasswordPath, p.wrongPage, answers{"GET": page(e.PasswordPage()), "POST": page(e.ChangePassword())})
	route(r, base+account.SessionsPath, p.wrongPage, answers{"GET": page(e.SessionsPage()), "POST": page(e.EndSessions())})
	route(r, base+account.AppsPath, p.wrongPage, answers{"GET": page(e.AppsPage()), "POST": page(e.Withdraw())})
	route(r, base+account.HistoryPath, p.wrongPage, answers{"GET": page(e.History())})
	route(r, base+account.EndedPath, p.wrongPage, answers{"GET": page(e.Ended)})
}

// machines is what the operator's machines call.
func (p *Provider) machines(r chi.Router, base string) {
	route(r, base+seen.Path+"/{handle}", p.wrongPage, get(func(w http.ResponseWriter, r *http.Request) { p.seen.Get(w, r, p.notFound) }))
	route(r, "/healthz", wrongMethod, get(p.healthz))
	route(r, "/readyz", wrongMethod, get(p.readyz))
}

// anyOrigin lets scripts of every origin call, without the browser's credentials.
func anyOrigin(methods ...string) func(http.Handler) http.Handler {
	return cors.Handler(cors.Options{
		AllowedOrigins: []string{"*"}, AllowedMethods: methods,
		AllowedHeaders: []string{"Authorization", "Content-Type"}, ExposedHeaders: []string{"WWW-Authenticate", "Retry-After"}, MaxAge: 7200,
	})
}

// route registers the methods of one path, and what is said to all others.
func route(r chi.Router, path string, refuse func(allow string) http.HandlerFunc, a answers) {
	var methods []string
	for method := range a {
		methods = append(methods, method)
	}
	slices.Sort(methods)
	r.Handle(path, refuse(strings.Join(methods, ", ")))
	for method, handler := range a {
		r.Method(method, path, handler)
	}
}

// get answers GET, and HEAD with the same headers: RFC 9110 section 9.3.2. It is for what GET changes nothing by; where a browser is
// sent with a request of a client, GET begins or ends something, and HEAD is refused.
func get(f http.HandlerFunc) answers { return answers{"GET": f, "HEAD": f} }

// and adds a method.
func (a answers) and(method string, f http.HandlerFunc) answers {
	a[method] = f
	return a
}

// wrongMethod: RFC 6749 section 3.2: "The client MUST use the HTTP "POST" method".
func wrongMethod(allow string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		oauth.WriteError(w, r, &oauth.Error{Code: oauth.InvalidRequest, Description: "this endpoint answers " + allow, Status: http.StatusMethodNotAllowed})
	}
}

func (p *Provider) wrongPage(allow string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		problem.Write(p.pages, w, r, &problem.Problem{Status: http.StatusMethodNotAllowed, Title: "This address works another way",
			What: "The page was asked for with a method that it does not answer.", Who: problem.Developer, How: "The answer’s Allow header names the methods that it does answer."})
	}
}

func (p *Provider) notFound(w http.ResponseWriter, r *http.Request) {
	problem.Write(p.pages, w, r, &problem.Problem{Status: http.StatusNotFound, Title: "There is nothing here",
		What: "This server has no page at this address.", Who: problem.You, How: "Go back to the app and sign in from there."})
}

// unknownMethod: every route answers all methods that HTTP knows, so this is another. RFC 9110 section 15.6.2.
func (p *Provider) unknownMethod(w http.ResponseWriter, r *http.Request) {
	oauth.WriteError(w, r, &oauth.Error{Code: oauth.InvalidRequest, Description: "this server does not know the request's method", Status: http.StatusNotImplemented})
}

// sameOrigin refuses forms of ours that another site posts. The issuer's origin is named for proxies that rewrite Host.
func (p *Provider) sameOrigin(issuer *url.URL) (func(http.Handler) http.Handler, error) {
	protection := http.NewCrossOriginProtection()
	if err := protection.AddTrustedOrigin(issuer.Scheme + "://" + issuer.Host); err != nil {
		return nil, err
	}
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem.Write(p.pages, w, r, &problem.Problem{Status: http.StatusForbidden, Title: "This form came from elsewhere",
			What: "Another site sent this form. Signet takes it from its own pages alone.", Who: problem.You, How: "Go back to the app and sign in from there."})
	}))
	return protection.Handler, nil
}

func (p *Provider) home(issuer string) http.HandlerFunc {
	base := strings.TrimSuffix(issuer, "/")
	page := web.Home{Issuer: issuer, Discovery: base + oauth.OpenIDConfigurationPath, Keys: base + oauth.JWKSPath, Account: base + account.Path}
	return func(w http.ResponseWriter, r *http.Request) {
		p.pages.Write(w, http.StatusOK, page, trail.Of(r.Context()).Languages...)
	}
}
