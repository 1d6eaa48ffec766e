package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// sender sends spans by OTLP over http, in protobuf (OTLP 1.x, "Binary Protobuf Encoding"). OpenTelemetry's own, otlptracehttp, would do
// as well, but it brings all of gRPC along for one message type: 3 MiB of binary, and 1 MiB of memory of servers that trace nothing.
// What would be sent again there is lost here; the next spans tell the same story.
type sender struct {
	endpoint string
	headers  http.Header
	client   http.Client
}

var _ otlptrace.Client = (*sender)(nil)

// Start is part of the interface; a connection is made when there is something to send.
func (*sender) Start(context.Context) error { return nil }

// Stop lets go of the connection.
func (s *sender) Stop(context.Context) error {
	s.client.CloseIdleConnections()
	return nil
}

// UploadTraces sends spans. The request message has one member, as TracesData has, with the same number: on the wire they are one.
func (s *sender) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = s.headers.Clone()
	request.Header.Set("Content-Type", "application/x-protobuf")
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection is used again
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers with the status %d", request.URL.Host, response.StatusCode)
	}
	return nil
}

func newSender(endpoint, headers string) (*sender, error) {
	h, err := parseHeaders(headers)
	if err != nil {
		return nil, err
	}
	return &sender{endpoint: endpoint, headers: h, client: http.Client{
		Timeout:   sendTimeout,
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("it answers with a redirect, and those are not followed")
		},
	}}, nil
}

// parseHeaders reads what OTEL_EXPORTER_OTLP_HEADERS says: name=value, separated by commas, the value with URL escapes (OpenTelemetry's
// "Specifying headers via environment variables"). Its error repeats nothing: they are secrets.
func parseHeaders(s string) (http.Header, error) {
	all := http.Header{}
	for pair := range strings.SplitSeq(s, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		value, err := url.PathUnescape(value)
		if !found || name == "" || err != nil {
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS is not name=value, with commas between several")
		}
		all.Add(name, value)
	}
	return all, nil
}
