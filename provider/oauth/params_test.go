package oauth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"signet/provider/oauth"
)

func TestParseQuery(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		raw, want string // of the parameter "a"; "!" for an error
	}{
		"one":                                {"a=1", "1"},
		"RFC 6749 3.1: empty is absent":      {"a=&b=1", ""},
		"no equals sign":                     {"a", ""},
		"names are compared with their case": {"A=1", ""},
		"encoded":                            {"%61=%C3%A9+x%2b", "é x+"},
		"equals in the value":                {"a=b=c", "b=c"},
		"empty pairs":                        {"&&a=1&&", "1"},
		"a semicolon is no separator":        {"b=2;a=1", "!"},
		"a semicolon, encoded":               {"a=1%3Bb", "1;b"},
		"percent alone":                      {"a=%", "!"},
		"percent with one digit":             {"a=%4", "!"},
		"percent with other letters":         {"a=%zz", "!"},
		"malformed elsewhere":                {"a=1&b=%zz", "!"},
		"malformed name":                     {"a=1&%zz=b", "!"},
		"NUL":                                {"a=1&b=x%00y", "!"},
		"not UTF-8":                          {"a=1&b=%ff", "!"},
		"an overlong slash":                  {"a=%c0%af", "!"},
		"a lone surrogate":                   {"a=%ed%a0%80", "!"},
		"64 KiB":                             {"a=1&b=" + strings.Repeat("x", oauth.MaxForm-6), "1"},
		"more than 64 KiB":                   {"a=1&b=" + strings.Repeat("x", oauth.MaxForm-5), "!"},
	} {
		p, err := oauth.ParseQuery(row.raw)
		if row.want == "!" {
			var e *oauth.Error
			if !errors.As(err, &e) || e.Code != oauth.InvalidRequest {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || p.Get("a") != row.want || p.Has("a") != (row.want != "") || p.Single("a") != row.want {
			t.Errorf("%s: %q, %v", name, p.Get("a"), err)
		}
	}
}

func TestRepeated(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ raw, want string }{
		"once":                                   {"a=1&b=2", ""},
		"RFC 6749 3.1: twice":                    {"scope=1&scope=2", "scope was sent more than once"},
		"RFC 6749 3.1: the same twice":           {"scope=1&scope=1", "scope was sent more than once"},
		"twice, both empty":                      {"scope=&scope=", "scope was sent more than once"},
		"twice, in two spellings":                {"scope=1&%73cope=2", "scope was sent more than once"},
		"RFC 8707 2: resource":                   {"resource=1&resource=2", ""},
		"RFC 8693 2.1: audience":                 {"audience=1&audience=2", ""},
		"two cases are two names":                {"scope=1&Scope=2", ""},
		"a name that is no name is not echoed":   {"%22%3Cb%3E=1&%22%3Cb%3E=2", "a parameter was sent more than once"},
		"a name beyond measure is not echoed":    {strings.Repeat("a", 41) + "=1&" + strings.Repeat("a", 41) + "=2", "a parameter was sent more than once"},
		"a name with upper case is not echoed":   {"State=1&State=2", "a parameter was sent more than once"},
		"an unknown name of harmless characters": {"foo_bar=1&foo_bar=2", "foo_bar was sent more than once"},
	} {
		p, err := oauth.ParseQuery(row.raw)
		if err != nil {
			t.Fatal(err)
		}
		var e *oauth.Error
		switch err := p.Repeated(); {
		case row.want == "" && err != nil, row.want != "" && (!errors.As(err, &e) || e.Description != row.want || e.Code != oauth.InvalidRequest):
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
		if strings.Contains(row.want, "scope") && p.Single("scope") != "" {
			t.Errorf("%s: Single %q", name, p.Single("scope"))
		}
	}
}

func TestWordsAndAll(t *testing.T) {
	t.Parallel()
	p, err := oauth.ParseQuery("scope=+b++a+b+&tab=a%09b&resource=1&resource=&resource=2&none=+")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{"scope": {"b", "a"}, "tab": {"a\tb"}, "none": nil, "missing": nil} {
		if got := p.Words(name); !slices.Equal(got, want) {
			t.Errorf("Words(%s) is %q, want %q", name, got, want)
		}
	}
	if got := p.All("resource"); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("All: %q", got)
	}
}

func TestReadForm(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	for name, row := range map[string]struct {
		path, kind, body string
		status           int // 0: it is read
	}{
		"a form":                            {"/", form, "a=1", 0},
		"a form with a charset":             {"/", form + "; charset=utf-8", "a=1", 0},
		"a form in another case":            {"/", "Application/X-WWW-Form-Urlencoded", "a=1", 0},
		"an empty form":                     {"/", form, "", 0},
		"RFC 6749 2.3.1: a query besides":   {"/?b=2", form, "a=1", 400},
		"RFC 6749 3.2: twice":               {"/", form, "a=1&a=2", 400},
		"malformed":                         {"/", form, "a=%zz", 400},
		"no content type":                   {"/", "", "a=1", 415},
		"JSON":                              {"/", "application/json", `{"a":1}`, 415},
		"multipart":                         {"/", "multipart/form-data; boundary=x", "--x--", 415},
		"a content type that is none":       {"/", ";;", "a=1", 415},
		"a form's content type as a prefix": {"/", form + "x", "a=1", 415},
		"64 KiB":                            {"/", form, "a=" + strings.Repeat("x", oauth.MaxForm-2), 0},
		"more than 64 KiB":                  {"/", form, "a=" + strings.Repeat("x", oauth.MaxForm-1), 413},
	} {
		r := httptest.NewRequest(http.MethodPost, row.path, strings.NewReader(row.body))
		r.Header.Set("Content-Type", row.kind)
		w := httptest.NewRecorder()
		p, err := oauth.ReadForm(w, r)
		if row.status == 0 {
			if err != nil || row.body != "" && p.Get("a") == "" {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		oauth.WriteError(w, r, err)
		if w.Code != row.status {
			t.Errorf("%s: %d, want %d (%v)", name, w.Code, row.status, err)
		}
	}
}

func TestJoint(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{ // RFC 6749 section 3.1.2
		"https://a.example/cb": "?", "https://a.example/cb?": "", "https://a.example/cb?x": "&", "https://a.example/cb?x&": "", "com.example:/cb": "?",
	} {
		if got := oauth.Joint(uri); got != want {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
	}
}

// What is read is UTF-8 text without NUL, means the same when it is written and read again, and is called repeated exactly when a
// name comes twice.
func FuzzParseQuery(f *testing.F) {
	for _, raw := range []string{
		"", "a=1", "a=1&a=2", "a=&a=", "A=1&a=2", "%61=1&a=2", "resource=1&resource=2", "a;b", "a=%zz", "a=%00", "a=%ff", "&&=&=x", "a=%e2%98%83+b%2Bc", "scope=openid++email&state=%22%3E",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := oauth.ParseQuery(raw)
		if err != nil {
			var e *oauth.Error
			if !errors.As(err, &e) || e.Code != oauth.InvalidRequest || strings.ContainsAny(e.Description, "\"\\") {
				t.Fatalf("error %v", err)
			}
			return
		}
		names, twice := map[string]int{}, false
		for pair := range strings.SplitSeq(raw, "&") {
			if pair == "" {
				continue
			}
			name, _, _ := strings.Cut(pair, "=")
			name, err := url.QueryUnescape(name)
			if err != nil {
				t.Fatalf("%q was read: %v", raw, err)
			}
			if name == "" {
				continue // it is no parameter
			}
			names[name]++
			twice = twice || names[name] > 1 && name != "resource" && name != "audience"
		}
		if (p.Repeated() != nil) != twice {
			t.Fatalf("%q: Repeated %v", raw, p.Repeated())
		}
		again, err := oauth.ParseQuery(p.Encode())
		if len(p.Encode()) <= oauth.MaxForm && err != nil {
			t.Fatalf("%q is written as %q: %v", raw, p.Encode(), err)
		}
		for name, times := range names {
			v := p.Get(name)
			switch {
			case !utf8.ValidString(v) || strings.ContainsRune(v, 0):
				t.Fatalf("%q: %q", raw, v)
			case p.Has(name) != (v != ""), times == 1 && p.Single(name) != v, times > 1 && p.Single(name) != "":
				t.Fatalf("%q: Get %q, Has %t, Single %q", raw, v, p.Has(name), p.Single(name))
			case err == nil && again.Get(name) != v:
				t.Fatalf("%q: %q, read again %q", raw, v, again.Get(name))
			case slices.Contains(p.Words(name), "") || slices.Contains(p.All(name), ""):
				t.Fatalf("%q: words %q, all %q", raw, p.Words(name), p.All(name))
			}
		}
	})
}
