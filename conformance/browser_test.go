package conformance

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"signet/provider/providertest"
)

// browser is like the one of the suite: HTML forms, cookies, no script.
type browser struct {
	r      *run
	client *http.Client
	query  string // of the redirect URI as it is registered

	confirms bool // it says yes when it is asked whether to sign out; otherwise it stays on that page
}

// visit is where a request led.
type visit struct {
	params  url.Values // that reached the redirect URI; nil: the browser stands on a page
	how     string     // query, fragment or form_post
	status  int        // of the page
	page    string     // its text
	signIns int        // how often it was asked who it is
	chosen  int        // how often it was asked which account is meant
	asked   int        // how often it was asked for consent

	question bool // it was asked whether to sign out
	pages    []*html.Node
}

const (
	userName = "ann"
	password = providertest.Password
)

func (r *run) browser() *browser {
	r.Helper()
	jar, err := cookiejar.New(nil)
	r.must(err)
	return &browser{r: r, client: &http.Client{Jar: jar, Transport: r.http.Transport, CheckRedirect: r.http.CheckRedirect}}
}

// open goes to a URL and on from there, signing in and allowing what is asked, until it is sent to the redirect URI or stands on a page
// that asks nothing.
func (b *browser) open(req *http.Request) (v visit) {
	b.r.Helper()
	for range 20 {
		a := b.r.sendBy(b.client, req)
		if to := a.header.Get("Location"); to != "" {
			next, err := req.URL.Parse(to)
			b.r.must(err)
			if !strings.HasPrefix(next.String(), b.r.issuer) {
				b.arrive(&v, next)
				return v
			}
			req = b.r.request(http.MethodGet, next.String(), nil)
			continue
		}
		doc, err := html.Parse(strings.NewReader(a.body))
		b.r.must(err)
		v.pages = append(v.pages, doc)
		f, ok := firstForm(doc)
		switch {
		case a.status != http.StatusOK || !ok:
			v.status, v.page = a.status, text(doc)
			return v
		case f.user != "" && f.password != "":
			v.signIns++
			f.values.Set(f.user, userName)
			f.values.Set(f.password, password)
		case len(f.buttons["session"]) > 0:
			v.chosen++
			f.values.Set("session", f.buttons["session"][0])
		case slices.Contains(f.buttons["decision"], "allow"):
			v.asked++
			f.values.Set("decision", "allow")
		case slices.Contains(f.buttons["confirm"], "yes"):
			v.question = true
			if !b.confirms {
				v.status, v.page = a.status, text(doc)
				return v
			}
			f.values.Set("confirm", "yes")
		case !strings.HasPrefix(f.action, b.r.issuer) && strings.HasPrefix(f.action, "https://"):
			to, err := url.Parse(f.action)
			b.r.must(err)
			b.arriveByPost(&v, to, f.values)
			return v
		default:
			b.r.Fatalf("a page whose form nobody can fill in: %s", text(doc))
		}
		next, err := req.URL.Parse(f.action)
		b.r.must(err)
		req = b.r.request(http.MethodPost, next.String(), f.values)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	b.r.Fatal("the browser is sent round in circles")
	return v
}

// arrive reads the answer that a redirect brings.
func (b *browser) arrive(v *visit, at *url.URL) {
	b.r.Helper()
	fragment := at.EscapedFragment()
	at.Fragment, at.RawFragment = "", ""
	v.how = "query"
	var err error
	if fragment != "" {
		v.how = "fragment"
		v.params, err = url.ParseQuery(fragment)
		if at.RawQuery != b.query {
			b.r.Errorf("the query beside the fragment is %q, want %q", at.RawQuery, b.query)
		}
	} else {
		v.params, err = url.ParseQuery(strings.TrimPrefix(at.RawQuery, b.query+"&")) // RFC 6749 3.1.2: it "MUST be retained"
		if !strings.HasPrefix(at.RawQuery, b.query) {
			b.r.Errorf("the query is %q, want it to begin with %q", at.RawQuery, b.query)
		}
	}
	b.r.must(err)
	b.at(at)
}

// arriveByPost reads the answer that a form brings: Form Post Response Mode 2.
func (b *browser) arriveByPost(v *visit, at *url.URL, values url.Values) {
	b.r.Helper()
	if at.RawQuery != b.query || at.Fragment != "" {
		b.r.Errorf("something comes in the URL beside the form: %q", at)
	}
	v.how, v.params = "form_post", values
	b.at(at)
}

func (b *browser) at(u *url.URL) {
	b.r.Helper()
	if got := u.Scheme + "://" + u.Host + u.Path; got != redirectURI {
		b.r.Errorf("the browser is sent to %q, which is not registered", got)
	}
}

// form is what a page asks.
type form struct {
	action         string
	values         url.Values
	user, password string              // names of these fields, by their autocomplete and type
	buttons        map[string][]string // values of the buttons, by name
}

func firstForm(doc *html.Node) (f form, ok bool) {
	f.values, f.buttons = url.Values{}, map[string][]string{}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "form":
			if ok {
				return f, ok
			}
			ok, f.action = true, attr(n, "action")
		case "input":
			name := attr(n, "name")
			switch {
			case attr(n, "autocomplete") == "username":
				f.user = name
			case attr(n, "type") == "password":
				f.password = name
			case attr(n, "type") == "checkbox": // nobody ticks it
			default:
				f.values.Set(name, attr(n, "value"))
			}
		case "button":
			f.buttons[attr(n, "name")] = append(f.buttons[attr(n, "name")], attr(n, "value"))
		}
	}
	return f, ok
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(doc *html.Node) string {
	var words []string
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" && n.Parent.Data != "script" {
			words = append(words, strings.Fields(n.Data)...)
		}
	}
	return strings.Join(words, " ")
}
