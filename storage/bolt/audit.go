package bolt

import (
	"context"
	"encoding/binary"
	"time"

	"signet/audit"
	"signet/storage/codec"
)

// The audit log is a bucket of segments. A segment is what was committed on one UTC day: a bucket named by the sequence of
// its first record and its day, both big-endian, so that segments stand in the order of the commits even where the clock was
// set back. Its rows are commits, under their sequence.
const auditBucket = "audit"

// commitRecord is what the audit log says about one commit.
type commitRecord struct {
	Previous []byte        `cbor:"previous,omitempty"` // hash of the record before, once records are chained
	Entries  []audit.Entry `cbor:"entries"`
}

const day = 24 * time.Hour

func dayOf(t time.Time) uint32 { return uint32(t.Unix() / int64(day/time.Second)) }

func segmentName(sequence uint64, day uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, sequence), day)
}

func segmentDay(name []byte) uint32 { return binary.BigEndian.Uint32(name[8:]) }

// segmentEnd is the instant at which the segment's day is over.
func segmentEnd(name []byte) time.Time {
	return time.Unix((int64(segmentDay(name))+1)*int64(day/time.Second), 0)
}

// writeEntries stores the entries of the transaction as one record. Its error is the transaction's failure.
func (t *tx) writeEntries() error {
	if len(t.entries) == 0 {
		return nil
	}
	return t.writeRecord(t.entries)
}

// writeRecord appends a record to the log.
func (t *tx) writeRecord(entries []audit.Entry) error {
	log := t.bucket([]byte(auditBucket))
	sequence := log.Sequence() + 1
	if err := log.SetSequence(sequence); err != nil {
		t.fail(err)
		return err
	}
	if segment := t.subBucket(log, t.segment(sequence, dayOf(entries[0].Time))); segment != nil {
		segment.FillPercent = appendFill
		write(t, segment, binary.BigEndian.AppendUint64(nil, sequence), commitRecord{Entries: entries})
	}
	return t.failed
}

// segment names the segment of a new record: the last one while its day lasts. Acts of one moment may differ in what day it
// is, around midnight; that opens no segment for the day before.
func (t *tx) segment(sequence uint64, today uint32) []byte {
	last, _ := t.bucket([]byte(auditBucket)).Cursor().Last()
	if last != nil && (today == segmentDay(last) || today+1 == segmentDay(last)) {
		return append([]byte(nil), last...)
	}
	return segmentName(sequence, today)
}

// Record implements [storage.Audit].
func (s *Store) Record(ctx context.Context, entries ...audit.Entry) error {
	return s.do(ctx, func(t *tx) error {
		for _, e := range entries {
			t.record(e)
		}
		return nil
	})
}

// entriesAtOnce bounds how many records are read in one snapshot: a long one would keep the pages of the past from being
// used again.
const entriesAtOnce = 256

// Entries implements [storage.Audit]. It calls f outside of any transaction, so f may use the store. Entries that are committed
// after it began are left out.
func (s *Store) Entries(ctx context.Context, f func(audit.Entry) error) error {
	var last uint64
	err := s.view(ctx, func(t *tx) error {
		last = t.bucket([]byte(auditBucket)).Sequence()
		return nil
	})
	for next := uint64(0); err == nil && next <= last; {
		var records []commitRecord
		err = s.view(ctx, func(t *tx) error {
			records, next = t.records(next, last)
			return nil
		})
		if err == nil {
			err = eachEntry(records, f)
		}
	}
	return err
}

func eachEntry(records []commitRecord, f func(audit.Entry) error) error {
	for _, r := range records {
		for _, e := range r.Entries {
			if err := f(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// records returns some records from the sequence on, up to last, and the sequence to go on from.
func (t *tx) records(from, last uint64) (records []commitRecord, next uint64) {
	log := t.bucket([]byte(auditBucket))
	segments := log.Cursor()
	for name, _ := segments.First(); name != nil; name, _ = segments.Next() {
		rows := log.Bucket(name).Cursor()
		for key, row := rows.Seek(binary.BigEndian.AppendUint64(nil, from)); key != nil; key, row = rows.Next() {
			sequence := binary.BigEndian.Uint64(key)
			if sequence > last || len(records) == entriesAtOnce {
				return records, sequence
			}
			var record commitRecord
			if err := codec.Decode(row, &record); err != nil {
				t.fail(err)
				return nil, 0
			}
			records = append(records, record)
		}
	}
	return records, last + 1
}
