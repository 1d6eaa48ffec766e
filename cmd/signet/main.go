// Signet is an OpenID Connect provider in one binary. This package is its command line: it parses arguments, joins the rooms and
// prints. One file holds one command, or one group of them; server.go joins the rooms for serve and dev alike.
//
// All commands but serve and dev work on a data folder. They talk to the server that runs there over a Unix socket, and open the
// store themselves only when none runs; [signet/provider/admin] is the same handler in both cases.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"signet/configs"
	"signet/provider/admin"
)

// Exit codes.
const (
	done    = 0
	refused = 1
	usage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}

func init() { cobra.EnableCommandSorting = false } // commands stand in the order in which people meet them

// app is what every command has from outside.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            []string
	level          slog.LevelVar // of the log

	running bool // arguments and flags were understood
}

// run is the whole program.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, env: env}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	return a.exit(cmd, err)
}

// usageError is a fault of whoever typed the command.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// exit prints an error and returns the exit code.
func (a *app) exit(cmd *cobra.Command, err error) int {
	if err == nil {
		return done
	}
	var faults configs.Faults
	var answer *admin.Error
	switch {
	case errors.As(err, &faults), errors.As(err, &answer) && len(answer.Problems) > 1:
		fmt.Fprintf(a.stderr, "signet: %s\n", strings.ReplaceAll(flagNames(cmd, err), "\n", "\nsignet: "))
	default:
		fmt.Fprintf(a.stderr, "signet: %s\n", flagNames(cmd, err))
	}
	var wrong usageError
	if !a.running || errors.As(err, &wrong) {
		fmt.Fprintf(a.stderr, "Run %s --help for what it takes.\n", cmd.CommandPath())
		return usage
	}
	return refused
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "signet",
		Short: "An OpenID Connect provider in one binary",
		Long: `Signet signs people in for your apps.

Try it, with a demo app and a user, in a folder that is removed at the end:

    signet dev

Run it:

    signet serve
    signet user add alice --email alice@example.com
    signet client add web "My app" --redirect-uri https://app.example.com/callback`,
		Version: version().Version,
	}
	root.SetVersionTemplate("signet {{.Version}}\n")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(a.devCommand(), a.serveCommand(), a.statusCommand(), a.doctorCommand(), a.reloadCommand(), a.clientCommand(), a.recipeCommand(), a.resourceCommand(), a.userCommand(), a.sessionCommand(), a.noticeCommand(), a.keyCommand(), a.auditCommand(),
		a.tokenCommand(), a.gateCommand(), a.backupCommand(), a.restoreCommand(), a.migrateCommand(), a.storageCommand(), a.mailCommand(), a.configCommand(), a.versionCommand())
	a.group(root)
	return root
}

// group makes a command that only holds others: it asks which one is meant.
func (a *app) group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var names []string
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() && c.Name() != "help" {
				names = append(names, c.Name())
			}
		}
		known := strings.Join(names, ", ")
		if len(args) == 0 {
			return usagef("%s is not a command by itself; it takes one of %s", cmd.CommandPath(), known)
		}
		return usagef("%s has no command %q; it takes one of %s", cmd.CommandPath(), args[0], known)
	}
	return cmd
}

// command is what f does, told apart from what cobra refuses before.
func (a *app) command(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.running = true
		return f(cmd, args)
	}
}

// exactly wants these arguments. What was typed instead is not repeated: it may be a secret.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usagef("%s wants %s; %s is missing", cmd.CommandPath(), strings.Join(names, " "), names[len(args)])
		case len(args) > len(names) && len(names) == 0:
			return usagef("%s takes no arguments", cmd.CommandPath())
		case len(args) > len(names):
			return usagef("%s takes no more than %s; put a name with spaces in quotes", cmd.CommandPath(), strings.Join(names, " "))
		}
		for i, arg := range args {
			if arg == "" {
				return usagef("%s is empty", names[i])
			}
		}
		return nil
	}
}

// flagError refuses secrets as flags in words of their own.
func flagError(_ *cobra.Command, err error) error {
	for _, secret := range []string{"--password", "--secret", "--client-secret", "--token"} {
		if text := err.Error(); text == "unknown flag: "+secret {
			return usagef("%s: a secret does not belong into arguments, which every user of this machine can read; it is read from standard input or asked for", secret)
		}
	}
	return usageError{err.Error()}
}
