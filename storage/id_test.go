package storage

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func TestID(t *testing.T) {
	t.Parallel()
	t.Run("an ID begins with its instant and ends with 80 random bits", func(t *testing.T) {
		t.Parallel()
		at := noon.Add(123*time.Millisecond + 456*time.Microsecond)
		seen := make(map[ID]bool)
		for range 1000 {
			id := NewID(at)
			if !id.Time().Equal(at.Truncate(time.Millisecond)) {
				t.Fatalf("%v is of %v", id, id.Time())
			}
			seen[id] = true
		}
		if len(seen) != 1000 {
			t.Errorf("%d of 1000 IDs differ", len(seen))
		}
	})
	t.Run("the bytes of IDs sort by time", func(t *testing.T) {
		t.Parallel()
		for _, step := range []time.Duration{time.Millisecond, time.Second, 24 * time.Hour, 20 * 365 * 24 * time.Hour} {
			a, b := NewID(noon), NewID(noon.Add(step))
			if bytes.Compare(a[:], b[:]) >= 0 {
				t.Errorf("after %v the ID is no greater", step)
			}
		}
	})
	t.Run("the zero ID is the empty string", func(t *testing.T) {
		t.Parallel()
		id, err := ParseID("")
		if err != nil || !id.IsZero() || id.String() != "" {
			t.Errorf("it is %q, %v", id, err)
		}
	})
	t.Run("text that is no ID is refused", func(t *testing.T) {
		t.Parallel()
		good := NewID(noon).String()
		for _, s := range []string{good[1:], good + "A", good[:21] + "!", good[:21] + "=", good[:21] + "\n", good[:21] + "B", strings.Repeat("A", 1<<16)} {
			if _, err := ParseID(s); err == nil {
				t.Errorf("%.40q is an ID", s)
			}
			if err := new(ID).UnmarshalText([]byte(s)); err == nil {
				t.Errorf("%.40q unmarshals", s)
			}
		}
	})
}

func TestHandle(t *testing.T) {
	t.Parallel()
	t.Run("a handle's hash is that of its secret", func(t *testing.T) {
		t.Parallel()
		h := NewHandle(noon)
		if !h.Hash().Matches(h.Secret[:]) || h.Hash().IsZero() {
			t.Error("it does not match")
		}
		other := h
		other.Secret[15] ^= 1
		if h.Hash().Matches(other.Secret[:]) {
			t.Error("another secret matches")
		}
	})
	t.Run("the zero hash matches nothing", func(t *testing.T) {
		t.Parallel()
		if (Hash{}).Matches(nil) || (Hash{}).Matches(make([]byte, secretSize)) || !(Hash{}).IsZero() {
			t.Error("it does")
		}
	})
	t.Run("what is no handle of ours is ErrNotFound", func(t *testing.T) {
		t.Parallel()
		good := NewHandle(noon).String()
		for _, s := range []string{"", good[1:], good + "A", good[:42] + "=", good[:42] + "/", good[:42] + "B"} {
			if _, err := ParseHandle(s); !errors.Is(err, ErrNotFound) {
				t.Errorf("%q: %v", s, err)
			}
		}
	})
}

func FuzzParseID(f *testing.F) {
	f.Add("")
	f.Add(NewID(noon).String())
	f.Add("AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("AAAAAAAAAAAAAAAAAAAAAB")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err == nil && id.String() != s && !id.IsZero() {
			t.Errorf("%q and %q are one ID", s, id.String())
		}
		var again ID
		if text, _ := id.MarshalText(); err == nil && (again.UnmarshalText(text) != nil || again != id) {
			t.Errorf("%q does not come back", s)
		}
	})
}

func FuzzParseHandle(f *testing.F) {
	f.Add("")
	f.Add(NewHandle(noon).String())
	f.Add(strings.Repeat("A", 43))
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHandle(s)
		if err == nil && h.String() != s {
			t.Errorf("%q and %q are one handle", s, h.String())
		}
		if err != nil && (!errors.Is(err, ErrNotFound) || h != Handle{}) {
			t.Errorf("%q: %v, %v", s, h, err)
		}
	})
}
