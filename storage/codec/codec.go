// Package codec is how the backends write records: a version byte and CBOR.
//
// All backends write the same bytes for the same record, so moving from one to another carries rows over as they are.
package codec

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Why a row cannot be read.
var (
	ErrDamaged = errors.New("the store is damaged")
	ErrNewer   = errors.New("the store was written by a newer version")
)

// Version is the first byte of each row. A field that is added to a record needs no new version: older rows lack it, and lack
// means zero. A new version is for a change of meaning.
const Version = 1

// Times are text of RFC 3339 with nanoseconds in UTC, so that a row that was read equals the row that was written, to the
// last digit. CBOR's shorter form is a float, which does not hold that.
var (
	encoder = must(cbor.EncOptions{Time: cbor.TimeRFC3339NanoUTC}.UserBufferEncMode())
	decoder = must(cbor.DecOptions{
		UTF8: cbor.UTF8DecodeInvalid, // text that came in broken must not make its row unreadable
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Encode returns the row of a record.
func Encode(record any) ([]byte, error) {
	var row bytes.Buffer
	row.Grow(512)
	row.WriteByte(Version)
	if err := encoder.MarshalToBuffer(record, &row); err != nil {
		return nil, fmt.Errorf("encode %T: %w", record, err)
	}
	return row.Bytes(), nil
}

var errEmptyRow = errors.New("an empty row")

// Decode reads a row into record, a pointer. What it sets does not alias row. Its error is ErrDamaged or ErrNewer.
func Decode(row []byte, record any) error {
	switch {
	case len(row) == 0:
		return fmt.Errorf("%w: %T: %w", ErrDamaged, record, errEmptyRow)
	case row[0] > Version:
		return fmt.Errorf("%w: %T has version %d, this program knows %d", ErrNewer, record, row[0], Version)
	}
	if err := decoder.Unmarshal(row[1:], record); err != nil {
		return fmt.Errorf("%w: %T: %w", ErrDamaged, record, err)
	}
	return nil
}

// UTC is t as it comes back from a row: in UTC, without the monotonic clock's reading.
func UTC(t time.Time) time.Time { return t.Round(0).UTC() }
