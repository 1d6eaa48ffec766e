package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"signet/audit"
	"signet/storage"
	"signet/storage/postgres/postgrestest"
	"signet/storage/storagetest"
)

const day = 24 * time.Hour

var (
	epoch  = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	change = storage.Change{Now: epoch}
)

const clientID = "4cXk0tKc7Zq1"

// plant stores a user, and families with refresh tokens, of the sort that a real sign-in makes.
func plant(t testing.TB, s *Store, n int) []storage.Family {
	t.Helper()
	if _, err := s.SaveUser(t.Context(), storage.User{Sub: "ann", Name: "ann", Created: epoch, Updated: epoch}, false, change); err != nil {
		t.Fatal(err)
	}
	families := make([]storage.Family, n)
	for at := 0; at < n; at += 500 {
		err := s.do(t.Context(), func(a *act) error {
			for i := at; i < min(at+500, n); i++ {
				families[i] = storage.Family{
					ID: storage.NewID(epoch),
					Authorization: storage.Authorization{
						Client: clientID, User: "ann", Session: storage.NewID(epoch), Scopes: []string{"openid", "profile", "email", "offline_access"},
						AuthTime: epoch, ACR: "pwd", AMR: []string{"pwd"}, Offline: true,
					},
					Created: epoch, Moved: epoch, IdleExpires: epoch.Add(30 * day), Expires: epoch.Add(365 * day),
				}
				a.insertFamily(families[i], &families[i].Status)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return families
}

func rotation(f storage.Family, generation uint32) storage.Rotation {
	return storage.Rotation{
		Family: f.ID, Generation: generation, Client: clientID, Window: time.Hour, Idle: 30 * day,
		Now:    epoch.Add(time.Duration(generation+1) * time.Minute),
		Origin: audit.Origin{Trace: "0123456789abcdef0123456789abcdef", Address: "192.0.2.17"},
	}
}

// logged counts the entries of an event.
func logged(t *testing.T, s *Store, event audit.Event) (n int) {
	t.Helper()
	err := s.Entries(t.Context(), func(e audit.Entry) error {
		if e.Event == event {
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// race does an act at both of two nodes, many times at once.
func race(nodes [2]*Store, act func(s *Store, i int) error) (answers [20]error) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			<-start
			answers[i] = act(nodes[i%2], i)
		})
	}
	close(start)
	all.Wait()
	return answers
}

func oneWon(t *testing.T, answers [20]error, others error) {
	t.Helper()
	won := 0
	for _, err := range answers {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, others):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d calls succeeded, want 1", won)
	}
}

func TestTwoNodes(t *testing.T) {
	t.Parallel()
	nodes := func(t *testing.T) [2]*Store {
		url := postgrestest.Database(t)
		return [2]*Store{openTest(t, url), openTest(t, url)}
	}
	t.Run("the ring is saved once, not once per node", func(t *testing.T) {
		t.Parallel()
		n := nodes(t)
		for revision := range uint64(3) {
			oneWon(t, race(n, func(s *Store, i int) error {
				_, err := s.SaveRing(t.Context(), storage.Ring{Revision: revision, MACs: []storage.MACKey{{ID: uint32(i)}}}, change)
				return err
			}), storage.ErrConflict)
		}
		if got := logged(t, n[0], audit.RingSaved); got != 3 {
			t.Errorf("the log has %d changes of the ring, want 3", got)
		}
	})
	t.Run("a family moves once, and all get the same successor", func(t *testing.T) {
		t.Parallel()
		n := nodes(t)
		f := plant(t, n[0], 1)[0]
		var rows sync.Map
		for _, err := range race(n, func(s *Store, i int) error {
			row, _, err := s.RotateFamily(t.Context(), rotation(f, 0))
			rows.Store(row.Generation, row.Moved)
			return err
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		state, err := n[1].Family(t.Context(), f.ID)
		if err != nil || state.Family.Generation != 1 {
			t.Errorf("the family is %+v, %v", state.Family, err)
		}
		rows.Range(func(generation, _ any) bool {
			if generation != uint32(1) {
				t.Errorf("an answer has generation %v", generation)
			}
			return true
		})
	})
	t.Run("a code is spent once", func(t *testing.T) {
		t.Parallel()
		n := nodes(t)
		h := plantCode(t, n[0])
		oneWon(t, race(n, func(s *Store, i int) error {
			_, err := s.RedeemCode(t.Context(), storage.Redemption{Code: h, Client: clientID, Now: epoch}, storage.Family{ID: storage.NewID(epoch)})
			return err
		}), storage.ErrSpent)
	})
	t.Run("what one node ends is ended at the other", func(t *testing.T) {
		t.Parallel()
		n := nodes(t)
		families := plant(t, n[0], 50)
		for i, f := range families {
			if err := n[i%2].EndFamily(t.Context(), f.ID, clientID, change); err != nil {
				t.Fatal(err)
			}
			if _, _, err := n[1-i%2].RotateFamily(t.Context(), rotation(f, 0)); !errors.Is(err, storage.ErrEnded) {
				t.Fatal(err)
			}
		}
	})
	t.Run("a user who is removed while consent is given leaves none behind", func(t *testing.T) {
		t.Parallel()
		n := nodes(t)
		for i := range 10 {
			issue := plantSession(t, n[0], fmt.Sprint("user", i))
			issue.Consent = &storage.Consent{Scopes: []string{"openid"}}
			var both sync.WaitGroup
			both.Go(func() { _ = n[0].Authorize(context.Background(), issue) })
			both.Go(func() {
				if err := n[1].RemoveUser(context.Background(), issue.Authorization.User, change); err != nil {
					t.Error(err)
				}
			})
			both.Wait()
			if _, err := n[0].Consent(t.Context(), issue.Authorization.User, clientID); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("the consent is there: %v", err)
			}
		}
	})
	t.Run("both sweep", func(t *testing.T) {
		t.Parallel()
		n := nodes(t)
		plant(t, n[0], 1000)
		var deleted atomic.Int64
		race(n, func(s *Store, i int) error {
			for more := true; more; {
				var k int
				var err error
				if k, more, err = s.Sweep(t.Context(), epoch.Add(60*day), 365*day, 100); err != nil {
					t.Error(err)
					return err
				}
				deleted.Add(int64(k))
			}
			return nil
		})
		if deleted.Load() != 1000 {
			t.Errorf("%d rows were deleted, want 1000", deleted.Load())
		}
	})
}

// plantSession signs a new user in, and returns what a code for the session would be issued with.
func plantSession(t testing.TB, s *Store, sub string) storage.Issue {
	t.Helper()
	if _, err := s.SaveUser(t.Context(), storage.User{Sub: sub, Name: sub}, false, change); err != nil {
		t.Fatal(err)
	}
	h, b := storage.NewHandle(epoch.Add(time.Hour)), storage.NewHandle(epoch)
	i := storage.Interaction{ID: h.ID, SecretHash: h.Hash(), Created: epoch, Expires: epoch.Add(time.Hour)}
	if err := s.BeginInteraction(t.Context(), i, 1000); err != nil {
		t.Fatal(err)
	}
	session := storage.Session{ID: storage.NewID(epoch), User: sub, Created: epoch, IdleExpires: epoch.Add(day), Expires: epoch.Add(day)}
	_, err := s.SignIn(t.Context(), storage.SignIn{
		Interaction: h, Session: session, Browser: storage.Browser{ID: b.ID, SecretHash: b.Hash(), Created: epoch, Expires: epoch.Add(day)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return storage.Issue{
		Authorization: storage.Authorization{Client: clientID, User: sub, Session: session.ID, Scopes: []string{"openid", "offline_access"}, Offline: true},
		Now:           epoch, Idle: time.Hour,
	}
}

func plantCode(t testing.TB, s *Store) storage.Handle {
	t.Helper()
	issue := plantSession(t, s, "ann")
	h := storage.NewHandle(epoch.Add(time.Minute))
	issue.Code = &storage.Code{ID: h.ID, SecretHash: h.Hash(), Expires: epoch.Add(time.Minute)}
	if err := s.Authorize(t.Context(), issue); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestModes runs a part of the contract as it works behind poolers that do not follow prepared statements.
func TestModes(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"exec", "simple_protocol", "cache_describe", "describe_exec"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			storagetest.Reopen(t, func(t *testing.T) func() storage.Store {
				url := with(postgrestest.Database(t), "default_query_exec_mode="+mode)
				return func() storage.Store { return openTest(t, url) }
			})
		})
		t.Run(mode+", ending", func(t *testing.T) {
			t.Parallel()
			s := openTest(t, with(postgrestest.Database(t), "default_query_exec_mode="+mode))
			endEverything(t, s)
		})
		t.Run(mode+", sweeping", func(t *testing.T) {
			t.Parallel()
			s := openTest(t, with(postgrestest.Database(t), "default_query_exec_mode="+mode))
			plantCode(t, s)
			if err := s.Record(t.Context(), audit.Entry{Time: epoch.Add(40 * day), Event: audit.SignInFailed}); err != nil { // another day of the log
				t.Fatal(err)
			}
			storagetest.Vouch(t, s, epoch)
			if n, _, err := s.Sweep(t.Context(), epoch.Add(400*day), day, 100); n < 5 || err != nil {
				t.Errorf("%d rows were deleted: %v", n, err)
			}
		})
	}
}

// countingConn counts how often a connection turns from sending to receiving.
type countingConn struct {
	net.Conn
	trips *atomic.Int64
	sent  atomic.Bool
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.sent.Store(true)
	return c.Conn.Write(b)
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.sent.Swap(false) {
		c.trips.Add(1)
	}
	return n, err
}

// counting has the connections of a store counted so.
func counting(trips *atomic.Int64) func(*Options) {
	return func(o *Options) {
		o.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return &countingConn{Conn: conn, trips: trips}, err
		}
	}
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	var trips atomic.Int64
	s := openTest(t, with(postgrestest.Database(t), "pool_max_conns=1"), counting(&trips))
	ctx := t.Context()
	f := plant(t, s, 1)[0]
	const api = "https://api.example/"
	if _, err := s.SaveResource(ctx, storage.Resource{ID: api}, change); err != nil {
		t.Fatal(err)
	}
	waiting := storage.NewHandle(epoch.Add(time.Hour))
	device := func(userCode string) storage.DeviceGrant {
		h := storage.NewHandle(epoch.Add(time.Hour))
		return storage.DeviceGrant{
			ID: h.ID, SecretHash: h.Hash(), UserCode: userCode, Client: clientID, Created: epoch, Expires: epoch.Add(time.Hour), State: storage.DevicePending,
		}
	}
	d := device("WAITING")
	d.ID, d.SecretHash = waiting.ID, waiting.Hash()
	if err := s.BeginDevice(ctx, d, 9); err != nil {
		t.Fatal(err)
	}
	var generation uint32
	var issue storage.Issue
	var code storage.Handle
	for _, c := range []struct {
		name    string
		most    int64
		prepare func(n int)
		do      func(n int) error
	}{
		{"RotateFamily", 2, nil, func(int) error {
			_, _, err := s.RotateFamily(ctx, rotation(f, generation))
			generation++
			return err
		}},
		{"Family", 1, nil, func(int) error { _, err := s.Family(ctx, f.ID); return err }},
		{"User", 1, nil, func(int) error { _, err := s.User(ctx, "ann"); return err }},
		{"Authorize", 2, func(n int) {
			issue = plantSession(t, s, fmt.Sprint("user", n))
			code = storage.NewHandle(epoch.Add(time.Minute))
			issue.Code = &storage.Code{ID: code.ID, SecretHash: code.Hash(), Expires: epoch.Add(time.Minute)}
		}, func(int) error { return s.Authorize(ctx, issue) }},
		{"RedeemCode", 2, func(n int) {
			issue.Code.ID = storage.NewID(epoch.Add(time.Minute))
			code.ID = issue.Code.ID
			if err := s.Authorize(ctx, issue); err != nil {
				t.Fatal(err)
			}
		}, func(int) error {
			_, err := s.RedeemCode(ctx, storage.Redemption{Code: code, Client: clientID, Now: epoch}, storage.Family{ID: storage.NewID(epoch)})
			return err
		}},
		{"BeginInteraction", 1, nil, func(int) error {
			h := storage.NewHandle(epoch)
			return s.BeginInteraction(ctx, storage.Interaction{ID: h.ID, Created: epoch}, 1000)
		}},
		{"SpendAssertion", 1, nil, func(n int) error {
			return s.SpendAssertion(ctx, clientID, fmt.Sprint(n), epoch.Add(time.Minute), change)
		}},
		{"Resource", 1, nil, func(int) error { _, err := s.Resource(ctx, api); return err }},
		{"BeginDevice", 1, nil, func(n int) error { return s.BeginDevice(ctx, device(fmt.Sprint(n)), 1000) }},
		{"PollDevice, pending", 2, nil, func(n int) error {
			_, err := s.PollDevice(ctx, storage.DevicePoll{Code: waiting, Client: clientID, Now: epoch.Add(time.Duration(n) * time.Minute)}, storage.Family{})
			if errors.Is(err, storage.ErrPending) {
				err = nil
			}
			return err
		}},
		{"GrantFamily", 2, nil, func(int) error {
			_, err := s.GrantFamily(ctx, storage.Family{ID: storage.NewID(epoch), Authorization: storage.Authorization{Client: clientID, User: "ann"}}, change)
			return err
		}},
		{"DenyToken", 1, nil, func(n int) error { return s.DenyToken(ctx, fmt.Sprint(n), epoch.Add(time.Minute), clientID, change) }},
		{"Denied", 1, nil, func(n int) error { _, err := s.Denied(ctx, fmt.Sprint(n)); return err }},
		{"Record", 1, nil, func(int) error { return s.Record(ctx, audit.Entry{Time: epoch, Event: audit.SignInFailed}) }},
	} {
		least := int64(math.MaxInt64) // a statement costs one more when a connection first meets it, and so does a connection that was left alone for a second
		for n := range 5 {
			if c.prepare != nil {
				c.prepare(n)
			}
			before := trips.Load()
			if err := c.do(n); err != nil {
				t.Fatal(c.name, err)
			}
			least = min(least, trips.Load()-before)
		}
		if least > c.most {
			t.Errorf("%s takes %d round trips, want at most %d", c.name, least, c.most)
		}
	}
}

// TestHotUpdates holds the tables to what their migration promises.
func TestHotUpdates(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	s := openTest(t, url)
	families := plant(t, s, 300)
	const rounds = 8
	for generation := range uint32(rounds) {
		for _, f := range families {
			if _, _, err := s.RotateFamily(t.Context(), rotation(f, generation)); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.Close() // which lets the statistics be written
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var all, hot int
	for range 600 {
		if err := conn.QueryRow(t.Context(), `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'families'`).Scan(&all, &hot); err != nil {
			t.Fatal(err)
		}
		if all == rounds*len(families) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if all == 0 || hot < all/4 { // an index on a changed column would make it none; old snapshots beside us cost many
		t.Errorf("%d of %d updates touched no index, want most", hot, all)
	}
}

func TestTextThatNoColumnTakes(t *testing.T) {
	t.Parallel()
	s := openTest(t, postgrestest.Database(t))
	for _, text := range []string{"\x00", "a\x00b", "\xff", string([]byte{0xC3})} {
		_, client := s.Client(t.Context(), text)
		_, resource := s.Resource(t.Context(), text)
		_, user := s.User(t.Context(), text)
		_, login := s.UserByLogin(t.Context(), text)
		_, consent := s.Consent(t.Context(), text, text)
		_, device := s.Device(t.Context(), text, epoch)
		for _, err := range []error{client, resource, user, login, consent, device, s.RemoveClient(t.Context(), text, change), s.RemoveResource(t.Context(), text, change), s.RemoveUser(t.Context(), text, change)} {
			if !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
}

func TestClocks(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	for _, c := range []struct {
		off   time.Duration
		ready bool
	}{{0, true}, {4 * time.Second, true}, {-4 * time.Second, true}, {time.Minute, false}, {-time.Minute, false}} {
		s := openTest(t, url, func(o *Options) { o.Now = func() time.Time { return time.Now().Add(c.off) } })
		if err := s.Ready(t.Context()); (err == nil) != c.ready {
			t.Errorf("off by %v: %v", c.off, err)
		}
	}
}

func TestFarFromTheLimitNobodyWaits(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	s, impatient := openTest(t, url), openTest(t, url, func(o *Options) { o.Timeout = 2 * time.Second })
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	const address = "192.0.2.1"
	if _, err := conn.Exec(t.Context(), `SELECT pg_advisory_lock($1)`, addressLock("interaction", address)); err != nil {
		t.Fatal(err)
	}
	begin := func(s *Store, limit int) error {
		h := storage.NewHandle(epoch.Add(time.Minute))
		return s.BeginInteraction(t.Context(), storage.Interaction{ID: h.ID, Address: address, Created: epoch}, limit)
	}
	if err := begin(s, 100_000); err != nil {
		t.Error("far from the limit:", err)
	}
	if err := begin(impatient, 5); !errors.Is(err, ErrUnreachable) { // it waits until its deadline
		t.Error("near the limit:", err)
	}
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	s := openTest(t, with(postgrestest.Database(t), "pool_max_conns=7"))
	plant(t, s, 1)
	figures := map[string]float64{}
	for _, m := range s.Measure() {
		figures[m.Name] = m.Value
	}
	if figures["connections_capacity"] != 7 || figures["connections"] < 1 || figures["connects_total"] < 1 || figures["connection_queue_acts"] != 0 {
		t.Errorf("the figures are %v", figures)
	}
}
