package gate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// verdict is the answer to a request: it may pass, or what is said instead.
type verdict struct {
	status int // 200: it may pass

	by *token // who asks; nil on public routes

	code        string   // RFC 6750 section 3.1; "" where no token was sent
	description string   // holds nothing of what was sent but names
	scopes      []string // that are needed
	challenge   bool     // WWW-Authenticate is sent
	dpop        bool     // and speaks of DPoP
	cause       error    // for the log

	location string // where the browser goes instead
	cookies  []*http.Cookie
}

func (v *verdict) passes() bool { return v.status == http.StatusOK }

// malformed refuses a request that is not one.
func malformed(description string) *verdict {
	return &verdict{status: http.StatusBadRequest, code: "invalid_request", description: description}
}

// noToken refuses what is sent as a token and cannot be one: RFC 6750 section 3.1, invalid_request.
func noToken(description string) *verdict {
	v := malformed(description)
	v.challenge = true
	return v
}

// forbidden refuses what no token would change.
func forbidden(description string) *verdict {
	return &verdict{status: http.StatusForbidden, description: description}
}

func (g *Gate) unauthorized(code, description string, dpop bool) *verdict {
	return &verdict{status: http.StatusUnauthorized, code: code, description: description, challenge: true, dpop: dpop}
}

// unavailable is said where it cannot be told whether a token is good.
func (g *Gate) unavailable(description string, cause error) *verdict {
	return &verdict{status: http.StatusServiceUnavailable, code: "temporarily_unavailable", description: description, cause: cause}
}

// demands says what a token lacks for a route; nil if it lacks nothing.
func (r Route) demands(t *token) *verdict {
	lacks := func(needed, have []string) bool {
		return slices.ContainsFunc(needed, func(n string) bool { return !slices.Contains(have, n) })
	}
	permissions := t.permissions()
	insufficient := &verdict{status: http.StatusForbidden, code: "insufficient_scope", challenge: true}
	switch {
	case lacks(r.Scopes, t.scopes()):
		insufficient.description, insufficient.scopes = "the token lacks a scope", r.Scopes
	case lacks(r.Permissions, permissions):
		insufficient.description = "a permission is missing, which no scope brings" // RFC 6750 section 3.1: scope is optional
	case len(r.AnyPermission) > 0 && !slices.ContainsFunc(r.AnyPermission, func(p string) bool { return slices.Contains(permissions, p) }):
		insufficient.description = "a permission is missing, which no scope brings"
	default:
		return nil
	}
	return insufficient
}

// write answers. Nothing of it is to be kept.
func (g *Gate) write(w http.ResponseWriter, v *verdict, page bool) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	for _, c := range v.cookies {
		http.SetCookie(w, c)
	}
	switch {
	case v.passes():
		handOut(h, g.config.Headers, v.by)
		w.WriteHeader(http.StatusOK)
		return
	case v.location != "":
		h.Set("Location", v.location)
		w.WriteHeader(v.status)
		return
	}
	if v.challenge {
		h["Www-Authenticate"] = g.challenges(v)
	}
	if v.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	if page {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(v.status)
		fmt.Fprintf(w, "%d %s\n\n%s.\n", v.status, http.StatusText(v.status), sentence(v.description))
		return
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(v.status)
	_ = json.NewEncoder(w).Encode(struct {
		Error       string `json:"error,omitempty"`
		Description string `json:"error_description,omitempty"`
	}{v.code, v.description}) // whoever left does not read it
}

func sentence(s string) string {
	if s == "" {
		return "Sign in first"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// challenges are the values of WWW-Authenticate: RFC 6750 section 3, RFC 9728 section 5.1, RFC 9449 section 7.1. Without a code there was no
// token, and none is told (RFC 6750 section 3.1).
func (g *Gate) challenges(v *verdict) []string {
	var parameters []string
	add := func(name, value string) {
		if value != "" {
			parameters = append(parameters, name+`="`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value)+`"`)
		}
	}
	if v.code != "" {
		add("error", v.code)
		add("error_description", v.description)
	}
	add("scope", strings.Join(v.scopes, " "))
	add("resource_metadata", g.metadataURL)
	if !v.dpop {
		return []string{"Bearer " + strings.Join(parameters, ", ")}
	}
	if g.proof != nil {
		add("algs", strings.Join(g.proof.Algorithms(), " "))
	}
	return []string{"DPoP " + strings.Join(parameters, ", ")}
}
