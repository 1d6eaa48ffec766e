package bolt

import (
	"context"
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
)

// The audit log is a bucket of segments. A segment is what was committed on one UTC day: a bucket named by the sequence of
// its first record and its day, both big-endian, so that segments stand in the order of the commits even where the clock was
// set back. Its rows are the records of the chain, under their sequence; a commit is one record, of several if it has more than
// a mebibyte to say. A segment whose first record is not the one that it is named by is being dropped, and nobody reads it any more.
//
// The last record's hash is remembered by the committer, which alone writes records (tx.head).
const auditBucket = "audit"

// checkpointBucket has the checkpoints, under the sequence of their record.
const checkpointBucket = "checkpoints"

func sequenceKey(sequence uint64) []byte { return binary.BigEndian.AppendUint64(nil, sequence) }

// segment is one bucket of the log.
type segment struct {
	name []byte
	*bbolt.Bucket
}

func segmentName(sequence uint64, day uint32) []byte {
	return binary.BigEndian.AppendUint32(sequenceKey(sequence), day)
}

func (s segment) first() uint64 { return binary.BigEndian.Uint64(s.name) }
func (s segment) day() uint32   { return segmentDay(s.name) }

func segmentDay(name []byte) uint32 { return binary.BigEndian.Uint32(name[8:]) }

// dropping says whether the sweeper has begun to drop the segment.
func (s segment) dropping() bool {
	key, _ := s.Cursor().First()
	return key == nil || binary.BigEndian.Uint64(key) != s.first()
}

// segments are those of the log, oldest first, with those that are being dropped in front.
func (t *tx) segments() (all []segment) {
	log := t.bucket([]byte(auditBucket))
	c := log.Cursor()
	for name, _ := c.First(); name != nil; name, _ = c.Next() {
		all = append(all, segment{append([]byte(nil), name...), log.Bucket(name)})
	}
	return all
}

// kept are the segments that nobody drops.
func (t *tx) kept() []segment {
	all := t.segments()
	for len(all) > 0 && all[0].dropping() {
		all = all[1:]
	}
	return all
}

// writeEntries stores the entries of the transaction. Its error is the transaction's failure.
func (t *tx) writeEntries() error {
	if len(t.entries) == 0 {
		return nil
	}
	return t.writeBodies(t.entries)
}

// writeBodies appends entries to the chain.
func (t *tx) writeBodies(entries []audit.Entry) error {
	today := audit.Day(entries[0].Time)
	for _, body := range audit.Bodies(entries) {
		t.writeRecord(t.chainHead().Next(body), today)
	}
	return t.failed
}

// chainHead is what the next record follows on.
func (t *tx) chainHead() audit.Link {
	if last := t.bucket([]byte(auditBucket)).Sequence(); t.head.Sequence != last {
		t.head = audit.Link{Sequence: last} // a chain begins where there is no record yet, or none is left
		if r, ok := t.record1(last); ok {
			t.head = r.Link()
		}
	}
	return t.head
}

// writeRecord puts a record at the end of the log.
func (t *tx) writeRecord(r audit.Record, today uint32) {
	log := t.bucket([]byte(auditBucket))
	if err := log.SetSequence(r.Sequence); err != nil {
		t.fail(err)
		return
	}
	if rows := t.subBucket(log, t.segmentFor(r.Sequence, today)); rows != nil {
		rows.FillPercent = appendFill
		write(t, rows, sequenceKey(r.Sequence), r)
	}
	t.head = r.Link()
}

// segmentFor names the segment of a new record.
func (t *tx) segmentFor(sequence uint64, today uint32) []byte {
	last, _ := t.bucket([]byte(auditBucket)).Cursor().Last()
	if last != nil && audit.Segment(segmentDay(last), today) == segmentDay(last) {
		return append([]byte(nil), last...)
	}
	return segmentName(sequence, today)
}

// record1 is the record with a sequence.
func (t *tx) record1(sequence uint64) (audit.Record, bool) {
	all := t.kept()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].first() <= sequence {
			return read[audit.Record](t, all[i].Bucket, sequenceKey(sequence))
		}
	}
	return audit.Record{}, false
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

// Entries implements [storage.Audit]. It calls f outside of any transaction, so f may use the store.
func (s *Store) Entries(ctx context.Context, f func(audit.Entry) error) error {
	return s.Records(ctx, 0, time.Time{}, func(r audit.Record) error { return r.Each(f) })
}

// Chain implements [storage.Audit]: every commit is in the chain.
func (s *Store) Chain(ctx context.Context) error { return ctx.Err() }

// Chained implements [storage.Audit].
func (s *Store) Chained(ctx context.Context) (c storage.Chain, err error) {
	err = s.view(ctx, func(t *tx) error {
		c = t.chained()
		return nil
	})
	return c, err
}

func (t *tx) chained() (c storage.Chain) {
	all := t.kept()
	if len(all) == 0 {
		return c
	}
	c.First, c.Last = all[0].first(), t.chainHead()
	if key, row := t.bucket([]byte(checkpointBucket)).Cursor().Last(); key != nil {
		if err := codec.Decode(row, &c.Checkpoint); err != nil {
			t.fail(err)
		}
	}
	for _, following := range all[1:] {
		if end := following.first() - 1; end > c.Checkpoint.Sequence {
			if r, ok := t.record1(end); ok {
				c.Due = append(c.Due, r.Link())
			}
		}
	}
	return c
}

// recordsAtOnce bounds how many records are read in one snapshot, and bytesAtOnce their bytes: a long one would keep the pages of the past
// from being used again.
const (
	recordsAtOnce = 256
	bytesAtOnce   = 4 << 20
)

// Records implements [storage.Audit]. It calls f outside of any transaction, so f may use the store.
func (s *Store) Records(ctx context.Context, from uint64, since time.Time, f func(audit.Record) error) error {
	var last uint64
	err := s.view(ctx, func(t *tx) error {
		last = t.bucket([]byte(auditBucket)).Sequence()
		return nil
	})
	for err == nil && from <= last {
		var records []audit.Record
		err = s.view(ctx, func(t *tx) error {
			records, from = t.records(from, last, since)
			return nil
		})
		for _, r := range records {
			if err == nil {
				err = f(r)
			}
		}
	}
	return err
}

// records returns some records from the sequence on, up to last, and the sequence to go on from.
func (t *tx) records(from, last uint64, since time.Time) (records []audit.Record, next uint64) {
	size := 0
	for _, s := range t.kept() {
		if !since.IsZero() && s.day()+1 < audit.Day(since) { // a segment may have some of the day after
			continue
		}
		c := s.Cursor()
		for key, row := c.Seek(sequenceKey(from)); key != nil; key, row = c.Next() {
			sequence := binary.BigEndian.Uint64(key)
			if sequence > last {
				return records, last + 1
			}
			if len(records) == recordsAtOnce || size > bytesAtOnce {
				return records, sequence
			}
			var r audit.Record
			if err := codec.Decode(row, &r); err != nil {
				t.fail(err)
				return nil, 0
			}
			records, size = append(records, r), size+len(row)
		}
	}
	return records, last + 1
}

// SaveCheckpoint implements [storage.Audit].
func (s *Store) SaveCheckpoint(ctx context.Context, c audit.Checkpoint) error {
	c.Time = codec.UTC(c.Time)
	return s.do(ctx, func(t *tx) error {
		r, ok := t.record1(c.Sequence)
		if !ok || r.Hash != c.Hash {
			return storage.ErrConflict
		}
		if checkpoints := t.bucket([]byte(checkpointBucket)); t.get(checkpoints, sequenceKey(c.Sequence)) == nil {
			checkpoints.FillPercent = appendFill
			write(t, checkpoints, sequenceKey(c.Sequence), c)
		}
		return nil
	})
}

// Checkpoints implements [storage.Audit].
func (s *Store) Checkpoints(ctx context.Context, from, to uint64) (all []audit.Checkpoint, err error) {
	err = s.view(ctx, func(t *tx) error {
		rows := t.bucket([]byte(checkpointBucket)).Cursor()
		for key, row := rows.Seek(sequenceKey(from)); key != nil && binary.BigEndian.Uint64(key) <= to; key, row = rows.Next() {
			var c audit.Checkpoint
			if err := codec.Decode(row, &c); err != nil {
				return err
			}
			all = append(all, c)
		}
		return nil
	})
	return all, err
}

// log drops the oldest segments that are over, each behind the checkpoint over its last record, and then the checkpoints before that one.
func (b *broom) log(now time.Time, retention time.Duration) {
	all := b.tx.segments()
	checkpoints := b.tx.bucket([]byte(checkpointBucket))
	for i := 0; i+1 < len(all) && b.left > 0; i++ { // the last one stays: the chain goes on from it
		following := all[i+1]
		anchor := sequenceKey(following.first() - 1)
		over := !now.Before(audit.SegmentEnd(all[i].day(), following.day(), now).Add(retention)) && b.tx.get(checkpoints, anchor) != nil
		if !over && !all[i].dropping() {
			return
		}
		b.bucket(b.tx.bucket([]byte(auditBucket)), all[i].name)
		for _, key := range firstKeys(checkpoints, b.left) {
			if string(key) < string(anchor) {
				b.tx.delete(checkpoints, key)
			}
		}
	}
	b.more = b.more || b.left <= 0
}
