package authorize_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// looked counts how often the store is asked for resources.
type looked struct {
	storage.Store
	times atomic.Int32
}

func (l *looked) Resources(ctx context.Context) ([]storage.Resource, error) {
	l.times.Add(1)
	return l.Store.Resources(ctx)
}

func (l *looked) Resource(ctx context.Context, id string) (storage.Resource, error) {
	l.times.Add(1)
	return l.Store.Resource(ctx, id)
}

// Anybody can send an authorization request: what it costs does not grow with the words in it.
func TestWordsCostNothing(t *testing.T) {
	t.Parallel()
	l := &looked{}
	s := providertest.New(t, func(c *providertest.Config) {
		c.Wrap = func(inner storage.Store) storage.Store { l.Store = inner; return l }
	})
	c, _ := s.Client("spa", "App")
	send := func(scope string, resources ...string) providertest.Outcome {
		p := providertest.AuthorizeParams(c, "scope", scope)
		p["resource"] = resources
		l.times.Store(0)
		return s.Browser("").Send(s.Request("POST", "/authorize", p))
	}

	var words, all []string
	for n := range 1000 {
		words = append(words, fmt.Sprintf("word%d", n))
	}
	for n := range 21 {
		all = append(all, s.Resource(fmt.Sprintf("https://api%d.example", n), func(r *storage.Resource) { r.Open = true }).ID)
	}
	if o := send("openid " + strings.Join(words, " ")); o.Callback != "" || l.times.Load() > 20 {
		t.Errorf("Core 3.1.2.1: unknown scopes are passed over: %q; resources were asked for %d times", o.Callback, l.times.Load())
	}
	if o := send("openid", all[:20]...); o.Callback != "" {
		t.Errorf("twenty resources: %q", o.Callback)
	}
	if o := send("openid", all...); o.Params.Get("error") != "invalid_target" || l.times.Load() > 0 {
		t.Errorf("RFC 8707 2: more than anybody means: %v; they were asked for %d times", o.Params, l.times.Load())
	}
}
