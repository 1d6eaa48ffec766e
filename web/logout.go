package web

import (
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"
)

// SignOut asks whether to sign out (RP-Initiated Logout 2): button "confirm" with "yes". The other button, "stay", sends no confirm.
type SignOut struct {
	Action  string
	Client  App // which asks for it; zero if none is known
	Account string
	Others  []string // further accounts that are signed in at this browser, and end with it
}

func (SignOut) template() string { return "signout" }
func (SignOut) policy() policy   { return policy{leadsToClient: true} }

// SigningOut loads, in frames that nobody sees, the pages by which apps sign their user out (OpenID Connect Front-Channel Logout 1.0), and goes on
// when all of them have come: by a script, which waits three seconds at the most; without script when the browser has done what it can.
// There is a link too.
type SigningOut struct {
	Apps   []App
	Frames []string // frontchannel_logout_uris with what belongs to them
	Next   string   // where to go on: a registered post_logout_redirect_uri, or a path of ours
}

func (SigningOut) template() string { return "signingout" }

// mostOrigins is how many origins the policy names. Each is a part of a header, and a proxy that finds one too long refuses the page.
const mostOrigins = 32

// policy lets the origins of the apps be framed and nobody else; where those are many, any of their schemes.
func (s SigningOut) policy() policy {
	var origins []string
	for _, frame := range s.Frames {
		if u, err := url.Parse(link(frame)); err == nil && u.Host != "" {
			origins = append(origins, u.Scheme+"://"+u.Host)
		}
	}
	slices.Sort(origins)
	if origins = slices.Compact(origins); len(origins) > mostOrigins {
		for i, o := range origins {
			scheme, _, _ := strings.Cut(o, "//")
			origins[i] = scheme
		}
		origins = slices.Compact(origins)
	}
	return policy{script: true, frames: origins}
}

// SignedOut says that one is signed out.
type SignedOut struct {
	Client  App       // which asked for it; zero if none is known
	Return  string    // where to go on, if anywhere: a registered post_logout_redirect_uri
	Told    []Receipt // of the apps that are told that the session has ended
	Waiting bool      // not all of them have been, and the page looks again
}

func (SignedOut) template() string { return "signedout" }
func (SignedOut) policy() policy   { return policy{} }

// Receipt is how far one app has been told.
type Receipt struct {
	App     App
	Told    time.Time // zero: not yet
	Failed  bool      // for good
	Problem string    // why the last attempt failed; always English
}

// onward is where a page of ours may send a browser on: a path of ours, or what an app may register as its way back, a private-use scheme
// (RFC 8252 section 7.1) among it. Otherwise "".
func onward(raw string) template.URL {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return ""
	case u.Scheme == "" && u.Host == "" && strings.HasPrefix(raw, "/") && !strings.HasPrefix(raw, "//") && !strings.Contains(raw, "\\"),
		link(raw) != "",
		strings.Contains(u.Scheme, "."):
		return template.URL(raw)
	}
	return ""
}
