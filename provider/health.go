package provider

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// readyTimeout is how long the parts may take to say that they are ready: a database that hangs is not.
const readyTimeout = 3 * time.Second

// Ready reports whether the provider can do its work: nil, or why not.
func (p *Provider) Ready(ctx context.Context) error { return errors.Join(p.parts(ctx)) }

// parts are what the provider cannot work without: nil, or what is wrong with each. Anybody may ask as often as they like, so the store is
// asked by one at a time, and all who come meanwhile have its answer.
func (p *Provider) parts(ctx context.Context) (store, keys error) {
	_, store, _ = p.asking.Do("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout) // it is not for this one alone
		defer cancel()
		return nil, p.store.Ready(ctx)
	})
	return store, p.keys.Ready()
}

// healthz says that the process answers, and nothing else: whoever starts it again mends nothing by that when the disk is full.
func (p *Provider) healthz(w http.ResponseWriter, r *http.Request) {
	quiet(r)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// readiness is the answer of readyz: each part is "ok", or what is wrong in a few words. Anybody may ask here, so the words are fixed;
// the log has the cause under the trace id.
type readiness struct {
	Ready   bool   `json:"ready"`
	Storage string `json:"storage"`
	Keys    string `json:"keys"`
	Trace   string `json:"trace,omitempty"`
}

// readyz says whether the provider can do its work now, and which part cannot.
func (p *Provider) readyz(w http.ResponseWriter, r *http.Request) {
	store, keys := p.parts(r.Context())
	a := readiness{Ready: store == nil && keys == nil, Storage: "ok", Keys: "ok"}
	status := http.StatusOK
	if a.Ready {
		quiet(r)
	} else {
		status, a.Trace = http.StatusServiceUnavailable, trail.Of(r.Context()).ID
		oauth.Note(r, &oauth.Error{Code: oauth.TemporarilyUnavailable, Cause: errors.Join(store, keys)})
		trail.Of(r.Context()).Raise(slog.LevelWarn)
	}
	if store != nil {
		a.Storage = storageWords(store)
	}
	if keys != nil {
		a.Keys = "the keys cannot be looked after, or one is missing"
	}
	_ = oauth.WriteStatus(w, status, a)
}

// storageWords says in fixed words what is wrong with the store.
func storageWords(err error) string {
	switch {
	case errors.Is(err, storage.ErrNoSpace):
		return "no space is left"
	case errors.Is(err, storage.ErrBusy):
		return "more is waiting to be stored than it takes"
	case errors.Is(err, storage.ErrUnavailable):
		return "it does not answer"
	case errors.Is(err, context.DeadlineExceeded):
		return "it does not answer in time"
	}
	return "it cannot be used"
}

// quiet keeps out of the log what comes every few seconds and says nothing new: probes, and the reading of public documents.
func quiet(r *http.Request) { trail.Of(r.Context()).Level = slog.LevelDebug }

func quietly(f http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		quiet(r)
		f(w, r)
	}
}
