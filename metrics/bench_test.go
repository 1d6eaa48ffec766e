package metrics

import (
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/provider/trail"
)

// What counting costs each request: at most 300 ns, and nothing on the heap.
func BenchmarkAnswered(b *testing.B) {
	m := &Metrics{requests: newRequests("/base", prometheus.NewRegistry())}
	for name, row := range map[string]struct {
		route, method string
		o             trail.Outcome
	}{
		"document":      {"/base/jwks", http.MethodGet, trail.Outcome{}},
		"refresh":       {"/base/token", http.MethodPost, trail.Outcome{Grant: "refresh_token", Issued: trail.Tokens{Access: true, ID: true, Refresh: true}}},
		"introspection": {"/base/introspect", http.MethodPost, trail.Outcome{Result: trail.Inactive}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Answered(row.route, row.method, http.StatusOK, 3*time.Millisecond, row.o)
			}
		})
	}
}

// Nothing on the heap holds in the tests too.
func TestAnsweredAllocatesNothing(t *testing.T) {
	m := &Metrics{requests: newRequests("", prometheus.NewRegistry())}
	for name, o := range map[string]trail.Outcome{"/token": {Grant: "refresh_token", Issued: trail.Tokens{Access: true}}, "/introspect": {Result: trail.Inactive}, "/jwks": {}} {
		if n := testing.AllocsPerRun(100, func() { m.Answered(name, http.MethodPost, http.StatusOK, time.Millisecond, o) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
