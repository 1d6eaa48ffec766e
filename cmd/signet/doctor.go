package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/clients"
	"signet/configs"
	"signet/doctor"
	"signet/keys"
	"signet/provider/admin"
	"signet/storage"
)

func (a *app) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor [ISSUER]",
		Short: "Check a running deployment from outside: proxy, TLS, documents, cookies",
		Long: `Ask the server at ISSUER as apps and browsers do, and say what is wrong on the way: TLS and its certificate, proxy headers, clocks,
discovery and the key set and how they are cached, headers, CORS, cookies. Without ISSUER it is the configured one.

Where the server's data folder is here (--data, --config), it is asked too, over its socket: whether a made-up X-Forwarded-For is believed,
whether what arrives is what the server publishes, redirect URIs of clients that cannot work, the master key's file, the room on the disk.

Nothing is changed. The exit status is 0 when nothing failed, warnings or not, and 1 otherwise.`,
		Example: `    signet doctor https://id.example.com
    signet doctor --data /var/lib/signet`,
		Args: cobra.MaximumNArgs(1),
	}
	f := a.apiFlags(cmd)
	cmd.RunE = a.command(func(cmd *cobra.Command, args []string) error {
		cfg, _, err := f.configuration()
		if err != nil {
			return err
		}
		r, err := a.examine(cmd.Context(), cfg, args)
		if err != nil {
			return err
		}
		if err := a.printReport(r, *f.json); err != nil {
			return err
		}
		return r.failed()
	})
	return cmd
}

// report is what doctor found.
type report struct {
	Issuer   string           `json:"issuer"`
	Inside   string           `json:"inside,omitempty"` // the data folder that was asked too
	Outside  string           `json:"outside,omitempty"`
	Findings []doctor.Finding `json:"findings"`
}

// examine asks from outside, and at the server's socket where it is the same issuer's.
func (a *app) examine(ctx context.Context, cfg configs.Config, args []string) (report, error) {
	r := report{Issuer: cfg.Issuer}
	server, caller, why := serverHere(ctx, cfg)
	switch {
	case len(args) == 1:
		r.Issuer = args[0]
	case caller != nil:
		r.Issuer = server.Issuer // what it runs with counts, not what a file says now
	}
	if caller != nil && server.Issuer != r.Issuer {
		caller, why = nil, fmt.Sprintf("the server of %s is another issuer's, %s", cfg.Data, server.Issuer)
	}
	_, pool, err := outgoingCA(cfg)
	if err != nil {
		return r, fmt.Errorf("outgoing_ca: %w", err)
	}
	r.Outside = why
	if caller == nil {
		r.Findings = doctor.Outside(ctx, doctor.Options{Issuer: r.Issuer, CA: pool})
		return r, nil
	}
	r.Inside = cfg.Data
	r.Findings, err = a.both(ctx, cfg, server, caller, pool)
	return r, err
}

// serverHere is the server of the data folder; nil and why not, if it cannot be asked.
func serverHere(ctx context.Context, cfg configs.Config) (s admin.Status, caller *admin.Caller, why string) {
	answers, err := answering(ctx, cfg.Data)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return s, nil, fmt.Sprintf("the data folder %s may be entered by its owner alone; ask as that user", cfg.Data)
	case err != nil || !answers:
		return s, nil, fmt.Sprintf("no server runs on the data folder %s here", cfg.Data)
	}
	caller = admin.OverSocket(cfg.Data)
	if err := caller.Do(ctx, http.MethodGet, nil, &s, "status"); err != nil {
		return s, nil, err.Error()
	}
	return s, caller, ""
}

// both checks from outside with what is known inside, and inside.
func (a *app) both(ctx context.Context, cfg configs.Config, server admin.Status, caller *admin.Caller, pool *x509.CertPool) ([]doctor.Finding, error) {
	var registered []storage.Client
	var ring []keys.Info
	var probe admin.Probe
	for path, out := range map[string]any{"clients": &registered, "keys": &ring, "probe": &probe} {
		if err := caller.Do(ctx, http.MethodGet, nil, out, path); err != nil {
			return nil, err
		}
	}
	o := doctor.Options{Issuer: server.Issuer, CA: pool, Probe: probe.Path}
	for _, k := range ring {
		if k.State.Published(k.Alg) {
			o.Published = append(o.Published, k.KID)
		}
	}
	for _, c := range registered {
		if clients.Allows(c, clients.GrantCode) && len(c.RedirectURIs) > 0 {
			o.Client = doctor.Client{ID: c.ID, RedirectURI: c.RedirectURIs[0]}
			break
		}
	}
	master, err := filepath.Abs(a.masterPath(cfg))
	if err != nil {
		return nil, err
	}
	if cfg.MasterKeyFile == "" && missing(master) {
		master = "" // it is where only the server's own configuration says
	}
	return append(doctor.Outside(ctx, o), doctor.Inside(doctor.Folder{
		Issuer: server.Issuer, Data: cfg.Data, MasterKey: master, Problem: server.Problem, Versions: [2]string{server.Version, version().Version},
		Clients: registered, Keys: ring, Now: time.Now(), Free: diskFree,
	})...), nil
}

func (r report) count(s doctor.Status) (n int) {
	for _, f := range r.Findings {
		if f.Status == s {
			n++
		}
	}
	return n
}

func (r report) failed() error {
	switch n := r.count(doctor.Failure); n {
	case 0:
		return nil
	case 1:
		return errors.New("one check failed")
	default:
		return fmt.Errorf("%d checks failed", n)
	}
}

// printReport prints a line for each finding, and below one that is not good where it is and how to mend it.
func (a *app) printReport(r report, asJSON bool) error {
	if asJSON {
		return a.printJSON(r)
	}
	head := r.Issuer + ", from outside"
	if r.Inside != "" {
		head += " and at the server's socket in " + r.Inside
	}
	fmt.Fprintf(a.stdout, "%s\n\n", plain(head))
	width := 0
	for _, f := range r.Findings {
		width = max(width, len(f.Check))
	}
	for _, f := range r.Findings {
		fmt.Fprintf(a.stdout, "%-8s  %-*s  %s\n", f.Status, width, f.Check, plain(f.Text))
		if f.Status == doctor.OK {
			continue
		}
		for _, below := range [][2]string{{"at ", f.Where}, {"→ ", f.Fix}} {
			if below[1] != "" {
				fmt.Fprintf(a.stdout, "%s%s%s\n", strings.Repeat(" ", 12+width), below[0], plain(below[1]))
			}
		}
	}
	sum := fmt.Sprintf("%d checks; ok: %d, warnings: %d, failures: %d", len(r.Findings), r.count(doctor.OK), r.count(doctor.Warning), r.count(doctor.Failure))
	fmt.Fprintf(a.stdout, "\n%s\n", sum)
	if r.Outside != "" {
		fmt.Fprintf(a.stdout, "Not looked at: redirect URIs, the cookies of a sign-in, whose X-Forwarded-For is believed, disk and master key, since %s.\n", plain(r.Outside))
	}
	return nil
}
