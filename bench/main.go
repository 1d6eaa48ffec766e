// Command bench measures a whole Signet under load, beside what no Go server can be faster than.
//
//	go run ./bench                                  all of it, in a minute and a half
//	go run ./bench -run refresh -rounds 30          some rows, and the floor that each is compared with
//	go run ./bench -cpuprofile cpu.out -run refresh and where the time goes
//
// It starts two servers as processes of their own, on loopback: the provider, on a bbolt file in a temporary folder, and the floor, a
// bare net/http server that answers with a document of fixed bytes or reads a form and signs one JWT. Closed-loop connections
// (keep-alive, HTTP/1.1) ask each of them in turn, in short interleaved rounds, and the medians are printed. What is measured is CPU
// time of the server's process for each right answer, as the kernel counts it: this figure hardly depends on what else the machine
// does. The last column divides it by the floor's of the same round, which takes the machine itself out. Rates and latencies
// are true only on a machine that is otherwise idle.
//
// On Linux the servers run on the first core and the load on the last, each with GOMAXPROCS=1.
//
// Every refresh and every code is on the disk before it is answered. The temporary folder therefore has to be on a real disk (set TMPDIR).
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"time"
)

// roles are what a child process can be.
var roles = map[string]func() error{"provider": provide, "floor": serveFloor}

// settings are the command's flags.
type settings struct {
	duration   time.Duration
	rounds     int
	workers    []int
	families   int
	run        *regexp.Regexp
	log        bool
	cpuProfile string
}

func main() {
	if role, isChild := roles[os.Getenv(roleVariable)]; isChild {
		exit(role())
		return
	}
	s, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2) // package flag has said why
	}
	exit(measure(s))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.DurationVar(&s.duration, "duration", 300*time.Millisecond, "how long each row is measured in each round")
	f.IntVar(&s.rounds, "rounds", 9, "how often; the medians are printed")
	workers := f.Int("workers", 0, "connections at a time; 0: 16, then 64")
	f.IntVar(&s.families, "families", 2000, "lines of refresh tokens of each kind in the store")
	run := f.String("run", "", "measure the rows that match this regular expression")
	f.BoolVar(&s.log, "log", true, "let the provider write its request log, to a file")
	f.StringVar(&s.cpuProfile, "cpuprofile", "", "write a CPU profile of the provider to this file")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if s.workers = []int{*workers}; *workers <= 0 {
		s.workers = []int{16, 64}
	}
	var err error
	if s.run, err = regexp.Compile(*run); err != nil {
		fmt.Fprintln(f.Output(), err)
	}
	return s, err
}

// measure starts the servers, fills the store, and prints a table for each number of workers.
func measure(s settings) (err error) {
	cores, err := pin(last)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	floor, err := start("floor", s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, floor.stop()) }()
	provider, err := start("provider", s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, provider.stop()) }()

	stock, err := prepare(provider, s)
	if err != nil {
		return fmt.Errorf("filling the store: %w", err)
	}
	if s.cpuProfile != "" {
		if err := provider.profile(s.cpuProfile); err != nil {
			return err
		}
	}
	rows := rowsOf(floor, provider, stock, s.run)
	fmt.Printf("%s; %s; %s\n%d rounds of %s, medians; %d lines of refresh tokens of each kind\n", machine(), runtime.Version(), cores, s.rounds, s.duration, s.families)
	for _, workers := range s.workers {
		t := newTable(rows)
		for range s.rounds {
			if err := t.round(workers, s.duration); err != nil {
				return err
			}
		}
		fmt.Printf("\n%d connections\n", workers)
		t.print(os.Stdout)
	}
	return nil
}
