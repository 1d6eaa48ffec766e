package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"signet/storage"
)

// Options say how to open a store. URL alone is required.
type Options struct {
	// URL is a connection string as libpq takes it, postgres://user:password@host:port/database?name=value; what it leaves out comes from
	// the variables PGHOST, PGUSER, PGPASSWORD, PGPASSFILE and so on. Of pgx it takes pool_max_conns and default_query_exec_mode.
	URL     string
	Timeout time.Duration    // of an act, all attempts together; 10 s by default
	Now     func() time.Time // this machine's clock, which is compared with PostgreSQL's; time.Now by default
	Log     *slog.Logger
	// Existing refuses a database without a store, with [ErrNoStore], where Open would make one.
	Existing bool
	Name     string // application_name of the connections; "signet" by default, or what the URL says: see [Store.Others]

	dial pgconn.DialFunc // of tests; the driver's own if nil
}

// applicationName is how PostgreSQL knows servers.
const applicationName = "signet"

func (o *Options) setDefaults() {
	if o.Name == "" {
		o.Name = applicationName
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
}

// Store is a [storage.Store] in a PostgreSQL database. Make it with [Open]. It is safe for concurrent use, and so are any number of
// stores on one database.
type Store struct {
	pool    *pgxpool.Pool
	address string
	user    string
	servers string // application_name of servers
	timeout time.Duration
	found   bool // it must be there already
	now     func() time.Time
	log     *slog.Logger

	waiting  atomic.Int64 // acts, for a connection
	repeated atomic.Int64 // attempts beyond an act's first

	notes [64]sync.Mutex // see histories.go

	sweeping sync.Mutex
	walked   position // how far this node's sweeper came; under sweeping
}

var _ storage.Store = (*Store)(nil)

// Open opens the store of a database and makes it if there is none. A database that cannot be used is refused with [ErrURL],
// [ErrUnreachable], [ErrRefused], [ErrUnfit], [ErrNoStore] or [ErrNewer] and a sentence that says what to do and holds no password.
func Open(ctx context.Context, o Options) (*Store, error) {
	o.setDefaults()
	config, servers, err := configure(o.URL, o.Name)
	if err != nil {
		return nil, err
	}
	if o.dial != nil {
		config.ConnConfig.DialFunc = o.dial
	}
	s := &Store{address: addressOf(config.ConnConfig), user: config.ConnConfig.User, servers: servers, timeout: o.Timeout, found: o.Existing, now: o.Now, log: o.Log}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("%w: its settings are refused; check pool_max_conns and the others that begin with pool_", ErrURL)
	}
	if err := s.prepare(ctx, config); err != nil {
		s.pool.Close()
		return nil, err
	}
	return s, nil
}

const (
	defaultConns   = 20 // a commit waits for the disk, and those that wait together share one write
	connectTimeout = 5 * time.Second
	pingTimeout    = 2 * time.Second
)

// configure reads the URL, which may have another name for servers. The driver's own error may repeat it, so it is not passed on.
func configure(url, name string) (config *pgxpool.Config, servers string, err error) {
	config, err = pgxpool.ParseConfig(url)
	if err != nil {
		return nil, "", fmt.Errorf("%w; write postgres://USER@HOST:PORT/DATABASE, and %%40, %%2F, %%3A for @, / and : in a password; "+
			"files that it names (sslrootcert, passfile) must be there", ErrURL)
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = defaultConns
	}
	config.PingTimeout = pingTimeout
	c := config.ConnConfig
	if c.ConnectTimeout == 0 || c.ConnectTimeout > connectTimeout {
		c.ConnectTimeout = connectTimeout
	}
	if c.ValidateConnect == nil { // among several hosts the one that takes writes, and after a failover the new one
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if servers = cmp.Or(c.RuntimeParams["application_name"], applicationName); name == applicationName {
		name = servers // a tool keeps its own, or else it could not be told from a server
	}
	c.RuntimeParams["application_name"] = name
	return config, servers, nil
}

// prepare looks whether the database is fit and brings its schema up to date.
func (s *Store) prepare(ctx context.Context, config *pgxpool.Config) error {
	ctx, cancel := context.WithTimeout(ctx, migrationTimeout)
	defer cancel()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return unreachable(s.address, err)
	}
	defer conn.Release()
	if readableOnTheWay(config.ConnConfig) {
		s.log.Warn("storage: the connection to PostgreSQL may be one that others can read and change; add sslmode=verify-full to its URL", "address", s.address)
	}
	if err := s.examine(ctx, conn.Conn()); err != nil {
		return err
	}
	return s.migrate(ctx, conn.Conn(), migrations)
}

// readableOnTheWay says whether a connection beyond this machine may go without TLS.
func readableOnTheWay(c *pgx.ConnConfig) bool {
	open := func(host string, tls bool) bool {
		ip := net.ParseIP(host)
		return !tls && !strings.HasPrefix(host, "/") && host != "localhost" && (ip == nil || !ip.IsLoopback())
	}
	if open(c.Host, c.TLSConfig != nil) {
		return true
	}
	for _, f := range c.Fallbacks {
		if open(f.Host, f.TLSConfig != nil) {
			return true
		}
	}
	return false
}

const oldestServer = 15

// examine refuses a server or a database in which our contracts would not hold.
func (s *Store) examine(ctx context.Context, conn *pgx.Conn) error {
	var version int
	var encoding, isolation, commit, fsync string
	err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
		current_setting('default_transaction_isolation'), current_setting('synchronous_commit'), current_setting('fsync')`).
		Scan(&version, &encoding, &isolation, &commit, &fsync)
	switch {
	case err != nil:
		return s.explain(err)
	case version/10000 < oldestServer:
		return fmt.Errorf("%w: it has version %d, and %d or later is needed; update it", ErrUnfit, version/10000, oldestServer)
	case encoding != "UTF8":
		return fmt.Errorf("%w: the database is encoded as %s; make one with createdb --encoding UTF8", ErrUnfit, encoding)
	case isolation != "read committed":
		return fmt.Errorf("%w: transactions are %s by default; ALTER ROLE %s SET default_transaction_isolation TO 'read committed'", ErrUnfit, isolation,
			pgx.Identifier{s.user}.Sanitize())
	}
	if commit == "off" || fsync == "off" {
		s.log.Warn("storage: PostgreSQL answers before data is on the disk, so a power failure loses what was acknowledged",
			"synchronous_commit", commit, "fsync", fsync)
	}
	return nil
}

// Close finishes the acts under way and lets go of the database.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// maxSkew is how far this machine's clock may be from PostgreSQL's. Nodes compare times that others of them wrote; the shortest of
// them that matters is the reuse window of refresh tokens, ten seconds by default.
const maxSkew = 5 * time.Second

// Ready reports whether acts can be done: PostgreSQL answers, takes writes, and its clock is about ours.
func (s *Store) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	conn, err := s.acquire(ctx, time.Now().Add(pingTimeout))
	if err != nil {
		return s.explain(err)
	}
	defer conn.Release()
	var theirs time.Time
	var standby bool
	asked := s.now()
	if err := conn.QueryRow(ctx, `SELECT clock_timestamp(), pg_is_in_recovery()`).Scan(&theirs, &standby); err != nil {
		return s.explain(err)
	}
	answered := s.now()
	if standby {
		s.pool.Reset()
		return fmt.Errorf("%w: %s is a standby and takes no writes", ErrUnfit, s.address)
	}
	return skew(asked, answered, theirs)
}

// skew compares the clocks: theirs was read between two readings of ours.
func skew(asked, answered, theirs time.Time) error {
	switch {
	case theirs.Before(asked.Add(-maxSkew)):
		return fmt.Errorf("%w %s ahead of PostgreSQL's; set both by NTP", errSkew, asked.Sub(theirs).Round(time.Second))
	case theirs.After(answered.Add(maxSkew)):
		return fmt.Errorf("%w %s behind PostgreSQL's; set both by NTP", errSkew, theirs.Sub(answered).Round(time.Second))
	}
	return nil
}

var errSkew = errors.New("the clock of this machine is")
