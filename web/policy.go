package web

import (
	"net/http"
	"strings"
)

// policy is what decides a page's security headers.
type policy struct {
	leadsToClient bool     // the answer to its form may be a redirect to a client, or the form itself goes there
	script        bool     // it has a script of ours
	frameable     bool     // any site may show it in a frame
	ownForms      bool     // its forms come to us, and what answers them stays here
	frames        []string // origins of what it shows in frames itself
}

// csp is the Content-Security-Policy. Nothing is allowed but our own stylesheet, images and, on two pages, script.
//
// A page that leads to a client has no form-action: Chromium applies the directive to each hop of the redirect that answers the
// form, the client's own hops included, and those cannot be known here.
func (p policy) csp() string {
	directives := []string{"default-src 'none'", "style-src 'self'", "img-src 'self'"}
	if p.script {
		directives = append(directives, "script-src 'self'")
	}
	if len(p.frames) > 0 {
		directives = append(directives, "frame-src "+strings.Join(p.frames, " "))
	}
	directives = append(directives, "base-uri 'none'")
	switch {
	case p.ownForms:
		directives = append(directives, "form-action 'self'")
	case !p.leadsToClient:
		directives = append(directives, "form-action 'none'")
	}
	if !p.frameable {
		directives = append(directives, "frame-ancestors 'none'")
	}
	return strings.Join(directives, "; ")
}

// set writes the headers. There is no Cross-Origin-Opener-Policy: apps sign in through popups, and a single page with it on
// the way would cut the popup off from its opener for good.
func (p policy) set(h http.Header) {
	h.Set("Content-Security-Policy", p.csp())
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin") // not no-referrer: that makes the Origin of our own forms null
	h.Set("X-Content-Type-Options", "nosniff")
	if p.frameable {
		h.Del("X-Frame-Options") // a middleware may have set it for all
	} else {
		h.Set("X-Frame-Options", "DENY")
	}
}
