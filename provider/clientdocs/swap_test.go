package clientdocs_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
)

// TestSwappedWhileAsked: who says yes says it to what the page showed, however well the document's host times a change.
func TestSwappedWhileAsked(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]any{
		"another name":      {"client_name", "Your Bank"},
		"another host more": {"redirect_uris", []string{"", "https://elsewhere.example/cb"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := newSite(t)
			brief(app, app.document())
			if uris, ok := change[1].([]string); ok {
				uris[0] = app.URL + "/cb"
			}
			s := start(t, app)
			b, c := s.Browser("alice"), app.client()
			b.Undecided = true
			page := b.Authorize(c, "scope", scope)
			if !slices.Contains(page.Asked, "signin") || !strings.Contains(providertest.Text(page.Page.Body), "Honest Notes") {
				t.Fatalf("%v %s", page.Asked, providertest.Text(page.Page.Body))
			}
			brief(app, app.document(change...))
			s.Clock.Advance(6 * time.Minute)
			page = b.Submit(page, "decision", "allow")
			if page.Callback != "" {
				t.Fatalf("the yes counts for an app that nobody was shown: %v", page.Params)
			}
			if o := b.Submit(page, "decision", "allow"); o.Params.Get("code") == "" {
				t.Errorf("it is asked again as it is now: %q %s", o.Callback, providertest.Text(o.Page.Body))
			}
		})
	}
}

// brief has the site answer with a document that is good for as short a time as there is.
func brief(s *site, d map[string]any) {
	s.serve(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(d)
	})
}
