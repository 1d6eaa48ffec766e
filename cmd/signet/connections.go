package main

import (
	"net"
	"net/netip"
	"sync"

	"signet/provider/trail"
)

// How many connections are open at a time. Each costs 10 to 60 KiB, most where it speaks TLS, so all of them together stay well below
// half a GiB. An office behind one address has room for a connection for each of its people.
const (
	maxConnections = 8192
	maxPerNetwork  = 2048
)

// bounded is a listener that lets no more in. Those beyond the first bound wait in the system's queue until another leaves, which slow
// ones must within seconds; those of one network beyond the second are closed at once. Of IPv6 the /64 is one network. Trusted proxies,
// from where everybody comes, have no bound of their own.
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
}

func newCrowd(all, most int, trusted func(netip.Addr) bool) *crowd {
	return &crowd{slots: make(chan struct{}, all), most: most, trusted: trusted, networks: map[netip.Prefix]int{}}
}

func (c *crowd) listener(l net.Listener) net.Listener {
	return &bounded{Listener: l, crowd: c, ended: make(chan struct{})}
}

// Accept waits for room before it takes a connection.
func (l *bounded) Accept() (net.Conn, error) {
	for {
		select {
		case l.crowd.slots <- struct{}{}:
		case <-l.ended:
			return nil, net.ErrClosed
		}
		conn, err := l.Listener.Accept()
		if err != nil {
			<-l.crowd.slots
			return nil, err
		}
		if leave, ok := l.crowd.enter(conn.RemoteAddr()); ok {
			return &guest{Conn: conn, leave: leave}, nil
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

// guest is a connection that is counted.
type guest struct {
	net.Conn
	once  sync.Once
	leave func()
}

func (g *guest) Close() error {
	defer g.once.Do(g.leave)
	return g.Conn.Close()
}
