package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// TestFrontChannel: OpenID Connect Front-Channel Logout 1.0 in a real browser. The app's page runs its script in its frame, cannot lead the
// browser away, and cannot hold it up.
func TestFrontChannel(t *testing.T) {
	t.Parallel()
	s := newProvider(t)
	s.User("alice")
	framed := make(chan *http.Request, 10)
	ran := make(chan struct{}, 10)
	var hangs atomic.Bool
	mux := http.NewServeMux()
	page := func(id string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { write(w, `<p id="{{.}}">{{.}}</p>`, id) }
	}
	mux.HandleFunc("/cb", page("callback"))
	mux.HandleFunc("/bye", page("bye"))
	mux.HandleFunc("/away", page("away"))
	mux.HandleFunc("/out", func(w http.ResponseWriter, r *http.Request) {
		framed <- r
		if hangs.Load() {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><script src="/ran"></script><script>try { top.location = "/away" } catch (e) {}</script>`))
	})
	mux.HandleFunc("/ran", func(w http.ResponseWriter, _ *http.Request) {
		ran <- struct{}{}
		w.Header().Set("Content-Type", "text/javascript")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	at := strings.Replace(server.URL, "127.0.0.1", string(otherSite), 1)
	app, _ := s.Client("web", "Framed", func(c *storage.Client) {
		c.RedirectURIs, c.PostLogoutRedirectURIs, c.FrontchannelLogoutURI = []string{at + "/cb"}, []string{at + "/bye"}, at+"/out"
		c.Trusted = true
	})
	c := newChromium(t)
	signOut := func() time.Duration {
		c.open(s.Issuer + "/authorize?" + providertest.AuthorizeParams(app).Encode())
		c.signIn("alice", providertest.Password)
		c.see("#callback")
		c.open(s.Issuer + "/logout?" + url.Values{"client_id": {app.ID}, "post_logout_redirect_uri": {at + "/bye"}}.Encode())
		began := time.Now()
		c.press("button[name=confirm]")
		c.see("#bye")
		return time.Since(began)
	}

	step(t, "Front-Channel Logout 3: the app's page comes in a frame, with iss and sid", func(t *testing.T) {
		signOut()
		select {
		case r := <-framed:
			if q := r.URL.Query(); r.Header.Get("Sec-Fetch-Dest") != "iframe" || q.Get("iss") != s.Issuer || len(q.Get("sid")) != 22 || len(q) != 2 || r.Header.Get("Referer") != "" {
				t.Errorf("%s from %q, as %s", r.URL, r.Header.Get("Referer"), r.Header.Get("Sec-Fetch-Dest"))
			}
		default:
			t.Fatal("the app's page was not loaded")
		}
		select {
		case <-ran:
		case <-time.After(patience):
			t.Error("its script did not run")
		}
	}, &c.t)
	step(t, "an app that hangs does not hold the browser up", func(t *testing.T) {
		hangs.Store(true)
		if took := signOut(); took < 2500*time.Millisecond || took > 8*time.Second {
			t.Errorf("the browser went on after %v", took)
		}
	}, &c.t)
}
