package claims

import "signet/storage"

// standard are the claims of OpenID Connect Core 5.1 by the scopes of 5.4, and groups and roles, which no specification has and most
// servers do.
var standard = []claim{
	of("profile", "name", func(u storage.User) string { return u.Profile.Name }),
	of("profile", "given_name", func(u storage.User) string { return u.Profile.GivenName }),
	of("profile", "family_name", func(u storage.User) string { return u.Profile.FamilyName }),
	of("profile", "middle_name", func(u storage.User) string { return u.Profile.MiddleName }),
	of("profile", "nickname", func(u storage.User) string { return u.Profile.Nickname }),
	of("profile", "preferred_username", func(u storage.User) string { return u.Name }),
	of("profile", "profile", func(u storage.User) string { return u.Profile.Profile }),
	of("profile", "picture", func(u storage.User) string { return u.Profile.Picture }),
	of("profile", "website", func(u storage.User) string { return u.Profile.Website }),
	of("profile", "gender", func(u storage.User) string { return u.Profile.Gender }),
	of("profile", "birthdate", func(u storage.User) string { return u.Profile.Birthdate }),
	of("profile", "zoneinfo", func(u storage.User) string { return u.Profile.Zoneinfo }),
	of("profile", "locale", func(u storage.User) string { return u.Profile.Locale }),
	{name: "updated_at", scopes: []string{"profile"}, value: updatedAt},

	of("email", "email", func(u storage.User) string { return u.Email }),
	{name: "email_verified", scopes: []string{"email"}, value: beside(
		func(u storage.User) string { return u.Email }, func(u storage.User) bool { return u.EmailVerified })},

	{name: "address", scopes: []string{"address"}, value: address},

	of("phone", "phone_number", func(u storage.User) string { return u.Profile.PhoneNumber }),
	{name: "phone_number_verified", scopes: []string{"phone"}, value: beside(
		func(u storage.User) string { return u.Profile.PhoneNumber }, func(u storage.User) bool { return u.Profile.PhoneNumberVerified })},

	{name: "groups", scopes: []string{"groups"}, value: list(func(u storage.User) []string { return u.Groups })},
	{name: "roles", scopes: []string{"roles"}, value: list(func(u storage.User) []string { return u.Roles })},
}

// of is a claim of one text.
func of(scope, name string, at func(storage.User) string) claim {
	return claim{name: name, scopes: []string{scope}, value: text(at)}
}

func text(at func(storage.User) string) func(storage.User) any {
	return func(u storage.User) any {
		if s := at(u); s != "" {
			return s
		}
		return nil
	}
}

func list(at func(storage.User) []string) func(storage.User) any {
	return func(u storage.User) any {
		if l := at(u); len(l) > 0 {
			return l
		}
		return nil
	}
}

// beside is whether something was verified: true to fact, so false too, but only where there is something.
func beside(at func(storage.User) string, verified func(storage.User) bool) func(storage.User) any {
	return func(u storage.User) any {
		if at(u) == "" {
			return nil
		}
		return verified(u)
	}
}

// updatedAt: seconds since the epoch.
func updatedAt(u storage.User) any {
	if u.Updated.IsZero() {
		return nil
	}
	return u.Updated.Unix()
}

// address is an object: Core 5.1.1.
func address(u storage.User) any {
	if a := u.Profile.Address; a != nil && *a != (storage.Address{}) {
		return a
	}
	return nil
}
