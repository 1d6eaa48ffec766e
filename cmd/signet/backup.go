package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"filippo.io/age"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"signet/configs"
	"signet/storage"
	"signet/storage/archive"
)

func (a *app) backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all that is stored into a file, while the server runs",
		Long: `Write all that is stored into one compressed file, as it is at one moment, and read the file back to see that it is whole. A server
that runs goes on meanwhile; without one the store is opened here. FILE must not exist yet; - is standard output, of which nothing
can be read back, so look at it with signet restore --check.

The file holds password hashes, addresses, and the signing keys as the master key seals them. The master key is not in it: keep a copy
of it, apart from the backups, for without it they are of no use.`,
		Example: `    signet backup /backup/signet-$(date +%F) --encrypt-to age1…
    signet backup - --passphrase-file /etc/signet/passphrase | ssh backup@nas 'cat > signet.backup'`,
		Args: exactly("FILE"),
	}
	to := cmd.Flags().String("encrypt-to", "", "encrypt it for an age key, `RECIPIENT` (age1…)")
	phrase := cmd.Flags().String("passphrase-file", "", "encrypt it with the passphrase in `FILE`")
	f := a.apiFlags(cmd)
	cmd.RunE = a.command(func(cmd *cobra.Command, args []string) error {
		s, err := sealFor(*to, *phrase)
		if err != nil {
			return err
		}
		if err := a.checkDestination(args[0]); err != nil {
			return err
		}
		cfg, file, err := f.configuration()
		if err != nil {
			return err
		}
		b, err := a.backup(cmd.Context(), cfg, file, args[0], s)
		if err != nil {
			return err
		}
		return a.printBackup(cfg, b, *f.json)
	})
	return cmd
}

// seal is for whom a backup is encrypted.
type seal struct {
	recipient age.Recipient // nil: for nobody
	shown     string
}

func sealFor(to, phraseFile string) (s seal, err error) {
	switch {
	case to != "" && phraseFile != "":
		return s, usagef("--encrypt-to and --passphrase-file exclude each other; choose one")
	case strings.HasPrefix(to, "AGE-SECRET-KEY-"):
		return s, usagef("--encrypt-to: this is the secret key, which every user of this machine can now have read; make another one, and give the recipient that age-keygen -y prints")
	case to != "":
		s.shown = "for " + to
		if s.recipient, err = archive.Recipient(to); err != nil {
			return s, usagef("--encrypt-to: %v", err)
		}
	case phraseFile != "":
		s.shown = "with a passphrase"
		phrase, err := readPassphrase(phraseFile)
		if err != nil {
			return s, err
		}
		s.recipient, _, err = archive.Passphrase(phrase)
		return s, err
	}
	return s, nil
}

// readPassphrase reads the first line of a file that only its owner may read.
func readPassphrase(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("--passphrase-file: %w", err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("--passphrase-file: others may read %s (its mode is %#o); chmod 600 %[1]s", path, info.Mode().Perm())
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("--passphrase-file: %w", err)
	}
	line, _, _ := strings.Cut(string(content), "\n")
	if line = strings.TrimSuffix(line, "\r"); len(line) < 8 {
		return "", fmt.Errorf("--passphrase-file: the first line of %s is no passphrase: it has fewer than 8 characters", path)
	}
	return line, nil
}

// checkDestination refuses a file that is there, and a terminal.
func (a *app) checkDestination(path string) error {
	if path == "-" {
		if f, ok := a.stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			return usagef("a backup is not for a terminal; send it into a file or a pipe, or name a FILE")
		}
		return nil
	}
	switch _, err := os.Lstat(path); {
	case err == nil:
		return thereAlready(path)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if folder := filepath.Dir(path); missing(folder) {
		return fmt.Errorf("there is no folder %s; make it, or name a file elsewhere", folder)
	}
	return nil
}

func thereAlready(path string) error {
	return fmt.Errorf("%s is there already, and a backup never writes over a file; name another, as with %s-$(date +%%F)", path, strings.TrimSuffix(path, filepath.Ext(path)))
}

// written is a backup that was made.
type written struct {
	archive.Summary
	file      string
	size      int64
	encrypted string
}

func (a *app) backup(ctx context.Context, cfg configs.Config, config, path string, s seal) (b written, err error) {
	caller, release, err := a.reach(ctx, cfg, config)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, release()) }()
	plain, err := caller.Stream(ctx, http.MethodGet, nil, "backup")
	if err != nil {
		return b, explainDamage(withRoom(cfg.Data, err))
	}
	defer plain.Close()
	b = written{file: path, encrypted: s.shown}
	if path == "-" {
		return b, a.backupToStdout(&b, plain, s)
	}
	return b, backupToFile(&b, plain, s)
}

func explainDamage(err error) error {
	if strings.Contains(err.Error(), "damaged") { // over the socket it is text
		return explain(err, "signet storage check says where, and signet restore brings back an earlier backup")
	}
	return err
}

// backupToFile writes the file under another name, reads it back, and gives it its name.
func backupToFile(b *written, plain io.Reader, s seal) (err error) {
	file, err := os.CreateTemp(filepath.Dir(b.file), ".signet-backup-*") // mode 0600
	if err != nil {
		return explain(err, "choose a folder that you may write to")
	}
	defer func() {
		file.Close()
		os.Remove(file.Name()) // where it still is
	}()
	opener, err := copySealed(file, plain, s)
	if err != nil {
		return fullDestination(b.file, err)
	}
	if err := file.Sync(); err != nil {
		return fullDestination(b.file, err)
	}
	if b.size, err = file.Seek(0, io.SeekCurrent); err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	back, err := archive.Unseal(file, opener...)
	if err == nil {
		b.Summary, err = archive.Verify(back)
	}
	if err != nil {
		return fmt.Errorf("the backup was written, but what can be read back is not whole, so it was removed: %w; try again, and look at the disk of %s if it happens again", err, b.file)
	}
	if err := named(file.Name(), b.file); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(b.file))
}

// named gives a file its name, unless another has it meanwhile. A link, unlike a rename, fails then; where there are no links, as on
// some disks that are carried about, only another backup at the same moment could be lost.
func named(made, path string) error {
	switch err := os.Link(made, path); {
	case errors.Is(err, fs.ErrExist):
		return thereAlready(path)
	case err == nil:
		return os.Remove(made)
	}
	if _, err := os.Lstat(path); err == nil {
		return thereAlready(path)
	}
	return os.Rename(made, path)
}

// copySealed copies a backup, encrypted if asked, and returns what opens it again.
func copySealed(to io.Writer, plain io.Reader, s seal) (opener []age.Identity, err error) {
	if s.recipient == nil {
		_, err := io.Copy(to, plain)
		return nil, err
	}
	sealed, identity, err := archive.Seal(to, s.recipient)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(sealed, plain); err != nil {
		return nil, err
	}
	return []age.Identity{identity}, sealed.Close()
}

func fullDestination(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("no space is left for %s, and nothing was kept of it; make room, or name a file elsewhere (%w)", path, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the server broke off in the middle, and nothing was kept of the backup; its log says why; try again")
	}
	return err
}

// backupToStdout looks at the backup as it goes by.
func (a *app) backupToStdout(b *written, plain io.Reader, s seal) error {
	look, seen := io.Pipe()
	verified := make(chan error, 1)
	go func() {
		var err error
		b.Summary, err = archive.Verify(look)
		look.CloseWithError(err)
		verified <- err
	}()
	count := &counter{Writer: a.stdout}
	_, err := copySealed(count, io.TeeReader(plain, seen), s)
	seen.Close()
	if looked := <-verified; err == nil {
		err = looked
	}
	b.size = count.n
	if err != nil {
		return explain(fullDestination("standard output", err), "what was written is not a whole backup")
	}
	return nil
}

type counter struct {
	io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil && !errors.Is(err, fs.ErrInvalid) { // some file systems cannot, and say so
		return err
	}
	return nil
}

func (a *app) printBackup(cfg configs.Config, b written, asJSON bool) error {
	out := a.stdout
	if b.file == "-" {
		out = a.stderr
	}
	if asJSON && b.file != "-" {
		return a.printJSON(map[string]any{"file": b.file, "made": b.Made, "issuer": b.Issuer, "version": b.Version, "rows": counts(b.Summary), "size": b.size,
			"encrypted": b.encrypted != "", "master_key": a.masterPath(cfg)})
	}
	whole := "read back and found whole"
	if b.file == "-" {
		whole = "whole as it left; nothing was read back"
	}
	encrypted := b.encrypted
	if encrypted == "" {
		encrypted = "no; whoever has it can read people's data, and try passwords against their hashes"
	}
	err := facts(out, [2]string{"backup", b.file}, [2]string{"of", b.Issuer}, [2]string{"as of", when(b.Made)}, [2]string{"holds", holds(b.Summary)},
		[2]string{"size", bytesFor(b.size) + ", " + whole}, [2]string{"encrypted", encrypted})
	fmt.Fprintf(out, "The master key is not in it, and without that key it is of no use: keep a copy of %s apart from the backups.\n", a.masterPath(cfg))
	return err
}

// counts is how many rows there are of each kind.
func counts(s archive.Summary) map[storage.Kind]uint64 {
	all := map[storage.Kind]uint64{}
	for kind, sum := range s.Sums {
		all[kind] = sum.Rows
	}
	return all
}

// holds says what is in a backup, as far as people know it.
func holds(s archive.Summary) string {
	n := counts(s)
	return fmt.Sprintf("%s, %s, %s, %s, %s; %s in all", number(n[storage.KindUser], "user"), number(n[storage.KindClient], "client"),
		number(n[storage.KindSession], "session"), plural(n[storage.KindFamily], "family", "families"), plural(n[storage.KindRecord]+n[storage.KindEntry], "record of the log", "records of the log"),
		number(s.Rows(), "row"))
}

func number(n uint64, name string) string { return plural(n, name, name+"s") }

func plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

// thousands prints a number in groups of three.
func thousands(n uint64) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// bytesFor prints a size for people.
func bytesFor(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.0f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}
