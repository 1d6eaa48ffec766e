package clientdocs_test

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/fetch"
	"signet/provider"
	"signet/provider/limit"
	"signet/provider/providertest"
	"signet/storage"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// site is where documents are.
type site struct {
	*httptest.Server
	asked atomic.Int32

	mu     sync.Mutex
	answer http.HandlerFunc
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.mu.Lock()
		answer := s.answer
		s.mu.Unlock()
		answer(w, r)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	s.StartTLS()
	t.Cleanup(s.Close)
	s.publish(s.document())
	return s
}

func (s *site) id() string { return s.URL + "/oauth/client.json" }

// document is one that is good; the pairs in change are set.
func (s *site) document(change ...any) map[string]any {
	d := map[string]any{
		"client_id": s.id(), "client_name": "Honest Notes", "redirect_uris": []string{s.URL + "/cb"}, "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code", "refresh_token"},
	}
	for i := 0; i+1 < len(change); i += 2 {
		d[change[i].(string)] = change[i+1]
	}
	return d
}

func (s *site) serve(f http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// publish has the site answer with a document.
func (s *site) publish(d map[string]any) {
	d = maps.Clone(d)
	s.serve(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(d)
	})
}

// client is what a request of the app is made from.
func (s *site) client() storage.Client {
	return storage.Client{ID: s.id(), RedirectURIs: []string{s.URL + "/cb"}}
}

// start is a provider that takes documents at the site.
func start(t *testing.T, sites *site, change ...func(*providertest.Config)) *providertest.Server {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(sites.Certificate())
	s := providertest.New(t, append([]func(*providertest.Config){func(c *providertest.Config) {
		c.Documents = provider.Documents{On: true, Addresses: loopback}
		c.Fetch = fetch.New(fetch.Options{Allow: loopback, CA: pool, Timeout: 5 * time.Second})
	}}, change...)...)
	s.User("alice")
	return s
}

const scope = "openid profile offline_access"

func stored(t *testing.T, s *providertest.Server, id string) (storage.Client, bool) {
	t.Helper()
	c, err := s.Store.Client(t.Context(), id)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	return c, err == nil
}

// TestFromNothing: an app that nobody registered signs a user in.
func TestFromNothing(t *testing.T) {
	t.Parallel()
	app := newSite(t)
	s := start(t, app)
	c := app.client()

	if o := s.Browser("").Authorize(c, "scope", scope); o.Page.Status != 200 || !strings.Contains(providertest.Text(o.Page.Body), "to continue to "+strings.TrimPrefix(app.URL, "https://")) {
		t.Errorf("8.5: the sign-in page names the host: %d %s", o.Page.Status, providertest.Text(o.Page.Body))
	}
	if o := s.Browser("").Authorize(c, "prompt", "none"); o.Params.Get("error") != "login_required" || o.Params.Get("iss") != s.Issuer {
		t.Errorf("prompt=none: %v", o.Params)
	}
	denies := s.Browser("alice")
	denies.Deny = true
	if o := denies.Authorize(c, "scope", scope); o.Params.Get("error") != "access_denied" {
		t.Errorf("denied: %v", o.Params)
	}
	if _, ok := stored(t, s, c.ID); ok {
		t.Fatal("a row is stored before anybody has agreed")
	}
	if a := s.Redeem(c, "", "none"); a.Error() != "invalid_client" {
		t.Errorf("RFC 6749 5.2: a client that is in no row, at the token endpoint: %d %s", a.Status, a.Body)
	}

	b := s.Browser("alice")
	o := b.Authorize(c, "scope", scope)
	if !slices.Equal(o.Asked, []string{"signin", "consent"}) || o.Params.Get("code") == "" {
		t.Fatalf("%v %v %s", o.Asked, o.Params, providertest.Text(o.Page.Body))
	}
	if row, ok := stored(t, s, c.ID); !ok || row.Origin != storage.OriginDocument || row.Name != "Honest Notes" || row.Trusted {
		t.Errorf("%+v", row)
	}
	a := s.Redeem(c, "", o.Params.Get("code"))
	if a.Status != 200 || a.Text("refresh_token") == "" || s.Verify(a.Text("access_token")).Claims["client_id"] != c.ID {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a = s.Refresh(c, "", a.Text("refresh_token")); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if n := app.asked.Load(); n != 1 {
		t.Errorf("5.2: the document was fetched %d times", n)
	}
	if o := b.Authorize(c, "scope", scope); len(o.Asked) > 0 || o.Params.Get("code") == "" {
		t.Errorf("consent for an https answer is remembered: %v %v", o.Asked, o.Params)
	}
	before, _ := stored(t, s, c.ID)
	b.Authorize(c, "scope", scope)
	if after, _ := stored(t, s, c.ID); after.Revision != before.Revision {
		t.Error("a document that says the same is stored again")
	}
}

// TestLies: what is at the URL is not a document that can be used. The person learns one sentence, whatever it is; nothing goes to the
// redirect URI; nothing is stored; the log says why.
func TestLies(t *testing.T) {
	t.Parallel()
	json := func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(body))
	}
	for name, c := range map[string]struct {
		answer func(app *site) http.HandlerFunc
		log    string
	}{
		"4: it lies about its own URL": {func(app *site) http.HandlerFunc {
			app.publish(app.document("client_id", "https://bank.example/client.json"))
			return nil
		}, "client_id is not the URL"},
		"4.1: it has a secret": {func(app *site) http.HandlerFunc { app.publish(app.document("client_secret", "s")); return nil }, "client_secret"},
		"5: a redirect is not followed": {func(app *site) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/there" {
					app.publish(app.document())
				}
				http.Redirect(w, r, "/there", http.StatusFound)
			}
		}, "redirect"},
		"5: another status": {func(*site) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotFound) }
		}, "status 404"},
		"5: 201 is not 200": {func(*site) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusCreated) }
		}, "status 201"},
		"4: HTML": {func(*site) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				_, _ = w.Write([]byte("<!doctype html>"))
			}
		}, "text/html"},
		"4: no JSON": {func(*site) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { json(w, "<!doctype html>") }
		}, "not one JSON object"},
		"8.7: more than 5 KiB": {func(app *site) http.HandlerFunc {
			app.publish(app.document("x", strings.Repeat("x", 6<<10)))
			return nil
		}, "5120"},
		"8.7: without end": {func(*site) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				for r.Context().Err() == nil {
					if _, err := w.Write(make([]byte, 4096)); err != nil {
						return
					}
				}
			}
		}, "more than"},
		"slow": {func(*site) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); panic(http.ErrAbortHandler) }
		}, "deadline exceeded"},
		"4.2: no redirect URI": {func(app *site) http.HandlerFunc { app.publish(app.document("redirect_uris", []string{})); return nil }, "redirect_uris"},
		"a dangerous redirect URI": {func(app *site) http.HandlerFunc {
			app.publish(app.document("redirect_uris", []string{app.URL + "/cb", "javascript:alert(1)//"}))
			return nil
		}, "redirect_uris"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app, log := newSite(t), &providertest.Log{}
			s := start(t, app, func(c *providertest.Config) {
				c.Log = log.Logger()
				if strings.Contains(t.Name(), "slow") {
					pool := x509.NewCertPool()
					pool.AddCert(app.Certificate())
					c.Fetch = fetch.New(fetch.Options{Allow: loopback, CA: pool, Timeout: 300 * time.Millisecond})
				}
			})
			if f := c.answer(app); f != nil {
				app.serve(f)
			}
			unusable(t, s, app.client())
			if !strings.Contains(log.String(), c.log) {
				t.Errorf("the log does not say %q", c.log)
			}
		})
	}
}

// unusable is what a browser must see of it.
func unusable(t *testing.T, s *providertest.Server, c storage.Client) {
	t.Helper()
	o := s.Browser("alice").Authorize(c)
	if o.Callback != "" || o.Page.Status != http.StatusBadRequest || !strings.Contains(providertest.Text(o.Page.Body), "This app cannot be recognised") {
		t.Errorf("%q %d %s", o.Callback, o.Page.Status, providertest.Text(o.Page.Body))
	}
	for _, telling := range []string{"client.json", "status", "refused", "127.0.0.1:1"} {
		if strings.Contains(providertest.Text(o.Page.Body), telling) {
			t.Errorf("the page tells %q of what was found", telling)
		}
	}
	if _, ok := stored(t, s, c.ID); ok {
		t.Error("it is stored")
	}
}

// TestAddresses: Client ID Metadata Document 8.6.
func TestAddresses(t *testing.T) {
	t.Parallel()
	app := newSite(t)
	s := start(t, app, func(c *providertest.Config) { c.Documents.Addresses = nil })
	unusable(t, s, app.client())
	s.Reload(func(o *provider.Options) { // the address may be named, and is still not fetched from
		o.Documents.Addresses, o.Fetch = loopback, fetch.New(fetch.Options{})
	})
	unusable(t, s, app.client())
	unusable(t, s, storage.Client{ID: "https://169.254.169.254/latest/meta-data/", RedirectURIs: []string{"https://app.example/cb"}})
	unusable(t, s, storage.Client{ID: "https://user@app.example/c", RedirectURIs: []string{"https://app.example/cb"}})
	if n := app.asked.Load(); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

// TestPolicy: which documents are taken is the operator's to say, at each reload.
func TestPolicy(t *testing.T) {
	t.Parallel()
	app := newSite(t)
	s := start(t, app)
	o := s.Browser("alice").Authorize(app.client(), "scope", scope)
	tokens := s.Redeem(app.client(), "", o.Params.Get("code"))
	supported := func() any {
		return s.Do(must(http.NewRequest(http.MethodGet, s.Issuer+"/.well-known/oauth-authorization-server", nil))).JSON["client_id_metadata_document_supported"]
	}
	if supported() != true {
		t.Errorf("6: %v", supported())
	}
	refused := func(name, says string) {
		t.Helper()
		if o := s.Browser("alice").Authorize(app.client()); o.Callback != "" || !strings.Contains(providertest.Text(o.Page.Body), says) {
			t.Errorf("%s: %q %s", name, o.Callback, providertest.Text(o.Page.Body))
		}
		if tokens = s.Refresh(app.client(), "", tokens.Text("refresh_token")); tokens.Status != 200 {
			t.Errorf("%s: what was allowed goes on: %d %s", name, tokens.Status, tokens.Body)
		}
	}
	s.Reload(func(o *provider.Options) { o.Documents.Hosts = []string{"*.example"} })
	refused("another host", "This app cannot be recognised")
	s.Reload(func(o *provider.Options) { o.Documents.Hosts = []string{strings.TrimPrefix(app.URL, "https://")} })
	if o := s.Browser("alice").Authorize(app.client(), "scope", scope); o.Params.Get("code") == "" {
		t.Errorf("its own host: %s", providertest.Text(o.Page.Body))
	}
	s.Reload(func(o *provider.Options) { o.Documents.On = false })
	refused("off", "This app is not registered")
	if supported() != nil {
		t.Errorf("6: %v", supported())
	}
	if n := app.asked.Load(); n != 1 {
		t.Errorf("a reload forgets documents: %d fetches", n)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestChanges: 8.4. Between the answer and the token a change means nothing; at the next authorization the row follows, what the operator
// set stays, and who allowed the app under another name is asked again.
func TestChanges(t *testing.T) {
	t.Parallel()
	app := newSite(t)
	s := start(t, app)
	s.User("bob")
	c, b, bob := app.client(), s.Browser("alice"), s.Browser("bob")
	bob.Code(c, "scope", scope)
	code := b.Code(c, "scope", scope)
	app.publish(app.document("redirect_uris", []string{app.URL + "/new"}))
	s.Clock.Advance(2 * time.Hour)
	if a := s.Redeem(c, "", code); a.Error() != "invalid_grant" { // a minute was its life
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if o := b.Authorize(c, "scope", scope); o.Callback != "" || !strings.Contains(providertest.Text(o.Page.Body), "Not a registered address") {
		t.Errorf("4.2: a redirect URI that is no longer in the document: %q %s", o.Callback, providertest.Text(o.Page.Body))
	}
	row, _ := stored(t, s, c.ID)
	if !slices.Equal(row.RedirectURIs, c.RedirectURIs) {
		t.Error("the row follows before anybody was answered")
	}
	row.Trusted, row.Access = false, []storage.Access{{Resource: "https://api.example"}}
	row, err := s.Store.SaveClient(t.Context(), row, storage.Change{Now: s.Clock.Now()})
	if err != nil {
		t.Fatal(err)
	}

	moved := storage.Client{ID: c.ID, RedirectURIs: []string{app.URL + "/new"}}
	o := b.Authorize(moved, "scope", scope)
	if len(o.Asked) > 0 || o.Params.Get("code") == "" {
		t.Errorf("another path at the same host: asked %v, %v %s", o.Asked, o.Params, providertest.Text(o.Page.Body))
	}
	app.publish(app.document("redirect_uris", []string{app.URL + "/other"}))
	if a := s.Redeem(moved, "", o.Params.Get("code")); a.Status != 200 {
		t.Errorf("a change between the answer and the token: %d %s", a.Status, a.Body)
	}
	if row, _ := stored(t, s, c.ID); !slices.Equal(row.RedirectURIs, moved.RedirectURIs) || len(row.Access) != 1 {
		t.Errorf("%+v", row)
	}

	for _, step := range []struct {
		name     string
		document map[string]any
	}{
		{"another name", app.document("client_name", "Your Bank")},
		{"another host", app.document("client_name", "Your Bank", "redirect_uris", []string{app.URL + "/cb", "https://elsewhere.example/cb"})},
	} {
		name := step.name
		app.publish(step.document)
		s.Clock.Advance(2 * time.Hour)
		for who, browser := range map[string]*providertest.Browser{"alice": b, "bob": bob} {
			if o := browser.Authorize(c, "scope", scope); !slices.Equal(o.Asked, []string{"consent"}) || o.Params.Get("code") == "" {
				t.Errorf("%s: %s is asked %v, %v %s", name, who, o.Asked, o.Params, providertest.Text(o.Page.Body))
			}
			if o := browser.Authorize(c, "scope", scope); len(o.Asked) > 0 {
				t.Errorf("%s: %s is asked twice", name, who)
			}
		}
	}
}

// TestHostGone: tokens go on by the row; a new authorization needs the document.
func TestHostGone(t *testing.T) {
	t.Parallel()
	app := newSite(t)
	s := start(t, app)
	c, b := app.client(), s.Browser("alice")
	a := s.Redeem(c, "", b.Code(c, "scope", scope))
	app.serve(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if o := b.Authorize(c, "scope", scope); o.Params.Get("code") == "" {
		t.Errorf("5.2: while it is fresh: %s", providertest.Text(o.Page.Body))
	}
	s.Clock.Advance(61 * time.Minute)
	if o := b.Authorize(c, "scope", scope); o.Callback != "" || o.Page.Status != 400 {
		t.Errorf("5.1: %q %d", o.Callback, o.Page.Status)
	}
	if a = s.Refresh(c, "", a.Text("refresh_token")); a.Status != 200 {
		t.Errorf("the row is what tokens live by: %d %s", a.Status, a.Body)
	}
	asked := app.asked.Load()
	b.Authorize(c, "scope", scope)
	if app.asked.Load() != asked {
		t.Error("it is asked again within ten seconds")
	}
	app.publish(app.document())
	s.Clock.Advance(11 * time.Second)
	if o := b.Authorize(c, "scope", scope); o.Params.Get("code") == "" {
		t.Errorf("5.2: an error is not cached: %s", providertest.Text(o.Page.Body))
	}
}

// TestFreshness: RFC 9111, within bounds of ours.
func TestFreshness(t *testing.T) {
	t.Parallel()
	for control, life := range map[string]time.Duration{
		"no-store": 5 * time.Minute, "max-age=1": 5 * time.Minute, "max-age=1800": 30 * time.Minute, "": time.Hour, "max-age=31536000": 24 * time.Hour,
	} {
		t.Run(control, func(t *testing.T) {
			t.Parallel()
			app := newSite(t)
			document := must(json.Marshal(app.document()))
			app.serve(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Cache-Control", control)
				_, _ = w.Write(document)
			})
			s := start(t, app)
			b := s.Browser("")
			for _, step := range []struct {
				wait time.Duration
				want int32
			}{{0, 1}, {life - time.Second, 1}, {2 * time.Second, 2}} {
				s.Clock.Advance(step.wait)
				b.Authorize(app.client())
				if n := app.asked.Load(); n != step.want {
					t.Fatalf("after %v it was fetched %d times, want %d", step.wait, n, step.want)
				}
			}
		})
	}
}

// TestRestart: what was stored need not be fetched again before its time.
func TestRestart(t *testing.T) {
	t.Parallel()
	app := newSite(t)
	s := start(t, app)
	b := s.Browser("alice")
	b.Code(app.client())
	s.Reload(func(o *provider.Options) { // another way out: nothing is remembered
		pool := x509.NewCertPool()
		pool.AddCert(app.Certificate())
		o.Fetch = fetch.New(fetch.Options{Allow: loopback, CA: pool})
	})
	b.Code(app.client())
	if n := app.asked.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	s.Clock.Advance(61 * time.Minute)
	b.Code(app.client())
	if n := app.asked.Load(); n != 2 {
		t.Errorf("fetched %d times", n)
	}
}

// TestRemoved: the operator's word is the last one.
func TestRemoved(t *testing.T) {
	t.Parallel()
	app := newSite(t)
	s := start(t, app)
	b := s.Browser("alice")
	a := s.Redeem(app.client(), "", b.Code(app.client(), "scope", scope))
	if err := s.Store.RemoveClient(t.Context(), app.id(), storage.Change{Now: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	if a = s.Refresh(app.client(), "", a.Text("refresh_token")); a.Error() != "invalid_client" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if o := b.Authorize(app.client(), "scope", scope); o.Params.Get("error") != "unauthorized_client" {
		t.Errorf("%v %s", o.Params, providertest.Text(o.Page.Body))
	}
	if _, ok := stored(t, s, app.id()); ok {
		t.Error("it is back")
	}
}

// TestManyAtOnce: one fetch for all who wait, and so many for one address.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	app := newSite(t)
	held := make(chan struct{})
	document := must(json.Marshal(app.document()))
	app.serve(func(w http.ResponseWriter, _ *http.Request) {
		<-held
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document)
	})
	s := start(t, app, func(c *providertest.Config) {
		rates := limit.Default
		rates.Registration = limit.Rate{PerSecond: 0.01, Burst: 20}
		c.Rates = &rates
	})
	var all sync.WaitGroup
	var good atomic.Int32
	for range 10 {
		all.Go(func() {
			if o := s.Browser("").Authorize(app.client()); o.Page.Status == 200 {
				good.Add(1)
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	close(held)
	all.Wait()
	if good.Load() != 10 || app.asked.Load() != 1 {
		t.Errorf("%d of 10 are answered, by %d fetches", good.Load(), app.asked.Load())
	}
	var limited int
	for i := range 30 {
		c := app.client()
		c.ID = fmt.Sprintf("%s/%d", app.URL, i)
		if o := s.Browser("").Authorize(c); o.Page.Status == http.StatusTooManyRequests && o.Page.Header.Get("Retry-After") != "" {
			limited++
		}
	}
	if limited == 0 || app.asked.Load() > 21 {
		t.Errorf("30 unknown apps from one address: %d refused, %d fetched", limited, app.asked.Load())
	}
	if o := s.Browser("").Authorize(app.client()); o.Page.Status != 200 {
		t.Errorf("who is known is not counted: %d", o.Page.Status)
	}
}

// TestSlowHosts: one network cannot keep all others from new apps by naming hosts that do not answer.
func TestSlowHosts(t *testing.T) {
	t.Parallel()
	app := newSite(t)
	held, document := make(chan struct{}), must(json.Marshal(app.document()))
	app.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/oauth/client.json" {
			<-held
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document)
	})
	s := start(t, app, func(c *providertest.Config) { c.TrustedProxies = []string{"127.0.0.1/32"} })
	ask := func(address, id string) int {
		b, c := s.Browser(""), app.client()
		b.Address, c.ID = address, id
		return b.Authorize(c).Page.Status
	}
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() { ask("192.0.2.1", fmt.Sprintf("%s/slow/%d", app.URL, i)) })
	}
	for range 100 {
		if app.asked.Load() >= 4 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if got := ask("192.0.2.1", app.URL+"/slow/one more"); got == http.StatusOK {
		t.Errorf("one more of the same network: %d", got)
	}
	if got := ask("198.51.100.1", app.id()); got != http.StatusOK {
		t.Errorf("somebody else: %d", got)
	}
	close(held)
	all.Wait()
	if n := app.asked.Load(); n > 5 {
		t.Errorf("%d fetches for one network at a time", n-1)
	}
}

// TestConsentPage: 8.5, and RFC 8252 8.6.
func TestConsentPage(t *testing.T) {
	t.Parallel()
	app := newSite(t)
	app.publish(app.document("redirect_uris", []string{app.URL + "/cb", "https://other.example/cb", "http://127.0.0.1/cb"}, "client_name", "Your Bank"))
	s := start(t, app)
	host := strings.TrimPrefix(app.URL, "https://")
	for uri, says := range map[string]string{
		app.URL + "/cb":             "Either way you go back to " + host,
		"https://other.example/cb":  "The answer goes to another host: other.example",
		"http://127.0.0.1:50123/cb": "an app on this device",
	} {
		b := s.Browser("alice")
		b.Undecided = true
		o := b.Authorize(app.client(), "redirect_uri", uri)
		text := strings.ReplaceAll(providertest.Text(o.Page.Body), " .", ".")
		for _, want := range []string{"Allow " + host + " ?", "It calls itself “ Your Bank ”; nobody has checked that.", says} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the page lacks %q: %s", uri, want, text)
			}
		}
		if first := strings.Index(text, host); first < 0 || first > strings.Index(text, "Your Bank") {
			t.Error("the host comes first")
		}
	}
	if u, err := url.Parse(app.URL); err != nil || u.Host != host {
		t.Fatal(err)
	}
}
