package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"signet/audit"
	"signet/storage"
	"signet/storage/postgres/postgrestest"
)

// silent fails the test if an error says the password, in any of its spellings.
func silent(t *testing.T, err error) {
	t.Helper()
	for _, spelling := range []string{postgrestest.Password, url.QueryEscape(postgrestest.Password), "hunter2"} {
		if err != nil && strings.Contains(err.Error(), spelling) {
			t.Errorf("the error has the password: %v", err)
		}
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	good := server.URL("signet")
	folder := t.TempDir()
	alter := func(f func(u *url.URL)) string {
		u, err := url.Parse(good)
		if err != nil {
			t.Fatal(err)
		}
		f(u)
		return u.String()
	}
	for name, c := range map[string]struct {
		url  string
		want error
		says string
	}{
		"no URL":                {"postgres://signet:hunter2@[::1/x", ErrURL, "write postgres://"},
		"a bad port":            {"postgres://signet:hunter2@host:port/x", ErrURL, "write postgres://"},
		"a slash in a password": {"postgres://signet:hunter2/@host/x", ErrURL, "%2F"},
		"a bad parameter":       {"postgres://signet:hunter2@127.0.0.1/x?sslmode=maybe", ErrURL, "write postgres://"},
		"a bad pool":            {with(good, "pool_max_conns=none"), ErrURL, "write postgres://"},
		"another password":      {alter(func(u *url.URL) { u.User = url.UserPassword("signet", "hunter2-wrong") }), ErrRefused, "check the user and the password"},
		"another user":          {alter(func(u *url.URL) { u.User = url.UserPassword("nobody", "hunter2-wrong") }), ErrRefused, "check the user and the password"},
		"no such database":      {server.URL("nothing"), ErrRefused, "createdb"},
		"nobody listens":        {alter(func(u *url.URL) { u.RawQuery = "host=" + folder }), ErrUnreachable, "check that it runs"},
		"nobody at that port":   {"postgres://signet:hunter2@127.0.0.1:1/signet", ErrUnreachable, "connection refused"},
		"nobody at two":         {"postgres://signet:hunter2@127.0.0.1:1,127.0.0.1:2/signet", ErrUnreachable, "at 127.0.0.1:1 or 127.0.0.1:2: connection refused"},
		"no such host":          {"postgres://signet:hunter2@nowhere.invalid/signet", ErrUnreachable, "no such host"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), Options{URL: c.url, Log: slog.New(slog.DiscardHandler)})
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %v, want %v that says %q", err, c.want, c.says)
			}
			silent(t, err)
		})
	}
	t.Run("the password from a file", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(folder, "pgpass")
		if err := os.WriteFile(file, []byte("*:*:*:*:"+postgrestest.Password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := openTest(t, with(alter(func(u *url.URL) { u.User = url.User("signet") }), "passfile="+file))
		if err := s.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("a database of another encoding", func(t *testing.T) {
		t.Parallel()
		server.Exec(t, "postgres", `CREATE DATABASE latin OWNER signet TEMPLATE template0 ENCODING 'LATIN1'`)
		_, err := Open(t.Context(), Options{URL: server.URL("latin")})
		if !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "UTF8") {
			t.Error(err)
		}
	})
	t.Run("a user without rights", func(t *testing.T) {
		t.Parallel()
		server.Exec(t, "postgres", `CREATE DATABASE others TEMPLATE template0`)
		_, err := Open(t.Context(), Options{URL: server.URL("others"), Log: slog.New(slog.DiscardHandler)})
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "owner") {
			t.Error(err)
		}
	})
	t.Run("transactions that are not READ COMMITTED", func(t *testing.T) {
		t.Parallel()
		_, err := Open(t.Context(), Options{URL: with(good, "default_transaction_isolation=serializable")})
		if !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "ALTER ROLE") {
			t.Error(err)
		}
	})
	t.Run("a schema of another program", func(t *testing.T) {
		t.Parallel()
		server.Exec(t, "postgres", `CREATE DATABASE foreign_one OWNER signet`)
		server.Exec(t, "foreign_one", `CREATE SCHEMA signet AUTHORIZATION signet; CREATE TABLE signet.users (id int)`)
		_, err := Open(t.Context(), Options{URL: server.URL("foreign_one"), Log: slog.New(slog.DiscardHandler)})
		if !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "another program") {
			t.Error(err)
		}
	})
	t.Run("a server that takes no writes", func(t *testing.T) {
		t.Parallel()
		s, err := Open(t.Context(), Options{URL: with(good, "default_transaction_read_only=on"), Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			s.Close()
			t.Error("it was opened")
		}
		silent(t, err)
	})
}

// TestDeath kills PostgreSQL under load and starts it again: what was acknowledged is there, nothing that was spent comes back, and
// the nodes go on by themselves.
func TestDeath(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	nodes := [2]*Store{openTest(t, server.URL("signet")), openTest(t, server.URL("signet"))}
	families := plant(t, nodes[0], 16)
	acknowledged := make([]atomic.Int64, len(families)) // generations; each family has one worker
	stop := make(chan struct{})
	var workers sync.WaitGroup
	var failed atomic.Int64
	for i, f := range families {
		workers.Go(func() {
			for generation := uint32(0); ; {
				select {
				case <-stop:
					return
				default:
				}
				row, _, err := nodes[i%2].RotateFamily(context.Background(), rotation(f, generation))
				if err != nil { // a person's app tries again, with the token that it has
					failed.Add(1)
					silent(t, err)
					if !errors.Is(err, storage.ErrUnavailable) && !errors.Is(err, storage.ErrBusy) {
						t.Errorf("family %d at generation %d: a failure that does not say that it passes: %v", i, generation, err)
					}
					for _, refusal := range []error{storage.ErrReused, storage.ErrAhead, storage.ErrEnded, storage.ErrNotFound} {
						if errors.Is(err, refusal) {
							t.Errorf("family %d at generation %d: %v", i, generation, err)
							return
						}
					}
					time.Sleep(5 * time.Millisecond)
					continue
				}
				generation = row.Generation
				acknowledged[i].Store(int64(generation))
			}
		})
	}
	rotated := func() (all int64) {
		for i := range acknowledged {
			all += acknowledged[i].Load()
		}
		return all
	}
	grows := func(what string, count func() int64) {
		t.Helper()
		for began, before := time.Now(), count(); count() == before; time.Sleep(time.Millisecond) {
			if time.Since(began) > time.Minute {
				t.Fatalf("no more %s", what)
			}
		}
	}
	for range 2 {
		grows("rotations", rotated)
		time.Sleep(400 * time.Millisecond)
		server.Kill(t)
		if err := nodes[0].Ready(t.Context()); !errors.Is(err, ErrUnreachable) {
			t.Errorf("without PostgreSQL Ready says %v", err)
		}
		_, err := nodes[1].User(t.Context(), "ann")
		if !errors.Is(err, ErrUnreachable) || !errors.Is(err, storage.ErrUnavailable) || !strings.Contains(err.Error(), "check that it runs") {
			t.Errorf("without PostgreSQL an act says %v", err)
		}
		silent(t, err)
		grows("failures", failed.Load)
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	grows("rotations", rotated)
	time.Sleep(400 * time.Millisecond)
	close(stop)
	workers.Wait()
	total := 0
	for i, f := range families {
		state, err := nodes[0].Family(t.Context(), f.ID)
		if err != nil {
			t.Fatal(err)
		}
		ours := acknowledged[i].Load()
		total += int(ours)
		if got := int64(state.Family.Generation); got != ours || !state.Family.Ended.IsZero() {
			t.Errorf("family %d is at %d, and %d was acknowledged (ended by %q)", i, got, ours, state.Family.EndedBy)
		}
	}
	if total == 0 || failed.Load() == 0 {
		t.Errorf("%d rotations and %d failures: there was no load", total, failed.Load())
	}
	if n := logged(t, nodes[0], audit.TokenRefreshed); n < total {
		t.Errorf("the log has %d of %d rotations", n, total)
	}
	for _, n := range nodes {
		if err := n.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d rotations, %d failures", total, failed.Load())
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	quiet := slog.New(slog.DiscardHandler)
	now := len(migrations)
	next := append(append([]migration(nil), migrations...),
		migration{version: now + 1, compatible: 1, sql: `ALTER TABLE signet.users ADD COLUMN seen timestamptz`},
		migration{version: now + 2, compatible: now + 2, sql: `ALTER TABLE signet.users DROP COLUMN seen; ALTER TABLE signet.users ADD COLUMN found boolean`})
	apply := func(t *testing.T, s *Store, steps []migration) error {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
		return s.migrate(ctx, conn.Conn(), steps)
	}
	t.Run("of nodes that start at once one makes the schema, and says so once", func(t *testing.T) {
		t.Parallel()
		database := postgrestest.Database(t)
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				s, err := Open(ctx, Options{URL: with(database, "pool_max_conns=2"), Log: quiet})
				if err != nil {
					t.Error(err)
					return
				}
				s.Close()
			})
		}
		all.Wait()
		if n := logged(t, openTest(t, database), audit.StoreInitialized); n != 1 {
			t.Errorf("the store was made %d times", n)
		}
	})
	t.Run("the previous version goes on where the schema says so, and is refused where not", func(t *testing.T) {
		t.Parallel()
		database := postgrestest.Database(t)
		s := openTest(t, database)
		if err := apply(t, s, next[:now+1]); err != nil {
			t.Fatal(err)
		}
		plant(t, s, 1) // it runs, with prepared statements from before
		openTest(t, database)
		if err := apply(t, s, next); err != nil {
			t.Fatal(err)
		}
		_, err := Open(ctx, Options{URL: database, Log: quiet})
		if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), fmt.Sprint("version ", now+2)) || !strings.Contains(err.Error(), "use the newer program") {
			t.Error(err)
		}
		if err := apply(t, s, next); err != nil { // twice changes nothing
			t.Error(err)
		}
	})
	t.Run("a migration that fails leaves nothing behind", func(t *testing.T) {
		t.Parallel()
		s := openTest(t, postgrestest.Database(t))
		broken := append(append([]migration(nil), next[:now+1]...), migration{version: now + 2, compatible: 1, sql: `CREATE TABLE signet.half (id int); SELECT 1/0`})
		if err := apply(t, s, broken); err == nil {
			t.Error("it did not fail")
		}
		conn, err := pgx.Connect(ctx, s.pool.Config().ConnString())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		if v, err := schemaVersion(ctx, conn, now+9); v != now || err != nil {
			t.Errorf("the schema has version %d, %v", v, err)
		}
		if err := apply(t, s, next); err != nil {
			t.Error(err)
		}
	})
	t.Run("files that are no migrations are found by the program's own tests", func(t *testing.T) {
		t.Parallel()
		for name, files := range map[string]fstest.MapFS{
			"a gap":    {"0002_x.sql": {Data: []byte("-- compatible: 1\n")}},
			"a name":   {"1_x.sql": {Data: []byte("-- compatible: 1\n")}},
			"no head":  {"0001_x.sql": {Data: []byte("CREATE\n")}},
			"too high": {"0001_x.sql": {Data: []byte("-- compatible: 2\n")}},
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s was taken", name)
					}
				}()
				parseMigrations(files)
			}()
		}
	})
}
