package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"signet/storage"
	"signet/storage/internal/decide"
)

// marksBucket holds the marks of the status list: hour in which they are forgotten → number → when exactly, in nanoseconds. An hour is
// dropped as a whole.
const marksBucket = "marks"

func hourOf(t time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(t.Unix()/int64(time.Hour/time.Second)))
}

// hourEnd is the instant at which all marks of an hour are forgotten.
func hourEnd(name []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(name)+1)*int64(time.Hour/time.Second), 0)
}

// mark marks numbers, but for 0, which is none.
func (t *tx) mark(now time.Time, numbers ...uint64) { t.markFor(now, 0, numbers...) }

// markFor marks numbers whose access tokens live no longer than that; 0: nobody knows.
func (t *tx) markFor(now time.Time, life time.Duration, numbers ...uint64) {
	slices.Sort(numbers)
	for _, n := range numbers {
		if n != 0 {
			t.placeMark(storage.Mark{Number: n, Until: decide.MarkUntil(now, life)})
		}
	}
}

func (t *tx) placeMark(m storage.Mark) {
	hour := t.subBucket(t.bucket([]byte(marksBucket)), hourOf(m.Until))
	if hour == nil {
		return // the storage failed
	}
	hour.FillPercent = appendFill
	t.put(hour, markKey(m.Number), binary.BigEndian.AppendUint64(nil, uint64(m.Until.UnixNano())))
}

func markKey(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

func readMark(key, row []byte) (m storage.Mark, err error) {
	if len(key) != 8 || len(row) != 8 {
		return m, errors.New("it is no mark")
	}
	return storage.Mark{Number: binary.BigEndian.Uint64(key), Until: time.Unix(0, int64(binary.BigEndian.Uint64(row))).UTC()}, nil
}

// Marked implements [storage.Statuses].
func (s *Store) Marked(ctx context.Context, now time.Time) (marks storage.Marks, err error) {
	err = s.view(ctx, func(t *tx) error {
		marks.Given = t.given()
		each(t.bucket([]byte(marksBucket)), func(key, row []byte) bool {
			m, err := readMark(key, row)
			if err != nil {
				t.fail(damaged("the mark %x: %v", key, err)) // a list that lacks one would call good what is not
				return false
			}
			if now.Before(m.Until) {
				marks.Numbers = append(marks.Numbers, m.Number)
			}
			return true
		})
		return nil
	})
	slices.Sort(marks.Numbers)
	marks.Numbers = slices.Compact(marks.Numbers)
	return marks, err
}
