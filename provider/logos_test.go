package provider_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"signet/fetch"
	"signet/provider/providertest"
	"signet/storage"
)

// apps answers as an app's server does.
type apps map[string]fetch.Document

func (a apps) Get(_ context.Context, address string, _ ...string) (fetch.Document, error) {
	if d, ok := a[address]; ok {
		return d, nil
	}
	return fetch.Document{}, errors.New("no route to host")
}

func (apps) Post(context.Context, string, url.Values) (fetch.Reply, error) {
	return fetch.Reply{}, errors.New("no route to host")
}

// Registration 2: logo_uri, policy_uri and tos_uri are shown before the person agrees; the logo from our own origin.
func TestLogoAndPapers(t *testing.T) {
	t.Parallel()
	const logo, policy, terms = "https://app.example/logo.png", "https://app.example/privacy", "https://app.example/terms"
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	s := providertest.New(t, func(c *providertest.Config) {
		c.Path = "/tenant"
		c.Fetch = apps{logo: {Body: picture.Bytes(), Type: "image/png", Fresh: -1}}
	})
	s.User("alice")
	for name, uri := range map[string]string{"a logo": logo, "one that does not come": "https://app.example/other.png"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s.With(t)
			c, _ := s.Client("web", `My "app"`, func(c *storage.Client) { c.LogoURI, c.PolicyURI, c.TosURI = uri, policy, terms })
			b := s.Browser("")
			b.Undecided = true
			o := b.Authorize(c)
			signIn, consent := o.Page, b.Submit(o, "username", "alice", "password", providertest.Password).Page
			for _, page := range []providertest.Answer{signIn, consent} {
				if !strings.Contains(page.Body, `href="`+policy+`"`) || !strings.Contains(page.Body, `href="`+terms+`"`) {
					t.Errorf("policy_uri or tos_uri is missing: %s", page.Body)
				}
				if strings.Contains(page.Body, uri) {
					t.Error("the logo is linked to")
				}
				found := regexp.MustCompile(`<img class="logo" src="(/tenant/logos/[0-9a-f]{64})" alt="Logo of My &#34;app&#34;">`).FindStringSubmatch(page.Body)
				if uri != logo {
					if found != nil || strings.Contains(page.Body, "<img") {
						t.Error("an image of what did not come")
					}
					continue
				}
				if found == nil {
					t.Fatalf("no logo: %s", page.Body)
				}
				path := strings.TrimPrefix(found[1], "/tenant")
				a := s.Do(s.Request(http.MethodGet, path, nil))
				if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "image/png" || a.Body != picture.String() {
					t.Errorf("%s: %d %v", path, a.Status, a.Header)
				}
				if !strings.Contains(page.Header.Get("Content-Security-Policy"), "img-src 'self'") {
					t.Errorf("CSP %q", page.Header.Get("Content-Security-Policy"))
				}
			}
		})
	}
	if a := s.Do(s.Request(http.MethodGet, "/logos/"+strings.Repeat("0", 64), nil)); a.Status != http.StatusNotFound {
		t.Errorf("another hash: %d", a.Status)
	}
	if a := s.Do(s.Request(http.MethodPost, "/logos/0", nil)); a.Status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", a.Status)
	}
}
