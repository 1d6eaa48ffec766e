package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// grown is what was measured with a number of users.
type grown struct {
	users    int
	planting time.Duration
	size     int64 // of the store, bytes; 0: not known
	program  program
	refresh  map[int]sample // by the number of workers
}

// growth prints what a start and a refresh cost with each number of users.
func growth(s settings) error {
	cores, err := pin(last)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	folder, err := os.MkdirTemp("", "signet-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	binary, size, err := build(folder)
	if err != nil {
		return err
	}
	fmt.Printf("%s; %s; %s\n%s; %d rounds of %s, medians; the binary has %s\n\n", machine(), runtime.Version(), cores, s.storage, s.rounds, s.duration, mib(size))
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "users and lines\tplanted in\tstore\tfirst answer\tmemory\t")
	for _, n := range s.workers {
		fmt.Fprintf(w, "%d conn.: refreshes/s\tp50 ms\tp99 ms\tCPU µs\t", n)
		if s.storage == onPostgres {
			fmt.Fprint(w, "PostgreSQL's µs\t")
		}
	}
	fmt.Fprintln(w)
	for _, users := range s.grow {
		g, err := grow(s, users, binary)
		if err != nil {
			return fmt.Errorf("with %d users: %w", users, err)
		}
		g.print(w, s)
		fmt.Fprintf(os.Stderr, "%d users are done\n", users)
	}
	return w.Flush()
}

func (g grown) print(w *tabwriter.Writer, s settings) {
	size := "–"
	if g.size > 0 {
		size = mib(g.size)
	}
	fmt.Fprintf(w, "%d\t%.1f s\t%s\t%.0f ms\t%s\t", g.users, g.planting.Seconds(), size, 1000*g.program.firstAnswer.Seconds(), mib(g.program.resident))
	for _, n := range s.workers {
		r, measured := g.refresh[n]
		if !measured {
			fmt.Fprint(w, "–\t–\t–\t–\t")
		} else {
			fmt.Fprintf(w, "%.0f\t%.2f\t%.2f\t%.1f\t", r.rate, 1000*r.p50.Seconds(), 1000*r.p99.Seconds(), r.cpu)
		}
		if measured && s.storage == onPostgres {
			fmt.Fprintf(w, "%.1f\t", r.database)
		}
	}
	fmt.Fprintln(w)
}

// grow measures with one number of users: a start of the real program, and then refreshes of lines all over the store.
func grow(s settings, users int, binary string) (g grown, err error) {
	b, err := open(s, users)
	if err != nil {
		return g, err
	}
	defer func() {
		if closeErr := b.close(); err == nil {
			err = closeErr
		}
	}()
	g = grown{users: users, planting: b.planting, refresh: map[int]sample{}}
	if info, err := os.Stat(filepath.Join(b.Folder, storeFile)); err == nil && b.URL == "" {
		g.size = info.Size()
	}
	for range s.rounds { // the last one is told: the store is as warm as it gets
		if g.program, err = b.run(binary); err != nil {
			return g, err
		}
	}
	all, err := planted(b.Folder)
	if err != nil || len(all) == 0 {
		return g, err
	}
	if err := b.serve(); err != nil {
		return g, err
	}
	if s.cpuProfile != "" { // of each number of users; the last one's is left
		if err := b.provider.profile(s.cpuProfile); err != nil {
			return g, err
		}
	}
	l := &lines{client: b.seed.ES256, scope: offlineScope, all: all}
	refresh := row{name: "refresh", server: b.provider, ask: l.refresh, alg: defaultAlg}
	for _, workers := range s.workers {
		if workers > len(l.all) {
			continue // each needs a line of its own
		}
		t := newTable([]row{refresh}, b.database)
		for range s.rounds {
			if err := t.round(workers, s.duration); err != nil {
				return g, err
			}
		}
		g.refresh[workers] = t.median(refresh)
	}
	return g, nil
}

// planted are lines that the planter left tokens of.
func planted(folder string) (all []line, err error) {
	text, err := os.ReadFile(filepath.Join(folder, tokensFile))
	for token := range strings.FieldsSeq(string(text)) {
		all = append(all, line{refresh: token})
	}
	return all, err
}
