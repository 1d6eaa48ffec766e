package metrics

import (
	"cmp"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/provider/authorize"
	"signet/provider/interaction"
	"signet/provider/oauth"
	"signet/provider/trail"
)

// buckets are few: they are kept for each route. A page is slow by a tenth of a second (its password hash), a token by a hundredth.
var buckets = []float64{0.002, 0.01, 0.05, 0.25, 1, 5}

// requests counts answers. On the way of a request nothing is looked up by label: each series is found by the words that it is of, in a
// map that only grows.
type requests struct {
	base     string
	answers  *prometheus.CounterVec
	duration *prometheus.HistogramVec
	tokens   *prometheus.CounterVec
	grants   *prometheus.CounterVec
	replays  *prometheus.CounterVec
	outcomes map[step]counted

	routes grown[string, *route]
	issued grown[string, issued] // by grant
	asked  grown[result, prometheus.Counter]
	twice  grown[string, prometheus.Counter]
}

// step is what a request does, by route and method.
type step struct{ route, method string }

// counted is a step whose outcomes have a metric of their own.
type counted struct {
	vec     *prometheus.CounterVec
	settled string // what an outcome without a word is called
}

type (
	issued  struct{ access, id, refresh prometheus.Counter }
	result  struct{ grant, result string }
	outcome struct{ method, result string }
)

func newRequests(base string, into prometheus.Registerer) *requests {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(opts(name, help), labels)
		into.MustRegister(v)
		return v
	}
	q := &requests{
		base:    base,
		answers: vec("http_requests_total", "Requests by route, method and class of the status", "route", "method", "status"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "http_request_duration_seconds", Help: "How long answers took, by route", Buckets: buckets,
		}, []string{"route"}),
		tokens:  vec("tokens_issued_total", "Tokens by grant and kind: access, id, refresh", "grant", "kind"),
		grants:  vec("token_requests_total", "Requests at the token endpoint by grant and result: ok or the error code", "grant", "result"),
		replays: vec("replays_total", "Codes and refresh tokens that came twice and ended their family", "kind"),
	}
	into.MustRegister(q.duration)
	authorizations := counted{vec("authorizations_total", "Steps of authorization requests by result: issued, asked (a page) or the error code", "result"), "asked"}
	signIns := counted{vec("signins_total", "Sign-ins by result: ok, credentials, throttled or the error code", "result"), "ok"}
	registrations := counted{vec("registrations_total", "Clients that registered themselves, by result: ok or the error code", "result"), "ok"}
	introspections := counted{vec("introspections_total", "Introspections by result: ok (active), inactive or the error code", "result"), "ok"}
	revocations := counted{vec("revocations_total", "Revocations by result: ok or the error code", "result"), "ok"}
	q.outcomes = map[step]counted{
		{oauth.AuthorizePath, http.MethodGet}:       authorizations,
		{oauth.AuthorizePath, http.MethodPost}:      authorizations,
		{authorize.PostedPath, http.MethodGet}:      authorizations,
		{interaction.ContinuePath, http.MethodGet}:  authorizations,
		{interaction.ContinuePath, http.MethodPost}: authorizations,
		{interaction.SignInPath, http.MethodPost}:   signIns,
		{oauth.RegisterPath, http.MethodPost}:       registrations,
		{oauth.IntrospectPath, http.MethodPost}:     introspections,
		{oauth.RevokePath, http.MethodPost}:         revocations,
	}
	for _, kind := range []string{"code", "refresh_token"} { // alerts watch these from zero on
		q.replays.WithLabelValues(kind)
	}
	for _, result := range []string{"ok", trail.Credentials, trail.Throttled} {
		signIns.vec.WithLabelValues(result)
	}
	return q
}

// Answered counts an answer; it is what the provider calls for each.
func (m *Metrics) Answered(pattern, method string, status int, took time.Duration, o trail.Outcome) {
	q := m.requests
	at := q.routes.get(pattern, q.newRoute)
	method = cmp.Or(methods[method], "other")
	at.answer(q, method, status).Inc()
	at.duration.Observe(took.Seconds())
	if at.name == oauth.TokenPath && method == http.MethodPost {
		q.granted(o)
	}
	if to, ok := at.counted[method]; ok {
		word := cmp.Or(o.Result, o.Error, to.settled)
		at.outcomes.get(outcome{method, word}, func(outcome) prometheus.Counter { return to.vec.WithLabelValues(word) }).Inc()
		q.issue(o)
	}
	if o.Replay != "" {
		q.twice.get(o.Replay, func(kind string) prometheus.Counter { return q.replays.WithLabelValues(kind) }).Inc()
	}
}

// granted counts a request at the token endpoint.
func (q *requests) granted(o trail.Outcome) {
	asked := result{cmp.Or(o.Grant, "none"), cmp.Or(o.Error, "ok")}
	q.asked.get(asked, func(k result) prometheus.Counter { return q.grants.WithLabelValues(k.grant, k.result) }).Inc()
	q.issue(o)
}

func (q *requests) issue(o trail.Outcome) {
	if o.Issued == (trail.Tokens{}) {
		return
	}
	of := q.issued.get(o.Grant, func(grant string) issued {
		return issued{q.tokens.WithLabelValues(grant, "access"), q.tokens.WithLabelValues(grant, "id"), q.tokens.WithLabelValues(grant, "refresh")}
	})
	if o.Issued.Access {
		of.access.Inc()
	}
	if o.Issued.ID {
		of.id.Inc()
	}
	if o.Issued.Refresh {
		of.refresh.Inc()
	}
}

// route is what is counted of one route.
type route struct {
	name     string
	duration prometheus.Observer
	answers  [len(classes)]grown[string, prometheus.Counter] // by the class of the status, then by method
	counted  map[string]counted                              // by method; nil where nothing but answers is counted
	outcomes grown[outcome, prometheus.Counter]
}

func (q *requests) newRoute(pattern string) *route {
	name := pattern
	if below, ok := strings.CutPrefix(pattern, q.base+"/"); ok && q.base != "" {
		name = "/" + below
	}
	r := &route{name: name, duration: q.duration.WithLabelValues(name)}
	for at, c := range q.outcomes {
		if at.route == name {
			if r.counted == nil {
				r.counted = map[string]counted{}
			}
			r.counted[at.method] = c
		}
	}
	return r
}

func (r *route) answer(q *requests, method string, status int) prometheus.Counter {
	class := min(max(status/100, 1), len(classes)) - 1
	return r.answers[class].get(method, func(method string) prometheus.Counter {
		return q.answers.WithLabelValues(r.name, method, classes[class])
	})
}

var classes = [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}

// methods are those that have a label of their own.
var methods = func() map[string]string {
	all := map[string]string{}
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		all[m] = m
	}
	return all
}()

// grown is a map that only grows. Reading it takes no lock.
type grown[K comparable, V any] struct {
	read   atomic.Pointer[map[K]V]
	adding sync.Mutex
}

func (g *grown[K, V]) get(k K, make func(K) V) V {
	if m := g.read.Load(); m != nil {
		if v, ok := (*m)[k]; ok {
			return v
		}
	}
	return g.add(k, make)
}

func (g *grown[K, V]) add(k K, make func(K) V) V {
	g.adding.Lock()
	defer g.adding.Unlock()
	next := map[K]V{}
	if m := g.read.Load(); m != nil {
		if v, ok := (*m)[k]; ok {
			return v
		}
		for k, v := range *m {
			next[k] = v
		}
	}
	v := make(k)
	next[k] = v
	g.read.Store(&next)
	return v
}
