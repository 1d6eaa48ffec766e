package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed assets
var assetFiles embed.FS

// assetTypes are the media types of what we serve. They are not left to the machine's mime tables.
var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// assets are the embedded files under URLs that name their content, so that a browser may keep them for ever.
type assets struct {
	urls  map[string]string // URL path by file name
	files map[string][]byte // content by path as it arrives, unescaped
}

func loadAssets(base string) (assets, error) {
	a := assets{urls: make(map[string]string), files: make(map[string][]byte)}
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		return a, err
	}
	for _, e := range entries {
		content, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			return a, err
		}
		if assetTypes[path.Ext(e.Name())] == "" {
			return a, fmt.Errorf("%s: no media type", e.Name())
		}
		sum := sha256.Sum256(content)
		url := base + "/assets/" + hex.EncodeToString(sum[:8]) + "/" + e.Name()
		a.urls[e.Name()], a.files[url] = url, content
	}
	return a, nil
}

// url fails the template, and so the tests, for a file that does not exist.
func (a assets) url(name string) (string, error) {
	u, ok := a.urls[name]
	if !ok {
		return "", fmt.Errorf("web: no asset %q", name)
	}
	return u, nil
}

func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	content, ok := a.files[r.URL.EscapedPath()]
	if !ok {
		w.Header().Set("Cache-Control", "no-store") // during an update an older node may be asked for a newer file
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h.Set("Content-Type", assetTypes[path.Ext(r.URL.Path)])
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	if strings.HasSuffix(r.URL.Path, ".svg") { // opened as a document, an SVG could carry script
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
