package admin

import (
	"errors"
	"net/http"

	"signet/storage"
	"signet/users"
)

// NewUser asks for an account. Without a password nobody can sign in with one.
type NewUser struct {
	Username string `json:"username"`
	Fields   Fields `json:"fields,omitempty"`
	Password string `json:"password,omitempty"`
}

// NewPassword asks for another password. Whatever was begun in the user's name ends.
type NewPassword struct {
	Password string `json:"password"`
}

func (a *api) listUsers(w http.ResponseWriter, r *http.Request) error {
	all, err := a.Store.Users(r.Context())
	if err != nil {
		return err
	}
	return write(w, append([]storage.User{}, all...))
}

func (a *api) showUser(w http.ResponseWriter, r *http.Request) error {
	u, err := a.user(r)
	if err != nil {
		return err
	}
	return write(w, u)
}

// user is the one that the path names.
func (a *api) user(r *http.Request) (storage.User, error) {
	return a.findUser(r.Context(), param(r, "user"))
}

func (a *api) addUser(w http.ResponseWriter, r *http.Request) error {
	var n NewUser
	if err := read(r, &n); err != nil {
		return err
	}
	u, err := users.New(n.Username, a.Now())
	if err != nil {
		return err
	}
	setErr := setAll(n.Fields, func(name string, values []string) error { return users.Set(&u, name, values) })
	if err := errors.Join(setErr, users.Validate(u)); err != nil {
		return err
	}
	if n.Password != "" {
		if u.PasswordHash, err = a.Hash(r.Context(), n.Password); err != nil {
			return err
		}
	}
	u, err = a.Store.SaveUser(r.Context(), u, false, a.change(r, "added"))
	if err != nil {
		return taken(err)
	}
	return writeStatus(w, http.StatusCreated, u)
}

func taken(err error) error {
	if errors.Is(err, storage.ErrExists) {
		return refuse(http.StatusConflict, "another user signs in with this name or address; choose another, or change that user")
	}
	return err
}

func (a *api) setUser(w http.ResponseWriter, r *http.Request) error {
	var ch Changes
	if err := read(r, &ch); err != nil {
		return err
	}
	u, err := a.changeUser(r, "set "+names(ch.Fields), func(u *storage.User) error {
		setErr := setAll(ch.Fields, func(name string, values []string) error { return users.Set(u, name, values) })
		return errors.Join(setErr, users.Validate(*u))
	})
	if err != nil {
		return err
	}
	return write(w, u)
}

func (a *api) setPassword(w http.ResponseWriter, r *http.Request) error {
	var p NewPassword
	if err := read(r, &p); err != nil {
		return err
	}
	hash, err := a.Hash(r.Context(), p.Password)
	if err != nil {
		return err
	}
	u, err := a.changeUser(r, "new password", func(u *storage.User) error {
		u.PasswordHash = hash
		return nil
	})
	if err != nil {
		return err
	}
	return write(w, u)
}

// changeUser is to users what changeClient is to clients.
func (a *api) changeUser(r *http.Request, detail string, edit func(*storage.User) error) (storage.User, error) {
	for n := 0; ; n++ {
		u, err := a.user(r)
		if err != nil {
			return u, err
		}
		if u.Origin == storage.OriginFile {
			return u, a.declared("user " + u.Name)
		}
		if err := edit(&u); err != nil {
			return u, err
		}
		u.Updated = a.Now()
		saved, err := a.Store.SaveUser(r.Context(), u, false, a.change(r, detail)) // what must end, the act ends by itself
		if errors.Is(err, storage.ErrConflict) && n < attempts {
			continue
		}
		return saved, taken(err)
	}
}

func (a *api) removeUser(w http.ResponseWriter, r *http.Request) error {
	u, err := a.user(r)
	if err != nil {
		return err
	}
	if u.Origin == storage.OriginFile {
		return a.declared("user " + u.Name)
	}
	if err := a.Store.RemoveUser(r.Context(), u.Sub, a.change(r, "removed")); err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	return write(w, u)
}
