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
	return r.Public == o.Public && r.SignIn == o.SignIn && slices.Equal(r.Scopes, o.Scopes) && slices.Equal(r.Permissions, o.Permissions) &&
		slices.Equal(r.AnyPermission, o.AnyPermission)
}

// reading is how a server reads paths beside as they are written.
type reading struct {
	capitals bool // they do not matter
	slash    bool // nor does one at the end
	format   bool // nor what is behind a dot in the last segment: Rails
}

// readings are all there are, for a server may have any of these habits without the others. The first has none.
var readings = func() (all []reading) {
	for i := range 8 {
		all = append(all, reading{capitals: i&1 != 0, slash: i&2 != 0, format: i&4 != 0})
	}
	return all
}()

// routeOf returns the first route that fits; nil if none does. Where another reading of the path leads to a route that asks for different things,
// the request has none either, and ambiguous is set. A format matters only if the path without it belongs to an earlier route: /robots.txt may
// be written as it is, before what /robots would belong to.
func routeOf(routes []Route, method, decoded string) (fits *Route, ambiguous bool) {
	path := segments(decoded)
	at := first(routes, method, path, readings[0])
	for _, r := range readings[1:] {
		other := first(routes, method, path, r)
		switch {
		case other == at, r.format && (other < 0 || other > at):
		case other < 0 || at < 0 || !routes[at].asksTheSame(routes[other]):
			return nil, true
		}
	}
	if at < 0 {
		return nil, false
	}
	return &routes[at], false
}

// first returns the index of the first route that fits, or -1.
func first(routes []Route, method string, path []string, r reading) int {
	equal := func(a, b string) bool { return a == b }
	if r.capitals {
		equal = strings.EqualFold
	}
	if r.slash {
		path = unslashed(path)
	}
	if last := len(path) - 1; r.format {
		if dot := strings.LastIndexByte(path[last], '.'); dot > 0 {
			path = append(slices.Clone(path[:last]), path[last][:dot])
		}
	}
	return slices.IndexFunc(routes, func(route Route) bool {
		p := route.pattern
		if r.slash {
			p.segments = unslashed(p.segments)
		}
		return route.takes(method) && p.matches(path, equal)
	})
}

// unslashed leaves out a slash at the end, but for that of the root.
func unslashed(segments []string) []string {
	if n := len(segments); n > 1 && segments[n-1] == "" {
		return segments[:n-1]
	}
	return segments
}
