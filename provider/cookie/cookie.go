// Package cookie names and sets Signet's cookies. Their attributes follow the issuer's scheme, since behind a proxy the
// connection says nothing: with https the __Host- prefix, which no subdomain and no plain http page can plant; with http, which
// is for loopback, the same names without it.
package cookie

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Jar makes the cookies of one issuer. Two issuers on one host (ports do not keep cookies apart) have different names.
type Jar struct {
	prefix string
	secure bool
}

// New returns the jar of an issuer.
func New(issuer *url.URL) Jar {
	sum := sha256.Sum256([]byte(issuer.String()))
	j := Jar{prefix: "signet-" + hex.EncodeToString(sum[:4]) + "-", secure: issuer.Scheme == "https"}
	if j.secure {
		j.prefix = "__Host-" + j.prefix
	}
	return j
}

// Set sets a cookie for the browser's session.
func (j Jar) Set(w http.ResponseWriter, name, value string) { j.Keep(w, name, value, 0) }

// Keep sets a cookie that stays when the browser is closed, for so long; 0: it does not stay.
func (j Jar) Keep(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, lasting(j.cookie(name, value), life))
}

// Show is Keep for a cookie that a script of ours reads, in a frame on another site too. It must carry no authority. Without https
// browsers take no SameSite=None: there it is read on our own site alone.
func (j Jar) Show(w http.ResponseWriter, name, value string, life time.Duration) {
	c := j.cookie(name, value)
	c.HttpOnly = false
	if j.secure {
		c.SameSite = http.SameSiteNoneMode
	}
	http.SetCookie(w, lasting(c, life))
}

// Name is what a cookie is called in the browser.
func (j Jar) Name(name string) string { return j.prefix + name }

// Clear removes a cookie.
func (j Jar) Clear(w http.ResponseWriter, name string) {
	c := j.cookie(name, "")
	c.MaxAge = -1
	http.SetCookie(w, c)
}

// Get returns a cookie's value; "" when there is none, or more than one: then somebody planted one, and nobody knows which.
func (j Jar) Get(r *http.Request, name string) string {
	all := r.CookiesNamed(j.prefix + name)
	if len(all) != 1 {
		return ""
	}
	return all[0].Value
}

// Named returns the names, without the prefix, of the cookies of this jar that begin with start.
func (j Jar) Named(r *http.Request, start string) []string {
	var names []string
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, j.prefix+start) {
			names = append(names, strings.TrimPrefix(c.Name, j.prefix))
		}
	}
	return names
}

func (j Jar) cookie(name, value string) *http.Cookie {
	return &http.Cookie{Name: j.prefix + name, Value: value, Path: "/", Secure: j.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// lasting gives c its Max-Age (RFC 6265 section 5.2.2), in full seconds and at least one.
func lasting(c *http.Cookie, life time.Duration) *http.Cookie {
	if life > 0 {
		c.MaxAge = max(1, int(life/time.Second))
	}
	return c
}
