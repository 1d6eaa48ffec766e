package demo

import (
	"crypto/rand"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	cookieName  = "signet-demo"
	maxSessions = 1000           // the least recently used one makes room
	maxLogins   = 8              // sign-ins begun in one browser: one per tab
	sessionLife = 12 * time.Hour // counted from its beginning
)

// session is what the app knows about one browser. The cookie holds its id, nothing else.
type session struct {
	id    string
	begun time.Time

	mu        sync.Mutex
	logins    []login // begun and not finished, the oldest first
	grant     *grant  // nil: nobody is signed in
	signedOut string  // the state of the logout request that ended the session before this one
	ended     bool    // the provider said that it is over
}

// login is one authorization request on its way.
type login struct {
	state, nonce, verifier string
}

// grant is what the provider gave.
type grant struct {
	idToken, accessToken, refreshToken string

	sub, nonce    string
	sid           string    // of the session at the provider
	accessExpires time.Time // the zero Time: the provider did not say
	userinfo      claims
	userinfoFault string // why there is none
	received      time.Time
	before        *grant // what a refresh replaced, to show the difference; one step back
}

// session returns the browser's session, or nil.
func (a *app) session(r *http.Request) *session {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return nil
	}
	s, ok := a.sessions.Get(c.Value)
	if !ok || !a.Now().Before(s.begun.Add(sessionLife)) {
		return nil
	}
	return s
}

// begin makes a session with a fresh id and gives it to the browser. The session before it, if any, is gone.
func (a *app) begin(w http.ResponseWriter, old *session) *session {
	if old != nil {
		a.sessions.Remove(old.id)
	}
	s := &session{id: rand.Text(), begun: a.Now()}
	a.sessions.Add(s.id, s)
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: s.id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(a.BaseURL, "https:"),
	})
	return s
}

// signedIn returns what the browser's session holds; nil when nobody is signed in.
func (a *app) signedIn(r *http.Request) (*session, *grant) {
	s := a.session(r)
	if s == nil {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s, s.grant
}

// add keeps a sign-in for its way back.
func (s *session) add(l login) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.logins) == maxLogins {
		s.logins = s.logins[1:]
	}
	s.logins = append(s.logins, l)
}

// take returns the sign-in that was begun with state, once.
func (s *session) take(state string) (login, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range s.logins {
		if l.state == state {
			s.logins = append(s.logins[:i:i], s.logins[i+1:]...)
			return l, true
		}
	}
	return login{}, false
}
