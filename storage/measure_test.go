package storage

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDistribution(t *testing.T) {
	t.Parallel()
	d := NewDistribution(1, 10, 100)
	for _, v := range []int64{0, 1, 2, 10, 11, 1000} { // a bound counts what is equal to it
		d.Add(v)
	}
	want := &Spread{Count: 6, Sum: 2048, Buckets: map[float64]uint64{2: 2, 20: 4, 200: 5}}
	if diff := cmp.Diff(want, d.Spread(2)); diff != "" {
		t.Error(diff)
	}
}
