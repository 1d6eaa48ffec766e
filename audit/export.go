package audit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// ExportFormat is the version of the export's format, which docs/audit.md describes.
const ExportFormat = 1

// Header is the first line of an export.
type Header struct {
	Format      int       `json:"signet_audit_export"`
	Issuer      string    `json:"issuer"`
	Made        time.Time `json:"made"`
	Key         Key       `json:"key"`
	Fingerprint string    `json:"fingerprint"` // of the key
}

// The other lines.
type (
	recordLine struct {
		Sequence uint64 `json:"sequence"`
		Previous Hash   `json:"previous"`
		Hash     Hash   `json:"hash"`
		Body     string `json:"body"` // a string, so that no reader writes it anew: its bytes are what is hashed
	}
	checkpointLine struct {
		Checkpoint string `json:"checkpoint"`
	}
	endLine struct {
		End string `json:"end"` // a checkpoint over the last record
	}
)

// maxLine is more than any line has. What is in quotes twice may be twice as long, or six times where it holds control characters.
const maxLine = 16 << 20

// Writer writes an export: JSON, one value in a line.
type Writer struct {
	to   *bufio.Writer
	enc  *json.Encoder
	last Link
	any  bool
}

// NewWriter begins an export.
func NewWriter(to io.Writer, h Header) (*Writer, error) {
	w := &Writer{to: bufio.NewWriterSize(to, 1<<16)}
	w.enc = json.NewEncoder(w.to)
	w.enc.SetEscapeHTML(false)
	h.Format, h.Fingerprint = ExportFormat, h.Key.Fingerprint()
	return w, w.enc.Encode(h)
}

// ErrGap is a log some of which went while it was read: what had to go by its retention.
var ErrGap = errors.New("the beginning of the log was dropped while it was exported, as its retention says; export it again")

// Record adds a record, which follows on the one before.
func (w *Writer) Record(r Record) error {
	if w.any && r.Sequence != w.last.Sequence+1 {
		return ErrGap
	}
	w.last, w.any = r.Link(), true
	return w.enc.Encode(recordLine{r.Sequence, r.Previous, r.Hash, string(r.Body)})
}

// Checkpoint adds a checkpoint over the record before, or over the one that the first record follows on.
func (w *Writer) Checkpoint(c Checkpoint) error { return w.enc.Encode(checkpointLine{c.Signed}) }

// End adds the checkpoint over the last record. Without it an export is a part of one.
func (w *Writer) End(c Checkpoint) error {
	if c.Sequence != w.last.Sequence {
		return fmt.Errorf("the log ends with record %d, and its checkpoint is over %d", w.last.Sequence, c.Sequence)
	}
	if err := w.enc.Encode(endLine{c.Signed}); err != nil {
		return err
	}
	return w.to.Flush()
}
