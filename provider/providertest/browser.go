package providertest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"signet/storage"
)

// Browser keeps cookies, reads pages and sends their forms, as a person would. It ends where the provider sends it away.
type Browser struct {
	s      *Server
	client *http.Client
	tb     testing.TB

	User      string // whom it signs in as when it is asked; "": it stops at the page
	Deny      bool   // what it answers when it is asked for consent
	Undecided bool   // it stops at the consent page
	UserAgent string // "": Go's
	Address   string // that a proxy says it comes from; "": there is no proxy
}

// Browser returns an empty cookie jar that signs in as user.
func (s *Server) Browser(user string) *Browser {
	s.tb.Helper()
	jar, err := cookiejar.New(nil)
	must(s.tb, err)
	client := &http.Client{Jar: jar, Transport: s.HTTP.Transport, CheckRedirect: s.HTTP.CheckRedirect}
	return &Browser{s: s, client: client, tb: s.tb, User: user}
}

// Outcome is where the browser ended: at a client, or on a page of the provider.
type Outcome struct {
	Callback string     // the redirect URI with what was added; "" on a page
	Params   url.Values // of the authorization response
	Page     Answer     // the page
	URL      string     // of the page
	Asked    []string   // the pages that were answered on the way: signin, consent
	Hops     []Answer   // every answer on the way, the last one too
}

// Verifier and Challenge are a PKCE pair.
const Verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// Challenge is Verifier's, by S256.
func Challenge() string {
	sum := sha256.Sum256([]byte(Verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// AuthorizeParams is a good authorization request of c; the pairs in change are set, or deleted where the value is "".
func AuthorizeParams(c storage.Client, change ...string) url.Values {
	p := url.Values{
		"client_id": {c.ID}, "response_type": {"code"}, "scope": {"openid profile email groups"}, "state": {"the state"}, "nonce": {"the nonce"},
		"code_challenge": {Challenge()}, "code_challenge_method": {"S256"},
	}
	if len(c.RedirectURIs) > 0 {
		p.Set("redirect_uri", c.RedirectURIs[0])
	}
	for i := 0; i+1 < len(change); i += 2 {
		p.Set(change[i], change[i+1])
		if change[i+1] == "" {
			p.Del(change[i])
		}
	}
	return p
}

// Authorize sends an authorization request of c by GET and goes on to the end.
func (b *Browser) Authorize(c storage.Client, change ...string) Outcome {
	b.tb.Helper()
	return b.Open("/authorize?" + AuthorizeParams(c, change...).Encode())
}

// Code is the code of a sign-in that has to succeed.
func (b *Browser) Code(c storage.Client, change ...string) string {
	b.tb.Helper()
	o := b.Authorize(c, change...)
	if o.Params.Get("code") == "" {
		b.tb.Fatalf("no code: callback %q, page %d %s", o.Callback, o.Page.Status, Text(o.Page.Body))
	}
	return o.Params.Get("code")
}

// Redeem exchanges a code.
func (s *Server) Redeem(c storage.Client, secret, code string) Answer {
	s.tb.Helper()
	return s.Post("/token", c, secret, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.RedirectURIs[0]}, "code_verifier": {Verifier},
	})
}

// Refresh uses a refresh token.
func (s *Server) Refresh(c storage.Client, secret, token string) Answer {
	s.tb.Helper()
	return s.Post("/token", c, secret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// Open asks for a path below the issuer and goes on to the end.
func (b *Browser) Open(path string) Outcome {
	b.tb.Helper()
	r, err := http.NewRequest(http.MethodGet, b.s.Issuer+path, nil)
	must(b.tb, err)
	return b.Send(r)
}

// Once sends a request with the browser's cookies and goes nowhere from there.
func (b *Browser) Once(r *http.Request) Answer {
	b.tb.Helper()
	if b.UserAgent != "" {
		r.Header.Set("User-Agent", b.UserAgent)
	}
	if b.Address != "" {
		r.Header.Set("X-Forwarded-For", b.Address)
	}
	return do(b.tb, b.client, r)
}

// Send sends a request with the browser's cookies and goes on to the end.
func (b *Browser) Send(r *http.Request) Outcome {
	b.tb.Helper()
	var o Outcome
	for range 20 {
		a := b.Once(r)
		o.Hops = append(o.Hops, a)
		if location := a.Header.Get("Location"); location != "" {
			next, err := r.URL.Parse(location)
			must(b.tb, err)
			if !strings.HasPrefix(next.String(), b.s.Issuer) {
				o.Callback, o.Params = location, response(next)
				return o
			}
			r, err = http.NewRequest(http.MethodGet, next.String(), nil)
			must(b.tb, err)
			continue
		}
		o.Page, o.URL = a, r.URL.String()
		next := b.fillIn(r.URL, a, &o)
		if next == nil {
			return o
		}
		r = next
	}
	b.tb.Fatal("the browser is sent round in circles")
	return o
}

// fillIn answers a page; nil where the browser stops.
func (b *Browser) fillIn(at *url.URL, a Answer, o *Outcome) *http.Request {
	if a.Status != http.StatusOK {
		return nil
	}
	form, ok := Form(a.Body)
	if !ok {
		return nil
	}
	values := form.Values
	switch {
	case form.Has("password") && b.User != "":
		o.Asked = append(o.Asked, "signin")
		values.Set("username", b.User)
		values.Set("password", Password)
	case form.Has("decision") && !b.Undecided:
		o.Asked = append(o.Asked, "consent")
		values.Set("decision", map[bool]string{false: "allow", true: "deny"}[b.Deny])
	default:
		return nil
	}
	return b.post(at, form.Action, values)
}

func (b *Browser) post(at *url.URL, action string, values url.Values) *http.Request {
	b.tb.Helper()
	to, err := at.Parse(action)
	must(b.tb, err)
	r, err := http.NewRequest(http.MethodPost, to.String(), strings.NewReader(values.Encode()))
	must(b.tb, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// Submit sends the form of a page where the browser stopped, with the pairs in change set, and goes on to the end.
func (b *Browser) Submit(o Outcome, change ...string) Outcome {
	b.tb.Helper()
	form, ok := Form(o.Page.Body)
	if !ok {
		b.tb.Fatalf("no form on the page: %s", Text(o.Page.Body))
	}
	for i := 0; i+1 < len(change); i += 2 {
		form.Values.Set(change[i], change[i+1])
	}
	at, err := url.Parse(o.URL)
	must(b.tb, err)
	return b.Send(b.post(at, form.Action, form.Values))
}

// Cookies are those that the browser would send to the provider.
func (b *Browser) Cookies() []*http.Cookie {
	u, err := url.Parse(b.s.Issuer)
	must(b.tb, err)
	return b.client.Jar.Cookies(u)
}

// SetCookies plants cookies.
func (b *Browser) SetCookies(cookies []*http.Cookie) {
	u, err := url.Parse(b.s.Issuer)
	must(b.tb, err)
	b.client.Jar.SetCookies(u, cookies)
}

// response are the parameters of an authorization response, from query or fragment.
func response(u *url.URL) url.Values {
	if u.Fragment != "" {
		v, _ := url.ParseQuery(u.EscapedFragment())
		return v
	}
	return u.Query()
}

// PageForm is the form of a page.
type PageForm struct {
	Action string
	Names  []string // of inputs and buttons
	Values url.Values
}

// Has reports whether the form has a control of this name.
func (f PageForm) Has(name string) bool {
	for _, n := range f.Names {
		if n == name {
			return true
		}
	}
	return false
}

// Form finds the form of a page.
func Form(body string) (PageForm, bool) {
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		return PageForm{}, false
	}
	f, found := PageForm{Values: url.Values{}}, false
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "form":
			f.Action, found = attr(n, "action"), true
		case "input":
			f.Names = append(f.Names, attr(n, "name"))
			if attr(n, "type") != "checkbox" || slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "checked" }) {
				f.Values.Set(attr(n, "name"), attr(n, "value"))
			}
		case "button":
			f.Names = append(f.Names, attr(n, "name"))
		}
	}
	return f, found
}

// Text is a page's text, for messages and comparisons.
func Text(body string) string {
	var text bytes.Buffer
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		return body
	}
	for n := range root.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" && n.Parent.Data != "script" {
			text.WriteString(n.Data + " ")
		}
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
