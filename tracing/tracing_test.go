package tracing_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"signet/fetch"
	"signet/provider/providertest"
	"signet/storage"
	"signet/tracing"
)

// receiver is an OTLP receiver that keeps what it gets.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	spans   []*tracepb.Span
	text    string // all that was sent, as JSON
	headers http.Header
	status  int
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		body, _ := io.ReadAll(q.Body)
		var data tracepb.TracesData // on the wire the same as ExportTraceServiceRequest
		if q.URL.Path != "/v1/traces" || q.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &data) != nil {
			t.Errorf("not OTLP: %s %v", q.URL, q.Header)
		}
		r.headers = q.Header
		text, _ := protojson.Marshal(&data)
		r.text += string(text)
		for _, rs := range data.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				r.spans = append(r.spans, ss.Spans...)
			}
		}
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func newTracer(t *testing.T, r *receiver, change ...func(*tracing.Options)) *tracing.Tracer {
	t.Helper()
	o := tracing.Options{Endpoint: r.URL + "/v1/traces", Sample: 1, Version: "1.2.3", Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&o)
	}
	tracer, err := tracing.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

// traced is a provider that is traced by tracer.
func traced(t *testing.T, tracer *tracing.Tracer, change ...func(*providertest.Config)) *providertest.Server {
	t.Helper()
	return providertest.New(t, append(change, func(c *providertest.Config) {
		c.Tracer = tracer
		before := c.Wrap
		c.Wrap = func(s storage.Store) storage.Store {
			if before != nil {
				s = before(s)
			}
			return tracer.Acts(s)
		}
	})...)
}

func (r *receiver) close(t *testing.T, tracer *tracing.Tracer) []*tracepb.Span {
	t.Helper()
	if err := tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spans
}

// of are the spans of a trace: name, and the name of the one that it is within.
func of(spans []*tracepb.Span, trace string) map[string]string {
	names, within := map[string]string{}, map[string]string{}
	for _, s := range spans {
		names[string(s.SpanId)] = s.Name
	}
	for _, s := range spans {
		if hex.EncodeToString(s.TraceId) == trace {
			within[s.Name] = names[string(s.ParentSpanId)]
		}
	}
	return within
}

// A request is one trace, under the id of its answer and its line of log, with what it made happen within it. What is sent holds nobody
// and nothing secret.
func TestSpans(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	tracer := newTracer(t, r, func(o *tracing.Options) { o.Headers = "x-key=a%20secret, x-other=1" })
	var log providertest.Log
	s := traced(t, tracer, func(c *providertest.Config) { c.Log = log.Logger() })
	user := s.User("alice")
	c, secret := s.Client("web", "My app")
	code := s.Browser("alice").Code(c, "scope", "openid offline_access")
	tokens := s.Redeem(c, secret, code)
	s.Redeem(c, secret, code)
	id := tokens.Header.Get("Trace-Id")
	spans := r.close(t, tracer)

	got := of(spans, id)
	for name, within := range map[string]string{"POST /token": "", "storage Client": "POST /token", "storage RedeemCode": "POST /token", "sign": "POST /token"} {
		if w, ok := got[name]; !ok || w != within {
			t.Errorf("%q is within %q (%t); want %q", name, w, ok, within)
		}
	}
	if !strings.Contains(log.String(), `"trace":"`+id+`"`) {
		t.Error("the log has another trace")
	}
	if r.headers.Get("X-Key") != "a secret" || r.headers.Get("X-Other") != "1" {
		t.Errorf("headers %v", r.headers)
	}
	for _, word := range []string{`"signet.refusal"`, "used already", "RS256", "1.2.3", "http.response.status_code"} {
		if !strings.Contains(r.text, word) {
			t.Errorf("%s is not told", word)
		}
	}
	for name, value := range map[string]string{"user": "alice", "sub": user.Sub, "client": c.ID, "secret": secret, "code": code, "token": tokens.Text("access_token"),
		"refresh token": tokens.Text("refresh_token"), "password": providertest.Password, "address": "127.0.0.1", "redirect URI": "app.example"} {
		if strings.Contains(r.text, value) {
			t.Errorf("the %s is told", name)
		}
	}
}

// W3C Trace Context: taken up from whom we trust, and from nobody else.
func TestTraceparent(t *testing.T) {
	t.Parallel()
	const theirs = "4bf92f3577b34da6a3ce929d0e0e4736"
	for name, row := range map[string]struct {
		trusted []string
		flags   string
		taken   bool
		sent    bool
	}{
		"a trusted proxy":              {[]string{"127.0.0.0/8"}, "01", true, true},
		"a trusted proxy, not sampled": {[]string{"127.0.0.0/8"}, "00", true, false},
		"another trusted proxy":        {[]string{"10.0.0.0/8"}, "01", false, true},
		"nobody is trusted":            {nil, "01", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			tracer := newTracer(t, r)
			s := traced(t, tracer, func(c *providertest.Config) { c.TrustedProxies = row.trusted })
			q := s.Request(http.MethodGet, "/jwks", nil)
			q.Header.Set("traceparent", "00-"+theirs+"-00f067aa0ba902b7-"+row.flags)
			id := s.Do(q).Header.Get("Trace-Id")
			if (id == theirs) != row.taken || len(id) != 32 {
				t.Errorf("the trace is %s", id)
			}
			if got := len(of(r.close(t, tracer), id)) > 0; got != row.sent {
				t.Errorf("sent: %t", got)
			}
		})
	}
}

// The share of traces: none, and still each answer has an id.
func TestSample(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	tracer := newTracer(t, r, func(o *tracing.Options) { o.Sample = 0 })
	s := traced(t, tracer)
	if a, b := s.Get("/jwks", "").Header.Get("Trace-Id"), s.Get("/jwks", "").Header.Get("Trace-Id"); len(a) != 32 || a == b {
		t.Errorf("%s, %s", a, b)
	}
	if spans := r.close(t, tracer); len(spans) != 0 {
		t.Errorf("%d spans", len(spans))
	}
}

// A fault of the store is one, a refusal is none, and neither's text is sent.
func TestFaults(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	tracer := newTracer(t, r)
	faulty := &providertest.Faulty{}
	s := traced(t, tracer, func(c *providertest.Config) { c.Wrap = faulty.Wrap })
	c, secret := s.Client("web", "My app")
	s.User("alice")
	code := s.Browser("alice").Code(c)
	faulty.Fail(errors.New("a secret of the store"))
	a := s.Redeem(c, secret, code)
	faulty.Fail(nil)
	s.Redeem(c, secret, code)
	s.Redeem(c, secret, code) // twice
	failed := map[string]bool{}
	for _, span := range r.close(t, tracer) {
		if span.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
			failed[span.Name+" "+hex.EncodeToString(span.TraceId)] = true
		}
	}
	id := a.Header.Get("Trace-Id")
	if len(failed) != 2 || !failed["POST /token "+id] || !failed["storage RedeemCode "+id] || strings.Contains(r.text, "a secret") {
		t.Errorf("%v: %s", failed, r.text)
	}
}

// A fetch within a request is its span; one outside of any is none.
func TestFetching(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	tracer := newTracer(t, r)
	out := fetch.New(fetch.Options{Watch: tracer.Fetching})
	q, id, end := tracer.Begin(httptest.NewRequest(http.MethodGet, "/", nil), false)
	if _, err := out.Get(q.Context(), "https://127.0.0.1:1/path?secret=1"); err == nil {
		t.Fatal("it was fetched")
	}
	end("/token", 200)
	_, _ = out.Get(t.Context(), "https://127.0.0.1:2/")
	got := of(r.close(t, tracer), id)
	if got["fetch"] != "GET /token" || len(got) != 2 || strings.Contains(r.text, "secret") || !strings.Contains(r.text, "127.0.0.1:1") || strings.Contains(r.text, "127.0.0.1:2") {
		t.Errorf("%v: %s", got, r.text)
	}
}

// A receiver that is away, or does not take them, costs traces and one line of log.
func TestReceiverAway(t *testing.T) {
	var log bytes.Buffer
	r := newReceiver(t)
	r.status = http.StatusForbidden
	tracer := newTracer(t, r, func(o *tracing.Options) { o.Headers, o.Log = "x-key=secret", slog.New(slog.NewJSONHandler(&log, nil)) })
	s := traced(t, tracer)
	for range 3 {
		if a := s.Get("/jwks", ""); a.Status != http.StatusOK {
			t.Errorf("%d", a.Status)
		}
	}
	err := tracer.Close(t.Context())
	text := log.String()
	if err != nil {
		text += err.Error()
	}
	if !strings.Contains(text, "403") || strings.Contains(text, "secret") || strings.Count(log.String(), "\n") > 1 {
		t.Errorf("%v; %s", err, log.String())
	}
	var line map[string]any
	if log.Len() > 0 && json.Unmarshal(log.Bytes(), &line) != nil {
		t.Errorf("%s", log.String())
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"s3cret", "=s3cret", "x=%zzs3cret", "a=b, s3cret"} {
		_, err := tracing.New(t.Context(), tracing.Options{Endpoint: "http://localhost/v1/traces", Headers: bad, Log: slog.New(slog.DiscardHandler)})
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
