package issue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"signet/clients"
	"signet/provider/oauth"
	"signet/storage"
)

// Behalf is in whose name a client asks for an access token.
type Behalf int

// A resource that is open is so to what users allow, and to nothing else.
const (
	ForUser Behalf = iota
	ForItself
)

// Target is what one access token is for: a resource, or several that are alike (RFC 8707 section 2).
type Target struct {
	Resources []storage.Resource
}

// first is the one whose form all have.
func (t Target) first() storage.Resource { return t.Resources[0] }

// Lifetime is how long its tokens live: as long as the most careful resource wants.
func (t Target) Lifetime() time.Duration {
	d := t.first().Lifetime
	for _, r := range t.Resources[1:] {
		d = min(d, r.Lifetime)
	}
	return d
}

// JWT reports whether its tokens can be read by those who verify them.
func (t Target) JWT() bool { return t.first().Format != storage.FormatOpaque }

// wants reports whether the resources want a claim about the user: all of them but for the issuer, since each reads what the token says.
func (t Target) wants(claim string) bool {
	return !slices.ContainsFunc(t.Resources, func(r storage.Resource) bool {
		issuer := r.ID == storage.DefaultResource && len(t.Resources) > 1
		return !issuer && !slices.Contains(r.Claims, claim)
	})
}

func hasPermissions(r storage.Resource) bool { return slices.Contains(r.Claims, claimPermissions) }

// permissions are what the user may do at the resources: by role and group, each once, in the order of the resource.
func (t Target) permissions(u storage.User) (all []string) {
	for _, r := range t.Resources {
		if !hasPermissions(r) {
			continue
		}
		for _, p := range r.Permissions {
			if meet(p.Roles, u.Roles) || meet(p.Groups, u.Groups) {
				all = append(all, p.Name)
			}
		}
	}
	return all
}

const claimPermissions = "permissions"

func meet(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// AccessLife is how long an access token that was issued until now can live from now on: for the longest lifetime of all resources, if none of them
// was changed within the day, or else for [storage.LongestAccess].
func (i *Issuer) AccessLife(ctx context.Context) (time.Duration, error) {
	all, err := i.Resources.Resources(ctx)
	var longest time.Duration
	for _, r := range all {
		if i.Now().Before(r.Updated.Add(storage.LongestAccess)) {
			return storage.LongestAccess, err
		}
		longest = max(longest, r.Lifetime)
	}
	return longest, err
}

// alike reports whether one token can be for both.
func alike(a, b storage.Resource) bool {
	return a.Format == b.Format && a.Alg == b.Alg && a.Typ == b.Typ
}

// Named are the resources that a request names, as they are stored: the issuer is [storage.DefaultResource], and each is there once.
func (i *Issuer) Named(resources []string) (named []string) {
	for _, r := range resources {
		if r == i.Issuer {
			r = storage.DefaultResource
		}
		if !slices.Contains(named, r) {
			named = append(named, r)
		}
	}
	return named
}

// Asked is Named for a request that begins something: without a name the client's default resource is meant. For the issuer alone it is nil.
func (i *Issuer) Asked(c storage.Client, resources []string) []string {
	named := i.Named(resources)
	if len(named) == 0 {
		named = []string{c.DefaultResource}
	}
	if len(named) == 1 && named[0] == storage.DefaultResource {
		return nil
	}
	return named
}

// maxNamed bounds what one request can have us look up, and a user read.
const maxNamed = 20

// Resolve finds the resources of these names, the default one for none, and refuses with invalid_target where one is unknown or the client may
// not ask for it: RFC 8707 section 2. The two are told apart in the log alone.
func (i *Issuer) Resolve(ctx context.Context, c storage.Client, names []string, b Behalf) ([]storage.Resource, error) {
	switch {
	case len(names) == 0:
		names = []string{storage.DefaultResource}
	case len(names) > maxNamed:
		return nil, oauth.Errorf(oauth.InvalidTarget, "resource names more than %d APIs", maxNamed)
	}
	all := make([]storage.Resource, 0, len(names))
	for _, name := range names {
		r, err := i.Resources.Resource(ctx, name)
		switch {
		case name == storage.DefaultResource && err != nil:
			return nil, fmt.Errorf("the default resource: %w", err)
		case errors.Is(err, storage.ErrNotFound):
			return nil, oauth.Errorf(oauth.InvalidTarget, "resource names no API that this client may ask for").Because(err)
		case err != nil:
			return nil, fmt.Errorf("resource %s: %w", name, err)
		case !clients.MayAsk(c, r, b == ForItself):
			return nil, oauth.Errorf(oauth.InvalidTarget, "resource names no API that this client may ask for").Because(errClosed)
		}
		all = append(all, r)
	}
	return all, nil
}

// Remaining is Resolve for what was authorized earlier: what has gone since, or was taken from the client, is left out.
func (i *Issuer) Remaining(ctx context.Context, c storage.Client, names []string, b Behalf) (left []storage.Resource, err error) {
	for _, name := range names {
		r, err := i.Resolve(ctx, c, []string{name}, b)
		if refusal, ok := errors.AsType[*oauth.Error](err); ok && refusal.Code == oauth.InvalidTarget {
			continue
		}
		if err != nil {
			return nil, err
		}
		left = append(left, r...)
	}
	return left, nil
}

var errClosed = errors.New("the resource is not open, and the client has no access to it")

// Target makes one target of resources, for a token with these scopes: RFC 9068 sections 3 and 5.
func (i *Issuer) Target(resources []storage.Resource, scopes []string) (Target, error) {
	t := Target{Resources: resources[:1]}
	for _, r := range resources[1:] {
		if why := t.apart(r, scopes); why != "" {
			return Target{}, oauth.Errorf(oauth.InvalidTarget, "%s; ask for a token for each resource", why)
		}
		t.Resources = append(t.Resources[:len(t.Resources):len(t.Resources)], r)
	}
	return t, i.signable(t)
}

// Implied is the target of a token request that names none: what was authorized, as far as it goes together with the first of it.
func (i *Issuer) Implied(resources []storage.Resource, scopes []string) (Target, error) {
	t := Target{Resources: resources[:1]}
	for _, r := range resources[1:] {
		if t.apart(r, scopes) == "" {
			t.Resources = append(t.Resources[:len(t.Resources):len(t.Resources)], r)
		}
	}
	return t, i.signable(t)
}

// apart says why one token cannot be for t and r; "" if it can. A scope is taken by each resource that has one of its name, whatever the client may
// have there.
func (t Target) apart(r storage.Resource, scopes []string) string {
	if !alike(t.first(), r) {
		return "the resources want access tokens of different kinds"
	}
	if hasPermissions(r) && slices.ContainsFunc(t.Resources, hasPermissions) {
		return "the permissions of one resource would be taken for those of another"
	}
	for _, s := range scopes { // RFC 9068 section 5: a scope that could be of either resource
		if has(r, s) && slices.ContainsFunc(t.Resources, func(of storage.Resource) bool { return has(of, s) }) {
			return "the scope " + s + " would be good at more than one of the resources"
		}
	}
	return ""
}

// has reports whether a resource has a scope of its own by this name.
func has(r storage.Resource, scope string) bool {
	return slices.ContainsFunc(r.Scopes, func(s storage.Scope) bool { return s.Name == scope })
}

// signable: what cannot be signed must not be found out after something was spent for it.
func (i *Issuer) signable(t Target) error {
	if r := t.first(); t.JWT() && !i.Keys.Signs(r.Alg) {
		return fmt.Errorf("there is no key that signs access tokens with %s; turn the algorithm on, or change that of the resource", r.Alg)
	}
	return nil
}

// Within leaves of the scopes what the client may have in a token for t: those of OpenID Connect and the operator's own catalogue, as far as the
// client is registered for them, and those of the resources, as far as the user allowed them there.
func (i *Issuer) Within(c storage.Client, t Target, scopes []string, a storage.Authorization) []string {
	var own []string
	for _, r := range t.Resources {
		for _, s := range clients.ScopesAt(c, r, false) {
			if a.Allows(r.ID, s) {
				own = append(own, s)
			}
		}
	}
	left := make([]string, 0, len(scopes))
	for _, s := range scopes {
		if slices.Contains(own, s) || slices.Contains(c.Scopes, s) && slices.Contains(i.Claims.Scopes(), s) {
			left = append(left, s)
		}
	}
	return left
}

// Audience is the claim aud of an access token: a string, or a list where there are several (RFC 7519 section 4.1.3).
type Audience []string

// audience: RFC 9068 section 3; without a resource indicator the default resource is meant, which is the issuer.
func (i *Issuer) audience(t Target) Audience {
	a := make(Audience, len(t.Resources))
	for n, r := range t.Resources {
		if a[n] = r.ID; r.ID == storage.DefaultResource {
			a[n] = i.Issuer
		}
	}
	return a
}

// MarshalJSON writes a list of one as a string, as most who verify tokens expect it.
func (a Audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// UnmarshalJSON reads both forms.
func (a *Audience) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = Audience{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}
