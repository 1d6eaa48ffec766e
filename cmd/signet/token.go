package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"signet/provider/admin"
)

func (a *app) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "See what a token is, and what one would hold"}
	cmd.AddCommand(a.tokenInspect(), a.tokenPreview())
	return a.group(cmd)
}

func (a *app) tokenInspect() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Say what a token is, whether it is good, and why not",
		Long: `Read a token from standard input, or ask for it, and say what it is: an access token or an ID token with its claims, a
refresh token and what became of it, or something that was not made here. Nothing is used up.

When no server runs, say with --config or SIGNET_ISSUER which issuer the tokens are of.`,
		Example: `    signet token inspect < token.txt
    pbpaste | signet token inspect --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("a token is a secret and does not belong into arguments, which every user of this machine can read; " +
					"pipe it in, or run the command alone and paste it")
			}
			return nil
		},
	}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		token, err := a.readToken()
		if err != nil {
			return err
		}
		var i admin.Inspection
		if err := c.do(http.MethodPost, admin.Token{Token: token}, &i, "token", "inspect"); err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(i)
		}
		return a.printInspection(i)
	})
	return cmd
}

func (a *app) readToken() (token string, err error) {
	if fd, ok := a.terminal(); ok {
		token, err = a.ask(fd, "Token: ")
	} else {
		token, err = a.readSecret()
	}
	if err == nil && strings.TrimSpace(token) == "" {
		err = errors.New("standard input holds no token")
	}
	return token, err
}

func (a *app) printInspection(i admin.Inspection) error {
	verdict := "live"
	if !i.Live {
		verdict = "not live: " + i.Why
	}
	key := i.KeyID
	if i.Key != "" && key != "" {
		key += " (" + i.Key + ")"
	}
	generation := ""
	if i.Generation != nil {
		generation = strconv.FormatUint(uint64(*i.Generation), 10)
	}
	err := facts(a.stdout, [2]string{"kind", i.Kind}, [2]string{"state", verdict}, [2]string{"signature", i.Signature}, [2]string{"key", key},
		[2]string{"expires", when(i.Expires)}, [2]string{"generation", generation})
	if err != nil {
		return err
	}
	if fs := i.Family; fs != nil {
		fmt.Fprintln(a.stdout, "\nwhat it lives by")
		user := fs.User
		if fs.Username != "" {
			user += " (" + fs.Username + ")"
		}
		ended := when(fs.Ended)
		if fs.EndedBy != "" {
			ended += " by " + fs.EndedBy
		}
		err = facts(a.stdout, [2]string{"  family", fs.ID.String()}, [2]string{"  client", fs.Client}, [2]string{"  user", user},
			[2]string{"  scopes", strings.Join(fs.Scopes, " ")}, [2]string{"  outlives the session", yesNo(fs.Offline)},
			[2]string{"  generation", strconv.FormatUint(uint64(fs.Generation), 10)}, [2]string{"  created", when(fs.Created)},
			[2]string{"  expires", when(fs.Expires)}, [2]string{"  ended", ended}, [2]string{"  live", yesNo(fs.Live)})
	}
	for _, part := range []struct {
		name string
		json json.RawMessage
	}{{"header", i.Header}, {"claims", i.Claims}} {
		if part.json == nil {
			continue
		}
		var b bytes.Buffer
		if json.Indent(&b, part.json, "", "  ") == nil {
			fmt.Fprintf(a.stdout, "\n%s\n", part.name)
			for line := range strings.SplitSeq(b.String(), "\n") {
				fmt.Fprintln(a.stdout, plain(line))
			}
		}
	}
	return err
}
