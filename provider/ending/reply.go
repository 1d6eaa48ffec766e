package ending

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"signet/fetch"
)

// judge says what a client's answer means: Back-Channel Logout 2.8. 200 is yes, and so is 204, which frameworks make of it. A refusal is for good, since
// the same token would be refused again; a server in trouble, or one that asks for patience, is asked again.
func judge(r fetch.Reply) Outcome {
	said := fmt.Sprintf("its server answers %d", r.Status)
	switch {
	case r.Status == http.StatusOK, r.Status == http.StatusNoContent:
		return delivered()
	case r.Status == http.StatusRequestTimeout, r.Status == http.StatusTooManyRequests, r.Status >= 500:
		o := again(said + reason(r))
		o.After = retryAfter(r.RetryAfter)
		return o
	case r.Status >= 300 && r.Status < 400:
		return failed(said + ", a redirect, and those are not followed")
	case r.Status < 300:
		return failed(said + ", which is neither 200 nor 204")
	}
	return failed(said + reason(r))
}

// maxReason is how much of a client's own words is kept, in characters.
const maxReason = 80

// reason is the error that the client names, cleaned: section 2.8, "a JSON object [...] error". It comes from outside, and is shown to people.
func reason(r fetch.Reply) string {
	var body struct {
		Error string `json:"error"`
	}
	if r.Type != "application/json" || json.Unmarshal(r.Body, &body) != nil {
		return ""
	}
	clean := strings.Map(func(c rune) rune {
		if c == unicode.ReplacementChar || !unicode.IsPrint(c) { // controls, and what turns the direction of text
			return -1
		}
		return c
	}, body.Error)
	if clean = strings.TrimSpace(clean); clean == "" {
		return ""
	}
	if runes := []rune(clean); len(runes) > maxReason {
		clean = string(runes[:maxReason]) + "…"
	}
	return ": " + clean
}

// retryAfter reads the header in seconds; dates are for those who keep clocks alike. RFC 9110 section 10.2.3.
func retryAfter(value string) time.Duration {
	seconds, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, patience)
}

// unanswered says in a few words why there was no answer. What the error itself says is in the log: it may name addresses that are nobody's
// business but the operator's.
func unanswered(err error) Outcome {
	var (
		name      *net.DNSError
		unknown   x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		handshake *tls.CertificateVerificationError
		network   net.Error
	)
	problem := "its server cannot be reached"
	switch {
	case errors.Is(err, fetch.ErrRefused):
		return failed("its backchannel_logout_uri leads where this server does not go")
	case errors.As(err, &name):
		problem = "the name of its server cannot be found"
	case errors.As(err, &handshake), errors.As(err, &unknown), errors.As(err, &hostname), errors.As(err, &invalid):
		problem = "the certificate of its server is not trusted"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		problem = "its server does not answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		problem = "its server refuses the connection"
	}
	o := again(problem)
	o.Silent = true
	return o
}
