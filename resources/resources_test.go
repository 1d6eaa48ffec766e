package resources

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
		"the default":                      {func(r *storage.Resource) {}, ""},
		"RS256 and JWT for older gateways": {func(r *storage.Resource) { r.Alg, r.Typ = "RS256", TypJWT }, ""},
		"RFC 8707 2: an absolute URI":      {func(r *storage.Resource) { r.ID = "https://api.example/v1?tenant=a" }, ""},
		"RFC 8707 2: a URN":                {func(r *storage.Resource) { r.ID = "urn:example:api" }, ""},
		"RFC 8707 2: a relative URI":       {func(r *storage.Resource) { r.ID = "/v1" }, "resource"},
		"RFC 8707 2: a fragment":           {func(r *storage.Resource) { r.ID = "https://api.example/#v1" }, "resource"},
		"no name":                          {func(r *storage.Resource) { r.Name = "" }, "name"},
		"an id in capitals":                {func(r *storage.Resource) { r.ID = "https://API.example" }, "resource"},
		"RFC 6749 3.3: a scope":            {func(r *storage.Resource) { r.Scopes = []storage.Scope{{Name: "a b"}} }, "scopes"},
		"a scope with a text":              {func(r *storage.Resource) { r.Scopes = []storage.Scope{{Name: "orders:read", Text: "See your orders"}} }, ""},
		"a text on two lines":              {func(r *storage.Resource) { r.Scopes = []storage.Scope{{Name: "orders:read", Text: "See\nall"}} }, "scopes"},
		"a scope twice": {func(r *storage.Resource) {
			r.Scopes = []storage.Scope{{Name: "a"}, {Name: "b"}, {Name: "a", Text: "A"}}
		}, "scopes"},
		"a standard scope":             {func(r *storage.Resource) { r.Scopes = []storage.Scope{{Name: "offline_access"}} }, "scopes"},
		"a scope that is cut at its =": {func(r *storage.Resource) { r.Scopes = []storage.Scope{{Name: "a=b"}} }, "scopes"},
		"101 scopes":                   {func(r *storage.Resource) { r.Scopes = make([]storage.Scope, 101) }, "scopes"},
		"a permission": {func(r *storage.Resource) {
			r.Permissions = []storage.Permission{{Name: "write", Roles: []string{"admin"}}}
		}, ""},
		"a permission that nobody has": {func(r *storage.Resource) { r.Permissions = []storage.Permission{{Name: "write"}} }, "permissions"},
		"a permission of two words": {func(r *storage.Resource) {
			r.Permissions = []storage.Permission{{Name: "a b", Roles: []string{"admin"}}}
		}, "permissions"},
		"a permission without a name": {func(r *storage.Resource) { r.Permissions = []storage.Permission{{Roles: []string{"admin"}}} }, "permissions"},
		"a permission twice": {func(r *storage.Resource) {
			r.Permissions = []storage.Permission{{Name: "a", Roles: []string{"admin"}}, {Name: "a", Groups: []string{"staff"}}}
		}, "permissions"},
		"a role twice": {func(r *storage.Resource) {
			r.Permissions = []storage.Permission{{Name: "a", Roles: []string{"x", "x"}}}
		}, "permissions"},
		"a role without name": {func(r *storage.Resource) { r.Permissions = []storage.Permission{{Name: "a", Roles: []string{""}}} }, "permissions"},
		"201 permissions":     {func(r *storage.Resource) { r.Permissions = make([]storage.Permission, 201) }, "permissions"},
		"101 who have it": {func(r *storage.Resource) {
			r.Permissions = []storage.Permission{{Name: "a", Groups: make([]string, 101)}}
		}, "permissions"},
		"a claim of no use":                  {func(r *storage.Resource) { r.Claims = []string{ClaimPermissions} }, "claims"},
		"what we are asked of":               {func(r *storage.Resource) { r.Format = storage.FormatOpaque }, ""},
		"a format that is not there":         {func(r *storage.Resource) { r.Format = "x" }, "format"},
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

func TestNew(t *testing.T) {
	t.Parallel()
	like := Default("RS256", TypJWT, 5*time.Minute, []string{ClaimRoles})
	for id, name := range map[string]string{"https://api.example:8443/v1": "api.example", "urn:example:api": "urn:example:api"} {
		r := New(id, like, now)
		if r.ID != id || r.Name != name || r.Alg != "RS256" || r.Typ != TypJWT || r.Lifetime != 5*time.Minute || r.Claims != nil || r.Open || r.Origin != storage.OriginOperator || !r.Created.Equal(now) {
			t.Errorf("%+v", r)
		}
		if err := Validate(r); err != nil {
			t.Error(err)
		}
	}
}

func TestServer(t *testing.T) {
	t.Parallel()
	s := Server{Issuer: "https://id.example", Algs: []string{"RS256", "ES256"}, Scopes: []string{"hr"}}
	for name, c := range map[string]struct {
		change func(*storage.Resource)
		field  string
	}{
		"one of its own":                  {func(r *storage.Resource) {}, ""},
		"an API below the issuer":         {func(r *storage.Resource) { r.ID = "https://id.example/api" }, ""},
		"the issuer itself":               {func(r *storage.Resource) { r.ID = "https://id.example" }, "resource"},
		"the issuer in another spelling":  {func(r *storage.Resource) { r.ID = "https://id.example/" }, "resource"},
		"an algorithm without a key":      {func(r *storage.Resource) { r.Alg = "ES512" }, "access_token_alg"},
		"an algorithm that signs nothing": {func(r *storage.Resource) { r.Alg, r.Format = "ES512", storage.FormatOpaque }, ""},
		"a scope of the catalogue":        {func(r *storage.Resource) { r.Scopes = []storage.Scope{{Name: "read"}, {Name: "hr", Text: "Us"}} }, "scopes"},
	} {
		r := New("https://api.example", Default("ES256", TypAccessToken, time.Minute, nil), now)
		c.change(&r)
		err := s.Check(r)
		var fault *fields.Error
		if c.field == "" && err != nil || c.field != "" && (!errors.As(err, &fault) || fault.Field != c.field) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	r := New("https://api.example", Default("ES256", TypAccessToken, 10*time.Minute, nil), now)
	for field, values := range map[string][]string{
		"name": {"Orders"}, "open": {"true"}, "format": {"opaque"}, "access_token_lifetime": {"1h30m"}, "claims": {"roles", "permissions"},
		"scopes":      {"orders:read=See your orders", "orders:write", "odd=a = b"},
		"permissions": {"orders:write=role:admin, group:staff,role:a b", "all=group:cn=Ops,ou=Groups,group:x:y"},
	} {
		if err := Set(&r, field, values); err != nil {
			t.Errorf("%s: %v", field, err)
		}
	}
	want := r
	want.Scopes = []storage.Scope{{Name: "orders:read", Text: "See your orders"}, {Name: "orders:write"}, {Name: "odd", Text: "a = b"}}
	want.Permissions = []storage.Permission{
		{Name: "orders:write", Roles: []string{"admin", "a b"}, Groups: []string{"staff"}}, {Name: "all", Groups: []string{"cn=Ops,ou=Groups", "x:y"}},
	}
	if diff := cmp.Diff(want, r); diff != "" || r.Lifetime != 90*time.Minute || r.Format != storage.FormatOpaque || !r.Open {
		t.Errorf("%+v\n%s", r, diff)
	}
	if err := Validate(r); err != nil {
		t.Error(err)
	}
	for _, f := range Fields { // what is read can be set again
		if values := f.Get(&r); f.Set(&r, values) != nil || !slices.Equal(values, f.Get(&r)) {
			t.Errorf("%s: %q comes back as %q", f.Name, values, f.Get(&r))
		}
	}
	for field, values := range map[string][]string{
		"permissions": {"write=role:admin", "write", "write=", "write=admin", "write=user:alice", "=x"}, "access_token_lifetime": {"10"}, "open": {"yes"},
	} {
		before := r
		if err := Set(&r, field, values); err == nil {
			t.Errorf("%s: %q passes", field, values)
		} else if field == "permissions" && len(strings.Split(err.Error(), "; write it like")) != 6 {
			t.Errorf("not every fault: %v", err)
		}
		if !same(before, r) {
			t.Errorf("%s: half of it was set: %+v", field, r)
		}
	}
	for _, clear := range []string{"scopes", "permissions", "claims"} {
		if err := Set(&r, clear, []string{""}); err != nil {
			t.Error(err)
		}
	}
	if r.Scopes != nil || r.Permissions != nil || len(r.Claims) > 0 {
		t.Errorf("not cleared: %+v", r)
	}
}

// RFC 9068 section 5: where tokens carry permissions, each is for one resource alone, so the claim is not there for nothing.
func TestSettle(t *testing.T) {
	t.Parallel()
	some := []storage.Permission{{Name: "write", Roles: []string{"admin"}}}
	for name, c := range map[string]struct {
		before, after storage.Resource
		want          string
	}{
		"the first permission": {storage.Resource{}, storage.Resource{Permissions: some, Claims: []string{"roles"}}, "roles permissions"},
		"the next one":         {storage.Resource{Permissions: some}, storage.Resource{Permissions: append(some, some...)}, ""},
		"the last one goes":    {storage.Resource{Permissions: some}, storage.Resource{Claims: []string{"permissions", "roles"}}, "roles"},
		"none":                 {storage.Resource{}, storage.Resource{Claims: []string{"roles"}}, "roles"},
	} {
		before := slices.Clone(c.after.Claims)
		r := c.after
		if Settle(c.before, &r); strings.Join(r.Claims, " ") != c.want || !slices.Equal(before, c.after.Claims) {
			t.Errorf("%s: %v of %v", name, r.Claims, c.after.Claims)
		}
	}
}

func FuzzPermission(f *testing.F) {
	for _, s := range []string{"orders:write=role:admin,group:staff", "a=group:cn=x,ou=y", "a=role:", "=role:a", "a=role:a, ,group:b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var r, again storage.Resource
		if Set(&r, "permissions", []string{s}) != nil || len(r.Permissions) == 0 {
			return
		}
		written := permissionValue(r.Permissions[0])
		if err := Set(&again, "permissions", []string{written}); err != nil {
			t.Fatalf("%q is written as %q: %v", s, written, err)
		}
		var f fields.Faults
		if validatePermissions(&f, r.Permissions); f.Err() == nil && !cmp.Equal(r.Permissions, again.Permissions) && !strings.ContainsAny(s, ",") {
			t.Errorf("%q comes back as %+v", s, again.Permissions)
		}
	})
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
		func(r *storage.Resource) { r.Scopes = []storage.Scope{{Name: "a"}} }, func(r *storage.Resource) { r.Format = "x" },
		func(r *storage.Resource) { r.Scopes = []storage.Scope{{Text: "a"}} }, func(r *storage.Resource) { r.Open = true },
		func(r *storage.Resource) { r.Permissions = []storage.Permission{{Name: "a"}} }, func(r *storage.Resource) { r.Origin = storage.OriginFile },
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

type acts storage.Resources // whose name is that of one of them

// busy is a store that refuses.
type busy struct {
	acts
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
