// Package rows reads rows that move between stores, and tells whether two stores hold the same.
package rows

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
)

// ErrKind is a row of a kind that this program does not know.
var ErrKind = errors.New("a kind of row that this program does not know")

// Decode returns the record of a row: a storage.Client, a storage.User and so on, as the kind says. Its error is [ErrKind],
// [codec.ErrDamaged] or [codec.ErrNewer].
func Decode(row storage.Row) (any, error) {
	switch row.Kind {
	case storage.KindRemoved:
		return decode[storage.RemovedID](row)
	case storage.KindClient:
		return decode[storage.Client](row)
	case storage.KindResource:
		return decode[storage.Resource](row)
	case storage.KindUser:
		return decode[storage.User](row)
	case storage.KindRing:
		return decode[storage.Ring](row)
	case storage.KindBrowser:
		return decode[storage.Browser](row)
	case storage.KindSession:
		return decode[storage.Session](row)
	case storage.KindConsent:
		return decode[storage.Consent](row)
	case storage.KindFamily:
		return decode[storage.Family](row)
	case storage.KindInitial:
		return decode[storage.InitialToken](row)
	case storage.KindCode:
		return decode[storage.Code](row)
	case storage.KindDevice:
		return decode[storage.DeviceGrant](row)
	case storage.KindInteraction, storage.KindAnswered:
		return decode[storage.Interaction](row)
	case storage.KindKept:
		return decode[storage.KeptRequest](row)
	case storage.KindAssertion:
		return decode[storage.SpentAssertion](row)
	case storage.KindDenied:
		return decode[storage.DeniedToken](row)
	case storage.KindNotice:
		return decode[storage.Notice](row)
	case storage.KindHistory:
		return decode[storage.History](row)
	case storage.KindMark:
		return decode[storage.Mark](row)
	case storage.KindRecord:
		return decode[audit.Record](row)
	case storage.KindCheckpoint:
		return decode[audit.Checkpoint](row)
	case storage.KindEntry:
		return decode[audit.Entry](row)
	}
	return nil, fmt.Errorf("%w: %.40q", ErrKind, string(row.Kind))
}

func decode[R any](row storage.Row) (any, error) {
	var record R
	if err := codec.Decode(row.Record, &record); err != nil {
		return nil, err
	}
	return record, nil
}

// Number is the number of the status list that a record has: see [storage.Statuses]. 0: none. A store goes on behind the highest of those that
// were moved into it. One that was given after that belongs to what has expired, or to what the store knows nothing of.
func Number(record any) uint64 {
	switch r := record.(type) {
	case storage.Client:
		return r.ServiceStatus
	case storage.Family:
		return r.Status
	case storage.Mark:
		return r.Number
	}
	return 0
}

// Encode returns the row of a record.
func Encode(kind storage.Kind, record any) (storage.Row, error) {
	bytes, err := codec.Encode(record)
	return storage.Row{Kind: kind, Record: bytes}, err
}

// Sum is how many rows there are of one kind, and a digest over them. Only the order of log entries is part of it: for all others a
// store is free to choose.
type Sum struct {
	Rows   uint64            `json:"rows"`
	Digest [sha256.Size]byte `json:"digest"` // of the rows' own digests, added bit by bit (exclusive or); no row is there twice
}

// String is for people who compare two.
func (s Sum) String() string {
	return fmt.Sprintf("%d rows, %s", s.Rows, hex.EncodeToString(s.Digest[:6]))
}

// Tally is the sums of what came by. The zero Tally is ready for use.
type Tally struct{ sums map[storage.Kind]Sum }

// Add counts a row.
func (t *Tally) Add(row storage.Row) {
	if t.sums == nil {
		t.sums = make(map[storage.Kind]Sum, len(storage.Kinds))
	}
	s := t.sums[row.Kind]
	h := sha256.New()
	if row.Kind == storage.KindEntry {
		h.Write(binary.BigEndian.AppendUint64(nil, s.Rows))
	}
	h.Write(row.Record)
	subtle.XORBytes(s.Digest[:], s.Digest[:], h.Sum(nil))
	s.Rows++
	t.sums[row.Kind] = s
}

// Sums returns what was counted, by kind.
func (t *Tally) Sums() map[storage.Kind]Sum { return maps.Clone(t.sums) }

// Count is how many rows of a kind were counted.
func (t *Tally) Count(kind storage.Kind) uint64 { return t.sums[kind].Rows }

// Total is how many rows were counted.
func (t *Tally) Total() (n uint64) {
	for _, s := range t.sums {
		n += s.Rows
	}
	return n
}

// Compare says where got differs from want: nil if nowhere.
func Compare(want, got map[storage.Kind]Sum) error {
	var errs []error
	for _, kind := range storage.Kinds {
		w, g := want[kind], got[kind]
		if w.Rows != g.Rows || !bytes.Equal(w.Digest[:], g.Digest[:]) {
			errs = append(errs, fmt.Errorf("rows of the kind %s: %v were expected, there are %v", kind, w, g))
		}
	}
	return errors.Join(errs...)
}

// Through passes rows on and counts them.
func (t *Tally) Through(all storage.Rows) storage.Rows {
	return func(yield func(storage.Row, error) bool) {
		for row, err := range all {
			if err == nil {
				t.Add(row)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// Read counts all rows.
func (t *Tally) Read(all storage.Rows) error {
	for row, err := range all {
		if err != nil {
			return err
		}
		t.Add(row)
	}
	return nil
}

// Known says whether rows of a kind may be in what was written by this program's version.
func Known(kind storage.Kind) bool { return slices.Contains(storage.Kinds, kind) }
