// Package trail carries what is known of the request under way: the trace id that the log, the audit log and every error page
// share, the address that trusted proxies vouch for, and what the request's one log line will say.
package trail

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"slices"

	"signet/audit"
)

// Trail belongs to one request and is used by one goroutine at a time.
type Trail struct {
	ID      string // 32 hex digits, the form of a W3C trace id
	Address string // of the client or browser; "" when a trusted proxy sent nonsense
	Level   slog.Level
	Attrs   []slog.Attr
	// Languages are what the person in front of the browser prefers, best first, as [signet/web.Pages.Write] takes them.
	Languages []string
	// Outcome is what came of it, for whoever counts requests.
	Outcome Outcome
}

// Outcome is what came of a request. Each word is of a small fixed set and none comes from the request: they are labels of metrics.
type Outcome struct {
	Grant  string // the grant type that the client is registered for and asked by, or GrantFront
	Result string // in the endpoint's own words, where it has any
	Error  string // the code of a refusal
	Issued Tokens
	Replay string // what came twice and has ended a family: code, refresh_token
}

// GrantFront is the grant of tokens in the authorization response: RFC 6749 section 1.3.2.
const GrantFront = "implicit"

// Tokens says which kinds of tokens an answer has.
type Tokens struct{ Access, ID, Refresh bool }

// Outcomes that are neither an error nor plainly good.
const (
	Issued      = "issued"      // by the authorization endpoint: a code or tokens
	Inactive    = "inactive"    // introspection: the answer is no
	Credentials = "credentials" // sign-in: name or password were wrong
	Throttled   = "throttled"   // sign-in: nothing was looked at
)

type key struct{}

// New returns a trail with a fresh trace id. It is no secret, only unlike any other.
func New(address string) *Trail {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	return &Trail{ID: hex.EncodeToString(id[:]), Address: address}
}

// With returns a context that carries t.
func With(ctx context.Context, t *Trail) context.Context { return context.WithValue(ctx, key{}, t) }

// Of returns the context's trail; outside of a request an empty one.
func Of(ctx context.Context) *Trail {
	if t, ok := ctx.Value(key{}).(*Trail); ok {
		return t
	}
	return &Trail{}
}

// maxLocales is of how many languages a request may ask for; more than anybody reads.
const maxLocales = 16

// Locales puts the request's ui_locales before what the browser says: OpenID Connect Core 3.1.2.1.
func (t *Trail) Locales(tags []string) {
	t.Languages = slices.Concat(tags[:min(len(tags), maxLocales)], t.Languages)
}

// Note adds to the request's log line. It must be given no secret.
func (t *Trail) Note(attrs ...slog.Attr) { t.Attrs = append(t.Attrs, attrs...) }

// Raise lifts the line's level.
func (t *Trail) Raise(level slog.Level) { t.Level = max(t.Level, level) }

// Origin is what acts record of the request.
func (t *Trail) Origin() audit.Origin { return audit.Origin{Trace: t.ID, Address: t.Address} }

// Grant notes which grant the request is for.
func (t *Trail) Grant(name string) {
	t.Outcome.Grant = name
	t.Note(slog.String("grant", name))
}

// Client notes which client the request is of.
func (t *Trail) Client(id string) { t.Note(slog.String("client", id)) }
