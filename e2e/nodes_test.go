package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"signet/audit"
	"signet/storage"
	"signet/storage/postgres"
)

var nodesFor = flag.Duration("nodes", 0, "how long TestNodes disturbs two nodes, and then three; 0: each fault once, three nodes alone")

// TestNodes uses some nodes on one PostgreSQL from many sides while they are killed, PostgreSQL is killed, and its standby takes over, and
// holds them to all that they acknowledged. docs/reliability.md has the figures of a long run.
func TestNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes twenty seconds")
	}
	t.Parallel()
	sizes := []int{3}
	if *nodesFor > 0 {
		sizes = []int{2, 3}
	}
	for _, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) { testNodes(t, size) })
	}
}

func testNodes(t *testing.T, size int) {
	n := *seed
	if n == 0 {
		n = time.Now().UnixNano()
	}
	t.Logf("-seed %d", n)
	c := newCluster(t, size)
	c.run(c.nodes[:1], func() {})
	due := c.age()
	c.run(c.nodes, func() { // all start at once, and each finds that the keys are due
		c.turned(due)
		m := &memory{}
		c.underLoad(m, func() { c.disturb(m, rand.New(rand.NewPCG(uint64(n), 0))) })
		c.awaitReady(c.nodes...)
		if !t.Failed() {
			c.check(m)
		}
		c.report(m)
	})
}

// run has nodes running, and f begins when they are ready.
func (c *cluster) run(nodes []*node, f func()) {
	c.t.Helper()
	stop := make(chan struct{})
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(func() { c.supervise(n, stop) })
	}
	for _, n := range nodes {
		<-n.started
	}
	defer all.Wait()
	defer close(stop)
	c.awaitReady(nodes...)
	f()
}

// age makes the keys forty days older than they are, so that a rotation is due, and returns the ring.
func (c *cluster) age() storage.Ring {
	c.t.Helper()
	store := c.store()
	defer store.Close()
	ring, err := store.Ring(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	const older = 40 * 24 * time.Hour
	for i := range ring.Signing {
		k := &ring.Signing[i]
		k.Created = k.Created.Add(-older)
		if !k.Active.IsZero() {
			k.Active = k.Active.Add(-older)
		}
	}
	ring, err = store.SaveRing(c.t.Context(), ring, storage.Change{Now: time.Now()})
	if err != nil {
		c.t.Fatal(err)
	}
	return ring
}

// turned holds the cluster to exactly one rotation since: the next keys of then sign, and one change was saved, however many nodes there are.
func (c *cluster) turned(before storage.Ring) {
	c.t.Helper()
	store := c.store()
	defer store.Close()
	after, err := store.Ring(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	saved := uint64(0)
	if err := store.Entries(c.t.Context(), func(e audit.Entry) error {
		if e.Event == audit.RingSaved {
			saved++
		}
		return nil
	}); err != nil {
		c.t.Fatal(err)
	}
	if saved != before.Revision+1 || after.Revision != saved {
		c.t.Errorf("the ring was saved %d times, want once, and has the revision %d", saved-before.Revision, after.Revision)
	}
	if was, is := signing(before), signing(after); slices.Equal(was, is) || len(was) != len(is) {
		c.t.Errorf("%v signed before and %v after", was, is)
	}
}

// signing are the keys that sign.
func signing(r storage.Ring) (kids []string) {
	for _, k := range r.Signing {
		if !k.Active.IsZero() && k.Retired.IsZero() {
			kids = append(kids, k.KID)
		}
	}
	return kids
}

// Of each sort of worker there are so many.
const (
	refreshers = 6
	redeemers  = 2
	signers    = 1
	racing     = 1
)

// underLoad has the workers work while f runs.
func (c *cluster) underLoad(m *memory, f func()) {
	c.t.Helper()
	store := c.store()
	defer store.Close()
	stop := make(chan struct{})
	var all sync.WaitGroup
	number := 0
	worker := func(what string, work func(ctx context.Context, client *http.Client) error) {
		number++
		client := c.client(number)
		all.Go(func() {
			if err := work(context.WithValue(context.Background(), oauth2.HTTPClient, client), client); err != nil {
				c.t.Errorf("%s: %v", what, err)
			}
		})
	}
	visitor := c.agent("alice", c.client(250)) // signs in once
	begin := func() *family {                  // nothing is disturbed yet
		c.t.Helper()
		token, err := visitor.signIn(context.WithValue(context.Background(), oauth2.HTTPClient, c.client(250)), c.config)
		if err != nil {
			c.t.Fatal(err)
		}
		f := &family{refresh: token.RefreshToken, access: token.AccessToken}
		m.families = append(m.families, f)
		return f
	}
	for range refreshers {
		f := begin()
		worker("refreshing", func(ctx context.Context, _ *http.Client) error { return c.refreshes(ctx, m, f, stop) })
	}
	for range redeemers {
		worker("redeeming", func(ctx context.Context, client *http.Client) error {
			return c.redeems(ctx, m, c.agent("alice", client), stop)
		})
	}
	for range signers {
		worker("signing in", func(ctx context.Context, client *http.Client) error {
			return c.signsIn(ctx, m, func() *http.Client { return client }, stop)
		})
	}
	for range racing {
		f := begin()
		worker("racing", func(ctx context.Context, client *http.Client) error {
			return c.races(ctx, m, c.agent("bob", client), f, stop)
		})
	}
	worker("operating", func(context.Context, *http.Client) error { return c.operates(m, stop) })
	worker("turning the keys", func(context.Context, *http.Client) error { return c.turnsKeys(m, store, stop) })
	defer all.Wait()
	defer close(stop)
	f()
}

// known is how long it takes until every node knows a new key: they look once a minute, and again after ten seconds where that failed.
const known = 90 * time.Second

// turnsKeys rotates by command. Forced, the announced key signs at once; the one after it is announced then, and must not be forced before
// all know it.
func (c *cluster) turnsKeys(m *memory, store *postgres.Store, stop <-chan struct{}) error {
	for !over(stop) {
		before, err := c.ring(store)
		if err != nil {
			return err
		}
		_, refused := c.command(m, c.any(), "", "key", "rotate", "--now", "--force")
		after, err := c.ring(store)
		saved := after.Revision - before.Revision
		switch {
		case err != nil:
			return err
		case saved > 1 || saved == 0 && refused == nil || (saved == 0) != slices.Equal(signing(before), signing(after)):
			return fmt.Errorf("the ring was saved %d times for one command (%w), %v signed before and %v after", saved, refused, signing(before), signing(after))
		case saved == 1: // acknowledged or not
			m.rotations.Add(1)
			pause(stop, known)
		default:
			pause(stop, 300*time.Millisecond)
		}
	}
	return nil
}

// ring reads the keys beside the nodes.
func (c *cluster) ring(store *postgres.Store) (ring storage.Ring, err error) {
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if ring, err = store.Ring(context.Background()); !errors.Is(err, storage.ErrUnavailable) || time.Now().After(deadline) {
			return ring, err
		}
	}
}

// fault is something that is done to the cluster.
type fault struct {
	name string
	do   func()
}

// disturb does one thing after the other to the cluster. Its standby takes over once.
func (c *cluster) disturb(m *memory, random *rand.Rand) {
	between := func(least, most time.Duration) { time.Sleep(least + time.Duration(random.Int64N(int64(most-least)))) }
	kill := func(n int) func() {
		return func() {
			for _, i := range random.Perm(len(c.nodes))[:n] {
				c.nodes[i].kill()
				m.killed++
			}
		}
	}
	crash := func(end func()) func() {
		return func() {
			defer c.over(c.begin())
			end()
			between(200*time.Millisecond, 800*time.Millisecond)
			if err := c.primary.Restart(); err != nil {
				c.t.Fatal(err)
			}
			m.crashed++
		}
	}
	faults := []fault{
		{"a node is killed", kill(1)},
		{"PostgreSQL is killed", crash(func() { c.primary.Kill(c.t) })},
		{"two nodes are killed", kill(2)},
		{"PostgreSQL is ended by SIGQUIT", crash(func() { c.primary.Quit(c.t) })},
		{"one process of PostgreSQL is killed", func() {
			defer c.over(c.begin())
			c.primary.KillOne(c.t)
			m.recovered++
		}},
		{"all nodes are killed", kill(len(c.nodes))},
		{"nodes are killed while PostgreSQL is down", crash(func() { c.primary.Kill(c.t); kill(2)() })},
	}
	standby := fault{"the standby is killed", func() { // nobody gets an answer meanwhile, nor 503
		c.standby.Kill(c.t)
		between(200*time.Millisecond, 800*time.Millisecond)
		if err := c.standby.Restart(); err != nil {
			c.t.Fatal(err)
		}
		m.alone++
	}}
	do := func(f fault) {
		c.t.Log(f.name)
		f.do()
		between(200*time.Millisecond, time.Second)
	}
	begun := time.Now()
	while := append(slices.Clone(faults), standby) // there is one
	for _, f := range while {
		do(f)
	}
	for time.Since(begun) < *nodesFor/2 {
		do(while[random.IntN(len(while))])
	}
	do(fault{"the standby takes over", func() {
		defer c.over(c.begin())
		c.primary.Kill(c.t)
		c.standby.Promote(c.t)
		c.primary = c.standby
	}})
	for time.Since(begun) < *nodesFor {
		do(faults[random.IntN(len(faults))])
	}
	between(500*time.Millisecond, time.Second)
	m.took = time.Since(begun)
}

// check holds the cluster, now that it is left alone, to what it acknowledged.
func (c *cluster) check(m *memory) {
	c.t.Helper()
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, c.client(250))
	for _, f := range c.unexplained() {
		c.t.Errorf("PostgreSQL was there when %s got %s", f.what, f.says)
	}
	var tokens []string
	for _, f := range m.families { // what was acknowledged last works, or its one successor
		if err := c.refresh(ctx, m, f); err != nil {
			c.t.Error(err)
			continue
		}
		tokens = append(tokens, f.access)
	}
	for _, n := range c.nodes {
		for _, token := range tokens {
			if err := c.verify(ctx, m, n, token); err != nil {
				c.t.Error(err)
			}
			if active, err := c.active(ctx, c.at(n), token); err != nil || !active {
				c.t.Errorf("%s says of a token that was just issued: active %v, %v", n.name, active, err)
			}
		}
	}
	c.each(len(m.revoked), "a revoked token", func(i int) error {
		for _, n := range c.nodes {
			if active, err := c.active(ctx, c.at(n), m.revoked[i]); err != nil || active {
				return fmt.Errorf("%s says active: %v (%w)", n.name, active, err)
			}
		}
		return nil
	})
	c.each(len(m.spent), "a spent code", func(i int) error {
		for _, n := range c.nodes {
			if _, err := c.at(n).Exchange(ctx, m.spent[i].code, oauth2.VerifierOption(m.spent[i].verifier)); refusal(err) != "invalid_grant" {
				return fmt.Errorf("at %s: %v", n.name, err)
			}
		}
		return nil
	})
	c.each(len(m.clients), "a client that was added", func(i int) error {
		config := *c.at(c.nodes[i%len(c.nodes)])
		config.ClientID, config.ClientSecret = m.clients[i][0], m.clients[i][1]
		_, err := c.active(ctx, &config, "nothing")
		return err
	})
	c.each(min(len(m.users), 20), "a user who was added", func(i int) error {
		_, err := c.agent(m.users[i], c.client(250)).signIn(ctx, c.config)
		return err
	})
	c.each(len(m.sessions), "a session", func(i int) error {
		if code, refused, err := m.sessions[i].silent(ctx, c.config); code == "" {
			return fmt.Errorf("it gives no code but %s (%w)", refused, err)
		}
		return nil
	})
	c.each(len(m.left), "a session that was ended", func(i int) error {
		if _, refused, err := m.left[i].silent(ctx, c.config); refused != "login_required" {
			return fmt.Errorf("it gives not login_required but %q (%w)", refused, err)
		}
		return nil
	})
	for i, f := range m.families { // each is given up: an old generation is theft, at one node, and ends it at all
		old := f.before
		if err := c.refresh(ctx, m, f); err != nil {
			c.t.Error(err)
			continue
		}
		if _, err := refreshed(ctx, c.at(c.nodes[i%len(c.nodes)]), old); refusal(err) != "invalid_grant" {
			c.t.Errorf("a refresh token of two generations ago: %v", err)
		}
		for _, n := range c.nodes {
			if _, err := refreshed(ctx, c.at(n), f.refresh); refusal(err) != "invalid_grant" {
				c.t.Errorf("a refresh token of a family that ended, at %s: %v", n.name, err)
			}
		}
	}
}

// each does something for each of so many, some at a time.
func (c *cluster) each(n int, what string, f func(i int) error) {
	c.t.Helper()
	var all sync.WaitGroup
	next := make(chan int)
	for range 4 {
		all.Go(func() {
			for i := range next {
				if err := f(i); err != nil {
					c.t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}

// report prints the figures of docs/reliability.md.
func (c *cluster) report(m *memory) {
	starts, failed := 0, 0
	for _, n := range c.nodes {
		starts, failed = starts+n.starts, failed+n.failed
	}
	var longest, mended time.Duration
	for _, o := range c.outages {
		longest = max(longest, o.to.Sub(o.from))
		if !o.mended.IsZero() {
			mended = max(mended, o.mended.Sub(o.to))
		}
	}
	c.t.Logf("%v with %d nodes: %d requests, %d answers lost, %d times 503", m.took.Round(time.Second), len(c.nodes), c.requests.Load(), c.lost.Load(), c.unavailable.Load())
	c.t.Logf("%d nodes killed, %d starts, %d of them without PostgreSQL in vain", m.killed, starts, failed)
	c.t.Logf("PostgreSQL killed %d times, crashed by itself %d times; its standby killed %d times, and took over once; PostgreSQL was away at most %v, the first refresh at most %v after it was back, and the last request that got 503 was sent at most %v after that",
		m.crashed, m.recovered, m.alone, longest.Round(time.Millisecond), mended.Round(time.Millisecond), c.afterwards().Round(time.Millisecond))
	c.t.Logf("%d refreshes acknowledged; %d looks after a lost answer, and at %d the rotation had happened", m.refreshed.Load(), m.reasked.Load(), m.done.Load())
	c.t.Logf("%d sign-ins with password, %d ended again; %d codes redeemed", m.signedIn.Load(), len(m.left), m.codes.Load())
	c.t.Logf("%d races for a code and %d for a refresh token, of %d each, were answered whole", m.codeRaces.Load(), m.refreshRaces.Load(), racers)
	c.t.Logf("%d commands, %d failed; %d clients and %d users added; keys rotated %d times by command", m.commands.Load(), m.commandsFailed.Load(),
		len(m.clients), len(m.users), m.rotations.Load())
	c.t.Logf("looked at meanwhile: %d introspections by another node, %d signatures by its keys", m.introspected.Load(), m.verified.Load())
	c.t.Logf("looked at in the end: %d families, %d spent codes and %d revoked tokens at each node, %d sessions, %d ended ones",
		len(m.families), len(m.spent), len(m.revoked), len(m.sessions), len(m.left))
}
