package bolt

import (
	"encoding/binary"

	"signet/audit"
	"signet/storage/codec"
)

// Files of before version 4 have entries in records that are not chained. They are chained once, at the first start of a program that knows
// how, in commits of some megabytes: one commit would have all of a large log in memory. The first of them makes the file one of this version
// and notes in metaUnchained how far it came; a start that was interrupted goes on from there, and nothing else is done before the end.
//
// What the chain says of these entries is that they are as they were then.

// metaUnchained is the sequence of the first record that is not chained yet.
var metaUnchained = []byte("unchained")

// looseRecord is a record of before.
type looseRecord struct {
	Entries []audit.Entry `cbor:"entries"`
}

// chainedAtOnce bounds the bytes of a commit.
const chainedAtOnce = 8 << 20

// chainLoose chains what is left to be chained.
func (s *Store) chainLoose() error {
	return s.inPieces(metaUnchained, "chaining the audit log", (*tx).chainSome)
}

// chainSome chains some records and says whether there are more.
func (t *tx) chainSome() (more bool) {
	meta := t.bucket([]byte(metaBucket))
	note := t.get(meta, metaUnchained)
	if note == nil {
		return false
	}
	from, size := binary.BigEndian.Uint64(note), 0
	last := audit.Link{}
	if r, ok := t.chainedBefore(from); ok {
		last = r.Link()
	}
	for _, s := range t.kept() {
		c := s.Cursor()
		for key, row := c.Seek(sequenceKey(from)); key != nil && t.failed == nil; key, row = c.Next() {
			sequence := binary.BigEndian.Uint64(key)
			if size > chainedAtOnce {
				t.put(meta, metaUnchained, sequenceKey(sequence))
				return true
			}
			var loose looseRecord
			if err := codec.Decode(row, &loose); err != nil {
				t.fail(err)
				return false
			}
			if last.Sequence+1 != sequence {
				last.Sequence = sequence - 1 // where the log begins, or lacks something: from here on it does not
			}
			r := last.Next(wholeBody(loose.Entries))
			key = append([]byte(nil), key...)
			write(t, s.Bucket, key, r)
			c.Seek(key) // the cursor has lost its place by the write
			last, size = r.Link(), size+len(row)
		}
	}
	t.delete(meta, metaUnchained)
	return false
}

// chainedBefore is the record before a sequence, where the last commit came to.
func (t *tx) chainedBefore(sequence uint64) (audit.Record, bool) {
	if sequence == 0 {
		return audit.Record{}, false
	}
	return t.record1(sequence - 1)
}

// wholeBody is the body of one record, whatever its length: each keeps its sequence.
func wholeBody(entries []audit.Entry) []byte {
	body := []byte{'['}
	for i, part := range audit.Bodies(entries) {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, part[1:len(part)-1]...)
	}
	return append(body, ']')
}
