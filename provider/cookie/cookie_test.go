package cookie_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"signet/provider/cookie"
	"signet/provider/providertest"
	"signet/storage"
)

// The attributes follow the issuer's scheme: RFC 6265bis sections 4.1.2 and 4.1.3.
func TestAttributes(t *testing.T) {
	t.Parallel()
	for name, https := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := providertest.New(t, func(c *providertest.Config) { c.TLS, c.Path = https, "/tenant" })
			s.User("alice")
			c, _ := s.Client("web", "My app")
			o := s.Browser("alice").Authorize(c)
			if o.Params.Get("code") == "" {
				t.Fatalf("page %s", providertest.Text(o.Page.Body))
			}
			sum := sha256.Sum256([]byte(s.Issuer))
			prefix := "signet-" + hex.EncodeToString(sum[:4]) + "-"
			if https {
				prefix = "__Host-" + prefix
			}
			set, cleared := map[string]int{}, 0
			for _, hop := range o.Hops {
				for _, c := range (&http.Response{Header: hop.Header}).Cookies() {
					kind, ok := strings.CutPrefix(c.Name, prefix)
					kind, _, _ = strings.Cut(kind, "-")
					script, site, life, length := false, http.SameSiteLaxMode, 0, 43
					switch kind {
					case "browser", "interaction":
					case "device":
						life = 365 * 24 * 60 * 60
					case "state": // a script reads it, in frames of other sites too
						if script, length = true, 49; https {
							site = http.SameSiteNoneMode
						}
					default:
						t.Errorf("name %q", c.Name)
					}
					if !ok || c.Path != "/" || c.Domain != "" || c.Secure != https || c.HttpOnly == script || c.SameSite != site || !c.Expires.IsZero() {
						t.Errorf("cookie %s", c.Raw)
					}
					if c.MaxAge < 0 && c.Value == "" {
						cleared++
					} else if c.MaxAge == life && len(c.Value) == length {
						set[kind]++
					} else {
						t.Errorf("cookie %s", c.Raw)
					}
				}
			}
			if want := map[string]int{"browser": 1, "device": 1, "interaction": 1, "state": 2}; !maps.Equal(set, want) || cleared != 1 {
				t.Errorf("cookies set: %v, %d cleared", set, cleared)
			}
		})
	}
}

// Where a cookie comes twice somebody has planted one, and nobody knows which.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	s.User("alice")
	c, _ := s.Client("web", "My app", func(c *storage.Client) { c.Trusted = true })
	b := s.Browser("alice")
	b.Code(c)
	request := func(path string, cookies []*http.Cookie, extra ...string) *http.Request {
		r := s.Request(http.MethodGet, path, nil)
		for _, c := range cookies {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
			for _, value := range extra {
				r.AddCookie(&http.Cookie{Name: c.Name, Value: value})
			}
		}
		return r
	}
	silent := "/authorize?" + providertest.AuthorizeParams(c, "prompt", "none").Encode()
	for name, row := range map[string]struct {
		extra []string
		want  string
	}{"once": {nil, "code="}, "twice": {[]string{"x"}, "error=login_required"}, "the same twice": {[]string{b.Cookies()[0].Value}, "error=login_required"}} {
		if a := s.Do(request(silent, b.Cookies(), row.extra...)); !strings.Contains(a.Header.Get("Location"), row.want) {
			t.Errorf("browser's cookie, %s: %q", name, a.Header.Get("Location"))
		}
	}
	fresh := s.Browser("")
	page := fresh.Authorize(c)
	path := strings.TrimPrefix(page.URL, s.Issuer)
	for want, extra := range map[int][]string{200: nil, 400: {"x"}} {
		if a := s.Do(request(path, fresh.Cookies(), extra...)); a.Status != want {
			t.Errorf("interaction's cookie with %q besides: %d", extra, a.Status)
		}
	}
}

func TestJar(t *testing.T) {
	t.Parallel()
	jar := func(issuer string) cookie.Jar {
		u, err := url.Parse(issuer)
		if err != nil {
			t.Fatal(err)
		}
		return cookie.New(u)
	}
	one, two := jar("http://localhost:8080"), jar("http://localhost:8090")
	w := httptest.NewRecorder()
	one.Set(w, "browser", "secret")
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", strings.Split(w.Header().Get("Set-Cookie"), ";")[0])
	if one.Get(r, "browser") != "secret" || one.Get(r, "other") != "" {
		t.Error("what was set is not read")
	}
	if two.Get(r, "browser") != "" || len(two.Named(r, "")) > 0 {
		t.Error("ports do not keep cookies apart, so names must")
	}
	if got := one.Named(r, "bro"); len(got) != 1 || got[0] != "browser" {
		t.Errorf("named %q", got)
	}
}
