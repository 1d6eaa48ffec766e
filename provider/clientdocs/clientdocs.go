package clientdocs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"signet/clients"
	"signet/fetch"
	"signet/provider/limit"
	"signet/provider/problem"
	"signet/provider/trail"
	"signet/storage"
)

// ErrDocument: the id is a URL at which there is no document that can be used. Why, is for the log.
var ErrDocument = errors.New("the client's metadata document cannot be used")

// mediaType: section 4 allows types that a server defines, application/…+json. We define none.
const mediaType = "application/json"

const (
	maxKnown = 1024 // documents: 5 MiB at the most
	maxTried = 4096
	maxTold  = 500 // bytes in the log of an id, which anybody can make up
	underWay = 16  // fetches; those beyond are for later
	ofOne    = 4   // of them for browsers of one network: whoever names slow hosts must not keep all others waiting

	// How long a document is good. Its server may say something in between.
	shortest = 5 * time.Minute
	usual    = time.Hour
	longest  = 24 * time.Hour
	// pause is how long a URL is left alone after a fetch that came to nothing.
	pause = 10 * time.Second
)

// Store is what this room needs kept.
type Store interface {
	Client(ctx context.Context, id string) (storage.Client, error)
	SaveClient(ctx context.Context, c storage.Client, o storage.Change) (storage.Client, error)
}

// Fetcher gets what a URL names: [fetch.Client].
type Fetcher interface {
	Get(ctx context.Context, url string, accept ...string) (fetch.Document, error)
}

// Options say which documents are taken.
type Options struct {
	On        bool           // otherwise a client has to be registered
	Hosts     []string       // that documents may be at: names, or *. and what they end with; none: any
	Addresses []netip.Prefix // that may stand in the place of a name
	Store     Store
	Fetch     Fetcher
	Check     func(storage.Client) error // the rules for a client that is about to be stored
	Scopes    []string                   // those that the operator added to the standard ones
	Limits    *limit.Limits              // nil: there are none
	Now       func() time.Time
	Log       *slog.Logger
	// After is whose documents are remembered, if they were fetched by the same way; nil: nobody's.
	After *Clients
}

// Clients finds clients. Its methods may be called concurrently.
type Clients struct {
	Options
	*memory
}

// memory is what was fetched. It says nothing of what an operator lets in.
type memory struct {
	known *lru.Cache[string, fetched]   // by URL: good ones alone
	tried *lru.Cache[string, time.Time] // by URL: the last fetch that came to nothing
	group singleflight.Group

	mu    sync.Mutex
	slots int            // fetches under way
	whose map[string]int // the same, by the network of who asked
}

// fetched is a document.
type fetched struct {
	body  []byte
	at    time.Time
	until time.Time
}

// New returns Clients.
func New(o Options) *Clients {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Clients{Options: o}
	if d.After != nil {
		d.memory, d.After = d.After.memory, nil
		return d
	}
	d.memory = &memory{whose: map[string]int{}}
	d.known, _ = lru.New[string, fetched](maxKnown) // fails for a size that is not positive alone
	d.tried, _ = lru.New[string, time.Time](maxTried)
	return d
}

// Client returns the client with this id, for a request of a browser: as it is stored, or as its document says. Unknown:
// [storage.ErrNotFound]. A document that cannot be used: [ErrDocument].
func (d *Clients) Client(r *http.Request, id string) (storage.Client, error) {
	row, err := d.Store.Client(r.Context(), id)
	switch {
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return storage.Client{}, err
	case err == nil && !clients.Documented(row), err != nil && !clients.IsURL(id):
		return row, err
	case !d.On:
		return storage.Client{}, storage.ErrNotFound
	}
	c, err := d.resolve(r, id, row)
	if errors.Is(err, ErrDocument) {
		d.Log.InfoContext(r.Context(), "a client's metadata document cannot be used", "client", id[:min(len(id), maxTold)], "error", err)
	}
	return c, err
}

// resolve returns what the document at id says, over its row.
func (d *Clients) resolve(r *http.Request, id string, row storage.Client) (storage.Client, error) {
	if err := d.address(id); err != nil {
		return storage.Client{}, unusable(err)
	}
	doc, ok := d.known.Get(id)
	if !ok || !d.Now().Before(doc.until) {
		if d.Now().Before(row.DocumentFresh) { // this server was started since, or another one fetched it
			return row, nil
		}
		var err error
		if doc, err = d.fetch(r, id); err != nil {
			return storage.Client{}, err
		}
	}
	c, err := d.client(id, doc)
	if err != nil {
		return storage.Client{}, unusable(err)
	}
	return over(row, c), nil
}

func unusable(err error) error { return fmt.Errorf("%w: %w", ErrDocument, err) }

// address says whether a document may be at this URL.
func (d *Clients) address(id string) error {
	u, problem := clients.DocumentURL(id)
	if problem != "" {
		return errors.New("the client id " + problem)
	}
	addr, err := netip.ParseAddr(u.Hostname())
	switch {
	case err == nil && !slices.ContainsFunc(d.Addresses, func(p netip.Prefix) bool { return p.Contains(addr) }):
		return errors.New("its host is an address, and outgoing_allow does not name it")
	case !allowed(d.Hosts, u.Host):
		return errors.New("registration_document_hosts does not name its host")
	}
	return nil
}

// client makes the client of a document, by the rules that are in force.
func (d *Clients) client(id string, doc fetched) (storage.Client, error) {
	c, err := read(id, doc.body, d.Scopes, doc.at)
	if err != nil {
		return c, err
	}
	c.DocumentFresh, c.DocumentSince = doc.until, doc.at
	return c, d.Check(c)
}

// fetch gets a document, once for all who wait for it. Whoever waits may leave; the fetch goes on.
func (d *Clients) fetch(r *http.Request, id string) (fetched, error) {
	if at, ok := d.tried.Get(id); ok {
		if since := d.Now().Sub(at); since >= 0 && since < pause {
			return fetched{}, unusable(errors.New("it was asked for a moment ago, in vain"))
		}
	}
	if err := d.Limits.Document(r); err != nil {
		return fetched{}, err
	}
	ctx := context.WithoutCancel(r.Context())
	over := d.group.DoChan(id, func() (any, error) {
		done, free := d.begin(trail.Network(trail.Of(ctx).Address))
		if !free {
			return fetched{}, storage.ErrBusy
		}
		defer done()
		return d.get(ctx, id)
	})
	select {
	case done := <-over:
		return done.Val.(fetched), done.Err
	case <-r.Context().Done():
		return fetched{}, r.Context().Err()
	}
}

// begin takes a place for a fetch on behalf of a network; free is false where there is none.
func (m *memory) begin(network string) (done func(), free bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.slots >= underWay || m.whose[network] >= ofOne {
		return nil, false
	}
	m.slots++
	m.whose[network]++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.slots--
		if m.whose[network]--; m.whose[network] == 0 {
			delete(m.whose, network)
		}
	}, true
}

// get fetches a document, and remembers it if it is good: section 5.2, errors and what is malformed "MUST NOT" be cached.
func (d *Clients) get(ctx context.Context, id string) (fetched, error) {
	answer, err := d.Fetch.Get(ctx, id, mediaType)
	now := d.Now()
	doc := fetched{body: answer.Body, at: now, until: now.Add(age(answer.Fresh))}
	if err == nil {
		_, err = d.client(id, doc)
	}
	if err != nil {
		d.tried.Add(id, now)
		return fetched{}, unusable(err)
	}
	d.known.Add(id, doc)
	d.tried.Remove(id)
	return doc, nil
}

// age is how long a document is kept whose server allows so much; negative: it does not say.
func age(fresh time.Duration) time.Duration {
	if fresh < 0 {
		return usual
	}
	return min(max(fresh, shortest), longest)
}

// Explain turns ErrDocument into words for the person. Whatever was wrong, they are the same.
func Explain(err error) error {
	if !errors.Is(err, ErrDocument) {
		return err
	}
	return &problem.Problem{Title: "This app cannot be recognised", Cause: err, Who: problem.Developer,
		What: "The app’s client_id is the address of a document that says what the app is. There is no document there that this server can use.",
		How:  "The document has to be there without a redirect, as application/json of at most 5 KiB, with this address as its client_id. The operator’s log says what is wrong with it."}
}
