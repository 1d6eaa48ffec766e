package token_test

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

const redirectURI = "https://app.example/cb"

// codeForm is a good code grant with the pairs in change set, or deleted where the value is "".
func codeForm(code string, change ...string) url.Values {
	return edit(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI}, "code_verifier": {providertest.Verifier},
	}, change...)
}

func edit(form url.Values, change ...string) url.Values {
	for i := 0; i+1 < len(change); i += 2 {
		form.Set(change[i], change[i+1])
		if change[i+1] == "" {
			form.Del(change[i])
		}
	}
	return form
}

// wantError holds an answer to RFC 6749 section 5.2.
func wantError(t *testing.T, a providertest.Answer, status int, code string) {
	t.Helper()
	if a.Status != status || a.Error() != code {
		t.Errorf("%d %s, want %d %s", a.Status, a.Body, status, code)
	}
	if got := a.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	if got := a.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	description := a.Text("error_description")
	if description == "" || strings.ContainsAny(description, "\"\\") || strings.ContainsFunc(description, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		t.Errorf("5.2: error_description %q", description)
	}
	for name := range a.JSON {
		if name != "error" && name != "error_description" {
			t.Errorf("member %s in an error", name)
		}
	}
}

// alive reports whether an access token opens userinfo.
func alive(s *providertest.Server, accessToken string) bool {
	return s.Get("/userinfo", accessToken).Status == http.StatusOK
}

func TestRequests(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	c, secret := s.Client("web", "My app")
	post, postSecret := s.Client("web", "Another", func(c *storage.Client) { c.TokenEndpointAuthMethod = "client_secret_post" })
	once, onceSecret := s.Client("web", "A third", func(c *storage.Client) { c.GrantTypes = []string{"authorization_code"} })
	spa, _ := s.Client("spa", "A fourth")
	const nobodys = "AaIA7z8o2oII4zs6vV57xgK9ZqqfKaEb4YF7QbPea2o"
	for name, row := range map[string]struct {
		client storage.Client
		secret string
		form   url.Values
		status int
		code   string
	}{
		"RFC 6749 5.2: grant_type missing":             {c, secret, codeForm(nobodys, "grant_type", ""), 400, "invalid_request"},
		"RFC 6749 5.2: unknown grant":                  {c, secret, codeForm(nobodys, "grant_type", "magic"), 400, "unsupported_grant_type"},
		"RFC 9700 2.4: password":                       {c, secret, url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {providertest.Password}}, 400, "unsupported_grant_type"},
		"RFC 6749 4.4: not registered for it":          {c, secret, url.Values{"grant_type": {"client_credentials"}}, 400, "unauthorized_client"},
		"grant_type in another case":                   {c, secret, codeForm(nobodys, "grant_type", "Authorization_Code"), 400, "unsupported_grant_type"},
		"RFC 6749 5.2: grant not registered":           {once, onceSecret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}, 400, "unauthorized_client"},
		"RFC 6749 3.2: a parameter twice":              {c, secret, url.Values{"grant_type": {"authorization_code"}, "code": {nobodys, nobodys}}, 400, "invalid_request"},
		"RFC 6749 3.2: grant_type twice":               {c, secret, url.Values{"grant_type": {"authorization_code", "refresh_token"}, "code": {nobodys}}, 400, "invalid_request"},
		"RFC 6749 3.2: scope twice, public":            {spa, "", url.Values{"grant_type": {"authorization_code"}, "code": {nobodys}, "scope": {"a", "b"}}, 400, "invalid_request"},
		"RFC 6749 4.1.3: code missing":                 {c, secret, codeForm(""), 400, "invalid_request"},
		"RFC 6749 4.1.3: code is not one of ours":      {c, secret, codeForm("garbage"), 400, "invalid_grant"},
		"RFC 6749 4.1.3: code unknown":                 {c, secret, codeForm(nobodys), 400, "invalid_grant"},
		"RFC 6749 4.1.3: redirect_uri missing":         {c, secret, codeForm(nobodys, "redirect_uri", ""), 400, "invalid_request"},
		"RFC 7636 4.1: verifier of 42 characters":      {c, secret, codeForm(nobodys, "code_verifier", strings.Repeat("a", 42)), 400, "invalid_request"},
		"RFC 7636 4.1: verifier of 129 characters":     {c, secret, codeForm(nobodys, "code_verifier", strings.Repeat("a", 129)), 400, "invalid_request"},
		"RFC 7636 4.1: verifier with a space":          {c, secret, codeForm(nobodys, "code_verifier", strings.Repeat("a", 43)+" "), 400, "invalid_request"},
		"RFC 6749 6: refresh_token missing":            {c, secret, url.Values{"grant_type": {"refresh_token"}}, 400, "invalid_request"},
		"RFC 6749 6: refresh_token is not one of ours": {c, secret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"garbage"}}, 400, "invalid_grant"},
		"a code is no refresh token":                   {c, secret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {nobodys}}, 400, "invalid_grant"},
		"RFC 8707 2.2: unknown resource":               {c, secret, codeForm(nobodys, "resource", "https://api.example/"), 400, "invalid_target"},
		"NUL":                                          {c, secret, codeForm("a\x00b"), 400, "invalid_request"},
		"not UTF-8":                                    {c, secret, codeForm("a\xffb"), 400, "invalid_request"},
		"RFC 6749 5.2: wrong secret":                   {c, "wrong", codeForm(nobodys), 401, "invalid_client"},
		"RFC 6749 5.2: wrong secret in the body":       {post, "wrong", codeForm(nobodys), 401, "invalid_client"},
		"Core 9: another client's secret":              {c, postSecret, codeForm(nobodys), 401, "invalid_client"},
		"Core 9: no secret":                            {c, "", codeForm(nobodys), 401, "invalid_client"},
		"RFC 6749 5.2: unknown client":                 {storage.Client{ID: "nobody"}, "", codeForm(nobodys), 401, "invalid_client"},
		"RFC 6749 2.3: two methods":                    {c, secret, codeForm(nobodys, "client_secret", secret, "client_id", c.ID), 400, "invalid_request"},
		"RFC 6749 2.3.1: Basic of one, id of another":  {c, secret, codeForm(nobodys, "client_id", post.ID), 401, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := s.With(t).Post("/token", row.client, row.secret, row.form)
			wantError(t, a, row.status, row.code)
			basic := row.secret != "" && row.client.TokenEndpointAuthMethod == "client_secret_basic"
			if got := strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Basic "); got != (row.status == 401 && basic) {
				t.Errorf("5.2: WWW-Authenticate %q", a.Header.Get("WWW-Authenticate"))
			}
		})
	}
	raw := func(body, kind string) *http.Request {
		r := s.Request(http.MethodPost, "/token", nil)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Type", kind)
		r.SetBasicAuth(c.ID, secret)
		return r
	}
	t.Run("malformed percent-encoding", func(t *testing.T) {
		t.Parallel()
		wantError(t, s.Do(raw("grant_type=authorization_code&code=%zz", "application/x-www-form-urlencoded")), 400, "invalid_request")
	})
	for _, kind := range []string{"", "application/json", "text/plain"} {
		t.Run("RFC 6749 3.2: content type "+kind, func(t *testing.T) {
			t.Parallel()
			wantError(t, s.Do(raw(codeForm(nobodys).Encode(), kind)), 415, "invalid_request")
		})
	}
	t.Run("RFC 6749 3.2: multipart", func(t *testing.T) {
		t.Parallel()
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for name := range codeForm(nobodys) {
			if err := w.WriteField(name, codeForm(nobodys).Get(name)); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		wantError(t, s.Do(raw(body.String(), w.FormDataContentType())), 415, "invalid_request")
	})
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		t.Run("RFC 6749 3.2: "+method, func(t *testing.T) {
			t.Parallel()
			query := edit(codeForm(nobodys), "client_id", post.ID, "client_secret", postSecret)
			a := s.Do(s.Request(method, "/token?"+query.Encode(), nil))
			wantError(t, a, 405, "invalid_request")
			if a.Header.Get("Allow") != "POST" {
				t.Errorf("RFC 9110 10.2.1: Allow %q", a.Header.Get("Allow"))
			}
		})
	}
	t.Run("RFC 6749 2.3.1: a secret in the URL", func(t *testing.T) {
		t.Parallel()
		query := url.Values{"client_id": {post.ID}, "client_secret": {postSecret}}
		wantError(t, s.Do(s.Request(http.MethodPost, "/token?"+query.Encode(), codeForm(nobodys))), 400, "invalid_request")
		wantError(t, s.Post("/token?client_secret="+postSecret, post, postSecret, codeForm(nobodys)), 400, "invalid_request")
	})
	t.Run("10 MB are refused, and the next request is answered", func(t *testing.T) {
		t.Parallel()
		for range 3 {
			wantError(t, s.Do(raw("code="+strings.Repeat("x", 10<<20), "application/x-www-form-urlencoded")), 413, "invalid_request")
			wantError(t, s.Post("/token", c, secret, codeForm(nobodys)), 400, "invalid_grant")
		}
	})
	t.Run("a body without an end is refused as soon as it is too long", func(t *testing.T) {
		t.Parallel()
		r := raw("", "application/x-www-form-urlencoded")
		endless, w := io.Pipe()
		go func() {
			for {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 32<<10)); err != nil {
					return
				}
			}
		}()
		r.Body, r.ContentLength = endless, -1
		wantError(t, s.Do(r), 413, "invalid_request")
		endless.Close()
	})
}

// What the store cannot do now is said to be so, and what it failed at is told to nobody but the log.
func TestStoreTrouble(t *testing.T) {
	t.Parallel()
	var log providertest.Log
	faulty := &providertest.Faulty{}
	s := providertest.New(t, func(c *providertest.Config) { c.Wrap, c.Log = faulty.Wrap, log.Logger() })
	s.User("alice")
	c, secret := s.Client("web", "My app")
	b := s.Browser("alice")
	code := b.Code(c, "scope", "openid offline_access")
	tokens := s.Redeem(c, secret, b.Code(c, "scope", "openid offline_access"))
	for name, act := range map[string]func() providertest.Answer{
		"code":    func() providertest.Answer { return s.Redeem(c, secret, code) },
		"refresh": func() providertest.Answer { return s.Refresh(c, secret, tokens.Text("refresh_token")) },
	} {
		for _, trouble := range []struct {
			err    error
			status int
			code   string
			retry  string
		}{
			{storage.ErrBusy, 503, "temporarily_unavailable", "1"},
			{storage.ErrNoSpace, 503, "temporarily_unavailable", "30"},
			{errors.New("read /var/lib/signet.db: input/output error"), 500, "server_error", ""},
		} {
			faulty.Fail(trouble.err)
			a := act()
			wantError(t, a, trouble.status, trouble.code)
			if a.Header.Get("Retry-After") != trouble.retry {
				t.Errorf("%s: Retry-After %q, want %q", name, a.Header.Get("Retry-After"), trouble.retry)
			}
			if strings.Contains(a.Body, "signet.db") {
				t.Errorf("%s: the answer tells %s", name, a.Body)
			}
			if trace := a.Header.Get("Trace-Id"); trace == "" || !strings.Contains(log.String(), trace) {
				t.Errorf("%s: the log has not the trace %q", name, trace)
			}
		}
		faulty.Fail(nil)
		if a := act(); a.Status != 200 {
			t.Errorf("%s, once the store works again: %d %s", name, a.Status, a.Body)
		}
	}
	if !strings.Contains(log.String(), "input/output error") {
		t.Error("the log has not the reason")
	}
}
