package e2e

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	update   = flag.Bool("update", false, "paint docs/images anew")
	pictures = flag.String("pictures", "", "with -update: folder for the pictures that are for looking at alone")
	seed     = flag.Int64("seed", 0, "of the crash test; 0: any")
)

// buildDir is where the program is built; removed at the end.
var buildDir string

func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if buildDir, err = os.MkdirTemp("", "e2e-build-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(buildDir)
	os.Exit(code)
}

// program is the real binary, built when it is first needed.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "signet")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", path, "signet/cmd/signet").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building signet: %w\n%s", err, out)
	}
	return path, nil
})

// process is a running signet. It is killed at the end of the test if it still runs.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	ended chan struct{}

	mutex  sync.Mutex
	output bytes.Buffer // both streams
}

// Write takes what the process prints.
func (p *process) Write(b []byte) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.output.Write(b)
}

func (p *process) printed() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.output.String()
}

// start runs signet in the folder, with temp for its temporary files and nothing else in its environment that concerns it.
func start(t *testing.T, folder, temp string, args ...string) *process {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(path, args...), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = folder, p, p
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SIGNET_") && !strings.HasPrefix(v, "TMPDIR=") {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	p.cmd.Env = append(p.cmd.Env, "TMPDIR="+temp)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the exit code is in ProcessState
		close(p.ended)
	}()
	t.Cleanup(func() { p.end(os.Kill) })
	return p
}

// await waits until the process has printed what the pattern describes, and returns its groups.
func (p *process) await(pattern *regexp.Regexp) []string {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if found := pattern.FindStringSubmatch(p.printed()); found != nil {
			return found
		}
		select {
		case <-p.ended:
			p.t.Fatalf("signet ended (%v) and printed\n%s", p.cmd.ProcessState, p.printed())
		default:
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("signet did not print %v but\n%s", pattern, p.printed())
		}
	}
}

// end sends a signal and waits for the end.
func (p *process) end(signal os.Signal) *os.ProcessState {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH) {
		p.t.Errorf("%v: %v", signal, err)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Errorf("signet goes on after %v", signal)
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	return p.cmd.ProcessState
}

// freePort is a port of 127.0.0.1 that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
