package fetch_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/fetch"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func TestPost(t *testing.T) {
	t.Parallel()
	var followed atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("POST /good", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != "a=1+%26+2" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.URL.RawQuery != "q=x" || r.Header.Get("Cookie") != "" {
			t.Errorf("posted %q as %q to %q", body, r.Header.Get("Content-Type"), r.URL)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /refuses", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/JSON; charset=utf-8")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	})
	mux.HandleFunc("POST /redirects", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/followed", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/followed", func(http.ResponseWriter, *http.Request) { followed.Store(true) })
	mux.HandleFunc("POST /says-nothing", func(w http.ResponseWriter, r *http.Request) { // the status, and then no body
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see the other side leave
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("POST /hangs", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c := fetch.New(fetch.Options{Allow: loopback, Timeout: 30 * time.Second})

	for path, want := range map[string]fetch.Reply{
		"/good?q=x#fragment": {Status: 204},
		"/refuses":           {Status: 429, Type: "application/json", RetryAfter: "7"},
		"/redirects":         {Status: 307},
		"/says-nothing":      {Status: 200},
	} {
		began := time.Now()
		got, err := c.Post(t.Context(), server.URL+path, url.Values{"a": {"1 & 2"}})
		if err != nil || got.Status != want.Status || got.Type != want.Type || got.RetryAfter != want.RetryAfter {
			t.Errorf("%s: %+v %v", path, got, err)
		}
		if len(got.Body) > 4<<10 || (path == "/refuses") != (len(got.Body) > 0) {
			t.Errorf("%s: a body of %d bytes", path, len(got.Body))
		}
		if path == "/says-nothing" && time.Since(began) > 15*time.Second {
			t.Errorf("an answer is waited for that came: %v", time.Since(began))
		}
	}
	if followed.Load() {
		t.Error("a redirect was followed")
	}
	c = fetch.New(fetch.Options{Allow: loopback, Timeout: 500 * time.Millisecond})
	began := time.Now()
	if got, err := c.Post(t.Context(), server.URL+"/hangs?secret=1", nil); err == nil || errors.Is(err, fetch.ErrRefused) || strings.Contains(err.Error(), "secret") || time.Since(began) > 20*time.Second {
		t.Errorf("%+v %v after %v", got, err, time.Since(began))
	}
}

// The rules are those of Get.
func TestPostRefuses(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a private address was posted to") }))
	t.Cleanup(server.Close)
	for _, address := range []string{server.URL, "ftp://127.0.0.1/", "https://user@app.example/", "https:///", "://", "https://app.example/" + strings.Repeat("x", 2048)} {
		if got, err := fetch.New(fetch.Options{}).Post(t.Context(), address, nil); !errors.Is(err, fetch.ErrRefused) {
			t.Errorf("%.40s: %+v %v", address, got, err)
		}
	}
}
