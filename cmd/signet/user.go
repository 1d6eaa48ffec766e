package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"signet/provider/admin"
	"signet/storage"
	"signet/users"
)

func (a *app) userCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add people, and change what is known of them",
		Long:  "Wherever a command wants a USER, it takes the user name, the e-mail address or the sub.",
	}
	cmd.AddCommand(a.userAdd(), a.userList(), a.userShow(), a.userSet(), a.userPassword(), a.userRemove())
	return a.group(cmd)
}

func (a *app) userAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a person, who signs in with NAME or with the e-mail address",
		Long: `Add a person, who signs in with NAME or with the e-mail address. The password is asked for, or read from standard input.

The address counts as verified, since you vouch for it, unless --email-unverified is given.`,
		Example: `    signet user add alice --email alice@example.com
    signet user add bob --email bob@example.com --group staff --group editors --password-stdin < bob.password`,
		Args: exactly("NAME"),
	}
	values := userFlags(cmd, "username", "email_verified")
	stdin := cmd.Flags().Bool("password-stdin", false, "read the password from standard input")
	none := cmd.Flags().Bool("no-password", false, "add the person without a password; nobody can sign in until there is one")
	f := a.apiFlags(cmd)
	cmd.MarkFlagsMutuallyExclusive("password-stdin", "no-password")
	cmd.RunE = f.call(func(c call) error {
		in := admin.NewUser{Username: c.args[0], Fields: values()}
		if !*none {
			var err error
			if in.Password, err = a.newPassword(*stdin); err != nil {
				return err
			}
		}
		var u storage.User
		if err := c.do(http.MethodPost, in, &u, "users"); err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(u)
		}
		fmt.Fprintf(a.stdout, "Added %s. The sub is %s.\n", plain(u.Name), u.Sub)
		return nil
	})
	return cmd
}

// userFlags are the flags of a user's fields. Who sets an address vouches for it.
func userFlags(cmd *cobra.Command, leaveOut ...string) func() admin.Fields {
	values := fieldFlags(cmd, users.Fields, leaveOut...)
	unverified := cmd.Flags().Bool("email-unverified", false, "the address is not known to be the person's")
	return func() admin.Fields {
		set := values()
		if email := set["email"]; *unverified || email != nil && set["email_verified"] == nil {
			set["email_verified"] = []string{strconv.FormatBool(!*unverified && email[0] != "")}
		}
		return set
	}
}

func (a *app) userList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List all people", Args: exactly()}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var all []storage.User
		if err := c.do(http.MethodGet, nil, &all, "users"); err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(all)
		}
		if len(all) == 0 {
			fmt.Fprintln(a.stdout, "There are no users yet. signet user add adds one.")
			return nil
		}
		rows := [][]string{{"NAME", "EMAIL", "GROUPS", "STATE", "SUB"}}
		for _, u := range all {
			rows = append(rows, []string{u.Name, dash(u.Email), dash(strings.Join(u.Groups, " ")), state(u), u.Sub})
		}
		return a.table(rows)
	})
	return cmd
}

// dash keeps a column where there is no value.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func state(u storage.User) string {
	if u.Disabled {
		return "disabled"
	}
	return "active"
}

func (a *app) userShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show USER", Short: "Show everything that is known of a person, except the password", Args: exactly("USER")}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var u storage.User
		if err := c.do(http.MethodGet, nil, &u, "users", c.args[0]); err != nil {
			return err
		}
		return a.printUser(u, *f.json)
	})
	return cmd
}

func (a *app) userSet() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set USER",
		Short: "Change what is known of a person, or disable the account",
		Long: `Change what the flags name and leave the rest. A flag that may be repeated replaces the whole list; an empty value
clears it. --disabled ends everything that was begun in the person's name; --disabled=false lets them sign in again.`,
		Example: `    signet user set alice --group staff --group admins
    signet user set alice --email alice@example.org
    signet user set alice --disabled`,
		Args: exactly("USER"),
	}
	values := userFlags(cmd)
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		set := values()
		if len(set) == 0 {
			return usagef("nothing to change; name it by a flag, like --email")
		}
		var u storage.User
		if err := c.do(http.MethodPatch, admin.Changes{Fields: set}, &u, "users", c.args[0]); err != nil {
			return err
		}
		if err := a.printUser(u, *f.json); err != nil || *f.json || !u.Disabled {
			return err
		}
		return a.tellOwed(c)
	})
	return cmd
}

func (a *app) userPassword() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "password USER",
		Short: "Set a person's password; ends everything that was begun in their name",
		Example: `    signet user password alice
    signet user password alice --password-stdin < alice.password`,
		Args: exactly("USER"),
	}
	f := a.apiFlags(cmd)
	stdin := cmd.Flags().Bool("password-stdin", false, "read the password from standard input")
	cmd.RunE = f.call(func(c call) error {
		var u storage.User
		if err := c.do(http.MethodGet, nil, &u, "users", c.args[0]); err != nil { // before anybody types
			return err
		}
		password, err := a.newPassword(*stdin)
		if err != nil {
			return err
		}
		if err := c.do(http.MethodPut, admin.NewPassword{Password: password}, &u, "users", u.Sub, "password"); err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(u)
		}
		fmt.Fprintf(a.stdout, "The password of %s was set. Sessions and refresh tokens from before have ended.\n", plain(u.Name))
		return a.tellOwed(c)
	})
	return cmd
}

func (a *app) userRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove USER",
		Short: "Remove a person; the name and the address are free again",
		Args:  exactly("USER"),
	}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var u storage.User
		if err := c.do(http.MethodDelete, nil, &u, "users", c.args[0]); err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(u)
		}
		fmt.Fprintf(a.stdout, "Removed %s (%s).\n", plain(u.Name), u.Sub)
		return a.tellOwed(c)
	})
	return cmd
}

func (a *app) printUser(u storage.User, asJSON bool) error {
	if asJSON {
		return a.printJSON(u)
	}
	rows := [][2]string{{"sub", u.Sub}}
	for _, f := range users.Fields {
		rows = append(rows, [2]string{f.Name, strings.Join(f.Get(&u), " ")})
	}
	rows = append(rows, [2]string{"declared by", origin(u.Origin)}, [2]string{"created", when(u.Created)}, [2]string{"updated", when(u.Updated)},
		[2]string{"revision", strconv.FormatUint(u.Revision, 10)})
	return facts(a.stdout, rows...)
}
