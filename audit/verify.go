package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Report is what a verified export holds.
type Report struct {
	Issuer      string    `json:"issuer"`
	Made        time.Time `json:"made"`
	Fingerprint string    `json:"fingerprint"` // of the key that signed the checkpoints
	Trusted     bool      `json:"trusted"`     // the key was known, and not taken from the file
	Records     uint64    `json:"records"`
	Entries     uint64    `json:"entries"`
	First       uint64    `json:"first"` // sequences
	Last        uint64    `json:"last"`
	From        time.Time `json:"from,omitzero"` // of the earliest entry
	To          time.Time `json:"to,omitzero"`
	// Anchored says that records before the first were dropped as their retention says, behind the checkpoint that vouches for the first.
	Anchored    bool      `json:"anchored"`
	Checkpoints uint64    `json:"checkpoints"`
	Oldest      time.Time `json:"oldest_checkpoint,omitzero"`
	Newest      time.Time `json:"newest_checkpoint,omitzero"`
	Head        Hash      `json:"head"` // the hash of the last record
}

// What is wrong with a link.
const (
	Changed   = "changed"
	Missing   = "missing"
	Swapped   = "swapped"
	Truncated = "truncated"
	Forged    = "forged checkpoint"
	OtherKey  = "other key"
	Malformed = "malformed"
)

// Broken is the first link of an export that does not hold.
type Broken struct {
	What     string    `json:"what"`
	Line     uint64    `json:"line"`
	Sequence uint64    `json:"sequence,omitempty"` // of the record, where one is named
	Time     time.Time `json:"time,omitzero"`      // of that record, or of the last good one
	Problem  string    `json:"problem"`
}

func (b *Broken) Error() string {
	at := fmt.Sprintf("line %d", b.Line)
	if b.Sequence > 0 {
		at += fmt.Sprintf(", record %d", b.Sequence)
	}
	if !b.Time.IsZero() {
		at += ", " + b.Time.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s: %s: %s", b.What, at, b.Problem)
}

// ErrForeign is a file that is no export.
var ErrForeign = errors.New("not an export of Signet's audit log")

// Trust says whether a key, by its fingerprint and itself, is one to be believed.
type Trust func(Key) bool

// Verify reads an export and holds each record to the one before, and each checkpoint to its record and its signature. Trust is nil where the
// key in the file has to be believed. Its error is [ErrForeign], a *[Broken], or that of from. It holds two lines in memory.
func Verify(from io.Reader, trust Trust) (Report, error) {
	v := verifier{lines: bufio.NewReaderSize(from, 1<<16)}
	v.report.Trusted = trust != nil
	err := v.header(trust)
	for err == nil && !v.ended {
		err = v.line()
	}
	if err == nil {
		err = v.nothingElse()
	}
	return v.report, err
}

type verifier struct {
	lines *bufio.Reader
	n     uint64 // of lines read
	ahead []byte // a line that was looked at before its turn

	key    Key
	issuer string
	report Report
	last   Link
	time   time.Time // of the last record
	anchor bool      // last is the anchor
	ended  bool
}

func (v *verifier) broken(what string, sequence uint64, problem string, args ...any) error {
	return &Broken{What: what, Line: v.n, Sequence: sequence, Time: v.time, Problem: fmt.Sprintf(problem, args...)}
}

// read returns the next line, nil at the end of the file.
func (v *verifier) read() ([]byte, error) {
	if line := v.ahead; line != nil {
		v.ahead = nil
		v.n++
		return line, nil
	}
	line, err := v.raw()
	if len(line) > 0 {
		v.n++
	}
	return line, err
}

func (v *verifier) raw() (line []byte, err error) {
	for {
		part, err := v.lines.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			v.n++
			return nil, v.broken(Malformed, 0, "the line is longer than any that Signet writes")
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return line, nil
		default:
			return line, err
		}
	}
}

// decode reads a line, which must be as Signet writes it to the last byte: JSON may be read in more than one way.
func decode[L any](line []byte) (l L, ok bool) {
	body, whole := bytes.CutSuffix(line, []byte("\n"))
	if !whole || json.Unmarshal(body, &l) != nil {
		return l, false
	}
	var again bytes.Buffer
	enc := json.NewEncoder(&again)
	enc.SetEscapeHTML(false)
	return l, enc.Encode(l) == nil && bytes.Equal(again.Bytes(), line)
}

func (v *verifier) header(trust Trust) error {
	line, err := v.read()
	if err != nil {
		if errors.As(err, new(*Broken)) {
			return ErrForeign
		}
		return err
	}
	if !bytes.HasPrefix(line, []byte(`{"signet_audit_export":`)) {
		return ErrForeign
	}
	var version struct {
		Format int `json:"signet_audit_export"`
	}
	if json.Unmarshal(line, &version) == nil && version.Format > ExportFormat {
		return fmt.Errorf("the export has format %d, and this program knows %d; verify it with the newer program", version.Format, ExportFormat)
	}
	h, ok := decode[Header](line)
	if !ok || h.Format != ExportFormat || h.Fingerprint != h.Key.Fingerprint() {
		if !bytes.HasSuffix(line, []byte("\n")) {
			return v.broken(Truncated, 0, "the file ends in its first line")
		}
		return v.broken(Malformed, 0, "the first line is not as Signet writes it")
	}
	v.key, v.issuer = h.Key, h.Issuer
	v.report.Issuer, v.report.Made, v.report.Fingerprint = h.Issuer, h.Made, h.Fingerprint
	if trust != nil && !trust(h.Key) {
		return v.broken(OtherKey, 0, "the checkpoints are signed with the key %s, which is not the one that was named", h.Fingerprint)
	}
	return nil
}

func (v *verifier) line() error {
	line, err := v.read()
	if err != nil {
		return err
	}
	if len(line) == 0 {
		return v.broken(Truncated, 0, "the file ends after record %d, without the checkpoint that an export ends with", v.last.Sequence)
	}
	switch {
	case bytes.HasPrefix(line, []byte(`{"sequence":`)):
		if l, ok := decode[recordLine](line); ok {
			return v.record(Record{l.Sequence, l.Previous, l.Hash, []byte(l.Body)})
		}
	case bytes.HasPrefix(line, []byte(`{"checkpoint":`)):
		if l, ok := decode[checkpointLine](line); ok {
			return v.checkpoint(l.Checkpoint, false)
		}
	case bytes.HasPrefix(line, []byte(`{"end":`)):
		if l, ok := decode[endLine](append(bytes.TrimSuffix(line, []byte("\n")), '\n')); ok { // editors take the last line feed away
			return v.checkpoint(l.End, true)
		}
	}
	if !bytes.HasSuffix(line, []byte("\n")) {
		return v.broken(Truncated, 0, "the file ends in the middle of a line, after record %d", v.last.Sequence)
	}
	return v.broken(Changed, 0, "the line after record %d is not as Signet writes it", v.last.Sequence)
}

func (v *verifier) record(r Record) error {
	if sum := r.Sum(); sum != r.Hash {
		v.time = r.Time()
		return v.broken(Changed, r.Sequence, "its hash is %.16s… and should be %.16s…", sum, r.Hash)
	}
	began := v.report.Records > 0 || v.anchor
	switch {
	case began && r.Sequence != v.last.Sequence+1:
		return v.displaced(r.Sequence)
	case began && r.Previous != v.last.Hash:
		v.time = r.Time()
		return v.broken(Changed, r.Sequence, "it does not follow on record %d as it is here: one of the two was made anew, or is of another log", v.last.Sequence)
	case !began && r.Previous != Hash{}:
		return v.broken(Missing, r.Sequence, "the log begins with this record, which follows on another one, and no checkpoint vouches for that")
	}
	if v.report.Records == 0 {
		v.report.First = r.Sequence
	}
	v.report.Records++
	v.report.Last, v.report.Head = r.Sequence, r.Hash
	v.last, v.time = r.Link(), r.Time()
	v.times(r)
	return nil
}

// times counts the entries of a record and notes when they were.
func (v *verifier) times(r Record) {
	var entries []struct {
		Time time.Time `json:"time"`
	}
	if json.Unmarshal(r.Body, &entries) != nil {
		return // it is what was recorded, whatever that is
	}
	for _, e := range entries {
		v.report.Entries++
		if v.report.From.IsZero() || e.Time.Before(v.report.From) {
			v.report.From = e.Time
		}
		if e.Time.After(v.report.To) {
			v.report.To = e.Time
		}
	}
}

// displaced says why a record is not the next one.
func (v *verifier) displaced(sequence uint64) error {
	want := v.last.Sequence + 1
	if sequence < want {
		return v.broken(Swapped, sequence, "it comes after record %d: it is there twice, or not in its place", v.last.Sequence)
	}
	at := v.n
	next, err := v.raw()
	if err != nil && !errors.As(err, new(*Broken)) {
		return err
	}
	v.n = at
	if l, ok := decode[recordLine](next); ok && l.Sequence == want {
		return v.broken(Swapped, sequence, "it comes before record %d, which follows", want)
	}
	if sequence == want+1 {
		return v.broken(Missing, want, "record %d follows on record %d", sequence, v.last.Sequence)
	}
	return v.broken(Missing, want, "records %d to %d are not here", want, sequence-1)
}

func (v *verifier) checkpoint(signed string, end bool) error {
	c, err := v.key.Open(signed)
	switch {
	case errors.Is(err, errOther):
		return v.broken(OtherKey, 0, "the checkpoint after record %d is signed with another key than the export names", v.last.Sequence)
	case err != nil:
		return v.broken(Forged, 0, "the checkpoint after record %d: %v", v.last.Sequence, err)
	case end && c.Issuer != v.issuer: // those before may be of an issuer that the store had then
		return v.broken(Forged, 0, "the checkpoint at the end is of the issuer %q, and the export says that it is of %q", c.Issuer, v.issuer)
	}
	if v.report.Records == 0 && !v.anchor {
		if end {
			return v.broken(Missing, c.Sequence, "the checkpoint at the end is over this record, and there is none")
		}
		v.anchor, v.report.Anchored = true, true
		v.last = Link{c.Sequence, c.Hash}
		v.seen(c)
		return nil
	}
	at := time.Unix(c.IssuedAt, 0).UTC()
	switch {
	case c.Sequence > v.last.Sequence:
		return v.broken(Missing, v.last.Sequence+1, "a checkpoint of %s is over record %d, and record %d is the last before it", at.Format(time.RFC3339), c.Sequence, v.last.Sequence)
	case c.Sequence < v.last.Sequence:
		return v.broken(Swapped, c.Sequence, "the checkpoint over this record comes after record %d", v.last.Sequence)
	case c.Hash != v.last.Hash:
		return v.broken(Changed, c.Sequence, "the checkpoint of %s says that the hash of this record was %.16s…: the log was made anew since", at.Format(time.RFC3339), c.Hash)
	}
	v.seen(c)
	if !end {
		return nil
	}
	v.ended = true
	if v.report.Records > 0 && c.First != v.report.First {
		return v.broken(Missing, c.First, "the log began with this record when it was exported, and the file begins with record %d", v.report.First)
	}
	return nil
}

func (v *verifier) seen(c Claims) {
	at := time.Unix(c.IssuedAt, 0).UTC()
	if v.report.Checkpoints++; v.report.Checkpoints == 1 {
		v.report.Oldest = at
	}
	v.report.Newest = at
}

func (v *verifier) nothingElse() error {
	line, err := v.read()
	if err != nil {
		return err
	}
	if len(line) > 0 {
		return v.broken(Malformed, 0, "something follows the end of the export")
	}
	return nil
}
