package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Standby starts a copy of the server that follows it, and has the server wait for it: from now on what the server answers is on
// both disks (synchronous_standby_names). It returns once that is so.
func (s *Server) Standby(t testing.TB) *Server {
	t.Helper()
	standby, err := s.follow()
	check(t, err)
	t.Cleanup(standby.Stop)
	s.Exec(t, "postgres", `ALTER SYSTEM SET synchronous_standby_names = '*'`)
	s.Exec(t, "postgres", `SELECT pg_reload_conf()`)
	check(t, s.await(`SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming')`))
	return standby
}

func (s *Server) follow() (*Server, error) {
	standby, err := makeServer()
	if err != nil {
		return nil, err
	}
	copying := s.command("pg_basebackup", "--pgdata", standby.data(), "--host", s.folder, "--username", "postgres", "--checkpoint", "fast",
		"--wal-method", "stream", "--no-sync")
	copying.Env = append(copying.Env, "PGPASSWORD="+Password)
	if out, err := copying.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	// standby.signal and what is copied make it a standby: PostgreSQL's documentation, section 27.2.4.
	if err := os.WriteFile(filepath.Join(standby.data(), "standby.signal"), nil, 0o644); err != nil {
		return nil, err
	}
	from := strings.ReplaceAll(fmt.Sprintf("host=%s user=postgres password=%s application_name=standby", s.folder, Password), "'", "''")
	if err := standby.configure("unix_socket_directories="+standby.folder, "primary_conninfo="+from, "wal_retrieve_retry_interval=100ms"); err != nil {
		return nil, err
	}
	if err := standby.keep(); err != nil {
		return nil, err
	}
	return standby, standby.Restart()
}

// Promote has a standby take over, and returns when it takes writes. The server that it followed must have ended, for good.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	s.Exec(t, "postgres", `SELECT pg_promote(wait => false)`)
	check(t, s.await(`SELECT NOT pg_is_in_recovery()`))
}

// await waits until a query says true.
func (s *Server) await(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url("postgres", "postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for {
		var so bool
		if err := conn.QueryRow(ctx, sql).Scan(&so); so || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("in vain: " + sql)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// URLs is how [User] reaches a database of whichever of several servers takes writes.
func URLs(database string, servers ...*Server) string {
	var hosts []string
	for _, s := range servers {
		hosts = append(hosts, s.folder)
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(User, Password), Path: "/" + database,
		RawQuery: url.Values{"host": {strings.Join(hosts, ",")}, "target_session_attrs": {"read-write"}}.Encode(),
	}
	return u.String()
}
