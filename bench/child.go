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
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A server runs in a child process, this same program with roleVariable set, so that its CPU time can be told from the load's. The child
// says in one line of JSON where it listens. Then it answers each line on its standard input with the CPU time that it has used so
// far, in microseconds, and ends when its standard input does: it cannot outlive its parent. A line that is not empty names the file that a
// CPU profile goes to from now on.
const (
	roleVariable = "SIGNET_BENCH_ROLE"
	logVariable  = "SIGNET_BENCH_LOG"
)

// greeting is the child's first line.
type greeting struct {
	Address string // host:port
	Seed    seed   `json:",omitzero"` // of a provider
}

// child is a server's process.
type child struct {
	greeting
	process *exec.Cmd
	ask     io.WriteCloser
	answers *bufio.Reader
}

func start(role string, s settings) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{process: exec.Command(program)}
	c.process.Env = append(os.Environ(), roleVariable+"="+role, logVariable+"="+strconv.FormatBool(s.log))
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
		return nil, errors.Join(fmt.Errorf("the %s did not start: %w", role, err), c.stop())
	}
	return c, nil
}

// cpu is the CPU time that the child has used until now, user and system.
func (c *child) cpu() (time.Duration, error) { return c.tell("") }

// profile has the child write a profile of its CPU time from now on.
func (c *child) profile(path string) error {
	_, err := c.tell(path)
	return err
}

func (c *child) tell(line string) (time.Duration, error) {
	if _, err := io.WriteString(c.ask, line+"\n"); err != nil {
		return 0, err
	}
	told, err := c.answers.ReadString('\n')
	if err != nil {
		return 0, err
	}
	micros, err := strconv.ParseInt(strings.TrimSpace(told), 10, 64)
	return time.Duration(micros) * time.Microsecond, err
}

func (c *child) stop() error {
	c.ask.Close()
	return c.process.Wait()
}

// serve is the child's side: it serves the handler until the parent has enough.
func serve(handler http.Handler, hello func(address string) (greeting, error)) error {
	if _, err := pin(first); err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	g, err := hello(listener.Addr().String())
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if err := json.NewEncoder(os.Stdout).Encode(g); err != nil {
		return err
	}
	if err := obey(os.Stdin, os.Stdout); err != nil {
		return err
	}
	server.Close()
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// obey answers the parent's lines.
func obey(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if path := lines.Text(); path != "" {
			profile, err := os.Create(path)
			if err != nil {
				return err
			}
			defer profile.Close()
			if err := pprof.StartCPUProfile(profile); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
		}
		fmt.Fprintln(out, cpuTime().Microseconds())
	}
	return lines.Err()
}

// cpuTime is the CPU time of this process.
func cpuTime() time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		panic(err) // only for arguments that are no use
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
