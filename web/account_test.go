package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// accountPages are the pages of a person's own account, with everything on them.
func accountPages(s string) []Page {
	own := Own{Base: "/tenant/account", As: s, Account: s}
	app, now := App{Name: s, Host: s, Logo: "/tenant/logos/0123"}, time.Now()
	paging := Paging{Path: "/tenant/account/sessions", Page: 2, Last: 3}
	return []Page{
		AccountOverview{Own: own, Profile: []Detail{{Label: "Name", Value: s}, {Label: "Email", Value: s, Note: "confirmed"}}, Sessions: 2, Apps: 1,
			Unusual: 3, Others: []AccountChoice{{s, s}, {"b", s}}},
		AccountPassword{Own: own, Login: s, Problem: "The current password is not right."},
		AccountPassword{Own: own, Login: s, Wait: time.Minute},
		AccountPassword{Own: own, Changed: true},
		AccountPassword{Own: own, Declared: true},
		AccountSessions{Own: own, Total: 60, Paging: paging, Rows: []SessionRow{
			{ID: s, This: true, UserAgent: s, Address: s, SignedIn: now, LastUsed: now, Methods: []Text{"with the password"}, Kept: true, Apps: []App{app, app}}, {ID: "b"}}},
		AccountApps{Own: own, Paging: paging, Rows: []AppRow{
			{ID: s, App: app, Scopes: []ScopeLine{{s, ""}, {"email", "See your email address"}}, Offline: true, Trusted: true, Since: now, LastUsed: now}, {ID: "b"}}},
		AccountHistory{Own: own, Rows: []HistoryRow{
			{Time: now, UserAgent: s, Address: s, App: app, Methods: []Text{"with the password"}, Unusual: []Text{"Several failed attempts came right before it."}}, {Time: now, Failed: true}}},
		AccountEnded{Own: own, Waiting: true, Receipts: []Receipt{{App: app, Told: now}, {App: app, Failed: true, Problem: s}, {App: app, Problem: s}}},
		AccountEnded{Own: Own{Base: "/tenant/account"}},
	}
}

// TestAccountStructure holds the pages to what every page must be, whatever they are filled with.
func TestAccountStructure(t *testing.T) {
	t.Parallel()
	pages := newPages(t, "https://id.example.com/tenant")
	for _, language := range Languages() {
		for name, filling := range map[string]string{"hostile": hostile, "long": strings.Repeat("long name ", 1000), "plain": "alice"} {
			for _, p := range accountPages(filling) {
				t.Run(language+"/"+p.template()+"/"+name, func(t *testing.T) {
					t.Parallel()
					_, doc := write(t, pages, p, language)
					oneOfEach(t, doc, language)
					labelled(t, doc)
					nothingInline(t, doc)
					ownAddresses(t, doc)
					levels(t, doc)
				})
			}
		}
	}
}

// levels: WCAG 1.3.1, headings of the second level come after the one of the first, and there are no deeper ones.
func levels(t *testing.T, doc *html.Node) {
	t.Helper()
	first := false
	for _, n := range elements(doc, "") {
		switch n.Data {
		case "h1":
			first = true
		case "h2":
			if !first || text(n) == "" {
				t.Errorf("<h2>%s</h2> before the page's heading, or empty", text(n))
			}
		case "h3", "h4":
			t.Errorf("<%s>", n.Data)
		}
	}
}

func TestAccountPages(t *testing.T) {
	t.Parallel()
	pages := newPages(t, "https://id.example.com/tenant")
	for _, p := range accountPages("alice") {
		w, doc := write(t, pages, p)
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self'") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: %s", p.template(), csp)
		}
		for _, f := range elements(doc, "form") {
			if action := attr(f, "action"); attr(f, "method") != "post" || !strings.HasPrefix(action, "/tenant/account/") {
				t.Errorf("%s: a form by %q to %q", p.template(), attr(f, "method"), action)
			}
		}
		current := 0
		for _, a := range elements(doc, "a") {
			if attr(a, "aria-current") == "page" {
				current++
			}
		}
		if own := p.template() != "account-ended"; own && current != 1 {
			t.Errorf("%s: the navigation names %d pages as this one", p.template(), current)
		}
	}
}

// What watches for the end of something looks again, and nothing else does.
func TestAccountEndedLooksAgain(t *testing.T) {
	t.Parallel()
	for _, waiting := range []bool{true, false} {
		w := httptest.NewRecorder()
		newPages(t, "").Write(w, http.StatusOK, AccountEnded{Waiting: waiting, Receipts: []Receipt{{}}})
		if strings.Contains(w.Body.String(), `http-equiv="refresh"`) != waiting {
			t.Errorf("waiting %v: %s", waiting, w.Body)
		}
	}
}

// TestAccountColours: the contrast of colours is held where they are defined.
func TestAccountColours(t *testing.T) {
	t.Parallel()
	css, err := assetFiles.ReadFile("assets/account.css")
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b|rgb|hsl`).FindString(string(css)); found != "" {
		t.Errorf("a colour of its own: %s", found)
	}
}
