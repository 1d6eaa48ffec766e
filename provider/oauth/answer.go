package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signet/provider/trail"
)

// Handler lets an endpoint that answers JSON return its error; this is the one place that answers it.
func Handler(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			WriteError(w, r, err)
		}
	}
}

// WriteJSON answers 200 with v. Everything that these endpoints say is for one client at one time: it is never cached
// (RFC 6749 section 5.1).
func WriteJSON(w http.ResponseWriter, v any) error { return WriteStatus(w, http.StatusOK, v) }

// WriteStatus is WriteJSON with another status.
func WriteStatus(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	write(w, status, contentType, body)
	return nil
}

// Write answers 200 with a body of this media type, as WriteJSON does.
func Write(w http.ResponseWriter, mediaType string, body []byte) {
	write(w, http.StatusOK, mediaType, body)
}

func write(w http.ResponseWriter, status int, mediaType string, body []byte) {
	noStore(w)
	h := w.Header()
	h["Content-Type"] = []string{mediaType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))} // otherwise net/http sends what is longer than 2 KiB in chunks
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that left needs no answer
}

// WriteError answers err as RFC 6749 section 5.2 wants it, and notes it for the log.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	e := AsError(err)
	Note(r, e)
	body, _ := json.Marshal(struct {
		Error       Code   `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{e.Code, e.Description})
	noStore(w)
	w.Header().Set("Content-Type", "application/json")
	e.Headers(w)
	w.WriteHeader(e.status())
	_, _ = w.Write(body)
}

// Headers sets what e says by header.
func (e *Error) Headers(w http.ResponseWriter) {
	if e.Challenge != "" {
		w.Header().Set("WWW-Authenticate", e.Challenge)
	}
	if e.RetryAfter > 0 {
		RetryAfter(w, e.RetryAfter)
	}
}

// RetryAfter says after how long to come again: RFC 9110 section 10.2.3, in whole seconds, rather too late than too early.
func RetryAfter(w http.ResponseWriter, after time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int((after+time.Second-1)/time.Second)))
}

// Note tells the log's line of this request that it was refused, and why.
func Note(r *http.Request, e *Error) {
	attrs := []slog.Attr{slog.String("error", string(e.Code))}
	if e.Description != "" {
		attrs = append(attrs, slog.String("reason", e.Description))
	}
	if e.Cause != nil {
		attrs = append(attrs, slog.String("cause", e.Cause.Error()))
	}
	t := trail.Of(r.Context())
	t.Note(attrs...)
	t.Outcome.Error = string(e.Code)
	switch {
	case e.Code == ServerError:
		t.Raise(slog.LevelError)
	case e.Code == TemporarilyUnavailable && e.Status != http.StatusTooManyRequests && !errors.Is(e, context.Canceled):
		t.Raise(slog.LevelWarn)
	}
}

// Unchanged reports whether who asks has what etag stands for already: If-None-Match names it. The comparison is the weak one: RFC 9110
// section 13.1.2.
func Unchanged(r *http.Request, etag string) bool {
	for _, line := range r.Header["If-None-Match"] {
		for tag := range strings.SplitSeq(line, ",") { // our tags hold no comma
			tag = strings.TrimSpace(tag)
			if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}

func noStore(w http.ResponseWriter) {
	h := w.Header()
	h["Cache-Control"] = cacheControl
	h["Pragma"] = pragma
}

const contentType = "application/json"

// Header values that are the same in every answer. net/http only reads them.
var (
	cacheControl = []string{"no-store"}
	pragma       = []string{"no-cache"}
)
