package provider_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"signet/provider/providertest"
)

// endless is a body without an end, which counts what is read of it.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a'
	}
	e.read.Add(int64(len(b)))
	if e.read.Load() > 64<<20 {
		return 0, io.EOF
	}
	return len(b), nil
}

// Whatever is sent to whichever endpoint, no more than a little of it is read.
func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	s := providertest.New(t, func(c *providertest.Config) { c.Registration.Policy = "open" })
	for _, path := range []string{
		"/token", "/revoke", "/introspect", "/userinfo", "/register", "/register/x", "/authorize", "/logout", "/signin", "/consent",
		"/authorize/continue", "/logout/confirm", "/jwks", "/.well-known/openid-configuration", "/healthz", "/", "/nothing",
	} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodGet} {
			t.Run(method+" "+path, func(t *testing.T) {
				t.Parallel()
				for _, kind := range []string{"application/x-www-form-urlencoded", "application/json"} {
					body := &endless{}
					r, err := http.NewRequest(method, s.Issuer+path, io.NopCloser(io.MultiReader(strings.NewReader("token="), body)))
					if err != nil {
						t.Fatal(err)
					}
					r.RemoteAddr = "192.0.2.17:41234"
					r.Header.Set("Content-Type", kind)
					w := &recorder{header: http.Header{}, status: http.StatusOK}
					s.Provider.ServeHTTP(w, r)
					if got := body.read.Load(); got > 1<<20 || w.status >= http.StatusInternalServerError {
						t.Errorf("%s: %d bytes were read, answered with %d", kind, got, w.status)
					}
				}
			})
		}
	}
}
