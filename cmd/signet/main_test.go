package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"signet/storage/postgres/postgrestest"
)

// The scripts in testdata are the manual: each begins with what it is about, and every command in them is run as written.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"signet": main})
}

func TestManual(t *testing.T) {
	t.Parallel()
	testscript.Run(t, manual(t, "testdata", func(e *testscript.Env) error {
		return os.CopyFS(filepath.Join(e.WorkDir, "prepared"), os.DirFS(preparedFolder(t)))
	}))
}

// TestManualOnPostgres runs what needs a database, whose URL the script finds in POSTGRES, or POSTGRES_TO, POSTGRES_TOO and POSTGRES_LOG where it shall be empty.
func TestManualOnPostgres(t *testing.T) {
	t.Parallel()
	database, empty, another, logged := postgrestest.Database(t), postgrestest.Database(t), postgrestest.Database(t), postgrestest.Database(t)
	testscript.Run(t, manual(t, "testdata/postgres", func(e *testscript.Env) error {
		e.Setenv("POSTGRES", database)
		e.Setenv("POSTGRES_TO", empty)
		e.Setenv("POSTGRES_TOO", another)
		e.Setenv("POSTGRES_LOG", logged)
		return nil
	}))
}

func manual(t *testing.T, dir string, setup func(*testscript.Env) error) testscript.Params {
	return testscript.Params{
		Dir: dir,
		Setup: func(e *testscript.Env) error {
			e.Setenv("TZ", "UTC")
			for _, name := range []string{"PORT", "PORT2"} {
				e.Setenv(name, freePort(t))
			}
			return setup(e)
		},
		Condition: func(name string) (bool, error) {
			if name != "root" {
				return false, fmt.Errorf("no condition %q", name)
			}
			return os.Geteuid() == 0, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"refused":  exits(refused),
			"misused":  exits(usage),
			"await":    await,
			"data":     data,
			"keep":     keep,
			"send":     send,
			"register": register,
		},
	}
}

// exits wants a command to end with a code, and something on standard error.
func exits(code int) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) == 0 {
			ts.Fatalf("usage: refused|misused command…")
		}
		err := ts.Exec(args[0], args[1:]...)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != code {
			ts.Fatalf("%v: %v; want exit status %d", args, err, code)
		}
		if stderr := ts.ReadFile("stderr"); !strings.HasPrefix(stderr, "signet: ") {
			ts.Fatalf("standard error does not begin with the program's name: %q", stderr)
		}
	}
}

// await waits until a URL answers 200, or another status.
func await(ts *testscript.TestScript, _ bool, args []string) {
	want := "200"
	if len(args) > 1 {
		want = args[1]
	}
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(50 * time.Millisecond) {
		if resp, err := http.Get(args[0]); err == nil {
			resp.Body.Close()
			if fmt.Sprint(resp.StatusCode) == want {
				return
			}
		}
	}
	ts.Fatalf("%s does not answer %s", args[0], want)
}

// data makes a data folder as a first start leaves it.
func data(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.CopyFS(dir, os.DirFS(ts.MkAbs("prepared"))))
	ts.Check(os.Chmod(dir, 0o700))
	ts.Check(filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	}))
}

// keep puts what a member of the JSON on standard output says, or what follows a name in columns, into a variable.
func keep(ts *testscript.TestScript, _ bool, args []string) {
	variable, name, out := args[0], args[1], ts.ReadFile("stdout")
	var members map[string]any
	if json.Unmarshal([]byte(out), &members) == nil {
		ts.Setenv(variable, fmt.Sprint(members[name]))
		return
	}
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `\s+(\S+)`).FindStringSubmatch(out)
	if m == nil {
		ts.Fatalf("no %s in %s", name, out)
	}
	ts.Setenv(variable, m[1])
}

// send asks a path of the server with a client's id and secret, and wants a status.
func send(ts *testscript.TestScript, _ bool, args []string) {
	want, url, id, secret := args[0], args[1], args[2], args[3]
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader("token=x"))
	ts.Check(err)
	req.SetBasicAuth(id, secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	resp.Body.Close()
	if got := fmt.Sprint(resp.StatusCode); got != want {
		ts.Fatalf("%s: %s; want %s", url, got, want)
	}
}

// register lets an app register itself, with a token unless that is "-".
func register(ts *testscript.TestScript, _ bool, args []string) {
	want, url, token := args[0], args[1], args[2]
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(`{"redirect_uris":["https://self.example.com/cb"],"client_name":"Self made"}`))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	if token != "-" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	resp.Body.Close()
	if got := fmt.Sprint(resp.StatusCode); got != want {
		ts.Fatalf("%s: %s; want %s", url, got, want)
	}
}

// preparedFolder is a data folder after a first start, made once: keys take a second.
var preparedFolder = func() func(t *testing.T) string {
	var once sync.Once
	var dir string
	return func(t *testing.T) string {
		once.Do(func() {
			dir = filepath.Join(t.TempDir(), "data")
			p := start(t, "serve", "--data", dir, "--listen", "localhost:0")
			p.stop()
		})
		return dir
	}
}()

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// program is a whole program that runs in this process.
type program struct {
	t      *testing.T
	cancel context.CancelFunc
	ended  chan int
	out    *syncBuffer
}

// start starts one and waits until it is ready.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{t, cancel, make(chan int, 1), &syncBuffer{}}
	go func() { p.ended <- run(ctx, args, strings.NewReader(""), p.out, p.out, nil) }()
	for began := time.Now(); time.Since(began) < time.Minute; {
		select {
		case code := <-p.ended:
			t.Fatalf("%v ended with %d: %s", args, code, p.out)
		case <-time.After(20 * time.Millisecond):
		}
		if strings.Contains(p.out.String(), "ready") {
			t.Cleanup(cancel)
			return p
		}
	}
	cancel()
	t.Fatalf("%v does not get ready: %s", args, p.out)
	return nil
}

func (p *program) stop() {
	p.t.Helper()
	p.cancel()
	select {
	case code := <-p.ended:
		if code != done {
			p.t.Errorf("ended with %d: %s", code, p.out)
		}
	case <-time.After(time.Minute):
		p.t.Error("does not end")
	}
}

// listening is the first address that the log says.
func (p *program) listening() string {
	p.t.Helper()
	m := regexp.MustCompile(`"listen":\["([^"]+)"`).FindStringSubmatch(p.out.String())
	if m == nil {
		p.t.Fatalf("no address in %s", p.out)
	}
	return m[1]
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T, dir, name string) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return certFile, keyFile, pool
}
