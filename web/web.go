// Package web renders what people see in their browser: the pages of the provider, their stylesheet and three scripts.
//
// Each page is a typed struct (SignIn, Consent, …) that the rooms above fill and hand to [Pages.Write]. The struct names its template
// and its policy: which security headers the page carries and why. Nothing else decides either.
//
// Everything is embedded and rendered on the server. There is no build step, no request to a third party, no inline script or
// style, and no script at all but the one that sends a form_post response on its way, which also has a button, the one that answers the
// apps that hold the check-session page in a frame, and the one that goes on from the page that signs out of apps, which has a link as well.
//
// They are said in the language that the person reads; language.go has how it is found and where the words are.
//
// What comes from outside (names, addresses, problem texts) reaches the page through html/template alone. A link that a
// client registered is shown only when it is http or https; any other is dropped, not shown broken.
package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

//go:embed templates
var templateFiles embed.FS

// Pages holds the parsed templates of one issuer.
type Pages struct {
	host      string
	assets    assets
	languages chooser
	templates map[string]map[string]*template.Template // by language, and by the name that Page.template gives
}

// New parses all templates. The issuer is its URL, or only the path of it ("" or "/tenant"); with the whole URL the pages
// also say on which host one is. Its path without trailing slash goes before each asset's path.
func New(issuer string) (*Pages, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, fmt.Errorf("web: issuer: %w", err)
	}
	p := &Pages{host: u.Host, templates: make(map[string]map[string]*template.Template)}
	if p.assets, err = loadAssets(strings.TrimSuffix(u.EscapedPath(), "/")); err != nil {
		return nil, fmt.Errorf("web: assets: %w", err)
	}
	if p.languages, err = newChooser(Languages()); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	all, err := voices()
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	for tag, v := range all {
		if p.templates[tag], err = p.parse(v); err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
	}
	return p, nil
}

// parse makes the templates of one language.
func (p *Pages) parse(v voice) (map[string]*template.Template, error) {
	layout, err := template.New("layout.html").Funcs(p.funcs(v)).ParseFS(templateFiles, "templates/layout.html", "templates/account.html")
	if err != nil {
		return nil, err
	}
	all := make(map[string]*template.Template)
	for _, page := range allPages {
		name := page.template()
		t := template.Must(layout.Clone()) // fails only for a template that has been executed
		if all[name], err = t.ParseFS(templateFiles, "templates/"+name+".html"); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (p *Pages) funcs(v voice) template.FuncMap {
	return template.FuncMap{
		"asset":  p.assets.url,
		"host":   func() string { return p.host },
		"link":   link,
		"onward": onward,
		"lang":   func() string { return v.tag },
		"say":    v.say,
		"app":    v.app,
		"ago":    v.ago,
		"name":   v.name,
		"paper":  v.paper,
		"wait":   v.wait,
		"when":   when,
		"device": v.device,
	}
}

// Write answers with the page. It is rendered before anything is sent, so a fault of a template is a 500 and never half a
// page. Headers that the caller set before (cookies, Retry-After) stay.
//
// languages are what the person prefers, best first: BCP 47 tags, or lists as Accept-Language has them. English if none is ours.
func (p *Pages) Write(w http.ResponseWriter, status int, page Page, languages ...string) {
	var body bytes.Buffer
	tag := p.languages.choose(languages)
	if err := p.render(&body, page, tag); err != nil {
		slog.Error("web: page not rendered", "page", page.template(), "error", err)
		http.Error(w, "This page could not be made. That is a fault of the server; its operator can find it in the log.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	page.policy().set(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", tag)
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	w.Write(body.Bytes()) // net/http sends no body in answer to HEAD; a write that fails has nobody left to tell
}

func (p *Pages) render(body *bytes.Buffer, page Page, tag string) error {
	t, ok := p.templates[tag][page.template()]
	if !ok {
		return fmt.Errorf("web: no template %q", page.template())
	}
	return t.Execute(body, page)
}

// Assets serves /assets/<content hash>/<name> below the issuer's path. It expects requests with their full path, and answers 404 to
// everything that is not exactly such a path.
func (p *Pages) Assets() http.Handler { return p.assets }

// link returns raw if a browser may be sent there from a page of ours: an absolute http or https URL without user information.
// Otherwise "".
func link(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	return raw
}
