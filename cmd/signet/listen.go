package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// listen opens the listeners of an address. "localhost" is this machine by both its addresses, where it has both: browsers try ::1
// first and other clients 127.0.0.1.
func listen(ctx context.Context, address, setting string) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	if host != "localhost" {
		l, err := lc.Listen(ctx, "tcp", address)
		return []net.Listener{l}, inUse(err, address, setting)
	}
	four, err := lc.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, inUse(err, address, setting)
	}
	_, port, _ = net.SplitHostPort(four.Addr().String()) // 0 has become a number
	six, err := lc.Listen(ctx, "tcp6", net.JoinHostPort("::1", port))
	switch {
	case err == nil:
		return []net.Listener{four, six}, nil
	case errors.Is(err, syscall.EADDRINUSE):
		four.Close()
		return nil, inUse(err, address, setting)
	}
	return []net.Listener{four}, nil // a machine without IPv6
}

// inUse says what to do about an address that cannot be had.
func inUse(err error, address, setting string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use by another program; stop that, or choose another port with %s", address, setting)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: ports below 1024 are for root; choose another with %s, or give signet the right (setcap cap_net_bind_service=+ep)", address, setting)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is not an address of this machine; choose another with %s", address, setting)
	}
	return fmt.Errorf("cannot listen on %s: %w; choose another address with %s", address, err, setting)
}

// How long a connection may take for each step. One that stalls is closed, so that nobody holds connections for nothing.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 15 * time.Second
	writeTimeout   = 30 * time.Second
	idleTimeout    = 120 * time.Second
	maxHeaderBytes = 32 << 10

	// Of HTTP/2: requests of one connection under way, and what is kept of bodies that nobody has read yet.
	maxStreams  = 100
	maxReceived = 128 << 10
)

// httpServer is every server of ours.
func httpServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReceiveBufferPerConnection: maxReceived,
			MaxReceiveBufferPerStream:     maxReceived,
			SendPingTimeout:               readTimeout, // to one that is silent
			PingTimeout:                   readTimeout,
			WriteByteTimeout:              readTimeout, // whoever reads nothing holds no answer
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), // mostly scanners that do not speak TLS
	}
}

// tlsConfig is TLS 1.3, and 1.2 with forward secrecy and authenticated encryption alone (RFC 9325 section 4.2).
func tlsConfig(c *certificate) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{ // of 1.2; those of 1.3 are all good
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: c.get,
	}
}

// pair is a certificate and its key as they stood in their files.
type pair struct {
	certFile, keyFile string
	written           time.Time // when the certificate's file was
	tls.Certificate
}

// readPair reads a pair. One of which the halves do not belong together is an error.
func readPair(certFile, keyFile string) (*pair, error) {
	info, err := os.Stat(certFile) // before it is read: a change in between is seen the next time
	if err != nil {
		return nil, err
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &pair{certFile, keyFile, info.ModTime(), cert}, nil
}

// same reports whether two pairs have one chain. Either may be nil.
func (p *pair) same(o *pair) bool {
	if p == nil || o == nil {
		return p == o
	}
	return slices.EqualFunc(p.Certificate.Certificate, o.Certificate.Certificate, bytes.Equal)
}

// certificate is the pair in use. A reload sets it; besides, its file is looked at again each minute, so that whoever renews it needs
// neither a restart nor a signal. Both ways lead through [readPair].
type certificate struct {
	log *slog.Logger

	mu      sync.Mutex
	current *pair
	checked time.Time
}

func (c *certificate) set(p *pair) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current, c.checked = p, time.Now()
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) > time.Minute {
		c.checked = now
		c.look()
	}
	return &c.current.Certificate, nil
}

// look reads the pair again if its file was written since.
func (c *certificate) look() {
	info, err := os.Stat(c.current.certFile)
	if err != nil || info.ModTime().Equal(c.current.written) {
		return
	}
	p, err := readPair(c.current.certFile, c.current.keyFile)
	if err != nil {
		c.log.Error("the new certificate cannot be used; the old one stays", "error", err) // also while its key is still being written
		return
	}
	c.current = p
	c.log.Info("the certificate was renewed")
}
