package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

var loopback = prefixes("127.0.0.1/32", "::1/128")

// hostile is a TLS server that does what a path says.
func hostile(t *testing.T) (server *httptest.Server, ca *x509.CertPool, calls *atomic.Int32) {
	t.Helper()
	calls = new(atomic.Int32)
	mux := http.NewServeMux()
	answer := func(path, typ string, f func(http.ResponseWriter, *http.Request)) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			w.Header().Set("Content-Type", typ)
			f(w, r)
		})
	}
	answer("/good", "Application/JSON; charset=utf-8", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=600")
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		fmt.Fprintf(w, "%s|%s|%s|%s|%s", r.Method, r.URL.RequestURI(), r.Header.Get("Accept"), r.Header.Get("Cookie"), r.Header.Get("Authorization"))
	})
	answer("/exact", "application/json", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1000)) })
	answer("/long", "application/json", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1001)) })
	answer("/endless", "application/json", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	})
	answer("/silent", "application/json", func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // to return would be an answer, and could still arrive
	})
	answer("/drip", "application/json", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			w.Write([]byte(" "))
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
		panic(http.ErrAbortHandler)
	})
	answer("/html", "text/html", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) })
	answer("/untyped", "", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) })
	answer("/bomb", "application/json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		z.Write(make([]byte, 900_000)) // a thousand bytes on the wire
		z.Close()
	})
	answer("/header", "application/json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("a", 2*maxHeader))
	})
	answer("/moved", "application/json", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/good", http.StatusFound)
	})
	answer("/inside", "application/json", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusTemporaryRedirect)
	})
	answer("/error", "application/json", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	answer("/partial", "application/json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "500")
		w.Write([]byte("{"))
	})
	server = httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	server.StartTLS()
	t.Cleanup(server.Close)
	ca = x509.NewCertPool()
	ca.AddCert(server.Certificate())
	return server, ca, calls
}

func TestHostileServer(t *testing.T) {
	t.Parallel()
	server, ca, _ := hostile(t)
	patient := New(Options{Allow: loopback, CA: ca, Timeout: time.Minute, MaxBytes: 1000})
	hasty := New(Options{Allow: loopback, CA: ca, Timeout: 3 * time.Second, MaxBytes: 1000}) // the handshake is in it
	for path, c := range map[string]struct {
		refused bool
		says    string // of the error; "" if it is good
	}{
		"/good":    {},
		"/exact":   {},
		"/long":    {true, "more than 1000 bytes"},
		"/endless": {true, "more than 1000 bytes"},
		"/silent":  {false, "deadline exceeded"},
		"/drip":    {false, "deadline exceeded"},
		"/html":    {true, `type "text/html"`},
		"/untyped": {true, `type ""`},
		"/bomb":    {true, "compressed"},
		"/header":  {false, "exceeded"},
		"/moved":   {true, "redirect"},
		"/inside":  {true, "redirect"},
		"/error":   {false, "status 500"},
		"/partial": {false, "unexpected EOF"},
		"/missing": {false, "status 404"},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			client := patient // a busy machine refuses for the reason under test, however long it takes
			if c.says == "deadline exceeded" {
				client = hasty
			}
			start := time.Now()
			d, err := client.Get(t.Context(), server.URL+path+"?secret=s3cret", "application/json")
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			if c.says == "" {
				if err != nil || d.Type != "application/json" {
					t.Errorf("%q, %v", d.Type, err)
				}
				return
			}
			if err == nil || errors.Is(err, ErrRefused) != c.refused || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("the answer is %v; refused: %t, want %t; …%s…", err, errors.Is(err, ErrRefused), c.refused, c.says)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error holds the query: %v", err)
			}
			if d.Body != nil {
				t.Errorf("%d bytes come with the error", len(d.Body))
			}
		})
	}
}

// A server that takes connections and says nothing is left soon after the fetch has ended, on both sides.
func TestSilentHandshake(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"https", "http"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			left := make(chan error, 1)
			go func() {
				conn, err := l.Accept()
				if err == nil {
					defer conn.Close()
					_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
					_, err = io.Copy(io.Discard, conn)
				}
				left <- err
			}()
			t.Cleanup(func() { l.Close() })
			client := New(Options{Allow: loopback, Timeout: 2 * time.Second})
			if _, err := client.Get(t.Context(), scheme+"://"+l.Addr().String()+"/"); err == nil || errors.Is(err, ErrRefused) {
				t.Error(err)
			}
			if err := <-left; err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the connection is still there: %v", err)
			}
		})
	}
}

func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	server, ca, _ := hostile(t)
	client := New(Options{Allow: loopback, CA: ca, Timeout: time.Minute})
	for range 2 { // the second time there would be a cookie
		d, err := client.Get(t.Context(), server.URL+"/good?a=b#fragment", "application/json", "text/plain")
		if want := "GET|/good?a=b|application/json, text/plain||"; err != nil || string(d.Body) != want || d.Fresh != 10*time.Minute {
			t.Errorf("%q for %v, %v; want %q", d.Body, d.Fresh, err, want)
		}
	}
}

// t.Setenv does not go with t.Parallel.
func TestNoProxyOfTheEnvironment(t *testing.T) {
	server, ca, _ := hostile(t)
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	if _, err := New(Options{Allow: loopback, CA: ca, Timeout: time.Minute}).Get(t.Context(), server.URL+"/good"); err != nil {
		t.Error(err)
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	client := New(Options{})
	for _, address := range []string{
		"", "/path", "//host.example/", "https:", "https://", "https:///path", "https://:443/", "https:host.example",
		"ftp://host.example/", "file:///etc/passwd", "gopher://127.0.0.1:70/", "data:application/json,{}", "HTTPX://host.example/", "javascript:1",
		"https://user@host.example/", "https://user:password@host.example/", "https://@host.example/", "https://host.example@127.0.0.1/",
		"https://host.example/\r\nX: y", "https://host.example\x00/", "https://host.example:port/", "https://[::1/", "https://a b.example/",
		"https://host.example/" + strings.Repeat("a", maxURL),
	} {
		_, err := client.Get(t.Context(), address)
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%.50q: %v", address, err)
		}
		if err != nil && strings.Contains(err.Error(), "password@") {
			t.Errorf("the error holds the URL: %v", err)
		}
	}
}

// RFC 9101 10.4.1, RFC 7591 5: addresses of this machine and of networks around it, in every spelling that a dialer takes.
func TestSpellingsOfInnerAddresses(t *testing.T) {
	t.Parallel()
	server, ca, calls := hostile(t)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	client := New(Options{CA: ca}) // nothing is allowed
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "0.0.0.0", "[::]", "127.1.2.3",
		"[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1%25lo]", "[fe80::1]", "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "224.0.0.1", "255.255.255.255",
	} {
		for _, scheme := range []string{"https", "http"} {
			_, err := client.Get(t.Context(), scheme+"://"+host+":"+port+"/good")
			if err == nil || !errors.Is(err, ErrRefused) {
				t.Errorf("%s://%s: %v", scheme, host, err)
			}
		}
	}
	for _, host := range []string{"2130706433", "0x7f.1", "017700000001", "127.1", "127.0.0.1.", "①②⑦.0.0.1"} { // names, for Go; they may resolve to nothing
		if _, err := client.Get(t.Context(), "https://"+host+":"+port+"/good"); err == nil {
			t.Errorf("%s is answered", host)
		}
	}
	if n := calls.Load(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

func TestPublic(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"1.1.1.1": true, "8.8.8.8": true, "100.63.255.255": true, "100.128.0.0": true, "172.15.255.255": true, "172.32.0.0": true,
		"223.255.255.255": true, "192.0.1.0": true, "198.17.255.255": true, "198.20.0.0": true, "2606:4700::1111": true, "2a00:1450::1": true,
		"2001:200::1": true, "64:ff9b::808:808": true,
		"0.0.0.0": false, "10.255.255.255": false, "100.64.0.0": false, "100.127.255.255": false, "127.0.0.1": false, "169.254.169.254": false,
		"172.16.0.0": false, "172.31.255.255": false, "192.0.0.8": false, "192.0.2.1": false, "192.88.99.1": false, "192.168.1.1": false,
		"198.18.0.1": false, "198.19.255.255": false, "198.51.100.1": false, "203.0.113.1": false, "224.0.0.1": false, "239.255.255.255": false,
		"240.0.0.1": false, "255.255.255.255": false, "::": false, "::1": false, "::7f00:1": false, "64:ff9b::a00:1": false,
		"64:ff9b::7f00:1": false, "64:ff9b:1::808:808": false, "100::1": false, "2001::1": false, "2001:1ff::1": false, "2001:db8::1": false,
		"2002:7f00:1::1": false, "2002:808:808::1": false, "3fff::1": false, "4000::1": false, "5f00::1": false, "fc00::1": false, "fd12::1": false,
		"fe80::1": false, "fec0::1": false, "ff02::1": false,
	} {
		if got := public(netip.MustParseAddr(address).Unmap()); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}

func TestHTTPOnlyToAllowedAddresses(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok")) }))
	t.Cleanup(plain.Close)
	if _, err := New(Options{Allow: loopback, Timeout: time.Minute}).Get(t.Context(), plain.URL); err != nil {
		t.Error(err)
	}
	if _, err := New(Options{}).Get(t.Context(), plain.URL); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	if _, err := New(Options{}).Get(t.Context(), "http://1.1.1.1/"); !errors.Is(err, ErrRefused) {
		t.Errorf("http to a public address: %v", err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server, ca, calls := hostile(t)
	if _, err := New(Options{Allow: loopback, Timeout: time.Minute}).Get(t.Context(), server.URL+"/good"); err == nil {
		t.Error("a certificate of nobody's is believed")
	}
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	if _, err := New(Options{Allow: loopback, CA: ca, Timeout: time.Minute}).Get(t.Context(), "https://localhost:"+port+"/good"); err == nil {
		t.Error("a certificate of another name is believed")
	}
	if calls.Load() != 0 {
		t.Error("a request was sent")
	}
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	t.Cleanup(old.Close)
	pool := x509.NewCertPool()
	pool.AddCert(old.Certificate())
	if _, err := New(Options{Allow: loopback, CA: pool}).Get(t.Context(), old.URL); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
}

// nameServer answers each question about an IPv4 address with the next of the lists.
func nameServer(t *testing.T, answers ...[]string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	var asked atomic.Int32
	go func() {
		packet := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(packet[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				for _, text := range answers[int(asked.Add(1)-1)%len(answers)] {
					m.Answers = append(m.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
						Body:   &dnsmessage.AResource{A: netip.MustParseAddr(text).As4()},
					})
				}
			}
			if reply, err := m.Pack(); err == nil {
				conn.WriteTo(reply, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// TestNamesThatChange holds that what counts is where the socket goes, however often a name changes its mind.
func TestNamesThatChange(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skip("there is no 127.0.0.2 here: ", err)
	}
	t.Cleanup(func() { inner.Close() })
	var reached atomic.Int32
	go func() {
		for {
			conn, err := inner.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			conn.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(inner.Addr().String())
	good, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Skip("the port is taken at 127.0.0.1: ", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "good") })}
	go server.Serve(good)
	t.Cleanup(func() { server.Close() })

	client := New(Options{Allow: loopback, Resolver: nameServer(t, []string{"127.0.0.1"}, []string{"127.0.0.2"}), Timeout: time.Minute})
	answered, refused := 0, 0
	for range 6 {
		_, err := client.Get(t.Context(), "http://rebind.example.:"+port+"/")
		switch {
		case err == nil:
			answered++
		case errors.Is(err, ErrRefused):
			refused++
		default:
			t.Error(err)
		}
	}
	if answered != 3 || refused != 3 {
		t.Errorf("%d were answered and %d refused, want 3 of each", answered, refused)
	}
	both := New(Options{Allow: loopback, Resolver: nameServer(t, []string{"127.0.0.2", "127.0.0.1"}), Timeout: time.Minute})
	if _, err := both.Get(t.Context(), "http://both.example.:"+port+"/"); err != nil && !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("the inner address was reached %d times", n)
	}
}

func TestFetchesAtOnce(t *testing.T) {
	t.Parallel()
	server, ca, calls := hostile(t)
	client := New(Options{Allow: loopback, CA: ca, Timeout: 3 * time.Second, AtOnce: 2})
	ended := make(chan error, 10)
	for range cap(ended) {
		go func() {
			_, err := client.Get(t.Context(), server.URL+"/silent")
			ended <- err
		}()
	}
	for range cap(ended) {
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
	if n := calls.Load(); n > 4 {
		t.Errorf("%d requests were sent", n)
	}
	client.timeout = time.Minute // what is tested is that the places are free again
	if _, err := client.Get(t.Context(), server.URL+"/good"); err != nil {
		t.Errorf("after them: %v", err)
	}
}

func TestFresh(t *testing.T) {
	t.Parallel()
	const date = "Sun, 22 Nov 2026 12:00:00 GMT"
	for _, c := range []struct {
		header http.Header
		want   time.Duration
	}{
		{http.Header{}, -1},
		{http.Header{"Cache-Control": {"max-age=60"}}, time.Minute},
		{http.Header{"Cache-Control": {`public, Max-Age="60"`}}, time.Minute},
		{http.Header{"Cache-Control": {"public", "max-age=60"}}, time.Minute},
		{http.Header{"Cache-Control": {"max-age=60, no-store"}}, 0},
		{http.Header{"Cache-Control": {"no-cache, max-age=60"}}, 0},
		{http.Header{"Cache-Control": {"max-age=-1"}}, -1},
		{http.Header{"Cache-Control": {"max-age=99999999999999999999"}}, -1},
		{http.Header{"Cache-Control": {"max-age=1m2"}}, -1},
		{http.Header{"Expires": {"Sun, 22 Nov 2026 12:01:00 GMT"}, "Date": {date}}, time.Minute},
		{http.Header{"Expires": {"Sun, 22 Nov 2026 11:01:00 GMT"}, "Date": {date}}, 0},
		{http.Header{"Expires": {"0"}, "Date": {date}}, -1},
		{http.Header{"Expires": {"Sun, 22 Nov 2026 12:01:00 GMT"}, "Date": {date}, "Cache-Control": {"max-age=5"}}, 5 * time.Second},
	} {
		if got := fresh(c.header); got != c.want {
			t.Errorf("%v: %v, want %v", c.header, got, c.want)
		}
	}
}

func TestTheLogHasTheHostAlone(t *testing.T) {
	t.Parallel()
	server, ca, _ := hostile(t)
	var log bytes.Buffer
	client := New(Options{Allow: loopback, CA: ca, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	client.Get(t.Context(), server.URL+"/good?secret=s3cret")
	client.Get(t.Context(), server.URL+"/error?secret=s3cret")
	if text := log.String(); strings.Count(text, "host=127.0.0.1") != 2 || strings.Contains(text, "s3cret") {
		t.Error(text)
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{"https://host.example:8443/a?b#c", "http://[::1%25lo]/", "https://u@h/", "https:///", "https://h/%00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		u, err := check(address)
		if err != nil {
			if !errors.Is(err, ErrRefused) {
				t.Error(err)
			}
			return
		}
		if u.User != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
			t.Errorf("%q passes as %#v", address, u)
		}
	})
}
