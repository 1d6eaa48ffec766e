package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"signet/storage"
	"signet/storage/codec"
	"signet/storage/rows"
)

var _ storage.Checked = (*Store)(nil)

// Check implements [storage.Checked]. It compares the columns of a row with its record. Pages and indexes are PostgreSQL's own affair: see its
// data checksums and the extension amcheck.
func (s *Store) Check(ctx context.Context, row func(storage.Row) error, login func(storage.Login), fault func(storage.Fault)) error {
	return s.snapshot(ctx, func(tx pgx.Tx) error {
		found := func(f storage.Fault) error { fault(f); return nil }
		look := func(kind storage.Kind, key, record []byte) {
			if problem := misplaced(kind, key, record); problem != "" {
				fault(storage.Fault{Kind: kind, Key: printable(key), Problem: problem})
			}
		}
		if err := (exporter{ctx, tx, row, found, look}).all(); err != nil {
			return err
		}
		if err := checkColumns(ctx, tx, fault); err != nil {
			return err
		}
		var l storage.Login
		logins, err := tx.Query(ctx, `SELECT login, sub FROM signet.logins`)
		if err != nil {
			return err
		}
		_, err = pgx.ForEachRow(logins, []any{&l.Key, &l.Sub}, func() error {
			login(l)
			return nil
		})
		return err
	})
}

// checkColumns looks at columns that acts go by: a row that they do not lead to would not be ended with the others.
func checkColumns(ctx context.Context, tx pgx.Tx, fault func(storage.Fault)) error {
	var key, session, record pgtype.DriverBytes
	var sub, state string
	var number, last int64
	var pending bool
	each := func(sql string, targets []any, found func()) error {
		all, err := tx.Query(ctx, sql)
		if err == nil {
			_, err = pgx.ForEachRow(all, targets, func() error { found(); return nil })
		}
		return err
	}
	wrong := func(kind storage.Kind, key []byte, columns string) {
		fault(storage.Fault{Kind: kind, Key: printable(key), Problem: "its columns " + columns + " say otherwise than its record"})
	}
	return errors.Join(
		each(`SELECT id, sub, record FROM signet.sessions`, []any{&key, &sub, &record}, func() {
			var s storage.Session
			if codec.Decode(record, &s) == nil && s.User != sub {
				wrong(storage.KindSession, key, "sub")
			}
		}),
		each(`SELECT id, sub, session, status, last_value, record FROM signet.families, signet.numbers`,
			[]any{&key, &sub, &session, &number, &last, &record}, func() {
				var f storage.Family
				if codec.Decode(record, &f) == nil && (f.Authorization.User != sub || string(f.Authorization.Session[:]) != string(session)) {
					wrong(storage.KindFamily, key, "sub, session")
				}
				if number > last {
					fault(storage.Fault{Kind: storage.KindFamily, Key: printable(key), Problem: "it has a number that was not given yet"})
				}
			}),
		each(`SELECT ending, number, state, settled IS NULL, record FROM signet.outbox`, []any{&key, &number, &state, &pending, &record}, func() {
			var n storage.Notice
			if codec.Decode(record, &n) == nil && (string(n.State) != state || pending != (n.State == storage.NoticePending)) {
				wrong(storage.KindNotice, noticeKey(key, number), "state, settled")
			}
		}),
	)
}

// misplaced says what is wrong with a row that is not under its record's own key, and so is not found.
func misplaced(kind storage.Kind, key, row []byte) string {
	record, err := rows.Decode(storage.Row{Kind: kind, Record: row})
	if err != nil {
		return "" // who is given the rows finds it
	}
	var own []byte
	switch r := record.(type) {
	case storage.Client:
		own = []byte(r.ID)
	case storage.Resource:
		own = []byte(r.ID)
	case storage.User:
		own = []byte(r.Sub)
	case storage.Consent:
		own = []byte(r.User + " " + r.Client)
	case storage.Browser:
		own = r.ID[:]
	case storage.Session:
		own = r.ID[:]
	case storage.Family:
		own = r.ID[:]
	case storage.InitialToken:
		own = r.ID[:]
	case storage.Code:
		own = r.ID[:]
	case storage.DeviceGrant:
		own = r.ID[:]
	case storage.Interaction:
		own = r.ID[:]
	case storage.KeptRequest:
		own = r.ID[:]
	case storage.Notice:
		own = noticeKey(r.Ending[:], int64(r.Number))
	case storage.History:
		own = []byte(r.User)
	default:
		return ""
	}
	if string(own) != string(key) {
		return "it is under another key than its own, " + printable(own)
	}
	return ""
}

// printable is a key for people.
func printable(key []byte) string {
	if len(key) == len(storage.ID{}) {
		return storage.ID(key).String()
	}
	return fmt.Sprintf("%q", key)
}
