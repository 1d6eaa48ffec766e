package provider_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/audit"
	"signet/provider/providertest"
	"signet/storage"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	faulty := &providertest.Faulty{}
	var log providertest.Log
	s := providertest.New(t, func(c *providertest.Config) { c.Wrap, c.Log = faulty.Wrap, log.Logger() })
	check := func(path string, status int, body string) {
		t.Helper()
		a := s.Get(path, "")
		if a.Status != status || a.Body != body || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q", path, a.Status, a.Body)
		}
	}
	const ready = `{"ready":true,"storage":"ok","keys":"ok"}`
	check("/healthz", 200, "ok\n")
	check("/readyz", 200, ready)
	for _, row := range []struct {
		err   error
		words string
	}{
		{errors.New("secret detail"), "it cannot be used"},
		{fmt.Errorf("secret detail: %w", storage.ErrNoSpace), "no space is left"},
		{fmt.Errorf("secret detail: %w", storage.ErrBusy), "more is waiting to be stored than it takes"},
		{fmt.Errorf("secret detail: %w", context.DeadlineExceeded), "it does not answer in time"},
		{fmt.Errorf("secret detail: %w", storage.ErrUnavailable), "it does not answer"},
	} {
		faulty.Fail(row.err)
		check("/healthz", 200, "ok\n") // the process lives
		a := s.Get("/readyz", "")
		if a.Status != 503 || a.JSON["ready"] != false || a.Text("storage") != row.words || a.Text("keys") != "ok" || a.Text("trace") != a.Header.Get("Trace-Id") ||
			strings.Contains(a.Body, "secret") || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v: %d %s", row.err, a.Status, a.Body)
		}
	}
	faulty.Fail(nil)
	check("/readyz", 200, ready)
	if !strings.Contains(log.String(), "secret detail") {
		t.Error("the log has not the cause")
	}
}

// failingRings are rings that cannot be read while fail is set.
type failingRings struct {
	storage.Rings
	fail atomic.Bool
}

func (f *failingRings) wrap(r storage.Rings) storage.Rings {
	f.Rings = r
	return f
}

func (f *failingRings) Ring(ctx context.Context) (storage.Ring, error) {
	if f.fail.Load() {
		return storage.Ring{}, errors.New("secret detail")
	}
	return f.Rings.Ring(ctx)
}

// Keys that cannot be looked after are the keys' fault, and named.
func TestHealthOfKeys(t *testing.T) {
	t.Parallel()
	rings := &failingRings{}
	s := providertest.New(t, func(c *providertest.Config) { c.WrapRings = rings.wrap })
	rings.fail.Store(true)
	if err := s.Keys.Tick(t.Context()); err == nil || s.Keys.Failures() != 1 {
		t.Fatalf("the ring is read: %v, %d failures", err, s.Keys.Failures())
	}
	a := s.Get("/readyz", "")
	if a.Status != 503 || a.Text("storage") != "ok" || !strings.HasPrefix(a.Text("keys"), "the keys cannot") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	rings.fail.Store(false)
	if err := s.Keys.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := s.Get("/readyz", ""); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	for _, path := range []string{"/nothing-marker", "/token/marker", "/authorize/", "/.well-known/marker", "/%2e%2e/marker", "/assets/marker.css", "/admin", "/debug/pprof/"} {
		a := s.Get(path, "")
		if a.Status != http.StatusNotFound || strings.Contains(a.Body, "marker") {
			t.Errorf("%s: %d %s", path, a.Status, providertest.Text(a.Body))
		}
	}
	a := s.Get("/nothing", "")
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || !strings.Contains(a.Body, a.Header.Get("Trace-Id")) {
		t.Errorf("%v %s", a.Header, providertest.Text(a.Body))
	}
}

// A panic is a 500 for that request alone.
func TestPanic(t *testing.T) {
	t.Parallel()
	var log providertest.Log
	faulty := &providertest.Faulty{}
	s := providertest.New(t, func(c *providertest.Config) { c.Wrap, c.Log = faulty.Wrap, log.Logger() })
	s.User("alice")
	c, secret := s.Client("web", "My app")
	b := s.Browser("alice")
	code := b.Code(c)
	faulty.Panic("secret detail")
	for range 2 {
		a := s.Redeem(c, secret, code)
		if a.Status != 500 || a.Error() != "server_error" || strings.Contains(a.Body, "secret detail") || a.Header.Get("Content-Type") != "application/json" {
			t.Errorf("token: %d %s", a.Status, a.Body)
		}
		if !strings.Contains(log.String(), a.Header.Get("Trace-Id")) {
			t.Error("the log has not the trace")
		}
	}
	page := b.Once(with(s.Request(http.MethodGet, "/authorize?"+providertest.AuthorizeParams(c).Encode(), nil), "Accept", "text/html,*/*"))
	if page.Status != 500 || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || strings.Contains(page.Body, "secret detail") || !strings.Contains(page.Body, page.Header.Get("Trace-Id")) {
		t.Errorf("authorize: %d %s", page.Status, page.Body)
	}
	if a := s.Get("/jwks", ""); a.Status != 200 {
		t.Errorf("another request: %d", a.Status)
	}
	faulty.Panic(http.ErrAbortHandler) // net/http's own way to hang up
	if resp, err := s.HTTP.Do(s.Request(http.MethodGet, "/readyz", nil)); err == nil {
		resp.Body.Close()
		t.Errorf("ErrAbortHandler is answered with %d", resp.StatusCode)
	}
	faulty.Fail(nil)
	if a := s.Redeem(c, secret, code); a.Status != 200 {
		t.Errorf("the request, once more: %d %s", a.Status, a.Body)
	}
	if !strings.Contains(log.String(), "secret detail") || !strings.Contains(log.String(), "goroutine") {
		t.Error("the log has not what happened and where")
	}
}

// X-Forwarded-For is believed from trusted proxies alone.
func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		trusted []string
		headers []string
		want    string
	}{
		"none is trusted":                      {nil, []string{"X-Forwarded-For", "203.0.113.7"}, "127.0.0.1"},
		"the connection is not from a trusted": {[]string{"10.0.0.0/8"}, []string{"X-Forwarded-For", "203.0.113.7"}, "127.0.0.1"},
		"from a trusted":                       {[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For", "203.0.113.7"}, "203.0.113.7"},
		"what the client claims itself":        {[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For", "1.2.3.4, 203.0.113.7"}, "203.0.113.7"},
		"two trusted, one behind the other":    {[]string{"127.0.0.0/8", "10.0.0.0/8"}, []string{"X-Forwarded-For", "203.0.113.7, 10.1.2.3"}, "203.0.113.7"},
		"IPv6":                                 {[]string{"127.0.0.1/32"}, []string{"X-Forwarded-For", "2001:db8::7"}, "2001:db8::7"},
		"nonsense is the proxy, not somebody":  {[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For", "203.0.113.7, nonsense"}, "127.0.0.1"},
		"every hop is trusted":                 {[]string{"127.0.0.0/8", "10.0.0.0/8"}, []string{"X-Forwarded-For", "10.9.9.9, 10.1.2.3"}, "10.9.9.9"},
		"the proxy says nothing":               {[]string{"127.0.0.0/8"}, nil, "127.0.0.1"},
		"other headers are not read":           {[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For", "203.0.113.7", "X-Real-IP", "1.1.1.1", "True-Client-IP", "1.1.1.1", "Forwarded", "for=1.1.1.1"}, "203.0.113.7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log providertest.Log
			s := providertest.New(t, func(c *providertest.Config) { c.TrustedProxies, c.Log = row.trusted, log.Logger() })
			a := s.Do(with(s.Request(http.MethodGet, "/jwks", nil), row.headers...))
			for line := range strings.Lines(log.String()) {
				var entry map[string]any
				if err := json.Unmarshal([]byte(line), &entry); err != nil {
					t.Fatal(err)
				}
				if entry["trace"] == a.Header.Get("Trace-Id") && entry["address"] != row.want {
					t.Errorf("address %q, want %q", entry["address"], row.want)
				}
			}
			if !strings.Contains(log.String(), a.Header.Get("Trace-Id")) {
				t.Error("no line of log")
			}
		})
	}
}

// RFC 6797 section 7.2: never over http.
func TestHSTS(t *testing.T) {
	t.Parallel()
	for _, https := range []bool{false, true} {
		s := providertest.New(t, func(c *providertest.Config) { c.TLS = https })
		for _, path := range []string{"/", "/jwks", "/token", "/authorize", "/nothing", "/healthz"} {
			h := s.Get(path, "").Header
			if got := h.Get("Strict-Transport-Security"); (got != "") != https || strings.Contains(got, "includeSubDomains") {
				t.Errorf("https %t, %s: %q", https, path, got)
			}
			if h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: no nosniff", path)
			}
		}
	}
}

// Each request has one line of log, and no secret is in any: not in the log, not in the audit log, not in the store.
func TestNoSecretIsWrittenDown(t *testing.T) {
	t.Parallel()
	var log providertest.Log
	dir := t.TempDir()
	s := providertest.New(t, func(c *providertest.Config) { c.Log, c.Dir = log.Logger(), dir })
	s.User("alice")
	c, secret := s.Client("web", "My app")
	post, postSecret := s.Client("web", "Another", func(c *storage.Client) { c.TokenEndpointAuthMethod = "client_secret_post" })
	secrets := map[string]string{"password": providertest.Password, "client secret": secret, "client secret in the body": postSecret, "verifier": providertest.Verifier}

	b := s.Browser("")
	page := b.Authorize(c, "scope", "openid profile offline_access")
	const typo = "a password in the wrong field"
	secrets["password as user name"], secrets["wrong password"] = typo, "not alice's password"
	b.Submit(page, "username", typo, "password", "not alice's password")
	b.User, b.Undecided = "alice", true
	page = b.Submit(page, "username", "alice", "password", providertest.Password)
	cookies := b.Cookies()
	o := b.Submit(page, "decision", "allow")
	for _, c := range append(cookies, b.Cookies()...) {
		secrets["cookie "+c.Name] = c.Value
	}
	b.Undecided = false
	tokens := s.Redeem(c, secret, o.Params.Get("code"))
	next := s.Refresh(c, secret, tokens.Text("refresh_token"))
	other := s.Redeem(post, postSecret, b.Code(post))
	secrets["code"] = o.Params.Get("code")
	for i, a := range []providertest.Answer{tokens, next, other} {
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			if a.Text(name) != "" {
				secrets[name+string(rune('0'+i))] = a.Text(name)
			}
		}
	}
	// Refusals, and secrets where they do not belong.
	access := next.Text("access_token")
	s.Redeem(c, secret, o.Params.Get("code"))
	s.Redeem(c, "wrong"+secret, o.Params.Get("code"))
	s.Refresh(post, postSecret, next.Text("refresh_token"))
	s.Refresh(c, secret, next.Text("refresh_token")+"x")
	s.Get("/userinfo", access)
	s.Get("/userinfo?access_token="+access, "")
	s.Get("/userinfo", providertest.Tampered(access))
	s.Get("/nothing/"+access+"?x="+secret, "")
	s.Post("/introspect", c, secret, url.Values{"token": {access}})
	s.Post("/revoke", c, secret, url.Values{"token": {next.Text("refresh_token")}})
	s.Do(s.Request(http.MethodPost, "/token?client_secret="+secret, url.Values{"client_secret": {secret}}))
	s.Do(with(s.Request(http.MethodPost, "/token", url.Values{"code": {o.Params.Get("code")}}), "Authorization", "Basic "+secret))
	s.Do(with(s.Request(http.MethodPost, "/token", url.Values{}), "Authorization", "Bearer "+access))
	s.Do(with(s.Request(http.MethodGet, "/signin?interaction="+secret, nil), "Referer", "https://app.example/?code="+secret))
	b.Authorize(c, "request", access)
	b.Authorize(c, "id_token_hint", providertest.Tampered(tokens.Text("id_token")))
	b.Send(s.Request(http.MethodPost, "/authorize", providertest.AuthorizeParams(c)))
	b.Open("/logout?" + url.Values{"id_token_hint": {tokens.Text("id_token")}}.Encode())

	var entries bytes.Buffer
	if err := s.Store.Entries(t.Context(), func(e audit.Entry) error { return json.NewEncoder(&entries).Encode(e) }); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, "signet.db"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(log.String(), `"msg":"request"`) < 30 || strings.Count(entries.String(), "\n") < 10 || !bytes.Contains(file, []byte(c.ID)) {
		t.Fatal("too little was written for this test to say anything")
	}
	for name, value := range secrets {
		if len(value) < 10 {
			t.Fatalf("%s is %q", name, value)
		}
		forms := [][]byte{[]byte(value), []byte(url.QueryEscape(value)), []byte(base64.StdEncoding.EncodeToString([]byte(value)))}
		if raw, err := base64.RawURLEncoding.DecodeString(value); err == nil && len(raw) >= 32 {
			forms = append(forms, raw[len(raw)-16:]) // a handle's secret, the end of a MAC
		}
		for _, form := range forms {
			if strings.Contains(log.String(), string(form)) {
				t.Errorf("%s is in the log", name)
			}
			if bytes.Contains(entries.Bytes(), form) {
				t.Errorf("%s is in the audit log", name)
			}
			if bytes.Contains(file, form) {
				t.Errorf("%s is in the store", name)
			}
		}
	}
	for line := range strings.Lines(log.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry["msg"] == "request" && (len(entry["trace"].(string)) != 32 || entry["path"] == "" || entry["status"] == nil || strings.ContainsAny(entry["path"].(string), "?=")) {
			t.Errorf("line %s", line)
		}
	}
}

// slowStore counts who asks it at a time whether it is ready.
type slowStore struct {
	storage.Store
	asked, now, most atomic.Int64
}

func (s *slowStore) Ready(ctx context.Context) error {
	s.asked.Add(1)
	if now := s.now.Add(1); now > s.most.Load() {
		s.most.Store(now)
	}
	defer s.now.Add(-1)
	time.Sleep(20 * time.Millisecond)
	return s.Store.Ready(ctx)
}

// Nobody is counted at /readyz, so what it costs must not grow with who asks.
func TestHealthCostsOneQuestionAtATime(t *testing.T) {
	t.Parallel()
	slow := &slowStore{}
	s := providertest.New(t, func(c *providertest.Config) {
		c.Wrap = func(inner storage.Store) storage.Store { slow.Store = inner; return slow }
	})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if a := s.Get("/readyz", ""); a.Status != 200 {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	all.Wait()
	if slow.most.Load() > 1 {
		t.Errorf("the store was asked %d times at a time, and %d times in all", slow.most.Load(), slow.asked.Load())
	}
}
