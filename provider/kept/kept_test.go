package kept_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider/kept"
	"signet/provider/oauth"
	"signet/provider/problem"
	"signet/provider/providertest"
	"signet/provider/trail"
	"signet/storage"
)

func TestKept(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	k := kept.Requests{Store: s.Store, Base: "/tenant", Now: s.Clock.Now}
	p, err := oauth.ParseQuery("state=a%26b+%E2%98%83&scope=openid&resource=1&resource=2&x=1&x=2")
	if err != nil {
		t.Fatal(err)
	}
	keep := func() *http.Request {
		location, err := k.Keep(httptest.NewRequest(http.MethodPost, "/", nil), p, "/authorize/posted", time.Minute)
		if err != nil || !strings.HasPrefix(location, "/tenant/authorize/posted?request=") {
			t.Fatalf("%q, %v", location, err)
		}
		return httptest.NewRequest(http.MethodGet, location, nil)
	}
	gone := func(what string, r *http.Request) {
		t.Helper()
		var told *problem.Problem
		if _, err := k.Take(r); !errors.As(err, &told) || told.Who != problem.You {
			t.Errorf("%s: %v", what, err)
		}
	}

	r := keep()
	got, err := k.Take(r)
	if err != nil || got.Encode() != p.Encode() || got.Repeated() == nil {
		t.Errorf("%q comes back as %q, %v", p.Encode(), got.Encode(), err)
	}
	gone("a second time", r)

	r = keep()
	var taken atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := k.Take(r); err == nil {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if taken.Load() != 1 {
		t.Errorf("of twenty at once %d get it", taken.Load())
	}

	r = keep()
	handle := []byte(r.URL.Query().Get("request"))
	if handle[42] = 'A'; string(handle) == r.URL.Query().Get("request") {
		handle[42] = 'E'
	}
	gone("another secret", httptest.NewRequest(http.MethodGet, "/?request="+string(handle), nil))
	s.Clock.Advance(time.Minute)
	gone("too late", r)
	for _, query := range []string{"", "request=", "request=x", "request=" + strings.Repeat("A", 43)} {
		gone(query, httptest.NewRequest(http.MethodGet, "/?"+query, nil))
	}
}

// Anybody can have a request kept, so one address cannot fill the store.
func TestKeptIsBounded(t *testing.T) {
	t.Parallel()
	s := providertest.New(t)
	k := kept.Requests{Store: s.Store, Now: s.Clock.Now}
	keep := func(address, form string) error {
		p, err := oauth.ParseQuery(form)
		if err != nil {
			t.Error(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		_, err = k.Keep(r.WithContext(trail.With(r.Context(), trail.New(address))), p, "/logout/posted", time.Minute)
		return err
	}
	var all sync.WaitGroup
	var refused atomic.Int32
	for range 250 {
		all.Go(func() {
			if errors.Is(keep("2001:db8::1", "state=x"), storage.ErrTooMany) {
				refused.Add(1)
			}
		})
	}
	all.Wait()
	if refused.Load() != 50 {
		t.Errorf("%d of 250 refused, want all but 200", refused.Load())
	}
	if err := keep("2001:db8::ffff", "state=x"); !errors.Is(err, storage.ErrTooMany) {
		t.Errorf("another address of the same network: %v", err)
	}
	if err := keep("192.0.2.1", "state=x"); err != nil {
		t.Errorf("another network: %v", err)
	}
	if err := keep("192.0.2.1", "state="+strings.Repeat("x", 17<<10)); err == nil || oauth.AsError(err).Status != http.StatusRequestEntityTooLarge {
		t.Errorf("17 KiB: %v", err)
	}
	s.Clock.Advance(storage.KeptWindow)
	if err := keep("2001:db8::1", "state=x"); err != nil {
		t.Errorf("after the window: %v", err)
	}
}
