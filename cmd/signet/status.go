package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"signet/configs"
	"signet/provider/admin"
)

func (a *app) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say whether the server runs and can do its work",
		Long: `Ask the server of the data folder how it is. The exit status is 0 when it runs and is ready, and 1 otherwise, with the reason: a health
check for containers, which needs no other program.`,
		Example: `    signet status --data /var/lib/signet`,
		Args:    exactly(),
	}
	f := a.apiFlags(cmd)
	cmd.RunE = a.command(func(cmd *cobra.Command, _ []string) error {
		cfg, _, err := f.configuration()
		if err != nil {
			return err
		}
		s, err := status(cmd, cfg)
		if err != nil {
			return err
		}
		return errors.Join(a.printStatus(s, *f.json), unready(s))
	})
	return cmd
}

// status asks the server, and nobody else: a store that could be opened here answers no requests.
func status(cmd *cobra.Command, cfg configs.Config) (s admin.Status, err error) {
	if err := reachable(cmd.Context(), cfg.Data); err != nil {
		return s, err
	}
	return s, admin.OverSocket(cfg.Data).Do(cmd.Context(), http.MethodGet, nil, &s, "status")
}

// reachable refuses a data folder on which no server runs.
func reachable(ctx context.Context, dir string) error {
	if err := checkFolder(dir); err != nil {
		return err
	}
	answers, err := answering(ctx, dir)
	if err != nil {
		return err
	}
	if !answers {
		return fmt.Errorf("no server runs on %s; signet serve starts one, or name another folder with --data", dir)
	}
	return nil
}

func unready(s admin.Status) error {
	if s.Ready {
		return nil
	}
	return fmt.Errorf("the server is not ready: %s", plain(s.Problem))
}

func (a *app) printStatus(s admin.Status, asJSON bool) error {
	if asJSON {
		return a.printJSON(s)
	}
	return facts(a.stdout, [2]string{"ready", yesNo(s.Ready)}, [2]string{"issuer", s.Issuer}, [2]string{"process", strconv.Itoa(s.PID)},
		[2]string{"version", s.Version}, [2]string{"started", when(s.Started)})
}
