package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A PKCE pair: RFC 7636 appendix B.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// authorization is an authorization request, for the issuer or for these APIs.
func authorization(client credentials, scope string, apis ...string) url.Values {
	return url.Values{
		"client_id": {client.ID}, "redirect_uri": {redirectURI}, "response_type": {"code"}, "scope": {scope}, "state": {"af0ifjsldkj"},
		"nonce": {"n-0S6_WzA2Mj"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}, "resource": apis,
	}
}

func basicAuth(id, secret string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret)) + "\r\n"
}

func errNoCode(location string) error { return fmt.Errorf("no code came back, but %q", location) }

// The scopes of lines of refresh tokens, without an ID token and with one.
const (
	offlineScope = "email offline_access"
	openidScope  = "openid profile email offline_access"
)

// prepare signs the people in, through the pages, and fills the store with lines of refresh tokens: a commit on an empty store touches
// one page, whatever it changes.
func prepare(provider *child, seed seed, s settings) (made stock, err error) {
	made = stock{
		plain:   lines{client: seed.ES256, scope: offlineScope},
		es256:   lines{client: seed.ES256, scope: openidScope},
		rs256:   lines{client: seed.RS256, scope: openidScope},
		service: seed.Service,
		api:     seed.API, users: map[string][]string{},
	}
	for _, name := range seed.Users {
		b, err := newBrowser(provider.Address, name)
		if err != nil {
			return made, err
		}
		for _, client := range []credentials{seed.ES256, seed.RS256} {
			if err := b.agree(client, openidScope); err != nil {
				return made, err
			}
		}
		for _, api := range []string{ordersAPI, opaqueAPI} {
			if err := b.agree(seed.ES256, "openid "+apiScope, api); err != nil {
				return made, err
			}
		}
		made.browsers = append(made.browsers, b.cookies())
	}
	for _, api := range []string{ordersAPI, opaqueAPI} {
		if made.users[api], err = tokensFor(provider.Address, api, seed.ES256, made.browsers); err != nil {
			return made, err
		}
	}
	for _, l := range []*lines{&made.plain, &made.es256, &made.rs256} {
		if err := l.fill(provider.Address, made.browsers, max(s.families, slices.Max(s.workers))); err != nil {
			return made, err
		}
	}
	return made, nil
}

// tokensFor are access tokens for an API, one for each browser.
func tokensFor(address, api string, client credentials, browsers []string) (tokens []string, err error) {
	c, err := dial(address)
	if err != nil {
		return nil, err
	}
	defer c.net.Close()
	for _, cookies := range browsers {
		l, err := c.signIn(cookies, client, "openid "+apiScope, api)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, l.access)
	}
	return tokens, nil
}

// fill makes n lines, with as many connections as there are browsers.
func (l *lines) fill(address string, browsers []string, n int) error {
	l.all = make([]line, n)
	done := make(chan error, len(browsers))
	for first, cookies := range browsers {
		go func() {
			c, err := dial(address)
			if err != nil {
				done <- err
				return
			}
			defer c.net.Close()
			for i := first; i < n && err == nil; i += len(browsers) {
				l.all[i], err = c.signIn(cookies, l.client, l.scope)
			}
			done <- err
		}()
	}
	var errs []error
	for range browsers {
		errs = append(errs, <-done)
	}
	return errors.Join(errs...)
}

// browser signs one person in, as a person does.
type browser struct {
	http   *http.Client
	issuer *url.URL
	user   string
}

func newBrowser(address, user string) (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	b := &browser{issuer: &url.URL{Scheme: "http", Host: address}, user: user}
	b.http = &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != address {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return b, nil
}

var action = regexp.MustCompile(`<form method="post" action="([^"]+)">`)

// agree asks for an authorization, signs in where it is asked to, and allows what it is asked for.
func (b *browser) agree(client credentials, scope string, apis ...string) error {
	resp, err := b.http.Get(b.issuer.String() + "/authorize?" + authorization(client, scope, apis...).Encode())
	for range 3 {
		if err != nil {
			return err
		}
		page, err2 := io.ReadAll(resp.Body)
		resp.Body.Close()
		if location := resp.Header.Get("Location"); err2 == nil && strings.HasPrefix(location, redirectURI) {
			if strings.Contains(location, "code=") {
				return nil
			}
			return errNoCode(location)
		}
		form := action.FindSubmatch(page)
		if form == nil {
			return fmt.Errorf("answer %d without a form: %s", resp.StatusCode, page)
		}
		to := b.issuer.String() + html.UnescapeString(string(form[1]))
		resp, err = b.http.PostForm(to, url.Values{"username": {b.user}, "password": {password}, "decision": {"allow"}})
	}
	return errors.New("the pages do not come to an end")
}

// cookies is the header that carries the browser's session.
func (b *browser) cookies() string {
	var all []string
	for _, c := range b.http.Jar.Cookies(b.issuer) {
		all = append(all, c.String())
	}
	return "Cookie: " + strings.Join(all, "; ") + "\r\n"
}
