package mail

import (
	"context"
	"errors"
	"net"
	"net/textproto"
	"os"
	"strconv"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// Error is why a message was not sent. Its text names nobody and can be logged.
type Error struct {
	Problem string // in words
	Code    string // of the server, with the one of RFC 3463 where it has one: "550 5.1.1"; "" if it is not the server who refuses
	err     error
}

func (e *Error) Error() string {
	if e.Code == "" {
		return e.Problem
	}
	return e.Problem + " (" + e.Code + ")"
}

// Answer is all that was said about it. It may repeat addresses, so it is for whoever asked for the message.
func (e *Error) Answer() string {
	if e.err == nil {
		return e.Error()
	}
	return e.err.Error()
}

func explain(ctx context.Context, err error, w *way) *Error {
	var sending *gomail.SendError
	var refusal *textproto.Error
	var network net.Error
	e := &Error{err: err}
	if errors.As(err, &sending) && sending.ErrorCode() != 0 {
		e.Code = strings.TrimSpace(strconv.Itoa(sending.ErrorCode()) + " " + sending.EnhancedStatusCode())
	} else if errors.As(err, &refusal) {
		e.Code = strconv.Itoa(refusal.Code)
	}
	switch late := errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &network) && network.Timeout() || ctx.Err() != nil; {
	case e.Code != "" && sending != nil:
		e.Problem = refused(sending.Reason)
	case e.Code != "" && w.asking:
		e.Problem = "the server does not take the user and the password"
	case e.Code != "":
		e.Problem = "the server refuses to talk to us"
	case late && ctx.Err() != context.Canceled:
		e.Problem = "the server did not answer in time"
	case sending != nil || w.asking:
		e.Problem = "the connection ended before the message was taken"
	case w.conn == nil:
		e.Problem = "the server cannot be reached: " + cause(err)
	default: // nothing was said about anybody yet
		e.Problem = "the server cannot be used: " + cause(err)
	}
	return e
}

func refused(at gomail.SendErrReason) string {
	switch at {
	case gomail.ErrSMTPMailFrom:
		return "the server refuses the sender"
	case gomail.ErrSMTPRcptTo:
		return "the server refuses the recipient"
	}
	return "the server refuses the message"
}

// cause is an error without what the library puts before it, and no longer than a line.
func cause(err error) string {
	const most = 200
	text := strings.TrimPrefix(err.Error(), "dial failed: ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
