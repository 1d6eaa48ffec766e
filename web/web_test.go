package web

import (
	"net/http/httptest"
	"testing"
)

func TestAllPagesRender(t *testing.T) {
	t.Parallel()
	pages, err := New("https://id.example.com/tenant")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range allPages {
		w := httptest.NewRecorder()
		pages.Write(w, 200, p)
		if w.Code != 200 {
			t.Errorf("%s: status %d", p.template(), w.Code)
		}
	}
}
