// Package users holds the rules for accounts: what may be said of a person, how passwords are kept, and how one is checked.
//
// [New] makes an account, [Fields] is what can be set by name, [Validate] finds all faults of the result; the record is
// [storage.User]. Passwords are kept as argon2id in PHC strings ([HashPassword]).
//
// Who signs in with a password goes through an [Authenticator]. Whatever is wrong (no such user, no password, disabled, wrong
// password) takes the same work and gets the same answer, so that nobody learns from outside who has an account. Guessing is
// slowed down for each account and each address, and hashing is bounded, so that many guesses cost neither memory nor other
// people's time.
package users

import (
	"crypto/rand"
	"encoding/base64"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"signet/fields"
	"signet/storage"
)

// FieldError is one fault of a user's record.
type FieldError = fields.Error

const (
	maxText   = 200 // characters, of a name or one claim
	maxEmail  = 254 // bytes: RFC 5321 section 4.5.3.1.3, without the angle brackets
	maxGroups = 500
	maxLines  = 10 // of an address
)

// New returns an account with a fresh sub and nothing but a name. It has no password yet.
func New(name string, now time.Time) (storage.User, error) {
	if problem := nameProblem(name); problem != "" {
		return storage.User{}, &FieldError{Field: "username", Problem: problem}
	}
	return storage.User{Sub: newSub(), Name: name, Origin: storage.OriginOperator, Created: now, Updated: now}, nil
}

// newSub returns 22 characters for 128 random bits. A sub says nothing about the person and is never given again.
func newSub() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Validate returns all faults of u, joined, each a [*FieldError]; nil if there is none.
func Validate(u storage.User) error {
	var f fields.Faults
	validateSignIn(&f, u)
	validateGroups(&f, "groups", u.Groups)
	validateGroups(&f, "roles", u.Roles)
	validateProfile(&f, u.Profile)
	return f.Err()
}

func validateSignIn(f *fields.Faults, u storage.User) {
	f.Check("sub", subProblem(u.Sub))
	f.OneOf("origin", u.Origin, storage.OriginOperator, storage.OriginFile)
	f.Check("username", nameProblem(u.Name))
	if strings.Contains(u.Name, "@") && storage.LoginKey(u.Name) != storage.LoginKey(u.Email) {
		// Otherwise it could be somebody else's address, and people would take the one for the other.
		f.Add("username", "looks like an e-mail address; use the user's own, or a name without @")
	}
	if u.Email != "" {
		f.Check("email", emailProblem(u.Email))
	}
	if u.Email == "" && u.EmailVerified {
		f.Add("email_verified", "is true, but there is no email")
	}
	if u.PasswordHash != "" {
		if _, err := parsePHC(u.PasswordHash); err != nil {
			f.Add("password_hash", "%s", err)
		}
	}
}

// subProblem: OpenID Connect Core 2, at most 255 ASCII characters.
func subProblem(sub string) string {
	switch {
	case sub == "":
		return "is missing"
	case len(sub) > 255:
		return "is longer than 255 characters"
	case strings.ContainsFunc(sub, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return "has other characters than printable ASCII"
	}
	return ""
}

// nameProblem: what people type to sign in, so nothing that cannot be seen, and one spelling of what looks the same.
func nameProblem(name string) string {
	switch {
	case fields.Text(name, maxText) != "":
		return fields.Text(name, maxText)
	case strings.ContainsAny(name, "\u200c\u200d"):
		return "holds an invisible character; remove it"
	case norm.NFKC.String(name) != name:
		return "holds characters that look like others; write it as " + fields.Quote(norm.NFKC.String(name))
	}
	return ""
}

func emailProblem(email string) string {
	if problem := nameProblem(email); problem != "" {
		return problem
	}
	at := strings.LastIndexByte(email, '@')
	switch a, err := mail.ParseAddress(email); {
	case err != nil || a.Address != email || a.Name != "" || strings.ContainsAny(email, " <>()[]\"\\,;:"):
		return fields.Quote(email) + " is not an e-mail address; write it as name@example.com"
	case len(email) > maxEmail || at > 64:
		return "is longer than e-mail addresses can be"
	}
	return ""
}

func validateGroups(f *fields.Faults, field string, groups []string) {
	if len(groups) > maxGroups {
		f.Add(field, "are more than %d", maxGroups)
		return
	}
	for i, g := range groups {
		f.CheckValue(field, g, fields.Text(g, maxText))
		if slices.Contains(groups[:i], g) {
			f.Add(field, "has %s twice", fields.Quote(g))
		}
	}
}

var (
	zoneinfo = regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`) // a name of the IANA time zone database
	locale   = regexp.MustCompile(`^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$`)
	phone    = regexp.MustCompile(`^\+[0-9][0-9 ().-]{2,30}(;ext=[0-9]{1,15})?$`) // E.164, RFC 3966
)

func validateProfile(f *fields.Faults, p storage.Profile) {
	for _, t := range []struct{ field, value string }{
		{"name", p.Name}, {"given_name", p.GivenName}, {"family_name", p.FamilyName}, {"middle_name", p.MiddleName},
		{"nickname", p.Nickname}, {"gender", p.Gender},
	} {
		if t.value != "" {
			f.Check(t.field, fields.Text(t.value, maxText))
		}
	}
	for _, l := range []struct{ field, uri string }{{"profile", p.Profile}, {"picture", p.Picture}, {"website", p.Website}} {
		if l.uri != "" {
			_, problem := fields.WebURL(l.uri)
			f.Check(l.field, problem)
		}
	}
	match := func(field, value string, form *regexp.Regexp, like string) {
		if value != "" && (len(value) > maxText || !form.MatchString(value)) {
			f.Add(field, "%s is not written like %s", fields.Quote(value), like)
		}
	}
	if p.Birthdate != "" && !day(p.Birthdate) {
		f.Add("birthdate", "%s is not a day or a year; write it like 1984-05-23 or 1984", fields.Quote(p.Birthdate))
	}
	match("zoneinfo", p.Zoneinfo, zoneinfo, "Europe/Paris")
	match("locale", p.Locale, locale, "en-US")
	match("phone_number", p.PhoneNumber, phone, "+1 425 555 1212")
	if p.PhoneNumber == "" && p.PhoneNumberVerified {
		f.Add("phone_number_verified", "is true, but there is no phone_number")
	}
	if a := p.Address; a != nil {
		for _, t := range []struct{ field, value string }{
			{"address.formatted", a.Formatted}, {"address.street_address", a.StreetAddress}, {"address.locality", a.Locality},
			{"address.region", a.Region}, {"address.postal_code", a.PostalCode}, {"address.country", a.Country},
		} {
			if t.value != "" {
				f.Check(t.field, linesProblem(t.value))
			}
		}
	}
}

// day: OpenID Connect Core 5.1 lets birthdate be a day, a year alone, or a day in the year 0000, which is a leap year: it has
// a 29 February.
func day(s string) bool {
	_, err1 := time.Parse(time.DateOnly, s)
	_, err2 := time.Parse("2006", s)
	return err1 == nil || err2 == nil
}

// linesProblem: OpenID Connect Core 5.1.1 lets addresses have several lines.
func linesProblem(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	if len(lines) > maxLines {
		return "has too many lines"
	}
	for _, line := range lines {
		if problem := fields.Text(line, maxText); problem != "" {
			return problem
		}
	}
	return ""
}
