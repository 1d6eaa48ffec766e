package archive

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/bolt"
)

// town is a store in which somebody is signed in.
type town struct {
	*testing.T
	*bolt.Store
	user    storage.User
	browser storage.Handle
	session storage.ID
}

const app = "4cXk0tKc7Zq1"

var at = made.Made

func opened(t *testing.T) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "signet.db"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *town) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func newTown(t *testing.T) *town {
	t.Helper()
	s := opened(t)
	if _, err := s.SaveClient(t.Context(), storage.Client{ID: app, GrantTypes: []string{"authorization_code"}}, storage.Change{Now: at}); err != nil {
		t.Fatal(err)
	}
	return newTownOn(t, s, "ann")
}

// newTownOn signs somebody in.
func newTownOn(t *testing.T, store *bolt.Store, sub string) *town {
	t.Helper()
	s := &town{T: t, Store: store}
	ctx := t.Context()
	var err error
	s.user, err = s.SaveUser(ctx, storage.User{Sub: sub, Name: sub}, false, storage.Change{Now: at})
	s.ok(err)
	h := storage.NewHandle(at.Add(time.Minute))
	s.ok(s.BeginInteraction(ctx, storage.Interaction{ID: h.ID, SecretHash: h.Hash(), Created: at, Expires: at.Add(time.Minute)}, 9))
	s.browser, s.session = storage.NewHandle(at), storage.NewID(at)
	_, err = s.SignIn(ctx, storage.SignIn{
		Interaction: h, Browser: storage.Browser{ID: s.browser.ID, SecretHash: s.browser.Hash(), Expires: at.Add(time.Hour)},
		Session: storage.Session{ID: s.session, User: sub, Created: at, IdleExpires: at.Add(time.Hour), Expires: at.Add(time.Hour)},
	})
	s.ok(err)
	return s
}

// code issues an authorization code.
func (s *town) code() storage.Handle {
	s.Helper()
	h := storage.NewHandle(at.Add(time.Minute))
	s.ok(s.Authorize(s.Context(), storage.Issue{
		Authorization: storage.Authorization{Client: app, User: s.user.Sub, Session: s.session, Epoch: s.user.Epoch, Offline: true},
		Code:          &storage.Code{ID: h.ID, SecretHash: h.Hash(), Expires: at.Add(time.Minute)}, Idle: time.Hour, Now: at,
	}))
	return h
}

func (s *town) redeem(h storage.Handle) (storage.Family, error) {
	r, err := s.RedeemCode(s.Context(), storage.Redemption{Code: h, Client: app, Now: at},
		storage.Family{ID: storage.NewID(at), Moved: at, Created: at, IdleExpires: at.Add(time.Hour), Expires: at.Add(time.Hour)})
	return r.Family, err
}

func (s *town) rotate(f storage.Family) (storage.Family, error) {
	next, _, err := s.RotateFamily(s.Context(), storage.Rotation{Family: f.ID, Generation: f.Generation, Client: app, Idle: time.Hour, Now: at})
	return next, err
}

// restored is the town as a restore of a backup leaves it.
func (s *town) restored(file []byte, signOut bool) *town {
	s.Helper()
	summary, err := Verify(bytes.NewReader(file))
	s.ok(err)
	r, err := Open(bytes.NewReader(file))
	s.ok(err)
	after := *s
	after.Store = opened(s.T)
	s.ok(after.Import(s.Context(), Revive(r.Rows(), Revival{Now: at, Given: summary.Given, SignOut: signOut})))
	return &after
}

// TestAStoreBehindItsOwnTokens takes a backup, goes on, and restores it.
func TestAStoreBehindItsOwnTokens(t *testing.T) {
	t.Parallel()
	s := newTown(t)
	open, used := s.code(), s.code()
	stale, err := s.redeem(used)
	s.ok(err)
	resting, err := s.redeem(s.code())
	s.ok(err)
	var file bytes.Buffer
	s.ok(Write(&file, made, s.Export(t.Context())))
	// What happens after the backup.
	_, err = s.redeem(open)
	s.ok(err)
	moved, err := s.rotate(stale)
	s.ok(err)
	moved, err = s.rotate(moved)
	s.ok(err)

	after := s.restored(file.Bytes(), false)
	if _, err := after.redeem(open); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a code that was spent since is %v", err)
	}
	if _, err := after.rotate(moved); !errors.Is(err, storage.ErrAhead) {
		t.Errorf("a newer refresh token is %v", err)
	}
	reused := 0
	after.ok(after.Entries(t.Context(), func(e audit.Entry) error {
		if e.Event == audit.RefreshReused {
			reused++
		}
		return nil
	}))
	if _, err := after.rotate(stale); !errors.Is(err, storage.ErrEnded) || reused != 0 {
		t.Errorf("after it, the one of the backup is %v; theft was recorded %d times", err, reused)
	}
	if _, err := after.rotate(resting); err != nil {
		t.Errorf("a line that did not move is %v", err)
	}
	if _, sessions, err := after.Browser(t.Context(), s.browser, at); err != nil || len(sessions) != 1 {
		t.Errorf("%d sessions, %v", len(sessions), err)
	}
	if _, err := after.redeem(used); !errors.Is(err, storage.ErrSpent) {
		t.Errorf("a code that was spent before is %v", err)
	}

	out := s.restored(file.Bytes(), true)
	if _, sessions, err := out.Browser(t.Context(), s.browser, at); err != nil || len(sessions) != 0 {
		t.Errorf("signed out: %d sessions, %v", len(sessions), err)
	}
	for _, f := range []storage.Family{stale, resting, moved} {
		if _, err := out.rotate(f); !errors.Is(err, storage.ErrEnded) {
			t.Errorf("signed out: generation %d is %v", f.Generation, err)
		}
	}
}

// TestWhatAClientGotForItself takes a backup, revokes a token of a client's own, and restores the backup: it must not be good again, nor the
// one after it once that is revoked again.
func TestWhatAClientGotForItself(t *testing.T) {
	t.Parallel()
	s := newTown(t)
	var file bytes.Buffer
	s.ok(Write(&file, made, s.Export(t.Context())))
	before, err := s.Client(t.Context(), app)
	s.ok(err)
	last := before.ServiceSeries
	for range 2 {
		s.ok(s.EndService(t.Context(), app, last, storage.Change{Now: at}))
		last++
	}
	for _, signOut := range []bool{false, true} {
		after := s.restored(file.Bytes(), signOut)
		for range 3 {
			c, err := after.Client(t.Context(), app)
			s.ok(err)
			if c.ServiceSeries >= before.ServiceSeries && c.ServiceSeries <= last {
				t.Errorf("RFC 7009 2: tokens of the series %d, which was revoked or may have been, are good", c.ServiceSeries)
			}
			s.ok(after.EndService(t.Context(), app, c.ServiceSeries, storage.Change{Now: at}))
		}
	}
}

// TestWhatARestoredServerOwes takes a backup while a notice is being delivered, and restores it.
func TestWhatARestoredServerOwes(t *testing.T) {
	t.Parallel()
	s := newTown(t)
	client, err := s.Client(t.Context(), app)
	s.ok(err)
	client.BackchannelLogoutURI, client.GrantTypes = "https://app.example/out", append(client.GrantTypes, "client_credentials")
	client, err = s.SaveClient(t.Context(), client, storage.Change{Now: at})
	s.ok(err)
	over, err := s.redeem(s.code())
	s.ok(err)
	s.ok(s.EndFamily(t.Context(), over.ID, app, storage.Change{Now: at}))
	_, err = s.EndSessions(t.Context(), []storage.ID{s.session}, storage.Change{Now: at})
	s.ok(err)
	claimed, err := s.ClaimNotices(t.Context(), at, at.Add(time.Minute), 9)
	s.ok(err)
	next := newTownOn(t, s.Store, "bob")
	lasting, err := next.redeem(next.code())
	s.ok(err)
	var file bytes.Buffer
	s.ok(Write(&file, made, s.Export(t.Context())))

	after := s.restored(file.Bytes(), false)
	again, err := after.ClaimNotices(t.Context(), at, at.Add(time.Minute), 9)
	if err != nil || len(claimed) != 1 || len(again) != 1 || again[0].Session != s.session || again[0].Attempts != 2 {
		t.Errorf("what was owed is %+v, and after a restore %+v: %v", claimed, again, err)
	}
	service, err := after.Client(t.Context(), app)
	s.ok(err)
	after.marked(over.Status, client.ServiceStatus)
	next.Store = after.Store
	fresh, err := next.redeem(next.code())
	s.ok(err)
	numbers := []uint64{over.Status, lasting.Status, client.ServiceStatus, service.ServiceStatus, fresh.Status}
	slices.Sort(numbers)
	if numbers[0] == 0 || len(slices.Compact(numbers)) != 5 {
		t.Errorf("a number was given twice: %v", numbers)
	}

	out := s.restored(file.Bytes(), true)
	out.marked(over.Status, client.ServiceStatus, lasting.Status)
	owed, err := out.ClaimNotices(t.Context(), at, at.Add(time.Minute), 9)
	if err != nil || len(owed) != 2 || !slices.ContainsFunc(owed, func(n storage.Notice) bool { return n.Session == next.session && n.Client == app }) {
		t.Errorf("signed out, what is owed is %+v, %v", owed, err)
	}
	if su, err := out.Session(t.Context(), next.session); err != nil || su.Session.Ended.IsZero() {
		t.Errorf("signed out, the session is %+v, %v", su.Session, err)
	}
}

// marked fails the test unless these numbers are marked, and no others.
func (s *town) marked(numbers ...uint64) {
	s.Helper()
	marks, err := s.Marked(s.Context(), at)
	s.ok(err)
	slices.Sort(numbers)
	if !slices.Equal(marks.Numbers, numbers) {
		s.Errorf("the marks are %v, want %v", marks.Numbers, numbers)
	}
}
