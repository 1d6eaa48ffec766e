package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"signet/audit"
	"signet/storage/postgres/postgrestest"
)

// inChain returns how often each detail is in the chain, and how many entries wait beside it.
func inChain(t *testing.T, s *Store) (seen map[string]int, loose int64) {
	t.Helper()
	seen = map[string]int{}
	var last audit.Link
	if err := s.Records(t.Context(), 0, time.Time{}, func(r audit.Record) error {
		if r.Sum() != r.Hash || r.Previous != last.Hash || r.Sequence != last.Sequence+1 {
			t.Errorf("record %d does not follow on record %d", r.Sequence, last.Sequence)
		}
		last = r.Link()
		entries, err := r.Entries()
		for _, e := range entries {
			if e.Event == audit.SignInFailed {
				seen[e.Detail]++
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM signet.audit`).Scan(&loose); err != nil {
		t.Fatal(err)
	}
	return seen, loose
}

func recordMany(ctx context.Context, s *Store, from, n int) error {
	for i := range n {
		if err := s.Record(ctx, audit.Entry{Time: epoch, Event: audit.SignInFailed, Detail: fmt.Sprint(from + i)}); err != nil {
			return err
		}
	}
	return nil
}

// TestNothingIsLostOnTheWayIntoTheChain kills those who chain, in the middle: what was acknowledged is in the chain or waits for it, and comes
// into it once.
func TestNothingIsLostOnTheWayIntoTheChain(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	s, victim := openTest(t, url), openTest(t, with(url, "application_name=victim"))
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { // somebody kills the connections of one node all the time
		for ctx.Err() == nil {
			_, _ = s.pool.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim' AND datname = current_database()`)
			time.Sleep(3 * time.Millisecond)
		}
	})
	failed := 0
	work.Go(func() {
		for ctx.Err() == nil {
			if err := victim.Chain(ctx); err != nil {
				failed++
			}
		}
	})
	const n = 800
	err := recordMany(t.Context(), s, 0, n)
	stop()
	work.Wait()
	if err != nil {
		t.Fatal(err)
	}
	seen, loose := inChain(t, s)
	if len(seen)+int(loose) < n {
		t.Errorf("%d are in the chain, and %d beside it, of %d", len(seen), loose, n)
	}
	if err := s.Chain(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen, loose = inChain(t, s)
	if len(seen) != n || loose != 0 {
		t.Errorf("%d are in the chain, and %d beside it, of %d", len(seen), loose, n)
	}
	for detail, times := range seen {
		if times != 1 {
			t.Errorf("%s is there %d times", detail, times)
		}
	}
	t.Logf("chaining failed %d times", failed)
}

// TestAChainThatIsCutOffLeavesNothing holds that entries leave their place with the commit of the record that has them.
func TestAChainThatIsCutOffLeavesNothing(t *testing.T) {
	t.Parallel()
	s := openTest(t, postgrestest.Database(t))
	if err := errors.Join(s.Chain(t.Context()), recordMany(t.Context(), s, 0, 20)); err != nil {
		t.Fatal(err)
	}
	errCut := errors.New("cut off")
	err := pgx.BeginFunc(t.Context(), s.pool, func(tx pgx.Tx) error {
		if n, err := chainIn(t.Context(), tx); n != 20 || err != nil {
			t.Error(n, err)
		}
		return errCut
	})
	if seen, loose := inChain(t, s); !errors.Is(err, errCut) || len(seen) != 0 || loose != 20 {
		t.Errorf("%d in the chain, %d beside it: %v", len(seen), loose, err)
	}
}

// TestOldEntriesAreChained holds that a database of before there was a chain gets one of what is in it.
func TestOldEntriesAreChained(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	old := &Store{now: time.Now, log: openTest(t, postgrestest.Database(t)).log}
	if err := old.migrate(t.Context(), conn, migrations[:2]); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `INSERT INTO signet.audit (time, record) SELECT time, record FROM signet.audit, generate_series(1, 2000)`); err != nil {
		t.Fatal(err)
	}
	s := openTest(t, url)
	n := 0
	if err := s.Entries(t.Context(), func(e audit.Entry) error {
		if e.Event == audit.StoreInitialized {
			n++
		}
		return nil
	}); err != nil || n != 2001 {
		t.Errorf("%d entries: %v", n, err)
	}
	if _, loose := inChain(t, s); loose != 0 {
		t.Errorf("%d wait beside the chain", loose)
	}
}
