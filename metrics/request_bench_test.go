package metrics_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"signet/metrics"
	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
	"signet/tracing"
)

// BenchmarkRequest is the cheapest request, without and with somebody who looks: the difference is what looking costs. Traces are made and
// not sent: nobody listens.
func BenchmarkRequest(b *testing.B) {
	for _, who := range []string{"nobody", "metrics", "traces of none", "traces of all"} {
		b.Run(who, func(b *testing.B) {
			var later struct{ provider.Observer }
			s := providertest.New(b, func(c *providertest.Config) {
				if who == "metrics" {
					c.Observer = &later
				}
				if sample := map[string]float64{"traces of none": 0, "traces of all": 1}; who == "traces of none" || who == "traces of all" {
					tracer, err := tracing.New(b.Context(), tracing.Options{Endpoint: "http://127.0.0.1:1/v1/traces", Sample: sample[who], Log: slog.New(slog.DiscardHandler)})
					if err != nil {
						b.Fatal(err)
					}
					c.Tracer, c.Wrap = tracer, func(s storage.Store) storage.Store { return tracer.Acts(s) }
				}
			})
			later.Observer = metrics.New(metrics.Options{Store: s.Store, Keys: s.Keys})
			r := httptest.NewRequest(http.MethodGet, "/jwks", nil)
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				s.Provider.ServeHTTP(w, r)
			}
		})
	}
}

// discard is a response writer that does no more than it must.
type discard struct{ header http.Header }

func (w *discard) Header() http.Header         { return w.header }
func (w *discard) WriteHeader(int)             {}
func (w *discard) Write(b []byte) (int, error) { return len(b), nil }
