package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"signet/keys"
	"signet/provider/admin"
)

func (a *app) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "See and rotate the keys that sign tokens, or that apps encrypt to",
		Long: `Keys rotate by themselves. A key goes through these states:

    next       published, does not sign yet: whoever caches the key set must have seen it
    active     signs
    retired    published until the last token that it signed has expired
    kept       not published; still recognised when an app sends an old ID token back
    revoked    neither published nor accepted

Those that apps encrypt request objects to (encrypted_request_objects) are published only while they are active. The next one
decrypts already, and a retired one does for another day.`,
	}
	cmd.AddCommand(a.keyList(), a.keyRotate(), a.keyRevoke())
	return a.group(cmd)
}

func (a *app) keyList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the keys and when their state changes", Args: exactly()}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var list []keys.Info
		if err := c.do(http.MethodGet, nil, &list, "keys"); err != nil {
			return err
		}
		if err := a.printKeys(list, *f.json); err != nil || *f.json {
			return err
		}
		key, err := c.auditKey()
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "\nThe audit log's checkpoints are signed with a key that never rotates: %s, made %s.\n", key.Fingerprint, when(key.Created))
		return nil
	})
	return cmd
}

func (a *app) keyRotate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate [ALG]",
		Short: "Move the next rotation up, for all algorithms or one",
		Long: `Let the announced keys sign as soon as they have been published long enough for everybody to know them (keys.announce, 24h by
default), and publish new ones.

With --now they sign at once. Who cached the key set before they were published then refuses new tokens until it asks again,
so a key published less than 15 minutes ago wants --force as well.

Keys that apps encrypt to are used from the moment they are published, so the next ones wait only for all servers to know them, two
minutes at the most.`,
		Example: `    signet key rotate
    signet key rotate ES256 --now`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("%s takes one algorithm, or none for all", cmd.CommandPath())
			}
			return nil
		},
	}
	f := a.apiFlags(cmd)
	now := cmd.Flags().Bool("now", false, "do not wait for the announcement")
	force := cmd.Flags().Bool("force", false, "with --now: even if the key was published moments ago")
	cmd.RunE = f.call(func(c call) error {
		if *force && !*now {
			return usagef("--force goes with --now; without --now nothing is forced")
		}
		var list []keys.Info
		in := admin.Rotation{Alg: strings.Join(c.args, ""), Now: *now, Force: *force}
		if err := c.do(http.MethodPost, in, &list, "keys", "rotate"); err != nil {
			return err
		}
		return a.printKeys(list, *f.json)
	})
	return cmd
}

func (a *app) keyRevoke() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke KID",
		Short: "Take a key out of use at once, because somebody else may have it",
		Long: `Take a key out of use at once, because somebody else may have it. Everything that it signed is refused from now on, by us at
once and by others when they next fetch the key set. If it was active, the next key takes its place.`,
		Args: exactly("KID"),
	}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var list []keys.Info
		if err := c.do(http.MethodDelete, nil, &list, "keys", c.args[0]); err != nil {
			return err
		}
		return a.printKeys(list, *f.json)
	})
	return cmd
}

func (a *app) printKeys(list []keys.Info, asJSON bool) error {
	if asJSON {
		return a.printJSON(list)
	}
	rows := [][]string{{"ALG", "STATE", "KID", "PUBLISHED", "STATE ENDS"}}
	for _, k := range list {
		rows = append(rows, []string{k.Alg, string(k.State), k.KID, dash(when(k.Published())), dash(when(k.Until))})
	}
	if err := a.table(rows); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
