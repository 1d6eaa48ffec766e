package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Caller calls the API, over the socket or in process.
type Caller struct{ http http.Client }

// OverSocket returns the caller of the server that runs in the data folder.
func OverSocket(dir string) *Caller {
	return &Caller{http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return Dial(ctx, dir) },
			DisableKeepAlives: true,
		},
	}}
}

// InProcess returns a caller of the handler itself; this process's user acts.
func InProcess(h http.Handler) *Caller { return &Caller{http.Client{Transport: inProcess{h}}} }

// Do sends in, if it is not nil, to the path of these segments and reads the answer into out, if that is not nil. A refusal is an
// *Error.
func (c *Caller) Do(ctx context.Context, method string, in, out any, segments ...string) error {
	resp, err := c.send(ctx, method, in, segments)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return readAnswer(resp, out)
}

func (c *Caller) send(ctx context.Context, method string, in any, segments []string) (*http.Response, error) {
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://signet/"+strings.Join(segments, "/"), body)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the server was reached, but did not answer: %w", err)
	}
	return resp, nil
}

func readAnswer(resp *http.Response, out any) error {
	dec := json.NewDecoder(resp.Body)
	if resp.StatusCode/100 != 2 {
		e := &Error{Status: resp.StatusCode}
		if err := dec.Decode(e); err != nil || len(e.Problems) == 0 {
			return refuse(resp.StatusCode, "the server answered %s", resp.Status)
		}
		return e
	}
	if out == nil {
		return nil
	}
	if err := dec.Decode(out); err != nil {
		return fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	return nil
}

// inProcess carries a request to a handler without a network between them.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	r := req.Clone(WithUID(req.Context(), os.Getuid()))
	if r.Body == nil {
		r.Body = http.NoBody
	}
	body, pipe := io.Pipe()
	rec := &recorder{header: http.Header{}, begun: make(chan struct{}), status: http.StatusOK, body: pipe}
	go func() {
		defer func() {
			p := recover()
			rec.WriteHeader(http.StatusOK)
			if p != nil { // http.ErrAbortHandler, or a fault of ours: cut off
				pipe.CloseWithError(io.ErrUnexpectedEOF)
				return
			}
			pipe.Close()
		}()
		defer r.Body.Close()
		t.handler.ServeHTTP(rec, r)
	}()
	<-rec.begun
	return &http.Response{
		StatusCode: rec.status, Status: fmt.Sprintf("%d %s", rec.status, http.StatusText(rec.status)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: rec.header, Body: body, ContentLength: -1, Request: req,
	}, nil
}

// recorder passes an answer on as it is written.
type recorder struct {
	header http.Header
	begun  chan struct{} // closed once the status is known
	status int
	wrote  bool
	body   *io.PipeWriter
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
		close(r.begun)
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}
