package bolt

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
)

// TestCheckFinds holds that a check sees what only this backend can.
func TestCheckFinds(t *testing.T) {
	t.Parallel()
	sequence := binary.BigEndian.AppendUint64(nil, 99)
	for name, c := range map[string]struct {
		spoil func(*tx)
		says  string
	}{
		"nothing": {func(*tx) {}, ""},
		"a bucket of another program": {func(t *tx) { t.writes++; t.bolt.CreateBucket([]byte("things")) },
			"a bucket \"things\" that is not of this version"},
		"a row under another key": {func(t *tx) {
			f := family("ann")
			familyRows.put(t, []byte{1}, f)
		}, "it is under another key than its own"},
		"a row in another slot": {func(t *tx) {
			c := storage.Code{ID: storage.NewID(epoch)}
			write(t, t.subBucket(t.bucket([]byte(codeRows)), slotOf(epoch.Add(time.Hour))), c.ID[:], c)
		}, "it is in another slot than its id says"},
		"a count that leads nowhere": {func(t *tx) {
			i := storage.Interaction{ID: storage.NewID(epoch), Expires: epoch}
			interactionRows.put(t, i.ID, i)
			t.count(countInteraction, "192.0.2.1", storage.NewID(epoch), epoch)
		}, "it counts for the limit of its address, but is not there"},
		"a device that no user would find": {func(t *tx) {
			d := device("BCDFGHJK")
			deviceRows.put(t, d.ID, d)
			t.subBucket(t.bucket([]byte(userCodeRows)), slotOf(d.ID.Time()))
		}, "its user code does not lead to it"},
		"a user code that leads nowhere": {func(t *tx) {
			d := device("BCDFGHJK")
			t.placeUserCode(d)
			t.subBucket(t.bucket([]byte(deviceRows)), slotOf(d.ID.Time()))
		}, "the index of user codes has it, and no device does"},
		"a device that counts and is not there": {func(t *tx) {
			d := device("BCDFGHJK")
			t.count(countDevice, "192.0.2.1", d.ID, d.Expires)
			t.subBucket(t.bucket([]byte(deviceRows)), slotOf(d.ID.Time()))
		}, "it counts for the limit of its address, but is not there"},
		"a denied token under another key": {func(t *tx) {
			deniedRows.put(t, []byte{1}, storage.DeniedToken{Expires: epoch})
		}, "it is under another key than its own"},
		"a session to which its user does not lead": {func(t *tx) {
			s := session("ann")
			sessionRows.put(t, s.ID[:], s)
		}, "the index of what was begun for a user lacks it"},
		"a family to which its user does not lead": {func(t *tx) {
			f := family("ann")
			familyRows.put(t, f.ID[:], f)
		}, "the index of what was begun for a user lacks it"},
		"a family with a number that was not given": {func(t *tx) {
			f := t.beginFamily(family("ann"))
			f.Status++
			familyRows.put(t, f.ID[:], f)
		}, "it has a number that was not given yet"},
		"a user who leads nowhere": {func(t *tx) {
			f := t.beginFamily(family("ann"))
			familyRows.delete(t, f.ID[:])
		}, "the index of what was begun for a user has it, and there is none"},
		"a notice that nobody would come to": {func(t *tx) {
			n := storage.Notice{Ending: storage.NewID(epoch), State: storage.NoticePending, Created: epoch, Next: epoch}
			noticeRows.put(t, noticeKey(n), n)
		}, "the order of the notices lacks it"},
		"an order that leads nowhere": {func(t *tx) {
			n := storage.Notice{Ending: storage.NewID(epoch), State: storage.NoticePending, Created: epoch, Next: epoch}
			t.putNotice(storage.Notice{}, n)
			noticeRows.delete(t, noticeKey(n))
		}, "has an entry that leads nowhere"},
		"a mark that is none": {func(t *tx) {
			t.put(t.subBucket(t.bucket([]byte(marksBucket)), hourOf(epoch)), markKey(1), []byte("x"))
		}, "it is no mark"},
		"a count that is none": {func(t *tx) {
			t.put(t.subBucket(t.bucket([]byte(openRows)), slotOf(epoch)), []byte("x"), []byte("y"))
		}, "has an entry that is none"},
		"a record of the log that cannot be read": {func(t *tx) {
			t.put(t.subBucket(t.bucket([]byte(auditBucket)), segmentName(99, 20000)), sequence, []byte{codec.Version, 0xff})
		}, "the store is damaged"},
		"a removed id of no kind": {func(t *tx) { t.put(t.bucket([]byte(removedBucket)), []byte("x"), []byte("y")) }, "it is of an unknown kind"},
		"an assertion without its hash": {func(t *tx) {
			write(t, t.subBucket(t.bucket([]byte(assertionRows)), slotOf(epoch)), []byte("c"), spentAssertion{})
		}, "its key is cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openTest(t)
			if err := saveUser(s, "ann"); err != nil {
				t.Fatal(err)
			}
			if err := s.do(t.Context(), func(t *tx) error { c.spoil(t); return nil }); err != nil {
				t.Fatal(err)
			}
			var found []string
			users, entries := 0, 0
			err := s.Check(t.Context(), func(row storage.Row) error {
				switch row.Kind {
				case storage.KindUser:
					users++
				case storage.KindRecord:
					entries++
				}
				return nil
			}, func(storage.Login) {}, func(f storage.Fault) { found = append(found, f.Problem) })
			if err != nil || users != 1 || entries < 2 { // one fault keeps nothing else from being read
				t.Errorf("%d users, %d entries, %v", users, entries, err)
			}
			if c.says == "" && len(found) > 0 || c.says != "" && (len(found) != 1 || !strings.Contains(found[0], c.says)) {
				t.Errorf("found %q, want %q", found, c.says)
			}
		})
	}
}

// device is a device that waits for its user.
func device(userCode string) storage.DeviceGrant {
	return storage.DeviceGrant{ID: storage.NewID(epoch), UserCode: userCode, Client: "c", Address: "192.0.2.1", Expires: epoch, State: storage.DevicePending}
}

// TestCheckFindsLostPages holds that bbolt's own check is asked, beside acts.
func TestCheckFindsLostPages(t *testing.T) {
	t.Parallel()
	path := inUseAt(t)
	alter(t, path, func(data []byte) []byte {
		at := int(order.Uint64(data[later(data)+headerSize+32:])) * pageSize // the list of free pages: one is forgotten
		n := order.Uint16(data[at+10:])
		if n == 0 {
			t.Fatal("there is no free page")
		}
		order.PutUint16(data[at+10:], n-1)
		return data
	})
	s := openTest(t, func(o *Options) { o.Path = path })
	acts := make(chan error)
	go func() {
		var err error
		for range 20 {
			if err = s.Record(background, audit.Entry{Time: epoch, Event: audit.SignInFailed}); err != nil {
				break
			}
		}
		acts <- err
	}()
	found := 0
	err := s.Check(t.Context(), func(storage.Row) error { return nil }, func(storage.Login) {}, func(f storage.Fault) {
		if strings.Contains(f.Problem, "unreachable unfreed") {
			found++
		}
	})
	if actErr := <-acts; err != nil || actErr != nil || found != 1 {
		t.Errorf("%d lost pages, %v, %v", found, err, actErr)
	}
}

// inUseAt makes a store in which something was deleted.
func inUseAt(t *testing.T) string {
	t.Helper()
	path := sound(t)
	s := openTest(t, func(o *Options) { o.Path = path })
	for _, sub := range []string{"x", "y"} {
		if err := saveUser(s, sub); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.RemoveUser(t.Context(), "x", storage.Change{Now: epoch}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	return path
}
