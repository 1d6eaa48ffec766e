package postgres

import (
	"sync/atomic"
	"testing"

	"signet/storage/postgres/postgrestest"
)

// BenchmarkRotateFamily moves families on by 64 workers: each rotation is on the disk before it counts. Its twin is in storage/bolt.
func BenchmarkRotateFamily(b *testing.B) {
	server := postgrestest.Start(b)
	s := openTest(b, server.URL("signet"))
	families := plant(b, s, 20_000)
	generations := make([]atomic.Uint32, len(families))
	var next atomic.Uint64
	b.ReportAllocs()
	b.SetParallelism(32) // times two cores
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(next.Add(7919) % uint64(len(families)))
			if _, _, err := s.RotateFamily(b.Context(), rotation(families[i], generations[i].Add(1)-1)); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rotations/s")
}
