package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
	"signet/storage/rows"
)

var now = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// store is a store of these rows.
type store struct {
	rows   []storage.Row
	logins []storage.Login
	faults []storage.Fault
	err    error
}

func (s store) Check(_ context.Context, row func(storage.Row) error, login func(storage.Login), fault func(storage.Fault)) error {
	for _, r := range s.rows {
		if err := row(r); err != nil {
			return err
		}
	}
	for _, l := range s.logins {
		login(l)
	}
	for _, f := range s.faults {
		fault(f)
	}
	return s.err
}

func row(t *testing.T, kind storage.Kind, record any) storage.Row {
	t.Helper()
	r, err := rows.Encode(kind, record)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sound is a store in which nothing is wrong.
func sound(t *testing.T) store {
	t.Helper()
	auth := storage.Authorization{Client: "c", User: "ann", Offline: true}
	gone := storage.Authorization{Client: "gone", User: "gone", Offline: true}
	later := now.Add(time.Hour)
	first, second := chain()
	return store{
		rows: []storage.Row{
			row(t, storage.KindRemoved, storage.RemovedID{Kind: storage.KindUser, ID: "gone"}),
			row(t, storage.KindRemoved, storage.RemovedID{Kind: storage.KindClient, ID: "gone"}),
			row(t, storage.KindClient, storage.Client{ID: "c"}),
			row(t, storage.KindUser, storage.User{Sub: "ann", Name: "Ann", Email: "ann@example.com"}),
			row(t, storage.KindRing, storage.Ring{MACs: []storage.MACKey{{ID: 7}}}),
			row(t, storage.KindSession, storage.Session{ID: storage.ID{1}, User: "ann", Expires: later, IdleExpires: later}),
			row(t, storage.KindConsent, storage.Consent{User: "ann", Client: "gone"}),
			row(t, storage.KindFamily, storage.Family{ID: storage.ID{1}, Authorization: auth, MACKey: 7, Status: 1, Expires: later, IdleExpires: later}),
			row(t, storage.KindFamily, storage.Family{ID: storage.ID{2}, Authorization: gone, MACKey: 7, Expires: later, IdleExpires: later}),
			row(t, storage.KindFamily, storage.Family{ID: storage.ID{3}, Authorization: auth, MACKey: 6, Expires: later, IdleExpires: later, Ended: now}),
			row(t, storage.KindInitial, storage.InitialToken{ID: storage.ID{1}}),
			row(t, storage.KindCode, storage.Code{ID: storage.ID{1}, Authorization: auth, Expires: now.Add(-2 * time.Hour)}),
			row(t, storage.KindDevice, storage.DeviceGrant{ID: storage.ID{1}, Client: "https://not.stored.example/", State: storage.DevicePending, Expires: later}),
			row(t, storage.KindDevice, storage.DeviceGrant{ID: storage.ID{2}, Client: "c", State: storage.DeviceSpent, Authorization: auth, Expires: later}),
			row(t, storage.KindDenied, storage.DeniedToken{Expires: now.Add(-25 * time.Hour)}),
			row(t, storage.KindNotice, storage.Notice{Client: "gone", User: "gone", State: storage.NoticePending}),
			row(t, storage.KindNotice, storage.Notice{Number: 1, Client: "c", User: "ann", State: storage.NoticeDelivered, Settled: now.Add(-8 * 24 * time.Hour)}),
			row(t, storage.KindHistory, storage.History{User: "ann"}),
			row(t, storage.KindMark, storage.Mark{Number: 1, Until: now}),
			row(t, storage.KindRecord, first),
			row(t, storage.KindRecord, second),
			row(t, storage.KindEntry, audit.Entry{Time: now.Add(-time.Hour)}),
		},
		logins: []storage.Login{{Key: "ann", Sub: "ann"}, {Key: "ann@example.com", Sub: "ann"}},
	}
}

// chain is two records of the audit log.
func chain() (first, second audit.Record) {
	entries := []audit.Entry{{Time: now.Add(-30 * time.Minute), Event: audit.UserSaved}}
	first = audit.Link{Sequence: 6}.Next(audit.Bodies(entries)[0])
	return first, first.Link().Next(audit.Bodies(entries)[0])
}

func TestNothingIsWrong(t *testing.T) {
	t.Parallel()
	s := sound(t)
	r, err := Run(t.Context(), s, now)
	if err != nil || r.Found != 0 || r.Late != 0 || r.Total() != uint64(len(s.rows)) || !r.Oldest.Equal(now.Add(-time.Hour)) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	later := now.Add(time.Hour)
	family := func(client, user string, mac uint32) storage.Family {
		return storage.Family{ID: storage.ID{9}, Authorization: storage.Authorization{Client: client, User: user, Offline: true}, MACKey: mac, Expires: later, IdleExpires: later}
	}
	for name, c := range map[string]struct {
		row   storage.Row
		login storage.Login
		says  string
	}{
		"a record of the log that was changed": {row: row(t, storage.KindRecord, audit.Record{Sequence: 9, Body: []byte("[]")}), says: "its hash is another"},
		"a record after a missing one":         {row: row(t, storage.KindRecord, audit.Link{Sequence: 9}.Next([]byte("[]"))), says: "it comes after record 8"},
		"a record that follows on another":     {row: row(t, storage.KindRecord, audit.Link{Sequence: 8}.Next([]byte("[]"))), says: "it does not follow on"},
		"a row that cannot be read":            {row: storage.Row{Kind: storage.KindFamily, Record: []byte{codec.Version, 0xff}}, says: "the store is damaged"},
		"a row of a newer version":             {row: storage.Row{Kind: storage.KindUser, Record: []byte{codec.Version + 1}}, says: "newer version"},
		"a family without user":                {row: row(t, storage.KindFamily, family("c", "eve", 7)), says: `there never was a user "eve"`},
		"a family without client":              {row: row(t, storage.KindFamily, family("x", "ann", 7)), says: `there never was a client "x"`},
		"a family without its key":             {row: row(t, storage.KindFamily, family("c", "ann", 8)), says: "the key of its refresh tokens, 8, is not in the ring"},
		"a device without user": {row: row(t, storage.KindDevice, storage.DeviceGrant{
			State: storage.DeviceApproved, Client: "c", Authorization: storage.Authorization{Client: "c", User: "eve"}, Expires: later,
		}), says: `there never was a user "eve"`},
		"a session without user":               {row: row(t, storage.KindSession, storage.Session{User: "eve", Expires: later, IdleExpires: later}), says: `there never was a user "eve"`},
		"a consent of a removed user":          {row: row(t, storage.KindConsent, storage.Consent{User: "gone", Client: "c"}), says: "left behind"},
		"a consent of nobody":                  {row: row(t, storage.KindConsent, storage.Consent{User: "eve", Client: "c"}), says: `there never was a user "eve"`},
		"a history of a removed user":          {row: row(t, storage.KindHistory, storage.History{User: "gone"}), says: "left behind"},
		"a history of nobody":                  {row: row(t, storage.KindHistory, storage.History{User: "eve"}), says: `there never was a user "eve"`},
		"a notice to no client":                {row: row(t, storage.KindNotice, storage.Notice{Client: "x", User: "ann", State: storage.NoticePending}), says: `there never was a client "x"`},
		"a notice that is pending and settled": {row: row(t, storage.KindNotice, storage.Notice{Client: "c", User: "ann", State: storage.NoticePending, Settled: now}), says: "it is pending, and was settled"},
		"a notice that was settled never":      {row: row(t, storage.KindNotice, storage.Notice{Client: "c", User: "ann", State: storage.NoticeFailed}), says: "never deleted"},
		"a notice in no state":                 {row: row(t, storage.KindNotice, storage.Notice{Client: "c", User: "ann"}), says: "which is none"},
		"a number that two have":               {row: row(t, storage.KindClient, storage.Client{ID: "d", ServiceStatus: 1}), says: "the number 1 of the status list was given twice"},
		"a removed user that is there":         {row: row(t, storage.KindUser, storage.User{Sub: "gone"}), says: "it was removed, and is there again"},
		"a client that is there twice":         {row: row(t, storage.KindClient, storage.Client{ID: "c"}), says: "it is there twice"},
		"a user whom no name leads to":         {row: row(t, storage.KindUser, storage.User{Sub: "bob", Name: "Bob"}), says: `its sign-in name "bob" does not lead to it`},
		"a name that leads to nobody":          {login: storage.Login{Key: "bob", Sub: "bob"}, says: "is not its own"},
		"a name that leads to someone else":    {row: row(t, storage.KindUser, storage.User{Sub: "bob", Name: "Bob"}), login: storage.Login{Key: "bob", Sub: "ann"}, says: `its sign-in name "bob" leads to ann`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sound(t)
			if c.row.Kind != "" {
				s.rows = append(s.rows, c.row)
			}
			if c.login.Key != "" {
				s.logins = append(s.logins, c.login)
			}
			r, err := Run(t.Context(), s, now)
			if err != nil || r.Found != 1 || !strings.Contains(r.Faults[0].Problem, c.says) {
				t.Errorf("%+v, %v; want %q", r, err, c.says)
			}
		})
	}
}

// TestLate holds that what the sweeper should have deleted days ago is counted, and what it is about to is not.
func TestLate(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		kind    storage.Kind
		record  func(at time.Time) any
		overdue time.Duration // how long after its expiry a row is late
	}{
		"codes": {storage.KindCode, func(at time.Time) any {
			return storage.Code{Authorization: storage.Authorization{Client: "c", User: "ann"}, Expires: at}
		}, 49 * time.Hour},
		"interactions": {storage.KindInteraction, func(at time.Time) any { return storage.Interaction{Expires: at} }, 49 * time.Hour},
		"kept":         {storage.KindKept, func(at time.Time) any { return storage.KeptRequest{Expires: at} }, 49 * time.Hour},
		"assertions":   {storage.KindAssertion, func(at time.Time) any { return storage.SpentAssertion{Expires: at} }, 49 * time.Hour},
		"marks":        {storage.KindMark, func(at time.Time) any { return storage.Mark{Number: 9, Until: at} }, 48 * time.Hour},
		"notices": {storage.KindNotice, func(at time.Time) any {
			return storage.Notice{Client: "c", User: "ann", State: storage.NoticeFailed, Settled: at}
		}, 9 * day},
		"browsers": {storage.KindBrowser, func(at time.Time) any { return storage.Browser{Expires: at} }, 3 * day},
		"initial":  {storage.KindInitial, func(at time.Time) any { return storage.InitialToken{Expires: at} }, 3 * day},
		"sessions, by their idle expiry": {storage.KindSession, func(at time.Time) any {
			return storage.Session{User: "ann", Expires: now.Add(day), IdleExpires: at}
		}, 3 * day},
		"families": {storage.KindFamily, func(at time.Time) any {
			return storage.Family{Authorization: storage.Authorization{Client: "c", User: "ann"}, Expires: at, IdleExpires: at}
		}, 3 * day},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for after, late := range map[time.Duration]uint64{-time.Minute: 0, time.Minute: 1} {
				s := sound(t)
				s.rows = append(s.rows, row(t, c.kind, c.record(now.Add(-c.overdue-after))))
				if r, err := Run(t.Context(), s, now); err != nil || r.Late != late || r.Found != 0 {
					t.Errorf("%v after: %+v, %v", after, r, err)
				}
			}
		})
	}
}

func TestManyFaultsAreCountedAndSomeListed(t *testing.T) {
	t.Parallel()
	s := sound(t)
	for i := range 3 * listed {
		s.faults = append(s.faults, storage.Fault{Problem: fmt.Sprint(i)})
	}
	if r, err := Run(t.Context(), s, now); err != nil || r.Found != 3*listed || len(r.Faults) != listed {
		t.Errorf("%d, %d, %v", r.Found, len(r.Faults), err)
	}
	s.err = errors.New("no answer")
	if _, err := Run(t.Context(), s, now); !errors.Is(err, s.err) {
		t.Error(err)
	}
}
