package codec

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signet/storage"
)

var now = time.Date(2026, 11, 2, 9, 0, 0, 123_456_789, time.FixedZone("", 3600))

func family() storage.Family {
	return storage.Family{
		ID: storage.NewID(now),
		Authorization: storage.Authorization{
			Client: "4cXk0tKc7Zq1", User: "ann", Session: storage.NewID(now), Scopes: []string{"openid", "offline_access"},
			AuthTime: UTC(now), AMR: []string{"pwd"}, Offline: true, Claims: []byte(`{"userinfo":{}}`),
		},
		Generation: 7, Created: UTC(now), Moved: UTC(now), Expires: UTC(now.Add(time.Hour)),
	}
}

func TestRowIsWhatWasWritten(t *testing.T) {
	t.Parallel()
	want := family()
	row, err := Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	var got storage.Family
	if err := Decode(row, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUnreadableRows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		row  []byte
		want error
	}{
		"empty": {nil, ErrDamaged}, "newer": {[]byte{Version + 1}, ErrNewer}, "cut off": {[]byte{Version, 0xbf}, ErrDamaged},
	} {
		var record storage.Family
		if err := Decode(c.row, &record); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// FuzzDecode reads rows that nobody wrote.
func FuzzDecode(f *testing.F) {
	row, err := Encode(family())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(row)
	f.Add([]byte{})
	f.Add([]byte{Version + 1})
	f.Fuzz(func(t *testing.T, row []byte) {
		var record storage.Family
		if err := Decode(row, &record); err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
				t.Error(err)
			}
			return
		}
		if _, err := Encode(record); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}
