package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"signet/audit"
	"signet/claims"
	"signet/clients"
	"signet/cmd/signet/demo"
	"signet/configs"
	"signet/provider/account"
	"signet/storage"
	"signet/users"
)

// Who signs in at the demo app. They are printed; nothing here is worth guessing.
const (
	devUser     = "alice"
	devPassword = "wonderland"
)

func (a *app) devCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Try it: a provider, a demo app and a user, gone at the end",
		Long: `Start a provider, a demo app that signs in there, and a user to sign in as, and print the one URL to open. Everything is in a
temporary folder that is removed at the end. Nothing has to be configured and nothing is left behind.

It is reachable from this machine alone.`,
		Example: `    signet dev
    signet dev --listen localhost:9080 --demo-listen localhost:9090`,
		Args: exactly(),
	}
	at := cmd.Flags().String("listen", "localhost:8080", "`HOST:PORT` of the provider")
	demoAt := cmd.Flags().String("demo-listen", "localhost:8090", "`HOST:PORT` of the demo app")
	verbose := cmd.Flags().Bool("verbose", false, "print every request")
	cmd.RunE = a.command(func(cmd *cobra.Command, _ []string) error {
		for flag, address := range map[string]string{"--listen": *at, "--demo-listen": *demoAt} {
			host, port, err := net.SplitHostPort(address)
			if ip := net.ParseIP(host); err != nil || port == "0" || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
				return usagef("%s: signet dev is for this machine alone; write it like localhost:8080", flag)
			}
		}
		return a.dev(cmd.Context(), *at, *demoAt, *verbose)
	})
	return cmd
}

func (a *app) dev(ctx context.Context, at, demoAt string, verbose bool) (err error) {
	dir, err := os.MkdirTemp("", "signet-dev-") // mode 0700
	if err != nil {
		return explain(err, "set TMPDIR to a folder that you may write to")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	cfg := configured{Config: configs.Default(), declared: declared{catalogue: claims.Standard()}}
	cfg.Issuer, cfg.Listen, cfg.Data = "http://"+at, at, dir
	cfg.OutgoingAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")} // the demo app is told of logouts
	cfg.Documents = true                                                                                       // try it with an agent
	cfg.Log = configs.Log{Level: "warn", Format: "text"}
	if verbose {
		cfg.Log.Level = "info"
	}
	log := a.newLog(cfg.Log)

	demoListeners, err := listen(ctx, demoAt, "--demo-listen")
	if err != nil {
		return err
	}
	defer func() {
		for _, l := range demoListeners {
			l.Close()
		}
	}()
	s, err := a.open(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	url := "http://" + demoAt
	client, secret, err := seed(ctx, s.store, url)
	if err != nil {
		return err
	}
	handler, err := demo.New(demo.Options{Issuer: cfg.Issuer, ClientID: client.ID, ClientSecret: secret, BaseURL: url, Log: log})
	if err != nil {
		return err
	}
	app := httpServer(handler, log)
	var apps sync.WaitGroup
	for _, l := range demoListeners {
		apps.Go(func() { _ = app.Serve(l) }) // ends by Shutdown
	}
	err = s.run(ctx, func() { a.welcome(url, cfg.Issuer+account.Path) })
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	err = errors.Join(err, app.Shutdown(drain))
	apps.Wait()
	fmt.Fprintln(a.stdout, "\n  Ended. Nothing is left behind.")
	return err
}

func (a *app) welcome(url, own string) {
	fmt.Fprintf(a.stdout, `
  Signet is ready. Open

      %s

  and sign in as %s with the password %s.
  What is done in that name is shown, and ended, at %s
  Ctrl-C ends it and removes everything.
`, url, devUser, devPassword, own)
}

// seed adds the demo app and its user.
func seed(ctx context.Context, store storage.Store, url string) (storage.Client, string, error) {
	now := time.Now()
	change := storage.Change{Now: now, Origin: audit.Origin{Actor: "dev"}, Detail: "seeded"}
	c, err := clients.New(clients.Web, "Demo app", now)
	if err != nil {
		return c, "", err
	}
	secret, hash := clients.NewSecret()
	c.SecretHash, c.Trusted = hash, true
	c.RedirectURIs, c.PostLogoutRedirectURIs = []string{url + "/callback"}, []string{url + "/"}
	c.BackchannelLogoutURI, c.BackchannelLogoutSessionRequired = url+demo.LogoutPath, true
	if err := clients.Validate(c); err != nil {
		return c, "", fmt.Errorf("the demo app: %w", err)
	}
	if c, err = store.SaveClient(ctx, c, change); err != nil {
		return c, "", err
	}
	u, err := users.New(devUser, now)
	if err != nil {
		return c, "", err
	}
	u.Email, u.EmailVerified, u.Groups = "alice@example.com", true, []string{"editors", "staff"}
	u.Profile = storage.Profile{Name: "Alice Liddell", GivenName: "Alice", FamilyName: "Liddell", Locale: "en", Zoneinfo: "Europe/London"}
	if u.PasswordHash, err = users.HashPassword(devPassword); err != nil {
		return c, "", err
	}
	if err := users.Validate(u); err != nil {
		return c, "", fmt.Errorf("the demo user: %w", err)
	}
	_, err = store.SaveUser(ctx, u, false, change)
	return c, secret, err
}
