package archive

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"signet/audit"
	"signet/storage"
	"signet/storage/rows"
)

var made = Header{Made: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), Issuer: "https://id.example", Version: "v1"}

// sample is a row of some kinds.
func sample(t testing.TB) (all []storage.Row) {
	t.Helper()
	for _, r := range []struct {
		kind   storage.Kind
		record any
	}{
		{storage.KindRemoved, storage.RemovedID{Kind: storage.KindUser, ID: "gone"}},
		{storage.KindClient, storage.Client{ID: "c", Revision: 1}},
		{storage.KindUser, storage.User{Sub: "ann", Name: "ann", Epoch: 3}},
		{storage.KindRing, storage.Ring{Revision: 2}},
		{storage.KindFamily, storage.Family{Generation: 7}},
		{storage.KindInitial, storage.InitialToken{ID: storage.ID{1}, Uses: 3}},
		{storage.KindInitial, storage.InitialToken{ID: storage.ID{2}, Uses: -1}},
		{storage.KindCode, storage.Code{ID: storage.ID{1}}},
		{storage.KindCode, storage.Code{ID: storage.ID{2}, Spent: true}},
		{storage.KindDevice, storage.DeviceGrant{ID: storage.ID{1}, State: storage.DevicePending}},
		{storage.KindDevice, storage.DeviceGrant{ID: storage.ID{2}, State: storage.DeviceApproved}},
		{storage.KindDevice, storage.DeviceGrant{ID: storage.ID{3}, State: storage.DeviceSpent}},
		{storage.KindDevice, storage.DeviceGrant{ID: storage.ID{4}, State: storage.DeviceDenied}},
		{storage.KindInteraction, storage.Interaction{}},
		{storage.KindAnswered, storage.Interaction{Spent: true}},
		{storage.KindKept, storage.KeptRequest{}},
		{storage.KindAssertion, storage.SpentAssertion{Client: "c"}},
		{storage.KindDenied, storage.DeniedToken{JTI: storage.Hash{1}}},
		{storage.KindEntry, audit.Entry{Event: audit.UserSaved}},
		{storage.KindEntry, audit.Entry{Event: audit.UserSaved}},
	} {
		row, err := rows.Encode(r.kind, r.record)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	return all
}

func each(all []storage.Row) storage.Rows {
	return func(yield func(storage.Row, error) bool) {
		for _, row := range all {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func written(t testing.TB, all []storage.Row) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := Write(&file, made, each(all)); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func read(t testing.TB, from io.Reader) (all []storage.Row, err error) {
	t.Helper()
	r, err := Open(from)
	if err != nil {
		return nil, err
	}
	for row, err := range r.Rows() {
		if err != nil {
			return all, err
		}
		all = append(all, storage.Row{Kind: row.Kind, Record: bytes.Clone(row.Record)})
	}
	return all, nil
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	t.Parallel()
	want := sample(t)
	file := written(t, want)
	got, err := read(t, bytes.NewReader(file))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	s, err := Verify(bytes.NewReader(file))
	if err != nil || s.Header != made || s.Rows() != uint64(len(want)) || s.Ring.Revision != 2 || s.Sums[storage.KindEntry].Rows != 2 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestNoBackupWithoutAllRows(t *testing.T) {
	t.Parallel()
	why := errors.New("damage")
	if err := Write(io.Discard, made, func(yield func(storage.Row, error) bool) { yield(storage.Row{}, why) }); !errors.Is(err, why) {
		t.Error(err)
	}
}

// TestDamage cuts a backup off at each byte, and changes each byte.
func TestDamage(t *testing.T) {
	t.Parallel()
	want := sample(t)
	file := written(t, want)
	for n := range file {
		_, err := Verify(bytes.NewReader(file[:n]))
		if want := errorOf(n > len(magic), ErrCutOff, ErrForeign); !errors.Is(err, want) {
			t.Errorf("cut off at %d of %d: %v, want %v", n, len(file), err, want)
		}
		damaged := bytes.Clone(file)
		damaged[n] ^= 0x10
		switch _, err := Verify(bytes.NewReader(damaged)); {
		case n < len(magic):
			if !errors.Is(err, ErrForeign) {
				t.Errorf("byte %d of the magic: %v", n, err)
			}
		case err == nil: // gzip has bits that say nothing
			if got, err := read(t, bytes.NewReader(damaged)); err != nil || !cmp.Equal(want, got) {
				t.Errorf("byte %d of %d is another, and nobody notices: %v", n, len(file), err)
			}
		}
	}
	if _, err := Verify(bytes.NewReader(append(bytes.Clone(file), 0))); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrCutOff) {
		t.Errorf("something follows: %v", err)
	}
	if _, err := Verify(bytes.NewReader(append(bytes.Clone(file), file[len(magic)+1:]...))); !errors.Is(err, ErrDamaged) {
		t.Errorf("another follows: %v", err)
	}
}

func errorOf(first bool, a, b error) error {
	if first {
		return a
	}
	return b
}

func TestOtherVersions(t *testing.T) {
	t.Parallel()
	newer := written(t, sample(t))
	newer[len(magic)]++
	if _, err := Verify(bytes.NewReader(newer)); !errors.Is(err, ErrNewer) {
		t.Errorf("of the format: %v", err)
	}
	kind := written(t, []storage.Row{{Kind: "dream", Record: []byte{1}}})
	if _, err := Verify(bytes.NewReader(kind)); !errors.Is(err, ErrNewer) {
		t.Errorf("of a kind: %v", err)
	}
	row := written(t, []storage.Row{{Kind: storage.KindUser, Record: []byte{200, 0xa0}}})
	if _, err := Verify(bytes.NewReader(row)); !errors.Is(err, ErrNewer) {
		t.Errorf("of a row: %v", err)
	}
}

func TestSealed(t *testing.T) {
	t.Parallel()
	mine, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	spoken, err := age.NewScryptRecipient("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	spoken.SetWorkFactor(10)
	said, err := age.NewScryptIdentity("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := age.NewScryptIdentity("battery staple")
	if err != nil {
		t.Fatal(err)
	}
	file := written(t, sample(t))
	for name, c := range map[string]struct {
		recipient    age.Recipient
		right, other age.Identity
	}{
		"for a key": {mine.Recipient(), mine, theirs}, "for a passphrase": {spoken, said, wrong},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sealed bytes.Buffer
			w, witness, err := Seal(&sealed, c.recipient)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(file); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			open := func(content []byte, identities ...age.Identity) error {
				plain, err := Unseal(bytes.NewReader(content), identities...)
				if err == nil {
					_, err = Verify(plain)
				}
				return err
			}
			if err := errors.Join(open(sealed.Bytes(), c.right), open(sealed.Bytes(), witness), open(file), open(file, c.right)); err != nil {
				t.Error(err)
			}
			if err := open(sealed.Bytes(), c.other); !errors.Is(err, ErrKey) {
				t.Errorf("with another key: %v", err)
			}
			if err := open(sealed.Bytes()); !errors.Is(err, ErrSealed) {
				t.Errorf("without a key: %v", err)
			}
			for _, n := range []int{len(sealed.Bytes()) - 1, len(sealed.Bytes()) / 2, 60} {
				if err := open(sealed.Bytes()[:n], c.right); !errors.Is(err, ErrCutOff) && !errors.Is(err, ErrDamaged) {
					t.Errorf("cut off at %d: %v", n, err)
				}
			}
		})
	}
}

// TestRevive holds that what a backup brings back is nothing that may have been spent since.
func TestRevive(t *testing.T) {
	t.Parallel()
	kept := func(signOut bool) (names []string, user storage.User) {
		for row, err := range Revive(each(sample(t)), Revival{Now: at, SignOut: signOut}) {
			if err != nil {
				t.Fatal(err)
			}
			name := string(row.Kind)
			record, err := rows.Decode(row)
			if err != nil {
				t.Fatal(err)
			}
			switch r := record.(type) {
			case storage.Code:
				name += errorOf(r.Spent, errors.New(" spent"), errors.New(" open")).Error()
			case storage.DeviceGrant:
				name += " " + string(r.State)
			case storage.User:
				user = r
			}
			names = append(names, name)
		}
		return names, user
	}
	names, user := kept(false)
	want := []string{"removed", "client", "user", "ring", "family", "initial", "code spent", "device spent", "assertion", "denied", "entry", "entry"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if user.Epoch != 3 {
		t.Errorf("the epoch is %d", user.Epoch)
	}
	if _, user := kept(true); user.Epoch != 4 {
		t.Errorf("signed out, the epoch is %d", user.Epoch)
	}
}

// FuzzOpen reads files that nobody wrote.
func FuzzOpen(f *testing.F) {
	f.Add(written(f, sample(f)))
	f.Add([]byte(magic + "\x01"))
	f.Fuzz(func(t *testing.T, file []byte) {
		_, err := Verify(bytes.NewReader(file))
		known := errors.Is(err, ErrForeign) || errors.Is(err, ErrNewer) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrCutOff)
		if err != nil && !known {
			t.Error(err)
		}
	})
}
