package mail

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"
)

// How the connection is encrypted.
const (
	STARTTLS = "starttls" // after a greeting in the clear: RFC 3207
	TLS      = "tls"      // from the first byte: RFC 8314 section 3.3
	Clear    = "none"     // not at all
)

// Timeout is how long a message may take.
const Timeout = 10 * time.Second

// Options is what a Sender is made with.
type Options struct {
	Host           string // of the server; its certificate is held to it
	Port           int
	TLS            string // STARTTLS, TLS or Clear
	CA             *x509.CertPool
	User, Password string        // "": the server asks for none
	From           string        // the mailbox that messages are from, as a header has it: RFC 5322 section 3.4
	Name           string        // what we call ourselves: the issuer's host
	Timeout        time.Duration // 0: Timeout
	Log            *slog.Logger  // nil: nothing is logged
}

// Sender sends messages. It may be used by many at once.
type Sender struct {
	o    Options
	from *mail.Address
}

// New returns a Sender. It does not connect.
func New(o Options) (*Sender, error) {
	from, err := mail.ParseAddress(o.From)
	switch {
	case err != nil || strings.ContainsFunc(from.Name, unicode.IsControl):
		return nil, errors.New("mail: from is no mailbox")
	case o.Host == "" || o.Port <= 0:
		return nil, errors.New("mail: no server")
	case o.TLS != STARTTLS && o.TLS != TLS && o.TLS != Clear:
		return nil, fmt.Errorf("mail: TLS is not done by %q", o.TLS)
	}
	o.Timeout = cmp.Or(o.Timeout, Timeout)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Sender{o, from}, nil
}

// Message is one message to one person.
type Message struct {
	To         string // an address, nothing else
	Subject    string
	Text, HTML string // the same twice
	Language   string // BCP 47
}

// Send sends a message and returns its id, which the log and the message's headers have, once the server has taken it: that is not yet the
// recipient. Its error is an [*Error]; nothing is tried twice.
func (s *Sender) Send(ctx context.Context, m Message) (id string, err error) {
	id = rand.Text()
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	if err := s.send(ctx, id, m); err != nil {
		s.o.Log.Warn("a message was not sent", "mail", id, "error", err)
		return id, err
	}
	s.o.Log.Info("a message was sent", "mail", id)
	return id, nil
}

func (s *Sender) send(ctx context.Context, id string, m Message) error {
	msg, err := s.compose(id, m)
	if err != nil {
		return &Error{Problem: err.Error()}
	}
	w := &way{ctx: ctx, o: s.o}
	defer w.close() // go-mail leaves a connection open on which it could not agree with the server
	client, err := gomail.NewClient(s.o.Host, s.options(w)...)
	if err != nil {
		return &Error{Problem: "the settings fit no server", err: err}
	}
	if err := client.DialAndSendWithContext(ctx, msg); err != nil && !msg.IsDelivered() { // what fails behind it changes nothing
		return explain(ctx, err, w)
	}
	return nil
}

func (s *Sender) options(w *way) []gomail.Option {
	all := []gomail.Option{
		gomail.WithPort(s.o.Port), gomail.WithTimeout(s.o.Timeout), gomail.WithHELO(helo(s.o.Name)), gomail.WithoutNoop(), gomail.WithoutRset(),
		gomail.WithTLSConfig(tlsConfig(s.o)), gomail.WithDialContextFunc(w.dial),
	}
	if s.o.TLS == STARTTLS {
		all = append(all, gomail.WithTLSPolicy(gomail.TLSMandatory))
	} else {
		all = append(all, gomail.WithTLSPolicy(gomail.NoTLS)) // none, or the way is encrypted already
	}
	if s.o.User != "" {
		all = append(all, gomail.WithSMTPAuthCustom(&credentials{o: s.o, way: w}))
	}
	return all
}

func tlsConfig(o Options) *tls.Config {
	return &tls.Config{ServerName: o.Host, RootCAs: o.CA, MinVersion: tls.VersionTLS12}
}

func (s *Sender) compose(id string, m Message) (*gomail.Msg, error) {
	if !single(m.To) {
		return nil, errors.New("the recipient is not one address")
	}
	if strings.ContainsFunc(m.Subject, unicode.IsControl) || strings.ContainsFunc(m.Language, unicode.IsControl) {
		return nil, errors.New("the subject or the language is not one line")
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(s.from)
	msg.ToMailAddress(&mail.Address{Address: m.To})
	msg.SetMessageIDWithValue(id + "@" + domain(s.from.Address))
	msg.SetDate()
	msg.Subject(m.Subject)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 section 5: nobody's holiday notice answers it
	if m.Language != "" {
		msg.SetGenHeader("Content-Language", m.Language)
	}
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return msg, nil
}

// single reports whether s is one address and nothing more: RFC 5321 section 4.1.2, without quoted local parts and source routes.
func single(s string) bool {
	const longest = 254 // RFC 5321 section 4.5.3.1.3, without the angle brackets
	if len(s) > longest || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }) {
		return false
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s && strings.Count(s, "@") == 1
}

func domain(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// helo is how we greet: RFC 5321 section 4.1.3 for addresses.
func helo(name string) string {
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	a, err := netip.ParseAddr(strings.Trim(name, "[]"))
	switch {
	case err == nil && a.Is6():
		return "[IPv6:" + a.String() + "]"
	case err == nil:
		return "[" + a.String() + "]"
	case name == "":
		return "localhost"
	}
	return name
}

func address(o Options) string { return net.JoinHostPort(o.Host, strconv.Itoa(o.Port)) }
