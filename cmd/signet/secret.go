package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxSecret is more than any password or token that we take.
const maxSecret = 64 << 10

// readSecret reads all of standard input, without the newline that ends it.
func (a *app) readSecret() (string, error) {
	b, err := io.ReadAll(io.LimitReader(a.stdin, maxSecret+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("standard input cannot be read: %w", err)
	case len(b) > maxSecret:
		return "", errors.New("standard input holds more than 64 KiB; is it the right file?")
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}

// terminal is standard input, if a person sits there.
func (a *app) terminal() (int, bool) {
	f, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	return int(f.Fd()), true
}

// ask asks for a secret without showing what is typed.
func (a *app) ask(fd int, prompt string) (string, error) {
	fmt.Fprint(a.stderr, prompt)
	b, err := term.ReadPassword(fd)
	fmt.Fprintln(a.stderr)
	if err != nil {
		return "", fmt.Errorf("nothing could be read from the terminal: %w", err)
	}
	return string(b), nil
}

// newPassword reads a password from standard input, or asks for it twice.
func (a *app) newPassword(fromStdin bool) (string, error) {
	if fromStdin {
		password, err := a.readSecret()
		if err == nil && password == "" {
			err = errors.New("standard input holds no password")
		}
		return password, err
	}
	fd, ok := a.terminal()
	if !ok {
		return "", usagef("there is no terminal to ask for the password at; pipe it in and say --password-stdin")
	}
	first, err := a.ask(fd, "New password: ")
	if err != nil {
		return "", err
	}
	second, err := a.ask(fd, "Again: ")
	switch {
	case err != nil:
		return "", err
	case first == "":
		return "", errors.New("no password was typed; nothing was changed")
	case first != second:
		return "", errors.New("the two are not the same; nothing was changed")
	}
	return first, nil
}
