package resources

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/audit"
	"signet/fields"
	"signet/storage"
	"signet/storage/bolt"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*storage.Resource)
		field  string // of the one fault; "" if there is none
	}{
		"the default":                        {func(r *storage.Resource) {}, ""},
		"RS256 and JWT for older gateways":   {func(r *storage.Resource) { r.Alg, r.Typ = "RS256", TypJWT }, ""},
		"RFC 8707 2: an absolute URI":        {func(r *storage.Resource) { r.ID = "https://api.example/v1?tenant=a" }, ""},
		"RFC 8707 2: a URN":                  {func(r *storage.Resource) { r.ID = "urn:example:api" }, ""},
		"RFC 8707 2: a relative URI":         {func(r *storage.Resource) { r.ID = "/v1" }, "resource"},
		"RFC 8707 2: a fragment":             {func(r *storage.Resource) { r.ID = "https://api.example/#v1" }, "resource"},
		"no name":                            {func(r *storage.Resource) { r.Name = "" }, "name"},
		"RFC 6749 3.3: a scope":              {func(r *storage.Resource) { r.Scopes = []string{"a b"} }, "scopes"},
		"a format that is not there":         {func(r *storage.Resource) { r.Format = "opaque" }, "format"},
		"RFC 9068 2.1: none":                 {func(r *storage.Resource) { r.Alg = "none" }, "access_token_alg"},
		"a shared key":                       {func(r *storage.Resource) { r.Alg = "HS256" }, "access_token_alg"},
		"RFC 8725 3.11: the type of another": {func(r *storage.Resource) { r.Typ = "logout+jwt" }, "access_token_typ"},
		"no type":                            {func(r *storage.Resource) { r.Typ = "" }, "access_token_typ"},
		"no lifetime":                        {func(r *storage.Resource) { r.Lifetime = 0 }, "access_token_lifetime"},
		"a lifetime in days":                 {func(r *storage.Resource) { r.Lifetime = 25 * time.Hour }, "access_token_lifetime"},
		"a lifetime that exp cannot say":     {func(r *storage.Resource) { r.Lifetime = 1500 * time.Millisecond }, "access_token_lifetime"},
		"never personal data":                {func(r *storage.Resource) { r.Claims = []string{"email"} }, "claims"},
		"a claim twice":                      {func(r *storage.Resource) { r.Claims = []string{"groups", "groups"} }, "claims"},
	} {
		r := Default("ES256", TypAccessToken, 10*time.Minute, []string{ClaimGroups, ClaimRoles})
		c.change(&r)
		err := Validate(r)
		var fault *fields.Error
		if c.field == "" && err != nil || c.field != "" && (!errors.As(err, &fault) || fault.Field != c.field || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func open(t *testing.T) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "signet.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// saved counts how often a resource was saved.
func saved(t *testing.T, s *bolt.Store) (n int) {
	t.Helper()
	if err := s.Entries(t.Context(), func(e audit.Entry) error {
		if e.Event == audit.ResourceSaved {
			n++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEnsure(t *testing.T) {
	t.Parallel()
	s, o := open(t), storage.Change{Now: now, Detail: "settings"}
	ensure := func(want storage.Resource, revision uint64, saves int) {
		t.Helper()
		got, err := Ensure(t.Context(), s, want, o)
		if err != nil || got.Revision != revision || !same(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
		stored, err := s.Resource(t.Context(), storage.DefaultResource)
		if err != nil || stored.Revision != revision || !same(stored, want) || !stored.Updated.Equal(now) {
			t.Errorf("stored %+v, %v", stored, err)
		}
		if n := saved(t, s); n != saves {
			t.Errorf("saved %d times, want %d", n, saves)
		}
	}
	first := Default("ES256", TypAccessToken, 10*time.Minute, []string{ClaimGroups})
	second := Default("RS256", TypJWT, 5*time.Minute, nil)
	ensure(first, 1, 1)
	ensure(first, 1, 1)
	ensure(second, 2, 2)
	ensure(second, 2, 2)
	for _, change := range []func(*storage.Resource){
		func(r *storage.Resource) { r.Name = "x" }, func(r *storage.Resource) { r.Alg = "PS256" }, func(r *storage.Resource) { r.Typ = TypAccessToken },
		func(r *storage.Resource) { r.Lifetime++ }, func(r *storage.Resource) { r.Claims = []string{ClaimRoles} },
		func(r *storage.Resource) { r.Scopes = []string{"a"} }, func(r *storage.Resource) { r.Format = "x" },
	} {
		if other := second; !func() bool { change(&other); return !same(other, second) }() {
			t.Errorf("a change is not seen: %+v", other)
		}
	}
}

// Servers that start together write it once, and all of them go on.
func TestEnsureTogether(t *testing.T) {
	t.Parallel()
	s := open(t)
	want := Default("ES256", TypAccessToken, time.Minute, nil)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if got, err := Ensure(t.Context(), s, want, storage.Change{Now: now}); err != nil || got.Revision != 1 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	group.Wait()
	if n := saved(t, s); n != 1 {
		t.Errorf("saved %d times", n)
	}
}

// busy is a store that refuses.
type busy struct {
	storage.Resources
	find, save error
	saves      int
}

func (b *busy) Resource(context.Context, string) (storage.Resource, error) {
	return storage.Resource{}, b.find
}

func (b *busy) SaveResource(context.Context, storage.Resource, storage.Change) (storage.Resource, error) {
	b.saves++
	return storage.Resource{}, b.save
}

func TestEnsureFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		store busy
		want  error
		saves int
	}{
		"it cannot be read":       {busy{find: storage.ErrBusy}, storage.ErrBusy, 0},
		"it cannot be written":    {busy{find: storage.ErrNotFound, save: storage.ErrNoSpace}, storage.ErrNoSpace, 1},
		"another is always first": {busy{find: storage.ErrNotFound, save: storage.ErrExists}, storage.ErrExists, 5},
	} {
		if _, err := Ensure(t.Context(), &c.store, Default("ES256", TypAccessToken, time.Minute, nil), storage.Change{}); !errors.Is(err, c.want) || c.store.saves != c.saves {
			t.Errorf("%s: %v after %d attempts", name, err, c.store.saves)
		}
	}
}
