package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/template"
	"time"

	"golang.org/x/oauth2"

	"signet/clients"
	"signet/storage/postgres"
	"signet/storage/postgres/postgrestest"
	"signet/users"
)

// cluster is some nodes behind a balancer, on one PostgreSQL with a synchronous standby.
type cluster struct {
	t        *testing.T
	primary  *postgrestest.Server // of the moment
	standby  *postgrestest.Server // nil once it was promoted
	database string               // URL
	nodes    []*node
	balancer *balancer
	issuer   string
	config   *oauth2.Config // of the app that all workers are

	witness
}

// node is one server and who starts it again whenever it ends, as systemd does.
type node struct {
	name, address, config string

	started chan struct{} // closed when process is there
	mutex   sync.Mutex
	process *process
	starts  int
	failed  int // starts that ended by themselves, for want of PostgreSQL
}

var nodeConfig = template.Must(template.New("").Parse(`issuer: {{.Issuer}}
listen: {{.Listen}}
data: {{.Name}}
storage_file: storage
master_key_file: master.key
trusted_proxy: [127.0.0.1/32]
rate_limit: off
lifetimes:
  refresh_reuse_window: {{.Window}}   # longer than PostgreSQL is ever away here
log:
  level: warn
clients:
  - id: app
    type: web
    client_name: App
    redirect_uris: [https://app.example/cb]
    secret_hash: {{.Secret}}
    trusted: true
users:
{{- range .Users}}
  - username: {{.}}
    email: {{.}}@example.com
    password_hash: {{$.Password}}
{{- end}}
`))

// window is the reuse window of refresh tokens here: how long who lost an answer may take to ask again.
const window = time.Minute

var people = []string{"alice", "bob", "carol"}

// newCluster starts PostgreSQL and a balancer, and prepares the nodes.
func newCluster(t *testing.T, size int) *cluster {
	t.Helper()
	if _, err := program(); err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, primary: postgrestest.Start(t)}
	c.standby = c.primary.Standby(t)
	c.database = postgrestest.URLs("signet", c.primary, c.standby)
	folder := t.TempDir()
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("storage", c.database)
	write("master.key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")

	c.balancer = &balancer{}
	front := httptest.NewServer(c.balancer)
	t.Cleanup(front.Close)
	c.issuer = front.URL
	secret, secretHash := clients.NewSecret()
	passwordHash, err := users.HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	c.config = &oauth2.Config{
		ClientID: "app", ClientSecret: secret, Endpoint: endpoint(c.issuer), RedirectURL: "https://app.example/cb",
		Scopes: []string{"openid", "offline_access"},
	}
	for i := range size {
		n := &node{name: fmt.Sprintf("node%d", i+1), started: make(chan struct{}), address: c.lastingAddress()}
		n.config = filepath.Join(folder, n.name+".yaml")
		var file strings.Builder
		if err := nodeConfig.Execute(&file, map[string]any{
			"Name": n.name, "Issuer": c.issuer, "Listen": n.address, "Window": window, "Secret": fmt.Sprintf("%x", secretHash), "Users": people,
			"Password": passwordHash,
		}); err != nil {
			t.Fatal(err)
		}
		write(n.name+".yaml", file.String())
		c.nodes = append(c.nodes, n)
		c.balancer.addresses = append(c.balancer.addresses, n.address)
	}
	return c
}

// lastingAddress is one that stays free while its node is dead: no other node has it, and the system gives it to no connection, as it
// would those from 32768 on.
func (c *cluster) lastingAddress() string {
	for {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		l.Close()
		if !slices.Contains(c.balancer.addresses, address) {
			return address
		}
	}
}

// restart is how long a node that ended stays so. deploy/signet.service has a second.
const restart = 300 * time.Millisecond

// supervise keeps a node running until stop is closed, and then ends it.
func (c *cluster) supervise(n *node, stop <-chan struct{}) {
	for {
		n.mutex.Lock()
		p := start(c.t, filepath.Dir(n.config), c.t.TempDir(), "serve", "--config", n.config)
		n.process = p
		if n.starts++; n.starts == 1 {
			close(n.started)
		}
		n.mutex.Unlock()
		select {
		case <-stop:
			if state := p.end(os.Interrupt); state.ExitCode() != 0 {
				c.t.Errorf("%s: %v\n%s", n.name, state, p.printed())
			}
			return
		case <-p.ended:
		}
		if p.cmd.ProcessState.ExitCode() >= 0 { // nobody killed it
			n.failed++
			if !strings.Contains(p.printed(), "PostgreSQL does not answer at ") {
				c.t.Errorf("%s ended by itself: %v\n%s", n.name, p.cmd.ProcessState, p.printed())
			}
		}
		if strings.Contains(p.printed(), "panic") {
			c.t.Errorf("%s panicked:\n%s", n.name, p.printed())
		}
		select {
		case <-stop:
			return
		case <-time.After(restart):
		}
	}
}

// kill ends a node by SIGKILL. It is started again by who looks after it.
func (n *node) kill() {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	_ = n.process.cmd.Process.Kill() // it may have ended already
}

// ready says whether a node says that it is.
func (n *node) ready() bool {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + n.address + "/readyz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// awaitReady waits until all nodes are ready, by themselves.
func (c *cluster) awaitReady(nodes ...*node) {
	c.t.Helper()
	for _, n := range nodes {
		for deadline := time.Now().Add(patience); !n.ready(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				c.t.Fatalf("%s does not become ready:\n%s", n.name, n.process.printed())
			}
		}
	}
}

// at is the app's configuration as it would reach one node, not the balancer.
func (c *cluster) at(n *node) *oauth2.Config {
	config := *c.config
	config.Endpoint = endpoint("http://" + n.address)
	return &config
}

// store opens the store beside the nodes.
func (c *cluster) store() *postgres.Store {
	c.t.Helper()
	s, err := postgres.Open(c.t.Context(), postgres.Options{URL: c.database, Existing: true, Name: "test"})
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// balancer sends each request to the next node. It knows nothing of their health: where nobody listens it tries the next one, and a node
// that dies over a request costs the answer.
type balancer struct {
	addresses []string
	turn      atomic.Uint64
}

var direct = &http.Transport{MaxIdleConnsPerHost: 64}

// ServeHTTP implements [http.Handler].
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	turn := b.turn.Add(1)
	for i := range uint64(len(b.addresses)) {
		out := r.Clone(r.Context())
		out.URL.Scheme, out.URL.Host = "http", b.addresses[(turn+i)%uint64(len(b.addresses))]
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		resp, err := direct.RoundTrip(out)
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			continue
		}
		if err != nil {
			break
		}
		defer resp.Body.Close()
		for name, values := range resp.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(resp.StatusCode)
		if _, err := io.Copy(w, resp.Body); err != nil {
			break
		}
		return
	}
	panic(http.ErrAbortHandler) // the client sees a connection that breaks
}

// witness sees every answer, and knows when PostgreSQL was away.
type witness struct {
	requests, lost, unavailable atomic.Int64

	mutex   sync.Mutex
	outages []*outage
	failed  []failure
}

// outage is a time in which requests may fail.
type outage struct {
	from, to time.Time // to is zero while it lasts
	mended   time.Time // the first refresh token that was taken after it
}

// failure is an answer 5xx, or a redirect that says the same.
type failure struct {
	asked, answered time.Time
	what, says      string
}

// grace is for connections that are found dead only when they are used.
const grace = time.Second

func (w *witness) begin() *outage {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	o := &outage{from: time.Now()}
	w.outages = append(w.outages, o)
	return o
}

func (w *witness) over(o *outage) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	o.to = time.Now()
}

// works notes that something could be stored just now.
func (w *witness) works() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if n := len(w.outages); n > 0 && !w.outages[n-1].to.IsZero() && w.outages[n-1].mended.IsZero() {
		w.outages[n-1].mended = time.Now()
	}
}

func (w *witness) failing(asked time.Time, what, says string) {
	w.unavailable.Add(1)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.failed = append(w.failed, failure{asked, time.Now(), what, says})
}

// unexplained are the failures of what was asked and answered while PostgreSQL was there.
func (w *witness) unexplained() []failure {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return slices.DeleteFunc(slices.Clone(w.failed), func(f failure) bool {
		return slices.ContainsFunc(w.outages, func(o *outage) bool {
			return f.answered.After(o.from) && (o.to.IsZero() || f.asked.Before(o.to.Add(grace)))
		})
	})
}

// afterwards is how long after an outage somebody asked at most who got an answer as in one.
func (w *witness) afterwards() (longest time.Duration) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, f := range w.failed {
		least := time.Hour
		for _, o := range w.outages {
			if f.answered.After(o.from) {
				least = min(least, max(0, f.asked.Sub(o.to)))
			}
		}
		longest = max(longest, least)
	}
	return longest
}

// eye is a transport that the witness sees through. It names a network of its own, as a proxy in front would.
type eye struct {
	*cluster
	network string
}

// client is an HTTP client for one worker.
func (c *cluster) client(worker int) *http.Client {
	return &http.Client{Transport: eye{c, fmt.Sprintf("192.0.2.%d", worker%250)}, Timeout: 20 * time.Second}
}

// RoundTrip implements [http.RoundTripper]. The body is whole, or it is an error.
func (e eye) RoundTrip(r *http.Request) (*http.Response, error) {
	e.requests.Add(1)
	asked := time.Now()
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", e.network)
	if r.Body == nil { // net/http would send what has none once more by itself when its answer is lost, and a step of a sign-in is done once
		r.Body = io.NopCloser(strings.NewReader(""))
	}
	resp, err := direct.RoundTrip(r)
	if err != nil {
		e.lost.Add(1)
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		e.lost.Add(1)
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if strings.Contains(resp.Header.Get("Location"), "error=temporarily_unavailable") {
		e.failing(asked, "the answer to an authorization request", resp.Header.Get("Location"))
	}
	if resp.StatusCode >= http.StatusInternalServerError {
		e.failing(asked, r.Method+" "+r.URL.Path, fmt.Sprintf("%s: %s", resp.Status, body))
		if fault := wordless(resp, string(body)); fault != "" {
			e.t.Errorf("%s %s: %s has %s: %s", r.Method, r.URL.Path, resp.Status, fault, body)
		}
	}
	return resp, nil
}

// wordless says what an answer lacks of what 5xx must have: when to come back, and words for whoever reads it.
func wordless(resp *http.Response, body string) string {
	kind := resp.Header.Get("Content-Type")
	switch {
	case resp.StatusCode != http.StatusServiceUnavailable:
		return "another status than 503"
	case resp.Header.Get("Retry-After") == "":
		return "no Retry-After"
	case strings.HasPrefix(kind, "application/json") && !strings.Contains(body, `"error":"temporarily_unavailable"`):
		return "another error"
	case strings.HasPrefix(kind, "text/html") && !strings.Contains(body, "Wait a moment, then try again."):
		return "no words"
	case !strings.HasPrefix(kind, "application/json") && !strings.HasPrefix(kind, "text/html"):
		return "no page"
	}
	return ""
}
