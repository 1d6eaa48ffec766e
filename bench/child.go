package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"
)

// What is measured runs in child processes, this same program with taskVariable set, so that each one's CPU time can be told from the
// load's. A child says in one line of JSON what it is. Then it does what each line on its standard input says, answers it with what it
// has used until then, and ends when its standard input does: it cannot outlive its parent.
const taskVariable = "BENCH_TASK"

// The lines that a child obeys. An empty one does nothing, and is answered all the same.
const (
	profileTo    = "profile "       // and a file: a CPU profile goes there from now on
	accessTokens = "access-tokens " // and an algorithm: access tokens are signed with it from now on
)

// task is what a child is to be.
type task struct {
	Role    string // of the table roles
	Address string // where it listens, host:port; that of a provider is in its tokens
	Folder  string // of the store, and of the log
	URL     string // of the PostgreSQL database that is the store instead; ""
	Log     bool   // the provider writes its request log
	Lines   int    // how many users and lines of refresh tokens are put into the store

	// Of a gate: the address of the provider, the API that it is before, and the client that it asks as.
	Issuer, Resource string
	Caller           credentials
}

// greeting is the child's first line.
type greeting struct {
	Address string `json:",omitzero"` // where a server listens
	URL     string `json:",omitzero"` // of a database
	Seed    seed   `json:",omitzero"` // what was put into a store
}

// used is what a process has used until now: CPU time, of user and system, and what it has of the machine's memory.
type used struct {
	CPU      time.Duration
	Resident int64 // bytes
}

// child is a process.
type child struct {
	greeting
	process *exec.Cmd
	ask     io.WriteCloser
	answers *bufio.Reader
	alg     string // that access tokens are signed with
}

func start(t task) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	told, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	c := &child{process: exec.Command(program), alg: defaultAlg}
	c.process.Env = append(os.Environ(), taskVariable+"="+string(told))
	c.process.Stderr = os.Stderr
	if c.ask, err = c.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.answers = bufio.NewReader(out)
	if err := c.process.Start(); err != nil {
		return nil, err
	}
	line, err := c.answers.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &c.greeting)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the %s did not start: %w", t.Role, err), c.stop())
	}
	return c, nil
}

// used is what the child has used until now. A nil child has used nothing.
func (c *child) used() (used, error) {
	if c == nil {
		return used{}, nil
	}
	return c.tell("")
}

// profile has the child write a profile of its CPU time from now on.
func (c *child) profile(path string) error {
	_, err := c.tell(profileTo + path)
	return err
}

// sign has a provider sign access tokens with an algorithm.
func (c *child) sign(alg string) error {
	if alg == c.alg {
		return nil
	}
	c.alg = alg
	_, err := c.tell(accessTokens + alg)
	return err
}

func (c *child) tell(line string) (u used, err error) {
	if _, err := io.WriteString(c.ask, line+"\n"); err != nil {
		return u, err
	}
	told, err := c.answers.ReadBytes('\n')
	if err != nil {
		return u, err
	}
	return u, json.Unmarshal(told, &u)
}

func (c *child) stop() error {
	c.ask.Close()
	return c.process.Wait()
}

// serve is the child's side of a server: it serves the handler until the parent has enough. does does what the lines say that not all servers
// know.
func serve(address string, handler http.Handler, does func(line string) error) error {
	if err := pinned(first); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if err := obey(greeting{Address: listener.Addr().String()}, own, does); err != nil {
		return err
	}
	server.Close()
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// pinned keeps a server on one core.
func pinned(pick core) error {
	_, err := pin(pick)
	runtime.GOMAXPROCS(1)
	return err
}

// obey greets the parent and answers its lines.
func obey(g greeting, uses func() (used, error), does func(line string) error) error {
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(g); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		line := lines.Text()
		if path, ok := strings.CutPrefix(line, profileTo); ok {
			profile, err := os.Create(path)
			if err != nil {
				return err
			}
			defer profile.Close()
			if err := pprof.StartCPUProfile(profile); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
		} else if line != "" {
			if err := does(line); err != nil {
				return err
			}
		}
		u, err := uses()
		if err != nil {
			return err
		}
		if err := out.Encode(u); err != nil {
			return err
		}
	}
	return lines.Err()
}

// own is what this process has used.
func own() (used, error) {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return used{}, err
	}
	return used{CPU: time.Duration(use.Utime.Nano() + use.Stime.Nano()), Resident: resident(os.Getpid())}, nil
}

// deaf is a child that knows no lines of its own.
func deaf(line string) error { return fmt.Errorf("what is %q?", line) }
