package ending

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"signet/fetch"
	"signet/storage"
)

// Whatever a client answers, the outcome is one of three, and what is kept of its words is short and can be printed.
func FuzzJudge(f *testing.F) {
	f.Add(400, "application/json", []byte(`{"error":"invalid_request"}`), "1")
	f.Add(429, "application/json", []byte(`{"error":"\u202e\u0000\n"}`), "99999999999")
	f.Add(302, "text/html", []byte(`<script>`), "-1")
	f.Add(200, "", []byte(nil), "")
	f.Fuzz(func(t *testing.T, status int, mediaType string, body []byte, retryAfter string) {
		o := judge(fetch.Reply{Status: status, Type: mediaType, Body: body, RetryAfter: retryAfter})
		switch o.State {
		case storage.NoticeDelivered:
			if status != 200 && status != 204 || o.Problem != "" {
				t.Errorf("%d: %+v", status, o)
			}
		case storage.NoticePending, storage.NoticeFailed:
			if o.Problem == "" {
				t.Errorf("%d: no reason", status)
			}
		default:
			t.Errorf("%d: %+v", status, o)
		}
		if utf8.RuneCountInString(o.Problem) > 180 || strings.ContainsFunc(o.Problem, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("%q", o.Problem)
		}
		if o.After < 0 || o.After > patience {
			t.Errorf("Retry-After %q: %v", retryAfter, o.After)
		}
		now := time.Unix(1e9, 0)
		n := settled(storage.Notice{Created: now, Attempts: 1}, o, now)
		if o.State == storage.NoticePending && (n.Next.Before(now.Add(time.Second)) || n.Next.After(now.Add(patience))) {
			t.Errorf("the next attempt is at %v", n.Next)
		}
	})
}
