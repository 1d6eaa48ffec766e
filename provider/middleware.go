package provider

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"signet/provider/oauth"
	"signet/provider/problem"
	"signet/provider/trail"
)

// clientAddress finds out whose request it is. X-Forwarded-For is believed from trusted proxies alone.
func clientAddress(trusted []string) func(http.Handler) http.Handler {
	if len(trusted) == 0 {
		return middleware.ClientIPFromRemoteAddr
	}
	return middleware.ClientIPFromXFF(trusted...)
}

// traceHeader tells every answer's trace id, under which the log has the reason of an error.
const traceHeader = "Trace-Id"

// observe gives each request its trail and writes its one line of log: no query, no body, no header but the method and path, since
// the others hold secrets.
func (p *Provider) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		t := trail.New(middleware.GetClientIP(r.Context()))
		w.Header()[traceHeader] = []string{t.ID}
		answer := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(answer, r.WithContext(trail.With(r.Context(), t)))
		if !p.log.Enabled(r.Context(), t.Level) {
			return
		}
		attrs := make([]slog.Attr, 0, 12)
		attrs = append(attrs,
			slog.String("trace", t.ID), slog.String("method", r.Method), slog.String("path", path(r)), slog.Int("status", status(answer)),
			slog.Float64("ms", float64(time.Since(began).Microseconds())/1000), slog.Int("bytes", answer.BytesWritten()), slog.String("address", t.Address))
		p.log.LogAttrs(r.Context(), t.Level, "request", append(attrs, t.Attrs...)...)
	})
}

// path is the route's pattern where there is one, so that nothing that somebody put into a path gets into the log.
func path(r *http.Request) string {
	if pattern := chi.RouteContext(r.Context()).RoutePattern(); pattern != "" {
		return pattern
	}
	return "unknown"
}

func status(w middleware.WrapResponseWriter) int {
	if w.Status() == 0 {
		return http.StatusOK
	}
	return w.Status()
}

// survive turns a panic into a 500 for that request alone.
func (p *Provider) survive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v) // net/http's own way to hang up
			}
			p.log.ErrorContext(r.Context(), "panic", "trace", trail.Of(r.Context()).ID, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err := oauth.AsError(fmt.Errorf("panic: %v", v))
			if strings.Contains(r.Header.Get("Accept"), "text/html") {
				problem.Write(p.pages, w, r, err)
				return
			}
			oauth.WriteError(w, r, err)
		}()
		next.ServeHTTP(w, r)
	})
}

// secureHeaders are right for every answer.
func secureHeaders(issuer *url.URL) func(http.Handler) http.Handler {
	https := issuer.Scheme == "https"
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header()["X-Content-Type-Options"] = nosniff
			if https {
				w.Header()["Strict-Transport-Security"] = hsts
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Header values that are the same in every answer. net/http only reads them.
var (
	nosniff = []string{"nosniff"}
	hsts    = []string{"max-age=31536000"} // RFC 6797; no includeSubDomains: other hosts are not ours to speak for
)
