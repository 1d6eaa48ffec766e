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
