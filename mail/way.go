package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// way is the connection of one message.
type way struct {
	ctx    context.Context
	o      Options
	conn   net.Conn
	stop   func() bool
	asking bool // for the server to take our credentials
}

// dial connects. go-mail would let each command take the whole time anew.
func (w *way) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, network, address(w.o))
	if err != nil {
		return nil, err
	}
	until, _ := w.ctx.Deadline()
	bound := &bounded{Conn: raw, until: until, left: maxAnswers}
	w.conn, w.stop = bound, context.AfterFunc(w.ctx, func() { raw.Close() })
	if w.o.TLS != TLS {
		return bound, nil
	}
	encrypted := tls.Client(bound, tlsConfig(w.o))
	if err := encrypted.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return encrypted, nil
}

func (w *way) close() {
	if w.conn != nil {
		w.stop()
		w.conn.Close()
	}
}

// maxAnswers is how much a server may send, in bytes, certificates included.
const maxAnswers = 256 << 10

var errTalkative = errors.New("the server says more than a mail server has to")

// bounded is a connection that ends at an instant, whatever deadlines are set, and takes only so much.
type bounded struct {
	net.Conn
	until time.Time
	left  int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTalkative
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func (b *bounded) SetDeadline(t time.Time) error      { return b.Conn.SetDeadline(b.earlier(t)) }
func (b *bounded) SetReadDeadline(t time.Time) error  { return b.Conn.SetReadDeadline(b.earlier(t)) }
func (b *bounded) SetWriteDeadline(t time.Time) error { return b.Conn.SetWriteDeadline(b.earlier(t)) }

func (b *bounded) earlier(t time.Time) time.Time {
	if t.IsZero() || t.After(b.until) {
		return b.until
	}
	return t
}

// credentials authenticates by PLAIN (RFC 4616), or by LOGIN where the server knows nothing better. The way is encrypted, or leads to this
// machine.
type credentials struct {
	smtp.Auth
	o   Options
	way *way
}

var errNoAuth = errors.New("the server asks for no user and password that way (PLAIN or LOGIN); leave them out, or name the port that it wants them at")

func (c *credentials) Start(server *smtp.ServerInfo) (mechanism string, first []byte, err error) {
	switch clear := c.o.TLS == Clear; {
	case slices.Contains(server.Auth, "PLAIN"):
		c.Auth = smtp.PlainAuth("", c.o.User, c.o.Password, c.o.Host, clear)
	case slices.Contains(server.Auth, "LOGIN"):
		c.Auth = smtp.LoginAuth(c.o.User, c.o.Password, c.o.Host, clear)
	default:
		return "", nil, errNoAuth
	}
	c.way.asking = true
	mechanism, first, err = c.Auth.Start(server)
	return mechanism, first, err
}

func (c *credentials) Next(from []byte, more bool) ([]byte, error) {
	answer, err := c.Auth.Next(from, more)
	c.way.asking = more || err != nil
	return answer, err
}
