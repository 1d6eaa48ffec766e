package main

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T, c *crowd) (dial func() net.Conn, accepted chan net.Conn) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		accepted = make(chan net.Conn, 10)
		guarded := c.listener(l)
		t.Cleanup(func() { guarded.Close() })
		go func() {
			for {
				conn, err := guarded.Accept()
				if err != nil {
					close(accepted)
					return
				}
				accepted <- conn
			}
		}()
		return func() net.Conn {
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			return conn
		}, accepted
	}
	nobody := func(netip.Addr) bool { return false }
	everybody := func(netip.Addr) bool { return true }
	none := func(t *testing.T, accepted chan net.Conn) {
		t.Helper()
		select {
		case <-accepted:
			t.Error("one too many was let in")
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Run("in all: those beyond wait", func(t *testing.T) {
		t.Parallel()
		dial, accepted := begin(t, newCrowd(2, 100, nobody))
		dial()
		dial()
		dial()
		first, _ := <-accepted, <-accepted
		none(t, accepted)
		first.Close()
		first.Close() // counted once
		<-accepted
		dial()
		none(t, accepted)
	})
	t.Run("of one network: those beyond are closed", func(t *testing.T) {
		t.Parallel()
		c := newCrowd(100, 2, nobody)
		dial, accepted := begin(t, c)
		dial()
		dial()
		first, second := <-accepted, <-accepted
		refused := dial()
		if err := refused.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if n, err := refused.Read(make([]byte, 1)); n != 0 || err == nil || isTimeout(err) {
			t.Errorf("not closed: %v", err)
		}
		first.Close()
		dial()
		third := <-accepted
		second.Close()
		third.Close()
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.networks) != 0 {
			t.Errorf("remembered: %v", c.networks)
		}
	})
	t.Run("trusted proxies have no bound of their own", func(t *testing.T) {
		t.Parallel()
		dial, accepted := begin(t, newCrowd(100, 1, everybody))
		for range 5 {
			dial()
			<-accepted
		}
	})
	t.Run("a full listener ends", func(t *testing.T) {
		t.Parallel()
		c := newCrowd(1, 1, nobody)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c.slots <- struct{}{}
		guarded, ended := c.listener(l), make(chan error)
		go func() { _, err := guarded.Accept(); ended <- err }()
		guarded.Close()
		if err := <-ended; err == nil {
			t.Error("no error")
		}
	})
}

// Many connections that send a byte now and then: the server answers others meanwhile, its memory is bounded, and all of them are gone
// when their time is up.
func TestSlowConnections(t *testing.T) { // not in parallel: memory is the whole process's
	srv := httpServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }), slog.New(slog.DiscardHandler))
	const header, read = 2 * time.Second, 4 * time.Second // so that the test is short; TestStalled waits for the real ones
	if srv.ReadHeaderTimeout <= header || srv.ReadTimeout <= read || srv.WriteTimeout <= 0 || srv.IdleTimeout <= 0 {
		t.Fatalf("something has no limit: %+v", srv)
	}
	srv.ReadHeaderTimeout, srv.ReadTimeout = header, read
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = srv.Serve(newCrowd(maxConnections, maxPerNetwork, func(netip.Addr) bool { return false }).listener(l))
	}()
	defer srv.Close()
	at := l.Addr().String()
	const many = 500
	before := memory()
	began := time.Now()
	var gone sync.WaitGroup
	for n := range many {
		conn, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		limit := header
		if n%2 == 0 {
			fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
		} else {
			limit = read
			fmt.Fprintf(conn, "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\n")
		}
		ended := make(chan struct{})
		go func() {
			for {
				select {
				case <-ended:
					return
				case <-time.After(200 * time.Millisecond):
					if _, err := io.WriteString(conn, "x"); err != nil {
						return
					}
				}
			}
		}()
		gone.Go(func() {
			defer conn.Close()
			defer close(ended)
			_ = conn.SetReadDeadline(began.Add(limit + time.Minute))
			if _, err := io.Copy(io.Discard, bufio.NewReader(conn)); err != nil && isTimeout(err) {
				t.Errorf("a connection is still open %v after it was opened", time.Since(began))
			}
		})
	}
	time.Sleep(500 * time.Millisecond)
	if grown := memory() - before; grown > many*64<<10 {
		t.Errorf("%d slow connections cost %d KiB each", many, grown/many>>10)
	}
	resp, err := http.Get("http://" + at + "/healthz")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("others wait: %v", err)
	} else {
		resp.Body.Close()
	}
	gone.Wait()
	if took := time.Since(began); took > read+time.Minute {
		t.Errorf("they stayed for %v", took)
	}
}

func isTimeout(err error) bool {
	n, ok := err.(net.Error)
	return ok && n.Timeout()
}

// memory is the memory of this process, stacks included. The test's own ends are in it too.
func memory() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}

// Whoever holds connections open and asks for nothing must not keep others out: RFC 9112 section 9.5 lets a server close them at any time.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			c := newCrowd(4, 100, func(netip.Addr) bool { return false })
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
			s.Config.ConnState = c.state
			s.EnableHTTP2 = version == "HTTP/2.0"
			s.Listener = c.listener(s.Listener)
			s.StartTLS()
			t.Cleanup(s.Close)
			for n := range 20 {
				client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
					TLSClientConfig: s.Client().Transport.(*http.Transport).TLSClientConfig.Clone(), ForceAttemptHTTP2: s.EnableHTTP2,
				}}
				t.Cleanup(client.CloseIdleConnections)
				resp, err := client.Get(s.URL)
				if err != nil {
					t.Fatalf("connection %d: %v", n, err)
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || string(body) != version {
					t.Fatalf("connection %d: %q, %v", n, body, err)
				}
			}
			s.CloseClientConnections()
			s.Close()
			c.mu.Lock()
			defer c.mu.Unlock()
			if len(c.networks) != 0 || c.idle.Len() != 0 {
				t.Errorf("remembered: %v, %d idle", c.networks, c.idle.Len())
			}
		})
	}
}

// A request under way is finished, however full it is.
func TestBusyConnectionsStay(t *testing.T) {
	t.Parallel()
	c := newCrowd(2, 100, func(netip.Addr) bool { return false })
	begun, end := make(chan struct{}, 2), make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { begun <- struct{}{}; <-end }))
	s.Config.ConnState = c.state
	s.Listener = c.listener(s.Listener)
	s.Start()
	t.Cleanup(s.Close)
	failed := make(chan error, 3)
	for range 3 {
		go func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			resp, err := client.Get(s.URL)
			if err == nil {
				resp.Body.Close()
			}
			failed <- err
		}()
	}
	<-begun
	<-begun
	select {
	case <-begun:
		t.Error("one too many was let in")
	case <-time.After(50 * time.Millisecond):
	}
	close(end)
	for range 3 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}
