package metrics

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/keys"
	"signet/storage"
)

// readyTimeout is how long storage may take to say that it is ready.
const readyTimeout = 2 * time.Second

// state is what is asked for when somebody looks.
type state struct {
	Options

	ready, keyAge, keyRotation, keyFailures, owed, owedSince *prometheus.Desc

	mu    sync.Mutex
	store map[string]*prometheus.Desc // by the measure's name
}

func newState(o Options) *state {
	if o.Now == nil {
		o.Now = time.Now
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
	}
	return &state{
		Options:     o,
		ready:       desc("ready", "Whether a part can do its work: storage, keys", "part"),
		keyAge:      desc("key_age_seconds", "How long ago a key was made, by algorithm and state: next, active; of several the oldest", "alg", "state"),
		keyRotation: desc("key_rotation_seconds", "How long until the active key's successor signs; less than 0: it is late", "alg"),
		keyFailures: desc("key_failures_total", "How often the keys could not be looked after"),
		owed:        desc("notices_pending", "Notices of logouts that clients have not taken yet"),
		owedSince:   desc("notices_oldest_seconds", "How long the oldest of them has waited"),
		store:       map[string]*prometheus.Desc{},
	}
}

// Describe sends nothing: which figures the store has is its own affair, and an unchecked collector may have them.
func (s *state) Describe(chan<- *prometheus.Desc) {}

// Collect asks everybody.
func (s *state) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	s.part(to, "storage", s.Store.Ready(ctx))
	s.part(to, "keys", s.Keys.Ready())
	s.ring(to)
	s.outbox(ctx, to)
	if m, ok := s.Store.(storage.Measured); ok {
		for _, measure := range m.Measure() {
			to <- s.measure(measure)
		}
	}
}

func (s *state) part(to chan<- prometheus.Metric, name string, err error) {
	value := 1.0
	if err != nil {
		value = 0
	}
	to <- prometheus.MustNewConstMetric(s.ready, prometheus.GaugeValue, value, name)
}

func (s *state) ring(to chan<- prometheus.Metric) {
	type of struct {
		alg   string
		state keys.State
	}
	now, oldest := s.Now(), map[of]time.Time{}
	for _, k := range s.Keys.List() {
		if k.State == keys.Active && !k.Until.IsZero() {
			to <- prometheus.MustNewConstMetric(s.keyRotation, prometheus.GaugeValue, k.Until.Sub(now).Seconds(), k.Alg)
		}
		if k.State != keys.Active && k.State != keys.Next {
			continue
		}
		if made, known := oldest[of{k.Alg, k.State}]; !known || k.Created.Before(made) {
			oldest[of{k.Alg, k.State}] = k.Created
		}
	}
	for k, made := range oldest {
		to <- prometheus.MustNewConstMetric(s.keyAge, prometheus.GaugeValue, now.Sub(made).Seconds(), k.alg, string(k.state))
	}
	to <- prometheus.MustNewConstMetric(s.keyFailures, prometheus.CounterValue, float64(s.Keys.Failures()))
}

func (s *state) outbox(ctx context.Context, to chan<- prometheus.Metric) {
	outbox, ok := s.Store.(storage.Outbox)
	if !ok {
		return
	}
	pending, since, _, err := outbox.Owed(ctx, 0)
	if err != nil {
		return // the store's readiness says it
	}
	oldest := 0.0
	if pending > 0 {
		oldest = max(s.Now().Sub(since).Seconds(), 0)
	}
	to <- prometheus.MustNewConstMetric(s.owed, prometheus.GaugeValue, float64(pending))
	to <- prometheus.MustNewConstMetric(s.owedSince, prometheus.GaugeValue, oldest)
}

func (s *state) measure(m storage.Measure) prometheus.Metric {
	s.mu.Lock()
	desc := s.store[m.Name]
	if desc == nil {
		desc = prometheus.NewDesc(namespace+"_storage_"+m.Name, m.Help, nil, nil)
		s.store[m.Name] = desc
	}
	s.mu.Unlock()
	if m.Spread != nil {
		return prometheus.MustNewConstHistogram(desc, m.Spread.Count, m.Spread.Sum, m.Spread.Buckets)
	}
	kind := prometheus.GaugeValue
	if strings.HasSuffix(m.Name, "_total") {
		kind = prometheus.CounterValue
	}
	return prometheus.MustNewConstMetric(desc, kind, m.Value)
}
