package main

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"signet/provider/trail"
)

// How many connections are open at a time. Each costs 10 to 60 KiB, most where it speaks TLS, so all of them together stay well below
// half a GiB. An office behind one address has room for a connection for each of its people.
const (
	maxConnections = 8192
	maxPerNetwork  = 2048
)

// bounded is a listener that lets no more in. Where the first bound is reached, the connection that was idle for the longest time is
// closed for the next one (RFC 9112 section 9.5): or else whoever holds some open without asking for anything keeps all others out.
// Where none is idle they wait in the system's queue until another leaves, which slow ones must within seconds. Those of one network
// beyond the second bound are closed at once. Of IPv6 the /64 is one network. Trusted proxies, from where everybody comes, have no
// bound of their own.
type bounded struct {
	net.Listener
	crowd *crowd
	ended chan struct{}
	once  sync.Once
}

// crowd are the connections of all listeners.
type crowd struct {
	slots   chan struct{}
	most    int // of one network
	trusted func(netip.Addr) bool

	mu       sync.Mutex
	networks map[netip.Prefix]int // never more than connections
	idle     *list.List           // of *guest, the one that is idle for the longest time first
}

func newCrowd(all, most int, trusted func(netip.Addr) bool) *crowd {
	return &crowd{slots: make(chan struct{}, all), most: most, trusted: trusted, networks: map[netip.Prefix]int{}, idle: list.New()}
}

func (c *crowd) listener(l net.Listener) net.Listener {
	return &bounded{Listener: l, crowd: c, ended: make(chan struct{})}
}

// Accept waits for room before it takes a connection.
func (l *bounded) Accept() (net.Conn, error) {
	for {
		if !l.crowd.room(l.ended) {
			return nil, net.ErrClosed
		}
		conn, err := l.Listener.Accept()
		if err != nil {
			<-l.crowd.slots
			return nil, err
		}
		if leave, ok := l.crowd.enter(conn.RemoteAddr()); ok {
			return &guest{Conn: conn, crowd: l.crowd, leave: leave}, nil
		}
		<-l.crowd.slots
		conn.Close()
	}
}

// Close also ends a wait for room.
func (l *bounded) Close() error {
	l.once.Do(func() { close(l.ended) })
	return l.Listener.Close()
}

// enter counts a connection of a network, unless it has too many. leave takes it back.
func (c *crowd) enter(from net.Addr) (leave func(), ok bool) {
	if at, ok := from.(*net.TCPAddr); ok && c.trusted(at.AddrPort().Addr().Unmap()) {
		return func() { <-c.slots }, true
	}
	network := trail.Prefix(from.String())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.networks[network] >= c.most {
		return nil, false
	}
	c.networks[network]++
	return func() {
		<-c.slots
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.networks[network]--; c.networks[network] == 0 {
			delete(c.networks, network)
		}
	}, true
}

// room takes a slot, and makes one if it must. It is false if ended comes first.
func (c *crowd) room(ended <-chan struct{}) bool {
	select {
	case c.slots <- struct{}{}:
		return true
	default:
	}
	again := time.NewTicker(idleEnough)
	defer again.Stop()
	for {
		c.closeIdle()
		select {
		case c.slots <- struct{}{}:
			return true
		case <-ended:
			return false
		case <-again.C:
		}
	}
}

// idleEnough is how long a connection is idle before it may be closed: HTTP/2 says that it is before its answer is sent.
const idleEnough = 50 * time.Millisecond

// closeIdle closes the connection that is idle for the longest time, if there is one.
func (c *crowd) closeIdle() {
	c.mu.Lock()
	var g *guest
	if first := c.idle.Front(); first != nil && time.Since(first.Value.(*guest).since) >= idleEnough {
		g = first.Value.(*guest)
		c.forget(g)
	}
	c.mu.Unlock()
	if g != nil {
		g.Close()
	}
}

// forget takes a guest out of the idle ones. The caller holds mu.
func (c *crowd) forget(g *guest) {
	if g.idle != nil {
		c.idle.Remove(g.idle)
		g.idle = nil
	}
}

// state is told of connections by their server: [http.Server.ConnState].
func (c *crowd) state(conn net.Conn, state http.ConnState) {
	if over, ok := conn.(*tls.Conn); ok {
		conn = over.NetConn()
	}
	g, ok := conn.(*guest)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(g)
	if state == http.StateIdle && !g.left {
		g.since, g.idle = time.Now(), c.idle.PushBack(g)
	}
}

// guest is a connection that is counted.
type guest struct {
	net.Conn
	crowd *crowd
	once  sync.Once
	leave func()

	idle  *list.Element // among the idle ones, under the crowd's mu; nil: it is busy
	since time.Time     // when it came to be idle, likewise
	left  bool          // likewise
}

func (g *guest) Close() error {
	defer g.once.Do(func() {
		g.crowd.mu.Lock()
		g.crowd.forget(g)
		g.left = true
		g.crowd.mu.Unlock()
		g.leave()
	})
	return g.Conn.Close()
}
