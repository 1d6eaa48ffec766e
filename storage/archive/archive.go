// Package archive is the file of a backup: all rows of a store at one moment, whatever its backend.
//
//	magic     "SIGNETBACKUP"
//	version   one byte
//	gzip of
//	  header  'h' ‖ length ‖ CBOR of Header
//	  row     'r' ‖ length ‖ kind ‖ length ‖ record, for each row, in the order of storage.Kinds
//	  end     'e' ‖ length ‖ CBOR of the sums by kind
//	  digest  SHA-256 of all before it, from the header on
//
// Lengths are unsigned varints. Nothing follows the digest, so a file that was cut off, or to which something was added, is told
// from a whole one. A digest is no signature: it tells damage, not forgery. Whoever may write a backup may write a store; a sealed
// one (seal.go) can be written by whoever knows the recipient.
//
// gzip, since it is in the standard library and in every rescue system; of rows that are mostly ids and hashes a better method
// makes little more.
//
// The file holds what the store holds: password hashes, sealed keys, addresses. The master key that opens the sealed keys is not in it.
package archive

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"signet/storage"
	"signet/storage/codec"
	"signet/storage/rows"
)

// Why a file cannot be read.
var (
	ErrForeign = errors.New("not a backup of Signet")
	ErrNewer   = errors.New("the backup was made by a newer version")
	ErrDamaged = errors.New("the backup is damaged")
	ErrCutOff  = errors.New("the backup is cut off")
)

const (
	magic   = "SIGNETBACKUP"
	version = 1

	headerFrame = 'h'
	rowFrame    = 'r'
	endFrame    = 'e'

	maxFrame = 64 << 20 // more than any row
)

// Header says what a backup is of.
type Header struct {
	Made    time.Time `json:"made"`
	Issuer  string    `json:"issuer"`
	Version string    `json:"version"` // of the program
}

// Summary is what a backup holds.
type Summary struct {
	Header
	Sums map[storage.Kind]rows.Sum `json:"sums"`
	// Given is the highest number of the status list in it.
	Given uint64       `json:"-"`
	Ring  storage.Ring `json:"-"` // the key material, which only the master key opens; of revision 0 if there is none
}

// Rows is how many rows it holds.
func (s Summary) Rows() (n uint64) {
	for _, sum := range s.Sums {
		n += sum.Rows
	}
	return n
}

// Write writes a backup.
func Write(to io.Writer, h Header, all storage.Rows) error {
	if _, err := io.WriteString(to, magic+string(rune(version))); err != nil {
		return err
	}
	packed, err := gzip.NewWriterLevel(to, gzip.BestSpeed)
	if err != nil {
		return err
	}
	w := &writer{digest: sha256.New()}
	w.Writer = bufio.NewWriterSize(io.MultiWriter(packed, w.digest), 1<<16)
	head, err := codec.Encode(h)
	if err != nil {
		return err
	}
	w.frame(headerFrame, head)
	var tally rows.Tally
	for row, err := range all {
		if err != nil {
			return err
		}
		tally.Add(row)
		if w.frame(rowFrame, []byte(row.Kind), row.Record); w.err != nil {
			return w.err
		}
	}
	end, err := codec.Encode(tally.Sums())
	if err != nil {
		return err
	}
	w.frame(endFrame, end)
	if err := errors.Join(w.err, w.Flush()); err != nil {
		return err
	}
	if _, err := packed.Write(w.digest.Sum(nil)); err != nil {
		return err
	}
	return packed.Close()
}

type writer struct {
	*bufio.Writer
	digest hash.Hash
	err    error // the first one
}

func (w *writer) frame(kind byte, parts ...[]byte) {
	if w.err == nil {
		w.err = w.WriteByte(kind)
	}
	for _, part := range parts {
		if w.err != nil {
			return
		}
		if _, w.err = w.Write(binary.AppendUvarint(nil, uint64(len(part)))); w.err == nil {
			_, w.err = w.Write(part)
		}
	}
}

// Reader reads a backup.
type Reader struct {
	Header Header

	source *hashed
	buffer []byte
	sums   map[storage.Kind]rows.Sum
}

// Open reads the beginning of a backup. Its errors, and those of what is read afterwards, are [ErrForeign], [ErrNewer], [ErrDamaged] and
// [ErrCutOff].
func Open(from io.Reader) (*Reader, error) {
	head := make([]byte, len(magic)+1)
	switch _, err := io.ReadFull(from, head); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), err == nil && string(head[:len(magic)]) != magic:
		return nil, ErrForeign
	case err != nil:
		return nil, told(err)
	case head[len(magic)] != version:
		return nil, fmt.Errorf("%w: it has version %d, this program knows %d", ErrNewer, head[len(magic)], version)
	}
	packed, err := gzip.NewReader(from)
	if err != nil {
		return nil, told(err)
	}
	r := &Reader{source: &hashed{Reader: bufio.NewReaderSize(packed, 1<<16), digest: sha256.New()}}
	kind, err := r.source.ReadByte()
	if err != nil {
		return nil, told(err)
	}
	if kind != headerFrame {
		return nil, fmt.Errorf("%w: it has no header", ErrDamaged)
	}
	part, err := r.part()
	if err != nil {
		return nil, err
	}
	return r, told(codec.Decode(part, &r.Header))
}

// told turns what the layers below say into what we name.
func told(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrDamaged), errors.Is(err, ErrNewer), errors.Is(err, ErrCutOff):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ErrCutOff
	case errors.Is(err, codec.ErrNewer):
		return fmt.Errorf("%w: %w", ErrNewer, err)
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// hashed hashes what is read.
type hashed struct {
	*bufio.Reader
	digest hash.Hash
}

func (h *hashed) ReadByte() (byte, error) {
	b, err := h.Reader.ReadByte()
	if err == nil {
		h.digest.Write([]byte{b})
	}
	return b, err
}

func (h *hashed) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	h.digest.Write(p[:n])
	return n, err
}

// part reads a length and what follows it, good until the next part. It grows with what is really there, not with what the length says.
func (r *Reader) part() ([]byte, error) {
	n, err := binary.ReadUvarint(r.source)
	switch {
	case err != nil:
		return nil, told(err)
	case n > maxFrame:
		return nil, fmt.Errorf("%w: a row of %d bytes", ErrDamaged, n)
	}
	buffer := bytes.NewBuffer(r.buffer[:0])
	copied, err := io.Copy(buffer, io.LimitReader(r.source, int64(n)))
	r.buffer = buffer.Bytes()
	switch {
	case err != nil:
		return nil, told(err)
	case uint64(copied) != n:
		return nil, ErrCutOff
	}
	return r.buffer, nil
}

// Rows gives out the rows. After the last one it compares the sums and the digest, and looks that nothing follows: a reader that
// got no error has had all of them as they were.
func (r *Reader) Rows() storage.Rows {
	return func(yield func(storage.Row, error) bool) {
		var tally rows.Tally
		for {
			row, end, err := r.next()
			if err == nil && end {
				err = r.finish(&tally)
			}
			if err != nil {
				yield(storage.Row{}, err)
				return
			}
			if end {
				return
			}
			tally.Add(row)
			if !yield(row, nil) {
				return
			}
		}
	}
}

func (r *Reader) next() (row storage.Row, end bool, err error) {
	frame, err := r.source.ReadByte()
	if err != nil {
		return row, false, told(err)
	}
	switch frame {
	case endFrame:
		return row, true, nil
	case rowFrame:
		kind, err := r.part()
		if err != nil {
			return row, false, err
		}
		row.Kind = storage.Kind(kind)
		if !rows.Known(row.Kind) {
			return row, false, fmt.Errorf("%w: %.40q is %w", ErrNewer, kind, rows.ErrKind)
		}
		row.Record, err = r.part()
		return row, false, err
	}
	return row, false, fmt.Errorf("%w: there is something that is no row", ErrDamaged)
}

// finish reads the end.
func (r *Reader) finish(tally *rows.Tally) error {
	part, err := r.part()
	if err != nil {
		return err
	}
	if err := codec.Decode(part, &r.sums); err != nil {
		return told(err)
	}
	want := r.source.digest.Sum(nil)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r.source.Reader, got); err != nil {
		return told(err)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%w: its digest is another", ErrDamaged)
	}
	if err := rows.Compare(r.sums, tally.Sums()); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	switch _, err := r.source.Reader.ReadByte(); { // and with it gzip's own checksum
	case err == nil:
		return fmt.Errorf("%w: something follows its end", ErrDamaged)
	case !errors.Is(err, io.EOF):
		return told(err)
	}
	return nil
}

// Verify reads a backup whole: every row decodes, and sums and digest are right.
func Verify(from io.Reader) (Summary, error) {
	r, err := Open(from)
	if err != nil {
		return Summary{}, err
	}
	return r.Verify()
}

// Verify reads the rows, every one of which must decode, and says what there is.
func (r *Reader) Verify() (Summary, error) {
	s := Summary{Header: r.Header}
	for row, err := range r.Rows() {
		if err != nil {
			return s, err
		}
		record, err := rows.Decode(row)
		if err != nil {
			why := ErrDamaged
			if errors.Is(err, codec.ErrNewer) {
				why = ErrNewer
			}
			return s, fmt.Errorf("%w: a row of the kind %s cannot be read", why, row.Kind)
		}
		if ring, ok := record.(storage.Ring); ok {
			s.Ring = ring
		}
		s.Given = max(s.Given, rows.Number(record))
	}
	s.Sums = r.sums
	return s, nil
}
