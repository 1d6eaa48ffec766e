package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/provider/admin"
	"signet/provider/ending"
	"signet/storage"
)

// receiptsTime is how long a command waits for apps to be told.
const receiptsTime = 10 * time.Second

func (a *app) sessionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "session", Short: "See who is signed in where, and end it"}
	cmd.AddCommand(a.sessionList(), a.sessionEnd())
	return a.group(cmd)
}

func (a *app) sessionList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the sessions that are live",
		Example: `    signet session list
    signet session list --user alice`,
		Args: exactly(),
	}
	user := cmd.Flags().String("user", "", "of this `USER` alone")
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		path := []string{"sessions"}
		if *user != "" {
			path = []string{"users", *user, "sessions"}
		}
		var all []admin.Session
		if err := c.do(http.MethodGet, nil, &all, path...); err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(all)
		}
		if len(all) == 0 {
			fmt.Fprintln(a.stdout, "Nobody is signed in.")
			return nil
		}
		rows := [][]string{{"ID", "USER", "SIGNED IN", "LAST USED", "ADDRESS", "APPS"}}
		for _, s := range all {
			rows = append(rows, []string{s.ID.String(), s.Username, when(s.AuthTime), when(s.LastUsed), dash(s.Address), dash(strings.Join(s.Clients, " "))})
		}
		return a.table(rows)
	})
	return cmd
}

func (a *app) sessionEnd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "end {--user USER | ID…}",
		Short: "Sign a person out everywhere, or end single sessions",
		Long: `With --user, end everything that was begun in a person's name: sessions, refresh tokens, access tokens, codes. With IDs, end these
sessions; refresh tokens for offline access go on, as after a logout.

Apps that want to be told are told at once by the server, and the command says how that goes, for ten seconds at the most. Apps that cannot be
reached then are tried further; signet notice list says which could not be told.`,
		Example: `    signet session end --user alice
    signet session end AZ3qQ1bVb0mV2mYx0kJH8A`,
	}
	user := cmd.Flags().String("user", "", "everything of this `USER`")
	noWait := cmd.Flags().Bool("no-wait", false, "do not wait for apps to be told")
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		in := admin.EndSessions{User: *user}
		if (*user == "") == (len(c.args) == 0) {
			return usagef("name a person with --user, or sessions by their IDs (signet session list)")
		}
		for _, arg := range c.args {
			id, err := storage.ParseID(arg)
			if err != nil {
				return usagef("%s is not the ID of a session; signet session list has them", plain(arg))
			}
			in.Sessions = append(in.Sessions, id)
		}
		var done admin.Ended
		if err := c.do(http.MethodPost, in, &done, "sessions", "end"); err != nil {
			return err
		}
		if !*f.json {
			a.printEnded(done)
		}
		receipts, err := a.receipts(c, done, !*noWait && done.Server, *f.json)
		if err != nil || !*f.json {
			return err
		}
		return a.printJSON(struct {
			admin.Ended
			Receipts []ending.Receipt `json:"receipts"`
		}{done, receipts})
	})
	return cmd
}

func (a *app) printEnded(done admin.Ended) {
	if len(done.Sessions) == 0 && done.Families == 0 {
		fmt.Fprintln(a.stdout, "There was nothing to end.")
		return
	}
	fmt.Fprintf(a.stdout, "Ended %s and %s.\n", number(uint64(len(done.Sessions)), "session"), number(uint64(done.Families), "grant"))
	for _, s := range done.Sessions {
		fmt.Fprintf(a.stdout, "  %s of %s\n", s.ID, plain(s.Username))
	}
	if done.Notices > 0 && !done.Server {
		fmt.Fprintln(a.stdout, waitsForServer(done.Notices))
	}
}

func waitsForServer(notices int) string {
	return fmt.Sprintf("No server runs. %s to be told to apps when the next one starts.", plural(uint64(notices), "logout waits", "logouts wait"))
}

// receipts waits until the apps have been told, as long as that is worth it, and prints each that has.
func (a *app) receipts(c call, done admin.Ended, wait, quiet bool) ([]ending.Receipt, error) {
	all := []ending.Receipt{}
	if done.Notices == 0 {
		return all, nil
	}
	var said []string
	for began := time.Now(); ; {
		if err := c.do(http.MethodGet, nil, &all, "endings", done.Ending.String()); err != nil {
			return nil, err
		}
		late := !wait || time.Since(began) > receiptsTime
		for _, r := range all {
			if !quiet && done.Server && !slices.Contains(said, r.Client) && (late || r.State != storage.NoticePending) {
				said = append(said, r.Client)
				fmt.Fprintln(a.stdout, "  "+plain(receiptLine(r)))
			}
		}
		if late || !ending.Pending(all) {
			return all, nil
		}
		select {
		case <-c.ctx.Done():
			return nil, c.ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func receiptLine(r ending.Receipt) string {
	name := r.Name
	if name == "" {
		name = r.Client
	}
	switch r.State {
	case storage.NoticeDelivered:
		return name + " was told"
	case storage.NoticeFailed:
		return name + " could not be told: " + r.Problem
	}
	if r.Problem == "" {
		return name + " is being told"
	}
	return name + " is being told; last time " + r.Problem
}

func (a *app) noticeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "notice", Short: "See which apps could not be told of a logout"}
	cmd.AddCommand(a.noticeList())
	return a.group(cmd)
}

func (a *app) noticeList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Say how many logouts apps are still to be told of, and list those that they could not be told of",
		Long: `Say how many logouts apps are still to be told of, and list those that they could not be told of in the last seven days, with the reason; the
last thousand at the most. Those are not tried again.`,
		Args: exactly(),
	}
	only := cmd.Flags().Bool("failed", false, "list those alone")
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		var n admin.Notices
		if err := c.do(http.MethodGet, nil, &n, "notices"); err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(n)
		}
		if !*only {
			a.printOwed(n)
		}
		if len(n.Failed) == 0 {
			fmt.Fprintln(a.stdout, "No notice has failed.")
			return nil
		}
		rows := [][]string{{"FAILED", "APP", "USER", "ATTEMPTS", "REASON"}}
		for _, one := range n.Failed {
			rows = append(rows, []string{when(one.Settled), one.Client, one.User, fmt.Sprint(one.Attempts), one.Problem})
		}
		return a.table(rows)
	})
	return cmd
}

func (a *app) printOwed(n admin.Notices) {
	switch {
	case n.Pending == 0:
		fmt.Fprintln(a.stdout, "No notice is pending.")
	case n.Server:
		fmt.Fprintf(a.stdout, "%s pending, the oldest since %s.\n", plural(uint64(n.Pending), "notice is", "notices are"), when(n.Since))
	default:
		fmt.Fprintln(a.stdout, waitsForServer(n.Pending))
	}
}

// tellOwed says, after something that may have ended sessions, that nobody is there who tells the apps of it.
func (a *app) tellOwed(c call) error {
	var n admin.Notices
	if err := c.do(http.MethodGet, nil, &n, "notices"); err != nil {
		return err
	}
	if n.Pending > 0 && !n.Server {
		fmt.Fprintln(a.stdout, waitsForServer(n.Pending))
	}
	return nil
}
