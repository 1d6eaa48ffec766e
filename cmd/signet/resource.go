package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"signet/provider/admin"
	"signet/resources"
	"signet/storage"
)

func (a *app) resourceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resource",
		Short: "Add the APIs that access tokens are for, with their scopes and permissions",
		Long: `A resource is an API that accepts access tokens from here. Its URL is the audience (aud) of tokens for it, compared byte for byte, and
what an app names as resource when it asks for one. It has scopes of its own, and permissions that users have by their roles and groups.

Which apps may ask for it: those whose --access names it (signet client set), and if it is open, every app, for users who allow it.`,
	}
	cmd.AddCommand(a.resourceAdd(), a.resourceList(), a.resourceShow(), a.resourceSet(), a.resourceRemove())
	return a.group(cmd)
}

func (a *app) resourceAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add URL",
		Short: "Add an API",
		Long: `Add an API. Its access tokens are like those of the issuer (access_tokens and lifetimes in the configuration) where flags say nothing else.
If it has permissions, its access tokens carry those of the user in the claim permissions.`,
		Example: `    signet resource add https://api.example.com --scope "orders:read=See your orders" --scope "orders:write=Change your orders"
    signet resource add https://api.example.com --permission orders:delete=role:admin,group:support
    signet resource add https://mcp.example.com/mcp --scope tools --open
    signet resource add https://old.example.com --alg RS256 --typ JWT --lifetime 5m --claim groups`,
		Args: exactly("URL"),
	}
	values := fieldFlags(cmd, resources.Fields)
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var made admin.Resource
		if err := c.do(http.MethodPost, admin.NewResource{ID: c.args[0], Fields: values()}, &made, "resources"); err != nil {
			return err
		}
		return a.printResource(made, *f.json)
	})
	return cmd
}

func (a *app) resourceList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List all APIs", Args: exactly()}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var all []admin.Resource
		if err := c.do(http.MethodGet, nil, &all, "resources"); err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(all)
		}
		if len(all) == 0 {
			fmt.Fprintln(a.stdout, "There are no resources yet, besides the issuer itself. signet resource add adds one.")
			return nil
		}
		rows := [][]string{{"URL", "ORIGIN", "NAME", "OPEN", "FORMAT", "SCOPES"}}
		for _, r := range all {
			rows = append(rows, []string{r.ID, r.Origin, r.Name, yesNo(r.Open), r.Format, strings.Join(scopeNames(r.Resource), " ")})
		}
		return a.table(rows)
	})
	return cmd
}

func scopeNames(r storage.Resource) (names []string) {
	for _, s := range r.Scopes {
		names = append(names, s.Name)
	}
	return names
}

func (a *app) resourceShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show URL", Short: "Show everything about an API", Args: exactly("URL")}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var r admin.Resource
		if err := c.do(http.MethodGet, nil, &r, "resources", c.args[0]); err != nil {
			return err
		}
		return a.printResource(r, *f.json)
	})
	return cmd
}

func (a *app) resourceSet() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set URL",
		Short: "Change settings of an API",
		Long: `Change what the flags name and leave the rest. A flag that may be repeated replaces the whole list; an empty value clears it. Switches are
turned off with =false. Access tokens that were issued before stay as they are until they expire.

The URL of an API is fixed. For another one, add it with signet resource add, and remove this one when the API goes by that.`,
		Example: `    signet resource set https://api.example.com --lifetime 5m --open=false
    signet resource set https://api.example.com --permission orders:delete=role:admin`,
		Args: exactly("URL"),
	}
	values := fieldFlags(cmd, resources.Fields)
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		set := values()
		if len(set) == 0 {
			return usagef("nothing to change; name it by a flag, like --scope")
		}
		var changed admin.Resource
		if err := c.do(http.MethodPatch, admin.Changes{Fields: set}, &changed, "resources", c.args[0]); err != nil {
			return err
		}
		return a.printResource(changed, *f.json)
	})
	return cmd
}

func (a *app) resourceRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove URL",
		Short: "Remove an API; no access token is issued for it from then on",
		Args:  exactly("URL"),
	}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var removed admin.RemovedResource
		if err := c.do(http.MethodDelete, nil, &removed, "resources", c.args[0]); err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(removed)
		}
		fmt.Fprintf(a.stdout, "Removed %s.\n", plain(removed.ID))
		if len(removed.Clients) > 0 {
			fmt.Fprintf(a.stdout, "These clients still name it: %s\n", strings.Join(removed.Clients, ", "))
		}
		return nil
	})
	return cmd
}

func (a *app) printResource(r admin.Resource, asJSON bool) error {
	if asJSON {
		return a.printJSON(r)
	}
	record := r.Record()
	rows := [][2]string{{"resource", r.ID}}
	for _, f := range resources.Fields {
		sep := "\n"
		if f.Name == "claims" {
			sep = " "
		}
		rows = append(rows, [2]string{f.Name, strings.Join(f.Get(&record), sep)})
	}
	rows = append(rows, [2]string{"declared by", origin(r.Origin)}, [2]string{"created", when(r.Created)}, [2]string{"updated", when(r.Updated)},
		[2]string{"revision", strconv.FormatUint(r.Revision, 10)})
	return facts(a.stdout, rows...)
}
