package session

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"signet/storage"
)

// stateCookie holds the browser's login state (OpenID Connect Session Management 1.0 section 2: "OP User Agent state"), which
// check-session.js reads. It says nothing and opens nothing.
const stateCookie = "state"

// StateCookie is what that cookie is called in the browser.
func (s *Sessions) StateCookie() string { return s.Cookies.Name(stateCookie) }

// State returns the login state of r's browser, at which these sessions are live, and renews its cookie where that is of others, or of
// none. So it changes when an account signs in or out here, and, whatever ended a session, with the first request that finds it gone; it
// stays when somebody who is signed in proves it once more. "": nothing can be said.
//
// A request that a browser sends without SameSite=Lax cookies, from a frame of another site, finds nobody signed in where somebody is.
// It renews nothing.
func (s *Sessions) State(w http.ResponseWriter, r *http.Request, live []storage.SessionUser) string {
	state := s.Cookies.Get(r, stateCookie)
	if isOf(state, live) || !s.knows(r) {
		return state
	}
	state = stateOf(rand.Text(), live)
	s.Cookies.Show(w, stateCookie, state, s.life(live))
	return state
}

// stateLength is that of rand.Text, a dot, and 128 bits.
const stateLength = 26 + 1 + 22

// stateOf is a salt, and a hash of the sessions, so that a state tells by itself whether it is of these sessions.
func stateOf(salt string, live []storage.SessionUser) string {
	ids := make([]storage.ID, len(live))
	for i, s := range live {
		ids[i] = s.Session.ID
	}
	slices.SortFunc(ids, func(a, b storage.ID) int { return bytes.Compare(a[:], b[:]) })
	h := sha256.New()
	h.Write([]byte("state\x00" + salt))
	for _, id := range ids {
		h.Write(id[:])
	}
	return salt + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

// isOf reports whether a state is of these sessions.
func isOf(state string, live []storage.SessionUser) bool {
	salt, _, _ := strings.Cut(state, ".")
	return len(state) == stateLength && state == stateOf(salt, live)
}

// knows reports whether r carries the browser's handle if the browser has one: it does carry one, or it opens a page, or it comes from our
// own site (Fetch Metadata). What says nothing is taken for a page.
func (s *Sessions) knows(r *http.Request) bool {
	if s.Cookies.Get(r, browserCookie) != "" {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "document":
		return true
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "same-origin" || site == "same-site"
}

// SessionState is what a client is told of a login state: Session Management 2, by the computation that section 4.2 shows. It is of one client
// at one origin, and means nothing elsewhere.
func SessionState(client, redirectURI, state string) string {
	salt := rand.Text()
	sum := sha256.Sum256([]byte(client + " " + Origin(redirectURI) + " " + state + " " + salt))
	return hex.EncodeToString(sum[:]) + "." + salt
}

// Origin is the origin of a URI as browsers write it: RFC 6454 sections 4 and 6.2. What a page cannot come from has "null".
func Origin(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return "null"
	}
	host := strings.ToLower(u.Hostname())
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + a.WithZone("").String() + "]" // a zone is of one machine
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port == map[string]uint64{"http": 80, "https": 443}[u.Scheme] {
		return u.Scheme + "://" + host
	}
	return u.Scheme + "://" + host + ":" + strconv.FormatUint(port, 10)
}
