package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"signet/gate"
)

func (a *app) gateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gate",
		Short: "Protect an API behind a reverse proxy",
		Long: `Answer a reverse proxy (Caddy, nginx, Traefik, Envoy) that asks about each request whether it may pass, until it is told to end (Ctrl-C,
SIGTERM). The gate checks the access token and what the route asks for, tells the API by headers who asks, and signs browsers in where a
route wants that. It needs no store and no other part of Signet on its machine: it knows the issuer by what that publishes.

FILE says which issuer, which API, which proxy is trusted, and what each route asks for:

    issuer: https://id.example.com
    resource: https://api.example.com
    trusted_proxy: 127.0.0.1
    routes:
      - path: /orders/*
        methods: [GET]
        scopes: [orders:read]

docs/gate.md has all settings, and the configuration of each proxy.`,
		Example: `    signet gate --config gate.yaml --check
    signet gate --config gate.yaml`,
		Args: exactly(),
	}
	file := cmd.Flags().String("config", "", "the gate's `FILE`")
	check := cmd.Flags().Bool("check", false, "report all faults of FILE, each with its line and the fix, and start nothing")
	cmd.RunE = a.command(func(cmd *cobra.Command, _ []string) error {
		if *file == "" {
			return usagef("%s wants --config FILE, which says what to protect", cmd.CommandPath())
		}
		cfg, err := gate.Load(*file)
		if err != nil {
			return err
		}
		log := a.newLog(cfg.Log)
		g, err := gate.New(gate.Options{Config: cfg, Log: log})
		if err != nil {
			return err
		}
		if *check {
			fmt.Fprintf(a.stdout, "%s is good.\n", *file)
			return nil
		}
		return a.runGate(cmd.Context(), cfg, g)
	})
	return cmd
}

// runGate answers until ctx ends, then finishes what is under way.
func (a *app) runGate(ctx context.Context, cfg gate.Config, g http.Handler) error {
	log := a.newLog(cfg.Log)
	listeners, err := listen(ctx, cfg.Listen, "listen")
	if err != nil {
		return err
	}
	server := httpServer(g, log)
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { failed <- server.Serve(l) }()
	}
	log.Info("ready", "issuer", cfg.Issuer, "resource", cfg.Resource, "listen", addresses(listeners), "version", version().Version)
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	err = errors.Join(err, server.Shutdown(drain))
	log.Info("ended")
	return err
}
