// Package session finds out who is signed in at a browser, makes the rows of a new sign-in, and tells clients whether that changed.
//
// A browser is one cookie jar. Its cookie is a handle (id and secret, of which only the hash is stored) and changes at each
// sign-in, so that a cookie known from before is worth nothing. One browser holds one session per account. Two more cookies carry no
// authority: by one a browser is known again, by the other (state.go) scripts see that somebody signed in or out.
package session

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"time"

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
	Notices  Notices       // nil: nobody writes to users
	Now      func() time.Time
}

// Store is what this room needs kept.
type Store interface {
	storage.Browsers
	EndSessions(ctx context.Context, ids []storage.ID, o storage.Change) (storage.Ended, error)
	SignIn(ctx context.Context, s storage.SignIn) (storage.SignedIn, error)
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
