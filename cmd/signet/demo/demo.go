// Package demo is the app of `signet dev`: a small relying party that signs its visitor in at the provider and then shows what it
// got, claim by claim, and where each claim comes from.
//
// It is written as an app's own code would be, on zitadel's client/rp: the code flow with PKCE, state and nonce (OpenID Connect
// Core 3.1), refresh (Core 12), RP-initiated and back-channel logout. The tokens stay on this server; the browser holds a random cookie.
//
//	demo.go     options, routes, finding the provider
//	flow.go     sign-in, callback, refresh, sign-out
//	logout.go   the provider says that a session is over
//	session.go  who is who: the cookie and what the server remembers
//	claims.go   tokens taken apart for reading
//	sources.go  where each claim comes from
//	pages.go    templates and headers
package demo

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"golang.org/x/oauth2"
)

// Options says who the app is and where.
type Options struct {
	Issuer       string // the provider
	ClientID     string
	ClientSecret string // "" for a public client
	BaseURL      string // the app's own origin, such as http://127.0.0.1:8081; redirects come back to BaseURL/callback

	HTTP *http.Client     // asks the provider; nil: one with a timeout
	Now  func() time.Time // nil: time.Now
	Log  *slog.Logger     // nil: slog.Default
}

// scopes are what the app asks for.
var scopes = []string{"openid", "profile", "email", "groups", "offline_access"}

// algs are the algorithms an ID token may be signed with, whatever the provider's metadata say (RFC 8725 3.1).
var algs = []string{"RS256", "PS256", "ES256", "EdDSA"}

// answerWithin bounds a call to the provider.
const answerWithin = 10 * time.Second

// app is the handler behind New.
type app struct {
	Options
	pages    pages
	sessions *lru.Cache[string, *session]

	finding  sync.Mutex
	provider rp.RelyingParty // nil until the provider was found
}

//go:embed assets
var assetFiles embed.FS

// New returns the app. It does not ask the provider for anything: that happens at the first sign-in, so the app may start
// first.
func New(o Options) (http.Handler, error) {
	if o.Issuer == "" || o.ClientID == "" {
		return nil, errors.New("demo: issuer and client id are needed")
	}
	if u, err := url.Parse(o.BaseURL); err != nil || u.Host == "" || o.BaseURL != u.Scheme+"://"+u.Host {
		return nil, fmt.Errorf("demo: base URL %q is not an origin", o.BaseURL)
	}
	o.HTTP = cmp.Or(o.HTTP, &http.Client{Timeout: answerWithin})
	o.Log = cmp.Or(o.Log, slog.Default())
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &app{Options: o}
	var err error
	if a.pages, err = parsePages(o.BaseURL); err != nil {
		return nil, err
	}
	if a.sessions, err = lru.New[string, *session](maxSessions); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return a.routes()
}

func (a *app) routes() (http.Handler, error) {
	assets, err := fs.Sub(assetFiles, "assets")
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	files := http.StripPrefix("/assets/", http.FileServerFS(assets))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /signin", a.signIn)
	mux.HandleFunc("GET /callback", a.callback)
	mux.HandleFunc("GET /tokens", a.tokens)
	mux.HandleFunc("POST /refresh", a.refresh)
	mux.HandleFunc("POST /signout", a.signOut)
	mux.HandleFunc("POST "+LogoutPath, a.logout)
	mux.HandleFunc("GET /assets/{name}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		files.ServeHTTP(w, r)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, http.StatusNotFound, problem{Title: "No such page", What: "This app has no page at " + r.URL.Path + "."})
	})

	guard := http.NewCrossOriginProtection() // refresh and sign-out only from our own pages
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a.fail(w, http.StatusForbidden, problem{Title: "Sent from another site", What: "This form can only be sent from the app’s own pages. Nothing was changed."})
	}))
	return guard.Handler(mux), nil
}

// party finds the provider by its discovery document, once. A failure is not kept: the next call tries again.
func (a *app) party(ctx context.Context) (rp.RelyingParty, error) {
	a.finding.Lock()
	defer a.finding.Unlock()
	if a.provider != nil {
		return a.provider, nil
	}
	style := oauth2.AuthStyleInHeader // client_secret_basic; auto-detection would send the secret in both ways
	if a.ClientSecret == "" {
		style = oauth2.AuthStyleInParams
	}
	p, err := rp.NewRelyingPartyOIDC(ctx, a.Issuer, a.ClientID, a.ClientSecret, a.BaseURL+"/callback", scopes,
		rp.WithHTTPClient(a.HTTP), rp.WithAuthStyle(style), rp.WithLogger(a.Log),
		rp.WithVerifierOpts(rp.WithSupportedSigningAlgorithms(algs...), rp.WithIssuedAtOffset(5*time.Second), ownNonceCheck))
	if err != nil {
		return nil, fmt.Errorf("demo: finding %s: %w", a.Issuer, err)
	}
	a.provider = p
	return p, nil
}

// ownNonceCheck turns the library's check of the nonce off: it compares with one value for all sign-ins, and wants it in a refreshed
// ID token too, where Core 12.2 leaves it out. exchange and renew compare it.
func ownNonceCheck(v *rp.IDTokenVerifier) { v.Nonce = nil }

// asking gives the time that calls to the provider may take together.
func asking(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), answerWithin)
}
