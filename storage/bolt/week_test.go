package bolt

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/storagetest"
)

// week is a town of people who sign in, come back, and leave, with the clock turned.
type week struct {
	*testing.T
	store   *Store
	random  *rand.Rand
	now     time.Time
	users   []storage.User
	browser map[string]storage.Handle // by sub
	line    []storage.Family          // of refresh tokens in use
	acts    int
}

const (
	townsfolk    = 60
	sessionIdle  = 12 * time.Hour
	sessionMost  = 24 * time.Hour
	familyIdle   = 24 * time.Hour
	weekClient   = "4cXk0tKc7Zq1"
	entriesKept  = 2 * day
	tick         = 15 * time.Minute
	actsInATick  = 6
	settledAfter = 4 * day // margins and retention are over, and as much is deleted as is made
)

// TestAWeekLeavesTheFileAsLargeAsWhatIsLive lives through a week of sign-ins, codes, refreshes and revocations, swept each minute as a server
// does: from the fourth day on the file does not grow, and there is little in it that a copy would not have.
func TestAWeekLeavesTheFileAsLargeAsWhatIsLive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	s := openTest(t, func(o *Options) { o.Path = path })
	s.db.NoSync = true // what is measured is space
	w := &week{T: t, store: s, random: rand.New(rand.NewPCG(1, 2)), now: epoch, browser: map[string]storage.Handle{}}
	w.settle()
	var settled int64
	for ; w.now.Before(epoch.Add(7 * day)); w.now = w.now.Add(tick) {
		for range w.random.IntN(2 * actsInATick) {
			w.act()
		}
		w.sweep()
		if settled == 0 && w.now.After(epoch.Add(settledAfter)) {
			settled = s.used(t)
		}
	}
	used := s.used(t)
	s.Close()
	before, after, err := Compact(t.Context(), Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	live := openTest(t, func(o *Options) { o.Path = path }).used(t)
	t.Logf("%d acts; in use %d KiB after four days, %d KiB after seven, %d KiB of them live; the file had %d KiB, compacted %d KiB",
		w.acts, settled>>10, used>>10, live>>10, before>>10, after>>10)
	if used > settled*115/100 {
		t.Errorf("the file grew from %d to %d bytes in the last three days", settled, used)
	}
	if after > before {
		t.Errorf("compacting made %d bytes of %d", after, before)
	}
	if used > live*3 {
		t.Errorf("of %d bytes %d are live", used, live)
	}
	if w.acts < 5000 {
		t.Errorf("%d acts are no week", w.acts)
	}
}

func (w *week) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	w.acts++
}

func (w *week) change() storage.Change { return storage.Change{Now: w.now} }

func (w *week) settle() {
	_, err := w.store.SaveClient(w.Context(), storage.Client{ID: weekClient, GrantTypes: []string{"authorization_code", "refresh_token"}}, w.change())
	w.ok(err)
	for i := range townsfolk {
		name := fmt.Sprintf("user%d", i)
		u, err := w.store.SaveUser(w.Context(), storage.User{Sub: name, Name: name}, false, w.change())
		w.ok(err)
		w.users = append(w.users, u)
	}
}

// act is what somebody does.
func (w *week) act() {
	switch dice := w.random.IntN(100); {
	case dice < 25:
		w.signIn(w.users[w.random.IntN(len(w.users))])
	case dice < 85:
		w.refresh()
	case dice < 90: // a sign-in that nobody ends
		w.begin()
	case dice < 94:
		w.ok(w.store.SpendAssertion(w.Context(), weekClient, fmt.Sprint(w.acts), w.now.Add(5*time.Minute), w.change()))
	case dice < 98 && len(w.line) > 0:
		at := w.random.IntN(len(w.line))
		w.ok(w.store.EndFamily(w.Context(), w.line[at].ID, weekClient, w.change()))
		w.line = append(w.line[:at], w.line[at+1:]...)
	default:
		w.ok(w.store.Record(w.Context(), audit.Entry{Time: w.now, Event: audit.SignInFailed, Detail: "wrong password"}))
	}
}

func (w *week) begin() storage.Handle {
	h := storage.NewHandle(w.now.Add(10 * time.Minute))
	w.ok(w.store.BeginInteraction(w.Context(), storage.Interaction{
		ID: h.ID, SecretHash: h.Hash(), Address: "192.0.2.7", Created: w.now, Expires: w.now.Add(10 * time.Minute),
		Request: storage.Request{Client: weekClient, RedirectURI: "https://app.example/cb", Scopes: []string{"openid", "offline_access"}, State: "af0ifjsldkj", Nonce: "n-0S6_WzA2Mj"},
	}, 1000))
	return h
}

// signIn goes from the login page to a line of refresh tokens.
func (w *week) signIn(u storage.User) {
	interaction, h := w.begin(), storage.NewHandle(w.now)
	session := storage.Session{
		ID: storage.NewID(w.now), Browser: h.ID, User: u.Sub, Epoch: u.Epoch, AuthTime: w.now, ACR: "pwd", AMR: []string{"pwd"}, Created: w.now, LastUsed: w.now,
		IdleExpires: w.now.Add(sessionIdle), Expires: w.now.Add(sessionMost), Address: "192.0.2.7",
	}
	in, err := w.store.SignIn(w.Context(), storage.SignIn{
		Interaction: interaction, Old: w.browser[u.Sub], Session: session,
		Browser: storage.Browser{ID: h.ID, SecretHash: h.Hash(), Created: w.now, Expires: w.now.Add(sessionMost)},
	})
	w.ok(err)
	session = in.Session // it may go on from before
	w.browser[u.Sub] = h
	code := storage.NewHandle(w.now.Add(time.Minute))
	w.ok(w.store.Authorize(w.Context(), storage.Issue{
		Authorization: storage.Authorization{
			Client: weekClient, User: u.Sub, Session: session.ID, Epoch: u.Epoch, Scopes: []string{"openid", "offline_access"}, AuthTime: w.now, Offline: true,
		},
		Code:        &storage.Code{ID: code.ID, SecretHash: code.Hash(), Expires: w.now.Add(time.Minute)},
		Interaction: interaction, Idle: sessionIdle, Now: w.now,
	}))
	redeemed, err := w.store.RedeemCode(w.Context(), storage.Redemption{Code: code, Client: weekClient, Now: w.now}, storage.Family{
		ID: storage.NewID(w.now), Created: w.now, Moved: w.now, IdleExpires: w.now.Add(familyIdle), Expires: w.now.Add(7 * day),
	})
	w.ok(err)
	w.line = append(w.line, redeemed.Family)
}

// refresh moves a line on. Those that went unused for too long are forgotten, as apps do.
func (w *week) refresh() {
	if len(w.line) == 0 {
		return
	}
	at := w.random.IntN(min(len(w.line), 2*townsfolk)) // the oldest have the best of it, and the others run out
	f := w.line[at]
	next, _, err := w.store.RotateFamily(w.Context(), storage.Rotation{Family: f.ID, Generation: f.Generation, Client: weekClient, Idle: familyIdle, Now: w.now})
	if err != nil {
		w.line = append(w.line[:at], w.line[at+1:]...)
		return
	}
	w.acts++
	w.line[at] = next
}

// sweep deletes as a server's sweeper does, until nothing is left to do.
func (w *week) sweep() {
	storagetest.Vouch(w, w.store, w.now)
	for more := true; more; {
		var err error
		if _, more, err = w.store.Sweep(w.Context(), w.now, entriesKept, 500); err != nil {
			w.Fatal(err)
		}
	}
}
