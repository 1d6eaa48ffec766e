package gate

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
)

// What a check costs: of a JWT, whose signature is verified each time, by keys and a status list that are there; of an opaque token that was asked
// about a moment ago; and of what is refused. Beside them, what they cannot be under: a handler that does nothing, and the verification alone.
func BenchmarkCheck(b *testing.B) {
	s := newStand(b)
	g := s.gate(introspectionYAML)
	s.opaque["opaque"] = s.claims("active", true)
	jwt := bearer(s.token())
	b.Run("floor: an empty handler", func(b *testing.B) {
		benchmarkCheck(b, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), http.StatusOK, "/health")
	})
	b.Run("floor: one ES256 verification", func(b *testing.B) {
		digest := sha256.Sum256(make([]byte, 600))
		signature, err := ecdsa.SignASN1(rand.Reader, s.key, digest[:])
		must(b, err)
		repeat(b, func() {
			if !ecdsa.VerifyASN1(&s.key.PublicKey, digest[:], signature) {
				b.Fatal("the signature is wrong")
			}
		})
	})
	for _, c := range []struct {
		name   string
		status int
		target string
		header []string
	}{
		{"public", 200, "/health", nil},
		{"JWT ES256", 200, "/orders", jwt},
		{"JWT ES256, permissions", 200, "/orders/7", jwt},
		{"opaque", 200, "/orders", bearer("opaque")},
		{"refused: no token", 401, "/orders", nil},
		{"refused: another's header", 400, "/orders", append(jwt, "X_Auth_Subject", "admin")},
		{"refused: a forged JWT", 401, "/orders", bearer(s.signBy(newKey(b), "ES256", s.kid, s.claims(), "at+jwt"))},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkCheck(b, g, c.status, c.target, c.header...) })
	}
}

// benchmarkCheck asks as Caddy does.
func benchmarkCheck(b *testing.B, handler http.Handler, status int, target string, header ...string) {
	b.Helper()
	r := httptest.NewRequest(http.MethodGet, ForwardedPath, nil)
	for name, value := range map[string]string{"Method": "GET", "Proto": "https", "Host": "api.example", "Uri": target} {
		r.Header.Set("X-Forwarded-"+name, value)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header[header[i]] = append(r.Header[header[i]], header[i+1])
	}
	handler.ServeHTTP(&answer{header: http.Header{}}, r) // which fetches what there is to fetch
	repeat(b, func() {
		w := &answer{header: http.Header{}, status: http.StatusOK}
		if handler.ServeHTTP(w, r); w.status != status {
			b.Fatal(w.status)
		}
	})
}

// repeat measures f. It tells the CPU time of the process too, which hardly depends on what else the machine does.
func repeat(b *testing.B, f func()) {
	b.Helper()
	b.ReportAllocs()
	began := cpu(b)
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(cpu(b)-began)/float64(b.N), "cpu-ns/op")
}

// cpu is what the process has used until now, in nanoseconds.
func cpu(b *testing.B) int64 {
	b.Helper()
	var use syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &use))
	return use.Utime.Nano() + use.Stime.Nano()
}

// answer is a response writer that does no more than it must.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(b []byte) (int, error) { return len(b), nil }
