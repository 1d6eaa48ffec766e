package postgres

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/storage"
	"signet/storage/bolt"
	"signet/storage/postgres/postgrestest"
	"signet/storage/storagetest"
)

// openTest opens a store on a database.
func openTest(t testing.TB, url string, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{URL: url, Log: slog.New(slog.DiscardHandler), Timeout: time.Minute} // a busy machine may need more than the usual ten seconds
	for _, c := range change {
		c(&o)
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(t *testing.T) storage.Store {
		return openTest(t, with(postgrestest.Database(t), "pool_max_conns=6"))
	})
	storagetest.Moving(t, func(t *testing.T) storage.Store {
		return openTest(t, with(postgrestest.Database(t), "pool_max_conns=3"))
	})
	storagetest.Reopen(t, func(t *testing.T) func() storage.Store {
		url := postgrestest.Database(t)
		return func() storage.Store { return openTest(t, url) }
	})
}

// with adds a parameter to a URL.
func with(url, parameter string) string {
	if strings.Contains(url, "?") {
		return url + "&" + parameter
	}
	return url + "?" + parameter
}

func TestMovesBetweenBackends(t *testing.T) {
	t.Parallel()
	storagetest.Across(t, func(t *testing.T) storage.Store {
		s, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "signet.db")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}, func(t *testing.T) storage.Store { return openTest(t, postgrestest.Database(t)) })
}
