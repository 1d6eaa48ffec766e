package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrRefused is what we would not do or take: a URL, an address, an answer. Whoever owns the URL can mend it. Any other error of
// a [Client] is the network's or the other side's, and may be gone the next time.
var ErrRefused = errors.New("refused")

func refusef(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrRefused}, args...)...)
}

// Options say what may be fetched. The zero value of each is its default.
type Options struct {
	Allow    []netip.Prefix // addresses that are good though they are not public; http as well as https
	CA       *x509.CertPool // who may vouch for a server; nil: whom the system trusts
	Timeout  time.Duration  // of a fetch as a whole; 5 s
	MaxBytes int64          // of a body; 256 KiB
	AtOnce   int            // fetches under way; 64. Those beyond wait, within their time.
	Resolver *net.Resolver  // nil: the system's
	Log      *slog.Logger   // nil: nothing is logged
	// Watch is told of each fetch when it begins, with the host, and by what it returns when it ends; nil: nobody is.
	Watch func(ctx context.Context, host string) (end func(error))
}

// Client fetches and posts. Its methods may be called concurrently.
type Client struct {
	allow      []netip.Prefix
	timeout    time.Duration
	max        int64
	slots      chan struct{}
	log        *slog.Logger
	watch      func(ctx context.Context, host string) func(error)
	transports map[string]http.RoundTripper // by the URL's scheme
}

const (
	maxURL    = 2048
	maxHeader = 16 << 10
)

// New returns a Client.
func New(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 256 << 10
	}
	if o.AtOnce <= 0 {
		o.AtOnce = 64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Watch == nil {
		o.Watch = func(context.Context, string) func(error) { return func(error) {} }
	}
	c := &Client{allow: slices.Clone(o.Allow), watch: o.Watch, timeout: o.Timeout, max: o.MaxBytes, slots: make(chan struct{}, o.AtOnce), log: o.Log}
	c.transports = map[string]http.RoundTripper{
		"https": transport(o, func(addr netip.Addr) bool { return public(addr) || c.allowed(addr) }),
		"http":  transport(o, c.allowed),
	}
	return c
}

func (c *Client) allowed(addr netip.Addr) bool { return within(c.allow, addr) }

// transport connects to the addresses that are good. Connections are used once: fetches are rare, and the next one may be hours away. Its own
// times are needed beside the fetch's: a connection that is being made goes on when nobody waits for it any more, and a server that
// never shakes hands would hold it for ever.
func transport(o Options, good func(netip.Addr) bool) *http.Transport {
	dialer := &net.Dialer{
		Timeout:  o.Timeout,
		Resolver: o.Resolver,
		Control: func(_, address string, _ syscall.RawConn) error { // after DNS, before the first packet
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return refusef("%q is not an address", address)
			}
			if addr := at.Addr().Unmap(); !good(addr) {
				return refusef("%s is not a public address, and outgoing_allow does not name it for this scheme", addr)
			}
			return nil
		},
	}
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: o.CA, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    o.Timeout,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// Document is what was fetched.
type Document struct {
	Body []byte
	Type string // media type in lower case, without parameters: application/json
	// Fresh is how long its server lets us keep it (RFC 9111 section 5.2.2), 0 if it shall not be kept; negative: it does not say.
	Fresh time.Duration
}

// Get fetches a URL with status 200 and one of the media types accept; without accept, of any. Its fragment is not sent.
func (c *Client) Get(ctx context.Context, address string, accept ...string) (Document, error) {
	u, err := check(address)
	if err != nil {
		return Document{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	start, end := time.Now(), c.watch(ctx, u.Host)
	d, err := c.get(ctx, u, accept)
	end(err)
	if err != nil {
		err = fmt.Errorf("fetch from %s: %w", u.Host, err) // never the whole URL: its query may hold a secret
		c.log.Info("fetch failed", "host", u.Host, "error", err, "took", time.Since(start))
		return Document{}, err
	}
	c.log.Debug("fetched", "host", u.Host, "type", d.Type, "bytes", len(d.Body), "took", time.Since(start))
	return d, nil
}

// check says what can be said without a connection. Whether http is good depends on the address.
func check(address string) (*url.URL, error) {
	if len(address) > maxURL {
		return nil, refusef("the URL is longer than %d characters", maxURL)
	}
	u, err := url.Parse(address)
	switch {
	case err != nil: // not wrapped: it holds the URL
		return nil, refusef("this is not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, refusef("the URL is neither https nor http")
	case u.Opaque != "" || u.Hostname() == "":
		return nil, refusef("the URL has no host")
	case u.User != nil:
		return nil, refusef("the URL has a user name")
	}
	return u, nil
}

func (c *Client) get(ctx context.Context, u *url.URL, accept []string) (Document, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Document{}, refusef("this is not a URL")
	}
	if len(accept) > 0 {
		request.Header.Set("Accept", strings.Join(accept, ", "))
	}
	return send(c, request, func(response *http.Response) (Document, error) { return c.read(response, accept) })
}

// send sends a request when there is a slot, and returns what read makes of the answer.
func send[T any](c *Client, request *http.Request, read func(*http.Response) (T, error)) (none T, err error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-request.Context().Done():
		return none, request.Context().Err()
	}
	request.Header.Set("User-Agent", "signet")
	response, err := c.transports[request.URL.Scheme].RoundTrip(request) // no http.Client: no redirects, no cookies
	if err != nil {
		return none, err
	}
	defer response.Body.Close()
	return read(response)
}

func (c *Client) read(r *http.Response, accept []string) (Document, error) {
	d := Document{Fresh: fresh(r.Header)}
	var err error
	if d.Type, _, err = mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil {
		d.Type = ""
	}
	switch {
	case r.StatusCode >= 300 && r.StatusCode < 400:
		return Document{}, refusef("it answers with a redirect (%d), and those are not followed", r.StatusCode)
	case r.StatusCode != http.StatusOK:
		return Document{}, fmt.Errorf("it answers with the status %d", r.StatusCode)
	case r.Header.Get("Content-Encoding") != "" && !strings.EqualFold(r.Header.Get("Content-Encoding"), "identity"):
		return Document{}, refusef("it answers compressed, and was not asked to")
	case len(accept) > 0 && !slices.Contains(accept, d.Type):
		return Document{}, refusef("it answers with the type %.100q; what is taken here is %s", d.Type, strings.Join(accept, ", "))
	case r.ContentLength > c.max:
		return Document{}, c.tooLong()
	}
	if d.Body, err = io.ReadAll(io.LimitReader(r.Body, c.max+1)); err != nil {
		return Document{}, err
	}
	if int64(len(d.Body)) > c.max {
		return Document{}, c.tooLong()
	}
	return d, nil
}

func (c *Client) tooLong() error { return refusef("it answers with more than %d bytes", c.max) }

// fresh reads Cache-Control, and Expires where that says nothing (RFC 9111 sections 5.2.2 and 5.3).
func fresh(h http.Header) time.Duration {
	age := time.Duration(-1)
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			if seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				age = time.Duration(seconds) * time.Second
			}
		}
	}
	if age >= 0 {
		return age
	}
	expires, err := http.ParseTime(h.Get("Expires"))
	date, dateErr := http.ParseTime(h.Get("Date"))
	if err != nil || dateErr != nil {
		return -1
	}
	return max(expires.Sub(date), 0)
}
