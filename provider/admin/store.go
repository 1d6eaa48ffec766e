package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"syscall"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/archive"
	"signet/storage/check"
)

// whole is what a store offers that can be backed up and checked.
type whole interface {
	storage.Moving
	storage.Checked
	storage.Audit
}

func (a *api) whole() (whole, error) {
	if w, ok := a.Store.(whole); ok {
		return w, nil
	}
	return nil, refuse(http.StatusNotImplemented, "this store cannot be read as a whole")
}

// backup answers with a backup. It is written to a nameless file first, compressed, as fast as this machine can: the snapshot that keeps the
// store's space from being used again shall not last as long as somebody takes to read the answer.
func (a *api) backup(w http.ResponseWriter, r *http.Request) error {
	store, err := a.whole()
	if err != nil {
		return err
	}
	atLeisure(w)
	file, err := nameless(a.Folder)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := store.Chain(r.Context()); err != nil {
		return err
	}
	now := a.Now()
	if err := archive.Write(file, archive.Header{Made: now.UTC(), Issuer: a.Status.Issuer, Version: a.Status.Version}, store.Export(r.Context())); err != nil {
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			return fmt.Errorf("%w: %w", storage.ErrNoSpace, err)
		}
		return err
	}
	size, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := store.Record(r.Context(), audit.Entry{Time: now, Event: audit.StoreBackedUp, Origin: audit.Origin{Actor: actor(r.Context())}}); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	if n, err := io.Copy(w, file); err != nil || n != size {
		panic(http.ErrAbortHandler) // the answer has begun; whoever reads it sees that it is cut off
	}
	return nil
}

// nameless makes a file that is gone when it is closed, however this process ends.
func nameless(folder string) (*os.File, error) {
	file, err := os.CreateTemp(folder, ".backup-*") // mode 0600
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func (a *api) check(w http.ResponseWriter, r *http.Request) error {
	store, err := a.whole()
	if err != nil {
		return err
	}
	atLeisure(w)
	report, err := check.Run(r.Context(), store, a.Now())
	if err != nil {
		return err
	}
	return write(w, report)
}

// atLeisure lets an answer take its time: to read a large store may take minutes.
func atLeisure(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // what has none cannot take it away
}

// Stream sends in, if it is not nil, and asks for what has no fixed size and takes as long as it takes. Who gets it closes it.
func (c *Caller) Stream(ctx context.Context, method string, in any, segments ...string) (io.ReadCloser, error) {
	resp, err := c.patient().send(ctx, method, in, segments)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, readAnswer(resp, nil)
	}
	return resp.Body, nil
}

// Await is Do for what takes as long as it takes.
func (c *Caller) Await(ctx context.Context, method string, out any, segments ...string) error {
	return c.patient().Do(ctx, method, nil, out, segments...)
}

func (c *Caller) patient() *Caller {
	p := *c
	p.http.Timeout = 0
	return &p
}
