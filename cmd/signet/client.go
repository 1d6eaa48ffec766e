package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"signet/clients"
	"signet/provider/admin"
	"signet/recipes"
	"signet/storage"
)

func (a *app) clientCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "client",
		Short: "Register apps, and change how they sign people in",
		Long: `A client is an app that signs people in here. Its type says where it runs, and decides most of the rest:

    web       on a server, and keeps a secret
    spa       in a browser, and keeps none
    native    on a phone or a desktop, and keeps none
    device    on what has no browser, such as a television; people sign in elsewhere, by a code
    service   acts for itself: nobody signs in to it`,
	}
	cmd.AddCommand(a.clientAdd(), a.clientList(), a.clientShow(), a.clientSet(), a.clientRotateSecret(), a.clientRemove(), a.clientToken())
	return a.group(cmd)
}

func (a *app) clientAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add TYPE NAME | RECIPE [NAME] --url URL",
		Short: "Register an app; prints its id, and its secret once",
		Long: `Register an app of the TYPE web, spa, native, device or service. NAME is what people see when they sign in.

A service gets access tokens in its own name (the grant type client_credentials). --access says for which API, and with which of its scopes;
if it names one API and nothing else, requests that name none mean that. An API itself is a service as well: --resource says which one it is,
and then it may ask about the access tokens that reach it (introspection). See signet resource add.

A RECIPE knows an app that others made: it registers what that app wants, and prints what belongs into the app's own configuration. --url is
where people open it; other flags win over the recipe. signet recipe show RECIPE has its parameters, for --param. There are

    ` + recipeNames() + `

The id and the secret go into the app's configuration. The secret is shown now and never again.`,
		Example: `    signet client add web "My app" --redirect-uri https://app.example.com/callback
    signet client add spa "My page" --redirect-uri https://page.example.com/ --trusted
    signet client add native "My tool" --redirect-uri http://127.0.0.1/callback
    signet client add device "Living room TV" --client-uri https://tv.example.com/
    signet client add web "My app" --redirect-uri https://app.example.com/cb --auth-method private_key_jwt --jwks-uri https://app.example.com/keys
    signet client add service "Night job" --access "https://api.example.com orders:read"
    signet client add service "Orders API" --resource https://api.example.com
    signet client add web Shop --redirect-uri https://shop.example.com/cb --json | jq -r .client_secret
    signet client add grafana --url https://grafana.example.com`,
		Args: typeOrRecipe,
	}
	recipe := addRecipeFlags(cmd)
	values := fieldFlags(cmd, clients.Fields, "client_name")
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		if r, ok := recipes.Find(c.args[0]); ok {
			return a.addByRecipe(c, r, recipe, values(), *f.json)
		}
		if recipe.given() {
			return usagef("--url and --param are for recipes; signet recipe list shows them")
		}
		var made admin.ClientSecret
		in := admin.NewClient{Type: c.args[0], Name: c.args[1], Fields: values()}
		if err := c.do(http.MethodPost, in, &made, "clients"); err != nil {
			return err
		}
		a.warn(made.Warnings)
		return a.printSecret(made, *f.json)
	})
	return cmd
}

// warn prints what is no reason to refuse.
func (a *app) warn(lines []string) {
	for _, line := range lines {
		fmt.Fprintln(a.stderr, "signet: note:", plain(line))
	}
}

func (a *app) clientList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List all apps", Args: exactly()}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var all []storage.Client
		if err := c.do(http.MethodGet, nil, &all, "clients"); err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(all)
		}
		if len(all) == 0 {
			fmt.Fprintln(a.stdout, "There are no clients yet. signet client add registers one.")
			return nil
		}
		rows := [][]string{{"ID", "TYPE", "ORIGIN", "NAME", "REDIRECT URI"}}
		for _, cl := range all {
			rows = append(rows, []string{cl.ID, cl.Type, cl.Origin, cl.Name, firstOf(cl.RedirectURIs)})
		}
		return a.table(rows)
	})
	return cmd
}

func firstOf(values []string) string {
	switch len(values) {
	case 0:
		return ""
	case 1:
		return values[0]
	}
	return fmt.Sprintf("%s (and %d more)", values[0], len(values)-1)
}

func (a *app) clientShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show ID", Short: "Show everything about an app, except its secret", Args: exactly("ID")}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var cl storage.Client
		if err := c.do(http.MethodGet, nil, &cl, "clients", c.args[0]); err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(cl)
		}
		return a.printClient(cl)
	})
	return cmd
}

func (a *app) clientSet() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set ID",
		Short: "Change settings of an app",
		Long: `Change what the flags name and leave the rest. A flag that may be repeated replaces the whole list; an empty value
clears it. Switches are turned off with =false.

The type of an app is fixed. For another one, register a new client with signet client add, and remove this one when the app uses that.`,
		Example: `    signet client set 8Yc… --redirect-uri https://a.example.com/cb --redirect-uri https://b.example.com/cb
    signet client set 8Yc… --trusted=false --id-token-alg ES256
    signet client set 8Yc… --logo-uri ""`,
		Args: exactly("ID"),
	}
	values := fieldFlags(cmd, clients.Fields)
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		set := values()
		if len(set) == 0 {
			return usagef("nothing to change; name it by a flag, like --redirect-uri")
		}
		var changed admin.ClientSecret
		if err := c.do(http.MethodPatch, admin.Changes{Fields: set}, &changed, "clients", c.args[0]); err != nil {
			return err
		}
		a.warn(changed.Warnings)
		if changed.Secret != "" || *f.json {
			return a.printSecret(changed, *f.json)
		}
		return a.printClient(changed.Client)
	})
	return cmd
}

func (a *app) clientRotateSecret() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate-secret ID",
		Short: "Give an app a new secret; the old one ends at once",
		Args:  exactly("ID"),
	}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var made admin.ClientSecret
		if err := c.do(http.MethodPost, nil, &made, "clients", c.args[0], "secret"); err != nil {
			return err
		}
		return a.printSecret(made, *f.json)
	})
	return cmd
}

func (a *app) clientRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove ID",
		Short: "Remove an app; it cannot sign anybody in from then on",
		Args:  exactly("ID"),
	}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var removed storage.Client
		if err := c.do(http.MethodDelete, nil, &removed, "clients", c.args[0]); err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(removed)
		}
		fmt.Fprintf(a.stdout, "Removed %s (%s).\n", plain(removed.Name), removed.ID)
		return nil
	})
	return cmd
}

// clientJSON is a client with its fresh secret, flat, under the names of RFC 7591 section 3.2.1.
type clientJSON struct {
	storage.Client
	Secret string `json:"client_secret,omitempty"`
}

func (a *app) printSecret(c admin.ClientSecret, asJSON bool) error {
	if asJSON {
		return a.printJSON(clientJSON{c.Client, c.Secret})
	}
	if err := facts(a.stdout, [2]string{"client id", c.Client.ID}, [2]string{"client secret", c.Secret}); err != nil {
		return err
	}
	if c.Secret != "" {
		fmt.Fprintln(a.stdout, "\nThe secret is shown this once. Put it where the app reads it.")
	}
	return nil
}

func (a *app) printClient(c storage.Client) error {
	rows := [][2]string{{"client_id", c.ID}, {"type", c.Type}}
	for _, f := range clients.Fields {
		sep := " "
		if slices.Contains([]string{"redirect_uris", "post_logout_redirect_uris", "response_types", "contacts", "access", "resources"}, f.Name) {
			sep = "\n"
		}
		rows = append(rows, [2]string{f.Name, strings.Join(f.Get(&c), sep)})
	}
	rows = append(rows, [2]string{"declared by", origin(c.Origin)}, [2]string{"created", when(c.Created)}, [2]string{"updated", when(c.Updated)},
		[2]string{"revision", strconv.FormatUint(c.Revision, 10)})
	return facts(a.stdout, rows...)
}

func origin(o string) string {
	switch o {
	case storage.OriginFile:
		return "the configuration file"
	case storage.OriginRegistered:
		return "itself"
	case storage.OriginDocument:
		return "the document at its client_id"
	}
	return "signet commands"
}
