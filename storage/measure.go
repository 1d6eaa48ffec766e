package storage

import (
	"slices"
	"sync/atomic"
)

// Measured is what a backend may offer beside the contract: figures of its inner life, for the operator. A figure says how it is doing and
// decides nothing.
type Measured interface {
	// Measure returns the figures as they are now. It is quick and may be called at any time, also after Close.
	Measure() []Measure
}

// Measure is one figure.
type Measure struct {
	Name  string // in snake_case with its unit: "bytes"; a count that only grows ends with _total
	Help  string // a sentence without its full stop
	Value float64
	// Spread is, where it is not nil, how the sum in Value came about.
	Spread *Spread
}

// Spread counts values by how large they are.
type Spread struct {
	Count   uint64
	Sum     float64
	Buckets map[float64]uint64 // by upper bound: how many values are at most that
}

// Distribution gathers the values of a [Spread]. Make it with [NewDistribution]. It is safe for concurrent use, and costs two atomic
// additions for each value.
type Distribution struct {
	bounds []int64
	counts []atomic.Uint64 // one more than bounds
	sum    atomic.Int64
}

// NewDistribution returns one with these upper bounds, in ascending order.
func NewDistribution(bounds ...int64) *Distribution {
	return &Distribution{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Add counts a value.
func (d *Distribution) Add(v int64) {
	i, _ := slices.BinarySearch(d.bounds, v)
	d.counts[i].Add(1)
	d.sum.Add(v)
}

// Spread is what was counted so far, in units of which one value is unit: 1e-9 makes seconds of nanoseconds.
func (d *Distribution) Spread(unit float64) *Spread {
	s := &Spread{Sum: float64(d.sum.Load()) * unit, Buckets: make(map[float64]uint64, len(d.bounds))}
	for i := range d.counts {
		s.Count += d.counts[i].Load()
		if i < len(d.bounds) {
			s.Buckets[float64(d.bounds[i])*unit] = s.Count
		}
	}
	return s
}
