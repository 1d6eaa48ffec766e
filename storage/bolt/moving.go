package bolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
	"signet/storage/internal/decide"
	"signet/storage/rows"
)

var _ storage.Moving = (*Store)(nil)

// Export implements [storage.Moving]. It is one read transaction: what acts change meanwhile takes new pages, so the file grows by
// what is written while it lasts, and uses that space again afterwards.
func (s *Store) Export(ctx context.Context) storage.Rows {
	return func(yield func(storage.Row, error) bool) {
		err := s.view(ctx, func(t *tx) error {
			return t.export(ctx, func(row storage.Row) error {
				if !yield(row, nil) {
					return errEnough
				}
				return nil
			}, func(f storage.Fault) error { return fmt.Errorf("%w: %s %s: %s", ErrDamaged, f.Kind, f.Key, f.Problem) })
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(storage.Row{}, err)
		}
	}
}

// errEnough ends an export that nobody reads any more.
var errEnough = errors.New("enough rows")

// exporter gives out the rows of a transaction. Of a row whose kind is more than its record bad is told when it cannot be read; the
// others are passed on as they are.
type exporter struct {
	*tx
	ctx  context.Context
	give func(storage.Row) error
	bad  func(storage.Fault) error
}

func (t *tx) export(ctx context.Context, give func(storage.Row) error, bad func(storage.Fault) error) error {
	e := exporter{t, ctx, give, bad}
	for _, kind := range storage.Kinds {
		for key, row := range e.stored(kind) {
			if err := e.one(kind, key, row); err != nil {
				return err
			}
		}
	}
	return nil
}

// one gives out what a row of the file stands for.
func (e exporter) one(kind storage.Kind, key, row []byte) error {
	if err := e.ctx.Err(); err != nil {
		return err
	}
	var err error
	switch kind {
	case storage.KindRemoved:
		var id storage.RemovedID
		if id, err = removedID(key); err == nil {
			return e.record(kind, key, id)
		}
	case storage.KindAssertion:
		var spent spentAssertion
		if err = codec.Decode(row, &spent); err == nil && len(key) >= len(storage.Hash{}) {
			client, jti := splitAssertionKey(key)
			return e.record(kind, key, storage.SpentAssertion{Client: client, JTI: jti, Expires: ceil(spent.Expires), Replayed: spent.Replayed})
		}
	case storage.KindMark:
		var m storage.Mark
		if m, err = readMark(key, row); err == nil {
			return e.record(kind, key, m)
		}
	case storage.KindRecord:
		if err = codec.Decode(row, new(audit.Record)); err == nil {
			return e.give(storage.Row{Kind: kind, Record: row})
		}
	default:
		return e.give(storage.Row{Kind: kind, Record: row})
	}
	if err == nil {
		err = errors.New("its key is cut off")
	}
	return e.bad(storage.Fault{Kind: kind, Key: printable(key), Problem: err.Error()})
}

func (e exporter) record(kind storage.Kind, key []byte, record any) error {
	row, err := rows.Encode(kind, record)
	if err != nil {
		return e.bad(storage.Fault{Kind: kind, Key: printable(key), Problem: err.Error()})
	}
	return e.give(row)
}

// ceil rounds an instant up to the microsecond, which all backends can keep.
func ceil(t time.Time) time.Time {
	if down := t.Truncate(time.Microsecond); down.Before(t) {
		return down.Add(time.Microsecond)
	}
	return t
}

func removedID(key []byte) (id storage.RemovedID, err error) {
	switch {
	case len(key) > 0 && key[0] == removedClient:
		return storage.RemovedID{Kind: storage.KindClient, ID: string(key[1:])}, nil
	case len(key) > 0 && key[0] == removedUser:
		return storage.RemovedID{Kind: storage.KindUser, ID: string(key[1:])}, nil
	}
	return id, errors.New("it is of an unknown kind")
}

func splitAssertionKey(key []byte) (client string, jti storage.Hash) {
	at := len(key) - len(jti)
	copy(jti[:], key[at:])
	return string(key[:at]), jti
}

// bucketOf is where the rows of each kind are.
var bucketOf = map[storage.Kind]string{
	storage.KindRemoved: removedBucket, storage.KindClient: string(clientRows), storage.KindResource: string(resourceRows),
	storage.KindUser: string(userRows), storage.KindRing: string(ringRows), storage.KindBrowser: string(browserRows),
	storage.KindSession: string(sessionRows), storage.KindConsent: string(consentRows), storage.KindFamily: string(familyRows),
	storage.KindInitial: string(initialRows), storage.KindCode: string(codeRows), storage.KindDevice: string(deviceRows), storage.KindInteraction: string(interactionRows),
	storage.KindAnswered: string(interactionRows), storage.KindKept: string(keptRows), storage.KindAssertion: string(assertionRows),
	storage.KindDenied: string(deniedRows),
	storage.KindNotice: string(noticeRows), storage.KindHistory: string(historyRows), storage.KindMark: marksBucket,
	storage.KindRecord: auditBucket, storage.KindCheckpoint: checkpointBucket,
}

// stored iterates over the rows of a kind in the order of their keys, through the slots and segments where there are some.
func (t *tx) stored(kind storage.Kind) iter.Seq2[[]byte, []byte] {
	keep := func([]byte, []byte) bool { return true }
	if kind == storage.KindInteraction || kind == storage.KindAnswered {
		keep = func(_, row []byte) bool { return t.countsStill(row) == (kind == storage.KindInteraction) }
	}
	return func(yield func(key, row []byte) bool) {
		switch kind {
		case storage.KindEntry: // every one is in the chain
			return
		case storage.KindRecord:
			for _, s := range t.kept() {
				if !each(s.Bucket, yield) {
					return
				}
			}
			return
		}
		each(t.bucket([]byte(bucketOf[kind])), func(key, row []byte) bool { return !keep(key, row) || yield(key, row) })
	}
}

// each calls f with the rows of a bucket and of those in it, until f has enough.
func each(b *bbolt.Bucket, f func(key, row []byte) bool) (more bool) {
	c := b.Cursor()
	for key, row := c.First(); key != nil; key, row = c.Next() {
		if row == nil {
			if !each(b.Bucket(key), f) {
				return false
			}
		} else if !f(key, row) {
			return false
		}
	}
	return true
}

// countsStill says whether an interaction counts for the limit of its address. One that cannot be read does.
func (t *tx) countsStill(row []byte) bool {
	var i storage.Interaction
	if err := codec.Decode(row, &i); err != nil || !i.Spent {
		return true
	}
	return t.bucket([]byte(openRows), slotOf(i.Expires)) != nil &&
		t.get(t.bucket([]byte(openRows), slotOf(i.Expires)), countInteraction.key(i.Address, i.ID)) != nil
}

// An import is many commits. The first one marks the store as unfinished, and the last one takes the mark away.
var metaUnfinished = []byte("unfinished")

// ErrUnfinished is a store whose import did not come to its end.
var ErrUnfinished = errors.New("the store is unfinished")

// importedAtOnce bounds the bytes of a commit.
const importedAtOnce = 8 << 20

// Import implements [storage.Moving].
func (s *Store) Import(ctx context.Context, all storage.Rows) error {
	if err := s.do(ctx, func(t *tx) error { return t.beginImport() }); err != nil {
		return err
	}
	var want, got rows.Tally
	var last uint64 // of the records that came; entries that came without one are chained behind it
	batch := batch{store: s}
	for row, err := range all {
		if err != nil {
			return err
		}
		record, err := rows.Decode(row)
		if err != nil {
			return fmt.Errorf("row %d, %s: %w", want.Total()+1, row.Kind, err)
		}
		switch r := record.(type) {
		case audit.Entry:
			row = loose(audit.Bodies([]audit.Entry{r})[0])
		case audit.Record:
			last = r.Sequence
		}
		want.Add(row)
		if err := batch.add(ctx, row, record); err != nil {
			return err
		}
	}
	if err := batch.flush(ctx); err != nil {
		return err
	}
	if err := got.Read(unchained(s.Export(ctx), last)); err != nil {
		return err
	}
	if err := rows.Compare(want.Sums(), got.Sums()); err != nil {
		return fmt.Errorf("what was stored is not what came: %w", err)
	}
	return s.do(ctx, func(t *tx) error {
		t.delete(t.bucket([]byte(metaBucket)), metaUnfinished)
		return nil
	})
}

// unchained gives out entries in the place of the records after a sequence, as they came.
func unchained(all storage.Rows, after uint64) storage.Rows {
	return func(yield func(storage.Row, error) bool) {
		for row, err := range all {
			parts := []storage.Row{row}
			var r audit.Record
			if err == nil && row.Kind == storage.KindRecord {
				if err = codec.Decode(row.Record, &r); err == nil && r.Sequence > after {
					parts, err = entriesOf(r)
				}
			}
			if err != nil {
				yield(storage.Row{}, err)
				return
			}
			for _, part := range parts {
				if !yield(part, nil) {
					return
				}
			}
		}
	}
}

func entriesOf(r audit.Record) (parts []storage.Row, err error) {
	entries, err := r.Entries()
	for _, e := range entries {
		parts = append(parts, loose(audit.Bodies([]audit.Entry{e})[0]))
	}
	return parts, err
}

// loose is a row to compare entries by: what a record makes of one.
func loose(body []byte) storage.Row { return storage.Row{Kind: storage.KindEntry, Record: body} }

// beginImport empties the log and marks the store. A store with rows is refused.
func (t *tx) beginImport() error {
	if !t.blank() {
		return fmt.Errorf("%w: the store is not empty", storage.ErrExists)
	}
	log := t.bucket([]byte(auditBucket))
	for _, name := range firstKeys(log, int(log.Sequence())+1) {
		t.dropBucket(log, name)
	}
	checkpoints := t.bucket([]byte(checkpointBucket))
	for _, key := range firstKeys(checkpoints, int(log.Sequence())+1) {
		t.delete(checkpoints, key)
	}
	if err := log.SetSequence(0); err != nil {
		t.fail(err)
	}
	t.put(t.bucket([]byte(metaBucket)), metaUnfinished, []byte{1})
	return nil
}

// blank says whether there is no row in the store but those of its log.
func (t *tx) blank() bool {
	for _, kind := range storage.Kinds {
		switch kind {
		case storage.KindRecord, storage.KindCheckpoint, storage.KindEntry:
			continue
		}
		if key, _ := t.bucket([]byte(bucketOf[kind])).Cursor().First(); key != nil {
			return false
		}
	}
	return true
}

// Blank says whether there is no row in the store but those of its log.
func (s *Store) Blank(ctx context.Context) (blank bool, err error) {
	err = s.view(ctx, func(t *tx) error {
		blank = t.blank()
		return nil
	})
	return blank, err
}

// batch gathers rows for one commit.
type batch struct {
	store *Store
	rows  []arrived
	size  int
}

type arrived struct {
	storage.Row
	record any
}

func (b *batch) add(ctx context.Context, row storage.Row, record any) error {
	row.Record = bytes.Clone(row.Record)
	b.rows = append(b.rows, arrived{row, record})
	if b.size += len(row.Record); b.size < importedAtOnce {
		return nil
	}
	return b.flush(ctx)
}

func (b *batch) flush(ctx context.Context) error {
	if len(b.rows) == 0 {
		return nil
	}
	err := b.store.do(ctx, func(t *tx) error {
		for _, row := range b.rows {
			t.place(row, b.store.now())
		}
		t.placeLogins(b.rows)
		t.placeBegun(b.rows)
		t.placeEntries(b.rows)
		return nil
	})
	b.rows, b.size = b.rows[:0], 0
	return err
}

// place stores an imported row under its key, and what counts for its address.
func (t *tx) place(row arrived, now time.Time) {
	slot, key, _ := placeOf(row.record)
	if key == nil {
		return // an entry of the log
	}
	switch r := row.record.(type) {
	case storage.RemovedID:
		t.remove(key[0], r.ID, now)
		return
	case audit.Record:
		t.placeRecord(r, row.Record)
		return
	}
	b := t.bucket([]byte(bucketOf[row.Kind]))
	if slot != nil {
		b = t.subBucket(b, slot)
	}
	if b == nil {
		return // the storage failed
	}
	b.FillPercent = appendFill
	t.gave(rows.Number(row.record))
	switch r := row.record.(type) {
	case storage.SpentAssertion:
		write(t, b, key, spentAssertion{Expires: r.Expires, Replayed: r.Replayed})
	case storage.Interaction:
		t.put(b, key, row.Record)
		if row.Kind == storage.KindInteraction {
			t.count(countInteraction, r.Address, r.ID, r.Expires)
		}
	case storage.DeviceGrant:
		t.put(b, key, row.Record)
		t.placeUserCode(r)
		if r.State == storage.DevicePending {
			t.count(countDevice, r.Address, r.ID, r.Expires)
		}
	case storage.User:
		t.put(b, key, row.Record)
		t.declare(r)
	case storage.Notice:
		t.put(b, key, row.Record)
		t.put(t.bucket([]byte(outboxBucket)), outboxKey(r), instant(r.Created))
	case storage.Mark:
		t.placeMark(r)
	case storage.KeptRequest:
		t.put(b, key, row.Record)
		t.count(countKept, r.Address, r.ID, r.Created.Add(storage.KeptWindow))
	default:
		t.put(b, key, row.Record)
	}
}

// placeOf says where a record is: its slot, if its kind has some, its key, and the sign-in names that lead to it. Entries of the log have
// no place of their own.
func placeOf(record any) (slot, key []byte, logins []string) {
	switch r := record.(type) {
	case storage.RemovedID:
		if r.Kind == storage.KindUser {
			return nil, removedKey(removedUser, r.ID), nil
		}
		return nil, removedKey(removedClient, r.ID), nil
	case storage.Client:
		return nil, []byte(r.ID), nil
	case storage.Resource:
		return nil, resourceKey(r.ID), nil
	case storage.User:
		return nil, []byte(r.Sub), decide.LoginKeys(r)
	case storage.Ring:
		return nil, ringKey, nil
	case storage.Browser:
		return nil, r.ID[:], nil
	case storage.Session:
		return nil, r.ID[:], nil
	case storage.Consent:
		return nil, consentKey(r.User, r.Client), nil
	case storage.Family:
		return nil, r.ID[:], nil
	case storage.InitialToken:
		return nil, r.ID[:], nil
	case storage.Code:
		return slotOf(r.ID.Time()), r.ID[:], nil
	case storage.DeviceGrant:
		return slotOf(r.ID.Time()), r.ID[:], nil
	case storage.Interaction:
		return slotOf(r.ID.Time()), r.ID[:], nil
	case storage.KeptRequest:
		return slotOf(r.ID.Time()), r.ID[:], nil
	case storage.SpentAssertion:
		return slotOf(r.Expires), append([]byte(r.Client), r.JTI[:]...), nil
	case storage.DeniedToken:
		return nil, r.JTI[:], nil
	case storage.Notice:
		return nil, noticeKey(r), nil
	case storage.History:
		return nil, []byte(r.User), nil
	case storage.Mark:
		return hourOf(r.Until), markKey(r.Number), nil
	case audit.Record:
		return nil, sequenceKey(r.Sequence), nil
	case audit.Checkpoint:
		return nil, sequenceKey(r.Sequence), nil
	}
	return nil, nil, nil
}

// placeBegun stores the keys that lead from users to their sessions and families.
func (t *tx) placeBegun(batch []arrived) {
	var keys [][]byte
	for _, row := range batch {
		switch r := row.record.(type) {
		case storage.Session:
			keys = append(keys, begunSession(r))
		case storage.Family:
			keys = append(keys, begunFamily(r))
		}
	}
	t.indexBegun(keys)
}

// placeLogins stores the names that lead to users, in their order: bbolt shifts all that a page has behind a key that is put before it, and
// the page of a large commit is large.
func (t *tx) placeLogins(batch []arrived) {
	var logins []storage.Login
	for _, row := range batch {
		_, _, names := placeOf(row.record)
		for _, name := range names {
			logins = append(logins, storage.Login{Key: name, Sub: row.record.(storage.User).Sub})
		}
	}
	slices.SortFunc(logins, func(a, b storage.Login) int { return cmp.Compare(a.Key, b.Key) })
	index := t.bucket([]byte(loginBucket))
	for _, l := range logins {
		t.put(index, []byte(l.Key), []byte(l.Sub))
	}
}

// placeRecord puts a record that came where it was, byte for byte.
func (t *tx) placeRecord(r audit.Record, row []byte) {
	log := t.bucket([]byte(auditBucket))
	if err := log.SetSequence(max(r.Sequence, log.Sequence())); err != nil {
		t.fail(err)
		return
	}
	if rows := t.subBucket(log, t.segmentFor(r.Sequence, audit.Day(r.Time()))); rows != nil {
		rows.FillPercent = appendFill
		t.put(rows, sequenceKey(r.Sequence), row)
	}
}

// placeEntries appends entries to the log, those of one day in a record, as far as one record may go.
func (t *tx) placeEntries(batch []arrived) {
	var entries []audit.Entry
	flush := func() {
		if len(entries) > 0 && t.failed == nil {
			_ = t.writeBodies(entries) // a failure sticks
		}
		entries = nil
	}
	for _, row := range batch {
		entry, ok := row.record.(audit.Entry)
		if !ok {
			continue
		}
		if len(entries) == entriesInRecord || len(entries) > 0 && audit.Day(entries[0].Time) != audit.Day(entry.Time) {
			flush()
		}
		entries = append(entries, entry)
	}
	flush()
}

// entriesInRecord bounds a record of imported entries.
const entriesInRecord = 128

// printable is a key for people.
func printable(key []byte) string {
	if len(key) == len(storage.ID{}) {
		return storage.ID(key).String()
	}
	if len(key) == 8 {
		return fmt.Sprint(binary.BigEndian.Uint64(key))
	}
	return fmt.Sprintf("%q", key)
}
