// Package problem answers a person with an error page: what is wrong, who can mend it, and how. The page carries the trace id
// under which the log has the cause.
package problem

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
	"signet/web"
)

// Who can mend it.
const (
	You       = "You"
	Developer = "The app’s developer"
	Operator  = "This server’s operator"
)

// Problem is an error that a person is told of. No field holds anything that was sent.
type Problem struct {
	Status int      // HTTP status; 0 is 400
	Title  web.Text // a few words
	What   web.Text // a sentence
	Detail string   // what is wrong in the specifications' words, which are not translated
	Who    web.Text
	How    web.Text // a sentence
	Client web.App
	Cause  error // for the log alone

	RetryAfter time.Duration
}

// Error is for the log.
func (p *Problem) Error() string { return cmp.Or(p.Detail, string(p.What)) }

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Cause }

// Handler lets an endpoint for browsers return its error; this is the one place that answers it.
func Handler(pages *web.Pages, f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			Write(pages, w, r, err)
		}
	}
}

// Write answers err with a page, and notes it for the log.
func Write(pages *web.Pages, w http.ResponseWriter, r *http.Request, err error) {
	p := of(err)
	logged := &oauth.Error{Code: oauth.InvalidRequest, Description: p.Error(), Cause: p.Cause, RetryAfter: p.RetryAfter}
	if p.Status >= http.StatusInternalServerError {
		logged.Code = oauth.AsError(err).Code
	}
	oauth.Note(r, logged)
	logged.Headers(w)
	on := trail.Of(r.Context())
	page := web.Error{Title: p.Title, What: p.What, Detail: p.Detail, Who: p.Who, How: p.How, Client: p.Client, Trace: on.ID}
	pages.Write(w, p.Status, page, on.Languages...)
}

// of finds the words for any error.
func of(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		told := *p
		if told.Status == 0 {
			told.Status = http.StatusBadRequest
		}
		return &told
	}
	e := oauth.AsError(err)
	switch {
	case errors.Is(err, storage.ErrNoSpace):
		return &Problem{Status: http.StatusServiceUnavailable, Title: "No space left here", What: "This server cannot store anything at the moment.",
			Who: Operator, How: "The disk that holds its data is full. Nothing was lost; once there is room, trying again works.", Cause: err, RetryAfter: e.RetryAfter}
	case errors.Is(err, storage.ErrUnavailable):
		return &Problem{Status: http.StatusServiceUnavailable, Title: "Not available at the moment", What: "This server cannot reach its data right now.",
			Who: Operator, How: "Nothing was lost. Wait a moment, then try again.", Cause: err, RetryAfter: e.RetryAfter}
	case errors.Is(err, storage.ErrTooMany):
		return &Problem{Status: http.StatusServiceUnavailable, Title: "Too many sign-ins at once", What: "Too many sign-ins were begun from your network and not finished.",
			Who: You, How: "Finish one that is open, or try again in ten minutes.", Cause: err, RetryAfter: e.RetryAfter}
	case e.Status == http.StatusTooManyRequests:
		return &Problem{Status: e.Status, Title: "Too many requests", What: "Too many requests came from your network in a short time.",
			Who: You, How: "Wait a moment, then try again.", Cause: e.Cause, RetryAfter: e.RetryAfter}
	case e.Code == oauth.TemporarilyUnavailable:
		return &Problem{Status: http.StatusServiceUnavailable, Title: "Too busy at the moment", What: "This server cannot take the request right now.",
			Who: You, How: "Wait a moment, then try again.", Cause: err, RetryAfter: max(e.RetryAfter, time.Second)}
	case e.Code == oauth.ServerError:
		return &Problem{Status: http.StatusInternalServerError, Title: "Something failed here", What: "This server failed while it answered.",
			Who: Operator, How: "The log has the reason under the trace id below. Trying again may help.", Cause: err}
	}
	status := http.StatusBadRequest
	if e.Status != 0 {
		status = e.Status
	}
	p = &Problem{Status: status, Title: "This request is invalid", What: "The app sent a request that this server cannot answer.",
		Detail: e.Description, Who: Developer, How: "The log has more under the trace id below.", Cause: e.Cause}
	if p.Detail != "" {
		p.How = "The line above names the part of the request that is wrong."
	}
	return p
}
