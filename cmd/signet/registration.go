package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/fields"
	"signet/provider/admin"
	"signet/storage"
)

func (a *app) clientToken() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make a token by which apps register themselves; prints it once",
		Long: `Make an initial access token (RFC 7591). With registration: token in the configuration, an app that registers itself brings
it along. It is good for so many registrations and for so long; --scope and --grant-type say what the apps may have at the most,
also when they change their registration later.`,
		Example: `    signet client token --uses 5 --expires 7d --note "the data team"
    signet client token --scope openid --scope email --json | jq -r .initial_access_token
    signet client token list
    signet client token remove ID`,
		Args: exactly(),
	}
	cmd.Flags().SortFlags = false
	uses := cmd.Flags().Int("uses", 1, "how many registrations it is good for; 0 for any `NUMBER`")
	expires := cmd.Flags().String("expires", "24h", "how long it is good for, like 24h or 30d; 0 for ever (`DURATION`)")
	scopes := cmd.Flags().StringArray("scope", nil, "`SCOPE` that its apps may have, of all if none is named (may be repeated)")
	grants := cmd.Flags().StringArray("grant-type", nil, "grant `TYPE` that its apps may have, of all if none is named (may be repeated)")
	note := cmd.Flags().String("note", "", "`TEXT` for your own list")
	for flag, field := range map[string]string{"uses": "uses", "expires": "expires", "scope": "scopes", "grant-type": "grant_types", "note": "note"} {
		cmd.Flags().Lookup(flag).Annotations = map[string][]string{fieldAnnotation: {field}}
	}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		life, err := fields.ParseDuration(*expires)
		if err != nil {
			return usagef("--expires: %v", err)
		}
		in := admin.NewInitialToken{Uses: *uses, ExpiresIn: int64(life / time.Second), Scopes: *scopes, GrantTypes: *grants, Note: *note}
		var made admin.InitialTokenSecret
		if err := c.do(http.MethodPost, in, &made, "registration", "tokens"); err != nil {
			return err
		}
		return a.printInitialToken(made, *f.json)
	})
	cmd.AddCommand(a.clientTokenList(), a.clientTokenRemove())
	return cmd
}

// initialTokenJSON is a token with its secret, flat.
type initialTokenJSON struct {
	storage.InitialToken
	Secret string `json:"initial_access_token"`
}

func (a *app) printInitialToken(t admin.InitialTokenSecret, asJSON bool) error {
	if asJSON {
		return a.printJSON(initialTokenJSON{t.Token, t.Secret})
	}
	err := facts(a.stdout, [2]string{"initial access token", t.Secret}, [2]string{"id", t.Token.ID.String()}, [2]string{"uses", usesOf(t.Token)},
		[2]string{"expires", dash(when(t.Token.Expires))})
	if err == nil {
		fmt.Fprintln(a.stdout, "\nThe token is shown this once. Apps send it as Authorization: Bearer when they register.")
	}
	return err
}

func usesOf(t storage.InitialToken) string {
	if t.Uses < 0 {
		return "any number"
	}
	return strconv.Itoa(t.Uses)
}

func (a *app) clientTokenList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the tokens that are still good", Args: exactly()}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var all []storage.InitialToken
		if err := c.do(http.MethodGet, nil, &all, "registration", "tokens"); err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(all)
		}
		if len(all) == 0 {
			fmt.Fprintln(a.stdout, "There are no initial access tokens. signet client token makes one.")
			return nil
		}
		rows := [][]string{{"ID", "USES LEFT", "EXPIRES", "SCOPES", "GRANT TYPES", "NOTE"}}
		for _, t := range all {
			rows = append(rows, []string{t.ID.String(), usesOf(t), dash(when(t.Expires)), dash(strings.Join(t.Scopes, " ")), dash(strings.Join(t.GrantTypes, " ")), t.Note})
		}
		return a.table(rows)
	})
	return cmd
}

func (a *app) clientTokenRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove ID",
		Short: "End a token; apps that registered with it stay",
		Args:  exactly("ID"),
	}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var removed struct {
			ID storage.ID `json:"id"`
		}
		if err := c.do(http.MethodDelete, nil, &removed, "registration", "tokens", c.args[0]); err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(removed)
		}
		fmt.Fprintf(a.stdout, "Removed %s.\n", removed.ID)
		return nil
	})
	return cmd
}
