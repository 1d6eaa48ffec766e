package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"signet/storage"
)

// Code is an error code that a client's program reads.
type Code string

// The codes of RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect Core 3.1.2.6, RFC 6750 section 3.1 and RFC 8707 section 2.
const (
	InvalidRequest           Code = "invalid_request"
	InvalidClient            Code = "invalid_client"
	InvalidGrant             Code = "invalid_grant"
	InvalidScope             Code = "invalid_scope"
	InvalidTarget            Code = "invalid_target"
	InvalidToken             Code = "invalid_token"
	InsufficientScope        Code = "insufficient_scope"
	UnauthorizedClient       Code = "unauthorized_client"
	UnsupportedGrantType     Code = "unsupported_grant_type"
	UnsupportedResponseType  Code = "unsupported_response_type"
	AccessDenied             Code = "access_denied"
	InteractionRequired      Code = "interaction_required"
	LoginRequired            Code = "login_required"
	ConsentRequired          Code = "consent_required"
	UnmetAuthentication      Code = "unmet_authentication_requirements" // OpenID Connect Core Error Code of that name, section 2
	InvalidRequestObject     Code = "invalid_request_object"
	InvalidRequestURI        Code = "invalid_request_uri"
	RegistrationNotSupported Code = "registration_not_supported"
	ServerError              Code = "server_error"
	TemporarilyUnavailable   Code = "temporarily_unavailable"
	AuthorizationPending     Code = "authorization_pending" // RFC 8628 section 3.5, and the two below
	SlowDown                 Code = "slow_down"
	ExpiredToken             Code = "expired_token"
)

// Error is an error answer. It keeps three readers apart: the client's program, its developer, and the operator.
type Error struct {
	Code        Code
	Description string // for the client's developer: names the field; holds no user, no secret and nothing that was sent
	Cause       error  // for the operator's log; never leaves the server

	Status     int           // HTTP status where the error is a JSON answer; 0: the one that belongs to the code
	Challenge  string        // WWW-Authenticate, where the status is 401 or RFC 6750 wants one
	RetryAfter time.Duration // 0: not said
}

// Errorf returns an Error with a description made like fmt.Sprintf. The arguments must not come from the request: a description
// is limited to the characters of RFC 6749 section 5.2, and an echo helps nobody but an attacker.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Description: fmt.Sprintf(format, args...)}
}

// Because returns e with a cause for the log.
func (e *Error) Because(cause error) *Error {
	e.Cause = cause
	return e
}

// Error is for the log.
func (e *Error) Error() string {
	text := string(e.Code)
	if e.Description != "" {
		text += ": " + e.Description
	}
	if e.Cause != nil {
		text += " (" + e.Cause.Error() + ")"
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// AsError is the one mapping from what went wrong inside to what is said outside. What nobody foresaw is server_error, so that
// nothing leaks by being forgotten.
func AsError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, storage.ErrTooMany):
		return &Error{Code: TemporarilyUnavailable, Description: "too many sign-ins from this network are open, try again later", Cause: err, RetryAfter: time.Minute}
	case errors.Is(err, storage.ErrBusy):
		return &Error{Code: TemporarilyUnavailable, Description: "the server is busy, try again", Cause: err, RetryAfter: time.Second}
	case errors.Is(err, context.Canceled): // who asked has left and will not read this
		return &Error{Code: TemporarilyUnavailable, Description: "the request was given up", Cause: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: TemporarilyUnavailable, Description: "the server took too long, try again", Cause: err, RetryAfter: time.Second}
	case errors.Is(err, storage.ErrNoSpace):
		return &Error{Code: TemporarilyUnavailable, Description: "the server cannot store anything now, try again later", Cause: err, RetryAfter: 30 * time.Second}
	case errors.Is(err, storage.ErrUnavailable): // seldom for long: a database starts again, or another takes over
		return &Error{Code: TemporarilyUnavailable, Description: "the server cannot reach its data now, try again", Cause: err, RetryAfter: 2 * time.Second}
	}
	return &Error{Code: ServerError, Description: "the server failed; its log has the reason under this answer's trace id", Cause: err}
}

// status is the HTTP status of a JSON error answer: RFC 6749 section 5.2, RFC 6750 section 3.1.
func (e *Error) status() int {
	if e.Status != 0 {
		return e.Status
	}
	switch e.Code {
	case InvalidClient, InvalidToken:
		return http.StatusUnauthorized
	case InsufficientScope:
		return http.StatusForbidden
	case ServerError:
		return http.StatusInternalServerError
	case TemporarilyUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}
