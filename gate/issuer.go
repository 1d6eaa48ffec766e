package gate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// How long what the issuer publishes is kept, and asked for again.
const (
	outTimeout = 5 * time.Second
	maxAnswer  = 1 << 20

	documentAge = 10 * time.Minute // metadata and keys; a key that is not known is asked for at once
	graceAge    = 24 * time.Hour   // they stay good beyond that while the issuer cannot be reached
	fetchEvery  = 10 * time.Second // not more often, whatever tokens come

	listEvery = time.Second // of a status list that could not be had
)

// metadata is what a gate needs of OpenID Connect Discovery 3 and RFC 8414 section 2.
type metadata struct {
	Issuer        string `json:"issuer"`
	Keys          string `json:"jwks_uri"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Introspection string `json:"introspection_endpoint"`
	EndSession    string `json:"end_session_endpoint"`
	NamesItself   bool   `json:"authorization_response_iss_parameter_supported"`
}

// issuer is the way to whoever issues the tokens.
type issuer struct {
	url      string
	http     *http.Client
	metadata *kept[metadata]
	keys     *kept[jose.JSONWebKeySet]
}

func newIssuer(url string, client *http.Client, now func() time.Time) *issuer {
	i := &issuer{url: url, http: client}
	i.metadata = &kept[metadata]{now: now, grace: graceAge, every: fetchEvery, fetch: i.discover}
	i.keys = &kept[jose.JSONWebKeySet]{now: now, grace: graceAge, every: fetchEvery, fetch: i.fetchKeys}
	return i
}

func (i *issuer) discover(ctx context.Context) (m metadata, life time.Duration, err error) {
	body, err := i.get(ctx, strings.TrimSuffix(i.url, "/")+"/.well-known/openid-configuration", "application/json")
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err == nil && m.Issuer != i.url { // Discovery 4.3
		err = fmt.Errorf("the metadata is that of the issuer %q", m.Issuer)
	}
	return m, documentAge, err
}

func (i *issuer) fetchKeys(ctx context.Context) (set jose.JSONWebKeySet, life time.Duration, err error) {
	m, err := i.metadata.get(ctx, nil)
	if err != nil {
		return set, 0, err
	}
	body, err := i.get(ctx, m.Keys, "application/json", "application/jwk-set+json")
	if err != nil {
		return set, 0, err
	}
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		return set, 0, err
	}
	for _, one := range raw.Keys { // RFC 7517 section 5: those of a kind that we do not know are left out
		var key jose.JSONWebKey
		if key.UnmarshalJSON(one) == nil && key.IsPublic() && key.Algorithm != "" && key.KeyID != "" && (key.Use == "" || key.Use == "sig") {
			set.Keys = append(set.Keys, key)
		}
	}
	if len(set.Keys) == 0 {
		return set, 0, errors.New("the issuer publishes no key that could be used")
	}
	return set, documentAge, nil
}

// get fetches a document of the issuer's.
func (i *issuer) get(ctx context.Context, address string, types ...string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", strings.Join(types, ", "))
	return i.send(r, types...)
}

func (i *issuer) send(r *http.Request, types ...string) ([]byte, error) {
	answer, err := i.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	mediaType, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch {
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers with the status %d", r.URL.Path, answer.StatusCode)
	case !slices.Contains(types, mediaType):
		return nil, fmt.Errorf("%s answers with the type %.100q", r.URL.Path, mediaType)
	}
	return body, nil
}

// outgoing returns the client for an issuer: to its origin alone, no redirects, no proxy of the environment.
func outgoing(c Config) (*http.Client, error) {
	u, err := url.Parse(c.Issuer)
	if err != nil {
		return nil, err
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.OutgoingCA != "" {
		pem, err := os.ReadFile(c.OutgoingCA)
		if err != nil {
			return nil, fmt.Errorf("outgoing_ca: %w", err)
		}
		if trust.RootCAs, err = x509.SystemCertPool(); err != nil {
			trust.RootCAs = x509.NewCertPool()
		}
		if !trust.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("outgoing_ca: %s holds no certificate in PEM", c.OutgoingCA)
		}
	}
	return &http.Client{
		Timeout:       outTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: only{origin(u), &http.Transport{
			DialContext:            (&net.Dialer{Timeout: outTimeout}).DialContext,
			TLSClientConfig:        trust,
			TLSHandshakeTimeout:    outTimeout,
			MaxConnsPerHost:        64,
			MaxIdleConnsPerHost:    64,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: 32 << 10,
			DisableCompression:     true,
			ForceAttemptHTTP2:      true,
		}},
	}, nil
}

// only goes to one origin.
type only struct {
	origin string
	next   http.RoundTripper
}

func (o only) RoundTrip(r *http.Request) (*http.Response, error) {
	if to := origin(r.URL); to != o.origin {
		return nil, fmt.Errorf("%s is not the issuer's host", to)
	}
	answer, err := o.next.RoundTrip(r)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, maxAnswer)
	}
	return answer, err
}

// kept is a document that is fetched when it is needed, and again when it is old or does not hold what is looked for.
type kept[T any] struct {
	now   func() time.Time
	fetch func(ctx context.Context) (value T, life time.Duration, err error)
	grace time.Duration // it stays good beyond its life while there is no newer one
	every time.Duration // fetches are that far apart

	fetching sync.Mutex // one at a time; held before mu

	mu    sync.Mutex
	value T
	until time.Time // zero: there is none
	tried time.Time // the last attempt ended
	last  error     // of it
}

// errMissing: the document is there, and does not hold what was looked for.
var errMissing = errors.New("it is not there")

// get returns the document. suits looks for what is needed; nil: nothing is. Where it is missing the error is errMissing, and any other one
// means that nothing is known.
func (k *kept[T]) get(ctx context.Context, suits func(T) bool) (T, error) {
	if suits == nil {
		suits = func(T) bool { return true }
	}
	value, fresh, good, due := k.current()
	switch {
	case good && suits(value) && (fresh || !due):
		return value, nil
	case good && suits(value): // old: whoever asks does not wait for the new one
		if k.fetching.TryLock() {
			go func() {
				defer k.fetching.Unlock()
				_ = k.renew(context.WithoutCancel(ctx), suits) // the next one who asks sees what it came to
			}()
		}
		return value, nil
	}
	err := k.refresh(context.WithoutCancel(ctx), suits) // strangers who come and go do not keep it from being fetched
	value, _, good, _ = k.current()
	switch {
	case good && suits(value):
		return value, nil
	case good && err == nil:
		return value, errMissing
	}
	var none T
	return none, err
}

// current returns the document. due: it may be fetched by now.
func (k *kept[T]) current() (value T, fresh, good, due bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	since := now.Sub(k.tried)
	good = !k.until.IsZero() && now.Before(k.until.Add(k.grace))
	return k.value, now.Before(k.until), good, k.tried.IsZero() || since < 0 || since >= k.every
}

// refresh fetches the document, one at a time.
func (k *kept[T]) refresh(ctx context.Context, suits func(T) bool) error {
	k.fetching.Lock()
	defer k.fetching.Unlock()
	return k.renew(ctx, suits)
}

// renew fetches the document, unless that was done a moment ago, perhaps while we waited. Then what that came to is the answer.
func (k *kept[T]) renew(ctx context.Context, suits func(T) bool) error {
	value, fresh, _, due := k.current()
	if fresh && suits(value) {
		return nil
	}
	if !due {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.last
	}
	began := k.now()
	value, life, err := k.fetch(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tried, k.last = k.now(), err // from its end on: those who waited for one that hung do not hang one after the other
	if err == nil {
		k.value, k.until = value, began.Add(life)
	}
	return err
}
