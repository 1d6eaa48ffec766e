package gate

import (
	"net/url"
	"strings"
	"testing"
)

func TestPath(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"/": "/", "/a/b": "/a/b", "/a%62": "/ab", "/%C3%A9": "/é", "/a+b@c:d": "/a+b@c:d", "/...": "/...", "/a.b/": "/a.b/", "/x%20y": "/x y",
	} {
		if got, problem := parsePath(raw); got != want || problem != "" {
			t.Errorf("%q is %q, %s", raw, got, problem)
		}
	}
	for name, raw := range map[string]string{
		"empty": "", "relative": "a", "absolute": "http://a/", "an authority": "//evil.example/", "two slashes": "/a//b", "two slashes at the end": "/a//",
		"dot segment": "/a/./b", "dot dot": "/a/../b", "dot dot at the end": "/a/..", "escaped dots": "/a/%2e%2e/b", "half escaped": "/a/.%2E/b",
		"escaped slash": "/a%2fb", "escaped slash in capitals": "/a%2Fb", "backslash": `/a\b`, "escaped backslash": "/a%5Cb", "escaped percent": "/a%252fb", "CVE-2024-38474: escaped question mark": "/admin%3fx", "escaped number sign": "/admin%23",
		"path parameter": "/a;x/b", "escaped semicolon": "/a%3bx", "dot dot with a parameter": "/..;/a", "NUL": "/a%00", "newline": "/a%0a", "tab": "/a\tb", "space": "/a b",
		"DEL": "/a%7f", "half an escape": "/a%2", "no hex": "/a%zz", "a sign in an escape": "/a%+1", "at the end": "/a%", "fragment": "/a#b", "raw UTF-8": "/é", "brace": "/{id}",
		"overlong dot": "/%c0%ae%c0%ae/", "broken UTF-8": "/%ff", "too long": "/" + strings.Repeat("a", maxPath),
	} {
		if got, problem := parsePath(raw); problem == "" {
			t.Errorf("%s: %q passes as %q", name, raw, got)
		}
	}
}

// What passes reads the same to the standard library, however often it is decoded.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/a/%62", "/a/../b", "/%2e%2e/", "//x", "/a;b", "/%25", "/%C3%A9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		decoded, problem := parsePath(raw)
		if problem != "" {
			return
		}
		u, err := url.ParseRequestURI(raw)
		if err != nil || u.Host != "" || u.Path != decoded {
			t.Errorf("%q is %q here and %+v there, %v", raw, decoded, u, err)
		}
		if again, err := url.PathUnescape(decoded); err != nil || again != decoded {
			t.Errorf("%q: decoded again %q is %q", raw, decoded, again)
		}
		clean := u.JoinPath().Path
		if strings.TrimSuffix(clean, "/") != strings.TrimSuffix(decoded, "/") {
			t.Errorf("%q: %q cleaned is %q", raw, decoded, clean)
		}
	})
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	var all []Route
	for _, r := range []Route{
		{Path: "/health", Public: true},
		{Path: "/orders", Methods: []string{"GET"}, Scopes: []string{"read"}},
		{Path: "/orders/new", Scopes: []string{"write"}},
		{Path: "/orders/{id}", Scopes: []string{"read"}},
		{Path: "/orders/{id}/items/*", Scopes: []string{"items"}},
		{Path: "/static/*", Public: true},
		{Path: "/*", Scopes: []string{"admin"}},
	} {
		var problem string
		if r.pattern, problem = parsePattern(r.Path); problem != "" {
			t.Fatal(problem)
		}
		all = append(all, r)
	}
	for request, want := range map[string]string{
		"GET /health": "/health", "DELETE /health": "/health", "GET /orders": "/orders", "HEAD /orders": "/orders", "POST /orders": "/*", "GET /orders/1": "/orders/{id}",
		"GET /orders/new": "/orders/new", "GET /orders/1/items": "/orders/{id}/items/*", "GET /orders/1/items/2/3": "/orders/{id}/items/*", "GET /orders/1/x": "/*",
		"GET /static": "/static/*", "GET /static/a/b": "/static/*", "GET /staticx": "/*", "GET /": "/*", "GET /other/": "/*",
		// Express, IIS and others take these for the routes above, and others do not.
		"GET /Health": "ambiguous", "GET /health/": "ambiguous", "GET /STATIC/a": "ambiguous", "GET /orders/": "ambiguous", "GET /orders/NEW": "ambiguous",
		"GET /Orders/1": "ambiguous", "GET /orders/1/": "ambiguous", "GET /orders/1/Items/2": "ambiguous",
	} {
		method, path, _ := strings.Cut(request, " ")
		r, ambiguous := routeOf(all, method, path)
		got := "none"
		switch {
		case ambiguous:
			got = "ambiguous"
		case r != nil:
			got = r.Path
		}
		if got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
	if r, ambiguous := routeOf(all[:1], "GET", "/x"); r != nil || ambiguous {
		t.Error("what has no route has one")
	}
	if r, ambiguous := routeOf(all[:1], "GET", "/HEALTH"); r != nil || !ambiguous {
		t.Error("what is a route only for some has one")
	}
}

func TestPattern(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "orders", "/a//b", "/a/*/b", "/a*", "/*a", "/a/{", "/a/{}", "/a/x{id}", "/a/{i{d}", "/a/{i}d}", "/a/..", "/a/%62", "/a b", "/a/**", "//*", "/a/ü"} {
		if _, problem := parsePattern(bad); problem == "" {
			t.Errorf("%q passes", bad)
		}
	}
	for _, c := range []struct {
		earlier, later string
		covers         bool
	}{
		{"/*", "/a", true}, {"/*", "/*", true}, {"/a/*", "/a", true}, {"/a/*", "/a/b/*", true}, {"/a/{x}", "/a/b", true}, {"/a/{x}", "/a/{y}", true},
		{"/a", "/a/*", false}, {"/a/b", "/a/{x}", false}, {"/a/*", "/*", false}, {"/a/{x}", "/a/b/c", false}, {"/a/{x}", "/a/", false}, {"/a/{x}", "/a/b/*", false},
	} {
		p, _ := parsePattern(c.earlier)
		q, _ := parsePattern(c.later)
		if p.covers(q) != c.covers {
			t.Errorf("%s covers %s: %v", c.earlier, c.later, !c.covers)
		}
	}
}

// However a server behind reads capitals, a slash at the end and a format, it comes to a route that asks for the same.
func TestReadings(t *testing.T) {
	t.Parallel()
	routes := func(text string) (all []Route) {
		for line := range strings.SplitSeq(text, ", ") {
			path, demand, _ := strings.Cut(line, " ")
			r := Route{Path: path, Public: demand == "public", SignIn: demand == "session"}
			if demand != "" && !r.Public && !r.SignIn {
				r.Scopes = []string{demand}
			}
			var problem string
			if r.pattern, problem = parsePattern(path); problem != "" {
				t.Fatal(problem)
			}
			all = append(all, r)
		}
		return all
	}
	for name, c := range map[string]struct {
		routes, path string
		ambiguous    bool
	}{
		"a route with a slash, asked for without":     {"/admin/ admin, /*", "/admin", true},
		"a route with a slash, in capitals":           {"/admin/ admin, /*", "/ADMIN/", true},
		"a route with a slash, as it is":              {"/admin/ admin, /*", "/admin/", false},
		"capitals alone lead elsewhere than both":     {"/a/b/ x, /a/{id} admin, /* x", "/A/b", true},
		"the slash alone leads elsewhere than both":   {"/a/{id} x, /A/{id} admin, /* x", "/A/b/", true},
		"a session would do for one of them":          {"/api/*, /* session", "/API/x", true},
		"Rails: a format":                             {"/admin admin, /*", "/admin.json", true},
		"a format, capitals and a slash":              {"/admin admin, /*", "/Admin.json/", true},
		"a format in a segment that may be anything":  {"/users/me admin, /users/{id}", "/users/me.json", true},
		"a route that is written with its format":     {"/robots.txt public, /*", "/robots.txt", false},
		"a format where nothing else is asked for":    {"/static/* public, /*", "/static/app.js", false},
		"a dot at the beginning is that of no format": {"/ admin, /*", "/.well-known", false},
		"the root has no slash at its end":            {"/ public, /*", "/", false},
	} {
		if _, ambiguous := routeOf(routes(c.routes), "GET", c.path); ambiguous != c.ambiguous {
			t.Errorf("%s: %v", name, ambiguous)
		}
	}
}
