package authorize_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/clients"
	"signet/provider/providertest"
	"signet/storage"
)

// forgetful stores nothing that an authorization request leads to: the disk is not what is tested, and would be most of the time.
type forgetful struct{ storage.Store }

func (forgetful) BeginInteraction(context.Context, storage.Interaction, int) error { return nil }
func (forgetful) KeepRequest(context.Context, storage.KeptRequest, int) error      { return nil }
func (forgetful) Authorize(context.Context, storage.Issue) error                   { return nil }

// FuzzAuthorize sends any query, from a browser that is signed in or not, to a running provider: it never fails, and never sends
// the browser anywhere but to pages of its own and, with iss, to registered redirect URIs.
func FuzzAuthorize(f *testing.F) {
	s := providertest.New(f, func(c *providertest.Config) { c.Wrap = func(s storage.Store) storage.Store { return forgetful{s} } })
	s.User("alice")
	registered := []string{redirectURI, "https://app.example/q?x=1", "http://127.0.0.1/cb", "com.example.app:/cb"}
	web, _ := s.Client("web", "web", func(c *storage.Client) {
		c.ID, c.RedirectURIs, c.Trusted, c.PKCE = "web", registered[:2], true, storage.PKCEOptional
		c.ResponseTypes, c.GrantTypes = clients.ResponseTypes, append(c.GrantTypes, clients.GrantImplicit)
	})
	native, _ := s.Client("native", "native", func(c *storage.Client) { c.ID, c.RedirectURIs, c.Trusted = "native", registered[2:], true })
	cookie := signInWithoutStore(f, s)

	for _, c := range []storage.Client{web, native} {
		for _, uri := range c.RedirectURIs {
			for _, change := range [][]string{
				{}, {"prompt", "none"}, {"response_mode", "fragment"}, {"response_mode", "form_post"}, {"response_type", "token"},
				{"response_type", "token id_token code"}, {"response_type", "id_token"}, {"response_type", "code token", "response_mode", "query"}, {"max_age", "0"},
				{"id_token_hint", "e30.e30.e30"}, {"request", "e30.e30."}, {"state", ""}, {"scope", ""}, {"code_challenge_method", "plain"},
				{"redirect_uri", uri + "#"}, {"redirect_uri", uri + "/../x"}, {"redirect_uri", strings.ToUpper(uri)}, {"client_id", "nobody"},
			} {
				q := providertest.AuthorizeParams(c, append([]string{"redirect_uri", uri}, change...)...).Encode()
				f.Add(q, true, false)
				f.Add(q, false, true)
			}
		}
	}
	for _, q := range []string{
		"", "%", "%zz", "a;b", "client_id=web", "client_id=web&client_id=web", "redirect_uri=https://app.example/cb", "client_id=web&redirect_uri=https://app.example/cb&state=%00",
		"client_id=web&redirect_uri=https://app.example/cb&state=%0d%0aLocation:https://evil.example/", "client_id=native&redirect_uri=http://127.0.0.1:8080@evil.example/cb",
		"client_id=native&redirect_uri=http://127.0.0.1:1/cb&response_type=code&scope=openid", "x HTTP/1.1\r\nHost: evil.example\r\n\r\n", "client_id=web&redirect_uri=//evil.example",
	} {
		f.Add(q, true, true)
	}
	f.Fuzz(func(t *testing.T, query string, in, byPost bool) {
		line, body := "GET /authorize?"+query, ""
		if byPost {
			line, body = "POST /authorize", query
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(line + " HTTP/1.1\r\nHost: id.example\r\n\r\n")))
		if err != nil {
			return // net/http answers these
		}
		r.RemoteAddr = "192.0.2.1:1000"
		if byPost {
			r, _ = http.NewRequest(http.MethodPost, "/authorize", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if in {
			r.Header.Set("Cookie", cookie)
		}
		w := httptest.NewRecorder()
		s.Provider.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%d: %s", w.Code, providertest.Text(w.Body.String()))
		}
		location, form := w.Header().Get("Location"), providertest.PageForm{}
		if w.Code == http.StatusOK {
			var found bool
			if form, found = providertest.Form(w.Body.String()); !found {
				t.Fatalf("a page without a form: %s", providertest.Text(w.Body.String()))
			}
		}
		switch {
		case strings.ContainsFunc(location, func(r rune) bool { return r < ' ' }):
			t.Fatalf("location %q", location)
		case strings.HasPrefix(location, "/signin?interaction="), strings.HasPrefix(location, "/consent?interaction="), strings.HasPrefix(location, "/authorize/posted?request="):
		case location != "":
			uri, answer := split(location)
			success := answer.Has("code") || answer.Has("id_token")
			if !known(uri, registered) || answer.Get("iss") != s.Issuer || success == answer.Has("error") {
				t.Fatalf("location %q", location)
			}
			if u, err := url.Parse(location); err != nil || u.Query().Has("id_token") || u.Query().Has("access_token") {
				t.Fatalf("a token in the query: %q", location)
			}
		case form.Action != "":
			if !known(form.Action, registered) || form.Values.Get("iss") != s.Issuer {
				t.Fatalf("form for %q: %v", form.Action, form.Values)
			}
		}
	})
}

// signInWithoutStore is the cookie of a browser in which alice is signed in.
func signInWithoutStore(f *testing.F, s *providertest.Server) string {
	alice, err := s.Store.UserByLogin(f.Context(), "alice")
	if err != nil {
		f.Fatal(err)
	}
	now := s.Clock.Now()
	ih, bh := storage.NewHandle(now.AddDate(1, 0, 0)), storage.NewHandle(now)
	if err := s.Store.BeginInteraction(f.Context(), storage.Interaction{ID: ih.ID, SecretHash: ih.Hash(), Created: now, Expires: now.AddDate(1, 0, 0)}, 10); err != nil {
		f.Fatal(err)
	}
	until := now.AddDate(1, 0, 0)
	if _, err := s.Store.SignIn(f.Context(), storage.SignIn{
		Interaction: ih, Browser: storage.Browser{ID: bh.ID, SecretHash: bh.Hash(), Created: now, Expires: until},
		Session: storage.Session{ID: storage.NewID(now), Browser: bh.ID, User: alice.Sub, Epoch: alice.Epoch, AuthTime: now, Created: now, LastUsed: now, IdleExpires: until, Expires: until},
	}); err != nil {
		f.Fatal(err)
	}
	b := s.Browser("")
	trusted, _ := s.Client("web", "any", func(c *storage.Client) { c.Trusted = true })
	o := b.Authorize(trusted) // for the name of the cookie
	name, _, _ := strings.Cut(o.Hops[0].Header.Get("Set-Cookie"), "interaction-")
	return name + "browser=" + bh.String()
}

// split parts a response from the redirect URI, which may have a query of its own.
func split(location string) (uri string, answer url.Values) {
	at := strings.IndexByte(location, '#')
	if at < 0 {
		at = strings.IndexByte(location, '?')
	}
	if rest, ok := strings.CutPrefix(location, "https://app.example/q?x=1"); ok && rest[0] == '&' {
		at = len(location) - len(rest)
	}
	if at < 0 {
		return location, nil
	}
	answer, _ = url.ParseQuery(location[at+1:])
	return location[:at], answer
}

// known reports whether uri is registered. The loopback one may have a port.
func known(uri string, registered []string) bool {
	if rest, ok := strings.CutPrefix(uri, "http://127.0.0.1:"); ok {
		port, path, _ := strings.Cut(rest, "/")
		return len(port) <= 5 && strings.Trim(port, "0123456789") == "" && path == "cb"
	}
	return slices.Contains(registered, uri)
}
