package bolt

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"signet/audit"
	"signet/storage"
)

// openTest opens a store in a folder of the test.
func openTest(t testing.TB, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{Path: filepath.Join(t.TempDir(), "signet.db"), Log: slog.New(slog.DiscardHandler), Fatal: func(err error) { t.Error("fatal:", err) }}
	for _, c := range change {
		c(&o)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

const day = 24 * time.Hour

var epoch = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// family returns a family with refresh tokens, of the sort that a real sign-in makes.
func family(user string) storage.Family {
	return storage.Family{
		ID: storage.NewID(epoch),
		Authorization: storage.Authorization{
			Client: "4cXk0tKc7Zq1", User: user, Session: storage.NewID(epoch), Scopes: []string{"openid", "profile", "email", "offline_access"},
			AuthTime: epoch, ACR: "pwd", AMR: []string{"pwd"}, Offline: true,
		},
		Created: epoch, Moved: epoch, IdleExpires: epoch.Add(30 * day), Expires: epoch.Add(365 * day),
	}
}

// fill stores users and families as one act for each hundred, behind the protocol's back.
func fill(t testing.TB, s *Store, n int) []storage.Family {
	t.Helper()
	families := make([]storage.Family, n)
	for at := 0; at < n; at += 100 {
		err := s.do(t.Context(), func(tx *tx) error {
			for i := at; i < min(at+100, n); i++ {
				sub := fmt.Sprintf("user%08d", i)
				s.users.put(tx, sub, storage.User{Sub: sub, Name: sub, Email: sub + "@example.com", Created: epoch, Updated: epoch})
				families[i] = tx.beginFamily(family(sub))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return families
}

// BenchmarkRotateFamily moves families on, one after the other, by 64 workers: each rotation is on the disk before it counts.
func BenchmarkRotateFamily(b *testing.B) {
	s := openTest(b)
	families := fill(b, s, 20_000)
	generations := make([]atomic.Uint32, len(families))
	var next atomic.Uint64
	b.ReportAllocs()
	b.SetParallelism(32) // times two cores
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(next.Add(7919) % uint64(len(families)))
			f := families[i]
			_, _, err := s.RotateFamily(b.Context(), storage.Rotation{
				Family: f.ID, Generation: generations[i].Add(1) - 1, Client: f.Authorization.Client,
				Window: time.Hour, Idle: 30 * day, Now: epoch.Add(time.Duration(next.Load()) * time.Millisecond),
				Origin: audit.Origin{Trace: "0123456789abcdef0123456789abcdef", Address: "192.0.2.17"},
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rotations/s")
}

// BenchmarkRedeemCode answers an authorization and spends its code, by 64 workers: what a sign-in to one more app costs the store.
func BenchmarkRedeemCode(b *testing.B) {
	s := openTest(b)
	const users = 20_000
	fill(b, s, users)
	sessions := make([]storage.Session, users)
	for at := 0; at < users; at += 100 {
		if err := s.do(b.Context(), func(tx *tx) error {
			for i := at; i < at+100; i++ {
				sessions[i] = session(fmt.Sprintf("user%08d", i))
				tx.beginSession(sessions[i])
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	var next atomic.Uint64
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := next.Add(1)
			in := sessions[n*7919%users]
			now := epoch.Add(time.Duration(n) * time.Millisecond)
			h := storage.NewHandle(now.Add(time.Minute))
			f := family(in.User)
			f.ID, f.Authorization.Session = storage.NewID(now), in.ID
			if err := s.Authorize(b.Context(), storage.Issue{
				Authorization: f.Authorization, Code: &storage.Code{ID: h.ID, SecretHash: h.Hash(), Expires: now.Add(time.Minute)}, Now: now, Idle: day,
			}); err != nil {
				b.Error(err)
			}
			if _, err := s.RedeemCode(b.Context(), storage.Redemption{Code: h, Client: f.Authorization.Client, Now: now}, f); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "flows/s")
}

func session(user string) storage.Session {
	return storage.Session{
		ID: storage.NewID(epoch), User: user, AuthTime: epoch, ACR: "pwd", AMR: []string{"pwd"}, Created: epoch, LastUsed: epoch,
		IdleExpires: epoch.Add(day), Expires: epoch.Add(14 * day), Clients: []string{"4cXk0tKc7Zq1"}, Address: "192.0.2.17",
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
	}
}
