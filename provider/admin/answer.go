package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"signet/fields"
	"signet/keys"
	"signet/storage"
)

// Error is a refusal: what is wrong, for the operator to read. Its JSON is the body of every answer that is not 2xx.
type Error struct {
	Status   int       `json:"-"`
	Problems []Problem `json:"problems"`
}

// Problem is one thing that is wrong.
type Problem struct {
	Field string `json:"field,omitempty"` // as in the tables of packages clients and users; "": none in particular
	Text  string `json:"problem"`
}

func (p Problem) String() string {
	if p.Field == "" {
		return p.Text
	}
	return p.Field + ": " + p.Text
}

// Error has one line for each problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func refuse(status int, format string, args ...any) *Error {
	return &Error{status, []Problem{{Text: fmt.Sprintf(format, args...)}}}
}

// refusal is the one place that turns an error of a room into an answer.
func refusal(err error) *Error {
	var e *Error
	var young *keys.YoungError
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &young):
		return refuse(http.StatusConflict, "%v", err)
	case errors.Is(err, keys.ErrAlg):
		return refuse(http.StatusUnprocessableEntity, "%v", err)
	case errors.Is(err, storage.ErrConflict):
		return refuse(http.StatusConflict, "it is being changed by others all the time; try again")
	case errors.Is(err, storage.ErrBusy):
		return refuse(http.StatusServiceUnavailable, "the store is busy; try again in a moment")
	case errors.Is(err, storage.ErrUnavailable):
		return refuse(http.StatusServiceUnavailable, "%v", err)
	case errors.Is(err, storage.ErrNoSpace):
		return refuse(http.StatusInsufficientStorage, "no space is left for the store, and nothing was changed; make room on its disk and try again")
	}
	if problems := fieldProblems(err); len(problems) > 0 {
		return &Error{http.StatusUnprocessableEntity, problems}
	}
	return refuse(http.StatusInternalServerError, "%v", err)
}

// fieldProblems finds all faults of a record in what the rules returned.
func fieldProblems(err error) []Problem {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []Problem
		for _, e := range joined.Unwrap() {
			all = append(all, fieldProblems(e)...)
		}
		return all
	}
	if f, ok := errors.AsType[*fields.Error](err); ok {
		return []Problem{{f.Field, f.Problem}}
	}
	return nil
}

func answer(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			e := refusal(err)
			writeStatus(w, e.Status, e)
		}
	}
}

func write(w http.ResponseWriter, v any) error { return writeStatus(w, http.StatusOK, v) }

func writeStatus(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, err = w.Write(body)
	if err != nil {
		return nil // the other end has gone: nobody is left to tell
	}
	return nil
}

// read decodes the body, which must be one JSON value without names that we do not know.
func read(r *http.Request, v any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return refuse(http.StatusBadRequest, "the request is not what this server understands (%v); are signet and the server of one version?", err)
	}
	return nil
}

// param is a segment of the path, with its escapes undone.
func param(r *http.Request, name string) string {
	v := chi.URLParam(r, name)
	if r.URL.RawPath == "" {
		return v
	}
	plain, err := url.PathUnescape(v)
	if err != nil {
		return v
	}
	return plain
}

// maxBody is more than any client or user has.
const maxBody = 1 << 20

func limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// onlyKnown refuses whoever the kernel did not name. Nobody comes that way unless the handler is mounted where it must not be.
func onlyKnown(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if actor(r.Context()) == "" {
			writeStatus(w, http.StatusForbidden, refuse(http.StatusForbidden, "only the owner of the data folder may do this; become that user"))
			return
		}
		next.ServeHTTP(w, r)
	})
}
