package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// table collects the samples of all rows, by round.
type table struct {
	rows     []row
	database *child // nil: there is none
	samples  map[string][]sample
}

func newTable(rows []row, database *child) *table {
	return &table{rows: rows, database: database, samples: map[string][]sample{}}
}

// round measures each row once.
func (t *table) round(workers int, duration time.Duration) error {
	for _, r := range t.rows {
		s, err := r.load(workers, duration, t.database)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		t.samples[r.name] = append(t.samples[r.name], s)
	}
	return nil
}

func (t *table) print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%-32s\tanswers/s\tp50 ms\tp99 ms\tCPU µs/answer\t× floor\t", "")
	if t.database != nil {
		fmt.Fprint(w, "PostgreSQL's µs\t")
	}
	fmt.Fprintln(w)
	for _, r := range t.rows {
		m := t.median(r)
		fmt.Fprintf(w, "%-32s\t%.0f\t%.2f\t%.2f\t%.1f\t%s\t", r.name, m.rate, 1000*m.p50.Seconds(), 1000*m.p99.Seconds(), m.cpu, t.ratio(r))
		if t.database != nil {
			fmt.Fprintf(w, "%.1f\t", m.database)
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}

// median is a row's, over the rounds, figure by figure.
func (t *table) median(r row) sample {
	all := t.samples[r.name]
	return sample{
		rate: median(all, func(s sample) float64 { return s.rate }),
		p50:  time.Duration(median(all, func(s sample) float64 { return float64(s.p50) })),
		p99:  time.Duration(median(all, func(s sample) float64 { return float64(s.p99) })),
		cpu:  median(all, func(s sample) float64 { return s.cpu }), database: median(all, func(s sample) float64 { return s.database }),
	}
}

// ratio is the median, over the rounds, of the row's CPU time divided by its floor's in the same round.
func (t *table) ratio(r row) string {
	if r.floor == "" {
		return "1"
	}
	var ratios []float64
	for round, s := range t.samples[r.name] {
		ratios = append(ratios, s.cpu/t.samples[r.floor][round].cpu)
	}
	return fmt.Sprintf("%.2f", median(ratios, func(x float64) float64 { return x }))
}

func median[T any](all []T, of func(T) float64) float64 {
	values := make([]float64, len(all))
	for i, v := range all {
		values[i] = of(v)
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}
