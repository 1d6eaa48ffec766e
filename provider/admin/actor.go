package admin

import (
	"context"
	"fmt"
	"net"
	"os"
)

type actorKey struct{}

// actor is on whose behalf a request runs: "uid 1000"; "" for nobody whom we know.
func actor(ctx context.Context) string {
	a, _ := ctx.Value(actorKey{}).(string)
	return a
}

// WithUID returns a context in which the user of the operating system with this id acts.
func WithUID(ctx context.Context, uid int) context.Context {
	return context.WithValue(ctx, actorKey{}, fmt.Sprintf("uid %d", uid))
}

// ConnContext asks the kernel who is at the other end of c; it is for [net/http.Server]. Only root and the user whom the server runs
// as are let in: the socket's mode says the same, and folders are moved and modes changed.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	unix, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	uid, err := peer(unix)
	if err != nil || uid != 0 && uid != os.Geteuid() {
		return ctx
	}
	return WithUID(ctx, uid)
}
