package logout

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"signet/storage"
)

type oneKey struct{}

func (oneKey) MACKey() uint32 { return 1 }

func (oneKey) MAC(_ uint32, data []byte) (sum [32]byte, err error) {
	h := hmac.New(sha256.New, []byte("key"))
	h.Write(data)
	return [32]byte(h.Sum(nil)), nil
}

// Of all addresses of the last page, those that were made here lead to an ending, and for ten minutes.
func FuzzDoneAddress(f *testing.F) {
	now := time.Unix(1e9, 0)
	e := New(Options{Name: "https://id.example", Keys: oneKey{}, Now: func() time.Time { return now }})
	id := storage.NewID(now)
	address, err := e.done(id)
	if err != nil {
		f.Fatal(err)
	}
	_, made, _ := strings.Cut(address, "of=")
	if got, left, ok := e.endingOf(made); !ok || got != id || left != doneFor {
		f.Fatal(got, left, ok)
	}
	late := New(Options{Name: e.Name, Keys: e.Keys, Now: func() time.Time { return now.Add(doneFor) }})
	if _, _, ok := late.endingOf(made); ok {
		f.Error("good for ever")
	}
	if _, _, ok := New(Options{Name: "https://other.example", Keys: e.Keys, Now: e.Now}).endingOf(made); ok {
		f.Error("good for another issuer")
	}
	f.Add(made)
	f.Add(made[:len(made)-1])
	f.Add("")
	f.Fuzz(func(t *testing.T, handle string) {
		if _, _, ok := e.endingOf(handle); ok && handle != made {
			t.Errorf("%q is taken", handle)
		}
	})
}
