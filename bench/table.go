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
	rows    []row
	samples map[string][]sample
}

func newTable(rows []row) *table { return &table{rows: rows, samples: map[string][]sample{}} }

// round measures each row once.
func (t *table) round(workers int, duration time.Duration) error {
	for _, r := range t.rows {
		s, err := r.load(workers, duration)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		t.samples[r.name] = append(t.samples[r.name], s)
	}
	return nil
}

func (t *table) print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%-32s\tanswers/s\tp50 ms\tp99 ms\tCPU µs/answer\t× floor\t\n", "")
	for _, r := range t.rows {
		all := t.samples[r.name]
		fmt.Fprintf(w, "%-32s\t%.0f\t%.2f\t%.2f\t%.1f\t%s\t\n", r.name,
			median(all, func(s sample) float64 { return s.rate }),
			median(all, func(s sample) float64 { return 1000 * s.p50.Seconds() }),
			median(all, func(s sample) float64 { return 1000 * s.p99.Seconds() }),
			median(all, func(s sample) float64 { return s.cpu }),
			t.ratio(r))
	}
	w.Flush()
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
