package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"signet/configs"
	"signet/storage"
	"signet/storage/bolt"
	storecheck "signet/storage/check"
)

func (a *app) storageCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "storage", Short: "Look after the store"}
	cmd.AddCommand(a.storageCheckCommand(), a.storageCompactCommand())
	return a.group(cmd)
}

func (a *app) storageCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read everything and say what is wrong",
		Long: `Read all that is stored, while the server runs or without it, and say what is wrong: rows that cannot be read, rows of users and
clients that never were, an index that disagrees with its rows, pages of the file that are lost or used twice, and rows that should have
been deleted days ago. The exit status is 1 if there is anything. Nothing is changed.`,
		Example: `    signet storage check --data /var/lib/signet`,
		Args:    exactly(),
	}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var r storecheck.Report
		if err := c.caller.Await(c.ctx, http.MethodGet, &r, "storage", "check"); err != nil {
			return err
		}
		return errors.Join(a.printStoreReport(r, *f.json), faulty(r))
	})
	return cmd
}

func faulty(r storecheck.Report) error {
	switch {
	case r.Found > 0:
		return fmt.Errorf("the store has %s; keep a copy of it for whoever looks into this, and restore the last backup from before", number(r.Found, "fault"))
	case r.Late > 0:
		return fmt.Errorf("%s should have been deleted days ago; a server that runs deletes them within minutes of its start: if one does, its log says what keeps it", number(r.Late, "row"))
	}
	return nil
}

func (a *app) printStoreReport(r storecheck.Report, asJSON bool) error {
	if asJSON {
		return a.printJSON(r)
	}
	table := [][]string{{"KIND", "ROWS"}}
	for _, kind := range storage.Kinds {
		if n := r.Rows[kind]; n > 0 {
			table = append(table, []string{string(kind), thousands(n)})
		}
	}
	if err := a.table(table); err != nil {
		return err
	}
	for _, f := range r.Faults {
		fmt.Fprintln(a.stdout, plain(faultLine(f)))
	}
	if more := r.Found - uint64(len(r.Faults)); more > 0 {
		fmt.Fprintf(a.stdout, "and %s more\n", thousands(more))
	}
	if r.Found == 0 && r.Late == 0 {
		fmt.Fprintf(a.stdout, "All %s can be read, and nothing is wrong with them.\n", number(r.Total(), "row"))
	}
	return nil
}

func faultLine(f storage.Fault) string {
	line := f.Problem
	if f.Key != "" {
		line = f.Key + ": " + line
	}
	if f.Kind != "" {
		line = string(f.Kind) + " " + line
	}
	return line
}

func (a *app) storageCompactCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compact",
		Short: "Give the space back that the file of the store does not need any more",
		Long: `Write the file of the store anew, without the pages that are free, compare the two, and put the new one in the place of the old. No server
may run meanwhile, and the disk must have room for both.

There is seldom a reason: what is deleted leaves room that later rows take, so the file grows with what is live. After a flood of users or
sign-ins that are gone it stays as large as it was at its largest, and this makes it small again.`,
		Example: `    signet storage compact --data /var/lib/signet`,
		Args:    exactly(),
	}
	f := a.apiFlags(cmd)
	cmd.RunE = a.command(func(cmd *cobra.Command, _ []string) error {
		cfg, _, err := f.configuration()
		if err != nil {
			return err
		}
		before, after, err := compact(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(map[string]any{"before": before, "after": after})
		}
		fmt.Fprintf(a.stdout, "The store had %s and has %s now.\n", bytesFor(before), bytesFor(after))
		return nil
	})
	return cmd
}

func compact(ctx context.Context, cfg configs.Config) (before, after int64, err error) {
	if cfg.Postgres() {
		return 0, 0, errors.New("PostgreSQL looks after its own space: its autovacuum makes room for new rows, and VACUUM FULL gives it back to the disk")
	}
	if err := noServer(ctx, cfg); err != nil {
		return 0, 0, err
	}
	to, err := placeOf(cfg)
	if err != nil {
		return 0, 0, err
	}
	if missing(to.file) {
		return 0, 0, fmt.Errorf("there is no store in %s; name another folder with --data", cfg.Data)
	}
	if err := ownFolder(cfg.Data); err != nil {
		return 0, 0, err
	}
	before, after, err = bolt.Compact(ctx, to.bolt())
	return before, after, withRoom(cfg.Data, ownedBy(stopServer(err)))
}
