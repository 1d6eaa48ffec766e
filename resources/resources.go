// Package resources holds the rules for APIs that accept our access tokens: RFC 8707, RFC 9068. The record is [storage.Resource].
//
// One resource is built in: whoever names none gets access tokens for it. Its audience is the issuer, and what its tokens are like
// follows from the settings, so the store learns of it at the start ([Ensure]). The others are the operator's, by command or in the
// configuration file: [New] gives what nothing was said of, [Fields] is what can be set by name, [Validate] finds all faults of the record,
// and [Server.Check] those of a resource at this server.
package resources

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"signet/clients"
	"signet/fields"
	"signet/storage"
)

// The JWT types of access tokens.
const (
	TypAccessToken = "at+jwt" // RFC 9068 section 2.1
	TypJWT         = "JWT"    // for resource servers whose decoder refuses the other
)

// Claims that a resource's access tokens can carry about the user. None of them is personal.
const (
	ClaimGroups      = "groups"
	ClaimRoles       = "roles"
	ClaimPermissions = "permissions" // what the resource's own permissions give the user
)

// algs are the algorithms of access tokens. An algorithm with a shared key is not among them: whoever can verify could sign.
var algs = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// maxLifetime bounds how long a token works that nobody asks us about any more.
const maxLifetime = 24 * time.Hour

const (
	maxText        = 200 // characters of a name, or of what people read
	maxScopes      = 100
	maxPermissions = 200
	maxHolders     = 100 // roles and groups that have one permission
)

// Default returns the built-in resource: JWTs of the type, signed with alg, good for lifetime, with these claims of the user.
func Default(alg, typ string, lifetime time.Duration, claims []string) storage.Resource {
	return storage.Resource{
		ID:       storage.DefaultResource,
		Name:     "default",
		Format:   storage.FormatJWT,
		Alg:      alg,
		Typ:      typ,
		Lifetime: lifetime,
		Claims:   claims,
	}
}

// New returns the resource of this id with the name of its host. Its access tokens are like those of the built-in one, as to algorithm, type and
// lifetime.
func New(id string, like storage.Resource, now time.Time) storage.Resource {
	r := storage.Resource{
		ID:       id,
		Name:     id,
		Origin:   storage.OriginOperator,
		Format:   storage.FormatJWT,
		Alg:      like.Alg,
		Typ:      like.Typ,
		Lifetime: like.Lifetime,
		Created:  now,
		Updated:  now,
	}
	if u, err := url.Parse(id); err == nil && u.Hostname() != "" {
		r.Name = u.Hostname()
	}
	return r
}

// Validate returns all faults of r, joined, each a [*fields.Error]; nil if there is none.
func Validate(r storage.Resource) error {
	var f fields.Faults
	if r.ID != storage.DefaultResource {
		f.Check("resource", fields.Resource(r.ID))
	}
	f.Check("name", fields.Text(r.Name, maxText))
	validateScopes(&f, r.Scopes)
	validatePermissions(&f, r.Permissions)
	f.OneOf("format", r.Format, storage.FormatJWT, storage.FormatOpaque)
	f.OneOf("access_token_alg", r.Alg, algs...)
	f.OneOf("access_token_typ", r.Typ, TypAccessToken, TypJWT)
	if r.Lifetime < time.Second || r.Lifetime > maxLifetime || r.Lifetime%time.Second != 0 {
		f.Add("access_token_lifetime", "is %s; use whole seconds, from 1s to %s", fields.FormatDuration(r.Lifetime), fields.FormatDuration(maxLifetime))
	}
	for i, c := range r.Claims {
		f.OneOf("claims", c, ClaimGroups, ClaimRoles, ClaimPermissions)
		if slices.Contains(r.Claims[:i], c) {
			f.Add("claims", "has %s twice", fields.Quote(c))
		}
		if c == ClaimPermissions && len(r.Permissions) == 0 {
			f.CheckValue("claims", c, "has permissions, and the resource has none; name one, or leave it out")
		}
	}
	return f.Err()
}

// validateScopes: RFC 6749 section 3.3. The standard scopes say something of a person and go with every resource, so none can have one of its
// own by such a name.
func validateScopes(f *fields.Faults, all []storage.Scope) {
	if len(all) > maxScopes {
		f.Add("scopes", "are more than %d", maxScopes)
		return
	}
	for i, s := range all {
		bad := func(problem string) { f.CheckValue("scopes", scopeValue(s), problem) }
		bad(fields.Scope(s.Name))
		switch {
		case strings.Contains(s.Name, "="):
			bad(fields.Quote(s.Name) + " has an =, behind which its text would stand")
		case slices.Contains(clients.Scopes, s.Name):
			bad(s.Name + " is a standard scope; choose another name")
		case slices.ContainsFunc(all[:i], func(b storage.Scope) bool { return b.Name == s.Name }):
			bad(fields.Quote(s.Name) + " is there twice")
		}
		if s.Text != "" {
			if problem := fields.Text(s.Text, maxText); problem != "" {
				bad("the text of " + fields.Quote(s.Name) + " " + problem)
			}
		}
	}
}

// validatePermissions: their names have the form of scopes, since those who check them look for them in lists of words.
func validatePermissions(f *fields.Faults, all []storage.Permission) {
	if len(all) > maxPermissions {
		f.Add("permissions", "are more than %d", maxPermissions)
		return
	}
	for i, p := range all {
		bad := func(format string, args ...any) {
			f.CheckValue("permissions", permissionValue(p), fields.Quote(p.Name)+" "+fmt.Sprintf(format, args...))
		}
		switch {
		case fields.Scope(p.Name) != "" || strings.Contains(p.Name, "="):
			bad("is not the name of a permission: printable ASCII without space, quote, backslash and =")
		case slices.ContainsFunc(all[:i], func(b storage.Permission) bool { return b.Name == p.Name }):
			bad("is there twice; name all roles and groups that have it behind one another")
		}
		if n := len(p.Roles) + len(p.Groups); n == 0 || n > maxHolders {
			bad("has %d roles and groups; name from 1 to %d", n, maxHolders)
			continue
		}
		for _, who := range []struct {
			word  string
			names []string
		}{{roleWord, p.Roles}, {groupWord, p.Groups}} {
			for i, name := range who.names {
				if problem := fields.Text(name, maxText); problem != "" {
					bad("names the %s%s, which %s", who.word, fields.Quote(name), problem)
				} else if slices.Contains(who.names[:i], name) {
					bad("names the %s%s twice", who.word, fields.Quote(name))
				}
			}
		}
	}
}

// Server is what a server has of its own that resources must go with.
type Server struct {
	Issuer string
	Algs   []string // those that the ring has keys for
	Scopes []string // those that the operator added to the standard ones
}

// Check returns what keeps a resource of the operator's from being one of this server's; nil if nothing does. A client that may ask for a scope
// of the catalogue may do so at any resource: one of the resource's own by that name would be given away with it.
func (s Server) Check(r storage.Resource) error {
	var f fields.Faults
	if strings.TrimSuffix(r.ID, "/") == strings.TrimSuffix(s.Issuer, "/") {
		f.Add("resource", "is the issuer, whose access tokens are set by access_tokens and lifetimes in the configuration")
	}
	if r.Format != storage.FormatOpaque && slices.Contains(algs, r.Alg) { // others are a fault of the record
		f.OneOf("access_token_alg", r.Alg, s.Algs...)
	}
	for _, own := range r.Scopes {
		if slices.Contains(s.Scopes, own.Name) {
			f.CheckValue("scopes", scopeValue(own), own.Name+" is a scope that the configuration declares for all; choose another name")
		}
	}
	return f.Err()
}

// Ensure stores want if the store has another resource under its id, or none, and returns what is stored from then on. Servers that
// start together do so once: whoever comes second finds it there. The caller has validated want.
func Ensure(ctx context.Context, store storage.Resources, want storage.Resource, o storage.Change) (storage.Resource, error) {
	const attempts = 5
	var err error
	for range attempts {
		var have, saved storage.Resource
		have, err = store.Resource(ctx, want.ID)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			want.Revision, want.Created = 0, o.Now
		case err != nil:
			return storage.Resource{}, err
		case same(have, want):
			return have, nil
		default:
			want.Revision, want.Created = have.Revision, have.Created
		}
		want.Updated = o.Now
		saved, err = store.SaveResource(ctx, want, o)
		if err == nil {
			return saved, nil
		}
		if !errors.Is(err, storage.ErrConflict) && !errors.Is(err, storage.ErrExists) && !errors.Is(err, storage.ErrNotFound) {
			return storage.Resource{}, err
		}
	}
	return storage.Resource{}, err
}

func same(a, b storage.Resource) bool { return a.Origin == b.Origin && len(Fields.Diff(a, b)) == 0 }
