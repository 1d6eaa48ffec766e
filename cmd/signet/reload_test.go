package main

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"signet/provider/admin"
)

// reload has the server of a data folder reload, and returns what it says.
func reload(t *testing.T, data string) (admin.Reloaded, error) {
	t.Helper()
	var r admin.Reloaded
	err := admin.OverSocket(data).Do(t.Context(), http.MethodPost, nil, &r, "reload")
	return r, err
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

const (
	reloadSecret   = "0123456789abcdef0123456789abcdef"
	reloadPassword = "correct horse battery staple"
)

// visitor is a person's browser and the app that the person signs in to.
type visitor struct {
	t       *testing.T
	issuer  string
	browser *http.Client
	refresh string
}

var action = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)

// signIn goes through the page, as a browser would.
func (v *visitor) signIn() {
	v.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		v.t.Fatal(err)
	}
	stop := errors.New("at the app")
	v.browser = &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "app.example" {
			return stop
		}
		return nil
	}}
	page, err := v.browser.Get(v.issuer + "/authorize?" + url.Values{
		"client_id": {"shop"}, "redirect_uri": {"https://app.example/cb"}, "response_type": {"code"}, "scope": {"openid offline_access"},
	}.Encode())
	if err != nil {
		v.t.Fatal(err)
	}
	defer page.Body.Close()
	body, _ := io.ReadAll(page.Body)
	form := action.FindSubmatch(body)
	if form == nil {
		v.t.Fatalf("no form in %s", body)
	}
	_, err = v.browser.PostForm(v.issuer+strings.ReplaceAll(string(form[1]), "&amp;", "&"), url.Values{"username": {"alice"}, "password": {reloadPassword}})
	var at *url.Error
	if !errors.As(err, &at) || !errors.Is(err, stop) {
		v.t.Fatalf("not back at the app: %v", err)
	}
	back, err := url.Parse(at.URL)
	if err != nil || back.Query().Get("code") == "" {
		v.t.Fatalf("no code in %s", at.URL)
	}
	v.token(url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {"https://app.example/cb"}})
}

func (v *visitor) token(form url.Values) {
	r, err := http.NewRequest(http.MethodPost, v.issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Error(err)
		return
	}
	r.SetBasicAuth("shop", reloadSecret)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var answer struct {
		Refresh string `json:"refresh_token"`
	}
	status, body := v.ask(r)
	if err := json.Unmarshal(body, &answer); status != http.StatusOK || err != nil || answer.Refresh == "" {
		v.t.Errorf("token: %d %s", status, body)
		return
	}
	v.refresh = answer.Refresh
}

func (v *visitor) ask(r *http.Request) (int, []byte) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		v.t.Error(err)
		return 0, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Error(err)
	}
	return resp.StatusCode, body
}

// Twenty reloads, each with other settings, while people refresh, apps introspect and gateways fetch keys: no request fails, and nobody
// is signed out. Algorithms come and go meanwhile, even the one that access tokens are signed with.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "signet.yaml")
	writeFile(t, filepath.Join(dir, "secret"), reloadSecret)
	writeFile(t, filepath.Join(dir, "password"), reloadPassword)
	port := freePort(t)
	configured := func(n int) string {
		algorithm := []string{"ES256", "EdDSA"}[n%2]
		return fmt.Sprintf(`
issuer: http://127.0.0.1:%s
listen: 127.0.0.1:%s
data: %s
registration: %s
rate_limits: {address: %d/s burst 100000}
trusted_proxy: 10.0.0.%d
keys: {algorithms: [RS256, %s]}
access_tokens: {algorithm: %s}
lifetimes: {access_token: %dm}
log: {level: %s}
clients:
  - {id: shop, type: web, pkce: optional, client_name: Shop %d, redirect_uris: [https://app.example/cb], secret_file: %s/secret, trusted: true}
users:
  - {username: alice, password_file: %s/password}
`, port, port, data, []string{"off", "open"}[n%2], 1000+n, n+1, algorithm, algorithm, 5+n, []string{"info", "warn"}[n%2], n, dir, dir)
	}
	writeFile(t, file, configured(0))
	p := start(t, "serve", "--config", file)
	issuer := "http://127.0.0.1:" + port

	var asked atomic.Int64
	stop := make(chan struct{})
	var load sync.WaitGroup
	meanwhile := func(act func()) {
		load.Go(func() {
			for !t.Failed() {
				select {
				case <-stop:
					return
				default:
					act()
					asked.Add(1)
				}
			}
		})
	}
	for range 3 {
		v := &visitor{t: t, issuer: issuer}
		v.signIn()
		meanwhile(func() { v.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {v.refresh}}) })
	}
	v := &visitor{t: t, issuer: issuer}
	for _, path := range []string{"/jwks", "/.well-known/openid-configuration", "/readyz"} {
		meanwhile(func() {
			r, _ := http.NewRequest(http.MethodGet, issuer+path, nil)
			if status, body := v.ask(r); status != http.StatusOK {
				t.Errorf("%s: %d %s", path, status, body)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	for n := range 20 {
		writeFile(t, file, configured(n+1))
		if r, err := reload(t, data); err != nil || len(r.Changed) < 8 {
			t.Errorf("reload %d: %v, %v", n, r.Changed, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	// Several at once go one by one, and one that is wrong in between does no harm.
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if _, err := reload(t, data); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	writeFile(t, file, configured(99)+"unknown: 1\n")
	var refused *admin.Error
	if _, err := reload(t, data); !errors.As(err, &refused) || refused.Status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong file: %v", err)
	}
	for began := time.Now(); asked.Load() < 50 && !t.Failed(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Errorf("only %d requests were answered meanwhile", asked.Load())
		}
	}
	close(stop)
	load.Wait()
	t.Logf("%d requests", asked.Load())
	p.stop()
	if strings.Contains(p.out.String(), `"level":"ERROR","msg":"request"`) || strings.Contains(p.out.String(), "panic") {
		t.Errorf("%s", p.out)
	}
}

// What the store refuses midway is undone, as far as that can be.
func TestReloadThatTheStoreRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "signet.yaml")
	configure := func(clients ...string) {
		text := fmt.Sprintf("listen: 127.0.0.1:0\nissuer: http://127.0.0.1:8080\ndata: %s\nkeys: {algorithms: [RS256, ES256, ES384]}\nclients:\n", data)
		if len(clients) == 2 {
			text = strings.Replace(text, ", ES384", "", 1)
		}
		for _, c := range clients {
			id, name, _ := strings.Cut(c, "=")
			text += fmt.Sprintf("  - {id: %s, client_name: %s, type: spa, redirect_uris: [https://app.example/cb]}\n", id, name)
		}
		writeFile(t, file, text)
	}
	signet := func(args ...string) string {
		out := &syncBuffer{}
		if code := run(t.Context(), append(args, "--data", data), strings.NewReader(""), out, out, nil); code != done {
			t.Fatalf("%v: %s", args, out)
		}
		return out.String()
	}
	configure("a=A", "b=B")
	p := start(t, "serve", "--config", file)
	defer p.stop()
	configure("a=A")
	if r, err := reload(t, data); err != nil || fmt.Sprint(r.Changed) != "[keys.algorithms clients]" {
		t.Fatalf("%v, %v", r.Changed, err)
	}
	signet("client", "remove", "b")
	algorithms := signet("key", "list")

	configure("a=Renamed", "b=B") // b's id is never given again
	_, err := reload(t, data)
	if err == nil || !strings.Contains(err.Error(), "the declared clients: b: ") || !strings.Contains(err.Error(), "a client that was removed had this id") {
		t.Errorf("%v", err)
	}
	if shown := signet("client", "show", "a"); !strings.Contains(shown, "client_name") || strings.Contains(shown, "Renamed") {
		t.Errorf("not as before: %s", shown)
	}
	if got := signet("key", "list"); got != algorithms {
		t.Errorf("keys are not as before: %s, but %s", algorithms, got)
	}

	configure("a=A")
	key := filepath.Join(data, masterName)
	kept, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, key, base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n")
	if _, err := reload(t, data); err == nil || !strings.Contains(err.Error(), "master_key_file") {
		t.Errorf("another master key: %v", err)
	}
	writeFile(t, key, string(kept))
	if r, err := reload(t, data); err != nil || len(r.Changed) != 0 {
		t.Errorf("%v, %v", r.Changed, err)
	}
}

func TestReloadTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "signet.yaml")
	folder := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		selfSigned(t, path, name)
		return path
	}
	first, second := folder("first"), folder("second")
	configure := func(cert, key string) {
		writeFile(t, file, fmt.Sprintf("issuer: https://127.0.0.1:8443\nlisten: 127.0.0.1:0\ndata: %s\ntls_cert: %s/tls.crt\ntls_key: %s/tls.key\n", data, cert, key))
	}
	configure(first, first)
	p := start(t, "serve", "--config", file)
	defer p.stop()
	shown := func() string {
		conn, err := tls.Dial("tcp", p.listening(), &tls.Config{InsecureSkipVerify: true}) // it is looked at
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	is := func(want string, changed ...string) {
		t.Helper()
		r, err := reload(t, data)
		if changed == nil && err == nil || changed != nil && (err != nil || fmt.Sprint(r.Changed) != fmt.Sprint(changed)) {
			t.Errorf("changed %v, %v; want %v", r.Changed, err, changed)
		}
		if got := shown(); got != want {
			t.Errorf("the certificate is %s's; want %s's", got, want)
		}
	}
	configure(second, first)
	is("first") // the halves do not belong together
	configure(second, second)
	is("second", "tls_cert", "tls_key")
	selfSigned(t, second, "third") // the same files, renewed
	is("third", "tls_cert")
	writeFile(t, filepath.Join(second, "tls.key"), "half a k")
	is("third")
	if err := os.Remove(filepath.Join(second, "tls.crt")); err != nil {
		t.Fatal(err)
	}
	is("third")
	writeFile(t, file, fmt.Sprintf("issuer: https://127.0.0.1:8443\nlisten: 127.0.0.1:0\ndata: %s\ntrusted_proxy: 127.0.0.1\n", data))
	is("third") // TLS itself stays on
}

// SIGHUP at any time ends nothing: while the server starts, while it answers, while it ends.
func TestHangup(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	port := freePort(t)
	cmd := exec.Command("signet", "serve", "--issuer", "http://127.0.0.1:"+port, "--listen", "127.0.0.1:"+port, "--data", data)
	out := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	hangup := func(n int, pause time.Duration) {
		for range n {
			_ = cmd.Process.Signal(syscall.SIGHUP)
			time.Sleep(pause)
		}
	}
	for n := 0; missing(data) && n < 6000; n++ { // until then it may be Go's own start
		time.Sleep(10 * time.Millisecond)
	}
	for began := time.Now(); !strings.Contains(out.String(), `"msg":"ready"`); hangup(1, 5*time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("not ready: %s", out)
		}
		select {
		case err := <-ended:
			t.Fatalf("ended while starting: %v: %s", err, out)
		default:
		}
	}
	hangup(50, time.Millisecond)
	const reloaded = `"msg":"the configuration was reloaded","by":"SIGHUP"`
	for n := 0; !strings.Contains(out.String(), reloaded) && n < 6000; n++ { // or the end comes before it
		time.Sleep(10 * time.Millisecond)
	}
	conn, err := net.Dial("tcp", "127.0.0.1:"+port) // a request under way holds the end up
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	begun(t, conn)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	hangup(50, time.Millisecond)
	conn.Close()
	hangup(50, time.Millisecond)
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
	case <-time.After(time.Minute):
		t.Error("it does not end")
	}
	if s := out.String(); !strings.Contains(s, reloaded) || strings.Contains(s, "panic") || !strings.Contains(s, `"msg":"ended"`) {
		t.Errorf("%s", s)
	}
}
