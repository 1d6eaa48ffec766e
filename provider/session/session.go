// Package session finds out who is signed in at a browser, makes the rows of a new sign-in, and tells clients whether that changed.
//
// A browser is one cookie jar. Its cookie is a handle (id and secret, of which only the hash is stored) and changes at each
// sign-in, so that a cookie known from before is worth nothing. One browser holds one session per account. Two more cookies carry no
// authority: by one a browser is known again, by the other (state.go) scripts see that somebody signed in or out.
package session

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"signet/provider/cookie"
	"signet/provider/trail"
	"signet/storage"
)

// The cookies, beside the one of state.go.
const (
	browserCookie = "browser" // the browser's handle
	deviceCookie  = "device"  // by which a browser is known again; it opens nothing
)

// deviceLife is how long a browser that is not used is remembered.
const deviceLife = 365 * 24 * time.Hour

// Options is what sessions are made with.
type Options struct {
	Store    Store
	Cookies  cookie.Jar
	Idle     time.Duration // a session ends when it was not used for so long
	Absolute time.Duration // and after so long in any case
	Kept     time.Duration // both, where the user chose to stay signed in
	Now      func() time.Time
}

// Store is what this room needs kept.
type Store interface {
	storage.Browsers
	EndSessions(ctx context.Context, ids []storage.ID, o storage.Change) (storage.Ended, error)
}

// Sessions knows who is signed in.
type Sessions struct{ Options }

// New returns the sessions of a provider.
func New(o Options) *Sessions { return &Sessions{o} }

// Of returns the live sessions at the browser that sent r, the last used one last, and the browser's handle. A browser without
// a cookie, or with one that means nothing any more, has no sessions; that is no error.
func (s *Sessions) Of(r *http.Request) ([]storage.SessionUser, storage.Handle, error) {
	h, err := storage.ParseHandle(s.Cookies.Get(r, browserCookie))
	if err != nil {
		return nil, storage.Handle{}, nil
	}
	_, sessions, err := s.Store.Browser(r.Context(), h, s.Now())
	if errors.Is(err, storage.ErrNotFound) {
		return nil, storage.Handle{}, nil
	}
	return sessions, h, err
}

// A Beginning is a sign-in at a browser, before it is stored.
type Beginning struct {
	Act             storage.SignIn
	before          []storage.SessionUser // live there until now
	state           string                // the browser's until now
	browser, device storage.Handle
}

// Begin makes the act of a sign-in that just happened at r's browser; its Interaction is the caller's to set. Keep says that the user chose to
// stay signed in there.
func (s *Sessions) Begin(r *http.Request, u storage.User, acr string, amr []string, keep bool) (Beginning, error) {
	before, old, err := s.Of(r)
	if err != nil {
		return Beginning{}, err
	}
	now := s.Now()
	b := Beginning{before: before, state: s.Cookies.Get(r, stateCookie), browser: storage.NewHandle(now)}
	if b.device, err = storage.ParseHandle(s.Cookies.Get(r, deviceCookie)); err != nil {
		b.device = storage.NewHandle(now)
	}
	if goesOn, ok := ByUser(before, u.Sub); ok { // who chose it need not choose it each time they are asked
		keep = keep || goesOn.Session.Kept
	}
	idle, absolute := min(s.Idle, s.Absolute), s.Absolute
	if keep {
		idle, absolute = s.Kept, s.Kept
	}
	origin := trail.Of(r.Context()).Origin()
	b.Act = storage.SignIn{
		Old: old, Device: b.device.Hash(), Origin: origin,
		Browser: storage.Browser{ID: b.browser.ID, SecretHash: b.browser.Hash(), Created: now, Expires: now.Add(absolute)},
		Session: storage.Session{
			ID: storage.NewID(now), Browser: b.browser.ID, User: u.Sub, Epoch: u.Epoch,
			AuthTime: now, ACR: acr, AMR: amr, Kept: keep,
			Created: now, LastUsed: now, IdleExpires: now.Add(idle), Expires: now.Add(absolute),
			Address: origin.Address, UserAgent: short(r.UserAgent()),
		},
	}
	return b, nil
}

// Begun hands the browser its cookies once the act is stored. They stay when the browser is closed if the user wants that of one of the
// accounts; how long each session lives is its own.
func (s *Sessions) Begun(w http.ResponseWriter, b Beginning, in storage.SignedIn) {
	live := slices.DeleteFunc(slices.Clone(b.before), func(s storage.SessionUser) bool { return s.Session.User == in.Session.User })
	live = append(live, storage.SessionUser{Session: in.Session})
	s.Cookies.Keep(w, browserCookie, b.browser.String(), s.life(live))
	s.Cookies.Keep(w, deviceCookie, b.device.String(), deviceLife)
	if !isOf(b.state, live) {
		b.state = stateOf(rand.Text(), live)
	}
	s.Cookies.Show(w, stateCookie, b.state, s.life(live))
}

// life is how long cookies stay when the browser is closed: until the last session ends whose user wanted to stay signed in.
func (s *Sessions) life(live []storage.SessionUser) (life time.Duration) {
	for _, l := range live {
		if l.Session.Kept {
			life = max(life, l.Session.Expires.Sub(s.Now()))
		}
	}
	return life
}

// IdleOf is how long a session lives without use.
func (s *Sessions) IdleOf(session storage.Session) time.Duration {
	if session.Kept {
		return s.Kept
	}
	return s.Idle
}

// End ends sessions, as their user wished.
func (s *Sessions) End(ctx context.Context, ids ...storage.ID) (storage.Ended, error) {
	return s.Store.EndSessions(ctx, ids, storage.Change{Now: s.Now(), Origin: trail.Of(ctx).Origin(), Detail: "signed out"})
}

// SID is the session's name towards one client (OpenID Connect Back-Channel Logout 2.1). It is not the cookie and leads to
// nothing, and two clients cannot find out by it that they share a user.
func SID(session storage.ID, client string) string {
	mac := hmac.New(sha256.New, session[:])
	mac.Write([]byte("sid\x00" + client))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// ByUser returns the session of an account among those of a browser.
func ByUser(sessions []storage.SessionUser, sub string) (storage.SessionUser, bool) {
	i := slices.IndexFunc(sessions, func(s storage.SessionUser) bool { return s.User.Sub == sub })
	if i < 0 {
		return storage.SessionUser{}, false
	}
	return sessions[i], true
}

// ByID returns one session among those of a browser.
func ByID(sessions []storage.SessionUser, id storage.ID) (storage.SessionUser, bool) {
	i := slices.IndexFunc(sessions, func(s storage.SessionUser) bool { return s.Session.ID == id })
	if i < 0 {
		return storage.SessionUser{}, false
	}
	return sessions[i], true
}

// short bounds what a browser may make us keep. A header may hold any bytes; a record holds text, and none that steers a terminal or turns the
// direction of writing.
func short(userAgent string) string {
	const limit = 200
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(userAgent[:min(limit, len(userAgent))], ""))
}
