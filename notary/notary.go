// Package notary looks after the audit log's chain: it has entries chained, signs checkpoints over what the chain came to, and writes exports.
//
// A checkpoint is made over the last record of each day that is over, hourly over the last record there is while new ones come, for each
// export, and when a server ends. So of a log that somebody makes anew who can write the store, but does not have the audit key, an hour at the
// most is not vouched for; and of whoever has the key as well, whatever is newer than an export that is kept elsewhere.
//
// Of several servers on one store each does so. They meet in the store: one chains at a time, and a record has one checkpoint.
package notary

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"signet/audit"
	"signet/storage"
)

// Store is what a notary needs of the store.
type Store interface {
	Chain(ctx context.Context) error
	Chained(ctx context.Context) (storage.Chain, error)
	Records(ctx context.Context, from uint64, since time.Time, f func(audit.Record) error) error
	SaveCheckpoint(ctx context.Context, c audit.Checkpoint) error
	Checkpoints(ctx context.Context, from, to uint64) ([]audit.Checkpoint, error)
}

// Signer has the audit key; a [signet/keys.Keys] is one.
type Signer interface {
	AuditKey() (key audit.Key, made time.Time)
	SignCheckpoint(audit.Claims) (string, error)
}

// Notary is one server's.
type Notary struct {
	Store  Store
	Signer Signer
	Issuer string
	Now    func() time.Time
	Log    *slog.Logger
}

// How often: entries are chained, checkpoints are looked after, and one is made while there are new records.
const (
	chainEvery = 2 * time.Second
	lookEvery  = time.Minute
	signEvery  = time.Hour
)

// Run looks after the chain until ctx ends.
func (n *Notary) Run(ctx context.Context) {
	chain, look := time.NewTicker(chainEvery), time.NewTicker(lookEvery)
	defer chain.Stop()
	defer look.Stop()
	var failing bool
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-chain.C:
			err = n.Store.Chain(ctx)
		case <-look.C:
			err = n.Look(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing && !errors.Is(err, storage.ErrBusy):
			n.Log.Error("the audit log is not looked after; it is tried again all the time, and nothing of it is lost meanwhile", "error", err)
			failing = true
		case err == nil && failing:
			n.Log.Info("the audit log is looked after again")
			failing = false
		}
	}
}

// Look makes the checkpoints that are due.
func (n *Notary) Look(ctx context.Context) error {
	c, err := n.chained(ctx)
	if err != nil {
		return err
	}
	for _, end := range c.Due {
		if _, err := n.sign(ctx, end, c.First); err != nil {
			return err
		}
	}
	young := n.Now().Sub(c.Checkpoint.Time).Abs() < signEvery // by a clock that was set back as well
	if young || c.Last.Sequence <= c.Checkpoint.Sequence {
		return nil
	}
	_, err = n.sign(ctx, c.Last, c.First)
	return err
}

// Checkpoint chains what there is and makes a checkpoint over its end, and those that are due. It returns the chain and the new checkpoint,
// which is zero where the log is empty.
func (n *Notary) Checkpoint(ctx context.Context) (c storage.Chain, made audit.Checkpoint, err error) {
	if c, err = n.chained(ctx); err != nil || c.Last.Sequence == 0 {
		return c, made, err
	}
	for _, end := range append(c.Due, c.Last) {
		if made, err = n.sign(ctx, end, c.First); err != nil {
			return c, made, err
		}
	}
	return c, made, nil
}

// Close makes the last checkpoint, unless the last record has one.
func (n *Notary) Close(ctx context.Context) error {
	c, err := n.chained(ctx)
	if err != nil || c.Last.Sequence <= c.Checkpoint.Sequence {
		return err
	}
	_, _, err = n.Checkpoint(ctx)
	return err
}

func (n *Notary) chained(ctx context.Context) (storage.Chain, error) {
	if err := n.Store.Chain(ctx); err != nil {
		return storage.Chain{}, err
	}
	return n.Store.Chained(ctx)
}

// sign makes a checkpoint over a record and stores it.
func (n *Notary) sign(ctx context.Context, over audit.Link, first uint64) (audit.Checkpoint, error) {
	now := n.Now().UTC().Truncate(time.Second)
	signed, err := n.Signer.SignCheckpoint(audit.Claims{
		Issuer: n.Issuer, IssuedAt: now.Unix(), Sequence: over.Sequence, Hash: over.Hash, First: first,
	})
	if err != nil {
		return audit.Checkpoint{}, err
	}
	c := audit.Checkpoint{Sequence: over.Sequence, Hash: over.Hash, Time: now, Signed: signed}
	return c, n.Store.SaveCheckpoint(ctx, c)
}

// ErrEmpty is a log in which there is nothing yet.
var ErrEmpty = errors.New("there is nothing in the audit log yet")

// windowOf bounds the checkpoints that are in memory.
const windowOf = 1024

// Export writes all that is in the log, up to a checkpoint that it makes for it. What is written ends with an error if a part of the log was dropped
// meanwhile ([audit.ErrGap]).
func (n *Notary) Export(ctx context.Context, to io.Writer) error {
	chain, end, err := n.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if end.Sequence == 0 {
		return ErrEmpty
	}
	key, _ := n.Signer.AuditKey()
	w, err := audit.NewWriter(to, audit.Header{Issuer: n.Issuer, Made: end.Time, Key: key})
	if err != nil {
		return err
	}
	e := exporter{Notary: n, ctx: ctx, to: w, first: chain.First, last: end.Sequence}
	if err := e.anchor(); err != nil {
		return err
	}
	if err := n.Store.Records(ctx, chain.First, time.Time{}, e.record); err != nil && !errors.Is(err, errDone) {
		return err
	}
	return w.End(end)
}

var errDone = errors.New("done")

// exporter puts checkpoints between records.
type exporter struct {
	*Notary
	ctx         context.Context
	to          *audit.Writer
	first, last uint64
	began       bool
	known       []audit.Checkpoint // the next ones
	until       uint64             // up to which record all are known
}

// anchor writes the checkpoint over the record before the first, where that was dropped.
func (e *exporter) anchor() error {
	anchors, err := e.Store.Checkpoints(e.ctx, e.first-1, e.first-1)
	if err != nil || len(anchors) == 0 {
		return err
	}
	return e.to.Checkpoint(anchors[0])
}

func (e *exporter) record(r audit.Record) (err error) {
	if !e.began && r.Sequence != e.first {
		return audit.ErrGap
	}
	e.began = true
	if err := e.to.Record(r); err != nil {
		return err
	}
	if r.Sequence == e.last { // whose checkpoint is the end
		return errDone
	}
	if r.Sequence > e.until {
		e.until = min(r.Sequence+windowOf, e.last)
		if e.known, err = e.Store.Checkpoints(e.ctx, r.Sequence, e.until); err != nil {
			return err
		}
	}
	if len(e.known) > 0 && e.known[0].Sequence == r.Sequence {
		err = e.to.Checkpoint(e.known[0])
		e.known = e.known[1:]
	}
	return err
}
