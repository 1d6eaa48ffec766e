package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The listener, not the configuration, must speak TLS: a refactoring has lost it elsewhere (CVE-2024-23656).
func TestTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile, pool := selfSigned(t, t.TempDir(), "first")
	p := start(t, "serve", "--issuer", "https://127.0.0.1:8443", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"),
		"--tls-cert", certFile, "--tls-key", keyFile)
	defer p.stop()
	at := p.listening()

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	resp, err := client.Get("https://" + at + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.TLS == nil || resp.TLS.Version != tls.VersionTLS13 || resp.ProtoMajor != 2 {
		t.Errorf("%s over %s, TLS %+v; want 200 over HTTP/2 and TLS 1.3", resp.Status, resp.Proto, resp.TLS)
	}
	if name := resp.TLS.PeerCertificates[0].Subject.CommonName; name != "first" {
		t.Errorf("the certificate is %s's", name)
	}
	t.Run("plain HTTP gets no page", func(t *testing.T) {
		resp, err := http.Get("http://" + at + "/.well-known/openid-configuration")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				t.Error("it was answered without TLS")
			}
		}
	})
	for name, c := range map[string]*tls.Config{
		"TLS 1.1":                         {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"TLS 1.2 without forward secrecy": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}},
		"TLS 1.2 with CBC":                {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			c.RootCAs = pool
			if conn, err := tls.Dial("tcp", at, c); err == nil {
				conn.Close()
				t.Error("accepted")
			}
		})
	}
}

func TestCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile, _ := selfSigned(t, dir, "old")
	first, err := readPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	c := &certificate{log: slog.New(slog.DiscardHandler)}
	c.set(first)
	name := func() string {
		c.checked = time.Time{} // a minute has passed
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.Subject.CommonName
	}
	later := time.Now().Add(time.Hour)
	write := func(path string, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, later, later); err != nil {
			t.Fatal(err)
		}
	}
	old, _ := os.ReadFile(certFile)
	write(certFile, []byte("half a certif"))
	if got := name(); got != "old" {
		t.Errorf("%s while the new one is being written", got)
	}
	write(certFile, old)
	selfSigned(t, dir, "new")
	later = later.Add(time.Hour)
	if err := os.Chtimes(certFile, later, later); err != nil {
		t.Fatal(err)
	}
	if got := name(); got != "new" {
		t.Errorf("%s after the renewal", got)
	}
}

// bearable is how much later than it should a busy machine may get to something; less than what readTimeout adds to headerTimeout.
const bearable = 9 * time.Second

// A connection that stalls is closed in seconds, and one that sends too much at once.
func TestStalled(t *testing.T) {
	t.Parallel()
	p := start(t, "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"))
	defer p.stop()
	dial := func(t *testing.T) net.Conn {
		conn, err := net.Dial("tcp", p.listening())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(headerTimeout + time.Minute)); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	t.Run("in its headers", func(t *testing.T) {
		began := time.Now()
		conn := dial(t)
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("not closed by the server: %v", err)
		}
		if took := time.Since(began); took < headerTimeout-time.Second || took > headerTimeout+bearable {
			t.Errorf("closed after %v", took)
		}
	})
	t.Run("headers too large", func(t *testing.T) {
		conn := dial(t)
		go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", 64<<10)+"\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%v, %v", resp, err)
		}
	})
}

// What is under way when the server is told to end gets its answer.
func TestDrain(t *testing.T) {
	t.Parallel()
	p := start(t, "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"))
	conn, err := net.Dial("tcp", p.listening())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := begun(t, conn)
	ended := make(chan struct{})
	go func() { p.stop(); close(ended) }()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		other, err := net.Dial("tcp", p.listening())
		if err != nil {
			break
		}
		other.Close()
		if time.Since(began) > drainTime/2 {
			t.Error("a new connection was taken while ending")
			break
		}
	}
	io.WriteString(conn, "=code")
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusBadRequest {
		t.Errorf("no answer to what was under way: %v, %v", resp, err)
	}
	conn.Close()
	<-ended
}

// begun begins a request and returns when the server reads its form, of which half is sent: by RFC 9110 section 10.1.1 it then says so.
func begun(t *testing.T, conn net.Conn) *bufio.Reader {
	t.Helper()
	io.WriteString(conn, "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
	r := bufio.NewReader(conn)
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} {
		if line, err := r.ReadString('\n'); err != nil || line != want {
			t.Fatalf("%q, %v", line, err)
		}
	}
	io.WriteString(conn, "grant")
	return r
}

func TestLocalhostIsBoth(t *testing.T) {
	t.Parallel()
	listeners, err := listen(t.Context(), "localhost:0", "--listen")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range listeners {
		defer l.Close()
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	_, port, _ := net.SplitHostPort(listeners[0].Addr().String())
	if probe, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		probe.Close()
		if len(listeners) != 2 || listeners[1].Addr().String() != "[::1]:"+port {
			t.Errorf("only %v", addresses(listeners))
		}
	}
	_, err = listen(t.Context(), "localhost:"+port, "--listen")
	if want := "localhost:" + port + " is in use by another program; stop that, or choose another port with --listen"; err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}
