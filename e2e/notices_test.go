package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"

	"golang.org/x/oauth2"

	"signet/clients"
	"signet/provider/ending"
	"signet/storage"
	"signet/storage/postgres/postgrestest"
	"signet/users"
)

// told is an app's server that hears of logouts.
type told struct {
	*httptest.Server
	mutex  sync.Mutex
	heard  map[string]int // how often, by sid
	atOnce map[string]int // attempts under way, by sid
	twice  bool           // one sid was told by two at once
	answer http.HandlerFunc
}

func newTold(t *testing.T) *told {
	a := &told{heard: map[string]int{}, atOnce: map[string]int{}}
	a.Server = httptest.NewServer(http.HandlerFunc(a.hear))
	t.Cleanup(func() {
		a.CloseClientConnections()
		a.Close()
	})
	return a
}

func (a *told) hear(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.PostFormValue("logout_token"), ".")
	var claims struct{ SID string }
	if len(parts) == 3 {
		body, _ := base64.RawURLEncoding.DecodeString(parts[1])
		_ = json.Unmarshal(body, &claims)
	}
	a.mutex.Lock()
	a.heard[claims.SID]++
	a.atOnce[claims.SID]++
	a.twice = a.twice || a.atOnce[claims.SID] > 1
	answer := a.answer
	a.mutex.Unlock()
	if answer != nil {
		answer(w, r)
	}
	a.mutex.Lock()
	a.atOnce[claims.SID]--
	a.mutex.Unlock()
}

func (a *told) now(answer http.HandlerFunc) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.answer = answer
}

// sessions is how many it heard of, times how often in all.
func (a *told) sessions() (sessions, times int) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for _, n := range a.heard {
		times += n
	}
	return len(a.heard), times
}

func (a *told) await(t *testing.T, what string, good func(sessions, times int) bool) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		sessions, times := a.sessions()
		if good(sessions, times) {
			return
		}
		if time.Since(began) > patience {
			t.Fatalf("%s: it heard of %d sessions, %d times", what, sessions, times)
		}
	}
}

var toldConfig = template.Must(template.New("").Parse(`issuer: {{.Issuer}}
listen: {{.Listen}}
data: {{.Data}}
{{- if .Storage}}
storage_file: {{.Storage}}
{{- end}}
master_key_file: master.key
outgoing_allow: [127.0.0.0/8]
rate_limit: off
log:
  level: warn
clients:
  - id: app
    type: web
    client_name: The app
    redirect_uris: [https://app.example/cb]
    backchannel_logout_uri: {{.Told}}
    secret_hash: {{.Secret}}
    trusted: true
users:
  - username: alice
    password_hash: {{.Password}}
`))

// telling is one server, or two on one database, whose app is told of logouts.
type telling struct {
	t       *testing.T
	folder  string
	issuer  string
	app     *told
	config  *oauth2.Config
	servers []*process
}

func newTelling(t *testing.T, nodes int, storage string) *telling {
	secret, secretHash := clients.NewSecret()
	hash, err := users.HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	w := &telling{t: t, folder: t.TempDir(), app: newTold(t), servers: make([]*process, nodes)}
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(w.folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("master.key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	where := ""
	if storage != "" {
		where = "storage"
		write(where, storage)
	}
	for n := range nodes {
		listen := "127.0.0.1:" + freePort(t)
		if n == 0 {
			w.issuer = "http://" + listen
		}
		var file strings.Builder
		if err := toldConfig.Execute(&file, map[string]string{
			"Issuer": w.issuer, "Listen": listen, "Data": w.name(n), "Storage": where, "Told": w.app.URL, "Secret": hex.EncodeToString(secretHash[:]), "Password": hash,
		}); err != nil {
			t.Fatal(err)
		}
		write(w.name(n)+".yaml", file.String())
	}
	w.config = &oauth2.Config{ClientID: "app", ClientSecret: secret, Endpoint: endpoint(w.issuer), RedirectURL: "https://app.example/cb", Scopes: []string{"openid"}}
	return w
}

func (w *telling) name(n int) string { return "node" + string(rune('a'+n)) }

func (w *telling) start(n int) {
	w.t.Helper()
	w.servers[n] = start(w.t, w.folder, w.t.TempDir(), "serve", "--config", w.name(n)+".yaml")
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if _, err := w.run(n, "status"); err == nil {
			return
		} else if time.Since(began) > patience {
			w.t.Fatalf("%v\n%s", err, w.servers[n].printed())
		}
	}
}

// run runs a command at a node, and returns what it printed.
func (w *telling) run(n int, args ...string) (string, error) {
	w.t.Helper()
	path, err := program()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(path, append(args, "--config", w.name(n)+".yaml")...)
	cmd.Dir = w.folder
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

func (w *telling) must(n int, args ...string) string {
	w.t.Helper()
	out, err := w.run(n, args...)
	if err != nil {
		w.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// signIn signs alice in at this many browsers.
func (w *telling) signIn(browsers int) {
	w.t.Helper()
	for range browsers {
		if _, err := newAgent("alice", password).signIn(w.t.Context(), w.config); err != nil {
			w.t.Fatal(err)
		}
	}
}

// end ends everything of alice's, and returns what it came to.
func (w *telling) end(n int, more ...string) (done struct {
	Sessions []storage.Session
	Receipts []ending.Receipt
}) {
	w.t.Helper()
	out := w.must(n, append([]string{"session", "end", "--user", "alice", "--json"}, more...)...)
	if err := json.Unmarshal([]byte(out), &done); err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
	return done
}

// TestNoticesSurvive holds the real program to Back-Channel Logout 2.5: whatever happens to the app or the server, it is told, or named as one
// that was not.
func TestNoticesSurvive(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]func(*testing.T) string{
		"bolt":       func(*testing.T) string { return "" },
		"PostgreSQL": func(t *testing.T) string { return postgrestest.Database(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTelling(t, 1, store(t))
			w.start(0)

			w.signIn(2)
			if out := w.must(0, "session", "list", "--user", "alice"); strings.Count(out, " alice ") != 2 || strings.Count(out, " app") != 2 {
				t.Errorf("%s", out)
			}
			out := w.must(0, "session", "end", "--user", "alice")
			if !strings.Contains(out, "Ended 2 sessions") || !strings.Contains(out, "The app was told") {
				t.Errorf("%s", out)
			}
			if sessions, times := w.app.sessions(); sessions != 2 || times != 2 {
				t.Errorf("it heard of %d sessions, %d times", sessions, times)
			}

			// An app that is down is told when it is back.
			w.app.now(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
			w.signIn(1)
			if done := w.end(0, "--no-wait"); len(done.Receipts) != 1 || done.Receipts[0].State != storage.NoticePending {
				t.Errorf("%+v", done)
			}
			w.app.await(t, "tried", func(sessions, times int) bool { return sessions == 3 && times >= 4 })
			w.app.now(nil)
			w.app.await(t, "tried again", func(_, times int) bool { return times >= 5 })

			// The server is killed while an attempt is under way.
			reached := make(chan struct{}, 10)
			w.app.now(func(_ http.ResponseWriter, r *http.Request) {
				reached <- struct{}{}
				<-r.Context().Done()
			})
			w.signIn(1)
			w.end(0, "--no-wait")
			<-reached
			w.servers[0].end(os.Kill)
			w.app.now(nil)
			_, before := w.app.sessions()
			w.start(0)
			w.app.await(t, "after kill -9", func(sessions, times int) bool { return sessions == 4 && times > before })

			// It is ended while no server runs, and told by the next one.
			w.signIn(1)
			if state := w.servers[0].end(syscall.SIGTERM); state.ExitCode() != 0 {
				t.Errorf("SIGTERM: %v\n%s", state, w.servers[0].printed())
			}
			if out := w.must(0, "session", "end", "--user", "alice"); !strings.Contains(out, "No server runs. 1 logout waits to be told to apps") {
				t.Errorf("%s", out)
			}
			if out := w.must(0, "notice", "list"); !strings.Contains(out, "1 logout waits") || !strings.Contains(out, "No notice has failed") {
				t.Errorf("%s", out)
			}
			w.start(0)
			w.app.await(t, "after the start", func(sessions, _ int) bool { return sessions == 5 })

			// One that refuses is listed.
			w.app.now(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"error":"invalid_request"}`))
			})
			w.signIn(1)
			if done := w.end(0); len(done.Receipts) != 1 || done.Receipts[0].State != storage.NoticeFailed || done.Receipts[0].Problem != "its server answers 400: invalid_request" {
				t.Errorf("%+v", done)
			}
			if out := w.must(0, "notice", "list", "--failed"); !strings.Contains(out, "its server answers 400: invalid_request") || strings.Contains(out, "pending") {
				t.Errorf("%s", out)
			}
			if w.app.twice {
				t.Error("one session was told of by two at once")
			}
		})
	}
}

// TestNoticesOfTwoNodes: of two servers on one database one tells an app; when it dies over it, the other does.
func TestNoticesOfTwoNodes(t *testing.T) {
	t.Parallel()
	const browsers = 12
	w := newTelling(t, 2, postgrestest.Database(t))
	w.start(0)
	w.start(1)

	w.signIn(browsers)
	w.app.now(func(http.ResponseWriter, *http.Request) { time.Sleep(50 * time.Millisecond) }) // long enough for both to work
	w.end(0, "--no-wait")
	w.app.await(t, "by both", func(sessions, _ int) bool { return sessions == browsers })
	time.Sleep(3 * time.Second) // somebody who had it in hand as well would have sent it by now
	if sessions, times := w.app.sessions(); sessions != times {
		t.Errorf("%d sessions, told %d times", sessions, times)
	}

	// The one that claimed all dies with them.
	w.signIn(browsers)
	reached, going := make(chan struct{}, 10*browsers), make(chan struct{})
	w.app.now(func(_ http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		select {
		case <-going:
		case <-r.Context().Done():
		}
	})
	w.end(0, "--no-wait")
	<-reached
	w.servers[0].end(os.Kill)
	w.app.now(nil)
	close(going)
	w.app.await(t, "by the other", func(sessions, _ int) bool { return sessions == 2*browsers })
	if w.app.twice {
		t.Error("one session was told of by two at once")
	}
	for began := time.Now(); !strings.Contains(w.must(1, "notice", "list"), "No notice is pending"); time.Sleep(200 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatal(w.must(1, "notice", "list"))
		}
	}
}
