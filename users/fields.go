package users

import (
	"signet/fields"
	"signet/storage"
)

// Fields is what of a user can be set by name, for the commands, the configuration file and the documentation. The names of claims
// are those of OpenID Connect Core 5.1. The password is not among them: it has a way of its own.
var Fields = fields.Table[storage.User]{
	fields.String("username", "signs in with it", func(u *storage.User) *string { return &u.Name }),
	email,
	fields.Bool("email_verified", "true: the address is known to be the user's", func(u *storage.User) *bool { return &u.EmailVerified }),
	fields.List("groups", "the claim groups", func(u *storage.User) *[]string { return &u.Groups }),
	fields.List("roles", "the claim roles", func(u *storage.User) *[]string { return &u.Roles }),
	fields.Bool("disabled", "true: cannot sign in, and whatever was begun in the user's name ends", func(u *storage.User) *bool { return &u.Disabled }),
	fields.String("name", "full name as shown to people", func(u *storage.User) *string { return &u.Profile.Name }),
	fields.String("given_name", "", func(u *storage.User) *string { return &u.Profile.GivenName }),
	fields.String("family_name", "", func(u *storage.User) *string { return &u.Profile.FamilyName }),
	fields.String("middle_name", "", func(u *storage.User) *string { return &u.Profile.MiddleName }),
	fields.String("nickname", "", func(u *storage.User) *string { return &u.Profile.Nickname }),
	fields.String("profile", "URL of a page about the user", func(u *storage.User) *string { return &u.Profile.Profile }),
	fields.String("picture", "URL of an image of the user", func(u *storage.User) *string { return &u.Profile.Picture }),
	fields.String("website", "URL of the user's own page", func(u *storage.User) *string { return &u.Profile.Website }),
	fields.String("gender", "", func(u *storage.User) *string { return &u.Profile.Gender }),
	fields.String("birthdate", "1984-05-23 or 1984", func(u *storage.User) *string { return &u.Profile.Birthdate }),
	fields.String("zoneinfo", "time zone, such as Europe/Paris", func(u *storage.User) *string { return &u.Profile.Zoneinfo }),
	fields.String("locale", "language, such as en-US", func(u *storage.User) *string { return &u.Profile.Locale }),
	fields.String("phone_number", "with + and country code", func(u *storage.User) *string { return &u.Profile.PhoneNumber }),
	fields.Bool("phone_number_verified", "true: the number is known to be the user's", func(u *storage.User) *bool { return &u.Profile.PhoneNumberVerified }),
	address("formatted", func(a *storage.Address) *string { return &a.Formatted }),
	address("street_address", func(a *storage.Address) *string { return &a.StreetAddress }),
	address("locality", func(a *storage.Address) *string { return &a.Locality }),
	address("region", func(a *storage.Address) *string { return &a.Region }),
	address("postal_code", func(a *storage.Address) *string { return &a.PostalCode }),
	address("country", func(a *storage.Address) *string { return &a.Country }),
}

// Set sets the named field of u; see [Fields].
func Set(u *storage.User, field string, values []string) error { return Fields.Set(u, field, values) }

// email: without an address nothing is left to be verified. Whether a new one is verified is for the caller to say.
var email = fields.Field[storage.User]{
	Name: "email", Help: "signs in with it as well",
	Set: func(u *storage.User, values []string) error {
		u.Email = values[0]
		u.EmailVerified = u.EmailVerified && u.Email != ""
		return nil
	},
	Get: func(u *storage.User) []string { return []string{u.Email} },
}

// address is a member of the claim address, which is absent as long as all its members are. A record's address may be shared with a
// copy of the record, so it is replaced and not changed.
func address(member string, at func(*storage.Address) *string) fields.Field[storage.User] {
	return fields.Field[storage.User]{
		Name: "address." + member,
		Set: func(u *storage.User, values []string) error {
			var a storage.Address
			if u.Profile.Address != nil {
				a = *u.Profile.Address
			}
			*at(&a) = values[0]
			u.Profile.Address = &a
			if a == (storage.Address{}) {
				u.Profile.Address = nil
			}
			return nil
		},
		Get: func(u *storage.User) []string {
			if u.Profile.Address == nil {
				return []string{""}
			}
			return []string{*at(u.Profile.Address)}
		},
	}
}
