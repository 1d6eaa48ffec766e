package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"signet/audit"
	"signet/configs"
	"signet/keys"
	"signet/storage"
	"signet/storage/archive"
)

// restorer is what PostgreSQL knows a restore as.
const restorer = "signet restore"

func (a *app) restoreCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a store of a backup",
		Long: `Make a store of a backup, where there is none yet: in the data folder, or in the database that storage names. The backup is read whole
and checked first, and the master key, which must be back in its place, is tried on the keys in it; nothing is stored unless both are
right, and then all of it. A store that has data is never written over.

What was handed out since the backup is unknown to the store then. Codes and sign-ins under way are left out: people begin these again.
An app that comes with a newer refresh token than the store knows has to have its user sign in again. What was ended since the backup (sessions
that were signed out, users that were removed or disabled, keys that were revoked) is alive again; --sign-out ends all that was begun
before, so that everybody signs in again.`,
		Example: `    signet restore /backup/signet-2026-11-22 --identity /root/age.key
    signet restore --check /backup/signet-2026-11-22`,
		Args: exactly("FILE"),
	}
	identity := cmd.Flags().String("identity", "", "`FILE` with the age key that it was encrypted for")
	phrase := cmd.Flags().String("passphrase-file", "", "`FILE` with the passphrase that it was encrypted with")
	check := cmd.Flags().Bool("check", false, "only look whether the backup is whole; nothing is stored")
	signOut := cmd.Flags().Bool("sign-out", false, "end all that was begun in anybody's name: sessions and refresh tokens")
	f := a.apiFlags(cmd)
	cmd.RunE = a.command(func(cmd *cobra.Command, args []string) error {
		b, err := backupAt(args[0], *identity, *phrase)
		if err != nil {
			return err
		}
		if *check {
			s, err := b.verify()
			if err != nil {
				return err
			}
			return a.printRestored(s, "", *f.json)
		}
		cfg, _, err := f.configuration()
		if err != nil {
			return err
		}
		s, to, err := a.restore(cmd.Context(), cfg, b, *signOut)
		if err != nil {
			return err
		}
		return a.printRestored(s, to.String(), *f.json)
	})
	return cmd
}

// source is a backup that can be read more than once.
type source struct {
	path       string
	identities []age.Identity
}

func backupAt(path, identity, phrase string) (s source, err error) {
	s.path = path
	if path == "-" {
		return s, usagef("a backup is read twice, so it must be a file; save it first")
	}
	switch {
	case identity != "" && phrase != "":
		return s, usagef("--identity and --passphrase-file exclude each other; choose one")
	case identity != "":
		file, err := os.Open(identity)
		if err != nil {
			return s, fmt.Errorf("--identity: %w", err)
		}
		defer file.Close()
		if s.identities, err = archive.Identities(file); err != nil {
			return s, fmt.Errorf("--identity: %s is %w", identity, err)
		}
	case phrase != "":
		text, err := readPassphrase(phrase)
		if err != nil {
			return s, err
		}
		_, opener, err := archive.Passphrase(text)
		s.identities = []age.Identity{opener}
		return s, err
	}
	return s, nil
}

// open opens the backup. What is called done with it is called with its reader.
func (s source) open(done func(*archive.Reader) error) error {
	file, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no file %s", s.path)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	plain, err := archive.Unseal(file, s.identities...)
	if err != nil {
		return s.explain(err)
	}
	r, err := archive.Open(plain)
	if err == nil {
		err = done(r)
	}
	return s.explain(err)
}

func (s source) verify() (sum archive.Summary, err error) {
	err = s.open(func(r *archive.Reader) error {
		sum, err = r.Verify()
		return err
	})
	return sum, err
}

// explain says what to do about a backup that cannot be used.
func (s source) explain(err error) error {
	switch {
	case errors.Is(err, archive.ErrSealed):
		return fmt.Errorf("%s: %w; name the key with --identity, or the passphrase with --passphrase-file", s.path, err)
	case errors.Is(err, archive.ErrKey):
		return fmt.Errorf("%s: %w than this one; name the right one", s.path, err)
	case errors.Is(err, archive.ErrForeign):
		return fmt.Errorf("%s is %w; name a file that signet backup wrote", s.path, err)
	case errors.Is(err, archive.ErrNewer):
		return fmt.Errorf("%s: %w; restore it with that version", s.path, err)
	case errors.Is(err, archive.ErrCutOff), errors.Is(err, archive.ErrDamaged):
		return fmt.Errorf("%s: %w; nothing of it was stored; take another backup, or another copy of this one", s.path, err)
	}
	return err
}

func (a *app) restore(ctx context.Context, cfg configs.Config, b source, signOut bool) (s archive.Summary, to place, err error) {
	if to, err = placeOf(cfg); err != nil {
		return s, to, err
	}
	if err := noServer(ctx, cfg); err != nil {
		return s, to, err
	}
	if err := to.vacant(ctx, restorer); err != nil {
		return s, to, err
	}
	if s, err = b.verify(); err != nil {
		return s, to, err
	}
	if err := a.fits(cfg, s.Ring); err != nil {
		return s, to, err
	}
	if err := makeFolder(cfg.Data); err != nil {
		return s, to, err
	}
	entry := audit.Entry{Time: time.Now(), Event: audit.StoreRestored, Origin: byHand(), Detail: "as of " + s.Made.Format(time.RFC3339)}
	if signOut {
		entry.Detail += ", everybody signed out"
	}
	err = b.open(func(r *archive.Reader) error {
		return to.fill(ctx, restorer, archive.Revive(r.Rows(), archive.Revival{Now: entry.Time, Given: s.Given, SignOut: signOut}), entry)
	})
	if ctx.Err() != nil {
		err = errors.New("interrupted; nothing was stored")
	}
	return s, to, err
}

// noServer refuses to work on a data folder whose server runs.
func noServer(ctx context.Context, cfg configs.Config) error {
	if missing(cfg.Data) {
		return nil
	}
	if err := checkFolder(cfg.Data); err != nil {
		return err
	}
	runs, err := answering(ctx, cfg.Data)
	if err == nil && runs {
		err = fmt.Errorf("a server runs on %s, and stays as it is; stop it first, or name another folder with --data", cfg.Data)
	}
	return err
}

// fits tries the master key on the keys of a backup.
func (a *app) fits(cfg configs.Config, ring storage.Ring) error {
	if ring.Revision == 0 {
		return nil // no server ever ran on that store
	}
	path := a.masterPath(cfg)
	master, err := keys.LoadMaster(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no master key at %s, and without it the backup is of no use; put back the copy that you keep, or name it with %s", path, configs.Env("master_key_file"))
	}
	if err != nil {
		return err
	}
	if err := master.Opens(ring); err != nil {
		return fmt.Errorf("%s is not the master key that the keys of this backup are sealed with; nothing was stored; put the right one there, or name it with %s",
			path, configs.Env("master_key_file"))
	}
	return nil
}

func (a *app) printRestored(s archive.Summary, to string, asJSON bool) error {
	if asJSON {
		return a.printJSON(map[string]any{"restored_to": to, "made": s.Made, "issuer": s.Issuer, "version": s.Version, "rows": counts(s)})
	}
	word := "whole"
	if to != "" {
		word = "restored"
	}
	if err := facts(a.stdout, [2]string{word, to}, [2]string{"of", s.Issuer}, [2]string{"as of", when(s.Made)}, [2]string{"held", holds(s)}); err != nil || to == "" {
		if to == "" {
			fmt.Fprintln(a.stdout, "The backup is whole. Nothing was stored.")
		}
		return err
	}
	fmt.Fprintf(a.stdout, "Codes and sign-ins that were under way were left out. What was ended after %s is alive again: look through "+
		"users and keys, or restore with --sign-out if that matters.\nStart it with signet serve.\n", when(s.Made))
	return nil
}
