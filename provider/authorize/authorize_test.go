package authorize_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/clients"
	"signet/provider/providertest"
	"signet/storage"
)

const redirectURI = "https://app.example/cb"

// query is a good request's query with the pairs in change set, or deleted where the value is "", and with raw behind it.
func query(c storage.Client, raw string, change ...string) string {
	return "/authorize?" + providertest.AuthorizeParams(c, change...).Encode() + raw
}

// signedIn returns a browser in which alice is signed in and has allowed c everything.
func signedIn(s *providertest.Server, c storage.Client) *providertest.Browser {
	b := s.Browser("alice")
	b.Code(c)
	return b
}

// wantPage holds an error page to RFC 6749 section 4.1.2.1: "inform the resource owner of the error and MUST NOT automatically redirect".
func wantPage(t *testing.T, o providertest.Outcome, status int, echoes ...string) {
	t.Helper()
	a := o.Page
	if a.Status != status || o.Callback != "" || len(o.Hops) != 1 || a.Header.Get("Location") != "" {
		t.Fatalf("status %d after %d hops, callback %q; want a page with %d: %s", a.Status, len(o.Hops), o.Callback, status, providertest.Text(a.Body))
	}
	if got := a.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/html") {
		t.Errorf("Content-Type %q", got)
	}
	if a.Header.Get("Set-Cookie") != "" {
		t.Errorf("an error sets the cookie %q", a.Header.Get("Set-Cookie"))
	}
	if trace := a.Header.Get("Trace-Id"); trace == "" || !strings.Contains(a.Body, trace) {
		t.Errorf("the page does not say the trace id %q", trace)
	}
	for _, echo := range echoes {
		if strings.Contains(a.Body, echo) {
			t.Errorf("the page echoes %q", echo)
		}
	}
}

// wantError holds an error response to RFC 6749 section 4.1.2.1 and RFC 9207 section 2.
func wantError(t *testing.T, s *providertest.Server, o providertest.Outcome, code, state string) {
	t.Helper()
	if !strings.HasPrefix(o.Callback, redirectURI) {
		t.Fatalf("callback %q, page %d %s; want %s at the client", o.Callback, o.Page.Status, providertest.Text(o.Page.Body), code)
	}
	if got := o.Params.Get("error"); got != code {
		t.Errorf("error %q (%s), want %s", got, o.Params.Get("error_description"), code)
	}
	if o.Params.Get("error_description") == "" {
		t.Error("no error_description")
	}
	if o.Params.Has("code") || o.Params.Get("iss") != s.Issuer || o.Params.Get("state") != state {
		t.Errorf("response %v", o.Params)
	}
}

func TestErrorsForThePerson(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, _ := s.Client("web", "My app")
	other, _ := s.Client("web", "Another", func(c *storage.Client) { c.RedirectURIs = []string{"https://evil.example/cb"} })
	const evil = "marker-of-the-attacker"
	for name, path := range map[string]string{
		"RFC 6749 4.1.2.1: client_id missing":                  query(c, "", "client_id", ""),
		"RFC 6749 3.1: client_id empty":                        query(c, "&client_id=", "client_id", ""),
		"RFC 6749 3.1: client_id twice":                        query(c, "&client_id="+c.ID),
		"RFC 6749 3.1: client_id of two clients":               query(c, "&client_id="+other.ID),
		"RFC 6749 4.1.2.1: unknown client":                     query(c, "", "client_id", evil),
		"unknown client with markup":                           query(c, "", "client_id", "<script>"+evil),
		"client_id in another case":                            query(c, "", "client_id", strings.ToLower(c.ID)+"x"),
		"RFC 6749 3.1: names are compared with regard to case": query(c, "&CLIENT_ID="+c.ID, "client_id", ""),
		"OpenID Connect Core 3.1.2.1: redirect_uri missing":    query(c, "", "redirect_uri", ""),
		"RFC 6749 3.1: redirect_uri twice":                     query(c, "&redirect_uri=https://"+evil+".example/cb"),
		"RFC 6749 3.1: the same redirect_uri twice":            query(c, "&redirect_uri="+url.QueryEscape(redirectURI)),
		"redirect_uri of another client":                       query(c, "", "redirect_uri", "https://evil.example/cb"),
		"malformed percent-encoding":                           query(c, "&x=%zz"+evil),
		"malformed percent-encoding in the state":              query(c, "&state=%"+evil, "state", ""),
		"a semicolon":        query(c, "&a=1;b="+evil),
		"NUL in a parameter": query(c, "&x=%00"+evil),
		"not UTF-8":          query(c, "&x=%ff"+evil),
		"no parameters":      "/authorize",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantPage(t, s.With(t).Browser("").Open(path), http.StatusBadRequest, evil, "<script>"+evil)
		})
	}
}

// RFC 9700 sections 2.1 and 4.1: "exact string matching".
func TestNearMissesOfRedirectURIs(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	web, _ := s.Client("web", "My app", func(c *storage.Client) {
		c.RedirectURIs = []string{redirectURI, "https://app.example/q?x=1"}
	})
	native, _ := s.Client("native", "My app", func(c *storage.Client) {
		c.RedirectURIs = []string{"http://127.0.0.1/cb", "com.example.app:/cb"}
	})
	for _, miss := range []string{
		"https://app.example/cb/", "https://app.example/CB", "https://APP.example/cb", "HTTPS://app.example/cb", "https://app.example:443/cb",
		"http://app.example/cb", "https://app.example/cb?", "https://app.example/cb?y=1", "https://app.example/cb#", "https://app.example/cb#x",
		"https://app.example/./cb", "https://app.example/x/../cb", "https://app.example/x/..;/cb", "https://app.example/%63b", "https://app.example//cb",
		"https://app.example/cbx", "https://app.example/c", "https://app.example/", "https://app.example",
		"https://app.example@evil.example/cb", "https://app.example%40evil.example/cb", "https://user@app.example/cb",
		"https://app.example.evil.example/cb", "https://app.example.:443/cb", `https://app.example\@evil.example/cb`, `https:\\app.example\cb`,
		"//app.example/cb", "/cb", "cb", " " + redirectURI, redirectURI + " ", redirectURI + "\n", redirectURI + "\r\nLocation: https://evil.example/",
		"javascript:alert(1)", "JavaScript:alert(1)//https://app.example/cb", "data:text/html,x",
		"https://app.example/q", "https://app.example/q?x=2", "https://app.example/q?x=1&y=2", "https://app.example/q?X=1",
	} {
		t.Run("web/"+miss, func(t *testing.T) {
			t.Parallel()
			wantPage(t, s.With(t).Browser("").Authorize(web, "redirect_uri", miss), http.StatusBadRequest, "evil.example", "alert(1)")
		})
	}
	for _, miss := range []string{ // RFC 8252 sections 7.1 and 7.3
		"http://localhost/cb", "http://[::1]:5000/cb", "https://127.0.0.1/cb", "http://127.0.0.1:5000/", "http://127.0.0.1:5000/cb?x", "http://127.0.0.2/cb",
		"http://127.0.0.1:80@evil.example/cb", "http://127.0.0.1.evil.example/cb", "http://127.0.0.1:/cb#", "http://127.0.0.1:99999/cb", "http://127.0.0.1:x/cb",
		"http://0x7f.1/cb", "com.example.app:/cb2", "com.example.app://cb", "com.example.app:cb", "COM.example.app:/cb",
	} {
		t.Run("native/"+miss, func(t *testing.T) {
			t.Parallel()
			wantPage(t, s.With(t).Browser("").Authorize(native, "redirect_uri", miss), http.StatusBadRequest, "evil.example")
		})
	}
}

func TestErrorsForTheClient(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, _ := s.Client("web", "My app")
	optional, _ := s.Client("web", "My app", func(c *storage.Client) { c.PKCE = storage.PKCEOptional })
	spa, _ := s.Client("spa", "My app")
	native, _ := s.Client("native", "My app")
	modest, _ := s.Client("web", "My app", func(c *storage.Client) {
		c.Scopes, c.GrantTypes = []string{"openid", "email", "offline_access"}, []string{"authorization_code"}
	})
	const state = "the state"
	for name, row := range map[string]struct{ path, code, state string }{
		"RFC 6749 3.1: a parameter twice":                       {query(c, "&scope=openid"), "invalid_request", state},
		"RFC 6749 3.1: an unknown parameter twice":              {query(c, "&x=1&x=2"), "invalid_request", state},
		"RFC 6749 3.1: state twice, none is believed":           {query(c, "&state=other"), "invalid_request", ""},
		"RFC 6749 3.1: response_mode twice":                     {query(c, "&response_mode=fragment&response_mode=form_post"), "invalid_request", state},
		"RFC 6749 3.1: code_challenge twice":                    {query(c, "&code_challenge=x"), "invalid_request", state},
		"Core 6.1: request":                                     {query(c, "", "request", "e30.e30."), "invalid_request_object", state},
		"Core 6.2: request_uri":                                 {query(c, "", "request_uri", "https://app.example/request"), "invalid_request_uri", state},
		"Core 7.2.1: registration":                              {query(c, "", "registration", "{}"), "registration_not_supported", state},
		"RFC 6749 3.1.1: response_type missing":                 {query(c, "", "response_type", ""), "invalid_request", state},
		"RFC 6749 3.1.1: response_type token":                   {query(c, "", "response_type", "token"), "unsupported_response_type", state},
		"Multiple Response Types 3: id_token":                   {query(c, "", "response_type", "id_token"), "unauthorized_client", state},
		"Multiple Response Types 5: code id_token":              {query(c, "", "response_type", "code id_token"), "unauthorized_client", state},
		"Multiple Response Types 3: code code":                  {query(c, "", "response_type", "code code"), "unsupported_response_type", state},
		"Multiple Response Types 4: none":                       {query(c, "", "response_type", "none"), "unsupported_response_type", state},
		"RFC 6749 3.1.1: response_type in another case":         {query(c, "", "response_type", "CODE"), "unsupported_response_type", state},
		"Multiple Response Types 2.1: unknown response_mode":    {query(c, "", "response_mode", "pigeon"), "invalid_request", state},
		"state of more than 8 KiB":                              {query(c, "", "state", strings.Repeat("s", 8<<10+1)), "invalid_request", strings.Repeat("s", 8<<10+1)},
		"nonce of more than 2 KiB":                              {query(c, "", "nonce", strings.Repeat("n", 2<<10+1)), "invalid_request", state},
		"no state, none comes back":                             {query(c, "", "scope", "", "state", ""), "invalid_scope", ""},
		"RFC 6749 3.3: scope missing":                           {query(c, "", "scope", ""), "invalid_scope", state},
		"RFC 6749 3.3: nothing but unknown scopes":              {query(c, "", "scope", "calendar tasks"), "invalid_scope", state},
		"RFC 6749 3.3: scopes are compared with regard to case": {query(c, "", "scope", "OPENID"), "invalid_scope", state},
		"RFC 6749 3.3: a scope that is not the client's":        {query(modest, "", "scope", "openid groups"), "invalid_scope", state},
		"Core 11: offline_access without the refresh grant":     {query(modest, "", "scope", "openid offline_access"), "invalid_scope", state},
		"RFC 9700 2.1.1: confidential without PKCE":             {query(c, "", "code_challenge", "", "code_challenge_method", ""), "invalid_request", state},
		"RFC 9700 2.1.1: public without PKCE":                   {query(spa, "", "code_challenge", "", "code_challenge_method", ""), "invalid_request", state},
		"RFC 8252 6: native without PKCE":                       {query(native, "", "code_challenge", "", "code_challenge_method", ""), "invalid_request", state},
		"RFC 7636 4.3: method without challenge":                {query(optional, "", "code_challenge", ""), "invalid_request", state},
		"RFC 7636 4.3: no method means plain":                   {query(c, "", "code_challenge_method", ""), "invalid_request", state},
		"RFC 7636 4.3: plain":                                   {query(c, "", "code_challenge_method", "plain"), "invalid_request", state},
		"RFC 7636 4.3: plain where PKCE is optional":            {query(optional, "", "code_challenge_method", "plain"), "invalid_request", state},
		"RFC 7636 4.4.1: unknown method":                        {query(c, "", "code_challenge_method", "S512"), "invalid_request", state},
		"RFC 7636 4.3: method in another case":                  {query(c, "", "code_challenge_method", "s256"), "invalid_request", state},
		"RFC 7636 4.2: challenge of 42 characters":              {query(c, "", "code_challenge", strings.Repeat("a", 42)), "invalid_request", state},
		"RFC 7636 4.2: challenge of 44 characters":              {query(c, "", "code_challenge", strings.Repeat("a", 44)), "invalid_request", state},
		"RFC 7636 4.2: challenge with padding":                  {query(c, "", "code_challenge", strings.Repeat("a", 42)+"="), "invalid_request", state},
		"RFC 7636 4.2: challenge in base64 with +":              {query(c, "", "code_challenge", strings.Repeat("a", 42)+"+"), "invalid_request", state},
		"RFC 7636 4.2: challenge with a line break":             {query(c, "", "code_challenge", strings.Repeat("a", 43)+"\n"), "invalid_request", state},
		"Core 3.1.2.1: prompt=none without a session":           {query(c, "", "prompt", "none"), "login_required", state},
		"Core 3.1.2.1: prompt=none login":                       {query(c, "", "prompt", "none login"), "invalid_request", state},
		"Core 3.1.2.1: unknown prompt":                          {query(c, "", "prompt", "dance"), "invalid_request", state},
		"Core 3.1.2.1: max_age below zero":                      {query(c, "", "max_age", "-1"), "invalid_request", state},
		"Core 3.1.2.1: max_age is a word":                       {query(c, "", "max_age", "soon"), "invalid_request", state},
		"Core 3.1.2.1: max_age with a fraction":                 {query(c, "", "max_age", "1.5"), "invalid_request", state},
		"Core 3.1.2.1: max_age beyond all numbers":              {query(c, "", "max_age", "99999999999999999999"), "invalid_request", state},
		"Core 3.1.2.1: id_token_hint is garbage":                {query(c, "", "id_token_hint", "garbage"), "invalid_request", state},
		"RFC 8707 2: unknown resource":                          {query(c, "", "resource", "https://api.example/"), "invalid_target", state},
		"RFC 8707 2: one good and one unknown resource":         {query(c, "&resource=https://api.example/", "resource", s.Issuer), "invalid_target", state},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s.With(t)
			wantError(t, s, s.Browser("").Open(row.path), row.code, row.state)
		})
	}
}

// Form Post Response Mode 2: "transmitted via the HTTP POST method", which a scheme of an app's own has not.
func TestFormPostToAnApp(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, _ := s.Client("native", "My app", func(c *storage.Client) { c.RedirectURIs = []string{"com.example.app:/cb", "http://127.0.0.1/cb"} })
	o := s.Browser("alice").Authorize(c, "response_mode", "form_post")
	if !strings.HasPrefix(o.Callback, "com.example.app:/cb?") || o.Params.Get("error") != "invalid_request" || o.Params.Get("state") != "the state" {
		t.Errorf("callback %q, page %s", o.Callback, providertest.Text(o.Page.Body))
	}
	o = s.Browser("alice").Authorize(c, "response_mode", "form_post", "redirect_uri", "http://127.0.0.1:5000/cb")
	if form, _ := providertest.Form(o.Page.Body); form.Action != "http://127.0.0.1:5000/cb" || !form.Values.Has("code") {
		t.Errorf("action %q, page %s", form.Action, providertest.Text(o.Page.Body))
	}
}

// RFC 6749 section 3.1.1, Registration 2: the metadata decides, whoever wrote it.
func TestClientWithoutTheCodeFlow(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, _ := s.Client("web", "My app")
	c.ResponseTypes, c.GrantTypes = nil, []string{"refresh_token"}
	if _, err := s.Store.SaveClient(t.Context(), c, storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	wantError(t, s, s.Browser("").Authorize(c), "unauthorized_client", "the state")
}

func TestResponseModes(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	const withQuery = "https://app.example/cb?x=1&y=%20a"
	c, secret := s.Client("web", "My app", func(c *storage.Client) { c.RedirectURIs = []string{redirectURI, withQuery} })
	b := signedIn(s, c)
	long := strings.Repeat("0123456789abcdef", 64)
	states := map[string]string{
		"128 characters": long[:128], "1000 characters": long[:1000],
		"odd characters": "a b+c&d=e#f?g/h%20i;j\"k'l<m>n\\o\t{é☃𝄞}~", "markup": `"><script>alert(1)</script>`,
	}
	check := func(t *testing.T, got url.Values, state string, success bool) {
		t.Helper()
		if got.Get("state") != state || len(got["state"]) != 1 {
			t.Errorf("state %q, want %q", got["state"], state)
		}
		if got.Get("iss") != s.Issuer {
			t.Errorf("RFC 9207 2: iss %q", got.Get("iss"))
		}
		if got.Has("code") != success || got.Has("error") == success {
			t.Errorf("response %v", got)
		}
		for name := range got {
			if !slices.Contains([]string{"code", "state", "iss", "session_state", "error", "error_description", "x", "y"}, name) {
				t.Errorf("unexpected parameter %s", name)
			}
		}
	}
	for _, success := range []bool{true, false} {
		outcome, method := "success", "S256"
		if !success {
			outcome, method = "error", "plain"
		}
		for name, state := range states {
			t.Run(outcome+"/"+name, func(t *testing.T) {
				change := []string{"state", state, "code_challenge_method", method}
				for _, mode := range []string{"", "query"} {
					o := b.Authorize(c, append(change, "response_mode", mode)...)
					if !strings.HasPrefix(o.Callback, redirectURI+"?") || strings.Contains(o.Callback, "#") {
						t.Errorf("mode %q: callback %q", mode, o.Callback)
					}
					check(t, o.Params, state, success)
				}
				o := b.Authorize(c, append(change, "response_mode", "fragment")...)
				if !strings.HasPrefix(o.Callback, redirectURI+"#") || strings.Contains(o.Callback, "?") {
					t.Errorf("callback %q", o.Callback)
				}
				check(t, o.Params, state, success)

				o = b.Authorize(c, append(change, "response_mode", "form_post")...)
				form, ok := providertest.Form(o.Page.Body)
				if !ok || form.Action != redirectURI || o.Page.Status != http.StatusOK {
					t.Fatalf("form_post: %d, action %q: %s", o.Page.Status, form.Action, o.Page.Body)
				}
				check(t, form.Values, state, success)
				if csp := o.Page.Header.Get("Content-Security-Policy"); strings.Contains(csp, "form-action") || !strings.Contains(csp, "frame-ancestors 'none'") {
					t.Errorf("CSP %q", csp)
				}
				if strings.Contains(o.Page.Body, "<script>alert") {
					t.Error("the state is markup on the page")
				}
			})
		}
	}
	t.Run("RFC 6749 3.1.2: the redirect URI's own query is kept", func(t *testing.T) {
		for mode, start := range map[string]string{"query": withQuery + "&", "fragment": withQuery + "#"} {
			if o := b.Authorize(c, "redirect_uri", withQuery, "response_mode", mode); !strings.HasPrefix(o.Callback, start) || !o.Params.Has("code") {
				t.Errorf("%s: callback %q", mode, o.Callback)
			}
		}
		o := b.Authorize(c, "redirect_uri", withQuery, "response_mode", "form_post")
		form, _ := providertest.Form(o.Page.Body)
		if form.Action != withQuery {
			t.Errorf("action %q", form.Action)
		}
		a := s.Post("/token", c, secret, url.Values{"grant_type": {"authorization_code"}, "code": {form.Values.Get("code")},
			"redirect_uri": {withQuery}, "code_verifier": {providertest.Verifier}})
		if a.Status != 200 {
			t.Errorf("the code of a form_post answer: %d %s", a.Status, a.Body)
		}
	})
	t.Run("form_post to prompt=none may be framed, for hidden frames", func(t *testing.T) {
		o := b.Authorize(c, "prompt", "none", "response_mode", "form_post")
		if o.Page.Header.Get("X-Frame-Options") != "" || strings.Contains(o.Page.Header.Get("Content-Security-Policy"), "frame-ancestors") {
			t.Errorf("headers %v", o.Page.Header)
		}
	})
	t.Run("RFC 9700 4.2.4, 4.12: redirects are 303, not cached and tell no referrer", func(t *testing.T) {
		o := b.Authorize(c)
		last := o.Hops[len(o.Hops)-1]
		if last.Status != http.StatusSeeOther || last.Header.Get("Cache-Control") != "no-store" || last.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%d %v", last.Status, last.Header)
		}
	})
}

// What is accepted ends in a code, for a browser that is signed in and has allowed it.
func TestAccepts(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, secret := s.Client("web", "My app")
	optional, optionalSecret := s.Client("web", "My app", func(c *storage.Client) { c.PKCE, c.Trusted = storage.PKCEOptional, true })
	b := signedIn(s, c)
	for name, path := range map[string]string{
		"display=page":                            query(c, "", "display", "page"),
		"display=popup":                           query(c, "", "display", "popup"),
		"display=touch":                           query(c, "", "display", "touch"),
		"unknown display":                         query(c, "", "display", "hologram"),
		"ui_locales":                              query(c, "", "ui_locales", "fr-CA fr en"),
		"claims_locales":                          query(c, "", "claims_locales", "se"),
		"acr_values":                              query(c, "", "acr_values", "pwd"),
		"acr_values that nobody knows":            query(c, "", "acr_values", "urn:mace:incommon:iap:silver"),
		"login_hint":                              query(c, "", "login_hint", "bob@example.com"),
		"Core 5.5: claims, not supported":         query(c, "", "claims", `{"userinfo":{"name":{"essential":true}}}`),
		"Core 3.1.2.1: unknown parameters":        query(c, "&extra=foobar&access_type=offline"),
		"RFC 6749 3.1: no value is absent":        query(c, "&request=&max_age=&prompt=&id_token_hint=&response_mode="),
		"Core 3.1.2.1: nonce is optional":         query(c, "", "nonce", ""),
		"state is optional":                       query(c, "", "state", ""),
		"Core 3.1.2.1: unknown scopes":            query(c, "", "scope", "openid calendar profile"),
		"scopes in another order":                 query(c, "", "scope", "email openid profile"),
		"a scope twice":                           query(c, "", "scope", "openid email email"),
		"RFC 8707 2: the issuer as resource":      query(c, "", "resource", s.Issuer),
		"RFC 8707 2: the issuer twice":            query(c, "&resource="+url.QueryEscape(s.Issuer), "resource", s.Issuer),
		"RFC 7636 4.3: PKCE where it is optional": query(optional, ""),
		"RFC 9700 2.1.1: PKCE left out":           query(optional, "", "code_challenge", "", "code_challenge_method", ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := b.Open(path)
			if o.Params.Get("code") == "" || len(o.Asked) > 0 {
				t.Errorf("asked %v, callback %q, page %s", o.Asked, o.Callback, providertest.Text(o.Page.Body))
			}
		})
	}
	t.Run("RFC 6749 3.3, 5.1: the scope that was granted is said", func(t *testing.T) {
		t.Parallel()
		tokens := s.Redeem(c, secret, b.Code(c, "scope", "openid calendar profile"))
		if got := tokens.Text("scope"); got != "openid profile" {
			t.Errorf("scope %q", got)
		}
	})
	t.Run("without PKCE a code is redeemed without a verifier", func(t *testing.T) {
		t.Parallel()
		code := b.Code(optional, "code_challenge", "", "code_challenge_method", "")
		a := s.Post("/token", optional, optionalSecret, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI}})
		if a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("a code is 43 characters, each time others", func(t *testing.T) {
		t.Parallel()
		one, two := b.Code(c), b.Code(c)
		if one == two || len(one) != 43 || strings.Trim(one, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("codes %q and %q", one, two)
		}
	})
}

func TestLoopbackPortsOfNativeClients(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	for registered, sent := range map[string]string{ // RFC 8252 section 7.3
		"http://127.0.0.1/cb":          "http://127.0.0.1:51004/cb",
		"http://[::1]:5000/cb?x=1":     "http://[::1]:61004/cb?x=1",
		"http://localhost:1/cb":        "http://localhost/cb",
		"com.example.app:/oauth2redir": "com.example.app:/oauth2redir",
	} {
		t.Run(registered, func(t *testing.T) {
			t.Parallel()
			s := s.With(t)
			c, _ := s.Client("native", "My app", func(c *storage.Client) { c.RedirectURIs = []string{registered} })
			o := s.Browser("alice").Authorize(c, "redirect_uri", sent)
			if !strings.HasPrefix(o.Callback, sent) || o.Params.Get("code") == "" {
				t.Fatalf("callback %q, page %s", o.Callback, providertest.Text(o.Page.Body))
			}
			for uri, want := range map[string]int{sent: 200, registered: 400} {
				if uri == registered && registered == sent {
					continue
				}
				a := s.Post("/token", c, "", url.Values{"grant_type": {"authorization_code"}, "code": {o.Params.Get("code")},
					"redirect_uri": {uri}, "code_verifier": {providertest.Verifier}})
				if a.Status != want {
					t.Errorf("RFC 6749 4.1.3: redeemed with %s: %d %s", uri, a.Status, a.Body)
				}
			}
		})
	}
}

func TestPrompt(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, _ := s.Client("web", "My app")
	stranger, _ := s.Client("web", "Another")
	unasked, _ := s.Client("web", "A third")
	for name, row := range map[string]struct {
		client storage.Client
		prompt string
		asked  string
		code   string // of the error; "": it succeeds
	}{
		"Core 3.1.2.1: none with session and consent": {c, "none", "", ""},
		"Core 3.1.2.1: none without consent":          {unasked, "none", "", "consent_required"},
		"Core 3.1.2.1: login asks again":              {c, "login", "signin", ""},
		"Core 3.1.2.1: consent asks again":            {c, "consent", "consent", ""},
		"Core 3.1.2.1: login and consent":             {c, "login consent", "signin consent", ""},
		"Core 3.1.2.1: consent that is missing":       {stranger, "", "consent", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s.With(t)
			b := s.Browser("alice")
			b.Authorize(c, "prompt", "login consent")
			o := b.Authorize(row.client, "prompt", row.prompt)
			if got := strings.Join(o.Asked, " "); got != row.asked {
				t.Errorf("asked %q, want %q", got, row.asked)
			}
			if row.code != "" {
				wantError(t, s, o, row.code, "the state")
			} else if o.Params.Get("code") == "" {
				t.Errorf("callback %q, page %s", o.Callback, providertest.Text(o.Page.Body))
			}
		})
	}
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	two, zero := 2, 0
	for name, row := range map[string]struct {
		maxAge string
		preset *int // default_max_age
		later  time.Duration
		asked  string
	}{
		"Core 3.1.2.1: 0 is prompt=login":           {"0", nil, 0, "signin"},
		"Core 3.1.2.1: 1, at once":                  {"1", nil, 0, ""},
		"Core 3.1.2.1: 1, after two seconds":        {"1", nil, 2 * time.Second, "signin"},
		"Core 3.1.2.1: exactly as old as allowed":   {"2", nil, 2 * time.Second, ""},
		"Core 3.1.2.1: 10000":                       {"10000", nil, time.Hour, ""},
		"Registration 2: default_max_age":           {"", &two, 3 * time.Second, "signin"},
		"Registration 2: default_max_age, in time":  {"", &two, time.Second, ""},
		"Registration 2: the request overrides":     {"10000", &two, 3 * time.Second, ""},
		"Registration 2: a default_max_age of zero": {"", &zero, 0, "signin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := providertest.New(t) // of its own: it has a clock that moves
			s.User("alice")
			c, secret := s.Client("web", "My app", func(c *storage.Client) { c.DefaultMaxAge = row.preset })
			b := signedIn(s, c)
			s.Clock.Advance(row.later)
			silent := b.Authorize(c, "max_age", row.maxAge, "prompt", "none")
			if got := silent.Params.Get("error") == "login_required"; got != (row.asked == "signin") {
				t.Errorf("prompt=none: %v", silent.Params)
			}
			o := b.Authorize(c, "max_age", row.maxAge)
			if got := strings.Join(o.Asked, " "); got != row.asked {
				t.Errorf("asked %q, want %q", got, row.asked)
			}
			want := s.Clock.Now()
			if row.asked == "" {
				want = want.Add(-row.later)
			}
			claims := s.Verify(s.Redeem(c, secret, o.Params.Get("code")).Text("id_token")).Claims
			if got := claims["auth_time"]; got != float64(want.Unix()) {
				t.Errorf("Core 2: auth_time %v, want %d", got, want.Unix())
			}
		})
	}
}

func TestIDTokenHint(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	alice, bob := s.User("alice"), s.User("bob")
	c, secret := s.Client("web", "My app")
	other, otherSecret := s.Client("web", "Another", func(c *storage.Client) { c.Trusted = true })
	b := signedIn(s, c)
	hint := func(b *providertest.Browser, c storage.Client, secret string) string {
		return s.Redeem(c, secret, b.Code(c)).Text("id_token")
	}
	ofAlice, ofBob := hint(b, c, secret), hint(s.Browser("bob"), c, secret)
	elsewhere := hint(s.Browser("alice"), other, otherSecret)
	access := s.Redeem(c, secret, b.Code(c)).Text("access_token")

	t.Run("Core 3.1.2.1: the same user", func(t *testing.T) {
		o := b.Authorize(c, "prompt", "none", "id_token_hint", ofAlice)
		if o.Params.Get("code") == "" {
			t.Fatalf("response %v", o.Params)
		}
		if sub := s.Verify(s.Redeem(c, secret, o.Params.Get("code")).Text("id_token")).Claims["sub"]; sub != alice.Sub {
			t.Errorf("sub %v", sub)
		}
	})
	t.Run("Core 3.1.2.1: the same user, by another client's token", func(t *testing.T) {
		if o := b.Authorize(c, "prompt", "none", "id_token_hint", elsewhere); o.Params.Get("code") == "" {
			t.Errorf("response %v", o.Params)
		}
	})
	t.Run("Core 3.1.2.1: another user, silently", func(t *testing.T) {
		wantError(t, s, b.Authorize(c, "prompt", "none", "id_token_hint", ofBob), "login_required", "the state")
	})
	t.Run("Core 3.1.2.1: another user than the hinted one signs in", func(t *testing.T) {
		o := signedIn(s, c).Authorize(c, "id_token_hint", ofBob) // alice answers the page
		wantError(t, s, o, "login_required", "the state")
	})
	t.Run("Core 3.1.2.1: the hinted user signs in", func(t *testing.T) {
		b := signedIn(s, c)
		b.User = "bob"
		o := b.Authorize(c, "id_token_hint", ofBob)
		if len(o.Asked) == 0 || o.Asked[0] != "signin" || o.Params.Get("code") == "" {
			t.Fatalf("asked %v, response %v", o.Asked, o.Params)
		}
		if sub := s.Verify(s.Redeem(c, secret, o.Params.Get("code")).Text("id_token")).Claims["sub"]; sub != bob.Sub {
			t.Errorf("sub %v", sub)
		}
		// Both are signed in now: each hint finds its own.
		for hint, want := range map[string]string{ofAlice: alice.Sub, ofBob: bob.Sub} {
			o := b.Authorize(c, "prompt", "none", "id_token_hint", hint)
			if sub := s.Verify(s.Redeem(c, secret, o.Params.Get("code")).Text("id_token")).Claims["sub"]; sub != want {
				t.Errorf("sub %v, want %s", sub, want)
			}
		}
	})
	t.Run("RFC 8725 3.11: an access token is no hint", func(t *testing.T) {
		wantError(t, s, b.Authorize(c, "prompt", "none", "id_token_hint", access), "invalid_request", "the state")
	})
	for name, hint := range map[string]string{"changed": providertest.Tampered(ofAlice), "alg none": providertest.Unsigned(ofAlice, "JWT"), "without signature": ofAlice[:strings.LastIndex(ofAlice, ".")+1]} {
		t.Run("RFC 8725 3.1: a hint that is not ours: "+name, func(t *testing.T) {
			wantError(t, s, b.Authorize(c, "prompt", "none", "id_token_hint", hint), "invalid_request", "the state")
		})
	}
	t.Run("Core 3.1.2.1: an expired hint is one", func(t *testing.T) {
		s.Clock.Advance(time.Hour)
		if o := b.Authorize(c, "prompt", "none", "id_token_hint", ofAlice); o.Params.Get("code") == "" {
			t.Errorf("response %v", o.Params)
		}
	})
}

func TestLoginHintIsPrefilled(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, _ := s.Client("web", "My app")
	o := s.Browser("").Authorize(c, "login_hint", `alice"><b>@example.com`)
	form, ok := providertest.Form(o.Page.Body)
	if !ok || form.Values.Get("username") != `alice"><b>@example.com` || strings.Contains(o.Page.Body, "<b>") {
		t.Errorf("page: %s", o.Page.Body)
	}
}

// OpenID Connect Core 3.1.2.1: "Authorization Servers MUST support the use of the HTTP GET and POST methods".
func TestPost(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, _ := s.Client("web", "My app")
	b := signedIn(s, c)
	request := func(headers ...string) *http.Request {
		r := s.Request(http.MethodPost, "/authorize", providertest.AuthorizeParams(c, "prompt", "none"))
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return r
	}
	for name, headers := range map[string][]string{
		"with neither Origin nor Referer": nil,
		"from the client's site":          {"Origin", "https://app.example", "Sec-Fetch-Site", "cross-site", "Referer", "https://app.example/"},
		"from a sandboxed page":           {"Origin", "null", "Sec-Fetch-Site", "cross-site"},
	} {
		t.Run(name, func(t *testing.T) {
			o := b.Send(request(headers...))
			if o.Params.Get("code") == "" || o.Params.Get("state") != "the state" {
				t.Fatalf("callback %q, page %s", o.Callback, providertest.Text(o.Page.Body))
			}
			first := o.Hops[0]
			if first.Status != http.StatusSeeOther || !strings.Contains(first.Header.Get("Location"), "/authorize/posted?request=") {
				t.Errorf("the POST is answered with %d %q", first.Status, first.Header.Get("Location"))
			}
			again := b.Open(strings.TrimPrefix(first.Header.Get("Location"), s.Issuer))
			wantPage(t, again, http.StatusBadRequest)
		})
	}
	t.Run("it reads no cookie: a cross-site POST carries none", func(t *testing.T) {
		a := s.Do(request())
		if a.Status != http.StatusSeeOther || !strings.Contains(a.Header.Get("Location"), "/authorize/posted?") {
			t.Errorf("%d %q", a.Status, a.Header.Get("Location"))
		}
		if len(a.Header.Values("Set-Cookie")) > 0 {
			t.Errorf("sets %q", a.Header.Values("Set-Cookie"))
		}
	})
	t.Run("a kept request is gone after a minute", func(t *testing.T) {
		s := providertest.New(t)
		c, _ := s.Client("web", "My app")
		a := s.Do(s.Request(http.MethodPost, "/authorize", providertest.AuthorizeParams(c)))
		s.Clock.Advance(time.Minute)
		wantPage(t, s.Browser("").Open(a.Header.Get("Location")), http.StatusBadRequest)
	})
	t.Run("a handle of nobody's", func(t *testing.T) {
		for _, request := range []string{"", "x", strings.Repeat("A", 43), "%00"} {
			wantPage(t, b.Open("/authorize/posted?request="+request), http.StatusBadRequest)
		}
	})
	t.Run("parameters in the URL do not count", func(t *testing.T) {
		r := s.Request(http.MethodPost, "/authorize?"+providertest.AuthorizeParams(c).Encode(), url.Values{"scope": {"openid"}})
		wantPage(t, b.Send(r), http.StatusBadRequest)
	})
	t.Run("errors go to the client at once", func(t *testing.T) {
		o := b.Send(s.Request(http.MethodPost, "/authorize", providertest.AuthorizeParams(c, "scope", "")))
		wantError(t, s, o, "invalid_scope", "the state")
	})
	t.Run("errors for the person", func(t *testing.T) {
		o := b.Send(s.Request(http.MethodPost, "/authorize", providertest.AuthorizeParams(c, "redirect_uri", "https://evil.example/")))
		wantPage(t, o, http.StatusBadRequest, "evil.example")
	})
	t.Run("another content type", func(t *testing.T) {
		r := request("Content-Type", "application/json")
		wantPage(t, b.Send(r), http.StatusUnsupportedMediaType)
	})
	t.Run("no other method", func(t *testing.T) {
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodOptions} {
			a := s.Do(s.Request(method, "/authorize", nil))
			if a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "GET, POST" {
				t.Errorf("%s: %d, Allow %q", method, a.Status, a.Header.Get("Allow"))
			}
		}
	})
}

func TestLongRequests(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, _ := s.Client("web", "My app")
	change := []string{"state", strings.Repeat("s", 64<<10)}
	wantPage(t, s.Browser("").Authorize(c, change...), http.StatusRequestEntityTooLarge)
	wantPage(t, s.Browser("").Send(s.Request(http.MethodPost, "/authorize", providertest.AuthorizeParams(c, change...))), http.StatusRequestEntityTooLarge)
}

// What was true when the request was stored must be true when it is answered.
func TestClientChangesInBetween(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	change := storage.Change{Now: s.Clock.Now()}
	for name, act := range map[string]func(c storage.Client) error{
		"the redirect URI is removed": func(c storage.Client) error {
			c.RedirectURIs = []string{"https://app.example/new"}
			if err := clients.Validate(c); err != nil {
				return err
			}
			_, err := s.Store.SaveClient(t.Context(), c, change)
			return err
		},
		"the client is removed": func(c storage.Client) error { return s.Store.RemoveClient(t.Context(), c.ID, change) },
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := s.Client("web", "My app")
			b := s.Browser("alice")
			b.Undecided = true
			o := b.Authorize(c)
			if err := act(c); err != nil {
				t.Fatal(err)
			}
			if o = b.Submit(o, "decision", "allow"); o.Callback != "" || o.Page.Status != http.StatusBadRequest {
				t.Errorf("callback %q, page %d %s", o.Callback, o.Page.Status, providertest.Text(o.Page.Body))
			}
		})
	}
}
