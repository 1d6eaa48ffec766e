package web

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func get(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAssets(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "/tenant", "/a%20b"} {
		pages := newPages(t, base)
		for name, typ := range map[string]string{
			"signet.css":       "text/css; charset=utf-8",
			"form-post.js":     "text/javascript; charset=utf-8",
			"signing-out.js":   "text/javascript; charset=utf-8",
			"check-session.js": "text/javascript; charset=utf-8",
			"favicon.svg":      "image/svg+xml",
		} {
			url, err := pages.assets.url(name)
			if err != nil {
				t.Fatal(err)
			}
			w := get(pages.Assets(), "GET", url)
			if w.Code != http.StatusOK || w.Header().Get("Content-Type") != typ {
				t.Errorf("%s: %d %s", url, w.Code, w.Header().Get("Content-Type"))
			}
			if got := w.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
				t.Errorf("%s: Cache-Control %q", url, got)
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: no nosniff", url)
			}
			sum := sha256.Sum256(w.Body.Bytes())
			if want := base + "/assets/" + hex.EncodeToString(sum[:8]) + "/" + name; url != want {
				t.Errorf("the path %s does not name the content, want %s", url, want)
			}
			if w := get(pages.Assets(), "HEAD", url); w.Code != http.StatusOK || w.Body.Len() != 0 {
				t.Errorf("HEAD %s: %d, %d bytes", url, w.Code, w.Body.Len())
			}
			if w := get(pages.Assets(), "POST", url); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("POST %s: %d", url, w.Code)
			}
		}
	}
}

func TestAssetsAcceptNothingElse(t *testing.T) {
	t.Parallel()
	pages := newPages(t, "/tenant")
	css, _ := pages.assets.url("signet.css")
	for _, target := range []string{
		"/", "/tenant", "/tenant/assets", "/tenant/assets/", "/tenant/assets/signet.css", "/tenant/assets/0123456789abcdef/signet.css",
		strings.TrimPrefix(css, "/tenant"), css + "/", css + "%00", strings.Replace(css, "signet", "%73ignet", 1),
		strings.Replace(css, "/signet.css", "/../signet.css", 1), strings.Replace(css, "signet.css", "form-post.js", 1),
		"/tenant/assets/../web.go", "/tenant/templates/signin.html",
	} {
		w := get(pages.Assets(), "GET", target)
		if w.Code != http.StatusNotFound || strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %s", target, w.Code, w.Header().Get("Cache-Control"))
		}
	}
}

// TestScript keeps the script within what HtmlUnit and old browsers run. One unknown token loses the whole script.
func TestScript(t *testing.T) {
	t.Parallel()
	js, err := assetFiles.ReadFile("assets/form-post.js")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile(`(?m)//.*$`).ReplaceAllString(string(js), "")
	if strings.TrimSpace(code) != "document.forms[0].submit();" {
		t.Errorf("the script does something else; is it still plain old JavaScript, and right? %s", code)
	}
}

// TestContrast holds WCAG 2.1, 1.4.3 (text: 4.5 to 1) and 1.4.11 (what shows a control: 3 to 1), in both colour schemes.
func TestContrast(t *testing.T) {
	t.Parallel()
	css, err := assetFiles.ReadFile("assets/signet.css")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(string(css), 2)
	if len(blocks) != 2 {
		t.Fatal("want the light and the dark colours")
	}
	for i, scheme := range []string{"light", "dark"} {
		colour := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(blocks[i][1], -1) {
			colour[m[1]] = luminance(t, m[2])
		}
		for _, c := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "paper", 4.5}, {"ink", "card", 4.5}, {"soft", "paper", 4.5}, {"soft", "card", 4.5},
			{"accent", "card", 4.5}, {"accent-deep", "card", 4.5}, {"on-accent", "accent", 4.5}, {"on-accent", "accent-deep", 4.5},
			{"bad", "bad-wash", 4.5}, {"bad", "card", 4.5}, {"edge", "card", 3}, {"accent", "paper", 3},
		} {
			front, ok := colour[c.front]
			back, ok2 := colour[c.back]
			if !ok || !ok2 {
				t.Fatalf("%s: no colour %s or %s", scheme, c.front, c.back)
			}
			if got := contrast(front, back); got < c.least {
				t.Errorf("%s: %s on %s is %s to 1, want %g", scheme, c.front, c.back, fmt.Sprintf("%.2f", got), c.least)
			}
		}
	}
}

// luminance is the relative luminance of WCAG 2.1.
func luminance(t *testing.T, hex string) float64 {
	n, err := strconv.ParseUint(hex, 16, 24)
	if err != nil {
		t.Fatal(err)
	}
	channel := func(v uint64) float64 {
		c := float64(v&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(n>>16) + 0.7152*channel(n>>8) + 0.0722*channel(n)
}

func contrast(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }
