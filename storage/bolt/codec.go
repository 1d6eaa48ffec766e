package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// recordVersion is the first byte of each row. A field that is added to a record needs no new version: older rows lack it,
// and lack means zero. A new version is for a change of meaning.
const recordVersion = 1

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

// encode returns the row of a record.
func encode(record any) ([]byte, error) {
	var row bytes.Buffer
	row.Grow(512)
	row.WriteByte(recordVersion)
	if err := encoder.MarshalToBuffer(record, &row); err != nil {
		return nil, fmt.Errorf("encode %T: %w", record, err)
	}
	return row.Bytes(), nil
}

var errEmptyRow = errors.New("an empty row")

// decode reads a row into record, a pointer. What it sets does not alias row.
func decode(row []byte, record any) error {
	switch {
	case len(row) == 0:
		return fmt.Errorf("%w: %T: %w", ErrDamaged, record, errEmptyRow)
	case row[0] > recordVersion:
		return fmt.Errorf("%w: %T has version %d, this program knows %d", ErrNewer, record, row[0], recordVersion)
	}
	if err := decoder.Unmarshal(row[1:], record); err != nil {
		return fmt.Errorf("%w: %T: %w", ErrDamaged, record, err)
	}
	return nil
}

// utc is t as it will come back from the store: in UTC, without the monotonic clock's reading.
func utc(t time.Time) time.Time { return t.Round(0).UTC() }
