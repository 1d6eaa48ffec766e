package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"signet/audit"
	"signet/configs"
	"signet/storage"
	"signet/storage/bolt"
	"signet/storage/postgres"
)

// place is where a store is, or is to be: a file, or a database.
type place struct {
	file string // of bbolt; empty: a database
	url  string // of the database; it may hold a password
}

// String is the place without its password.
func (p place) String() string {
	if p.file != "" {
		return p.file
	}
	u, err := url.Parse(p.url)
	if err != nil {
		return "the database"
	}
	return "postgres://" + u.Host + u.Path
}

// placeOf is the place of a configuration.
func placeOf(cfg configs.Config) (place, error) {
	if !cfg.Postgres() {
		return place{file: filepath.Join(cfg.Data, storeName)}, nil
	}
	u, err := postgresURL(cfg)
	return place{url: u}, err
}

const placeForms = "write bolt:DIR, bolt:FILE, postgres://USER@HOST/DATABASE, file:FILE (of a file that holds such a URL) or env:NAME (of a variable that does)"

// parsePlace reads the place that a flag names. What it cannot read it does not repeat: it may hold a password.
func (a *app) parsePlace(flag, text string) (place, error) {
	form, rest, _ := strings.Cut(text, ":")
	switch form {
	case "bolt":
		if rest == "" {
			return place{}, usagef("--%s names no folder; %s", flag, placeForms)
		}
		if info, err := os.Stat(rest); err == nil && info.IsDir() {
			rest = filepath.Join(rest, storeName)
		}
		return place{file: rest}, nil
	case "postgres", "postgresql":
		if hasPassword(text) {
			return place{}, usagef("--%s: every user of this machine can read a password in an argument, and has been able to read this one; leave it out and use "+
				"PGPASSFILE or PGPASSWORD, or write file:FILE or env:NAME", flag)
		}
		return databaseAt(flag, text)
	case "file":
		u, err := urlIn(rest)
		if err != nil {
			return place{}, fmt.Errorf("--%s: %w", flag, err)
		}
		return databaseAt(flag, u)
	case "env":
		u := a.getenv(rest)
		if u == "" {
			return place{}, usagef("--%s: the variable %s is empty", flag, rest)
		}
		return databaseAt(flag, u)
	}
	return place{}, usagef("--%s names no store; %s", flag, placeForms)
}

func databaseAt(flag, u string) (place, error) {
	if !strings.HasPrefix(u, "postgres://") && !strings.HasPrefix(u, "postgresql://") {
		return place{}, usagef("--%s: that is no URL of PostgreSQL; write postgres://USER:PASSWORD@HOST:PORT/DATABASE into it", flag)
	}
	return place{url: u}, nil
}

func hasPassword(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return strings.Contains(text, "@")
	}
	_, inUser := u.User.Password()
	return inUser || u.Query().Has("password") || u.Query().Has("sslpassword")
}

// moved is a store whose rows move.
type moved interface {
	storage.Store
	storage.Moving
}

// open opens the store at a place, for nobody else to change meanwhile. It must be there.
func (p place) open(ctx context.Context, name string) (moved, error) {
	if p.file == "" {
		s, err := p.database(ctx, name, true)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	if missing(p.file) {
		return nil, fmt.Errorf("there is no store at %s", p.file)
	}
	if err := ownFolder(filepath.Dir(p.file)); err != nil {
		return nil, err
	}
	s, err := bolt.Open(p.bolt())
	if err != nil {
		return nil, ownedBy(stopServer(err))
	}
	return s, nil
}

func (p place) bolt() bolt.Options {
	return bolt.Options{Path: p.file, Timeout: time.Second, Log: quietLog(), Fatal: func(error) {}}
}

func stopServer(err error) error {
	if errors.Is(err, bolt.ErrLocked) {
		return fmt.Errorf("a server works on the store: %w", err)
	}
	return err
}

func ownedBy(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return explain(err, "become the user whom signet runs as")
	}
	return err
}

// database opens the store of a database on which no server works.
func (p place) database(ctx context.Context, name string, existing bool) (*postgres.Store, error) {
	s, err := postgres.Open(ctx, postgres.Options{URL: p.url, Existing: existing, Name: name, Log: quietLog()})
	if err != nil {
		return nil, err
	}
	if err := p.alone(ctx, s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// alone refuses a database on which servers work. Those that have just ended are still there for a moment.
func (p place) alone(ctx context.Context, s *postgres.Store) error {
	const patience = 3 * time.Second
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		others, err := s.Others(ctx)
		switch {
		case err != nil || others == 0:
			return err
		case time.Since(began) > patience:
			return fmt.Errorf("servers work on %s: they have %s to it; stop them all first", p, number(uint64(others), "connection"))
		}
	}
}

// vacant refuses a place at which there is something already, before anything else is done.
func (p place) vacant(ctx context.Context, name string) error {
	if p.file != "" {
		folder := filepath.Dir(p.file)
		if missing(folder) {
			return nil // restore makes it
		}
		if err := ownFolder(folder); err != nil || missing(p.file) {
			return err
		}
		s, err := bolt.Open(p.bolt())
		if errors.Is(err, bolt.ErrDamaged) || errors.Is(err, bolt.ErrUnfinished) {
			return fmt.Errorf("there is a store at %s that cannot be used any more, and stays as it is; move it away (mv %[1]s %[1]s.old) and try again", p)
		}
		if err != nil {
			return ownedBy(stopServer(err))
		}
		blank, err := s.Blank(ctx)
		if err == nil && !blank {
			err = p.occupied()
		}
		return errors.Join(err, s.Close())
	}
	s, err := p.database(ctx, name, true)
	if errors.Is(err, postgres.ErrNoStore) {
		return nil
	}
	if err != nil {
		return err
	}
	blank, err := s.Blank(ctx)
	if err == nil && !blank {
		err = p.occupied()
	}
	return errors.Join(err, s.Close())
}

// occupied says what to do about a store that is in the way.
func (p place) occupied() error {
	if p.file != "" {
		return fmt.Errorf("there is a store with data at %s, which stays as it is; move it away (mv %[1]s %[1]s.old) and try again, or name another place", p)
	}
	return fmt.Errorf("there is a store with data in %s, which stays as it is; name another database, or, if it may go, remove it with DROP SCHEMA signet CASCADE "+
		"and try again", p)
}

// fill makes a store at the place of rows, as a whole or not at all. The entry is the last of its log.
func (p place) fill(ctx context.Context, name string, all storage.Rows, entry audit.Entry) error {
	into := func(s moved) error {
		if err := s.Import(ctx, all); err != nil {
			return err
		}
		return s.Record(ctx, entry)
	}
	var err error
	if p.file != "" {
		if folder := filepath.Dir(p.file); missing(folder) {
			return fmt.Errorf("there is no folder %s; make it (mkdir -m 700 %[1]s) as the user whom signet runs as", folder)
		}
		err = bolt.Build(ctx, p.bolt(), func(s *bolt.Store) error { return into(s) })
		err = withRoom(filepath.Dir(p.file), ownedBy(stopServer(err)))
	} else {
		var s *postgres.Store
		if s, err = p.database(ctx, name, false); err == nil {
			err = errors.Join(into(s), s.Close())
		}
	}
	if errors.Is(err, storage.ErrExists) {
		return p.occupied()
	}
	return err
}

// byHand is who does something at this machine without a server.
func byHand() audit.Origin { return audit.Origin{Actor: fmt.Sprintf("uid %d", os.Getuid())} }
