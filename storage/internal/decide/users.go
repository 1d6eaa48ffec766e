package decide

import (
	"cmp"

	"signet/audit"
	"signet/storage"
)

// SaveUser is u as it follows on old, whose revision was compared before and which is zero for a new user, and whether everything
// that was begun in the user's name ends with it.
func SaveUser(old, u storage.User, end bool) (storage.User, bool) {
	if old.Revision > 0 {
		end = end || (u.Disabled && !old.Disabled) || u.PasswordHash != old.PasswordHash
		u.Epoch = old.Epoch
	}
	if end {
		u.Epoch++
	}
	u.Revision = old.Revision + 1
	return u, end
}

// UserEntries are the entries about a user that was saved.
func UserEntries(u storage.User, ended bool, o storage.Change) []audit.Entry {
	e := audit.Entry{Time: o.Now, Event: audit.UserSaved, Origin: o.Origin, User: u.Sub, Detail: o.Detail}
	if !ended {
		return []audit.Entry{e}
	}
	over := e
	over.Event = audit.UserEnded
	return []audit.Entry{e, over}
}

// LoginKeys are the keys under which u is found, each once.
func LoginKeys(u storage.User) (keys []string) {
	name, email := storage.LoginKey(u.Name), storage.LoginKey(u.Email)
	if name != "" {
		keys = append(keys, name)
	}
	if email != "" && email != name {
		keys = append(keys, email)
	}
	return keys
}

// ByName orders users as [storage.Users] lists them.
func ByName(a, b storage.User) int {
	return cmp.Or(cmp.Compare(storage.LoginKey(a.Name), storage.LoginKey(b.Name)), cmp.Compare(a.Sub, b.Sub))
}
