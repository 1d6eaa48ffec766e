package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/postgres/postgrestest"
)

// deafConn loses the next answer while deaf is set, and with it the connection: PostgreSQL has done what it was asked.
type deafConn struct {
	net.Conn
	deaf *atomic.Bool
}

func (c *deafConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil && c.deaf.CompareAndSwap(true, false) {
		c.Close()
		return 0, io.EOF
	}
	return n, err
}

// TestLostAnswer: an assertion whose answer is lost was spent once. That is a failure of ours, and no replay by its client.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	var deaf atomic.Bool
	s := openTest(t, with(postgrestest.Database(t), "pool_max_conns=1"), func(o *Options) {
		o.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return &deafConn{conn, &deaf}, err
		}
	})
	spend := func(jti string) error {
		return s.SpendAssertion(t.Context(), clientID, jti, epoch.Add(time.Minute), change)
	}
	if err := spend("first"); err != nil { // which prepares the statement
		t.Fatal(err)
	}
	deaf.Store(true)
	if err := spend("second"); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("the answer was lost: %v", err)
	}
	if err := spend("third"); err != nil {
		t.Error(err)
	}
	var events []audit.Event
	if err := s.Entries(t.Context(), func(e audit.Entry) error { events = append(events, e.Event); return nil }); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(events, audit.AssertionReplayed) {
		t.Error("RFC 7523 3: a replay was recorded of what came once")
	}
	if err := spend("second"); !errors.Is(err, storage.ErrSpent) {
		t.Errorf("a second time: %v", err)
	}
}
