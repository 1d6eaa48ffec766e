package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"signet/audit"
	"signet/storage"
	"signet/storage/internal/decide"
)

const (
	selectUser        = `SELECT revision, record FROM signet.users WHERE sub = $1`
	selectUserByLogin = `SELECT u.revision, u.record FROM signet.logins l JOIN signet.users u USING (sub) WHERE l.login = $1`
	insertUser        = `INSERT INTO signet.users (sub, revision, record) VALUES ($1, 1, $2)`
	deleteLogins      = `DELETE FROM signet.logins WHERE login = ANY($1)`
	insertLogins      = `INSERT INTO signet.logins (login, sub) SELECT login, $2 FROM unnest($1::text[]) login`
)

var (
	updateUser = guarded(`UPDATE signet.users SET revision = revision + 1, record = $3 WHERE sub = $1 AND revision = $2`)
	// sameUser holds a user as it was read until the commit: whoever changes or removes it has to wait.
	sameUser = held("users", "sub")
)

// held holds a row of a table as it was read, and fails the pipeline as guarded does where it is not any more.
func held(table, key string) string {
	return fmt.Sprintf(`WITH same AS (SELECT FROM signet.%s WHERE %s = $1 AND revision = $2 FOR SHARE)
		SELECT CASE WHEN EXISTS (SELECT FROM same) THEN 0 ELSE signet.stale() END`, table, key)
}

// storable says whether a text can be in a column at all. What somebody sends need not be.
func storable(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

// User implements [storage.Users].
func (s *Store) User(ctx context.Context, sub string) (storage.User, error) {
	return lookUp[storage.User](ctx, s, selectUser, sub)
}

// UserByLogin implements [storage.Users].
func (s *Store) UserByLogin(ctx context.Context, login string) (storage.User, error) {
	return lookUp[storage.User](ctx, s, selectUserByLogin, storage.LoginKey(login))
}

// Users implements [storage.Users].
func (s *Store) Users(ctx context.Context) (users []storage.User, err error) {
	users, err = list[storage.User](ctx, s, `SELECT revision, record FROM signet.users WHERE record IS NOT NULL`)
	slices.SortFunc(users, decide.ByName)
	return users, err
}

// selectDeclared looks for the member "origin" with the value "file" as package codec writes it (RFC 8949 section 3.1), so that no other
// user's record comes over the network.
const selectDeclared = `SELECT revision, record FROM signet.users WHERE position('\x666f726967696e6466696c65'::bytea IN record) > 0`

// DeclaredUsers implements [storage.Users].
func (s *Store) DeclaredUsers(ctx context.Context) (users []storage.User, err error) {
	users, err = list[storage.User](ctx, s, selectDeclared)
	users = slices.DeleteFunc(users, func(u storage.User) bool { return u.Origin != storage.OriginFile }) // it stood in another member's text
	slices.SortFunc(users, decide.ByName)
	return users, err
}

// SaveUser implements [storage.Users]. That nobody else signs in with the name is held by the key of the table logins: who loses
// against it tries again, and then finds it taken.
func (s *Store) SaveUser(ctx context.Context, u storage.User, end bool, o storage.Change) (saved storage.User, err error) {
	keys := decide.LoginKeys(u)
	err = s.do(ctx, func(a *act) error {
		var old got[storage.User]
		var taken value[bool]
		a.read(`SELECT u.revision, u.record, EXISTS (SELECT FROM signet.logins WHERE login = ANY($2) AND sub <> $1)
			FROM (SELECT) one LEFT JOIN signet.users u ON u.sub = $1`, []any{u.Sub, keys}, &old, &taken)
		if err := decide.Revise(old.Taken, old.Found, old.Record.Revision, u.Revision); err != nil {
			return err
		}
		if taken.V {
			return storage.ErrExists
		}
		next, ended := decide.SaveUser(old.Record, u, end)
		var row []byte
		row, saved = stored(a, next)
		if old.Found {
			a.write(updateUser, u.Sub, old.Revision, row)
		} else {
			a.write(insertUser, u.Sub, row)
		}
		if before := decide.LoginKeys(old.Record); !slices.Equal(before, keys) {
			a.write(deleteLogins, before)
			a.write(insertLogins, keys, u.Sub)
		}
		a.record(decide.UserEntries(next, ended, o)...)
		if old.Found && ended {
			a.endUser(old.Record, next, o)
		}
		return nil
	})
	return saved, err
}

// RemoveUser implements [storage.Users].
func (s *Store) RemoveUser(ctx context.Context, sub string, o storage.Change) error {
	if !storable(sub) {
		return storage.ErrNotFound
	}
	return s.do(ctx, func(a *act) error {
		var old got[storage.User]
		a.read(selectUser, []any{sub}, &old)
		if !old.Found {
			return storage.ErrNotFound
		}
		a.write(updateUser, sub, old.Revision, nil)
		a.write(deleteLogins, decide.LoginKeys(old.Record))
		a.write(deleteConsents, sub)
		a.write(deleteHistory, sub)
		a.endUser(old.Record, storage.User{}, o)
		a.record(audit.Entry{Time: o.Now, Event: audit.UserRemoved, Origin: o.Origin, User: sub, Detail: o.Detail})
		return nil
	})
}
