package gate

import (
	"slices"
	"strings"
)

// pattern is the path of a route: segments that are equal, those in braces that are anything but empty, and perhaps all that is below.
type pattern struct {
	segments []string // "" and anything in braces included
	below    bool     // it ended with /*
}

// parsePattern reads the path of a route, or says what is wrong with it.
func parsePattern(path string) (p pattern, problem string) {
	rest := path
	if strings.HasSuffix(path, "/*") {
		p.below, rest = true, strings.TrimSuffix(path, "/*")
		if rest == "" {
			return p, ""
		}
	}
	decoded, problem := parsePath(strings.NewReplacer("{", "", "}", "").Replace(rest))
	switch {
	case problem != "":
		return p, problem
	case p.below && strings.HasSuffix(rest, "/"):
		return p, "has two slashes in a row"
	case strings.Contains(decoded, "*"):
		return p, "has a * elsewhere than as its last segment"
	case strings.Contains(rest, "%"):
		return p, "has an escape; write the character"
	}
	p.segments = segments(rest)
	for _, s := range p.segments {
		if open := strings.ContainsAny(s, "{}"); open && (!anything(s) || strings.ContainsAny(s[1:len(s)-1], "{}")) {
			return p, "has a brace that is not around a whole segment"
		}
	}
	return p, ""
}

func anything(segment string) bool {
	return len(segment) > 2 && segment[0] == '{' && segment[len(segment)-1] == '}'
}

// matches compares with the segments of a path. equal compares two segments.
func (p pattern) matches(path []string, equal func(a, b string) bool) bool {
	if len(path) < len(p.segments) || !p.below && len(path) > len(p.segments) {
		return false
	}
	for i, s := range p.segments {
		if !(equal(s, path[i]) || anything(s) && path[i] != "") {
			return false
		}
	}
	return true
}

// covers reports whether p matches whatever q does.
func (p pattern) covers(q pattern) bool {
	return (p.below || !q.below) && p.matches(q.segments, func(a, b string) bool { return a == b })
}

func (r Route) takes(method string) bool {
	return len(r.Methods) == 0 || slices.Contains(r.Methods, method) || method == "HEAD" && slices.Contains(r.Methods, "GET")
}

func (r Route) covers(later Route) bool {
	methods := len(r.Methods) == 0 || len(later.Methods) > 0 && !slices.ContainsFunc(later.Methods, func(m string) bool { return !r.takes(m) })
	return methods && r.pattern.covers(later.pattern)
}

// asksTheSame compares what has to be there for a request to pass.
func (r Route) asksTheSame(o Route) bool {
	return r.Public == o.Public && slices.Equal(r.Scopes, o.Scopes) && slices.Equal(r.Permissions, o.Permissions) &&
		slices.Equal(r.AnyPermission, o.AnyPermission)
}

// routeOf returns the first route that fits; nil if none does. Servers differ in whether capitals matter, and a slash at the end. Where
// reading the path either way leads to routes that ask for different things, the request has none either, and ambiguous is set.
func routeOf(routes []Route, method, decoded string) (fits *Route, ambiguous bool) {
	path := segments(decoded)
	fits = first(routes, method, path, func(a, b string) bool { return a == b })
	if n := len(path); n > 1 && path[n-1] == "" {
		path = path[:n-1]
	}
	other := first(routes, method, path, strings.EqualFold)
	switch {
	case fits == other:
		return fits, false
	case fits == nil || other == nil:
		return nil, other != nil
	case !fits.asksTheSame(*other):
		return nil, true
	}
	return fits, false
}

func first(routes []Route, method string, path []string, equal func(a, b string) bool) *Route {
	for i := range routes {
		if routes[i].takes(method) && routes[i].pattern.matches(path, equal) {
			return &routes[i]
		}
	}
	return nil
}
