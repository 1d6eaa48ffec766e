package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"signet/audit"
	"signet/clients"
	"signet/clients/keyset"
	"signet/configs"
	"signet/fields"
	"signet/keys"
	"signet/mail"
	"signet/notary"
	"signet/provider"
	"signet/provider/admin"
	"signet/provider/ending"
	"signet/provider/limit"
	"signet/resources"
	"signet/storage"
	"signet/users"
)

// server is a provider with all that it runs on.
type server struct {
	app         *app
	cfg         configured // that it was started with; of what can be reloaded, now has the last
	log         *slog.Logger
	started     time.Time
	store       storage.Store
	keys        *keys.Keys
	passwords   *users.Authenticator
	limits      *limit.Limits
	later       *audit.Later
	notary      *notary.Notary
	outbox      *ending.Worker
	notices     *notices
	certificate *certificate
	public      []net.Listener
	observed    observed

	now       atomic.Pointer[setup]
	reloading sync.Mutex
	reread    func() (configured, error) // the configuration, again; nil: there is no other
	hangup    chan os.Signal             // SIGHUP; nil: it is not for us
}

// open prepares a server: the data folder, the store, the address, the keys, what the file declares, the provider. Nothing is answered
// yet. Who gets a server closes it.
func (a *app) open(ctx context.Context, cfg configured, log *slog.Logger) (s *server, err error) {
	s = &server{app: a, cfg: cfg, log: log, started: time.Now(), certificate: &certificate{log: log}}
	defer func() {
		if err != nil {
			err = errors.Join(storageFull(cfg.Config, err), s.close())
		}
	}()
	if err := makeFolder(cfg.Data); err != nil {
		return s, err
	}
	made := firstStart{store: missing(filepath.Join(cfg.Data, storeName)), key: missing(a.masterPath(cfg.Config))}
	if s.store, err = openStore(ctx, cfg.Config, 2*time.Second, log, true); err != nil {
		return s, err
	}
	if cfg.Postgres() {
		if made.store, err = unused(ctx, s.store); err != nil {
			return s, err
		}
	}
	if s.public, err = listen(ctx, cfg.Listen, "--listen"); err != nil { // before keys are made: a port in use is the likelier fault
		s.public = nil
		return s, err
	}
	if err := s.observe(ctx, a.getenv("OTEL_EXPORTER_OTLP_HEADERS")); err != nil {
		return s, err
	}
	first, err := s.prepare(ctx, cfg, nil) // before keys are opened: those of an algorithm that is off are ended
	if err != nil {
		return s, err
	}
	master, err := a.master(ctx, cfg.Config, s.store)
	if err != nil {
		return s, err
	}
	if s.keys, err = openKeys(ctx, cfg.Config, s.store, master, log); err != nil {
		return s, err
	}
	s.count()
	made.tell(log, cfg.Config, a.masterPath(cfg.Config))
	s.passwords = users.NewAuthenticator(users.Options{Store: s.observed.acts(s.store), Log: log})
	if s.notices, err = newNotices(cfg.Issuer, func() *mail.Sender { return s.now.Load().mail }, log); err != nil {
		return s, err
	}
	s.later = audit.NewLater(s.store, log)
	s.notary = &notary.Notary{Store: s.store, Signer: s.keys, Issuer: cfg.Issuer, Now: time.Now, Log: log}
	s.limits = limit.New(limit.Options{Rates: rates(cfg.RateLimits), Store: s.store, Log: log})
	s.outbox = ending.New(ending.Options{
		Store: s.store, Courier: func() *ending.Courier { return s.now.Load().provider.Courier() }, Log: log, Told: s.observed.told,
	})
	return s, s.adopt(ctx, first, nil, time.Now())
}

// statementKeys are the keys of those whose software statements are taken.
func statementKeys(cfg configs.Config) (map[string]keyset.Set, error) {
	all := map[string]keyset.Set{}
	for _, i := range cfg.StatementIssuers {
		raw, err := os.ReadFile(i.File)
		if err != nil {
			return nil, err
		}
		if all[i.Issuer], err = keyset.Parse(raw); err != nil {
			return nil, fmt.Errorf("%s %w", i.File, err)
		}
	}
	return all, nil
}

// outgoingCA is whom the system trusts and whom the configuration adds, with the file that does; nil if it adds nobody.
func outgoingCA(cfg configs.Config) (pem []byte, pool *x509.CertPool, err error) {
	if cfg.OutgoingCA == "" {
		return nil, nil, nil
	}
	if pem, err = os.ReadFile(cfg.OutgoingCA); err != nil {
		return nil, nil, err
	}
	if pool, err = x509.SystemCertPool(); err != nil { // a machine that trusts nobody
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, nil, fmt.Errorf("%s holds no certificate", cfg.OutgoingCA)
	}
	return pem, pool, nil
}

// firstStart is what had to be made.
type firstStart struct{ store, key bool }

// tell says what was made. A new store beside a master key of its own folder is probably one that takes the place of a lost one.
func (f firstStart) tell(log *slog.Logger, cfg configs.Config, masterPath string) {
	switch {
	case f.store && !f.key && masterPath == filepath.Join(cfg.Data, masterName):
		log.Warn(fmt.Sprintf("a new store was made in %s; the master key was there already: if a store was lost here, stop and restore it", cfg.Data),
			"master_key", masterPath)
	case f.store || f.key:
		log.Info("first start: the store and its keys are new; keep a copy of the master key, apart from the store's backups",
			"data", cfg.Data, "master_key", masterPath)
	}
}

// signable refuses a configuration under which ID tokens, userinfo and introspection answers could not be signed as clients were registered for. Those that the file
// declares were looked at with the file, and those that it does not declare any more are about to be put out of use, as others are.
func signable(ctx context.Context, store storage.Clients, cfg configured) error {
	all, err := store.Clients(ctx)
	if err != nil {
		return err
	}
	var without []string
	for _, c := range all {
		declared := slices.ContainsFunc(cfg.declared.clients, func(d storage.Client) bool { return d.ID == c.ID })
		inUse := c.Origin == storage.OriginOperator && len(c.GrantTypes) > 0
		if !inUse || declared {
			continue
		}
		for _, e := range flatten(clients.Signable(c, cfg.Keys.Algorithms)) {
			if f, ok := errors.AsType[*fields.Error](e); ok {
				without = append(without, fmt.Sprintf("%s (%s %s)", c.ID, f.Field, f.Value))
			}
		}
	}
	if without == nil {
		return nil
	}
	return fmt.Errorf("keys.algorithms lacks what these clients are registered for: %s; add it, or change each client, like "+
		"signet client set ID --id-token-alg RS256", strings.Join(without, ", "))
}

// issuable is to access tokens for the resources that commands added what signable is to ID tokens. A scope that the configuration declares goes
// with every resource, so it must not be one that a resource has by itself.
func issuable(ctx context.Context, store storage.Resources, cfg configured) error {
	all, err := store.Resources(ctx)
	if err != nil {
		return err
	}
	here := resources.Server{Issuer: cfg.Issuer, Algs: cfg.Keys.OfRing(), Scopes: cfg.declared.catalogue.Added()}
	var faults []string
	for _, r := range all {
		declared := slices.ContainsFunc(cfg.declared.resources, func(d storage.Resource) bool { return d.ID == r.ID })
		if r.Origin != storage.OriginOperator || declared {
			continue
		}
		for _, e := range flatten(here.Check(r)) {
			faults = append(faults, fmt.Sprintf("resource %s: %v", r.ID, e))
		}
	}
	if faults == nil {
		return nil
	}
	return fmt.Errorf("the configuration does not go with these resources; change it, or them with signet resource set: %s", strings.Join(faults, "; "))
}

func (s *server) providerOptions(next, before *setup) provider.Options {
	cfg, l := next.cfg, next.cfg.Lifetimes
	window := l.RefreshReuseWindow
	if window == 0 {
		window = -1 // never; zero is the provider's default
	}
	var proxies []string
	for _, p := range cfg.TrustedProxy {
		proxies = append(proxies, p.String())
	}
	options := provider.Options{
		Fetch: next.fetch, Limits: s.limits, Later: s.later, Ended: s.outbox.Wake, Issuer: cfg.Issuer, Claims: cfg.declared.catalogue, Store: s.observed.acts(s.store), Keys: s.keys, Passwords: s.passwords, Notices: s.notices, TrustedProxies: proxies, Log: s.log,
		Documents:      provider.Documents{On: cfg.Documents, Hosts: cfg.DocumentHosts, Addresses: cfg.OutgoingAllow},
		Registration:   provider.Registration{Policy: cfg.Registration, PKCE: cfg.RegistrationPKCE, Statements: next.statements},
		TrustedIssuers: issuersOf(next.trusted),
		HS256:          cfg.Keys.HS256(), UnsignedRequests: cfg.UnsignedRequests, NoStatusList: !cfg.AccessTokens.StatusList,
		Lifetimes: provider.Lifetimes{
			IDToken: l.IDToken, Code: l.Code, RefreshIdle: l.RefreshIdle, RefreshAbsolute: l.RefreshAbsolute, ReuseWindow: window,
			SessionIdle: l.SessionIdle, SessionAbsolute: l.SessionAbsolute, SessionKept: l.SessionKept,
		},
	}
	if before != nil {
		options.After = before.provider
	}
	s.observed.into(&options)
	return options
}

// trusted reports whether an address is a proxy's whose word counts.
func (s *server) trusted(a netip.Addr) bool {
	return slices.ContainsFunc(s.now.Load().cfg.TrustedProxy, func(p netip.Prefix) bool { return p.Contains(a) })
}

// close lets go of everything.
func (s *server) close() error {
	for _, l := range s.public {
		l.Close()
	}
	s.observed.close(context.Background(), s.log)
	if s.notices != nil {
		s.notices.outgoing.Close()
	}
	if s.later != nil {
		s.later.Close()
	}
	if s.notary != nil {
		s.vouch()
	}
	if s.store == nil {
		return nil
	}
	return s.store.Close()
}

// vouch makes the last checkpoint. The next start does it where it fails.
func (s *server) vouch() {
	ctx, cancel := context.WithTimeout(context.Background(), vouchTime)
	defer cancel()
	if err := s.notary.Close(ctx); err != nil {
		s.log.Warn("the audit log got no checkpoint at the end; the next start makes one", "error", err)
	}
}

// vouchTime is how long that may take.
const vouchTime = 5 * time.Second

// drainTime is how long requests under way may take when the server ends.
const drainTime = 10 * time.Second

// run answers until ctx ends, then finishes what is under way. ready is called once requests are answered.
func (s *server) run(ctx context.Context, ready func()) error {
	socket, err := admin.Listen(s.cfg.Data)
	if err != nil {
		return err
	}
	public := httpServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.now.Load().provider.ServeHTTP(w, r) }), s.log)
	if s.cfg.TLSCert != "" {
		public.TLSConfig = tlsConfig(s.certificate)
	}
	operator := httpServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet { // it may end something
			defer s.outbox.Wake()
		}
		s.now.Load().operator.ServeHTTP(w, r)
	}), s.log)
	operator.ConnContext = admin.ConnContext

	background, stop := context.WithCancel(context.WithoutCancel(ctx)) // keys and sweeping go on while requests are finished
	var upkeep sync.WaitGroup
	upkeep.Go(func() { s.keys.Run(background) })
	upkeep.Go(func() { s.notary.Run(background) })
	upkeep.Go(func() { s.hangups(background) })
	upkeep.Go(func() { s.outbox.Run(background) })
	upkeep.Go(func() {
		storage.Sweeper{Store: s.store, Retention: func() time.Duration { return s.now.Load().cfg.Audit.Retention }, Log: s.log, Swept: s.observed.swept}.Run(background)
	})
	failed := make(chan error, len(s.public)+len(s.observed.listeners)+1)
	everybody := newCrowd(maxConnections, maxPerNetwork, s.trusted)
	public.ConnState = everybody.state
	for _, l := range s.public {
		l = everybody.listener(l)
		if s.cfg.TLSCert != "" {
			l = tls.NewListener(l, public.TLSConfig)
		}
		go func() { failed <- public.Serve(l) }()
	}
	go func() { failed <- operator.Serve(socket) }()
	figures := s.observed.serve(s.log, failed)
	ready()

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	err = errors.Join(err, s.drain(ctx, public, operator))
	if figures != nil {
		figures.Close()
	}
	stop()
	upkeep.Wait()
	return err
}

func (s *server) drain(ctx context.Context, servers ...*http.Server) error {
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	var all sync.WaitGroup
	for _, srv := range servers {
		all.Go(func() {
			if err := srv.Shutdown(drain); err != nil {
				s.log.Warn("requests under way were cut off", "error", err)
				srv.Close()
			}
		})
	}
	all.Wait()
	return nil
}
