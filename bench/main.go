// Command bench measures a whole Signet under load, beside what no Go server can be faster than.
//
//	go run ./bench                                  all rows with 1, 16 and 64 connections, in four minutes
//	go run ./bench -run refresh -rounds 30          some rows, and the floor that each is compared with
//	go run ./bench -cpuprofile cpu.out -run refresh and where the time goes
//	go run ./bench -storage postgres                the same on PostgreSQL, which it starts
//	go run ./bench -grow 0,10,1000,100000,1000000   what a refresh costs, and a start, with so many users
//
// It starts servers as processes of their own, on loopback: the provider, on a store in a temporary folder, gates before two APIs, and the
// floor, a bare net/http server that answers with a document of fixed bytes or reads a form and signs one JWT. Closed-loop connections
// (keep-alive, HTTP/1.1) ask each of them in turn, in short interleaved rounds, and the medians are printed. What is measured is CPU
// time of the server's process for each right answer, as the kernel counts it: this figure hardly depends on what else the machine
// does. The column × floor divides it by the floor's of the same round, which takes the machine itself out. Rates and latencies
// are true only on a machine that is otherwise idle.
//
// On Linux the servers run on the first core, PostgreSQL's processes too, and the load on the last; ours each with GOMAXPROCS=1.
//
// Every refresh and every code is on the disk before it is answered. The temporary folder therefore has to be on a real disk (set TMPDIR).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"signet/storage/bolt"
)

// roles are what a child process can be.
var roles = map[string]func(task) error{"provider": provide, "floor": serveFloor, "plant": plant, "database": serveDatabase, "gate": guard}

// Backends.
const (
	onBolt     = "bolt"
	onPostgres = "postgres"
)

// settings are the command's flags.
type settings struct {
	duration   time.Duration
	rounds     int
	workers    []int
	families   int
	run        *regexp.Regexp
	log        bool
	cpuProfile string
	storage    string
	grow       []int // numbers of users; empty: the rows are measured
	compact    bool  // a bbolt file is compacted before it is measured
}

func main() {
	if done, err := obeyed(); done {
		exit(err)
		return
	}
	s, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2) // package flag has said why
	}
	if s.grow != nil {
		exit(growth(s))
	} else {
		exit(measure(s))
	}
}

// obeyed does what a child's task says, if this process is one.
func obeyed() (done bool, err error) {
	told := os.Getenv(taskVariable)
	if told == "" {
		return false, nil
	}
	var t task
	if err := json.Unmarshal([]byte(told), &t); err != nil {
		return true, err
	}
	return true, roles[t.Role](t)
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
	workers := f.String("workers", "1,16,64", "connections at a time, each number a table")
	f.IntVar(&s.families, "families", 2000, "lines of refresh tokens of each kind in the store")
	run := f.String("run", "", "measure the rows that match this regular expression")
	f.BoolVar(&s.log, "log", true, "let the provider write its request log, to a file")
	f.StringVar(&s.cpuProfile, "cpuprofile", "", "write a CPU profile of the provider to this file")
	f.StringVar(&s.storage, "storage", onBolt, "bolt or postgres")
	grow := f.String("grow", "", "measure with these numbers of users instead, each with a line of refresh tokens")
	f.BoolVar(&s.compact, "compact", false, "compact a planted bbolt file before it is measured, as signet storage compact does")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	var errs [3]error
	s.workers, errs[0] = numbers(*workers, 1)
	s.grow, errs[1] = numbers(*grow, 0)
	s.run, errs[2] = regexp.Compile(*run)
	err := errors.Join(errs[:]...)
	if err == nil && !slices.Contains([]string{onBolt, onPostgres}, s.storage) {
		err = fmt.Errorf("-storage is %s or %s", onBolt, onPostgres)
	}
	if err != nil {
		fmt.Fprintln(f.Output(), err)
	}
	return s, err
}

// numbers reads a list of them, none below least.
func numbers(list string, least int) (all []int, err error) {
	for text := range strings.SplitSeq(list, ",") {
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < least {
			return nil, fmt.Errorf("%q is no number that makes sense here", text)
		}
		all = append(all, n)
	}
	return all, nil
}

// bed is what is measured: a store with so many users in it, and the provider on it.
type bed struct {
	task
	seed               seed
	database, provider *child    // database is nil on bolt
	gates              [2]*child // before the API whose tokens are JWTs, and before the one whose tokens are opaque
	planting           time.Duration
}

// open makes a store with so many users in it.
func open(s settings, lines int) (b *bed, err error) {
	b = &bed{task: task{Log: s.log, Lines: lines}}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.Folder, err = os.MkdirTemp("", "signet-bench-"); err != nil {
		return b, err
	}
	if b.Address, err = freeAddress(); err != nil {
		return b, err
	}
	if s.storage == onPostgres {
		if b.database, err = start(task{Role: "database"}); err != nil {
			return b, err
		}
		b.URL = b.database.URL
	}
	began := time.Now()
	planter, err := start(b.as("plant"))
	if err != nil {
		return b, err
	}
	b.seed, b.planting = planter.Seed, time.Since(began)
	if err := planter.stop(); err != nil || !s.compact || b.URL != "" {
		return b, err
	}
	_, _, err = bolt.Compact(context.Background(), bolt.Options{Path: filepath.Join(b.Folder, storeFile), Log: slog.New(slog.DiscardHandler)})
	return b, err
}

// as is the task of a child on this store.
func (b *bed) as(role string) task {
	t := b.task
	t.Role = role
	return t
}

// serve starts the provider.
func (b *bed) serve() (err error) {
	b.provider, err = start(b.as("provider"))
	return err
}

// guard starts gates before the APIs.
func (b *bed) guard() (err error) {
	for n, resource := range []string{ordersAPI, opaqueAPI} {
		t := task{Role: "gate", Address: "127.0.0.1:0", Folder: b.Folder, Issuer: b.Address, Resource: resource, Caller: b.seed.API}
		if b.gates[n], err = start(t); err != nil {
			return err
		}
	}
	return nil
}

func (b *bed) close() error {
	var errs []error
	for _, c := range []*child{b.gates[0], b.gates[1], b.provider, b.database} { // each before the one that it has connections to
		if c != nil {
			errs = append(errs, c.stop())
		}
	}
	if b.Folder != "" {
		errs = append(errs, os.RemoveAll(b.Folder))
	}
	return errors.Join(errs...)
}

// freeAddress is one that nobody listens at. A provider's tokens name it before it listens.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// measure prints a table of the rows for each number of workers.
func measure(s settings) (err error) {
	cores, err := pin(last)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	floor, err := start(task{Role: "floor", Address: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, floor.stop()) }()
	b, err := open(s, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.serve(); err != nil {
		return err
	}
	if err := b.guard(); err != nil {
		return err
	}
	stock, err := prepare(b.provider, b.seed, s)
	if err != nil {
		return fmt.Errorf("filling the store: %w", err)
	}
	if s.cpuProfile != "" {
		if err := b.provider.profile(s.cpuProfile); err != nil {
			return err
		}
	}
	rows := rowsOf(floor, b, stock, s.run)
	fmt.Printf("%s; %s; %s\n%s; %d rounds of %s, medians; %d lines of refresh tokens of each kind\n", machine(), runtime.Version(), cores,
		s.storage, s.rounds, s.duration, s.families)
	for _, workers := range s.workers {
		t := newTable(rows, b.database)
		for range s.rounds {
			if err := t.round(workers, s.duration); err != nil {
				return err
			}
		}
		fmt.Printf("\n%d connections\n", workers)
		t.print(os.Stdout)
	}
	return b.tell()
}

// tell says how much memory there is at the end.
func (b *bed) tell() error {
	u, err := b.provider.used()
	if err != nil {
		return err
	}
	fmt.Printf("\nmemory at the end: %s", mib(u.Resident))
	if b.database != nil {
		if u, err = b.database.used(); err != nil {
			return err
		}
		fmt.Printf(", PostgreSQL %s", mib(u.Resident))
	}
	fmt.Println()
	return nil
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
