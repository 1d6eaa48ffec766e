package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"signet/provider/oauth"
	"signet/provider/problem"
	"signet/provider/trail"
)

// traceHeader tells every answer's trace id, under which the log has the reason of an error.
const traceHeader = "Trace-Id"

// observe gives each request its trail and writes its one line of log: no query, no body, no header but the method and path, since
// the others hold secrets.
func (p *Provider) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		t := trail.New(p.address(r))
		answer := &recorder{ResponseWriter: w}
		var end func(route string, status int)
		if p.tracer != nil {
			r, t.ID, end = p.tracer.Begin(r, p.vouched(r))
		}
		t.Languages = r.Header.Values("Accept-Language")
		w.Header()[traceHeader] = []string{t.ID}
		r = r.WithContext(trail.With(r.Context(), t))
		next.ServeHTTP(answer, r)
		now := time.Now()
		if end != nil {
			end(path(r), answer.code())
		}
		if p.observer != nil {
			p.observer.Answered(path(r), r.Method, answer.code(), now.Sub(began), t.Outcome)
		}
		if !p.log.Enabled(r.Context(), t.Level) {
			return
		}
		line := slog.NewRecord(now, t.Level, "request", 0) // 0: where in the source it comes from is known and worth no search
		line.AddAttrs(
			slog.String("trace", t.ID), slog.String("method", r.Method), slog.String("path", path(r)), slog.Int("status", answer.code()),
			slog.Float64("ms", float64(now.Sub(began).Microseconds())/1000), slog.Int("bytes", answer.bytes), slog.String("address", t.Address))
		line.AddAttrs(t.Attrs...)
		_ = p.log.Handler().Handle(r.Context(), line) // a log that cannot be written has nowhere to say so
	})
}

// recorder notes what is answered, for the log.
type recorder struct {
	http.ResponseWriter
	status int // 0 until it is known
	bytes  int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	w.status = cmp.Or(w.status, http.StatusOK)
	n, err := w.ResponseWriter.Write(b)
	w.bytes += n
	return n, err
}

// code is the status that was answered, or will be.
func (w *recorder) code() int { return cmp.Or(w.status, http.StatusOK) }

// Unwrap lets [http.ResponseController] find the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// path is the route's pattern where there is one, so that nothing that somebody put into a path gets into the log.
func path(r *http.Request) string {
	if pattern := chi.RouteContext(r.Context()).RoutePattern(); pattern != "" {
		return pattern
	}
	return "unknown"
}

// patience is how long a request may take to be answered. The server's own limits are for what comes and goes over the network; this one
// is for what waits inside.
const patience = 25 * time.Second

// inTime ends what waits for longer.
func inTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
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
