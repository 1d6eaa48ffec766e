package bolt

import (
	"context"
	"slices"

	"signet/audit"
	"signet/storage"
	"signet/storage/internal/decide"
)

const userRows table[storage.User] = "users"

// loginBucket leads from a LoginKey to a sub.
const loginBucket = "logins"

// declaredBucket has the subs of the users whom the file declares: a start asks for them, however many others there are.
const declaredBucket = "declared"

// User implements [storage.Users].
func (s *Store) User(ctx context.Context, sub string) (storage.User, error) {
	u, err := lookUp(ctx, s, s.users, sub)
	return cloneUser(u), err
}

// UserByLogin implements [storage.Users].
func (s *Store) UserByLogin(ctx context.Context, login string) (u storage.User, err error) {
	err = s.view(ctx, func(t *tx) (err error) {
		sub := t.get(t.bucket([]byte(loginBucket)), []byte(storage.LoginKey(login)))
		if sub == nil {
			return storage.ErrNotFound
		}
		u, err = found(s.users.get(t, string(sub)))
		return err
	})
	return cloneUser(u), err
}

// Users implements [storage.Users].
func (s *Store) Users(ctx context.Context) (users []storage.User, err error) {
	err = s.view(ctx, func(t *tx) error {
		users = userRows.all(t)
		return nil
	})
	slices.SortFunc(users, decide.ByName)
	return users, err
}

// DeclaredUsers implements [storage.Users].
func (s *Store) DeclaredUsers(ctx context.Context) (users []storage.User, err error) {
	err = s.view(ctx, func(t *tx) error {
		return t.bucket([]byte(declaredBucket)).ForEach(func(sub, _ []byte) error {
			u, err := found(userRows.get(t, sub))
			users = append(users, u)
			return err
		})
	})
	slices.SortFunc(users, decide.ByName)
	return users, err
}

// SaveUser implements [storage.Users].
func (s *Store) SaveUser(ctx context.Context, u storage.User, end bool, o storage.Change) (saved storage.User, err error) {
	err = s.do(ctx, func(t *tx) error {
		old, exists := s.users.get(t, u.Sub)
		if err := decide.Revise(exists || t.removed(removedUser, u.Sub), exists, old.Revision, u.Revision); err != nil {
			return err
		}
		for _, key := range decide.LoginKeys(u) {
			if sub := t.get(t.bucket([]byte(loginBucket)), []byte(key)); sub != nil && string(sub) != u.Sub {
				return storage.ErrExists
			}
		}
		u, ended := decide.SaveUser(old, u, end)
		t.saveLogins(old, u)
		t.declare(u)
		s.users.put(t, u.Sub, u)
		saved, _ = s.users.get(t, u.Sub)
		t.recordAll(decide.UserEntries(u, ended, o))
		if ended && exists {
			s.endUser(t, old, u, o)
		}
		return nil
	})
	return saved, err
}

// RemoveUser implements [storage.Users].
func (s *Store) RemoveUser(ctx context.Context, sub string, o storage.Change) error {
	return s.do(ctx, func(t *tx) error {
		old, ok := s.users.get(t, sub)
		if !ok {
			return storage.ErrNotFound
		}
		t.saveLogins(old, storage.User{})
		t.delete(t.bucket([]byte(declaredBucket)), []byte(sub))
		t.dropConsents(sub)
		historyRows.delete(t, []byte(sub))
		s.users.delete(t, sub)
		t.remove(removedUser, sub, o.Now)
		t.record(audit.Entry{Time: o.Now, Event: audit.UserRemoved, Origin: o.Origin, User: sub, Detail: o.Detail})
		s.endUser(t, old, storage.User{}, o)
		return nil
	})
}

// saveLogins moves the index from the old row to the new one. A row without names is none.
func (t *tx) saveLogins(old, u storage.User) {
	logins := t.bucket([]byte(loginBucket))
	for _, key := range decide.LoginKeys(old) {
		t.delete(logins, []byte(key))
	}
	for _, key := range decide.LoginKeys(u) {
		t.put(logins, []byte(key), []byte(u.Sub))
	}
}

// declare puts a user into the index of those whom the file declares, or takes them out.
func (t *tx) declare(u storage.User) {
	declared := t.bucket([]byte(declaredBucket))
	if u.Origin == storage.OriginFile {
		t.put(declared, []byte(u.Sub), []byte{1})
	} else {
		t.delete(declared, []byte(u.Sub))
	}
}

func cloneUser(u storage.User) storage.User {
	u.Groups, u.Roles = slices.Clone(u.Groups), slices.Clone(u.Roles)
	u.Profile.Address = clonePointer(u.Profile.Address)
	return u
}
