// Package logos shows the apps' logos (logo_uri: OpenID Connect Registration 2) from our own address:
//
//	GET /logos/{hash}   an image, by the SHA-256 of its content
//
// A browser is never sent to where an app says that its logo is: that server would learn who signs in and when, and could change the
// picture as it likes. We fetch it ourselves, through the guarded way out, and keep it for a while. Only raster images are taken, whose
// content is what their type says: an SVG is a document that may hold script. No page waits long for a logo, and none fails for want of
// one.
package logos

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"signet/fetch"
)

// Path is where the images are, below the issuer's path.
const Path = "/logos"

// types are what is taken. [http.DetectContentType] knows each of them.
var types = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

const (
	maxBytes  = 128 << 10
	maxImages = 128  // 16 MiB at the most
	maxKnown  = 4096 // URLs whose outcome is remembered
	underWay  = 16   // fetches; those beyond are for a later page
	patience  = time.Second
	retry     = 5 * time.Minute // after a failure
	shortest  = 5 * time.Minute // how long an image is kept, whatever its server says
	usual     = time.Hour
	longest   = 24 * time.Hour
)

// Fetcher gets what a URL names: [fetch.Client].
type Fetcher interface {
	Get(ctx context.Context, url string, accept ...string) (fetch.Document, error)
}

// Options is what the logos are made with.
type Options struct {
	Fetch Fetcher
	Base  string // the issuer's path, without a slash at the end
	Now   func() time.Time
}

// Logos are the logos that were fetched.
type Logos struct {
	Options
	images   *lru.Cache[string, image]   // by hash
	known    *lru.Cache[string, outcome] // by URL
	patience time.Duration               // of a page

	mu    sync.Mutex
	going map[string]chan struct{} // by URL; closed when the fetch is over
}

type image struct {
	kind    string
	content []byte
}

// outcome is what became of a fetch.
type outcome struct {
	hash  string // "": it failed
	until time.Time
}

// New returns Logos that hold nothing yet.
func New(o Options) *Logos {
	l := &Logos{Options: o, patience: patience, going: make(map[string]chan struct{})}
	l.images, _ = lru.New[string, image](maxImages) // fails for a size that is not positive alone
	l.known, _ = lru.New[string, outcome](maxKnown)
	return l
}

// URL is where a page finds the logo that an app has at uri; "" if there is none to show, or none yet. It waits a second at the most,
// and the fetch goes on for the next page.
func (l *Logos) URL(ctx context.Context, uri string) string {
	if uri == "" {
		return ""
	}
	if path, ok := l.path(uri); ok {
		return path
	}
	over := l.begin(uri)
	if over == nil {
		return ""
	}
	timer := time.NewTimer(l.patience)
	defer timer.Stop()
	select {
	case <-over:
	case <-timer.C:
	case <-ctx.Done():
	}
	path, _ := l.path(uri)
	return path
}

// path answers from what is known; not ok where nothing is, or no longer.
func (l *Logos) path(uri string) (path string, ok bool) {
	o, ok := l.known.Get(uri)
	switch {
	case !ok || !l.Now().Before(o.until):
		return "", false
	case o.hash == "":
		return "", true
	}
	if _, ok := l.images.Get(o.hash); !ok { // others took its place
		return "", false
	}
	return l.Base + Path + "/" + o.hash, true
}

// begin sees to it that uri is fetched, once for all pages that want it; nil if too much is under way.
func (l *Logos) begin(uri string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if over, ok := l.going[uri]; ok {
		return over
	}
	if len(l.going) >= underWay {
		return nil
	}
	over := make(chan struct{})
	l.going[uri] = over
	go func() {
		l.fetch(uri)
		l.mu.Lock()
		delete(l.going, uri)
		l.mu.Unlock()
		close(over)
	}()
	return over
}

// fetch belongs to no request, so that a page that is left does not end it; the fetcher has a time limit of its own.
func (l *Logos) fetch(uri string) {
	d, err := l.Fetch.Get(context.Background(), uri, types...)
	if err != nil || check(d) != nil { // the fetcher has logged its errors
		l.known.Add(uri, outcome{until: l.Now().Add(retry)})
		return
	}
	sum := sha256.Sum256(d.Body)
	hash := hex.EncodeToString(sum[:])
	keep := d.Fresh
	if keep < 0 {
		keep = usual
	}
	l.images.Add(hash, image{d.Type, d.Body})
	l.known.Add(uri, outcome{hash, l.Now().Add(min(max(keep, shortest), longest))})
}

// check refuses what is too large, and what is something else than it says.
func check(d fetch.Document) error {
	if len(d.Body) > maxBytes {
		return fmt.Errorf("a logo of %d bytes", len(d.Body))
	}
	if found := http.DetectContentType(d.Body); found != d.Type {
		return fmt.Errorf("%s that says it is %s", found, d.Type)
	}
	return nil
}

// Get answers with the image whose hash is the path's last part. The name is the content's, so that browsers may keep it; what its
// owner wrote into it is shown as an image or not at all.
func (l *Logos) Get(w http.ResponseWriter, hash string) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	i, ok := l.images.Peek(hash)
	if !ok {
		h.Set("Cache-Control", "no-store")
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	h.Set("Content-Type", i.kind)
	h.Set("Content-Length", strconv.Itoa(len(i.content)))
	h.Set("Cache-Control", "private, max-age=86400, immutable")
	_, _ = w.Write(i.content)
}
