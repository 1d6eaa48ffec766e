package users

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/storage"
)

var start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func valid(t testing.TB, name string) storage.User {
	t.Helper()
	u, err := New(name, start)
	if err != nil {
		t.Fatal(err)
	}
	u.Email = "ada@example.com"
	if err := Validate(u); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestNew(t *testing.T) {
	t.Parallel()
	a, b := valid(t, "ada"), valid(t, "ada")
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`).MatchString(a.Sub) || a.Sub == b.Sub || a.Origin != storage.OriginOperator || !a.Created.Equal(start) {
		t.Errorf("%+v", a)
	}
	var fault *FieldError
	if _, err := New("", start); !errors.As(err, &fault) || fault.Field != "username" {
		t.Errorf("no name: %v", err)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	set := func(fieldsAndValues ...string) func(*storage.User) {
		return func(u *storage.User) {
			for i := 0; i < len(fieldsAndValues); i += 2 {
				if err := Set(u, fieldsAndValues[i], []string{fieldsAndValues[i+1]}); err != nil {
					panic(err)
				}
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*storage.User)
		fields string
	}{
		"no sub":                              {func(u *storage.User) { u.Sub = "" }, "sub"},
		"Core 2: a sub of 256 characters":     {func(u *storage.User) { u.Sub = strings.Repeat("a", 256) }, "sub"},
		"Core 2: a sub beyond ASCII":          {func(u *storage.User) { u.Sub = "é" }, "sub"},
		"origin unknown":                      {func(u *storage.User) { u.Origin = "x" }, "origin"},
		"a name with a space":                 {set("username", "Ada L"), ""},
		"a name in another script":            {set("username", "Аделаида"), ""},
		"no name":                             {set("username", ""), "username"},
		"a name with a control":               {set("username", "a\x00da"), "username"},
		"a name with a joiner":                {set("username", "a\u200dda"), "username"},
		"a name that turns the direction":     {set("username", "a\u202eda"), "username"},
		"a name in other letters":             {set("username", "ａｄａ"), "username"},
		"a name with spaces around":           {set("username", " ada"), "username"},
		"a name of 201 characters":            {set("username", strings.Repeat("a", 201)), "username"},
		"the own address as a name":           {set("username", "ADA@example.com"), ""},
		"another's address as a name":         {set("username", "bob@example.com"), "username"},
		"an address as a name, without email": {set("username", "bob@example.com", "email", ""), "username"},
		"no email":                            {set("email", ""), ""},
		"email with a plus":                   {set("email", "ada+x@example.com"), ""},
		"email without a domain":              {set("email", "ada"), "email"},
		"email with a name":                   {set("email", "Ada <ada@example.com>"), "email"},
		"email in brackets":                   {set("email", "<ada@example.com>"), "email"},
		"two emails":                          {set("email", "a@example.com,b@example.com"), "email"},
		"email with a comment":                {set("email", "ada(x)@example.com"), "email"},
		"email with a quoted part":            {set("email", `"a b"@example.com`), "email"},
		"email with a newline":                {set("email", "ada@example.com\nBcc: x@example.com"), "email"},
		"email with two @":                    {set("email", "a@b@example.com"), "email"},
		"email with a literal":                {set("email", "a@[127.0.0.1]"), "email"},
		"email, its local part too long":      {set("email", strings.Repeat("a", 65)+"@example.com"), "email"},
		"email, too long":                     {set("email", "a@"+strings.Repeat("a.", 130)+"com"), "email"},
		"verified without an email":           {func(u *storage.User) { u.Email, u.EmailVerified = "", true }, "email_verified"},
		"a password hash of another kind":     {func(u *storage.User) { u.PasswordHash = "$2a$10$abc" }, "password_hash"},
		"groups":                              {func(u *storage.User) { u.Groups = []string{"Sales Team", "a/b"} }, ""},
		"groups, bad ones":                    {func(u *storage.User) { u.Groups = []string{"a", "", "b\n", "a"} }, "groups groups groups"},
		"too many roles":                      {func(u *storage.User) { u.Roles = make([]string, 501) }, "roles"},
		"a whole profile": {set("name", "Ada Lovelace", "given_name", "Ada", "family_name", "Lovelace", "profile", "https://a.example/ada",
			"picture", "https://a.example/ada.png", "website", "http://ada.example/", "gender", "female", "birthdate", "0000-12-10", "zoneinfo", "Europe/London",
			"locale", "en-GB", "phone_number", "+44 (20) 7946-0000;ext=1", "phone_number_verified", "true", "address.formatted", "1 Square\nLondon"), ""},
		"Core 5.1: every form": {set("name", "a\nb", "profile", "javascript:alert(1)", "picture", "data:image/png,x", "website", "ada.example", "birthdate", "10.12.1815",
			"zoneinfo", "London, GB", "locale", "English!", "phone_number", "020 7946"), "birthdate locale name phone_number picture profile website zoneinfo"},
		"a day that is none":              {set("birthdate", "2001-02-29"), "birthdate"},
		"a day that is none, no year":     {set("birthdate", "0000-13-01"), "birthdate"},
		"a leap day, no year":             {set("birthdate", "0000-02-29"), ""},
		"a year alone":                    {set("birthdate", "1815"), ""},
		"a number verified that is none":  {set("phone_number_verified", "true"), "phone_number_verified"},
		"an address with a control":       {set("address.country", "U\x1bK"), "address.country"},
		"an address with too many lines":  {set("address.formatted", strings.Repeat("a\n", 11)+"a"), "address.formatted"},
		"all faults at once":              {set("username", "", "email", "x", "locale", "?"), "email locale username"},
		"a long value is not shown whole": {set("zoneinfo", strings.Repeat("é", 5000)), "zoneinfo"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := valid(t, "ada")
			c.change(&u)
			err := Validate(u)
			if got := strings.Join(faulty(t, err), " "); got != c.fields {
				t.Errorf("faults of %q, want %q: %v", got, c.fields, err)
			}
			if err != nil && len(err.Error()) > 2000 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
		})
	}
}

func faulty(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var names []string
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var fault *FieldError
		if !errors.As(e, &fault) || fault.Problem == "" {
			t.Fatalf("not a fault of a field: %v", e)
		}
		names = append(names, fault.Field)
	}
	slices.Sort(names)
	return names
}

// Each field of the table changes one field of the record, and is read back.
func TestFields(t *testing.T) {
	t.Parallel()
	for _, f := range Fields {
		before := valid(t, "ada")
		u, v := before, "other"
		if strings.HasSuffix(f.Name, "_verified") || f.Name == "disabled" {
			v = "true"
		}
		if err := Set(&u, f.Name, []string{v}); err != nil {
			t.Error(err)
		}
		if got := f.Get(&u); len(got) != 1 || got[0] != v {
			t.Errorf("%s is %q", f.Name, got)
		}
		if got := Fields.Diff(before, u); len(got) != 1 || got[0] != f.Name {
			t.Errorf("setting %s changes %v", f.Name, got)
		}
	}
}

// The record and the table use the same names, and nothing that is ours to set is forgotten.
func TestFieldsAreTheRecords(t *testing.T) {
	t.Parallel()
	var want []string
	add := func(typ reflect.Type, prefix string, skip ...string) {
		for _, f := range reflect.VisibleFields(typ) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); !slices.Contains(skip, name) {
				want = append(want, prefix+name)
			}
		}
	}
	// Profile.Profile and User.Profile share a name in JSON: the claim is the inner one.
	add(reflect.TypeFor[storage.User](), "", "sub", "revision", "origin", "profile", "-", "epoch", "created", "updated")
	add(reflect.TypeFor[storage.Profile](), "", "address")
	add(reflect.TypeFor[storage.Address](), "address.")
	got := Fields.Names()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("table: %v\nrecord: %v", got, want)
	}
}

func TestSetAddress(t *testing.T) {
	t.Parallel()
	u := valid(t, "ada")
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(Set(&u, "address.country", []string{"UK"}))
	shared := u
	must(Set(&u, "address.locality", []string{"London"}))
	if *shared.Profile.Address != (storage.Address{Country: "UK"}) {
		t.Error("a copy of the record was changed")
	}
	must(Set(&u, "address.country", []string{""}))
	must(Set(&u, "address.locality", []string{""}))
	if u.Profile.Address != nil {
		t.Error("an empty address is not absent")
	}
}

func TestSetEmail(t *testing.T) {
	t.Parallel()
	u := valid(t, "ada")
	u.EmailVerified = true
	if err := Set(&u, "email", []string{""}); err != nil || u.EmailVerified {
		t.Errorf("no address is verified: %v", err)
	}
}
