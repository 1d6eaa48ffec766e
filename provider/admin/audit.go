package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path"
	"time"

	"signet/audit"
	"signet/notary"
	"signet/storage"
)

// EntryQuery says which entries are asked for. What is zero is not asked.
type EntryQuery struct {
	After  uint64    `json:"after,omitempty"` // a record's sequence: only what came after it
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	User   string    `json:"user,omitempty"` // sub, name or e-mail address
	Client string    `json:"client,omitempty"`
	Event  string    `json:"event,omitempty"` // a pattern of [path.Match]
}

// LoggedEntry is one line of the answer: an entry, or at the end how far the answer came.
type LoggedEntry struct {
	Sequence uint64 `json:"sequence,omitempty"` // of its record
	audit.Entry
	Name string `json:"name,omitempty"` // the user's, while there is one
}

// End is the last line.
type End struct {
	Next *uint64 `json:"next"` // what After is to be
}

func (a *api) notary() (*notary.Notary, error) {
	k, err := a.Keys()
	if err != nil {
		return nil, err
	}
	store, err := a.whole()
	return &notary.Notary{Store: store, Signer: k, Issuer: a.Status.Issuer, Now: a.Now, Log: slog.New(slog.DiscardHandler)}, err
}

// exportAudit answers with an export. Once it has begun an error can only break it off.
func (a *api) exportAudit(w http.ResponseWriter, r *http.Request) error {
	n, err := a.notary()
	if err != nil {
		return err
	}
	atLeisure(w)
	out := &begun{ResponseWriter: w}
	err = n.Export(r.Context(), out)
	switch {
	case err == nil:
		return nil
	case out.any:
		panic(http.ErrAbortHandler)
	case errors.Is(err, notary.ErrEmpty), errors.Is(err, audit.ErrGap):
		return refuse(http.StatusConflict, "%v", err)
	}
	return err
}

// begun is an answer that knows whether it has begun.
type begun struct {
	http.ResponseWriter
	any bool
}

func (b *begun) Write(p []byte) (int, error) {
	if !b.any {
		b.any = true
		b.Header().Set("Content-Type", "application/jsonl")
		b.Header().Set("Cache-Control", "no-store")
	}
	return b.ResponseWriter.Write(p)
}

func (a *api) auditEntries(w http.ResponseWriter, r *http.Request) error {
	var q EntryQuery
	if err := read(r, &q); err != nil {
		return err
	}
	if _, err := path.Match(q.Event, ""); err != nil {
		return refuse(http.StatusUnprocessableEntity, "the pattern %q cannot be read; write one like signin.* or *.failed", q.Event)
	}
	store, err := a.whole()
	if err != nil {
		return err
	}
	if q.User, err = a.subOf(r.Context(), q.User); err != nil {
		return err
	}
	if err := store.Chain(r.Context()); err != nil {
		return err
	}
	atLeisure(w)
	out := &begun{ResponseWriter: w}
	l := lister{api: a, ctx: r.Context(), query: q, to: bufio.NewWriterSize(out, 1<<15), names: map[string]string{}}
	l.enc = json.NewEncoder(l.to)
	l.enc.SetEscapeHTML(false)
	next := q.After
	err = store.Records(r.Context(), q.After+1, q.Since, func(record audit.Record) error {
		next = record.Sequence
		return l.record(record)
	})
	if err == nil {
		err = l.enc.Encode(End{&next})
	}
	if err == nil {
		err = l.to.Flush()
	}
	if err != nil && out.any {
		panic(http.ErrAbortHandler)
	}
	return err
}

// subOf is the sub of a user whom somebody names. Users who are gone are known by their sub alone.
func (a *api) subOf(ctx context.Context, user string) (string, error) {
	if user == "" {
		return "", nil
	}
	u, err := a.Store.UserByLogin(ctx, user)
	if errors.Is(err, storage.ErrNotFound) {
		return user, nil
	}
	return u.Sub, err
}

// lister writes the entries that are asked for.
type lister struct {
	*api
	ctx   context.Context
	query EntryQuery
	to    *bufio.Writer
	enc   *json.Encoder
	names map[string]string // by sub
}

func (l *lister) record(r audit.Record) error {
	return r.Each(func(e audit.Entry) error {
		if !l.query.matches(e) {
			return nil
		}
		return l.enc.Encode(LoggedEntry{r.Sequence, e, l.name(e.User)})
	})
}

func (q EntryQuery) matches(e audit.Entry) bool {
	pattern, _ := path.Match(q.Event, string(e.Event)) // it was tried before
	return (q.Since.IsZero() || !e.Time.Before(q.Since)) && (q.Until.IsZero() || e.Time.Before(q.Until)) &&
		(q.User == "" || q.User == e.User) && (q.Client == "" || q.Client == e.Client) && (q.Event == "" || pattern)
}

// manyNames bounds the names that are remembered.
const manyNames = 10_000

func (l *lister) name(sub string) string {
	if sub == "" {
		return ""
	}
	name, known := l.names[sub]
	if known {
		return name
	}
	if u, err := l.Store.User(l.ctx, sub); err == nil {
		name = u.Name
	}
	if len(l.names) < manyNames {
		l.names[sub] = name
	}
	return name
}

// Entries asks for entries and calls f with each, oldest first. It returns what After is to be for those that follow.
func (c *Caller) Entries(ctx context.Context, q EntryQuery, f func(LoggedEntry) error) (next uint64, err error) {
	answer, err := c.Stream(ctx, http.MethodPost, q, "audit", "entries")
	if err != nil {
		return q.After, err
	}
	defer answer.Close()
	dec := json.NewDecoder(answer)
	for {
		var line struct {
			LoggedEntry
			End
		}
		if err := dec.Decode(&line); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return q.After, err
		}
		if line.Next != nil {
			return *line.Next, nil
		}
		if err := f(line.LoggedEntry); err != nil {
			return q.After, err
		}
	}
}
