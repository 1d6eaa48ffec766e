// Package tracing follows requests through what they make happen and sends that to an OpenTelemetry receiver, as OTLP over http.
//
// It is the only room that knows OpenTelemetry, and it is joined in only where the configuration names a receiver: otherwise nobody asks it
// for anything. A request has a span; within it each act of the store, each signature and each document that is fetched. The trace id is
// the one of the log, of the audit log, of the error pages and of the answer's Trace-Id header.
//
// Spans say what was done and how it ended, in words of ours: routes as patterns, acts, algorithms, the host of an app's server. No user,
// no client, no address, nothing that was sent.
package tracing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"signet/storage"
)

// Options say where traces go. All but Headers are needed.
type Options struct {
	Endpoint string  // URL at which a receiver takes OTLP over http
	Sample   float64 // the share of requests that are traced, from 0 to 1; what a trusted proxy has decided stays so
	Headers  string  // what the receiver wants to be told, as OTEL_EXPORTER_OTLP_HEADERS says it; a secret
	Version  string
	Log      *slog.Logger
}

// Tracer makes spans. Close sends the last ones.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	parent   propagation.TraceContext
}

// New returns a Tracer. It connects when there is something to send: a receiver that is away costs traces, and nothing else.
func New(ctx context.Context, o Options) (*Tracer, error) {
	sender, err := newSender(o.Endpoint, o.Headers)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	exporter, err := otlptrace.New(ctx, sender)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	otel.SetErrorHandler(&complaints{log: o.Log})
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(exporter), sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(o.Sample))),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", "signet"), attribute.String("service.version", o.Version))),
	)
	return &Tracer{provider: provider, tracer: provider.Tracer("signet")}, nil
}

const sendTimeout = 5 * time.Second

// Close sends what was not sent yet.
func (t *Tracer) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("tracing: the last traces were not sent: %w", err)
	}
	return nil
}

// Begin begins the span of a request: see [signet/provider.Tracer]. A traceparent of somebody whom nobody vouches for would let him
// choose what is traced and under which id.
func (t *Tracer) Begin(r *http.Request, vouched bool) (*http.Request, string, func(route string, status int)) {
	ctx := r.Context()
	if vouched {
		ctx = t.parent.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	method := cmp.Or(methods[r.Method], "other")
	ctx, span := t.tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindServer))
	end := func(route string, status int) {
		defer span.End()
		if !span.IsRecording() {
			return
		}
		span.SetName(method + " " + route)
		span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", route), attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	}
	return r.WithContext(ctx), span.SpanContext().TraceID().String(), end
}

// methods are those that are told; whoever asks can make up others.
var methods = func() map[string]string {
	all := map[string]string{}
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		all[m] = m
	}
	return all
}()

// Signing begins the span of a signature.
func (t *Tracer) Signing(ctx context.Context, alg string) func() {
	_, span := t.within(ctx, "sign", trace.WithAttributes(attribute.String("signet.alg", alg)))
	return func() { span.End() }
}

// Fetching is for [signet/fetch.Options].
func (t *Tracer) Fetching(ctx context.Context, host string) func(error) {
	_, span := t.within(ctx, "fetch", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.String("server.address", host)))
	return func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "") // the reason may hold what the other side sent; the log has it
		}
		span.End()
	}
}

// act begins the span of an act of the store.
func (t *Tracer) act(ctx context.Context, name string) (context.Context, func(*error)) {
	ctx, span := t.within(ctx, "storage "+name)
	return ctx, func(err *error) {
		if *err != nil && span.IsRecording() {
			if word := refusal(*err); word != "" {
				span.SetAttributes(attribute.String("signet.refusal", word))
			} else {
				span.SetStatus(codes.Error, "")
			}
		}
		span.End()
	}
}

// within begins a span inside the one of ctx; without one there is nothing to be inside of, and nothing is recorded.
func (t *Tracer) within(ctx context.Context, name string, o ...trace.SpanStartOption) (context.Context, trace.Span) {
	if outer := trace.SpanFromContext(ctx); !outer.IsRecording() {
		return ctx, trace.SpanFromContext(context.Background())
	}
	return t.tracer.Start(ctx, name, o...)
}

// refusals are the answers of the store that are no faults.
var refusals = []error{
	storage.ErrNotFound, storage.ErrExists, storage.ErrConflict, storage.ErrSpent, storage.ErrExpired, storage.ErrEnded, storage.ErrOtherClient,
	storage.ErrRedirectURI, storage.ErrVerifier, storage.ErrScope, storage.ErrReused, storage.ErrAhead, storage.ErrTooMany,
}

// refusal is the word for a refusal; "" for a fault. The whole text of an error may hold what was sent.
func refusal(err error) string {
	for _, known := range refusals {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return ""
}

// complaints logs that traces cannot be sent, once in ten minutes.
type complaints struct {
	log *slog.Logger

	mu   sync.Mutex
	last time.Time
}

func (c *complaints) Handle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); c.last.IsZero() || now.Sub(c.last) > 10*time.Minute {
		c.last = now
		c.log.Warn("traces are lost: the receiver of tracing.endpoint does not take them", "error", err)
	}
}
