package users

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/bolt"
)

// house is an Authenticator over a real store with five accounts, whose clock the test moves and whose hashing is counted.
type house struct {
	*Authenticator
	store  *bolt.Store
	users  map[string]storage.User
	now    atomic.Pointer[time.Time]
	hashed atomic.Int32
}

const password = "correct horse"

func newHouse(t *testing.T, o Options) *house {
	t.Helper()
	h := &house{users: map[string]storage.User{}}
	h.now.Store(&start)
	store, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "signet.db"), Now: h.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	h.store = store
	if o.Store == nil {
		o.Store = store
	}
	o.Now = h.clock
	h.Authenticator = NewAuthenticator(o)
	h.Authenticator.derive = func(normalized string, p phc) []byte {
		h.hashed.Add(1)
		p.memory, p.passes = 8, 1 // as lightHash made them; the dummy costs no more here
		return derive(normalized, p)
	}
	for name, change := range map[string]func(*storage.User){
		"ada":      func(u *storage.User) { u.Email = "ada@example.com" },
		"disabled": func(u *storage.User) { u.Disabled = true },
		"nopass":   func(u *storage.User) { u.PasswordHash = "" },
		"broken":   func(u *storage.User) { u.PasswordHash = "$argon2id$broken" },
		"umlaut":   func(u *storage.User) { u.PasswordHash = lightHash(t, "pa\u0308sswo\u0308rd ") },
	} {
		u, err := New(name, start)
		if err != nil {
			t.Fatal(err)
		}
		u.PasswordHash = lightHash(t, password)
		change(&u)
		if h.users[name], err = store.SaveUser(t.Context(), u, false, storage.Change{Now: start}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (h *house) clock() time.Time { return *h.now.Load() }

func (h *house) move(d time.Duration) {
	now := h.clock().Add(d)
	h.now.Store(&now)
}

// failures returns the audit log's failed sign-ins.
func (h *house) failures(t *testing.T) (entries []audit.Entry) {
	t.Helper()
	err := h.store.Entries(context.Background(), func(e audit.Entry) error {
		if e.Event == audit.SignInFailed {
			entries = append(entries, e)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

var (
	origin = audit.Origin{Trace: "trace", Address: "192.0.2.1"}
	from   = From{Origin: origin, UserAgent: "a browser", Client: "an app"}
)

func TestPassword(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", maxPassword+1)
	for name, c := range map[string]struct {
		login, password string
		user            string // who it is, or was meant to be
		why             string // the audit log's reason; "" if it succeeds
	}{
		"by name":                         {"ada", password, "ada", ""},
		"by name in another case":         {" ADA ", password, "ada", ""},
		"by email":                        {"Ada@Example.com", password, "ada", ""},
		"NIST SP 800-63B: normalized":     {"umlaut", "pässwörd ", "umlaut", ""},
		"NIST SP 800-63B: not trimmed":    {"umlaut", "pässwörd", "umlaut", "wrong password"},
		"wrong password":                  {"ada", "wrong horse", "ada", "wrong password"},
		"empty password":                  {"ada", "", "ada", "wrong password"},
		"password that is the hash":       {"ada", "$argon2id$v=19$m=8,t=1,p=1$", "ada", "wrong password"},
		"password too long":               {"ada", long, "ada", "wrong password"},
		"password not UTF-8":              {"ada", password + "\xff", "ada", "wrong password"},
		"disabled, the right password":    {"disabled", password, "disabled", "user is disabled"},
		"no password, an empty one":       {"nopass", "", "nopass", "user has no password"},
		"no password":                     {"nopass", password, "nopass", "user has no password"},
		"a hash that cannot be read":      {"broken", password, "broken", "wrong password"},
		"unknown":                         {"nobody", password, "", "no such user"},
		"unknown, a password as the name": {"hunter2hunter2", "ada", "", "no such user"},
		"no name":                         {"", password, "", "no such user"},
		"a name beyond reason":            {strings.Repeat("ada", 1000), password, "", "no such user"},
		"a name not UTF-8":                {"ada\xff", password, "", "no such user"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, Options{})
			u, err := h.Password(t.Context(), c.login, c.password, from)
			if n := h.hashed.Load(); n != 1 {
				t.Errorf("%d hashes, want 1 whoever it is", n)
			}
			if c.why == "" {
				if err != nil || u.Sub != h.users[c.user].Sub || len(h.failures(t)) != 0 {
					t.Errorf("%v, %v", u.Name, err)
				}
				return
			}
			if err != ErrCredentials || u.Sub != "" || u.PasswordHash != "" {
				t.Errorf("%v, %v; want the one answer and nobody", u, err)
			}
			want := audit.Entry{Time: start, Event: audit.SignInFailed, Origin: origin, Client: "an app", User: h.users[c.user].Sub, Detail: c.why}
			if got := h.failures(t); len(got) != 1 || got[0] != want {
				t.Errorf("recorded %+v, want %+v", got, want)
			}
		})
	}
}

func TestEnumeration(t *testing.T) {
	t.Parallel()
	observe := func(login string) (answers []string) {
		h := newHouse(t, Options{})
		for i := range 25 {
			before := h.hashed.Load()
			_, err := h.Password(t.Context(), login, fmt.Sprintf("wrong horse %d", i), From{Origin: audit.Origin{Address: fmt.Sprintf("192.0.2.%d", i)}})
			answers = append(answers, fmt.Sprintf("%v, %d hashes", err, h.hashed.Load()-before))
			h.move(700 * time.Millisecond)
		}
		return answers
	}
	unknown := observe("nobody")
	if !slices.ContainsFunc(unknown, func(s string) bool { return strings.HasPrefix(s, "too many") }) {
		t.Fatal("nothing was throttled")
	}
	for _, login := range []string{"ada", "ada@example.com", "disabled", "nopass", "broken"} {
		if got := observe(login); !slices.Equal(got, unknown) {
			t.Errorf("%s is told from one who is not there:\n%s\n\n%s", login, strings.Join(got, "\n"), strings.Join(unknown, "\n"))
		}
	}
}

// Unknown users cost what known ones cost: the dummy has the parameters of a new hash, and a fresh salt.
func TestDummy(t *testing.T) {
	t.Parallel()
	a, b := NewAuthenticator(Options{}), NewAuthenticator(Options{})
	if NeedsRehash(a.dummy.String()) {
		t.Error("the dummy has other parameters than a new hash")
	}
	if bytes.Equal(a.dummy.salt, b.dummy.salt) || bytes.Equal(a.dummy.key, b.dummy.key) {
		t.Error("the dummy is the same everywhere")
	}
}

func TestPasswordThrottled(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{})
	for i := range 6 {
		if _, err := h.Password(t.Context(), "ada", "wrong", from); err != ErrCredentials {
			t.Fatalf("attempt %d: %v", i+1, err)
		}
	}
	var wait *Throttled
	_, err := h.Password(t.Context(), "ada", password, from)
	if !errors.As(err, &wait) || wait.After != time.Second || h.hashed.Load() != 6 || len(h.failures(t)) != 6 {
		t.Fatalf("the right password while waiting: %v, %d hashes", err, h.hashed.Load())
	}
	h.move(time.Second)
	if _, err := h.Password(t.Context(), "ada", password, from); err != nil {
		t.Fatalf("after the wait: %v", err)
	}
	for range 5 {
		if _, err := h.Password(t.Context(), "ada", "wrong", from); err != ErrCredentials {
			t.Fatalf("after a success: %v", err)
		}
	}
}

func TestPasswordConcurrent(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Parallel: 4, Waiting: 1000})
	inner, all := h.derive, make(chan struct{})
	h.derive = func(s string, p phc) []byte { <-all; return inner(s, p) }
	var throttled, wrong atomic.Int32
	var group sync.WaitGroup
	for range 60 {
		group.Go(func() {
			var wait *Throttled
			switch _, err := h.Password(t.Context(), "ada", "wrong", from); {
			case errors.As(err, &wait):
				if throttled.Add(1) == 54 {
					close(all)
				}
			case err == ErrCredentials:
				wrong.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if wrong.Load() != 6 || h.hashed.Load() != 6 {
		t.Errorf("%d guesses at once were answered, %d hashed, %d throttled; want 6", wrong.Load(), h.hashed.Load(), throttled.Load())
	}
}

func TestTurns(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Parallel: 1, Waiting: 1})
	entered, leave := make(chan struct{}), make(chan struct{})
	inner := h.derive
	h.derive = func(s string, p phc) []byte { entered <- struct{}{}; <-leave; return inner(s, p) }
	attempt := func(ctx context.Context, login string) <-chan error {
		answer := make(chan error, 1)
		go func() {
			_, err := h.Password(ctx, login, password, from)
			answer <- err
		}()
		return answer
	}
	first := attempt(t.Context(), "ada")
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	second := attempt(ctx, "umlaut")
	for len(h.queue) < 2 {
		time.Sleep(time.Millisecond)
	}
	if err := <-attempt(t.Context(), "nobody"); !errors.Is(err, ErrBusy) || !errors.Is(err, storage.ErrBusy) {
		t.Errorf("with one hashing and one waiting: %v", err)
	}
	if _, err := h.Hash(t.Context(), password); !errors.Is(err, ErrBusy) {
		t.Errorf("a new password: %v", err)
	}
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("who left while waiting: %v", err)
	}
	third := attempt(t.Context(), "ada")
	leave <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	<-entered
	leave <- struct{}{}
	if err := <-third; err != nil {
		t.Error(err)
	}
	if len(h.failures(t)) != 0 || len(h.queue) != 0 || len(h.cores) != 0 {
		t.Errorf("%d failures, %d in the queue, %d at a core are left", len(h.failures(t)), len(h.queue), len(h.cores))
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{})
	if hash, err := h.Hash(t.Context(), password); err != nil || NeedsRehash(hash) {
		t.Errorf("%s, %v", hash, err)
	}
	var fault *FieldError
	if _, err := h.Hash(t.Context(), "short"); !errors.As(err, &fault) || len(h.queue) != 0 {
		t.Errorf("%v", err)
	}
}

// failing is a store that fails when it is told to.
type failing struct {
	*bolt.Store
	find, record error
}

func (f *failing) UserByLogin(ctx context.Context, login string) (storage.User, error) {
	if f.find != nil {
		return storage.User{}, f.find
	}
	return f.Store.UserByLogin(ctx, login)
}

func (f *failing) SignInFailed(ctx context.Context, sub string, n storage.SignInNote, entries ...audit.Entry) error {
	if f.record != nil {
		return f.record
	}
	return f.Store.SignInFailed(ctx, sub, n, entries...)
}

// noting is a store that remembers what was noted of failures.
type noting struct {
	*bolt.Store
	subs  []string
	notes []storage.SignInNote
}

func (n *noting) SignInFailed(ctx context.Context, sub string, note storage.SignInNote, entries ...audit.Entry) error {
	n.subs, n.notes = append(n.subs, sub), append(n.notes, note)
	return n.Store.SignInFailed(ctx, sub, note, entries...)
}

// A failure is one act, whoever it is of; the user is told of it, and of a success the sign-in itself says so.
func TestFailuresAreNoted(t *testing.T) {
	t.Parallel()
	n := &noting{}
	h := newHouse(t, Options{Store: n})
	n.Store = h.store
	for _, c := range []struct{ login, password, user string }{
		{"ada", "wrong", "ada"}, {"Ada@Example.com", "wrong", "ada"}, {"disabled", password, "disabled"}, {"nopass", password, "nopass"}, {"nobody", password, ""},
		{"ada", password, "-"},
	} {
		n.subs, n.notes = nil, nil
		_, _ = h.Password(t.Context(), c.login, c.password, from)
		if c.user == "-" {
			if n.notes != nil {
				t.Errorf("a success was noted as %+v", n.notes)
			}
			continue
		}
		want := storage.SignInNote{Time: start, Failed: true, Address: origin.Address, UserAgent: "a browser", Client: "an app"}
		if len(n.notes) != 1 || n.subs[0] != h.users[c.user].Sub || !reflect.DeepEqual(n.notes[0], want) {
			t.Errorf("%s: noted %+v for %q", c.login, n.notes, n.subs)
		}
	}
}

func TestStoreFails(t *testing.T) {
	t.Parallel()
	f := &failing{}
	h := newHouse(t, Options{Store: f})
	f.Store = h.store
	f.find = storage.ErrBusy
	for range 50 {
		if _, err := h.Password(t.Context(), "ada", "wrong", from); !errors.Is(err, storage.ErrBusy) || h.hashed.Load() != 0 {
			t.Fatalf("the user cannot be looked for: %v", err)
		}
	}
	f.find, f.record = nil, storage.ErrNoSpace
	for range 6 {
		if _, err := h.Password(t.Context(), "ada", "wrong", from); !errors.Is(err, storage.ErrNoSpace) || errors.Is(err, ErrCredentials) {
			t.Fatalf("the failure cannot be recorded: %v", err)
		}
	}
	f.record = nil
	var wait *Throttled
	if _, err := h.Password(t.Context(), "ada", password, from); !errors.As(err, &wait) {
		t.Errorf("guesses that were not recorded did not count: %v", err)
	}
}

// A browser that leaves before the answer leaves the record of its guess behind.
func TestLeavingIsNoWayOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	inner := h.derive
	h.derive = func(s string, p phc) []byte { cancel(); return inner(s, p) }
	if _, err := h.Password(ctx, "ada", "wrong", from); err != ErrCredentials {
		t.Error(err)
	}
	if got := h.failures(t); len(got) != 1 {
		t.Errorf("recorded %v", got)
	}
}

// A panic below does not leave an attempt under way for ever.
func TestPanic(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Parallel: 1, Waiting: 1})
	inner := h.derive
	h.derive = func(string, phc) []byte { panic("out of memory") }
	for range 20 {
		func() {
			defer func() { _ = recover() }()
			_, _ = h.Password(t.Context(), "ada", "wrong", from)
		}()
	}
	h.derive = inner
	if _, err := h.Password(t.Context(), "ada", password, from); err != nil {
		t.Error(err)
	}
}

func BenchmarkHashPassword(b *testing.B) {
	for b.Loop() {
		if _, err := HashPassword(password); err != nil {
			b.Fatal(err)
		}
	}
}
