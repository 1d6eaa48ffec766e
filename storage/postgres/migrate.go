package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"signet/audit"
	"signet/storage/codec"
)

//go:embed migrations/*.sql
var embedded embed.FS

// migrations are the steps that the schema was made in, and that any database still has to make. They only ever lead forward.
var migrations = parseMigrations(must(fs.Sub(embedded, "migrations")))

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// migration is one step. Its first line says "-- compatible: N": programs that know the schema up to version N go on working after
// it, so that nodes can be replaced one by one.
type migration struct {
	version    int
	compatible int
	sql        string
}

var (
	migrationName = regexp.MustCompile(`^(\d{4})_[a-z_]+\.sql$`)
	compatibleTo  = regexp.MustCompile(`^-- compatible: (\d+)\n`)
)

// parseMigrations panics on files that are not right: they are part of the program.
func parseMigrations(files fs.FS) (all []migration) {
	for _, file := range must(fs.Glob(files, "*.sql")) { // in the order of their names
		text := string(must(fs.ReadFile(files, file)))
		name, head := migrationName.FindStringSubmatch(file), compatibleTo.FindStringSubmatch(text)
		if name == nil || head == nil {
			panic("postgres: not a migration: " + file)
		}
		m := migration{version: must(strconv.Atoi(name[1])), compatible: must(strconv.Atoi(head[1])), sql: text}
		if m.version != len(all)+1 || m.compatible > m.version {
			panic("postgres: a migration out of order: " + file)
		}
		all = append(all, m)
	}
	return all
}

const (
	// migrationTimeout bounds how long a start waits for the migration of another node, or makes one.
	migrationTimeout = 5 * time.Minute
	// migrationLock is the advisory lock of who migrates: "signet", as a number.
	migrationLock = 0x7369676e6574
)

// migrate brings the schema up to steps. Of several nodes that start at once one does it, and the others wait. A schema that is
// newer is used if it says that this program may.
func (s *Store) migrate(ctx context.Context, conn *pgx.Conn, steps []migration) error {
	version, err := schemaVersion(ctx, conn, len(steps))
	if err != nil || version >= len(steps) {
		return s.explainMigration(err)
	}
	if version == 0 && s.found {
		return fmt.Errorf("%w; signet serve makes it at its first start, or name another database", ErrNoStore)
	}
	return s.explainMigration(pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(migrationLock)); err != nil {
			return err
		}
		version, err := schemaVersion(ctx, tx, len(steps)) // another node may have been here
		if err != nil || version >= len(steps) {
			return err
		}
		if version == 0 {
			if err := s.create(ctx, tx); err != nil {
				return err
			}
		}
		for _, m := range steps[version:] {
			if err := m.apply(ctx, tx); err != nil {
				return fmt.Errorf("migration %d: %w", m.version, err)
			}
			s.log.Info("storage: the schema was migrated", "version", m.version)
		}
		if version == 0 {
			return s.initialize(ctx, tx)
		}
		return nil
	}))
}

// explainMigration leaves sentences of our own as they are.
func (s *Store) explainMigration(err error) error {
	if err == nil || errors.Is(err, ErrNewer) || errors.Is(err, ErrUnfit) {
		return err
	}
	return s.explain(err)
}

func (m migration) apply(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Conn().PgConn().Exec(ctx, m.sql).ReadAll(); err != nil { // many statements: the simple protocol
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO signet.migrations (version, compatible) VALUES ($1, $2)`, int64(m.version), int64(m.compatible))
	return err
}

// create makes the schema, in which there may be nothing of others.
func (s *Store) create(ctx context.Context, tx pgx.Tx) error {
	var others int64
	err := tx.QueryRow(ctx, `SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'signet'`).Scan(&others)
	switch {
	case err != nil:
		return err
	case others > 0:
		return fmt.Errorf("%w: its schema signet is in use by another program; choose another database", ErrUnfit)
	}
	_, err = tx.Conn().PgConn().Exec(ctx, `CREATE SCHEMA IF NOT EXISTS signet;
		CREATE TABLE signet.migrations (
			version    integer PRIMARY KEY,
			compatible integer NOT NULL, -- programs that know this version or a later one may go on
			at         timestamptz NOT NULL DEFAULT now()
		)`).ReadAll()
	return err
}

// initialize writes the first entry of the log.
func (s *Store) initialize(ctx context.Context, tx pgx.Tx) error {
	e := audit.Entry{Time: codec.UTC(s.now()), Event: audit.StoreInitialized}
	row, err := codec.Encode(e)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, insertEntry, e.Time, row)
	return err
}

// querier is a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// schemaVersion returns the version of the schema, 0 if there is none, and refuses one that is too new for a program that knows
// the versions up to known.
func schemaVersion(ctx context.Context, q querier, known int) (int, error) {
	var exists bool
	// Not to_regclass: it looks into a cache, which need not know yet what another node made while we waited for the lock.
	err := q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'signet' AND c.relname = 'migrations')`).Scan(&exists)
	if err != nil || !exists {
		return 0, err
	}
	var version, compatible int
	err = q.QueryRow(ctx, `SELECT coalesce(max(version), 0), coalesce(max(compatible), 0) FROM signet.migrations`).Scan(&version, &compatible)
	switch {
	case err != nil:
		return 0, err
	case known < compatible:
		return 0, fmt.Errorf("%w: the database has version %d, which needs a program that knows version %d, and this one knows %d; use the newer program, "+
			"or restore a backup made before it ran", ErrNewer, version, compatible, known)
	}
	return version, nil
}
