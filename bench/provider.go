package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"signet/audit"
	"signet/heap"
	"signet/keys"
	"signet/provider"
	"signet/provider/limit"
	"signet/resources"
	"signet/storage"
	"signet/users"
)

// noLimit is far from what the load can ask, so that counting is measured and refusing is not.
var noLimit = limit.Rate{PerSecond: 1e9, Burst: 1e9}

// provide is the provider's process: what signet serve does, on a store that was planted.
func provide(t task) (err error) {
	heap.Reserve()
	log, err := t.requestLog()
	if err != nil {
		return err
	}
	store, err := t.open(log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	master, err := keys.LoadMaster(filepath.Join(t.Folder, masterFile))
	if err != nil {
		return err
	}
	ring, err := keys.Open(context.Background(), keys.Options{Store: store, Master: master})
	if err != nil {
		return err
	}
	later := audit.NewLater(store, log)
	defer later.Close()
	p, err := provider.New(provider.Options{
		Issuer: "http://" + t.Address, Store: store, Keys: ring, Log: log, Later: later,
		Passwords: users.NewAuthenticator(users.Options{Store: store}),
		Limits:    limit.New(limit.Options{Rates: limit.Rates{Address: noLimit, Client: noLimit, Guess: noLimit, Registration: noLimit}, Store: store}),
	})
	if err != nil {
		return err
	}
	return serve(t.Address, p, func(line string) error {
		alg, ok := strings.CutPrefix(line, accessTokens)
		if !ok {
			return fmt.Errorf("what is %q?", line)
		}
		_, err := resources.Ensure(context.Background(), store, resourceOf(alg), storage.Change{Now: time.Now()})
		return err
	})
}

// requestLog is the log as signet serve writes it, to a file.
func (t task) requestLog() (*slog.Logger, error) {
	if !t.Log {
		return slog.New(slog.DiscardHandler), nil
	}
	file, err := os.Create(filepath.Join(t.Folder, "log"))
	return slog.New(slog.NewJSONHandler(file, nil)), err
}
