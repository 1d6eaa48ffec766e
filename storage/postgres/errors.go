package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"signet/storage"
	"signet/storage/codec"
)

// Why a database cannot be used.
var (
	ErrNewer       = codec.ErrNewer
	ErrDamaged     = codec.ErrDamaged
	ErrUnreachable = errors.New("PostgreSQL does not answer")
	ErrRefused     = errors.New("PostgreSQL refuses us")
	ErrUnfit       = errors.New("this PostgreSQL cannot be used")
	ErrURL         = errors.New("not a URL of PostgreSQL")
	ErrNoStore     = errors.New("there is no store in this database")

	errClosed = errors.New("the store is closed")
)

// SQLSTATEs that decide something here: PostgreSQL's documentation, appendix A.
const (
	uniqueViolation      = "23505"
	readOnly             = "25006"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	featureNotSupported  = "0A000" // "cached plan must not change result type": a newer program has migrated
	insufficientRights   = "42501"
	diskFull             = "53100"
	tooManyConnections   = "53300"
	adminShutdown        = "57P01"
	crashShutdown        = "57P02"
	cannotConnectNow     = "57P03"
	noSuchDatabase       = "3D000"
	invalidAuthorization = "28000"
	invalidPassword      = "28P01"
)

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// repeatable says whether an attempt failed in a way that left nothing behind, and that another attempt may not meet: it lost
// against another act, or its connection broke before it wrote.
func repeatable(err error) bool {
	switch sqlState(err) {
	case serializationFailure, deadlockDetected, uniqueViolation, featureNotSupported:
		return true
	}
	return isLost(err) || pgconn.SafeToRetry(err) && !isConnectError(err)
}

func isConnectError(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect)
}

// explain turns a failure into what the contracts name, or into a sentence that says what to do. Nothing of it holds a password:
// the driver's errors name the user, the database and the address.
func (s *Store) explain(err error) error {
	switch {
	case errors.Is(err, storage.ErrBusy), errors.Is(err, context.Canceled), errors.Is(err, codec.ErrDamaged), errors.Is(err, codec.ErrNewer):
		return err
	case errors.Is(err, puddle.ErrClosedPool):
		return errClosed
	}
	switch sqlState(err) {
	case diskFull:
		return fmt.Errorf("%w: %w", storage.ErrNoSpace, err)
	case tooManyConnections:
		return fmt.Errorf("%w: PostgreSQL has no connection left; raise its max_connections, or lower pool_max_conns: %w", storage.ErrBusy, err)
	case readOnly: // a failover left us with the server of yesterday
		s.pool.Reset()
		return unavailable{fmt.Errorf("%w: it takes no writes: a standby, or a server that was demoted: %w", ErrUnfit, err)}
	case insufficientRights:
		return fmt.Errorf("%w: the user %s lacks rights that it needs: %w; make it the owner of the database", ErrRefused, s.user, err)
	}
	return unreachable(s.address, err)
}

// unavailable is a failure that passes by itself once PostgreSQL is back, whatever it says: [storage.ErrUnavailable].
type unavailable struct{ error }

func (e unavailable) Unwrap() error      { return e.error }
func (unavailable) Is(target error) bool { return target == storage.ErrUnavailable }

// unreachable says why there is no connection.
func unreachable(address string, err error) error {
	switch state := sqlState(err); {
	case state == invalidPassword, state == invalidAuthorization:
		return fmt.Errorf("%w at %s: %s; check the user and the password (also PGPASSWORD and PGPASSFILE), and pg_hba.conf", ErrRefused, address, reason(err))
	case state == noSuchDatabase:
		return fmt.Errorf("%w at %s: %s; make it with createdb --owner USER --encoding UTF8 NAME", ErrRefused, address, reason(err))
	case state == cannotConnectNow, state == adminShutdown, state == crashShutdown:
		return unavailable{fmt.Errorf("%w at %s: it is starting or ending (%s); try again in a moment", ErrUnreachable, address, reason(err))}
	case isConnectError(err), errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err):
		return unavailable{fmt.Errorf("%w at %s: %s; check that it runs and that this machine can reach it", ErrUnreachable, address, reason(err))}
	case state == "" && isBroken(err):
		return unavailable{fmt.Errorf("%w at %s any more: the connection broke (%s); try again in a moment", ErrUnreachable, address, reason(err))}
	}
	return fmt.Errorf("PostgreSQL at %s: %w", address, err)
}

// isBroken says whether a connection ended in the middle of something.
func isBroken(err error) bool {
	var op *net.OpError
	var sys syscall.Errno
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &op) || errors.As(err, &sys)
}

// reason is what an operator wants to know of a failed connection: the last cause, not the way to it.
func reason(err error) string {
	var pg *pgconn.PgError
	var sys syscall.Errno
	var dns *net.DNSError
	switch {
	case errors.As(err, &pg):
		return pg.Message
	case errors.As(err, &sys):
		return sys.Error()
	case errors.As(err, &dns):
		return "no such host"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), pgconn.Timeout(err):
		return "no answer in time"
	}
	text := err.Error()
	if at := strings.LastIndex(text, "\n\t"); at >= 0 { // the driver lists each address that it tried
		text = text[at+2:]
	}
	return text
}

// addressOf is where a configuration leads, without user and password: all hosts among which the one that takes writes is chosen.
func addressOf(c *pgx.ConnConfig) string {
	all := []string{address(c.Host, c.Port)}
	for _, f := range c.Fallbacks { // a host is there twice where TLS is tried first
		if a := address(f.Host, f.Port); !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return strings.Join(all, " or ")
}

func address(host string, port uint16) string {
	if strings.HasPrefix(host, "/") {
		return host
	}
	return net.JoinHostPort(host, fmt.Sprint(port))
}
