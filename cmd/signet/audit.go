package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/audit"
	"signet/provider/admin"
)

func (a *app) auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Read the log of security events, and prove that it is whole",
		Long: `Every security event is in the log: sign-ins and failures, consents, what was issued, refreshed, reused and revoked, changes of keys, clients
and users, and by whom. Its records are chained: each has the hash of the one before. Checkpoints, signed with a key of their own,
say what the chain had come to; docs/audit.md says how to verify all of it without this program.`,
	}
	cmd.AddCommand(a.auditList(), a.auditExport(), a.auditVerify(), a.auditKey())
	return a.group(cmd)
}

func (a *app) auditList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Print what happened, the newest last",
		Example: `    signet audit list --since 24h --event 'signin.*'
    signet audit list --user alice --since 2026-11-01 --until 2026-12-01
    signet audit list --follow`,
		Args: exactly(),
	}
	cmd.Flags().SortFlags = false
	var q admin.EntryQuery
	cmd.Flags().StringVar(&q.User, "user", "", "only about this user: `NAME`, address or sub")
	cmd.Flags().StringVar(&q.Client, "client", "", "only about the client with this `ID`")
	cmd.Flags().StringVar(&q.Event, "event", "", "only events like `PATTERN`: signin.failed, signin.*, *.ended")
	since := cmd.Flags().String("since", "", "only from `TIME` on: 2026-11-22, 2026-11-22T07:00:00Z, or how long ago, as 36h or 7d")
	until := cmd.Flags().String("until", "", "only before `TIME`")
	follow := cmd.Flags().Bool("follow", false, "wait for more, until Ctrl-C")
	f := a.apiFlags(cmd)
	cmd.RunE = a.command(func(cmd *cobra.Command, _ []string) (err error) {
		if q.Since, err = instant("since", *since); err != nil {
			return err
		}
		if q.Until, err = instant("until", *until); err != nil {
			return err
		}
		cfg, file, err := f.configuration()
		if err != nil {
			return err
		}
		if *follow { // without a server nothing happens, and the store would be kept from one that starts
			if err := reachable(cmd.Context(), cfg.Data); err != nil {
				return err
			}
		}
		caller, release, err := a.reach(cmd.Context(), cfg, file)
		if err != nil {
			return err
		}
		return errors.Join(a.listEntries(cmd.Context(), caller, q, *follow, *f.json), release())
	})
	return cmd
}

// followEvery is how often somebody who waits for more asks.
const followEvery = time.Second

func (a *app) listEntries(ctx context.Context, caller *admin.Caller, q admin.EntryQuery, follow, asJSON bool) error {
	out := bufio.NewWriter(a.stdout)
	show := func(e admin.LoggedEntry) error { return printEntry(out, e) }
	if asJSON {
		show = func(e admin.LoggedEntry) error { return jsonLine(out, e) }
	}
	for {
		next, err := caller.Entries(ctx, q, show)
		err = errors.Join(err, out.Flush())
		if follow && ctx.Err() != nil {
			return nil
		}
		if err != nil || !follow {
			return err
		}
		q.After = next
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
	}
}

// jsonLine prints an entry for programs: one line for each, since there may be no end to them.
func jsonLine(out io.Writer, e admin.LoggedEntry) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return enc.Encode(e)
}

// printEntry prints an entry in columns that are as wide as most are.
func printEntry(out io.Writer, e admin.LoggedEntry) error {
	who := e.Actor
	switch {
	case who == "" && e.Name != "":
		who = e.Name
	case who == "":
		who = e.User
	case e.Name != "":
		who += " on " + e.Name
	case e.User != "":
		who += " on " + e.User
	}
	line := fmt.Sprintf("%s  %-19s  %-22s  %-22s  %-15s  %s", e.Time.Local().Format("2006-01-02 15:04:05 -0700"), e.Event, dash(who), dash(e.Client), dash(e.Address), e.Detail)
	_, err := fmt.Fprintln(out, strings.TrimRight(plain(line), " "))
	return err
}

// instant reads a time that somebody typed.
func instant(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 100_000 {
			return time.Now().Add(-time.Duration(n) * 24 * time.Hour), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return time.Now().Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("--%s: %q is no time; write 2026-11-22, 2026-11-22T07:00:00Z, or how long ago, as 36h or 7d", flag, text)
}

func (a *app) auditExport() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write the whole log into a file that proves itself",
		Long: `Write all that is in the log into a file, one line of JSON for each record, with the checkpoints between and a new one at the end; a
server that runs goes on meanwhile. The file is read back and verified. FILE must not exist yet; - is standard output.

Keep exports where whoever can change the store cannot reach: from then on nobody can change what is in them without its being found.`,
		Example: `    signet audit export /archive/audit-$(date +%F).jsonl
    signet audit export - | zstd > audit.jsonl.zst`,
		Args: exactly("FILE"),
	}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		key, err := c.auditKey()
		if err != nil {
			return err
		}
		report, err := a.export(c, c.args[0], key.JWK)
		if err != nil {
			return err
		}
		if c.args[0] == "-" {
			return printReport(a.stderr, report, "whole as it left; nothing was read back")
		}
		if *f.json {
			return a.printJSON(report)
		}
		return printReport(a.stdout, report, "read back and found whole")
	})
	return cmd
}

func (c call) auditKey() (key admin.AuditKey, err error) {
	return key, c.do(http.MethodGet, nil, &key, "audit", "key")
}

// export writes an export and verifies it.
func (a *app) export(c call, path string, key audit.Key) (report audit.Report, err error) {
	if path == "-" {
		return verifyOnTheWay(c, a.stdout, key)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return report, fmt.Errorf("%s is there already, and an export never writes over a file; name another", path)
	}
	if err != nil {
		return report, explain(err, "name a file in a folder that you may write to")
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			os.Remove(path) // only a part of it is there
		}
	}()
	if _, err := verifyOnTheWay(c, file, key); err != nil {
		return report, fullDestination(path, err)
	}
	if err := file.Sync(); err != nil {
		return report, fullDestination(path, err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return report, err
	}
	return audit.Verify(file, key.Equal)
}

// verifyOnTheWay verifies the server's log as it comes, and copies it to somebody.
func verifyOnTheWay(c call, to io.Writer, key audit.Key) (report audit.Report, err error) {
	all, err := c.caller.Stream(c.ctx, http.MethodGet, nil, "audit", "export")
	if err != nil {
		return report, err
	}
	defer all.Close()
	report, err = audit.Verify(io.TeeReader(all, to), key.Equal)
	if broken := (*audit.Broken)(nil); errors.As(err, &broken) {
		_, _ = io.Copy(to, all) // whoever looks into it wants all of it
	}
	return report, err
}

func (a *app) auditVerify() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Hold a log, or an export of one, to its hashes and signatures",
		Long: `Verify an export, with nothing but the file: every record follows on the one before, nothing is missing, and every checkpoint is signed
and says what is there. The first link that does not hold is named, and the exit status is 1. - is standard input.

--key says whose checkpoints are believed: the fingerprint that signet audit key prints, or a file with the key as PEM or JWK. Without it
the key in the file is taken on trust: the file is then consistent, but whoever made it may be anybody.

Without FILE the log of the data folder itself is verified, by the key in its store.`,
		Example: `    signet audit verify audit-2026-11-22.jsonl --key 5v2hVGd3y1XzDqPZ2TR3vx2yRj6lqB8mIYpC0h0H9e4
    signet audit verify --data /var/lib/signet`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("%s takes one file, or none for the log itself", cmd.CommandPath())
			}
			return nil
		},
	}
	named := cmd.Flags().String("key", "", "`FINGERPRINT` of the audit key, or a file that holds it")
	f := a.apiFlags(cmd)
	live := f.call(func(c call) error {
		key, err := c.auditKey()
		if err != nil {
			return err
		}
		trust, err := trusted(*named)
		if err != nil {
			return err
		}
		if trust != nil && !trust(key.JWK) {
			return fmt.Errorf("the log's checkpoints are signed with the key %s, which is not the one that --key names", key.Fingerprint)
		}
		report, err := verifyOnTheWay(c, io.Discard, key.JWK)
		return a.verified(report, err, "the log", *f.json)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return live(cmd, args)
		}
		return a.command(func(_ *cobra.Command, args []string) error { return a.verifyFile(args[0], *named, *f.json) })(cmd, args)
	}
	return cmd
}

func (a *app) verifyFile(path, named string, asJSON bool) error {
	trust, err := trusted(named)
	if err != nil {
		return err
	}
	from := a.stdin
	if path != "-" {
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no file %s", path)
		}
		if err != nil {
			return err
		}
		defer file.Close()
		from = file
	}
	report, err := audit.Verify(from, trust)
	if errors.Is(err, audit.ErrForeign) {
		return fmt.Errorf("%s is %w; name a file that signet audit export wrote", path, err)
	}
	return a.verified(report, err, path, asJSON)
}

// trusted is the key that --key names; nil if it names none.
func trusted(named string) (audit.Trust, error) {
	if named == "" {
		return nil, nil
	}
	text, err := os.ReadFile(named)
	if errors.Is(err, fs.ErrNotExist) && len(named) == fingerprintLength && !strings.ContainsAny(named, "./") {
		return func(k audit.Key) bool { return k.Fingerprint() == named }, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--key: %s is neither a fingerprint, which has %d characters, nor a file that can be read: %w", named, fingerprintLength, err)
	}
	key, err := audit.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("--key: %s holds no Ed25519 public key, as PEM or JWK", named)
	}
	return key.Equal, nil
}

// fingerprintLength is that of 32 bytes in base64url.
const fingerprintLength = 43

// verified prints what came of it.
func (a *app) verified(report audit.Report, err error, what string, asJSON bool) error {
	broken, isBroken := errors.AsType[*audit.Broken](err)
	switch {
	case err != nil && !isBroken:
		return err
	case asJSON:
		err := a.printJSON(struct {
			audit.Report
			Broken *audit.Broken `json:"broken,omitempty"`
		}{report, broken})
		if isBroken {
			return errors.Join(err, fmt.Errorf("%s does not hold: %w", what, broken))
		}
		return err
	case isBroken:
		if report.Records > 0 {
			fmt.Fprintf(a.stdout, "Up to there it holds: %s, to record %d of %s.\n", number(report.Records, "record"), report.Last, when(report.To))
		}
		return fmt.Errorf("%s does not hold: %w", what, broken)
	}
	return printReport(a.stdout, report, "whole")
}

func printReport(out io.Writer, r audit.Report, whole string) error {
	began := "the beginning of the log"
	if r.Anchored {
		began = "what was kept: older days were dropped, and a checkpoint vouches for the first record"
	}
	key := r.Fingerprint
	if !r.Trusted {
		key += ", taken from the file"
	}
	err := facts(out, [2]string{"log", whole}, [2]string{"of", r.Issuer}, [2]string{"as of", when(r.Made)},
		[2]string{"holds", fmt.Sprintf("%s with %s, from %s", number(r.Records, "record"), plural(r.Entries, "entry", "entries"), began)},
		[2]string{"records", fmt.Sprintf("%d to %d", r.First, r.Last)},
		[2]string{"from", when(r.From)}, [2]string{"to", when(r.To)},
		[2]string{"checkpoints", fmt.Sprintf("%d, from %s to %s", r.Checkpoints, when(r.Oldest), when(r.Newest))},
		[2]string{"key", key}, [2]string{"head", r.Head.String()})
	if !r.Trusted {
		fmt.Fprintln(out, "WARNING: the key was taken on trust. Whoever wrote this file may have made its key as well: name the one that you know with --key, as "+
			"signet audit key prints it.")
	}
	return err
}

func (a *app) auditKey() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Print the public key that the log's checkpoints are signed with",
		Long: `Print the key that checkpoints are signed with, as PEM and JWK, and its fingerprint (its JWK thumbprint, RFC 7638). It is made once for a store and
never rotated. Keep the fingerprint apart from the store: signet audit verify --key holds exports to it.`,
		Example: `    signet audit key`,
		Args:    exactly(),
	}
	f := a.apiFlags(cmd)
	cmd.RunE = f.call(func(c call) error {
		key, err := c.auditKey()
		if err != nil {
			return err
		}
		if *f.json {
			return a.printJSON(key)
		}
		jwk, err := key.JWK.MarshalJSON()
		if err != nil {
			return err
		}
		if err := facts(a.stdout, [2]string{"fingerprint", key.Fingerprint}, [2]string{"made", when(key.Created)}, [2]string{"jwk", string(jwk)}); err != nil {
			return err
		}
		_, err = io.WriteString(a.stdout, key.PEM)
		return err
	})
	return cmd
}
