package users

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/audit"
)

// try makes one attempt that fails or succeeds, and returns how long it was told to wait.
func try(th *throttle, now time.Time, login, address string, r result) time.Duration {
	a, err := th.begin(now, login, address)
	var wait *Throttled
	if errors.As(err, &wait) {
		return wait.After
	}
	a.end(now, r)
	return 0
}

func TestThrottleAccount(t *testing.T) {
	t.Parallel()
	th, now := newThrottle(), start
	address := func(i int) string { return fmt.Sprintf("192.0.2.%d", i) } // each attempt from elsewhere
	for i := range 6 {
		if wait := try(th, now, "ada", address(i), failed); wait != 0 {
			t.Fatalf("attempt %d waits %s; 5 failures are free", i+1, wait)
		}
	}
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		want *= time.Second
		if got := try(th, now, "ada", address(10+i), succeeded); got != want {
			t.Fatalf("after failure %d: waits %s, want %s", i+6, got, want)
		}
		if got := try(th, now.Add(want-time.Millisecond), " ADA", address(20+i), succeeded); got != time.Millisecond {
			t.Fatalf("another spelling of the name just before: waits %s", got)
		}
		if got := try(th, now, "bob", address(30+i), undecided); got != 0 {
			t.Fatalf("another account waits %s", got)
		}
		now = now.Add(want)
		if got := try(th, now, "ada", address(40+i), failed); got != 0 {
			t.Fatalf("after the wait: %s", got)
		}
	}
}

func TestThrottleAddress(t *testing.T) {
	t.Parallel()
	th, now := newThrottle(), start
	name := func(i int) string { return fmt.Sprintf("user%d", i) }
	for i := range 21 {
		if wait := try(th, now, name(i), "192.0.2.1", failed); wait != 0 {
			t.Fatalf("attempt %d waits %s; 20 failures are free", i+1, wait)
		}
	}
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		want *= time.Second
		if got := try(th, now, name(100+i), "192.0.2.1", failed); got != want {
			t.Fatalf("after failure %d: waits %s, want %s", i+21, got, want)
		}
		if got := try(th, now, name(200+i), "192.0.2.2", failed); got != 0 {
			t.Fatalf("another address waits %s", got)
		}
		now = now.Add(want)
		if got := try(th, now, name(300+i), "192.0.2.1", succeeded); got != 0 { // one's own account buys nothing
			t.Fatalf("after the wait: %s", got)
		}
		if got := try(th, now, name(400+i), "192.0.2.1", failed); got != 0 {
			t.Fatalf("after a success: %s", got)
		}
	}
}

func TestThrottleForgets(t *testing.T) {
	t.Parallel()
	fail := func(th *throttle, n int) {
		for range n {
			try(th, start, "ada", "192.0.2.1", failed)
		}
	}
	t.Run("a success clears the account", func(t *testing.T) {
		t.Parallel()
		th := newThrottle()
		fail(th, 5)
		try(th, start, "ada", "192.0.2.1", succeeded)
		fail(th, 5)
		if wait := try(th, start, "ada", "192.0.2.1", undecided); wait != 0 {
			t.Errorf("waits %s", wait)
		}
	})
	t.Run("what was not looked at counts for nothing", func(t *testing.T) {
		t.Parallel()
		th := newThrottle()
		for range 100 {
			if wait := try(th, start, "ada", "192.0.2.1", undecided); wait != 0 {
				t.Fatalf("waits %s", wait)
			}
		}
	})
	t.Run("failures fade after 15 minutes without one", func(t *testing.T) {
		t.Parallel()
		th := newThrottle()
		fail(th, 6)
		for range 6 {
			if wait := try(th, start.Add(fade), "ada", "192.0.2.1", failed); wait != 0 {
				t.Fatalf("waits %s", wait)
			}
		}
		if wait := try(th, start.Add(fade), "ada", "192.0.2.1", failed); wait != time.Second {
			t.Errorf("waits %s", wait)
		}
	})
	t.Run("a clock set back does not lock out for longer than the wait", func(t *testing.T) {
		t.Parallel()
		th := newThrottle()
		fail(th, 6)
		if wait := try(th, start.Add(-24*time.Hour), "ada", "192.0.2.1", undecided); wait != time.Second {
			t.Errorf("waits %s", wait)
		}
	})
}

// As many guesses at once get through as would one after another.
func TestThrottleConcurrent(t *testing.T) {
	t.Parallel()
	th := newThrottle()
	var in atomic.Int32
	var begun, ended sync.WaitGroup
	begun.Add(100)
	for i := range 100 {
		ended.Go(func() {
			a, err := th.begin(start, "ada", fmt.Sprintf("192.0.2.%d", i))
			begun.Done()
			begun.Wait() // nobody's result is known while the others begin
			if err == nil {
				in.Add(1)
				a.end(start, failed)
			}
		})
	}
	ended.Wait()
	if in.Load() != 6 {
		t.Errorf("%d guesses passed at once, want 6", in.Load())
	}
	if wait := try(th, start, "ada", "198.51.100.1", undecided); wait != time.Second {
		t.Errorf("afterwards: waits %s", wait)
	}
	a, err := th.begin(start.Add(time.Second), "ada", "198.51.100.1")
	if err != nil {
		t.Fatal(err)
	}
	if wait := try(th, start.Add(time.Second), "ada", "198.51.100.2", undecided); wait != underWay {
		t.Errorf("beside one under way: %s", wait)
	}
	a.end(start.Add(time.Second), undecided)
}

func TestThrottleIsBounded(t *testing.T) {
	t.Parallel()
	th := newThrottle()
	try(th, start, "held", "2001:db8::1", failed)
	held, err := th.begin(start, "held", "2001:db8::1")
	if err != nil {
		t.Fatal(err)
	}
	for i := range countedAt + 10 {
		try(th, start, fmt.Sprint(i), netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String(), failed)
	}
	if th.accounts.failed.Len() != countedAt || th.addresses.failed.Len() != countedAt {
		t.Errorf("%d accounts, %d addresses are kept", th.accounts.failed.Len(), th.addresses.failed.Len())
	}
	held.end(start, failed) // its tally was pushed out meanwhile; the failure still counts
	if row, ok := th.accounts.failed.Peek(held.account); !ok || row.failures != 1 {
		t.Errorf("%+v", row)
	}
	if len(th.accounts.underWay) != 0 || len(th.addresses.underWay) != 0 {
		t.Errorf("nothing is under way, but %v and %v are kept", th.accounts.underWay, th.addresses.underWay)
	}
}

// A tally is pushed out by failures alone, each of which cost a password hash.
func TestThrottleIsNotFlushedForNothing(t *testing.T) {
	t.Parallel()
	flush := func(t *testing.T, attempt func(th *throttle, login string)) {
		t.Parallel()
		th := newThrottle()
		for i := range 6 {
			try(th, start, "victim", fmt.Sprintf("192.0.2.%d", i), failed)
		}
		for i := range 21 { // the flusher's own address is slowed down
			try(th, start, fmt.Sprint("own", i), "203.0.113.1", failed)
		}
		for i := range countedAt + 10 {
			attempt(th, fmt.Sprint("noise", i))
		}
		if wait := try(th, start, "victim", "198.51.100.1", undecided); wait != time.Second {
			t.Errorf("the victim's account waits %s, want 1s", wait)
		}
		if wait := try(th, start, "somebody", "203.0.113.1", undecided); wait != time.Second {
			t.Errorf("the flusher's address waits %s, want 1s", wait)
		}
	}
	t.Run("by attempts that are refused", func(t *testing.T) {
		flush(t, func(th *throttle, login string) {
			if wait := try(th, start, login, "203.0.113.1", failed); wait == 0 {
				t.Fatal("was let in")
			}
		})
	})
	t.Run("by attempts that are given up before the password was looked at", func(t *testing.T) {
		flush(t, func(th *throttle, login string) { try(th, start, login, "203.0.113.2", undecided) })
	})
	t.Run("by attempts that succeed", func(t *testing.T) {
		flush(t, func(th *throttle, login string) { try(th, start, login, "203.0.113.2", succeeded) })
	})
}

// That two logins are of one account is not shown by how one is slowed down after failures at the other.
func TestThrottleTellsNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{})
	answers := func(logins ...string) (all []string) {
		for _, login := range logins {
			for i := range 8 {
				from := From{Origin: audit.Origin{Address: fmt.Sprintf("10.%d.%d.%d", len(logins[0]), len(login), i)}} // each from elsewhere
				_, err := h.Password(t.Context(), login, "wrong horse", from)
				all = append(all, err.Error())
			}
		}
		return all
	}
	known, unknown := answers("ada", "ada@example.com"), answers("nobody", "nobody@example.com")
	if !slices.Equal(known, unknown) {
		t.Errorf("somebody: %q\nnobody: %q", known, unknown)
	}
	if known[5] != ErrCredentials.Error() || known[6] == known[5] {
		t.Errorf("6 guesses are let in, then none: %q", known)
	}
}

func TestThrottledText(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]string{time.Millisecond: "1s", 4 * time.Second: "4s", 59*time.Second + 1: "1m0s"} {
		if got := (&Throttled{after}).Error(); got != "too many failed sign-ins; try again in "+want {
			t.Error(got)
		}
	}
}
