package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"signet/configs"
	"signet/storage"
	"signet/storage/postgres"
)

// openPostgres opens the store of a database.
func openPostgres(ctx context.Context, cfg configs.Config, log *slog.Logger, make bool) (storage.Store, error) {
	url, err := postgresURL(cfg)
	if err != nil {
		return nil, err
	}
	store, err := postgres.Open(ctx, postgres.Options{URL: url, Existing: !make, Log: log})
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	return store, nil
}

// postgresURL is the URL of the database.
func postgresURL(cfg configs.Config) (string, error) {
	if cfg.StorageFile == "" {
		return cfg.Storage, nil
	}
	url, err := urlIn(cfg.StorageFile)
	if err != nil {
		return "", fmt.Errorf("storage_file: %w", err)
	}
	return url, nil
}

// urlIn reads a file that holds the URL of a database. It is like the master key's: for its owner alone.
func urlIn(path string) (string, error) {
	if err := ownersAlone(path); err != nil {
		return "", err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%w; name a file that signet may read", err)
	}
	return strings.TrimSpace(string(content)), nil
}

// ownersAlone refuses a file with a password that others may read.
func ownersAlone(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%w; name a file that signet may read", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("others may read %s, and the password in it (its mode is %#o); chmod 600 %[1]s", path, info.Mode().Perm())
	}
	return nil
}

// storageFull says what to do about a full disk, wherever everything is kept.
func storageFull(cfg configs.Config, err error) error {
	if cfg.Postgres() && errors.Is(err, storage.ErrNoSpace) {
		return explain(err, "make room on the disk of PostgreSQL and try again")
	}
	return withRoom(cfg.Data, err)
}

// unused says whether a store has no keys yet: no server has run on it.
func unused(ctx context.Context, store storage.Rings) (bool, error) {
	ring, err := store.Ring(ctx)
	return ring.Revision == 0, err
}
