package gate

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// introspectionAge is how long an answer is good at the most: that late a revoked token is refused.
const introspectionAge = 10 * time.Second

// maxAnswers is how many answers are kept, of good tokens and, apart from them, of others: whoever invents tokens pushes no good one out.
const maxAnswers = 8192

// asker asks the issuer about tokens: RFC 7662.
type asker struct {
	gate       *Gate
	id, secret string

	mu        sync.Mutex
	good, bad *simplelru.LRU[[32]byte, answered]
	asking    map[[32]byte]*question // that are under way
}

type answered struct {
	token *token
	until time.Time
}

// question is one that others may wait for too.
type question struct {
	done    chan struct{}
	token   *token
	problem string // the token is not good
	err     error  // nothing is known
}

func newAsker(g *Gate, c Caller) (*asker, error) {
	secret, err := readSecret(c.ClientSecretFile)
	if err != nil {
		return nil, err
	}
	a := &asker{gate: g, id: c.ClientID, secret: secret, asking: map[[32]byte]*question{}}
	for _, answers := range []**simplelru.LRU[[32]byte, answered]{&a.good, &a.bad} {
		if *answers, err = simplelru.NewLRU[[32]byte, answered](maxAnswers, nil); err != nil {
			return nil, err
		}
	}
	return a, nil
}

const inactive = "the token is not active"

// introspect checks a token by asking.
func (a *asker) introspect(ctx context.Context, raw string) (*token, *verdict) {
	key := sha256.Sum256([]byte(raw))
	t, known, q, mine := a.look(key)
	if known {
		if t == nil {
			return nil, a.gate.unauthorized("invalid_token", inactive, false)
		}
		return t, nil
	}
	if mine {
		a.ask(context.WithoutCancel(ctx), key, raw, q) // others may wait for it, whether or not this one stays
	}
	select {
	case <-q.done:
	case <-ctx.Done():
		return nil, a.gate.unavailable("the issuer does not answer in time", ctx.Err())
	}
	switch {
	case q.err != nil:
		return nil, a.gate.unavailable("the issuer cannot be asked about tokens", q.err)
	case q.problem != "":
		return nil, a.gate.unauthorized("invalid_token", q.problem, false)
	}
	return q.token, nil
}

// look returns what is known of a token, or the question about it, which is the caller's to ask where it is mine.
func (a *asker) look(key [32]byte) (t *token, known bool, q *question, mine bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.gate.now()
	for _, answers := range []*simplelru.LRU[[32]byte, answered]{a.good, a.bad} {
		if found, ok := answers.Get(key); ok && now.Before(found.until) && !now.Before(found.until.Add(-introspectionAge)) {
			return found.token, true, nil, false
		}
	}
	if q, under := a.asking[key]; under {
		return nil, false, q, false
	}
	q = &question{done: make(chan struct{})}
	a.asking[key] = q
	return nil, false, q, true
}

func (a *asker) ask(ctx context.Context, key [32]byte, raw string, q *question) {
	began := a.gate.now()
	q.token, q.problem, q.err = a.request(ctx, raw)
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.asking, key)
	close(q.done)
	until := began.Add(introspectionAge)
	switch {
	case q.err != nil:
	case q.problem != "":
		a.bad.Add(key, answered{nil, until})
	default:
		if end := time.Unix(q.token.Expires, 0); end.Before(until) {
			until = end
		}
		a.good.Add(key, answered{q.token, until})
	}
}

func (a *asker) request(ctx context.Context, raw string) (*token, string, error) {
	m, err := a.gate.issuer.metadata.get(ctx, nil)
	if err != nil {
		return nil, "", err
	}
	if m.Introspection == "" {
		return nil, "", errors.New("the issuer has no introspection endpoint")
	}
	form := url.Values{"token": {raw}, "token_type_hint": {"access_token"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Introspection, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	r.SetBasicAuth(url.QueryEscape(a.id), url.QueryEscape(a.secret)) // RFC 6749 section 2.3.1
	body, err := a.gate.issuer.send(r, "application/json")
	if err != nil {
		return nil, "", err
	}
	return a.read(body)
}

// read judges an answer as a JWT's claims are, but for what the issuer looked at.
func (a *asker) read(body []byte) (*token, string, error) {
	t, c, problem := a.gate.token(body)
	switch {
	case !c.Active:
		return nil, inactive, nil
	case problem != "":
		return nil, problem, nil
	case c.Issuer != "" && c.Issuer != a.gate.config.Issuer:
		return nil, "the token is another issuer's", nil
	}
	if kind := t.text("token_type"); kind != "" && !strings.EqualFold(kind, "Bearer") && !strings.EqualFold(kind, "DPoP") {
		return nil, "the token is no access token", nil
	}
	delete(t.Claims, "active")
	return &t, "", nil
}
