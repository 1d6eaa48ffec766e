package main

import (
	"errors"
	"slices"
	"time"
)

// sample is one row in one round.
type sample struct {
	rate     float64       // answers a second
	p50, p99 time.Duration // latencies
	cpu      float64       // microseconds of the server for each answer
	database float64       // and of PostgreSQL
}

// load has workers repeat what the row does, each on a connection of its own, for so long. database is nil where there is none.
func (r row) load(workers int, duration time.Duration, database *child) (sample, error) {
	if r.alg != "" {
		if err := r.server.sign(r.alg); err != nil {
			return sample{}, err
		}
	}
	all := make([]*worker, workers)
	for n := range all {
		c, err := dial(r.server.Address)
		if err != nil {
			return sample{}, err
		}
		defer c.net.Close()
		all[n] = &worker{conn: c, number: n, of: workers}
	}
	before, errBefore := r.server.used()
	databaseBefore, err := database.used()
	if err := errors.Join(errBefore, err); err != nil {
		return sample{}, err
	}
	began := time.Now()
	done := make(chan error, workers)
	for _, w := range all {
		go func() { done <- w.repeat(r.ask, began.Add(duration)) }()
	}
	var errs []error
	for range all {
		errs = append(errs, <-done)
	}
	took := time.Since(began)
	after, errAfter := r.server.used()
	databaseAfter, err := database.used()
	if err := errors.Join(append(errs, errAfter, err)...); err != nil {
		return sample{}, err
	}
	var latencies []time.Duration
	for _, w := range all {
		latencies = append(latencies, w.latencies...)
	}
	slices.Sort(latencies)
	n := len(latencies)
	return sample{
		rate: float64(n) / took.Seconds(), p50: latencies[n/2], p99: latencies[n*99/100],
		cpu: each(after.CPU-before.CPU, n), database: each(databaseAfter.CPU-databaseBefore.CPU, n),
	}, nil
}

// each is the microseconds of each of n.
func each(total time.Duration, n int) float64 {
	return float64(total.Nanoseconds()) / 1000 / float64(n)
}

// worker is one connection in a closed loop: it asks again when it was answered.
type worker struct {
	*conn
	number, of int
	turn       int // counts what it asked
	latencies  []time.Duration
}

func (w *worker) repeat(ask func(*worker) error, until time.Time) error {
	for now := time.Now(); now.Before(until); w.turn++ {
		if err := ask(w); err != nil {
			return err
		}
		then := now
		now = time.Now()
		w.latencies = append(w.latencies, now.Sub(then))
	}
	return nil
}

// mine picks one of all that no other worker has, another one each turn.
func mine[T any](w *worker, all []T) *T {
	share := (len(all) - w.number + w.of - 1) / w.of
	return &all[w.number+w.of*(w.turn%share)]
}
