// Package provider joins the rooms of the OpenID provider into one http.Handler. It is the only place that knows every endpoint;
// routes.go is the table of them.
package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"signet/audit"
	"signet/claims"
	"signet/clients"
	"signet/clients/keyset"
	"signet/fetch"
	"signet/keys"
	"signet/provider/account"
	"signet/provider/assertion"
	"signet/provider/authorize"
	"signet/provider/checksession"
	"signet/provider/clientauth"
	"signet/provider/clientdocs"
	"signet/provider/cookie"
	"signet/provider/device"
	"signet/provider/discovery"
	"signet/provider/ending"
	"signet/provider/interaction"
	"signet/provider/issue"
	"signet/provider/kept"
	"signet/provider/limit"
	"signet/provider/login"
	"signet/provider/logos"
	"signet/provider/logout"
	"signet/provider/oauth"
	"signet/provider/register"
	"signet/provider/requestobject"
	"signet/provider/seen"
	"signet/provider/session"
	"signet/provider/statuslist"
	"signet/provider/token"
	"signet/provider/tokeninfo"
	"signet/provider/trail"
	"signet/storage"
	"signet/web"
)

// Options is what a provider is made of. All of Issuer, Store, Keys and Passwords are needed.
type Options struct {
	Issuer    string // an absolute URL; every token says it byte for byte
	Store     storage.Store
	Keys      *keys.Keys
	Passwords account.Passwords
	// Notices writes to users; nil: nobody does.
	Notices session.Notices

	Registration Registration
	Documents    Documents
	// HS256 lets clients have their ID tokens and userinfo signed with their secret.
	HS256 bool
	// UnsignedRequests lets request objects in that are not signed. Whoever sends the browser here can write one.
	UnsignedRequests bool
	// NoStatusList leaves out of access tokens where their status is found, and out of the metadata where the lists are. They are there all
	// the same, for tokens from before.
	NoStatusList bool
	// Fetch gets what clients name by its URL, and tells them what they want to be told at theirs; nil: at public addresses alone.
	Fetch Fetcher
	// TrustedIssuers are those whose assertions are taken: RFC 7523 section 2.1.
	TrustedIssuers []assertion.Issuer
	Claims         *claims.Catalogue // what may be said of users; nil: the standard claims
	Lifetimes      Lifetimes
	// TrustedProxies are the CIDR prefixes whose X-Forwarded-For is believed. None: the connection's address is the client's.
	TrustedProxies []string
	Limits         *limit.Limits // nil: there are none
	// Ended is called after what may have left notices in the store's outbox (see [ending.Worker]); nil: nobody is.
	Ended func()
	// Later records what need not be recorded before its answer; nil: it is, in Store.
	Later audit.Recorder

	// After is the provider whose place this one takes, with the same issuer; nil: it is the first. What was fetched for clients is
	// kept where Fetch is the same.
	After *Provider

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: nothing is logged

	Observer Observer // nil: nothing is counted
	Tracer   Tracer   // nil: nothing is traced
}

// Fetcher is the way out to clients; a [fetch.Client] is one.
type Fetcher interface {
	keyset.Fetcher
	ending.Poster
}

// Observer counts requests; [signet/metrics.Metrics] is one.
type Observer interface {
	// Answered is told of each answer: by which route (its pattern, "unknown" where there is none), to which method, after how long.
	Answered(route, method string, status int, took time.Duration, o trail.Outcome)
}

// Tracer follows requests through what they make happen; [signet/tracing.Tracer] is one.
type Tracer interface {
	// Begin begins the span of a request. It returns the request with a context that carries it, the trace id (32 hex digits), and
	// what ends it. Where the request is vouched for, its traceparent (W3C Trace Context) is taken up.
	Begin(r *http.Request, vouched bool) (traced *http.Request, id string, end func(route string, status int))
	// Signing begins the span of a signature.
	Signing(ctx context.Context, alg string) (end func())
}

// Registration says whether and how clients may register themselves.
type Registration struct {
	Policy string // register.Off (also when empty), register.Token or register.Open
	PKCE   string // of confidential clients: storage.PKCERequired, or storage.PKCEOptional (also when empty)
	// Statements are the keys of those whose software statements are taken, by iss.
	Statements map[string]keyset.Set
}

func (r *Registration) complete() error {
	if r.Policy == "" {
		r.Policy = register.Off
	}
	if r.PKCE == "" {
		r.PKCE = storage.PKCEOptional
	}
	known := slices.Contains([]string{register.Off, register.Token, register.Open}, r.Policy)
	if !known || r.PKCE != storage.PKCEOptional && r.PKCE != storage.PKCERequired {
		return fmt.Errorf("registration %q with PKCE %q is no policy", r.Policy, r.PKCE)
	}
	return nil
}

// Documents says whether a client may be what a document at its id says (OAuth Client ID Metadata Document).
type Documents struct {
	On        bool
	Hosts     []string       // where documents may be: names, or *. and what they end with; none: anywhere
	Addresses []netip.Prefix // that may stand in the place of a name
}

func (r Registration) on() bool { return r.Policy != register.Off }

// Lifetimes says how long things live. The zero value of each is its default.
type Lifetimes struct {
	IDToken         time.Duration // 10 m
	Code            time.Duration // 60 s, at most 10 m (RFC 6749 section 4.1.2)
	RefreshIdle     time.Duration // 30 d: a line of refresh tokens ends when unused for so long
	RefreshAbsolute time.Duration // 90 d: and after so long in any case
	ReuseWindow     time.Duration // 10 s: a refresh token just used gives the same successor for so long; negative: never
	SessionIdle     time.Duration // 24 h
	SessionAbsolute time.Duration // 14 d
	SessionKept     time.Duration // 30 d: a session whose user chose to stay signed in, used or not
}

func (l *Lifetimes) complete() error {
	preset := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	const day = 24 * time.Hour
	preset(&l.IDToken, 10*time.Minute)
	preset(&l.Code, time.Minute)
	preset(&l.RefreshIdle, 30*day)
	preset(&l.RefreshAbsolute, 90*day)
	preset(&l.ReuseWindow, 10*time.Second)
	preset(&l.SessionIdle, day)
	preset(&l.SessionAbsolute, 14*day)
	preset(&l.SessionKept, 30*day)
	if l.Code > 10*time.Minute {
		return errors.New("a code lives ten minutes at the most (RFC 6749 section 4.1.2)")
	}
	return nil
}

// Provider is an OpenID provider. It answers requests with their full path, the issuer's own included.
type Provider struct {
	http.Handler
	store   storage.Store
	keys    *keys.Keys
	log     *slog.Logger
	pages   *web.Pages
	proxied bool // there are trusted proxies
	proxies []netip.Prefix
	fetched fetched
	asking  singleflight.Group // whether the store is ready

	observer Observer
	tracer   Tracer
	seen     seen.Page
	courier  *ending.Courier
	device   *device.Endpoint
}

// New makes a provider.
func New(o Options) (*Provider, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	issuer, err := url.Parse(o.Issuer)
	if err != nil || issuer.Host == "" {
		return nil, fmt.Errorf("issuer %q is not an absolute URL", o.Issuer)
	}
	if o.Fetch == nil {
		o.Fetch = fetch.New(fetch.Options{Log: o.Log})
	}
	if o.Claims == nil {
		o.Claims = claims.Standard()
	}
	if o.Later == nil {
		o.Later = o.Store
	}
	if err := errors.Join(o.Lifetimes.complete(), o.Registration.complete()); err != nil {
		return nil, err
	}
	if o.Ended != nil {
		o.Store = ending.Waking(o.Store, o.Ended)
	}
	pages, err := web.New(o.Issuer)
	if err != nil {
		return nil, err
	}
	p := &Provider{store: o.Store, keys: o.Keys, log: o.Log, pages: pages, proxied: len(o.TrustedProxies) > 0, observer: o.Observer, tracer: o.Tracer,
		seen: seen.Page{Issuer: o.Issuer, Keys: o.Keys, Proxied: len(o.TrustedProxies) > 0, Now: o.Now}}
	for _, proxy := range o.TrustedProxies {
		prefix, err := netip.ParsePrefix(proxy)
		if err != nil {
			return nil, fmt.Errorf("trusted proxy %q: %w", proxy, err)
		}
		p.proxies = append(p.proxies, prefix)
	}
	p.fetched = newFetched(o, issuer)
	e, err := newEndpoints(o, issuer, pages, p.fetched)
	if err != nil {
		return nil, err
	}
	p.courier, p.device = e.courier, e.device
	p.Handler, err = p.routes(o, issuer, e)
	return p, err
}

// fetched is what remembers documents of clients.
type fetched struct {
	by      Fetcher
	keys    *keyset.Keys
	objects *requestobject.Reader
	logos   *logos.Logos
	clients *clientdocs.Clients
}

func newFetched(o Options, issuer *url.URL) fetched {
	f := fetched{by: o.Fetch}
	if o.After != nil && o.After.fetched.by == o.Fetch {
		f = o.After.fetched
	} else {
		f.keys = keyset.New(keyset.Options{Fetch: o.Fetch, Now: o.Now, Log: o.Log})
		f.logos = logos.New(logos.Options{Fetch: o.Fetch, Base: basePath(issuer), Now: o.Now})
	}
	f.objects = requestobject.New(requestobject.Options{
		Keys: f.keys, Secrets: o.Keys, Own: o.Keys, Fetch: o.Fetch, Issuer: o.Issuer, Unsigned: o.UnsignedRequests, Now: o.Now, After: f.objects,
	})
	f.clients = clientdocs.New(clientdocs.Options{
		On: o.Documents.On, Hosts: o.Documents.Hosts, Addresses: o.Documents.Addresses, Store: o.Store, Fetch: o.Fetch, Check: o.storable,
		Scopes: o.Claims.Added(), Limits: o.Limits, Now: o.Now, Log: o.Log, After: f.clients,
	})
	return f
}

// storable are the rules for a client of a document, by what is on.
func (o Options) storable(c storage.Client) error {
	return errors.Join(clients.Validate(c, o.Claims.Added()...), clients.Signable(c, issue.Algs(o.Keys.Algs(), o.HS256)),
		clients.Readable(c, requestobject.Algs(o.UnsignedRequests)), clients.Decryptable(c, o.Keys.Encryption()))
}

// basePath is the issuer's path without a slash at the end.
func basePath(issuer *url.URL) string { return strings.TrimSuffix(issuer.EscapedPath(), "/") }

// deviceEndpoint is what p counted guesses at; nil of a nil Provider.
func (p *Provider) deviceEndpoint() *device.Endpoint {
	if p == nil {
		return nil
	}
	return p.device
}

// Courier brings notices to clients, as this provider's settings have it.
func (p *Provider) Courier() *ending.Courier { return p.courier }

// Probe returns a path below the issuer that says, for a minute, how a request looks when it arrives.
func (p *Provider) Probe() (string, error) { return p.seen.Open() }

// endpoints are the rooms that answer requests.
type endpoints struct {
	account   *account.Endpoint
	discovery *discovery.Discovery
	authorize *authorize.Endpoint
	device    *device.Endpoint
	check     *checksession.Endpoint
	login     *login.Endpoint
	logos     *logos.Logos
	logout    *logout.Endpoint
	token     *token.Endpoint
	info      *tokeninfo.Endpoint
	register  *register.Endpoint // nil: off
	status    *statuslist.Lists
	courier   *ending.Courier
}

// assertions reads those of other issuers. They are for the issuer, or the token endpoint: RFC 7523 section 3, item 3.
func assertions(o Options) *assertion.Reader {
	return assertion.New(assertion.Options{
		Issuers: o.TrustedIssuers, Audience: []string{o.Issuer, strings.TrimSuffix(o.Issuer, "/") + oauth.TokenPath}, Now: o.Now,
	})
}

func newEndpoints(o Options, issuer *url.URL, pages *web.Pages, documents fetched) (endpoints, error) {
	base := basePath(issuer)
	cookies := cookie.New(issuer)
	authenticator := clientauth.New(clientauth.Options{Store: o.Store, Keys: documents.keys, Secrets: o.Keys, Limits: o.Limits, Issuer: o.Issuer, Now: o.Now})
	places := statuslist.NewPlaces(o.Issuer, o.Keys)
	issuing := issue.New(issue.Options{
		Issuer: o.Issuer, Keys: o.Keys, Resources: o.Store, Families: o.Store, Denials: o.Store, Clients: o.Store, HS256: o.HS256, ClientKeys: documents.keys,
		Claims: o.Claims, IDToken: o.Lifetimes.IDToken, Now: o.Now,
	})
	if !o.NoStatusList {
		issuing.Status = places
	}
	if o.Tracer != nil {
		issuing.Signing = o.Tracer.Signing
	}
	sessions := session.New(session.Options{
		Store: o.Store, Cookies: cookies, Idle: o.Lifetimes.SessionIdle, Absolute: o.Lifetimes.SessionAbsolute, Kept: o.Lifetimes.SessionKept,
		Notices: o.Notices, Now: o.Now,
	})
	interactions := interaction.New(interaction.Options{Store: o.Store, Cookies: cookies, Base: base, Now: o.Now})
	waiting := kept.Requests{Store: o.Store, Base: base, Now: o.Now}

	metadata, err := discovery.New(discovery.Options{
		Issuer: o.Issuer, Keys: o.Keys, Claims: o.Claims, Registration: o.Registration.on(), HS256: o.HS256, UnsignedRequests: o.UnsignedRequests,
		StatusList: !o.NoStatusList, Documents: o.Documents.On, Assertions: len(o.TrustedIssuers) > 0,
	})
	var registering *register.Endpoint
	if o.Registration.on() {
		registering = register.New(register.Options{
			Store: o.Store, Base: strings.TrimSuffix(o.Issuer, "/") + oauth.RegisterPath, Policy: o.Registration.Policy, PKCE: o.Registration.PKCE,
			Algs: issue.Algs(o.Keys.Algs(), o.HS256), Objects: requestobject.Algs(o.UnsignedRequests), JWE: o.Keys.Encryption(),
			Scopes: o.Claims.Added(), Fetch: o.Fetch, Secrets: o.Keys, Statements: o.Registration.Statements, Limits: o.Limits, Now: o.Now,
		})
	}
	return endpoints{
		account: account.New(account.Options{
			Store: o.Store, Passwords: o.Passwords, Sessions: sessions, Interactions: interactions, Cookies: cookies, Pages: pages,
			Logos: documents.logos, Claims: o.Claims, Receipts: ending.Receipts{Store: o.Store}, Base: base, Now: o.Now,
		}),
		register:  registering,
		courier:   &ending.Courier{Clients: o.Store, Tokens: issuing, Post: o.Fetch, Log: o.Log},
		discovery: metadata,
		authorize: authorize.New(authorize.Options{
			Store: o.Store, Clients: documents.clients, Kept: waiting, Issuer: issuing, Objects: documents.objects, Sessions: sessions, Interactions: interactions, Pages: pages,
			CodeLife: o.Lifetimes.Code, Now: o.Now,
		}),
		login: login.New(login.Options{
			Store: o.Store, Clients: documents.clients, Passwords: o.Passwords, Sessions: sessions, Interactions: interactions, Pages: pages,
			Logos: documents.logos, Claims: o.Claims,
		}),
		device: device.New(device.Options{
			Store: o.Store, Clients: authenticator, Issuer: issuing, Sessions: sessions, Interactions: interactions, Pages: pages, Logos: documents.logos,
			Record: o.Later, Base: base, Now: o.Now,
		}, o.After.deviceEndpoint()),
		check: &checksession.Endpoint{Sessions: sessions, Pages: pages},
		logos: documents.logos,
		logout: logout.New(logout.Options{
			Store: o.Store, Kept: waiting, Issuer: issuing, Sessions: sessions, Pages: pages, Name: o.Issuer, Base: base, Keys: o.Keys,
			Receipts: ending.Receipts{Store: o.Store}, Now: o.Now,
		}),
		token: token.New(token.Options{
			Store: o.Store, Clients: authenticator, Issuer: issuing, Record: o.Later, Assertions: assertions(o), RefreshIdle: o.Lifetimes.RefreshIdle,
			RefreshAbsolute: o.Lifetimes.RefreshAbsolute, ReuseWindow: o.Lifetimes.ReuseWindow, Now: o.Now,
		}),
		status: statuslist.New(statuslist.Options{Issuer: o.Issuer, Store: o.Store, Keys: o.Keys, Places: places, Now: o.Now, Log: o.Log}),
		info:   tokeninfo.New(tokeninfo.Options{Store: o.Store, Clients: authenticator, Limits: o.Limits, Issuer: issuing, Now: o.Now}),
	}, err
}
