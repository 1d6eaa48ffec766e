package keys_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"signet/audit"
	"signet/keys"
	"signet/keys/keystest"
	"signet/storage"
	"signet/storage/bolt"
)

// A ring in a real file: it survives a restart, and each change is in the audit log once.
func TestRingInAFile(t *testing.T) {
	t.Parallel()
	c, path := newClock(), filepath.Join(t.TempDir(), "signet.db")
	openFile := func() *bolt.Store {
		store, err := bolt.Open(bolt.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	store := openFile()
	o := options(store, c)
	o.Algs = []string{"RS256", "ES256", "EdDSA"}
	o.Generate = keystest.Generator()
	servers := make([]*keys.Keys, 4)
	parallel(len(servers), func(i int) {
		var err error
		if servers[i], err = keys.Open(context.Background(), o); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	parallel(len(servers), func(i int) { // all ask, one wish is stored
		if _, err := servers[i].Rotate(context.Background(), keys.RotateOptions{}, storage.Change{Detail: "key rotate"}); err != nil {
			t.Error(err)
		}
	})
	k := servers[0]
	token, next := sign(t, k, "RS256"), kid(k, "RS256", keys.Next)
	c.pass(day)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	store = openFile()
	defer store.Close()
	o.Store = store
	k = open(t, o)
	if got := kid(k, "RS256", keys.Active); got != next {
		t.Errorf("the wish to rotate is lost: %s is active, not %s", got, next)
	}
	if _, _, err := k.Verify(token, "at+jwt"); err != nil {
		t.Error(err)
	}
	var details []string
	err := store.Entries(t.Context(), func(e audit.Entry) error {
		if e.Event == audit.RingSaved {
			details = append(details, e.Detail)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(details) != 3 || !strings.HasPrefix(details[1], "key rotate: ") || !strings.Contains(details[2], next+" active") ||
		slices.ContainsFunc(details, func(d string) bool { return strings.Contains(d, "PRIVATE") }) {
		t.Errorf("audit: %q", details)
	}
}

// A ring in a file from before there were keys to encrypt to: it opens, gets them, and they survive a restart.
func TestEncryptionKeysInAFile(t *testing.T) {
	t.Parallel()
	c, path := newClock(), filepath.Join(t.TempDir(), "signet.db")
	var token string
	for start, algs := range [][]string{nil, {"ECDH-ES"}, {"ECDH-ES"}} {
		store, err := bolt.Open(bolt.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		o := options(store, c)
		o.Encryption = algs
		k := open(t, o)
		if start == 1 {
			token = encrypt(t, encryption(t, k)["ECDH-ES"], "A256GCM")
		}
		if start > 0 {
			if got, err := k.Decrypt(token); got != inner || err != nil {
				t.Errorf("start %d: %q, %v", start, got, err)
			}
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
