package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"signet/configs"
	"signet/keys"
	"signet/provider/admin"
	"signet/provider/issue"
	"signet/storage/bolt"
	"signet/users"
)

// apiFlags are the flags of every command that works on a data folder.
type apiFlags struct {
	app          *app
	data, config *string
	json         *bool
}

func (a *app) apiFlags(cmd *cobra.Command) apiFlags {
	return apiFlags{
		app:    a,
		data:   cmd.Flags().String("data", "", "data folder `DIR` of the server (SIGNET_DATA; default signet-data)"),
		config: configFlag(cmd),
		json:   jsonFlag(cmd),
	}
}

// call is one run of such a command.
type call struct {
	ctx    context.Context
	args   []string
	caller *admin.Caller
}

func (c call) do(method string, in, out any, segments ...string) error {
	return c.caller.Do(c.ctx, method, in, out, segments...)
}

// configuration is what the flags lead to, and the file that was read.
func (f apiFlags) configuration() (cfg configs.Config, file string, err error) {
	flags := map[string][]string{}
	if *f.data != "" {
		flags["data"] = []string{*f.data}
	}
	file = f.app.configFile(*f.config)
	cfg, err = configs.Load(configs.Sources{File: file, Env: f.app.env, Flags: flags})
	return cfg, file, err
}

// call makes a command of f: f is called with whoever answers for the data folder.
func (f apiFlags) call(do func(c call) error) func(*cobra.Command, []string) error {
	return f.app.command(func(cmd *cobra.Command, args []string) error {
		cfg, file, err := f.configuration()
		if err != nil {
			return err
		}
		caller, release, err := f.app.reach(cmd.Context(), cfg, file)
		if err != nil {
			return err
		}
		return errors.Join(do(call{cmd.Context(), args, caller}), release())
	})
}

// reach finds the server of the data folder or, if none runs, opens the store. A server that is just starting holds the lock before
// it has its socket, and one that is ending gives up the socket before the lock, so both are tried for a while.
func (a *app) reach(ctx context.Context, cfg configs.Config, file string) (*admin.Caller, func() error, error) {
	if err := checkFolder(cfg.Data); err != nil {
		return nil, nil, err
	}
	const patience = 3 * time.Second
	for began := time.Now(); ; {
		answers, err := answering(ctx, cfg.Data)
		if answers {
			return admin.OverSocket(cfg.Data), func() error { return nil }, nil
		}
		if err != nil {
			return nil, nil, err
		}
		caller, release, err := a.openHere(ctx, cfg, file)
		if !errors.Is(err, bolt.ErrLocked) || time.Since(began) > patience {
			return caller, release, lockedError(err)
		}
	}
}

// lockedError adds what a person can do about a server that holds the store and does not answer.
func lockedError(err error) error {
	if !errors.Is(err, bolt.ErrLocked) {
		return err
	}
	return explain(err, "its socket does not answer; wait a moment if it is just starting, otherwise stop it")
}

// answering reports whether a server answers at the socket. The error is one that keeps us from finding out.
func answering(ctx context.Context, dir string) (bool, error) {
	conn, err := admin.Dial(ctx, dir)
	switch {
	case err == nil:
		conn.Close()
		return true, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return false, nil
	case errors.Is(err, fs.ErrPermission):
		return false, explain(err, "only the owner of the data folder may talk to its server; become that user")
	}
	return false, err
}

// openHere opens the store and calls the API's handler in this process. Keys are opened only for commands that need them.
func (a *app) openHere(ctx context.Context, cfg configs.Config, file string) (*admin.Caller, func() error, error) {
	if err := ownFolder(cfg.Data); err != nil {
		return nil, nil, err
	}
	catalogue, faults := readClaims(cfg)
	if faults != nil {
		return nil, nil, faults
	}
	store, err := openStore(ctx, cfg, 500*time.Millisecond, quietLog(), false)
	if err != nil {
		return nil, nil, err
	}
	ring := sync.OnceValues(func() (*keys.Keys, error) {
		master, err := a.master(ctx, cfg, store)
		if err != nil {
			return nil, err
		}
		return openKeys(ctx, cfg, store, master, quietLog())
	})
	handler := admin.New(admin.Options{
		Store: store,
		Keys:  ring,
		Tokens: func() (*issue.Issuer, error) {
			k, err := ring()
			if err != nil {
				return nil, err
			}
			return newIssuer(cfg, catalogue, store, k), nil
		},
		Algs:   cfg.Keys.Algorithms,
		JWE:    cfg.EncryptedRequests,
		Scopes: catalogue.Added(), BuiltIn: builtIn(cfg),
		Hash:   func(_ context.Context, password string) (string, error) { return users.HashPassword(password) },
		Status: admin.Status{Version: version().Version, Issuer: cfg.Issuer, PID: os.Getpid(), Started: time.Now()},
		File:   file,
		Folder: cfg.Data,
		Now:    time.Now,
	})
	return admin.InProcess(handler), store.Close, nil
}
