package fields

import (
	"errors"
	"strings"
	"testing"
	"time"
)

type record struct {
	Name string
	On   bool
	List []string
	Word []string
}

var table = Table[record]{
	String("name", "", func(r *record) *string { return &r.Name }),
	Bool("on", "", func(r *record) *bool { return &r.On }),
	List("list", "", func(r *record) *[]string { return &r.List }),
	Words("words", "", func(r *record) *[]string { return &r.Word }),
}

func TestTable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		field  string
		values []string
		want   string // of the field, joined by commas
		fault  string
	}{
		"a text":                      {"name", []string{"A b"}, "A b", ""},
		"a text is cleared":           {"name", []string{""}, "", ""},
		"a text takes one value":      {"name", []string{"a", "b"}, "old", "name: takes one value, not 2"},
		"a text takes no less":        {"name", nil, "old", "name: takes one value, not 0"},
		"true":                        {"on", []string{"true"}, "true", ""},
		"nothing else is true":        {"on", []string{"yes"}, "false", "on: is true or false"},
		"a list keeps spaces":         {"list", []string{"a b", "c"}, "a b,c", ""},
		"an empty value clears it":    {"list", []string{""}, "", ""},
		"no value clears it":          {"list", nil, "", ""},
		"words, the OAuth way":        {"words", []string{"a b", "c"}, "a,b,c", ""},
		"an unknown field names them": {"nmae", []string{"a"}, "", "nmae: is not a field; the fields are name, on, list, words"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := record{Name: "old", List: []string{"old"}, Word: []string{"old"}}
			err := table.Set(&r, c.field, c.values)
			if c.fault != "" {
				if fault := new(Error); !errors.As(err, &fault) || err.Error() != c.fault {
					t.Errorf("error %v, want %s", err, c.fault)
				}
			} else if err != nil {
				t.Error(err)
			}
			for _, f := range table {
				if got := strings.Join(f.Get(&r), ","); f.Name == c.field && got != c.want {
					t.Errorf("%s is %q, want %q", c.field, got, c.want)
				}
			}
		})
	}
}

func TestListIsCopied(t *testing.T) {
	t.Parallel()
	var r record
	values := []string{"a"}
	if err := table.Set(&r, "list", values); err != nil {
		t.Fatal(err)
	}
	values[0] = "b"
	if r.List[0] != "a" {
		t.Error("the record shares its list with the caller")
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	a, b := record{Name: "a", List: []string{"x"}}, record{Name: "b", List: []string{"x", "y"}}
	if got := strings.Join(table.Diff(a, b), " "); got != "name list" {
		t.Errorf("differ in %q", got)
	}
	if got := table.Diff(a, a); got != nil {
		t.Errorf("a record differs from itself in %q", got)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"Grafana", "Ünïcode 名前", "نمی\u200cخواهم", "🚀", strings.Repeat("é", 20)} {
		if problem := Text(good, 20); problem != "" {
			t.Errorf("%q: %s", good, problem)
		}
	}
	for name, bad := range map[string]string{
		"empty":              "",
		"not UTF-8":          "a\xff",
		"too long":           strings.Repeat("é", 21),
		"space before":       " a",
		"space behind":       "a ",
		"newline":            "a\nb",
		"NUL":                "a\x00b",
		"escape":             "a\x1b[31mb",
		"right-to-left":      "a\u202eb",
		"isolate":            "a\u2066b",
		"right-to-left mark": "a\u200fb",
		"zero width space":   "a\u200bb",
		"byte order mark":    "a\ufeffb",
		"nothing to be seen": "\u200d\u200c",
		"private use":        "\ue000",
		"no-break space":     "a\u00a0b",
		"a mark alone":       "\u0301",
		"line separator":     "a\u2028b",
		"tag characters":     "a\U000e0041b",
		"a selector alone":   "\ufe0f",
	} {
		if Text(bad, 20) == "" {
			t.Errorf("%s: %q passes", name, bad)
		}
	}
}

func TestScope(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"openid", "https://api.example/read", "a:b", "!#[]~"} {
		if problem := Scope(good); problem != "" {
			t.Errorf("%q: %s", good, problem)
		}
	}
	for _, bad := range []string{"", "a b", `a"b`, `a\b`, "é", "a\x7f", "a\n"} {
		if Scope(bad) == "" {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestWebURL(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"https://example.com", "https://example.com/", "https://example.com:8443/a/b?c=d&e=%20f", "https://[2001:db8::1]/",
		"http://localhost:1/", "https://xn--bcher-kva.example/#part", "https://a.example/x..y/...", "https://a_b.example/",
		"https://a.example/?next=../x",
	} {
		if _, problem := WebURL(good); problem != "" {
			t.Errorf("%q: %s", good, problem)
		}
	}
	for _, bad := range []string{
		"", "example.com", "//example.com/", "/cb", "https:", "https://", "https:///cb", "https:example.com", "HTTPS://example.com/",
		"https://user@example.com/", "https://@example.com/", "https://a:b@example.com/", "https://example.com:/", "https://example.com:0/",
		"https://example.com:65536/", "https://example.com:080808/", "https://example.com:8a/", "https://exa mple.com/", "https://example.com/a b",
		"https://example.com/\\evil", "https://example.com\\@evil.example/", "https://exämple.com/", "https://example.com/\n", "https://example.com/%0d%0a",
		"https://example.com/%00", "https://example.com/%7F", "https://example.com/%", "https://example.com/%4", "https://example.com/%zz", "https://example.com/%+1",
		"https://example.com/a/../b", "https://example.com/..", "https://example.com/.", "https://example.com/%2e%2e/b", "https://example.com/.%2E/b",
		"https://example.com/..;/b", "https://example.com/..;a=b/c", "https://example..com/", "https://.example.com/", "https://example.com%2f/",
		"https://ex%61mple.com/", "https://[::1%25eth0]/", "https://[127.0.0.1]/", "https://[::1/", "ftp://example.com/", "javascript:alert(1)",
		"https://example.com/<script>", "https://example.com/\"", "https://example.com/{a}", "https://" + strings.Repeat("a.", 130) + "com/",
		"https://example.com/" + strings.Repeat("a", maxURI),
	} {
		if _, problem := WebURL(bad); problem == "" {
			t.Errorf("%q passes", bad)
		}
	}
}

// RFC 8707 section 2, RFC 3986 section 4.3.
func TestResource(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://api.example", "https://api.example/", "https://api.example:8443/v1?tenant=a", "http://10.0.0.1/api", "urn:example:api", "api://orders"} {
		if problem := Resource(good); problem != "" {
			t.Errorf("%q: %s", good, problem)
		}
	}
	for _, bad := range []string{
		"", "api", "/v1", "//api.example", "https://api.example/#", "https://api.example/#v1", "urn:example:api#a", "https://u@api.example/", "https:///v1", "https:v1", "HTTPS://api.example",
		"https://api.example/a b", "https://API.example", "https://api.example/../v1", "https://api.example/" + strings.Repeat("a", 500), "https:", "urn:",
	} {
		if Resource(bad) == "" {
			t.Errorf("%q passes", bad)
		}
	}
}

// What passes is what was written: a browser that normalises it has nothing to change but letter case and an empty path.
func FuzzURI(f *testing.F) {
	for _, s := range []string{"https://example.com/cb?x=%20", "http://[::1]:80/", "com.example.app:/cb", "https://a/..;/b", "https://a@b/", "javascript:alert(1)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, problem := URI(s)
		if problem != "" {
			for _, r := range problem {
				if r < ' ' || r == 0x7f || r == 0x202e {
					t.Errorf("the message for %q shows raw %q", s, r)
				}
			}
			return
		}
		if strings.ContainsAny(s, " \\\"<>\x00\r\n\t") || u.User != nil {
			t.Errorf("%q passes", s)
		}
		if w, problem := WebURL(s); problem == "" && (w.Host == "" || strings.ContainsAny(w.Host, "@%/\\")) {
			t.Errorf("%q passes with the host %q", s, w.Host)
		}
	})
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{"0": 0, "10s": 10 * time.Second, "1h30m": 90 * time.Minute, "30d": 720 * time.Hour, "1d12h": 36 * time.Hour} {
		d, err := ParseDuration(in)
		if err != nil || d != want {
			t.Errorf("%s: %v, %v", in, d, err)
		}
		if back, err := ParseDuration(FormatDuration(d)); err != nil || back != d {
			t.Errorf("%s is written as %s", in, FormatDuration(d))
		}
	}
	var r struct{ Life time.Duration }
	lives := Table[struct{ Life time.Duration }]{Duration("life", "", func(r *struct{ Life time.Duration }) *time.Duration { return &r.Life })}
	if err := lives.Set(&r, "life", []string{"90m"}); err != nil || r.Life != 90*time.Minute || lives[0].Get(&r)[0] != "1h30m" {
		t.Errorf("a field: %v, %v", r.Life, err)
	}
	if err := lives.Set(&r, "life", []string{"60"}); err == nil || err.Error() != `life: "60" has no unit; write 60s if seconds are meant` || r.Life != 90*time.Minute {
		t.Errorf("a field: %v, %v", r.Life, err)
	}
	for _, in := range []string{"", "d", "-1d", "1d-1h", "60", "1d60", "9999999d", "1e9h", "1w", " 1s", "1d 1h"} {
		if d, err := ParseDuration(in); err == nil {
			t.Errorf("%q: %v", in, d)
		}
	}
}
