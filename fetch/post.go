package fetch

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Reply is what was answered to a form.
type Reply struct {
	Status     int
	Type       string // media type in lower case, without parameters
	Body       []byte // the beginning of it, where the status is a refusal: 400 and above
	RetryAfter string // the header (RFC 9110 section 10.2.3)
}

// maxReply is how much of a reply's body is read, in bytes.
const maxReply = 4 << 10

// Post sends a form to a URL, by the rules of [Client.Get], and returns the answer, whatever its status. A redirect is not followed: it is
// an answer. The time holds for the whole of it, but an answer whose status is good is one without its body too.
func (c *Client) Post(ctx context.Context, address string, form url.Values) (Reply, error) {
	u, err := check(address)
	if err != nil {
		return Reply{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	start := time.Now()
	reply, err := c.post(ctx, u, form)
	if err != nil {
		err = fmt.Errorf("post to %s: %w", u.Host, err)
		c.log.Info("post failed", "host", u.Host, "error", err, "took", time.Since(start))
		return Reply{}, err
	}
	c.log.Debug("posted", "host", u.Host, "status", reply.Status, "took", time.Since(start))
	return reply, nil
}

func (c *Client) post(ctx context.Context, u *url.URL, form url.Values) (Reply, error) {
	sent := *u
	sent.Fragment, sent.RawFragment = "", ""
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, sent.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return Reply{}, refusef("this is not a URL")
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	return send(c, request, func(response *http.Response) (Reply, error) {
		mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
		reply := Reply{Status: response.StatusCode, Type: mediaType, RetryAfter: response.Header.Get("Retry-After")}
		if reply.Status >= http.StatusBadRequest {
			reply.Body, _ = io.ReadAll(io.LimitReader(response.Body, maxReply)) // what is there of it
		}
		return reply, nil
	})
}
