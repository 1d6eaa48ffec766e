package demo

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// claims is a JSON object whose values are kept as they were sent.
type claims map[string]json.RawMessage

// GetSubject lets the library compare userinfo's sub with the ID token's (Core 5.3.2).
func (c claims) GetSubject() string { return c.text("sub") }

// text returns a string claim; "" if it is none.
func (c claims) text(name string) (s string) {
	if json.Unmarshal(c[name], &s) != nil {
		return ""
	}
	return s
}

// seconds returns a NumericDate claim (RFC 7519 2), and whether it is one that a calendar can show.
func (c claims) seconds(name string) (int64, bool) {
	const lastYear = 253402300799 // the end of the year 9999
	f, err := strconv.ParseFloat(string(c[name]), 64)
	if err != nil || f < 0 || f > lastYear {
		return 0, false
	}
	return int64(f), true
}

// jwt is a signed token taken apart (RFC 7515 7.1). Taking apart verifies nothing.
type jwt struct {
	parts           [3]string // as they travel
	header, payload claims
}

var errNotJWT = errors.New("demo: not a JWT")

// parseJWT takes token apart; errNotJWT for an opaque one.
func parseJWT(token string) (jwt, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return jwt{}, errNotJWT
	}
	j := jwt{parts: [3]string(parts)}
	for i, dst := range []*claims{&j.header, &j.payload} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, dst) != nil || *dst == nil {
			return jwt{}, errNotJWT
		}
	}
	return j, nil
}

// row is one claim as the page shows it.
type row struct {
	Name, Value string
	Time        string // the value as a date, where it is one
	Source      source
	Changed     bool
}

// rows lists the claims of c: those that have a source in its order, then the others by name. What differs from before is marked, if
// there is a before.
func rows(c, before claims, from []source) []row {
	var list []row
	add := func(name string, s source) {
		r := row{Name: name, Value: show(c[name]), Source: s}
		if n, ok := c.seconds(name); ok && slices.Contains(dates, name) {
			r.Time = clock(time.Unix(n, 0))
		}
		r.Changed = before != nil && !bytes.Equal(before[name], c[name])
		list = append(list, r)
	}
	rest := make([]string, 0, len(c))
	for name := range c {
		if !slices.ContainsFunc(from, func(s source) bool { return s.Claim == name }) {
			rest = append(rest, name)
		}
	}
	slices.Sort(rest)
	for _, s := range from {
		if _, ok := c[s.Claim]; ok {
			add(s.Claim, s)
		}
	}
	for _, name := range rest {
		add(name, source{Text: "not one that this app knows"})
	}
	return list
}

// dates are the claims that are a NumericDate.
var dates = []string{"iat", "exp", "nbf", "auth_time", "updated_at"}

// gone lists what was there before and is no more.
func gone(c, before claims) (names []string) {
	for name := range before {
		if _, ok := c[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// changed lists the names of the rows that are marked.
func changed(list []row) (names []string) {
	for _, r := range list {
		if r.Changed {
			names = append(names, r.Name)
		}
	}
	return names
}

// show writes a value for people: a string without its quotes, anything else as compact JSON.
func show(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil && len(raw) > 0 && raw[0] == '"' {
		return s
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return strings.ReplaceAll(b.String(), `","`, `", "`)
}

func clock(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") }

// lifetime is a token's time left, for the page to count down.
type lifetime struct {
	Name  string
	Until string
	Left  int64 // seconds; 0: over
	Whole int64 // seconds from issue to expiry, at least 1
}

func lifetimeOf(name string, from, until, now time.Time) lifetime {
	return lifetime{
		Name: name, Until: clock(until),
		Left:  max(0, int64(until.Sub(now)/time.Second)),
		Whole: max(1, int64(until.Sub(from)/time.Second)),
	}
}

// Text is the time left in words.
func (l lifetime) Text() string {
	switch h, m, s := l.Left/3600, l.Left/60%60, l.Left%60; {
	case l.Left == 0:
		return "expired"
	case h > 0:
		return strconv.FormatInt(h, 10) + " h " + strconv.FormatInt(m, 10) + " min left"
	case m > 0:
		return strconv.FormatInt(m, 10) + " min " + strconv.FormatInt(s, 10) + " s left"
	default:
		return strconv.FormatInt(s, 10) + " s left"
	}
}
