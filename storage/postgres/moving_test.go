package postgres

import (
	"errors"
	"testing"

	"signet/storage"
	"signet/storage/codec"
	"signet/storage/postgres/postgrestest"
	"signet/storage/rows"
)

// TestAnInterruptedImportNeverWas holds that an import is one transaction.
func TestAnInterruptedImportNeverWas(t *testing.T) {
	t.Parallel()
	s := openTest(t, postgrestest.Database(t))
	user, err := rows.Encode(storage.KindUser, storage.User{Sub: "ann", Name: "ann", Revision: 3})
	if err != nil {
		t.Fatal(err)
	}
	var before, after rows.Tally
	if err := before.Read(s.Export(t.Context())); err != nil {
		t.Fatal(err)
	}
	why := errors.New("cut off")
	for name, c := range map[string]struct {
		last storage.Row
		err  error
		want error
	}{
		"its source fails":         {err: why, want: why},
		"a row that is no row":     {last: storage.Row{Kind: storage.KindFamily, Record: []byte{codec.Version, 0xff}}, want: codec.ErrDamaged},
		"a row of a newer version": {last: storage.Row{Kind: storage.KindFamily, Record: []byte{codec.Version + 1}}, want: codec.ErrNewer},
	} {
		err := s.Import(t.Context(), func(yield func(storage.Row, error) bool) { _ = yield(user, nil) && yield(c.last, c.err) })
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := after.Read(s.Export(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := rows.Compare(before.Sums(), after.Sums()); err != nil {
		t.Error(err)
	}
	if err := s.Import(t.Context(), func(yield func(storage.Row, error) bool) { yield(user, nil) }); err != nil {
		t.Error(err)
	}
	if u, err := s.UserByLogin(t.Context(), "ann"); err != nil || u.Revision != 3 {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := s.SaveUser(t.Context(), storage.User{Sub: "ann", Name: "ann", Revision: 3}, false, storage.Change{}); err != nil {
		t.Error("a change that follows:", err)
	}
}

func TestOthers(t *testing.T) {
	t.Parallel()
	for name, setting := range map[string]string{
		"a server of the usual name": "",
		"a server whose URL names it otherwise, for a tool that has the same URL": "application_name=blue",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := postgrestest.Database(t)
			if setting != "" {
				url = with(url, setting)
			}
			mover := openTest(t, url, func(o *Options) { o.Name = "signet migrate" })
			if n, err := mover.Others(t.Context()); n != 0 || err != nil {
				t.Errorf("alone: %d, %v", n, err)
			}
			server := openTest(t, url)
			if err := server.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n, err := mover.Others(t.Context()); n == 0 || err != nil {
				t.Errorf("beside a server: %d, %v", n, err)
			}
		})
	}
}

// TestCheckFinds holds that a check sees what was done to the tables by hand.
func TestCheckFinds(t *testing.T) {
	t.Parallel()
	s := openTest(t, postgrestest.Database(t))
	if _, err := s.SaveUser(t.Context(), storage.User{Sub: "ann", Name: "ann"}, false, storage.Change{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.EndUser(t.Context(), plantMany(t, s, 1, 1), change); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`UPDATE signet.sessions SET sub = 'x'`,
		`UPDATE signet.families SET sub = 'x', status = 99`,
		`UPDATE signet.outbox SET settled = now()`,
		`INSERT INTO signet.users (sub, revision, record) SELECT 'bob', 1, record FROM signet.users WHERE sub = 'ann'`,
		`INSERT INTO signet.assertions (client, jti, expires) VALUES ('c', 'short', now())`,
		`INSERT INTO signet.audit (time, record) VALUES (now(), '\x01ff')`,
	} {
		if _, err := s.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	found := map[storage.Kind]int{}
	err := s.Check(t.Context(), func(storage.Row) error { return nil }, func(storage.Login) {}, func(f storage.Fault) { found[f.Kind]++ })
	if err != nil || found[storage.KindUser] != 1 || found[storage.KindAssertion] != 1 || found[storage.KindEntry] != 1 ||
		found[storage.KindSession] != 1 || found[storage.KindFamily] != 2 || found[storage.KindNotice] != 1 {
		t.Errorf("%v, %v", found, err)
	}
	for _, err := range s.Export(t.Context()) {
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
	}
}
