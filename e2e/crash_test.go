package e2e

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"text/template"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/oauth2"

	"signet/clients"
	"signet/users"
)

// The crash test's shape. The machine's disk cache survives a kill -9; that a commit reaches the disk is for storage/bolt to show.
const (
	rounds    = 10
	refreshes = 8                    // lines that are refreshed at the same time
	password  = "it is the only one" // of the one user
	shortest  = 100 * time.Millisecond
	longest   = 700 * time.Millisecond
)

// TestCrash kills the real server under load, again and again, and holds it to what it answered before. RFC 6749 says nothing of crashes;
// the promise is ours: durable before answered.
func TestCrash(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds or more")
	}
	t.Parallel()
	w := newCrashing(t)
	w.start()
	w.user = newAgent("alice", password)
	for i := range w.lines {
		w.lines[i] = w.newLine()
	}
	for round := range rounds {
		w.loadAndKill()
		if round%3 == 2 { // and once more while it is coming up
			w.launch()
			time.Sleep(time.Duration(w.random.Int64N(int64(shortest))))
			w.server.end(os.Kill)
		}
		w.start()
		w.check(round)
		t.Logf("round %d: %d refreshes acknowledged, %d cut off, %d of them after they were done; %d codes spent; %d tokens must stay dead",
			round, w.acknowledged, w.unanswered, w.done, w.codes, len(w.ended))
	}
	if w.acknowledged < rounds*refreshes || w.unanswered == 0 {
		t.Errorf("%d refreshes acknowledged, %d cut off: this tested nothing", w.acknowledged, w.unanswered)
	}
	if state := w.server.end(syscall.SIGTERM); state.ExitCode() != 0 {
		t.Errorf("SIGTERM: %v\n%s", state, w.server.printed())
	}
	w.checkFile()
}

// crashing is a server that is killed, and what it has acknowledged.
type crashing struct {
	t      *testing.T
	folder string
	issuer string
	config *oauth2.Config
	random *rand.Rand
	server *process
	ctx    context.Context // with an HTTP client of this server's life
	user   *agent

	lines [refreshes]*line
	spent []*redeemed // since the last check
	ended []string    // refresh tokens of families that have ended; none may ever work again

	acknowledged, unanswered, done, codes int

	answered atomic.Int64 // refreshes under load
}

// line is one line of refresh tokens.
type line struct {
	refresh []string // acknowledged, the current one last
	access  string   // the last one acknowledged
	lost    bool     // the last request was not answered
}

// redeemed is a code that was redeemed, and whether what came of it was revoked.
type redeemed struct {
	code, verifier, refresh string
	revoked                 bool
}

var crashConfig = template.Must(template.New("").Parse(`issuer: {{.Issuer}}
listen: {{.Listen}}
data: data
lifetimes:
  refresh_reuse_window: 60s   # longer than a restart on a busy machine
log:
  level: warn
clients:
  - id: crash
    type: web
    client_name: Crash
    redirect_uris: [https://app.example/cb]
    secret_hash: {{.Secret}}
    trusted: true
users:
  - username: alice
    email: alice@example.com
    password_hash: {{.Password}}
`))

func newCrashing(t *testing.T) *crashing {
	n := *seed
	if n == 0 {
		n = time.Now().UnixNano()
	}
	t.Logf("-seed %d", n)
	secret, secretHash := clients.NewSecret()
	passwordHash, err := users.HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	listen := "127.0.0.1:" + freePort(t)
	w := &crashing{t: t, folder: t.TempDir(), issuer: "http://" + listen, random: rand.New(rand.NewPCG(uint64(n), 0))}
	w.config = &oauth2.Config{
		ClientID: "crash", ClientSecret: secret, Endpoint: endpoint(w.issuer), RedirectURL: "https://app.example/cb",
		Scopes: []string{"openid", "offline_access"},
	}
	var file strings.Builder
	if err := crashConfig.Execute(&file, map[string]string{
		"Issuer": w.issuer, "Listen": listen, "Secret": hex.EncodeToString(secretHash[:]), "Password": passwordHash,
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.folder, "signet.yaml"), []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *crashing) launch() {
	w.server = start(w.t, w.folder, w.folder, "serve", "--config", "signet.yaml")
}

// start starts the server and waits until it is ready: the store has opened.
func (w *crashing) start() {
	w.t.Helper()
	w.launch()
	client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	w.ctx = context.WithValue(w.t.Context(), oauth2.HTTPClient, client)
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		resp, err := client.Get(w.issuer + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-w.server.ended:
			w.t.Fatalf("signet does not start again: %v\n%s", w.server.cmd.ProcessState, w.server.printed())
		default:
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("signet is not ready: %v\n%s", err, w.server.printed())
		}
	}
}

func (w *crashing) newLine() *line {
	w.t.Helper()
	token, err := w.user.signIn(w.ctx, w.config)
	if err != nil {
		w.t.Fatalf("sign-in: %v", err)
	}
	return &line{refresh: []string{token.RefreshToken}, access: token.AccessToken}
}

// loadAndKill uses the server from many sides until it dies.
func (w *crashing) loadAndKill() {
	w.t.Helper()
	const enough = 2 * refreshes
	w.answered.Store(0)
	var wg sync.WaitGroup
	for _, l := range w.lines {
		wg.Go(func() {
			if err := w.refreshUntilDead(l); err != nil {
				w.t.Errorf("refresh: %v", err)
			}
		})
	}
	wg.Go(func() {
		if err := w.redeemUntilDead(); err != nil {
			w.t.Errorf("code: %v", err)
		}
	})
	time.Sleep(shortest + time.Duration(w.random.Int64N(int64(longest-shortest))))
	for began := time.Now(); w.answered.Load() < enough && !w.t.Failed() && time.Since(began) < patience; { // a slow machine needs longer for as much
		time.Sleep(time.Millisecond)
	}
	w.server.end(os.Kill)
	wg.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
	for _, l := range w.lines {
		if l.lost {
			w.unanswered++
		}
	}
}

// refreshUntilDead refreshes and keeps every answer. Only the server's death is no error.
func (w *crashing) refreshUntilDead(l *line) error {
	for {
		l.lost = true
		token, err := refreshed(w.ctx, w.config, l.refresh[len(l.refresh)-1])
		switch {
		case dead(err):
			return nil
		case err != nil:
			return err
		}
		l.take(token)
		w.answered.Add(1)
	}
}

func (l *line) take(t *oauth2.Token) {
	l.refresh, l.access, l.lost = append(l.refresh, t.RefreshToken), t.AccessToken, false
}

// redeemUntilDead redeems one code after the other, and revokes what came of every second one.
func (w *crashing) redeemUntilDead() error {
	for n := 0; ; n++ {
		r := &redeemed{}
		var err error
		if r.code, r.verifier, err = w.user.code(w.ctx, w.config); err == nil {
			var token *oauth2.Token
			if token, err = w.config.Exchange(w.ctx, r.code, oauth2.VerifierOption(r.verifier)); err == nil {
				r.refresh = token.RefreshToken
				w.spent = append(w.spent, r)
				if n%2 == 0 {
					err = revoke(w.ctx, w.issuer+"/revoke", w.config.ClientID, w.config.ClientSecret, r.refresh)
					r.revoked = err == nil
				}
			}
		}
		switch {
		case dead(err):
			return nil
		case err != nil:
			return err
		}
	}
}

// dead reports whether a request failed because nobody answered.
func dead(err error) bool {
	var transport *url.Error
	return errors.As(err, &transport)
}

// check holds the restarted server to all that was acknowledged.
func (w *crashing) check(round int) {
	w.t.Helper()
	for _, l := range w.lines {
		w.acknowledged += len(l.refresh) - 1
		w.checkLine(l)
	}
	for _, r := range w.spent {
		w.checkRedeemed(r)
	}
	w.codes += len(w.spent)
	w.spent = nil

	// One line is given up: an old generation is theft, now as before the crash, and ends the family.
	n := round % refreshes
	if old := w.lines[n]; len(old.refresh) >= 4 {
		w.refused("a refresh token of two generations ago", old.refresh[len(old.refresh)-3])
		w.ended = append(w.ended, old.refresh...)
	}
	for _, token := range w.ended {
		w.refused("a refresh token of an ended family", token)
	}
	for i := range w.lines { // new ones, so that the lists stay short
		if i == n {
			w.lines[i] = w.newLine()
		}
		w.lines[i].refresh = w.lines[i].refresh[len(w.lines[i].refresh)-1:]
	}
	if w.t.Failed() {
		w.t.FailNow()
	}
}

// checkLine: the last acknowledged tokens work. Where a request was cut off the family may have moved on; then the same token gives the
// successor that got lost.
func (w *crashing) checkLine(l *line) {
	w.t.Helper()
	if err := w.userinfo(l.access); err != nil {
		w.t.Errorf("the last acknowledged access token: %v", err)
	}
	last := l.refresh[len(l.refresh)-1]
	current, err := w.active(last)
	if err != nil {
		w.t.Errorf("introspection: %v", err)
	}
	if !current {
		w.done++
	}
	token, err := refreshed(w.ctx, w.config, last)
	if err != nil {
		w.t.Errorf("the last acknowledged refresh token of %d (cut off: %v): %v", len(l.refresh), l.lost, err)
		return
	}
	l.take(token)
}

// checkRedeemed: what was revoked stays so, what was not lives; and a code that was spent stays spent, which ends its family.
func (w *crashing) checkRedeemed(r *redeemed) {
	w.t.Helper()
	if r.revoked {
		w.refused("a revoked refresh token", r.refresh)
	} else if _, err := refreshed(w.ctx, w.config, r.refresh); err != nil && !w.revoking(r) {
		w.t.Errorf("a refresh token that was just issued: %v", err)
	}
	if _, err := w.config.Exchange(w.ctx, r.code, oauth2.VerifierOption(r.verifier)); refusal(err) != "invalid_grant" {
		w.t.Errorf("a code that was spent: %v", err)
	}
	w.ended = append(w.ended, r.refresh)
}

// revoking reports whether r is the last one, whose revocation may have happened without an answer.
func (w *crashing) revoking(r *redeemed) bool { return r == w.spent[len(w.spent)-1] }

func (w *crashing) refused(what, token string) {
	w.t.Helper()
	if _, err := refreshed(w.ctx, w.config, token); refusal(err) != "invalid_grant" {
		w.t.Errorf("%s is not refused: %v", what, err)
	}
}

// userinfo takes an access token: its key, its family and its user are there.
func (w *crashing) userinfo(accessToken string) error {
	resp, err := w.config.Client(w.ctx, &oauth2.Token{AccessToken: accessToken}).Get(w.issuer + "/userinfo")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("userinfo: %s, %s", resp.Status, resp.Header.Get("WWW-Authenticate"))
	}
	return nil
}

// active is what introspection says: of a refresh token, whether it is the current one.
func (w *crashing) active(token string) (bool, error) {
	resp, err := post(w.ctx, w.issuer+"/introspect", w.config.ClientID, w.config.ClientSecret, token)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	var answer struct {
		Active bool `json:"active"`
	}
	err = json.NewDecoder(resp.Body).Decode(&answer)
	return answer.Active, err
}

// checkFile looks at the pages of the store itself.
func (w *crashing) checkFile() {
	w.t.Helper()
	db, err := bbolt.Open(filepath.Join(w.folder, "data", "signet.db"), 0o600, &bbolt.Options{ReadOnly: true, Timeout: patience})
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(func(tx *bbolt.Tx) error {
		var faults []error
		for err := range tx.Check() {
			faults = append(faults, err)
		}
		return errors.Join(faults...)
	}); err != nil {
		w.t.Error(err)
	}
}
