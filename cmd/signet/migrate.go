package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"signet/audit"
	"signet/storage"
	"signet/storage/rows"
)

// migrator is what PostgreSQL knows a migration as.
const migrator = "signet migrate"

func (a *app) migrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate --from PLACE --to PLACE",
		Short: "Move all that is stored to another kind of store",
		Long: `Copy a store to another place: from a file into PostgreSQL, or back. No server may run on either meanwhile. A PLACE is one of

    bolt:DIR or bolt:FILE           the file of a data folder
    postgres://USER@HOST/DATABASE   without its password, which every user of this machine could read in an argument (use PGPASSFILE)
    file:FILE, env:NAME             a file or a variable that holds such a URL, password included

All rows are read once and counted, then copied, read back from where they were copied to, and compared by number and digest for each kind. The
source stays as it is. At the other place all rows appear at once, or none: a migration that was interrupted has left nothing behind, and the same
command begins it anew. The master key stays where it is, for both.`,
		Example: `    signet migrate --from bolt:/var/lib/signet --to file:/etc/signet/storage
    signet migrate --from postgres://signet@db.example/signet --to bolt:/var/lib/signet`,
		Args: exactly(),
	}
	cmd.Flags().SortFlags = false
	from := cmd.Flags().String("from", "", "the store to copy, `PLACE`")
	to := cmd.Flags().String("to", "", "where to, `PLACE`: there must be nothing yet")
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.command(func(cmd *cobra.Command, _ []string) error {
		if *from == "" || *to == "" {
			return usagef("%s wants --from and --to", cmd.CommandPath())
		}
		source, err := a.parsePlace("from", *from)
		if err != nil {
			return err
		}
		target, err := a.parsePlace("to", *to)
		if err != nil {
			return err
		}
		if source == target {
			return usagef("--from and --to are the same place")
		}
		sums, err := a.migrate(cmd.Context(), source, target)
		if err != nil {
			return err
		}
		return a.printMigrated(source, target, sums, *asJSON)
	})
	return cmd
}

func (a *app) migrate(ctx context.Context, source, target place) (sums map[storage.Kind]rows.Sum, err error) {
	from, err := source.open(ctx, migrator)
	if err != nil {
		return nil, fmt.Errorf("--from: %w", err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if err := target.vacant(ctx, migrator); err != nil {
		return nil, fmt.Errorf("--to: %w", err)
	}
	bar := a.progress()
	var all rows.Tally
	if err := all.Read(bar.watch("counting", 0, from.Export(ctx))); err != nil {
		if ctx.Err() != nil {
			return nil, errors.New("interrupted; nothing was stored")
		}
		return nil, explainDamage(fmt.Errorf("--from: %w", err))
	}
	bar.end()
	entry := audit.Entry{Time: time.Now(), Event: audit.StoreMoved, Origin: byHand(), Detail: "from " + source.String()}
	err = target.fill(ctx, migrator, same(all.Sums(), bar.watch("copying", all.Total(), from.Export(ctx))), entry)
	bar.end()
	switch {
	case ctx.Err() != nil:
		return nil, errors.New("interrupted; nothing was stored, and the source is as it was: the same command begins anew")
	case err != nil:
		return nil, explain(fmt.Errorf("--to: %w", err), "nothing was stored there, and the source is as it was")
	}
	return all.Sums(), nil
}

// same passes rows on, and ends with an error unless they were those that were counted before.
func same(want map[storage.Kind]rows.Sum, all storage.Rows) storage.Rows {
	return func(yield func(storage.Row, error) bool) {
		var got rows.Tally
		for row, err := range got.Through(all) {
			if !yield(row, err) || err != nil {
				return
			}
		}
		if err := rows.Compare(want, got.Sums()); err != nil {
			yield(storage.Row{}, fmt.Errorf("the source was changed meanwhile: %w", err))
		}
	}
}

func (a *app) printMigrated(from, to place, sums map[storage.Kind]rows.Sum, asJSON bool) error {
	if asJSON {
		all := map[storage.Kind]any{}
		for kind, sum := range sums {
			all[kind] = map[string]any{"rows": sum.Rows, "digest": hex.EncodeToString(sum.Digest[:])}
		}
		return a.printJSON(map[string]any{"from": from.String(), "to": to.String(), "kinds": all})
	}
	table := [][]string{{"KIND", "ROWS", "DIGEST AT BOTH PLACES"}}
	for _, kind := range storage.Kinds {
		if sum := sums[kind]; sum.Rows > 0 {
			table = append(table, []string{string(kind), thousands(sum.Rows), hex.EncodeToString(sum.Digest[:8])})
		}
	}
	if err := a.table(table); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "All of %s is now in %s.\n%s, and start the server with the same master key. The source is as it was: start no server on it any more, "+
		"and remove it once you are sure.\n", from, to, to.setting())
	return nil
}

// setting says how a server is told to use the store at a place.
func (p place) setting() string {
	folder, name := filepath.Split(p.file)
	switch {
	case p.file == "":
		return "Set storage, or storage_file, to the URL of the database"
	case name != storeName:
		return fmt.Sprintf("Move it into the data folder as %s, set storage to bolt", storeName)
	}
	return "Set storage to bolt, and data to " + filepath.Clean(folder)
}

// progress shows how far something is: on a terminal in one line, otherwise in a line every few seconds.
type progress struct {
	out      io.Writer
	terminal bool
	shown    time.Time
	drawn    bool
}

func (a *app) progress() *progress {
	f, ok := a.stderr.(*os.File)
	return &progress{out: a.stderr, terminal: ok && term.IsTerminal(int(f.Fd())), shown: time.Now()}
}

// watch passes rows on and shows how many of total went by; a total of zero is unknown.
func (p *progress) watch(what string, total uint64, all storage.Rows) storage.Rows {
	return func(yield func(storage.Row, error) bool) {
		n := uint64(0)
		for row, err := range all {
			if n++; n%256 == 0 {
				p.show(what, n, total)
			}
			if !yield(row, err) {
				return
			}
		}
		if total > 0 && p.drawn {
			p.shown = time.Time{}
			p.show("reading back", n, 0)
		}
	}
}

func (p *progress) show(what string, n, total uint64) {
	every := 5 * time.Second
	if p.terminal {
		every = 100 * time.Millisecond
	}
	if time.Since(p.shown) < every {
		return
	}
	p.shown, p.drawn = time.Now(), true
	line := fmt.Sprintf("%s: %s", what, number(n, "row"))
	if total > 0 {
		const width = 30
		filled := int(min(n, total) * width / total)
		line = fmt.Sprintf("%s: [%-*s] %3d %%, %s of %s rows", what, width, bars[:filled], n*100/total, thousands(n), thousands(total))
	}
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%s", line)
	} else {
		fmt.Fprintln(p.out, line)
	}
}

const bars = "=============================="

// end leaves the line.
func (p *progress) end() {
	if p.terminal && p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	p.drawn = false
}
