package main

import (
	"net"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"signet/configs"
	"signet/fields"
	"signet/heap"
)

func (a *app) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the provider",
		Long: `Run the provider until it is told to end (Ctrl-C, SIGTERM); then requests under way are finished. At SIGHUP, and for signet reload, it
reads its configuration and its certificate again.

Without any setting it is http://localhost:8080 and keeps its data in ./signet-data, which the first start makes, with a store, keys
and the master key that seals them. Keep a copy of DIR/master.key somewhere else: without it the store's keys are lost.

Every flag is also a variable (--trusted-proxy is SIGNET_TRUSTED_PROXY) and a line of the file (trusted_proxy), which has more
settings. A flag wins over a variable, a variable over the file.`,
		Example: `    signet serve
    signet serve --config /etc/signet/signet.yaml
    signet serve --issuer https://id.example.com --listen :443 --tls-cert tls.crt --tls-key tls.key --data /var/lib/signet`,
		Args: exactly(),
	}
	cmd.Flags().SortFlags = false
	file := configFlag(cmd)
	values := settingFlags(cmd)
	cmd.RunE = a.command(func(cmd *cobra.Command, _ []string) error {
		hangup := make(chan os.Signal, 1) // from the beginning: a SIGHUP during the start is for later, and ends nothing
		signal.Notify(hangup, syscall.SIGHUP)
		read := func() (configured, error) { return a.configuration(a.configFile(*file), values()) }
		cfg, err := read()
		if err != nil {
			return err
		}
		return a.serve(cmd, cfg, read, hangup)
	})
	return cmd
}

// settingFlags adds the flags of settings, and returns those that were given.
func settingFlags(cmd *cobra.Command) func() map[string][]string {
	given := map[string]*fieldValue{}
	for _, f := range configs.Flags() {
		v := &fieldValue{arg: f.Arg, many: f.List}
		given[f.Setting] = v
		help := f.Help
		if f.Default != "" {
			help += " (default " + f.Default + ")"
		}
		cmd.Flags().VarPF(v, f.Name, "", help)
	}
	return func() map[string][]string {
		set := map[string][]string{}
		for name, v := range given {
			if v.values != nil {
				set[name] = v.values
			}
		}
		return set
	}
}

// serve runs the provider. read reads the configuration again, for each hangup.
func (a *app) serve(cmd *cobra.Command, cfg configured, read func() (configured, error), hangup chan os.Signal) (err error) {
	log := a.newLog(cfg.Log)
	heap.Reserve()
	s, err := a.open(cmd.Context(), cfg, log)
	if err != nil {
		return err
	}
	s.reread, s.hangup = read, hangup
	defer func() {
		if closeErr := s.close(); err == nil {
			err = closeErr
		}
		log.Info("ended")
	}()
	if cfg.AllowInsecureIssuer {
		log.Warn("allow_insecure_issuer is on: tokens and passwords can be read on the way here")
	}
	if !s.reachable() {
		log.Warn("the issuer names another port than the one that is listened on; something must lead from the one to the other",
			"issuer", cfg.Issuer, "listen", cfg.Listen)
	}
	if s.exposed() {
		log.Warn("the issuer is a name for this machine alone, and other machines may connect; set issuer (SIGNET_ISSUER, --issuer) to the URL "+
			"that people's browsers open, or listen on localhost", "issuer", cfg.Issuer, "listen", addresses(s.public))
	}
	return s.run(cmd.Context(), func() {
		log.Info("ready", "issuer", cfg.Issuer, "listen", addresses(s.public), "data", cfg.Data, "version", version().Version)
		if s.observed.listeners != nil {
			log.Info("metrics", "listen", addresses(s.observed.listeners), "path", "/metrics")
		}
	})
}

// reachable reports whether the issuer leads here by itself, as far as ports tell.
func (s *server) reachable() bool {
	u, err := url.Parse(s.cfg.Issuer)
	if err != nil || len(s.cfg.TrustedProxy) > 0 {
		return true
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return slices.ContainsFunc(s.public, func(l net.Listener) bool {
		_, ours, _ := net.SplitHostPort(l.Addr().String())
		return ours == port
	})
}

// exposed reports whether others are let in whom the issuer cannot lead here: to their browsers it is their own machine.
func (s *server) exposed() bool {
	u, err := url.Parse(s.cfg.Issuer)
	if err != nil || u.Scheme != "http" || !fields.Loopback(u) {
		return false
	}
	return slices.ContainsFunc(s.public, func(l net.Listener) bool {
		at, ok := l.Addr().(*net.TCPAddr)
		return !ok || !at.IP.IsLoopback()
	})
}

func addresses(listeners []net.Listener) []string {
	var all []string
	for _, l := range listeners {
		all = append(all, l.Addr().String())
	}
	return all
}
