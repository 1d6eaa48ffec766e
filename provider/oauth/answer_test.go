package oauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"signet/provider/oauth"
	"signet/storage"
)

// What is said outside of what went wrong inside.
func TestErrorAnswers(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		err    error
		status int
		code   oauth.Code
		retry  string
	}{
		"RFC 6749 5.2: invalid_request":          {oauth.Errorf(oauth.InvalidRequest, "x"), 400, oauth.InvalidRequest, ""},
		"RFC 6749 5.2: invalid_grant":            {oauth.Errorf(oauth.InvalidGrant, "x"), 400, oauth.InvalidGrant, ""},
		"RFC 6749 5.2: invalid_client":           {oauth.Errorf(oauth.InvalidClient, "x"), 401, oauth.InvalidClient, ""},
		"RFC 6750 3.1: invalid_token":            {oauth.Errorf(oauth.InvalidToken, "x"), 401, oauth.InvalidToken, ""},
		"RFC 6750 3.1: insufficient_scope":       {oauth.Errorf(oauth.InsufficientScope, "x"), 403, oauth.InsufficientScope, ""},
		"wrapped":                                {fmt.Errorf("outer: %w", oauth.Errorf(oauth.InvalidScope, "x")), 400, oauth.InvalidScope, ""},
		"RFC 9110 15.6.4: the queue is full":     {fmt.Errorf("x: %w", storage.ErrBusy), 503, oauth.TemporarilyUnavailable, "1"},
		"RFC 9110 15.6.4: too many interactions": {storage.ErrTooMany, 503, oauth.TemporarilyUnavailable, "60"},
		"RFC 9110 15.6.4: a full disk":           {storage.ErrNoSpace, 503, oauth.TemporarilyUnavailable, "30"},
		"RFC 9110 15.6.4: the database is away":  {fmt.Errorf("x: %w", storage.ErrUnavailable), 503, oauth.TemporarilyUnavailable, "2"},
		"Retry-After is rounded up":              {&oauth.Error{Code: oauth.TemporarilyUnavailable, RetryAfter: 1200 * time.Millisecond}, 503, oauth.TemporarilyUnavailable, "2"},
		"what nobody foresaw":                    {errors.New("secret detail"), 500, oauth.ServerError, ""},
		"a refusal that nobody translated":       {storage.ErrSpent, 500, oauth.ServerError, ""},
	} {
		w := httptest.NewRecorder()
		oauth.WriteError(w, httptest.NewRequest(http.MethodPost, "/", nil), row.err)
		var body map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		h := w.Header()
		if w.Code != row.status || body["error"] != string(row.code) || h.Get("Retry-After") != row.retry {
			t.Errorf("%s: %d %v, Retry-After %q", name, w.Code, body, h.Get("Retry-After"))
		}
		if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", name, h)
		}
		if row.code == oauth.ServerError && body["error_description"] != "the server failed; its log has the reason under this answer's trace id" {
			t.Errorf("%s: says %q", name, body["error_description"])
		}
	}
}
