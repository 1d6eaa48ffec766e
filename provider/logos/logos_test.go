package logos

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"image/color"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	stdimage "image"

	"signet/fetch"
)

// picture is a PNG, unlike those of another shade, with so many bytes after its end.
func picture(t *testing.T, shade uint8, more int) []byte {
	t.Helper()
	p := stdimage.NewGray(stdimage.Rect(0, 0, 4, 4))
	p.SetGray(1, 1, color.Gray{Y: shade})
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), make([]byte, more)...)
}

type app struct {
	*Logos
	url   string
	calls *atomic.Int32
	now   *atomic.Int64
	slow  chan struct{} // closed when "slow" may answer
}

// hostile is an app whose server does what the path says.
func hostile(t *testing.T, allow ...netip.Prefix) app {
	t.Helper()
	a := app{calls: new(atomic.Int32), now: new(atomic.Int64), slow: make(chan struct{})}
	good, limit := picture(t, 1, 0), picture(t, 2, 0)
	limit = append(limit, make([]byte, maxBytes-len(limit))...)
	say := func(w http.ResponseWriter, kind string, body []byte) {
		w.Header().Set("Content-Type", kind)
		w.Write(body)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := a.calls.Add(1)
		switch strings.TrimPrefix(r.URL.Path, "/") {
		case "good":
			say(w, "image/png", good)
		case "changes":
			w.Header().Set("Cache-Control", "max-age=600")
			say(w, "image/png", picture(t, uint8(n), 0))
		case "many":
			var shade uint8
			fmt.Sscan(r.URL.RawQuery, &shade)
			say(w, "image/png", picture(t, shade, 0))
		case "limit":
			say(w, "image/png", limit)
		case "large":
			say(w, "image/png", append(limit, 0))
		case "endless":
			w.Header().Set("Content-Type", "image/png")
			for _, err := w.Write(good); err == nil; _, err = w.Write(limit) {
			}
		case "svg":
			say(w, "image/svg+xml", []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`))
		case "html":
			say(w, "text/html", []byte("<script>alert(1)</script>"))
		case "html-as-png":
			say(w, "image/png", []byte("<html><script>alert(1)</script>"))
		case "png-as-gif":
			say(w, "image/gif", good)
		case "empty":
			say(w, "image/png", nil)
		case "moved":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "slow":
			select {
			case <-a.slow:
			case <-r.Context().Done():
			}
			say(w, "image/png", good)
		default:
			http.NotFound(w, r)
		}
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := x509.NewCertPool()
	ca.AddCert(server.Certificate())
	a.url = server.URL + "/"
	a.Logos = New(Options{Fetch: fetch.New(fetch.Options{Allow: allow, CA: ca, Timeout: time.Minute}), Base: "/tenant", Now: func() time.Time { return time.Unix(a.now.Load(), 0) }})
	a.patience = time.Minute // a busy machine shows what is there, however long it takes
	return a
}

var loopback = netip.MustParsePrefix("127.0.0.1/32")

func (a app) image(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.Get(w, strings.TrimPrefix(path, "/tenant"+Path+"/"))
	return w
}

func TestLogo(t *testing.T) {
	t.Parallel()
	a := hostile(t, loopback)
	for _, name := range []string{"good", "limit"} {
		path := a.URL(t.Context(), a.url+name)
		if !strings.HasPrefix(path, "/tenant/logos/") {
			t.Fatalf("%s: %q", name, path)
		}
		w := a.image(path)
		h := w.Header()
		if w.Code != http.StatusOK || h.Get("Content-Type") != "image/png" || h.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'; sandbox") || h.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s: %d %v", name, w.Code, h)
		}
		if !bytes.HasPrefix(w.Body.Bytes(), []byte("\x89PNG")) {
			t.Errorf("%s: another body", name)
		}
	}
	if w := a.image("0000"); w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("an unknown hash: %d %v", w.Code, w.Header())
	}
	if got := a.URL(t.Context(), ""); got != "" {
		t.Errorf("no logo_uri: %q", got)
	}
}

// What a server answers that means harm shows no image, and it is not asked again with the next page.
func TestHostileServer(t *testing.T) {
	t.Parallel()
	a := hostile(t, loopback)
	for _, name := range []string{"large", "endless", "svg", "html", "html-as-png", "png-as-gif", "empty", "moved", "nothing"} {
		before := a.calls.Load()
		for range 3 {
			if got := a.URL(t.Context(), a.url+name); got != "" {
				t.Errorf("%s: %q", name, got)
			}
		}
		if n := a.calls.Load() - before; n != 1 {
			t.Errorf("%s: asked %d times", name, n)
		}
	}
	a.now.Add(int64(retry / time.Second))
	before := a.calls.Load()
	if a.URL(t.Context(), a.url+"nothing"); a.calls.Load() != before+1 {
		t.Error("a failure is remembered for ever")
	}
	for _, uri := range []string{"javascript:alert(1)", "data:image/png;base64,iVBORw0KGgo=", "file:///etc/passwd", "//a.example/x", "\x00"} {
		if got := a.URL(t.Context(), uri); got != "" {
			t.Errorf("%q: %q", uri, got)
		}
	}
	inside := hostile(t)
	if got := inside.URL(t.Context(), inside.url+"good"); got != "" || inside.calls.Load() != 0 {
		t.Errorf("a private address was asked: %q, %d calls", got, inside.calls.Load())
	}
}

func TestNoPageWaitsLong(t *testing.T) {
	t.Parallel()
	a := hostile(t, loopback)
	a.patience = patience
	began := time.Now()
	if got := a.URL(t.Context(), a.url+"slow"); got != "" || time.Since(began) < patience || time.Since(began) > 20*time.Second { // the fetch takes a minute
		t.Errorf("%q after %v", got, time.Since(began))
	}
	close(a.slow)
	a.patience = time.Minute
	if got := a.URL(t.Context(), a.url+"slow"); got == "" || a.calls.Load() != 1 {
		t.Errorf("the next page has it not: %q, %d calls", got, a.calls.Load())
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if a.URL(gone, a.url+"good"); a.URL(t.Context(), a.url+"good") == "" {
		t.Error("a page that was left ended the fetch")
	}
}

func TestKept(t *testing.T) {
	t.Parallel()
	a := hostile(t, loopback)
	var pages sync.WaitGroup
	for range 20 {
		pages.Go(func() { a.URL(t.Context(), a.url+"changes") })
	}
	pages.Wait()
	first := a.URL(t.Context(), a.url+"changes")
	if first == "" || a.calls.Load() != 1 {
		t.Fatalf("%q after %d calls, want one for all pages", first, a.calls.Load())
	}
	a.now.Add(599)
	if got := a.URL(t.Context(), a.url+"changes"); got != first {
		t.Error("RFC 9111 5.2.2.1: max-age is not honoured")
	}
	a.now.Add(1)
	if got := a.URL(t.Context(), a.url+"changes"); got == first || got == "" {
		t.Errorf("a stale logo is shown: %q", got)
	}
	old := a.URL(t.Context(), a.url+"many?0")
	for n := range maxImages {
		a.URL(t.Context(), fmt.Sprintf("%smany?%d", a.url, n+1))
	}
	if a.images.Len() != maxImages || a.image(old).Code != http.StatusNotFound {
		t.Errorf("%d images are kept", a.images.Len())
	}
	if got := a.URL(t.Context(), a.url+"many?0"); got != old || a.image(got).Code != http.StatusOK {
		t.Error("an image that had to go does not come back")
	}
}
