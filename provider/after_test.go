package provider_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/clients"
	"signet/fetch"
	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

// watched notes how long each look for a client was allowed to take.
type watched struct {
	storage.Store
	mu   sync.Mutex
	left []time.Duration
}

func (w *watched) Client(ctx context.Context, id string) (storage.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	until, ok := ctx.Deadline()
	if !ok {
		until = time.Now().Add(time.Hour)
	}
	w.left = append(w.left, time.Until(until))
	return storage.Client{}, context.DeadlineExceeded
}

// What waits inside ends before the server's own limits cut the connection, and is told as what it is.
func TestRequestsHaveADeadline(t *testing.T) {
	t.Parallel()
	w := &watched{}
	s := providertest.New(t, func(c *providertest.Config) {
		c.Wrap = func(inner storage.Store) storage.Store { w.Store = inner; return w }
	})
	a := s.Post("/token", storage.Client{ID: "x"}, "", url.Values{"grant_type": {"refresh_token"}})
	if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || a.Error() != "temporarily_unavailable" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := s.Get("/authorize?client_id=x", ""); a.Status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if len(w.left) != 2 || w.left[0] > 30*time.Second || w.left[1] > 30*time.Second {
		t.Errorf("they may take %v", w.left)
	}
}

// What was fetched for clients outlives a reload, unless it changes what may be fetched.
func TestReloadKeepsWhatWasFetched(t *testing.T) {
	t.Parallel()
	key := newKey(t, "1")
	var fetched atomic.Int32
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		w.Header().Set("Content-Type", "application/jwk-set+json")
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
	}))
	t.Cleanup(site.Close)
	way := func() *fetch.Client {
		return fetch.New(fetch.Options{Timeout: time.Minute, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	}
	s := providertest.New(t, func(c *providertest.Config) { c.Fetch = way() })
	c, _ := s.Client(clients.Web, "keyed", func(c *storage.Client) {
		c.TokenEndpointAuthMethod, c.JWKSURI = clients.AuthKeyJWT, site.URL
	})
	for n, step := range []struct {
		change func(*provider.Options)
		want   int32
	}{
		{func(*provider.Options) {}, 1},
		{func(o *provider.Options) { o.UnsignedRequests = true }, 1},
		{func(o *provider.Options) { o.Fetch = way() }, 2},
	} {
		s.Reload(step.change)
		a := s.Do(s.Request(http.MethodPost, "/introspect", url.Values{
			"token": {"x"}, "client_assertion": {key.assertion(t, s, c.ID, s.Issuer)},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		}))
		if a.Status != http.StatusOK || fetched.Load() != step.want {
			t.Errorf("step %d: %d %s, fetched %d times, want %d", n, a.Status, a.Body, fetched.Load(), step.want)
		}
	}
}
