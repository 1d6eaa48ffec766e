package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"signet/audit"
)

func TestRecordHash(t *testing.T) {
	t.Parallel()
	first := audit.Link{}.Next([]byte(`[{"time":"2026-11-22T07:00:00Z","event":"user.saved"}]`))
	second := first.Link().Next([]byte(`[]`))
	for _, r := range []audit.Record{first, second} {
		want := sha256.Sum256(fmt.Appendf(nil, "signet audit record 1\n%s\n%d\n%s", hex.EncodeToString(r.Previous[:]), r.Sequence, r.Body))
		if r.Hash != want {
			t.Errorf("record %d: %s, want %x", r.Sequence, r.Hash, want)
		}
	}
	if second.Sequence != 2 || second.Previous != first.Hash {
		t.Errorf("%+v", second)
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	t.Run("what is read is what was written", func(t *testing.T) {
		t.Parallel()
		want := []audit.Entry{
			{
				Time: time.Date(2026, 11, 22, 7, 0, 0, 123456789, time.UTC), Event: audit.CodeIssued,
				Origin: audit.Origin{Trace: "t", Address: "192.0.2.1", Actor: "uid 1000"}, Client: "c", User: "u", Session: "s", Family: "f", Detail: "<a> & \"b\"\n\u2028",
			},
			{Time: time.Date(2026, 11, 22, 7, 0, 1, 0, time.UTC), Event: audit.UserSaved},
		}
		bodies := audit.Bodies(want)
		if len(bodies) != 1 || bytes.Contains(bodies[0], []byte("\n")) {
			t.Fatalf("%q", bodies)
		}
		got, err := audit.Record{Body: bodies[0]}.Entries()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v: %v", got, err)
		}
		if at := (audit.Record{Body: bodies[0]}).Time(); !at.Equal(want[0].Time) {
			t.Error(at)
		}
	})
	t.Run("it is what encoding/json writes", func(t *testing.T) {
		t.Parallel()
		texts := []string{"", "plain", "<a> & b", `"quoted" \\`, "\n\t\x00\x7f", "ü 語 \u2028", "\xff\xfe"}
		for i, text := range texts {
			next := texts[(i+1)%len(texts)]
			e := audit.Entry{
				Time: time.Date(2026, 11, 22, 7, 0, 0, 120_000_000*i, time.UTC), Event: audit.Event(text), Origin: audit.Origin{Trace: next, Address: text, Actor: next},
				Client: text, User: next, Session: text, Family: next, Detail: text,
			}
			var want bytes.Buffer
			enc := json.NewEncoder(&want)
			enc.SetEscapeHTML(false)
			if err := enc.Encode([]audit.Entry{e}); err != nil {
				t.Fatal(err)
			}
			if got := string(audit.Bodies([]audit.Entry{e})[0]) + "\n"; got != want.String() {
				t.Errorf("%s, want %s", got, want.String())
			}
		}
	})
	t.Run("a commit with much to say is several records", func(t *testing.T) {
		t.Parallel()
		var many []audit.Entry
		for i := range 5000 {
			many = append(many, audit.Entry{Event: audit.UserSaved, Detail: fmt.Sprint(i, strings.Repeat("x", 500))})
		}
		n := 0
		for _, body := range audit.Bodies(many) {
			entries, err := audit.Record{Body: body}.Entries()
			if err != nil || len(body) > 1<<20+1000 {
				t.Fatal(len(body), err)
			}
			for _, e := range entries {
				if e.Detail != many[n].Detail {
					t.Fatalf("entry %d is %q", n, e.Detail)
				}
				n++
			}
		}
		if n != len(many) {
			t.Errorf("%d entries of %d", n, len(many))
		}
	})
	t.Run("nothing that an act may say keeps it from being recorded", func(t *testing.T) {
		t.Parallel()
		for _, e := range []audit.Entry{{Time: time.Unix(1<<60, 0)}, {Time: time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)}, {Detail: "\xff\xfe"}, {}} {
			if _, err := (audit.Record{Body: audit.Bodies([]audit.Entry{e})[0]}).Entries(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestSegments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ last, today, want uint32 }{{10, 10, 10}, {10, 9, 10}, {10, 11, 11}, {10, 8, 8}, {10, 20, 20}} {
		if got := audit.Segment(c.last, c.today); got != c.want {
			t.Errorf("after a record of day %d, one of day %d is in that of %d, want %d", c.last, c.today, got, c.want)
		}
	}
	now := time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC)
	today := audit.Day(now)
	for _, c := range []struct{ segment, following, want uint32 }{{today - 3, today, today - 2}, {today + 1, today + 2, today + 2}, {today + 9000, today - 3, today - 2}} {
		if got := audit.Day(audit.SegmentEnd(c.segment, c.following, now)); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
