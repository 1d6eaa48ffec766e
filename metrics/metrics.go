// Package metrics counts what Signet does, for Prometheus.
//
// It is the only room that knows Prometheus. The others tell it what they know anyway: the provider each answer, with the outcome that the
// request's trail carries (requests.go); the sweeper and the way out what they did; and what can be asked for is asked when somebody looks:
// the store, the keys, whether both are ready (state.go).
//
// Labels are bounded. They are routes as patterns, methods, grants, error codes and words of ours: never a client, a user, an address or
// anything else that a request could choose. docs/operation.md lists every metric, and a test holds the list true.
package metrics

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"signet/fetch"
	"signet/keys"
	"signet/storage"
)

const namespace = "signet"

// Options is what there is to count. All but Version and Revision are needed.
type Options struct {
	Base     string // path of the issuer, "" for none: routes are named without it
	Store    storage.Upkeep
	Keys     Keys
	Version  string
	Revision string
	Now      func() time.Time
	Log      *slog.Logger // of what cannot be told; nil: nothing is logged
}

// Keys is the ring; [signet/keys.Keys] is one.
type Keys interface {
	List() []keys.Info
	Failures() uint64
	Ready() error
}

// Metrics counts. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *requests
	log      *slog.Logger

	swept     prometheus.Counter
	lastSweep prometheus.Gauge
	fetches   *prometheus.CounterVec
	notices   *prometheus.CounterVec
}

// New returns a Metrics that has counted nothing yet.
func New(o Options) *Metrics {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	m := &Metrics{registry: prometheus.NewRegistry(), log: o.Log}
	m.requests = newRequests(o.Base, m.registry)
	m.swept = counter("sweeper_deleted_rows_total", "Expired rows that were deleted")
	m.lastSweep = gauge("sweeper_last_run_timestamp_seconds", "When the last sweep came to its end; before the first one, when the server started")
	m.fetches = prometheus.NewCounterVec(opts("fetches_total", "Documents that were fetched for clients, by result: ok, refused (by our rules) or failed"), []string{"result"})
	m.notices = prometheus.NewCounterVec(opts("notices_total", "Attempts to tell a client of a logout, by result: delivered, pending (it is tried again) or failed (for good)"), []string{"result"})
	m.lastSweep.SetToCurrentTime() // as if the start had swept: an alert on its age is not about the first minute
	build := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info", Help: "Which build this is; always 1",
		ConstLabels: prometheus.Labels{"version": o.Version, "revision": o.Revision}})
	build.Set(1)
	m.registry.MustRegister(m.swept, m.lastSweep, m.fetches, m.notices, build, newState(o),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, result := range []string{"ok", "refused", "failed"} { // an alert on the increase of one wants its zero
		m.fetches.WithLabelValues(result)
	}
	for _, state := range []storage.NoticeState{storage.NoticeDelivered, storage.NoticePending, storage.NoticeFailed} {
		m.notices.WithLabelValues(string(state))
	}
	return m
}

// Handler answers GET /metrics.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	}))
	return mux
}

// Swept is for [storage.Sweeper].
func (m *Metrics) Swept(rows int) {
	m.swept.Add(float64(rows))
	m.lastSweep.SetToCurrentTime()
}

// Fetching is for [fetch.Options].
func (m *Metrics) Fetching(context.Context, string) func(error) {
	return func(err error) {
		result := "ok"
		switch {
		case errors.Is(err, fetch.ErrRefused):
			result = "refused"
		case err != nil:
			result = "failed"
		}
		m.fetches.WithLabelValues(result).Inc()
	}
}

// Told is for [signet/provider/ending.Options]: what became of a notice by an attempt.
func (m *Metrics) Told(state string) { m.notices.WithLabelValues(state).Inc() }

func opts(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}
}

func counter(name, help string) prometheus.Counter { return prometheus.NewCounter(opts(name, help)) }

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts(opts(name, help)))
}
