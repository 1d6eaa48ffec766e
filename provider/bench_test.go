package provider_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"signet/keys"
	"signet/keys/keystest"
	"signet/provider/providertest"
	"signet/storage"
)

// These benchmarks ask the provider's handler without a network, on a real bbolt file: what a commit costs is in them, what a
// connection costs is not. Many goroutines ask at a time, since commits are shared. The command bench measures the whole.

// algs are those of the ID token. The access token beside it is signed with ES256.
var algs = []string{"ES256", "EdDSA", "RS256", "PS256"}

const allScopes = "openid profile email groups offline_access"

// BenchmarkBareSignature is what each signature of a token costs at the least.
func BenchmarkBareSignature(b *testing.B) {
	ring := keystest.New(b, keys.Options{Algs: algs})
	claims := bytes.Repeat([]byte{'x'}, 400)
	for _, alg := range algs {
		b.Run(alg, func(b *testing.B) {
			parallel(b, 1, func(int) {
				if _, err := ring.Sign(alg, "at+jwt", claims); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// BenchmarkToken is the token endpoint: authenticate the client, spend the code or move the family on, on disk, sign the tokens.
func BenchmarkToken(b *testing.B) {
	for _, alg := range algs {
		b.Run("authorization_code/"+alg, func(b *testing.B) {
			s, c := newBench(b, alg)
			codes := s.codes(b.N, c, allScopes)
			parallel(b, 32, func(n int) { s.redeem(c, codes[n]) })
		})
	}
	for _, alg := range algs {
		b.Run("refresh_token/"+alg, func(b *testing.B) { benchmarkRefresh(b, alg, allScopes) })
	}
	b.Run("refresh_token/no ID token", func(b *testing.B) { benchmarkRefresh(b, "ES256", "profile email offline_access") })
}

func benchmarkRefresh(b *testing.B, alg, scope string) {
	s, c := newBench(b, alg)
	lines := make([]string, 256)
	for i, code := range s.codes(len(lines), c, scope) {
		lines[i] = s.redeem(c, code)["refresh_token"].(string)
	}
	free := make(chan int, len(lines))
	for i := range lines {
		free <- i
	}
	parallel(b, 32, func(int) {
		i := <-free
		lines[i] = s.token(c, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {lines[i]}})["refresh_token"].(string)
		free <- i
	})
}

// BenchmarkEndpoint is each of the others.
func BenchmarkEndpoint(b *testing.B) {
	s, c := newBench(b, "ES256")
	token := s.redeem(c, s.codes(1, c, allScopes)[0])["access_token"].(string)
	requests := map[string]func() *http.Request{
		"discovery": func() *http.Request { return s.request("GET", "/.well-known/openid-configuration", "") },
		"jwks":      func() *http.Request { return s.request("GET", "/jwks", "") },
		"userinfo": func() *http.Request {
			r := s.request("GET", "/userinfo", "")
			r.Header.Set("Authorization", "Bearer "+token)
			return r
		},
		"introspection": func() *http.Request { return c.signed(s.request("POST", "/introspect", "token="+token)) },
		"authorization": func() *http.Request { return s.authorization(c, allScopes) },
	}
	for _, name := range []string{"discovery", "jwks", "userinfo", "introspection", "authorization"} {
		b.Run(name, func(b *testing.B) { parallel(b, 32, func(int) { s.ask(requests[name]()) }) })
	}
}

// parallel runs f b.N times in many goroutines for each core, with a number of its own each time. It tells the CPU time of the process too,
// which hardly depends on what else the machine does.
func parallel(b *testing.B, many int, f func(n int)) {
	b.Helper()
	var next atomic.Int64
	b.SetParallelism(many)
	b.ReportAllocs()
	b.ResetTimer()
	began := cpu(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			f(int(next.Add(1) - 1))
		}
	})
	b.ReportMetric(float64(cpu(b)-began)/float64(b.N), "cpu-ns/op")
}

// cpu is what the process has used until now, in nanoseconds.
func cpu(b *testing.B) int64 {
	b.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return use.Utime.Nano() + use.Stime.Nano()
}

// bench is a provider at which one user is signed in, and has allowed one client what it asks for.
type bench struct {
	*providertest.Server
	b       *testing.B
	browser *providertest.Browser
}

type benchClient struct {
	storage.Client
	secret string
}

func (c benchClient) signed(r *http.Request) *http.Request {
	r.SetBasicAuth(c.ID, c.secret)
	return r
}

func newBench(b *testing.B, alg string, change ...func(*providertest.Config)) (bench, benchClient) {
	b.Helper()
	s := bench{Server: providertest.New(b, change...), b: b}
	s.User("alice")
	c, secret := s.Client("web", "Benchmark", func(c *storage.Client) { c.IDTokenAlg = alg })
	s.browser = s.Server.Browser("alice")
	s.browser.Code(c, "scope", allScopes)
	return s, benchClient{c, secret}
}

// codes returns n fresh codes. They do not expire: the clock stands still.
func (s bench) codes(n int, c benchClient, scope string) []string {
	codes := make([]string, n)
	prepared(n, func(i int) {
		location, err := url.Parse(s.ask(s.authorization(c, scope)).header.Get("Location"))
		if err != nil || location.Query().Get("code") == "" {
			s.b.Errorf("no code, but %v", location)
		}
		codes[i] = location.Query().Get("code")
	})
	return codes
}

// prepared does what comes before the measuring: f for each of n, many at a time, since commits are shared.
func prepared(n int, f func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 64 {
		workers.Go(func() {
			for i := int(next.Add(1) - 1); i < n; i = int(next.Add(1) - 1) {
				f(i)
			}
		})
	}
	workers.Wait()
}

func (s bench) authorization(c benchClient, scope string) *http.Request {
	r := s.request("GET", "/authorize?"+providertest.AuthorizeParams(c.Client, "scope", scope).Encode(), "")
	for _, cookie := range s.browser.Cookies() {
		r.AddCookie(cookie)
	}
	return r
}

func (s bench) redeem(c benchClient, code string) map[string]any {
	return s.token(c, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.RedirectURIs[0]}, "code_verifier": {providertest.Verifier}})
}

func (s bench) token(c benchClient, form url.Values) (answer map[string]any) {
	if err := json.Unmarshal(s.ask(c.signed(s.request("POST", "/token", form.Encode()))).body, &answer); err != nil {
		s.b.Error(err)
	}
	return answer
}

func (s bench) request(method, path, form string) *http.Request {
	r, err := http.NewRequest(method, s.Issuer+path, io.NopCloser(strings.NewReader(form)))
	if err != nil {
		s.b.Fatal(err)
	}
	r.RemoteAddr = "192.0.2.17:41234"
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// ask sends a request to the handler, which answers it well.
func (s bench) ask(r *http.Request) *recorder {
	w := s.send(r)
	if w.status >= http.StatusBadRequest {
		s.b.Errorf("answer %d: %s", w.status, w.body)
	}
	return w
}

// send sends a request to the handler.
func (s bench) send(r *http.Request) *recorder {
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	s.Provider.ServeHTTP(w, r)
	return w
}

// recorder is a response writer that does no more than it must.
type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) { w.status = status }

func (w *recorder) Write(b []byte) (int, error) {
	w.body = append(w.body, b...)
	return len(b), nil
}
