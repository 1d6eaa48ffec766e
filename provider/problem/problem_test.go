package problem_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"signet/provider/oauth"
	"signet/provider/problem"
	"signet/provider/trail"
	"signet/storage"
	"signet/web"
)

// Every error has words for the person, says who can mend it, and leads to the log.
func TestWrite(t *testing.T) {
	t.Parallel()
	pages, err := web.New("https://id.example")
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		err    error
		status int
		says   []string
		retry  string
	}{
		"a problem":                  {&problem.Problem{Title: "Title.", What: "What.", Who: problem.You, How: "How."}, 400, []string{"Title.", "What.", "You", "How."}, ""},
		"a problem with a status":    {fmt.Errorf("outer: %w", &problem.Problem{Status: 404, Title: "T", What: "What.", Who: problem.Operator}), 404, []string{"What.", problem.Operator}, ""},
		"a protocol error":           {oauth.Errorf(oauth.InvalidRequest, "state is too long"), 400, []string{"state is too long", problem.Developer}, ""},
		"a protocol error's status":  {&oauth.Error{Code: oauth.InvalidRequest, Description: "too long", Status: 413}, 413, []string{"too long"}, ""},
		"a protocol error, unworded": {&oauth.Error{Code: oauth.InvalidRequest}, 400, []string{"This request is invalid", "trace id"}, ""},
		"the store is busy":          {storage.ErrBusy, 503, []string{problem.You, "again"}, "1"},
		"the disk is full":           {storage.ErrNoSpace, 503, []string{problem.Operator, "disk"}, "30"},
		"the database is away":       {fmt.Errorf("secret detail: %w", storage.ErrUnavailable), 503, []string{problem.Operator, "cannot reach its data", "again"}, "2"},
		"too many from one network":  {storage.ErrTooMany, 503, []string{problem.You, "network"}, "60"},
		"what nobody foresaw":        {errors.New("secret detail"), 500, []string{problem.Operator, "log"}, ""},
	} {
		on := trail.New("192.0.2.1")
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		w := httptest.NewRecorder()
		problem.Handler(pages, func(http.ResponseWriter, *http.Request) error { return row.err })(w, r.WithContext(trail.With(r.Context(), on)))
		body := w.Body.String()
		if w.Code != row.status || w.Header().Get("Retry-After") != row.retry || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
		for _, word := range append(row.says, on.ID) {
			if !strings.Contains(strings.ReplaceAll(body, "&#39;", "'"), word) {
				t.Errorf("%s: the page does not say %q", name, word)
			}
		}
		if strings.Contains(body, "secret detail") {
			t.Errorf("%s: the page tells the cause", name)
		}
		if len(on.Attrs) == 0 {
			t.Errorf("%s: the log gets nothing", name)
		}
	}
}
