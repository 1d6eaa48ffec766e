package notary_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/audit"
	"signet/keys"
	"signet/keys/keystest"
	"signet/notary"
	"signet/storage"
	"signet/storage/bolt"
)

type ctx = context.Context

const day = 24 * time.Hour

// room is a store with a notary, whose clock is turned.
type room struct {
	*testing.T
	*notary.Notary
	store *bolt.Store
	now   time.Time
}

func open(t *testing.T) *room {
	t.Helper()
	r := &room{T: t, now: time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return r.now }
	var err error
	if r.store, err = bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "signet.db"), Now: clock, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.store.Close() })
	k := keystest.New(t, keys.Options{Store: r.store, Algs: []string{"ES256"}, Now: clock})
	r.Notary = &notary.Notary{Store: r.store, Signer: k, Issuer: "https://id.example.com", Now: clock, Log: slog.New(slog.DiscardHandler)}
	return r
}

func (r *room) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *room) happen() {
	r.Helper()
	r.ok(r.store.Record(r.Context(), audit.Entry{Time: r.now, Event: audit.SignInFailed}))
}

func (r *room) look() (checkpoints []audit.Checkpoint) {
	r.Helper()
	r.ok(r.Look(r.Context()))
	return r.all()
}

func (r *room) all() (checkpoints []audit.Checkpoint) {
	r.Helper()
	checkpoints, err := r.store.Checkpoints(r.Context(), 0, math.MaxUint64)
	r.ok(err)
	return checkpoints
}

func (r *room) exported() string {
	r.Helper()
	var out bytes.Buffer
	r.ok(r.Export(r.Context(), &out))
	return out.String()
}

func (r *room) key() audit.Key {
	key, _ := r.Signer.AuditKey()
	return key
}

func TestCheckpoints(t *testing.T) {
	t.Parallel()
	r := open(t)
	first := r.look()
	if len(first) != 1 {
		t.Fatalf("%d checkpoints at the start, over what is there", len(first))
	}
	claims, err := r.key().Open(first[0].Signed)
	r.ok(err)
	want := audit.Claims{Issuer: "https://id.example.com", IssuedAt: r.now.Unix(), Sequence: first[0].Sequence, Hash: first[0].Hash, First: 1}
	if claims != want {
		t.Errorf("%+v, want %+v", claims, want)
	}
	r.happen()
	r.now = r.now.Add(59 * time.Minute)
	if n := len(r.look()); n != 1 {
		t.Errorf("%d within the hour", n)
	}
	r.now = r.now.Add(time.Minute)
	if n := len(r.look()); n != 2 {
		t.Errorf("%d after an hour", n)
	}
	r.now = r.now.Add(5 * time.Hour)
	if n := len(r.look()); n != 2 {
		t.Errorf("%d after hours with nothing new", n)
	}
	r.happen()
	r.now = r.now.Add(day)
	r.happen()
	before := len(r.all())
	if n := len(r.look()) - before; n != 2 {
		t.Errorf("%d over the end of a day and what came after it", n)
	}
	r.happen()
	r.ok(r.Notary.Close(r.Context()))
	before = len(r.all())
	r.ok(r.Notary.Close(r.Context()))
	if c, err := r.store.Chained(r.Context()); err != nil || c.Checkpoint.Sequence != c.Last.Sequence || len(r.all()) != before {
		t.Errorf("at the end: %+v, %v", c, err)
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	t.Run("a whole log, with all checkpoints", func(t *testing.T) {
		t.Parallel()
		r := open(t)
		for range 50 {
			r.happen()
			r.now = r.now.Add(time.Hour)
			r.look()
		}
		for range 2500 { // more than is read at once
			r.happen()
		}
		text := r.exported()
		report, err := audit.Verify(strings.NewReader(text), r.key().Equal)
		if err != nil || report.Last < 2550 || report.Checkpoints != uint64(len(r.all())) || report.Anchored || !report.Made.Equal(r.now) {
			t.Errorf("%+v, %d checkpoints: %v", report, len(r.all()), err)
		}
	})
	t.Run("after the retention dropped days", func(t *testing.T) {
		t.Parallel()
		r := open(t)
		for range 6 {
			for range 5 {
				r.happen()
			}
			r.look()
			r.now = r.now.Add(day)
		}
		old := r.exported()
		for more := true; more; {
			var err error
			_, more, err = r.store.Sweep(r.Context(), r.now, 2*day, 100)
			r.ok(err)
		}
		report, err := audit.Verify(strings.NewReader(r.exported()), r.key().Equal)
		if err != nil || !report.Anchored || report.First == 1 || report.Records >= 30 {
			t.Errorf("%+v: %v", report, err)
		}
		before, err := audit.Verify(strings.NewReader(old), r.key().Equal)
		if err != nil || before.First != 1 {
			t.Errorf("%+v: %v", before, err)
		}
	})
	t.Run("a move and a restore carry it over as it is", func(t *testing.T) {
		t.Parallel()
		from := open(t)
		from.happen()
		from.look()
		before := from.exported()
		path := filepath.Join(t.TempDir(), "moved.db")
		r := &room{T: t, Notary: from.Notary, now: from.now}
		var err error
		r.store, err = bolt.Open(bolt.Options{Path: path, Log: slog.New(slog.DiscardHandler)})
		r.ok(err)
		defer r.store.Close()
		r.ok(r.store.Import(t.Context(), from.store.Export(t.Context())))
		r.Notary.Store = r.store
		after := r.exported()
		head, _, _ := strings.Cut(before, `{"end"`)
		if !strings.HasPrefix(after, head) {
			t.Errorf("it is another export:\n%s\nbefore:\n%s", after, before)
		}
		if _, err := audit.Verify(strings.NewReader(after), r.key().Equal); err != nil {
			t.Error(err)
		}
	})
	t.Run("what goes while it is written breaks it off", func(t *testing.T) {
		t.Parallel()
		r := open(t)
		for range 3 {
			r.happen()
			r.look()
			r.now = r.now.Add(5 * day)
		}
		r.Store = sweeping{r}
		var out bytes.Buffer
		if err := r.Export(t.Context(), &out); !errors.Is(err, audit.ErrGap) {
			t.Error(err)
		}
	})
}

// sweeping is a store of which days are dropped just before records are read.
type sweeping struct{ *room }

func (s sweeping) Chain(ctx ctx) error { return s.store.Chain(ctx) }
func (s sweeping) Chained(ctx ctx) (storage.Chain, error) {
	return s.store.Chained(ctx)
}
func (s sweeping) SaveCheckpoint(ctx ctx, c audit.Checkpoint) error {
	return s.store.SaveCheckpoint(ctx, c)
}
func (s sweeping) Checkpoints(ctx ctx, from, to uint64) ([]audit.Checkpoint, error) {
	return s.store.Checkpoints(ctx, from, to)
}

func (s sweeping) Records(ctx ctx, from uint64, since time.Time, f func(audit.Record) error) error {
	if _, _, err := s.store.Sweep(ctx, s.now, day, 1000); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	return s.store.Records(ctx, from, since, f)
}
