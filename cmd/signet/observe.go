package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signet/metrics"
	"signet/provider"
	"signet/provider/ending"
	"signet/storage"
	"signet/tracing"
)

// observed is who looks at a server: nobody, unless the configuration says so.
type observed struct {
	listeners []net.Listener
	metrics   *metrics.Metrics // nil: nothing is counted
	tracer    *tracing.Tracer  // nil: nothing is traced
}

// observe opens the address of the metrics and the way to the receiver of traces, which wants these headers.
func (s *server) observe(ctx context.Context, headers string) (err error) {
	if s.cfg.MetricsListen != "" {
		if s.observed.listeners, err = listen(ctx, s.cfg.MetricsListen, "--metrics-listen"); err != nil {
			s.observed.listeners = nil
			return err
		}
		if !loopbackOnly(s.observed.listeners) {
			s.log.Warn("other machines may read the metrics, without a password; listen on localhost where that is not meant", "metrics_listen", s.cfg.MetricsListen)
		}
	}
	if s.cfg.Tracing.Endpoint != "" {
		s.observed.tracer, err = tracing.New(ctx, tracing.Options{
			Endpoint: s.cfg.Tracing.Endpoint, Sample: s.cfg.Tracing.Sample, Headers: headers, Version: version().Version, Log: s.log,
		})
	}
	return err
}

func loopbackOnly(listeners []net.Listener) bool {
	for _, l := range listeners {
		if at, ok := l.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
			return false
		}
	}
	return true
}

// count begins to count what the server does, once it has a store and keys.
func (s *server) count() {
	if s.observed.listeners == nil {
		return
	}
	build, base := version(), ""
	if u, err := url.Parse(s.cfg.Issuer); err == nil {
		base = strings.TrimSuffix(u.EscapedPath(), "/")
	}
	s.observed.metrics = metrics.New(metrics.Options{
		Base: base, Store: s.store, Keys: s.keys, Version: build.Version, Revision: build.Revision, Now: time.Now, Log: s.log,
	})
}

// acts is the store as the provider sees it.
func (o observed) acts(store storage.Store) storage.Store {
	if o.tracer == nil {
		return store
	}
	return o.tracer.Acts(store)
}

// into has the provider tell who looks.
func (o observed) into(options *provider.Options) {
	if o.metrics != nil {
		options.Observer = o.metrics
	}
	if o.tracer != nil {
		options.Tracer = o.tracer
	}
}

// fetching is told of each document that is fetched.
func (o observed) fetching(ctx context.Context, host string) func(error) {
	var told []func(error)
	if o.metrics != nil {
		told = append(told, o.metrics.Fetching(ctx, host))
	}
	if o.tracer != nil {
		told = append(told, o.tracer.Fetching(ctx, host))
	}
	return func(err error) {
		for _, end := range told {
			end(err)
		}
	}
}

// swept is told of each sweep.
func (o observed) swept(rows int) {
	if o.metrics != nil {
		o.metrics.Swept(rows)
	}
}

// told is told of each attempt to tell a client of a logout.
func (o observed) told(outcome ending.Outcome) {
	if o.metrics != nil {
		o.metrics.Told(string(outcome.State))
	}
}

// serve answers whoever asks for the metrics, until the server that it returns is shut down; nil if nobody can.
func (o observed) serve(log *slog.Logger, failed chan<- error) *http.Server {
	if o.metrics == nil {
		return nil
	}
	srv := httpServer(o.metrics.Handler(), log)
	for _, l := range o.listeners {
		go func() {
			if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
	}
	return srv
}

// close lets go of the address and sends the last traces.
func (o observed) close(ctx context.Context, log *slog.Logger) {
	for _, l := range o.listeners {
		l.Close()
	}
	if o.tracer == nil {
		return
	}
	if err := o.tracer.Close(ctx); err != nil {
		log.Warn(err.Error())
	}
}
