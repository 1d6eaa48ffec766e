package main

import (
	"net"
	"testing"
)

// address is a listener that only says where it listens: nothing is opened to other machines for a test.
type address struct {
	net.Listener
	ip string
}

func (a address) Addr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(a.ip), Port: 8080} }

func TestExposed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		issuer string
		listen []string
		want   bool
	}{
		{"http://localhost:8080", []string{"127.0.0.1", "::1"}, false},
		{"http://localhost:8080", []string{"0.0.0.0"}, true},
		{"http://localhost:8080", []string{"::"}, true}, // the image's :8080 without an issuer
		{"http://127.0.0.1:8080/auth", []string{"127.0.0.1", "192.0.2.1"}, true},
		{"http://192.0.2.1:8080", []string{"::"}, false},
		{"https://localhost:8080", []string{"::"}, false}, // a proxy's, on purpose
		{"https://id.example.com", []string{"::"}, false},
	} {
		s := &server{}
		s.cfg.Issuer = c.issuer
		for _, ip := range c.listen {
			s.public = append(s.public, address{ip: ip})
		}
		if got := s.exposed(); got != c.want {
			t.Errorf("%s on %v: %t", c.issuer, c.listen, got)
		}
	}
}
