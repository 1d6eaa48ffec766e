package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"signet/audit"
	"signet/clients/keyset"
	"signet/configs"
	"signet/fetch"
	"signet/keys"
	"signet/mail"
	"signet/provider"
	"signet/provider/admin"
	"signet/provider/issue"
	"signet/provider/limit"
	"signet/resources"
	"signet/storage"
)

// setup is what a configuration comes to. A reload puts another in its place, in one step: a request goes on with the one that it began
// with. What requests leave behind in memory is the server's and stays: keys, throttles, what limits count, what was fetched.
type setup struct {
	cfg        configured
	fetch      *fetch.Client
	ca         []byte // what outgoing_ca holds
	statements map[string]keyset.Set
	resource   storage.Resource
	trusted    []trustedIssuer
	pair       *pair        // nil: no TLS
	mail       *mail.Sender // nil: there is no mail server
	password   string       // at that server

	provider *provider.Provider
	operator http.Handler // the admin API
}

// prepare does all of a configuration that can fail and changes nothing. before is nil at a start.
func (s *server) prepare(ctx context.Context, cfg configured, before *setup) (*setup, error) {
	if err := signable(ctx, s.store, cfg); err != nil {
		return nil, err
	}
	if err := cfg.declared.fits(ctx, s.store); err != nil {
		return nil, err
	}
	if err := issuable(ctx, s.store, cfg); err != nil {
		return nil, err
	}
	next := &setup{cfg: cfg, resource: builtIn(cfg.Config)}
	if err := resources.Validate(next.resource); err != nil {
		return nil, fmt.Errorf("access_tokens: %w", err)
	}
	var pool *x509.CertPool
	var err error
	if next.ca, pool, err = outgoingCA(cfg.Config); err != nil {
		return nil, fmt.Errorf("outgoing_ca: %w", err)
	}
	if before != nil && slices.Equal(before.cfg.OutgoingAllow, cfg.OutgoingAllow) && slices.Equal(before.ca, next.ca) {
		next.fetch = before.fetch
	} else {
		next.fetch = fetch.New(fetch.Options{Allow: cfg.OutgoingAllow, CA: pool, Log: s.log, Watch: s.fetching})
	}
	if next.password, err = mailPassword(cfg.Config); err != nil {
		return nil, fmt.Errorf("mail.password_file: %w", err)
	}
	if next.mail, err = mailSender(cfg.Config, next.password, pool, s.log); err != nil {
		return nil, err
	}
	if next.statements, err = statementKeys(cfg.Config); err != nil {
		return nil, fmt.Errorf("software_statement_issuers: %w", err)
	}
	var known []trustedIssuer
	if before != nil {
		known = before.trusted
	}
	if next.trusted, err = trust(cfg, pool, next.fetch, known, s.log); err != nil {
		return nil, err
	}
	if cfg.TLSCert != "" {
		if next.pair, err = readPair(cfg.TLSCert, cfg.TLSKey); err != nil {
			return nil, explain(err, "name a certificate and its key, in PEM, with tls_cert and tls_key")
		}
	}
	return next, nil
}

// fetching tells who looks of a fetch. At a start the way out is made before anybody looks.
func (s *server) fetching(ctx context.Context, host string) func(error) {
	return s.observed.fetching(ctx, host)
}

// adopt makes next the setup in force, or leaves all as it was.
func (s *server) adopt(ctx context.Context, next, before *setup, now time.Time) (err error) {
	if before != nil {
		if err := s.keys.Configure(ctx, keyOptions(next.cfg.Config), byFile(now, "keys as configured")); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, s.restore(ctx, before, now))
			}
		}()
	}
	if next.provider, err = provider.New(s.providerOptions(next, before)); err != nil {
		return err
	}
	if err := next.settle(ctx, s.store, now, s.log); err != nil {
		return err
	}
	next.operator = s.admin(next.cfg)
	s.limits.Change(rates(next.cfg.RateLimits), next.cfg.RateLimit)
	s.app.setLevel(next.cfg.Log)
	if next.pair != nil {
		s.certificate.set(next.pair)
	}
	s.now.Store(next)
	return nil
}

// settle brings the store to what is configured.
func (n *setup) settle(ctx context.Context, store storage.Store, now time.Time, log *slog.Logger) error {
	if err := n.cfg.declared.apply(ctx, store, now, log); err != nil {
		return err
	}
	_, err := resources.Ensure(ctx, store, n.resource, byFile(now, "access tokens of the issuer"))
	return err
}

// restore undoes what a reload did before it failed. A client or a user whom it had added stays, put out of use, as those that are no
// longer declared.
func (s *server) restore(ctx context.Context, before *setup, now time.Time) error {
	err := s.keys.Configure(ctx, keyOptions(before.cfg.Config), byFile(now, "keys as before a reload that failed"))
	return errors.Join(err, before.settle(ctx, s.store, now, s.log))
}

// rates are the configured limits.
func rates(c configs.RateLimits) limit.Rates {
	rate := func(r configs.Rate) limit.Rate {
		return limit.Rate{PerSecond: float64(r.Many) / r.Per.Seconds(), Burst: r.Burst}
	}
	return limit.Rates{Address: rate(c.Address), Client: rate(c.Client), Guess: rate(c.FailedAuthentication), Registration: rate(c.Registration)}
}

// reload reads the configuration again and goes on with it, or refuses it as a whole and goes on as before. Reloads go one by one. It
// returns what changed.
func (s *server) reload(ctx context.Context, by audit.Origin) (changed []string, err error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	ctx = context.WithoutCancel(ctx) // whoever asked may leave; half of it is not done
	if changed, err = s.reloaded(ctx); err != nil {
		s.log.Error("the configuration was not reloaded; the server goes on as before", "by", by.Actor, "faults", lines(err))
		return nil, err
	}
	s.log.Info("the configuration was reloaded", "by", by.Actor, "changed", changed)
	detail := "nothing changed"
	if len(changed) > 0 {
		detail = fmt.Sprintf("changed: %v", changed)
	}
	e := audit.Entry{Time: time.Now(), Event: audit.ConfigReloaded, Origin: by, Detail: detail}
	if err := s.store.Record(ctx, e); err != nil {
		s.log.Error("the reload could not be recorded in the audit log", "error", err)
	}
	return changed, nil
}

func (s *server) reloaded(ctx context.Context) ([]string, error) {
	if s.reread == nil {
		return nil, errors.New("this server has no configuration that could be read again")
	}
	cfg, err := s.reread()
	if err != nil {
		return nil, err
	}
	before := s.now.Load()
	if faults := configs.Fixed(before.cfg.Config, cfg.Config); faults != nil {
		return nil, faults
	}
	if m, err := keys.LoadMaster(s.app.masterPath(cfg.Config)); err == nil && s.keys.Fits(m) != nil {
		return nil, configs.Faults{{Place: cfg.Place("master_key_file"), Key: "master_key_file", Problem: "its file holds another key than the one that the store's keys are wrapped with",
			Fix: "put back the key that was there"}}
	}
	next, err := s.prepare(ctx, cfg, before)
	if err != nil {
		return nil, err
	}
	if err := s.adopt(ctx, next, before, time.Now()); err != nil {
		return nil, storageFull(cfg.Config, err)
	}
	return next.changed(before), nil
}

// changed names what differs: settings, and what stands in the files that they name.
func (n *setup) changed(before *setup) []string {
	names := configs.Changed(before.cfg.Config, n.cfg.Config)
	for _, c := range []struct {
		name    string
		differs bool
	}{
		{"tls_cert", !n.pair.same(before.pair)},
		{"outgoing_ca", !slices.Equal(before.ca, n.ca)},
		{"mail.password_file", n.password != before.password},
		{"software_statement_issuers", !reflect.DeepEqual(before.statements, n.statements)},
		{"trusted_issuers", !slices.EqualFunc(before.cfg.declared.issuers, n.cfg.declared.issuers, sameIssuer)},
		{"resources", !slices.EqualFunc(before.cfg.declared.resources, n.cfg.declared.resources, sameResource)},
		{"clients", !slices.EqualFunc(before.cfg.declared.clients, n.cfg.declared.clients, sameClient)},
		{"users", !slices.EqualFunc(before.cfg.declared.users, n.cfg.declared.users, sameDeclaredUser)},
	} {
		if c.differs && !slices.Contains(names, c.name) {
			names = append(names, c.name)
		}
	}
	return names
}

// lines are the faults of a refusal, one by one.
func lines(err error) []string {
	var faults configs.Faults
	if !errors.As(err, &faults) {
		return []string{err.Error()}
	}
	var all []string
	for _, f := range faults {
		all = append(all, f.Error())
	}
	return all
}

// hangups reloads at each SIGHUP until ctx ends. Those that come during a reload are one more.
func (s *server) hangups(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.hangup:
			_, _ = s.reload(ctx, audit.Origin{Actor: "SIGHUP"}) // the log says it
		}
	}
}

// reloadByOperator is reload for the admin API.
func (s *server) reloadByOperator(ctx context.Context, by audit.Origin) (admin.Reloaded, error) {
	changed, err := s.reload(ctx, by)
	if err == nil {
		return admin.Reloaded{Changed: changed}, nil
	}
	refused := &admin.Error{Status: http.StatusUnprocessableEntity}
	for _, line := range lines(err) {
		refused.Problems = append(refused.Problems, admin.Problem{Text: line})
	}
	return admin.Reloaded{}, refused
}

// admin is the operator's API of this server.
func (s *server) admin(cfg configured) http.Handler {
	catalogue := cfg.declared.catalogue
	tokens := newIssuer(cfg.Config, catalogue, s.store, s.keys)
	return admin.New(admin.Options{
		Store:  s.store,
		Keys:   func() (*keys.Keys, error) { return s.keys, nil },
		Tokens: func() (*issue.Issuer, error) { return tokens, nil },
		Algs:   cfg.Keys.Algorithms,
		JWE:    cfg.EncryptedRequests,
		Scopes: catalogue.Added(), BuiltIn: builtIn(cfg.Config),
		Hash:   s.passwords.Hash,
		Status: admin.Status{Version: version().Version, Issuer: cfg.Issuer, PID: os.Getpid(), Started: s.started},
		Probe:  func() (string, error) { return s.now.Load().provider.Probe() },
		Reload: s.reloadByOperator,
		File:   cfg.file,
		Folder: cfg.Data,
		Now:    time.Now,
	})
}

func (a *app) reloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the server read its configuration again",
		Long: `Have the running server read its configuration, its certificate and the files that they name again, as SIGHUP does. Requests under
way are finished as they began, and nobody is signed out. If anything is wrong nothing changes, and all faults are printed. What only
a restart can change (issuer, listen, data and the like) is refused as well.`,
		Example: `    signet reload --data /var/lib/signet`,
		Args:    exactly(),
	}
	f := a.apiFlags(cmd)
	cmd.RunE = a.command(func(cmd *cobra.Command, _ []string) error {
		cfg, _, err := f.configuration()
		if err != nil && *f.data == "" {
			return err
		}
		if err := reachable(cmd.Context(), cfg.Data); err != nil { // with --data the file's faults are the server's to tell
			return err
		}
		var r admin.Reloaded
		if err := admin.OverSocket(cfg.Data).Do(cmd.Context(), http.MethodPost, nil, &r, "reload"); err != nil {
			return err
		}
		return a.printReloaded(r, *f.json)
	})
	return cmd
}

func (a *app) printReloaded(r admin.Reloaded, asJSON bool) error {
	if asJSON {
		return a.printJSON(r)
	}
	if len(r.Changed) == 0 {
		fmt.Fprintln(a.stdout, "Reloaded. Nothing has changed.")
		return nil
	}
	fmt.Fprintln(a.stdout, "Reloaded. Changed:")
	for _, name := range r.Changed {
		fmt.Fprintln(a.stdout, "  "+plain(name))
	}
	return nil
}
