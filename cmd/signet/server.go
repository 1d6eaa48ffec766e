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
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"signet/clients"
	"signet/clients/keyset"
	"signet/configs"
	"signet/fetch"
	"signet/fields"
	"signet/keys"
	"signet/provider"
	"signet/provider/admin"
	"signet/provider/issue"
	"signet/resources"
	"signet/storage"
	"signet/storage/bolt"
	"signet/users"
)

// server is a provider with all that it runs on.
type server struct {
	cfg       configured
	log       *slog.Logger
	store     *bolt.Store
	keys      *keys.Keys
	passwords *users.Authenticator
	public    []net.Listener
	handler   http.Handler
}

// open prepares a server: the data folder, the store, the address, the keys, what the file declares, the provider. Nothing is answered
// yet. Who gets a server closes it.
func (a *app) open(ctx context.Context, cfg configured, log *slog.Logger) (s *server, err error) {
	s = &server{cfg: cfg, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(withRoom(cfg.Data, err), s.close())
		}
	}()
	if err := makeFolder(cfg.Data); err != nil {
		return s, err
	}
	first := firstStart{store: missing(filepath.Join(cfg.Data, storeName)), key: missing(a.masterPath(cfg.Config))}
	if s.store, err = openStore(cfg.Config, 2*time.Second, log, true); err != nil {
		s.store = nil
		return s, err
	}
	if s.public, err = listen(ctx, cfg.Listen, "--listen"); err != nil { // before keys are made: a port in use is the likelier fault
		s.public = nil
		return s, err
	}
	if err := signable(ctx, s.store, cfg); err != nil { // before keys are opened: those of an algorithm that is off are ended
		return s, err
	}
	master, err := a.master(ctx, cfg.Config, s.store)
	if err != nil {
		return s, err
	}
	if s.keys, err = openKeys(ctx, cfg.Config, s.store, master, log); err != nil {
		return s, err
	}
	first.tell(log, cfg.Config, a.masterPath(cfg.Config))
	now := time.Now()
	if err := cfg.declared.apply(ctx, s.store, now, log); err != nil {
		return s, err
	}
	resource := resources.Default(cfg.AccessTokens.Algorithm, cfg.AccessTokens.Typ, cfg.Lifetimes.AccessToken, cfg.AccessTokens.Claims)
	if err := resources.Validate(resource); err != nil {
		return s, fmt.Errorf("access_tokens: %w", err)
	}
	if _, err := resources.Ensure(ctx, s.store, resource, byFile(now, "access tokens of the issuer")); err != nil {
		return s, err
	}
	s.passwords = users.NewAuthenticator(users.Options{Store: s.store, Log: log})
	options := s.providerOptions()
	if options.Fetch, err = newFetch(cfg.Config, log); err != nil {
		return s, err
	}
	if options.Registration.Statements, err = statementKeys(cfg.Config); err != nil {
		return s, fmt.Errorf("software_statement_issuers: %w", err)
	}
	s.handler, err = provider.New(options)
	return s, err
}

// newFetch is the way to what the metadata of clients names.
func newFetch(cfg configs.Config, log *slog.Logger) (*fetch.Client, error) {
	pool, err := outgoingCA(cfg)
	if err != nil {
		return nil, fmt.Errorf("outgoing_ca: %w", err)
	}
	return fetch.New(fetch.Options{Allow: cfg.OutgoingAllow, CA: pool, Log: log}), nil
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

// outgoingCA is whom the system trusts and whom the configuration adds; nil if it adds nobody.
func outgoingCA(cfg configs.Config) (*x509.CertPool, error) {
	if cfg.OutgoingCA == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(cfg.OutgoingCA)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil { // a machine that trusts nobody
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", cfg.OutgoingCA)
	}
	return pool, nil
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

// signable refuses a configuration under which ID tokens and userinfo could not be signed as clients were registered for. Those that the file
// declares were looked at with the file, and those that it does not declare any more are about to be put out of use, as others are.
func signable(ctx context.Context, store storage.Clients, cfg configured) error {
	all, err := store.Clients(ctx)
	if err != nil {
		return err
	}
	var without []string
	for _, c := range all {
		declared := slices.ContainsFunc(cfg.declared.clients, func(d storage.Client) bool { return d.ID == c.ID })
		inUse := c.Origin == storage.OriginOperator && clients.Allows(c, clients.GrantCode)
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

func (s *server) providerOptions() provider.Options {
	l := s.cfg.Lifetimes
	window := l.RefreshReuseWindow
	if window == 0 {
		window = -1 // never; zero is the provider's default
	}
	var proxies []string
	for _, p := range s.cfg.TrustedProxy {
		proxies = append(proxies, p.String())
	}
	return provider.Options{
		Issuer: s.cfg.Issuer, Claims: s.cfg.declared.catalogue, Store: s.store, Keys: s.keys, Passwords: s.passwords, TrustedProxies: proxies, Log: s.log,
		Registration: provider.Registration{Policy: s.cfg.Registration, PKCE: s.cfg.RegistrationPKCE}, HS256: s.cfg.Keys.HS256(),
		UnsignedRequests: s.cfg.UnsignedRequests,
		Lifetimes: provider.Lifetimes{
			IDToken: l.IDToken, Code: l.Code, RefreshIdle: l.RefreshIdle, RefreshAbsolute: l.RefreshAbsolute, ReuseWindow: window,
			SessionIdle: l.SessionIdle, SessionAbsolute: l.SessionAbsolute,
		},
	}
}

// close lets go of everything.
func (s *server) close() error {
	for _, l := range s.public {
		l.Close()
	}
	if s.store == nil {
		return nil
	}
	return s.store.Close()
}

// admin is the operator's API of this server.
func (s *server) admin() http.Handler {
	catalogue := s.cfg.declared.catalogue
	tokens := newIssuer(s.cfg.Config, catalogue, s.store, s.keys)
	return admin.New(admin.Options{
		Store:  s.store,
		Keys:   func() (*keys.Keys, error) { return s.keys, nil },
		Tokens: func() (*issue.Issuer, error) { return tokens, nil },
		Algs:   s.cfg.Keys.Algorithms,
		JWE:    s.cfg.EncryptedRequests,
		Scopes: catalogue.Added(),
		Hash:   s.passwords.Hash,
		Status: admin.Status{Version: version().Version, Issuer: s.cfg.Issuer, PID: os.Getpid(), Started: time.Now()},
		File:   s.cfg.file,
		Now:    time.Now,
	})
}

// drainTime is how long requests under way may take when the server ends.
const drainTime = 10 * time.Second

// run answers until ctx ends, then finishes what is under way. ready is called once requests are answered.
func (s *server) run(ctx context.Context, ready func()) error {
	socket, err := admin.Listen(s.cfg.Data)
	if err != nil {
		return err
	}
	public := httpServer(s.handler, s.log)
	if s.cfg.TLSCert != "" {
		if public.TLSConfig, err = tlsConfig(s.cfg.TLSCert, s.cfg.TLSKey, s.log); err != nil {
			return errors.Join(err, socket.Close())
		}
	}
	operator := httpServer(s.admin(), s.log)
	operator.ConnContext = admin.ConnContext

	background, stop := context.WithCancel(context.WithoutCancel(ctx)) // keys and sweeping go on while requests are finished
	var upkeep sync.WaitGroup
	upkeep.Go(func() { s.keys.Run(background) })
	upkeep.Go(func() { storage.Sweeper{Store: s.store, Retention: s.cfg.Audit.Retention, Log: s.log}.Run(background) })
	failed := make(chan error, len(s.public)+1)
	for _, l := range s.public {
		if s.cfg.TLSCert != "" {
			l = tls.NewListener(l, public.TLSConfig)
		}
		go func() { failed <- public.Serve(l) }()
	}
	go func() { failed <- operator.Serve(socket) }()
	ready()

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	err = errors.Join(err, s.drain(ctx, public, operator))
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
