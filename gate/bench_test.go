package gate

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// What a check costs: of a JWT, whose signature is verified each time, and of an opaque token that was asked about a moment ago.
func BenchmarkCheck(b *testing.B) {
	s := newStand(b)
	g := s.gate(introspectionYAML)
	s.opaque["opaque"] = s.claims("active", true)
	for name, token := range map[string]string{"JWT ES256": s.token(), "opaque": "opaque", "public": ""} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, ForwardedPath, nil)
			target := "/orders"
			if token == "" {
				target = "/health"
			} else {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			for name, value := range map[string]string{"Method": "GET", "Proto": "https", "Host": "api.example", "Uri": target} {
				r.Header.Set("X-Forwarded-"+name, value)
			}
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				if g.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
