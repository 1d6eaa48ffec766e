package mail

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"io"
	"math/big"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is a mail server on loopback that speaks RFC 5321 as far as it goes, and remembers what it was told.
type server struct {
	t        *testing.T
	listener net.Listener
	tls      *tls.Config // nil: there is no STARTTLS
	implicit bool        // TLS from the first byte
	auth     string      // the mechanisms that it offers
	// answer says something else than what is usual to a command, by its first word, or to the greeting "" and the end of the data "."; "hang" says nothing
	// for ever, "close" closes.
	answer map[string]string
	hanger chan struct{} // closed at the end of the test

	mu       sync.Mutex
	commands []string
	data     []byte
	open     int
}

func start(t *testing.T, change ...func(*server)) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, listener: l, answer: map[string]string{}, hanger: make(chan struct{})}
	for _, f := range change {
		f(s)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); close(s.hanger); all.Wait() })
	return s
}

func (s *server) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

func (s *server) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open += n
}

func (s *server) serve(conn net.Conn) {
	s.count(1)
	defer s.count(-1)
	defer conn.Close()
	if s.implicit {
		conn = tls.Server(conn, s.tls)
	}
	text := textproto.NewConn(conn)
	encrypted := s.implicit
	if !s.say(text, "", "220 test ESMTP") {
		return
	}
	for {
		line, err := text.ReadLine()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.commands = append(s.commands, line)
		s.mu.Unlock()
		verb, rest, _ := strings.Cut(line, " ")
		usual := "250 2.0.0 fine"
		switch strings.ToUpper(verb) {
		case "EHLO":
			usual = "250-test\r\n250-ENHANCEDSTATUSCODES\r\n"
			if s.tls != nil && !encrypted {
				usual += "250-STARTTLS\r\n"
			}
			if s.auth != "" {
				usual += "250-AUTH " + s.auth + "\r\n"
			}
			usual += "250 8BITMIME"
		case "STARTTLS":
			usual = "220 2.0.0 go on"
		case "AUTH":
			usual = s.login(text, rest)
		case "DATA":
			usual = "354 go on"
		case "QUIT":
			usual = "221 2.0.0 bye"
		}
		if !s.say(text, verb, usual) {
			return
		}
		switch {
		case strings.ToUpper(verb) == "QUIT":
			return
		case strings.ToUpper(verb) == "STARTTLS" && s.answer["STARTTLS"] == "":
			conn, encrypted = tls.Server(conn, s.tls), true
			text = textproto.NewConn(conn)
		case strings.ToUpper(verb) == "DATA" && s.answer["DATA"] == "":
			data, err := io.ReadAll(text.DotReader())
			if err != nil {
				return
			}
			s.mu.Lock()
			s.data = data
			s.mu.Unlock()
			if !s.say(text, ".", "250 2.0.0 taken") {
				return
			}
		}
	}
}

// login takes "user" and "pass word".
func (s *server) login(text *textproto.Conn, rest string) string {
	mechanism, first, _ := strings.Cut(rest, " ")
	good := false
	switch mechanism {
	case "PLAIN":
		b, _ := base64.StdEncoding.DecodeString(first)
		good = string(b) == "\x00user\x00pass word"
	case "LOGIN":
		var got []string
		for _, prompt := range []string{"Username:", "Password:"} {
			text.PrintfLine("334 %s", base64.StdEncoding.EncodeToString([]byte(prompt)))
			line, _ := text.ReadLine()
			b, _ := base64.StdEncoding.DecodeString(line)
			got = append(got, string(b))
		}
		good = strings.Join(got, "/") == "user/pass word"
	}
	if good {
		return "235 2.7.0 welcome"
	}
	return "535 5.7.8 bad credentials of alice@example.com"
}

func (s *server) say(text *textproto.Conn, to, usual string) bool {
	switch other := s.answer[strings.ToUpper(to)]; other {
	case "hang":
		<-s.hanger
		return false
	case "close":
		return false
	case "":
		return text.PrintfLine("%s", usual) == nil
	default:
		return text.PrintfLine("%s", other) == nil
	}
}

func (s *server) told() (commands []string, data string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commands, string(s.data)
}

// authority makes a CA and a certificate of it for the names.
func authority(t *testing.T, names ...string) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour)}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, n)
		}
	}
	own, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(own)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}}, pool
}
