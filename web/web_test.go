package web

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

const hostile = `"><script>alert(1)</script><b onclick='x'>&amp;{{.}}` + "\u202e\x00`"

// hostileApp is an app whose owner tries everything. Only the policy is a link that may be shown.
var hostileApp = App{
	Name:   hostile,
	Host:   hostile,
	Logo:   "/tenant/logos/0123",
	URI:    "javascript:alert(1)",
	Policy: `https://app.example.com/"><script>`,
	Terms:  "javascript:alert(document.domain)//https://",
}

var hostilePages = []Page{
	SignIn{Action: "javascript:alert(1)", Client: hostileApp, Login: hostile, Problem: hostile, Reason: hostile},
	SignIn{Action: "/x", Client: hostileApp, Login: hostile, Wait: time.Second},
	Choose{Action: hostile, Other: "/tenant/signin", Client: hostileApp, Accounts: []Account{{Session: hostile, Name: hostile, Login: hostile, Since: -time.Hour}}},
	Consent{Action: hostile, Client: hostileApp, Account: hostile, Scopes: []ScopeLine{{hostile, hostile}, {hostile, ""}}, APIs: []API{{hostile, hostile, []ScopeLine{{hostile, hostile}}}, {Name: hostile}}, Offline: true},
	FormPost{Action: "javascript:alert(1)", Client: hostileApp, Fields: []Field{{hostile, hostile}}},
	SignOut{Action: hostile, Client: hostileApp, Account: hostile},
	SignOut{Action: "/x", Client: hostileApp, Account: hostile, Others: []string{hostile, ""}},
	SigningOut{Apps: []App{hostileApp}, Frames: []string{"javascript:alert(1)", hostile}, Next: "javascript:alert(1)"},
	SigningOut{Apps: []App{hostileApp}, Next: "//evil.example/"},
	SignedOut{Told: []Receipt{{App: hostileApp, Problem: hostile}, {App: hostileApp, Told: time.Unix(1, 0)}, {Failed: true}}, Waiting: true},
	SignedOut{Client: hostileApp, Return: "data:text/html,<script>alert(1)</script>"},
	Error{Title: hostile, What: hostile, Detail: hostile, Who: hostile, How: hostile, Trace: hostile, Client: hostileApp},
	Home{Issuer: hostile, Discovery: hostile, Keys: "javascript:alert(1)"},
	CheckSession{Cookie: hostile},
	DeviceCode{DeviceFor: hostileFor, Code: hostile, Problem: hostile},
	DeviceConsent{DeviceFor: hostileFor, Code: hostile, Client: hostileApp, Registered: true, Address: hostile, Elsewhere: true,
		Scopes: []ScopeLine{{hostile, hostile}, {hostile, ""}}, Offline: true},
	DeviceDone{Allowed: true, Client: hostileApp, Page: hostile},
}

var hostileFor = DeviceFor{Action: "javascript:alert(1)", Switch: hostile, Account: hostile, Page: hostile, Others: []AccountChoice{{hostile, hostile}}}

func longPages() []Page {
	long := strings.Repeat("long name ", 1000)
	app := App{Name: long, Host: long, URI: "https://a.example/" + strings.Repeat("x", 5000)}
	return []Page{
		SignIn{Action: "/x", Client: app, Login: long, Problem: Text(long), Reason: Text(long), Wait: 1e6 * time.Hour},
		Choose{Action: "/x", Client: app, Accounts: []Account{{Name: long, Login: long, Since: 1e6 * time.Hour}}},
		Consent{Action: "/x", Client: app, Account: long, Scopes: []ScopeLine{{long, Text(long)}}},
		FormPost{Action: "https://a.example/", Client: app, Fields: []Field{{"code", long}}},
		SignOut{Action: "/x", Client: app, Account: long},
		SignedOut{Client: app, Return: app.URI},
		Error{Title: Text(long), What: Text(long), Detail: long, Client: app},
		Home{Issuer: long},
		DeviceCode{DeviceFor: DeviceFor{Action: "/x", Account: long, Others: []AccountChoice{{long, long}}}, Code: long, Problem: Text(long)},
		DeviceConsent{DeviceFor: DeviceFor{Action: "/x", Account: long}, Code: long, Client: app, Address: long, Scopes: []ScopeLine{{long, Text(long)}}},
		DeviceDone{Client: app},
	}
}

func newPages(t *testing.T, issuer string) *Pages {
	t.Helper()
	p, err := New(issuer)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func write(t *testing.T, pages *Pages, p Page, languages ...string) (*httptest.ResponseRecorder, *html.Node) {
	t.Helper()
	w := httptest.NewRecorder()
	pages.Write(w, http.StatusOK, p, languages...)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: status %d: %s", p.template(), w.Code, w.Body)
	}
	doc, err := html.Parse(strings.NewReader(w.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return w, doc
}

// elements returns the elements called name, in order; "" means all.
func elements(doc *html.Node, name string) (found []*html.Node) {
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && (name == "" || n.Data == name) {
			found = append(found, n)
		}
	}
	return found
}

func attr(n *html.Node, name string) string {
	v, _ := lookup(n, name)
	return v
}

func lookup(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// TestStructure holds what every page must be, whatever it is filled with: empty, hostile, long.
func TestStructure(t *testing.T) {
	t.Parallel()
	pages := newPages(t, "https://id.example.com/tenant")
	for _, language := range Languages() {
		for _, p := range append(append(longPages(), hostilePages...), allPages...) {
			t.Run(language+"/"+p.template(), func(t *testing.T) {
				t.Parallel()
				_, doc := write(t, pages, p, language)
				oneOfEach(t, doc, language)
				labelled(t, doc)
				nothingInline(t, doc)
				ownAddresses(t, doc)
			})
		}
	}
}

func oneOfEach(t *testing.T, doc *html.Node, language string) {
	for _, name := range []string{"h1", "main", "title", "header"} {
		found := elements(doc, name)
		if len(found) != 1 || text(found[0]) == "" {
			t.Errorf("WCAG 2.4.2, 1.3.1: want one <%s> with a text, got %d", name, len(found))
		}
	}
	if lang := attr(elements(doc, "html")[0], "lang"); lang != language {
		t.Errorf("WCAG 3.1.1: lang %q", lang)
	}
	if n := len(elements(doc, "input")); n > 0 && len(elements(doc, "form")) != 1 {
		t.Errorf("inputs outside of one form")
	}
	focused := 0
	for _, n := range elements(doc, "") {
		if _, ok := lookup(n, "autofocus"); ok {
			focused++
		}
	}
	if focused > 1 {
		t.Errorf("%d elements have autofocus", focused)
	}
}

// labelled: each visible input has its label, each reference its target, each button a text.
func labelled(t *testing.T, doc *html.Node) {
	labels, ids := map[string]string{}, map[string]bool{}
	for _, n := range elements(doc, "") {
		if id, ok := lookup(n, "id"); ok {
			if ids[id] {
				t.Errorf("id %q twice", id)
			}
			ids[id] = true
		}
		if n.Data == "label" {
			labels[attr(n, "for")] = text(n)
		}
	}
	for _, n := range elements(doc, "") {
		switch {
		case n.Data == "input" && attr(n, "type") != "hidden" && labels[attr(n, "id")] == "":
			t.Errorf("WCAG 3.3.2: input %q has no label", attr(n, "name"))
		case n.Data == "img" && attr(n, "alt") == "":
			t.Errorf("WCAG 1.1.1: an image without a text")
		case (n.Data == "button" || n.Data == "a") && text(n) == "":
			t.Errorf("WCAG 4.1.2: <%s> without a text", n.Data)
		}
		for _, name := range []string{"aria-describedby", "aria-labelledby"} {
			if id, ok := lookup(n, name); ok && !ids[id] {
				t.Errorf("%s names no element: %q", name, id)
			}
		}
	}
}

func nothingInline(t *testing.T, doc *html.Node) {
	for _, n := range elements(doc, "") {
		if n.Data == "style" || n.Data == "iframe" || n.Data == "object" || n.Data == "base" {
			t.Errorf("<%s> in the page", n.Data)
		}
		if n.Data == "script" && n.FirstChild != nil {
			t.Errorf("inline script: %s", n.FirstChild.Data)
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
}

// ownAddresses: what is loaded is ours, where one can go is http or https, and links to other sites tell them nothing.
func ownAddresses(t *testing.T, doc *html.Node) {
	for _, n := range elements(doc, "") {
		for _, name := range []string{"href", "src", "action"} {
			v, ok := lookup(n, name)
			if !ok {
				continue
			}
			u, err := url.Parse(v)
			if err != nil || (u.Scheme != "" && u.Scheme != "https" && u.Scheme != "http") {
				t.Errorf("<%s %s=%q>", n.Data, name, v)
			}
			if (n.Data == "link" || name == "src") && !strings.HasPrefix(v, "/tenant/assets/") && !strings.HasPrefix(v, "/tenant/logos/") {
				t.Errorf("loads something that is not ours: %q", v)
			}
		}
		if attr(n, "target") == "_blank" && attr(n, "rel") != "noopener noreferrer" {
			t.Errorf("target=_blank without rel")
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	const (
		leads = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
		stays = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
		posts = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; base-uri 'none'; frame-ancestors 'none'"
		check = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'"
		frame = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; base-uri 'none'"
	)
	tests := []struct {
		page       Page
		csp, frame string
	}{
		{SignIn{}, leads, "DENY"},
		{Choose{}, leads, "DENY"},
		{Consent{}, leads, "DENY"},
		{SignOut{}, leads, "DENY"},
		{FormPost{}, posts, "DENY"},
		{FormPost{Frameable: true}, frame, ""},
		{SignedOut{}, stays, "DENY"},
		{Error{}, stays, "DENY"},
		{Home{}, stays, "DENY"},
		{CheckSession{}, check, ""},
	}
	pages := newPages(t, "")
	for _, tt := range tests {
		w := httptest.NewRecorder()
		w.Header().Set("X-Frame-Options", "SAMEORIGIN") // as a middleware might
		w.Header().Set("Retry-After", "30")
		pages.Write(w, http.StatusTeapot, tt.page)
		got := w.Result()
		want := map[string]string{
			"Content-Security-Policy":    tt.csp,
			"X-Frame-Options":            tt.frame,
			"Content-Type":               "text/html; charset=utf-8",
			"Cache-Control":              "no-store",
			"Referrer-Policy":            "same-origin",
			"X-Content-Type-Options":     "nosniff",
			"Cross-Origin-Opener-Policy": "",
			"Retry-After":                "30",
		}
		for name, value := range want {
			if h := got.Header.Get(name); h != value {
				t.Errorf("%s: %s\n got %q\nwant %q", tt.page.template(), name, h, value)
			}
		}
		if got.StatusCode != http.StatusTeapot {
			t.Errorf("%s: status %d", tt.page.template(), got.StatusCode)
		}
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	pages := newPages(t, "")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pages.Write(w, 200, Home{}) }))
	defer srv.Close()
	res, err := srv.Client().Head(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if len(body) != 0 || res.ContentLength <= 0 {
		t.Errorf("RFC 9110 9.3.2: HEAD answers the length and no body; got %d of %d bytes", len(body), res.ContentLength)
	}
}

// broken has a template that does not exist: the only way for a page of this package to fail.
type broken struct{}

func (broken) template() string { return "broken" }
func (broken) policy() policy   { return policy{} }

func TestBrokenTemplateIsA500(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	newPages(t, "").Write(w, http.StatusOK, broken{})
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "<") {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}

func TestIssuer(t *testing.T) {
	t.Parallel()
	for issuer, want := range map[string]struct{ base, host string }{
		"":                              {"/assets/", "Signet"},
		"/tenant":                       {"/tenant/assets/", "Signet"},
		"http://localhost:8080":         {"/assets/", "localhost:8080"},
		"https://id.example.com/a%20b/": {"/a%20b/assets/", "id.example.com"},
	} {
		_, doc := write(t, newPages(t, issuer), Home{})
		for _, l := range elements(doc, "link") {
			if !strings.HasPrefix(attr(l, "href"), want.base) {
				t.Errorf("%q: %s", issuer, attr(l, "href"))
			}
		}
		if got := text(elements(doc, "header")[0]); got != want.host {
			t.Errorf("%q: header says %q, want %q", issuer, got, want.host)
		}
	}
	if _, err := New("http://[::1"); err == nil {
		t.Error("New takes an issuer that is no URL")
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	pages := newPages(t, "https://id.example.com")
	fields := func(p SignIn) (login, password *html.Node, doc *html.Node) {
		_, doc = write(t, pages, p)
		in := elements(doc, "input")
		if len(in) != 3 || attr(in[2], "name") != "remember" || attr(in[2], "type") != "checkbox" || len(elements(doc, "button")) != 1 {
			t.Fatalf("want a field for the user name, one for the password, a box to tick, and one button")
		}
		return in[0], in[1], doc
	}
	has := func(n *html.Node, name string) bool { _, ok := lookup(n, name); return ok }

	t.Run("names and autocomplete tokens that password managers know", func(t *testing.T) {
		login, password, doc := fields(SignIn{Action: "/signin?i=1", Client: App{Name: "Demo app"}})
		if attr(login, "name") != "username" || attr(login, "autocomplete") != "username" {
			t.Errorf("user name: %v", login.Attr)
		}
		if attr(password, "name") != "password" || attr(password, "autocomplete") != "current-password" || attr(password, "type") != "password" {
			t.Errorf("password: %v", password.Attr)
		}
		if f := elements(doc, "form")[0]; attr(f, "method") != "post" || attr(f, "action") != "/signin?i=1" {
			t.Errorf("form: %v", f.Attr)
		}
		if got := text(elements(doc, "main")[0]); !strings.Contains(got, "to continue to Demo app") {
			t.Errorf("the page does not say which app asks: %s", got)
		}
		if title := text(elements(doc, "title")[0]); title != "Sign in – id.example.com" {
			t.Errorf("title %q", title)
		}
	})
	t.Run("focus is on the first empty field", func(t *testing.T) {
		if login, password, _ := fields(SignIn{}); !has(login, "autofocus") || has(password, "autofocus") {
			t.Error("without a user name it is not on the user name")
		}
		if login, password, _ := fields(SignIn{Login: "anna"}); has(login, "autofocus") || !has(password, "autofocus") {
			t.Error("with a user name it is not on the password")
		}
	})
	t.Run("WCAG 3.3.1: a problem is an alert that describes the fields", func(t *testing.T) {
		for _, p := range []SignIn{{Problem: "That is not right."}, {Wait: 61 * time.Second}} {
			login, password, doc := fields(p)
			for _, in := range []*html.Node{login, password} {
				if attr(in, "aria-describedby") != "problem" {
					t.Errorf("%s is not described by the problem", attr(in, "name"))
				}
			}
			var alert string
			for _, n := range elements(doc, "p") {
				if attr(n, "role") == "alert" {
					alert = text(n)
				}
			}
			if want := string(p.Problem); alert != want && alert != "Too many attempts. Wait 61 seconds, then try again." {
				t.Errorf("alert %q", alert)
			}
			if title := text(elements(doc, "title")[0]); !strings.HasPrefix(title, "Error: ") {
				t.Errorf("title %q", title)
			}
		}
	})
	t.Run("the password is never filled in", func(t *testing.T) {
		if _, password, _ := fields(SignIn{Login: "anna", Problem: "x"}); has(password, "value") {
			t.Error("it is")
		}
	})
}

// buttons gives the buttons' names and values as the form sends them.
func buttons(doc *html.Node) (all []string) {
	for _, b := range elements(doc, "button") {
		all = append(all, attr(b, "name")+"="+attr(b, "value"))
	}
	return all
}

func TestConsent(t *testing.T) {
	t.Parallel()
	lines, offline := StandardScopes([]string{"openid", "email", "orders:read", "offline_access"})
	_, doc := write(t, newPages(t, ""), Consent{
		Action:  "/consent",
		Client:  App{Name: "Demo app", Host: "app.example.com", Policy: "https://app.example.com/privacy", Terms: "https://app.example.com/terms"},
		Account: "Anna", Scopes: lines, Offline: offline,
	})
	if got, want := buttons(doc), []string{"decision=allow", "decision=deny"}; !reflect.DeepEqual(got, want) {
		t.Errorf("buttons %q", got)
	}
	var items []string
	for _, li := range elements(doc, "li") {
		items = append(items, text(li))
	}
	want := []string{
		"Know that it is you openid", "See your email address email", "Use this permission: orders:read",
		"Keep this access while you are away offline_access",
	}
	if !reflect.DeepEqual(items, want) {
		t.Errorf("items %q", items)
	}
	body := text(elements(doc, "main")[0])
	for _, s := range []string{"Allow Demo app?", "signed in as Anna", "go back to app.example.com"} {
		if !strings.Contains(body, s) {
			t.Errorf("the page does not say %q: %s", s, body)
		}
	}
	var links []string
	for _, a := range elements(doc, "a") {
		links = append(links, attr(a, "href"))
	}
	if want := []string{"https://app.example.com/privacy", "https://app.example.com/terms"}; !reflect.DeepEqual(links, want) {
		t.Errorf("Registration 2: policy_uri and tos_uri are shown; links %q", links)
	}
}

func TestHostileLinksAreDropped(t *testing.T) {
	t.Parallel()
	pages := newPages(t, "")
	for _, p := range []Page{SignIn{Client: hostileApp}, Consent{Client: hostileApp}} {
		_, doc := write(t, pages, p)
		if links := elements(doc, "a"); len(links) != 1 || !strings.Contains(text(links[0]), "privacy policy") {
			t.Errorf("%s: %d links", p.template(), len(links))
		}
	}
	for _, p := range []Page{SignedOut{Return: "javascript:x"}, Error{Client: hostileApp}, Home{Discovery: "javascript:x"}} {
		if _, doc := write(t, pages, p); len(elements(doc, "a")) != 0 {
			t.Errorf("%s has a link", p.template())
		}
	}
}

func TestFormPost(t *testing.T) {
	t.Parallel()
	const action = "https://app.example.com/cb?x=1&y=%2F"
	fields := []Field{{"code", `a"b<c>&amp;'d+e`}, {"state", "ä ö"}, {"iss", "https://id.example.com"}}
	_, doc := write(t, newPages(t, ""), FormPost{Action: action, Fields: fields})
	f := elements(doc, "form")[0]
	if attr(f, "method") != "post" || attr(f, "action") != action {
		t.Errorf("Form Post Response Mode 2: form %v", f.Attr)
	}
	var got []Field
	for _, in := range elements(f, "input") {
		if attr(in, "type") != "hidden" {
			t.Errorf("visible input")
		}
		got = append(got, Field{attr(in, "name"), attr(in, "value")})
	}
	if !reflect.DeepEqual(got, fields) {
		t.Errorf("fields\n got %q\nwant %q", got, fields)
	}
	if got := buttons(f); len(got) != 1 || got[0] != "=" {
		t.Errorf("one button that adds nothing to the response: %q", got)
	}
	if len(elements(doc, "script")) != 1 {
		t.Error("no script")
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	pages := newPages(t, "")
	_, doc := write(t, pages, SignOut{Action: "/x", Account: "Anna", Client: App{Name: "Demo app"}})
	if got, want := buttons(doc), []string{"confirm=yes", "stay=yes"}; !reflect.DeepEqual(got, want) {
		t.Errorf("RP-Initiated Logout 2: buttons %q", got)
	}
	_, doc = write(t, pages, SignedOut{Client: App{Name: "Demo app"}, Return: "https://app.example.com/"})
	if got := text(elements(doc, "h1")[0]); got != "You are signed out" {
		t.Errorf("h1 %q", got)
	}
	if a := elements(doc, "a"); len(a) != 1 || attr(a[0], "href") != "https://app.example.com/" || text(a[0]) != "Back to Demo app" {
		t.Errorf("no way back")
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	_, doc := write(t, newPages(t, ""), Error{Title: "Not registered", What: "W.", Who: "You", How: "H.", Trace: "4bf9"})
	if got, want := text(elements(doc, "main")[0]), "Not registered W. Who can fix it You How H. Trace 4bf9"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		time.Millisecond: "1 second",
		time.Second:      "1 second",
		90 * time.Second: "90 seconds",
		91 * time.Second: "2 minutes",
		90 * time.Minute: "90 minutes",
		91 * time.Minute: "2 hours",
	} {
		if got := (voice{}).wait(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestAgo(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Hour:        "Signed in just now", // a clock that was set back
		59 * time.Second:  "Signed in just now",
		time.Minute:       "Signed in 1 minute ago",
		119 * time.Minute: "Signed in 1 hour ago",
		23 * time.Hour:    "Signed in 23 hours ago",
		24 * time.Hour:    "Signed in yesterday",
		71 * time.Hour:    "Signed in 2 days ago",
	} {
		if got := (voice{}).ago(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func FuzzLink(f *testing.F) {
	for _, s := range []string{
		"", "https://a.example/p?q#f", "http://localhost:1", "javascript:alert(1)", "JAVASCRIPT://x/%0aalert(1)", "//a.example", "https:///x",
		"https://user:pw@a.example", " https://a.example", "data:text/html,x", "https:a.example", "https://a.example\\@b.example", "\x01https://a",
	} {
		f.Add(s)
	}
	pages, err := New("")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := link(raw)
		if got != "" && got != raw {
			t.Fatalf("%q became %q", raw, got)
		}
		_, doc := write(t, pages, SignedOut{Return: raw})
		for _, a := range elements(doc, "a") {
			href := strings.ToLower(attr(a, "href"))
			if !strings.HasPrefix(href, "https://") && !strings.HasPrefix(href, "http://") {
				t.Fatalf("%q is shown as %q", raw, href)
			}
		}
	})
}

// A policy stays short enough for the headers that proxies take.
func TestManyFrames(t *testing.T) {
	t.Parallel()
	s := SigningOut{Frames: []string{"http://127.0.0.1:8080/out"}}
	for i := range 500 {
		s.Frames = append(s.Frames, fmt.Sprintf("https://%s%d.example/out", strings.Repeat("a", 50), i%250))
		csp := s.policy().csp()
		if len(csp) > 4000 || !strings.Contains(csp, "frame-src http") {
			t.Fatalf("%d frames: %d bytes, %.100s", len(s.Frames), len(csp), csp)
		}
	}
	if csp := s.policy().csp(); !strings.Contains(csp, "frame-src http: https:;") {
		t.Error(csp)
	}
}
