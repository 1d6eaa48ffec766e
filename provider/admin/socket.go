package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
)

// SocketName is the socket's name in the data folder.
const SocketName = "signet.sock"

// maxSocketPath is what fits into every system's sockaddr_un: 104 bytes on some, 108 on Linux.
const maxSocketPath = 100

// Listen makes the socket in the data folder, for its owner alone, and replaces one that a server left behind. The caller must hold
// the store's lock: then no other server can be listening. Closing the listener removes the socket.
func Listen(dir string) (net.Listener, error) {
	path := filepath.Join(dir, SocketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("a socket left behind cannot be replaced: %w", err)
	}
	address, release, err := shortened(dir, path)
	if err != nil {
		return nil, err
	}
	defer release()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("no socket can be made at %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false) // by the address that it was bound to, which may be gone
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &listener{UnixListener: l, path: path}, nil
}

type listener struct {
	*net.UnixListener
	path string
}

// Close removes the socket before it ceases to listen, so that a command finds either a server or no socket.
func (l *listener) Close() error {
	err := os.Remove(l.path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.UnixListener.Close())
}

// Dial connects to the server of a data folder.
func Dial(ctx context.Context, dir string) (net.Conn, error) {
	address, release, err := shortened(dir, filepath.Join(dir, SocketName))
	if err != nil {
		return nil, err
	}
	defer release()
	var d net.Dialer
	return d.DialContext(ctx, "unix", address)
}

// shortened returns an address that fits, whatever the length of path: Linux shows an open folder under a short name. It is good
// until release is called.
func shortened(dir, path string) (address string, release func(), err error) {
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	if runtime.GOOS != "linux" {
		return "", nil, fmt.Errorf("%s is longer than the %d bytes that a socket's path can have; choose a shorter data folder", path, maxSocketPath)
	}
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", f.Fd(), SocketName), func() { f.Close() }, nil
}
