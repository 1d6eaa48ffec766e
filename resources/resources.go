// Package resources holds the rules for APIs that accept our access tokens: RFC 8707, RFC 9068. The record is [storage.Resource].
//
// One resource is built in: whoever names none gets access tokens for it. Its audience is the issuer, and what its tokens are like
// follows from the settings, so the store learns of it at the start ([Ensure]).
package resources

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

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
	ClaimGroups = "groups"
	ClaimRoles  = "roles"
)

// algs are the algorithms of access tokens. An algorithm with a shared key is not among them: whoever can verify could sign.
var algs = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// maxLifetime bounds how long a token works that nobody asks us about any more.
const maxLifetime = 24 * time.Hour

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

// Validate returns all faults of r, joined, each a [*fields.Error]; nil if there is none.
func Validate(r storage.Resource) error {
	var f fields.Faults
	if r.ID != storage.DefaultResource {
		f.Check("resource", idProblem(r.ID))
	}
	f.Check("name", fields.Text(r.Name, 200))
	for _, s := range r.Scopes {
		f.Check("scopes", fields.Scope(s))
	}
	f.OneOf("format", r.Format, storage.FormatJWT)
	f.OneOf("access_token_alg", r.Alg, algs...)
	f.OneOf("access_token_typ", r.Typ, TypAccessToken, TypJWT)
	if r.Lifetime < time.Second || r.Lifetime > maxLifetime || r.Lifetime%time.Second != 0 {
		f.Add("access_token_lifetime", "is %s; use whole seconds, from 1s to %s", r.Lifetime, maxLifetime)
	}
	for i, c := range r.Claims {
		f.OneOf("claims", c, ClaimGroups, ClaimRoles)
		if slices.Contains(r.Claims[:i], c) {
			f.Add("claims", "has %s twice", fields.Quote(c))
		}
	}
	return f.Err()
}

// idProblem holds a resource's id to RFC 8707 section 2: an absolute URI without a fragment.
func idProblem(id string) string {
	_, problem := fields.URI(id)
	if problem == "" && strings.Contains(id, "#") {
		problem = fields.Quote(id) + " has a fragment; remove # and what follows"
	}
	return problem
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
			want.Revision = 0
		case err != nil:
			return storage.Resource{}, err
		case same(have, want):
			return have, nil
		default:
			want.Revision = have.Revision
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

func same(a, b storage.Resource) bool {
	return a.Name == b.Name && a.Format == b.Format && a.Alg == b.Alg && a.Typ == b.Typ && a.Lifetime == b.Lifetime &&
		slices.Equal(a.Scopes, b.Scopes) && slices.Equal(a.Claims, b.Claims)
}
