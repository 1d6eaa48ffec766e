package metrics_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"signet/fetch"
	"signet/metrics"
	"signet/provider"
	"signet/provider/providertest"
)

// counting is a provider whose requests are counted.
func counting(t *testing.T, change ...func(*providertest.Config)) (*providertest.Server, *metrics.Metrics) {
	t.Helper()
	var later struct{ provider.Observer } // metrics want store and keys, which the server has
	change = append(change, func(c *providertest.Config) { c.Observer = &later })
	s := providertest.New(t, change...)
	m := metrics.New(metrics.Options{Base: pathOf(t, s.Issuer), Store: s.Store, Keys: s.Keys, Version: "1.2.3", Revision: "abc", Now: s.Clock.Now})
	later.Observer = m
	return s, m
}

func pathOf(t *testing.T, issuer string) string {
	t.Helper()
	u, err := url.Parse(issuer)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path
}

// families are what /metrics says, parsed as Prometheus would.
func families(t *testing.T, m *metrics.Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// values are the series of our counters and gauges, as name{label="value",…}, in which a histogram counts its values.
func values(t *testing.T, m *metrics.Metrics) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for name, family := range families(t, m) {
		for _, series := range family.Metric {
			var labels []string
			for _, l := range series.Label {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			key := name
			if labels != nil {
				key += "{" + strings.Join(labels, ",") + "}"
			}
			all[key] = series.GetCounter().GetValue() + series.GetGauge().GetValue() + float64(series.GetHistogram().GetSampleCount())
		}
	}
	return all
}

// What happened is what is counted, at an issuer with a path too.
func TestCounts(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/tenant/one"} {
		t.Run("path "+path, func(t *testing.T) {
			t.Parallel()
			s, m := counting(t, func(c *providertest.Config) { c.Path, c.Registration.Policy = path, "open" })
			s.User("alice")
			c, secret := s.Client("web", "My app")
			b := s.Browser("")
			page := b.Authorize(c, "scope", "openid offline_access")
			b.Submit(page, "username", "alice", "password", "wrong")
			b = s.Browser("alice")
			code := b.Code(c, "scope", "openid offline_access")
			tokens := s.Redeem(c, secret, code)
			s.Refresh(c, secret, tokens.Text("refresh_token"))
			s.Post("/introspect", c, secret, url.Values{"token": {tokens.Text("access_token")}})
			s.Post("/introspect", c, secret, url.Values{"token": {"nonsense"}})
			s.Redeem(c, secret, code) // twice: all of it ends
			s.Redeem(c, "wrong", code)
			s.Post("/token", c, secret, url.Values{"grant_type": {"made-up"}})
			s.Post("/revoke", c, secret, url.Values{"token": {"nonsense"}})
			s.Do(s.Request(http.MethodPost, "/register", url.Values{"x": {"y"}}))
			s.Do(s.Request("BREW", "/jwks", nil))
			s.Get("/no/such/page", "")
			got := values(t, m)
			for series, want := range map[string]float64{
				`signet_tokens_issued_total{grant="authorization_code",kind="access"}`:           1,
				`signet_tokens_issued_total{grant="authorization_code",kind="id"}`:               1,
				`signet_tokens_issued_total{grant="authorization_code",kind="refresh"}`:          1,
				`signet_tokens_issued_total{grant="refresh_token",kind="refresh"}`:               1,
				`signet_token_requests_total{grant="authorization_code",result="ok"}`:            1,
				`signet_token_requests_total{grant="authorization_code",result="invalid_grant"}`: 1,
				`signet_token_requests_total{grant="refresh_token",result="ok"}`:                 1,
				`signet_token_requests_total{grant="none",result="invalid_client"}`:              1,
				`signet_token_requests_total{grant="none",result="unsupported_grant_type"}`:      1,
				`signet_replays_total{kind="code"}`:                                              1,
				`signet_replays_total{kind="refresh_token"}`:                                     0,
				`signet_introspections_total{result="ok"}`:                                       1,
				`signet_introspections_total{result="inactive"}`:                                 1,
				`signet_revocations_total{result="ok"}`:                                          1,
				`signet_signins_total{result="ok"}`:                                              1,
				`signet_signins_total{result="credentials"}`:                                     1,
				`signet_registrations_total{result="invalid_client_metadata"}`:                   1,
				`signet_authorizations_total{result="issued"}`:                                   1,
				`signet_http_requests_total{method="POST",route="/token",status="2xx"}`:          2,
				`signet_http_requests_total{method="POST",route="/token",status="4xx"}`:          3,
				`signet_http_requests_total{method="other",route="unknown",status="5xx"}`:        1,
				`signet_http_requests_total{method="GET",route="unknown",status="4xx"}`:          1,
				`signet_http_request_duration_seconds{route="/token"}`:                           5,
				`signet_build_info{revision="abc",version="1.2.3"}`:                              1,
				`signet_ready{part="storage"}`:                                                   1,
				`signet_ready{part="keys"}`:                                                      1,
			} {
				if got[series] != want {
					t.Errorf("%s is %v, want %v", series, got[series], want)
				}
				if _, there := got[series]; !there {
					t.Errorf("%s is not there", series)
				}
			}
			if t.Failed() {
				for _, series := range slices.Sorted(maps.Keys(got)) {
					if strings.HasPrefix(series, "signet_") {
						t.Log(series, got[series])
					}
				}
			}
		})
	}
}

// Labels are words of ours: whatever requests hold, no series comes of it.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	s, m := counting(t)
	s.User("alice")
	c, secret := s.Client("web", "My app")
	s.Browser("alice").Code(c)
	before := 0
	for round := range 2 {
		for i := range 20 {
			x := fmt.Sprintf("marker%d-%d", round, i)
			s.Get("/"+x, x)
			s.Get("/register/"+x, x)
			s.Get("/logo/"+x, "")
			s.Do(s.Request(strings.ToUpper(x), "/token", nil))
			s.Post("/token", c, secret, url.Values{"grant_type": {x}, "scope": {x}})
			s.Post("/introspect", c, secret, url.Values{"token": {x}})
			s.Browser("").Authorize(c, "scope", x, "prompt", x, "response_type", x)
		}
		got := values(t, m)
		for series := range got {
			for _, secret := range []string{"marker", "MARKER", "alice", c.ID, "127.0.0.1"} {
				if strings.Contains(series, secret) {
					t.Errorf("%s", series)
				}
			}
		}
		if round == 0 {
			before = len(got)
		} else if len(got) != before {
			t.Errorf("%d series after as many other requests, %d before", len(got), before)
		}
	}
}

func TestFetchesAndSweeps(t *testing.T) {
	t.Parallel()
	_, m := counting(t)
	client := fetch.New(fetch.Options{Watch: m.Fetching})
	if _, err := client.Get(t.Context(), "https://127.0.0.1:1/"); err == nil {
		t.Fatal("it was fetched")
	}
	m.Swept(7)
	got := values(t, m)
	if got[`signet_fetches_total{result="refused"}`] != 1 || got[`signet_fetches_total{result="ok"}`] != 0 || got["signet_sweeper_deleted_rows_total"] != 7 ||
		got["signet_sweeper_last_run_timestamp_seconds"] == 0 {
		t.Errorf("%v", got)
	}
}

// What keys say is what the ring says, as time goes by.
func TestKeys(t *testing.T) {
	t.Parallel()
	s, m := counting(t)
	before := values(t, m)
	s.Clock.Advance(3600e9)
	after := values(t, m)
	for _, series := range []string{`signet_key_age_seconds{alg="RS256",state="active"}`, `signet_key_age_seconds{alg="ES256",state="next"}`} {
		if d := after[series] - before[series]; d < 3599 || d > 3601 {
			t.Errorf("%s grew by %v in an hour", series, d)
		}
	}
	if d := before[`signet_key_rotation_seconds{alg="EdDSA"}`] - after[`signet_key_rotation_seconds{alg="EdDSA"}`]; d != 3600 {
		t.Errorf("the rotation came nearer by %v in an hour", d)
	}
}

// manual is the part of docs/operation.md about metrics.
func manual(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "operation.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Metrics\n")
	section, _, _ = strings.Cut(section, "\n## ")
	if !found {
		t.Fatal("docs/operation.md has no section Metrics")
	}
	return section
}

// The manual lists all metrics with their labels, and no others.
func TestManual(t *testing.T) {
	t.Parallel()
	s, m := counting(t, func(c *providertest.Config) { c.Registration.Policy = "open" })
	s.User("alice")
	c, secret := s.Client("web", "My app")
	tokens := s.Redeem(c, secret, s.Browser("alice").Code(c, "scope", "openid offline_access"))
	s.Post("/introspect", c, secret, url.Values{"token": {tokens.Text("access_token")}})
	s.Post("/revoke", c, secret, url.Values{"token": {tokens.Text("access_token")}})
	s.Do(s.Request(http.MethodPost, "/register", url.Values{}))
	said, postgres := map[string]string{}, map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`signet_.*?) \\|([^|]*)\\| (.*)$").FindAllStringSubmatch(manual(t), -1) {
		names := regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[1], -1)
		for _, name := range names {
			if strings.HasPrefix(name[1], "_") { // what is added to the first name of the row
				name[1] = names[0][1] + name[1]
			}
			if strings.HasPrefix(row[3], "PostgreSQL:") {
				postgres[name[1]] = true
			} else {
				said[name[1]] = strings.ReplaceAll(strings.TrimSpace(row[2]), "`", "")
			}
		}
	}
	if source := postgresNames(t); !maps.Equal(postgres, source) {
		t.Errorf("of PostgreSQL the manual has %v, and the store has %v", postgres, source)
	}
	are := map[string]string{}
	for name, family := range families(t, m) {
		if strings.HasPrefix(name, "signet_") {
			var labels []string
			for _, l := range family.Metric[0].Label {
				labels = append(labels, l.GetName())
			}
			are[name] = strings.Join(labels, ", ")
		}
	}
	if !maps.Equal(said, are) {
		for _, name := range slices.Sorted(maps.Keys(are)) {
			if labels, ok := said[name]; !ok || labels != are[name] {
				t.Errorf("%s has the labels %q; the manual says %q (%t)", name, are[name], labels, ok)
			}
		}
		for name := range said {
			if _, ok := are[name]; !ok {
				t.Errorf("the manual has %s, which is not there", name)
			}
		}
	}
	for _, name := range regexp.MustCompile(`signet_\w+`).FindAllString(manual(t), -1) { // in the rules too
		base := name
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			base = strings.TrimSuffix(base, suffix)
		}
		if _, ok := are[base]; !ok && !postgres[name] {
			t.Errorf("a rule of the manual asks for %s, which is not there", name)
		}
	}
}

// postgresNames are the figures of that store, by its source: here is no PostgreSQL to ask.
func postgresNames(t *testing.T) map[string]bool {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "storage", "postgres", "measure.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`Name: "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		names["signet_storage_"+m[1]] = true
	}
	return names
}

var _ provider.Observer = (*metrics.Metrics)(nil)
