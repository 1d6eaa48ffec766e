package demo

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

//go:embed templates
var templateFiles embed.FS

// csp has no form-action: the answer to the sign-out form is a redirect to the provider, and Chromium counts that.
const csp = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// pages holds the parsed templates by name.
type pages map[string]*template.Template

func parsePages(baseURL string) (pages, error) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	funcs := template.FuncMap{"host": func() string { return u.Host }, "enumerate": enumerate}
	layout, err := template.New("layout.html").Funcs(funcs).ParseFS(templateFiles, "templates/layout.html")
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	p := make(pages)
	for _, name := range []string{"home", "tokens", "problem"} {
		t := template.Must(layout.Clone())
		if p[name], err = t.ParseFS(templateFiles, "templates/"+name+".html"); err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
	}
	return p, nil
}

// write renders before it sends, so a fault is a 500 and never half a page.
func (a *app) write(w http.ResponseWriter, status int, name string, data any) {
	var body bytes.Buffer
	if err := a.pages[name].Execute(&body, data); err != nil {
		a.Log.Error("demo: page", "page", name, "error", err)
		http.Error(w, "This page could not be made; the log says why.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", csp)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	w.Write(body.Bytes())
}

// problem is the page for what did not work.
type problem struct {
	Title string
	What  string
	How   string // how to go on
	Code  string // the specification's error code
	Said  string // in the provider's or the library's words
	Again string // where the button leads; "" for none
}

func (a *app) fail(w http.ResponseWriter, status int, p problem) {
	a.write(w, status, "problem", p)
}

// homePage is the start page.
type homePage struct {
	Issuer    string
	Name      string // who is signed in; "" for nobody
	SignedIn  bool
	SignedOut bool // just back from the provider's logout
	Ended     bool // the provider's session ended elsewhere
	Scopes    []string
}

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	p := homePage{Issuer: a.Issuer, Scopes: scopes}
	if s, g := a.signedIn(r); g != nil {
		p.SignedIn, p.Name = true, g.name()
	} else if s != nil {
		s.mu.Lock()
		p.Ended = s.ended
		p.SignedOut = s.signedOut != "" && same(s.signedOut, r.URL.Query().Get("state")) // RP-Initiated Logout 3
		s.mu.Unlock()
	}
	a.write(w, http.StatusOK, "home", p)
}

// tokensPage shows all that the app got.
type tokensPage struct {
	Issuer, Name string
	Lifetimes    []lifetime
	Refreshed    string // when, if it was
	Changes      []change
	Tokens       []tokenPart
	Userinfo     []row
	UserinfoErr  string
	HasRefresh   bool
}

// change says in a line what a refresh changed in one token.
type change struct {
	Where     string
	New, Gone []string
}

// tokenPart is one token taken apart.
type tokenPart struct {
	ID, Title, About string
	Opaque           bool
	Header, Claims   []row
	Raw              [3]string
}

func (a *app) tokens(w http.ResponseWriter, r *http.Request) {
	s, g := a.signedIn(r)
	if g == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	s.mu.Lock() // a refresh may take the refresh token away
	p := a.tokensPage(g)
	s.mu.Unlock()
	a.write(w, http.StatusOK, "tokens", p)
}

func (a *app) tokensPage(g *grant) tokensPage {
	now := a.Now()
	p := tokensPage{Issuer: a.Issuer, Name: g.name(), UserinfoErr: g.userinfoFault, HasRefresh: g.refreshToken != ""}
	var before grant
	if g.before != nil {
		before = *g.before
		p.Refreshed = clock(g.received)
	}
	p.take(tokenPart{
		ID: "id-token", Title: "ID token",
		About: "Tells this app who signed in. This app verified its signature, issuer, audience, times and nonce.",
	}, g.idToken, before.idToken, idTokenSources)
	p.take(tokenPart{
		ID: "access-token", Title: "Access token",
		About: "For the API that aud names. An app only passes it on; this one opens it to show you what the API will see.",
	}, g.accessToken, before.accessToken, accessTokenSources)
	p.Userinfo = rows(g.userinfo, before.userinfo, userinfoSources)
	if g.before != nil {
		p.Changes = append(p.Changes, change{"Userinfo", changed(p.Userinfo), gone(g.userinfo, before.userinfo)})
	}

	if id, err := parseJWT(g.idToken); err == nil {
		if exp, ok := id.payload.seconds("exp"); ok {
			iat, _ := id.payload.seconds("iat")
			p.Lifetimes = append(p.Lifetimes, lifetimeOf("ID token", time.Unix(iat, 0), time.Unix(exp, 0), now))
		}
	}
	if !g.accessExpires.IsZero() {
		p.Lifetimes = append(p.Lifetimes, lifetimeOf("Access token", g.received, g.accessExpires, now))
	}
	return p
}

// take adds a token to the page, and what is new in it.
func (p *tokensPage) take(part tokenPart, token, before string, from []source) {
	j, err := parseJWT(token)
	if err != nil {
		part.Opaque = true
		p.Tokens = append(p.Tokens, part)
		return
	}
	old, _ := parseJWT(before) // without one, or an opaque one, nothing is marked
	part.Header = rows(j.header, old.header, headerSources)
	part.Claims = rows(j.payload, old.payload, from)
	part.Raw = j.parts
	p.Tokens = append(p.Tokens, part)
	if old.payload != nil {
		news := append(changed(part.Header), changed(part.Claims)...)
		p.Changes = append(p.Changes, change{part.Title, news, gone(j.payload, old.payload)})
	}
}

// name is what to call the user.
func (g *grant) name() string {
	id, _ := parseJWT(g.idToken)
	for _, c := range []claims{g.userinfo, id.payload} {
		for _, claim := range []string{"name", "preferred_username", "email"} {
			if s := c.text(claim); s != "" {
				return s
			}
		}
	}
	return g.sub
}

// enumerate writes "a, b and c".
func enumerate(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
