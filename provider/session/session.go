// Package session finds out who is signed in at a browser, and makes the rows of a new sign-in.
//
// A browser is one cookie jar. Its cookie is a handle (id and secret, of which only the hash is stored) and changes at each
// sign-in, so that a cookie known from before is worth nothing. One browser holds one session per account.
package session

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"signet/provider/cookie"
	"signet/provider/trail"
	"signet/storage"
)

// browserCookie holds the browser's handle.
const browserCookie = "browser"

// Options is what sessions are made with.
type Options struct {
	Store    Store
	Cookies  cookie.Jar
	Idle     time.Duration // a session ends when it was not used for so long
	Absolute time.Duration // and after so long in any case
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

// Begin makes the rows of a sign-in that just happened at r's browser, and the handle that becomes its cookie.
func (s *Sessions) Begin(r *http.Request, u storage.User, acr string, amr []string) (storage.Browser, storage.Session, storage.Handle) {
	now := s.Now()
	h := storage.NewHandle(now)
	b := storage.Browser{ID: h.ID, SecretHash: h.Hash(), Created: now, Expires: now.Add(s.Absolute)}
	return b, storage.Session{
		ID: storage.NewID(now), Browser: b.ID, User: u.Sub, Epoch: u.Epoch,
		AuthTime: now, ACR: acr, AMR: amr,
		Created: now, LastUsed: now, IdleExpires: now.Add(min(s.Idle, s.Absolute)), Expires: now.Add(s.Absolute),
		Address: trail.Of(r.Context()).Address, UserAgent: short(r.UserAgent()),
	}, h
}

// SetCookie hands the browser its handle.
func (s *Sessions) SetCookie(w http.ResponseWriter, h storage.Handle) {
	s.Cookies.Set(w, browserCookie, h.String())
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

// short bounds what a browser may make us keep. A header may hold any bytes; a record holds text.
func short(userAgent string) string {
	const limit = 200
	return strings.ToValidUTF8(userAgent[:min(limit, len(userAgent))], "")
}
