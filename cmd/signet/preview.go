package main

import (
	"fmt"
	"net/http"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"signet/provider/admin"
	"signet/provider/issue"
)

func (a *app) tokenPreview() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "preview",
		Short: "Say what a client would get of a user, and why",
		Long: `Show what the ID token, the userinfo answer and the access token would hold for a user, a client and its scopes, each claim with the
reason for which it is there: the protocol, a scope, the claims parameter, or the configuration. Nothing is issued, and nobody is
asked. What every sign-in makes anew is listed without a value.

When no server runs, say with --config or SIGNET_ISSUER which issuer it is, and with --config which claims it adds.`,
		Example: `    signet token preview --user alice --client ID
    signet token preview --user alice --client ID --scope "openid email" --claims '{"id_token": {"name": null}}'`,
		Args: cobra.NoArgs,
	}
	var in admin.NewPreview
	cmd.Flags().StringVar(&in.User, "user", "", "whom it is about: `USER`, by name, address or sub")
	cmd.Flags().StringVar(&in.Client, "client", "", "whom it is for: a client `ID`")
	cmd.Flags().StringVar(&in.Scope, "scope", "", "what it asks for, `SCOPES` with spaces between (default all that it may)")
	cmd.Flags().StringVar(&in.Claims, "claims", "", "the claims parameter of the request, `JSON`")
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		if in.User == "" || in.Client == "" {
			return usagef("say whom it is about with --user, and whom it is for with --client")
		}
		var p issue.Preview
		if err := c.do(http.MethodPost, in, &p, "token", "preview"); err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(p)
		}
		return a.printPreview(p)
	})
	return cmd
}

func (a *app) printPreview(p issue.Preview) error {
	for i, part := range []struct {
		name string
		list []issue.PreviewClaim
	}{{"ID token", p.IDToken}, {"userinfo", p.Userinfo}, {"access token", p.AccessToken}} {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		if part.list == nil {
			fmt.Fprintf(a.stdout, "%s: none, since the scope openid is not asked for\n", part.name)
			continue
		}
		fmt.Fprintln(a.stdout, part.name)
		t := tabwriter.NewWriter(a.stdout, 0, 0, 3, ' ', 0)
		for _, c := range part.list {
			value := string(c.Value)
			if value == "" {
				value = "…"
			}
			fmt.Fprintf(t, "  %s\t%s\t%s\n", plain(c.Name), plain(value), plain(c.Why))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}
