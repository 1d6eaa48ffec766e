package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"signet/storage"
	"signet/storage/codec"
	"signet/storage/rows"
)

var _ storage.Checked = (*Store)(nil)

// Check implements [storage.Checked]. All pages in use are read under the guard against faults. bbolt's own check, which also looks for
// pages that are lost or used twice, must have no writer beside it and runs in a goroutine of its own: it comes last, as an act, and only
// when the pages are sound. Other acts wait for it, about a second for each GiB that is in memory.
func (s *Store) Check(ctx context.Context, row func(storage.Row) error, login func(storage.Login), fault func(storage.Fault)) error {
	sound := true
	found := func(f storage.Fault) {
		sound = false
		fault(f)
	}
	err := s.view(ctx, func(t *tx) error {
		t.checkBuckets(found)
		if err := t.export(ctx, row, func(f storage.Fault) error { found(f); return nil }); err != nil {
			return err
		}
		t.checkKeys(found)
		t.checkCounts(found)
		t.checkUserCodes(found)
		t.checkDeclared(found)
		t.checkBegun(found)
		t.checkOutbox(found)
		return t.bucket([]byte(loginBucket)).ForEach(func(key, sub []byte) error {
			login(storage.Login{Key: string(key), Sub: string(sub)})
			return nil
		})
	})
	if err != nil || !sound {
		return err
	}
	return s.do(ctx, func(t *tx) error {
		for err := range t.bolt.Check() {
			fault(storage.Fault{Problem: "the pages of the file: " + err.Error()})
		}
		return nil
	})
}

// checkDeclared finds users whom the file declares and the index does not have, and the reverse.
func (t *tx) checkDeclared(fault func(storage.Fault)) {
	declared := t.bucket([]byte(declaredBucket))
	for key, row := range t.stored(storage.KindUser) {
		var u storage.User
		if codec.Decode(row, &u) != nil {
			continue // who is given the rows finds it
		}
		if (u.Origin == storage.OriginFile) != (t.get(declared, key) != nil) {
			fault(storage.Fault{Kind: storage.KindUser, Key: printable(key), Problem: "the index of declared users says otherwise"})
		}
	}
	_ = declared.ForEach(func(sub, _ []byte) error { // its only error is that of the function
		if t.get(t.bucket([]byte(userRows)), sub) == nil {
			fault(storage.Fault{Kind: storage.KindUser, Key: printable(sub), Problem: "the index of declared users has it, and there is none"})
		}
		return nil
	})
}

// checkBegun finds sessions and families to which their user does not lead, numbers that were not given, and the reverse.
func (t *tx) checkBegun(fault func(storage.Fault)) {
	index := t.bucket([]byte(begunBucket))
	lacks := func(kind storage.Kind, key, want []byte) {
		if t.get(index, want) == nil && bytes.HasSuffix(want, key) { // a row under another key than its own is found already
			fault(storage.Fault{Kind: kind, Key: printable(key), Problem: "the index of what was begun for a user lacks it"})
		}
	}
	for key, row := range t.stored(storage.KindSession) {
		var s storage.Session
		if codec.Decode(row, &s) == nil { // otherwise who is given the rows finds it
			lacks(storage.KindSession, key, begunSession(s))
		}
	}
	for key, row := range t.stored(storage.KindFamily) {
		var f storage.Family
		if codec.Decode(row, &f) != nil {
			continue
		}
		lacks(storage.KindFamily, key, begunFamily(f))
		if f.Status > t.given() {
			fault(storage.Fault{Kind: storage.KindFamily, Key: printable(key), Problem: "it has a number that was not given yet"})
		}
	}
	each(index, func(key, _ []byte) bool {
		if !t.begunThere(key) {
			fault(storage.Fault{Key: printable(key), Problem: "the index of what was begun for a user has it, and there is none"})
		}
		return true
	})
}

// begunThere says whether a key of the index of what was begun leads to a row.
func (t *tx) begunThere(key []byte) bool {
	if len(key) < 2 {
		return false
	}
	const size = len(storage.ID{})
	switch ids := len(key) - 2 - int(binary.BigEndian.Uint16(key)); ids {
	case size:
		return t.get(t.bucket([]byte(sessionRows)), key[len(key)-size:]) != nil
	case 2 * size:
		return t.get(t.bucket([]byte(familyRows)), key[len(key)-size:]) != nil
	}
	return false
}

// checkOutbox finds notices that nobody would come to, and the reverse.
func (t *tx) checkOutbox(fault func(storage.Fault)) {
	order := t.bucket([]byte(outboxBucket))
	for key, row := range t.stored(storage.KindNotice) {
		var n storage.Notice
		if codec.Decode(row, &n) == nil && t.get(order, outboxKey(n)) == nil {
			fault(storage.Fault{Kind: storage.KindNotice, Key: printable(key), Problem: "the order of the notices lacks it"})
		}
	}
	each(order, func(key, _ []byte) bool {
		_, notice, ok := outboxParts(key)
		var n storage.Notice
		if ok {
			n, ok = noticeRows.get(t, notice)
		}
		if !ok || !bytes.Equal(outboxKey(n), key) {
			fault(storage.Fault{Key: printable(key), Problem: "the order of the notices has an entry that leads nowhere"})
		}
		return true
	})
}

// checkBuckets finds what is no table of ours.
func (t *tx) checkBuckets(fault func(storage.Fault)) {
	_ = t.bolt.ForEach(func(name []byte, _ *bbolt.Bucket) error { // its only error is that of the function
		if !slices.Contains(buckets, string(name)) {
			fault(storage.Fault{Problem: fmt.Sprintf("the file has a bucket %q that is not of this version", name)})
		}
		return nil
	})
}

// checkKeys finds rows that are not where their record belongs, and so are not found.
func (t *tx) checkKeys(fault func(storage.Fault)) {
	for _, kind := range storage.Kinds {
		switch kind {
		case storage.KindEntry, storage.KindRemoved, storage.KindAssertion, storage.KindMark: // their keys are not in their records
			continue
		}
		for key, row := range t.stored(kind) {
			record, err := rows.Decode(storage.Row{Kind: kind, Record: row})
			if err != nil {
				continue // who is given the rows finds it
			}
			slot, want, _ := placeOf(record)
			switch {
			case !bytes.Equal(key, want):
				fault(storage.Fault{Kind: kind, Key: printable(key), Problem: "it is under another key than its own, " + printable(want)})
			case slot != nil && t.get(t.bucket([]byte(bucketOf[kind]), slot), key) == nil:
				fault(storage.Fault{Kind: kind, Key: printable(key), Problem: "it is in another slot than its id says"})
			}
		}
	}
}

// checkCounts finds entries of the index behind the limits of addresses that lead nowhere.
func (t *tx) checkCounts(fault func(storage.Fault)) {
	each(t.bucket([]byte(openRows)), func(key, _ []byte) bool {
		at := bytes.LastIndexByte(key[:max(len(key)-len(storage.ID{}), 0)], 0)
		if at < 1 || len(key) != at+1+len(storage.ID{}) {
			fault(storage.Fault{Key: printable(key), Problem: "the index of what counts for an address has an entry that is none"})
			return true
		}
		id := storage.ID(key[at+1:])
		kind, table := storage.KindInteraction, string(interactionRows)
		switch key[0] {
		case byte(countKept):
			kind, table = storage.KindKept, string(keptRows)
		case byte(countDevice):
			kind, table = storage.KindDevice, string(deviceRows)
		}
		slot := t.bucket([]byte(table), slotOf(id.Time()))
		if slot != nil && t.get(slot, id[:]) == nil { // without its slot it was swept, and the index is about to be
			fault(storage.Fault{Kind: kind, Key: id.String(), Problem: "it counts for the limit of its address, but is not there"})
		}
		return true
	})
}

// checkUserCodes finds devices that no user would find, and user codes that lead nowhere. A slot that only one of the two has is about to be swept.
func (t *tx) checkUserCodes(fault func(storage.Fault)) {
	codes, devices := t.bucket([]byte(userCodeRows)), t.bucket([]byte(deviceRows))
	for key, row := range t.stored(storage.KindDevice) {
		var d storage.DeviceGrant
		if codec.Decode(row, &d) != nil {
			continue // who is given the rows finds it
		}
		if slot := codes.Bucket(slotOf(d.ID.Time())); slot != nil && t.get(slot, []byte(d.UserCode)) == nil {
			fault(storage.Fault{Kind: storage.KindDevice, Key: printable(key), Problem: "its user code does not lead to it"})
		}
	}
	names := codes.Cursor()
	for slot, _ := names.First(); slot != nil; slot, _ = names.Next() {
		rows := devices.Bucket(slot)
		each(codes.Bucket(slot), func(code, id []byte) bool {
			var d storage.DeviceGrant
			if rows != nil && (codec.Decode(t.get(rows, id), &d) != nil || d.UserCode != string(code)) {
				fault(storage.Fault{Key: printable(code), Problem: "the index of user codes has it, and no device does"})
			}
			return true
		})
	}
}
