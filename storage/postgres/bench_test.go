package postgres

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"signet/storage"
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

// BenchmarkRedeemCode issues and redeems codes by 64 workers, for a hundred people.
func BenchmarkRedeemCode(b *testing.B) {
	server := postgrestest.Start(b)
	s := openTest(b, server.URL("signet"))
	issues := make([]storage.Issue, 100)
	for i := range issues {
		issues[i] = plantSession(b, s, fmt.Sprint("user", i))
	}
	var next atomic.Uint64
	b.ReportAllocs()
	b.SetParallelism(32) // times two cores
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			issue := issues[next.Add(1)%uint64(len(issues))]
			h := storage.NewHandle(epoch.Add(time.Minute))
			issue.Code = &storage.Code{ID: h.ID, SecretHash: h.Hash(), Expires: epoch.Add(time.Minute)}
			if err := s.Authorize(b.Context(), issue); err != nil {
				b.Error(err)
			}
			f := storage.Family{ID: storage.NewID(epoch), Created: epoch, Moved: epoch, IdleExpires: epoch.Add(30 * day), Expires: epoch.Add(365 * day)}
			if _, err := s.RedeemCode(b.Context(), storage.Redemption{Code: h, Client: clientID, Now: epoch}, f); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "codes/s")
}
