package storagetest

import (
	"signet/audit"
	"signet/storage"
)

// fullUser has something in each field.
func fullUser(sub string) storage.User {
	return storage.User{
		Sub: sub, Name: "Ann" + sub, Origin: storage.OriginOperator, Email: sub + "@Example.com", EmailVerified: true,
		Profile: storage.Profile{
			Name: "Ann Example", GivenName: "Ann", FamilyName: "Example", MiddleName: "M", Nickname: "A", Profile: "p", Picture: "i", Website: "w",
			Gender: "f", Birthdate: "2000-01-01", Zoneinfo: "Europe/Berlin", Locale: "de", PhoneNumber: "+49", PhoneNumberVerified: true,
			Address: &storage.Address{Formatted: "f", StreetAddress: "s", Locality: "l", Region: "r", PostalCode: "p", Country: "c"},
		},
		Groups: []string{"g"}, Roles: []string{"r"}, PasswordHash: "$argon2id$1", Created: now, Updated: now,
	}
}

// save stores a change of a user and returns the row.
func (r *room) save(u storage.User, end bool) storage.User {
	r.Helper()
	saved, err := r.SaveUser(r.ctx(), u, end, change)
	r.ok(err)
	return saved
}

var userCases = []testCase{
	{"User returns the user with this sub, as the last acknowledged change left it", func(r *room) {
		want := fullUser("1")
		saved := r.save(want, false)
		want.Revision = 1
		r.same(saved, want)
		for range 10 {
			got, err := r.User(r.ctx(), "1")
			r.ok(err)
			r.same(got, want)
			want.Groups = append(want.Groups, "more")
			want = r.save(want, false)
		}
	}},
	{"a returned user is the caller's own", func(r *room) {
		r.save(fullUser("1"), false)
		for range 2 {
			u, err := r.User(r.ctx(), "1")
			r.ok(err)
			byLogin, err := r.UserByLogin(r.ctx(), "ann1")
			r.ok(err)
			for _, u := range []storage.User{u, byLogin} {
				r.same(u.Groups, []string{"g"})
				r.same(u.Profile.Address.Country, "c")
				u.Groups[0], u.Profile.Address.Country = "admin", "x"
			}
		}
	}},
	{"User of an unknown sub is ErrNotFound", func(r *room) {
		_, err := r.User(r.ctx(), "nobody")
		r.refused(err, storage.ErrNotFound)
	}},
	{"UserByLogin finds the user by name or address, in the form of LoginKey", func(r *room) {
		want := r.save(fullUser("1"), false)
		for _, login := range []string{"Ann1", "ANN1", " ann1 ", "1@example.com", "1@EXAMPLE.COM"} {
			got, err := r.UserByLogin(r.ctx(), login)
			r.ok(err)
			r.same(got, want)
		}
	}},
	{"UserByLogin of an unknown login is ErrNotFound", func(r *room) {
		r.save(storage.User{Sub: "1", Name: "ann"}, false) // no address: the empty one finds nobody
		for _, login := range []string{"bob", "", " ", "1"} {
			_, err := r.UserByLogin(r.ctx(), login)
			r.refused(err, storage.ErrNotFound)
		}
	}},
	{"Users returns all users, by name", func(r *room) {
		for sub, name := range map[string]string{"1": "carl", "2": "ann", "3": "bob"} {
			r.save(storage.User{Sub: sub, Name: name}, false)
		}
		users, err := r.Users(r.ctx())
		r.ok(err)
		var names []string
		for _, u := range users {
			names = append(names, u.Name)
		}
		r.same(names, []string{"ann", "bob", "carl"})
	}},
	{"DeclaredUsers returns those whom the file declares, by name", func(r *room) {
		names := func() (all []string) {
			users, err := r.DeclaredUsers(r.ctx())
			r.ok(err)
			for _, u := range users {
				r.same(u.Origin, storage.OriginFile)
				all = append(all, u.Name)
			}
			return all
		}
		r.same(names(), []string(nil))
		saved := map[string]storage.User{}
		for sub, name := range map[string]string{"1": "carl", "2": "ann", "3": "bob", "4": "dora"} {
			saved[sub] = r.save(storage.User{Sub: sub, Name: name, Origin: storage.OriginFile}, false)
		}
		r.save(storage.User{Sub: "5", Name: "eve", Origin: storage.OriginOperator, Profile: storage.Profile{Nickname: "origin file"}}, false)
		r.same(names(), []string{"ann", "bob", "carl", "dora"})
		changed, other := saved["2"], saved["3"]
		changed.Name, other.Origin = "zoe", storage.OriginOperator
		r.save(changed, false)
		other = r.save(other, false)
		r.ok(r.RemoveUser(r.ctx(), "1", change))
		r.same(names(), []string{"dora", "zoe"})
		other.Origin = storage.OriginFile
		r.save(other, false)
		r.same(names(), []string{"bob", "dora", "zoe"})
	}},
	{"SaveUser compares revisions as SaveClient", func(r *room) {
		first := r.save(fullUser("1"), false)
		_, err := r.SaveUser(r.ctx(), fullUser("1"), false, change)
		r.refused(err, storage.ErrExists)
		r.save(first, false)
		_, err = r.SaveUser(r.ctx(), first, false, change)
		r.refused(err, storage.ErrConflict)
		first.Sub, first.Name, first.Email = "2", "bob", ""
		_, err = r.SaveUser(r.ctx(), first, false, change)
		r.refused(err, storage.ErrNotFound)
	}},
	{"a name or address that another user signs in with, as a name or as an address, is ErrExists", func(r *room) {
		r.save(storage.User{Sub: "1", Name: "ann", Email: "ann@example.com"}, false)
		bob := r.save(storage.User{Sub: "2", Name: "bob"}, false)
		for _, taken := range []storage.User{
			{Sub: "3", Name: "ANN"}, {Sub: "3", Name: "Ann@example.com"}, {Sub: "3", Name: "c", Email: "ann@EXAMPLE.com"}, {Sub: "3", Name: "c", Email: "ann"},
			{Sub: "2", Revision: bob.Revision, Name: "ann"},
		} {
			_, err := r.SaveUser(r.ctx(), taken, false, change)
			r.refused(err, storage.ErrExists)
		}
		got, err := r.UserByLogin(r.ctx(), "ann")
		r.ok(err)
		r.same(got.Sub, "1")
	}},
	{"of concurrent new users with one name one succeeds", func(r *room) {
		r.oneWins(r.race(func(i int) error {
			_, err := r.SaveUser(r.ctx(), storage.User{Sub: string(rune('a' + i)), Name: "ann"}, false, change)
			return err
		}), storage.ErrExists)
	}},
	{"a changed name or address frees the one before", func(r *room) {
		u := r.save(storage.User{Sub: "1", Name: "ann", Email: "ann@example.com"}, false)
		u.Name, u.Email = "anna", "ann"
		r.save(u, false)
		_, err := r.UserByLogin(r.ctx(), "ann@example.com")
		r.refused(err, storage.ErrNotFound)
		for _, login := range []string{"anna", "ann"} {
			_, err = r.UserByLogin(r.ctx(), login)
			r.ok(err)
		}
		r.save(storage.User{Sub: "2", Name: "ann@example.com"}, false)
	}},
	{"when end is true everything that was begun in the user's name ends in the same commit", func(r *room) {
		v := r.newVisit("ann")
		family := r.newFamily(v, true)
		h, _ := r.newCode(v, true)
		r.endUser(v.user)
		r.same(r.sessions(v, now), []storage.ID(nil))
		r.refused(r.stored(family).Live(now), storage.ErrEnded)
		_, _, err := r.RotateFamily(r.ctx(), rotation(family, 0))
		r.refused(err, storage.ErrEnded)
		_, err = r.RedeemCode(r.ctx(), redemption(h), makeFamily())
		r.refused(err, storage.ErrEnded)
	}},
	{"the epoch moves on when end says so, when the user becomes disabled and when the password changes", func(r *room) {
		u := r.save(fullUser("1"), false)
		steps := []struct {
			name  string
			end   bool
			alter func(*storage.User)
			moves uint64
		}{
			{"a profile", false, func(u *storage.User) { u.Profile.Name = "B" }, 0},
			{"end", true, func(*storage.User) {}, 1},
			{"password", false, func(u *storage.User) { u.PasswordHash = "$argon2id$2" }, 1},
			{"disabled", false, func(u *storage.User) { u.Disabled = true }, 1},
			{"disabled before", false, func(u *storage.User) { u.Profile.Name = "C" }, 0},
			{"enabled", false, func(u *storage.User) { u.Disabled = false }, 0},
			{"another epoch in the row", false, func(u *storage.User) { u.Epoch = 0 }, 0},
		}
		for _, step := range steps {
			before := u.Epoch
			step.alter(&u)
			if u = r.save(u, step.end); u.Epoch != before+step.moves {
				r.Errorf("%s: the epoch went from %d to %d", step.name, before, u.Epoch)
			}
		}
	}},
	{"RemoveUser removes a user and frees the name and the address", func(r *room) {
		r.save(fullUser("1"), false)
		_, err := r.User(r.ctx(), "1")
		r.ok(err)
		r.ok(r.RemoveUser(r.ctx(), "1", change))
		_, err = r.User(r.ctx(), "1")
		r.refused(err, storage.ErrNotFound)
		_, err = r.UserByLogin(r.ctx(), "ann1")
		r.refused(err, storage.ErrNotFound)
		r.save(storage.User{Sub: "2", Name: "ann1", Email: "1@example.com"}, false)
	}},
	{"sessions and families of a removed sub are dead from then on", func(r *room) {
		v := r.newVisit("ann")
		family := r.newFamily(v, true)
		r.ok(r.RemoveUser(r.ctx(), "ann", change))
		r.same(r.sessions(v, now), []storage.ID(nil))
		_, _, err := r.RotateFamily(r.ctx(), rotation(family, 0))
		r.refused(err, storage.ErrEnded)
		state := r.stored(family)
		r.same(state.User, storage.User{})
		r.refused(state.Live(now), storage.ErrEnded)
		_, err = r.SaveUser(r.ctx(), storage.User{Sub: "ann", Name: "ann"}, false, change)
		r.refused(err, storage.ErrExists) // the sub is never given again
	}},
	{"RemoveUser of an unknown sub is ErrNotFound", func(r *room) {
		r.refused(r.RemoveUser(r.ctx(), "nobody", change), storage.ErrNotFound)
	}},
	{"changes, endings and removals leave entries, refusals none", func(r *room) {
		u := r.newUser("ann")
		r.wroteNothing(func() {
			_, err := r.SaveUser(r.ctx(), storage.User{Sub: "2", Name: "ann"}, true, change)
			r.refused(err, storage.ErrExists)
		})
		r.endUser(u)
		r.ok(r.RemoveUser(r.ctx(), "ann", change))
		saved := audit.Entry{Time: now, Event: audit.UserSaved, Origin: origin, User: "ann", Detail: change.Detail}
		ended, removed := saved, saved
		ended.Event, removed.Event = audit.UserEnded, audit.UserRemoved
		r.logged(saved, saved, ended, removed)
	}},
}
