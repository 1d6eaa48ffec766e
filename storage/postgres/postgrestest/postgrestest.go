// Package postgrestest runs PostgreSQL for tests: the server of Debian's package, in a temporary folder, reached over a Unix socket
// in it. Started by root it runs as the user postgres, as PostgreSQL demands.
//
// [Database] is what most tests want: a database of one server that all tests of a program share. [Start] is for tests that
// kill the server. A server ends with the program that started it, however that ends.
package postgrestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// User is the role that URLs name. It owns its databases and is no superuser.
	User = "signet"
	// Password is its password: what no message of ours may hold.
	Password = "hunter2-%40-secret"
)

// patience is how long a server may take for anything. It only matters when something is broken.
const patience = 2 * time.Minute

// Server is a PostgreSQL server of a test.
type Server struct {
	folder string // data in data/, the socket beside it
	tools  string
	as     *syscall.Credential

	pid    int // of the server's first process
	keeper *exec.Cmd
	leash  io.Closer // while it is open the keeper waits
}

var shared = sync.OnceValues(func() (*Server, error) { return start("trust", "fsync=off", "full_page_writes=off") })

// spare holds the databases of the shared server that no test uses now: making one takes longer than most tests do.
var spare struct {
	sync.Mutex
	names []string
	made  int
}

// Database returns the URL of a database without Signet's schema. Where PostgreSQL is not installed the test is skipped, unless the
// variable CI is set: there it fails.
func Database(t testing.TB) (url string) {
	t.Helper()
	s, err := shared()
	check(t, err)
	name, err := s.take()
	check(t, err)
	t.Cleanup(func() { // the test's own cleanups ran before, and closed its stores
		if err := s.exec("postgres", name, `DROP SCHEMA IF EXISTS signet CASCADE`); err != nil {
			t.Error(err)
			return
		}
		spare.Lock()
		defer spare.Unlock()
		spare.names = append(spare.names, name)
	})
	return s.URL(name)
}

func (s *Server) take() (name string, err error) {
	spare.Lock()
	defer spare.Unlock()
	if n := len(spare.names); n > 0 {
		name, spare.names = spare.names[n-1], spare.names[:n-1]
		return name, nil
	}
	spare.made++
	name = fmt.Sprintf("test%d", spare.made)
	return name, s.admin(`CREATE DATABASE ` + name + ` TEMPLATE template0 OWNER ` + User + ` STRATEGY file_copy`)
}

// Start starts a server of the test's own, which asks for the password and whose commits are on the disk when they are answered. It has
// one database, signet.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := start("scram-sha-256")
	check(t, err)
	t.Cleanup(s.Stop)
	check(t, s.admin(`CREATE DATABASE signet OWNER `+User))
	return s
}

var errMissing = errors.New("PostgreSQL is not installed; apt-get install postgresql")

func check(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errMissing) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// toolsFolder is where Debian has the newest server's programs.
func toolsFolder() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", errMissing
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

// makeServer makes the folder of a server.
func makeServer() (*Server, error) {
	s := &Server{}
	var err error
	if s.tools, err = toolsFolder(); err != nil {
		return nil, err
	}
	if s.folder, err = os.MkdirTemp("", "signet-pg"); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if s.as, err = credential("postgres"); err != nil {
			return nil, err
		}
		if err := os.Chown(s.folder, int(s.as.Uid), int(s.as.Gid)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// start makes a cluster and starts it.
func start(auth string, settings ...string) (*Server, error) {
	s, err := makeServer()
	if err != nil {
		return nil, err
	}
	password := filepath.Join(s.folder, "password")
	if err := os.WriteFile(password, []byte(Password+"\n"), 0o644); err != nil {
		return nil, err
	}
	initdb := s.command("initdb", "--pgdata", s.data(), "--username", "postgres", "--encoding", "UTF8", "--locale", "C", "--no-sync",
		"--auth-local", auth, "--pwfile", password)
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	settings = append(settings, "listen_addresses=", "unix_socket_directories="+s.folder, "max_connections=300", "shared_buffers=64MB",
		"autovacuum_naptime=10s", "log_min_messages=warning")
	if err := s.configure(settings...); err != nil {
		return nil, err
	}
	if err := s.keep(); err != nil {
		return nil, err
	}
	if err := s.Restart(); err != nil {
		return nil, err
	}
	return s, s.admin(`CREATE ROLE ` + User + ` LOGIN PASSWORD '` + Password + `'`)
}

// configure adds settings, name=value, for the next start. The last one of a name counts.
func (s *Server) configure(settings ...string) error {
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.auto.conf"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		if _, err = fmt.Fprintf(f, "%s = '%s'\n", name, value); err != nil {
			break
		}
	}
	return errors.Join(err, f.Close())
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

// Log is what the server wrote so far.
func (s *Server) Log() string {
	text, _ := os.ReadFile(filepath.Join(s.folder, "log"))
	return string(text)
}

func credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

func (s *Server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.tools, program), args...)
	s.prepare(cmd)
	return cmd
}

func (s *Server) prepare(cmd *exec.Cmd) {
	cmd.Dir = s.folder
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setpgid: true}
}

// keeper waits until its input ends, which is when the program that holds the other end has ended, and leaves nothing of the server
// behind. SIGQUIT is the immediate shutdown.
const keeper = `cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
	kill -QUIT "$pid" 2>/dev/null
	while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
fi
rm -rf "$1"`

// keep starts the keeper.
func (s *Server) keep() error {
	cmd := exec.Command("/bin/sh", "-c", keeper, "sh", s.folder)
	s.prepare(cmd)
	cmd.Dir = "/"
	var err error
	if s.leash, err = cmd.StdinPipe(); err != nil {
		return err
	}
	s.keeper = cmd
	return cmd.Start()
}

// Restart starts a server that was killed, and waits until it answers. While processes of the one before are still about, it does
// not start; then it is tried again.
func (s *Server) Restart() error {
	deadline := time.Now().Add(patience)
	ended := make(chan struct{})
	close(ended)
	for {
		select {
		case <-ended:
			var err error
			if ended, err = s.launch(); err != nil {
				return err
			}
		case <-time.After(20 * time.Millisecond):
		}
		err := s.admin(`SELECT 1`)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("PostgreSQL does not start: %w\n%s", err, s.Log())
		}
	}
}

// launch starts the server's process and returns what is closed when it has ended.
func (s *Server) launch() (chan struct{}, error) {
	log, err := os.OpenFile(filepath.Join(s.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := s.command("postgres", "-D", s.data())
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	s.pid = cmd.Process.Pid
	return ended, nil
}

// Kill ends the server as a power failure would: it and all of its processes, by SIGKILL. The folder stays, for Restart.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	send := func(pid int, signal syscall.Signal) {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
	// First it must start no others in their place: one that is overlooked may wait for a lock of the dead, for good.
	send(s.pid, syscall.SIGSTOP)
	for deadline := time.Now().Add(time.Second); state(s.pid) != 'T' && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	for _, pid := range append(children(s.pid), s.pid) {
		send(pid, syscall.SIGKILL)
	}
}

// state is what /proc says of a process: T if it is stopped.
func state(pid int) byte {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // pid (name) state parent …
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	if len(rest) == 0 {
		return 0
	}
	return rest[0]
}

// children lists the processes that a process started.
func children(pid int) (all []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, _ := os.ReadFile(path) // pid (name) state parent …
		_, rest, _ := bytes.Cut(stat, []byte(") "))
		fields := strings.Fields(string(rest))
		if len(fields) < 2 || fields[1] != strconv.Itoa(pid) {
			continue
		}
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		all = append(all, child)
	}
	return all
}

// Quit ends the server as SIGQUIT does, its immediate shutdown: nothing is finished and nothing is written. It returns when the server has
// ended. The folder stays, for Restart.
func (s *Server) Quit(t testing.TB) {
	t.Helper()
	if err := syscall.Kill(s.pid, syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); syscall.Kill(s.pid, 0) == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("PostgreSQL goes on after SIGQUIT:\n%s", s.Log())
		}
	}
}

// KillOne kills one of the processes that serve connections. The server then ends the others, recovers, and goes on by itself; KillOne
// returns when it has.
func (s *Server) KillOne(t testing.TB) {
	t.Helper()
	const recovers = "all server processes terminated; reinitializing"
	before := strings.Count(s.Log(), recovers)
	deadline, next := time.Now().Add(patience), time.Now()
	for ; strings.Count(s.Log(), recovers) == before || s.admin(`SELECT 1`) != nil; time.Sleep(20 * time.Millisecond) {
		switch now := time.Now(); {
		case now.After(deadline):
			t.Fatalf("PostgreSQL does not recover:\n%s", s.Log())
		case now.After(next) && s.killAny(): // again, if that one was about to end by itself
			next = now.Add(10 * time.Second)
		}
	}
}

// killAny kills a process that serves a connection, and says whether there was one.
func (s *Server) killAny() bool {
	for _, pid := range children(s.pid) {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // postgres: signet signet [local] idle
		if bytes.HasPrefix(name, []byte("postgres: "+User+" ")) && syscall.Kill(pid, syscall.SIGKILL) == nil {
			return true
		}
	}
	return false
}

// Stop ends the server for good.
func (s *Server) Stop() {
	s.leash.Close()
	_ = s.keeper.Wait()
}

// admin runs a statement as the superuser.
func (s *Server) admin(sql string) error { return s.exec("postgres", "postgres", sql) }

func (s *Server) exec(name, database, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url(name, database))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// Exec runs a statement as the superuser, in a database.
func (s *Server) Exec(t testing.TB, database, sql string) {
	t.Helper()
	if err := s.exec("postgres", database, sql); err != nil {
		t.Fatal(err)
	}
}

// URL is how [User] reaches a database of the server.
func (s *Server) URL(database string) string { return s.url(User, database) }

func (s *Server) url(name, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(name, Password), Path: "/" + database, RawQuery: url.Values{"host": {s.folder}}.Encode()}
	return u.String()
}
